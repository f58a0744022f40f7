"""What waits to be done for people whose calendars go to another node of a cluster: it goes along.

Letters of theirs that have not left yet, attendees who are to be told how others answered, copies to be brought into
line with groups. What is on its way at this moment may be sent once more from there, and does the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from calserver.calendars import CALENDAR_HOME
from calserver.meetings import letters
from calserver.meetings.people import People
from calserver.meetings.policy import Policy
from calserver.meetings.tasks import REFRESH, REGROUP, principal_and_uid, regroup_later
from calserver.store import Task, Transaction

Luggage = Sequence[Sequence[Any]]
"""Kind, key, when it is due and payload of tasks, fit for JSON; of regroupings kind, UID, and two that say nothing."""

_NEVER: Final = ""


def pack(txn: Transaction, policy: Policy, principal_id: int) -> Luggage:
    """What waits to be done for a principal."""
    found: list[Sequence[Any]] = []
    for task in _tasks(txn, policy, {principal_id}):
        if task.kind == REGROUP:
            copy = txn.copies.by_id(int(task.key))
            if copy is not None and copy.row.uid is not None:
                found.append((REGROUP, copy.row.uid, _NEVER, ""))
        else:
            found.append((task.kind, task.key, task.due.isoformat(), task.payload.decode()))
    return found


def unpack(txn: Transaction, principal_id: int, luggage: Luggage) -> None:
    """Have it done here; the homes are in use."""
    for kind, key, due, payload in luggage:
        if kind == REGROUP:
            home = txn.collections.home(principal_id, CALENDAR_HOME)
            for each in () if home is None else txn.copies.of((home.id,), key):
                regroup_later(txn, each.row.id)
        else:
            txn.tasks.put(kind, key, payload.encode(), due=datetime.fromisoformat(due))


def drop(txn: Transaction, policy: Policy, principals: Iterable[int]) -> None:
    """Have nothing of it done here any more."""
    for task in list(_tasks(txn, policy, set(principals))):
        txn.tasks.remove(task.id)


def _tasks(txn: Transaction, policy: Policy, principals: set[int]) -> Iterator[Task]:
    yield from _letters(txn, policy, principals)
    yield from (each for each in txn.tasks.of(REFRESH) if principal_and_uid(each.key)[0] in principals)
    for task in txn.tasks.of(REGROUP):
        found = txn.copies.by_id(int(task.key))
        calendar = None if found is None else txn.collections.get(found.row.collection_id)
        if calendar is not None and calendar.principal_id in principals:
            yield task


def _letters(txn: Transaction, policy: Policy, principals: set[int]) -> Iterator[Task]:
    """Letters whose outcome they want to know, and those that only tell how others answered."""
    found = letters.waiting(txn)
    people = People(txn, policy)
    people.meet(letter.originator for _, letter in found if letter.sender is None)
    for task, letter in found:
        if letter.sender is None and not letter.vouched:
            who = people.whose(letter.originator)
            if who is not None and who.id in principals:
                yield task
        elif letter.sender in principals:
            yield task
