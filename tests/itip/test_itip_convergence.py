"""All copies say the same in the end, whatever happens and in which order messages come (RFC 5546 section 2.1.5)."""

from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from itip_actors import World

from calserver import ical, itip
from calserver.ical import CalendarObject
from calserver.itip import Message
from calserver.itip.meeting import Meeting
from calserver.itip.people import attendee, partstat

ORGANIZER = "mailto:o@example.com"
ATTENDEES = ("mailto:a@example.com", "mailto:b@example.com")
DAYS = range(1, 6)
STATUSES = ("ACCEPTED", "DECLINED", "TENTATIVE")


@attrs.frozen
class Edit:
    """What an organizer's meeting is to look like: a series of five days."""

    hour: int = 9
    summary: str = "x"
    count: int = 5
    guests: frozenset[str] = frozenset(ATTENDEES)
    excluded: frozenset[int] = frozenset()
    moved: frozenset[int] = frozenset()
    renamed: frozenset[int] = frozenset()
    without: frozenset[int] = frozenset()
    """Days on which the second attendee is not invited."""


edits = st.builds(
    Edit,
    hour=st.sampled_from([9, 10]),
    summary=st.sampled_from("xy"),
    count=st.sampled_from([4, 5]),
    guests=st.sampled_from([frozenset(ATTENDEES), frozenset(ATTENDEES), frozenset(ATTENDEES[:1])]),
    excluded=st.frozensets(st.sampled_from([2, 3]), max_size=1),
    moved=st.frozensets(st.sampled_from([2, 4]), max_size=1),
    renamed=st.frozensets(st.sampled_from([1, 3]), max_size=1),
    without=st.frozensets(st.sampled_from([1, 4]), max_size=1),
)


def written(edit: Edit, had: CalendarObject | None) -> bytes:
    """The meeting as the organizer's client writes it, which knows what it stored last."""
    before = Meeting.of(had)

    def component(day: int | None, hour: int, summary: str, guests: Iterable[str], *more: str) -> list[str]:
        key = (
            None
            if day is None
            else ical.when(ical.Property("X", f"202606{day:02d}T{edit.hour:02d}0000Z"), before.zones).epoch()
        )
        base = before.governing(key)
        lines = ["BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", f"DTSTART:202606{day or 1:02d}T{hour:02d}0000Z"]
        lines += ["DURATION:PT1H", f"SUMMARY:{summary}", f"ORGANIZER:{ORGANIZER}", f"ATTENDEE:{ORGANIZER}", *more]
        for who in sorted(guests):
            known = None if base is None else attendee(base, (who,))
            lines.append(f"ATTENDEE;PARTSTAT={partstat(known)}:{who}")
        return [*lines, "END:VEVENT"]

    stamp = f"T{edit.hour:02d}0000Z"
    exdates = [f"EXDATE:202606{day:02d}{stamp}" for day in sorted(edit.excluded)]
    found = component(None, edit.hour, edit.summary, edit.guests, f"RRULE:FREQ=DAILY;COUNT={edit.count}", *exdates)
    for day in sorted((edit.moved | edit.renamed | edit.without) - edit.excluded):
        guests = edit.guests - ({ATTENDEES[1]} if day in edit.without else set())
        hour = edit.hour + (5 if day in edit.moved else 0)
        name = f"RECURRENCE-ID:202606{day:02d}{stamp}"
        found += component(day, hour, edit.summary + ("!" if day in edit.renamed else ""), guests, name)
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *found, "END:VCALENDAR", ""]).encode()


def answer(world: World, who: str, day: int | None, status: str) -> None:
    """Answer for the series or for one instance, as far as the copy has it."""
    copy = world.people[who].copy
    if copy is None:
        return
    meeting = Meeting.of(copy)
    key = None if day is None else next((key for key in candidates(meeting) if shown_day(key) == day), None)
    if (day is not None and key is None) or (day is None and meeting.master is None):
        return
    base = meeting.governing(key)
    mine = None if base is None else attendee(base, (who,))
    if base is None or mine is None or base.value("STATUS") == "CANCELLED":
        return
    new = mine.with_param("PARTSTAT", status).with_param("RSVP", None)
    changed = attrs.evolve(base, properties=tuple(new if each is mine else each for each in base.properties))
    components = {**meeting.components, key: changed}
    calendar = copy.calendar.with_components(tuple(components.values()))
    world.put(who, ical.serialize(calendar))


