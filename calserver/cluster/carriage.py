"""COPY and MOVE from one node to another: packed at the one, unpacked at the other, dropped at the one if it is moved.

What the nodes do is in `porter`. If anything is in the way, or fails, what is to be moved stays where it is; where it
has changed since it was packed it stays as well, with a copy at the Destination, and the client is told to try again.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import attrs
from twisted.logger import Logger

from calserver.auth import Login
from calserver.cluster import porter
from calserver.cluster.cargo import stamp_of
from calserver.cluster.conditions import ALWAYS, if_field
from calserver.cluster.envoy import Envoy, Fields
from calserver.cluster.paths import At
from calserver.cluster.relay import AGAIN_SECONDS, give, request_fields
from calserver.dav import ConditionList
from calserver.web import Request

log = Logger()

_LANDED: Final = frozenset({HTTPStatus.CREATED, HTTPStatus.NO_CONTENT})
_OF_CONTENT: Final = frozenset(b"accept-encoding content-encoding content-type destination".split())
_OF_SOURCE: Final = frozenset(
    b"depth if-match if-modified-since if-none-match if-schedule-tag-match if-unmodified-since range".split()
)
"""Fields that are about what is at the request's own path."""


@attrs.frozen(kw_only=True)
class Place:
    """Where something is, or is to be."""

    node: At
    path: str
    """Below the DAV root, escaped."""


@attrs.frozen(kw_only=True)
class Carriage:
    """A COPY or MOVE on its way.

    Args:
        envoy: asks nodes.
        request: of the client.
        login: who the client is.
        source: what is copied or moved.
        target: the Destination.
        conditions: the lists of the If header; an empty one is no header.
        at_target: those of the lists that are about resources at the node of the Destination.
        most_bytes: of what is carried.
    """

    envoy: Envoy
    request: Request
    login: Login
    source: Place
    target: Place
    conditions: Sequence[ConditionList]
    at_target: Sequence[ConditionList]
    most_bytes: int

    async def go(self) -> None:
        """Answer the request.

        Raises:
            NodeAway, NodeSilent: see `Relay.send`; what was to be moved is still where it was, or at both places.
        """
        moves = self.request.method == b"MOVE"
        packed, decided = await self._pack(porter.PACK_MOVE if moves else porter.PACK_COPY)
        if packed.code != HTTPStatus.OK:
            await self._give(packed)
            return
        cargo = await self.envoy.relay.whole(packed, self.most_bytes)
        landed = await self._unpack(cargo, decided=decided)
        if moves and landed.code in _LANDED:
            dropped = await self._send(self.source, porter.DROP, self._fields(self.source), stamp_of(cargo))
            if dropped.code not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND):
                await self._refuse_drop(dropped)
                return
            await self.envoy.relay.whole(dropped, self.most_bytes)
        await self._give(landed)

    async def _pack(self, method: str) -> tuple[Any, bool]:
        """What the node of the source answers, and whether that has decided about the If header.

        One of the lists of an If header has to hold, wherever what it is about may be.
        """
        here = [each for each in self.conditions if each not in self.at_target]
        fields = self._fields(self.source)
        if not here:
            return await self._send(self.source, method, fields), not self.conditions
        strict = if_field(here, submitting=self.at_target)
        answer = await self._send(self.source, method, {**fields, b"if": [strict]})
        if answer.code != HTTPStatus.PRECONDITION_FAILED or not self.at_target:
            return answer, True
        await self.envoy.relay.whole(answer, self.most_bytes)
        return await self._send(self.source, method, fields), False

    async def _unpack(self, cargo: bytes, *, decided: bool) -> Any:
        fields = {**self._fields(self.target), b"content-type": [porter.CONTENT_TYPE[1].encode()]}
        if not decided:
            here = [each for each in self.conditions if each not in self.at_target]
            fields[b"if"] = [if_field(self.at_target, submitting=here)]
        return await self._send(self.target, porter.UNPACK, fields, cargo)

    def _fields(self, place: Place) -> Fields:
        """The client's fields as a node gets them: all lock tokens are submitted, and no list of If fails."""
        ending = _OF_CONTENT if place is self.source else _OF_CONTENT | _OF_SOURCE
        fields = {name: values for name, values in request_fields(self.request).items() if name not in ending}
        fields.pop(b"if", None)
        if self.conditions:
            tag = self.conditions[0].resource
            always = ConditionList(tag, (ALWAYS,))
            fields[b"if"] = [if_field([*self.conditions, always])]
        return fields

    async def _send(self, place: Place, method: str, fields: Fields, body: bytes = b"") -> Any:
        return await self.envoy.send(
            place.node, self.request, self.login, place.path, method=method, fields=fields, body=body
        )

    async def _refuse_drop(self, answer: Any) -> None:
        log.warn("{path} is copied, but cannot be removed: {status}", path=self.source.path, status=answer.code)
        if answer.code != HTTPStatus.CONFLICT:
            await self._give(answer)
            return
        await self.envoy.relay.whole(answer, self.most_bytes)
        reason = "it changed while it was moved, and is at both places now"
        self.request.refuse(HTTPStatus.SERVICE_UNAVAILABLE, reason, ("Retry-After", AGAIN_SECONDS))

    async def _give(self, answer: Any) -> None:
        allowed = [value.decode("latin-1") for value in answer.headers.getRawHeaders(b"allow", ())]
        if allowed:
            names = {each.strip() for value in allowed for each in value.split(",")} - porter.METHODS
            answer.headers.setRawHeaders(b"allow", [", ".join(sorted(names)).encode("latin-1")])
        await give(answer, self.request)
