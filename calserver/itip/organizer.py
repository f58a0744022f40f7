"""Changes by an organizer: who is told what (RFC 6638 section 3.2.1, RFC 5546 section 3.2.2).

A change is planned in four steps. First what the client sent is put right: participation belongs to attendees, so what
the organizer says of it counts only where it asks anew. Then instances that were moved, added or brought back get
NEEDS-ACTION, each in a component of its own where the rest of the series stays. Then SEQUENCE and DTSTAMP are raised,
of all components where the master changed and of the changed overrides otherwise: so that versions order all that was
ever sent. At last each attendee gets what changed between the old and the new meeting as it sees them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Property
from calserver.itip import reasons
from calserver.itip.conditions import AllowedOrganizerSchedulingObjectChange
from calserver.itip.meaning import BOOKKEEPING, RECURRENCE, Meaning, dates, meaning, times
from calserver.itip.meeting import Key, Meeting, alone, calendar, is_era, key_of, ranging_like
from calserver.itip.memory import Memory
from calserver.itip.message import Method, sequence_of, stamped
from calserver.itip.people import (
    NEEDS_ACTION,
    PENDING,
    SERVER,
    agent,
    answered,
    attendee,
    attendees,
    each_attendee,
    organizer,
    partstat,
    unforced,
    with_status,
)
from calserver.itip.plan import Plan, Role
from calserver.itip.series import adds_instances
from calserver.itip.view import Mailing, Views, ordered

_IGNORED: Final = BOOKKEEPING | {"TRANSP"}
_ADDED: Final = "added"
_REMOVED: Final = "removed"
_MOST_SPLIT: Final = 50
"""Instances brought back at once that get components of their own; where there are more, all are asked anew."""
_IGNORED_FORCE: Final = "2.3"
_SCHEDULE: Final = frozenset({"DTSTART", "END", "CLOCK", "STATUS", _REMOVED}) | RECURRENCE
"""What raises SEQUENCE where it changes (RFC 5546 section 2.1.4)."""


def plan_organizer(
    old: CalendarObject | None,
    new: CalendarObject | None,
    addresses: frozenset[str],
    now: datetime,
    memory: Memory,
    *,
    matched_tag: bool,
    spared: frozenset[str],
) -> Plan:
    """See `calserver.itip.plan`; old, where it is given, is an organizer's copy, and new too."""
    return _Change(old, new, addresses, now, memory, matched_tag, spared).plan()


