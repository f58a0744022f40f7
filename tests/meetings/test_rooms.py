"""Rooms and things that answer by themselves."""

import attrs
import pytest
from office import Office, meeting, people, text, vevent

from calserver.store import Transaction

BUSY = vevent("busy", "DTSTART:20990105T093000Z")


@pytest.mark.parametrize(
    ("room", "free", "taken"),
    [
        ("hall", "ACCEPTED", "DECLINED"),
        ("attic", "ACCEPTED", "ACCEPTED"),
        ("cellar", "DECLINED", "DECLINED"),
        ("lobby", "ACCEPTED", "NEEDS-ACTION"),
        ("porch", "NEEDS-ACTION", "DECLINED"),
        ("closet", "NEEDS-ACTION", "NEEDS-ACTION"),
    ],
)
def test_a_room_answers_in_the_same_request(office: Office, room: str, free: str, taken: str) -> None:
    office.invite("m", "ann", room)
    assert office.answer("ann", "m", room) == free
    office.by("ann")("DELETE", "calendars/user/ann/Default/m.ics")
    office.put(room, text(BUSY))
    office.invite("n", "ann", room)
    assert office.answer("ann", "n", room) == taken
    assert office.answer(room, "n", room) == taken


@pytest.mark.parametrize("rule", ["SUMMARY:Once", "RRULE:FREQ=WEEKLY;COUNT=5"])
def test_a_room_answers_for_what_is_over_too(office: Office, rule: str) -> None:
    """Who writes down what was is not left waiting."""
    office.invite("m", "ann", "hall", lines=("DTSTART:20200105T090000Z", rule))
    office.invite("n", "bob", "hall", lines=("DTSTART:20200105T090000Z",))
    assert office.answer("ann", "m", "hall") == "ACCEPTED"
    assert office.answer("bob", "n", "hall") == "DECLINED"


@pytest.mark.parametrize(
    ("room", "seen"), [("hall", []), ("lobby", []), ("porch", ["REQUEST"]), ("closet", ["REQUEST"])]
)
def test_its_inbox_has_what_somebody_must_answer(office: Office, room: str, seen: list[str]) -> None:
    office.invite("m", "ann", room)
    assert office.inbox(room, "m") == seen


def test_an_inbox_does_not_have_what_its_room_has_answered_itself(office: Office) -> None:
    office.invite("m", "ann", "hall", "bob")
    assert office.inbox("hall", "m") == []
    assert office.inbox("bob", "m") == ["REQUEST"]


def test_others_see_at_once_how_it_answered(office: Office) -> None:
    office.invite("m", "ann", "hall", "bob")
    assert office.answer("bob", "m", "hall") == "ACCEPTED"


def test_of_two_meetings_one_gets_the_room(office: Office) -> None:
    office.invite("m", "ann", "hall")
    office.invite("n", "bob", "hall")
    assert office.answer("ann", "m", "hall") == "ACCEPTED"
    assert office.answer("bob", "n", "hall") == "DECLINED"


def test_what_it_declined_does_not_take_it(office: Office) -> None:
    office.invite("m", "ann", "hall")
    office.invite("n", "bob", "hall", lines=("DTSTART:20990105T093000Z",))
    office.invite("o", "cyd", "hall", lines=("DTSTART:20990105T101500Z",))
    assert [office.answer(*each, "hall") for each in (("bob", "n"), ("cyd", "o"))] == ["DECLINED", "ACCEPTED"]


def test_a_series_is_accepted_in_part(office: Office) -> None:
    office.put("hall", text(vevent("busy", "DTSTART:20990106T090000Z")))
    office.invite("m", "ann", "hall", lines=("RRULE:FREQ=DAILY;COUNT=3",))
    assert office.answer("ann", "m", "hall") == "ACCEPTED"
    assert office.answer("ann", "m", "hall", "20990106T090000Z") == "DECLINED"


