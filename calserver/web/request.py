"""One HTTP request on twisted.web: its body collected within limits, its answer written in one piece or streamed."""

import io
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http, server
from zope.interface import implementer

from calserver.dav import BadRequest
from calserver.web.channel import write_at_once
from calserver.web.coding import (
    AT_ONCE,
    WORTH_COMPRESSING,
    accepts_gzip,
    compressible,
    gzip_at_once,
    gzip_pieces,
    pieces,
)
from calserver.web.forwarded import Address, Client, client, is_host, parse_address, within
from calserver.web.intake import EARLY_BYTES, Intake

if TYPE_CHECKING:
    from calserver.web.site import Site

log = Logger()

Field = tuple[str, str]
Running = Coroutine[Any, Any, None]
"""What a handler leaves to be awaited."""
LINGER_SECONDS: Final = 5.0
"""How long the rest of a refused body is read and thrown away, so that the client gets to see the answer."""

SHORT_BYTES: Final = 256
"""Texts of clients up to this length are kept with what they mean; they mostly come again."""

_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT.value, HTTPStatus.NOT_MODIFIED.value})
_STATUS_LINES: Final = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n" for each in HTTPStatus}
_PATH: Final = re.compile(r"/(?:[!\"$&-~]|%[0-9A-Fa-f]{2})*")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Request(server.Request):
    """One request, in either version of HTTP.

    Attributes:
        body: the whole content as it came.
        origin: who the client is and how it sees us; there from the moment the request is dispatched.
        who: the user name that has authenticated, for the access log.
        vouched: kind and uid of the principal that has authenticated elsewhere, if another node proves that.
        request_id: what names the request in logs and in its answer.
    """

    body = b""
    query = ""
    channel: Any
    transport: Any
    who = ""
    request_id = ""
    origin: Client
    vouched: tuple[str, str] | None = None
    moving: Callable[[], Awaitable[bool]] | None = None
    """Waits while the calendars are on their way to another node; returns False where that has answered."""

    def __init__(self, channel: Any, queued: object = False) -> None:
        super().__init__(channel, queued)
        self.home: Site = channel.site
        self.began = time.perf_counter()
        self._chunks: list[bytes] = []
        self._received = 0
        self._too_large = False
        self._refused = False
        self._linger: IDelayedCall | None = None
        self._intake: Intake | None = None

    # -- receiving ---------------------------------------------------------------------------------------------

    def gotLength(self, length: int | None) -> None:
        """All header fields are there, and so is the length of the body where it is known."""
        if length is not None and length > self.home.body_bytes:
            self._too_large = True
            self.requestHeaders.removeHeader(b"expect")  # or the parser would ask for the body
            if self.transport is not None:  # HTTP/2 cannot answer yet at this point
                self._refuse_body()
        elif self.transport is not None and (length is None or length > EARLY_BYTES):
            self._intake = self.home.early(self, length)

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body is there."""
        if self._refused:
            return
        self._received += len(data)
        if self._intake is not None and self._received <= self.home.body_bytes:
            self._intake.data(data)
        elif self._intake is not None:
            self.abort()
        elif self._too_large or self._received > self.home.body_bytes or not self.home.reserve(len(data)):
            self._refuse_body()
        else:
            self._chunks.append(data)

    def _refuse_body(self) -> None:
        """Answer at once, then let the rest of the body come for a while.

        The request is finished when the rest is there or the time is over: closing with unread data on the socket would
        take the answer from the client (RFC 9112 section 9.6).
        """
        self._refused = True
        self._release()
        channel = self.channel
        channel.persistent = False
        self.method = getattr(channel, "_command", None) or getattr(channel, "command", None) or b"-"
        self.uri = getattr(channel, "_path", None) or getattr(channel, "path", None) or b"-"
        self.clientproto = b"HTTP/2" if self.transport is None else b"HTTP/1.1"
        self.home.introduce(self)
        large = self._too_large or self._received > self.home.body_bytes
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if large else HTTPStatus.SERVICE_UNAVAILABLE
        self._write_head(status, [("Retry-After", "10")] if not large else [], 0)
        self._linger = self.home.reactor.callLater(LINGER_SECONDS, self._stop_lingering)

    def _stop_lingering(self) -> None:
        self._linger = None
        if self.transport is None:
            self.channel.abortConnection()
        else:
            self.channel.loseConnection()

    def _release(self) -> None:
        self.home.release(sum(map(len, self._chunks)))
        self._chunks = []

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The request is complete: dispatch it."""
        if self._too_large and not self._refused:
            self._refuse_body()
        if self._refused:
            if self._linger is not None:
                self._linger.cancel()
                self._linger = None
            self.finish()
            return
        if self._intake is not None:
            self._intake.end()
            return
        self.method, self.uri, self.clientproto = command, path, version
        self.args = {}
        self.body = b"".join(self._chunks)
        self._release()
        try:
            self.home.dispatch(self)
        except Exception:  # noqa: BLE001 - a bug; whatever it is, the client gets an answer and the log the traceback
            self.fail(Failure())

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        self._release()
        if self._intake is not None:
            self._intake.lost()
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        super().connectionLost(reason)

    # -- understanding -----------------------------------------------------------------------------------------

    def field(self, name: str) -> str:
        """A header field; several of one name are joined with a comma, and none is the empty text."""
        values = self.requestHeaders.getRawHeaders(name.encode())
        return ", ".join(map(decode_field, values)) if values else ""

    def understand(self) -> None:
        """Check framing, Host and request target, and find out who the client is.

        Raises:
            BadRequest: another server might understand the request in another way.
        """
        headers = self.requestHeaders
        codings = headers.getRawHeaders(b"transfer-encoding")
        if codings and (self.clientproto != b"HTTP/1.1" or len(codings) > 1 or codings[0].lower() != b"chunked"):
            raise self.untrustworthy("the length of the content is in doubt")
        hosts = headers.getRawHeaders(b"host", [])
        if self.clientproto == b"HTTP/2":  # where :authority is one of them (RFC 9113 section 8.3.1)
            hosts = list(dict.fromkeys(hosts))
        if len(hosts) > 1 or (not hosts and self.clientproto != b"HTTP/1.0"):
            raise self.untrustworthy("the Host field is missing or wrong")
        target = _target(self.uri, hosts[0] if hosts else None)
        if target is None or (target.path == "*" and self.method != b"OPTIONS"):
            raise self.untrustworthy("the request target or the Host field is wrong")
        self.path, self.query, host = target.path.encode("ascii"), target.query, target.host
        self.origin = self._client(host)
        if self.origin.trusted and _REQUEST_ID.fullmatch(given := self.field("X-Request-Id")):
            self.request_id = given

    def untrustworthy(self, reason: str) -> BadRequest:
        """A refusal after which the connection is closed: what follows on it may not be a request at all."""
        self.channel.persistent = False
        return BadRequest(reason)

    def _client(self, host: str) -> Client:
        trusted = self.home.server.trusted_proxies
        peer = parse_address(getattr(self.client, "host", ""))
        if hasattr(self.transport, "transport") and (socket := self._socket_address()) != peer:
            peer = peer if within(socket, trusted) else socket  # a PROXY protocol header told of another address
        secure = bool(self.isSecure())
        if not trusted:
            return Client(peer, secure, host)
        return client(
            peer,
            secure=secure,
            host=host,
            trusted=trusted,
            forwarded=self.field("Forwarded"),
            x_for=self.field("X-Forwarded-For"),
            x_proto=self.field("X-Forwarded-Proto"),
            x_host=self.field("X-Forwarded-Host"),
        )

    def _socket_address(self) -> Address | None:
        """The address of the socket itself, where a PROXY protocol header tells of another one."""
        inner = self.transport
        while (further := getattr(inner, "transport", None)) is not None:
            inner = further
        peer = self.client if inner is None else inner.getPeer()
        return parse_address(getattr(peer, "host", ""))

    # -- answering ---------------------------------------------------------------------------------------------

    def respond(self, status: int, fields: Sequence[Field] = (), body: bytes | Iterable[bytes] = b"") -> None:
        """Write the whole answer: compressed where that is worth it, streamed where it is large."""
        self.code = status
        if self._disconnected:
            self.home.log(self)
            return
        fields, body = self._encoded(list(fields), body)
        if isinstance(body, bytes):
            self._write_head(status, fields, len(body), body)
            self.finish()
        elif self.method == b"HEAD":
            self._write_head(status, fields, None)
            self.finish()
        else:
            self._write_head(status, fields, None)
            Streaming(self, iter(body)).start()

    def begin(self, status: int, fields: Sequence[Field], length: int | None) -> None:
        """Write status and fields of an answer whose body follows by `twisted.web.http.Request.write`, as it is."""
        if not self._disconnected:
            self._write_head(status, fields, length)

    def refuse(self, status: int, reason: str = "", *fields: Field) -> None:
        """Answer with a line of text."""
        text = f"{reason or HTTPStatus(status).phrase}\n"
        self.respond(status, [("Content-Type", "text/plain; charset=utf-8"), *fields], text.encode())

    def fail(self, failure: Failure) -> None:
        """Answer 500, and tell the log why; the client learns nothing but the request's id."""
        log.failure(
            "request {request_id} failed: {method} {uri}",
            failure,
            request_id=self.request_id,
            method=self.method.decode("latin-1"),
            uri=self.uri.decode("latin-1"),
        )
        if self.finished:
            return
        if self.startedWriting:
            self.abort()
        else:
            self.refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"internal error; it is in the log as {self.request_id}")

    def abort(self) -> None:
        """Cut the answer off, so that the client does not take it for complete."""
        if not self._disconnected:
            (self.channel if self.transport is None else self.transport).abortConnection()

    def _encoded(
        self, fields: list[Field], body: bytes | Iterable[bytes]
    ) -> tuple[list[Field], bytes | Iterable[bytes]]:
        large = not isinstance(body, bytes) or len(body) > AT_ONCE
        if isinstance(body, bytes) and len(body) < WORTH_COMPRESSING:
            return fields, body
        named = {name.lower(): value for name, value in fields}
        if (
            compressible(named.get("content-type", ""))
            and not named.keys() & {"content-encoding", "content-range", "etag"}  # a strong ETag names these very bytes
        ):
            fields.append(("Vary", "Accept-Encoding"))
            if accepts_gzip(self.field("Accept-Encoding")):
                fields.append(("Content-Encoding", "gzip"))
                if isinstance(body, bytes) and not large:
                    return fields, gzip_at_once(body)
                return fields, gzip_pieces(pieces(body) if isinstance(body, bytes) else body)
        if isinstance(body, bytes) and large:
            fields.append(("Content-Length", str(len(body))))
            return fields, pieces(body)
        return fields, body

    def _write_head(self, status: int, fields: Sequence[Field], length: int | None, body: bytes = b"") -> None:
        """Write status line and fields, and the body with them; no length means that it is not known yet."""
        self.code = status
        self.startedWriting = 1
        if self.method == b"HEAD" or status in _BODILESS:
            body = b""
        lines = [("Date", self.home.date()), ("X-Request-Id", self.request_id), *fields]
        if not any(name == "Content-Length" for name, _ in fields):
            if length is not None and status not in _BODILESS:
                lines.append(("Content-Length", str(length)))
            elif length is None and self.transport is not None:
                self._write_unbounded(lines)
        self.sentLength = len(body)
        if self.transport is None:
            self._write_http2(status, lines, body)
            return
        if not self.channel.persistent:
            lines.append(("Connection", "close"))
        text = "".join([f"{name}: {value}\r\n" for name, value in lines])
        if text.count("\r") != len(lines) or text.count("\n") != len(lines) or "\0" in text:
            text = "".join([f"{name}: {_one_line(value)}\r\n" for name, value in lines])
        write_at_once(self.transport, f"{_STATUS_LINES[status]}{text}\r\n".encode() + body)

    def _write_unbounded(self, lines: list[Field]) -> None:
        if self.clientproto == b"HTTP/1.1":
            lines.append(("Transfer-Encoding", "chunked"))
            self.chunked = 0 if self.method == b"HEAD" else 1
        else:
            self.channel.persistent = False

    def _write_http2(self, status: int, lines: Sequence[Field], body: bytes) -> None:
        for name, value in lines:
            self.responseHeaders.addRawHeader(name.lower().encode(), _one_line(value).encode())
        self.channel.writeHeaders(b"HTTP/2", b"%d" % status, b"", self.responseHeaders)
        if body:
            self.channel.write(body)

    # -- resources of twisted.web ------------------------------------------------------------------------------

    def render_tree(self) -> None:
        """Let the site's tree of `twisted.web.resource` answer."""
        self.content = io.BytesIO(self.body)
        self.setHeader(b"x-request-id", self.request_id.encode())
        super().process()

    def processingFailed(self, reason: Failure) -> Failure:
        """A resource of the tree failed (`twisted.web.server` calls this)."""
        self.fail(reason)
        return reason


