"""What may be stored as a calendar object resource (RFC 4791 sections 4.1 and 5.3.2.1, RFC 5545 section 3.6)."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calserver.conditions import ConditionFailed
from calserver.ical import (
    CalendarObject,
    Limits,
    MaxAttendeesPerInstance,
    MaxDateTime,
    MaxInstances,
    MaxResourceSize,
    MinDateTime,
    SupportedCalendarData,
    SupportedRscale,
    ValidCalendarData,
    ValidCalendarObjectResource,
    ValidTimezone,
    etag,
    serialize,
    to_jcal,
)

JCAL = "application/calendar+json"


def calendar(*components: str, head: str = "VERSION:2.0\nPRODID:-//Test//EN\n") -> bytes:
    return f"BEGIN:VCALENDAR\n{head}{''.join(components)}END:VCALENDAR\n".replace("\n", "\r\n").encode()


def component(kind: str, *lines: str) -> str:
    return "".join(f"{line}\n" for line in (f"BEGIN:{kind}", *lines, f"END:{kind}"))


def event(*lines: str, uid: str = "1", start: str = "DTSTART:20250401T090000Z") -> str:
    return component("VEVENT", f"UID:{uid}", "DTSTAMP:20250101T000000Z", *([start] if start else []), *lines)


def todo(*lines: str) -> str:
    return component("VTODO", "UID:1", *lines)


def alarm(*lines: str) -> str:
    return component("VALARM", *lines).removesuffix("\n")


def zone(tzid: str, *, offset: str = "+0100") -> str:
    lines = (f"TZOFFSETFROM:{offset}", f"TZOFFSETTO:{offset}", "DTSTART:16010101T000000")
    return component("VTIMEZONE", f"TZID:{tzid}", component("STANDARD", *lines).removesuffix("\n"))


GOOD: dict[str, bytes] = {
    "event": calendar(event()),
    "event with an end": calendar(event("DTEND:20250401T100000Z")),
    "event with a duration": calendar(event("DURATION:PT1H")),
    "event of a day": calendar(event("DTEND;VALUE=DATE:20250402", start="DTSTART;VALUE=DATE:20250401")),
    "event of days": calendar(event("DURATION:P2D", start="DTSTART;VALUE=DATE:20250401")),
    "event of a day in hours": calendar(event("DURATION:PT24H", start="DTSTART;VALUE=DATE:20250401")),
    "event that ends as it starts": calendar(event("DTEND:20250401T090000Z")),
    "event over two zones": calendar(
        event("DTEND;TZID=America/New_York:20250401T090000", start="DTSTART;TZID=Asia/Tokyo:20250401T180000")
    ),
    "floating event": calendar(event("DTEND:20250401T100000", start="DTSTART:20250401T090000")),
    "day without VALUE": calendar(event(start="DTSTART:20250401")),
    "zone of the database without VTIMEZONE": calendar(event(start="DTSTART;TZID=Europe/Berlin:20250401T090000")),
    "zone of Windows": calendar(event(start="DTSTART;TZID=W. Europe Standard Time:20250401T090000")),
    "zone of its own": calendar(zone("Mordor"), event(start="DTSTART;TZID=Mordor:20250401T090000")),
    "zone that nobody uses": calendar(zone("Mordor"), event()),
    "known zone with a broken definition": calendar(
        component("VTIMEZONE", "TZID:Europe/Berlin"), event(start="DTSTART;TZID=Europe/Berlin:20250401T090000")
    ),
    "unknown zone on a private property": calendar(event("X-WHEN;TZID=Nowhere:20250401T090000")),
    "everything about an event": calendar(
        event(
            "CREATED:20250101T000000Z",
            "LAST-MODIFIED:20250101T000000Z",
            "SEQUENCE:1",
            "PRIORITY:5",
            "STATUS:TENTATIVE",
            "TRANSP:TRANSPARENT",
            "CLASS:PRIVATE",
            "GEO:1;2",
            "URL:http://example.com",
            "SUMMARY:a\\, b\\; c\\n\\\\",
            "CATEGORIES:a,b",
            "CATEGORIES:c",
            "COMMENT:1",
            "COMMENT:2",
            "ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY:AAAA",
            "CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://example.com",
            "COLOR:red",
            "X-APPLE-TRAVEL-DURATION;VALUE=DURATION:PT30M",
            "X-BROKEN;VALUE=DATE:soon\\q",
        )
    ),
    "no PRODID": calendar(event(), head="VERSION:2.0\n"),
    "CALSCALE": calendar(event(), head="VERSION:2.0\nCALSCALE:GREGORIAN\n"),
    "VERSION from and to": calendar(event(), head="VERSION:1.0;2.0\n"),
    "no DTSTAMP": calendar(component("VEVENT", "UID:1", "DTSTART:20250401T090000Z")),
    "DTSTAMP not in UTC": calendar(component("VEVENT", "UID:1", "DTSTART:20250401T090000Z", "DTSTAMP:20250401T090000")),
    "SEQUENCE in milliseconds": calendar(event("SEQUENCE:1735689600000")),
    "REQUEST-STATUS without text": calendar(event("REQUEST-STATUS:2.0")),
    "ORGANIZER without an address": calendar(event("ORGANIZER:")),
    "duration with an empty time": calendar(event("DURATION:P1DT")),
    "rule": calendar(event("RRULE:FREQ=WEEKLY;BYDAY=MO,TU;UNTIL=20260101T000000Z")),
    "endless rule": calendar(event("RRULE:FREQ=DAILY")),
    "rule until a day": calendar(event("RRULE:FREQ=WEEKLY;UNTIL=20260101")),
    "rule until the end of time": calendar(event("RRULE:FREQ=WEEKLY;UNTIL=99991231T235959Z")),
    "rule in another calendar": calendar(event("RRULE:RSCALE=CHINESE;FREQ=YEARLY;SKIP=FORWARD")),
    "dates": calendar(event("RDATE:20250402T090000Z,20250403T090000Z", "EXDATE:20250401T090000Z")),
    "periods": calendar(event("RDATE;VALUE=PERIOD:20250402T090000Z/PT1H")),
    "override": calendar(
        event("RRULE:FREQ=DAILY"), event("RECURRENCE-ID:20250402T090000Z", start="DTSTART:20250402T100000Z")
    ),
    "override to the end": calendar(
        event("RRULE:FREQ=DAILY"),
        event("RECURRENCE-ID;RANGE=THISANDFUTURE:20250402T090000Z", start="DTSTART:20250402T100000Z"),
    ),
    "override after the end of the series": calendar(
        event("RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20250403T090000Z"),
        event("RECURRENCE-ID:20250403T090000Z"),
        event("RECURRENCE-ID:20250501T090000Z"),
    ),
    "override in UTC": calendar(
        event("RRULE:FREQ=WEEKLY", start="DTSTART;TZID=Europe/Berlin:20250303T090000"),
        event("RECURRENCE-ID:20250310T080000Z"),
        event("RECURRENCE-ID:20250407T070000Z"),
    ),
    "override of an instance in a gap": calendar(
        event("RRULE:FREQ=WEEKLY", start="DTSTART;TZID=Europe/Berlin:20250302T023000"),
        event("RECURRENCE-ID:20250330T013000Z"),
    ),
    "override without a zone": calendar(
        event("RRULE:FREQ=WEEKLY", start="DTSTART;TZID=Europe/Berlin:20250303T090000"),
        event("RECURRENCE-ID:20250310T090000"),
    ),
    "override in UTC of a floating series": calendar(
        event("RRULE:FREQ=WEEKLY", start="DTSTART:20250303T090000"), event("RECURRENCE-ID:20250310T110000Z")
    ),
    "override of an added date": calendar(
        event("RRULE:FREQ=WEEKLY", "RDATE:20250402T120000Z"), event("RECURRENCE-ID:20250402T120000Z")
    ),
    "override of an added period": calendar(
        event("RRULE:FREQ=WEEKLY", "RDATE;VALUE=PERIOD:20250402T120000Z/PT1H"), event("RECURRENCE-ID:20250402T120000Z")
    ),
    "override of a start beside its rule": calendar(
        event("RRULE:FREQ=WEEKLY;BYDAY=FR"), event("RECURRENCE-ID:20250401T090000Z")
    ),
    "override of a day at the epoch": calendar(
        event("RRULE:FREQ=DAILY", start="DTSTART;VALUE=DATE:19691231"), event("RECURRENCE-ID;VALUE=DATE:19700101")
    ),
    "override of what does not repeat": calendar(event(), event("RECURRENCE-ID:20250402T120000Z")),
    "override alone": calendar(event("RECURRENCE-ID:20250402T090000Z")),
    "alarm": calendar(event(alarm("ACTION:DISPLAY", "TRIGGER:-PT15M", "DESCRIPTION:x"))),
    "alarm that Apple switches off": calendar(
        event(alarm("ACTION:NONE", "TRIGGER;VALUE=DATE-TIME:19760401T005545Z", "UID:2", "X-WR-ALARMUID:2"))
    ),
    "alarm that was seen": calendar(event(alarm("ACTION:AUDIO", "TRIGGER:PT0S", "ACKNOWLEDGED:20250101T000000Z"))),
    "alarm that repeats": calendar(event(alarm("ACTION:AUDIO", "TRIGGER:-P1D", "REPEAT:3", "DURATION:PT5M"))),
    "private component inside": calendar(event(component("X-INFO", "DTSTART:never").removesuffix("\n"))),
    "private component beside": calendar(component("X-INFO", "A:b"), event()),
    "task": calendar(todo()),
    "task until a day": calendar(todo("DUE;VALUE=DATE:20250401", "STATUS:NEEDS-ACTION", "PERCENT-COMPLETE:0")),
    "task due as it starts": calendar(todo("DTSTART;VALUE=DATE:20250401", "DUE;VALUE=DATE:20250401")),
    "task with start and due of two types": calendar(todo("DTSTART;VALUE=DATE:20250401", "DUE:20240401T090000Z")),
    "task that is done": calendar(todo("COMPLETED:20250401T090000Z", "STATUS:COMPLETED", "PERCENT-COMPLETE:100")),
    "task of a draft": calendar(todo("STATUS;REASON=x:FAILED")),
    "task with a duration": calendar(todo("DTSTART:20250401T090000Z", "DURATION:PT1H")),
    "repeating task without a start": calendar(todo("DUE:20250401T090000Z", "RRULE:FREQ=DAILY")),
    "journal": calendar(
        component("VJOURNAL", "UID:1", "DTSTART;VALUE=DATE:20250401", "DESCRIPTION:a", "DESCRIPTION:b", "STATUS:DRAFT")
    ),
    "free-busy": calendar(
        component("VFREEBUSY", "UID:1", "FREEBUSY;FBTYPE=BUSY:20250401T090000Z/PT1H,20250402T090000Z/20250402T100000Z")
    ),
    "availability": calendar(
        component(
            "VAVAILABILITY",
            "UID:1",
            "DTSTART:20250401T000000Z",
            "DTEND:20260401T000000Z",
            component(
                "AVAILABLE", "UID:2", "DTSTART:20250401T090000Z", "DTEND:20250401T170000Z", "RRULE:FREQ=DAILY"
            ).removesuffix("\n"),
        )
    ),
}


@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD.keys())
def test_what_clients_send_is_taken_as_it_is(content: bytes) -> None:
    found = CalendarObject.parse(content)
    assert found.text == content
    assert found.uid == "1"
    assert CalendarObject.parse(to_jcal(found.calendar), JCAL).uid == "1"


CLIENTS = sorted((Path(__file__).parent.parent / "data" / "ical" / "clients").glob("*.ics"))


@pytest.mark.parametrize("path", CLIENTS, ids=lambda path: path.stem)
def test_objects_as_clients_write_them_are_taken(path: Path) -> None:
    content = path.read_bytes()
    found = CalendarObject.parse(content)
    assert found.text == content
    again = CalendarObject.parse(to_jcal(found.calendar), JCAL)
    assert (again.uid, again.attendees, len(again.overrides)) == (found.uid, found.attendees, len(found.overrides))
    assert json.loads(to_jcal(again.calendar)) == json.loads(to_jcal(found.calendar))


def test_there_are_objects_of_clients() -> None:
    assert len(CLIENTS) >= 9


LINES = [path.read_bytes().split(b"\r\n") for path in CLIENTS]
JUNK = [
    *(
        b"",
        b"\\",
        b"\xff",
        b"a" * 300,
        b"9" * 400,
        b"+2359",
        b"P",
        b"PT",
        b"-P9999999W",
        b"P99999999D",
        b"Europe/Berlin",
    ),
    *(
        b"20250101",
        b"99991231",
        b"99991231T235959Z",
        b"00010101T000000",
        b"20250101T000000Z/PT1H",
        b"20250401,20250402",
    ),
    *(b"FREQ=DAILY", b"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", b"FREQ=SECONDLY;COUNT=3000;BYSETPOS=-1"),
    *(b"FREQ=WEEKLY;UNTIL=00010101", b"RSCALE=HEBREW;FREQ=MONTHLY;BYMONTH=5L;SKIP=FORWARD"),
]
changes = st.lists(
    st.tuples(st.sampled_from(["remove", "repeat", "value", "foreign"]), st.integers(0, 999), st.integers(0, 999)),
    min_size=1,
    max_size=4,
)


def changed(lines: list[bytes], kind: str, at: int, what: int) -> list[bytes]:
    at %= len(lines)
    before, line, after = lines[:at], lines[at], lines[at + 1 :]
    foreign = LINES[what % len(LINES)][what % 20]
    put = {
        "remove": [],
        "repeat": [line, line],
        "value": [line.partition(b":")[0] + b":" + JUNK[what % len(JUNK)]],
        "foreign": [foreign, line],
    }
    return [*before, *put[kind], *after] or [b""]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(LINES), changes)
def test_objects_gone_wrong_are_taken_or_refused_and_nothing_else(
    lines: list[bytes], made: list[tuple[str, int, int]]
) -> None:
    for kind, at, what in made:
        lines = changed(lines, kind, at, what)
    try:
        found = CalendarObject.parse(b"\r\n".join(lines))
    except ConditionFailed:
        return
    assert CalendarObject.stored(found.text).calendar == found.calendar
    assert CalendarObject.parse(to_jcal(found.calendar), JCAL).uid == found.uid


INVALID: dict[str, bytes] = {
    "no VERSION": calendar(event(), head="PRODID:x\n"),
    "two VERSIONs": calendar(event(), head="VERSION:2.0\nVERSION:2.0\n"),
    "VERSION 1.0": calendar(event(), head="VERSION:1.0\n"),
    "another CALSCALE": calendar(event(), head="VERSION:2.0\nCALSCALE:CHINESE\n"),
    "two PRODIDs": calendar(event(), head="VERSION:2.0\nPRODID:x\nPRODID:y\n"),
    "no start": calendar(event(start="")),
    "two starts": calendar(event("DTSTART:20250401T090000Z")),
    "start is no date": calendar(event(start="DTSTART:tomorrow")),
    "start is empty": calendar(event(start="DTSTART:")),
    "start does not exist": calendar(event(start="DTSTART:20250230T000000Z")),
    "start is not a day": calendar(event(start="DTSTART;VALUE=DATE:20250401T090000Z")),
    "start is not a time": calendar(event(start="DTSTART;VALUE=DATE-TIME:20250401")),
    "start is a text": calendar(event(start="DTSTART;VALUE=TEXT:20250401")),
    "start is a list": calendar(event(start="DTSTART:20250401T090000Z,20250402T090000Z")),
    "end before start": calendar(event("DTEND:20250401T080000Z")),
    "end before start in another zone": calendar(
        event("DTEND;TZID=Asia/Tokyo:20250401T100000", start="DTSTART;TZID=Europe/Berlin:20250401T090000")
    ),
    "end on the day before": calendar(event("DTEND;VALUE=DATE:20250331", start="DTSTART;VALUE=DATE:20250401")),
    "end of another type": calendar(event("DTEND;VALUE=DATE:20250402")),
    "end and duration": calendar(event("DTEND:20250401T100000Z", "DURATION:PT1H")),
    "two ends": calendar(event("DTEND:20250401T100000Z", "DTEND:20250401T110000Z")),
    "negative duration": calendar(event("DURATION:-PT1H")),
    "malformed duration": calendar(event("DURATION:1 hour")),
    "duration beyond the calendar": calendar(event("DURATION:P9999999W")),
    "hour of a day": calendar(event("DURATION:PT1H", start="DTSTART;VALUE=DATE:20250401")),
    "two summaries": calendar(event("SUMMARY:a", "SUMMARY:b")),
    "two organizers": calendar(event("ORGANIZER:mailto:a@b", "ORGANIZER:mailto:c@d")),
    "malformed DTSTAMP": calendar(component("VEVENT", "UID:1", "DTSTART:20250401T090000Z", "DTSTAMP:now")),
    "malformed CREATED": calendar(event("CREATED:2025")),
    "CREATED in a month that there is not": calendar(event("CREATED:00001331T000000Z")),
    "a task that was created in the year 0": calendar(todo("CREATED:00001231T000000Z")),
    "bad escape": calendar(event('DESCRIPTION:say \\"hello\\"')),
    "backslash at the end": calendar(event("SUMMARY:a\\")),
    "status of a task": calendar(event("STATUS:COMPLETED")),
    "status is empty": calendar(todo("STATUS:")),
    "two statuses": calendar(event("STATUS:CONFIRMED", "STATUS:CONFIRMED")),
    "unknown transparency": calendar(event("TRANSP:OPAK")),
    "negative sequence": calendar(event("SEQUENCE:-1")),
    "sequence in words": calendar(event("SEQUENCE:one")),
    "priority beyond its range": calendar(event("PRIORITY:10")),
    "percent beyond its range": calendar(todo("PERCENT-COMPLETE:101")),
    "percent in words": calendar(todo("PERCENT-COMPLETE:half")),
    "zone without a name": calendar(component("VTIMEZONE"), event()),
    "zone with two names": calendar(component("VTIMEZONE", "TZID:a", "TZID:b"), event()),
    "zone without rules": calendar(
        component("VTIMEZONE", "TZID:Mordor"), event(start="DTSTART;TZID=Mordor:20250401T090000")
    ),
    "malformed rule": calendar(event("RRULE:FREQ=MONTHLY;BYDAY=+1,3MO")),
    "rule without a frequency": calendar(event("RRULE:COUNT=3")),
    "empty rule": calendar(event("RRULE:")),
    "rule with COUNT and UNTIL": calendar(event("RRULE:FREQ=DAILY;COUNT=3;UNTIL=20260101T000000Z")),
    "rule with malformed UNTIL": calendar(event("RRULE:FREQ=DAILY;UNTIL=tomorrow")),
    "rule with unknown SKIP": calendar(event("RRULE:RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FOOBAR")),
    "nine rules": calendar(event(*["RRULE:FREQ=DAILY"] * 9)),
    "UID without end": calendar(event(uid="1" * 1025)),
    "malformed exception": calendar(event("EXDATE:20250401T090000Z,,")),
    "malformed date": calendar(event("RDATE;VALUE=PERIOD:20250401T090000Z")),
    "malformed RECURRENCE-ID": calendar(event("RRULE:FREQ=DAILY"), event("RECURRENCE-ID:tomorrow")),
    "two malformed RECURRENCE-IDs": calendar(event("RECURRENCE-ID:a"), event("RECURRENCE-ID:b")),
    "override of no instance": calendar(
        event("RRULE:FREQ=WEEKLY"), event("RECURRENCE-ID:20250408T090000Z"), event("RECURRENCE-ID:20250415T100000Z")
    ),
    "override on another day": calendar(
        event("RRULE:FREQ=WEEKLY", start="DTSTART;VALUE=DATE:20250401"), event("RECURRENCE-ID;VALUE=DATE:20250402")
    ),
    "override before the start": calendar(event("RRULE:FREQ=DAILY"), event("RECURRENCE-ID:20250331T090000Z")),
    "override of another type": calendar(event("RRULE:FREQ=DAILY"), event("RECURRENCE-ID;VALUE=DATE:20250402")),
    "alarm without an action": calendar(event(alarm("TRIGGER:-PT15M"))),
    "alarm without a trigger": calendar(event(alarm("ACTION:DISPLAY"))),
    "alarm with two triggers": calendar(event(alarm("ACTION:DISPLAY", "TRIGGER:-PT15M", "TRIGGER:-PT5M"))),
    "alarm with a malformed trigger": calendar(event(alarm("ACTION:DISPLAY", "TRIGGER:early"))),
    "alarm at a time that is none": calendar(event(alarm("ACTION:DISPLAY", "TRIGGER;VALUE=DATE-TIME:-PT15M"))),
    "task due before it starts": calendar(todo("DTSTART:20250401T090000Z", "DUE:20250401T080000Z")),
    "task with due and duration": calendar(todo("DTSTART:20250401T090000Z", "DUE:20250401T100000Z", "DURATION:PT1H")),
    "task with a duration from nowhere": calendar(todo("DURATION:PT1H")),
    "malformed free-busy": calendar(component("VFREEBUSY", "UID:1", "FREEBUSY:20250401T090000Z")),
    "available without a start": calendar(
        component("VAVAILABILITY", "UID:1", component("AVAILABLE", "UID:2").removesuffix("\n"))
    ),
    "not UTF-8": calendar(event("SUMMARY:x")).replace(b"x", b"\xfc"),
}


@pytest.mark.parametrize("content", INVALID.values(), ids=INVALID.keys())
def test_invalid_data_is_refused(content: bytes) -> None:
    """RFC 4791 section 5.3.2.1: CALDAV:valid-calendar-data."""
    with pytest.raises(ValidCalendarData) as refusal:
        CalendarObject.parse(content)
    assert refusal.value.reason


NOT_AN_OBJECT: dict[str, bytes] = {
    "METHOD": calendar(event(), head="VERSION:2.0\nMETHOD:REQUEST\n"),
    "no component": calendar(),
    "time zone only": calendar(zone("Mordor")),
    "two types": calendar(event(), todo()),
    "two UIDs": calendar(event(), event(uid="2")),
    "no UID": calendar(component("VEVENT", "DTSTART:20250401T090000Z")),
    "empty UID": calendar(event(uid="")),
    "one UID missing": calendar(event(), component("VEVENT", "DTSTART:20250401T090000Z", "RECURRENCE-ID:20250401")),
    "two masters": calendar(event(), event()),
    "two overrides of one instance": calendar(
        event("RRULE:FREQ=DAILY"), event("RECURRENCE-ID:20250402T090000Z"), event("RECURRENCE-ID:20250402T090000Z")
    ),
    "two spellings of one instance": calendar(
        event("RRULE:FREQ=DAILY"),
        event("RECURRENCE-ID:20250402T090000Z"),
        event("RECURRENCE-ID;TZID=Asia/Tokyo:20250402T180000"),
    ),
}


@pytest.mark.parametrize("line", ["DTEND;TZID=Nowhere:20250401T100000", "EXDATE;TZID=Nowhere:20250401T090000"])
def test_zones_that_nobody_knows_are_refused(line: str) -> None:
    """RFC 7809 section 3.1.4: CALDAV:valid-timezone."""
    with pytest.raises(ValidTimezone):
        CalendarObject.parse(calendar(event(line)))


@pytest.mark.parametrize("content", NOT_AN_OBJECT.values(), ids=NOT_AN_OBJECT.keys())
def test_what_is_not_one_object_is_refused(content: bytes) -> None:
    """RFC 4791 sections 4.1 and 5.3.2.1: CALDAV:valid-calendar-object-resource."""
    with pytest.raises(ValidCalendarObjectResource):
        CalendarObject.parse(content)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/calendar",
        "TEXT/Calendar; charset=UTF-8",
        'text/calendar;component=VEVENT; charset="utf-8"',
        "",
        "text/calendar;",
    ],
)
def test_media_types_that_are_taken(content_type: str) -> None:
    assert CalendarObject.parse(calendar(event()), content_type).uid == "1"


@pytest.mark.parametrize(
    "content_type", ["text/xml", "text/plain; charset=utf-8", "application/json", "text/calendarx"]
)
def test_media_types_that_are_not(content_type: str) -> None:
    """RFC 4791 section 5.3.2.1: CALDAV:supported-calendar-data."""
    with pytest.raises(SupportedCalendarData):
        CalendarObject.parse(calendar(event()), content_type)


def test_another_charset_is_not_valid() -> None:
    with pytest.raises(ValidCalendarData):
        CalendarObject.parse(calendar(event()), "text/calendar; charset=iso-8859-1")


LIMITS = Limits(
    max_resource_size=1000,
    min_date_time=datetime(2000, 1, 1, tzinfo=UTC),
    max_date_time=datetime(2030, 1, 1, tzinfo=UTC),
    max_instances=5,
    max_attendees_per_instance=2,
)
ATTENDEES = [f"ATTENDEE:mailto:{name}@example.com" for name in "abc"]
BEYOND: dict[str, tuple[type[ConditionFailed], str]] = {
    "size": (MaxResourceSize, event("DESCRIPTION:" + "x" * 1000)),
    "early start": (MinDateTime, event(start="DTSTART:19991231T235959Z")),
    "year one": (MinDateTime, event(start="DTSTART:00010101T000000")),
    "early exception": (MinDateTime, event("EXDATE:19990101T000000Z")),
    "early day": (MinDateTime, event(start="DTSTART;VALUE=DATE:19991231")),
    "late start": (MaxDateTime, event(start="DTSTART:20300101T000001Z")),
    "late end": (MaxDateTime, event("DTEND:20310101T000000Z")),
    "late by duration": (MaxDateTime, event("DURATION:P3000D")),
    "late date": (MaxDateTime, event("RDATE:20310101T000000Z")),
    "late period": (MaxDateTime, event("RDATE;VALUE=PERIOD:20250101T000000Z/P3000D")),
    "late due": (MaxDateTime, todo("DUE:20310101T000000Z")),
    "count": (MaxInstances, event("RRULE:FREQ=DAILY;COUNT=6")),
    "dates": (MaxInstances, event("RDATE:" + ",".join(f"2025041{i}T000000Z" for i in range(6)))),
    "published busy time": (
        MaxInstances,
        component("VFREEBUSY", "UID:1", "FREEBUSY:" + ",".join(f"2025041{i}T000000Z/PT1H" for i in range(6))),
    ),
    "exceptions": (MaxInstances, event("RRULE:FREQ=DAILY", *(f"EXDATE:2025041{i}T090000Z" for i in range(6)))),
    "overrides": (
        MaxInstances,
        "".join(component("VEVENT", "UID:1", f"DTSTART:2025041{i}", f"RECURRENCE-ID:2025041{i}") for i in range(6)),
    ),
    "attendees": (MaxAttendeesPerInstance, event(*ATTENDEES)),
    "rule in an unknown calendar": (SupportedRscale, event("RRULE:RSCALE=FOOBAR;FREQ=YEARLY")),
}


@pytest.mark.parametrize(("condition", "text"), BEYOND.values(), ids=BEYOND.keys())
def test_what_is_beyond_a_limit_is_refused_for_that(condition: type[ConditionFailed], text: str) -> None:
    """RFC 4791 sections 5.2.5 to 5.2.9, RFC 7529 section 7."""
    with pytest.raises(condition):
        CalendarObject.parse(calendar(text), limits=LIMITS)


@pytest.mark.parametrize(
    "text",
    [
        event(start="DTSTART:20000101T000000Z"),
        event("DTEND:20300101T000000Z"),
        event("RRULE:FREQ=DAILY"),
        event("RRULE:FREQ=DAILY;COUNT=5"),
        event("RRULE:FREQ=DAILY", *(f"EXDATE:2025041{i}T090000Z" for i in range(5))),
        event("RRULE:FREQ=DAILY;UNTIL=20990101T000000Z;INTERVAL=400"),
        event(*ATTENDEES[:2]),
        event("CREATED:19700101T000000Z"),
        event("CREATED:00001231T000000Z"),
        event(*ATTENDEES[:2], "RRULE:FREQ=DAILY") + event(*ATTENDEES[1:], "RECURRENCE-ID:20250402T090000Z"),
    ],
)
def test_what_is_at_a_limit_is_taken(text: str) -> None:
    assert CalendarObject.parse(calendar(zone("Mordor"), text), limits=LIMITS).uid == "1"


# The object


def test_an_object_knows_its_parts() -> None:
    found = CalendarObject.parse(
        calendar(
            zone("Mordor"),
            event("RECURRENCE-ID:20250402T090000Z", "ATTENDEE:MAILTO:B@example.com", uid="a\\,b"),
            event(
                "RRULE:FREQ=DAILY", "ORGANIZER:mailto:Ann@example.com", "ATTENDEE:mailto:ann@example.com", uid="a\\,b"
            ),
        )
    )
    assert (found.uid, found.component) == ("a,b", "VEVENT")
    assert found.master is not None
    assert found.master.value("RRULE") == "FREQ=DAILY"
    assert [each.value("RECURRENCE-ID") for each in found.overrides] == ["20250402T090000Z"]
    assert found.components == (found.master, *found.overrides)
    assert found.organizer == "mailto:ann@example.com"
    assert found.attendees == {"mailto:ann@example.com", "mailto:b@example.com"}
    assert found.zones.zone("Mordor") is not None
    assert found.zones is found.zones


def test_an_object_without_scheduling_has_nobody() -> None:
    for text in (event(), event("ORGANIZER:")):
        found = CalendarObject.parse(calendar(text))
        assert found.organizer is None
        assert found.attendees == frozenset()


def test_stored_text_is_read_without_being_judged() -> None:
    text = calendar(event("STATUS:NONSENSE", start=""))
    found = CalendarObject.stored(text)
    assert (found.uid, found.text) == ("1", text)


def test_an_object_made_of_components_has_their_text() -> None:
    found = CalendarObject.parse(calendar(event("SUMMARY:x")))
    assert CalendarObject.of(found.calendar).text == serialize(found.calendar) == found.text


def test_what_cannot_be_sent_to_others_as_it_came_is_written_anew() -> None:
    text = calendar(event("SUMMARY:Müller"))
    cut = text.replace("ü".encode(), b"\xc3\r\n \xbc")
    assert CalendarObject.parse(cut).text == text
    assert CalendarObject.parse(b"\xef\xbb\xbf" + text).text == text
    assert CalendarObject.parse(to_jcal(CalendarObject.parse(text).calendar), JCAL).text == text


@pytest.mark.parametrize(
    ("written", "other"),
    [
        ("\r\n", "\r"),
        ("\r\nEND:VEVENT", "\rEND:VEVENT"),
        ("\r\n", "\r\r\n"),
        ("BEGIN:VEVENT", "BEG\r\n IN:VEVENT"),
        ("END:VCALENDAR", "END:VCAL\r\n ENDAR"),
        ("BEGIN:VCALENDAR", "BEGIN: VCALENDAR"),
        ("END:VEVENT", "END:VEVENT "),
    ],
)
def test_lines_that_others_would_not_know_as_delimiters_are_written_anew(written: str, other: str) -> None:
    text = calendar(event("SUMMARY:x"))
    assert CalendarObject.parse(text.replace(written.encode(), other.encode())).text == text


def test_line_feeds_alone_and_small_letters_stay() -> None:
    for text in (calendar(event()).replace(b"\r\n", b"\n"), calendar(event()).replace(b"BEGIN:V", b"begin:v")):
        assert CalendarObject.parse(text).text == text


def test_an_entity_tag_is_of_the_bytes() -> None:
    text = calendar(event())
    assert etag(text) == etag(bytes(bytearray(text)))
    assert etag(text) != etag(text + b"\r\n")
    assert set(etag(text)) <= set("0123456789abcdef")
