"""Scripts of what people do to one meeting, and how they are played: the ground of the property-based tests.

The meeting is a series of some days in June 2026, with dates added to it. Its organizer edits it as a whole, with
overrides; attendees answer and remove instances of what they have. Messages wait until somebody delivers them.
"""

from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Any

import attrs
from hypothesis import strategies as st
from itip_actors import World

from calserver import ical, itip
from calserver.ical import CalendarObject, Component, Property
from calserver.itip import Message
from calserver.itip.meeting import Meeting, written_like
from calserver.itip.people import attendee, partstat

ORGANIZER = "mailto:o@example.com"
ATTENDEES = ("mailto:a@example.com", "mailto:b@example.com")
DAYS = (1, 2, 3, 4, 5, 8, 9)
STATUSES = ("ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED")


@attrs.frozen
class Style:
    """How a client writes the meeting."""

    component: str = "VEVENT"
    zone: str = "UTC"
    """``UTC``, the name of a zone, ``floating`` or ``day``."""

    def time(self, name: str, day: int, hour: int, *params: str) -> str:
        """A property with a time; where it has days, an hour after noon is a later month."""
        if self.zone == "day":
            return ";".join([name, "VALUE=DATE", *params]) + f":2026{6 if hour < 12 else 7:02d}{day:02d}"
        written = f"202606{day:02d}T{hour:02d}0000" + ("Z" if self.zone == "UTC" else "")
        zone = [] if self.zone in ("UTC", "floating") else [f"TZID={self.zone}"]
        return ";".join([name, *zone, *params]) + f":{written}"

    def key(self, day: int, hour: int) -> int:
        """The instance of a series that begins at this hour."""
        line = self.time("X", day, hour)
        calendar = ical.parse(f"BEGIN:VCALENDAR\r\n{line}\r\nEND:VCALENDAR\r\n".encode())
        return ical.when(calendar.properties[0], ical.Zones()).epoch()


@attrs.frozen
class Edit:
    """What an organizer's meeting is to look like."""

    hour: int = 9
    summary: str = "x"
    count: int = 5
    guests: frozenset[str] = frozenset(ATTENDEES)
    agent: str = "SERVER"
    """Of the second attendee."""
    added: frozenset[int] = frozenset()
    excluded: frozenset[int] = frozenset()
    moved: frozenset[int] = frozenset()
    renamed: frozenset[int] = frozenset()
    cancelled: frozenset[int] = frozenset()
    without: frozenset[int] = frozenset()
    """Days on which the second attendee is not invited."""
    alone: frozenset[int] = frozenset()
    """Days to which somebody is invited who is not invited to the series."""
    future: int | None = None
    """From this day on it has another title and time."""
    not_in_future: bool = False
    """Whether the second attendee is not invited to that."""
    other_agent: str = ""
    """Of the second attendee in all but the master, where that is another."""
    called_off: bool = False
    """Whether the series is cancelled, and only what differs from it takes place."""
    every: int = 1
    """Days from one to the next."""

    def has(self, day: int) -> bool:
        """Whether the series has a day, if it goes on for long enough."""
        return (day - 1) % self.every == 0 or day in self.added


def some(*days: int) -> st.SearchStrategy[frozenset[int]]:
    return st.one_of(st.just(frozenset()), st.frozensets(st.sampled_from(days), max_size=1))


edits = st.builds(
    Edit,
    hour=st.sampled_from([9, 9, 10]),
    summary=st.sampled_from("xy"),
    count=st.sampled_from([4, 5]),
    guests=st.sampled_from([frozenset(ATTENDEES), frozenset(ATTENDEES), frozenset(ATTENDEES[:1]), frozenset()]),
    agent=st.sampled_from(["SERVER", "SERVER", "SERVER", "CLIENT", "NONE", "X-OTHER"]),
    added=some(8, 9),
    excluded=some(2, 3, 7),
    moved=some(2, 4, 8),
    renamed=some(1, 3),
    cancelled=some(5),
    without=some(1, 4),
    alone=some(2, 5),
    future=st.sampled_from([None, None, None, 2, 3, 4]),
    not_in_future=st.booleans(),
    other_agent=st.sampled_from(["", "", "", "SERVER", "CLIENT", "NONE"]),
    called_off=st.sampled_from([False, False, False, False, True]),
    every=st.sampled_from([1, 1, 1, 2]),
)
styles = st.builds(
    Style,
    component=st.sampled_from(["VEVENT", "VEVENT", "VTODO"]),
    zone=st.sampled_from(["UTC", "UTC", "Europe/Berlin", "floating", "day"]),
)


