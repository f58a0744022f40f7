"""Which paths are at the node of a principal."""

from collections.abc import Collection

from calserver.dav import Href


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
