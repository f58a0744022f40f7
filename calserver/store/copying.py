"""Moving a whole store to another database, of another kind or the same.

Rows go in the order of their primary keys, some thousand in a transaction, so what is there of a copy says how far it
came: one that was interrupted goes on from there. Until all is there, and is proven to be the same by counting and by a
digest of each table, the target says that its revision is `COPYING`, and no server works with it.

The source must stay as it is meanwhile: its writers are kept out. If it was changed between a copy and its
continuation, the digests tell.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import attrs
from sqlalchemy import Connection, Table, delete, func, insert, literal, select, tuple_, update

from calserver.store.dialects import Dialect
from calserver.store.schema import REVISION, alembic_version, metadata
from calserver.store.tables import COPYING, SchemaMismatch, make, revision_of
from calserver.store.urls import dialect_of
from calserver.store.values import Unusable

ROWS: Final = 2000
"""Rows in a transaction."""

Progress = Callable[[str, int, int], object]
"""Is told a table, how many of its rows are done, and how many there are."""


@attrs.frozen(slots=True, kw_only=True)
class Copied:
    """A table that is there now, the same as before."""

    table: str
    rows: int
    digest: str
    """SHA-256 of its rows, in hexadecimal."""


def copy(source: str, target: str, progress: Progress) -> Sequence[Copied]:
    """Copy all of a store into an empty database, or go on with a copy that was interrupted.

    Args:
        source: the URL of a store.
        target: the URL of a database without tables, or with a copy that was begun.
        progress: is told how far it is; what it raises interrupts the copy.

    Raises:
        SchemaMismatch: the source has tables of another revision.
        Unusable: the target has a store already; or the copy is not the same as the source.
        Busy: other processes use them.
    """
    old, new = dialect_of(source), dialect_of(target)
    if not old.exists():
        raise Unusable("there is nothing to copy")
    new.prepare()
    with old.tables() as read:
        found = revision_of(read)
        if found is None:
            raise Unusable("there is nothing to copy")
        if found != REVISION:
            raise SchemaMismatch(found, "the source")
        old.keep_out_writers(read)
        _begin(new)
        for table in metadata.sorted_tables:
            _copy_table(read, new, table, progress)
        same = [_verified(read, new, table) for table in metadata.sorted_tables]
        with new.tables() as write:
            new.continue_numbers(write, old.last_numbers(read))
            new.tie(write)
            write.execute(update(alembic_version).values(version_num=REVISION))
    return same


def _begin(new: Dialect) -> None:
    with new.tables() as write:
        found = revision_of(write)
        if found is None:
            make(write)
            for table in reversed(metadata.sorted_tables):
                write.execute(delete(table))
            write.execute(update(alembic_version).values(version_num=COPYING))
        elif found != COPYING:
            raise Unusable("there is a store in the target already; a copy wants an empty database")
        new.untie(write)


def _order(table: Table) -> list[Any]:
    """The columns that say which row is which: the primary key, or all."""
    return list(table.primary_key) or list(table.c)


def _batches(connection: Connection, table: Table, after: Any = None) -> Iterator[Sequence[Any]]:
    """The rows behind one, in order."""
    order = _order(table)
    keys = [list(table.c).index(column) for column in order]
    while True:
        query = select(table).order_by(*order).limit(ROWS)
        if after is not None:
            behind = tuple_(*(literal(value, column.type) for value, column in zip(after, order, strict=True)))
            query = query.where(tuple_(*order) > behind)
        rows = connection.execute(query).all()
        if rows:
            yield rows
        if len(rows) < ROWS:
            return
        after = tuple(rows[-1][key] for key in keys)


def _copy_table(read: Connection, new: Dialect, table: Table, progress: Progress) -> None:
    total = _count(read, table)
    with new.tables() as write:
        if not table.primary_key:  # small, and nothing says how far it came
            write.execute(delete(table))
        done = _count(write, table)
        order = _order(table)
        last = write.execute(select(*order).order_by(*(column.desc() for column in order)).limit(1)).first()
    progress(table.name, done, total)
    for rows in _batches(read, table, None if last is None else tuple(last)):
        with new.tables() as write:
            write.execute(insert(table), [row._asdict() for row in rows])
        done += len(rows)
        progress(table.name, done, total)


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _verified(read: Connection, new: Dialect, table: Table) -> Copied:
    with new.tables() as write:
        before, after = _digest(read, table), _digest(write, table)
    if before != after:
        raise Unusable(f"the table {table.name} has become another one; empty the target and copy again")
    return after


def _digest(connection: Connection, table: Table) -> Copied:
    """A digest of all rows; values of the same type and content are written alike whatever database they come from."""
    rows, digest = 0, hashlib.sha256()
    for batch in _batches(connection, table):
        rows += len(batch)
        for row in batch:
            digest.update(repr(tuple(row)).encode("utf-8", "surrogatepass"))
    return Copied(table=table.name, rows=rows, digest=digest.hexdigest())
