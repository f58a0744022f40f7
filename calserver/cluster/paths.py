"""Which paths are at the node of a principal, and at which node that is."""

from collections.abc import Collection

import attrs

from calserver.dav import Href


@attrs.frozen
class At:
    """Where something is answered."""

    node: str
    part: bool = False
    """Whether what is there of a home is asked for, and nothing else of it: a branch, or the home without branches."""


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
