"""WebDAV over HTTP: a request of the site becomes a value, runs as one transaction, and its response is written.

This is the only place where a DAV request waits: for its password to be checked (seldom), and for its transaction -
unless that is so short that it costs less than waiting (`DavAdapter.answer`).
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import attrs
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from calserver import dav
from calserver.auth import Connection, Login, Logins, NotYetKnown, Outdated
from calserver.config import Server, Settings
from calserver.dav import Refusal
from calserver.directory import ANONYMOUS, Actor
from calserver.store import Busy, Full, Held, Stamp, Store, Transaction
from calserver.telemetry import Metrics
from calserver.web.coding import decode_content
from calserver.web.recall import Home, Key, Recall
from calserver.web.request import Field, Request, Running, decode_field

log = Logger()

LARGE_BODY: Final = 64 * 1024
"""Bytes from which on a body is decoded and parsed in a thread, so that the reactor never waits long."""

SHORT_BODY: Final = 16 * 1024
"""Bytes up to which a body may be read at once, in the reactor thread."""

_HARMLESS: Final[tuple[Field, ...]] = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; sandbox"),
)
"""What people store is never run by a browser that looks at it; resources may say so in words of their own."""

_NO_ROOM: Final = dav.xml.error(dav.condition(dav.SufficientDiskSpace()))

_LOOKING: Final = frozenset({b"GET", b"HEAD"})

PUBLIC_DEPTH: Final = 3
"""Segments of a path that lead to a home: below it there may be something public."""

_NO_VERSION: Final = -1

Transact = Callable[[Callable[[Transaction], dav.Response]], Awaitable[dav.Response]]
"""Runs work in a transaction: `Store.read` or `Store.write`."""

_SECRET: Final = frozenset({b"Authorization", b"authorization", b"Cookie", b"cookie"})
"""Fields that go no further."""


@attrs.frozen(kw_only=True)
class DavAdapter:
    """Answers the requests below the DAV root.

    Args:
        store: where transactions run.
        logins: who is asking.
        spoken: what the server speaks.
        tree: what it serves.
        settings: ``View.settings``.
        server: prefixes.
        recall: answers that are known by heart.
        metrics: what is counted.
        reactor: its threads.
        foreign: whether the store is not the one with the logins.
        settled: is awaited after something was written, before that is answered: what has to follow elsewhere.
        ask: asks others what a request needs to know of them (`dav.AskFirst`).
    """

    store: Store
    logins: Logins
    spoken: dav.Extensions
    tree: dav.Tree
    settings: Settings
    server: Server
    recall: Recall
    metrics: Metrics
    reactor: Any
    foreign: bool = False
    settled: Callable[[], Awaitable[object]] | None = None
    ask: Callable[[Any], Awaitable[object]] | None = None

    _anybody: Login = attrs.field(init=False, factory=lambda: Login(ANONYMOUS, revision=0, version=0))

    limits: dav.Limits = attrs.field(init=False)
    """How much XML a request may bring."""

    @limits.default
    def _limits(self) -> dav.Limits:
        settings = self.settings
        return dav.Limits(size_bytes=settings.xml_bytes, elements=settings.xml_elements, depth=settings.xml_depth)

    def below_inner(self, request: Request) -> Running | None:
        """Answer a request below the prefix that reaches us."""
        return self.answer(request, request.path.decode("ascii")[len(self.server.arriving_prefix) :])

    def below_public(self, request: Request) -> Running | None:
        """Answer a request below the prefix that clients see, where it is another one."""
        return self.answer(request, request.path.decode("ascii")[len(self.server.public_prefix) :])

    def root(self, request: Request) -> Running | None:
        """Answer a request for the DAV root by another path, and say where it really is (RFC 9110 section 8.7)."""
        return self.answer(request, "", ("Content-Location", self.server.public_prefix))

    def answer(self, request: Request, path: str, *further: Field) -> Running | None:
        """Answer a request for an escaped path below the DAV root: at once where that takes little time.

        Raises:
            Refusal: nobody has authenticated, or the path is none.
        """
        authorization = self._authorization(request)
        if request.vouched is not None:
            login = self.logins.vouched(*request.vouched)
        elif authorization is None:
            return self._answer(request, path, None, self._unknown(request, path), None, further)
        else:
            login = self.logins.known(authorization)
        if login is None:
            return self._answer(request, path, authorization, None, None, further)
        request.who = login.actor.uid
        version = self._version()
        key = self.recall.key(request, login)
        response = None if key is None else self.recall.find(key, login, version)
        turn = None
        if response is not None:
            login.version = version
        elif len(request.body) <= SHORT_BODY and not request.field("Content-Encoding"):
            turn = self._turn(self.value(request, path, request.body, login.actor), login, version, key)
            response = self._at_once(turn)
        if response is None:
            return self._answer(request, path, authorization, login, turn, further)
        self._write(request, response, further)
        return None

    def _at_once(self, turn: "Turn") -> dav.Response | None:
        """The answer, where it is found by a glance at the store; None where it takes longer."""
        if not self.spoken.brief(turn.asked):
            return None
        self.spoken.prepare(turn.asked)
        began = time.perf_counter()
        try:
            response = self.store.glance(turn.glance)
        except (dav.TakesLong, Outdated, Held):
            return None
        self.metrics.store_waits.observe(time.perf_counter() - began)
        self._learn(turn, response)
        return response

    async def _answer(
        self,
        request: Request,
        path: str,
        authorization: bytes | None,
        login: Login | None,
        turn: "Turn | None",
        further: Sequence[Field],
    ) -> None:
        try:
            while True:
                try:
                    response = await self._respond(request, path, authorization, login, turn)
                    break
                except Held:
                    if request.moving is None:
                        raise
                    if not await request.moving():
                        return
        except Refusal as refusal:
            request.refuse(refusal.status, refusal.reason, *refusal.headers.items())
        except Busy:
            request.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the database is busy", ("Retry-After", "2"))
        except Full:
            log.error("there is no room left for the database")
            request.respond(dav.SufficientDiskSpace.status, (dav.xml.CONTENT_TYPE,), _NO_ROOM)
        else:
            self._write(request, response, further)

    def _version(self) -> int:
        """The data version by which logins are known to be current; that of another store says nothing of them."""
        return _NO_VERSION if self.foreign else self.store.data_version()

    def _write(self, request: Request, response: dav.Response, further: Sequence[Field]) -> None:
        fields: Sequence[Field] = (*response.headers, *further)
        if request.method in (b"GET", b"HEAD") and not any(name == _HARMLESS[0][0] for name, _ in fields):
            fields = (*fields, *_HARMLESS)
        request.respond(response.status, fields, response.body)

    async def _respond(
        self, request: Request, path: str, authorization: bytes | None, login: Login | None, turn: "Turn | None"
    ) -> dav.Response:
        if authorization is None and request.vouched is None:
            response = await self._transact(await self._prepared(request, path, self._anybody))
            if response.status == HTTPStatus.UNAUTHORIZED:
                raise self._nobody(request)
            return response
        while True:
            if login is None:
                login = await self._login(request, authorization)
            request.who = login.actor.uid
            try:
                return await self._transact(turn or await self._prepared(request, path, login))
            except Outdated:
                if authorization is not None:
                    self.logins.forget(authorization)
                login = turn = None

    async def asker(self, request: Request, path: str) -> Login:
        """Who asks, where a request is answered by another node.

        Raises:
            Refusal: nobody has authenticated.
        """
        authorization, login = self._authorization(request), None
        if request.vouched is not None:
            login = self.logins.vouched(*request.vouched)
        elif authorization is None:
            return self._unknown(request, path)
        else:
            login = self.logins.known(authorization)
        while True:
            if login is None:
                login = await self._login(request, authorization)
            version = self.store.data_version()
            if login.version == version:
                return login
            try:
                await self.store.read(partial(self.logins.confirm, login=login))
            except Outdated:
                if authorization is not None:
                    self.logins.forget(authorization)
                login = None
            else:
                login.version = version
                return login

    async def _login(self, request: Request, authorization: bytes | None) -> Login:
        if request.vouched is not None:
            login = await self.logins.vouch(*request.vouched)
            if login is None:
                raise NotYetKnown
            return login
        assert authorization is not None, "somebody says who it is"
        return await self.logins.login(authorization, Connection(request.origin.address, request.origin.secure))

    def _authorization(self, request: Request) -> bytes | None:
        """The Authorization field; None where there is none."""
        values = request.requestHeaders.getRawHeaders(b"authorization", ())
        if len(values) > 1:
            raise dav.BadRequest("there is more than one Authorization field")
        return values[0] if values else None

    def _unknown(self, request: Request, path: str) -> Login:
        """The login of somebody who has not authenticated: for a look at what may be public, and for nothing else.

        All that clients begin with is refused, so that they authenticate.
        """
        if request.method in _LOOKING and path.strip("/").count("/") >= PUBLIC_DEPTH:
            return self._anybody
        raise self._nobody(request)

    def _nobody(self, request: Request) -> Refusal:
        return self.logins.nobody(Connection(request.origin.address, request.origin.secure))

    async def _body(self, request: Request) -> bytes:
        codings = request.field("Content-Encoding")
        limit = request.home.body_bytes
        if not codings or len(request.body) < LARGE_BODY:
            return decode_content(request.body, codings, limit)
        body: bytes = await self._in_thread(decode_content, request.body, codings, limit)
        return body

    async def _prepared(self, request: Request, path: str, login: Login) -> "Turn":
        asked = self.value(request, path, await self._body(request), login.actor)
        if len(asked.body) >= LARGE_BODY:
            await self._in_thread(self.spoken.prepare, asked)
        return self._turn(asked, login, self._version(), self.recall.key(request, login))

    async def _transact(self, turn: "Turn") -> dav.Response:
        self.spoken.prepare(turn.asked)
        writes = self.spoken.writes(turn.asked)
        response = await self._worked(turn, self.store.write if writes else self.store.read)
        if response.later is not None:
            return await response.later()
        if writes and self.settled is not None and response.status < HTTPStatus.MULTIPLE_CHOICES:
            await self.settled()
            response = await self._represented(turn, response)
        self._learn(turn, response)
        return response

    async def _worked(self, turn: "Turn", transact: Transact) -> dav.Response:
        """What a transaction answers; between two tries others are asked what has to be known of them."""
        while True:
            began = time.perf_counter()
            try:
                return await transact(turn.work)
            except dav.RolledBack as refused:
                return refused.response
            except dav.AskFirst as first:
                question = first.question
            finally:
                self.metrics.store_waits.observe(time.perf_counter() - began)
            assert self.ask is not None, "there are others"
            turn.asked.told[question] = await self.ask(question)
            turn.version = self._version()

    async def _represented(self, turn: "Turn", response: dav.Response) -> dav.Response:
        """An answer with what has followed from it in the meantime, where it represents what was stored."""
        if response.represents is None:
            return response
        try:
            return await self.store.read(partial(turn.represented, response))
        except Busy:
            return response

    def _turn(self, asked: dav.Request, login: Login, version: int, key: Key | None) -> "Turn":
        return Turn(self, asked, login, version, key, None if key is None else self.recall.home(asked.href))

    def _learn(self, turn: "Turn", response: dav.Response) -> None:
        if turn.version != _NO_VERSION:
            turn.login.version = turn.version
        if turn.key is not None and turn.home is not None and turn.stamp is not None:
            self.recall.keep(
                turn.key, response, login=turn.login, home=turn.home, stamp=turn.stamp, version=turn.version
            )

    def value(self, request: Request, path: str, body: bytes, actor: Actor) -> dav.Request:
        """A request for an escaped path below the DAV root as a value."""
        origin = request.origin
        scheme = "https" if origin.secure else "http"
        fields = [
            (decode_field(name), decode_field(value))
            for name, values in request.requestHeaders.getAllRawHeaders()
            for value in values
            if name not in _SECRET
        ]
        return dav.Request(
            method=request.method.decode("ascii"),
            href=dav.Href.parse(path),
            limits=self.limits,
            headers=dav.Headers(fields),
            body=body,
            actor=actor,
            prefix=self.server.public_prefix,
            spelled=self.server.public_prefix + path,
            origin=f"{scheme}://{origin.host}" if origin.host else "",
            query=request.query,
        )

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await deferToThreadPool(self.reactor, self.reactor.getThreadPool(), function, *arguments)


@attrs.define(slots=True)
class Turn:
    """A request on its way through a transaction, with what proves its answer.

    The version was that of the store before the transaction began, the stamp that of the home inside of it.
    """

    adapter: DavAdapter
    asked: dav.Request
    login: Login
    version: int
    key: Key | None
    home: Home | None
    stamp: Stamp | None = None

    def work(self, txn: Transaction) -> dav.Response:
        """What is done in the transaction."""
        return self._run(txn, hurried=False)

    def glance(self, txn: Transaction) -> dav.Response:
        """The same in a hurry; raises `TakesLong`, and can be done again in another transaction."""
        return self._run(txn, hurried=True)

    def _run(self, txn: Transaction, *, hurried: bool) -> dav.Response:
        adapter = self.adapter
        if self.login.version != self.version:
            self.asked.actor = adapter.logins.confirm(txn, self.login)
        self.stamp = None if self.home is None else self.home.stamp(txn)
        return dav.handle(adapter.spoken, adapter.tree, txn, self.asked, adapter.settings, hurried=hurried)

    def represented(self, response: dav.Response, txn: Transaction) -> dav.Response:
        """A representation as the resource is by now."""
        adapter = self.adapter
        return dav.represented(dav.View(txn, self.asked, adapter.tree, adapter.spoken, adapter.settings), response)
