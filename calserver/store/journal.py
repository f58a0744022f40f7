"""The journal of scheduling messages: who was sent what, and what became of it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select

from calserver.store.rows import instant, microseconds, packed, texts
from calserver.store.schema import journal
from calserver.store.statements import Connection, Row, Statement, inserting
from calserver.store.values import Entry

_j, _first = journal.c, journal.alias("first").c

INSERT = Statement(inserting(journal, "id"))
ABOUT = Statement(
    select(_j.at, _j.uid, _j.method, _j.originator, _j.recipients, _j.status, _j.reason, _j.outcome, _j.sequence)
    .where(_j.uid == bindparam("uid"))
    .order_by(_j.id)
)
_new = select(_first.id).where(_first.at >= bindparam("before")).order_by(_first.id).limit(1).scalar_subquery()
_lowest = select(func.min(_first.id)).scalar_subquery()
PURGE = Statement(
    delete(journal).where(_j.id < func.coalesce(_new, bindparam("highest")), _j.id < _lowest + bindparam("limit"))
)
"""Entries are in the order of time, so the search for the first that stays looks only at what goes."""
_HIGHEST = 2**63 - 1


def _entry(row: Row) -> Entry:
    at, uid, method, originator, recipients, status, reason, outcome, sequence = row
    return Entry(
        at=instant(at),
        uid=uid,
        method=method,
        originator=originator,
        recipients=texts(recipients),
        status=status,
        reason=reason,
        outcome=outcome,
        sequence=sequence,
    )


class SqlJournal:
    """`calserver.store.interface.Journal` on SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, entries: Iterable[Entry]) -> None:
        """Write entries, in one statement."""
        rows = [
            {
                "at": microseconds(each.at),
                "uid": each.uid,
                "method": each.method,
                "originator": each.originator,
                "recipients": packed(each.recipients),
                "status": each.status,
                "reason": each.reason,
                "outcome": each.outcome,
                "sequence": each.sequence,
            }
            for each in entries
        ]
        if rows:
            self._connection.many(INSERT, rows)

    def about(self, uid: str) -> Sequence[Entry]:
        """All that is known of a UID, the oldest first."""
        return [_entry(row) for row in self._connection.all(ABOUT, uid=uid)]

    def purge(self, before: datetime, limit: int) -> int:
        """Forget the oldest entries, if they are older than `before`; returns how many."""
        return self._connection.run(PURGE, before=microseconds(before), highest=_HIGHEST, limit=limit)
