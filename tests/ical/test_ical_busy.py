"""Busy time from rows, objects and availability (RFC 4791 section 7.10, RFC 7953)."""

import time
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from calendar_text import calendar, component, epoch, event, object_of, task, utc
from hypothesis import given
from hypothesis import strategies as st

from calserver.ical import (
    BusyPeriod,
    CalendarObject,
    Component,
    Limits,
    MaxInstances,
    Property,
    TimeRange,
    freebusy,
    index,
    merged,
    object_periods,
    row_periods,
    serialize,
    unavailable,
)


def between(start: str, end: str) -> TimeRange:
    return TimeRange(epoch(start), epoch(end))


WEEK = between("20260302", "20260309")


def shown(periods: list[BusyPeriod] | tuple[BusyPeriod, ...]) -> list[str]:
    return [
        f"{datetime.fromtimestamp(each.start, UTC):%dT%H%M}/{datetime.fromtimestamp(each.end, UTC):%dT%H%M} {each.busy}"
        for each in periods
    ]


def busy(obj: CalendarObject, asked: TimeRange = WEEK) -> list[str]:
    return shown(merged(object_periods(obj, asked, zone=UTC, limit=1000)))


# -- objects


def test_opaque_events_are_busy_and_the_others_free() -> None:
    master = event("DTSTART:20260301T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=7")
    obj = object_of(
        master,
        event("RECURRENCE-ID:20260303T090000Z", "DTSTART:20260303T110000Z", "DURATION:PT1H", "STATUS:TENTATIVE"),
        event("RECURRENCE-ID:20260304T090000Z", "DTSTART:20260304T090000Z", "DURATION:PT1H", "STATUS:CANCELLED"),
        event("RECURRENCE-ID:20260305T090000Z", "DTSTART:20260305T090000Z", "DURATION:PT1H", "TRANSP:TRANSPARENT"),
    )
    assert busy(obj) == ["02T0900/02T1000 B", "03T1100/03T1200 T", "06T0900/06T1000 B", "07T0900/07T1000 B"]


def test_only_events_and_published_busy_time_count() -> None:
    assert busy(object_of(task("DTSTART:20260303T090000Z", "DUE:20260303T100000Z"))) == []
    assert busy(object_of(component("VJOURNAL", "UID:1", "DTSTART;VALUE=DATE:20260303"))) == []
    published = component(
        "VFREEBUSY",
        "UID:1",
        "FREEBUSY:20260303T090000Z/PT1H,20260401T090000Z/PT1H",
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260304T090000Z/PT1H",
        "FREEBUSY;FBTYPE=FREE:20260305T090000Z/PT1H",
        "FREEBUSY;FBTYPE=X-LUNCH:20260306T090000Z/PT1H",
    )
    assert busy(object_of(published)) == ["03T0900/03T1000 B", "04T0900/04T1000 U", "06T0900/06T1000 B"]


def test_periods_are_cut_to_the_range() -> None:
    obj = object_of(event("DTSTART:20260228T090000Z", "DTEND:20260401T090000Z"))
    assert busy(obj, between("20260302", "20260303")) == ["02T0000/03T0000 B"]
    assert busy(object_of(event("DTSTART:20260303T090000Z"))) == [], "what lasts no time takes none"


def test_a_series_with_too_many_instances_is_refused() -> None:
    obj = object_of(event("DTSTART:20260302T000000Z", "DURATION:PT1M", "RRULE:FREQ=MINUTELY;INTERVAL=10"))
    with pytest.raises(MaxInstances):
        object_periods(obj, WEEK, zone=UTC, limit=1000)


# -- rows


def test_rows_and_objects_make_the_same_busy_time() -> None:
    zone = timezone(timedelta(hours=-5))
    objects = [
        object_of(event("DTSTART;TZID=Europe/Berlin:20260302T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY")),
        object_of(event("DTSTART;VALUE=DATE:20260304", "STATUS:TENTATIVE")),
        object_of(event("DTSTART:20260305T120000", "DURATION:PT2H")),
        object_of(event("DTSTART:20260306T120000Z", "DURATION:PT2H", "TRANSP:TRANSPARENT")),
        object_of(component("VFREEBUSY", "UID:1", "DTSTART:20260302T000000Z", "DTEND:20260309T000000Z",
                            "FREEBUSY:20260303T150000Z/PT1H")),
    ]  # fmt: skip
    found = [row for obj in objects for row in index(obj, horizon=utc("20260401"), limits=Limits()).instances]
    rows = [(each.start, each.end, each.busy, each.floating) for each in found if each.busy != "F" and not each.marker]
    by_object = [each for obj in objects for each in object_periods(obj, WEEK, zone=zone, limit=1000)]
    assert merged(row_periods(rows, WEEK, zone=zone)) == merged(by_object)
    assert "04T0500/05T0500 T" in shown(merged(by_object))
    assert "05T1700/05T1900 B" in shown(merged(by_object))


# -- merging


def test_periods_of_a_kind_that_touch_become_one_and_kinds_may_overlap() -> None:
    """RFC 4791 section 7.10."""
    periods = [BusyPeriod(5, 9), BusyPeriod(0, 3), BusyPeriod(3, 5), BusyPeriod(4, 8, "T"), BusyPeriod(7, 12, "T")]
    assert merged(periods) == (BusyPeriod(0, 9), BusyPeriod(4, 12, "T"))


busy_periods = st.lists(
    st.builds(
        lambda start, length, busy: BusyPeriod(start, start + length, busy),
        st.integers(0, 40),
        st.integers(1, 10),
        st.sampled_from("BTU"),
    ),
    max_size=20,
)


