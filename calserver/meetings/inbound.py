"""Messages from elsewhere: another node, another organization, mail."""

from collections.abc import Callable, Mapping

import attrs

from calserver import directory, ical, itip
from calserver.ical import CalendarObject, Component
from calserver.itip import Message, Method, Role
from calserver.meetings.delivery import UNKNOWN, Delivery
from calserver.meetings.holding import Holding
from calserver.meetings.policy import Manner, Policy
from calserver.store import Entry, Principal, Transaction


def receive(
    txn: Transaction,
    policy: Policy,
    message: Message,
    *,
    sender: Principal | None = None,
    only_holders: bool = False,
    manner: Callable[[Principal], Manner] | None = None,
) -> Mapping[str, str]:
    """Deliver a message to those of its recipients who are here, and store all that follows.

    Args:
        txn: a writing transaction.
        policy: of the site; its routes take what answers itself, and the message for whom is at another node.
        message: its originator has been verified.
        sender: who has sent it, where that is somebody of this site at another node.
        only_holders: whether those who have no copy (any more) get none: it only says who takes part.
        manner: what becomes of an invitation to somebody who has no copy yet.

    Returns:
        The delivery status of each recipient (RFC 6638 section 3.2.9); ``3.7`` for those who are not here.
    """
    delivery = Delivery(txn, policy, message.uid, message.calendar.component)
    delivery.manner = manner
    statuses = delivery.send((message,), sender, only_holders=only_holders)
    delivery.store()
    return statuses


def receive_answer(txn: Transaction, policy: Policy, message: Message, principal_id: int) -> str:
    """Deliver a message of an attendee to an organizer who is known by other means than its address.

    Mail is answered to addresses of ours, which the attendee's program may have taken for the organizer's.

    Args:
        txn: a writing transaction.
        policy: of the site.
        message: a REPLY or REFRESH; its originator has been verified, its organizer and recipients do not count.
        principal_id: who is to be the organizer.

    Returns:
        The delivery status; ``3.7`` where there is no such meeting.
    """
    delivery = Delivery(txn, policy, message.uid, message.calendar.component)
    principal = txn.principals.get(principal_id)
    if principal is not None and delivery.people.node_of(principal) is not None:
        organizer = ical.address(directory.preferred(principal))
    else:
        holding = _held(delivery, principal_id)
        if holding is None or holding.object is None or _role(delivery, holding) is not Role.ORGANIZER:
            return UNKNOWN
        assert holding.object.organizer is not None, "there is a role"
        organizer = holding.object.organizer
    found = CalendarObject.of(message.calendar.calendar.map(lambda each: _organized_by(each, organizer)))
    statuses = delivery.send((attrs.evolve(message, calendar=found, recipients=(organizer,)),), None)
    delivery.store()
    return statuses[organizer]


def _organized_by(component: Component, organizer: str) -> Component:
    prop = component.first("ORGANIZER")
    return component if prop is None else component.replacing("ORGANIZER", prop.with_value(organizer))


def returned(txn: Transaction, policy: Policy, uid: str, principal_id: int, recipient: str, status: str) -> bool:
    """Note that a message which had left did not arrive; the Schedule-Tag of the sender's copy stays.

    Args:
        txn: a writing transaction.
        policy: of the site.
        uid: of the meeting.
        principal_id: whose message it was.
        recipient: the normalized address that it was for.
        status: what is noted (RFC 6638 section 3.2.9).

    Returns:
        Whether there is a copy in which it could be noted.
    """
    delivery = Delivery(txn, policy, uid, "VEVENT")
    holding = _held(delivery, principal_id)
    if holding is None or holding.object is None:
        return False
    held = holding.object
    noted = itip.delivered(held, {recipient: status}, pending=False)
    method = Method.REQUEST if _role(delivery, holding) is Role.ORGANIZER else Method.REPLY
    if noted is not held:
        holding.becomes(noted, holding.memory, tag_changes=False)
        delivery.store()
    if policy.scheduling.journal_days:
        entry = Entry(
            at=txn.now,
            uid=uid,
            method=method.value,
            originator=directory.preferred(holding.principal),
            recipients=(recipient,),
            status=status,
            reason="",
            outcome="it came back",
        )
        txn.journal.add([entry])
    return noted is not held


def _role(delivery: Delivery, holding: Holding) -> Role | None:
    """What somebody is in a meeting."""
    assert holding.object is not None, "there is one"
    delivery.people.meet((*holding.object.attendees, *filter(None, (holding.object.organizer,))))
    return holding.role(delivery.people)


def _held(delivery: Delivery, principal_id: int) -> Holding | None:
    """What a principal has of a meeting."""
    principal = delivery.txn.principals.get(principal_id)
    if principal is None:
        return None
    delivery.load([principal])
    return delivery.held.get(principal.id)
