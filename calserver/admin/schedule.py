"""Scheduling: who was sent what and why, and whether the copies of organizers and attendees agree."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import attrs
from cattrs.preconf.json import make_converter

from calserver import ical, itip
from calserver.admin.accounts import named
from calserver.admin.calendars import home
from calserver.admin.refused import Refused
from calserver.calendars import CALENDAR_HOME
from calserver.config import Config
from calserver.directory import KINDS
from calserver.ical import CalendarObject
from calserver.itip import Role
from calserver.meetings import People, Policy, agreement
from calserver.meetings.agreement import Disagreement
from calserver.store import Collection, Copy, Entry, Object, Principal, Store, Transaction

_converter = make_converter()

_HOMES = f"{CALENDAR_HOME.removesuffix('-home')}s/"


@attrs.frozen(kw_only=True)
class Participant:
    """Somebody who takes part in a meeting, and the copy that this is known of."""

    address: str
    role: str
    """``organizer`` or ``attendee``."""
    principal: str
    """``ann``, ``location/hall``; empty for who is not here."""
    agent: str
    """Who sends for the organizer to this attendee: SERVER, CLIENT or NONE (RFC 6638 section 7.1)."""
    status: str
    """SCHEDULE-STATUS in the organizer's copy: what became of the last message to this attendee."""
    answer: str
    """PARTSTAT in the organizer's copy."""
    own_answer: str
    """PARTSTAT in the own copy."""
    copy: str
    """The path of the own copy; empty where there is none."""
    sequence: int | None
    """SEQUENCE of the own copy."""


@attrs.frozen(kw_only=True)
class Explanation:
    """All that is known of one meeting."""

    uid: str
    participants: tuple[Participant, ...]
    sent: tuple[Entry, ...]
    """What was sent, the oldest first."""
    wrong: tuple[Disagreement, ...]
    """Where copies do not agree."""


def policy_of(config: Config) -> Policy:
    """What the site wants of scheduling; nothing leaves it from here."""
    return Policy(
        calendars=config.calendars,
        scheduling=config.scheduling,
        prefix=config.server.public_prefix,
        node=config.cluster.node,
    )


# -- explaining


def explain(txn: Transaction, what: str, config: Config, people: Iterable[str] = ()) -> Explanation:
    """Say who was sent what of a meeting and why, and how each copy stands.

    Args:
        txn: a reading transaction.
        what: the URL of a copy, its path, ``owner/calendar/name``, or the UID of a meeting that may be gone.
        config: of the server.
        people: addresses of some who take part, as far as that is known.

    Raises:
        Refused: there is no such object, or nothing is known of the UID.
    """
    found = None if "/" not in what and "://" not in what else _object(txn, what, config.server.public_prefix)
    uid = what if found is None else found.uid
    if uid is None:
        raise Refused(f"{what} has no UID")
    sent = tuple(txn.journal.about(uid))
    policy = policy_of(config)
    around = _Around(txn, policy, uid)
    if found is not None:
        around.take([found.home_id])
    around.meet({who for each in sent for who in (each.originator, *each.recipients)}.union(people))
    if not around.copies and not sent:
        raise Refused(f"nothing is known of a meeting with the UID {uid}")
    around.meet(around.named())
    return Explanation(uid=uid, participants=tuple(around.participants()), sent=sent, wrong=around.wrong(policy))


def together(parts: Sequence[Explanation]) -> Explanation:
    """What the nodes of a cluster know of one meeting: each has the copies and the journal of its people."""
    first = sorted(
        parts, key=lambda part: not any(each.role == "organizer" and each.copy for each in part.participants)
    )
    found: dict[tuple[str, str], Participant] = {}
    for each in (participant for part in first for participant in part.participants):
        key = each.role, each.address
        found[key] = _filled(found[key], each) if key in found else each
    return Explanation(
        uid=parts[0].uid,
        participants=tuple(found[key] for key in sorted(found, key=lambda key: (key[0] != "organizer", key[1]))),
        sent=tuple(sorted({each: None for part in parts for each in part.sent}, key=lambda each: each.at)),
        wrong=tuple({each: None for part in first for each in part.wrong}),
    )


def _filled(known: Participant, other: Participant) -> Participant:
    """What is known of somebody, and what else another node knows."""
    more = {name: value for name, value in attrs.asdict(other).items() if getattr(known, name) in ("", None)}
    return attrs.evolve(known, **more)


