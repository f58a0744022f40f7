"""Ask name servers without a thread: dnspython's messages over Twisted's sockets.

    resolver = Resolver(reactor, servers=(NameServer("127.0.0.1", 5353),))
    answer = await resolver.lookup("_ischedules._tcp.example.org", "SRV")

The name servers must be resolvers that do the recursion for us (those of the system unless others are given), or know
the names themselves. "There is none" is an answer without records, kept as long as the SOA record says (RFC 2308);
`TemporaryFailure` means that nobody knows. Names are absolute: no search list, no ``/etc/hosts``.

Why not dnspython's own ways: its asynchronous resolver needs the asyncio reactor, its synchronous one a thread for as
long as a silent server likes. And ``twisted.names`` has neither a bounded cache nor EDNS, TTLs of negative answers or
the AD bit.
"""

import socket
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address
from typing import Any, Final, Protocol

import attrs
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.SRV import SRV
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IReactorTCP, IReactorTime, IReactorUDP
from twisted.internet.protocol import DatagramProtocol, connectionDone
from twisted.internet.threads import deferToThreadPool
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure
from zope.interface import Interface

from ischedule.guard import Address
from ischedule.waiting import Cache, within

UDP_BYTES: Final = 1232
"""The largest answer that is asked for by UDP: it fits into one packet on any path."""
MOST_ALIASES: Final = 8


class IReactor(IReactorTime, IReactorUDP, IReactorTCP, Interface):
    """What is needed of a reactor."""


class TemporaryFailure(Exception):
    """No name server gave an answer: it is not known whether there is one. Try later."""


@attrs.frozen
class NameServer:
    """The IP address and port of a name server."""

    address: str
    port: int = 53

    @classmethod
    def parse(cls, text: str) -> "NameServer":
        """``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353``.

        Raises:
            ValueError: it is none of these.
        """
        address, port = text, "53"
        if text.startswith("["):
            address, _, port = text[1:].partition("]")
            port = port.removeprefix(":") or "53"
        elif text.count(":") == 1:
            address, _, port = text.partition(":")
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError(f"{text} has no valid port")
        return cls(str(ip_address(address)), int(port))


@attrs.frozen(kw_only=True)
class Answer:
    """What the DNS says about a name and a type of records.

    `name` is where the records are after all aliases, in lower case without the final dot. `exists` says, where there
    are no records, whether the name has any of another type. `authentic` says that a resolver that is trusted to do so
    has validated it (DNSSEC). It may be kept for `ttl` seconds.
    """

    name: str
    records: tuple[dns.rdata.Rdata, ...] = ()
    exists: bool = True
    authentic: bool = False
    ttl: float = 0.0
    aliased: bool = False
    """Whether there were CNAME records on the way."""


class Lookup(Protocol):
    """Who answers questions about names: `Resolver`, or a table in a test."""

    async def lookup(self, name: str, kind: str, *, fresh: bool = False) -> Answer:
        """The records of a type, for example ``"TXT"``.

        Raises:
            TemporaryFailure: nobody knows.
        """


