"""Objects as scheduling wants them: with their contents, what is remembered beside them, and the groups they invite."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from calserver.store.dialects import among
from calserver.store.rows import OBJECT, microseconds, object_from
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
OF_MANY = Statement(
    _copies.join(collection, _c.id == _o.collection_id).where(
        among(_o.home_id, "home_ids"), among(_o.uid, "uids"), _c.kind == "calendar"
    )
)
BY_ID = Statement(_copies.where(_o.id == bindparam("id")))
ORGANIZED = Statement(
    _copies.where(
        _o.collection_id == bindparam("collection_id"), _o.name > bindparam("after"), _o.organizer.is_not(None)
    )
    .order_by(_o.name)
    .limit(bindparam("limit"))
)
_oldest = (
    select(_o.created).where(_o.collection_id == _c.id).order_by(_o.revision).limit(1).correlate(collection)
).scalar_subquery()
_old = select(_c.id).where(_c.kind == "inbox", _oldest < bindparam("before"))
RECEIVED_BEFORE = Statement(
    select(_o.id)
    .where(_o.collection_id.in_(_old), _o.created < bindparam("before"))
    .order_by(_o.collection_id, _o.revision)
    .limit(bindparam("limit"))
)
"""Of each Inbox the message that has not changed for the longest time is looked at first, and mostly no other."""
_ALL = 2**62
"""The limit that is none."""
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

    def of_many(self, home_ids: Iterable[int], uids: Iterable[str]) -> Sequence[Copy]:
        """The objects with one of some UIDs in the calendars of homes, in one query."""
        values = self._connection.values
        return [_copy(row) for row in self._connection.all(OF_MANY, home_ids=values(home_ids), uids=values(uids))]

    def received_before(self, before: datetime, limit: int) -> Sequence[int]:
        """The ids of some of the messages that have lain in Inboxes since before an instant."""
        rows = self._connection.all(RECEIVED_BEFORE, before=microseconds(before), limit=limit)
        return [row[0] for row in rows]

    def organized(self, collection_id: int, after: str = "", limit: int | None = None) -> Sequence[Copy]:
        """The members that have an organizer, by name; those after a name, and no more than `limit`."""
        most = _ALL if limit is None else limit
        rows = self._connection.all(ORGANIZED, collection_id=collection_id, after=after, limit=most)
        return [_copy(row) for row in rows]

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
