"""Homes on their way to another store: nodes of a cluster hand over whose calendars they keep.

The node that somebody goes to follows that which has the homes as a client does that synchronizes (RFC 6578): it asks
for the collections, and of each for the members that have changed since the revision up to which it has them. So a copy
is never begun anew, whatever was interrupted, and while it is made the homes are in use. What arrives lies beside the
homes of others, set aside (`calserver.store.aside`): the revision of a collection there says how far its members are
copied, and its floor, until they are complete, where that began.

Names, resource ids, revisions, ETags stay what they are; ids of rows are those of each store.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, or_, select, update

from calserver.store import revisions
from calserver.store.aside import ANY, ARRIVING, BRANCH, HELD, LEFT, served
from calserver.store.dialects import among
from calserver.store.raw import Content, column, plain, stored
from calserver.store.schema import (
    collection,
    common_content,
    contact,
    content,
    instance,
    invited_group,
    lock,
    memory,
    object_,
    personal,
    share,
    tombstone,
)
from calserver.store.statements import Connection, Statement, inserting
from calserver.store.values import Missing, Wanted

_c, _o, _t, _h, _l = collection.c, object_.c, tombstone.c, share.c, lock.c
ROWS: Final = 500
BYTES: Final = 2 * 1024 * 1024
"""The most members of a collection that are read at a time, and about how much they may be."""
OF_OBJECTS: Final = (content, memory, common_content, personal, invited_group, instance)
"""What belongs to objects."""

_theirs = among(_c.principal_id, "principals")
_shared_by = collection.alias("shared_by")
_theirs_too = select(_shared_by.c.id).where(among(_shared_by.c.principal_id, "principals"))
COLLECTIONS = Statement(
    select(collection).where(_theirs, or_(_c.source_id.is_(None), _c.source_id.in_(_theirs_too))).order_by(_c.id)
)
"""Without what stands for calendars of others."""
SHARES = Statement(select(share).join(collection, _c.id == _h.collection_id).where(_theirs, served()).order_by(_h.id))
PLACE = Statement(select(_c.revision).where(_c.id == bindparam("collection_id")))
OBJECTS = Statement(
    select(object_)
    .where(_o.collection_id == bindparam("collection_id"), _o.revision > bindparam("since"))
    .order_by(_o.revision)
    .limit(bindparam("limit"))
)
TOMBSTONES = Statement(
    select(tombstone)
    .where(_t.collection_id == bindparam("collection_id"), _t.revision > bindparam("since"))
    .order_by(_t.revision)
    .limit(bindparam("limit"))
)
BELONGING = {each.name: Statement(select(each).where(among(each.c.object_id, "ids"))) for each in OF_OBJECTS}
COUNT = Statement(
    select(func.count()).where(_o.collection_id.in_(select(_c.id).where(_theirs, _c.kind.like(bindparam("state")))))
)
_sides = (
    select(_o.name, _o.revision, _o.etag, _o.schedule_tag, memory.c.text)
    .outerjoin(memory, memory.c.object_id == _o.id)
    .where(_o.collection_id == bindparam("collection_id"))
    .order_by(_o.revision)
)
SIDES = Statement(_sides)
_bound, _source = collection.alias("bound"), collection.alias("source")
TOGETHER = Statement(
    select(_bound.c.principal_id, _source.c.principal_id)
    .join(_source, _source.c.id == _bound.c.source_id)
    .where(
        or_(among(_bound.c.principal_id, "principals"), among(_source.c.principal_id, "principals")),
        served(_bound.c.kind),
    )
)
CONTACTS = Statement(select(contact).where(among(contact.c.principal_id, "principals")))
FORGET_CONTACTS = Statement(delete(contact).where(contact.c.principal_id == bindparam("principal_id")))
_inside = or_(_l.path == bindparam("path"), (_l.path > bindparam("low")) & (_l.path < bindparam("high")))
LOCKS = Statement(select(lock).where(_inside))
REMOVE_LOCKS = Statement(delete(lock).where(_inside))

PREFIX = Statement(
    update(collection).values(kind=bindparam("state").concat(_c.kind)).where(_theirs, _c.kind.not_like(ANY))
)
CHANGE_STATE = Statement(
    update(collection)
    .values(kind=func.replace(_c.kind, bindparam("prefix"), bindparam("state")))
    .where(_theirs, _c.kind.like(bindparam("was")))
)
STATES = Statement(select(_c.principal_id, _c.kind).where(_theirs, _c.parent_id.is_(None), _c.kind != BRANCH))

ADVANCE = Statement(
    update(collection)
    .values(revision=bindparam("upto"))
    .where(_c.id == bindparam("which"), _c.revision == bindparam("since"), _c.kind.like(ARRIVING + "%"))
)
NEW_COLLECTION = Statement(inserting(collection, "id").returning(_c.id))
BE_HOME = Statement(update(collection).values(home_id=_c.id).where(_c.id == bindparam("which")))
_STAGED: Final = [each.name for each in _c if each.name not in ("id", "revision", "floor")]
RESTAGE = Statement(
    update(collection)
    .values({name: bindparam(f"new_{name}") for name in (*_STAGED, "floor")})
    .where(_c.id == bindparam("which"))
)
GIVE_WAY = Statement(
    update(collection).values(name=_c.resource_id).where(among(_c.id, "ids"), _c.parent_id.is_not(None))
)
BEGIN_ANEW = Statement(
    update(collection).values(revision=0, floor=bindparam("floor")).where(_c.id == bindparam("which"))
)
REMOVE_BOUND = Statement(
    delete(collection).where(
        or_(
            among(_c.id, "ids") & _c.source_id.is_not(None),
            among(_c.source_id, "sources") & _c.kind.like(ANY),
        )
    )
)
"""What stands for others, and what stands elsewhere for these."""
REMOVE = Statement(delete(collection).where(among(_c.id, "ids")))
EMPTY = Statement(delete(object_).where(_o.collection_id == bindparam("which")))
FORGET = Statement(delete(tombstone).where(_t.collection_id == bindparam("which")))
CLEAR_OBJECTS = Statement(delete(object_).where(_o.collection_id == bindparam("which"), among(_o.name, "names")))
CLEAR_TOMBSTONES = Statement(delete(tombstone).where(_t.collection_id == bindparam("which"), among(_t.name, "names")))
NEW_OBJECT = Statement(inserting(object_, "id"))
HOME_OF = Statement(select(_c.home_id).where(_c.id == bindparam("which")))
NAMED = Statement(select(_o.name, _o.id).where(_o.collection_id == bindparam("which"), among(_o.name, "names")))
CLEAR_SHARES = Statement(delete(share).where(among(_h.collection_id, "ids")))
INSERT = {each.name: Statement(inserting(each)) for each in (*OF_OBJECTS, tombstone, contact, lock)}
NEW_SHARE = Statement(inserting(share, "id"))
INVITING = Statement(
    select(invited_group.c.object_id)
    .join(object_, _o.id == invited_group.c.object_id)
    .join(collection, _c.id == _o.collection_id)
    .where(_theirs)
    .distinct()
)

_aside = select(_c.id).where(_c.principal_id == bindparam("principal_id"), _c.kind.like(bindparam("state")))
ASIDE = Statement(_aside)
SOME_OBJECTS = Statement(select(_o.id).where(_o.collection_id.in_(_aside)).limit(bindparam("limit")))
REMOVE_OBJECTS = Statement(delete(object_).where(among(_o.id, "ids")))


def _bounds(path: str) -> dict[str, str]:
    return {"path": path, "low": path + "/", "high": path + "0"}


class SqlMoves:
    """`calserver.store.interface.Moves` on SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -- states

    def states(self, principals: Iterable[int]) -> Mapping[int, frozenset[str]]:
        """What has become of the homes of principals: ``held``, ``left``, ``arriving``, or empty for those in use."""
        found: dict[int, set[str]] = {}
        for principal, kind in self._connection.all(STATES, principals=self._connection.values(principals)):
            found.setdefault(principal, set()).add(kind.rpartition(" ")[0])
        return {principal: frozenset(states) for principal, states in found.items()}

    def hold(self, principals: Iterable[int]) -> None:
        """Have nobody read or write the homes of principals; what was asked for before is done."""
        self._connection.run(PREFIX, principals=self._connection.values(principals), state=HELD)
        revisions.count(self._connection, "floors")

    def thaw(self, principals: Iterable[int]) -> None:
        """Have homes that are held in use again."""
        self._become(principals, HELD, "")

    def leave(self, principals: Iterable[int]) -> bool:
        """Have homes that are held no more: they are in use elsewhere; returns whether there were any."""
        return self._become(principals, HELD, LEFT)

    def arrive(self, principals: Iterable[int]) -> bool:
        """Have homes in use that have arrived; returns whether there were any."""
        return self._become(principals, ARRIVING, "")

    def _become(self, principals: Iterable[int], was: str, state: str) -> bool:
        changed = self._connection.run(
            CHANGE_STATE,
            principals=self._connection.values(principals),
            was=was + "%",
            prefix=was,
            state=state,
        )
        if changed:
            revisions.count(self._connection, "floors")
        return bool(changed)

    def sweep(self, principal_id: int, state: str, limit: int) -> bool:
        """Remove some of the members in homes that have left, or are arriving, and at last the homes.

        Args:
            principal_id: whose.
            state: ``left`` or ``arriving``.
            limit: the most members to remove.

        Returns:
            Whether there are more.
        """
        where = {"principal_id": principal_id, "state": state + " %"}
        objects = [row[0] for row in self._connection.all(SOME_OBJECTS, **where, limit=limit)]
        if objects:
            self._connection.run(REMOVE_OBJECTS, ids=self._connection.values(objects))
            return True
        ids = [row[0] for row in self._connection.all(ASIDE, **where)]
        self._remove(ids)
        return False

    def _remove(self, ids: Iterable[int]) -> None:
        which = self._connection.values(list(ids))
        self._connection.run(REMOVE_BOUND, ids=which, sources=which)
        self._connection.run(REMOVE, ids=which)

    # -- where they are

    def together(self, principals: Iterable[int]) -> frozenset[int]:
        """Who shares calendars with whom, and with whom these do, and so on."""
        known: set[int] = set()
        new = set(principals)
        while new:
            known |= new
            rows = self._connection.all(TOGETHER, principals=self._connection.values(new))
            new = {each for row in rows for each in row} - known
        return frozenset(known)

    def skeleton(self, principals: Iterable[int]) -> Content:
        """The collections of principals, and the invitations to share them; without ties that cross (`Ties`)."""
        which = self._connection.values(principals)
        rows = [row for row in self._connection.all(COLLECTIONS, principals=which) if not row[_KIND].startswith(_GONE)]
        shares = self._connection.all(SHARES, principals=which)
        return {"collection": plain(collection, rows), "share": plain(share, shares)}

    def count(self, principals: Iterable[int], *, arriving: bool = False) -> int:
        """How many members with content are in the homes of principals; or in those that arrive."""
        which = self._connection.values(principals)
        everything: int = self._connection.value(COUNT, principals=which, state=ARRIVING + "%" if arriving else "%")
        return everything

    def members(self, collection_id: int, since: int, most: int = ROWS) -> tuple[int, Content]:
        """Members of a collection that have changed since a revision, in this order, and those that were removed.

        Args:
            collection_id: where.
            since: the revision.
            most: how many to read, about 2 MB of them at most.

        Returns:
            The revision up to which these are all; and the rows.

        Raises:
            Missing: there is no such collection.
        """
        upto = self._connection.value(PLACE, collection_id=collection_id)
        if upto is None:
            raise Missing(f"collection {collection_id}")
        where = {"collection_id": collection_id, "since": since, "limit": most + 1}
        objects, gone = self._connection.all(OBJECTS, **where), self._connection.all(TOMBSTONES, **where)
        fits = _fitting([row[_SIZE] for row in objects], most)
        if len(objects) > fits:
            upto = min(upto, objects[fits - 1][_REVISION])
        if len(gone) > most:
            upto = min(upto, gone[most - 1][_REMOVED])
        objects = [row for row in objects if row[_REVISION] <= upto]
        found = {
            "object": plain(object_, objects),
            "tombstone": plain(tombstone, [row for row in gone if row[_REMOVED] <= upto]),
        }
        ids = self._connection.values(row[0] for row in objects)
        for table in OF_OBJECTS if objects else ():
            found[table.name] = plain(table, self._connection.all(BELONGING[table.name], ids=ids))
        return upto, found

    def fingerprints(self, principals: Iterable[int], *, arriving: bool = False) -> Mapping[str, str]:
        """A digest of each collection and its members, and of what scheduling remembers of them, by resource id."""
        found = {}
        for row in self._connection.all(COLLECTIONS, principals=self._connection.values(principals)):
            if row[_KIND].startswith(ARRIVING) is arriving and not row[_KIND].startswith(LEFT):
                own = zip(_c.keys(), plain(collection, [row])[0], strict=True)
                digest = hashlib.sha256(repr([each for each in own if each[0] not in _NOT_ALIKE]).encode())
                for name, revision, etag, tag, text in self._connection.all(SIDES, collection_id=row[0]):
                    remembered = None if text is None else bytes(text)
                    digest.update(repr((name, revision, etag, tag, remembered)).encode())
                found[row[_RESOURCE]] = digest.hexdigest()
        return found

    def belongings(self, principals: Iterable[int], paths: Iterable[str]) -> Content:
        """To whom elsewhere principals have written, and the locks at and below some paths."""
        contacts = self._connection.all(CONTACTS, principals=self._connection.values(principals))
        locks = [row for path in paths for row in self._connection.all(LOCKS, **_bounds(path))]
        return {"contact": plain(contact, contacts), "lock": plain(lock, locks)}

    def forget(self, principals: Iterable[int], paths: Iterable[str]) -> None:
        """Forget the same."""
        for each in principals:
            self._connection.run(FORGET_CONTACTS, principal_id=each)
        for path in paths:
            self._connection.run(REMOVE_LOCKS, **_bounds(path))
        revisions.count(self._connection, "locks")

    # -- where they go

    def stage(self, skeleton: Content) -> Sequence[Wanted]:
        """Have the collections beside those that are in use; returns of which members are wanted.

        Raises:
            Missing: one of them stands for a calendar that is not among them.
        """
        rows = [dict(zip(collection.c.keys(), row, strict=True)) for row in skeleton["collection"]]
        owners = {row["principal_id"] for row in rows}
        mine = {row[_RESOURCE]: row for row in self._arriving(owners)}
        self._connection.run(GIVE_WAY, ids=self._connection.values(row[0] for row in mine.values()))
        ids = {row["id"]: mine[row["resource_id"]][0] for row in rows if row["resource_id"] in mine}
        made = set(ids)
        self._add([row for row in rows if row["id"] not in made], ids)
        wanted = []
        for row in rows:
            found = mine.get(row["resource_id"])
            since, floor = (0, row["revision"]) if found is None else self._reached(row, found)
            done = since == row["revision"]
            self._restage(row, ids, floor=row["floor"] if done else floor)
            if not done:
                wanted.append(Wanted(source=row["id"], staged=ids[row["id"]], since=since))
        there = {row["resource_id"] for row in rows}
        self._remove([row[0] for name, row in mine.items() if name not in there])
        self._connection.run(CLEAR_SHARES, ids=self._connection.values(ids.values()))
        self._connection.many(NEW_SHARE, stored(share, skeleton["share"], collection_id=ids))
        return wanted

    def _arriving(self, principals: Iterable[int]) -> list[Sequence[Any]]:
        rows = self._connection.all(COLLECTIONS, principals=self._connection.values(principals))
        return [row for row in rows if row[_KIND].startswith(ARRIVING)]

    def _add(self, rows: Iterable[Mapping[str, Any]], ids: dict[int, int]) -> None:
        """Insert collections behind those that they refer to: few, since there are few in a home."""
        left = list(rows)
        while left:
            able = [row for row in left if {row["parent_id"], row["source_id"]} <= {*ids, None}]
            if not able:
                raise Missing("a calendar is shared with somebody whose calendars are elsewhere")
            for row in able:
                made = self._connection.value(NEW_COLLECTION, **_placed(row, ids), revision=0, floor=row["revision"])
                ids[row["id"]] = made
                if row["parent_id"] is None:
                    self._connection.run(BE_HOME, which=made)
            left = [row for row in left if row["id"] not in ids]

    def _reached(self, row: Mapping[str, Any], found: Sequence[Any]) -> tuple[int, int]:
        """How far the copy of a collection has come, and where it began; anew where removals are forgotten."""
        since, floor = found[_COLLECTION_REVISION], found[_FLOOR]
        if since <= row["revision"] and (since == row["revision"] or max(since, floor) >= row["floor"]):
            return since, floor
        self._empty(found[0], row["revision"])
        return 0, row["revision"]

    def _empty(self, staged: int, floor: int) -> None:
        self._connection.run(EMPTY, which=staged)
        self._connection.run(FORGET, which=staged)
        self._connection.run(BEGIN_ANEW, which=staged, floor=floor)

    def _restage(self, row: Mapping[str, Any], ids: Mapping[int, int], *, floor: int) -> None:
        changed = {f"new_{name}": value for name, value in _placed(row, ids).items()}
        changed["new_home_id"] = ids[row["home_id"]]
        self._connection.run(RESTAGE, which=ids[row["id"]], new_floor=floor, **changed)

    def take(self, wanted: Wanted, upto: int, members: Content) -> bool:
        """Have members of a collection as they are at a revision; returns False where somebody else has been faster."""
        if not self._connection.run(ADVANCE, which=wanted.staged, since=wanted.since, upto=upto):
            return False
        names = [*column(object_, members["object"], "name"), *column(tombstone, members["tombstone"], "name")]
        if not names:
            return True
        where = {"which": wanted.staged, "names": self._connection.values(names)}
        self._connection.run(CLEAR_OBJECTS, **where)
        self._connection.run(CLEAR_TOMBSTONES, **where)
        place = {"collection_id": {wanted.source: wanted.staged}}
        home = self._connection.value(HOME_OF, which=wanted.staged)
        rows = stored(object_, members["object"], **place)
        self._connection.many(NEW_OBJECT, [{**row, "home_id": home} for row in rows])
        known: dict[str, int] = dict(self._connection.all(NAMED, **where))
        ids = {row["id"]: known[row["name"]] for row in rows}
        for table in OF_OBJECTS:
            if members.get(table.name):
                there = place if "collection_id" in table.c else {}
                belonging = stored(table, members[table.name], object_id=ids, **there)
                self._connection.many(INSERT[table.name], belonging)
        self._connection.many(INSERT["tombstone"], stored(tombstone, members["tombstone"], **place))
        return True

    def anew(self, principals: Iterable[int], resource_ids: Iterable[str]) -> None:
        """Copy the members of some collections anew."""
        some = set(resource_ids)
        for row in self._arriving(principals):
            if row[_RESOURCE] in some:
                self._empty(row[0], row[_COLLECTION_REVISION])

    def have(self, belongings: Content) -> None:
        """Have what `belongings` told; what was forgotten before."""
        for table in (contact, lock):
            self._connection.many(INSERT[table.name], stored(table, belongings[table.name]))
        revisions.count(self._connection, "locks")


_KIND, _RESOURCE, _COLLECTION_REVISION, _FLOOR = (
    collection.c.keys().index(name) for name in ("kind", "resource_id", "revision", "floor")
)
_SIZE, _REVISION = (object_.c.keys().index(name) for name in ("size", "revision"))
_REMOVED = tombstone.c.keys().index("revision")
_GONE = (LEFT, ARRIVING)
_NOT_ALIKE = ("id", "home_id", "parent_id", "source_id", "kind")
"""Columns that differ from store to store."""


def _fitting(sizes: Sequence[int], most: int) -> int:
    """How many of some members are read at a time: one at least."""
    total = 0
    for number, size in enumerate(sizes):
        total += size
        if number == most or (total > BYTES and number):
            return number
    return len(sizes)


def _placed(row: Mapping[str, Any], ids: Mapping[int, int]) -> dict[str, Any]:
    """The columns of a collection where it arrives."""
    return {
        **{name: row[name] for name in _STAGED},
        "kind": ARRIVING + row["kind"].removeprefix(HELD),
        "home_id": ids.get(row["home_id"], 0),
        "parent_id": None if row["parent_id"] is None else ids[row["parent_id"]],
        "source_id": None if row["source_id"] is None else ids[row["source_id"]],
    }
