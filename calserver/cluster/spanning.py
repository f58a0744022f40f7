"""Requests that concern several nodes: found among all others, and answered with what the nodes say.

What is above homes and what expand-property leads to is `gathering`; COPY and MOVE to another node are a `carriage`;
an If header about resources at other nodes is decided there first (`conditions`).
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol

import attrs
from twisted.internet.defer import DeferredSemaphore

from calserver import dav
from calserver.auth import Login
from calserver.cluster.carriage import Carriage, Place
from calserver.cluster.conditions import decided, placed
from calserver.cluster.envoy import Envoy
from calserver.cluster.gathering import Gathering, is_listing
from calserver.cluster.homes import PAGES
from calserver.cluster.parts import homes_of
from calserver.cluster.paths import At
from calserver.cluster.relay import give
from calserver.dav import Href, Refusal
from calserver.directory import ANONYMOUS, Actor
from calserver.names import D
from calserver.store import Transaction
from calserver.tree import HOME_SEGMENTS
from calserver.web import DavAdapter, Handler, Intake, Request, Running

IN_MEMORY: Final = 8
"""How many requests at a time may have what other nodes send in memory; others wait."""
TWO_PLACES: Final = frozenset({b"COPY", b"MOVE"})
"""Methods with a Destination."""
_GATHERED: Final = frozenset({b"PROPFIND", b"REPORT", *(each.encode() for each in PAGES)})

Asking = Callable[[Login], Coroutine[Any, Any, None]]
"""Answers a request for somebody who has authenticated."""


class Ask(Protocol):
    """Lets a request be answered for who has authenticated, or says why not."""

    async def __call__(self, request: Request, path: str, body: bytes | Intake, ask: Asking) -> None:
        """Have it answered."""


@attrs.frozen(kw_only=True)
class Spanning:
    """Answers requests that concern several nodes.

    Args:
        envoy: asks nodes.
        adapter: of this node.
        mounts: the first segments of paths that lead to homes, and the kinds of principals that have these.
        where: finds the node of a path; None where that is at all nodes.
        ask: finds out who asks, and lets other nodes answer.
        go: begins to answer a request that one node answers, given that.
        rename: answers a MOVE of a shared calendar at another node within a home.
    """

    envoy: Envoy
    adapter: DavAdapter
    mounts: Mapping[str, Sequence[str]]
    where: Callable[[str], Awaitable[At | None]]
    ask: Ask
    go: Callable[[Request, str, At | None, Handler], Running | None]
    rename: Callable[[Request, str, At, Href], Awaitable[None]]
    _room: DeferredSemaphore = attrs.field(init=False, factory=lambda: DeferredSemaphore(IN_MEMORY))

    def take(self, request: Request, path: str, answer: Handler) -> Running | None:
        """Answer a request that may concern several nodes; None for any other.

        Args:
            request: of a client.
            path: below the DAV root, escaped.
            answer: answers it where it concerns this node alone.
        """
        if request.method in TWO_PLACES:
            return self._carry(request, path, answer)
        if is_tagged(request):
            return self._decide(request, path, answer)
        return self._gather(request, path) if request.method in _GATHERED else None

    @property
    def _own(self) -> At:
        return At(self.envoy.identity.name)

    # -- what several nodes have -----------------------------------------------------------------------------------

    def _in_turn(self, ask: Asking) -> Asking:
        """The same, when there is room for it."""

        async def when_there_is_room(login: Login) -> None:
            await self._room.acquire()
            try:
                await ask(login)
            finally:
                self._room.release()

        return when_there_is_room

    def _gather(self, request: Request, path: str) -> Running | None:
        """Answer what has to be gathered; None for anything else."""
        expands = request.method == b"REPORT" and b"expand-property" in request.body
        if not expands and path.strip("/").count("/") > 1:
            return None
        asked = self.adapter.value(request, path, request.body, ANONYMOUS)
        if expands:
            return self._expand(request, path, asked)
        return self._list(request, path, asked) if is_listing(asked, self.mounts) else None

    async def _list(self, request: Request, path: str, asked: dav.Request) -> None:
        """Answer with the homes that there are at all nodes, or that of who asks."""

        async def gather(login: Login) -> None:
            homes = await self.adapter.store.read(lambda txn: self._homes(txn, asked.href, login.actor))
            gathering = self._gathering(request, login, asked)
            await (gathering.page(homes) if asked.method in PAGES else gathering.list(self.mounts, homes))

        await self.ask(request, path, request.body, self._in_turn(gather))

    def _homes(self, txn: Transaction, place: Href, actor: Actor) -> Mapping[At, Sequence[Href]]:
        """The homes at or below a collection that somebody may see, by node."""
        principals = (
            txn.principals.list() if actor.administrator else txn.principals.get_many([actor.principal_id or 0])
        )
        nodes = txn.placements.of([each.id for each in principals])
        found: dict[At, list[Href]] = {}
        for each in principals:
            if each.id in nodes:
                homes = homes_of(self.mounts, place, each.kind, each.uid)
                found.setdefault(At(nodes[each.id]), []).extend(homes)
        return {node: homes for node, homes in found.items() if homes}

    async def _expand(self, request: Request, path: str, asked: dav.Request) -> None:
        """Answer an expand-property, wherever it leads to."""

        async def gather(login: Login) -> None:
            there = await self.where(path) or self._own
            there = self._own if there.part else there  # who has the home knows what else is in it
            root = asked.parsed(dav.xml.body)
            if root is None or root.tag != D("expand-property"):
                await give(await self.envoy.send(there, request, login, path, body=request.body), request)
                return
            most = self.adapter.settings.expand_resources
            await self._gathering(request, login, asked).expand(there, root, most)

        await self.ask(request, path, request.body, self._in_turn(gather))

    def _gathering(self, request: Request, login: Login, asked: dav.Request) -> Gathering:
        return Gathering(envoy=self.envoy, request=request, login=login, asked=asked, where=self.where)

    # -- COPY and MOVE -------------------------------------------------------------------------------------------------

    async def _carry(self, request: Request, path: str, answer: Handler) -> None:
        """Answer a COPY or MOVE: where its two places are at one node, that does it as any request."""
        asked = self.adapter.value(request, path, b"", ANONYMOUS)
        there, target = await self.where(path), await self._destination(asked)
        if there is None or target is None or target.node == there:
            running = self.go(request, path, there, answer)
            if running is not None:
                await running
            return
        await self._carried(request, asked, Place(node=there, path=path), target)

    async def within(self, request: Request, path: str) -> bool:
        """Answer a COPY or MOVE in the home of somebody who is here, if one of its places is in a branch of a home.

        Returns:
            Whether it has its answer.
        """
        asked = self.adapter.value(request, path, b"", ANONYMOUS)
        there, target = await self.where(path), await self._destination(asked)
        if there is None or target is None or target.node == there or not (there.part or target.node.part):
            return False
        await self._carried(request, asked, Place(node=there, path=path), target)
        return True

    async def _carried(self, request: Request, asked: dav.Request, source: Place, target: Place) -> None:
        href = Href.parse(target.path)
        if asked.method == "MOVE" and source.node.part and _is_name_beside(asked.href, href):
            await self.rename(request, source.path, source.node, href)
            return

        async def carry(login: Login) -> None:
            lists = asked.parsed(dav.if_lists)
            carriage = Carriage(
                envoy=self.envoy,
                request=request,
                login=login,
                source=source,
                target=target,
                conditions=lists,
                at_target=[
                    each
                    for node, _, each in await placed(lists, source.node, lambda each: self._place_of(asked, each))
                    if node == target.node
                ],
                most_bytes=2 * self.adapter.settings.body_bytes,
            )
            await carriage.go()

        await self.ask(request, source.path, request.body, self._in_turn(carry))

    async def _destination(self, asked: dav.Request) -> Place | None:
        """The Destination of a request, if it is in somebody's home."""
        try:
            href = dav.destination(asked)
        except Refusal:  # of which the node of the source will tell
            return None
        node = await self.where(str(href))
        return None if node is None else Place(node=node, path=str(href))

    # -- If headers ------------------------------------------------------------------------------------------------

    async def _decide(self, request: Request, path: str, answer: Handler) -> None:
        """Answer a request with conditions on resources that it names: other nodes decide about theirs first."""
        asked, there = self.adapter.value(request, path, b"", ANONYMOUS), await self.where(path)

        async def go_on() -> None:
            running = self.go(request, path, there, answer)
            if running is not None:
                await running

        async def decide(login: Login) -> None:
            field = await decided(self.envoy, request, login, lists, elsewhere)
            request.requestHeaders.setRawHeaders(b"if", [field])
            await go_on()

        try:
            lists = asked.parsed(dav.if_lists)
        except Refusal:  # of which whoever answers will tell
            lists = ()
        elsewhere = await placed(lists, there or self._own, lambda each: self._place_of(asked, each))
        await (self.ask(request, path, request.body, decide) if elsewhere else go_on())

    async def _place_of(self, asked: dav.Request, one: dav.ConditionList) -> tuple[At, Href] | None:
        """Node and place of the resource that a list of an If header names; None for the request's own."""
        try:
            href = dav.local(asked, one.resource) if one.resource else None
        except Refusal:
            return None
        node = None if href is None else await self.where(str(href))
        return None if href is None or node is None else (node, href)


def _is_name_beside(one: Href, other: Href) -> bool:
    """Whether two are direct members of the same home."""
    homes = {each.segments[:HOME_SEGMENTS] for each in (one, other)}
    return len(homes) == 1 and len(one.segments) == len(other.segments) == HOME_SEGMENTS + 1


def may_span(request: Request) -> bool:
    """Whether a request whose body is still to come may concern several nodes."""
    return request.method in TWO_PLACES or is_tagged(request)


def is_tagged(request: Request) -> bool:
    """Whether a request has conditions on resources that it names, its own or others (RFC 4918 section 10.4.2)."""
    values = request.requestHeaders.getRawHeaders(b"if", ())
    return any(each.lstrip().startswith(b"<") for each in values)
