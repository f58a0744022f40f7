"""Taking numbers: one counter per home orders all changes in it, a few counters order what lies outside of homes.

The update of the home's row comes first in every change of the tree. It gives out the number and makes other writers of
the same home wait, so numbers become visible in their order.

A shared calendar is seen in several homes: in that of its owner, and in those of the sharees, where collections stand
for it that are **bound** to it. A change in it takes one number that is higher than those of all these homes, and all
of them go on from there (as Lamport's clocks do). So the number of a change means the same in each home, and the sync
token of a sharee is compared with the very numbers of the calendar's objects. What a change costs grows with the
number of sharees, its statements do not.
"""

import attrs
from sqlalchemy import bindparam, exists, func, select, union, update

from calserver.store.aside import ANY
from calserver.store.schema import COUNTERS, collection, counter, object_, tombstone
from calserver.store.statements import Connection, Statement, inserting
from calserver.store.values import Held, Missing

_c, _t = collection.c, tombstone.c

_up = select(_c.id, _c.parent_id).where(_c.id == bindparam("lowest")).cte("up", recursive=True)
_parent = collection.alias("parent")
_up = _up.union(select(_parent.c.id, _parent.c.parent_id).where(_parent.c.id == _up.c.parent_id))

_bound = collection.alias("bound")
PLACE_COLUMNS = (
    _c.home_id,
    _c.parent_id,
    _c.principal_id,
    _c.name,
    _c.revision,
    _c.source_id,
    exists(select(_bound.c.id).where(_bound.c.source_id == _c.id)),
)
"""What `Place` takes besides the id."""
PLACE = Statement(select(*PLACE_COLUMNS).where(_c.id == bindparam("collection_id")))
TAKE = Statement(
    update(collection)
    .values(
        revision=_c.revision + bindparam("steps"),
        modified=bindparam("modified"),
        quota_used_bytes=_c.quota_used_bytes + bindparam("bytes"),
    )
    .where(_c.id == bindparam("home"), _c.kind.not_like(ANY))
    .returning(_c.revision)
)
"""Nothing of a home that is set aside changes."""
_homes = select(_bound.c.home_id).where(_bound.c.source_id == bindparam("source"))
_home = collection.alias("home_of_sharee")
_highest = select(func.max(_home.c.revision)).where(_home.c.id.in_(_homes)).scalar_subquery()
RAISE_TO_SHAREES = Statement(
    update(collection).values(revision=_highest).where(_c.id == bindparam("home"), _c.revision < _highest)
)
"""The next number is higher than those of all homes in which a calendar is seen."""
LIFT = Statement(
    update(collection)
    .values(revision=bindparam("revision"), modified=bindparam("modified"))
    .where(_c.id.in_(union(_homes, select(_bound.c.id).where(_bound.c.source_id == bindparam("source")))))
)
"""What is bound to a calendar, and the homes that it is in, go on from there."""
RAISE = Statement(
    update(collection)
    .values(revision=bindparam("least"))
    .where(_c.id == bindparam("home"), _c.revision < bindparam("least"))
)
MARK_ONE = Statement(
    update(collection)
    .values(revision=bindparam("revision"), modified=bindparam("modified"))
    .where(_c.id == bindparam("which"))
)
MARK_ALL = Statement(
    update(collection)
    .values(revision=bindparam("revision"), modified=bindparam("modified"))
    .where(_c.id.in_(select(_up.c.id)))
)
_down = select(_c.id).where(_c.id == bindparam("lowest")).cte("down", recursive=True)
_child = collection.alias("child")
_down = _down.union(select(_child.c.id).where(_child.c.parent_id == _down.c.id))
MARK_ACCESS = Statement(
    update(collection)
    .values(access_revision=bindparam("revision"))
    .where(_c.id.in_(union(select(_up.c.id), select(_down.c.id))))
)
"""All from the home down to a collection, and all below it."""
COUNT = Statement(
    update(counter)
    .values(value=counter.c.value + 1)
    .where(counter.c.name == bindparam("counter"))
    .returning(counter.c.value)
)
_counted = [select(counter.c.value).where(counter.c.name == name).scalar_subquery() for name in COUNTERS]
STAMP = Statement(select(_c.revision, *_counted).where(_c.id == bindparam("home_id")))
BURY = Statement(inserting(tombstone))
"""There is no older tombstone of the name: making the member removed it."""
BURIED = Statement(
    select(_t.revision, _t.was_collection).where(
        _t.collection_id == bindparam("collection_id"), _t.name == bindparam("name")
    )
)
UNBURY = Statement(
    tombstone.delete().where(_t.collection_id == bindparam("collection_id"), _t.name == bindparam("name"))
)
RAISE_FLOORS = Statement(
    update(collection)
    .values(floor=bindparam("least"))
    .where(_c.id.in_(select(_up.c.id)), _c.floor < bindparam("least"))
)
BEGIN_ANEW = Statement(update(collection).values(floor=bindparam("number")).where(_c.id == bindparam("collection_id")))
MEMBER = Statement(
    select(_c.id)
    .where(_c.parent_id == bindparam("collection_id"), _c.name == bindparam("name"))
    .union_all(
        select(object_.c.id).where(
            object_.c.collection_id == bindparam("collection_id"), object_.c.name == bindparam("name")
        )
    )
)
"""Whatever has a name in a collection."""


