"""Where a federating server must not connect to: whoever names a domain chooses addresses and ports, too.

Any local user can invite ``x@evil.example``, any stranger can name a domain in a signature. What these names resolve to
is vetted here before a connection is made, so that nobody reaches the inside of a network through the calendar server.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

import attrs

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

REFUSED_NETWORKS: Final[tuple[Network, ...]] = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "::/96",
        "::ffff:0:0:0/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/9",
        "ff00::/8",
    )
)
"""Networks that are not of the Internet: loopback, private, shared, link-local, documentation, multicast, reserved (the
registries of RFC 6890). `ipaddress.is_global` alone passes some of them."""

WEB_PORTS: Final = (80, 443)
REFUSED_PORTS: Final = frozenset(
    (1433, 1521, 2049, 2375, 2379, 3306, 3389, 4190, 5060, 5432, 5672, 5900, 6379, 6667, 9042, 9092, 9200, 11211, 27017)
)
"""Ports of services that are not HTTP, which a forged SRV record could have us talk to: these, and all below 1024."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
_TRANSLATED: Final = IPv6Network("::ffff:0:0:0/96")


@attrs.frozen(kw_only=True)
class Guard:
    """What may be connected to.

    Networks in `allow` are open although they are private (intranets, tests), and any port in them; those in `deny` are
    closed in any case (this server's own addresses).
    """

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()

    def permits(self, address: Address, port: int) -> bool:
        """Whether a connection may be made; an address that carries another one inside is judged by both."""
        every = (address, *_carried(address))
        if not 0 < port < 65536 or any(each in network for each in every for network in self.deny):
            return False
        if all(any(each in network for network in self.allow) for each in every[1:] or every):
            return True
        closed = any(each in network for each in every for network in REFUSED_NETWORKS)
        return not closed and (port in WEB_PORTS or (port >= 1024 and port not in REFUSED_PORTS))


def _carried(address: Address) -> Iterator[Address]:
    """IPv4 addresses inside an IPv6 address: mapped (RFC 4291), 6to4, translated (RFC 6052, RFC 2765)."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address in _NAT64 or address in _TRANSLATED:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
