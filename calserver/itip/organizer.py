"""Changes by an organizer: who is told what (RFC 6638 section 3.2.1, RFC 5546 section 3.2.2).

A change is planned in four steps. First what the client sent is put right: participation belongs to attendees, so what
the organizer says of it counts only where it asks anew. Then instances that were moved, added or brought back get
NEEDS-ACTION, each in a component of its own where the rest of the series stays. Then SEQUENCE and DTSTAMP are raised,
of all components where the master changed and of the changed overrides otherwise: so that versions order all that was
ever sent. At last each attendee gets what changed between the old and the new meeting as it sees them.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Property
from calserver.itip.conditions import AllowedOrganizerSchedulingObjectChange
from calserver.itip.meaning import BOOKKEEPING, RECURRENCE, instants, meaning, times
from calserver.itip.meeting import Key, Meeting, calendar, key_of
from calserver.itip.memory import Memory
from calserver.itip.message import Method, sequence_of, stamped
from calserver.itip.people import (
    NEEDS_ACTION,
    PENDING,
    SERVER,
    agent,
    answered,
    attendee,
    each_attendee,
    organizer,
    partstat,
    with_status,
)
from calserver.itip.plan import Plan, Role
from calserver.itip.series import adds_instances
from calserver.itip.view import Mailing, invited, ordered, view

_IGNORED: Final = BOOKKEEPING | {"TRANSP"}
_MOST_SPLIT: Final = 50
"""Instances brought back at once that get components of their own; where there are more, all are asked anew."""
_IGNORED_FORCE: Final = "2.3"


def plan_organizer(
    old: CalendarObject | None,
    new: CalendarObject | None,
    addresses: frozenset[str],
    now: datetime,
    memory: Memory,
    *,
    matched_tag: bool,
    silent: bool,
) -> Plan:
    """See `calserver.itip.plan`; old, where it is given, is an organizer's copy, and new too."""
    return _Change(old, new, addresses, now, memory, matched_tag, silent).plan()


class _Change:
    def __init__(
        self,
        old: CalendarObject | None,
        new: CalendarObject | None,
        addresses: frozenset[str],
        now: datetime,
        memory: Memory,
        matched_tag: bool,
        silent: bool,
    ) -> None:
        self.old, self.new, self.addresses, self.memory = old, new, addresses, memory
        self.matched_tag, self.silent = matched_tag, silent
        self.before, self.after = Meeting.of(old), Meeting.of(new)
        self.stamp = next_stamp(self.before, now)
        self.reset: set[Key] = set()
        """Components in which somebody is asked anew."""
        self.touched: set[Key] = set()
        """Components that others are to hear of."""
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
            return Plan(calendar=None, memory=self.memory, messages=mailing.messages(), role=Role.ORGANIZER)
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
        if self.old is None:
            return
        had = next(each.first("ORGANIZER") for each in self.old.components if each.first("ORGANIZER") is not None)
        assert had is not None
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

        self._set({key: each_attendee(each, taken) for key, each in self.after.components.items()})

    # -- participation

    def _keep_participation(self) -> None:
        """Keep the overrides that hold nothing but answers: a client that does not have them did not remove them."""
        components = dict(self.after.components)
        for key, stored in self.before.components.items():
            if key is not None and key not in components and self.before.only_participation(key):
                again = self.after.derived(key)
                if again is not None:
                    components[key] = each_attendee(again, lambda prop, had=stored: _status_of(prop, had))  # type: ignore[misc] # bound at once
        self._set(components)

    def _merge(self) -> None:
        for key in self.after.keys:
            new, base = self.after.components[key], self.before.governing(key)
            moved = base is None or times(base, self.before.zones) != times(new, self.after.zones)
            if key is None and not moved:
                moved = adds_instances(self.before, self.after)
            merged = each_attendee(new, lambda prop, k=key, b=base, m=moved: self._merged(prop, k, b, m))  # type: ignore[misc] # bound at once
            self._set({**self.after.components, key: merged})

    def _merged(self, prop: Property, key: Key, base: Component | None, moved: bool) -> Property:
        address = ical.address(prop.value)
        if address in self.addresses or agent(prop) != SERVER:
            return prop
        had = None if base is None else attendee(base, (address,))
        had = None if agent(had) != SERVER else had
        prop = prop.with_param("SCHEDULE-STATUS", None if had is None else had.param("SCHEDULE-STATUS"))
        asked_anew = partstat(prop) == NEEDS_ACTION != partstat(had)
        asked_anew = asked_anew and (not self.matched_tag or address in self.forced)
        if had is None or moved or asked_anew:
            if had is not None:
                self.reset.add(key)
            explicit = prop.param("RSVP") is not None and partstat(prop) == NEEDS_ACTION
            return prop if explicit else answered(prop, NEEDS_ACTION)
        if partstat(had) != partstat(prop) or partstat(had) != NEEDS_ACTION:
            return answered(prop, partstat(had)).with_param("RSVP", had.param("RSVP"))
        return prop if prop.param("RSVP") is not None else prop.with_param("RSVP", had.param("RSVP"))

    def _split(self) -> None:
        """Instances that are back in the series, or new in it, need action while the others stay as they are."""
        if self.old is None or None in self.reset or self.after.master is None or self.before.master is None:
            return
        back = self.before.excluded - self.after.excluded
        zones = self.before.zones, self.after.zones
        back |= instants(self.after.master, "RDATE", zones[1]) - instants(self.before.master, "RDATE", zones[0])
        back |= {key for key in self.before.components if key is not None and self._fell_back(key)}
        wanted = sorted(key for key in back if key not in self.after.components and self.after.makes(key))
        if len(wanted) > _MOST_SPLIT:
            self.reset.add(None)
            self._set({**self.after.components, None: self._asked(self.after.master)})
            return
        for key in wanted:
            again = self.after.like_series(key)
            if again is not None and self._others(again):
                self.reset.add(key)
                self._set({**self.after.components, key: self._asked(again)})

    def _fell_back(self, key: int) -> bool:
        """Whether the override of an instance is gone, so that it is when the series says."""
        again = None if key in self.after.components else self.after.derived(key)
        return again is not None and times(self.before.components[key], self.before.zones) != times(
            again, self.after.zones
        )

    def _others(self, component: Component) -> bool:
        return any(ical.address(each.value) not in self.addresses for each in component.all("ATTENDEE"))

    def _asked(self, component: Component) -> Component:
        def asked(prop: Property) -> Property:
            own = ical.address(prop.value) in self.addresses or agent(prop) != SERVER
            return prop if own else answered(prop, NEEDS_ACTION)

        return each_attendee(component, asked)

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
        for key, each in self.after.components.items():
            base = self.before.components.get(key)
            least = max(sequence_of(each), 0 if base is None else sequence_of(base))
            if key not in self.touched:
                had = each.value("DTSTAMP", "") if base is None else base.value("DTSTAMP")
                versioned = stamped(each, least, had or self.stamp)
            else:
                versioned = stamped(each, sequence, self.stamp)
            self._set({**self.after.components, key: versioned})
        return sequence

    def _find_changes(self) -> bool:
        """Fill `touched`; returns whether SEQUENCE must be raised."""
        bump = bool(self.reset)
        for key, each in self.after.components.items():
            base = self.before.governing(key)
            if base is None:
                self.touched.add(key)
                bump = bump or self.old is not None
            elif _meaning(base, self.before) != _meaning(each, self.after):
                self.touched.add(key)
                bump = bump or _schedule(base, self.before) != _schedule(each, self.after)
                bump = bump or not _attendees(base) <= _attendees(each)
        for key in self.before.components:
            if key is not None and key not in self.after.components:
                self.touched.add(None)
                bump = bump or _schedule(self.before.components[key], self.before) != _of(
                    self.after.derived(key), self.after
                )
        return bump

    # -- messages

    def _mail(self, sequence: int) -> Mailing:
        found = self.new or self.old
        assert found is not None
        mailing = Mailing(found.organizer or "", found.calendar, (*self.after.timezones, *self.before.timezones))
        if self.silent:
            return mailing
        for who in sorted(invited(self.before, self.addresses) | invited(self.after, self.addresses)):
            _tell(mailing, who, view(self.before, who), view(self.after, who), self, sequence)
        return mailing

    # -- what is kept

    def _told(self, mailing: Mailing) -> dict[Key, set[str]]:
        """Who is told of each component."""
        told: dict[Key, set[str]] = {}
        for (_, content), recipients in mailing.found.items():
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
        sent |= {key: sequence_of(self.after.components[key]) for key in self.touched if key in self.after.components}
        still = {ical.address(p.value) for each in self.after.components.values() for p in each.all("ATTENDEE")}
        answers = {at: each for at, each in self.memory.answers.items() if at[0] in still}
        return attrs.evolve(self.memory, sent=sent, answers=answers)