def packed(explanation: Explanation) -> Mapping[str, Any]:
    """As it goes from node to node, in JSON."""
    plain: Mapping[str, Any] = _converter.unstructure(explanation)
    return plain


def unpacked(plain: Mapping[str, Any]) -> Explanation:
    """What `packed` made."""
    return _converter.structure(plain, Explanation)


def _object(txn: Transaction, what: str, prefix: str) -> Object:
    """The object at a URL, a path below the DAV root, or ``owner/calendar/name``."""
    path = re.sub(r"^[a-z]+://[^/]+", "", what)
    path = path.removeprefix(prefix).removeprefix("/").removeprefix(_HOMES)
    parts = [unquote(each) for each in path.split("/") if each]
    kind = parts.pop(0) if len(parts) > 3 and parts[0] in KINDS else None
    if len(parts) < 3:
        raise Refused(f"{what} is no calendar object; one is OWNER/CALENDAR/NAME, or a URL")
    owner, *names, name = parts
    place = txn.collections.by_path(home(txn, named(txn, owner, kind)).id, names)
    found = None if place is None else txn.objects.get(place.source_id or place.id, name)
    if found is None:
        raise Refused(f"there is no {what}")
    return found


class _Around:
    """The copies of a meeting, and who takes part in it."""

    def __init__(self, txn: Transaction, policy: Policy, uid: str) -> None:
        self.txn, self.uid = txn, uid
        self.people = People(txn, policy)
        self.copies: dict[int, Copy] = {}
        """By home."""
        self.principals: dict[int, Principal] = {}
        self.homes: dict[int, int] = {}
        """Of principals."""
        self.places: dict[int, Collection] = {}
        """Calendars that lie directly in homes."""

    def take(self, homes: Iterable[int]) -> None:
        """Find the copies in some homes."""
        self.copies |= {each.row.home_id: each for each in self.txn.copies.of(homes, self.uid)}

    def meet(self, addresses: Iterable[str]) -> None:
        """Find some people and their copies."""
        some = set(addresses)
        self.people.meet(some)
        known = [who for each in some if (who := self.people.whose(each)) is not None]
        new = {each.id: each for each in known if each.id not in self.principals}
        self.principals |= new
        rows = self.txn.collections.in_homes(new, CALENDAR_HOME, ("calendar",)) if new else ()
        homes = {row.principal_id: row.id for row in rows if row.parent_id is None}
        self.homes |= homes
        self.places |= {row.id: row for row in rows if row.parent_id is not None}
        self.take(homes.values())

    def named(self) -> set[str]:
        """Everybody whom a copy names."""
        objects = [CalendarObject.stored(each.text) for each in self.copies.values()]
        return {who for each in objects for who in (*each.attendees, each.organizer) if who}

    def wrong(self, policy: Policy) -> tuple[Disagreement, ...]:
        """What does not agree with the organizer's copy; without one, what is wrong with the others."""
        organizers = self._organizers()
        found: list[Disagreement] = []
        for copy in [organizers] if organizers else list(self.copies.values()):
            place = self.txn.collections.get(copy.row.collection_id)
            if place is not None:
                found.extend(agreement.look_at(self.txn, policy, place, [copy]))
        return tuple(found)

    def participants(self) -> Iterator[Participant]:
        """The organizer, then the attendees by address."""
        copy = self._organizers()
        organizers = None if copy is None else CalendarObject.stored(copy.text)
        objects = [organizers] if organizers else [CalendarObject.stored(each.text) for each in self.copies.values()]
        for organizer in sorted({each.organizer for each in objects if each.organizer}):
            yield self._participant(organizer, Role.ORGANIZER, organizers)
        mine = {who for each in objects for who in (*self._all_of(each.organizer), each.organizer) if who}
        for address in sorted({who for each in objects for who in each.attendees} - mine):
            yield self._participant(address, Role.ATTENDEE, organizers)

    def _all_of(self, address: str | None) -> Iterable[str]:
        who = self.people.whose(address) if address else None
        return () if who is None else self.people.addresses(who)

    def _organizers(self) -> Copy | None:
        """The organizer's copy, where that is here."""
        for who in self.principals.values():
            copy = self.copies.get(self.homes.get(who.id, 0))
            found = None if copy is None else CalendarObject.stored(copy.text)
            if itip.role_of(found, self.people.addresses(who)) is Role.ORGANIZER:
                return copy
        return None

    def _participant(self, address: str, role: Role, organizers: CalendarObject | None) -> Participant:
        who = self.people.whose(address)
        copy = None if who is None else self.copies.get(self.homes.get(who.id, 0))
        own = None if copy is None else CalendarObject.stored(copy.text)
        addresses = frozenset((address,)) if who is None else self.people.addresses(who)
        attendee = role is Role.ATTENDEE
        return Participant(
            address=address,
            role=role.value,
            principal="" if who is None else _name(who),
            agent=_params(organizers, addresses, "SCHEDULE-AGENT") or "SERVER" if attendee else "",
            status=_params(organizers, addresses, "SCHEDULE-STATUS") if attendee else "",
            answer=_params(organizers, addresses, "PARTSTAT"),
            own_answer=_params(own, addresses, "PARTSTAT") if attendee else "",
            copy="" if copy is None or who is None else self._path(copy.row, who),
            sequence=None if own is None else max(map(itip.sequence_of, own.components)),
        )

    def _path(self, row: Object, owner: Principal) -> str:
        place = self.places.get(row.collection_id)
        below = [place] if place is not None else self.txn.collections.ancestors(row.collection_id)[1:]
        return "/".join((f"{_HOMES}{owner.kind}/{owner.uid}", *(each.name for each in below), row.name))


