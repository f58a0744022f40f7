"""Whether the copies of a meeting agree, and making them agree (RFC 6638 section 4).

Copies of organizer and attendees agree by construction: all of them are written in one transaction. What is imported,
restored from a backup or changed by hand is not, so an administrator may look.

An attendee's copy agrees when the organizer's state, delivered as if nothing of it were known, changes nothing in it
but how others answered (of that attendees are told later, or never), and when both copies have the same answer. To
repair is to deliver so. What was over long ago is left out: changes of it are told to nobody elsewhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import attrs

from calserver import ical, itip
from calserver.calendars import CALENDAR_HOME
from calserver.ical import CalendarObject, Component, Property
from calserver.itip import Memory, Message, Role
from calserver.meetings.delivery import DELIVERED, Delivery, is_cancelled
from calserver.meetings.holding import recalled
from calserver.meetings.people import People
from calserver.meetings.policy import Policy
from calserver.store import Collection, Copy, Principal, Transaction

Kind = Literal["differs", "gone", "orphan"]
REPAIR: Final = "repair"
"""Why messages are sent, in the journal."""
_NEVER: Final = datetime.fromtimestamp(0, UTC)
"""What a request does does not depend on the time."""


@attrs.frozen(kw_only=True)
class Disagreement:
    """What is wrong between the copies of an organizer and an attendee.

    ``differs``: the attendee's copy says something else. ``gone``: the attendee has none, though it was delivered and
    not declined; whoever removes a copy without an answer (``Schedule-Reply: F``) leaves this too, so it is no error.
    ``orphan``: the organizer is here and has no such meeting, or does not invite the attendee.
    """

    kind: Kind
    uid: str
    organizer: str
    attendee: str
    principal: int
    """Whose copy was looked at: the organizer's, or of an orphan the attendee's."""
    texts: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Page:
    """Some objects of a calendar: what is wrong with them, and the name after which to go on; None at the end."""

    looked_at: int
    found: tuple[Disagreement, ...]
    last: str | None


def look(txn: Transaction, policy: Policy, calendar: Collection, *, after: str = "", limit: int = 100) -> Page:
    """Compare meetings of a calendar with what others have of them, in a number of queries that does not grow."""
    some = txn.copies.organized(calendar.id, after, limit)
    last = some[-1].row.name if len(some) == limit else None
    return Page(looked_at=len(some), found=look_at(txn, policy, calendar, some), last=last)


def look_at(txn: Transaction, policy: Policy, calendar: Collection, some: Sequence[Copy]) -> tuple[Disagreement, ...]:
    """Compare some objects of a calendar with what others have of them."""
    owner = txn.principals.get(calendar.principal_id)
    if owner is None or not some:
        return ()
    around = _Around(txn, policy, owner, some)
    return tuple(wrong for each in some if not around.is_over(each) for wrong in around.wrong(each))


class _Around:
    """Some objects of a principal, and all copies that others here have of them."""

    def __init__(self, txn: Transaction, policy: Policy, owner: Principal, some: Sequence[Copy]) -> None:
        self.txn, self.owner = txn, owner
        self.people = People(txn, policy)
        self.objects = {each.row.id: CalendarObject.stored(each.text) for each in some}
        self._over = (txn.now - timedelta(days=policy.scheduling.past_days)).timestamp()
        organizers = {each.organizer for each in self.objects.values() if each.organizer}
        self.people.meet(organizers)
        own = [each for each in self.objects.values() if each.organizer in self.people.addresses(owner)]
        attendees = {who for each in own for who in each.attendees}
        self.people.meet(attendees)
        homes = txn.collections.in_homes(self._ids(organizers | attendees), CALENDAR_HOME, ())
        self.homes = {row.principal_id: row.id for row in homes}
        self.copies: dict[tuple[int, str | None], Copy] = {}
        self._find(organizers, {each.uid for each in self.objects.values()} - {each.uid for each in own})
        self._find(attendees, {each.uid for each in own})
        self._read: dict[bytes, CalendarObject] = {}
        """What copies say, by their texts: those of attendees who have not answered are mostly alike."""

    def is_over(self, copy: Copy) -> bool:
        """Whether it was over long ago."""
        return copy.row.last is not None and copy.row.last < self._over

    def of(self, principal: Principal, uid: str) -> Copy | None:
        """What a principal has of a meeting."""
        return self.copies.get((self.homes.get(principal.id, 0), uid))

    def _ids(self, addresses: Iterable[str]) -> set[int]:
        return {who.id for each in addresses if (who := self.people.whose(each)) is not None}

    def _find(self, addresses: Iterable[str], uids: Iterable[str]) -> None:
        """Find what some people have with some UIDs."""
        homes = [self.homes[each] for each in self._ids(addresses) if each in self.homes]
        found = self.txn.copies.of_many(homes, uids) if homes and uids else ()
        self.copies |= {(each.row.home_id, each.row.uid): each for each in found}

    def read(self, copy: Copy) -> CalendarObject:
        """What a copy says."""
        if copy.text not in self._read:
            self._read[copy.text] = CalendarObject.stored(copy.text)
        return self._read[copy.text]

    def wrong(self, copy: Copy) -> Iterator[Disagreement]:
        """What is wrong with an object of the owner, and with what others have of it."""
        mine = self.objects[copy.row.id]
        addresses = self.people.addresses(self.owner)
        role = itip.role_of(mine, addresses)
        if role is Role.ORGANIZER:
            yield from self._of_attendees(mine, addresses)
        elif role is Role.ATTENDEE and itip.is_served(mine):
            yield from self._of_organizer(mine, addresses)

    def _of_organizer(self, mine: CalendarObject, addresses: frozenset[str]) -> Iterator[Disagreement]:
        who = self.people.whose(mine.organizer or "")
        if who is None or not self._is_here(who) or is_cancelled(mine):
            return
        theirs = self.of(who, mine.uid)
        found = None if theirs is None else self.read(theirs)
        me = min(mine.attendees & addresses)
        if itip.role_of(found, self.people.addresses(who)) is not Role.ORGANIZER:
            yield self._told("orphan", mine, me, ("the organizer has no such meeting",))
        elif found is not None and not found.attendees & addresses:
            yield self._told("orphan", mine, me, ("the organizer does not invite this attendee",))

    def _is_here(self, who: Principal) -> bool:
        """Whether somebody has copies, and has them here."""
        return who.kind != "group" and self.people.node_of(who) is None

    def _of_attendees(self, mine: CalendarObject, addresses: frozenset[str]) -> Iterator[Disagreement]:
        for message in itip.refresh(mine, addresses):
            for address in message.recipients:
                who = self.people.whose(address)
                if who is None or not self._is_here(who):
                    continue
                copy = self.of(who, mine.uid)
                if copy is not None:
                    texts = disagreements(mine, self.read(copy), message, self.people.addresses(who), recalled(copy))
                    if texts:
                        yield self._told("differs", mine, address, texts)
                elif _should_have(mine, self.people.addresses(who)):
                    yield self._told("gone", mine, address, ("the attendee has no copy",))

    def _told(self, kind: Kind, mine: CalendarObject, attendee: str, texts: tuple[str, ...]) -> Disagreement:
        return Disagreement(
            kind=kind,
            uid=mine.uid,
            organizer=mine.organizer or "",
            attendee=attendee,
            principal=self.owner.id,
            texts=texts,
        )


def disagreements(
    organizers: CalendarObject,
    attendees: CalendarObject,
    message: Message,
    addresses: frozenset[str],
    memory: Memory,
) -> tuple[str, ...]:
    """What an attendee's copy says otherwise than the organizer's, in sentences.

    Args:
        organizers: the organizer's copy.
        attendees: the attendee's.
        message: what the organizer's copy tells the attendee (`calserver.itip.refresh`).
        addresses: of the attendee.
        memory: what is remembered beside the attendee's copy.
    """
    if attendees.components == message.calendar.components or not itip.is_served(attendees):
        return ()
    if attendees.organizer != organizers.organizer:
        return ("it is a meeting of another organizer",)
    applied = itip.apply(attendees, message, addresses=addresses, now=_NEVER, memory=_as_if_unknown(message, memory))
    if applied.problem is not None:
        return (f"it cannot be brought into line ({applied.problem})",)
    texts = []
    if applied.calendar is None or (
        applied.changed
        and not applied.participation_only
        and not itip.looks_alike(attendees, applied.calendar, addresses)
    ):
        texts.append(_difference(attendees, applied.calendar))
    for said, there in itip.other_answers(organizers, attendees, addresses).values():
        texts.append(f"the attendee's copy says {said}, the organizer's {there}")
    return tuple(dict.fromkeys(texts))


def repair(txn: Transaction, policy: Policy, principal_id: int, uid: str, attendees: Iterable[str]) -> tuple[str, ...]:
    """Deliver the state of an organizer's copy to attendees whose copies differ.

    Args:
        txn: a writing transaction.
        policy: of the site.
        principal_id: the organizer.
        uid: of the meeting.
        attendees: their normalized addresses.

    Returns:
        Those whose copies agree now.
    """
    organizer = txn.principals.get(principal_id)
    if organizer is None:
        return ()
    delivery = Delivery(txn, policy, uid, "VEVENT")
    delivery.load([organizer])
    mine = delivery.held[organizer.id].object if organizer.id in delivery.held else None
    if mine is None:
        return ()
    people = delivery.people
    people.meet((*mine.attendees, *filter(None, (mine.organizer,))))
    if itip.role_of(mine, people.addresses(organizer)) is not Role.ORGANIZER:
        return ()
    messages = itip.refresh(mine, people.addresses(organizer), only=attendees, reason=REPAIR)
    told = {who: message for message in messages for who in message.recipients}
    known = {address: who for address in told if (who := people.whose(address)) is not None}
    delivery.load(known.values())
    for address, who in known.items():
        if who.id in delivery.held:
            holding = delivery.held[who.id]
            holding.memory = _as_if_unknown(told[address], holding.memory)
    statuses = delivery.send(messages, None, only_holders=True)
    repaired = []
    for address, who in known.items():
        if statuses.get(address) == DELIVERED and _settle(delivery, who, mine, told[address]):
            repaired.append(address)
    delivery.store()
    return tuple(repaired)


def _settle(delivery: Delivery, who: Principal, mine: CalendarObject, message: Message) -> bool:
    """Give an attendee's copy the answer that the organizer knows; returns whether both agree then."""
    holding, addresses = delivery.held[who.id], delivery.people.addresses(who)
    if holding.object is None:
        return True
    wanted = {key: there for key, (_, there) in itip.other_answers(mine, holding.object, addresses).items()}
    if wanted:
        again = itip.with_answers(holding.object, addresses, wanted)
        holding.becomes(again, holding.memory, tag_changes=True)
        assert holding.object is not None
    return not disagreements(mine, holding.object, message, addresses, holding.memory)