class _Change:
    def __init__(
        self,
        old: CalendarObject | None,
        new: CalendarObject | None,
        addresses: frozenset[str],
        now: datetime,
        memory: Memory,
        matched_tag: bool,
        spared: frozenset[str],
    ) -> None:
        self.old, self.new, self.addresses, self.memory = old, new, addresses, memory
        self.matched_tag, self.spared = matched_tag, spared
        self.before, self.after = Meeting.of(old), Meeting.of(new)
        self.stamp = next_stamp(self.before, now)
        self.reset: set[Key] = set()
        """Components in which somebody is asked anew."""
        self.touched: set[Key] = set()
        """Components that others are to hear of."""
        self.differences: dict[Key, frozenset[str]] = {}
        """What changed in each of them."""
        self.forced: set[str] = set()
        self.unknown: set[str] = set()

    def plan(self) -> Plan:
        if self.new is not None:
            self._check()
            self._take_orders()
            self._keep_participation()
            self._merge()
            self._split()
        sequence = self._version()
        mailing = self._mail(sequence)
        if self.new is None:
            gone = attrs.evolve(self.memory, sent={None: sequence + 1})
            return Plan(calendar=None, memory=gone, messages=mailing.messages(), role=Role.ORGANIZER)
        return Plan(
            calendar=self._stored(self._told(mailing)),
            memory=self._remembered(),
            messages=mailing.messages(),
            role=Role.ORGANIZER,
            schedule_tag_changes=True,
        )

    # -- what may be

    def _check(self) -> None:
        master = self.after.master
        if master is None:
            raise AllowedOrganizerSchedulingObjectChange("an organizer's object has its master component")
        organizers = (each.first("ORGANIZER") for found in (self.old, self.new) if found for each in found.components)
        had = next(each for each in organizers if each is not None)
        self._set({key: _with_organizer(each, had) for key, each in self.after.components.items()})

    def _set(self, components: dict[Key, Component]) -> None:
        self.after = self.after.with_components(components)

    def _take_orders(self) -> None:
        """Note SCHEDULE-FORCE-SEND, which is not stored (RFC 6638 section 7.2)."""

        def taken(prop: Property) -> Property:
            force = prop.param("SCHEDULE-FORCE-SEND")
            if force is not None and agent(prop) == SERVER:
                (self.forced if force.upper() == "REQUEST" else self.unknown).add(ical.address(prop.value))
            return prop if force is None else prop.with_param("SCHEDULE-FORCE-SEND", None)

        self._set({key: unforced(each_attendee(each, taken)) for key, each in self.after.components.items()})

    # -- participation

    def _keep_participation(self) -> None:
        """Keep the overrides that hold nothing but answers: a client that does not have them did not remove them.

        Of others that are gone the answers stay, where their instances are not moved by that.
        """
        components = dict(self.after.components)
        for key, stored in self.before.components.items():
            at = key
            if key in components and key in self.before.eras - self.after.eras and self.before.only_participation(key):
                at = self.after.next_open(key)  # its first instance has an override now, the others have not
                self._know_answers(key, at)
            again = None if at is None or at in components else self.after.derived(at)
            if key is None or again is None:
                continue
            kept = key not in self.before.eras and self._has_answers(stored, again)
            if kept or self.before.only_participation(key):
                again = ranging_like(again, stored)
                components[at] = each_attendee(again, lambda prop, had=stored: _status_of(prop, had))  # type: ignore[misc] # bound at once
        self._set(components)

    def _know_answers(self, key: int, at: int | None) -> None:
        """Remember the answers to future instances by another of them."""
        same = {(who, at): version for (who, had), version in self.memory.answers.items() if had == key}
        if at is not None:
            self.memory = attrs.evolve(self.memory, answers=same | self.memory.answers)

    def _has_answers(self, stored: Component, again: Component) -> bool:
        """Whether an instance that falls back to the series stays when it is, and has answers of its own."""
        if times(stored, self.before.zones) != times(again, self.after.zones) or _is_cancelled(stored):
            return False
        had, series = attendees(stored), attendees(again)
        return any(partstat(had[who]) != partstat(series[who]) for who in had.keys() & series.keys())

    def _merge(self) -> None:
        merged = {}
        for key in self.after.keys:
            new, base = self.after.components[key], self.before.governing(key)
            moved = base is None or times(base, self.before.zones) != times(new, self.after.zones)
            if key is None and not moved:
                moved = adds_instances(self.before, self.after)
            merged[key] = each_attendee(new, partial(self._merged, key, attendees(base), moved))
        self._set(merged)

    def _merged(self, key: Key, known: Mapping[str, Property], moved: bool, prop: Property) -> Property:
        address = ical.address(prop.value)
        if address in self.addresses or agent(prop) != SERVER:
            return prop
        had = known.get(address)
        had = None if agent(had) != SERVER else had
        prop = prop.with_param("SCHEDULE-STATUS", None if had is None else had.param("SCHEDULE-STATUS"))
        asked_anew = partstat(prop) == NEEDS_ACTION != partstat(had)
        asked_anew = asked_anew and (not self.matched_tag or address in self.forced)
        if had is None or (moved and address not in self.spared) or asked_anew:
            if had is not None:
                self.reset.add(key)
            explicit = prop.param("RSVP") is not None and partstat(prop) == NEEDS_ACTION
            return prop if explicit else answered(prop, NEEDS_ACTION)
        if partstat(had) != partstat(prop) or partstat(had) != NEEDS_ACTION:
            return answered(prop, partstat(had)).with_param("RSVP", had.param("RSVP"))
        return prop if prop.param("RSVP") is not None else prop.with_param("RSVP", had.param("RSVP"))

    def _split(self) -> None:
        """Instances that are back in the series, or new in it, need action while the others stay as they are."""
        if None in self.reset or self.after.master is None or self.before.master is None:
            return
        back = self.before.excluded - self.after.excluded
        added = dates(self.after.master, self.after.zones) - dates(self.before.master, self.before.zones)
        back |= {start for start, _ in added}
        back |= {key for key in self.before.components if key is not None and self._fell_back(key)}
        wanted = sorted(key for key in back if key not in self.after.components and self.after.makes(key))
        if len(wanted) > _MOST_SPLIT:
            self.reset.add(None)
            self._set({**self.after.components, None: self._asked(self.after.master)})
            return
        for key in wanted:
            again = self.after.like_series(key)
            if again is not None and self._answered(again):
                self.reset.add(key)
                self._set({**self.after.components, key: self._asked(again)})

    def _fell_back(self, key: int) -> bool:
        """Whether the override of an instance is gone, so that it is when the series says."""
        again = None if key in self.after.components else self.after.derived(key)
        return again is not None and times(self.before.components[key], self.before.zones) != times(
            again, self.after.zones
        )

    def _answered(self, component: Component) -> bool:
        """Whether somebody has an answer to lose."""
        return any(partstat(each) != NEEDS_ACTION and self._may_be_asked(each) for each in component.all("ATTENDEE"))

    def _asked(self, component: Component) -> Component:
        def asked(prop: Property) -> Property:
            return answered(prop, NEEDS_ACTION) if self._may_be_asked(prop) else prop

        return each_attendee(component, asked)

    def _may_be_asked(self, prop: Property) -> bool:
        address = ical.address(prop.value)
        return address not in self.addresses and address not in self.spared and agent(prop) == SERVER

    # -- versions

    def _version(self) -> int:
        """Find what changed, and raise SEQUENCE and DTSTAMP of it; returns the SEQUENCE (RFC 5546 section 2.1.4)."""
        highest = max((sequence_of(each) for each in self.before.components.values()), default=-1)
        highest = max([highest, *self.memory.sent.values()])
        asked = max((sequence_of(each) for each in self.after.components.values()), default=0)
        bump = self.new is None or self._find_changes()
        sequence = max(highest + 1 if bump and highest >= 0 else highest, asked, 0)
        if None in self.touched:
            self.touched |= set(self.after.components)
        versioned = {}
        for key, each in self.after.components.items():
            base = self.before.components.get(key)
            least = max(sequence_of(each), 0 if base is None else sequence_of(base))
            if key not in self.touched:
                had = each.value("DTSTAMP", "") if base is None else base.value("DTSTAMP")
                versioned[key] = stamped(each, least, had or self.stamp)
            else:
                versioned[key] = stamped(each, sequence, self.stamp)
        self._set(versioned)
        return sequence

    def _find_changes(self) -> bool:
        """Fill `touched` and `differences`; returns whether SEQUENCE must be raised."""
        bump = bool(self.reset)
        for key, each in self.after.components.items():
            base = self.before.governing(key)
            if base is None:
                bump = bump or self.old is not None
                names = {_ADDED}
            else:
                had, has = _served(base), _served(each)
                names = _differences(_meaning(base, self.before), _meaning(each, self.after))
                names |= {"ATTENDEE"} if had != has else set()
                bump = bump or bool(names & _SCHEDULE) or not had <= has
            if names or not self.forced.isdisjoint(_served(each)):
                self.touched.add(key)
                self.differences[key] = frozenset(names)
                if (is_era(each) or key in self.before.eras) and not self._all_see(each, base):
                    self.touched.add(None)  # who sees the series without what follows is told so by the series
        for key, each in self.before.components.items():
            if key is not None and key not in self.after.components:
                self.touched.add(None)
                again = self.after.derived(key)
                names = (
                    {_REMOVED}
                    if again is None
                    else _differences(_meaning(each, self.before), _meaning(again, self.after))
                )
                self.differences[None] = self.differences.get(None, frozenset()) | names
                lost = again is not None and key in self.before.eras and self._has_answers(each, again)
                bump = bump or lost or bool(names & _SCHEDULE)
        return bump

    def _all_see(self, *some: Component | None) -> bool:
        """Whether all who are invited to the series are to some components."""
        masters = (each for each in (self.before.master, self.after.master) if each is not None)
        everybody = set().union(*map(_served, masters))
        return all(each is not None and everybody <= _served(each) for each in some)

    # -- messages

    def _mail(self, sequence: int) -> Mailing:
        found = self.new or self.old
        assert found is not None
        mailing = Mailing(found.organizer or "", found.calendar, (*self.after.timezones, *self.before.timezones))
        before, after = Views(self.before, self.addresses), Views(self.after, self.addresses)
        alike: dict[tuple[frozenset[Key], frozenset[Key], bool], list[str]] = {}
        for who in sorted((before.invited.keys() | after.invited.keys()) - self.spared):
            alike.setdefault((before.keys(who), after.keys(who), who in self.forced), []).append(who)
        for (had, has, forced), some in alike.items():
            _tell(mailing, some, before.of(had), after.of(has), self, sequence, forced)
        return mailing

    # -- what is kept

    def _told(self, mailing: Mailing) -> dict[Key, set[str]]:
        """Who is told of each component."""
        told: dict[Key, set[str]] = {}
        for content, recipients in mailing.sent():
            for each in content:
                told.setdefault(key_of(each, self.after.zones, self.after.start), set()).update(recipients)
        return told

    def _stored(self, told: dict[Key, set[str]]) -> CalendarObject:
        assert self.new is not None
        unheard = self.unknown.difference(*told.values())
        components = [
            with_status(
                with_status(self.after.components[key], "ATTENDEE", told.get(key, ()), PENDING),
                "ATTENDEE",
                unheard,
                _IGNORED_FORCE,
            )
            for key in self.after.keys
        ]
        return calendar(self.new.calendar, components, self.new.calendar.children("VTIMEZONE"))

    def _remembered(self) -> Memory:
        sent = {key: each for key, each in self.memory.sent.items() if key in self.after.components}
        told = self.touched | (self.after.components.keys() - self.before.components.keys())
        sent |= {key: sequence_of(each) for key, each in self.after.components.items() if key in told}
        still = {ical.address(p.value) for each in self.after.components.values() for p in each.all("ATTENDEE")}
        answers = {at: each for at, each in self.memory.answers.items() if at[0] in still}
        proposals = {at: each for at, each in self.memory.proposals.items() if at[0] in still}
        return attrs.evolve(self.memory, sent=sent, answers=answers, proposals=proposals)