def _name(who: Principal) -> str:
    return who.uid if who.kind == "user" else f"{who.kind}/{who.uid}"


def _params(found: CalendarObject | None, addresses: frozenset[str], name: str) -> str:
    """The values that a parameter of an attendee has in the components of a copy, each once."""
    values = [
        prop.param(name)
        for each in (() if found is None else found.components)
        for prop in each.all("ATTENDEE")
        if ical.address(prop.value) in addresses
    ]
    return ", ".join(dict.fromkeys(filter(None, values)))


# -- checking


@attrs.frozen(kw_only=True)
class Checked:
    """What was found with one principal."""

    principal: str
    looked_at: int
    found: tuple[Disagreement, ...]
    repaired: tuple[Disagreement, ...] = ()


def principals(store: Store) -> Sequence[Principal]:
    """Whoever may have calendars."""
    return [each for each in store.read_now(lambda txn: txn.principals.list()) if each.kind != "group"]


def check(store: Store, config: Config, owners: Iterable[Principal], *, repair: bool = False) -> Iterator[Checked]:
    """Compare the copies of all meetings of some principals with those of others, and repair what differs.

    Each page is a transaction of its own, and so is each repair, since a server may be running over the same store.

    Args:
        store: the store.
        config: of the server.
        owners: whose calendars to look at.
        repair: whether attendees whose copies differ get the organizer's state.
    """
    policy = policy_of(config)
    for owner in owners:
        looked_at, found = 0, list[Disagreement]()
        for page in _pages(store, policy, owner):
            looked_at += page.looked_at
            found.extend(page.found)
        repaired = [each for each in found if repair and each.kind == "differs" and _repaired(store, policy, each)]
        yield Checked(principal=_name(owner), looked_at=looked_at, found=tuple(found), repaired=tuple(repaired))


def _pages(store: Store, policy: Policy, owner: Principal) -> Iterator[agreement.Page]:
    def calendars(txn: Transaction) -> list[int]:
        found = txn.collections.home(owner.id, CALENDAR_HOME)
        below = () if found is None else txn.collections.below(found.id)
        return [each.id for each in below if each.kind == "calendar" and each.source_id is None]

    def look(calendar: int, after: str) -> Callable[[Transaction], agreement.Page | None]:
        def page(txn: Transaction) -> agreement.Page | None:
            found = txn.collections.get(calendar)
            return None if found is None else agreement.look(txn, policy, found, after=after)

        return page

    for calendar in store.read_now(calendars):
        after: str | None = ""
        while after is not None:
            page = store.read_now(look(calendar, after))
            if page is None:
                break
            yield page
            after = page.last


def _repaired(store: Store, policy: Policy, wrong: Disagreement) -> bool:
    done = store.write_now(
        lambda txn: agreement.repair(txn, policy, wrong.principal, wrong.uid, frozenset((wrong.attendee,)))
    )
    return wrong.attendee in done
