"""Requests to which several nodes have the answer together: all are asked at once, and who does not answer is away.

What lies above the homes (``/dav/calendars/user/``) is at each node, with the homes that are there: an administrator
sees those of all nodes, everybody else the own one. What expand-property leads to may be in a home at any node. Parts
of a node that is away are reported by 503 where they belong, and the others are answered.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final

import attrs
from twisted.logger import Logger

from calserver.auth import Login
from calserver.cluster import parts
from calserver.cluster.envoy import Envoy, Fields, Heard
from calserver.cluster.expansions import Expansion
from calserver.cluster.homes import PAGES, together
from calserver.cluster.paths import At
from calserver.cluster.relay import NodeAway, NodeSilent, request_fields
from calserver.dav import Depth, Element, Href, depth
from calserver.dav import Request as Asked
from calserver.tree import Row, page_of
from calserver.web import Request

log = Logger()

Part = Heard | NodeAway | NodeSilent
"""What a node says, or why it says nothing."""
_LEFT_OUT: Final = (b"accept-encoding", b"range")
_KEPT: Final = frozenset({"preference-applied", "vary"})
_NAMES: Final = b'<propfind xmlns="DAV:"><prop><displayname/></prop></propfind>'
_NAMES_FIELDS: Final = {b"depth": [b"1"], b"content-type": [b"application/xml"]}


def is_listing(asked: Asked, mounts: Mapping[str, Sequence[str]]) -> bool:
    """Whether a request is about what is above homes, and about homes."""
    segments = asked.href.segments
    if len(segments) > 2 or (segments and segments[0] not in mounts):
        return False
    if asked.method in PAGES:
        return len(segments) == 2 and segments[1] in mounts[segments[0]]
    if asked.method == "PROPFIND":
        level = asked.parsed(depth)
        return level in (None, Depth.INFINITY) or (level is Depth.ONE and len(segments) == 2)
    return asked.method == "REPORT" and b"principal-match" in asked.body


@attrs.frozen(kw_only=True)
class Gathering:
    """A request that several nodes answer.

    Args:
        envoy: asks nodes.
        request: of the client.
        login: who the client is.
        asked: the request as a value.
        where: finds the node of a path; None where that is at all nodes.
    """

    envoy: Envoy
    request: Request
    login: Login
    asked: Asked
    where: Callable[[str], Awaitable[At | None]]

    # -- listings ------------------------------------------------------------------------------------------------------

    async def list(self, mounts: Iterable[str], homes: Mapping[At, Sequence[Href]]) -> None:
        """Answer with what the nodes have of a listing.

        Args:
            mounts: the first segments of paths that lead to homes.
            homes: those that the asker may see, by node.

        Raises:
            NodeAway, NodeSilent: this node cannot ask itself.
        """
        own = At(self.envoy.identity.name)
        nodes = list(dict.fromkeys((own, *homes)))
        heard = await together([self._hear(node, str(self.asked.href), self.request.body) for node in nodes])
        mine = heard[0]
        if isinstance(mine, Exception):
            raise mine
        refused = next((each for each in heard if isinstance(each, Heard) and each.status != _FOUND), None)
        if refused is not None:
            self._respond(refused)
            return
        listing = parts.Listing(prefix=self.asked.prefix, mounts={(each,) for each in mounts})
        for node, each in zip(nodes, heard, strict=True):
            if isinstance(each, Heard):
                listing.take(parts.read(each.body), homes.get(node, ()), above=node == own)
            else:
                listing.miss(homes[node])
        kept = [field for field in mine.fields if field[0].lower() in _KEPT]
        response = listing.answer(*kept)
        self.request.respond(response.status, response.headers, response.body)

    async def page(self, homes: Mapping[At, Sequence[Href]]) -> None:
        """Answer a browser with the homes that are at the nodes.

        Args:
            homes: those that the asker may see, by node.

        Raises:
            NodeAway, NodeSilent: this node cannot ask itself.
        """
        place = str(self.asked.href)
        mine, *heard = await together(
            [
                self._hear(At(self.envoy.identity.name), place, b"", "GET"),
                *(self._hear(node, place, _NAMES, "PROPFIND", _NAMES_FIELDS) for node in homes),
            ]
        )
        if isinstance(mine, Exception):
            raise mine
        if mine.status == HTTPStatus.OK:
            rows = [row for node, each in zip(homes, heard, strict=True) for row in self._rows(homes[node], each)]
            page = page_of(self.asked.href, sorted(rows, key=lambda each: each.name))
            mine = attrs.evolve(mine, body=page)
        self._respond(mine)

    def _rows(self, homes: Iterable[Href], part: Part) -> Iterator[Row]:
        """Those of the homes at a node."""
        if not isinstance(part, Heard) or part.status != _FOUND:
            yield from (Row(each.name, True, "away") for each in homes)
            return
        names = parts.names(parts.read(part.body), self.asked.prefix)
        yield from (Row(each.name, True, names[each.segments]) for each in homes if each.segments in names)

    # -- DAV:expand-property -------------------------------------------------------------------------------------------

    async def expand(self, node: At, root: Element, most: int) -> None:
        """Answer with what the nodes have of an expand-property.

        Args:
            node: who answers first.
            root: what is asked.
            most: how many resources may be asked for.

        Raises:
            NodeAway, NodeSilent: that is away.
            NumberOfMatchesWithinLimits: there are more.
        """
        heard = await self._hear(node, str(self.asked.href), self.request.body)
        if isinstance(heard, Exception):
            raise heard
        if heard.status != _FOUND:
            self._respond(heard)
            return
        tree = parts.read(heard.body)

        async def where(before: At, hole: parts.Hole) -> At | None:
            there = await self.where(str(hole.href)) if hole.is_missing else None
            return None if there == before else there

        async def ask(there: At, hole: parts.Hole) -> Heard | None:
            said = await self._hear(there, str(hole.href), hole.request())
            return None if isinstance(said, Exception) else said

        expansion = Expansion(where=where, ask=ask, prefix=self.asked.prefix, most=most)
        await expansion.complete(tree, root, node)
        self._respond(attrs.evolve(heard, body=parts.written(tree)))

    # -- both ----------------------------------------------------------------------------------------------------------

    async def _hear(
        self, node: At, path: str, body: bytes, method: str | None = None, fields: Fields | None = None
    ) -> Part:
        """What a node says to a request: one with method and fields of the client's, unless told."""
        if fields is None:
            fields = {name: values for name, values in request_fields(self.request).items() if name not in _LEFT_OUT}
        try:
            return await self.envoy.hear(node, self.request, self.login, path, body, fields, method)
        except (NodeAway, NodeSilent) as error:
            log.warn("{node} does not answer for its part: {error}", node=node.node, error=error)
            return error

    def _respond(self, heard: Heard) -> None:
        self.request.respond(heard.status, heard.fields, heard.body)


_FOUND: Final = HTTPStatus.MULTI_STATUS.value
