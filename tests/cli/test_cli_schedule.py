"""``calserver schedule``: explain and check."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calserver import calendars, meetings
from calserver.admin import database, schedule
from calserver.admin.accounts import named
from calserver.admin.calendars import find
from calserver.config import Config
from calserver.ical import CalendarObject
from calserver.store import Transaction

Verb = Callable[..., Any]

MEETING = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example.com//tests//EN
BEGIN:VEVENT
UID:lunch
DTSTAMP:20260101T000000Z
DTSTART:20990105T090000Z
DURATION:PT1H
SUMMARY:Lunch
ORGANIZER:mailto:ann@example.org
ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org
ATTENDEE:mailto:bob@work.example
ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:room@example.org
ATTENDEE:mailto:far@example.net
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def config(site: Path) -> Config:
    """Of a server where ann has invited bob, and somebody elsewhere."""
    config = Config.load(site / "calserver.toml")

    def invite(txn: Transaction) -> None:
        new = CalendarObject.parse(MEETING.replace("\n", "\r\n").encode(), limits=calendars.limits(config.calendars))
        place = find(txn, named(txn, "ann"), "Default")
        meetings.put(txn, schedule.policy_of(config), place, "lunch.ics", new, path=lambda row: row.name)

    with database.opened(config) as store:
        store.write_now(invite)
    return config


def spoil(config: Config) -> None:
    """Give bob's copy another summary."""

    def write(txn: Transaction) -> None:
        place = find(txn, named(txn, "bob"), "Default")
        (copy,) = txn.copies.organized(place.id)
        new = CalendarObject.stored(copy.text.replace(b"Lunch", b"Dinner"))
        draft = calendars.accepted(copy.row.name, new, now=txn.now, settings=config.calendars)
        txn.objects.put(place.id, draft)

    with database.opened(config) as store:
        store.write_now(write)


@pytest.mark.parametrize(
    "what",
    [
        "ann/Default/lunch.ics",
        "user/ann/Default/lunch.ics",
        "https://cal.example.org/dav/calendars/user/ann/Default/lunch.ics",
        "/dav/calendars/user/ann/Default/lunch%2eics",
        "lunch",
    ],
)
def test_explain_tells_who_was_sent_what(verb: Verb, config: Config, what: str) -> None:
    found = verb("schedule", "explain", what, "--json").json
    assert found["uid"] == "lunch"
    sent = [
        (each["method"], *each["recipients"], each["status"], each["reason"], each["outcome"]) for each in found["sent"]
    ]
    assert sorted(sent) == [
        ("REQUEST", "mailto:bob@work.example", "1.2", "invited", "made a copy"),
        ("REQUEST", "mailto:far@example.net", "5.2", "invited", "there is no way to another server"),
    ]
    people = {each["address"]: each for each in found["participants"]}
    assert next(iter(people)) == "mailto:ann@example.org"
    assert len(people) == 4
    bob, room, far = (people[f"mailto:{each}"] for each in ("bob@work.example", "room@example.org", "far@example.net"))
    assert (bob["principal"], bob["status"], bob["agent"]) == ("bob", "1.2", "SERVER")
    assert bob["copy"].startswith("calendars/user/bob/Default/")
    assert (room["principal"], room["status"], room["agent"], room["copy"]) == ("location/room", "", "CLIENT", "")
    assert (far["principal"], far["status"], far["copy"]) == ("", "5.2", "")
    assert found["wrong"] == []


def test_explain_is_for_people(verb: Verb, config: Config) -> None:
    spoil(config)
    out = verb("schedule", "explain", "ann/Default/lunch.ics").out
    assert "REQUEST" in out
    assert "there is no way to another server" in out
    assert "differs: mailto:bob@work.example: the attendee's copy has other SUMMARY" in out


def test_a_copy_of_an_attendee_explains_the_same(verb: Verb, config: Config) -> None:
    by_organizer = verb("schedule", "explain", "ann/Default/lunch.ics", "--json").json
    path = by_organizer["participants"][1]["copy"]
    assert verb("schedule", "explain", path, "--json").json == by_organizer


@pytest.mark.parametrize("what", ["nowhere", "ann/lunch.ics", "ann/Default/none.ics", "ann/None/lunch.ics", "x/y/z"])
def test_what_is_not_there_cannot_be_explained(verb: Verb, config: Config, what: str) -> None:
    outcome = verb("schedule", "explain", what)
    assert outcome.status == 1
    assert outcome.err.startswith("calserver: ")


def test_check_finds_and_repairs(verb: Verb, config: Config) -> None:
    fine = verb("schedule", "check")
    assert (fine.status, fine.out) == (0, "2 looked at, 0 found, 0 repaired\n")
    spoil(config)
    told = verb("schedule", "check")
    assert told.status == 1
    assert "differs: lunch: mailto:bob@work.example: the attendee's copy has other SUMMARY\n" in told.out
    as_json = verb("schedule", "check", "--json")
    assert as_json.status == 1
    assert [each["kind"] for each in as_json.json["found"]] == ["differs"]
    repaired = verb("schedule", "check", "--repair")
    assert repaired.status == 0
    assert "differs, repaired: lunch" in repaired.out
    assert verb("schedule", "check").out == fine.out
    sent = verb("schedule", "explain", "lunch", "--json").json["sent"]
    assert (sent[-1]["reason"], sent[-1]["outcome"]) == ("repair", "changed the copy")
