"""Whom we believe what: federation that is open or closed, and exceptions for peers that are known by name."""

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final

import attrs

from ischedule.domains import covers
from ischedule.guard import Network


@attrs.frozen(kw_only=True)
class Peer:
    """What is known of a domain by other means than the DNS."""

    may_sign_for: tuple[str, ...] = ()
    """Domains for whose users it speaks as well: those that it hosts."""
    require_timestamp: bool = True
    """Whether its signatures must say when they were made (``t=``)."""
    pinned: bool = False
    """Only keys that were exchanged privately verify its signatures."""
    unsigned_from: tuple[Network, ...] = ()
    """Networks from which messages of its users need no signature."""


NO_PEERS: Final[Mapping[str, Peer]] = MappingProxyType({})
STRANGER: Final = Peer()


@attrs.frozen(kw_only=True)
class Trust:
    """Which domains may talk to us.

    Args:
        allow: these domains and those below them, and no others; None: all.
        deny: these domains and those below them not.
        peers: by the domain that signs.
        one_site: between the servers of one site, each of which speaks for everybody, people of the receiver included.
    """

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    peers: Mapping[str, Peer] = NO_PEERS
    one_site: bool = False

    def peer(self, domain: str) -> Peer:
        """What is known of a domain."""
        return self.peers.get(domain, STRANGER)

    def welcomes(self, domain: str) -> bool:
        """Whether messages of a domain are taken, or sent to it."""
        if any(covers(each, domain) for each in self.deny):
            return False
        return self.allow is None or any(covers(each, domain) for each in self.allow)

    def may_speak(self, signer: str, domain: str) -> bool:
        """Whether who has signed may speak for users of a domain: its own, those below it, those that it hosts."""
        return (
            self.one_site
            or covers(signer, domain)
            or any(covers(each, domain) for each in self.peer(signer).may_sign_for)
        )

    def needs_no_signature(self, domain: str, address: str) -> bool:
        """Whether messages of a domain's users are believed because of where they come from."""
        networks = self.peer(domain).unsigned_from
        if not networks:
            return False
        try:
            return any(ip_address(address) in network for network in networks)
        except ValueError:
            return False
