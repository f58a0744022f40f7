"""Which node answers a request: this one, or that of the principal in whose home the path is.

A request of a client for a home elsewhere is handed on, with who has authenticated. One that another node has handed on
is answered here or not at all: where placements disagree for a moment, the client is told to come again, and nothing
goes in circles. What is in a branch of a home here goes on once more, to the node of the branch.
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
from calserver.cluster.branches import Branches, expands
from calserver.cluster.calls import Caller
from calserver.cluster.counts import Counts
from calserver.cluster.envoy import Envoy, Misdirected
from calserver.cluster.identity import Identity
from calserver.cluster.mirror import Mirror
from calserver.cluster.paths import At
from calserver.cluster.places import Places
from calserver.cluster.relay import AGAIN_SECONDS, SAFE, ClientGone, NodeAway, NodeSilent, Relay, give
from calserver.cluster.spanning import TWO_PLACES, Asking, Spanning, may_span
from calserver.dav import Href, Refusal, TakesLong
from calserver.store import Busy
from calserver.web import Client, DavAdapter, Handler, Intake, Request, Running, parse_address

log = Logger()

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
        branches: answers what is here of homes at other nodes.
        accounts: answers changes of accounts, on the directory; None where it is away.
        mirror: knows how far this node follows the directory.
        relay: sends requests to other nodes.
        mounts: the first segments of paths that lead to homes, and the kinds of principals that have these.
        counts: of requests that are handed on.
        doorkeeper: believes nodes.
        caller: asks nodes.
    """

    def __init__(
        self,
        identity: Identity,
        adapter: DavAdapter,
        branches: DavAdapter,
        accounts: Callable[[], Awaitable[DavAdapter | None]],
        mirror: Mirror,
        relay: Relay,
        mounts: Mapping[str, Sequence[str]],
        counts: Counts,
        doorkeeper: Doorkeeper,
        caller: Caller,
    ) -> None:
        self._identity = identity
        self._adapter = adapter
        self._accounts = accounts
        self._mirror = mirror
        self._envoy = Envoy(identity=identity, relay=relay, counts=counts, prefix=adapter.server.public_prefix)
        carrying = dav.Extensions([*adapter.spoken.spoken, porter.porter])
        self._porter = attrs.evolve(adapter, spoken=carrying)
        self._branches, self._branch_porter = branches, attrs.evolve(branches, spoken=carrying)
        self._doorkeeper = doorkeeper
        self._places = Places(adapter.store, identity.name, mounts)
        self._homes = Branches(envoy=self._envoy, adapter=adapter, places=self._places, caller=caller, ask=self._ask)
        self._spanning = Spanning(
            envoy=self._envoy,
            adapter=adapter,
            mounts=mounts,
            where=self._places.find,
            ask=self._ask,
            go=self._go,
            rename=self._homes.rename,
        )

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
                there = self._places.at(path)
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
            there = self._places.at(path[len(prefix) :])
        except TakesLong:
            return None
        if there is None or self._places.is_here(there):
            return None
        return self._hand_on(request, path[len(prefix) :], there, intake)

    def _go(self, request: Request, path: str, there: At | None, answer: Handler) -> Running | None:
        if there is not None and not self._places.is_here(there):
            return self._hand_on(request, path, there, request.body)
        gathered = self._homes.take(request, path, answer)
        if gathered is not None:
            return self._refusing(request, gathered)
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
        there = await self._places.find(path)
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

    # -- people who move -----------------------------------------------------------------------------------------------

    async def _whereabouts(self, request: Request, path: str) -> At | None:
        """At which other node somebody is who is moving; None for one who is here.

        Raises:
            OnTheWay: that has taken too long.
        """
        await deferLater(self._adapter.reactor, MOVING_SECONDS)
        if time.perf_counter() - request.began > PATIENCE_SECONDS:
            raise OnTheWay("the calendars are on their way to another node", {"Retry-After": AGAIN_SECONDS})
        await self._mirror.is_current()
        there = await self._places.find(path)
        if there is not None and there.part:
            await self._homes.refresh(self._places.whose(path) or ("", ""))
            there = await self._places.find(path)
        return None if self._places.is_here(there) else there

    async def _moved(self, request: Request, path: str, *, asserted: bool) -> bool:
        """See to a request for calendars that are on their way; returns False if it has its answer.

        They may be those of somebody else, who is invited.
        """
        there = await self._whereabouts(request, path)
        if there is not None and asserted:
            request.refuse(HTTPStatus.MISDIRECTED_REQUEST, "the principal is at another node")
        elif there is not None:
            await self._hand_on(request, path, there, request.body)
        return there is None

    async def _answer_after_all(self, request: Request, path: str) -> None:
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
            answer = self._answer_by(self._porter, path)
        respond = partial(self._answer_part if assertion.part else self._answer_asserted, request, path, answer)
        if assertion.revision > self._mirror.revision:
            return self._refusing(request, self._catch_up(respond, assertion.revision))
        return respond()

    async def _catch_up(self, respond: Callable[[], Running | None], revision: int) -> None:
        """Answer when this node knows of accounts what the other one knew; or as it is, where the directory is away."""
        await self._mirror.reach(revision)
        running = respond()
        if running is not None:
            await running

    def _answer_asserted(self, request: Request, path: str, answer: Handler) -> Running | None:
        request.moving = partial(self._moved, request, path, asserted=True)
        try:
            there = self._places.at(path)
        except TakesLong:
            return self._refusing(request, self._look_again(request, path, answer))
        return self._answer_at(there, request, path, answer)

    async def _look_again(self, request: Request, path: str, answer: Handler) -> None:
        running = self._answer_at(await self._places.find(path), request, path, answer)
        if running is not None:
            await running

    def _answer_at(self, there: At | None, request: Request, path: str, answer: Handler) -> Running | None:
        """Answer what another node has handed on; what is in a branch goes on once more."""
        if there is not None and not there.part and not self._places.is_here(there):
            request.refuse(HTTPStatus.MISDIRECTED_REQUEST, "the principal is at another node")
            return None
        if request.method in TWO_PLACES:
            return self._refusing(request, self._copy_or_move(there, request, path, answer))
        return self._answer_here(there, request, path, answer)

    async def _copy_or_move(self, there: At | None, request: Request, path: str, answer: Handler) -> None:
        if await self._spanning.within(request, path):
            return
        running = self._answer_here(there, request, path, answer)
        if running is not None:
            await running

    def _answer_here(self, there: At | None, request: Request, path: str, answer: Handler) -> Running | None:
        if there is not None and there.part and not expands(request):
            return self._hand_on(request, path, there, request.body)
        gathered = self._homes.take(request, path, answer)
        return answer(request) if gathered is None else self._refusing(request, gathered)

    def _answer_part(self, request: Request, path: str, answer: Handler) -> Running | None:
        """Answer with what is here of a home, whether it is that of somebody who is here or a branch."""
        return self._refusing(request, self._part(request, path, answer))

    async def _part(self, request: Request, path: str, answer: Handler) -> None:
        whose = self._places.whose(path)
        if whose is not None and (await self._places.reside(whose)).node != self._identity.name:
            if not await self._places.has_branch(path):
                request.refuse(HTTPStatus.MISDIRECTED_REQUEST, "nothing is shared here under this name")
                return
            request.moving = partial(self._moved, request, path, asserted=True)
            of_nodes = request.method in _OF_NODES
            answer = self._answer_by(self._branch_porter if of_nodes else self._branches, path)
        running = answer(request)
        if running is not None:
            await running

    def _answer_by(self, adapter: DavAdapter, path: str) -> Handler:
        return lambda request: adapter.answer(request, path)

    # -- to another node -----------------------------------------------------------------------------------------------

    async def _hand_on(self, request: Request, path: str, at: At, body: bytes | Intake) -> None:
        async def send(login: Login) -> None:
            query = f"?{request.query}" if request.query else ""
            there: At | None = at
            while there is not None:
                try:
                    answer = await self._envoy.send(there, request, login, path + query, body=body)
                except Misdirected:
                    if isinstance(body, Intake):
                        raise
                    there = await self._whereabouts(request, path)
                    continue
                if there.part and request.method in (b"PROPPATCH", b"MOVE"):
                    await self._homes.refresh(self._places.whose(path) or ("", ""))
                if isinstance(body, Intake):
                    await body.over()
                    if body.gone:
                        return
                await give(answer, request)
                return
            await self._answer_after_all(request, path)

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
