"""The way by mail (`calserver.scheduling.mail`), for domains that have no other."""

from collections.abc import Sequence
from typing import Final

import attrs

from calserver import ical
from calserver.meetings import People, Policy
from calserver.scheduling.courier import Bundle
from calserver.scheduling.mail import SENT, Mailer
from calserver.scheduling.mail import Outcome as Sent
from calserver.scheduling.mail import Outgoing as Letter
from calserver.store import Store, Transaction
from ischedule.errors import UNAVAILABLE, Status
from ischedule.message import Response
from ischedule.outcome import Again, Outcome, all_alike

HANDED_OVER: Final = Status(SENT, "Sent")


@attrs.frozen(kw_only=True)
class ByMail:
    """`calserver.scheduling.courier.Carrier` by mail.

    Whoever gets mail is not told how others answered: that would be a mail to each for each answer.

    Args:
        mailer: sends it.
        store: knows whose message it is.
        policy: of the site.
    """

    mailer: Mailer
    store: Store
    policy: Policy

    async def carry(self, domain: str, bundle: Bundle) -> Outcome:
        """Try to send a message once."""
        recipients = bundle.outgoing.recipients
        if not bundle.is_news:
            return all_alike(recipients, HANDED_OVER, "")
        principal = await self.store.read(lambda txn: self._sender(txn, bundle.outgoing.originator))
        if principal is None:
            return all_alike(recipients, UNAVAILABLE, "nobody here has the address of the sender any more")
        letters = [
            Letter(
                principal=principal,
                originator=bundle.outgoing.originator,
                recipient=each,
                text=bundle.outgoing.body,
                reason=bundle.reason,
            )
            for each in recipients
        ]
        return _together(recipients, await self.mailer.deliver(letters))

    def _sender(self, txn: Transaction, originator: str) -> int | None:
        found = People(txn, self.policy).whose(ical.address(originator))
        return None if found is None else found.id


def _together(recipients: Sequence[str], sent: Sequence[Sent]) -> Outcome:
    """What became of a message for each of its recipients."""
    pending = tuple(who for who, each in zip(recipients, sent, strict=True) if each.again)
    responses = tuple(
        Response(
            recipient=who,
            status=HANDED_OVER if each.status == SENT else UNAVAILABLE,
            description="" if each.status == SENT else each.detail,
        )
        for who, each in zip(recipients, sent, strict=True)
    )
    return Outcome(
        responses=responses,
        again=Again.LATER if pending else Again.NEVER,
        pending=pending,
        reason="; ".join(dict.fromkeys(each.detail for each in sent if each.status != SENT)),
    )