@given(busy_periods)
def test_merging_changes_nobody_s_time(periods: list[BusyPeriod]) -> None:
    found = merged(periods)
    for kind in "BTU":
        before = {at for each in periods if each.busy == kind for at in range(each.start, each.end)}
        mine = [each for each in found if each.busy == kind]
        assert [at for each in mine for at in range(each.start, each.end)] == sorted(before)
        assert all(one.end < other.start for one, other in pairwise(mine))
    assert list(found) == sorted(found)


# -- VFREEBUSY


def test_busy_time_as_a_component() -> None:
    periods = [
        BusyPeriod(epoch("20260303T090000"), epoch("20260303T100000"), "T"),
        BusyPeriod(epoch("20260304T090000"), epoch("20260304T100000")),
        BusyPeriod(epoch("20260303T080000"), epoch("20260303T090000")),
    ]
    attendee = Property("ATTENDEE", "mailto:lisa@example.com")
    found = freebusy(periods, WEEK, now=utc("20260301T120000"), prodid="-//Test//EN", properties=[attendee])
    assert serialize(found).decode().replace("\r\n ", "").splitlines() == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Test//EN",
        "BEGIN:VFREEBUSY",
        "DTSTAMP:20260301T120000Z",
        "DTSTART:20260302T000000Z",
        "DTEND:20260309T000000Z",
        "ATTENDEE:mailto:lisa@example.com",
        "FREEBUSY:20260303T080000Z/20260303T090000Z,20260304T090000Z/20260304T100000Z",
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260303T090000Z/20260303T100000Z",
        "END:VFREEBUSY",
        "END:VCALENDAR",
    ]
    assert freebusy([], WEEK, now=utc("20260301"), prodid="x").components[0].first("FREEBUSY") is None


# -- availability


def availability(*lines: str) -> Component:
    return calendar(component("VAVAILABILITY", "UID:1", *lines))


def away(*calendars: Component, asked: TimeRange = WEEK) -> list[str]:
    return shown(unavailable(calendars, asked, zone=ZoneInfo("Europe/Berlin"), limit=1000))


OFFICE = component(
    "AVAILABLE",
    "UID:office",
    "DTSTART;TZID=Europe/Berlin:20260105T090000",
    "DTEND;TZID=Europe/Berlin:20260105T170000",
    "RRULE:FREQ=WEEKLY;BYDAY=MO,WE",
)


def test_outside_of_available_time_one_is_unavailable() -> None:
    assert away(availability("DTSTART:20260101T000000Z", OFFICE)) == [
        "02T0000/02T0800 U",
        "02T1600/04T0800 U",
        "04T1600/09T0000 U",
    ]


def test_without_available_time_one_is_busy_throughout_of_the_kind_that_is_said() -> None:
    lines = ("DTSTART:20260303T000000Z", "DTEND:20260304T000000Z")
    assert away(availability(*lines, "BUSYTYPE:BUSY-TENTATIVE")) == ["03T0000/04T0000 T"]
    assert away(availability(*lines)) == ["03T0000/04T0000 U"]
    assert away(availability("DURATION:P1D", lines[0], "BUSYTYPE:BUSY")) == ["03T0000/04T0000 B"]
    assert away(availability()) == ["02T0000/09T0000 U"]
    assert away(availability("DTSTART:20270303T000000Z")) == []


def test_available_time_has_overrides() -> None:
    moved = component(
        "AVAILABLE",
        "UID:office",
        "RECURRENCE-ID;TZID=Europe/Berlin:20260304T090000",
        "DTSTART;TZID=Europe/Berlin:20260305T120000",
        "DTEND;TZID=Europe/Berlin:20260305T130000",
    )
    assert away(availability(OFFICE, moved)) == ["02T0000/02T0800 U", "02T1600/05T1100 U", "05T1200/09T0000 U"]


def test_a_higher_priority_covers_a_lower_one_where_it_reaches() -> None:
    """RFC 7953 section 4: a smaller number is higher, none is lowest."""
    usual = availability("DTSTART:20260101T000000Z", OFFICE)
    holiday = availability("DTSTART:20260302T000000Z", "DTEND:20260303T000000Z", "PRIORITY:1", "BUSYTYPE:BUSY")
    open_day = availability(
        "DTSTART:20260304T000000Z",
        "DTEND:20260305T000000Z",
        "PRIORITY:2",
        component("AVAILABLE", "UID:all", "DTSTART:20260304T000000Z", "DTEND:20260305T000000Z"),
    )
    expected = ["02T0000/03T0000 B", "03T0000/04T0000 U", "05T0000/09T0000 U"]
    assert away(usual, holiday, open_day) == expected
    assert away(open_day, usual, holiday) == expected


def test_of_equal_priority_who_is_available_by_one_is_available() -> None:
    evening = component("AVAILABLE", "UID:evening", "DTSTART:20260302T160000Z", "DTEND:20260302T180000Z")
    assert away(availability(OFFICE), availability(evening))[:2] == ["02T0000/02T0800 U", "02T1800/04T0800 U"]


def test_available_time_is_bounded() -> None:
    endless = component("AVAILABLE", "UID:2", "DTSTART:20260302T000000Z", "DURATION:PT1S", "RRULE:FREQ=MINUTELY")
    with pytest.raises(MaxInstances):
        away(availability(endless))


def test_many_availabilities_cost_no_more_than_one() -> None:
    daily = component("AVAILABLE", "UID:2", "DTSTART:20000101T000000Z", "DURATION:PT1S", "RRULE:FREQ=DAILY")
    many = calendar(*[component("VAVAILABILITY", "UID:1", daily)] * 300)
    began = time.process_time()
    with pytest.raises(MaxInstances):
        unavailable([many], between("20000101", "20100101"), zone=UTC, limit=5000)
    assert time.process_time() - began < 1.5
