"""expand-property where properties lead to other nodes (RFC 3253 section 3.8): what these say is put in its place."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

import attrs

from calserver.cluster import parts
from calserver.cluster.envoy import Heard
from calserver.cluster.homes import together
from calserver.cluster.paths import At
from calserver.dav import Element, NumberOfMatchesWithinLimits
from calserver.names import D


@attrs.frozen(kw_only=True)
class Expansion:
    """What is asked of other nodes of an answer to expand-property.

    Args:
        where: the node that knows more of what an answer has a place for, given which node has given the answer; None
            where it stays as it is.
        ask: what a node says of it; None if it is away.
        prefix: the path of the DAV root.
        most: how many resources may be asked for.
    """

    where: Callable[[At, parts.Hole], Coroutine[Any, Any, At | None]]
    ask: Callable[[At, parts.Hole], Coroutine[Any, Any, Heard | None]]
    prefix: str
    most: int

    async def complete(self, tree: Element, asked: Element, node: At) -> None:
        """Fill what a node has answered, level by level.

        Args:
            tree: the multistatus.
            asked: the root of the request.
            node: who has answered.

        Raises:
            NumberOfMatchesWithinLimits: there are more resources than may be asked for.
        """
        waiting = [(node, hole) for each in tree.iterchildren(D("response")) for hole in self._holes(each, asked)]
        left = self.most
        while waiting:
            places = await together([self.where(before, hole) for before, hole in waiting])
            found = [(before, there, hole) for (before, hole), there in zip(waiting, places, strict=True)]
            elsewhere = [(there, hole) for _, there, hole in found if there is not None]
            left -= len(elsewhere)
            if left < 0:
                raise NumberOfMatchesWithinLimits("the properties point to more resources than this server visits")
            inside = [(before, hole.response, hole.asked) for before, there, hole in found if there is None]
            answers = await together([self.ask(there, hole) for there, hole in elsewhere])
            for (there, hole), answer in zip(elsewhere, answers, strict=True):
                filled = self._filled(hole, answer)
                inside += [] if filled is None else [(there, filled, hole.asked)]
            waiting = [(there, hole) for there, each, some in inside for hole in self._holes(each, some)]

    def _filled(self, hole: parts.Hole, answer: Heard | None) -> Element | None:
        """What a node has answered, in its place; None where there is nothing more to be asked of it."""
        if answer is None:
            hole.miss(HTTPStatus.SERVICE_UNAVAILABLE)
        elif answer.status == HTTPStatus.MULTI_STATUS:
            return hole.fill(parts.read(answer.body))
        elif answer.status in parts.NOT_THERE:
            hole.miss(HTTPStatus(answer.status))
        return None

    def _holes(self, response: Element, asked: Element) -> list[parts.Hole]:
        return list(parts.holes(response, asked, self.prefix))
