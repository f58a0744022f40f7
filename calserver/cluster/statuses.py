"""How the nodes are, as whoever asks all of them is told."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, gatherResults

from calserver.cluster.calls import Caller, Declined
from calserver.cluster.relay import NodeAway, NodeSilent
from calserver.config import Config
from calserver.store import REVISION
from calserver.web import Health

STATUS: Final = "status"
"""The act that says it."""
SECONDS: Final = 10.0
"""How long a node may take to say how it is."""


@attrs.frozen(kw_only=True)
class Status:
    """How a node is."""

    node: str
    healthy: bool
    """Whether it answers requests."""
    state: str
    """``ok``, or what is wrong, in words."""
    revision: int | None = None
    """How far it follows the directory; None where it is away, as for all that follows."""
    version: str | None = None
    """Of the program."""
    tables: str | None = None
    """The revision of the tables that the program works with."""


def told(health: Health, revision: int) -> Mapping[str, Any]:
    """What a node says of itself: how it is, and how far it follows the directory."""
    wrong = [f"{name} {value}" for name, value in health.facts.items() if name != "node" and value != "ok"]
    return {
        "healthy": health.healthy,
        "state": "; ".join(wrong) or "ok",
        "revision": revision,
        "version": version("calserver"),
        "tables": REVISION,
    }


async def statuses(config: Config, caller: Caller) -> Sequence[Status]:
    """How all nodes are."""

    async def ask(node: str) -> Status:
        try:
            return Status(node=node, **await caller.ask(node, STATUS, seconds=SECONDS))
        except (NodeAway, NodeSilent) as error:
            return Status(node=node, healthy=False, state=f"away: {error}")
        except Declined as error:
            return Status(node=node, healthy=False, state=str(error))

    return await gatherResults([Deferred.fromCoroutine(ask(node)) for node in sorted(config.cluster.nodes)])
