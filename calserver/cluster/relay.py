"""Handing a request on to another node, and its answer back: streamed both ways, as fast as both ends take it.

Fields that are about the connection, not the message, end here (RFC 9110 section 7.6.1); lengths and codings of the
transfer are made anew. What the client said to prove who it is goes no further: an `assertion` takes its place.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IProtocolFactory,
    IPushProducer,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import Request as TwistedRequest
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgentEndpointFactory, IBodyProducer
from zope.interface import implementer

from calserver.config import Cluster
from calserver.web import Intake, Request
from ischedule.agent import cause
from ischedule.connection import notice_loss

log = Logger()

IDLE_SECONDS: Final = 20.0
"""How long an idle connection is kept: less than a node keeps it, so that no request meets its end."""
AGAIN_SECONDS: Final = "2"
"""What a client is told to wait where a node is away."""
SAFE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PROPFIND", b"REPORT", b"PACK-COPY", b"PACK-MOVE", b"HOLDS"})
"""Methods that change nothing: they are sent again where a connection ended before its answer began."""

_CONNECTION: Final = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding"
    b" upgrade".split()
)
_ENDS_HERE: Final = _CONNECTION | frozenset(
    b"authorization content-length cookie expect forwarded host via x-forwarded-for x-forwarded-host"
    b" x-forwarded-proto x-request-id".split()
)
_MADE_ANEW: Final = _CONNECTION | frozenset(b"content-length date server x-request-id".split())


_STATUSES: Final = frozenset(each.value for each in HTTPStatus)

_AWAY: Final = (ConnectError, ConnectionClosed, DNSLookupError, CancelledError, OSError)


class NodeAway(Exception):
    """A node cannot be reached, or its connection ended before it had answered."""


class ClientGone(Exception):
    """The client went before all of its request was there."""


class NodeSilent(Exception):
    """A node takes a request, and does not answer in time."""


def passed_on(fields: Iterable[tuple[bytes, Iterable[bytes]]], ending: frozenset[bytes]) -> dict[bytes, list[bytes]]:
    """The fields of a message but for those that end here, and those that ``Connection`` names."""
    found = {name.lower(): list(values) for name, values in fields}
    named = {each.strip().lower() for value in found.get(b"connection", ()) for each in value.split(b",")}
    return {name: values for name, values in found.items() if name not in ending and name not in named}


@attrs.frozen(kw_only=True)
class Parcel:
    """A request as it goes to a node."""

    method: bytes
    fields: Mapping[bytes, list[bytes]]
    body: bytes | Intake


@implementer(IStreamClientEndpoint)
@attrs.frozen
class Attentive:
    """An endpoint whose connections end when the host at the other side is gone without a word."""

    endpoint: IStreamClientEndpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Any:
        """Connect."""

        def connected(protocol: Any) -> Any:
            notice_loss(protocol.transport)
            return protocol

        return self.endpoint.connect(protocolFactory).addCallback(connected)


@implementer(IAgentEndpointFactory)
@attrs.frozen
class Endpoints:
    """Where nodes are."""

    reactor: Any
    seconds: float
    trust: Any
    _made: dict[tuple[bytes, bytes, int], Any] = attrs.field(factory=dict, init=False)
    """By scheme, host and port; to make one takes a tenth of the time of a request."""

    def endpointForURI(self, uri: URI) -> Any:
        """Connects to a node."""
        key = uri.scheme, uri.host, uri.port
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._make(uri)
        return found

    def _make(self, uri: URI) -> Any:
        host, port = uri.host.decode("ascii").strip("[]"), uri.port
        plain = Attentive(HostnameEndpoint(self.reactor, host, port, timeout=self.seconds))
        if uri.scheme == b"http":
            return plain
        return wrapClientTLS(optionsForClientTLS(host, trustRoot=self.trust), plain)


class Relay:
    """Sends requests to nodes over connections that are kept.

    Args:
        config: the section of the configuration.
        authorities: certificates that are believed; empty: the system's.
        reactor: sockets and time.
    """

    def __init__(self, config: Cluster, authorities: Iterable[Certificate], reactor: Any) -> None:
        self._config = config
        self._reactor = reactor
        self._pool = HTTPConnectionPool(reactor)
        self._pool.retryAutomatically = False
        self._pool.maxPersistentPerHost = config.connections
        self._pool.cachedConnectionTimeout = IDLE_SECONDS  # type: ignore[assignment] # any number of seconds
        self._pool._factory.noisy = False
        certificates = list(authorities)
        trust = trustRootFromCertificates(certificates) if certificates else None
        endpoints = Endpoints(reactor, config.connect_seconds, trust)
        self._agent = Agent.usingEndpointFactory(reactor, endpoints, self._pool)

    async def close(self) -> None:
        """Close idle connections."""
        await self._pool.closeCachedConnections()

    def target(self, node: str, path: str) -> tuple[bytes, bytes]:
        """The URL of a path at a node, and the target as it stands in the request line."""
        url = self._config.nodes[node].url.rstrip("/").encode("ascii") + path.encode("ascii")
        return url, URI.fromBytes(url).originForm

    async def send(self, url: bytes, parcel: Parcel, seconds: float | None = None) -> Any:
        """Send a request; returns the answer, whose body is still to come.

        Args:
            url: where to.
            parcel: what.
            seconds: how long the answer may take to begin, if less than usual.

        Raises:
            NodeAway, NodeSilent: see there.
            ClientGone: before all of the request was there.
        """
        again = parcel.method in SAFE and isinstance(parcel.body, bytes)
        try:
            return await self._send(url, parcel, seconds)
        except NodeAway:
            if not again:
                raise
        return await self._send(url, parcel, seconds)

    async def _send(self, url: bytes, parcel: Parcel, seconds: float | None) -> Any:
        late = Lateness(min(self._config.answer_seconds, seconds or self._config.answer_seconds), self._reactor)
        body = None if parcel.body == b"" else Body(parcel.body, late)
        headers = Headers({name: list(values) for name, values in parcel.fields.items()})
        answer = late.waiting = self._agent.request(parcel.method, url, headers, body)
        if isinstance(parcel.body, Intake):
            intake = parcel.body
            intake.when_over(lambda: answer.cancel() if intake.gone else late.begin())
        else:
            late.begin()
        try:
            return await answer
        except Exception as error:  # noqa: BLE001 - the client of Twisted wraps errors in several ways
            raise self._meaning(error, url, parcel, late) from None
        finally:
            late.end()

    async def whole(self, answer: Any, most_bytes: int) -> bytes:
        """The body of an answer, where that is needed before anything else can be done.

        Raises:
            NodeAway: the connection ended before all of it was there; or it is larger than it may be.
            NodeSilent: it does not come in time.
        """
        body = Collected(most_bytes)
        late = Lateness(self._config.answer_seconds, self._reactor)
        late.waiting = body.finished
        late.begin()
        answer.deliverBody(body)
        try:
            return await body.finished
        except CancelledError:
            body.stop()
            raise NodeSilent("its answer does not come to an end") from None
        finally:
            late.end()

    def _meaning(self, error: Exception, url: bytes, parcel: Parcel, late: "Lateness") -> Exception:
        if late.is_over:
            return NodeSilent("it does not answer in time")
        if isinstance(parcel.body, Intake) and parcel.body.gone:
            return ClientGone()
        if isinstance(error, _AWAY):
            return NodeAway(str(error) or type(error).__name__)
        meant = cause(url.decode("ascii"), error)
        return error if meant is None else NodeAway(str(meant))


class Lateness:
    """Cancels the wait for an answer, where it takes too long that nothing happens."""

    def __init__(self, seconds: float, reactor: Any) -> None:
        self.is_over = False
        self.waiting: Deferred[Any] = Deferred()
        self._seconds = seconds
        self._reactor = reactor
        self._ended = False
        self._timer: IDelayedCall | None = None

    def begin(self) -> None:
        """The time runs."""
        if not self._ended and self._timer is None:
            self._timer = self._reactor.callLater(self._seconds, self._over)

    def _over(self) -> None:
        self._timer, self.is_over = None, True
        self.waiting.cancel()

    def end(self) -> None:
        """There is no hurry any more."""
        self._ended = True
        self.stop()

    def stop(self) -> None:
        """The time stands."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@implementer(IBodyProducer)