def test_a_series_that_mostly_does_not_fit_is_declined_but_for_the_rest(office: Office) -> None:
    office.put("hall", text(vevent("busy", "RRULE:FREQ=DAILY;COUNT=2")))
    office.invite("m", "ann", "hall", lines=("RRULE:FREQ=DAILY;COUNT=3",))
    assert office.answer("ann", "m", "hall") == "DECLINED"
    assert office.answer("ann", "m", "hall", "20990107T090000Z") == "ACCEPTED"


def test_a_change_is_answered_anew(office: Office) -> None:
    office.put("hall", text(vevent("busy", "DTSTART:20990106T090000Z")))
    office.invite("m", "ann", "hall")
    assert office.answer("ann", "m", "hall") == "ACCEPTED"
    office.invite("m", "ann", "hall", lines=("DTSTART:20990106T090000Z",))
    assert office.answer("ann", "m", "hall") == "DECLINED"
    office.invite("m", "ann", "hall", lines=("DTSTART:20990107T090000Z",))
    assert office.answer("ann", "m", "hall") == "ACCEPTED"


def test_what_a_person_has_answered_for_it_stays(office: Office) -> None:
    office.put("hall", text(BUSY))
    office.invite("m", "ann", "hall")
    assert office.answer("ann", "m", "hall") == "DECLINED"
    assert office.replies("hall", "m", "ACCEPTED").status == 204
    assert office.answer("ann", "m", "hall") == "ACCEPTED"
    changed = meeting("m", "ann", "hall", lines=("SUMMARY:Other",))
    assert office.put("ann", changed, if_schedule_tag_match=f'"{office.tag("ann", "m")}"').status == 204
    assert office.answer("ann", "m", "hall") == "ACCEPTED"


def test_a_room_may_take_several_at_a_time(office: Office) -> None:
    office.write(lambda txn: txn.principals.update(attrs.evolve(office.principal(txn, "hall"), capacity=2)))
    for uid in ("m", "n", "o"):
        office.invite(uid, "ann", "hall")
    assert [office.answer("ann", uid, "hall") for uid in ("m", "n", "o")] == ["ACCEPTED", "ACCEPTED", "DECLINED"]


def test_members_of_a_group_are_answered_where_others_are_not(office: Office) -> None:
    def prefer(txn: Transaction) -> None:
        txn.principals.update(attrs.evolve(office.principal(txn, "closet"), auto_accept_group="team"))
        txn.principals.set_members(office.principal(txn, "team").id, [office.principal(txn, "ann").id])

    office.write(prefer)
    office.invite("m", "ann", "closet")
    office.invite("n", "bob", "closet", lines=("DTSTART:20990106T090000Z",))
    assert office.answer("ann", "m", "closet") == "ACCEPTED"
    assert office.answer("bob", "n", "closet") == "NEEDS-ACTION"


def test_what_is_cancelled_is_gone(office: Office) -> None:
    office.invite("m", "ann", "hall", lines=("RRULE:FREQ=DAILY;COUNT=3",))
    office.invite("m", "ann", "hall", lines=("RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20990106T090000Z"))
    found = office.copy("hall", "m")
    assert found is not None
    assert len(found.components) == 1
    assert found.components[0].value("EXDATE") == "20990106T090000Z"
    office.by("ann")("DELETE", "calendars/user/ann/Default/m.ics")
    assert office.copy("hall", "m") is None


def test_clients_are_told_that_it_is_a_room(office: Office) -> None:
    """RFC 5545 section 3.2.3."""
    office.invite("m", "ann", "hall")
    prop = office.attendee("ann", "m", "hall")
    assert prop is not None
    assert prop.param("CUTYPE") == "ROOM"


def test_an_endless_series_is_looked_at_as_far_as_is_booked(office: Office) -> None:
    office.put("ann", text(vevent("m", *people("ann", "hall"), "RRULE:FREQ=WEEKLY")), "m.ics")
    office.put("bob", meeting("n", "bob", "hall", lines=("DTSTART:20990112T090000Z",)), "n.ics")
    assert office.answer("bob", "n", "hall") in ("ACCEPTED", "DECLINED")
