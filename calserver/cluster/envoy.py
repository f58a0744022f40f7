"""Asking nodes in the name of who has authenticated here."""

import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import attrs

from calserver.auth import Login
from calserver.cluster.assertion import Assertion, signed
from calserver.cluster.counts import Counts
from calserver.cluster.identity import Identity
from calserver.cluster.paths import At
from calserver.cluster.relay import NodeAway, Parcel, Relay, answer_fields, request_fields
from calserver.web import Intake, Request

Fields = Mapping[bytes, list[bytes]]
SECONDS: Final = 20.0
"""How long a node is waited for that has a part of an answer."""
MOST_BYTES: Final = 32 * 1024 * 1024
"""Of a part."""


class Misdirected(NodeAway):
    """A node that was asked for a principal who is at another one (RFC 9110 section 15.5.20)."""


@attrs.frozen
class Heard:
    """A whole answer."""

    status: int
    fields: Sequence[tuple[str, str]]
    body: bytes


@attrs.frozen(kw_only=True)
class Envoy:
    """Sends requests to nodes; to the own one, too, where it is one of several that are asked.

    Args:
        identity: of this node.
        relay: connections.
        counts: what nodes answer.
        prefix: the path of the DAV root at all nodes.
    """

    identity: Identity
    relay: Relay
    counts: Counts
    prefix: str

    async def send(
        self,
        at: At,
        request: Request,
        login: Login,
        path: str,
        *,
        method: str | None = None,
        fields: Fields | None = None,
        body: bytes | Intake = b"",
        seconds: float | None = None,
    ) -> Any:
        """Send a request that another one makes necessary; returns the answer, whose body is still to come.

        Args:
            at: who is asked.
            request: of the client.
            login: who the client is.
            path: below the DAV root, with the query; escaped.
            method: that of the client's request, unless told.
            fields: the same.
            body: what goes with it.
            seconds: how long the answer may take to begin, if less than usual.

        Raises:
            NodeAway, NodeSilent, ClientGone: see `Relay.send`.
            Misdirected: the node does not have whom it is about.
        """
        url, target = self.relay.target(at.node, self.prefix + path)
        method = method or request.method.decode("ascii")
        field = signed(self._said(at, request, login), self.identity.key, method=method, target=target.decode("ascii"))
        sent = {
            **(request_fields(request) if fields is None else fields),
            b"authorization": [field.encode()],
            b"via": [f"1.1 {self.identity.name}".encode()],
        }
        if request.origin.host:
            sent[b"host"] = [request.origin.host.encode()]
        parcel = Parcel(method=method.encode(), fields=sent, body=body)
        answer = await self.counts.counted(at.node, self.relay.send(url, parcel, seconds))
        if answer.code == HTTPStatus.MISDIRECTED_REQUEST:
            await self.relay.whole(answer, MOST_BYTES)
            raise Misdirected(f"{at.node} does not have the principal")
        if answer.code == HTTPStatus.UNAUTHORIZED and login.actor.href is not None:
            await self.relay.whole(answer, MOST_BYTES)
            reason = "its key, its clock or its version is another one there"
            raise NodeAway(f"{at.node} does not believe this node: {reason}")
        return answer

    async def hear(
        self,
        at: At,
        request: Request,
        login: Login,
        path: str,
        body: bytes,
        fields: Fields,
        method: str | None = None,
        seconds: float = SECONDS,
    ) -> Heard:
        """Send a request, and wait for all of the answer, which is a part of another one.

        Raises:
            NodeAway, NodeSilent: see `Relay.send`.
        """
        answer = await self.send(at, request, login, path, method=method, fields=fields, body=body, seconds=seconds)
        content = await self.relay.whole(answer, MOST_BYTES)
        return Heard(answer.code, answer_fields(answer), content)

    def _said(self, at: At, request: Request, login: Login) -> Assertion:
        actor, origin = login.actor, request.origin
        return Assertion(
            node=self.identity.name,
            audience=at.node,
            kind="" if actor.href is None else actor.href.segments[1],
            uid=actor.uid,
            address=str(origin.address or ""),
            secure=origin.secure,
            host=origin.host,
            request_id=request.request_id,
            revision=login.directory,
            part=at.part,
            at=int(time.time()),
        )