def _tell(
    mailing: Mailing, some: list[str], before: Meeting, after: Meeting, change: _Change, sequence: int, forced: bool
) -> None:
    """Send some attendees who saw and see the same what changed for them (RFC 6638 section 3.2.1.2, table)."""
    gone = [] if not before.components else _cancelled(before, after, change)
    why = reasons.cancelled(change.new is None, bool(after.components))
    mailing.add(Method.CANCEL, some, [mailing.same(_as_cancelled(each, sequence, change.stamp)) for each in gone], why)
    if not after.components:
        return
    news = set(after.components)
    if before.components and not forced and not (None in after.components and None not in before.components):
        news &= change.touched | (set(after.components) - set(before.components))
        if None in before.components and None not in after.components:
            news = set(after.components)
    if None in news:
        news = set(after.components)
    dead = {key for key in news if _is_cancelled(after.components[key]) and not forced}
    if any(is_era(after.components[key]) for key in news - dead):
        dead.discard(None)  # it says when future instances are
    why = reasons.told(before.components.keys(), after.components.keys(), news, change.differences, forced=forced)
    mailing.add(Method.CANCEL, some, [after.components[key] for key in after.keys if key in dead], reasons.CALLED_OFF)
    mailing.add(Method.REQUEST, some, [after.components[key] for key in after.keys if key in news - dead], why)


