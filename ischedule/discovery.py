"""Find the iSchedule service of a domain in the DNS.

    discovery = Discovery(resolver, reactor)
    for server in await discovery.discover("example.org"):
        ...                                                 # try it; discovery.failed(server) if it does not answer

SRV records of ``_ischedules._tcp`` name hosts and ports (RFC 2782), a TXT record beside them the path (RFC 6763), which
otherwise is the well-known one. A domain without a service is asked for above, as far as the domain that somebody has
registered. Names are looked up anew each time, which is cheap: the resolver remembers them as long as it may - or until
a server does not answer, which may be because the domain has moved.
"""

import random
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, Protocol
from urllib.parse import unquote

import attrs
from dns.rdtypes.IN.SRV import SRV
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ischedule.domains import a_labels, covers, is_public_suffix, parents
from ischedule.resolver import Answer, Lookup, TemporaryFailure, services, texts

__all__ = [
    "Discovery",
    "NoService",
    "Server",
    "TemporaryFailure",
    "acceptable",
    "context_path",
    "in_order",
    "target_host",
]

log = Logger()

SECURE: Final = "_ischedules._tcp"
PLAIN: Final = "_ischedule._tcp"
WELL_KNOWN: Final = "/.well-known/ischedule"
MOST_SERVERS: Final = 8
MOST_DOUBTFUL: Final = 1_000
FAILED_SECONDS: Final = 60.0
"""How long a server that has failed is tried last."""
_SEGMENT: Final = r"[A-Za-z0-9._~!$&'()*+,;=:@%-]+"
_PATH: Final = re.compile(rf"/(?:{_SEGMENT}(?:/{_SEGMENT})*/?)?")

Trust = Literal["target", "dnssec", "same-domain"]


class NoService(Exception):
    """The domain has no iSchedule service; it is no use to try again soon.

    `declined` says that it says so itself (a target of ".").
    """

    def __init__(self, domain: str, *, declined: bool = False) -> None:
        super().__init__(f"{domain} {'says that it has' if declined else 'has'} no iSchedule service")
        self.domain = domain
        self.declined = declined


class Draw(Protocol):
    """The part of `random.Random` that is used."""

    def randint(self, a: int, b: int) -> int:
        """A number from a to b, both included."""


@attrs.frozen(kw_only=True)
class Server:
    """Where a domain's iSchedule service is; `source` is the name of the SRV record that says so."""

    host: str
    port: int = 443
    path: str = WELL_KNOWN
    secure: bool = True
    source: str = ""
    authentic: bool = False
    """Whether the SRV record was validated (DNSSEC)."""

    @property
    def url(self) -> str:
        """Where to send messages."""
        scheme, usual = ("https", 443) if self.secure else ("http", 80)
        return f"{scheme}://{self.host}{'' if self.port == usual else f':{self.port}'}{self.path}"


def acceptable(server: Server, domain: str, trust: Trust) -> bool:
    """Whether a server may be believed to be that of the domain, besides having a certificate for its own name.

    Whoever can forge a domain's SRV record can receive its messages. With ``target`` that is accepted, as most senders
    do; ``same-domain`` wants the host inside the domain, ``dnssec`` that or a validated record.
    """
    return trust == "target" or covers(domain, server.host) or (trust == "dnssec" and server.authentic)


def in_order(records: Iterable[SRV], draw: Draw) -> tuple[SRV, ...]:
    """SRV records in the order in which they are to be tried: by priority, among equals by lot (RFC 2782).

    A record is drawn proportionally to its weight. The RFC's own procedure favors the first one a little; here those
    of weight 0 come after the others, in any order.
    """
    ordered: list[SRV] = []
    by_priority: dict[int, list[SRV]] = {}
    for record in sorted(records, key=lambda each: (each.target, each.port, each.weight)):
        by_priority.setdefault(record.priority, []).append(record)
    for _, equals in sorted(by_priority.items()):
        while equals:
            ordered.append(equals.pop(_drawn([each.weight for each in equals], draw)))
    return tuple(ordered)


def _drawn(weights: Sequence[int], draw: Draw) -> int:
    """The position of one of the weights."""
    total = sum(weights)
    if total == 0:
        return draw.randint(0, len(weights) - 1)
    left = draw.randint(1, total)
    for position, weight in enumerate(weights):
        left -= weight
        if left <= 0:
            return position
    raise AssertionError("a number from 1 to the sum of the weights lies in one of them")