@attrs.frozen(slots=True)
class Place:
    """A collection as far as numbers are concerned."""

    id: int
    home_id: int
    parent_id: int | None
    principal_id: int
    name: str
    revision: int
    source_id: int | None
    shared: bool
    """Whether anything is bound to it."""


def place(connection: Connection, collection_id: int) -> Place:
    """Where a collection is."""
    row = connection.one(PLACE, collection_id=collection_id)
    if row is None:
        raise Missing(f"collection {collection_id}")
    return Place(collection_id, *row)


def take(connection: Connection, at: Place, modified: int, *, steps: int = 1, bytes_more: int = 0) -> int:
    """Take the next number (or several; the last is returned) for a collection and all above it."""
    if at.shared:
        connection.run(RAISE_TO_SHAREES, home=at.home_id, source=at.id)
    revision: int | None = connection.value(TAKE, home=at.home_id, steps=steps, modified=modified, bytes=bytes_more)
    if revision is None:
        raise Held("the calendars are on their way to another node")
    if at.parent_id is None:
        return revision
    if at.shared:
        connection.run(LIFT, source=at.id, revision=revision, modified=modified)
    if at.parent_id == at.home_id:
        connection.run(MARK_ONE, which=at.id, revision=revision, modified=modified)
    else:
        connection.run(MARK_ALL, lowest=at.id, revision=revision, modified=modified)
    return revision


def count(connection: Connection, name: str) -> int:
    """Take the next number of a counter outside of homes."""
    value: int = connection.value(COUNT, counter=name)
    return value


@attrs.frozen(slots=True)
class Grave:
    """A tombstone whose name is taken again."""

    revision: int
    was_collection: bool


def grave(connection: Connection, collection_id: int, name: str) -> Grave | None:
    """The tombstone of a name."""
    row = connection.one(BURIED, collection_id=collection_id, name=name)
    return None if row is None else Grave(row[0], bool(row[1]))


def unbury(connection: Connection, collection_id: int, name: str, found: Grave | None) -> None:
    """Remove a tombstone, since its name is taken again.

    Where it was that of a collection, nothing tells any more what was below it. So from there up, no token from before
    the removal is good for a report of all levels.
    """
    if found is None:
        return
    connection.run(UNBURY, collection_id=collection_id, name=name)
    if found.was_collection:
        connection.run(RAISE_FLOORS, lowest=collection_id, least=found.revision)
        count(connection, "floors")


def begin_anew(connection: Connection, collection_id: int, number: int) -> None:
    """Let no token from before a revision be good for a collection, whose members keep older numbers."""
    connection.run(BEGIN_ANEW, collection_id=collection_id, number=number)
    count(connection, "floors")


def bury(
    connection: Connection, collection_id: int, name: str, revision: int, removed: int, *, collection: bool
) -> None:
    """Leave a tombstone."""
    connection.run(
        BURY, collection_id=collection_id, name=name, revision=revision, removed=removed, was_collection=collection
    )
