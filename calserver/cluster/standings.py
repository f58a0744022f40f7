"""What people at other nodes have of a meeting, asked before the transaction that must know it.

An attendee stores only a meeting that its organizer has (RFC 6638 section 3.2.2.1), and an organizer who makes a
meeting again makes it newer than what those who are invited have of it. While their node is away the attendee is
believed, and the journal is asked.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
from twisted.logger import Logger

from calserver import meetings
from calserver.cluster.calls import Caller, Declined
from calserver.cluster.relay import NodeAway, NodeSilent
from calserver.meetings import Inquiry, Policy, Standing
from calserver.store import Store, Transaction

log = Logger()

STANDINGS: Final = "standings"
"""The act that answers."""
SECONDS: Final = 4.0
"""How long a node is waited for, while a client waits."""


@attrs.frozen
class Standings:
    """Asks nodes, and answers them.

    Args:
        store: of this node.
        policy: of the site, with the name of this node.
        caller: asks other nodes.
    """

    store: Store
    policy: Policy
    caller: Caller

    async def ask(self, inquiry: Inquiry) -> Sequence[Standing] | None:
        """What a node says; None where it says nothing."""
        asked = {"principals": inquiry.principals, "uid": inquiry.uid}
        try:
            answer = await self.caller.ask(inquiry.node, STANDINGS, seconds=SECONDS, **asked)
        except (NodeAway, NodeSilent, Declined) as error:
            log.info(
                "{node} does not say what it has of {uid}: {error}", node=inquiry.node, uid=inquiry.uid, error=error
            )
            return None
        return None if answer["found"] is None else [Standing(**each) for each in answer["found"]]

    async def take(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer another node (`calserver.cluster.calls.Act`): nothing where somebody is not here (any more)."""

        def look(txn: Transaction) -> Sequence[Standing] | None:
            placed = txn.placements.of(asked["principals"])
            if any(placed.get(each) != self.policy.node for each in asked["principals"]):
                return None
            return meetings.standings(txn, self.policy, asked["principals"], asked["uid"])

        found = await self.store.read(look)
        return {"found": None if found is None else [attrs.asdict(each) for each in found]}
