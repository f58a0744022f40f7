"""Changes by an attendee: its participation, and what is its own (RFC 6638 section 3.2.2).

What the organizer decides must say the same as before; it is compared by meaning, so that a client may write it
differently, and is then stored as the organizer sent it. Where clients are known to lose components that they were not
asked to remove, these are kept.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Property
from calserver.itip import reasons
from calserver.itip.conditions import AllowedAttendeeSchedulingObjectChange
from calserver.itip.meaning import BOOKKEEPING, OWN, PEOPLE, PROGRESS, instants, meaning
from calserver.itip.meeting import Key, Meeting, alone, as_era, calendar, is_era
from calserver.itip.memory import Memory
from calserver.itip.message import Message, Method, Version, sequence_of, stamped
from calserver.itip.organizer import next_stamp
from calserver.itip.people import (
    DECLINED,
    NEEDS_ACTION,
    PENDING,
    agent,
    attendee,
    attendees,
    is_served,
    partstat,
    unforced,
    with_partstat,
    with_status,
    without_agent_parameters,
)
from calserver.itip.plan import Plan, Role
from calserver.itip.view import ordered

_IGNORED: Final = BOOKKEEPING | OWN | PEOPLE
_REPLIED: Final = frozenset(
    {"DTSTAMP", "UID", "SEQUENCE", "RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", "DUE", "SUMMARY"}
)
"""What a reply repeats beside organizer and attendee (RFC 5546 section 3.2.3)."""


def plan_attendee(
    old: CalendarObject | None,
    new: CalendarObject | None,
    addresses: frozenset[str],
    now: datetime,
    memory: Memory,
    *,
    reply: bool,
) -> Plan:
    """See `calserver.itip.plan`; old, where it is given, is an attendee's copy, and new too."""
    return _Change(old, new, addresses, now, memory, reply).plan()