def context_path(records: Sequence[Sequence[bytes]]) -> str | None:
    """The path that TXT records name: the first usable one after sorting, so that all who ask take the same.

    The first string of a record with the key counts (RFC 6763 section 6.4). A path that could lead astray - to another
    host, upwards, with a query - is not usable.
    """
    for record in sorted(tuple(each) for each in records):
        for string in record:
            key, equals, value = string.partition(b"=")
            if key.lower() == b"path" and equals:
                path = value.decode("latin-1")
                if _usable(path):
                    return path
                log.warn("the path of a TXT record is not usable: {path!r}", path=path[:80])
                break
    return None


def _usable(path: str) -> bool:
    segments = unquote(path).split("/")
    return len(path) <= 512 and bool(_PATH.fullmatch(path)) and ".." not in segments and "\\" not in unquote(path)


class Discovery:
    """Finds services, and remembers which servers have failed lately.

    Args:
        lookup: answers questions about names.
        clock: the time.
        draw: chance, for servers of the same priority.
        plain: also take services without TLS (``_ischedule``), where there is none with it.
        own: whether a domain is one of the asking server itself, which is not the service of the domains below it.
    """

    def __init__(
        self,
        lookup: Lookup,
        clock: IReactorTime,
        *,
        draw: Draw | None = None,
        plain: bool = False,
        own: Callable[[str], bool] | None = None,
    ) -> None:
        self._lookup = lookup
        self._clock = clock
        self._draw: Draw = draw or random.SystemRandom()
        self._services = ((SECURE, True), (PLAIN, False)) if plain else ((SECURE, True),)
        self._own = own or (lambda domain: False)
        self._failed: dict[tuple[str, int], float] = {}
        self._doubtful: dict[str, bool] = {}
        """Names of records that led to a server that does not answer: it may have moved."""

    async def discover(self, domain: str) -> tuple[Server, ...]:
        """The servers of a domain in the order in which they are to be tried; those that have failed lately come last.

        Raises:
            NoService: there is none, or the domain is no name that could have one.
            TemporaryFailure: that is not known at the moment.
        """
        try:
            domain = a_labels(domain)
        except ValueError:
            raise NoService(domain) from None
        if is_public_suffix(domain):
            raise NoService(domain)
        for each in parents(domain):
            if self._own(each):
                break
            for label, secure in self._services:
                name = f"{label}.{each}"
                answer = await self._lookup.lookup(name, "SRV", fresh=self._doubtful.pop(name, False))
                if records := services(answer):
                    return self._dead_last(await self._servers(each, answer, records, name, secure))
        raise NoService(domain)

    def failed(self, server: Server) -> None:
        """Try the server last for a while, and ask the DNS anew whether it is still there."""
        now = self._clock.seconds()
        self._failed = {key: until for key, until in self._failed.items() if until > now}
        self._failed[server.host, server.port] = now + FAILED_SECONDS
        self._doubtful[server.source] = True
        while len(self._doubtful) > MOST_DOUBTFUL:
            del self._doubtful[next(iter(self._doubtful))]

    def succeeded(self, server: Server) -> None:
        """The server works again."""
        self._failed.pop((server.host, server.port), None)

    def _dead_last(self, servers: tuple[Server, ...]) -> tuple[Server, ...]:
        now = self._clock.seconds()
        return tuple(sorted(servers, key=lambda each: self._failed.get((each.host, each.port), 0) > now))

    async def _servers(
        self, domain: str, answer: Answer, records: Sequence[SRV], name: str, secure: bool
    ) -> tuple[Server, ...]:
        if all(record.target.to_text() == "." for record in records):
            raise NoService(domain, declined=True)
        path = await self._path(name)
        servers = []
        for record in in_order(records, self._draw):
            if host := target_host(record):
                server = Server(host=host, port=record.port, path=path, secure=secure, source=name)
                servers.append(attrs.evolve(server, authentic=answer.authentic))
            else:
                log.warn("{name} SRV {record} names no host", name=name, record=record.to_text())
        if not servers:
            raise NoService(domain)
        return tuple(servers[:MOST_SERVERS])

    async def _path(self, name: str) -> str:
        """The path beside an SRV record; what cannot be found out is as if it were not there."""
        try:
            answer = await self._lookup.lookup(name, "TXT")
        except TemporaryFailure:
            return WELL_KNOWN
        return context_path(texts(answer)) or WELL_KNOWN


def target_host(record: SRV) -> str | None:
    """The host that a record names; None where that is nonsense: an address, a whole public suffix, port 0."""
    try:
        host = a_labels(record.target.to_text())
    except ValueError:
        return None
    return None if is_public_suffix(host) or not record.port else host