def written(style: Style, edit: Edit, had: CalendarObject | None) -> bytes:
    """The meeting as the organizer's client writes it, which knows what it stored last."""
    before = Meeting.of(had)

    def component(day: int | None, hour: int, summary: str, guests: Iterable[str], *more: str) -> list[str]:
        key = None if day is None else style.key(day, edit.hour)
        base = before.governing(key)
        lines = [f"BEGIN:{style.component}", "UID:u", "DTSTAMP:20260101T000000Z", style.time("DTSTART", day or 1, hour)]
        lines += ["DURATION:P1D" if style.zone == "day" else "DURATION:PT1H", f"SUMMARY:{summary}"]
        lines += [f"ORGANIZER:{ORGANIZER}", f"ATTENDEE;PARTSTAT=ACCEPTED:{ORGANIZER}", *more]
        for who in sorted(guests):
            known = None if base is None else attendee(base, (who,))
            by = edit.agent if day is None else edit.other_agent or edit.agent
            agent = f";SCHEDULE-AGENT={by}" if who == ATTENDEES[1] and by != "SERVER" else ""
            lines.append(f"ATTENDEE;PARTSTAT={partstat(known)}{agent}:{who}")
        return [*lines, f"END:{style.component}"]

    rules = [f"RRULE:FREQ=DAILY;INTERVAL={edit.every};COUNT={edit.count}"]
    rules += ["STATUS:CANCELLED"] if edit.called_off else []
    rules += [style.time("RDATE", day, edit.hour) for day in sorted(edit.added)]
    rules += [style.time("EXDATE", day, edit.hour) for day in sorted(edit.excluded)]
    found = component(None, edit.hour, edit.summary, edit.guests, *rules)
    days = edit.moved | edit.renamed | edit.without | edit.cancelled | edit.alone
    days = frozenset(filter(edit.has, days))
    for day in sorted(days - edit.excluded):
        guests = edit.guests - ({ATTENDEES[1]} if day in edit.without else set())
        guests |= {ATTENDEES[1]} if day in edit.alone else set()
        more = [style.time("RECURRENCE-ID", day, edit.hour), *(["STATUS:CANCELLED"] if day in edit.cancelled else [])]
        name = edit.summary + ("!" if day in edit.renamed else "")
        found += component(day, edit.hour + (5 if day in edit.moved else 0), name, guests, *more)
    if edit.future is not None and edit.has(edit.future) and edit.future not in days | edit.excluded:
        more = [style.time("RECURRENCE-ID", edit.future, edit.hour, "RANGE=THISANDFUTURE")]
        guests = edit.guests - ({ATTENDEES[1]} if edit.not_in_future else set())
        found += component(edit.future, edit.hour + (0 if style.zone == "day" else 2), "later", guests, *more)
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *found, "END:VCALENDAR", ""]).encode()


# -- what attendees do


def candidates(meeting: Meeting) -> list[int]:
    """The instances that a copy has, by the time that the series gives them."""
    own = [key for key in meeting.components if key is not None]
    if meeting.start is None:
        return sorted(own)
    first = meeting.start.epoch()
    return sorted({*own, *(key for day in range(1, 10) if meeting.covers(key := first + (day - 1) * 86400))})


def on_day(meeting: Meeting, day: int) -> int | None:
    return next((key for key in candidates(meeting) if ical.wall_clock(key, UTC).day == day), None)


def answer(world: World, who: str, day: int | None, status: str, also: str) -> None:
    """Answer for the series, for one instance, or for this and future ones, as far as the copy has them.

    What else a client does: ``alarm`` adds one, ``forgets`` loses the overrides that it does not change.
    """
    copy = world.people[who].copy
    meeting = Meeting.of(copy)
    key = None if day is None else on_day(meeting, day)
    base = meeting.governing(key)
    mine = None if base is None else attendee(base, (who,))
    if copy is None or (day is not None and key is None) or base is None or mine is None:
        return
    if base.value("STATUS") == "CANCELLED":
        return
    new = mine.with_param("PARTSTAT", status).with_param("RSVP", None)
    changed = attrs.evolve(base, properties=tuple(new if each is mine else each for each in base.properties))
    if also == "future" and meeting.master is not None and key is not None and key not in meeting.components:
        name = changed.first("RECURRENCE-ID")
        assert name is not None
        changed = changed.replacing("RECURRENCE-ID", name.with_param("RANGE", "THISANDFUTURE"))
    if also == "alarm":
        alarm = Component("VALARM", (Property("ACTION", "AUDIO"), Property("TRIGGER", "-PT5M")))
        changed = changed.with_components((*changed.components, alarm))
    components = {**meeting.components, key: changed}
    if also == "forgets" and None in components:
        components = {at: each for at, each in components.items() if at in (None, key)}
    world.put(who, ical.serialize(copy.calendar.with_components(tuple(components.values()))))


