"""Calendar user addresses: how a principal is called in scheduling, and who is meant by one (RFC 6638 section 2.4.1).

A principal has its mail addresses, its URL and ``urn:uuid:`` with its GUID. Who is meant may be written in any
spelling: mail addresses in any case, the URL absolute or as a path, with or without the last slash.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote

from calserver.dav import BadRequest, Href
from calserver.directory.actor import KINDS, SEGMENT, principal_href
from calserver.ical import address as normalized
from calserver.store import Principal, Transaction

MAILTO: Final = "mailto:"
GUID: Final = "urn:uuid:"
_GUID_SPELLINGS: Final = re.compile(r"urn:(?:uuid|x-uid):", re.IGNORECASE)


def addresses_of(principal: Principal, prefix: str) -> tuple[str, ...]:
    """All calendar user addresses of a principal, the preferred one first; `prefix` is the path of the DAV root."""
    return (*principal.addresses, prefix + str(principal_href(principal.kind, principal.uid)), GUID + principal.guid)


def preferred(principal: Principal) -> str:
    """The address that stands for a principal in calendar data: a mail address, or the GUID where there is none."""
    return principal.addresses[0] if principal.addresses else GUID + principal.guid


def normalize(address: str) -> str:
    """An address as the store knows it: ``mailto:`` and ``urn:uuid:`` in lower case, ``mailto:`` decoded."""
    address = _GUID_SPELLINGS.sub(GUID, address.strip(), count=1)
    if address[: len(MAILTO)].lower() == MAILTO:
        address = unquote(address.partition("?")[0])
    return normalized(address)


def principal_in(address: str, *, prefix: str, origin: str = "") -> tuple[str, str] | None:
    """Kind and uid of the principal whose URL an address is.

    Args:
        address: a path, or an absolute URL, which must begin with `origin` to be one of this server.
        prefix: the path of the DAV root.
        origin: ``scheme://host[:port]`` of this server; empty where it is not known, and then only paths are.
    """
    path = address.strip()
    if origin and path[: len(origin)].lower() == origin.lower():
        path = path[len(origin) :]
    if not path.startswith(prefix):
        return None
    try:
        segments = Href.parse(path[len(prefix) :]).segments
    except BadRequest:
        return None
    if len(segments) == 3 and segments[0] == SEGMENT and segments[1] in KINDS:
        return segments[1], segments[2]
    return None


def find(txn: Transaction, address: str, *, prefix: str, origin: str = "") -> Principal | None:
    """The principal that an address means, None where it means nobody here. For the arguments see `principal_in`."""
    return find_many(txn, [address], prefix=prefix, origin=origin).get(address)


def find_many(txn: Transaction, addresses: Iterable[str], *, prefix: str, origin: str = "") -> Mapping[str, Principal]:
    """The principals that addresses mean, by address as it was given; mail addresses and GUIDs take one query."""
    found: dict[str, Principal] = {}
    others: dict[str, str] = {}
    for address in addresses:
        named = principal_in(address, prefix=prefix, origin=origin)
        if named is None:
            others[address] = normalize(address)
        elif (principal := txn.principals.by_uid(*named)) is not None:
            found[address] = principal
    known = txn.principals.by_addresses(set(others.values())) if others else {}
    found |= {address: known[key] for address, key in others.items() if key in known}
    return found
