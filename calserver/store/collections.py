"""Homes and collections."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, case, delete, exists, func, literal, select, tuple_, union, union_all, update

from calserver.dav import Acl, packed_acl
from calserver.store import aside, revisions
from calserver.store.dialects import among
from calserver.store.revisions import Place
from calserver.store.rows import COLLECTION, collection_from, microseconds, packed
from calserver.store.schema import collection, object_, personal, principal, share
from calserver.store.statements import Connection, Statement, inserting
from calserver.store.values import Collection, Missing, NameTaken, Stamp

_c, _o, _p = collection.c, object_.c, principal.c

_up = select(_c.id, _c.parent_id, literal(0).label("depth")).where(_c.id == bindparam("id")).cte("up", recursive=True)
_parent = collection.alias("parent")
_up = _up.union_all(select(_parent.c.id, _parent.c.parent_id, _up.c.depth + 1).where(_parent.c.id == _up.c.parent_id))
_down = select(_c.id, literal(0).label("depth")).where(_c.id == bindparam("top")).cte("down", recursive=True)
_child = collection.alias("child")
_down = _down.union_all(select(_child.c.id, _down.c.depth + 1).where(_child.c.parent_id == _down.c.id))
_numbered = (
    select(_o.id, func.row_number().over(order_by=_o.id).label("step"))
    .where(_o.collection_id.in_(select(_down.c.id)))
    .subquery("numbered")
)

HOME = Statement(
    select(*COLLECTION).where(
        _c.principal_id == bindparam("principal_id"), aside.of_kind(_c.kind), _c.parent_id.is_(None)
    )
)
HOMES = Statement(
    select(_p.uid, *COLLECTION)
    .join(principal, _p.id == _c.principal_id)
    .where(_p.kind == bindparam("principal_kind"), _c.kind == bindparam("kind"), _c.parent_id.is_(None))
    .order_by(_p.uid)
)
_homes_of = select(_c.id).where(
    among(_c.principal_id, "principals"), aside.of_kind(_c.kind), func.coalesce(_c.parent_id, 0) == 0
)
"""Spelled so that nobody looks for what has no parent, which all homes of the site have not, but by principals."""
IN_HOMES = Statement(
    union_all(
        select(*COLLECTION).where(_c.id.in_(_homes_of)),
        select(*COLLECTION).where(_c.parent_id.in_(_homes_of), among(_c.kind, "members")),
    )
)
_at_top = collection.alias("at_top")
IN_HOME = Statement(
    select(*COLLECTION)
    .join(_at_top, _at_top.c.id == _c.parent_id)
    .join(principal, _p.id == _at_top.c.principal_id)
    .where(
        _p.uid == bindparam("uid"),
        _p.kind == bindparam("principal_kind"),
        _at_top.c.kind == bindparam("kind"),
        _at_top.c.parent_id.is_(None),
        _c.kind == bindparam("member"),
    )
    .order_by(_c.name)
)
GET = Statement(select(*COLLECTION).where(_c.id == bindparam("id")))
USED_BYTES = Statement(select(_c.quota_used_bytes).where(_c.id == bindparam("id")))
CHILD = Statement(select(*COLLECTION).where(_c.parent_id == bindparam("parent_id"), _c.name == bindparam("name")))
NAMES_IN = Statement(select(_c.name).where(_c.parent_id == bindparam("parent_id")))
CHILDREN = Statement(select(*COLLECTION).where(_c.parent_id == bindparam("parent_id")).order_by(_c.name))
ANCESTORS = Statement(select(*COLLECTION).join(_up, _up.c.id == _c.id).order_by(_up.c.depth.desc()))
BELOW = Statement(
    select(*COLLECTION).join(_down, _down.c.id == _c.id).where(_down.c.depth > 0).order_by(_down.c.depth, _c.name)
)
INSERT = Statement(inserting(collection, "id").returning(*COLLECTION))
BE_HOME = Statement(update(collection).values(home_id=_c.id).where(_c.id == bindparam("which")).returning(*COLLECTION))
UPDATE = Statement(
    update(collection)
    .values({n: bindparam(n) for n in ("properties", "display_name", "components", "transparent", "timezone")})
    .where(_c.id == bindparam("which"))
    .returning(*COLLECTION)
)
SET_ACL = Statement(
    update(collection).values(acl=bindparam("acl")).where(_c.id == bindparam("which")).returning(*COLLECTION)
)
OBJECTS_BELOW = Statement(
    select(func.count(), func.coalesce(func.sum(_o.size), 0)).where(_o.collection_id.in_(select(_down.c.id)))
)
_bound = collection.alias("bound")
_bound_below = _bound.c.source_id.in_(select(_down.c.id))
BOUND_TO_BELOW = Statement(select(_bound.c.id).where(_bound_below, _bound.c.id.not_in(select(_down.c.id))))
"""What stands elsewhere for calendars at or below a collection."""
FORGET_PERSONAL = Statement(
    delete(personal).where(
        tuple_(personal.c.collection_id, personal.c.principal_id).in_(
            select(_bound.c.source_id, _bound.c.principal_id).where(
                _bound.c.id.in_(select(_down.c.id)), _bound.c.source_id.is_not(None)
            )
        )
    )
)
"""What sharees have of their own in the calendars that they leave."""
_homes_below = select(_bound.c.home_id).where(_bound_below)
_home = collection.alias("home_of_sharee")
_highest = select(func.max(_home.c.revision)).where(_home.c.id.in_(_homes_below)).scalar_subquery()
RAISE_TO_SHAREES_BELOW = Statement(
    update(collection).values(revision=_highest).where(_c.id == bindparam("home"), _c.revision < _highest)
)
LIFT_BELOW = Statement(
    update(collection)
    .values(revision=bindparam("revision"), modified=bindparam("at"))
    .where(_c.id.in_(union(_homes_below, select(_bound.c.id).where(_bound_below))))
)
"""For all shared calendars at or below a collection what `revisions` does for one."""
MARK_SHARED = Statement(
    update(collection)
    .values(shared=exists(select(share.c.id).where(share.c.collection_id == _c.id)))
    .where(_c.id == bindparam("which"))
)
DELETE_BELOW = Statement(delete(collection).where(_c.id.in_(select(_down.c.id))))
NUMBER_OBJECTS = Statement(
    update(object_)
    .values(revision=bindparam("before") + _numbered.c.step, home_id=bindparam("home"))
    .where(_o.id == _numbered.c.id)
)
NUMBER_COLLECTION = Statement(
    update(collection)
    .values(
        revision=bindparam("number"),
        access_revision=bindparam("number"),
        home_id=bindparam("home"),
        principal_id=bindparam("principal"),
    )
    .where(_c.id == bindparam("which"))
)
REPLACE = Statement(
    update(collection)
    .values(parent_id=bindparam("parent"), name=bindparam("new_name"), modified=bindparam("at"))
    .where(_c.id == bindparam("which"))
)


def _way(seed: Select[Any], levels: int) -> Select[Any]:
    """From the collection that `seed` selects down a path of so many names, with the depth of each."""
    way = seed.add_columns(literal(0).label("depth")).cte("way", recursive=True)
    child = collection.alias("child")
    if levels:
        wanted = case(*((way.c.depth == level, bindparam(f"name{level}")) for level in range(levels)))
        step = select(child.c.id, way.c.depth + 1).where(child.c.parent_id == way.c.id, child.c.name == wanted)
        way = way.union_all(step)
    return select(*COLLECTION).join(way, way.c.id == _c.id).order_by(way.c.depth)


@lru_cache(maxsize=64)
def _path(levels: int) -> Statement:
    return Statement(_way(select(_c.id).where(_c.id == bindparam("home_id")), levels))


@lru_cache(maxsize=64)
def _location(levels: int) -> Statement:
    home = (
        select(_c.id)
        .join(principal, _p.id == _c.principal_id)
        .where(
            _p.uid == bindparam("uid"),
            _p.kind == bindparam("principal_kind"),
            aside.of_kind(_c.kind),
            _c.parent_id.is_(None),
        )
    )
    return Statement(_way(home, levels))


def _named(names: Sequence[str]) -> dict[str, str]:
    return {f"name{level}": name for level, name in enumerate(names)}


_KIND = list(_c).index(_c.kind)


class SqlCollections:
    """`calserver.store.interface.Collections` on SQL."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._stamps: dict[int, Stamp | None] = {}
        self._now = microseconds(now)

    def home(self, principal_id: int, kind: str) -> Collection | None:
        """The principal's home of this kind."""
        rows = self._connection.all(HOME, principal_id=principal_id, **aside.kinds(kind))
        found = [collection_from(row) for row in rows if not row[_KIND].startswith(aside.LEFT)]
        for each in found:
            aside.check(each.kind)
        return found[0] if found else None

    def add_home(self, principal_id: int, kind: str) -> Collection:
        """Make it; raises `NameTaken` where there is one."""
        if self.home(principal_id, kind) is not None:
            raise NameTaken(kind)
        row = self._insert(principal_id=principal_id, home_id=0, parent_id=None, name="", kind=kind, revision=1)
        made = self._connection.one(BE_HOME, which=row.id)
        assert made is not None
        return collection_from(made)

    def get(self, id: int) -> Collection | None:
        """By primary key."""
        row = self._connection.one(GET, id=id)
        return None if row is None else collection_from(row)

    def used_bytes(self, home_id: int) -> int:
        """How much is stored in a home."""
        found: int | None = self._connection.value(USED_BYTES, id=home_id)
        return found or 0

    def child(self, parent_id: int, name: str) -> Collection | None:
        """A direct member collection."""
        row = self._connection.one(CHILD, parent_id=parent_id, name=name)
        return None if row is None else collection_from(row)

    def by_path(self, home_id: int, names: Sequence[str]) -> Collection | None:
        """The collection at a path below a home; the home itself for an empty path."""
        rows = self._connection.all(_path(len(names)), home_id=home_id, **_named(names))
        return collection_from(rows[-1]) if len(rows) > len(names) else None

    def locate(
        self, principal_kind: str, uid: str, kind: str, names: Sequence[str], *, remember: bool = False
    ) -> Sequence[Collection]:
        """The way to a path in one query: a home and the collections below it, as far as they are there."""
        ways = self._connection.ways if remember else None
        key = (principal_kind, uid, kind, *names)
        known = None if ways is None else ways.find(key, self.stamp)
        if known is not None:
            return known
        statement = _location(len(names))
        where = {"principal_kind": principal_kind, "uid": uid, **aside.kinds(kind), **_named(names)}
        found = [collection_from(row) for row in self._connection.all(statement, **where)]
        if found:
            aside.check(found[0].kind, left=True)
        if ways is not None and not self._connection.writes:
            ways.keep(key, found, self.stamp, self._names_in)
        return found

    def stamp(self, home_id: int) -> Stamp | None:
        """What changes with anything that is seen in a home, as this transaction sees it."""
        if home_id in self._stamps and not self._connection.writes:
            return self._stamps[home_id]
        row = self._connection.one(revisions.STAMP, home_id=home_id)
        found = self._stamps[home_id] = None if row is None else Stamp(*row)
        return found

    def _names_in(self, id: int) -> frozenset[str]:
        return frozenset(row[0] for row in self._connection.all(NAMES_IN, parent_id=id))

    def homes(self, principal_kind: str, kind: str) -> Sequence[tuple[str, Collection]]:
        """All homes of a kind whose principals are of `principal_kind`, with the principals' uids, by uid."""
        rows = self._connection.all(HOMES, principal_kind=principal_kind, kind=kind)
        return [(row[0], collection_from(row[1:])) for row in rows]

    def in_homes(self, principal_ids: Iterable[int], kind: str, members: Iterable[str]) -> Sequence[Collection]:
        """The homes of this kind that principals have, and the `members` by kind directly in them, in one query."""
        values = self._connection.values
        where = {"principals": values(principal_ids), **aside.kinds(kind), "members": values(members)}
        found = [collection_from(row) for row in self._connection.all(IN_HOMES, **where)]
        for each in found:
            aside.check(each.kind)
        return [each for each in found if not aside.is_aside(each.kind)]

    def in_home(self, principal_kind: str, uid: str, kind: str, member: str) -> Sequence[Collection]:
        """The members of one kind directly in a home, by name, in one query; none where the home is set aside."""
        where = {"principal_kind": principal_kind, "uid": uid, "kind": kind, "member": member}
        return [collection_from(row) for row in self._connection.all(IN_HOME, **where)]

    def children(self, parent_id: int) -> Sequence[Collection]:
        """Direct member collections, by name."""
        return [collection_from(row) for row in self._connection.all(CHILDREN, parent_id=parent_id)]

    def ancestors(self, id: int) -> Sequence[Collection]:
        """From the home down to the collection itself."""
        return [collection_from(row) for row in self._connection.all(ANCESTORS, id=id)]

    def below(self, id: int) -> Sequence[Collection]:
        """All collections below, nearest first, in one query."""
        return [collection_from(row) for row in self._connection.all(BELOW, top=id)]

    def add(
        self,
        parent_id: int,
        name: str,
        kind: str,
        *,
        properties: Mapping[str, str] | None = None,
        display_name: str | None = None,
        components: tuple[str, ...] = (),
        transparent: bool = False,
        timezone: str | None = None,
        source_id: int | None = None,
        access: str | None = None,
    ) -> Collection:
        """Make a collection; raises `NameTaken`. What is bound to another one is made by `Shares.bind`."""
        parent = revisions.place(self._connection, parent_id)
        self._settle(parent, name)
        return self._insert(
            principal_id=parent.principal_id,
            home_id=parent.home_id,
            parent_id=parent_id,
            name=name,
            kind=kind,
            revision=revisions.take(self._connection, parent, self._now),
            properties=packed(properties or {}),
            display_name=display_name,
            components=packed(components),
            transparent=transparent,
            timezone=timezone,
            source_id=source_id,
            access=access,
        )

    def mark_shared(self, id: int) -> None:
        """Keep in mind whether there are shares of a calendar; takes a new revision."""
        self.touch(id)
        self._connection.run(MARK_SHARED, which=id)

    def update(self, collection: Collection) -> Collection:
        """Write the properties and the columns derived from them; takes a new revision."""
        self.touch(collection.id)
        row = self._connection.one(
            UPDATE,
            which=collection.id,
            properties=packed(collection.properties),
            display_name=collection.display_name,
            components=packed(collection.components),
            transparent=collection.transparent,
            timezone=collection.timezone,
        )
        if row is None:
            raise Missing(f"collection {collection.id}")
        return collection_from(row)

    def set_acl(self, id: int, acl: Acl | None) -> Collection:
        """Replace its own access control list; takes a new revision."""
        revision = self.touch(id)
        self._connection.run(revisions.MARK_ACCESS, lowest=id, revision=revision)
        row = self._connection.one(SET_ACL, which=id, acl=packed_acl(acl))
        assert row is not None
        return collection_from(row)

    def remove(self, id: int) -> None:
        """Remove with everything below, and what is bound to it; leaves a tombstone in the parent."""
        for (bound,) in self._connection.all(BOUND_TO_BELOW, top=id):
            self.remove(bound)
        at = revisions.place(self._connection, id)
        if at.parent_id is not None:
            _, size = self._objects_below(id)
            self._leave(at, at.parent_id, size)
        self._connection.run(FORGET_PERSONAL, top=id)
        self._connection.run(DELETE_BELOW, top=id)

    def move(self, id: int, parent_id: int, name: str) -> Collection:
        """Rename, or move to another collection; the resource id stays; raises `NameTaken`.

        The old place gets a tombstone; every row below takes a new revision of its own, so that those of one
        collection never share one. In another home the numbers begin above those of the old one: a sync token
        from before the move tells all that happened since.
        """
        at = revisions.place(self._connection, id)
        parent = revisions.place(self._connection, parent_id)
        if at.parent_id is None:
            raise ValueError("a home stays where it is")
        if any(above.id == id for above in self.ancestors(parent_id)):
            raise ValueError("a collection cannot be moved into itself")
        if at.source_id is not None and parent.home_id != at.home_id:
            raise ValueError("what is bound to another collection stays in its home")
        self._settle(parent, name)
        objects, size = self._objects_below(id)
        inner = [each.id for each in reversed(self.below(id))]
        left = self._leave(at, at.parent_id, size)
        if parent.home_id != at.home_id:
            self._connection.run(revisions.RAISE, home=parent.home_id, least=left)
        self._connection.run(RAISE_TO_SHAREES_BELOW, home=parent.home_id, top=id)
        steps = objects + len(inner) + 1
        last = revisions.take(self._connection, parent, self._now, steps=steps, bytes_more=size)
        if objects:
            self._connection.run(NUMBER_OBJECTS, top=id, before=last - steps, home=parent.home_id)
        self._connection.many(
            NUMBER_COLLECTION,
            [
                {"which": each, "number": number, "home": parent.home_id, "principal": parent.principal_id}
                for number, each in enumerate([*inner, id], start=last - len(inner))
            ],
        )
        self._connection.run(REPLACE, which=id, parent=parent_id, new_name=name, at=self._now)
        self._connection.run(LIFT_BELOW, top=id, revision=last, at=self._now)
        if at.source_id is not None:  # its members are those of the source, and are not numbered anew
            revisions.begin_anew(self._connection, id, last)
        moved = self.get(id)
        assert moved is not None
        return moved

    def touch(self, id: int) -> int:
        """Take the next revision for a collection (and its ancestors) without another change; returns it."""
        return revisions.take(self._connection, revisions.place(self._connection, id), self._now)

    def _insert(
        self,
        *,
        properties: str | None = None,
        display_name: str | None = None,
        components: str | None = None,
        transparent: bool = False,
        timezone: str | None = None,
        source_id: int | None = None,
        access: str | None = None,
        **columns: int | str | None,
    ) -> Collection:
        row = self._connection.one(
            INSERT,
            **columns,
            resource_id=str(uuid.uuid4()),
            floor=columns["revision"],
            created=self._now,
            modified=self._now,
            properties=properties,
            display_name=display_name,
            components=components,
            transparent=transparent,
            timezone=timezone,
            quota_used_bytes=0,
            acl=None,
            access_revision=0,
            source_id=source_id,
            access=access,
            shared=False,
        )
        assert row is not None
        return collection_from(row)

    def _settle(self, parent: Place, name: str) -> None:
        """Make sure that a name is free, and forget who had it before."""
        if self._connection.one(revisions.MEMBER, collection_id=parent.id, name=name) is not None:
            raise NameTaken(name)
        found = revisions.grave(self._connection, parent.id, name)
        revisions.unbury(self._connection, parent.id, name, found)

    def _leave(self, at: Place, parent_id: int, size: int) -> int:
        """Leave a tombstone where a collection was; returns its revision."""
        parent = revisions.place(self._connection, parent_id)
        revision = revisions.take(self._connection, parent, self._now, bytes_more=-size)
        revisions.bury(self._connection, parent_id, at.name, revision, self._now, collection=True)
        return revision

    def _objects_below(self, id: int) -> tuple[int, int]:
        row = self._connection.one(OBJECTS_BELOW, top=id)
        assert row is not None
        return row[0], row[1]