def take_away(world: World, who: str, day: int) -> None:
    """Remove an instance by an EXDATE."""
    copy = world.people[who].copy
    meeting = Meeting.of(copy)
    key = on_day(meeting, day)
    if copy is None or meeting.master is None or key is None or meeting.start is None:
        return
    if (meeting.components.get(key, meeting.master).value("STATUS")) == "CANCELLED":
        return
    exdate = written_like(meeting.start, key).property("EXDATE")
    master = attrs.evolve(meeting.master, properties=(*meeting.master.properties, exdate))
    rest = tuple(each for at, each in meeting.components.items() if at not in (None, key))
    world.put(who, ical.serialize(copy.calendar.with_components((master, *rest))))


def shown(copy: CalendarObject | None, who: str) -> dict[int, tuple[str, str, str]]:
    """What a person sees: for each instance that stands its time, its title, and the own answer; declined ones not."""
    meeting = Meeting.of(copy)
    found = {}
    for key in candidates(meeting):
        each = meeting.governing(key)
        mine = None if each is None else attendee(each, (who,))
        if each is None or mine is None or each.value("STATUS") == "CANCELLED" or partstat(mine) == "DECLINED":
            continue
        if mine.param("SCHEDULE-AGENT") in (None, "SERVER"):
            found[key] = each.value("DTSTART") or "", each.value("SUMMARY") or "", partstat(mine)
    return found


# -- scripts

_who, _days = st.sampled_from(ATTENDEES), st.sampled_from(DAYS)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), edits, st.booleans()),
        st.tuples(
            st.just("answer"),
            _who,
            st.one_of(st.none(), _days),
            st.sampled_from(STATUSES),
            st.sampled_from(["", "", "alarm", "forgets", "future"]),
        ),
        st.tuples(st.just("take_away"), _who, _days),
        st.tuples(st.just("leave"), st.sampled_from([*ATTENDEES, ORGANIZER])),
        st.tuples(st.just("deliver"), st.integers(0, 20)),
        st.tuples(st.just("deliver_all")),
        st.tuples(st.just("repeat"), st.integers(0, 20)),
        st.tuples(st.just("refresh")),
        st.tuples(st.just("wait")),
    ),
    max_size=14,
)
Script = list[tuple[Any, ...]]


@attrs.define
class Game:
    """A script as it is played: each step is a method."""

    world: World
    style: Style
    past: list[Message] = attrs.field(factory=list)

    def edit(self, new: Edit, matched_tag: bool) -> None:
        copy = self.world.people[ORGANIZER].copy
        self.world.put(ORGANIZER, written(self.style, new, copy), matched_tag=matched_tag)

    def answer(self, who: str, day: int | None, status: str, also: str) -> None:
        answer(self.world, who, day, status, also)

    def take_away(self, who: str, day: int) -> None:
        take_away(self.world, who, day)

    def leave(self, who: str) -> None:
        """Remove the whole copy: an attendee declines so, the organizer calls the meeting off."""
        if self.world.people[who].copy is not None:
            self.world.put(who, None)

    def deliver(self, at: int) -> None:
        if self.world.sent:
            self.past.append(self.world.sent.pop(at % len(self.world.sent)))
            for who in self.past[-1].recipients:
                self.world.deliver(self.past[-1], who)

    def deliver_all(self) -> None:
        while self.world.sent:
            self.deliver(0)

    def repeat(self, at: int) -> None:
        self.world.sent.extend(self.past[at % len(self.past) :][:1] if self.past else ())

    def refresh(self) -> None:
        copy = self.world.people[ORGANIZER].copy
        self.world.sent.extend(() if copy is None else itip.refresh(copy, frozenset({ORGANIZER})))

    def wait(self) -> None:
        self.world.wait()


def play(world: World, style: Style, script: Script, pick: Callable[[int], int]) -> None:
    """Do the steps of a script, then deliver what is left in an order that is picked."""
    game = Game(world, style)
    game.edit(Edit(), False)
    for act, *arguments in script:
        getattr(game, act)(*arguments)
    while world.sent:
        game.deliver(pick(len(world.sent)))


def tell_how_others_answered(world: World) -> None:
    """What a server does some time after answers came: it tells all who have a copy."""
    organizer = world.people[ORGANIZER].copy
    for message in () if organizer is None else itip.refresh(organizer, frozenset({ORGANIZER})):
        for who in message.recipients:
            if world.people[who].copy is not None:
                world.deliver(message, who)
