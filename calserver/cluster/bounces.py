"""Mail that came back for people at another node: the node that takes it has that one note it.

The mail server waits for the answer meanwhile: while the node is away it is told to come again, so nothing has to be
kept here.
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from calserver.cluster.calls import Caller
from calserver.cluster.relay import NodeAway, NodeSilent
from calserver.meetings import Policy
from calserver.scheduling.mail import Returned
from calserver.store import Busy, Store, Transaction

RETURNED: Final = "returned"
"""The act that notes it."""
SECONDS: Final = 20.0
"""How long a node may take, while a mail server waits."""


@attrs.frozen
class Bounces:
    """Notes what came back.

    Args:
        store: of this node.
        policy: of the site, with the name of this node.
        caller: asks other nodes.
    """

    store: Store
    policy: Policy
    caller: Caller

    async def pass_on(self, node: str, returned: Returned) -> bool:
        """Have a node note it; returns whether it could be.

        Raises:
            Busy: the node is away.
        """
        try:
            answer = await self.caller.ask(node, RETURNED, seconds=SECONDS, **attrs.asdict(returned))
        except (NodeAway, NodeSilent) as error:
            raise Busy(f"{node} is away: {error}") from None
        return bool(answer["noted"])

    async def take(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Note what another node was told (`calserver.cluster.calls.Act`)."""
        returned = Returned(uid=asked["uid"], principal=asked["principal"], invitee=asked["invitee"])

        def note(txn: Transaction) -> bool:
            if txn.placements.of([returned.principal]).get(returned.principal) != self.policy.node:
                raise Busy("the principal is at another node by now")
            return returned.noted(txn, self.policy)

        return {"noted": await self.store.write(note)}
