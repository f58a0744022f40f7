"""Header fields of WebDAV as values: Depth, Destination, Overwrite, Timeout, Lock-Token, If, Range.

Each function takes a request, so that `Request.parsed` can keep what it returns.
"""

import enum
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import attrs

from calserver.dav.errors import BadGateway, BadRequest
from calserver.dav.href import Href
from calserver.dav.message import Request, items, parameters


class Depth(enum.IntEnum):
    """How far down a method goes (RFC 4918 section 10.2)."""

    ZERO = 0
    ONE = 1
    INFINITY = 2


_DEPTHS: Final = {"0": Depth.ZERO, "1": Depth.ONE, "infinity": Depth.INFINITY}


def depth(request: Request) -> Depth | None:
    """The Depth header; None where there is none, or the empty one that some clients send."""
    value = request.headers.get("depth", "").strip().lower()
    if not value:
        return None
    if value not in _DEPTHS:
        raise BadRequest("Depth is 0, 1 or infinity")
    return _DEPTHS[value]


def overwrite(request: Request) -> bool:
    """The Overwrite header (RFC 4918 section 10.6); True where there is none."""
    value = request.headers.get("overwrite", "T").strip().upper()
    if value not in ("T", "F"):
        raise BadRequest("Overwrite is T or F")
    return value == "T"


# -- where to ------------------------------------------------------------------------------------------------------

_PORTS: Final = {"http": 80, "https": 443}


def destination(request: Request) -> Href:
    """The Destination header (RFC 4918 section 10.3) as a place on this server.

    Raises:
        BadRequest: there is none, or it is not a URI without fragment.
        BadGateway: it is on another server, or outside of what this one serves by WebDAV (section 9.8.5).
    """
    value = request.headers.get("destination", "").strip()
    if not value:
        raise BadRequest("there is no Destination")
    found = local(request, value)
    if found is None:
        raise BadGateway("the Destination is not on this server")
    return found


def local(request: Request, uri: str) -> Href | None:
    """What a URI or an absolute path names below the DAV root; None where it is elsewhere.

    Raises:
        BadRequest: it is no URI, or has a fragment.
    """
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadRequest("this is not a URI") from None
    if parts.fragment or uri.endswith("#") or any(character <= " " for character in uri):
        raise BadRequest("this is not a URI of a resource")
    if (parts.scheme or parts.netloc) and not _same_server(request, parts.scheme, host, port):
        return None
    if parts.path + "/" == request.prefix:
        return Href((), collection=True)
    if not parts.path.startswith(request.prefix):
        return None
    return Href.parse(parts.path[len(request.prefix) :])


def _same_server(request: Request, scheme: str, host: str | None, port: int | None) -> bool:
    """Whether host and port are those that the client reached us at.

    Schemes may differ where both have their default port: a proxy may end the TLS that the client speaks.
    """
    own = urlsplit(request.origin)
    if scheme.lower() not in ("", *_PORTS) or host is None:
        return False
    theirs_default = port is None or port == _PORTS.get(scheme.lower())
    own_default = own.port is None or own.port == _PORTS.get(own.scheme.lower())
    same_port = port == own.port or (theirs_default and own_default)
    return host.lower() == (own.hostname or "").lower() and same_port


# -- locks ---------------------------------------------------------------------------------------------------------


def timeout_seconds(request: Request) -> int | None:
    """The first usable value of the Timeout header (RFC 4918 section 10.7); None for Infinite or no header."""
    for value in request.headers.get("timeout", "").split(","):
        kind, _, number = value.strip().lower().partition("-")
        if kind == "infinite":
            return None
        if kind == "second" and number.isascii() and number.isdigit():
            return min(int(number[:12]), 2**32 - 1)
    return None


def lock_token(request: Request) -> str:
    """The Lock-Token header (RFC 4918 section 10.5)."""
    value = request.headers.get("lock-token", "").strip()
    if not re.fullmatch(r"<[^<>\s]+>", value):
        raise BadRequest("there is no Lock-Token that can be read")
    return value[1:-1]


