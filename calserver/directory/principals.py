"""Principals as WebDAV resources (RFC 3744 section 2): ``principals/<kind>/<uid>/`` and the collections above them.

Whoever has authenticated may look at principals, since calendars are shared and people invited by them. A listing of a
collection tells only who one is oneself; others are found by search, which is bounded.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Final

import attrs

from calserver.dav import Ace, Collection, Entry, Forbidden, Href, NotFound, Resource, Unmapped, View, acl
from calserver.directory.actor import KINDS, SEGMENT, principal_href
from calserver.directory.addresses import GUID, addresses_of
from calserver.directory.identities import identity_hrefs, proxy_href
from calserver.names import CS, D
from calserver.store import Principal

ROOT: Final = Href((SEGMENT,), collection=True)

LOOK: Final = frozenset({D("read"), D("read-current-user-privilege-set")})
CHANGE: Final = LOOK | {D("write-properties"), D("read-acl")}
"""What principals hold on themselves, and administrators on all."""


def privileges_at(view: View, owner: Href) -> frozenset[str]:
    """What the actor holds on a principal, or on the groups of its delegates: everybody may look."""
    actor = view.request.actor
    if actor.administrator or actor.href == owner:
        return CHANGE
    return LOOK if actor.href is not None else frozenset()


def entries_of(principal: Principal) -> tuple[Entry, ...]:
    """The same as entries, none of which can be changed."""
    return (
        Entry(Ace(principal.id, CHANGE), protected=True),
        Entry(Ace(acl.AUTHENTICATED, LOOK), protected=True),
    )


class PrincipalResource(Collection):
    """A principal. It is a collection, whose members are the groups of those who act for it.

    The groups that it is in are those of the directory, and those of the delegates of others (RFC 3744 section 4.4).
    """

    resourcetype: ClassVar[tuple[str, ...]] = (D("collection"), D("principal"))

    def __init__(self, view: View, principal: Principal) -> None:
        super().__init__(view, principal_href(principal.kind, principal.uid))
        self.principal = principal
        self.display_name = principal.name
        self.resource_id = GUID + principal.guid
        self.owner = self.href

    @property
    def privileges(self) -> frozenset[str]:
        """Everybody may look; the principal itself and administrators may set properties."""
        return privileges_at(self.view, self.href)

    @property
    def access_control(self) -> Sequence[Entry]:
        """The same as entries."""
        return entries_of(self.principal)

    def members(self, wanted: frozenset[str] | None = None) -> Iterator[Resource]:
        """The groups of its delegates."""
        return iter(proxies_of(self.view, self.principal))

    def member(self, name: str) -> Resource | None:
        """One of them."""
        return next((each for each in proxies_of(self.view, self.principal) if each.href.name == name), None)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All calendar user addresses, the preferred one first (RFC 6638 section 2.4.1)."""
        return addresses_of(self.principal, self.view.request.prefix)

    @cached_property
    def groups(self) -> tuple[Href, ...]:
        """The groups that it is a direct member of."""
        principals = self.view.txn.principals
        found = principals.memberships(self.principal.id)
        delegations = principals.delegator_ids([self.principal.id])
        return (
            *(principal_href(each.kind, each.uid) for each in found),
            *delegate_groups(self.view, delegations.get("read", ()), delegations.get("write", ())),
        )

    @cached_property
    def group_members(self) -> tuple[Href, ...]:
        """The direct members of a group (RFC 3744 section 4.3)."""
        if self.principal.kind != "group":
            return ()
        found = self.view.txn.principals.members(self.principal.id)
        return tuple(principal_href(each.kind, each.uid) for each in found)

    def all_members(self) -> list[Href]:
        """The members of a group, and of the groups in it; one query for each group."""
        seen: dict[int, Principal] = {}
        waiting = [self.principal]
        while waiting:
            group = waiting.pop()
            for member in self.view.txn.principals.members(group.id) if group.kind == "group" else ():
                if member.id not in seen:
                    seen[member.id] = member
                    waiting.append(member)
        return sorted((principal_href(each.kind, each.uid) for each in seen.values()), key=str)

    def all_groups(self) -> list[Href]:
        """The groups that it is in, directly or through other groups."""
        principals = self.view.txn.principals
        ids = principals.all_memberships(self.principal.id)
        delegations = principals.delegator_ids({self.principal.id, *ids})
        return [
            *(principal_href(each.kind, each.uid) for each in principals.get_many(ids)),
            *delegate_groups(self.view, delegations.get("read", ()), delegations.get("write", ())),
        ]

    def delegators(self, access: str) -> tuple[Href, ...]:
        """Those for whom it acts, itself or by a group, with access ``read`` or ``write``."""
        principals = self.view.txn.principals
        ids = {self.principal.id, *principals.all_memberships(self.principal.id)}
        return tuple(principal_href(each.kind, each.uid) for each in principals.delegators(ids, access))

    @property
    def stored_properties(self) -> Mapping[str, str]:
        """What clients have set."""
        return self.principal.properties

    def store_properties(self, changes: Mapping[str, str | None]) -> None:
        """Set or remove stored properties."""
        merged = {**self.principal.properties, **changes}
        kept = {name: value for name, value in merged.items() if value is not None}
        self.principal = self.view.txn.principals.update(attrs.evolve(self.principal, properties=kept))