class Body:
    """The body of a request, from a client to a node."""

    def __init__(self, source: bytes | Intake, late: Lateness) -> None:
        length = len(source) if isinstance(source, bytes) else source.length
        self.length: Any = UNKNOWN_LENGTH if length is None else length
        self._source = source
        self._late = late
        self._stopped = False

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":
        """Hand all of it over."""
        if isinstance(self._source, bytes):
            consumer.write(self._source)
            return succeed(None)
        source, done = self._source, Deferred[None]()

        def write(data: bytes) -> None:
            if not self._stopped:
                consumer.write(data)

        def over() -> None:
            if not self._stopped and not source.gone:
                done.callback(None)

        source.take(write)
        source.when_over(over)
        return done

    def pauseProducing(self) -> None:
        """The node does not take more for now."""
        if isinstance(self._source, Intake):
            self._source.pause()
            self._late.begin()

    def resumeProducing(self) -> None:
        """It does."""
        if isinstance(self._source, Intake):
            self._late.stop()
            self._source.resume()

    def stopProducing(self) -> None:
        """The node takes no more at all: what is still to come goes nowhere."""
        self._stopped = True
        if isinstance(self._source, Intake):
            self._source.discard()


def answer_fields(answer: Any) -> list[tuple[str, str]]:
    """The fields of a node's answer, as the client gets them."""
    found = passed_on(answer.headers.getAllRawHeaders(), _MADE_ANEW)
    return [
        (name.decode("latin-1").title(), value.decode("utf-8", "replace"))
        for name, values in found.items()
        for value in values
    ]


