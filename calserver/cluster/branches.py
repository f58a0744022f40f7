"""Homes of which a part is at other nodes: calendars that somebody there shares (`calserver.calendars.branches`).

Who looks at a home gets what is in its branches among the own members. Before that the nodes of the branches are asked
what has changed there, so that tags and sync tokens of the home are right; those of a node that is away change later.
An invitation is answered at the node of the sharer, wherever the answer arrives.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import attrs
from twisted.logger import Logger

from calserver import caldav, calendars, dav
from calserver.auth import Login
from calserver.calendars import branches
from calserver.cluster import parts
from calserver.cluster.calls import Caller, Declined
from calserver.cluster.envoy import Envoy, Heard
from calserver.cluster.expansions import Expansion
from calserver.cluster.homes import PAGES, XML, Home, together
from calserver.cluster.paths import At
from calserver.cluster.places import Places, Whose
from calserver.cluster.relay import NodeAway, NodeSilent
from calserver.cluster.spanning import Ask
from calserver.dav import Depth, Element, Forbidden, Href, PreconditionFailed, Refusal, ValidSyncToken, xml
from calserver.directory import ANONYMOUS, Actor
from calserver.names import D
from calserver.store import Held, Principal, Store, Transaction
from calserver.tree import HOME_SEGMENTS
from calserver.web import DavAdapter, Handler, Request, Running

log = Logger()

BRANCH: Final = "branch"
"""The act by which a node is asked what is in a branch."""
SECONDS: Final = 5.0
"""How long a node is waited for that is asked what is in a branch."""


async def in_branch(store: Store, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is in the branch of a sharee at this node (`calserver.cluster.calls.Act`)."""

    def look(txn: Transaction) -> Mapping[str, Any]:
        found = branches.told(txn, asked["principal"])
        here = branches.here(txn, asked["sharers"])
        return {"shared": [attrs.asdict(each) for each in found], "here": sorted(here)}

    return await store.read(look)


