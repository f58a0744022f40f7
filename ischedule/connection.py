"""One connection to a host whose name a stranger gave: to a vetted address, with bounded times and sizes.

Bounds hold while things happen: for the headers of an answer as they come in, for everything that is read, for the time
until an answer begins. What breaks one is cut off at once, whatever the layers above are doing.
"""

import re
import socket
from ipaddress import ip_address
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IDelayedCall,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from ischedule.guard import Address, Guard
from ischedule.resolver import IReactor, Lookup, TemporaryFailure, addresses

_END_OF_HEADERS: Final = re.compile(rb"\n\r?\n")


GONE_SECONDS: Final = 10
"""How long the other side may not be heard of, though it should have answered at least that something arrived."""
_PROBES: Final = 3


class ExchangeFailed(Exception):
    """There was no usable answer; the text says why, in words for a log."""


class Refused(ExchangeFailed):
    """We do not go there: a forbidden address, port, scheme or redirect."""


class Unreachable(ExchangeFailed):
    """The host has no address, does not answer, or broke off."""


class Untrusted(ExchangeFailed):
    """The certificate is not good for the name."""


class TooSlow(Unreachable):
    """It took longer than it may."""


class Unusable(ExchangeFailed):
    """The answer is not HTTP, larger than it may be, or encoded in a way that was not asked for."""


class TooLarge(Unusable):
    """The answer is larger than it may be."""


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds of a request: seconds, bytes."""

    connect_seconds: float = 5.0
    """For each address."""
    answer_seconds: float = 10.0
    """From the connection, or the last piece of the request, to the end of the headers of the answer."""
    total_seconds: float = 30.0
    """For everything, redirects included."""
    header_bytes: int = 16 * 1024
    body_bytes: int = 1024 * 1024
    idle_seconds: float = 10.0
    """How long a connection is kept open for the next request."""
    connections: int = 4
    """Most idle connections for each host."""
    redirects: int = 3


@implementer(IStreamClientEndpoint)
@attrs.frozen(kw_only=True)
class VettedEndpoint:
    """Connects to a host by the addresses of it that the guard permits, one after the other."""

    reactor: IReactor
    lookup: Lookup
    guard: Guard
    limits: Limits
    host: str
    port: int
    tls: IOpenSSLClientConnectionCreator | None
    """None: in the clear."""

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, which fails with `Refused` or `Unreachable`."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: Any) -> IProtocol:
        factory.noisy = False  # its connections are none that anybody wants to read about in a log
        bounded = _BoundedFactory(factory, self.reactor, self.limits)
        if self.tls is None:
            protocol = await self._reach(bounded)
        else:
            protocol = (await self._reach(TLSMemoryBIOFactory(self.tls, True, bounded))).wrappedProtocol
        http: IProtocol = protocol.wrappedProtocol
        return http

    async def _reach(self, factory: Any) -> Any:
        reason = "no address"
        for address in await self._vetted():
            kind = TCP6ClientEndpoint if address.version == 6 else TCP4ClientEndpoint
            endpoint = kind(self.reactor, str(address), self.port, timeout=self.limits.connect_seconds)
            try:
                protocol: Any = await endpoint.connect(factory)
                notice_loss(protocol.transport)
                return protocol
            except (ConnectError, OSError) as error:
                reason = f"{address}: {error}"
        raise Unreachable(f"{self.host} port {self.port} cannot be connected to ({reason})")

    async def _vetted(self) -> list[Address]:
        found: tuple[Address, ...]
        try:
            found = (ip_address(self.host),)
        except ValueError:
            try:
                found = await addresses(self.lookup, self.host)
            except TemporaryFailure as failure:
                raise Unreachable(f"the addresses of {self.host} cannot be found out: {failure}") from None
        if not found:
            raise Unreachable(f"{self.host} has no address")
        permitted = [address for address in found if self.guard.permits(address, self.port)]
        if not permitted:
            raise Refused(f"{self.host} port {self.port} ({', '.join(map(str, found))}) is not to be connected to")
        return permitted


def notice_loss(transport: Any) -> None:
    """Have a TCP connection end when the host at the other side is gone without a word: it would last for hours."""
    try:
        handle = transport.getHandle()
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_USER_TIMEOUT", GONE_SECONDS * 1000),
            ("TCP_KEEPIDLE", GONE_SECONDS // 2),
            ("TCP_KEEPINTVL", GONE_SECONDS // 2 // _PROBES),
            ("TCP_KEEPCNT", _PROBES),
        ):
            if hasattr(socket, name):  # on Linux all are
                handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except OSError:
        return  # it has ended already, and who uses it is about to be told


class _BoundedFactory(WrappingFactory):
    """Wraps the protocol of each connection into `_Bounded`."""

    noisy = False

    def __init__(self, wrapped: IProtocolFactory, reactor: IReactor, limits: Limits) -> None:
        super().__init__(wrapped)
        self.protocol = lambda factory, protocol: _Bounded(factory, protocol, reactor, limits)


class _Bounded(ProtocolWrapper):
    """Between HTTP and TLS: counts and times what comes in for each request."""

    def __init__(self, factory: Any, wrapped: IProtocol, reactor: IReactor, limits: Limits) -> None:
        super().__init__(factory, wrapped)
        self._reactor = reactor
        self._limits = limits
        self._error: ExchangeFailed | None = None
        self._timer: IDelayedCall | None = None
        self._received = 0
        self._headers_seen = True
        self._tail = b""

    def write(self, data: bytes) -> None:
        self._expect_answer()
        super().write(data)

    def writeSequence(self, data: Any) -> None:
        self._expect_answer()
        super().writeSequence(data)

    def dataReceived(self, data: bytes) -> None:
        if self._error:
            return
        self._received += len(data)
        if not self._headers_seen:
            self._look_for_headers(data)
        if self._received > self._limits.header_bytes + 2 * self._limits.body_bytes:
            self._cut(TooLarge("the answer is larger than it may be"))
        if not self._error:
            super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_timer()
        super().connectionLost(Failure(self._error) if self._error else reason)

    def _expect_answer(self) -> None:
        self._received = 0
        self._headers_seen = False
        self._tail = b""
        self._stop_timer()
        late = TooSlow(f"no answer within {self._limits.answer_seconds:g} s")
        self._timer = self._reactor.callLater(self._limits.answer_seconds, self._cut, late)

    def _look_for_headers(self, data: bytes) -> None:
        window = self._tail + data
        end = _END_OF_HEADERS.search(window)
        size = self._received - (len(window) - end.end() if end else 0)
        if size > self._limits.header_bytes:
            self._cut(TooLarge("the headers of the answer are larger than they may be"))
        elif end:
            self._headers_seen = True
            self._stop_timer()
        self._tail = window[-2:]

    def loseConnection(self) -> None:
        """Close the connection, which takes a farewell of both sides (TLS), and a while at most."""
        super().loseConnection()
        self._stop_timer()
        gone = Unreachable("the connection was not closed in time")
        self._timer = self._reactor.callLater(self._limits.connect_seconds, self._cut, gone)

    def _cut(self, error: ExchangeFailed) -> None:
        transport: Any = self.transport
        self._error = self._error or error
        transport.abortConnection()

    def _stop_timer(self) -> None:
        if self._timer and self._timer.active():
            self._timer.cancel()
        self._timer = None
