"""What an organizer sent to an attendee: REQUEST, ADD and CANCEL (RFC 5546 section 3.2, RFC 6638 section 4.1).

Two steps. The components of the message are merged into those that are remembered, each by its own version: what is
newer stays, and a newer master ends all overrides that are older than it. Merging so gives the same whatever order
messages come in, and however often. Then the copy is made of what is remembered, and of what is the attendee's own.
"""

from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Property
from calserver.itip import reasons
from calserver.itip.attendee import own_exclusions
from calserver.itip.meeting import (
    Key,
    Meeting,
    as_era,
    calendar,
    is_era,
    is_recurring,
    key_of,
    ranging_like,
    start_of,
    written_like,
)
from calserver.itip.memory import Memory
from calserver.itip.message import Message, Method, Version
from calserver.itip.people import DECLINED, attendee, partstat, with_partstat
from calserver.itip.plan import Applied
from calserver.itip.sameness import says, says_but_participation

_OWN: Final = ("TRANSP", "COMPLETED", "PERCENT-COMPLETE")
_KEPT_PARAMETERS: Final = ("SCHEDULE-AGENT", "SCHEDULE-STATUS")


def apply_request(
    stored: CalendarObject | None, message: Message, addresses: frozenset[str], memory: Memory
) -> Applied:
    """Make an attendee's copy say what the organizer says now."""
    known = seeded(memory, stored)
    if message.method is Method.ADD and not _can_add(known, message):
        again = _ask_again(message, addresses)
        return Applied(calendar=stored, memory=memory, messages=again)
    merged = _merged(known, message, addresses)
    if merged == memory:
        return Applied(calendar=stored, memory=memory)
    found = _Copy(stored, merged, known, addresses).made()
    if found is None or (stored is None and _is_declined(found, addresses)):
        return Applied(calendar=None, memory=merged)
    if stored is None:
        return Applied(calendar=found, memory=merged, changed=True, inbox=message)
    if says(found) == says(stored):
        quiet = merged.entries == known.entries or _echoes(known, merged, addresses)
        return Applied(calendar=stored, memory=merged, inbox=None if quiet else message)
    quiet = says_but_participation(found, addresses) == says_but_participation(stored, addresses)
    return Applied(
        calendar=found, memory=merged, changed=True, inbox=None if quiet else message, participation_only=quiet
    )


def _echoes(known: Memory, merged: Memory, addresses: frozenset[str]) -> bool:
    """Whether the organizer says now what the attendee has answered, where it said something else before."""
    return any(
        partstat(attendee(each, addresses)) != partstat(attendee(before, addresses))
        for key, each in merged.entries.items()
        if (before := known.entries.get(key) or known.entries.get(None)) is not None
    )


def seeded(memory: Memory, stored: CalendarObject | None) -> Memory:
    """What is remembered of an attendee's copy; where that is nothing, the copy itself is what the organizer sent."""
    if memory.entries or stored is None:
        return memory
    return attrs.evolve(memory, entries=Meeting.of(stored).components, zones=stored.calendar.children("VTIMEZONE"))


def _can_add(memory: Memory, message: Message) -> bool:
    """Whether instances can be added one by one to what is known (RFC 5546 section 3.2.4)."""
    return memory.entries.get(None) is not None and not any(map(is_recurring, message.calendar.components))


def _ask_again(message: Message, addresses: frozenset[str]) -> tuple[Message, ...]:
    """A REFRESH: something was added to what is not known (RFC 5546 section 3.2.4)."""
    component = message.calendar.components[0]
    mine, organizer = attendee(component, addresses), component.first("ORGANIZER")
    if mine is None or organizer is None or message.organizer is None:
        return ()
    kept = tuple(each for each in component.properties if each.name in ("UID", "DTSTAMP"))
    asking = Component(component.name, (*kept, organizer, mine.with_param("RSVP", None)))
    return (
        Message(
            method=Method.REFRESH,
            originator=ical.address(mine.value),
            recipients=(message.organizer,),
            calendar=calendar(message.calendar.calendar, [asking], ()),
            reasons={message.organizer: reasons.ASKS},
        ),
    )


