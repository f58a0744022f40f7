"""Who may do what, worked out slowly from the words of docs/access.md and RFC 3744, and not in the server's way.

It looks each thing up where it is stored, again for every question, and knows no classes, bits or caches.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import attrs
from lxml import etree

from calserver.dav import Ace
from calserver.names import CY, C, D
from calserver.store import Collection, Object, Transaction

ATOMS: Final = {
    D("read"),
    D("read-current-user-privilege-set"),
    D("write-properties"),
    D("write-content"),
    CY("add-resource"),
    CY("make-collection"),
    CY("remove-resource"),
    CY("remove-collection"),
    D("read-acl"),
    D("write-acl"),
    D("share"),
    D("unlock"),
}
"""What is on every resource, and is not only a sum of others."""
SUMS: Final = {
    D("write"): {
        D("write-properties"),
        D("write-content"),
        CY("add-resource"),
        CY("make-collection"),
        CY("remove-resource"),
        CY("remove-collection"),
    },
    D("bind"): {CY("add-resource"), CY("make-collection")},
    D("unbind"): {CY("remove-resource"), CY("remove-collection")},
    CY("admin"): {D("read-acl"), D("write-acl"), D("share"), D("unlock")},
    D("read"): {D("read"), D("read-current-user-privilege-set"), C("read-free-busy")},
    C("schedule-deliver"): {
        C("schedule-deliver-invite"),
        C("schedule-deliver-reply"),
        C("schedule-query-freebusy"),
    },
    C("schedule-send"): {C("schedule-send-invite"), C("schedule-send-reply"), C("schedule-send-freebusy")},
}
READING: Final = {D("read"), D("read-current-user-privilege-set"), C("read-free-busy")}
SHARED: Final = {"read": READING | {D("write-properties")}, "read-write": READING | SUMS[D("write")]}
"""The most that is held on what somebody shares, by the access of the share."""


@attrs.frozen
class Spot:
    """A resource: the collections from its home down, and the object at the end if it is one."""

    way: tuple[Collection, ...]
    object: Object | None = None
    origin: tuple[Collection, ...] = ()
    """Where it is shared from: the collections there, from the home down."""

    @property
    def here(self) -> Collection:
        """The collection that it is, or is in."""
        return self.way[-1]


def known(spot: Spot) -> set[str]:
    """The atoms that there are on a resource."""
    found = set(ATOMS)
    in_calendars = spot.way[0].kind == "calendar-home"
    if spot.object is None:
        if in_calendars and spot.here.kind in ("calendar-home", "calendar", "shared-calendar", "plain"):
            found.add(C("read-free-busy"))
        if spot.here.kind == "inbox":
            found |= SUMS[C("schedule-deliver")]
        if spot.here.kind == "outbox":
            found |= SUMS[C("schedule-send")]
    elif spot.here.kind in ("calendar", "shared-calendar", "inbox"):
        found.add(C("read-free-busy"))
    return found


def atoms(name: str, spot: Spot) -> set[str]:
    """What a privilege comes to on a resource."""
    if name == D("all"):
        return known(spot)
    return SUMS.get(name, {name}) & known(spot)


def entries(spot: Spot) -> Iterator[Ace]:
    """The entries that count, in their order, but for delegates."""
    if spot.object is not None:
        yield from spot.object.acl or ()
    for number, place in enumerate(reversed(spot.way)):
        own = number == 0 and spot.object is None
        passes_on = not (place.kind == "plain" and spot.way[0].kind == "calendar-home")
        if not own and not passes_on:
            continue
        if place.source_id is not None:
            yield Ace(place.principal_id, frozenset(SHARED[place.access or ""]))
        elif place.acl is not None:
            yield from place.acl
        elif place.kind == "calendar":
            yield Ace("authenticated", frozenset({C("read-free-busy")}))
        elif place.kind == "inbox":
            yield Ace("authenticated", frozenset({C("schedule-deliver")}))
        elif place.kind == "attachments":
            yield Ace("authenticated", frozenset({D("read")}))


def groups(txn: Transaction, member: int) -> set[int]:
    """All groups that somebody is in, directly or not."""
    found: set[int] = set()
    waiting = [member]
    while waiting:
        for group in txn.principals.memberships(waiting.pop()):
            if group.id not in found:
                found.add(group.id)
                waiting.append(group.id)
    return found


def acts(txn: Transaction, who: int, owner: int, access: str) -> bool:
    """Whether somebody is a delegate of the owner."""
    return bool({who, *groups(txn, who)} & {each.id for each in txn.principals.delegates(owner, access)})


def about(txn: Transaction, ace: Ace, who: int | None, spot: Spot) -> bool:
    """Whether an entry is about somebody, None for nobody."""
    owner = spot.here.principal_id
    match ace.who:
        case int(principal):
            found = who is not None and principal in {who, *groups(txn, who)}
        case "all":
            found = True
        case "authenticated":
            found = who is not None
        case "unauthenticated":
            found = who is None
        case "property:{DAV:}owner":
            found = who == owner
        case str(word) if word.startswith("read-delegates:"):
            found = who is not None and acts(txn, who, int(word.partition(":")[2]), "read")
        case str(word) if word.startswith("write-delegates:"):
            found = who is not None and acts(txn, who, int(word.partition(":")[2]), "write")
        case str(word) if word.startswith("property:"):
            properties = spot.here.properties if spot.object is None else spot.object.properties
            found = who is not None and _named(txn, properties.get(word.removeprefix("property:")), who)
        case _:
            found = False
    return found is not ace.invert


def _named(txn: Transaction, text: str | None, who: int) -> bool:
    hrefs = [] if text is None else [each.text or "" for each in etree.fromstring(text).iter(D("href"))]
    ids = set()
    for each in hrefs:
        segments = each.strip("/").split("/")
        if segments[:2] == ["dav", "principals"] and len(segments) == 4:
            principal = txn.principals.by_uid(segments[2], segments[3])
            ids.add(principal.id if principal else -1)
    return bool(ids & {who, *groups(txn, who)})


def decisions(txn: Transaction, who: int | None, spot: Spot) -> Iterator[tuple[bool, str]]:
    """What is granted to somebody, or denied, in the order in which it counts."""
    for ace in entries(spot):
        if about(txn, ace, who, spot):
            yield from ((not ace.deny, name) for name in ace.privileges)
    acting = {"read": ("read",), "write": ("read", "write")}
    for access, names in acting.items():
        if who is not None and acts(txn, who, spot.here.principal_id, access):
            yield from ((True, D(name)) for name in names)
            yield from ((True, C("schedule-send")) for _ in names[1:])


def held(txn: Transaction, who: int | None, spot: Spot) -> set[str]:
    """The atoms that somebody holds on a resource."""
    shared = spot.here.source_id is not None
    if who is None and (shared or (spot.object is not None and spot.here.kind in ("calendar", "inbox"))):
        return set()
    if who is not None:
        principal = txn.principals.get(who)
        assert principal is not None
        if principal.administrator or (who == spot.here.principal_id and not shared):
            return known(spot)
    decided: dict[str, bool] = {}
    for granted, name in decisions(txn, who, spot):
        for atom in atoms(name, spot):
            decided.setdefault(atom, granted)
    found = {atom for atom, granted in decided.items() if granted}
    if shared:
        found &= SHARED[spot.here.access or ""]
        if spot.object is not None and D("write-content") not in found:
            found -= {D("write-properties")}
    return found if who is not None else found & READING


def text(txn: Transaction, spot: Spot) -> bytes:
    """The content of an object, as it is where it is; nothing for a collection."""
    if spot.object is None:
        return b""
    return txn.objects.texts([spot.object.id], seen_in=spot.here.id)[spot.object.id]


def in_public(txn: Transaction, spot: Spot, privilege: str) -> bool:
    """Whether a calendar is public, or an object comes with one that is: without a list of its own, and not private."""
    if spot.here.kind != "calendar" or not atoms(privilege, Spot(spot.way)) <= held(txn, None, Spot(spot.way)):
        return False
    if spot.object is None:
        return True
    return spot.object.acl is None and (privilege != D("read") or b"CLASS:PRIVATE" not in text(txn, spot))


def about_people(calendar: Collection) -> list[Ace]:
    """The list of a calendar without what it says of who has not logged in."""
    return [each for each in entries(Spot((calendar,))) if each.who != "unauthenticated" or each.invert]


def spots(txn: Transaction, home: Collection) -> Iterator[tuple[str, Spot]]:
    """Everything in a home, by its path below it."""

    def below(way: Sequence[Collection], path: str) -> Iterator[tuple[str, Spot]]:
        source = way[-1].source_id
        origin = () if source is None else tuple(txn.collections.ancestors(source))
        yield path, Spot(tuple(way), None, origin)
        for row in txn.objects.in_collection(way[-1].id):
            yield path + row.name, Spot(tuple(way), row, origin)
        for child in txn.collections.children(way[-1].id):
            yield from below([*way, child], f"{path}{child.name}/")

    return below([home], "")