def _cancelled(before: Meeting, after: Meeting, change: _Change) -> list[Component]:
    """The components that tell an attendee what it is not invited to any more."""
    if not after.components or (None in before.components and None not in after.components):
        if None in before.components:
            return [before.components[None]]
        return ordered(before)
    keys: set[int] = {key for key in after.excluded - before.excluded if before.covers(key)}
    for key in before.components:
        if key is not None and key not in after.components and (None not in after.components or key in after.excluded):
            keys.add(key)
    found = [before.governing(key) for key in sorted(keys)]
    return [alone(each) for each in found if each is not None and not _is_cancelled(each)]


def _as_cancelled(component: Component, sequence: int, stamp: str) -> Component:
    return stamped(component.replacing("STATUS", Property("STATUS", "CANCELLED")), sequence, stamp)


def _is_cancelled(component: Component) -> bool:
    return (component.value("STATUS") or "").upper() == "CANCELLED"


def next_stamp(meeting: Meeting, now: datetime) -> str:
    """A DTSTAMP for what is sent now, later than all in a meeting (RFC 6638 section 3.2.5)."""
    last = max((each.value("DTSTAMP") or "" for each in meeting.components.values()), default="")
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    if stamp > last:
        return stamp
    try:
        at = datetime.strptime(last, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return stamp
    return f"{at + timedelta(seconds=1):%Y%m%dT%H%M%SZ}"


def _with_organizer(component: Component, had: Property) -> Component:
    """A component with the address that the organizer had, whichever of its own the client wrote, or none."""
    found = component.first("ORGANIZER")
    if found is None:
        return component.replacing("ORGANIZER", had)
    if organizer(component) == ical.address(had.value):
        return component
    return component.replacing("ORGANIZER", found.with_value(had.value))


def _status_of(prop: Property, stored: Component) -> Property:
    had = attendee(stored, (ical.address(prop.value),))
    if had is None:
        return prop
    found = answered(prop, partstat(had)).with_param("RSVP", had.param("RSVP"))
    return found.with_param("SCHEDULE-STATUS", had.param("SCHEDULE-STATUS"))


def _meaning(component: Component, meeting: Meeting) -> Meaning:
    return meaning(component, meeting.zones, _IGNORED)


def _differences(one: Meaning, other: Meaning) -> set[str]:
    return set() if one == other else {str(each[0]) for each in (one - other) + (other - one)}


def _served(component: Component) -> set[str]:
    return {ical.address(each.value) for each in component.all("ATTENDEE") if agent(each) == SERVER}