@attrs.frozen(slots=True)
class Condition:
    """One condition of a list in the If header: a state token, or an entity tag, maybe negated."""

    token: str = ""
    etag: str = ""
    negated: bool = False


@attrs.frozen(slots=True)
class ConditionList:
    """One list of the If header: all conditions must hold of `resource`, of the request's own where that is empty."""

    resource: str
    conditions: tuple[Condition, ...]


CTAG_TOKEN: Final = "http://me.com/_namespace/ctag/"

_IF_TOKEN: Final = re.compile(
    r'\s*(?:(?P<open>\()|(?P<close>\))|<(?P<uri>[^<>\s]+)>|\[\s*(?P<etag>(?:[Ww]/)?"[^"]*")\s*\]|(?P<not>[Nn][Oo][Tt])\b)\s*'
)


def if_lists(request: Request) -> tuple[ConditionList, ...]:
    """The If header (RFC 4918 section 10.4); empty where there is none.

    The bulk requests of Apple's clients send a single ``<http://me.com/_namespace/ctag/...>`` without a list; it is
    read as a condition on the request's own resource.

    Raises:
        BadRequest: it does not follow the grammar.
    """
    value = request.headers.get("if")
    if value is None:
        return ()
    value = value.strip()
    if re.fullmatch(f"<{re.escape(CTAG_TOKEN)}[^<>\\s]+>", value):
        return (ConditionList("", (Condition(value[1:-1]),)),)
    lists = tuple(_lists(value))
    if not lists or len({bool(each.resource) for each in lists}) > 1:
        raise BadRequest("the If header cannot be read")
    return lists


def _lists(value: str) -> Iterator[ConditionList]:
    resource, inside, negated = "", False, False
    unused = False
    conditions: list[Condition] = []
    for kind, text in _if_tokens(value):
        if kind == "open" and not inside:
            inside = True
        elif kind == "close" and inside and conditions and not negated:
            yield ConditionList(resource, tuple(conditions))
            inside, unused, conditions = False, False, []
        elif kind == "uri" and not inside and not unused:
            resource, unused = text, True
        elif kind == "not" and inside and not negated:
            negated = True
        elif kind in ("uri", "etag") and inside:
            conditions.append(Condition(text if kind == "uri" else "", text if kind == "etag" else "", negated))
            negated = False
        else:
            raise BadRequest("the If header cannot be read")
    if inside or unused:
        raise BadRequest("the If header cannot be read")


def _if_tokens(value: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(value):
        match = _IF_TOKEN.match(value, at)
        if match is None or match.lastgroup is None:
            raise BadRequest("the If header cannot be read")
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


def submitted_tokens(request: Request) -> frozenset[str]:
    """All state tokens that the If header names; naming one submits it (RFC 4918 section 10.4.1)."""
    lists = request.parsed(if_lists)
    return frozenset(each.token for one in lists for each in one.conditions if each.token)


# -- ranges --------------------------------------------------------------------------------------------------------


def byte_range(value: str, length: int) -> tuple[int, int] | None:
    """First and last byte that a Range header asks for, of content with `length` bytes (RFC 9110 section 14).

    None where the header is to be ignored: another unit, more than one range, or not a range at all.

    Raises:
        ValueError: no byte of the content is in the range.
    """
    match = re.fullmatch(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", value, re.IGNORECASE | re.ASCII)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        first, last = max(length - int(match[2]), 0), length - 1
        if int(match[2]) == 0:
            raise ValueError(value)
    else:
        first = int(match[1])
        last = min(int(match[2]), length - 1) if match[2] else length - 1
        if match[2] and int(match[2]) < first:
            return None
    if first >= length:
        raise ValueError(value)
    return first, last


def accepts(value: str) -> tuple[tuple[str, dict[str, str]], ...]:
    """The media ranges of an Accept header that have a weight above zero, the most wanted first (RFC 9110 12.5.1)."""
    ranges = []
    for one in items(value):
        name, found = parameters(one)
        try:
            weight = float(found.pop("q", "1"))
        except ValueError:
            weight = 1.0
        if name and weight > 0:
            ranges.append((weight, name, found))
    ranges.sort(key=lambda each: -each[0])
    return tuple((name, found) for _, name, found in ranges)
