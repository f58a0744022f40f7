"""Which tables a database has, and making them in an empty one."""

from typing import Final

import attrs
from sqlalchemy import Connection, insert, inspect, select

from calserver.store.dialects import Dialect
from calserver.store.schema import COUNTERS, REVISION, alembic_version, counter, metadata
from calserver.store.urls import dialect_of

COPYING: Final = "copying"
"""The revision of a database that is not complete (`calserver.store.copying`)."""


class SchemaMismatch(Exception):
    """The tables are not those that this version of the program works with."""

    def __init__(self, found: str, whose: str = "the database") -> None:
        self.found = found
        self.is_older = found != COPYING and found < REVISION
        """Whether they can be brought to what the program works with."""
        if found == COPYING:
            what = "a copy into it was not brought to its end"
        else:
            what = "upgrade it" if self.is_older else "a newer program has upgraded it"
        super().__init__(f"{whose} has revision {found}, this program needs {REVISION}: {what}")


@attrs.frozen(slots=True, kw_only=True)
class Health:
    """What `check` found."""

    found: str | None
    """The revision of the tables; None where there are none."""
    wanted: str = REVISION
    """The revision that this version of the program works with."""
    problems: tuple[str, ...] = ()
    """What is damaged, in sentences for people."""

    @property
    def current(self) -> bool:
        """Whether the tables are those that are wanted."""
        return self.found == self.wanted


def revision_of(connection: Connection) -> str | None:
    """The revision of the tables; None for an empty database."""
    if not inspect(connection).has_table(alembic_version.name):
        return None
    return connection.scalar(select(alembic_version.c.version_num))


def make(connection: Connection) -> None:
    """Make all tables in an empty database."""
    metadata.create_all(connection)
    connection.execute(insert(counter), [{"name": name, "value": 0} for name in COUNTERS])
    alembic_version.create(connection)
    connection.execute(insert(alembic_version), {"version_num": REVISION})


def ensure(dialect: Dialect) -> None:
    """Make the tables where the database is empty.

    Raises:
        SchemaMismatch: it has tables of another revision.
        Busy: another process keeps the lock for too long.
        Unusable: it cannot be opened.
    """
    dialect.prepare()
    with dialect.tables() as connection:
        found = revision_of(connection)
        if found is None:
            make(connection)
        elif found != REVISION:
            raise SchemaMismatch(found)


def check(url: str) -> Health:
    """Look at a database without changing it: the revision of its tables, and what is damaged."""
    dialect = dialect_of(url)
    if not dialect.exists():
        return Health(found=None)
    with dialect.tables() as connection:
        found = revision_of(connection)
    return Health(found=found, problems=tuple(dialect.problems()))