class _Change:
    def __init__(
        self,
        old: CalendarObject | None,
        new: CalendarObject | None,
        addresses: frozenset[str],
        now: datetime,
        memory: Memory,
        reply: bool,
    ) -> None:
        self.old, self.new, self.addresses, self.memory, self.reply = old, new, addresses, memory, reply
        self.before = Meeting.of(old)
        self.after = _put_right(self.before, Meeting.of(new))
        self.stamp = next_stamp(self.before.with_components(_stamps(memory)), now)
        self.moved: dict[int, int] = {}
        """Where overrides for this and future instances begin now."""

    def plan(self) -> Plan:
        if self.new is None:
            return self._removed()
        if not self._serves() and (self.old is None or not is_served(self.old)):
            return self._left_alone(self.new)
        if self.old is not None:
            self._keep_lost()
            self._check()
        mine = self._serves()
        said = self._said() if mine and self.reply else {}
        stored = ordered(self.after)
        if said:
            organizers = {ical.address(each.value) for part in stored for each in part.all("ORGANIZER")}
            stored = [with_status(each, "ORGANIZER", organizers, PENDING) for each in stored]
        elif mine:
            stored = [_unforced(each, self._forced() == "unknown") for each in stored]
        zones = (*self.new.calendar.children("VTIMEZONE"), *self.before.timezones)
        return Plan(
            calendar=calendar(self.new.calendar, [_unforced(each) for each in stored], _distinct(zones)),
            memory=self._remembered(said),
            messages=self._messages(said),
            role=Role.ATTENDEE,
            schedule_tag_changes=True,
        )

    def _serves(self) -> bool:
        """Whether this server replies, and not the client (RFC 6638 section 3.2.2.3)."""
        found = self.new or self.old
        return found is not None and is_served(found)

    def _left_alone(self, new: CalendarObject) -> Plan:
        """What a client handles by itself is stored as it is (RFC 6638 section 3.2.2.2, table)."""
        found = new.calendar.map(unforced)
        same = found == new.calendar
        return Plan(
            calendar=new if same else CalendarObject.of(found),
            memory=self.memory,
            role=Role.ATTENDEE,
            schedule_tag_changes=True,
        )

    # -- what may be

    def _keep_lost(self) -> None:
        """Keep what the client left out though it did not exclude it: the master, or overrides of a series."""
        excluded = self._excluded()
        components = {key: each for key, each in self.after.components.items() if key not in excluded}
        for key, stored in self.before.components.items():
            lost = key not in components and (key is None or self.before.master is not None)
            if lost and key not in excluded and not self._is_own(key):
                components[key] = self._following(key, stored)
        for key in excluded & self.before.eras:
            self._move_era(key, components)
        self.after = self.after.with_components(components)
        if self.after.timezones != self.before.timezones:
            zones = _distinct((*self.after.timezones, *self.before.timezones))
            self.after = Meeting.made_of(ordered(self.after), zones)

    def _move_era(self, key: int, components: dict[Key, Component]) -> None:
        """Let an override for this and future instances begin with the next one, where the first was removed."""
        first = self.before.next_open(key, self._excluded())
        again = None if first is None else self.before.derived(first)
        if first is not None and again is not None and first not in self.before.components:
            components[first] = as_era(again)
            self.moved[key] = first

    def _is_own(self, key: Key) -> bool:
        """Whether an override is neither the organizer's nor an answer, but for alarms and the like."""
        known = self.memory.entries
        if key in self.before.eras:
            return False  # the organizer's, whose first instance was removed
        return key is not None and None in known and key not in known and ("", key) not in self.memory.answers

    def _following(self, key: Key, stored: Component) -> Component:
        """A component that the client left out; the answer to the series counts for one that had no other."""
        mine, series = attendee(stored, self.addresses), self.before.master
        answer = attendee(self.after.master, self.addresses) if self.after.master is not None else None
        if key is None or mine is None or series is None or answer is None or not self.before.only_participation(key):
            return stored
        if partstat(mine) != partstat(attendee(series, self.addresses)):
            return stored
        return with_partstat(stored, self.addresses, partstat(answer))

    def _excluded(self) -> frozenset[int]:
        return self.after.excluded - self.before.excluded

    def _check(self) -> None:
        if self.before.excluded - self.after.excluded:
            raise AllowedAttendeeSchedulingObjectChange("an attendee does not bring back instances")
        checked = {key: self._checked(key, each) for key, each in self.after.components.items()}
        self.after = self.after.with_components(checked)

    def _checked(self, key: Key, new: Component) -> Component:
        base = self.before.governing(key)
        if base is None:
            raise AllowedAttendeeSchedulingObjectChange("an attendee does not add instances")
        ignored = _IGNORED | {"EXDATE"} | _own_status(base, new)
        if meaning(base, self.before.zones, ignored) != meaning(new, self.after.zones, ignored):
            raise AllowedAttendeeSchedulingObjectChange("what the organizer decides cannot be changed")
        if _people(base, self.addresses) != _people(new, self.addresses):
            raise AllowedAttendeeSchedulingObjectChange("an attendee changes neither organizer nor attendees")
        return self._people_restored(new, base)

    def _people_restored(self, new: Component, base: Component) -> Component:
        """Organizer and attendees as the organizer sent them, but for the owner's answer and the client's agent."""
        mine, organizer = self._mine(new, base), new.first("ORGANIZER")
        had = base.first("ORGANIZER")
        if organizer is not None and had is not None:
            for name in ("SCHEDULE-AGENT", "SCHEDULE-FORCE-SEND"):
                had = had.with_param(name, organizer.param(name))
            new = new.replacing("ORGANIZER", had)
        people = tuple(
            _own(mine, each)
            if mine is not None and ical.address(each.value) in self.addresses
            else _client_status(new, each)
            for each in base.all("ATTENDEE")
        )
        new = new.replacing("ATTENDEE", *people)
        return stamped(new, sequence_of(base), new.value("DTSTAMP") or self.stamp)

    def _mine(self, new: Component, base: Component) -> Property | None:
        """The owner's ATTENDEE; of several that whose answer was changed."""
        own = [each for each in new.all("ATTENDEE") if ical.address(each.value) in self.addresses]
        had = attendees(base)
        changed = (each for each in own if partstat(each) != partstat(had.get(ical.address(each.value))))
        return next(changed, own[0] if own else None)

    # -- what is said

    def _forced(self) -> str | None:
        for each in self.after.components.values():
            prop = each.first("ORGANIZER")
            force = None if prop is None else prop.param("SCHEDULE-FORCE-SEND")
            if force is not None:
                return "reply" if force.upper() == "REPLY" else "unknown"
        return None

    def _said(self) -> dict[Key, Component]:
        """The components that a reply is sent for, with the answer of the owner in them."""
        told = {key: each for key, each in self.after.components.items() if not _is_cancelled(each)}
        if self._forced() == "reply":
            return told
        changed = {key: each for key, each in self.after.components.items() if self._answer_changed(key, each)}
        first = min((_order(key) for key, each in changed.items() if key is None or is_era(each)), default=None)
        if first is not None:
            changed |= {key: each for key, each in told.items() if _order(key) > first}
        for key in sorted(self._excluded()):
            gone = self.before.governing(key)
            if gone is not None and self._attends(gone):
                changed[key] = self._declined(alone(gone))
                if key in self.moved:
                    changed[self.moved[key]] = self.after.components[self.moved[key]]
        changed |= self._still_declined(changed)
        if self.before.master is None:
            for lost in set(self.before.components) - set(self.after.components):
                if self._attends(self.before.components[lost]):
                    changed[lost] = self._declined(self.before.components[lost])
        return changed

    def _still_declined(self, changed: Mapping[Key, Component]) -> dict[Key, Component]:
        """The instances that were removed, where the series is accepted now and they have no answer of their own.

        They have none if the series was declined when they were removed, or if their answer is to an earlier revision:
        then the answer to the series would count for them (`calserver.itip.replies`).
        """
        found: dict[Key, Component] = {}
        for key in own_exclusions(self.memory, self.before):
            series, gone = changed.get(self.after.follows(key)), self.before.like_series(key)
            if series is not None and gone is not None and self._attends(series) and not self._said_lately(key, series):
                found[key] = self._declined(gone)
        return found

    def _said_lately(self, key: int, series: Component) -> bool:
        """Whether the owner has answered for an instance in the present revision."""
        answer = self.memory.answers.get(("", key))
        return answer is not None and answer.sequence >= sequence_of(series)

    def _answer_changed(self, key: Key, new: Component) -> bool:
        base = self.before.governing(key)
        had = NEEDS_ACTION if base is None else partstat(attendee(base, self.addresses))
        return partstat(attendee(new, self.addresses)) != had or _progress(new) != _progress(base)

    def _attends(self, component: Component) -> bool:
        """Whether removing an instance declines it: it is not cancelled, nor declined already."""
        prop = attendee(component, self.addresses)
        return prop is not None and partstat(prop) != DECLINED and not _is_cancelled(component)

    def _declined(self, component: Component) -> Component:
        return with_partstat(component, self.addresses, DECLINED)

    def _removed(self) -> Plan:
        said: dict[Key, Component] = {}
        if self.reply and self._serves():
            found = {key: each for key, each in self.before.components.items() if self._attends(each)}
            said = {key: self._declined(each) for key, each in found.items()}
        return Plan(calendar=None, memory=self._remembered(said), messages=self._messages(said), role=Role.ATTENDEE)

    def _messages(self, said: dict[Key, Component]) -> tuple[Message, ...]:
        found = self.new or self.old
        if not said or found is None or found.organizer is None:
            return ()
        zones = _distinct((*self.after.timezones, *self.before.timezones))
        why = reasons.ANSWERED if self.new is not None else reasons.REMOVED_BY_ATTENDEE
        sent = []
        for who in self._names(said.values()):
            content = [
                _reply(each, mine, self.stamp)
                for _, each in sorted(said.items(), key=lambda pair: _order(pair[0]))
                if (mine := attendee(each, (who,))) is not None
            ]
            sent.append(
                Message(
                    method=Method.REPLY,
                    originator=who,
                    recipients=(found.organizer,),
                    calendar=calendar(found.calendar, content, zones),
                    reasons={found.organizer: why},
                )
            )
        return tuple(sent)

    def _names(self, components: Iterable[Component]) -> list[str]:
        """The addresses by which the owner is invited."""
        named = {ical.address(prop.value) for each in components for prop in each.all("ATTENDEE")}
        return sorted(named & self.addresses)

    def _remembered(self, said: dict[Key, Component]) -> Memory:
        told = {key: each for key, each in said.items() if attendee(each, self.addresses) is not None}
        answers = {("", key): Version(sequence_of(each), self.stamp) for key, each in told.items()}
        ranges = (self.memory.ranges - told.keys()) | {key for key, each in told.items() if key and is_era(each)}
        return attrs.evolve(self.memory, answers=self.memory.answers | answers, ranges=ranges)


