"""What is answered about a home of which parts are at other nodes: what this node says, and what the others say.

This node answers first, with signposts for what is elsewhere (`calserver.calendars.branches`); then the nodes of those
are asked, all at once, and what they say takes the place of the signposts. What is at a node that is away is reported
by 503; of busy time it is left out.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.defer import Deferred, DeferredSemaphore, FirstError, gatherResults
from twisted.logger import Logger

from calserver import caldav, dav
from calserver.auth import Login
from calserver.calendars import branches
from calserver.cluster import parts
from calserver.cluster.envoy import SECONDS, Envoy, Heard
from calserver.cluster.paths import At
from calserver.cluster.relay import NodeAway, NodeSilent, request_fields
from calserver.dav import Depth, Element, Href, ValidSyncToken, xml
from calserver.names import C, D
from calserver.tree import Token, page_of
from calserver.web import Request

log = Logger()

XML: Final = [b"application/xml; charset=utf-8"]
PAGES: Final = ("GET", "HEAD")
"""Methods with which a browser asks."""
_LEFT_OUT: Final = frozenset({b"accept-encoding", b"range"})
_OF_HOME: Final = frozenset({b"depth", b"prefer", b"content-type"})
_ROWS: Final = b'<propfind xmlns="DAV:"><prop><displayname/><getcontentlength/></prop></propfind>'

T = TypeVar("T")
AT_ONCE: Final = 8
"""How many questions of one request are asked at a time."""
Questions = Callable[..., Awaitable[Sequence[Element]]]
"""`Home._ask` of one calendar."""


@attrs.frozen(kw_only=True)
class Home:
    """A question about a home, and how its parts are asked for.

    Args:
        envoy: asks nodes in the name of clients.
        request: of the client.
        login: who the client is.
        asked: the question; mostly the request as a value.
        href: of the home.
        seconds: how long another node is waited for.
    """

    envoy: Envoy
    request: Request
    login: Login
    asked: dav.Request
    href: Href
    seconds: float = SECONDS

    @property
    def fields(self) -> Mapping[bytes, list[bytes]]:
        """Of the request, but for how an answer is coded."""
        return {name: each for name, each in request_fields(self.request).items() if name not in _LEFT_OUT}

    async def own(self) -> Heard:
        """What this node answers, with signposts."""
        method = "GET" if self.asked.method in PAGES else self.asked.method
        return await self.hear(self._here, str(self.asked.href), self.asked.body, self.fields, method)

    async def hear(
        self, at: At, path: str, body: bytes, fields: Mapping[bytes, list[bytes]], method: str | None = None
    ) -> Heard:
        """What a node answers."""
        seconds = SECONDS if at == self._here else self.seconds
        return await self.envoy.hear(at, self.request, self.login, path, body, fields, method, seconds)

    async def completed(self, heard: Heard, known: Mapping[str, branches.Signpost], ways: Mapping[str, At]) -> Heard:
        """The own answer, with what other nodes say.

        Args:
            heard: the own answer.
            known: the signposts in the home, by name.
            ways: where they lead to, as far as that is known.

        Raises:
            ValidSyncToken: what has changed in a branch since the token of the request is not known any more.
        """
        if heard.status == HTTPStatus.MULTI_STATUS:
            root = parts.read(heard.body)
            await self.fill(root, list(root.iterchildren(D("response"))), known, ways)
            return attrs.evolve(heard, body=parts.written(root))
        if heard.status != HTTPStatus.OK:
            return heard
        if self.asked.method in PAGES:
            return await self._page(heard, known, ways)
        question = self.asked.parsed(xml.body) if self.asked.method == "REPORT" else None
        if question is not None and question.tag == C("free-busy-query"):
            return await self._busy(heard, question, known, ways)
        return heard

    # -- properties and objects ----------------------------------------------------------------------------------------

    async def fill(
        self,
        root: Element,
        responses: Sequence[Element],
        known: Mapping[str, branches.Signpost],
        ways: Mapping[str, At],
    ) -> None:
        """Put what other nodes say in the place of what is said of signposts in a multistatus.

        Args:
            root: the multistatus.
            responses: those in it that are about the home and what is in it.
            known: see `completed`.
            ways: the same.
        """
        asked = self.asked
        question = asked.parsed(xml.body) if asked.method == "REPORT" else None
        tag = None if question is None else question.tag
        places = parts.by_name(responses, self.href, asked.prefix, deep=tag == C("calendar-multiget"))
        places = {name: some for name, some in places.items() if name in known}
        if tag == D("principal-match"):
            await self._match(root, places, ways)
            return
        if tag == C("calendar-query") and asked.parsed(dav.depth) is Depth.INFINITY:
            places = {name: [] for name in known}
        told = await together([self._told(question, known[name], ways.get(name), places[name]) for name in places])
        for (name, some), found in zip(places.items(), told, strict=True):
            parts.put_in_place(root, some, [self._away(name)] if found is None else found)

    async def _match(self, root: Element, places: Mapping[str, Sequence[Element]], ways: Mapping[str, At]) -> None:
        """Put in their place what matches (RFC 3744 section 9.3): it is a node that knows what is in its branch."""
        for some in places.values():
            parts.put_in_place(root, some, ())
        nodes = sorted({each.node for each in ways.values()})
        for node, heard in zip(nodes, await together(map(self._of_branch, nodes)), strict=True):
            found = [self._away(name) for name, each in ways.items() if each.node == node]
            if heard is not None:
                answer = parts.read(heard.body) if heard.status == HTTPStatus.MULTI_STATUS else ()
                found = [each for each in answer if each.tag == D("response")]
            parts.put_in_place(root, (), found)

    async def _told(
        self, question: Element | None, known: branches.Signpost, at: At | None, responses: Sequence[Element]
    ) -> Sequence[Element] | None:
        """What a node says of a shared calendar; None if it is away."""
        if at is None:
            return None
        ask = partial(self._ask, at, str(self._child(known.name)))
        try:
            if question is None:
                deep = self.asked.parsed(dav.depth) in (None, Depth.INFINITY)
                return await ask(self.asked.body, depth=b"infinity" if deep else b"0")
            if question.tag == D("sync-collection"):
                synced = parts.SyncQuestion.of(question, self.asked.headers.get("depth", ""))
                return await self._changed(ask, synced, known)
            if question.tag == C("calendar-multiget"):
                return await ask(parts.multiget(question, responses))
            return await ask(self.asked.body, depth=b"infinity")
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
        fields = {name: each for name, each in self.fields.items() if name not in _OF_HOME}
        fields |= {b"depth": [depth], b"content-type": XML}
        heard = await self.hear(at, path, body, fields, method or self.asked.method)
        if heard.status == HTTPStatus.MULTI_STATUS:
            return list(parts.read(heard.body).iterchildren(D("response")))
        if heard.status == HTTPStatus.FORBIDDEN and ValidSyncToken.name.rpartition("}")[2].encode() in heard.body:
            raise ValidSyncToken("the sync token is too old")
        if heard.status in _GONE:
            return ()
        raise NodeAway(f"the answer is {heard.status}")

    # -- pages ---------------------------------------------------------------------------------------------------------

    async def _page(self, page: Heard, known: Mapping[str, branches.Signpost], ways: Mapping[str, At]) -> Heard:
        """The page of the home, with what other nodes say of what is there."""
        asked = attrs.evolve(self.asked, method="PROPFIND", headers=dav.Headers([("Depth", "1")]), body=_ROWS)
        heard = await self.look(self.href, depth=b"1")
        if heard.status != HTTPStatus.MULTI_STATUS:
            return page
        root = parts.read(heard.body)
        await attrs.evolve(self, asked=asked).fill(root, list(root), known, ways)
        return attrs.evolve(page, body=page_of(self.href, parts.rows(root, self.href, asked.prefix)))

    async def look(self, href: Href, depth: bytes = b"0") -> Heard:
        """Names and sizes, as this node knows them."""
        fields = {b"depth": [depth], b"content-type": XML}
        return await self.hear(self._here, str(href), _ROWS, fields, "PROPFIND")

    # -- busy time -----------------------------------------------------------------------------------------------------

    async def _busy(
        self, own: Heard, question: Element, known: Mapping[str, branches.Signpost], ways: Mapping[str, At]
    ) -> Heard:
        """When the owner is busy (RFC 4791 section 7.10), by what the sharee wants to count at other nodes, too."""
        nodes = {ways[name].node for name, each in known.items() if name in ways and not each.transparent}
        told = await together(map(self._of_branch, sorted(nodes)))
        texts = [own.body, *(each.body for each in told if each is not None and each.status == HTTPStatus.OK)]
        when = caldav.free_busy_asked(question)
        return attrs.evolve(own, body=caldav.free_busy_joined(texts, when, datetime.now(UTC)))

    # -- branches ------------------------------------------------------------------------------------------------------

    async def _of_branch(self, node: str) -> Heard | None:
        """What a node answers to the same about its branch of the home; None if it is away."""
        return await self.part_of(At(node, part=True), self.href, self.asked.body)

    async def part_of(self, at: At, href: Href, body: bytes) -> Heard | None:
        """What a node that has a part of the answer says to the same method; None if it is away."""
        fields = {name: each for name, each in self.fields.items() if name in (b"depth", b"content-type")}
        try:
            return await self.hear(at, str(href), body, fields, self.asked.method)
        except (NodeAway, NodeSilent) as error:
            log.warn("{node} says nothing of its part of {path}: {error}", node=at.node, path=href, error=error)
            return None

    # -- paths ---------------------------------------------------------------------------------------------------------

    @property
    def _here(self) -> At:
        return At(self.envoy.identity.name, part=True)

    def _child(self, name: str) -> Href:
        return Href((*self.href.segments, name), collection=True)

    def _away(self, name: str) -> Element:
        return parts.away(self.asked.prefix + str(self._child(name)))


_GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN})


async def together(asking: Iterable[Coroutine[Any, Any, T]]) -> Sequence[T]:
    """What all say, some asked at a time; raises what the first raises that fails."""
    room = DeferredSemaphore(AT_ONCE)
    try:
        found: Sequence[T] = await gatherResults(
            [room.run(Deferred.fromCoroutine, each) for each in asking], consumeErrors=True
        )
    except FirstError as error:
        cause: Any = error.subFailure.value
        raise cause from None
    return found
