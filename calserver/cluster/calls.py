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
from calserver.config import Config
from calserver.scheduling import authorities
from calserver.store import REVISION, Busy, Missing
from calserver.web import Handler, Request, Running

PATH: Final = "/calserver-node/"
"""Below this nodes answer nodes."""
MOST_BYTES: Final = 256 * 1024 * 1024
"""Of an answer: one file may be as large as nodes take them."""
TABLES: Final = "tables"
"""What is asked says of which revision the tables are that are worked with there."""
_JSON: Final = ("Content-Type", "application/json")

Act = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Does what is asked; raises `Declined`."""


class Declined(Exception):
    """A node does not do what it is asked; the text says why."""

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason or text
        """The same in the words of the node alone."""


class Caller:
    """Asks nodes.

    Args:
        identity: of this node.
        relay: reaches the others, and this one.
    """

    def __init__(self, identity: Identity, relay: Relay) -> None:
        self._identity = identity
        self._relay = relay

    async def ask(self, node: str, act: str, *, seconds: float | None = None, **asked: Any) -> Mapping[str, Any]:
        """Have a node do something.

        Args:
            node: which one.
            act: what it is to do.
            seconds: how long its answer may take to begin, if less than usual.
            asked: what belongs to that.

        Raises:
            NodeAway, NodeSilent: see there; it may have been done all the same.
            Declined: it is not done.
        """
        url, target = self._relay.target(node, PATH + act)
        said = Assertion(node=self._identity.name, audience=node, at=int(time.time()))
        field = signed(said, self._identity.key, method="POST", target=target.decode("ascii"))
        fields = {b"authorization": [field.encode()], b"content-type": [b"application/json"]}
        body = json.dumps({**asked, TABLES: REVISION}, ensure_ascii=False).encode()
        answer = await self._relay.send(url, Parcel(method=b"POST", fields=fields, body=body), seconds)
        text = await self._relay.whole(answer, MOST_BYTES)
        if answer.code == HTTPStatus.SERVICE_UNAVAILABLE:
            raise NodeAway("it is busy")
        if answer.code != HTTPStatus.OK:
            reason = text.decode("utf-8", "replace").strip().partition("\n")[0]
            raise Declined(f"{node} answers {answer.code}: {reason}", reason)
        found: Mapping[str, Any] = json.loads(text)
        return found


def caller_of(config: Config, reactor: Any) -> Caller:
    """What asks nodes for the command line of any node.

    Raises:
        ConfigError: a key or a certificate is not usable.
    """
    cluster = config.cluster
    relay = Relay(cluster, authorities(config, "cluster.authorities_file", cluster.authorities_file), reactor)
    return Caller(Identity.of(config), relay)


def alike(act: Act) -> Act:
    """An act in which rows go from store to store as they are: only for who has tables of the same revision."""

    async def checked(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        if asked.get(TABLES) != REVISION:
            raise Declined(f"tables of revision {asked.get(TABLES)} are not those of {REVISION}, which are here")
        return await act(asked)

    return checked


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
