"""Who asks: the principal of an authenticated request, as far as privileges depend on it."""

from functools import cached_property, lru_cache
from typing import Final

import attrs

from calserver.dav import Href, acl
from calserver.store import Principal, Transaction

SEGMENT: Final = "principals"
KINDS: Final = ("user", "group", "resource", "location")
"""Kinds of principals, in the order in which they are listed."""


@lru_cache(maxsize=4096)
def principal_href(kind: str, uid: str) -> Href:
    """Where the principal of this kind and uid is."""
    return Href((SEGMENT, kind, uid), collection=True)


@attrs.frozen(slots=False, kw_only=True)
class Actor:
    """A principal that acts, or nobody (`ANONYMOUS`).

    ``groups`` are the ids of all groups that the principal is in, directly or through other groups; ``reads_for`` and
    ``writes_for`` are those who made it, or one of these groups, their delegate.
    """

    principal_id: int | None = None
    href: Href | None = None
    uid: str = ""
    name: str = ""
    administrator: bool = False
    vouched: bool = False
    """Whether somebody who has no account here is one for whom another organization vouches."""
    groups: frozenset[int] = frozenset()
    reads_for: frozenset[int] = frozenset()
    writes_for: frozenset[int] = frozenset()

    @classmethod
    def of(cls, txn: Transaction, principal: Principal) -> "Actor":
        """The principal as an actor."""
        groups = txn.principals.all_memberships(principal.id)
        delegators = txn.principals.delegator_ids((principal.id, *groups))
        return cls(
            principal_id=principal.id,
            href=principal_href(principal.kind, principal.uid),
            uid=principal.uid,
            name=principal.name,
            administrator=principal.administrator,
            groups=groups,
            reads_for=delegators.get("read", frozenset()),
            writes_for=delegators.get("write", frozenset()),
        )

    @cached_property
    def identities(self) -> frozenset[acl.Who]:
        """Everything by which an access control entry may mean it, whatever the resource."""
        if self.principal_id is None:
            nobody = self.href is None and not self.vouched
            return frozenset((acl.ALL, acl.UNAUTHENTICATED if nobody else acl.AUTHENTICATED))
        return frozenset(
            (
                acl.ALL,
                acl.AUTHENTICATED,
                self.principal_id,
                *self.groups,
                *(f"{acl.READERS}{each}" for each in self.reads_for),
                *(f"{acl.WRITERS}{each}" for each in self.writes_for),
            )
        )


ANONYMOUS: Final = Actor()
"""Who has not authenticated."""
