"""What is taken from whom: the site's rules, and those for single domains."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Final, Literal, cast

import attrs

from calserver.config import Ischedule, Peer
from calserver.meetings import Manner
from calserver.store import Principal, Transaction
from ischedule.trust import Peer as TrustedPeer
from ischedule.trust import Trust

Told = Literal["none", "busy", "types"]
USUAL: Final = Peer()


def trust(settings: Ischedule) -> Trust:
    """Whom we talk to, and whose signatures we believe."""
    return Trust(
        allow=settings.allow or None,
        deny=settings.deny,
        peers={
            domain: TrustedPeer(
                may_sign_for=peer.hosted_domains,
                pinned=peer.pinned,
                unsigned_from=tuple(ip_network(str(each)) for each in peer.unsigned_networks),
            )
            for domain, peer in settings.peers.items()
        },
    )


@attrs.frozen
class Manners:
    """What is taken from a domain that vouches for a message."""

    settings: Ischedule

    def peer(self, domain: str) -> Peer:
        """What the configuration says of a domain, or else of the nearest one above it."""
        return self.settings.peers.get(self.settings.nearest(domain), USUAL)

    def told(self, domain: str) -> Told:
        """What a domain is told of free-busy time."""
        said = self.peer(domain).free_busy
        return cast(Told, self.settings.free_busy if said == "usual" else said)

    def replies(self, domain: str) -> bool:
        """Whether answers of a domain's people are taken."""
        return self.peer(domain).replies

    def invitations(self, txn: Transaction, domain: str, originator: str) -> Callable[[Principal], Manner]:
        """What becomes of an invitation, by its recipient: who has written to its sender knows them.

        Args:
            txn: who has written to whom.
            domain: it vouches for the invitation.
            originator: the normalized address of who sends it.
        """
        said = self.peer(domain).invitations
        if said != "usual":
            return lambda recipient: cast(Manner, said)
        known, unknown = cast(Manner, self.settings.invitations), cast(Manner, self.settings.strangers)
        if known == unknown:
            return lambda recipient: known
        return lambda recipient: known if txn.peers.who_met(originator, (recipient.id,)) else unknown
