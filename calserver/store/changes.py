"""What changed since a revision (RFC 6578)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, or_, select, update

from calserver.store import revisions, seen
from calserver.store.rows import COLLECTION, OBJECT, collection_from, microseconds, object_from
from calserver.store.schema import collection, object_, tombstone
from calserver.store.statements import Connection, Row, Statement
from calserver.store.values import Collection, Object, Tombstone

_c, _o, _t = collection.c, object_.c, tombstone.c


def _members_since(columns: Sequence[Any]) -> tuple[Statement, Statement]:
    """The same for members, also of what is bound to another collection."""
    query = seen.members(columns, lambda arm: arm.where(_o.revision > bindparam("since")), order=_o.revision)
    return Statement(query), Statement(query.limit(bindparam("limit")))


OBJECTS, SOME_OBJECTS = _members_since(OBJECT)
LISTING, SOME_LISTING = _members_since((_o.name, _o.etag, _o.content_type, _o.revision))
COLLECTIONS = Statement(
    select(*COLLECTION)
    .where(_c.parent_id == bindparam("collection_id"), _c.revision > bindparam("since"))
    .order_by(_c.revision)
)
_source = select(func.coalesce(_c.source_id, _c.id)).where(_c.id == bindparam("collection_id")).scalar_subquery()
_removed = (
    select(bindparam("collection_id"), _t.name, _t.was_collection, _t.revision)
    .where(_t.collection_id == _source, _t.revision > bindparam("since"))
    .order_by(_t.revision)
)
TOMBSTONES, SOME_TOMBSTONES = Statement(_removed), Statement(_removed.limit(bindparam("limit")))
_forgotten = (
    select(_t.collection_id, func.max(_t.revision).label("revision"))
    .where(_t.removed < bindparam("before"))
    .group_by(_t.collection_id)
    .cte("forgotten", recursive=True)
)
_there = collection.alias("there")
_forgotten = _forgotten.union(
    select(_c.id, _forgotten.c.revision).where(
        _there.c.id == _forgotten.c.collection_id,
        or_(_c.id == _there.c.parent_id, _c.source_id == _there.c.id),
    )
)
_highest = (
    select(_forgotten.c.collection_id, func.max(_forgotten.c.revision).label("revision"))
    .group_by(_forgotten.c.collection_id)
    .subquery("highest")
)
RAISE_FLOORS = Statement(
    update(collection)
    .values(floor=_highest.c.revision)
    .where(_c.id == _highest.c.collection_id, _c.floor < _highest.c.revision)
)
"""Of all collections above too, since they tell what was removed below them (sync-level infinite); and of those bound
to one of them."""
PURGE = Statement(delete(tombstone).where(_t.removed < bindparam("before")))


class SqlChangeLog:
    """`calserver.store.interface.ChangeLog` on SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def objects(self, collection_id: int, since: int, limit: int | None = None) -> Sequence[Object]:
        """Members with content that changed after `since`, by revision."""
        return [object_from(row) for row in self._rows(OBJECTS, SOME_OBJECTS, collection_id, since, limit)]

    def listing(self, collection_id: int, since: int, limit: int | None = None) -> Sequence[tuple[str, str, str, int]]:
        """The same as name, ETag, content type and revision: rows as the driver gives them."""
        rows = self._rows(LISTING, SOME_LISTING, collection_id, since, limit)
        return rows

    def collections(self, parent_id: int, since: int) -> Sequence[Collection]:
        """Member collections that changed after `since`, by revision."""
        rows = self._connection.all(COLLECTIONS, collection_id=parent_id, since=since)
        return [collection_from(row) for row in rows]

    def tombstones(self, collection_id: int, since: int, limit: int | None = None) -> Sequence[Tombstone]:
        """Members removed after `since` (and not made again), by revision."""
        return [
            Tombstone(collection_id=row[0], name=row[1], was_collection=bool(row[2]), revision=row[3])
            for row in self._rows(TOMBSTONES, SOME_TOMBSTONES, collection_id, since, limit)
        ]

    def purge_tombstones(self, before: datetime) -> int:
        """Forget removals older than `before` and raise the floors; returns how many."""
        limit = microseconds(before)
        self._connection.run(RAISE_FLOORS, before=limit)
        purged = self._connection.run(PURGE, before=limit)
        if purged:
            revisions.count(self._connection, "floors")
        return purged

    def _rows(
        self, everything: Statement, some: Statement, collection_id: int, since: int, limit: int | None
    ) -> Sequence[Row]:
        if limit is None:
            return self._connection.all(everything, collection_id=collection_id, since=since)
        return self._connection.all(some, collection_id=collection_id, since=since, limit=limit)
