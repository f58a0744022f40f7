"""What other nodes of the cluster bring: for people who are here, and for nobody else, so that nothing goes in circles.

Who is named and not known to be here - principals come to nodes at different moments - is left out of the answer: then
the other node tries again, or finds out where to. The originator is somebody of this site, whose rights count here as
at home; or somebody of another organization, whose domain the other node vouches for.
"""

from collections.abc import Sequence

import attrs

from calserver import ical
from calserver.directory import Actor
from calserver.meetings import People
from calserver.scheduling.neighbors import BRANCH, ONLY_HOLDERS, VOUCHED
from calserver.scheduling.office import SITE, Office, Sender
from calserver.store import Transaction
from ischedule.message import Response
from ischedule.receiver import Delivery


@attrs.frozen(kw_only=True)
class InnerOffice:
    """`ischedule.receiver.Deliverer` for other nodes.

    Args:
        office: of this node.
    """

    office: Office

    def hosts(self, domain: str) -> bool:
        """Within one site everybody is ours."""
        return True

    async def deliver(self, delivery: Delivery) -> Sequence[Response]:
        """Deliver a message, or answer a question.

        Raises:
            RequestRefused: nobody can have it.
        """
        if BRANCH in delivery.signed:
            asker = await self.office.store.read(lambda txn: self._sender(txn, delivery))
            return await self.office.branch(delivery, asker if delivery.signed[BRANCH] == SITE else None)
        recipients = await self.office.store.read(lambda txn: self._here(txn, delivery.recipients))
        if not recipients:
            return ()
        delivery = attrs.evolve(delivery, recipients=recipients)
        vouched = delivery.signed.get(VOUCHED, "")
        if vouched:
            return await self.office.taken(attrs.evolve(delivery, domain=vouched))
        sender = await self.office.store.read(lambda txn: self._sender(txn, delivery))
        return () if sender is None else await self.office.taken(delivery, sender)

    def _here(self, txn: Transaction, recipients: Sequence[str]) -> tuple[str, ...]:
        people = People(txn, self.office.policy)
        people.meet(map(ical.address, recipients))
        known = ((each, people.whose(ical.address(each))) for each in recipients)
        return tuple(each for each, who in known if who is not None and people.node_of(who) is None)

    def _sender(self, txn: Transaction, delivery: Delivery) -> Sender | None:
        principal = People(txn, self.office.policy).whose(ical.address(delivery.originator))
        if principal is None:
            return None
        return Sender(principal=principal, actor=Actor.of(txn, principal), only_holders=ONLY_HOLDERS in delivery.signed)
