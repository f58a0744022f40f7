"""HTTP/1.1 connections: what twisted.web's parser leaves open about limits, deadlines and malformed messages.

The parser itself is twisted.web's, and HTTP/2 has a module of its own. Here are only: a deadline for the headers and a
least speed for bodies (the parser restarts its timer with each byte, so that one byte a minute would do), a complete
answer where it refuses a message, the fields whose meaning another server might see otherwise (RFC 9112 section 11.2),
and what the site has to know of connections to stop gracefully.
"""

from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from hyperframe.frame import GoAwayFrame
from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.python.failure import Failure
from twisted.web.http import (
    HTTPChannel,
    Request,
    _GenericHTTPChannelProtocol,  # the switch to HTTP/2 after TLS has agreed on it; it has no public name
)

from calserver.web.http2 import SLOWEST_BYTES_PER_SECOND, Http2Channel

if TYPE_CHECKING:
    from calserver.web.site import Site

_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 414: b"URI Too Long", 431: b"Request Header Fields Too Large"}

_LENGTH: Final = b"content-length:"
LONGEST_LENGTH: Final = 256
"""Bytes of a field that tells a length; the parser reads the number without asking how long it is."""
LONGEST_LEARNED: Final = 256
MOST_LEARNED: Final = 2048
_LEARNED: Final = {
    each.lower(): each
    for each in (
        b"Accept Accept-Charset Accept-Encoding Accept-Language Brief Cache-Control Connection Content-Type Depth Host"
        b" Overwrite Prefer User-Agent X-Forwarded-Host X-Forwarded-Proto"
    ).split()
}
"""Fields whose lines clients repeat, that have no part in framing and hold no secrets: the parser's own names."""
_KNOWN: Final[dict[bytes, tuple[bytes, bytes]]] = {}
"""Lines of such fields that the parser has accepted: name and value."""
LAST_STREAM: Final = 2**31 - 1
"""All that were begun, and all that will have been when the client gets to know."""
_DONE: Final = Failure(ConnectionDone())


class Stage(Enum):
    """What a connection waits for: a request, the rest of its headers, the rest of its body, or our answer."""

    IDLE = auto()
    HEADERS = auto()
    BODY = auto()
    ANSWER = auto()


