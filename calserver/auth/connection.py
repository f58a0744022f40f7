"""What matters to authentication of how a request came."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import attrs

from calserver.config import Network

Address = IPv4Address | IPv6Address


@attrs.frozen(slots=True)
class Connection:
    """How a request came: from where (None is a socket of the machine itself), and whether encrypted."""

    address: Address | None
    secure: bool

    def private(self, plaintext_networks: Sequence[Network]) -> bool:
        """Whether a password may be sent over it."""
        return (
            self.secure
            or self.address is None
            or self.address.is_loopback
            or any(self.address in network for network in plaintext_networks)
        )
