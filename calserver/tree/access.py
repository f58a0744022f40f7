"""Who may do what (RFC 3744), decided in one place: `held`.

A list is evaluated inside the transaction, from rows that are loaded already, once per collection of a request; what is
in a collection shares the result unless it has a list of its own. The owner and administrators hold everything,
whatever lists say, so nothing is evaluated for them.

For everybody else the entries are looked at in this order (`calserver.dav.acl`):

1. those of the resource itself, or, until somebody sets a list, the `DEFAULT` of its kind;
2. those of the collections above, the nearest first, as far as they pass them on (`StoredCollection.heritable`);
3. that the owner's delegates act for the owner in all homes (caldav-proxy).

So an owner can keep something from delegates, or from a group that may see all of the home.

A calendar that others share stands in the homes of the sharees too. There it gives what the owner of the calendar
allowed (`SHARED`), and no more to delegates of the sharee.

Who has not authenticated never gets more than to read, and nothing of what is shared.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from calserver.dav import Ace, Acl, Entry, Href, Privileges, Resource, View, acl
from calserver.directory import identity_at, named_in_property
from calserver.names import CY, C, D
from calserver.store import Collection

if TYPE_CHECKING:
    from calserver.tree.estate import Estate

NOTHING: Final[frozenset[str]] = frozenset()
LOOK: Final = frozenset({D("read"), D("read-current-user-privilege-set")})
"""What is held on what everybody may look at."""

READ_FREE_BUSY: Final = C("read-free-busy")
READING: Final = LOOK | {READ_FREE_BUSY}
"""The most that is held without authentication."""
WRITING: Final = frozenset(
    {
        D("write"),
        D("write-properties"),
        D("write-content"),
        D("bind"),
        D("unbind"),
        CY("add-resource"),
        CY("make-collection"),
        CY("remove-resource"),
        CY("remove-collection"),
    }
)

DEFAULT: Final[Mapping[str, Acl]] = {
    "calendar": (Ace(acl.AUTHENTICATED, frozenset({READ_FREE_BUSY})),),
    "inbox": (Ace(acl.AUTHENTICATED, frozenset({C("schedule-deliver")})),),
    "attachments": (Ace(acl.AUTHENTICATED, LOOK),),
}
"""Lists that are in effect until another one is set, by kind of collection; nothing on any other."""

SHARED: Final[Mapping[str | None, frozenset[str]]] = {
    "read": READING | {D("write-properties")},
    "read-write": READING | WRITING,
}
"""What somebody holds on a calendar that is shared with this access; its properties there are the sharee's own."""


@lru_cache(maxsize=4096)
def delegated(principal_id: int) -> Acl:
    """What delegates of a principal hold in all its homes (caldav-proxy section 5)."""
    return (
        Ace(f"{acl.READERS}{principal_id}", READING),
        Ace(f"{acl.WRITERS}{principal_id}", READING | {D("write"), C("schedule-send")}),
    )


def own(row: Collection) -> Acl:
    """The entries of a collection itself, stored or by default."""
    if row.source_id is not None:
        return (Ace(row.principal_id, SHARED.get(row.access, NOTHING)),)
    return DEFAULT.get(row.kind, ()) if row.acl is None else row.acl


def rules(view: View, row: Collection) -> bool:
    """Whether the actor holds everything in a home: as its owner, or as an administrator."""
    actor = view.request.actor
    if actor.administrator:
        return True
    return actor.principal_id is not None and actor.principal_id == row.principal_id and row.source_id is None


def held(
    view: View, row: Collection, kind: type[Resource], entries: Callable[[], Acl], properties: Mapping[str, str]
) -> frozenset[str]:
    """The privileges that the actor holds on a resource, aggregated ones included.

    Args:
        view: of the request.
        row: the collection that the resource is, or is in.
        kind: the class of the resource.
        entries: gives its own and those that it inherits, in the order in which they count; where they do.
        properties: those that clients have set on it.
    """
    model = view.spoken.derived(kind, Privileges)
    if rules(view, row):
        return model.every
    actor = view.request.actor
    identities = actor.identities

    def matches(who: acl.Who) -> bool:
        if who in identities:
            return True
        return isinstance(who, str) and who.startswith(acl.PROPERTY) and _named(view, row, who, properties)

    found = model.held(entries(), matches)
    if acl.UNAUTHENTICATED in identities:
        return found & READING if row.source_id is None else NOTHING
    if row.source_id is not None:
        found &= SHARED.get(row.access, NOTHING)
    return found


Source = tuple[Href, Acl]
"""A collection that passes its entries on, and these."""
EVERYTHING: Final = frozenset({D("all")})


def shown(view: View, row: Collection, entries: Acl, above: Sequence[Source], estate: "Estate") -> tuple[Entry, ...]:
    """All entries of a resource: those that always count, its own, what it inherits.

    Args:
        view: of the request.
        row: the collection that the resource is, or is in.
        entries: its own.
        above: the collections that it inherits from, the nearest first; none for a home itself.
        estate: of the home.
    """
    home = estate.href if above else None
    always = [Entry(Ace(each.id, EVERYTHING), protected=True) for each in view.txn.principals.administrators()]
    if row.source_id is None:
        always.insert(0, Entry(Ace(row.principal_id, EVERYTHING), protected=True, inherited=home))
    return (
        *always,
        *(Entry(each, protected=row.source_id is not None) for each in entries),
        *(Entry(each, inherited=href) for href, some in above for each in some),
        *(Entry(each, protected=home is None, inherited=home) for each in delegated(row.principal_id)),
    )


def by_property(ace: Ace) -> bool:
    """Whether whom an entry is about depends on a property that clients set."""
    return isinstance(ace.who, str) and ace.who.startswith(acl.PROPERTY) and ace.who != acl.OWNER


def _named(view: View, row: Collection, who: str, properties: Mapping[str, str]) -> bool:
    """Whether a property of a resource names the actor, or a group that the actor is in (RFC 3744 section 5.5.1)."""
    identities = view.request.actor.identities
    if who == acl.OWNER:
        return row.principal_id in identities
    return any(_identity(view, each) in identities for each in named_in_property(view, who, properties))


def _identity(view: View, href: Href) -> acl.Who | None:
    known = view.memory.setdefault(_identity, {})
    if href not in known:
        known[href] = identity_at(view.txn, href)
    found: acl.Who | None = known[href]
    return found
