"""What nodes, and the command line, ask of nodes beyond requests of clients: acts with a name, in JSON both ways."""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from calserver.cluster.assertion import Assertion, NotBelieved, signed
from calserver.cluster.believing import Doorkeeper
from calserver.cluster.identity import Identity
from calserver.cluster.relay import AGAIN_SECONDS, NodeAway, Parcel, Relay
from calserver.store import Busy, Missing
from calserver.web import Handler, Request, Running

PATH: Final = "/calserver-node/"
"""Below this nodes answer nodes."""
MOST_BYTES: Final = 256 * 1024 * 1024
"""Of an answer: one file may be as large as nodes take them."""
_JSON: Final = ("Content-Type", "application/json")

Act = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Does what is asked; raises `Declined`."""


class Declined(Exception):
    """A node does not do what it is asked; the text says why."""


class Caller:
    """Asks nodes.

    Args:
        identity: of this node.
        relay: reaches the others, and this one.
    """

    def __init__(self, identity: Identity, relay: Relay) -> None:
        self._identity = identity
        self._relay = relay

    async def ask(self, node: str, act: str, **asked: Any) -> Mapping[str, Any]:
        """Have a node do something.

        Raises:
            NodeAway, NodeSilent: see there; it may have been done all the same.
            Declined: it is not done.
        """
        url, target = self._relay.target(node, PATH + act)
        said = Assertion(node=self._identity.name, audience=node, at=int(time.time()))
        field = signed(said, self._identity.key, method="POST", target=target.decode("ascii"))
        fields = {b"authorization": [field.encode()], b"content-type": [b"application/json"]}
        body = json.dumps(asked, ensure_ascii=False).encode()
        answer = await self._relay.send(url, Parcel(method=b"POST", fields=fields, body=body))
        text = await self._relay.whole(answer, MOST_BYTES)
        if answer.code == HTTPStatus.SERVICE_UNAVAILABLE:
            raise NodeAway("it is busy")
        if answer.code != HTTPStatus.OK:
            reason = text.decode("utf-8", "replace").strip().partition("\n")[0]
            raise Declined(f"{node} answers {answer.code}: {reason}")
        found: Mapping[str, Any] = json.loads(text)
        return found


class NodeActs:
    """The pages on which this node is asked (`calserver.web.Pages`).

    Args:
        doorkeeper: knows nodes.
        acts: what can be asked, by name.
    """

    def __init__(self, doorkeeper: Doorkeeper, acts: Mapping[str, Act]) -> None:
        self._doorkeeper = doorkeeper
        self._acts = acts

    def handlers(self) -> Mapping[str, Handler]:
        """By exact path."""
        return {PATH + name: self._handler(act) for name, act in self._acts.items()}

    def below(self) -> Mapping[str, Handler]:
        """By the beginning of the path."""
        return {}

    def _handler(self, act: Act) -> Handler:
        def handle(request: Request) -> Running | None:
            if request.method != b"POST":
                request.refuse(HTTPStatus.METHOD_NOT_ALLOWED, "", ("Allow", "POST"))
                return None
            try:
                self._doorkeeper.believed(request)
            except NotBelieved:
                request.refuse(HTTPStatus.FORBIDDEN, "only nodes are answered here")
                return None
            except OSError:
                again = ("Retry-After", AGAIN_SECONDS)
                request.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the node cannot write what it must remember", again)
                return None
            return _answer(request, act)

        return handle


async def _answer(request: Request, act: Act) -> None:
    try:
        found = await act(json.loads(request.body))
    except Declined as error:
        request.refuse(HTTPStatus.CONFLICT, str(error))
    except Missing as error:
        request.refuse(HTTPStatus.CONFLICT, f"it is not there: {error}")
    except (Busy, NodeAway) as error:
        request.refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error), ("Retry-After", AGAIN_SECONDS))
    else:
        request.respond(HTTPStatus.OK, (_JSON,), json.dumps(found, ensure_ascii=False).encode())
