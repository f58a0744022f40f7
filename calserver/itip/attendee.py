"""Changes by an attendee: its participation, and what is its own (RFC 6638 section 3.2.2).

What the organizer decides must say the same as before; it is compared by meaning, so that a client may write it
differently, and is then stored as the organizer sent it. Where clients are known to lose components that they were not
asked to remove, these are kept.
"""

from datetime import datetime
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Property
from calserver.itip.conditions import AllowedAttendeeSchedulingObjectChange
from calserver.itip.meaning import BOOKKEEPING, OWN, PEOPLE, instants, meaning
from calserver.itip.meeting import Key, Meeting, calendar
from calserver.itip.memory import Memory
from calserver.itip.message import Message, Method, Version, sequence_of, stamped
from calserver.itip.organizer import next_stamp
from calserver.itip.people import (
    DECLINED,
    NEEDS_ACTION,
    PENDING,
    SERVER,
    agent,
    answered,
    attendee,
    partstat,
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

    def plan(self) -> Plan:
        if self.new is None:
            return self._removed()
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
        found = self.after if self.new is not None else self.before
        return all(agent(each.first("ORGANIZER")) == SERVER for each in found.components.values())

    # -- what may be

    def _keep_lost(self) -> None:
        """Keep what the client left out though it did not exclude it: the master, or overrides of a series."""
        components = dict(self.after.components)
        for key, stored in self.before.components.items():
            lost = key not in components and (key is None or self.before.master is not None)
            if lost and key not in self._excluded():
                components[key] = self._following(key, stored)
        self.after = self.after.with_components(components)
        if self.after.timezones != self.before.timezones:
            zones = _distinct((*self.after.timezones, *self.before.timezones))
            self.after = Meeting.made_of(ordered(self.after), zones)

    def _following(self, key: Key, stored: Component) -> Component:
        """A component that the client left out; the answer to the series counts for one that had no other."""
        mine, series = attendee(stored, self.addresses), self.before.master
        answer = attendee(self.after.master, self.addresses) if self.after.master is not None else None
        if key is None or mine is None or series is None or answer is None or not self.before.only_participation(key):
            return stored
        if partstat(mine) != partstat(attendee(series, self.addresses)):
            return stored
        return _answering(stored, answered(mine, partstat(answer)))

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
        ignored = _IGNORED | {"EXDATE"}
        if meaning(base, self.before.zones, ignored) != meaning(new, self.after.zones, ignored):
            raise AllowedAttendeeSchedulingObjectChange("what the organizer decides cannot be changed")
        if _people(base) != _people(new):
            raise AllowedAttendeeSchedulingObjectChange("an attendee changes neither organizer nor attendees")
        return self._people_restored(new, base)

    def _people_restored(self, new: Component, base: Component) -> Component:
        """Organizer and attendees as the organizer sent them, but for the owner's answer and the client's agent."""
        mine, organizer = attendee(new, self.addresses), new.first("ORGANIZER")
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
        if self._forced() == "reply":
            return dict(self.after.components)
        changed = {key: each for key, each in self.after.components.items() if self._answer_changed(key, each)}
        if None in changed:
            changed = dict(self.after.components)
        for key in sorted(self._excluded()):
            gone = self.before.governing(key)
            if gone is not None and self._attends(gone):
                changed[key] = self._declined(gone)
        if self.before.master is None:
            for lost in set(self.before.components) - set(self.after.components):
                if self._attends(self.before.components[lost]):
                    changed[lost] = self._declined(self.before.components[lost])
        return changed

    def _answer_changed(self, key: Key, new: Component) -> bool:
        base = self.before.governing(key)
        had = NEEDS_ACTION if base is None else partstat(attendee(base, self.addresses))
        return partstat(attendee(new, self.addresses)) != had

    def _attends(self, component: Component) -> bool:
        """Whether removing an instance declines it: it is not cancelled, nor declined already."""
        prop = attendee(component, self.addresses)
        cancelled = (component.value("STATUS") or "").upper() == "CANCELLED"
        return prop is not None and partstat(prop) != DECLINED and not cancelled

    def _declined(self, component: Component) -> Component:
        prop = attendee(component, self.addresses)
        assert prop is not None
        return _answering(component, answered(prop, DECLINED))

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
        content, who = [], ""
        for key in sorted(said, key=lambda key: (key is not None, key or 0)):
            mine = attendee(said[key], self.addresses)
            if mine is not None:
                who = ical.address(mine.value)
                content.append(_reply(said[key], mine, self.stamp))
        if not content:
            return ()
        zones = _distinct((*self.after.timezones, *self.before.timezones))
        sent = calendar(found.calendar, content, zones)
        return (Message(method=Method.REPLY, originator=who, recipients=(found.organizer,), calendar=sent),)

    def _remembered(self, said: dict[Key, Component]) -> Memory:
        answers = dict(self.memory.answers)
        for key, each in said.items():
            mine = attendee(each, self.addresses)
            if mine is not None:
                answers["", key] = Version(sequence_of(each), self.stamp)
        return attrs.evolve(self.memory, answers=answers)


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


def _people(component: Component) -> tuple[object, ...]:
    organizer = component.first("ORGANIZER")
    known = sorted({ical.address(each.value) for each in component.all("ATTENDEE")})
    return (None if organizer is None else ical.address(organizer.value), *known)


def _own(new: Property, had: Property) -> Property:
    """The owner's ATTENDEE: the answer of the client on what the organizer sent."""
    status = partstat(new)
    found = had.with_param("PARTSTAT", new.param("PARTSTAT")) if status != partstat(had) else had
    found = found.with_param("RSVP", new.param("RSVP") if status != NEEDS_ACTION else had.param("RSVP"))
    extra = tuple(pair for pair in new.params if pair[0].startswith("X-") and found.param(pair[0]) is None)
    return attrs.evolve(found, params=(*found.params, *extra)) if extra else found


def _client_status(new: Component, had: Property) -> Property:
    """Another ATTENDEE: the client keeps SCHEDULE-STATUS where it is the agent (RFC 6638 section 3.2.2.1, item 10)."""
    found = attendee(new, (ical.address(had.value),))
    if agent(had) == "CLIENT" and found is not None:
        return had.with_param("SCHEDULE-STATUS", found.param("SCHEDULE-STATUS"))
    return had


def _answering(component: Component, mine: Property) -> Component:
    changed = tuple(
        mine if each.name == "ATTENDEE" and ical.address(each.value) == ical.address(mine.value) else each
        for each in component.properties
    )
    return attrs.evolve(component, properties=changed)


def _unforced(component: Component, unknown: bool = False) -> Component:
    prop = component.first("ORGANIZER")
    if prop is None or prop.param("SCHEDULE-FORCE-SEND") is None:
        return component
    if unknown:
        prop = prop.with_param("SCHEDULE-STATUS", "2.3")
    return component.replacing("ORGANIZER", prop.with_param("SCHEDULE-FORCE-SEND", None))


def _reply(component: Component, mine: Property, stamp: str) -> Component:
    """What a reply says of an instance (RFC 5546 section 3.2.3)."""
    kept = [each for each in component.properties if each.name in _REPLIED or each.name == "ORGANIZER"]
    if component.name == "VTODO":
        kept += [each for each in component.properties if each.name in ("PERCENT-COMPLETE", "COMPLETED", "STATUS")]
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