def _tell(mailing: Mailing, who: str, before: Meeting, after: Meeting, change: _Change, sequence: int) -> None:
    """Send one attendee what changed for it (RFC 6638 section 3.2.1.2, table)."""
    gone = [] if not before.components else _cancelled(before, after, change)
    mailing.add(Method.CANCEL, who, [_as_cancelled(each, sequence, change.stamp) for each in gone])
    if not after.components:
        return
    news = set(after.components)
    if (
        before.components
        and who not in change.forced
        and not (None in after.components and None not in before.components)
    ):
        news &= change.touched | (set(after.components) - set(before.components))
        if None in before.components and None not in after.components:
            news = set(after.components)
    if None in news:
        news = set(after.components)
    dead = {key for key in news if _is_cancelled(after.components[key]) and who not in change.forced}
    if None in dead:
        dead = news
    mailing.add(Method.CANCEL, who, [after.components[key] for key in after.keys if key in dead])
    mailing.add(Method.REQUEST, who, [after.components[key] for key in after.keys if key in news - dead])


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
    return [each for each in found if each is not None and not _is_cancelled(each)]


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
    """A component with the address that the organizer had, whichever of its own the client wrote."""
    found = component.first("ORGANIZER")
    if found is None or organizer(component) == ical.address(had.value):
        return component
    return component.replacing("ORGANIZER", found.with_value(had.value))


def _status_of(prop: Property, stored: Component) -> Property:
    had = attendee(stored, (ical.address(prop.value),))
    if had is None:
        return prop
    found = answered(prop, partstat(had)).with_param("RSVP", had.param("RSVP"))
    return found.with_param("SCHEDULE-STATUS", had.param("SCHEDULE-STATUS"))


def _meaning(component: Component, meeting: Meeting) -> object:
    return meaning(component, meeting.zones, _IGNORED)


def _schedule(component: Component, meeting: Meeting) -> object:
    rest = {each.name for each in component.properties} - RECURRENCE - {"STATUS"}
    return meaning(component, meeting.zones, rest - {"DTSTART", "DTEND", "DURATION", "DUE"})


def _of(component: Component | None, meeting: Meeting) -> object:
    return None if component is None else _schedule(component, meeting)


def _attendees(component: Component) -> set[str]:
    return {ical.address(each.value) for each in component.all("ATTENDEE") if agent(each) == SERVER}
