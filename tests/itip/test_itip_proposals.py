"""COUNTER and DECLINECOUNTER: people are told, and no copy changes (RFC 5546 sections 3.2.7 and 3.2.8)."""

import pytest
from itip_actors import World

from calserver import itip
from calserver.itip import Message

O, A, B, X = (f"mailto:{name}@example.com" for name in "oabx")  # noqa: E741 - as people are called here
SERIES = "RRULE:FREQ=DAILY;COUNT=5"
THIRD = "RECURRENCE-ID:20260603T090000Z"


def event(*lines: str, start: str = "20260601T090000Z", guests: tuple[str, ...] = (A, B)) -> str:
    people = [f"ORGANIZER:{O}", *(f"ATTENDEE:{each}" for each in guests)]
    stamp = [] if any(each.startswith("DTSTAMP") for each in lines) else ["DTSTAMP:20260101T000000Z"]
    return "\r\n".join(["BEGIN:VEVENT", "UID:u", f"DTSTART:{start}", *stamp, *lines, *people, "END:VEVENT"])


def text(*components: str, head: str = "PRODID:x") -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", head, *components, "END:VCALENDAR", ""]).encode()


def message(method: str, who: str, to: str, *lines: str, **other: tuple[str, ...]) -> Message:
    proposed = event(*lines, start="20260601T150000Z", **other)
    return Message.parse(text(proposed, head=f"PRODID:x\r\nMETHOD:{method}"), who, (to,))


@pytest.fixture
def world() -> World:
    """A series, and an instance of it to which only one of two is invited."""
    world = World.of(O, A, B, X)
    world.put(O, text(event(SERIES), event(THIRD, start="20260603T090000Z", guests=(A,))))
    world.deliver_all()
    world.wait()
    return world


def takes(world: World, found: Message) -> itip.Applied:
    """What a message does, which is never to change a copy or to say something."""
    (to,) = found.recipients
    before = world.people[to].copy
    applied = world.deliver(found, to)
    assert (applied.calendar, applied.changed, applied.messages) == (before, False, ())
    return applied


def test_an_organizer_is_told_of_another_time_once(world: World) -> None:
    counter = message("COUNTER", A, O, "COMMENT:later?")
    assert takes(world, counter).inbox == counter
    assert takes(world, counter).inbox is None
    assert takes(world, message("COUNTER", A, O, "DTSTAMP:20260101T000001Z")).inbox is not None
    assert takes(world, message("COUNTER", B, O)).inbox is not None, "another one may propose the same"


def test_what_is_proposed_by_one_who_sees_all_attendees_is_the_proposal_of_one(world: World) -> None:
    assert takes(world, message("COUNTER", A, O, guests=(A, B, X))).inbox is not None
    assert takes(world, message("COUNTER", A, O, "DTSTAMP:20260101T000001Z", guests=(A,))).inbox is not None


def test_who_is_not_invited_proposes_nothing(world: World) -> None:
    assert takes(world, message("COUNTER", X, O, guests=(A, B, X))).problem == "3.8"
    assert takes(world, message("COUNTER", A, O, guests=(B,))).problem == "3.8", "it does not speak for itself"
    assert takes(world, message("COUNTER", A, B)).problem == "3.7", "it is for organizers"
    uninvited = takes(world, message("COUNTER", B, O, THIRD))
    assert (uninvited.problem, uninvited.inbox) == (None, None)


def test_a_proposal_for_an_earlier_revision_is_too_late(world: World) -> None:
    world.put(O, text(event(SERIES, start="20260601T100000Z")))
    world.deliver_all()
    assert takes(world, message("COUNTER", A, O)).inbox is None
    assert takes(world, message("COUNTER", A, O, "SEQUENCE:1")).inbox is not None


def test_an_answer_in_a_proposal_is_none(world: World) -> None:
    counter = message("COUNTER", A, O)
    accepting = counter.text.replace(f"ATTENDEE:{A}".encode(), f"ATTENDEE;PARTSTAT=TENTATIVE:{A}".encode())
    assert takes(world, Message.parse(accepting, A, (O,))).inbox is not None


def test_an_attendee_is_told_that_its_proposal_is_not_taken_up(world: World) -> None:
    declined = message("DECLINECOUNTER", O, A, "COMMENT:no")
    assert takes(world, declined).inbox == declined
    assert takes(world, declined).inbox is None
    assert takes(world, message("DECLINECOUNTER", B, A)).problem == "3.8"
    assert takes(world, message("DECLINECOUNTER", O, X, guests=(X,))).problem == "3.7", "there is no meeting"
    assert takes(world, message("DECLINECOUNTER", A, O)).problem == "3.8"
