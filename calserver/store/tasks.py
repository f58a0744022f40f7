"""Tasks: rows that say what must happen after a commit; whoever does it removes the row in the same transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, case, delete, func, select, update

from calserver.store.rows import instant, microseconds
from calserver.store.schema import task
from calserver.store.statements import Connection, Row, Statement, inserting
from calserver.store.values import Lane, Task

_t = task.c

DUE = Statement(
    select(task)
    .where(_t.due <= bindparam("now"), _t.kind == bindparam("kind"))
    .order_by(_t.due, _t.id)
    .limit(bindparam("limit"))
)
OF = Statement(select(task).where(_t.kind == bindparam("kind")).order_by(_t.id))
BEGINNING = Statement(
    select(task).where(_t.kind >= bindparam("first"), _t.kind < bindparam("last")).order_by(_t.kind, _t.id)
)
GET = Statement(select(task).where(_t.kind == bindparam("kind"), _t.key == bindparam("key")))
NEXT = Statement(select(func.min(_t.due)))
LANES = Statement(
    select(_t.kind, func.count(), func.min(_t.due))
    .where(_t.kind >= bindparam("first"), _t.kind < bindparam("last"))
    .group_by(_t.kind)
    .order_by(_t.kind)
)
HURRY = Statement(update(task).values(due=bindparam("now")).where(_t.kind == bindparam("which")))
INSERT = Statement(inserting(task, "id"))
REPLACE = Statement(
    update(task)
    .values(
        payload=bindparam("content"), due=case((_t.due > bindparam("earliest"), bindparam("earliest")), else_=_t.due)
    )
    .where(_t.kind == bindparam("which"), _t.key == bindparam("whose"))
)
POSTPONE = Statement(
    update(task).values(due=bindparam("until"), attempts=_t.attempts + 1).where(_t.id == bindparam("which"))
)
REMOVE = Statement(delete(task).where(_t.id == bindparam("id")))


def _task(row: Row) -> Task:
    id, kind, key, due, attempts, payload = row
    return Task(id=id, kind=kind, key=key, due=instant(due), attempts=attempts, payload=bytes(payload))


def _after(prefix: str) -> str:
    """What comes after all that begins so."""
    return prefix + chr(0x10FFFF)


class SqlTasks:
    """`calserver.store.interface.Tasks` on SQL."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = microseconds(now)

    def put(self, kind: str, key: str, payload: bytes = b"", *, due: datetime) -> None:
        """Add a task; one that waits already gets the payload, and is due as early as the earlier of both."""
        at = microseconds(due)
        if not self._connection.run(REPLACE, which=kind, whose=key, content=payload, earliest=at):
            self._connection.run(INSERT, kind=kind, key=key, due=at, attempts=0, payload=payload)

    def get(self, kind: str, key: str) -> Task | None:
        """The task of a kind with a key."""
        row = self._connection.one(GET, kind=kind, key=key)
        return None if row is None else _task(row)

    def of(self, kind: str) -> Sequence[Task]:
        """All of a kind, in the order in which they were added."""
        return [_task(row) for row in self._connection.all(OF, kind=kind)]

    def beginning(self, prefix: str) -> Sequence[Task]:
        """All of the kinds whose names begin so, by kind, in the order in which they were added."""
        return [_task(row) for row in self._connection.all(BEGINNING, first=prefix, last=_after(prefix))]

    def due(self, kind: str, limit: int) -> Sequence[Task]:
        """Those of a kind that are due, the longest due first."""
        return [_task(row) for row in self._connection.all(DUE, kind=kind, now=self._now, limit=limit)]

    def next_due(self) -> datetime | None:
        """When the next of any kind is due; None where there is none."""
        at = self._connection.value(NEXT)
        return None if at is None else instant(at)

    def lanes(self, prefix: str) -> Sequence[Lane]:
        """What waits of each kind whose name begins so, by name."""
        rows = self._connection.all(LANES, first=prefix, last=_after(prefix))
        return [Lane(kind=kind, waiting=waiting, due=instant(due)) for kind, waiting, due in rows]

    def hurry(self, kind: str) -> int:
        """Have all of a kind due now; returns how many there are."""
        return self._connection.run(HURRY, which=kind, now=self._now)

    def postpone(self, id: int, due: datetime) -> None:
        """Try a task again at another time: this try was in vain."""
        self._connection.run(POSTPONE, which=id, until=microseconds(due))

    def remove(self, id: int) -> None:
        """Forget a task: it is done, or given up."""
        self._connection.run(REMOVE, id=id)
