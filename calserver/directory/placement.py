"""Where a new principal of a cluster goes."""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from calserver.store import Principal, Transaction

_DRAINED: Final = "drained nodes"
"""The key of what says on which nodes nobody shall be placed (`calserver.store.Meta`)."""


def least_used(nodes: Collection[str], counts: Mapping[str, int]) -> str | None:
    """The node with the fewest principals, the first by name among equals; None where there are no nodes.

    Args:
        nodes: the names of those that may hold principals.
        counts: how many principals are placed on a node.
    """
    return min(nodes, key=lambda each: (counts.get(each, 0), each), default=None)


def place(txn: Transaction, principal: Principal, nodes: Collection[str]) -> None:
    """Place a new principal where the fewest are; groups have no calendars, and go nowhere."""
    if principal.kind != "group" and not txn.placements.of((principal.id,)):
        open_ones = sorted(set(nodes) - drained(txn))
        txn.placements.put((principal.id,), least_used(open_ones, txn.placements.counts()))


def drained(txn: Transaction) -> frozenset[str]:
    """The nodes on which nobody is to be placed."""
    return frozenset(json.loads(txn.meta.get(_DRAINED) or "[]"))


def drain(txn: Transaction, nodes: Iterable[str]) -> None:
    """Say on which nodes nobody is to be placed."""
    txn.meta.set(_DRAINED, json.dumps(sorted(nodes)))
