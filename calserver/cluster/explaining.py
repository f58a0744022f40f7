"""What the nodes know of one meeting, together: the journal and the copies of somebody are at one node."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, gatherResults

from calserver.admin import Refused, schedule
from calserver.cluster.calls import Act, Caller, Declined
from calserver.cluster.relay import NodeAway, NodeSilent
from calserver.config import Config
from calserver.store import Store

EXPLAIN: Final = "explain"
"""The act of a node that says what it knows."""
SECONDS: Final = 20.0
"""How long a node may take for it."""


def explaining(store: Store, config: Config) -> Act:
    """The act of a node."""

    async def explain(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        what, people = asked["what"], asked["people"]
        try:
            found = await store.read(lambda txn: schedule.explain(txn, what, config, people))
        except Refused as error:
            raise Declined(str(error)) from None
        return schedule.packed(found)

    return explain


async def explained(
    store: Store, config: Config, caller: Caller, what: str
) -> tuple[schedule.Explanation, Mapping[str, str]]:
    """All that the nodes know of a meeting, and why some of them say nothing.

    Asked twice: the first ones to answer know who takes part, and the others find their copies by that.

    Args:
        store: of this node, for `read_now`: it need not be running.
        config: of this node.
        caller: asks the others.
        what: see `calserver.admin.schedule.explain`.

    Raises:
        Refused: none of them knows anything.
    """
    asked = _Asked(store, config, caller)
    await asked.all(what)
    if not asked.found:
        raise Refused(*dict.fromkeys(asked.refused), *(f"{node} is away: {why}" for node, why in asked.away.items()))
    people = {each.address for part in asked.found for each in part.participants}
    people |= {who for part in asked.found for each in part.sent for who in (each.originator, *each.recipients)}
    await asked.all(asked.found[0].uid, sorted(people))
    return schedule.together(asked.found), asked.away


@attrs.define
class _Asked:
    """What all nodes say."""

    store: Store
    config: Config
    caller: Caller
    found: list[schedule.Explanation] = attrs.field(factory=list)
    away: dict[str, str] = attrs.field(factory=dict)
    refused: list[str] = attrs.field(factory=list)

    async def all(self, what: str, people: Sequence[str] = ()) -> None:
        """Ask them."""
        nodes = sorted(self.config.cluster.nodes)
        await gatherResults([Deferred.fromCoroutine(self._one(node, what, people)) for node in nodes])

    async def _one(self, node: str, what: str, people: Sequence[str]) -> None:
        try:
            self.found.append(await self._explained(node, what, people))
        except (NodeAway, NodeSilent) as error:
            self.away[node] = str(error)
        except Declined as error:
            self.refused.append(error.reason)
        except Refused as error:
            self.refused.append(str(error))

    async def _explained(self, node: str, what: str, people: Sequence[str]) -> schedule.Explanation:
        if node == self.config.cluster.node:
            return self.store.read_now(lambda txn: schedule.explain(txn, what, self.config, people))
        return schedule.unpacked(await self.caller.ask(node, EXPLAIN, seconds=SECONDS, what=what, people=people))
