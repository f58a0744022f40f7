"""Shared calendars whose sharer and sharee are, or come to be, at different nodes of a cluster.

What is bound to a calendar is always in the store that has the calendar: in the home of the sharee if that is here as
well, in a **branch** otherwise (`calserver.store.aside.BRANCH`). When one of both moves it is a **tie** that crosses:
it goes along with the calendar, and what it stood for in the home of a sharee becomes something else there. It keeps
its name and its resource id wherever it is, so its sync tokens go on.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, null, or_, select, update

from calserver.store import revisions
from calserver.store.aside import served
from calserver.store.collections import SqlCollections
from calserver.store.dialects import among
from calserver.store.raw import plain, stored
from calserver.store.rows import COLLECTION, collection_from, packed
from calserver.store.schema import collection
from calserver.store.statements import Connection, Statement, inserting
from calserver.store.values import Missing, Tie

_c = collection.c
_bound, _source = collection.alias("bound"), collection.alias("source")
_sharee, _sharer = among(_bound.c.principal_id, "principals"), among(_source.c.principal_id, "principals")
CROSSING = Statement(
    select(*(_bound.c[column.name] for column in COLLECTION), _source.c.principal_id, _source.c.resource_id)
    .join(_source, _source.c.id == _bound.c.source_id)
    .where(or_(and_(_sharee, ~_sharer), and_(~_sharee, _sharer)), served(_source.c.kind))
    .order_by(_bound.c.id)
)
SOURCE = Statement(select(_c.id, _c.home_id).where(_c.resource_id == bindparam("resource_id"), served()))
TAKEN = Statement(delete(collection).where(_c.parent_id == bindparam("home"), _c.name == bindparam("taken")))
ADOPT = Statement(
    update(collection)
    .values(
        parent_id=bindparam("home"), home_id=bindparam("home"), kind=bindparam("new_kind"), revision=bindparam("number")
    )
    .where(_c.id == bindparam("which"))
)
DETACH = Statement(
    update(collection)
    .values(
        kind=bindparam("new_kind"),
        properties=bindparam("new_properties"),
        source_id=null(),
        access=null(),
        display_name=null(),
    )
    .where(_c.id == bindparam("which"))
)
INSERT = Statement(inserting(collection, "id"))


class SqlTies:
    """`calserver.store.interface.Ties` on SQL."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._collections = SqlCollections(connection, now)

    def crossing(self, principals: Iterable[int]) -> Sequence[Tie]:
        """What is bound to calendars of these in homes of others, and the other way round."""
        width = len(COLLECTION)
        found = []
        for row in self._connection.all(CROSSING, principals=self._connection.values(principals)):
            made = collection_from(row[:width])
            (raw,) = plain(collection, [row[:width]])
            found.append(Tie(bound=made, sharer=row[width], source=row[width + 1], row=raw))
        return found

    def fasten(self, source: str, home_id: int, row: Sequence[Any]) -> None:
        """Have what was bound to a calendar at another store, in the place of what has its name in a home here.

        Args:
            source: the resource id of the calendar.
            home_id: a home of the sharee, or a branch.
            row: see `Tie`.

        Raises:
            Missing: the calendar is not here.
        """
        found = self._connection.one(SOURCE, resource_id=source)
        if found is None:
            raise Missing(f"calendar {source}")
        (made,) = stored(collection, [row])
        number = self._place(home_id, made["name"], made["revision"], found[1])
        made["kind"] = made["kind"].rpartition(" ")[2]
        here = {"source_id": found[0], "home_id": home_id, "parent_id": home_id, "revision": number}
        self._connection.run(INSERT, **{name: value for name, value in {**made, **here}.items() if name != "id"})

    def adopt(self, bound_id: int, home_id: int, kind: str) -> None:
        """Have what is bound in another home of the same principal, in the place of what has its name there."""
        bound = self._collections.get(bound_id)
        assert bound is not None
        assert bound.source_id is not None
        source = revisions.place(self._connection, bound.source_id)
        number = self._place(home_id, bound.name, bound.revision, source.home_id)
        self._connection.run(ADOPT, home=home_id, which=bound_id, number=number, new_kind=kind)

    def detach(self, bound_id: int, kind: str, properties: Mapping[str, str]) -> None:
        """Have something else in the place of what is bound to a calendar that is not here any more."""
        self._connection.run(DETACH, which=bound_id, new_kind=kind, new_properties=packed(properties))
        self._collections.touch(bound_id)

    def _place(self, home_id: int, name: str, revision: int, source_home: int) -> int:
        """Make a place in a home for what has a revision elsewhere; returns that which it has here.

        Tokens of the home from before do not tell what becomes of its members, whose numbers are those of the source.
        """
        least = max(revision, revisions.place(self._connection, source_home).revision)
        self._connection.run(revisions.RAISE, home=home_id, least=least)
        self._connection.run(TAKEN, home=home_id, taken=name)
        revisions.unbury(self._connection, home_id, name, revisions.grave(self._connection, home_id, name))
        number = self._collections.touch(home_id)
        revisions.begin_anew(self._connection, home_id, number)
        return number
