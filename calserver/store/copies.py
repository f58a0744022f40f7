"""Objects as scheduling wants them: with their contents, what is remembered beside them, and the groups they invite."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from calserver.store.dialects import among
from calserver.store.rows import OBJECT, object_from
from calserver.store.schema import collection, content, invited_group, memory, object_
from calserver.store.statements import Connection, Statement, inserting
from calserver.store.values import Copy

_c, _o, _x = collection.c, object_.c, content.c
_WIDTH = len(OBJECT)

_remembered = memory.alias("remembered")
_copies = (
    select(*OBJECT, _x.text, _remembered.c.text.label("memory"))
    .join(content, _x.object_id == _o.id)
    .outerjoin(_remembered, _remembered.c.object_id == _o.id)
)
OF = Statement(
    _copies.join(collection, _c.id == _o.collection_id).where(
        among(_o.home_id, "home_ids"),
        _o.uid == bindparam("uid"),
        _c.kind == "calendar",
    )
)
BY_ID = Statement(_copies.where(_o.id == bindparam("id")))
ORGANIZED = Statement(
    _copies.where(_o.collection_id == bindparam("collection_id"), _o.organizer.is_not(None)).order_by(_o.name)
)
REMEMBER = Statement(update(memory).values(text=bindparam("text")).where(memory.c.object_id == bindparam("which")))
REMEMBER_FIRST = Statement(inserting(memory))
FORGET = Statement(delete(memory).where(memory.c.object_id == bindparam("id")))
INVITE_GROUP = Statement(inserting(invited_group))
UNINVITE_GROUPS = Statement(delete(invited_group).where(invited_group.c.object_id == bindparam("id")))
INVITING = Statement(
    select(invited_group.c.object_id)
    .where(among(invited_group.c.group_id, "groups"))
    .distinct()
    .order_by(invited_group.c.object_id)
)


def _copy(row: Sequence[Any]) -> Copy:
    return Copy(row=object_from(row), text=row[_WIDTH], memory=row[_WIDTH + 1])


class SqlCopies:
    """`calserver.store.interface.Copies` on SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, home_ids: Iterable[int], uid: str) -> Sequence[Copy]:
        """The objects with a UID in the calendars of homes, in one query."""
        rows = self._connection.all(OF, home_ids=self._connection.values(home_ids), uid=uid)
        return [_copy(row) for row in rows]

    def by_id(self, id: int) -> Copy | None:
        """An object by primary key, with its content and what scheduling remembers beside it."""
        row = self._connection.one(BY_ID, id=id)
        return None if row is None else _copy(row)

    def organized(self, collection_id: int) -> Sequence[Copy]:
        """The members that have an organizer."""
        return [_copy(row) for row in self._connection.all(ORGANIZED, collection_id=collection_id)]

    def inviting(self, groups: Iterable[int]) -> Sequence[int]:
        """The ids of the objects that invite one of these groups."""
        return [row[0] for row in self._connection.all(INVITING, groups=self._connection.values(groups))]

    def remember(self, id: int, memory: bytes | None) -> None:
        """Keep what scheduling shall remember beside an object. No new revision."""
        if memory is None:
            self._connection.run(FORGET, id=id)
        elif not self._connection.run(REMEMBER, which=id, text=memory):
            self._connection.run(REMEMBER_FIRST, object_id=id, text=memory)

    def invite_groups(self, id: int, groups: Iterable[int]) -> None:
        """Replace the groups that are noted as invited by an object. No new revision."""
        self._connection.run(UNINVITE_GROUPS, id=id)
        self._connection.many(INVITE_GROUP, [{"object_id": id, "group_id": each} for each in groups])