def remove(world: World, who: str, day: int) -> None:
    """Remove an instance by an EXDATE."""
    copy = world.people[who].copy
    meeting = Meeting.of(copy)
    key = next((key for key in candidates(meeting) if shown_day(key) == day), None)
    if copy is None or meeting.master is None or key is None or meeting.start is None:
        return
    if (meeting.components.get(key, meeting.master).value("STATUS")) == "CANCELLED":
        return
    exdate = ical.Property("EXDATE", f"202606{day:02d}T{meeting.start.local.hour:02d}0000Z")
    master = attrs.evolve(meeting.master, properties=(*meeting.master.properties, exdate))
    rest = tuple(each for at, each in meeting.components.items() if at not in (None, key))
    world.put(who, ical.serialize(copy.calendar.with_components((master, *rest))))


def candidates(meeting: Meeting) -> list[int]:
    if meeting.start is None:
        return [key for key in meeting.components if key is not None]
    first = meeting.start.epoch()
    return [key for day in DAYS if meeting.covers(key := first + (day - 1) * 86400)]


def shown_day(key: int) -> int:
    return ical.wall_clock(key, UTC).day


def shown(copy: CalendarObject | None, who: str) -> dict[int, tuple[str, str, str]]:
    """What a person sees: for each instance that stands its time, its title, and the own answer; declined ones not."""
    meeting = Meeting.of(copy)
    found = {}
    for key in {*candidates(meeting), *(key for key in meeting.components if key is not None)}:
        each = meeting.governing(key)
        mine = None if each is None else attendee(each, (who,))
        if each is None or mine is None or each.value("STATUS") == "CANCELLED" or partstat(mine) == "DECLINED":
            continue
        found[key] = each.value("DTSTART") or "", each.value("SUMMARY") or "", partstat(mine)
    return found


steps = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), edits),
        st.tuples(
            st.just("answer"), st.sampled_from(ATTENDEES), st.sampled_from([None, *DAYS]), st.sampled_from(STATUSES)
        ),
        st.tuples(st.just("remove"), st.sampled_from(ATTENDEES), st.sampled_from(DAYS)),
        st.tuples(st.just("deliver"), st.integers(0, 20)),
        st.tuples(st.just("repeat"), st.integers(0, 20)),
        st.tuples(st.just("refresh")),
        st.tuples(st.just("wait")),
    ),
    max_size=14,
)


def play(world: World, script: list[tuple[Any, ...]], pick: Callable[[int], int]) -> None:
    """Do the steps of a script, then deliver what is left in an order that is picked."""
    world.put(ORGANIZER, written(Edit(), None))
    past: list[Message] = []

    def deliver(at: int) -> None:
        if world.sent:
            past.append(world.sent.pop(at % len(world.sent)))
            for who in past[-1].recipients:
                world.deliver(past[-1], who)

    def repeat(at: int) -> None:
        world.sent.extend(past[at % len(past) :][:1] if past else ())

    def refresh() -> None:
        copy = world.people[ORGANIZER].copy
        assert copy is not None
        world.sent.extend(itip.refresh(copy, frozenset({ORGANIZER})))

    acts: dict[str, Callable[..., object]] = {
        "edit": lambda edit: world.put(ORGANIZER, written(edit, world.people[ORGANIZER].copy)),
        "answer": lambda who, day, status: answer(world, who, day, status),
        "remove": lambda who, day: remove(world, who, day),
        "deliver": deliver,
        "repeat": repeat,
        "refresh": refresh,
        "wait": world.wait,
    }
    for act, *arguments in script:
        acts[act](*arguments)
    while world.sent:
        deliver(pick(len(world.sent)))


@settings(max_examples=120)
@given(steps, st.data())
def test_all_copies_show_the_same_after_everything_arrived(script: list[tuple[Any, ...]], data: st.DataObject) -> None:
    world = World.of(ORGANIZER, *ATTENDEES)
    play(world, script, lambda n: data.draw(st.integers(0, n - 1)))
    for who in ATTENDEES:
        assert shown(world.people[who].copy, who) == shown(world.people[ORGANIZER].copy, who), who


@settings(max_examples=60)
@given(steps, st.data())
def test_a_message_applied_twice_is_as_good_as_once(script: list[tuple[Any, ...]], data: st.DataObject) -> None:
    world = World.of(ORGANIZER, *ATTENDEES)
    seen: list[Message] = []
    deliver = world.deliver

    def twice(message: Message, who: str) -> itip.Applied:
        first = deliver(message, who)
        person = world.people[who]
        before = person.copy, person.memory
        again = itip.apply(person.copy, message, addresses=person.addresses, now=world.now, memory=person.memory)
        assert (again.calendar, again.memory) == before
        assert not again.changed
        assert again.inbox is None
        seen.append(message)
        return first

    world.deliver = twice  # type: ignore[method-assign] # the world is the test's own
    play(world, script, lambda n: data.draw(st.integers(0, n - 1)))
    assert seen
