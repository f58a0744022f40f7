"""What somebody answered says whether a meeting takes up time (RFC 4791 section 7.10, RFC 5545 section 3.2.12)."""

from pathlib import Path

import attrs
import pytest
from office import Office, mail, people, text, vevent

from calserver import calendars, ical
from calserver.admin.calendar_import import import_files
from calserver.store import Transaction

WEEKLY = "RRULE:FREQ=WEEKLY"
WEEKS = ("20990105", "20990112", "20990119")


def busy(office: Office, who: str) -> list[tuple[str, str]]:
    """What Ann is told when she asks; kind and start of each period."""
    asked = vevent(
        "asked",
        "DTSTART:20990101T000000Z",
        "DTEND:20990126T000000Z",
        f"ORGANIZER:{mail('ann')}",
        f"ATTENDEE:{mail(who)}",
    )
    lines = [each.replace("VEVENT", "VFREEBUSY") for each in asked if not each.startswith("DURATION")]
    body = text(["METHOD:REQUEST", *lines])
    answer = office.by("ann")("POST", "calendars/user/ann/Outbox/", body, content_type="text/calendar")
    found = ical.parse(answer.xml.findtext(".//{urn:ietf:params:xml:ns:caldav}calendar-data"))
    return [
        (prop.param("FBTYPE") or "BUSY", each.partition("T")[0])
        for prop in found.components[0].all("FREEBUSY")
        for each in prop.value.split(",")
    ]


def reported(office: Office, who: str) -> bytes:
    """What a report on somebody's calendar says."""
    body = (
        '<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">'
        '<C:time-range start="20990101T000000Z" end="20990126T000000Z"/></C:free-busy-query>'
    )
    return office.by(who)("REPORT", f"calendars/user/{who}/Default/", body, depth="1").body


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("ACCEPTED", "BUSY"),
        ("TENTATIVE", "BUSY-TENTATIVE"),
        ("DECLINED", None),
        ("DELEGATED", None),
        ("NEEDS-ACTION", "BUSY"),
    ],
)
def test_an_answer_says_how_a_meeting_counts(office: Office, answer: str, kind: str | None) -> None:
    office.invite("m", "ann", "bob")
    assert office.replies("bob", "m", answer).status == 204
    assert busy(office, "bob") == ([] if kind is None else [(kind, WEEKS[0])])
    assert (b"FREEBUSY" in reported(office, "bob").replace(b"VFREEBUSY", b"")) == (kind is not None)
    assert busy(office, "ann") == [("BUSY", WEEKS[0])], "it still takes place"


def instance(day: str, answer: str) -> list[str]:
    lines = people("ann", "cyd")
    mine = f"ATTENDEE;PARTSTAT={answer}:{mail('bob')}"
    return vevent("m", f"RECURRENCE-ID:{day}T090000Z", f"DTSTART:{day}T090000Z", *lines, mine)


def answered(office: Office, whole: str, second: str, rule: str = f"{WEEKLY};COUNT=3") -> None:
    """Bob answers a series, and the second instance of it."""
    office.invite("m", "ann", "cyd", "bob", lines=(rule,))
    mine = f"ATTENDEE;PARTSTAT={whole}:{mail('bob')}"
    content = text(vevent("m", *people("ann", "cyd"), mine, rule), instance(WEEKS[1], second))
    answer = office.by("bob")("PUT", office.path("bob", "m"), content, content_type="text/calendar")
    assert answer.status == 204, answer.body


def test_an_instance_counts_by_its_own_answer(office: Office) -> None:
    answered(office, "ACCEPTED", "DECLINED")
    assert busy(office, "bob") == [("BUSY", WEEKS[0]), ("BUSY", WEEKS[2])]


def test_an_instance_counts_though_the_series_does_not(office: Office) -> None:
    answered(office, "DECLINED", "ACCEPTED")
    assert busy(office, "bob") == [("BUSY", WEEKS[1])]


@pytest.mark.parametrize(("whole", "second"), [("ACCEPTED", "DECLINED"), ("DECLINED", "ACCEPTED")])
def test_the_same_holds_beyond_the_horizon_and_when_it_moves(office: Office, whole: str, second: str) -> None:
    """There, objects are read; when it moves, their rows are written anew."""
    answered(office, whole, second, WEEKLY)
    expected = {"ACCEPTED": [WEEKS[0], WEEKS[2]], "DECLINED": [WEEKS[1]]}[whole]
    assert [day for _, day in busy(office, "bob")][: len(expected)] == expected

    def ahead(txn: Transaction) -> None:
        settings = attrs.evolve(office.server.settings.calendars, horizon_days=80 * 366)
        assert calendars.extend(txn, settings) > 0

    office.write(ahead)
    assert [day for _, day in busy(office, "bob")][: len(expected)] == expected


@pytest.mark.parametrize("rule", ["RRULE:FREQ=WEEKLY;COUNT=3", WEEKLY])
def test_who_attends_by_another_address_is_meant_too(office: Office, rule: str) -> None:
    """The URL of a principal, as a path (RFC 6638 section 2.4.1)."""
    lines = (rule, "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:/dav/principals/user/bob/")
    office.invite("m", "ann", lines=lines)
    found = office.copy("bob", "m")
    assert found is not None
    declined = found.text.replace(b"PARTSTAT=NEEDS-ACTION;RSVP=TRUE:/dav", b"PARTSTAT=DECLINED:/dav")
    assert office.by("bob")("PUT", office.path("bob", "m"), declined, content_type="text/calendar").status == 204
    assert busy(office, "bob") == []


def test_what_is_imported_counts_by_its_answer_too(office: Office, tmp_path: Path) -> None:
    declined = f"ATTENDEE;PARTSTAT=DECLINED:{mail('bob')}"
    file = tmp_path / "m.ics"
    file.write_bytes(text(vevent("m", *people("ann", "cyd"), declined), vevent("n", "DTSTART:20990112T090000Z")))
    settings = office.server.settings.calendars
    assert [each.outcome for each in import_files(office.store, "bob", "Default", [file], settings=settings)] == [
        "new",
        "new",
    ]
    assert busy(office, "bob") == [("BUSY", WEEKS[1])]


def test_a_room_that_accepts_after_it_declined_is_taken(office: Office) -> None:
    office.invite("first", "cyd", "hall")
    office.invite("m", "ann", "hall")
    assert office.answer("ann", "m", "hall") == "DECLINED"
    office.invite("m", "ann", "hall", lines=("DTSTART:20990105T120000Z",))
    assert office.answer("ann", "m", "hall") == "ACCEPTED"
    office.invite("n", "bob", "hall", lines=("DTSTART:20990105T120000Z",))
    assert office.answer("bob", "n", "hall") == "DECLINED"