def _put_right(before: Meeting, after: Meeting) -> Meeting:
    """Give single instances their RECURRENCE-ID back, which some clients drop where there is no series."""
    master = after.master
    if before.components and before.master is None and master is not None and after.start is not None:
        for key, each in before.components.items():
            start, missing = each.first("DTSTART"), key not in after.components
            if missing and start is not None and ical.when(start, before.zones).epoch() == after.start.epoch():
                prop = each.first("RECURRENCE-ID")
                assert prop is not None
                components: dict[Key, Component] = dict(after.components)
                del components[None]
                components[key] = attrs.evolve(master, properties=(prop, *master.properties))
                return after.with_components(components)
    return after


def _order(key: Key) -> tuple[bool, int]:
    return key is not None, key or 0


def _people(component: Component, own: frozenset[str]) -> tuple[object, ...]:
    """Organizer and attendees; the owner is one of them by whichever address."""
    organizer = component.first("ORGANIZER")
    known = {ical.address(each.value) for each in component.all("ATTENDEE")}
    others = sorted(known - own)
    return (None if organizer is None else ical.address(organizer.value), bool(known & own), *others)


def _own_status(base: Component, new: Component) -> frozenset[str]:
    """STATUS of a task, which its attendees set as they go along, unless it is cancelled (RFC 5546 section 3.4.3)."""
    if base.name != "VTODO" or _is_cancelled(base) or _is_cancelled(new):
        return frozenset()
    return frozenset({"STATUS"})


