"""Homes of which a part is at other nodes: calendars that somebody there shares (`calserver.calendars.branches`).

Who looks at a home gets what is in its branches among the own members. Before that the nodes of the branches are asked
what has changed there, so that tags and sync tokens of the home are right; those of a node that is away change later.
An invitation is answered at the node of the sharer, wherever the answer arrives.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger

from calserver import caldav, calendars, dav
from calserver.auth import Login
from calserver.calendars import branches
from calserver.cluster import parts
from calserver.cluster.calls import Caller, Declined
from calserver.cluster.envoy import Envoy, Heard
from calserver.cluster.paths import At
from calserver.cluster.places import Places, Whose
from calserver.cluster.relay import NodeAway, NodeSilent, request_fields
from calserver.cluster.spanning import Ask
from calserver.dav import Depth, Element, Href, Refusal, ValidSyncToken, xml
from calserver.directory import ANONYMOUS
from calserver.names import C, D
from calserver.store import Store, Transaction
from calserver.tree import HOME_SEGMENTS, Token
from calserver.web import DavAdapter, Handler, Request, Running

log = Logger()

BRANCH: Final = "branch"
"""The act by which a node is asked what is in a branch."""
SECONDS: Final = 5.0
"""How long a node is waited for that is asked what is in a branch."""
_XML: Final = [b"application/xml; charset=utf-8"]
_LEFT_OUT: Final = (b"accept-encoding", b"depth", b"prefer", b"content-type")


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
        if request.method not in _METHODS or not path.strip("/").startswith(caldav.mount.name):
            return None
        segments = Href.parse(path).segments
        whose = self.places.whose(path)
        if whose is None:
            return None
        if request.method == b"POST":
            is_reply = len(segments) == HOME_SEGMENTS or segments[HOME_SEGMENTS] == calendars.NOTIFICATIONS
            return self._reply(request, path, whose, answer) if is_reply and b"invite-reply" in request.body else None
        return self._look(request, path, whose, answer) if len(segments) == HOME_SEGMENTS else None

    async def _look(self, request: Request, path: str, whose: Whose, answer: Handler) -> None:
        if not (await self.places.reside(whose)).signposts:
            await _running(answer(request))
            return

        async def look(login: Login) -> None:
            await self.refresh(whose)
            home = Home(self.envoy, request, login, path)
            heard = await home.hear(At(self.envoy.identity.name, part=True), path, request.body, home.fields)
            if heard.status == HTTPStatus.MULTI_STATUS:
                known = await self.adapter.store.read(lambda txn: branches.signposts(txn, *whose))
                ways = (await self.places.reside(whose)).signposts
                asked = self.adapter.value(request, path, request.body, ANONYMOUS)
                try:
                    heard = await home.filled(heard, asked, {each.name: each for each in known}, ways)
                except ValidSyncToken as refused:
                    body = xml.error(dav.condition(refused), xml.element(D("responsedescription"), refused.reason))
                    heard = Heard(refused.status, (xml.CONTENT_TYPE,), body)
            request.respond(heard.status, heard.fields, heard.body)

        await self.ask(request, path, request.body, look)

    # -- what is in branches -------------------------------------------------------------------------------------------

    async def refresh(self, whose: Whose, more: Iterable[str] = ()) -> None:
        """Have signposts to what there is now, as far as nodes answer: those where signposts lead to, and more."""
        residence = await self.places.reside(whose)
        nodes = {each.node for each in residence.signposts.values()} | set(more)
        who, known = await self.adapter.store.read(
            lambda txn: (txn.principals.by_uid(*whose), branches.signposts(txn, *whose))
        )
        if who is not None:
            await _all([self._follow(who.id, known, each) for each in nodes - {self.envoy.identity.name}])

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
            home = Home(self.envoy, request, login, str(Href(asked.href.segments[:HOME_SEGMENTS], collection=True)))
            there = At(node, part=True)
            heard = await home.hear(there, home.path, reply.body(), {**home.fields, b"content-type": _XML})
            await self.refresh(whose, (node,))
            status, fields, body = caldav.reply_answer(asked, reply, heard.status, heard.fields, heard.body)
            request.respond(status, fields, body)

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


Questions = Callable[..., Awaitable[Sequence[Element]]]
"""`Home._ask` of one calendar."""


@attrs.frozen
class Home:
    """A request to a home, and how its parts are asked for."""

    envoy: Envoy
    request: Request
    login: Login
    path: str
    """Of the home."""

    @property
    def fields(self) -> Mapping[bytes, list[bytes]]:
        """Of the request, but for how an answer is coded."""
        return {name: each for name, each in request_fields(self.request).items() if name != b"accept-encoding"}

    async def hear(
        self, at: At, path: str, body: bytes, fields: Mapping[bytes, list[bytes]], method: str | None = None
    ) -> Heard:
        """What a node answers."""
        return await self.envoy.hear(at, self.request, self.login, path, body, fields, method)

    async def filled(
        self, heard: Heard, asked: dav.Request, known: Mapping[str, branches.Signpost], ways: Mapping[str, At]
    ) -> Heard:
        """An answer about a home, with what other nodes say in the place of signposts.

        Raises:
            ValidSyncToken: what has changed in a branch since the token of the request is not known any more.
        """
        root = parts.read(heard.body)
        question = asked.parsed(xml.body) if asked.method == "REPORT" else None
        tag = None if question is None else question.tag
        places = parts.by_name(root, asked.href, asked.prefix, deep=tag == C("calendar-multiget"))
        if tag == C("calendar-query") and asked.parsed(dav.depth) is Depth.INFINITY:
            places = {name: [] for name in known}
        places = {name: responses for name, responses in places.items() if name in known}
        told = await _all([self._told(asked, question, known[name], ways.get(name), places[name]) for name in places])
        for (name, responses), found in zip(places.items(), told, strict=True):
            path = asked.prefix + str(_child(asked, name))
            parts.put_in_place(root, responses, [parts.away(path)] if found is None else found)
        return attrs.evolve(heard, body=parts.written(root))

    async def _told(
        self,
        asked: dav.Request,
        question: Element | None,
        known: branches.Signpost,
        at: At | None,
        responses: Sequence[Element],
    ) -> Sequence[Element] | None:
        """What a node says of a shared calendar; None if it is away."""
        if at is None:
            return None
        ask = partial(self._ask, at, str(_child(asked, known.name)))
        try:
            if question is None:
                deep = asked.parsed(dav.depth) in (None, Depth.INFINITY)
                return await ask(self.request.body, depth=b"infinity" if deep else b"0")
            if question.tag == D("sync-collection"):
                return await self._changed(ask, parts.SyncQuestion.of(question, asked.headers.get("depth", "")), known)
            if question.tag == C("calendar-multiget"):
                return await ask(parts.multiget(question, responses))
            return await ask(self.request.body, depth=b"infinity")
        except (NodeAway, NodeSilent) as error:
            log.warn("{name} is away: {error}", name=known.name, error=error)
            return None

    async def _changed(
        self, ask: Questions, question: parts.SyncQuestion, known: branches.Signpost
    ) -> Sequence[Element]:
        """What has changed in a shared calendar; itself at least, or there would be no signpost in the report."""
        if not question.deep:
            return await ask(question.propfind(), method="PROPFIND")
        if not question.token:
            return await ask(question.report(""))
        since = known.known_at(Token.parse(question.token).revision)
        if since is None:
            raise ValidSyncToken("the sync token is too old")
        changed = await ask(question.report(str(Token(known.resource_id, since))))
        return [*await ask(question.propfind(), method="PROPFIND"), *changed]

    async def _ask(
        self, at: At, path: str, body: bytes, *, depth: bytes = b"0", method: str | None = None
    ) -> Sequence[Element]:
        fields = {name: each for name, each in self.fields.items() if name not in _LEFT_OUT}
        fields |= {b"depth": [depth], b"content-type": _XML}
        heard = await self.hear(at, path, body, fields, method)
        if heard.status == HTTPStatus.MULTI_STATUS:
            return list(parts.read(heard.body).iterchildren(D("response")))
        if heard.status == HTTPStatus.FORBIDDEN and ValidSyncToken.name.rpartition("}")[2].encode() in heard.body:
            raise ValidSyncToken("the sync token is too old")
        if heard.status in _GONE:
            return ()
        raise NodeAway(f"the answer is {heard.status}")


_METHODS: Final = frozenset({b"PROPFIND", b"REPORT", b"POST"})
_GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN})


def _child(asked: dav.Request, name: str) -> Href:
    return Href((*asked.href.segments, name), collection=True)


def _is_known(known: Iterable[branches.Signpost], there: Iterable[branches.Shared], here: frozenset[int]) -> bool:
    """Whether there are signposts to what is in a branch, and to nothing else of who shares there."""
    wanted = {each.name: each for each in there}
    mine = {each.name: each.shared for each in known if each.name in wanted or each.sharer in here}
    return mine == wanted


async def _running(running: Running | None) -> None:
    if running is not None:
        await running


async def _all(asking: Iterable[Any]) -> Sequence[Any]:
    """What all say, asked at once; raises what the first raises that fails."""
    try:
        found: Sequence[Any] = await gatherResults(
            [Deferred.fromCoroutine(each) for each in asking], consumeErrors=True
        )
    except FirstError as error:
        cause: Any = error.subFailure.value
        raise cause from None
    return found
