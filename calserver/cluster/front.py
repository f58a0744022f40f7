"""Which node answers a request: this one, or that of the principal in whose home the path is.

A request of a client for a home elsewhere is handed on, with who has authenticated. One that another node has handed on
is answered here or not at all: where placements disagree for a moment, the client is told to come again, and nothing
goes in circles.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final

import attrs
from twisted.internet.task import deferLater
from twisted.logger import Logger

from calserver import dav
from calserver.auth import Connection, Login
from calserver.cluster import porter
from calserver.cluster.assertion import NotBelieved
from calserver.cluster.believing import Doorkeeper, is_asserted
from calserver.cluster.counts import Counts
from calserver.cluster.envoy import Envoy, Misdirected
from calserver.cluster.identity import Identity
from calserver.cluster.mirror import Mirror
from calserver.cluster.paths import owner
from calserver.cluster.relay import AGAIN_SECONDS, SAFE, ClientGone, NodeAway, NodeSilent, Relay, give
from calserver.cluster.spanning import Asking, Spanning, may_span
from calserver.dav import Href, Refusal, TakesLong
from calserver.store import Busy, Store
from calserver.web import Client, DavAdapter, Handler, Intake, Request, Running, parse_address

log = Logger()

MOST_PLACES: Final = 50_000
"""How many principals' places are remembered."""
PRINCIPALS: Final = "principals"
_OF_NODES: Final = frozenset(each.encode() for each in porter.METHODS)
"""Methods that clients do not have."""
MOVING_SECONDS: Final = 0.05
"""How often is looked whether calendars that are on their way have come to a node."""
PATIENCE_SECONDS: Final = 5.0
"""How long a client is kept waiting for them."""