class _Target(NamedTuple):
    """What a request target names."""

    host: str
    path: str
    query: str


def _target(uri: bytes, host_field: bytes | None) -> _Target | None:
    """Understand a request target with the Host field (RFC 9112 section 3.2); None where one of them is wrong."""
    short = len(uri) + len(host_field or b"") <= SHORT_BYTES
    return _understand_again(uri, host_field) if short else _understand(uri, host_field)


def _understand(uri: bytes, host_field: bytes | None) -> _Target | None:
    host = decode_field(host_field) if host_field is not None else ""
    if host_field is not None and not is_host(host):
        return None
    text = uri.decode("latin-1")
    if not text.startswith("/") and "://" in text:
        scheme, _, rest = text.partition("://")
        host, slash, path = rest.partition("/")
        if scheme.lower() not in ("http", "https") or not is_host(host):
            return None
        text = slash + path or "/"
    path, _, query = text.partition("?")
    if path != "*" and not _PATH.fullmatch(path):
        return None
    return _Target(host, path, query)


_understand_again = lru_cache(maxsize=4096)(_understand)


@implementer(IPushProducer)
class Streaming:
    """Writes the chunks of a body as fast as the client takes them."""

    def __init__(self, request: Request, chunks: Iterator[bytes]) -> None:
        self._request = request
        self._chunks = chunks
        self._going = False
        self._done = False
        self._stalled: IDelayedCall | None = None
        request.home.busy(self)

    def start(self) -> None:
        """Write until the client's connection is full, and go on when it is not."""
        self._request.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        """There is room."""
        self._going = True
        self._cancel()
        while self._going and not self._done:
            try:
                chunk = next(self._chunks, None)
            except Exception:  # noqa: BLE001 - a bug; the headers are sent, so nothing is left but to cut it off
                self._end()
                self._request.fail(Failure())
                return
            if self._request._disconnected:
                self.stopProducing()
            elif chunk is None:
                self._end()
                self._request.finish()
            else:
                http.Request.write(self._request, chunk)

    def _end(self) -> None:
        self._done = True
        self._cancel()
        self._request.unregisterProducer()
        self._request.home.idle(self)

    def pauseProducing(self) -> None:
        """There is no room; a client that does not make some is cut off."""
        self._going = False
        self._cancel()
        home = self._request.home
        self._stalled = home.reactor.callLater(home.server.idle_timeout_seconds, self._give_up)

    def stopProducing(self) -> None:
        """The client is gone."""
        self._done = True
        self._cancel()
        self._request.home.idle(self)

    def _give_up(self) -> None:
        self._stalled = None
        self._request.abort()

    def _cancel(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def decode_field(value: bytes) -> str:
    """A field value as text: UTF-8 where it is, or else ISO 8859-1 (RFC 9110 section 5.5)."""
    return _decode_again(value) if len(value) <= SHORT_BYTES else _decode(value)


def _decode(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


_decode_again = lru_cache(maxsize=4096)(_decode)


def _one_line(value: str) -> str:
    """A field value that cannot end its line."""
    return re.sub(r"[\r\n\0]+", " ", value)
