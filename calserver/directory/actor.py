"""Who asks: the principal of an authenticated request, as far as privileges depend on it."""

from typing import Final

import attrs

from calserver.dav import Href
from calserver.store import Principal, Transaction

SEGMENT: Final = "principals"
KINDS: Final = ("user", "group", "resource", "location")
"""Kinds of principals, in the order in which they are listed."""


def principal_href(kind: str, uid: str) -> Href:
    """Where the principal of this kind and uid is."""
    return Href((SEGMENT, kind, uid), collection=True)


@attrs.frozen(slots=True, kw_only=True)
class Actor:
    """A principal that acts, or nobody (`ANONYMOUS`).

    ``groups`` are the ids of all groups that the principal is in, directly or through other groups.
    """

    principal_id: int | None = None
    href: Href | None = None
    uid: str = ""
    name: str = ""
    administrator: bool = False
    groups: frozenset[int] = frozenset()

    @classmethod
    def of(cls, txn: Transaction, principal: Principal) -> "Actor":
        """The principal as an actor."""
        return cls(
            principal_id=principal.id,
            href=principal_href(principal.kind, principal.uid),
            uid=principal.uid,
            name=principal.name,
            administrator=principal.administrator,
            groups=txn.principals.all_memberships(principal.id),
        )


ANONYMOUS: Final = Actor()
"""Who has not authenticated."""