def _progress(component: Component | None) -> tuple[str | None, ...]:
    """How far an attendee is with a task, which the organizer is told (RFC 5546 section 3.4.3)."""
    if component is None or component.name != "VTODO":
        return ()
    return tuple(component.value(name) for name in PROGRESS)


def _is_cancelled(component: Component) -> bool:
    return (component.value("STATUS") or "").upper() == "CANCELLED"


def _own(new: Property, had: Property) -> Property:
    """The owner's ATTENDEE: the answer of the client on what the organizer sent."""
    status = partstat(new)
    found = had.with_param("PARTSTAT", new.param("PARTSTAT")) if status != partstat(had) else had
    found = found.with_param("RSVP", new.param("RSVP") if status != NEEDS_ACTION else had.param("RSVP"))
    if status == "DELEGATED" or partstat(had) == "DELEGATED":
        found = found.with_param("DELEGATED-TO", new.param("DELEGATED-TO") if status == "DELEGATED" else None)
    extra = tuple(pair for pair in new.params if _is_extra(pair[0]) and found.param(pair[0]) is None)
    return attrs.evolve(found, params=(*found.params, *extra)) if extra else found


def _is_extra(name: str) -> bool:
    """Whether a client may add a parameter: X- ones, and who acts for the attendee (RFC 5545 section 3.2.18)."""
    return name.startswith("X-") or name == "SENT-BY"


def _client_status(new: Component, had: Property) -> Property:
    """Another ATTENDEE: the client keeps SCHEDULE-STATUS where it is the agent (RFC 6638 section 3.2.2.1, item 10)."""
    found = attendee(new, (ical.address(had.value),)) if agent(had) == "CLIENT" else None
    return had if found is None else had.with_param("SCHEDULE-STATUS", found.param("SCHEDULE-STATUS"))


def _unforced(component: Component, unknown: bool = False) -> Component:
    prop = component.first("ORGANIZER")
    if unknown and prop is not None and prop.param("SCHEDULE-FORCE-SEND") is not None:
        component = component.replacing("ORGANIZER", prop.with_param("SCHEDULE-STATUS", "2.3"))
    return unforced(component)


def _reply(component: Component, mine: Property, stamp: str) -> Component:
    """What a reply says of an instance (RFC 5546 section 3.2.3)."""
    kept = [each for each in component.properties if each.name in _REPLIED or each.name == "ORGANIZER"]
    if component.name == "VTODO":
        kept += [each for each in component.properties if each.name in PROGRESS]
    kept += [mine.with_param("RSVP", None), Property("REQUEST-STATUS", "2.0;Success")]
    reply = Component(component.name, tuple(kept))
    return without_agent_parameters(stamped(reply, sequence_of(component), stamp))


def _stamps(memory: Memory) -> dict[Key, Component]:
    """Components with the DTSTAMPs of the owner's answers: the next is to be later."""
    own = [version for (who, _), version in memory.answers.items() if not who]
    return {at: Component("VEVENT", (Property("DTSTAMP", each.stamp),)) for at, each in enumerate(own)}


def _distinct(zones: tuple[Component, ...]) -> tuple[Component, ...]:
    return tuple({each.value("TZID"): each for each in reversed(zones)}.values())


def own_exclusions(memory: Memory, stored: Meeting) -> frozenset[int]:
    """The instances that the owner removed, and not the organizer."""
    master = memory.entries.get(None)
    if master is None:
        return frozenset()
    return stored.excluded - instants(master, "EXDATE", Meeting.made_of((master,), memory.zones).zones)
