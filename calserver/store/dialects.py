"""Where databases differ: how to connect, begin and commit, and the few expressions that each writes its own way.

All else in this room is SQL that SQLAlchemy writes for any of them. PostgreSQL is to be a second class beside `SQLite`
and a second ``@compiles`` beside each construct.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
from sqlalchemy import (
    URL,
    BindParameter,
    Boolean,
    ColumnElement,
    Connection,
    LargeBinary,
    NullPool,
    bindparam,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from calserver.store.values import Busy, Full, Missing, Unusable


class among(ColumnElement[bool]):  # noqa: N801 - an operator, spelled like SQLAlchemy's own
    """Whether `column` is one of the values of the parameter `name`, however many: one statement for all lengths."""

    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.values: BindParameter[Any] = bindparam(name)

    def self_group(self, against: Any = None) -> "among":
        """It is a condition as it stands: not to be compared with 1 where there are no booleans."""
        return self


@compiles(among, "sqlite")
def _among_in_sqlite(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = compiler.process(element.column, **kw), compiler.process(element.values, **kw)
    return f"{column} IN (SELECT value FROM json_each({values}))"


class joined(ColumnElement[bytes]):  # noqa: N801 - a function, spelled like SQLAlchemy's own
    """An aggregate: the texts `line` of all rows as bytes, with the parameter `name` between them."""

    inherit_cache = False
    type = LargeBinary()

    def __init__(self, line: ColumnElement[str], name: str) -> None:
        self.line = line
        self.separator: BindParameter[str] = bindparam(name)


@compiles(joined, "sqlite")
def _joined_in_sqlite(element: joined, compiler: SQLCompiler, **kw: Any) -> str:
    line, separator = compiler.process(element.line, **kw), compiler.process(element.separator, **kw)
    return f"CAST(group_concat({line}, {separator}) AS BLOB)"


STEPS: Final = 4000
"""Steps of SQLite's virtual machine, in all runs of a statement together: about a hundred rows."""

UNPLAIN: Final = "(name GLOB '*[^-!$''()*+,.0-9:;=@A-Z_a-z~]*' OR content_type GLOB '*[^ -%''-;=?-~]*')"
"""Whether a member has a name that is escaped in paths, or a media type that is escaped in XML, in SQLite's words.

Spelled alike in the index and in the query that shall use it. A name is plain where `calserver.dav.quote_segment`
changes nothing.
"""


@attrs.frozen(slots=True)
class SQLite:
    """SQLite in WAL mode: readers see snapshots and never wait, writers queue for the one write lock.

    ``synchronous=FULL`` syncs the log at each commit, so what was acknowledged survives a loss of power.
    """

    path: Path
    busy_timeout: float
    """Seconds that a writer waits for another process."""

    compiler = sqlite.dialect(paramstyle="named")
    error: type[Exception] = sqlite3.Error

    def connect(self, *, writable: bool, patient: bool = True) -> sqlite3.Connection:
        """A new connection in autocommit mode, for one thread at a time; an impatient one never waits."""
        connection = sqlite3.connect(
            self.path,
            timeout=self.busy_timeout if patient else 0,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=400,
        )
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-4000",
            "journal_size_limit=67108864",
            f"query_only={'OFF' if writable else 'ON'}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def watch(self, connection: sqlite3.Connection, enough: Callable[[], bool]) -> None:
        """Ask `enough` now and then, after `STEPS` of a statement, and let the statement fail if it is so."""
        connection.set_progress_handler(enough, STEPS)

    def prepare(self) -> None:
        """Make the file where there is none: readable by its owner only, and its directory entry durable.

        Raises:
            Unusable: it cannot be made.
        """
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return
        except OSError as error:
            raise Unusable(f"{self.path}: {error.strerror}") from error
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def tables(self) -> Iterator[Connection]:
        """For looking at tables and changing them: a connection of SQLAlchemy that holds the write lock.

        Foreign keys are not enforced, since changing a table may mean to make it anew.

        Raises:
            Busy: another process keeps the lock for too long.
            Unusable: the file cannot be opened, or is no database.
        """

        def connect() -> sqlite3.Connection:
            connection = self.connect(writable=True)
            connection.execute("PRAGMA foreign_keys=OFF")
            return connection

        engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raised = self.translate(error.orig) if isinstance(error.orig, Exception) else error
            if isinstance(raised, self.error):
                raised = Unusable(f"{self.path}: {raised}")
            raise raised from error

    def exists(self) -> bool:
        """Whether there is a database."""
        return self.path.exists()

    def problems(self) -> list[str]:
        """What the database itself finds wrong with its pages and its references."""
        found: list[str] = []
        try:
            with closing(self.connect(writable=False)) as connection:
                found += [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
                found += [
                    f"row {rowid} of {table} refers to nothing in {parent}"
                    for table, rowid, parent, _ in connection.execute("PRAGMA foreign_key_check")
                ]
        except sqlite3.DatabaseError as error:
            found.append(str(error))
        return found

    def begin_read(self, connection: sqlite3.Connection) -> None:
        """Begin a snapshot."""
        connection.execute("BEGIN")

    def begin_write(self, connection: sqlite3.Connection) -> None:
        """Take the write lock; raises `Busy` where another process keeps it for too long."""
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise self.translate(error) from error

    def translate(self, error: Exception) -> Exception:
        """What the contract raises for an error of the driver; the error itself where it says nothing about it."""
        if isinstance(error, sqlite3.IntegrityError) and error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            return Missing("something refers to what is not there")
        code = error.sqlite_errorcode & 0xFF if isinstance(error, sqlite3.OperationalError) else None
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Busy("the database stayed locked")
        if code == sqlite3.SQLITE_FULL:
            return Full("there is no room left on the disk")
        return error

    def values(self, values: Iterable[int | str]) -> str:
        """The parameter of `among`."""
        return json.dumps(list(values), separators=(",", ":"))

    def version(self, connection: sqlite3.Connection) -> int:
        """A number that differs from the last one this connection got if others committed since."""
        return int(connection.execute("PRAGMA data_version").fetchone()[0])


def dialect_of(url: str | URL, busy_timeout: float) -> SQLite:
    """The dialect for a database URL, such as ``sqlite:////var/lib/calserver/calserver.db``."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise ValueError(f"unknown database {parsed.get_backend_name()!r}: sqlite is what there is")
    if not parsed.database or parsed.database == ":memory:" or parsed.query:
        raise ValueError("the database URL names no file")
    return SQLite(Path(parsed.database), busy_timeout)
