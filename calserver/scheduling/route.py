"""The way out: who may be reached elsewhere gets a letter, in the transaction of what is said."""

import uuid
from collections.abc import Callable, Mapping, Sequence

import attrs

from calserver.itip import Message
from calserver.meetings import People, Policy, letters
from calserver.store import Principal, Transaction
from ischedule.trust import Trust


@attrs.frozen(kw_only=True)
class Within:
    """`calserver.meetings.Route` to other nodes of the site.

    Args:
        policy: of the site, without routes.
    """

    policy: Policy

    def take(
        self, txn: Transaction, message: Message, recipients: Sequence[str], sender: Principal | None
    ) -> Mapping[str, str]:
        """Write letters to those whose calendars are at another node."""
        people = People(txn, self.policy)
        people.meet(recipients)
        nodes = {
            each: node
            for each in recipients
            if (who := people.whose(each)) is not None and (node := people.node_of(who)) is not None
        }
        if nodes:
            letters.post_within(txn, self.policy, message, nodes, sender, str(uuid.uuid4()))
        return dict.fromkeys(nodes, letters.PENDING)


@attrs.frozen(kw_only=True)
class Elsewhere:
    """`calserver.meetings.Route` to other domains.

    Args:
        policy: of the site, without routes.
        trust: whom messages are sent to.
        can_send: whether there is any way at the moment: a key to sign with, or mail.
    """

    policy: Policy
    trust: Trust
    can_send: Callable[[], bool]

    def take(
        self, txn: Transaction, message: Message, recipients: Sequence[str], sender: Principal | None
    ) -> Mapping[str, str]:
        """Write letters to those who have a mail address in a domain that we talk to."""
        taken = [each for each in recipients if self._reaches(each)]
        if not taken or not self.can_send():
            return {}
        letters.post(txn, self.policy, message, taken, sender, str(uuid.uuid4()))
        return dict.fromkeys(taken, letters.PENDING)

    def _reaches(self, address: str) -> bool:
        domain = letters.domain_of(address)
        return "." in domain and self.trust.welcomes(domain)