@attrs.frozen(kw_only=True)
class Branches:
    """Answers for homes here of which a part is elsewhere.

    Args:
        envoy: asks nodes in the name of clients.
        adapter: of this node.
        places: knows what is where.
        caller: asks nodes.
        ask: finds out who asks, and lets other nodes answer.
    """

    envoy: Envoy
    adapter: DavAdapter
    places: Places
    caller: Caller
    ask: Ask

    def take(self, request: Request, path: str, answer: Handler) -> Running | None:
        """Answer a request to a home here that concerns other nodes; None for any other.

        Args:
            request: of a client, or handed on by a node.
            path: below the DAV root, escaped.
            answer: answers it where it concerns this node alone.
        """
        if request.method not in _METHODS:
            return None
        if expands(request) and (self.places.whose(path) is not None or b"home-set" in request.body):
            return self._expand(request, path)
        segments = Href.parse(path).segments
        if segments[:1] not in ((), (caldav.mount.name,)):
            return None
        whose = self.places.whose(path)
        if whose is None:
            return self._look_from_above(request, path, answer) if self._is_deep(request, path) else None
        if request.method == b"POST":
            is_reply = len(segments) == HOME_SEGMENTS or segments[HOME_SEGMENTS] == calendars.NOTIFICATIONS
            return self._reply(request, path, whose, answer) if is_reply and b"invite-reply" in request.body else None
        return self._look(request, path, whose, answer) if len(segments) == HOME_SEGMENTS else None

    # -- homes ---------------------------------------------------------------------------------------------------------

    async def _look(self, request: Request, path: str, whose: Whose, answer: Handler) -> None:
        if not (await self.places.reside(whose)).signposts:
            await _running(answer(request))
            return

        async def look(login: Login) -> None:
            await self.refresh(whose)
            home = self._home(request, login, path)
            heard = await home.own()
            try:
                heard = await home.completed(heard, *await self._known(whose))
            except ValidSyncToken as refused:
                body = xml.error(dav.condition(refused), xml.element(D("responsedescription"), refused.reason))
                heard = Heard(refused.status, (xml.CONTENT_TYPE,), body)
            request.respond(heard.status, heard.fields, heard.body)

        await self.ask(request, path, request.body, look)

    def _is_deep(self, request: Request, path: str) -> bool:
        """Whether a request above homes is about what is in them."""
        if request.method == b"PROPFIND":
            asked = self.adapter.value(request, path, request.body, ANONYMOUS)
            return asked.parsed(dav.depth) in (None, Depth.INFINITY)
        return request.method == b"REPORT" and b"principal-match" in request.body

    async def _look_from_above(self, request: Request, path: str, answer: Handler) -> None:
        """Answer a listing of homes, and all that is in them, for who sees them."""

        async def look(login: Login) -> None:
            people = await self._split(login.actor)
            if not people:
                await _running(answer(request))
                return
            await together([self.refresh((each.kind, each.uid)) for each in people])
            above = attrs.evolve(self._home(request, login, path), seconds=SECONDS)
            heard = await above.own()
            if heard.status == HTTPStatus.MULTI_STATUS:
                heard = await self._filled(above, heard, [(each.kind, each.uid) for each in people])
            request.respond(heard.status, heard.fields, heard.body)

        await self.ask(request, path, request.body, look)

    async def _filled(self, above: Home, heard: Heard, people: Iterable[Whose]) -> Heard:
        """A listing, with what other nodes say of what is in the homes of some people."""
        root = parts.read(heard.body)
        responses = parts.by_home(root, above.asked.prefix)
        homes = {whose: caldav.mount.home_href(*whose) for whose in people}

        async def fill(whose: Whose, href: Href) -> None:
            known, ways = await self._known(whose)
            await attrs.evolve(above, href=href).fill(root, responses[href], known, ways)

        await together([fill(whose, href) for whose, href in homes.items() if href in responses])
        return attrs.evolve(heard, body=parts.written(root))

    async def _split(self, actor: Actor) -> Sequence[Principal]:
        """Of whose homes, that somebody sees, a part is elsewhere; nobody while one of them is on the way."""

        def look(txn: Transaction) -> Sequence[Principal]:
            seen = [each.id for each in txn.principals.list()] if actor.administrator else [actor.principal_id or 0]
            return branches.split(txn, seen)

        try:
            found: Sequence[Principal] = await self.adapter.store.read(look)
        except Held:
            return ()
        return found

    async def _known(self, whose: Whose) -> tuple[Mapping[str, branches.Signpost], Mapping[str, At]]:
        """The signposts in a home, and where they lead to."""
        known = await self.adapter.store.read(lambda txn: branches.signposts(txn, *whose))
        return {each.name: each for each in known}, (await self.places.reside(whose)).signposts

    def _home(self, request: Request, login: Login, path: str) -> Home:
        """The home in which a path is, and the request about it."""
        asked = self.adapter.value(request, path, request.body, ANONYMOUS)
        href = Href(asked.href.segments[:HOME_SEGMENTS], collection=True)
        return Home(envoy=self.envoy, request=request, login=login, asked=asked, href=href)

    # -- expand-property ---------------------------------------------------------------------------------------------

    async def _expand(self, request: Request, path: str) -> None:
        """Answer an expand-property that begins in a branch of a home here, or leads to one, or to a home with one."""
        here = At(self.envoy.identity.name, part=True)
        there = await self.places.find(path)
        start = there if there is not None and there.part else here

        async def expand(login: Login) -> None:
            home = self._home(request, login, path)
            root = home.asked.parsed(xml.body)
            heard = await home.hear(start, path, request.body, home.fields)
            if heard.status == HTTPStatus.MULTI_STATUS and root is not None:
                tree = parts.read(heard.body)
                if await self._refreshed(tree, home.asked.prefix):
                    heard = await home.hear(start, path, request.body, home.fields)
                    tree = parts.read(heard.body)

                async def ask(there: At, hole: parts.Hole) -> Heard | None:
                    return await home.part_of(there, hole.href, hole.request())

                most = self.adapter.settings.expand_resources
                expansion = Expansion(where=self._knows_more, ask=ask, prefix=home.asked.prefix, most=most)
                await expansion.complete(tree, root, start)
                heard = attrs.evolve(heard, body=parts.written(tree))
            request.respond(heard.status, heard.fields, heard.body)

        await self.ask(request, path, request.body, expand)

    async def _knows_more(self, before: At, hole: parts.Hole) -> At | None:
        """The node that knows more of what is in a home here than one that has answered.

        What is at other nodes besides is asked by who has handed the request on.
        """
        here = At(self.envoy.identity.name, part=True)
        there = await self.places.find(str(hole.href))
        if there is None or not (there.part or self.places.is_here(there)):
            return None
        there = there if there.part else here
        return None if there == before else there

    async def _refreshed(self, tree: Element, prefix: str) -> bool:
        """Whether an answer is about homes that have branches; they are up to date now."""
        found = [parts.path_of(each, prefix) for each in tree.iter(D("response"))]
        homes = {each.segments[1:] for each in found if each is not None and len(each.segments) == HOME_SEGMENTS}
        split = [each for each in homes if (await self.places.reside(each)).signposts]
        await together([self.refresh(each) for each in split])
        return bool(split)

    # -- names ---------------------------------------------------------------------------------------------------------

    async def rename(self, request: Request, path: str, at: At, target: Href) -> None:
        """Answer a MOVE of a shared calendar at another node, which gets another name in the home.

        Args:
            request: of a client.
            path: of the shared calendar.
            at: its node.
            target: the Destination, in the same home.
        """

        async def send(login: Login) -> None:
            home = self._home(request, login, path)
            found = await home.look(target)
            if found.status == HTTPStatus.MULTI_STATUS:
                if not home.asked.parsed(dav.overwrite):
                    raise PreconditionFailed("there is a resource at the Destination, and Overwrite is F")
                raise Forbidden("a shared calendar at another node does not take the place of something else")
            if found.status == HTTPStatus.NOT_FOUND:
                found = await home.hear(at, path, b"", home.fields)
                await self._refresh(home, at.node)
            request.respond(found.status, found.fields, found.body)

        await self.ask(request, path, b"", send)

    async def _named(self, home: Home, node: str, where: str, slug: str) -> str:
        """Let a shared calendar that is new have the name that its sharee wants for it; returns where it is then.

        The name that it has stays where there is something of that name.
        """
        target = home.href.child(slug, collection=True)
        if (await home.look(target)).status != HTTPStatus.NOT_FOUND:
            return where
        path = home.asked.prefix + str(target)
        fields = {b"destination": [path.encode()], b"overwrite": [b"F"]}
        heard = await home.hear(At(node, part=True), where.removeprefix(home.asked.prefix), b"", fields, "MOVE")
        await self._refresh(home, node)
        return path if heard.status == HTTPStatus.CREATED else where

    async def _refresh(self, home: Home, node: str) -> None:
        _, kind, uid = home.href.segments
        await self.refresh((kind, uid), (node,))

    # -- what is in branches -------------------------------------------------------------------------------------------

    async def refresh(self, whose: Whose, more: Iterable[str] = ()) -> None:
        """Have signposts to what there is now, as far as nodes answer: those where signposts lead to, and more."""
        residence = await self.places.reside(whose)
        nodes = {each.node for each in residence.signposts.values()} | set(more)
        who, known = await self.adapter.store.read(
            lambda txn: (txn.principals.by_uid(*whose), branches.signposts(txn, *whose))
        )
        if who is not None:
            await together([self._follow(who.id, known, each) for each in nodes - {self.envoy.identity.name}])

    async def _follow(self, principal_id: int, known: Sequence[branches.Signpost], node: str) -> None:
        sharers = sorted({each.sharer for each in known})
        try:
            heard = await self.caller.ask(node, BRANCH, seconds=SECONDS, principal=principal_id, sharers=sharers)
        except (NodeAway, NodeSilent, Declined) as error:
            log.warn("{node} does not say what is shared there: {error}", node=node, error=error)
            return
        there = [branches.Shared(**each) for each in heard["shared"]]
        here = frozenset(heard["here"])
        if not _is_known(known, there, here):
            await self.adapter.store.write(lambda txn: branches.follow(txn, principal_id, there, here))

    # -- answers to invitations ----------------------------------------------------------------------------------------

    async def _reply(self, request: Request, path: str, whose: Whose, answer: Handler) -> None:
        asked = self.adapter.value(request, path, request.body, ANONYMOUS)
        try:
            reply = caldav.invite_reply(asked)
        except Refusal:  # of which whoever answers will tell
            reply = None
        node = None if reply is None else await self._node_of(asked, whose, reply)
        if reply is None or node is None or node == self.envoy.identity.name:
            await _running(answer(request))
            return

        async def send(login: Login) -> None:
            home = self._home(request, login, path)
            before = (await self.places.reside(whose)).signposts
            there, fields = At(node, part=True), {**home.fields, b"content-type": XML}
            heard = await home.hear(there, str(home.href), reply.body(), fields)
            await self.refresh(whose, (node,))
            where = caldav.shared_as(asked, heard.status, heard.body)
            if where and reply.slug and Href.parse(where.removeprefix(asked.prefix)).name not in before:
                where = await self._named(home, node, where, reply.slug)
            request.respond(*caldav.reply_answer(reply, where, heard.status, heard.fields, heard.body))

        await self.ask(request, path, request.body, send)

    async def _node_of(self, asked: dav.Request, whose: Whose, reply: caldav.InviteReply) -> str | None:
        """The node of the sharer: the one that an answer names, or the one whose invitation it is."""
        try:
            href = dav.local(asked, reply.hosturl) if reply.hosturl else None
        except Refusal:
            href = None
        at = None if href is None else await self.places.find(str(href))
        if at is not None:
            return at.node
        found: str | None = await self.adapter.store.read(lambda txn: branches.invited_by(txn, *whose, reply.uid))
        return found


_METHODS: Final = frozenset({b"PROPFIND", b"REPORT", b"POST", *(each.encode() for each in PAGES)})


def expands(request: Request) -> bool:
    """Whether a request is an expand-property."""
    return request.method == b"REPORT" and b"expand-property" in request.body


def _is_known(known: Iterable[branches.Signpost], there: Iterable[branches.Shared], here: frozenset[int]) -> bool:
    """Whether there are signposts to what is in a branch, and to nothing else of who shares there."""
    wanted = {each.name: each for each in there}
    mine = {each.name: each.shared for each in known if each.name in wanted or each.sharer in here}
    return mine == wanted


async def _running(running: Running | None) -> None:
    if running is not None:
        await running