def _is_declined(found: CalendarObject, addresses: frozenset[str]) -> bool:
    """Whether an attendee has declined all of a meeting, who therefore need not have it."""
    return all(_is_cancelled(each) or partstat(attendee(each, addresses)) == DECLINED for each in found.components)


# -- the organizer's revision


def _merged(memory: Memory, message: Message, addresses: frozenset[str]) -> Memory:
    """What is remembered after a message; the same value where it brings nothing new."""
    entries = dict(memory.entries)
    incoming = message.calendar.calendar.children("VTIMEZONE")
    zones = tuple({each.value("TZID"): each for each in (*memory.zones, *incoming)}.values())
    start = _start_in(entries, memory.zones) or start_of(message.calendar.master, message.calendar.zones)
    for each in message.calendar.components:
        key = key_of(each, message.calendar.zones, start)
        if message.method is Method.ADD and key is None:
            key, each = _added(entries, each, message)
        if message.method is Method.CANCEL:
            each = _as_cancelled(each, entries.get(key))
        elif attendee(each, addresses) is None:
            each = _as_cancelled(each, None)
        if _wins(each, entries.get(key)):
            entries[key] = each
    master = entries.get(None)
    if master is not None:
        least = Version.of(master)
        entries = {key: each for key, each in entries.items() if key is None or Version.of(each) >= least}
    if entries == memory.entries:
        return memory
    return attrs.evolve(memory, entries=entries, zones=zones)


def _wins(new: Component, had: Component | None) -> bool:
    """Whether a component takes the place of another; where both are as old, being cancelled is the last word."""
    if had is None:
        return True
    mine, theirs = Version.of(new), Version.of(had)
    return mine > theirs or (mine == theirs and _is_cancelled(new) and not _is_cancelled(had))


def _start_in(entries: dict[Key, Component], zones: tuple[Component, ...]) -> ical.When | None:
    master = entries.get(None)
    return None if master is None else start_of(master, Meeting.made_of((master,), zones).zones)


def _added(entries: dict[Key, Component], component: Component, message: Message) -> tuple[Key, Component]:
    """An added instance as an override, and among the RDATEs of the series (RFC 5546 section 3.2.4)."""
    master, start = entries[None], component.first("DTSTART")
    if start is None or Version.of(component) < Version.of(master):
        return None, component
    at = ical.when(start, message.calendar.zones)
    name = Property("RECURRENCE-ID", start.value, start.params)
    entries[None] = attrs.evolve(
        master, properties=(*(p for p in master.properties if p != _rdate(start)), _rdate(start))
    )
    return at.epoch(), attrs.evolve(component, properties=(name, *component.properties))


def _rdate(start: Property) -> Property:
    return Property("RDATE", start.value, start.params)


def _as_cancelled(component: Component, had: Component | None) -> Component:
    """A cancelled component; one that says no more than that is the one that is known, cancelled."""
    if component.first("DTSTART") is None and had is not None:
        for name in ("SEQUENCE", "DTSTAMP"):
            found = component.first(name)
            had = had.replacing(name, *(() if found is None else (found,)))
        component = had
    return component.replacing("STATUS", Property("STATUS", "CANCELLED"))


def _is_cancelled(component: Component) -> bool:
    return (component.value("STATUS") or "").upper() == "CANCELLED"


def _in_force(entries: dict[Key, Component]) -> list[Component]:
    """What the organizer says, without the overrides that it said before it cancelled this and all future instances."""
    ends = {key: each for key, each in entries.items() if key is not None and is_era(each) and _is_cancelled(each)}
    return [
        each
        for key, each in entries.items()
        if not any(end < (key or end) and Version.of(each) < Version.of(last) for end, last in ends.items())
    ]


# -- the copy