@implementer(IPushProducer)
class Answer(Protocol):
    """The body of an answer, from a node to a client."""

    def __init__(self, request: Request) -> None:
        self.finished: Deferred[None] = Deferred()
        self._request = request

    def connectionMade(self) -> None:
        """The body is about to come."""
        self._request.registerProducer(self, True)
        self._request.notifyFinish().addErrback(lambda _: self.stopProducing())

    def dataReceived(self, data: bytes) -> None:
        """A part of it is there."""
        if not self._request._disconnected:
            TwistedRequest.write(self._request, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """All of it is there, or no more will come."""
        if not self._request._disconnected:
            self._request.unregisterProducer()
            if reason.check(ResponseDone):
                self._request.finish()
            else:
                self._request.abort()
        if not self.finished.called:
            self.finished.callback(None)

    def pauseProducing(self) -> None:
        """The client does not take more for now."""
        self._to_node("pauseProducing")

    def resumeProducing(self) -> None:
        """It does."""
        self._to_node("resumeProducing")

    def stopProducing(self) -> None:
        """The client is gone."""
        self._to_node("stopProducing")

    def _to_node(self, what: str) -> None:
        if self.transport is not None:
            getattr(self.transport, what)()


class Collected(Protocol):
    """The body of an answer that is kept in memory."""

    def __init__(self, most_bytes: int) -> None:
        self.finished: Deferred[bytes] = Deferred()
        self._room = most_bytes
        self._parts: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """A part of it is there."""
        self._room -= len(data)
        self._parts.append(data)
        if self._room < 0:
            self.stop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """All of it is there, or no more will come."""
        if self.finished.called:
            return
        if reason.check(ResponseDone):
            self.finished.callback(b"".join(self._parts))
        else:
            self.finished.errback(NodeAway("its answer ends too early, or is too large"))

    def stop(self) -> None:
        """No more is wanted."""
        if self.transport is not None:
            self.transport.loseConnection()


async def give(answer: Any, request: Request) -> None:
    """Write a node's answer to its client."""
    if answer.code not in _STATUSES:
        request.refuse(HTTPStatus.BAD_GATEWAY, "a node answered with a status that there is not")
        return
    body = Answer(request)
    request.begin(answer.code, answer_fields(answer), _length(answer, request.method))
    answer.deliverBody(body)
    await body.finished


def _length(answer: Any, method: bytes) -> int | None:
    """How long the body of an answer is, or would be; None where that is not known."""
    if method != b"HEAD":
        return None if answer.length is UNKNOWN_LENGTH else int(answer.length)
    values = answer.headers.getRawHeaders(b"content-length", ())  # `length` is 0
    return int(values[0]) if len(values) == 1 and values[0].isdigit() else None


def request_fields(request: Request, **more: bytes) -> dict[bytes, list[bytes]]:
    """The fields of a client's request as they go to a node, with others."""
    found = passed_on(request.requestHeaders.getAllRawHeaders(), _ENDS_HERE)
    return found | {name.encode(): [value] for name, value in more.items()}
