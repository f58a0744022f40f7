"""Who the client is and how it sees us, where reverse proxies stand between (RFC 7239).

What a proxy says is believed only if the proxy's own address is in a configured network. A list of proxies is read from
its end, which is nearest to us: the client is the last address that is not a trusted proxy itself, so whatever a client
writes into these fields stands left of it and is never looked at.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

import attrs

from calserver.config import Network

Address = IPv4Address | IPv6Address

LONGEST_ADDRESS = 64

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(:[0-9]{1,5})?")
_PAIR = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))\s*(;|,|$)')


@attrs.frozen(slots=True)
class Client:
    """Where a request comes from. ``address`` is None where that is a socket of the machine itself."""

    address: Address | None
    secure: bool
    host: str
    """Our name and port as the client spelled them; empty where it said nothing."""
    trusted: bool = False
    """Whether the peer is a trusted proxy, whose X-Request-Id is believed too."""


def parse_address(text: str) -> Address | None:
    """An address as sockets and proxies spell it: with port, brackets or zone; None for anything else."""
    return _parse_address(text) if len(text) <= LONGEST_ADDRESS else None


@lru_cache(maxsize=8192)
def _parse_address(text: str) -> Address | None:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped
    return found


def is_host(text: str) -> bool:
    """Whether a text may stand in a Host field (RFC 9110 section 7.2)."""
    return _HOST.fullmatch(text) is not None


def within(address: Address | None, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks; the machine's own sockets are in any."""
    if address is None:
        return bool(networks)
    return any(address in network for network in networks)


def parse_forwarded(value: str) -> list[dict[str, str]] | None:
    """The elements of a Forwarded field (RFC 7239 section 4), names in lower case; None where it is malformed."""
    elements: list[dict[str, str]] = [{}]
    place = 0
    while place < len(value):
        pair = _PAIR.match(value, place)
        if pair is None:
            return None
        name, quoted, plain, end = pair.groups()
        elements[-1][name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        if end == ",":
            elements.append({})
        place = pair.end()
    return elements


def _from_x_forwarded(hops: str, protos: str, hosts: str) -> list[dict[str, str]]:
    """The same elements from the older fields. A field with one value speaks for all hops."""
    addresses = _split(hops)
    elements: list[dict[str, str]] = [{"for": each} for each in addresses]
    for name, values in (("proto", _split(protos)), ("host", _split(hosts))):
        if values and not elements:
            elements = [{}]
        for index, element in enumerate(elements):
            if len(values) == len(elements):
                element[name] = values[index]
            elif values:
                element[name] = values[-1]
    return elements


def _split(value: str) -> list[str]:
    return [each for part in value.split(",") if (each := part.strip())]


def client(
    peer: Address | None,
    *,
    secure: bool,
    host: str,
    trusted: Sequence[Network],
    forwarded: str = "",
    x_for: str = "",
    x_proto: str = "",
    x_host: str = "",
) -> Client:
    """The client behind a peer.

    Args:
        peer: address of the other end of the connection.
        secure: whether the connection is encrypted.
        host: the Host field.
        trusted: networks of proxies that are believed.
        forwarded: the Forwarded field; where it is there and well-formed, the X- fields are not looked at.
        x_for: the X-Forwarded-For field.
        x_proto: the X-Forwarded-Proto field.
        x_host: the X-Forwarded-Host field.
    """
    if not trusted or not within(peer, trusted):
        return Client(peer, secure, host)
    elements = parse_forwarded(forwarded) if forwarded else None
    if elements is None:
        elements = _from_x_forwarded(x_for, x_proto, x_host)
    address = peer
    for element in reversed(elements):
        if proto := element.get("proto", "").lower():
            secure = proto == "https"
        if is_host(element.get("host", "")):
            host = element["host"]
        if "for" in element:
            found = parse_address(element["for"])
            if found is None:
                break
            address = found
            if not within(found, trusted):
                break
    return Client(address, secure, host, trusted=True)