class ProxyResource(Collection):
    """The group of those who act for a principal with some access, ``read`` or ``write``."""

    access: ClassVar[str]

    def __init__(self, view: View, principal: Principal) -> None:
        super().__init__(view, proxy_href(principal.kind, principal.uid, f"calendar-proxy-{self.access}"))
        self.principal = principal
        self.display_name = f"{principal.name} ({self.access} delegates)"
        self.owner = principal_href(principal.kind, principal.uid)

    @property
    def privileges(self) -> frozenset[str]:
        """Everybody may look; the principal and administrators may set the members."""
        return privileges_at(self.view, principal_href(self.principal.kind, self.principal.uid))

    @property
    def access_control(self) -> Sequence[Entry]:
        """The same as entries."""
        return entries_of(self.principal)

    @cached_property
    def delegates(self) -> tuple[Href, ...]:
        """The direct members."""
        found = self.view.txn.principals.delegates(self.principal.id, self.access)
        return tuple(principal_href(each.kind, each.uid) for each in found)

    def set_delegates(self, ids: Iterable[int]) -> None:
        """Replace the members."""
        self.view.txn.principals.set_delegates(self.principal.id, self.access, ids)
        vars(self).pop("delegates", None)

    def store_properties(self, changes: object) -> None:
        """No other properties are kept."""
        raise Forbidden("this property cannot be set here")


class ReadProxies(ProxyResource):
    """Those who may read (caldav-proxy)."""

    resourcetype = (D("collection"), D("principal"), CS("calendar-proxy-read"))
    access = "read"


class WriteProxies(ProxyResource):
    """Those who may write too (caldav-proxy)."""

    resourcetype = (D("collection"), D("principal"), CS("calendar-proxy-write"))
    access = "write"


def proxies_of(view: View, principal: Principal) -> Sequence[ProxyResource]:
    """The groups of delegates of a principal; groups have none."""
    return () if principal.kind == "group" else (ReadProxies(view, principal), WriteProxies(view, principal))


def delegate_groups(view: View, readers_of: Iterable[int], writers_of: Iterable[int]) -> list[Href]:
    """Where the groups of delegates of these principals are, by their keys."""
    wanted = [*(f"{acl.READERS}{each}" for each in readers_of), *(f"{acl.WRITERS}{each}" for each in writers_of)]
    return sorted(identity_hrefs(view.txn, wanted).values(), key=str) if wanted else []


class PrincipalCollection(Collection):
    """All principals, or all of one kind (RFC 3744 section 5.8)."""

    def __init__(self, view: View, kind: str | None = None) -> None:
        super().__init__(view, ROOT if kind is None else ROOT.child(kind, collection=True))
        self.kinds = KINDS if kind is None else (kind,)
        self._kind = kind

    @property
    def privileges(self) -> frozenset[str]:
        """Whoever has authenticated may look."""
        return LOOK if self.view.request.actor.href is not None else frozenset()

    def members(self, wanted: frozenset[str] | None = None) -> Iterator[Resource]:
        """The collections of each kind; in those, who asks, and for administrators everybody."""
        if self._kind is None:
            yield from (PrincipalCollection(self.view, kind) for kind in KINDS)
            return
        actor = self.view.request.actor
        if actor.administrator:
            for principal in self.view.txn.principals.list(self._kind):
                yield PrincipalResource(self.view, principal)
        elif actor.href is not None and actor.href.within(self.href):
            yield self.view.find(actor.href)

    def member(self, name: str) -> Resource | None:
        """One of them, whether it is listed or not."""
        found = self.view.find(self.href.child(name, collection=True))
        return found if found.exists else None


@attrs.frozen
class PrincipalMount:
    """Finds principals by their paths; a mount of the tree."""

    name: str = SEGMENT

    def find(self, view: View, href: Href) -> Resource:
        """The resource at a path that begins with ``principals``."""
        match href.segments:
            case (_,):
                return PrincipalCollection(view)
            case (_, kind) if kind in KINDS:
                return PrincipalCollection(view, kind)
            case (_, kind, uid, *below) if kind in KINDS:
                principal = view.txn.principals.by_uid(kind, uid)
                if principal is None:
                    return Unmapped(view, href, None if below else PrincipalCollection(view, kind))
                resource = PrincipalResource(view, principal)
                if not below:
                    return resource
                if len(below) == 1 and (proxies := resource.member(below[0])) is not None:
                    return proxies
                return Unmapped(view, href, resource if len(below) == 1 else None)
            case (_, _):
                return Unmapped(view, href, PrincipalCollection(view))
            case _:
                return Unmapped(view, href, None)


def principal_at(view: View, href: Href) -> PrincipalResource:
    """The principal at an href.

    Raises:
        NotFound: there is none.
    """
    found = view.find(href)
    if not isinstance(found, PrincipalResource):
        raise NotFound("there is no such principal")
    return found
