"""A site with a few handlers to talk to, on a real socket and with a clock that tests advance."""

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Any

import attrs
import pytest
import pytest_twisted
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from wire import Wire, connect

from calserver.config import Server
from calserver.telemetry import Access, AccessLog, Metrics
from calserver.web import Site
from calserver.web.request import Request

BODY_BYTES = 100_000


class Page(Resource):
    """A resource of twisted.web's own kind."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return b"page"

    def render_POST(self, request: Any) -> bytes:
        return bytes(request.content.read()[::-1])

    def render_PUT(self, request: Any) -> bytes:
        raise RuntimeError("a bug of a page")


class Lines(AccessLog):
    """An access log in memory."""

    def __init__(self) -> None:
        self.entries: list[Access] = []

    def write(self, access: Access) -> None:
        self.entries.append(access)

    def close(self) -> None:
        pass


@attrs.define
class Place:
    """A site that listens, and what its handlers did."""

    site: Site
    clock: Clock
    lines: Lines
    seen: list[Request] = attrs.field(factory=list)
    waiting: "list[Deferred[None]]" = attrs.field(factory=list)
    wires: list[Wire] = attrs.field(factory=list)
    port: int = 0

    async def connect(self, **options: Any) -> Wire:
        wire = await connect(self.port, **options)
        self.wires.append(wire)
        return wire

    async def tick(self) -> None:
        """Let the reactor go around once."""
        around: Deferred[None] = Deferred()
        reactor.callLater(0, around.callback, None)
        await around

    async def arrived(self, wire: Wire) -> None:
        """Wait until the server has read what a wire has sent: both ends are served by this same reactor."""
        for _ in range(10):
            await self.tick()

    def handlers(self) -> dict[str, Any]:
        return {
            "/echo": self.echo,
            "/slow": self.slow,
            "/stream": self.stream,
            "/broken-stream": self.broken_stream,
            "/big": self.big,
            "/bug": self.bug,
            "/late-bug": self.late_bug,
            "/text": self.text,
            "/tagged": self.tagged,
            "/nothing": lambda request: request.respond(HTTPStatus.NO_CONTENT),
            "/headers": lambda request: request.respond(200, [("X-Evil", "a\r\nSet-Cookie: b\0\n\rc"), ("X-Ok", "ü")]),
            "*": lambda request: request.respond(200, [("Allow", "GET")]),
        }

    def echo(self, request: Request) -> None:
        self.seen.append(request)
        request.respond(200, [("Content-Type", "application/octet-stream")], request.body)

    async def slow(self, request: Request) -> None:
        self.seen.append(request)
        answer: Deferred[None] = Deferred()
        self.waiting.append(answer)
        await answer
        request.respond(200, [("Content-Type", "text/plain")], b"at last")

    def stream(self, request: Request) -> None:
        def chunks() -> Iterator[bytes]:
            for number in range(200):
                yield b"%09d\n" % number * 1000

        request.respond(200, [("Content-Type", "text/plain")], chunks())

    def broken_stream(self, request: Request) -> None:
        def chunks() -> Iterator[bytes]:
            yield b"x" * 10
            raise RuntimeError("a bug in the middle")

        request.respond(200, [("Content-Type", "image/png")], chunks())

    def big(self, request: Request) -> None:
        request.respond(200, [("Content-Type", "image/png")], bytes(range(256)) * 4096)

    def text(self, request: Request) -> None:
        request.respond(200, [("Content-Type", "text/calendar")], b"BEGIN:VEVENT\r\n" * 1000)

    def tagged(self, request: Request) -> None:
        request.respond(200, [("Content-Type", "text/calendar"), ("ETag", '"1"')], b"BEGIN:VEVENT\r\n" * 1000)

    def bug(self, request: Request) -> None:
        raise RuntimeError("secret detail")

    async def late_bug(self, request: Request) -> None:
        raise RuntimeError("secret detail")


@pytest.fixture
def server() -> Server:
    """The section of the configuration; tests parametrize it."""
    return Server(grace_seconds=5)


@pytest_twisted.async_yield_fixture()
async def place(server: Server) -> AsyncIterator[Place]:
    clock = Clock()
    site = Site(server, body_bytes=BODY_BYTES, metrics=Metrics(), reactor=clock)
    found = Place(site, clock, Lines())
    site.serve(found.handlers(), {"/below/": found.echo}, access_log=found.lines)
    site.tree.putChild(b"page", Page())
    port: IListeningPort = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(site)
    found.port = port.getHost().port
    yield found
    for wire in found.wires:
        wire.close()
        await wire.until_closed()
    await port.stopListening()
    for call in clock.getDelayedCalls():
        call.cancel()


class Logged:
    """What was logged during a test."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    @property
    def failures(self) -> list[Failure]:
        return [event["log_failure"] for event in self.events if "log_failure" in event]

    @property
    def text(self) -> str:
        return "\n".join(formatEvent(event) for event in self.events)


@pytest.fixture
def logged() -> Iterator[Logged]:
    found = Logged()
    globalLogPublisher.addObserver(found.events.append)
    yield found
    globalLogPublisher.removeObserver(found.events.append)
