"""Messages from elsewhere: another node, another organization, mail."""

from collections.abc import Callable, Mapping

from calserver.itip import Message
from calserver.meetings.delivery import Delivery
from calserver.meetings.policy import Manner, Policy
from calserver.store import Principal, Transaction


def receive(
    txn: Transaction,
    policy: Policy,
    message: Message,
    *,
    only_holders: bool = False,
    manner: Callable[[Principal], Manner] | None = None,
) -> Mapping[str, str]:
    """Deliver a message to those of its recipients who are here, and store all that follows.

    Args:
        txn: a writing transaction.
        policy: of the site; routes are asked for what answers itself, not for recipients of the message.
        message: its originator has been verified.
        only_holders: whether those who have no copy (any more) get none: it only says who takes part.
        manner: what becomes of an invitation to somebody who has no copy yet.

    Returns:
        The delivery status of each recipient (RFC 6638 section 3.2.9); ``3.7`` for those who are not here.
    """
    delivery = Delivery(txn, policy, message.uid, message.calendar.component)
    delivery.manner = manner
    statuses = delivery.send((message,), None, only_holders=only_holders)
    delivery.store()
    return statuses
