"""Calendars that are shared: invitations, what is bound to whose calendar, and what of an object is a sharee's own."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import bindparam, delete, select, update

from calserver.store import revisions
from calserver.store.aside import served
from calserver.store.collections import SqlCollections
from calserver.store.dialects import among
from calserver.store.principals import PRINCIPAL, principal_from
from calserver.store.rows import COLLECTION, collection_from, microseconds
from calserver.store.schema import collection, common_content, object_, personal, principal, share
from calserver.store.statements import Connection, Statement, inserting
from calserver.store.values import Collection, Missing, Share, Source, Variant

_c, _o, _s, _h = collection.c, object_.c, personal.c, share.c
SHARE = tuple(share.c)
_parent, _bound, _source = (collection.alias(name) for name in ("parent", "bound", "source"))

OF = Statement(select(*SHARE).where(_h.collection_id == bindparam("collection_id")).order_by(_h.id))
FIND = Statement(
    select(*SHARE).where(_h.collection_id == bindparam("collection_id"), _h.principal_id == bindparam("principal_id"))
)
BY_UID = Statement(select(*SHARE).where(_h.uid == bindparam("uid")))
WITH = Statement(
    select(_h.collection_id)
    .join(collection, _c.id == _h.collection_id)
    .where(among(_h.principal_id, "ids"), served())
    .distinct()
    .order_by(_h.collection_id)
)
_below = select(_c.id).where(_c.id == bindparam("top")).cte("below", recursive=True)
_inner = collection.alias("inner_one")
_below = _below.union(select(_inner.c.id).where(_inner.c.parent_id == _below.c.id))
BELOW = Statement(select(_c.id).where(_c.id.in_(select(_below.c.id)), _c.shared).order_by(_c.id))
INSERT = Statement(inserting(share, "id").returning(_h.id))
_CHANGED = ("common_name", "summary", "own_access", "access", "status")
UPDATE = Statement(
    update(share).values({name: bindparam(name) for name in _CHANGED}).where(_h.id == bindparam("which"))
)
DELETE = Statement(delete(share).where(_h.id == bindparam("id")))
BOUND = Statement(select(*COLLECTION).where(_c.source_id == bindparam("source")).order_by(_c.principal_id))
BOUND_TO = Statement(
    select(*COLLECTION).where(_c.source_id == bindparam("source"), _c.principal_id == bindparam("principal_id"))
)
SET_ACCESS = Statement(update(collection).values(access=bindparam("access")).where(_c.id == bindparam("which")))
_sources = tuple(_source.c[column.name] for column in COLLECTION)
SOURCES = Statement(
    select(_bound.c.id, _parent.c.parent_id, *_sources, *PRINCIPAL)
    .select_from(_bound)
    .join(_source, _source.c.id == _bound.c.source_id)
    .join(_parent, _parent.c.id == _source.c.parent_id)
    .join(principal, principal.c.id == _source.c.principal_id)
    .where(_bound.c.parent_id == bindparam("home_id"))
)
CLEAR_COMMON = Statement(delete(common_content).where(common_content.c.object_id == bindparam("object_id")))
INSERT_COMMON = Statement(inserting(common_content))
SET_COMMON = Statement(
    update(object_)
    .values(common_etag=bindparam("etag"), common_size=bindparam("size"), common_busy_differs=bindparam("busy_differs"))
    .where(_o.id == bindparam("which"))
)
PERSONAL = Statement(select(_s.principal_id, _s.text).where(_s.object_id == bindparam("object_id")))
CLEAR_PERSONAL = Statement(
    delete(personal).where(_s.object_id == bindparam("object_id"), _s.principal_id == bindparam("principal_id"))
)
INSERT_PERSONAL = Statement(inserting(personal))
NAMED = Statement(select(_o.collection_id, _o.name).where(_o.id == bindparam("id")))


def share_from(row: Sequence[Any]) -> Share:
    """A share from the columns of `SHARE`."""
    return Share(**{column.name: value for column, value in zip(SHARE, row, strict=True)})


class SqlShares:
    """`calserver.store.interface.Shares` on SQL."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = microseconds(now)
        self._collections = SqlCollections(connection, now)

    # -- invitations

    def of(self, collection_id: int) -> Sequence[Share]:
        """All of a calendar, in the order in which they were made."""
        return [share_from(row) for row in self._connection.all(OF, collection_id=collection_id)]

    def find(self, collection_id: int, principal_id: int) -> Share | None:
        """That of a principal."""
        row = self._connection.one(FIND, collection_id=collection_id, principal_id=principal_id)
        return None if row is None else share_from(row)

    def by_uid(self, uid: str) -> Share | None:
        """By its uid."""
        row = self._connection.one(BY_UID, uid=uid)
        return None if row is None else share_from(row)

    def shared_with(self, principal_ids: Iterable[int]) -> Sequence[int]:
        """The ids of the calendars to which any of these principals is invited."""
        return [row[0] for row in self._connection.all(WITH, ids=self._connection.values(principal_ids))]

    def below(self, collection_id: int) -> Sequence[int]:
        """The ids of the shared calendars at or below a collection."""
        return [row[0] for row in self._connection.all(BELOW, top=collection_id)]

    def add(self, new: Share) -> Share:
        """Insert (the id is given by the store)."""
        id: int = self._connection.value(INSERT, **attrs.asdict(new, filter=attrs.filters.exclude("id")))
        self._collections.mark_shared(new.collection_id)
        return attrs.evolve(new, id=id)

    def update(self, changed: Share) -> Share:
        """Write names, access and status."""
        self._collections.touch(changed.collection_id)
        self._connection.run(UPDATE, which=changed.id, **{name: getattr(changed, name) for name in _CHANGED})
        return changed

    def remove(self, gone: Share) -> None:
        """Forget an invitation."""
        self._connection.run(DELETE, id=gone.id)
        self._collections.mark_shared(gone.collection_id)

    # -- what is bound

    def bind(
        self,
        source: Collection,
        home: Collection,
        name: str,
        kind: str,
        *,
        access: str,
        properties: Mapping[str, str],
        display_name: str | None,
    ) -> Collection:
        """Make a collection in a home that has the members of a calendar in another one."""
        owner = self._collections.get(source.home_id)
        assert owner is not None
        self._connection.run(revisions.RAISE, home=home.id, least=owner.revision)
        return self._collections.add(
            home.id,
            name,
            kind,
            properties=properties,
            display_name=display_name,
            components=source.components,
            transparent=True,
            timezone=source.timezone,
            source_id=source.id,
            access=access,
        )

    def bound(self, source_id: int) -> Sequence[Collection]:
        """All that is bound to a calendar."""
        return [collection_from(row) for row in self._connection.all(BOUND, source=source_id)]

    def bound_to(self, source_id: int, principal_id: int) -> Collection | None:
        """What is bound to a calendar in the home of a principal."""
        row = self._connection.one(BOUND_TO, source=source_id, principal_id=principal_id)
        return None if row is None else collection_from(row)

    def set_access(self, bound_id: int, access: str) -> None:
        """Change what a sharee may do; takes a new revision."""
        revision = self._collections.touch(bound_id)
        self._connection.run(revisions.MARK_ACCESS, lowest=bound_id, revision=revision)
        self._connection.run(SET_ACCESS, which=bound_id, access=access)

    def sources(self, home_id: int) -> Mapping[int, Source]:
        """Where the shared calendars in a home come from, by the ids of these, in one query."""
        found = {}
        width = len(COLLECTION)
        for id, grandparent, *row in self._connection.all(SOURCES, home_id=home_id):
            source = collection_from(row[:width])
            names = (source.name,) if grandparent is None else self._names(source)
            found[id] = Source(collection=source, names=names, owner=principal_from(row[width:]))
        return found

    def _names(self, source: Collection) -> tuple[str, ...]:
        """The names on the way to a calendar inside of plain collections."""
        return tuple(each.name for each in self._collections.ancestors(source.id)[1:])

    # -- what is a sharee's own

    def set_common(self, object_id: int, common: Variant | None) -> None:
        """Say what sharees see who have set nothing of their own; None: the object as it is. No new revision."""
        self._connection.run(CLEAR_COMMON, object_id=object_id)
        if common is None:
            self._connection.run(SET_COMMON, which=object_id, etag=None, size=None, busy_differs=None)
            return
        self._connection.run(INSERT_COMMON, object_id=object_id, text=common.text)
        self._connection.run(
            SET_COMMON,
            which=object_id,
            etag=common.etag,
            size=len(common.text),
            busy_differs=common.busy_differs,
        )

    def personal(self, object_id: int) -> Mapping[int, bytes]:
        """The object as it is for sharees who have set something of their own, by their ids."""
        return dict(self._connection.all(PERSONAL, object_id=object_id))

    def set_personal(self, object_id: int, principal_id: int, own: Variant | None) -> None:
        """Say what a sharee sees; None: what is common. No new revision."""
        self._connection.run(CLEAR_PERSONAL, object_id=object_id, principal_id=principal_id)
        if own is None:
            return
        row = self._connection.one(NAMED, id=object_id)
        if row is None:
            raise Missing(f"object {object_id}")
        self._connection.run(
            INSERT_PERSONAL,
            object_id=object_id,
            principal_id=principal_id,
            collection_id=row[0],
            name=row[1],
            etag=own.etag,
            size=len(own.text),
            busy_differs=own.busy_differs,
            text=own.text,
        )