def _as_if_unknown(message: Message, memory: Memory) -> Memory:
    """What is remembered, but as if what a message says were known in its oldest version: then it changes that."""
    found = message.calendar
    oldest = {_key(found, each): each.replacing("SEQUENCE").replacing("DTSTAMP") for each in found.components}
    return attrs.evolve(memory, entries=oldest, zones=found.calendar.children("VTIMEZONE"))


def _key(found: CalendarObject, component: Component) -> int | None:
    """The instance that a component stands for; None for a series."""
    prop = component.first("RECURRENCE-ID")
    return None if prop is None else ical.when(prop, found.zones).epoch()


def _should_have(mine: CalendarObject, addresses: frozenset[str]) -> bool:
    """Whether an attendee was sent a meeting and has not declined all of it."""
    mentions: list[Property] = [
        prop for each in mine.components for prop in each.all("ATTENDEE") if ical.address(prop.value) in addresses
    ]
    sent = any((each.param("SCHEDULE-STATUS") or "").startswith(("1.2", "2.")) for each in mentions)
    return sent and any((each.param("PARTSTAT") or "").upper() != "DECLINED" for each in mentions)


def _difference(had: CalendarObject, wanted: CalendarObject | None) -> str:
    """In which properties a copy is not what it should be."""
    if wanted is None:
        return "nothing of the meeting is left for the attendee"
    before = {_key(had, each): each for each in had.components}
    after = {_key(wanted, each): each for each in wanted.components}
    names = {name for key in before.keys() | after.keys() for name in _names(before.get(key), after.get(key))}
    return f"the attendee's copy has other {', '.join(sorted(names - {'DTSTAMP'}))}" if names else "it differs"


def _names(one: Component | None, other: Component | None) -> set[str]:
    """The names of the properties in which two components differ."""
    if one is None or other is None:
        return {"instances"}
    mine, theirs = set(one.properties), set(other.properties)
    return {each.name for each in mine ^ theirs}