class OnTheWay(Refusal):
    """Calendars are on their way to another node for longer than a client is kept waiting."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class Front:
    """Before the adapter of a node.

    Args:
        identity: of this node.
        adapter: answers what is here.
        accounts: answers changes of accounts, on the directory; None where it is away.
        mirror: knows how far this node follows the directory.
        relay: sends requests to other nodes.
        mounts: the first segments of paths that lead to homes, and the kinds of principals that have these.
        counts: of requests that are handed on.
        doorkeeper: believes nodes.
    """

    def __init__(
        self,
        identity: Identity,
        adapter: DavAdapter,
        accounts: Callable[[], Awaitable[DavAdapter | None]],
        mirror: Mirror,
        relay: Relay,
        mounts: Mapping[str, Sequence[str]],
        counts: Counts,
        doorkeeper: Doorkeeper,
    ) -> None:
        self._identity = identity
        self._adapter = adapter
        self._accounts = accounts
        self._mirror = mirror
        self._envoy = Envoy(identity=identity, relay=relay, counts=counts, prefix=adapter.server.public_prefix)
        self._porter = attrs.evolve(adapter, spoken=dav.Extensions([*adapter.spoken.spoken, porter.porter]))
        self._mounts = mounts
        self._doorkeeper = doorkeeper
        self._spanning = Spanning(
            envoy=self._envoy, adapter=adapter, mounts=mounts, where=self._where, ask=self._ask, go=self._go
        )
        self._places: dict[tuple[str, str], str | None] = {}
        self._version = 0

    # -- where ---------------------------------------------------------------------------------------------------------

    def awake(self, answer: Handler) -> Handler:
        """A handler that leaves all requests to another one, as soon as this node knows who there is.

        Until then it would tell people that their passwords are wrong, and other servers that there are no such people.
        """

        def handle(request: Request) -> Running | None:
            if self._mirror.ready:
                return answer(request)
            again = ("Retry-After", AGAIN_SECONDS)
            request.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "this node does not know anybody yet", again)
            return None

        return handle

    def before(self, prefix: str, answer: Handler) -> Handler:
        """A handler of requests below a prefix, which leaves those for this node to another one."""

        def handle(request: Request) -> Running | None:
            path = request.path.decode("ascii")[len(prefix) :]
            if is_asserted(request):
                return self._asserted(request, path, answer)
            if request.method in _OF_NODES:
                request.refuse(HTTPStatus.NOT_IMPLEMENTED, "the method is not known here")
                return None
            spanning = self._spanning.take(request, path, answer)
            if spanning is not None:
                return self._refusing(request, spanning)
            try:
                there = self._placed(path)
            except TakesLong:
                return self._refusing(request, self._look(request, path, answer))
            return self._go(request, path, there, answer)

        return handle

    def early(self, request: Request, intake: Intake) -> Running | None:
        """Take a request with a large body before that is there, where it is for another node."""
        path = request.path.decode("ascii")
        server = self._adapter.server
        prefix = next((each for each in (server.public_prefix, server.arriving_prefix) if path.startswith(each)), None)
        others = is_asserted(request) or request.method in _OF_NODES or may_span(request)
        if prefix is None or others:
            return None
        try:
            there = self._placed(path[len(prefix) :])
        except TakesLong:
            return None
        return None if self._is_here(there) else self._hand_on(request, path[len(prefix) :], there or "", intake)

    def _is_here(self, node: str | None) -> bool:
        return node is None or node == self._identity.name

    def _go(self, request: Request, path: str, there: str | None, answer: Handler) -> Running | None:
        if not self._is_here(there):
            return self._hand_on(request, path, there or "", request.body)
        if self._changes_accounts(request, path):
            return self._refusing(request, self._change(request, path))
        request.moving = partial(self._moved, request, path, asserted=False)
        return answer(request)

    def _changes_accounts(self, request: Request, path: str) -> bool:
        return request.method not in SAFE and Href.parse(path).segments[:1] == (PRINCIPALS,)

    async def _change(self, request: Request, path: str) -> None:
        """Let the directory have a change of accounts; all nodes learn it from there."""
        adapter = await self._accounts()
        if adapter is None:
            again = ("Retry-After", AGAIN_SECONDS)
            request.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "accounts cannot be changed at the moment", again)
            return
        running = adapter.answer(request, path)
        if running is not None:
            await running

    async def _look(self, request: Request, path: str, answer: Handler) -> None:
        """Find out in a thread where a request belongs."""
        there = await self._where(path)
        running = self._go(request, path, there, answer)
        if running is not None:
            await running

    async def _refusing(self, request: Request, running: Running) -> None:
        """Answer a request, or say why not."""
        try:
            await running
        except Refusal as refusal:
            request.refuse(refusal.status, refusal.reason, *refusal.headers.items())
        except Busy:
            again = ("Retry-After", AGAIN_SECONDS)
            request.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the database is busy", again)

    async def _where(self, path: str) -> str | None:
        """The same as `_placed`, however long it takes."""
        try:
            return self._placed(path)
        except TakesLong:
            whose = owner(Href.parse(path), self._mounts)
            assert whose is not None, "others are here"
            kind, uid = whose
            found: str | None = await self._adapter.store.read(lambda txn: txn.placements.node(kind, uid))
            return found

    def _placed(self, path: str) -> str | None:
        """The node of a path; None for those that all nodes have, and those that nobody has.

        Raises:
            TakesLong: it has to be looked up.
        """
        whose = owner(Href.parse(path), self._mounts)
        if whose is None:
            return None
        store: Store = self._adapter.store
        version = store.data_version()
        if version != self._version or len(self._places) > MOST_PLACES:
            self._places.clear()
            self._version = version
        if whose not in self._places:
            self._places[whose] = store.glance(lambda txn: txn.placements.node(*whose))
        return self._places[whose]

    # -- people who move -----------------------------------------------------------------------------------------------

    async def _whereabouts(self, request: Request, path: str) -> str:
        """At which other node somebody is who is moving; empty for one who is here.

        Raises:
            OnTheWay: that has taken too long.
        """
        await deferLater(self._adapter.reactor, MOVING_SECONDS)
        if time.perf_counter() - request.began > PATIENCE_SECONDS:
            raise OnTheWay("the calendars are on their way to another node", {"Retry-After": AGAIN_SECONDS})
        await self._mirror.is_current()
        there = await self._where(path)
        return "" if self._is_here(there) else there or ""

    async def _moved(self, request: Request, path: str, *, asserted: bool) -> bool:
        """See to a request for calendars that are on their way; returns False if it has its answer.

        They may be those of somebody else, who is invited.
        """
        node = await self._whereabouts(request, path)
        if node and asserted:
            request.refuse(HTTPStatus.MISDIRECTED_REQUEST, "the principal is at another node")
        elif node:
            await self._hand_on(request, path, node, request.body)
        return not node

    async def _answer_here(self, request: Request, path: str) -> None:
        """Answer a request that was for another node, and is for this one by now."""
        request.moving = partial(self._moved, request, path, asserted=False)
        running = self._adapter.answer(request, path)
        if running is not None:
            await running

    # -- from another node ---------------------------------------------------------------------------------------------

    def _asserted(self, request: Request, path: str, answer: Handler) -> Running | None:
        """Answer what another node has handed on.

        Raises:
            Refusal: it is not proven.
        """
        try:
            assertion = self._doorkeeper.believed(request)
        except NotBelieved:
            connection = Connection(request.origin.address, request.origin.secure)
            raise self._adapter.logins.nobody(connection, "this is not from a node") from None
        except OSError:
            again = ("Retry-After", AGAIN_SECONDS)
            request.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the node cannot write what it must remember", again)
            return None
        request.origin = Client(parse_address(assertion.address), assertion.secure, assertion.host)
        request.request_id = assertion.request_id
        request.requestHeaders.removeHeader(b"authorization")
        if assertion.uid:
            request.vouched = assertion.kind, assertion.uid
        if request.method in _OF_NODES:
            answer = self._answer_porter(path)
        if assertion.revision > self._mirror.revision:
            return self._refusing(request, self._catch_up(request, path, answer, assertion.revision))
        return self._answer_asserted(request, path, answer)

    async def _catch_up(self, request: Request, path: str, answer: Handler, revision: int) -> None:
        """Answer when this node knows of accounts what the other one knew; or as it is, where the directory is away."""
        await self._mirror.reach(revision)
        running = self._answer_asserted(request, path, answer)
        if running is not None:
            await running

    def _answer_asserted(self, request: Request, path: str, answer: Handler) -> Running | None:
        request.moving = partial(self._moved, request, path, asserted=True)
        try:
            there = self._placed(path)
        except TakesLong:
            return answer(request)
        if not self._is_here(there):
            request.refuse(HTTPStatus.MISDIRECTED_REQUEST, "the principal is at another node")
            return None
        return answer(request)

    def _answer_porter(self, path: str) -> Handler:
        return lambda request: self._porter.answer(request, path)

    # -- to another node -----------------------------------------------------------------------------------------------

    async def _hand_on(self, request: Request, path: str, node: str, body: bytes | Intake) -> None:
        async def send(login: Login) -> None:
            there, query = node, f"?{request.query}" if request.query else ""
            while there:
                try:
                    answer = await self._envoy.send(there, request, login, path + query, body=body)
                except Misdirected:
                    if isinstance(body, Intake):
                        raise
                    there = await self._whereabouts(request, path)
                    continue
                if isinstance(body, Intake):
                    await body.over()
                    if body.gone:
                        return
                await give(answer, request)
                return
            await self._answer_here(request, path)

        await self._ask(request, path, body, send)

    async def _ask(self, request: Request, path: str, body: bytes | Intake, ask: Asking) -> None:
        """Let other nodes answer for somebody who has authenticated, or say why not."""
        again = ("Retry-After", AGAIN_SECONDS)
        try:
            login = await self._adapter.asker(request, path)
            request.who = login.actor.uid
            await ask(login)
        except ClientGone:
            return
        except Refusal as refusal:
            await self._refuse(request, body, refusal.status, refusal.reason, *refusal.headers.items())
        except Busy:
            await self._refuse(request, body, HTTPStatus.SERVICE_UNAVAILABLE, "the database is busy", again)
        except NodeAway as error:
            log.warn("a node is away: {error}", error=error)
            await self._refuse(request, body, HTTPStatus.SERVICE_UNAVAILABLE, "the calendars are away", again)
        except NodeSilent as error:
            log.warn("a node is silent: {error}", error=error)
            await self._refuse(request, body, HTTPStatus.GATEWAY_TIMEOUT, "the calendars do not answer")

    async def _refuse(
        self, request: Request, body: bytes | Intake, status: HTTPStatus, reason: str, *fields: tuple[str, str]
    ) -> None:
        """Refuse a request, when its body is through: before, the client might not read the answer."""
        if isinstance(body, Intake):
            body.discard()
            await body.over()
            if body.gone:
                return
        request.refuse(status, reason, *fields)
