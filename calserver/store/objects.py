"""Members with content."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import and_, bindparam, delete, exists, func, insert, null, or_, select, text, update

from calserver.dav import Acl, packed_acl, unpacked_acl
from calserver.ical import Instance
from calserver.store import instances as index
from calserver.store import joined, revisions, seen
from calserver.store.dialects import among
from calserver.store.ranges import AVAILABLE, BUSY, IN_RANGE, ONLY_MARKED, TAKEN, TAKER, within
from calserver.store.revisions import Grave, Place
from calserver.store.rows import OBJECT, instant, mapping, microseconds, object_from, packed, with_contents
from calserver.store.schema import MARKED, collection, content, instance, object_, personal, tombstone
from calserver.store.statements import Connection, Statement, inserting
from calserver.store.values import Draft, Missing, NameTaken, Object, Part, Taken, Taker, UidTaken

_c, _o, _x, _t = collection.c, object_.c, content.c, tombstone.c
_WIDTH, _TAKER = len(OBJECT), len(TAKER)
_sibling = collection.alias("sibling")
_with_text = select(*OBJECT, _x.text).join(content, _x.object_id == _o.id)

_TEXTS = (*OBJECT, _x.text)
GET = Statement(seen.members(OBJECT, lambda query: query.where(_o.name == bindparam("name"))))
WHOLE = seen.either(_TEXTS, lambda query: query.where(_o.name == bindparam("name")))
BY_ID = Statement(select(*OBJECT).where(_o.id == bindparam("id")))
TEXT = Statement(select(_x.text).where(_x.object_id == bindparam("id")))
TEXTS = Statement(select(_x.object_id, _x.text).where(among(_x.object_id, "ids")))
TEXTS_AS_SEEN = Statement(seen.members((_o.id, _x.text), lambda query: query.where(among(_o.id, "ids"))))
ALL = Statement(seen.members(OBJECT, seen.every, order=_o.revision))
LISTING = Statement(seen.members((_o.name, _o.etag, _o.content_type), seen.every, order=_o.name))
NAMED = Statement(seen.members(_TEXTS, lambda query: query.where(among(_o.name, "names"))))
CONTENTS = seen.either((_o.name, _o.etag, _o.content_type, _x.text), lambda query: query.where(among(_o.name, "names")))
ITERATE = Statement(seen.members(_TEXTS, seen.every, order=_o.name))
ITERATE_COMPONENT = Statement(
    seen.members(_TEXTS, lambda query: query.where(_o.component == bindparam("component")), order=_o.name)
)
BY_UID = Statement(select(*OBJECT).where(_o.home_id == bindparam("home_id"), _o.uid == bindparam("uid")))
HOLDER = Statement(
    select(*OBJECT)
    .join(collection, _c.id == _o.collection_id)
    .where(
        _o.home_id == bindparam("home_id"),
        _o.uid == bindparam("uid"),
        _c.kind == "calendar",
        or_(_o.collection_id != bindparam("collection_id"), _o.name != bindparam("name")),
    )
)

SITUATION = Statement(
    select(
        *revisions.PLACE_COLUMNS,
        _sibling.c.id,
        _t.revision,
        _t.was_collection,
        _o.id,
        _o.resource_id,
        _o.created,
        _o.size,
        _o.properties,
        _o.acl,
    )
    .select_from(
        collection.outerjoin(_sibling, and_(_sibling.c.parent_id == _c.id, _sibling.c.name == bindparam("name")))
        .outerjoin(tombstone, and_(_t.collection_id == _c.id, _t.name == bindparam("name")))
        .outerjoin(object_, and_(_o.collection_id == _c.id, _o.name == bindparam("name")))
    )
    .where(_c.id == bindparam("collection_id"))
)
"""All that `put` must know of a place, at once."""
_VARIES = {column: null() for column in object_.c if column.name.startswith("common_")}
"""What is not known any more of an object that changes: `Shares.set_common` tells it anew."""
INSERT = Statement(inserting(object_, "id", *(column.name for column in _VARIES)).returning(_o.id))
INSERT_TEXT = Statement(inserting(content))
_CHANGED = (
    "revision",
    "modified",
    "etag",
    "content_type",
    "size",
    "properties",
    "component",
    "uid",
    "organizer",
    "schedule_tag",
    "first",
    "last",
    "recurring",
)
UPDATE = Statement(
    update(object_)
    .values({_o[name]: bindparam(name) for name in _CHANGED} | _VARIES)
    .where(_o.id == bindparam("which"))
)
UPDATE_TEXT = Statement(update(content).values(text=bindparam("text")).where(_x.object_id == bindparam("which")))
PATCH = Statement(
    update(object_)
    .values(properties=bindparam("properties"), revision=bindparam("revision"))
    .where(_o.id == bindparam("which"))
    .returning(*OBJECT)
)
SET_ACL = Statement(
    update(object_)
    .values(acl=bindparam("acl"), revision=bindparam("revision"))
    .where(_o.id == bindparam("which"))
    .returning(*OBJECT)
)
WITH_ACL = Statement(
    select(*OBJECT).where(_o.collection_id == bindparam("collection_id"), _o.acl.is_not(None)).order_by(_o.name)
)
RESTRICTED = Statement(select(exists(select(_o.id).where(among(_o.collection_id, "ids"), _o.acl.is_not(None)))))
REPLACE = Statement(
    update(object_)
    .values(
        collection_id=bindparam("to"), home_id=bindparam("home"), name=bindparam("name"), revision=bindparam("revision")
    )
    .where(_o.id == bindparam("which"))
    .returning(*OBJECT)
)
_copied: dict[Any, Any] = {column: column for column in OBJECT if column.name != "id"} | {
    column: bindparam(f"new_{column.name}")
    for column in (_o.collection_id, _o.home_id, _o.name, _o.resource_id, _o.revision, _o.created, _o.modified, _o.acl)
}
COPY = Statement(
    insert(object_)
    .from_select(list(_copied), select(*_copied.values()).where(_o.id == bindparam("original")))
    .returning(*OBJECT)
)
COPY_TEXT = Statement(
    insert(content).from_select(
        [_x.object_id, _x.text], select(bindparam("copy"), _x.text).where(_x.object_id == bindparam("original"))
    )
)
FORGET_PERSONAL = Statement(delete(personal).where(personal.c.object_id == bindparam("id")))
FORGET_COMMON = Statement(update(object_).values(_VARIES).where(_o.id == bindparam("id")))
RENAME_PERSONAL = Statement(
    update(personal).values(name=bindparam("new_name")).where(personal.c.object_id == bindparam("id"))
)
DELETE = Statement(delete(object_).where(_o.id == bindparam("id")))
NUMBER_OF = Statement(
    select(func.count()).where(
        _o.collection_id
        == select(func.coalesce(_c.source_id, _c.id)).where(_c.id == bindparam("collection_id")).scalar_subquery()
    )
)
UNINDEXED = Statement(
    _with_text.where(
        _o.id.in_(
            select(instance.c.object_id)
            .where(text(MARKED), instance.c.start < bindparam("horizon"))
            .order_by(instance.c.start)
            .limit(bindparam("limit"))
        )
    )
)


@attrs.frozen(slots=True)
class _Situation:
    """What `SqlObjects.put` finds: the place, what has the name there, and the object that is to be replaced."""

    at: Place
    sibling: int | None
    grave: Grave | None
    id: int | None
    resource_id: str
    created: int
    size: int
    properties: str | None
    acl: str | None


class SqlObjects:
    """`calserver.store.interface.Objects` on SQL."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = microseconds(now)

    # -- reading

    def get(self, collection_id: int, name: str) -> Object | None:
        """By name."""
        row = self._connection.one(GET, collection_id=collection_id, name=name)
        return None if row is None else object_from(row)

    def whole(self, collection_id: int, name: str, *, bound: bool = True) -> tuple[Object, bytes] | None:
        """The same with its content."""
        row = self._connection.one(WHOLE[bound], collection_id=collection_id, name=name)
        return None if row is None else (object_from(row), row[_WIDTH])

    def by_id(self, id: int) -> Object | None:
        """By primary key."""
        row = self._connection.one(BY_ID, id=id)
        return None if row is None else object_from(row)

    def text(self, id: int) -> bytes:
        """The content as received."""
        found: bytes | None = self._connection.value(TEXT, id=id)
        if found is None:
            raise Missing(f"object {id}")
        return found

    def texts(self, ids: Iterable[int], seen_in: int | None = None) -> Mapping[int, bytes]:
        """The contents of many objects, in one query."""
        values = self._connection.values(ids)
        if seen_in is None:
            return dict(self._connection.all(TEXTS, ids=values))
        return dict(self._connection.all(TEXTS_AS_SEEN, ids=values, collection_id=seen_in))

    def in_collection(self, collection_id: int) -> Sequence[Object]:
        """All members, the latest change first."""
        return [object_from(row) for row in reversed(self._connection.all(ALL, collection_id=collection_id))]

    def listing(self, collection_id: int) -> Sequence[tuple[str, str, str]]:
        """Name, ETag and content type of all members, by name: rows as the driver gives them, from an index alone."""
        return self._connection.all(LISTING, collection_id=collection_id)

    def joined(self, collection_id: int, template: Sequence[str | Part]) -> Sequence[bytes] | None:
        """All members, by name, written as text by the database."""
        return joined.write(self._connection, collection_id, template)

    def joined_some(
        self, collection_id: int, template: Sequence[str | Part], most: int
    ) -> tuple[Sequence[bytes], int | None] | None:
        """The same of those that were changed first, and the revision of the last, where there are more."""
        return joined.write_some(self._connection, collection_id, template, most)

    def named(self, collection_id: int, names: Iterable[str]) -> Mapping[str, tuple[Object, bytes]]:
        """The members with these names and their contents, in one query (multiget)."""
        rows = self._connection.all(NAMED, collection_id=collection_id, names=self._connection.values(names))
        return {row[3]: (object_from(row), row[_WIDTH]) for row in rows}

    def contents(
        self, collection_id: int, names: Iterable[str], *, bound: bool = True
    ) -> Sequence[tuple[str, str, str, bytes]]:
        """Name, ETag, content type and content of the members with these names: rows as the driver gives them."""
        return self._connection.all(CONTENTS[bound], collection_id=collection_id, names=self._connection.values(names))

    def iterate(self, collection_id: int, *, component: str | None = None) -> Iterator[tuple[Object, bytes]]:
        """All members with their contents, by name; never all in memory at once."""
        if component is None:
            rows = self._connection.stream(ITERATE, collection_id=collection_id)
        else:
            rows = self._connection.stream(ITERATE_COMPONENT, collection_id=collection_id, component=component)
        return ((object_from(row), row[_WIDTH]) for row in rows)

    def by_uid(self, home_id: int, uid: str) -> Sequence[Object]:
        """The objects of a home with this UID."""
        return [object_from(row) for row in self._connection.all(BY_UID, home_id=home_id, uid=uid)]

    def in_range(
        self,
        collection_ids: Iterable[int],
        start: int,
        end: int,
        *,
        floating_offset: tuple[int, int] = (0, 0),
        component: str | None = None,
    ) -> Sequence[tuple[Object, bytes]]:
        """Objects with an instance, or a marker, that overlaps ``[start, end)``, with their contents."""
        one, where = within(self._connection, collection_ids, start, end, floating_offset)
        if component is None:
            return with_contents(self._connection.all(IN_RANGE[one][0], **where))
        return with_contents(self._connection.all(IN_RANGE[one][1], **where, component=component))

    def only_marked(
        self, collection_ids: Iterable[int], start: int, end: int, *, floating_offset: tuple[int, int] = (0, 0)
    ) -> frozenset[int]:
        """Ids of those that `in_range` finds by a marker alone."""
        one, where = within(self._connection, collection_ids, start, end, floating_offset)
        return frozenset(row[0] for row in self._connection.all(ONLY_MARKED[one], **where))

    def busy(
        self,
        collection_ids: Iterable[int],
        start: int,
        end: int,
        *,
        floating_offset: tuple[int, int] = (0, 0),
        bound: bool = True,
    ) -> Sequence[tuple[Taker, Instance]]:
        """The instance rows (markers too) that overlap ``[start, end)`` and are not free, ordered by start."""
        one, where = within(self._connection, collection_ids, start, end, floating_offset)
        rows = self._connection.all(BUSY[one, bound], **where)
        found = [(Taker._make(row[:_TAKER]), index.instance_from(row[_TAKER:])) for row in rows]
        found.sort(key=lambda each: (each[1].start, each[0].id))
        return found

    def taken(
        self, collection_ids: Iterable[int], start: int, end: int, *, floating_offset: tuple[int, int] = (0, 0)
    ) -> Sequence[Taken]:
        """The same in no order, of collections that are not bound: rows as the driver gives them."""
        one, where = within(self._connection, collection_ids, start, end, floating_offset)
        return self._connection.all(TAKEN[one], **where)

    def available(
        self, collection_ids: Iterable[int], start: int, end: int, *, floating_offset: tuple[int, int] = (0, 0)
    ) -> Sequence[tuple[Object, bytes]]:
        """What `in_range` finds of availability (RFC 7953)."""
        one, where = within(self._connection, collection_ids, start, end, floating_offset)
        return with_contents(self._connection.all(AVAILABLE[one], **where))

    def with_acl(self, collection_id: int) -> Sequence[Object]:
        """The members that have an access control list of their own."""
        return [object_from(row) for row in self._connection.all(WITH_ACL, collection_id=collection_id)]

    def restricted(self, collection_ids: Iterable[int]) -> bool:
        """Whether any member of some collections has an access control list of its own."""
        return bool(self._connection.value(RESTRICTED, ids=self._connection.values(collection_ids)))

    def count(self, collection_id: int) -> int:
        """How many members with content a collection has."""
        number: int = self._connection.value(NUMBER_OF, collection_id=collection_id)
        return number

    def unindexed(self, horizon: int, limit: int) -> Sequence[tuple[Object, bytes]]:
        """Objects whose marker row lies before `horizon`: those to be indexed anew when it moves."""
        return with_contents(self._connection.all(UNINDEXED, horizon=horizon, limit=limit))

    # -- writing

    def put(self, collection_id: int, draft: Draft, *, unique_uid: bool = False) -> tuple[Object, bool]:
        """Store an object under its name; returns it and whether it is new."""
        found = self._situation(collection_id, draft.name)
        if found.sibling is not None:
            raise NameTaken(draft.name)
        if unique_uid and draft.uid is not None:
            self._claim(found.at, draft.name, draft.uid)
        size = len(draft.text)
        columns: dict[str, Any] = {
            "revision": revisions.take(self._connection, found.at, self._now, bytes_more=size - found.size),
            "modified": self._now,
            "etag": draft.etag,
            "content_type": draft.content_type,
            "size": size,
            "properties": packed(draft.properties) or found.properties,
            "component": draft.component,
            "uid": draft.uid,
            "organizer": draft.organizer,
            "schedule_tag": draft.schedule_tag,
            "first": draft.first,
            "last": draft.last,
            "recurring": draft.recurring,
        }
        if found.id is None:
            id = self._insert(found, draft, columns)
        else:
            id = found.id
            self._connection.run(UPDATE, which=id, **columns)
            self._connection.run(UPDATE_TEXT, which=id, text=draft.text)
            self._connection.run(index.CLEAR, object_id=id)
        if draft.instances:
            self._connection.many(index.INSERT, index.parameters(collection_id, id, draft.instances))
        columns["modified"] = instant(self._now)
        columns["properties"] = mapping(columns["properties"])
        columns["acl"] = unpacked_acl(found.acl)
        stored = Object(
            id=id,
            collection_id=collection_id,
            home_id=found.at.home_id,
            name=draft.name,
            resource_id=found.resource_id,
            created=instant(found.created),
            **columns,
        )
        return stored, found.id is None

    def patch(self, id: int, *, properties: Mapping[str, str]) -> Object:
        """Replace the stored properties; the ETag stays; takes a new revision."""
        at = revisions.place(self._connection, self._known(id).collection_id)
        revision = revisions.take(self._connection, at, self._now)
        return self._written(PATCH, which=id, properties=packed(properties), revision=revision)

    def set_acl(self, id: int, acl: Acl | None) -> Object:
        """Replace its own access control list; the ETag stays; takes a new revision."""
        at = revisions.place(self._connection, self._known(id).collection_id)
        revision = revisions.take(self._connection, at, self._now)
        self._connection.run(revisions.MARK_ACCESS, lowest=at.id, revision=revision)
        return self._written(SET_ACL, which=id, acl=packed_acl(acl), revision=revision)

    def set_instances(self, id: int, instances: Iterable[Instance]) -> None:
        """Replace the index rows of an object (the horizon moved). No new revision."""
        rows = index.parameters(self._known(id).collection_id, id, instances)
        self._connection.run(index.CLEAR, object_id=id)
        self._connection.many(index.INSERT, rows)

    def remove(self, id: int) -> None:
        """Remove; leaves a tombstone."""
        self._leave(self._known(id))
        self._connection.run(DELETE, id=id)

    def move(self, id: int, collection_id: int, name: str, *, unique_uid: bool = False) -> Object:
        """Rename, or move to another collection, maybe of another home; the resource id stays."""
        known = self._known(id)
        found = self._free(collection_id, name)
        if unique_uid and known.uid is not None:
            self._claim(found.at, name, known.uid, moved=id)
        self._leave(known)
        revisions.unbury(self._connection, found.at.id, name, found.grave)
        revision = revisions.take(self._connection, found.at, self._now, bytes_more=known.size)
        if collection_id != known.collection_id:
            self._connection.run(index.CARRY, which=id, to=collection_id)
            self._connection.run(FORGET_PERSONAL, id=id)
            self._connection.run(FORGET_COMMON, id=id)
        elif found.at.shared:
            self._connection.run(RENAME_PERSONAL, id=id, new_name=name)
        return self._written(REPLACE, which=id, to=collection_id, home=found.at.home_id, name=name, revision=revision)

    def copy(self, id: int, collection_id: int, name: str, *, unique_uid: bool = False) -> Object:
        """Copy with content, properties and index rows to a name that is free; it has a resource id of its own."""
        original = self._known(id)
        found = self._free(collection_id, name)
        if unique_uid and original.uid is not None:
            self._claim(found.at, name, original.uid)
        revisions.unbury(self._connection, found.at.id, name, found.grave)
        made = self._written(
            COPY,
            original=id,
            new_collection_id=collection_id,
            new_home_id=found.at.home_id,
            new_name=name,
            new_resource_id=found.resource_id,
            new_revision=revisions.take(self._connection, found.at, self._now, bytes_more=original.size),
            new_created=self._now,
            new_modified=self._now,
            new_acl=None,
        )
        self._connection.run(COPY_TEXT, original=id, copy=made.id)
        self._connection.run(index.COPY, original=id, copy=made.id, to=collection_id)
        return made

    # -- parts of writing

    def _situation(self, collection_id: int, name: str) -> _Situation:
        row = self._connection.one(SITUATION, collection_id=collection_id, name=name)
        if row is None:
            raise Missing(f"collection {collection_id}")
        at = Place(collection_id, *row[:7])
        if at.source_id is not None:
            raise ValueError("what is bound to another calendar has no members of its own")
        sibling, buried, was_collection, id = row[7:11]
        grave = None if buried is None else Grave(buried, bool(was_collection))
        if id is None:
            return _Situation(at, sibling, grave, None, str(uuid.uuid4()), self._now, 0, None, None)
        return _Situation(at, sibling, grave, *row[10:])

    def _free(self, collection_id: int, name: str) -> _Situation:
        """The situation of a name that must be free."""
        found = self._situation(collection_id, name)
        if found.sibling is not None or found.id is not None:
            raise NameTaken(name)
        return found

    def _claim(self, at: Place, name: str, uid: str, *, moved: int | None = None) -> None:
        """Refuse a UID that another object in a calendar of the home has."""
        rows = self._connection.all(HOLDER, home_id=at.home_id, uid=uid, collection_id=at.id, name=name)
        for row in rows:
            if row[0] != moved:
                raise UidTaken(object_from(row))

    def _insert(self, found: _Situation, draft: Draft, columns: Mapping[str, Any]) -> int:
        revisions.unbury(self._connection, found.at.id, draft.name, found.grave)
        id: int = self._connection.value(
            INSERT,
            collection_id=found.at.id,
            home_id=found.at.home_id,
            name=draft.name,
            resource_id=found.resource_id,
            created=found.created,
            acl=None,
            **columns,
        )
        self._connection.run(INSERT_TEXT, object_id=id, text=draft.text)
        return id

    def _leave(self, known: Object) -> None:
        """Leave a tombstone where an object was."""
        at = revisions.place(self._connection, known.collection_id)
        revision = revisions.take(self._connection, at, self._now, bytes_more=-known.size)
        revisions.bury(self._connection, at.id, known.name, revision, self._now, collection=False)

    def _known(self, id: int) -> Object:
        found = self.by_id(id)
        if found is None:
            raise Missing(f"object {id}")
        return found

    def _written(self, statement: Statement, **parameters: Any) -> Object:
        row = self._connection.one(statement, **parameters)
        assert row is not None
        return object_from(row)