class _Copy:
    """An attendee's copy, from what the organizer says and what was stored."""

    def __init__(
        self, stored: CalendarObject | None, memory: Memory, before: Memory, addresses: frozenset[str]
    ) -> None:
        self.object, self.stored, self.memory, self.addresses = stored, Meeting.of(stored), memory, addresses
        self.said = Meeting.made_of(_in_force(memory.entries), memory.zones)
        self.before = before.entries
        self.removed = own_exclusions(before, self.stored)

    def made(self) -> CalendarObject | None:
        """The copy; None where nothing is left of a meeting that was not there.

        A series that is cancelled, but for some instances, is left out, unless it is what says when future ones are.
        """
        entries = dict(self.said.components)
        alive = {key for key, each in entries.items() if not _is_cancelled(each)}
        if not alive and self.object is None:
            return None
        master = entries.get(None)
        if master is not None and None not in alive:
            if not alive:
                entries |= {key: self._cancelled(key) for key in self.stored.components if key not in entries}
            elif not any(is_era(entries[key]) for key in alive):
                entries = {key: each for key, each in entries.items() if key is not None}
        if None in entries and alive:
            entries = self._with_dates(entries)
        components = {key: self._own(key, each) for key, each in entries.items()}
        if None in components and alive:
            components = self._with_own_instances(components)
        like = None if self.object is None else self.object.calendar
        timezones = (*self.memory.zones, *self.stored.timezones)
        zones = tuple({each.value("TZID"): each for each in reversed(timezones)}.values())
        meeting = self.said.with_components(components)
        return calendar(like, [components[key] for key in meeting.keys], zones)

    def _with_dates(self, entries: dict[Key, Component]) -> dict[Key, Component]:
        """With the instances that no series known so far makes among its dates, as clients store nothing else."""
        master, start = entries[None], self.said.start
        least = Version.of(master)
        news = (key for key, each in entries.items() if Version.of(each) > least or _is_cancelled(each))
        odd = [key for key in news if key is not None and not self.said.could_make(key)]
        if start is None or not odd:
            return entries
        shown = [key for key in odd if not _is_cancelled(entries[key])]
        added = tuple(written_like(start, key).property("RDATE") for key in shown)
        kept = {key: each for key, each in entries.items() if key not in odd or key in shown}
        return kept | {None: attrs.evolve(master, properties=(*master.properties, *added))}

    def _cancelled(self, key: Key) -> Component:
        return self.stored.components[key].replacing("STATUS", Property("STATUS", "CANCELLED"))

    def _own(self, key: Key, said: Component) -> Component:
        """What the organizer says of an instance, with what is the attendee's own."""
        had = self.stored.components.get(key)
        if had is None and key is not None and self.stored.covers(key):
            had = self.stored.master
        alarms = tuple(each for each in said.components if each.name != "VALARM")
        if had is None:
            found = attrs.evolve(said, components=alarms)
            series = self.stored.master
            return self._with_answer(found if series is None else _with_parameters(found, series), key)
        found = attrs.evolve(said, components=(*alarms, *had.children("VALARM")))
        for name in self._own_names(key, said, had):
            found = found.replacing(name, *had.all(name))
        if had.first("CREATED") is not None:
            found = found.replacing("CREATED", *had.all("CREATED"))
        found = _with_parameters(_with_extensions(found, had, self.before.get(key)), had)
        return self._with_answer(found, key)

    def _own_names(self, key: Key, said: Component, had: Component) -> list[str]:
        """The properties that are the attendee's own: those that it has made other than the organizer had them."""
        before = self.before.get(key) or self.before.get(None)
        names = [*_OWN]
        if said.name == "VTODO" and not _is_cancelled(said) and not _is_cancelled(had):
            names.append("STATUS")
        return [name for name in names if before is None or had.all(name) != before.all(name)]

    def _with_answer(self, component: Component, key: Key) -> Component:
        """The own answer stays, unless the organizer asks for another by a new revision."""
        mine = attendee(component, self.addresses)
        if mine is None:
            return component
        status = self._answer(key, component)
        if status is None or status == partstat(mine):
            return component
        return with_partstat(component, self.addresses, status)

    def _answer(self, key: Key, said: Component) -> str | None:
        """The own answer to the revision that an instance has now; None where there is none."""
        least = Version.of(said).sequence
        if self._answered(key, least):
            return self._stored_answer(key)
        series = None if key is None else self._series_answered(key)
        if key is None or not self._answered(series, least):
            return None
        follows = key not in self.said.components or self.said.only_participation(key)
        return self._stored_answer(series) if follows else None

    def _stored_answer(self, key: Key) -> str | None:
        """The answer in the copy; what was removed from it, or all of it, is declined."""
        if self.object is None or key in self.removed:
            return DECLINED
        had = self.stored.components.get(key)
        return None if had is None else partstat(attendee(had, self.addresses))

    def _series_answered(self, key: int) -> Key:
        """What was answered last for an instance and others: the series, or this and future instances of it."""
        return max((each for each in self.memory.ranges if each < key), default=None)

    def _answered(self, key: Key, sequence: int) -> bool:
        known = self.memory.answers.get(("", key))
        return known is not None and known.sequence >= sequence

    def _with_own_instances(self, components: dict[Key, Component]) -> dict[Key, Component]:
        """The instances that the attendee removed, and those that it changed for itself."""
        master, start = components[None], self.said.start
        hidden = set()
        for key in self.removed:
            shown = components.get(key)
            if shown is None:
                again = self.said.derived(key)
                if again is not None and partstat(attendee(self._with_answer(again, key), self.addresses)) == DECLINED:
                    hidden.add(key)
            elif partstat(attendee(shown, self.addresses)) == DECLINED and not _is_cancelled(shown):
                hidden.add(key)
                components = {at: each for at, each in components.items() if at != key} | self._after(key, shown)
        for at, had in self.stored.components.items():
            if at is not None and at not in components and at not in self.said.components:
                again = self.said.derived(at)
                if again is not None and self._is_own(at, had, Version.of(again).sequence):
                    components = {**components, at: self._own(at, ranging_like(again, had))}
        components = components | self._own_ranges(components)
        own = {key for key in components if key is not None}
        components[None] = self._excluding(master, start, hidden, own)
        return components

    def _after(self, key: int, hidden: Component) -> dict[Key, Component]:
        """What is left of this and future instances where the first is hidden."""
        first = self.said.next_open(key) if is_era(hidden) else None
        again = None if first is None else self.said.derived(first)
        return {} if again is None or first in self.said.components else {first: self._own(first, as_era(again))}

    def _own_ranges(self, components: dict[Key, Component]) -> dict[Key, Component]:
        """The answers to this and future instances, where the organizer has another component for the first of them."""
        found: dict[Key, Component] = {}
        for key in self.memory.ranges & components.keys():
            first = None if is_era(components[key]) else self.said.next_open(key)
            again = None if first is None or first in components else self.said.derived(first)
            if again is not None and self._answered(key, Version.of(again).sequence):
                found[first] = self._own(first, as_era(again))
        return found

    def _is_own(self, key: int, had: Component, sequence: int) -> bool:
        """Whether an override that the organizer does not know says something of its own."""
        if self._answered(key, sequence):
            return True
        master = self.stored.master
        if master is None or key in self.before:
            return False
        return had.children("VALARM") != master.children("VALARM") or had.all("TRANSP") != master.all("TRANSP")

    def _excluding(self, master: Component, start: ical.When | None, hidden: set[int], shown: set[int]) -> Component:
        """The series without what is hidden; what is shown by itself - cancelled, or added later - is not excluded."""
        if start is None or not (hidden or shown & self.said.excluded):
            return master
        kept = sorted((self.said.excluded - shown) | hidden)
        return master.replacing("EXDATE", *(written_like(start, key).property("EXDATE") for key in kept))


def _with_extensions(said: Component, had: Component, before: Component | None) -> Component:
    """With the X- properties of the attendee's client: those that the organizer did not send."""
    sent = {each.name for each in said.properties}
    if before is not None:
        sent |= {each.name for each in before.properties}
    own = tuple(each for each in had.properties if each.name.startswith("X-") and each.name not in sent)
    return attrs.evolve(said, properties=(*said.properties, *own)) if own else said


def _with_parameters(said: Component, had: Component) -> Component:
    """With what the owner's client and this server keep on ORGANIZER."""
    organizer, stored = said.first("ORGANIZER"), had.first("ORGANIZER")
    if organizer is None or stored is None:
        return said
    for name in _KEPT_PARAMETERS:
        organizer = organizer.with_param(name, stored.param(name))
    return said.replacing("ORGANIZER", organizer)
