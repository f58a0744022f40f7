"""Which node a new principal is placed on, and which paths are at the node of a principal: decisions on values."""

from collections.abc import Collection, Mapping

from calserver.dav import Href


def least_used(nodes: Collection[str], counts: Mapping[str, int]) -> str | None:
    """The node with the fewest principals, the first by name among equals; None where there are no nodes.

    Args:
        nodes: the names of those that may hold principals.
        counts: how many principals are placed on a node.
    """
    return min(nodes, key=lambda each: (counts.get(each, 0), each), default=None)


def owner(href: Href, mounts: Collection[str]) -> tuple[str, str] | None:
    """Kind and uid of the principal in whose home a path is; None where it is in none.

    Args:
        href: a path below the DAV root.
        mounts: the first segments of paths that lead to homes.
    """
    match href.segments:
        case (mount, kind, uid, *_) if mount in mounts:
            return kind, uid
        case _:
            return None