class Channel(HTTPChannel):
    """One HTTP/1.1 connection."""

    requestTimeout = 30.0
    site: "Site"
    timeOut: float | None  # type: ignore[assignment] # Twisted's own default says int
    callLater: Any

    def __init__(self) -> None:
        super().__init__()
        self._stage = Stage.IDLE
        self._began = 0.0
        self._received = 0
        self._paused: float | None = None
        self._nested = False
        self._refused = False
        self._idle_timeout: float | None = None
        self._peer: IAddress | None = None
        self._host: IAddress | None = None
        self._secure: bool | None = None
        self._deadline: float | None = None
        self._timer: IDelayedCall | None = None
        self._authorization: tuple[bytes, bytes] | None = None
        """The line of this field that came last on this connection, and its value: clients repeat it."""

    def connectionMade(self) -> None:
        """The connection is open."""
        self._idle_timeout = self.timeOut
        super().connectionMade()

    def getPeer(self) -> IAddress:
        """The other end's address, asked of the system once."""
        if self._peer is None:
            self._peer = super().getPeer()
        return self._peer

    def getHost(self) -> IAddress:
        """Our end's address, the same."""
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def isSecure(self) -> bool:
        """Whether the connection is encrypted, found out once."""
        if self._secure is None:
            self._secure = bool(super().isSecure())
        return self._secure

    # -- deadlines ---------------------------------------------------------------------------------------------

    def resetTimeout(self) -> None:
        """Do nothing: `dataReceived` sets the deadlines."""

    def setTimeout(self, period: float | None) -> float | None:
        """Set the deadline, in place of `TimeoutMixin`, which makes and cancels a timer for each request.

        A timer that comes too early looks at the deadline and waits on.
        """
        previous, self.timeOut = self.timeOut, period
        if period is None:
            self._deadline = None
        else:
            now = self._now()
            self._deadline = now + period
            if self._timer is None or self._timer.getTime() > self._deadline:
                self._cancel_timer()
                self._timer = self.callLater(period, self._look_at_deadline)
        return previous

    def _look_at_deadline(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        left = self._deadline - self._now()
        if left > 0:
            self._timer = self.callLater(left, self._look_at_deadline)
        else:
            self._deadline = None
            self.timeoutConnection()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connectionLost(self, reason: Failure = _DONE) -> None:
        """The connection is gone."""
        super().connectionLost(reason)
        self._cancel_timer()

    def dataReceived(self, data: bytes) -> None:
        """Parse what came; then see that the rest of an unfinished request comes soon enough."""
        if self._nested:
            super().dataReceived(data)
            return
        self._nested = True
        try:
            super().dataReceived(data)
        finally:
            self._nested = False
        if self.line_mode and b"\n" in self._buffer:  # a line that ends without CR (RFC 9112 section 2.2)
            self._refuse(400)
        elif self._stage is Stage.BODY and self._paused is None:
            self._received += len(data)
            allowed = self.requestTimeout + self._received / SLOWEST_BYTES_PER_SECOND
            self.setTimeout(max(0.0, self._began + allowed - self._now()))
        elif self._stage is Stage.IDLE and self.requests:
            self._stage = Stage.HEADERS
            self.setTimeout(self.requestTimeout)

    def pause_body(self) -> None:
        """Read no more of a body for now; it is not the client who is slow."""
        if self._paused is None:
            self._paused = self._now()
            self.setTimeout(None)
            self._networkProducer.pauseProducing()

    def resume_body(self) -> None:
        """Read on."""
        if self._paused is not None:
            self._began += self._now() - self._paused
            self._paused = None
            if self._stage is Stage.BODY:
                self.setTimeout(self.requestTimeout)
                self._networkProducer.resumeProducing()

    def _now(self) -> float:
        return float(self.site.reactor.seconds())

    def allHeadersReceived(self) -> None:
        """Between headers and body."""
        self._stage = Stage.BODY
        self._began = self._now()
        self._received = 0
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """The request is complete."""
        self._stage = Stage.ANSWER
        self.timeOut = self._idle_timeout  # what the parser comes back to when it is answered
        super().allContentReceived()

    def requestDone(self, request: Request) -> None:
        """The request is answered."""
        self._stage = Stage.IDLE
        super().requestDone(request)

    def timeoutConnection(self) -> None:
        """Tell a client that was too slow, and say nothing to one that was idle."""
        if self._stage is not Stage.IDLE:
            self._refuse(408)
        super().timeoutConnection()

    # -- header fields ----------------------------------------------------------------------------------------

    def headerReceived(self, line: bytes) -> bool:
        """Take a field: one that came before, spelled the same, without checking it again."""
        if len(line) > LONGEST_LENGTH and line[: len(_LENGTH)].lower() == _LENGTH:  # Python reads no such number
            self._refuse(400)
            return False
        known = _KNOWN.get(line)
        if known is None and self._authorization is not None and line == self._authorization[0]:
            known = b"Authorization", self._authorization[1]
        if known is None or self._receivedHeaderCount >= self.maxHeaders:
            return bool(super().headerReceived(line)) and self._learn(line)
        name, value = known
        fields = self.requests[-1].requestHeaders._rawHeaders
        if name in fields:
            fields[name].append(value)
        else:
            fields[name] = [value]
        self._receivedHeaderCount += 1
        return True

    def _learn(self, line: bytes) -> bool:
        name, _, value = line.partition(b":")
        canonical = _LEARNED.get(name.lower())
        if canonical is not None and len(line) <= LONGEST_LEARNED:
            if len(_KNOWN) >= MOST_LEARNED:
                _KNOWN.clear()
            _KNOWN[line] = (canonical, value.strip(b" \t"))
        elif name.lower() == b"authorization":
            self._authorization = line, value.strip(b" \t")
        return True

    # -- refusals ----------------------------------------------------------------------------------------------

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line is longer than all headers together may be."""
        self._refuse(431 if self.requests else 414)

    def _respondToBadRequestAndDisconnect(self) -> None:
        """The parser calls this wherever it finds a message malformed or too large."""
        large = self._receivedHeaderSize > self.totalHeadersSize or self._receivedHeaderCount > self.maxHeaders
        self._refuse(431 if large else 400)

    def _refuse(self, status: int) -> None:
        """Answer what cannot be understood, once, and close; what else comes on this connection is not read."""
        if self._refused:
            return
        self._refused = True
        answered = bool(self.requests) and bool(getattr(self.requests[-1], "startedWriting", 0))
        if self.transport is not None and not answered:
            head = b"HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % (status, _REASONS[status])
            self.transport.write(head)
            self.site.refused(status)
        self.loseConnection()

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Whether the connection stays open after this request (RFC 9112 section 9.3)."""
        if version != b"HTTP/1.1":
            return False
        fields = request.requestHeaders.getRawHeaders(b"connection")
        if not fields:
            return True
        return all(token.strip().lower() != b"close" for field in fields for token in field.split(b","))


def write_at_once(transport: Any, data: bytes) -> None:
    """Write to a connection without asking whether there is room, since nearly always there is.

    That saves three system calls and a round of the reactor. What finds no room, and what would overtake something
    that waits, takes the usual way.
    """
    if (
        isinstance(transport, tcp.Connection)
        and not transport.TLS
        and transport.connected
        and not (transport.dataBuffer or transport._tempDataBuffer)  # what waits; the latter has no public name
    ):
        sent = transport.writeSomeData(data)
        if isinstance(sent, int):  # else it is lost, which `write` is the one to notice
            data = data[sent:]
    if data:
        transport.write(data)


class Connection(_GenericHTTPChannelProtocol):
    """A connection in whichever version of HTTP it turns out to be; the site knows it as long as it is open."""

    _negotiatedProtocol: Any

    def __init__(self, site: "Site", channel: Channel) -> None:
        super().__init__(channel)
        self._owner = site

    def makeConnection(self, transport: Any) -> None:
        """The connection is open."""
        self._owner.open_connections.add(self)
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """Hand on what came, to our own channel where the handshake agreed on HTTP/2."""
        if self._negotiatedProtocol is None and getattr(self._channel.transport, "negotiatedProtocol", None) == b"h2":
            self._negotiatedProtocol = b"h2"
            self._become_http2()
        super().dataReceived(data)

    def _become_http2(self) -> None:
        """What the method of the parent does here, with another channel."""
        previous: Any = self._channel
        producer, transport = previous._networkProducer, previous.transport
        producer.unregisterProducer()
        previous.setTimeout(None)
        channel: Any = Http2Channel(self._owner)
        channel.requestFactory = self._requestFactory
        channel.factory = self._factory
        channel.timeOut = self._timeOut
        channel.callLater = self._callLater
        self._channel = channel
        channel.makeConnection(transport)
        producer.registerProducer(channel, True)

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone."""
        self._owner.closed(self)
        super().connectionLost(reason)

    def sending(self) -> bool:
        """Whether answers in HTTP/2 are still on their way; those of HTTP/1.1 are in the socket's own buffer."""
        return bool(getattr(self._channel, "streams", ()))

    def retire(self) -> None:
        """Tell the client to take another connection for what it asks next, where it can be told before an answer.

        Which is HTTP/2 (RFC 9113 section 6.8): the machine would not let the streams that are open go on.
        """
        if isinstance(self._channel, Http2Channel):
            self._channel.transport.write(GoAwayFrame(last_stream_id=LAST_STREAM).serialize())

    def close(self) -> None:
        """Close it, politely: what is written is still sent."""
        channel: Any = self._channel
        if channel.transport is None:
            return
        if not isinstance(channel, Channel):
            channel.conn.close_connection()
            channel.transport.write(channel.conn.data_to_send())
            channel.transport.unregisterProducer()
            channel.transport.loseConnection()
        else:
            channel.loseConnection()

    def abort(self) -> None:
        """Close it now."""
        transport: Any = self._channel.transport
        if transport is not None:
            transport.abortConnection()


def make_connection(site: "Site", address: IAddress | None) -> Connection:
    """A connection to a site, with the site's limits (a factory's ``buildProtocol``)."""
    channel = Channel()
    limits = site.server
    channel.requestTimeout = limits.request_timeout_seconds
    channel.maxHeaders = limits.headers
    channel.totalHeadersSize = limits.headers_bytes
    channel.MAX_LENGTH = limits.headers_bytes
    connection = Connection(site, channel)
    connection.factory = site
    connection.requestFactory = site.requestFactory
    connection.site = site
    connection.timeOut = limits.idle_timeout_seconds
    connection.callLater = site.reactor.callLater
    return connection
