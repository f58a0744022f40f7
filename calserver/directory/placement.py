"""Where a new principal of a cluster goes."""

from collections.abc import Collection, Mapping

from calserver.store import Principal, Transaction


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
        txn.placements.put((principal.id,), least_used(nodes, txn.placements.counts()))