class SystemNames:
    """`Lookup` of addresses as the system knows them, ``/etc/hosts`` included: for hosts that are named by ourselves.

    Args:
        reactor: its threads wait for the system.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    async def lookup(self, name: str, kind: str, *, fresh: bool = False) -> Answer:
        """The addresses of a host; other records it has none of.

        Raises:
            TemporaryFailure: they are not known at the moment.
        """
        families = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}
        if kind not in families:
            return Answer(name=name)
        ask = partial(socket.getaddrinfo, name, None, family=families[kind], type=socket.SOCK_STREAM)
        try:
            found = await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), ask)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise TemporaryFailure(str(error)) from None
            return Answer(name=name)
        texts = dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found)
        return Answer(name=name, records=tuple(dns.rdata.from_text("IN", kind, each) for each in texts))


async def addresses(lookup: Lookup, host: str) -> tuple[Address, ...]:
    """The addresses of a host: IPv4 first, since a path that is broken is mostly one for IPv6, and fails slowly.

    Raises:
        TemporaryFailure: neither kind was found, and one may exist.
    """
    kinds = [Deferred.fromCoroutine(_or_failure(lookup, host, kind)) for kind in ("A", "AAAA")]
    answers = await gatherResults(kinds, consumeErrors=True)
    found = [answer for answer in answers if isinstance(answer, Answer)]
    records = [record for answer in found for record in answer.records if isinstance(record, A | AAAA)]
    if not records:
        for failure in answers:
            if isinstance(failure, TemporaryFailure):
                raise failure
    return tuple(ip_address(record.address) for record in records)


async def _or_failure(lookup: Lookup, host: str, kind: str) -> Answer | TemporaryFailure:
    try:
        return await lookup.lookup(host, kind)
    except TemporaryFailure as failure:
        return failure


def services(answer: Answer) -> tuple[SRV, ...]:
    """The SRV records of an answer (RFC 2782)."""
    return tuple(record for record in answer.records if isinstance(record, SRV))


def texts(answer: Answer) -> tuple[tuple[bytes, ...], ...]:
    """The strings of each TXT record of an answer."""
    return tuple(record.strings for record in answer.records if isinstance(record, TXT))


def system_name_servers() -> tuple[NameServer, ...]:
    """Those that the system is configured to use; one on this machine if there are none."""
    try:
        configured = dns.resolver.Resolver().nameservers
    except dns.resolver.NoResolverConfiguration:
        configured = []
    named = tuple(NameServer(each) for each in configured if isinstance(each, str) and "%" not in each)
    return named or (NameServer("127.0.0.1"),)


@attrs.frozen(kw_only=True)
class Patience:
    """How long things are waited for and kept, in seconds."""

    tries: tuple[float, ...] = (1.0, 3.0)
    """For each round over the name servers: how long each of them may take."""
    total: float = 8.0
    shortest: float = 60.0
    """Answers are kept at least so long, whatever their TTL."""
    longest: float = 86400.0
    longest_negative: float = 3600.0
    failure: float = 30.0
    """How long a failure is remembered, before name servers are asked again."""


USUAL: Final = Patience()


class Resolver:
    """A client of name servers with a cache.

    Args:
        reactor: sockets and time.
        servers: asked in this order; those of the system unless given.
        trust_ad: believe these servers that an answer was validated (AD bit, RFC 6840); one on loopback is believed
            anyway.
        patience: times.
        size: most answers that are kept.
    """

    def __init__(
        self,
        reactor: IReactor,
        *,
        servers: Sequence[NameServer] = (),
        trust_ad: bool = False,
        patience: Patience = USUAL,
        size: int = 10_000,
    ) -> None:
        self._reactor = reactor
        self._servers = tuple(servers) or system_name_servers()
        self._trust_ad = trust_ad
        self._patience = patience
        self._cache: Cache[tuple[dns.name.Name, str], Answer | TemporaryFailure] = Cache(reactor, size=size)

    async def lookup(self, name: str, kind: str, *, fresh: bool = False) -> Answer:
        """The records of a type (see `Lookup`); `fresh` does not look into the cache."""
        try:
            asked = dns.name.from_text(name).canonicalize()
        except (dns.exception.DNSException, UnicodeError):
            asked = dns.name.root
        if asked == dns.name.root:
            return Answer(name=name, exists=False)  # what is no name of a host is not there
        found, left = await self._cache.get((asked, kind), lambda: self._find(asked, kind), fresh=fresh)
        if isinstance(found, TemporaryFailure):
            raise TemporaryFailure(str(found))
        return attrs.evolve(found, ttl=left)

    async def _find(self, name: dns.name.Name, kind: str) -> tuple[Answer | TemporaryFailure, float]:
        patience = self._patience
        try:
            answer = await within(self._reactor, patience.total, self._follow(name, kind))
        except TimeoutError:
            return TemporaryFailure(f"no name server has answered for {_text(name)} {kind} in time"), patience.failure
        except TemporaryFailure as failure:
            return failure, patience.failure
        longest = patience.longest if answer.records else patience.longest_negative
        return answer, min(max(answer.ttl, patience.shortest), longest)

    async def _follow(self, name: dns.name.Name, kind: str) -> Answer:
        """Ask, and ask again where an alias (CNAME) leads to a name that the server does not know."""
        authentic, ttl, asked = True, self._patience.longest, name
        for _ in range(MOST_ALIASES):
            response, trusted = await self._ask(asked, kind)
            try:
                chain = response.resolve_chaining()
            except dns.exception.DNSException as error:
                raise TemporaryFailure(f"the answer for {_text(name)} {kind} is contradictory: {error}") from None
            authentic = authentic and trusted and bool(response.flags & dns.flags.AD)
            ttl = min(ttl, chain.minimum_ttl)
            followed = chain.canonical_name != asked
            known = chain.answer is not None or any(each.rdtype == dns.rdatatype.SOA for each in response.authority)
            missing = response.rcode() == dns.rcode.NXDOMAIN
            if known or missing or not followed:
                break
            asked = chain.canonical_name
        else:
            raise TemporaryFailure(f"{_text(name)} is an alias of too many aliases")
        return Answer(
            name=_text(chain.canonical_name),
            records=tuple(chain.answer or ()),
            exists=not missing,
            authentic=authentic,
            ttl=ttl,
            aliased=chain.canonical_name != name,
        )

    async def _ask(self, name: dns.name.Name, kind: str) -> tuple[dns.message.QueryMessage, bool]:
        """The first usable answer, and whether its AD bit counts."""
        reason = "there is no name server"
        for seconds in self._patience.tries:
            for server in self._servers:
                try:
                    response = await self._exchange(server, name, kind, seconds)
                except (OSError, ConnectError) as error:
                    reason = f"{server.address}: {error}"
                    continue
                if problem := _unusable(response):
                    reason = f"{server.address}: {problem}"
                    continue
                return response, self._trust_ad or ip_address(server.address).is_loopback
        raise TemporaryFailure(f"no answer for {_text(name)} {kind} ({reason})")

    async def _exchange(
        self, server: NameServer, name: dns.name.Name, kind: str, seconds: float
    ) -> dns.message.QueryMessage:
        """Ask one server: by UDP, by TCP what does not fit, without EDNS who does not know it (RFC 6891)."""
        query = dns.message.make_query(name, kind, use_edns=0, payload=UDP_BYTES, flags=dns.flags.RD | dns.flags.AD)
        response = await within(self._reactor, seconds, _by_udp(self._reactor, server, query))
        if response.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP):
            query = dns.message.make_query(name, kind, flags=dns.flags.RD)
            response = await within(self._reactor, seconds, _by_udp(self._reactor, server, query))
        if response.flags & dns.flags.TC:
            response = await within(self._reactor, seconds, _by_tcp(self._reactor, server, query, seconds))
        return response


def _unusable(response: dns.message.QueryMessage) -> str | None:
    """Why it says nothing about the name."""
    if response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return dns.rcode.to_text(response.rcode())
    if (
        response.rcode() == dns.rcode.NOERROR
        and not response.answer
        and not response.flags & (dns.flags.AA | dns.flags.RA)
    ):
        return "it knows only whom else to ask, and does no recursion"
    return None


def _text(name: dns.name.Name) -> str:
    return name.canonicalize().to_text(omit_final_dot=True)


class _Question:
    """A question that was sent: fires with the answer to it; what is not an answer to it is ignored."""

    def __init__(self, query: dns.message.QueryMessage) -> None:
        self.query = query
        self.answer: Deferred[dns.message.QueryMessage] = Deferred()

    def received(self, wire: bytes) -> None:
        try:
            response = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return
        if (
            isinstance(response, dns.message.QueryMessage)
            and self.query.is_response(response)
            and not self.answer.called
        ):
            self.answer.callback(response)

    def failed(self, error: Exception) -> None:
        if not self.answer.called:
            self.answer.errback(error)


class _Datagrams(DatagramProtocol):
    """One question from a port of its own, so that answers are hard to forge (RFC 5452)."""

    noisy = False

    def __init__(self, server: NameServer, question: _Question) -> None:
        self._server = server
        self._question = question

    def startProtocol(self) -> None:
        transport: Any = self.transport
        try:
            transport.connect(self._server.address, self._server.port)
            transport.write(self._question.query.to_wire())
        except OSError as error:  # no way to that network
            self._question.failed(error)

    def datagramReceived(self, datagram: bytes, addr: object) -> None:
        self._question.received(datagram)

    def connectionRefused(self) -> None:
        self._question.failed(ConnectionRefusedError("nothing listens there"))

    def stopProtocol(self) -> None:
        self.connectionRefused()  # the epoll reactor stops a port that a packet has bounced back to


class _Stream(Int16StringReceiver):
    """One question on a connection (RFC 7766)."""

    def __init__(self, question: _Question) -> None:
        self._question = question

    def connectionMade(self) -> None:
        self.sendString(self._question.query.to_wire())

    def stringReceived(self, string: bytes) -> None:
        self._question.received(string)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._question.failed(ConnectionResetError("it closed the connection"))


async def _by_udp(reactor: IReactor, server: NameServer, query: dns.message.QueryMessage) -> dns.message.QueryMessage:
    question = _Question(query)
    wildcard = "::" if ":" in server.address else ""
    port = reactor.listenUDP(0, _Datagrams(server, question), interface=wildcard, maxPacketSize=65535)
    try:
        return await question.answer
    finally:
        port.stopListening()


async def _by_tcp(
    reactor: IReactor, server: NameServer, query: dns.message.QueryMessage, seconds: float
) -> dns.message.QueryMessage:
    question = _Question(query)
    endpoint = (TCP6ClientEndpoint if ":" in server.address else TCP4ClientEndpoint)(
        reactor, server.address, server.port, timeout=seconds
    )
    stream = await connectProtocol(endpoint, _Stream(question))
    try:
        return await question.answer
    finally:
        stream.transport.loseConnection()
