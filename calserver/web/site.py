"""The site: which handler answers a path, what is running, and how to stop without losing anything."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from itertools import count
from typing import Any, Final

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http, pages, resource, server

from calserver.config import Server
from calserver.dav import Refusal
from calserver.telemetry import Access, AccessLog, Metrics
from calserver.web.channel import Connection, make_connection
from calserver.web.intake import Intake
from calserver.web.request import Request, Running

log = Logger()

Early = Callable[[Request, Intake], Running | None]
"""Takes a request whose body is still to come; None where it waits for that."""
Handler = Callable[[Request], Running | None]
"""Answers a request: at once, or as a coroutine."""

BUFFERED_BODIES: Final = 16
"""How many bodies of the largest size may be in memory while they arrive."""
CLOSING_SECONDS: Final = 2.0
"""How long connections may take to close before they are cut off."""
LOOK_SECONDS: Final = 0.05
"""How often a stop looks whether what HTTP/2 has queued is sent, of which nobody tells."""


class Tree(resource.Resource):
    """The root of the pages."""

    def getChild(self, path: bytes, request: Any) -> resource.IResource:
        """Nothing is here but what was put here."""
        return pages.notFound()


class Site(server.Site):
    """The public site.

    Args:
        server: the configuration's section.
        body_bytes: largest request body.
        metrics: what is counted.
        reactor: timers.
    """

    requestFactory = Request  # type: ignore[assignment] # ours is one of theirs
    reactor: Any
    displayTracebacks = False
    noisy = False

    def __init__(self, server: Server, *, body_bytes: int, metrics: Metrics, reactor: Any) -> None:
        self.tree = Tree()
        super().__init__(self.tree, reactor=reactor, timeout=server.idle_timeout_seconds)
        self.server = server
        self.body_bytes = body_bytes
        self.metrics = metrics
        self._handlers: Mapping[str, Handler] = {}
        self._below: Sequence[tuple[str, Handler]] = ()
        self._access_log: AccessLog | None = None
        self._early: Early | None = None
        self.open_connections: set[Connection] = set()
        self.retiring = self.stopping = False
        self._room_bytes = body_bytes * BUFFERED_BODIES
        self._tasks: set[object] = set()
        self._waiting: list[Deferred[None]] = []
        self._ids = count(1)
        self._process = secrets.token_hex(4)
        self._date: tuple[int, str] = (0, "")
        metrics.connections = lambda: len(self.open_connections)

    def serve(
        self,
        handlers: Mapping[str, Handler],
        below: Mapping[str, Handler] | None = None,
        *,
        access_log: AccessLog | None = None,
        early: Early | None = None,
    ) -> None:
        """Begin to answer.

        Args:
            handlers: by exact path.
            below: by the beginning of the path; the longest wins.
            access_log: where requests are written down.
            early: is asked who takes a request with a large body before that is there.
        """
        self._handlers = dict(handlers)
        self._below = sorted((below or {}).items(), key=lambda pair: -len(pair[0]))
        self._access_log = access_log
        self._early = early

    # -- connections -------------------------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        """A new connection."""
        return make_connection(self, addr)

    def acceptableProtocols(self) -> list[bytes]:
        """What is offered during the TLS handshake."""
        return [each for each in super().acceptableProtocols() if self.server.http2 or each != b"h2"]

    def reserve(self, size: int) -> bool:
        """Take room for a part of a body; False where too much is in memory already."""
        if size > self._room_bytes:
            return False
        self._room_bytes -= size
        return True

    def release(self, size: int) -> None:
        """Give it back."""
        self._room_bytes += size

    # -- requests ----------------------------------------------------------------------------------------------

    def introduce(self, request: Request) -> None:
        """Give a request its id."""
        request.request_id = f"{self._process}-{next(self._ids)}"

    def dispatch(self, request: Request) -> None:
        """Find who answers a request, and let it."""
        self.introduce(request)
        try:
            if self.stopping:
                request.channel.persistent = False
                request.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the server is stopping", ("Retry-After", "5"))
                return
            if self.retiring:
                request.channel.persistent = False
            request.understand()
            handler = self.handler(request.path.decode("ascii"))
            running = (handler or Request.render_tree)(request)
        except Refusal as refusal:
            request.refuse(refusal.status, refusal.reason, *refusal.headers.items())
            return
        if running is not None:
            self._run(request, running)

    def early(self, request: Request, length: int | None) -> Intake | None:
        """Let somebody take a request whose body is still to come; None where it is collected first, as usual."""
        if self._early is None or self.stopping:
            return None
        channel = request.channel
        request.method, request.uri, request.clientproto = channel._command, channel._path, channel._version
        self.introduce(request)
        try:
            request.understand()
            intake = Intake(channel, length)
            running = self._early(request, intake)
        except Refusal:  # which is found again when the body is there
            return None
        if running is None:
            return None
        self._run(request, running)
        return intake

    def handler(self, path: str) -> Handler | None:
        """Who answers a path."""
        found = self._handlers.get(path)
        if found is None:
            for prefix, handler in self._below:
                if path.startswith(prefix):
                    return handler
        return found

    def _run(self, request: Request, running: Running) -> None:
        self.busy(request)

        def done(result: Failure | None) -> None:
            self.idle(request)
            if isinstance(result, Failure):
                request.fail(result)

        Deferred.fromCoroutine(running).addBoth(done)

    # -- telling -----------------------------------------------------------------------------------------------

    def date(self) -> str:
        """The Date field, made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, http.datetimeToString(now).decode("ascii"))
        return self._date[1]

    def log(self, request: http.Request) -> None:
        """Count a request that is answered, and write it down."""
        if not isinstance(request, Request):
            return
        seconds = time.perf_counter() - request.began
        method = request.method.decode("latin-1")
        self.metrics.answered(method, request.code, seconds)
        if self._access_log is not None:
            origin = getattr(request, "origin", None)
            self._access_log.write(
                Access(
                    address=str(origin.address or "") if origin else getattr(request.client, "host", ""),
                    user=request.who,
                    method=method,
                    uri=request.uri.decode("latin-1"),
                    protocol=request.clientproto.decode("latin-1"),
                    status=request.code,
                    sent_bytes=request.sentLength,
                    request_id=request.request_id,
                    seconds=seconds,
                )
            )

    def refused(self, status: int) -> None:
        """Count a message that was not even a request."""
        self.metrics.answered("other", status, 0.0)

    def _openLogFile(self, path: str | bytes) -> Any:
        raise AssertionError("the access log is our own")

    def startFactory(self) -> None:
        """An endpoint listens (twisted.web would start its own log here)."""

    def stopFactory(self) -> None:
        """An endpoint has stopped."""

    # -- stopping ----------------------------------------------------------------------------------------------

    def busy(self, task: object) -> None:
        """Something runs that a graceful stop waits for."""
        self._tasks.add(task)
        self.metrics.in_flight = len(self._tasks)

    def idle(self, task: object) -> None:
        """It has finished."""
        self._tasks.discard(task)
        self.metrics.in_flight = len(self._tasks)
        self._tell()

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        self.open_connections.discard(connection)
        self._tell()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    async def retire(self) -> None:
        """Answer what still comes on connections that are open, and have them closed, within the grace.

        HTTP/1.1 is told with the next answer; HTTP/2 at once that other requests belong on another connection.
        """
        self.retiring = True
        for connection in list(self.open_connections):
            connection.retire()
        await self._until(lambda: not self.open_connections, self.server.grace_seconds)

    async def stop(self) -> None:
        """Let running requests finish within the grace, refuse new ones, then close all connections."""
        self.stopping = True
        if self._tasks:
            log.info("stopping: {running} requests are still running", running=len(self._tasks))
        await self._until(
            lambda: not self._tasks and not any(each.sending() for each in self.open_connections),
            self.server.grace_seconds,
        )
        for connection in list(self.open_connections):
            connection.close()
        await self._until(lambda: not self.open_connections, CLOSING_SECONDS)
        for connection in list(self.open_connections):
            connection.abort()

    async def _until(self, reached: Callable[[], bool], seconds: float) -> None:
        """Wait until something is reached, but not longer than some seconds."""
        deadline = self.reactor.seconds() + seconds
        while not reached() and (left := deadline - self.reactor.seconds()) > 0:
            changed: Deferred[None] = Deferred()
            self._waiting.append(changed)
            changed.addTimeout(min(left, LOOK_SECONDS), self.reactor)
            try:
                await changed
            except TimeoutError:
                continue
