"""What happens after the commit (`calserver.meetings.tasks`): each work does one task, in a transaction."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from calserver import itip
from calserver.ical import CalendarObject
from calserver.itip import Role
from calserver.meetings.changes import put
from calserver.meetings.delivery import Delivery
from calserver.meetings.policy import Policy
from calserver.meetings.tasks import REFRESH, REGROUP, principal_and_uid
from calserver.store import Collection, Task, Transaction

Work = Callable[[Transaction, Policy, Task], None]

MOVING: Final = frozenset({"arriving", "held"})
AGAIN: Final = timedelta(seconds=10)
"""How long to wait for somebody who is moving."""
BATCH: Final = 25
"""The most attendees who are told in one transaction."""


def refresh(txn: Transaction, policy: Policy, task: Task) -> None:
    """Tell the attendees of a meeting how others answered (RFC 6638 section 4.2), some of them at a time.

    The payload is the address after which to go on.
    """
    txn.tasks.remove(task.id)
    owner, uid = principal_and_uid(task.key)
    principal = txn.principals.get(owner)
    if principal is None:
        return
    delivery = Delivery(txn, policy, uid, "VEVENT")
    delivery.load([principal])
    holding = delivery.held.get(owner)
    if holding is None or holding.object is None:
        return
    delivery.people.meet((*holding.object.attendees, *filter(None, (holding.object.organizer,))))
    if holding.role(delivery.people) is not Role.ORGANIZER:
        return
    addresses = delivery.people.addresses(principal)
    after = task.payload.decode()
    waiting = sorted(each for each in holding.object.attendees - addresses if each > after)
    some = waiting[:BATCH]
    delivery.send(itip.refresh(holding.object, addresses, only=some), None, only_holders=True)
    delivery.store()
    if len(waiting) > BATCH:
        txn.tasks.put(task.kind, task.key, some[-1].encode(), due=txn.now)


def regroup(txn: Transaction, policy: Policy, task: Task) -> None:
    """Bring an organizer's copy into line with the groups that it invites, and tell whoever joins or leaves."""
    txn.tasks.remove(task.id)
    found = txn.copies.by_id(int(task.key))
    if found is None or (found.row.last is not None and found.row.last < txn.now.timestamp()):
        return
    calendar = txn.collections.get(found.row.collection_id)
    if calendar is None:
        return
    if calendar.kind != "calendar":
        _come_again(txn, task, calendar)
    else:
        put(txn, policy, calendar, found.row.name, CalendarObject.stored(found.text), path=lambda row: row.name)


def _come_again(txn: Transaction, task: Task, calendar: Collection) -> None:
    """Do it later for somebody who is moving to this node, or may stay; who has left takes it along."""
    if txn.moves.states((calendar.principal_id,)).get(calendar.principal_id, frozenset()) & MOVING:
        txn.tasks.put(task.kind, task.key, due=txn.now + AGAIN)


WORKS: Final[Mapping[str, Work]] = {REFRESH: refresh, REGROUP: regroup}
"""What does the tasks of each kind."""
