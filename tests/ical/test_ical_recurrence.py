"""Recurrence sets: rules, dates, exceptions, overrides, zones (RFC 5545 section 3.8.5)."""

import time
from datetime import UTC, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from calendar_text import component, event, object_of, task, utc

from calserver.ical import CalendarObject, MaxInstances, Occurrence, expand

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")


def found(obj: CalendarObject, start: str, end: str, zone: tzinfo = UTC, limit: int = 1000) -> list[Occurrence]:
    return expand(obj, utc(start), utc(end), zone=zone, limit=limit)


def starts(obj: CalendarObject, start: str = "20260101", end: str = "20270101", zone: tzinfo = UTC) -> list[str]:
    return [f"{each.start:%Y%m%dT%H%M%S}" for each in found(obj, start, end, zone)]


def days(obj: CalendarObject, start: str = "20260101", end: str = "20270101", zone: tzinfo = UTC) -> list[str]:
    return [f"{each.local_start.local:%m%d}" for each in found(obj, start, end, zone)]


WEEKLY = ("DTSTART:20260302T090000Z", "DTEND:20260302T100000Z", "RRULE:FREQ=WEEKLY;COUNT=5", "SUMMARY:weekly")


# -- one instance


def test_one_event_is_one_instance_without_recurrence_id() -> None:
    (only,) = found(object_of(event("DTSTART:20260302T090000Z", "DURATION:PT90M")), "20260301", "20260401")
    assert (only.start, only.end) == (utc("20260302T090000"), utc("20260302T103000"))
    assert only.recurrence_id is None
    assert not only.is_override
    assert not only.floating
    assert only.local_end.text() == "20260302T103000Z"


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        (("DTSTART;VALUE=DATE:20260302",), "20260303T000000"),
        (("DTSTART;VALUE=DATE:20260302", "DTEND;VALUE=DATE:20260305"), "20260305T000000"),
        (("DTSTART;VALUE=DATE:20260302", "DURATION:P2D"), "20260304T000000"),
        (("DTSTART;VALUE=DATE:20260302", "DURATION:P1W"), "20260309T000000"),
        (("DTSTART:20260302T090000Z",), "20260302T090000"),
        (("DTSTART:20260302T090000Z", "DTEND:20260302T090000Z"), "20260302T090000"),
        (("DTSTART:20260302T090000Z", "DTEND;TZID=Europe/Berlin:20260302T110000"), "20260302T100000"),
    ],
)
def test_an_event_ends_as_rfc_5545_section_3_6_1_says(lines: tuple[str, ...], end: str) -> None:
    (only,) = found(object_of(event(*lines)), "20260301", "20260401")
    assert only.end == utc(end)


@pytest.mark.parametrize(
    ("start", "end", "there"),
    [
        ("20260302T080000", "20260302T090000", False),
        ("20260302T080000", "20260302T090001", True),
        ("20260302T095959", "20260302T120000", True),
        ("20260302T100000", "20260302T120000", False),
    ],
)
def test_an_instance_is_in_the_ranges_it_overlaps(start: str, end: str, there: bool) -> None:
    obj = object_of(event("DTSTART:20260302T090000Z", "DTEND:20260302T100000Z"))
    assert bool(found(obj, start, end)) is there


# -- rules, dates, exceptions


def test_rules_dates_and_exceptions_make_the_set() -> None:
    obj = object_of(
        event(*WEEKLY, "RDATE:20260304T090000Z,20260309T090000Z", "EXDATE:20260316T090000Z,20260323T090000Z")
    )
    assert days(obj) == ["0302", "0304", "0309", "0330"]


def test_the_start_may_be_excluded() -> None:
    assert days(object_of(event(*WEEKLY, "EXDATE:20260302T090000Z"))) == ["0309", "0316", "0323", "0330"]


def test_several_rules_are_a_union() -> None:
    obj = object_of(event(*WEEKLY, "RRULE:FREQ=MONTHLY;BYMONTHDAY=2;COUNT=3"))
    assert days(obj) == ["0302", "0309", "0316", "0323", "0330", "0402", "0502"]


def test_an_old_exrule_takes_away() -> None:
    """RFC 2445 section 4.8.5.2; RFC 5545 dropped it, calendars still hold some."""
    assert days(object_of(event(*WEEKLY, "EXRULE:FREQ=WEEKLY;INTERVAL=2"))) == ["0309", "0323"]


def test_a_date_may_be_a_period_with_an_end_of_its_own() -> None:
    obj = object_of(event(*WEEKLY, "RDATE;VALUE=PERIOD:20260401T120000Z/PT3H,20260402T120000Z/20260402T130000Z"))
    late = found(obj, "20260401", "20260501")
    assert [(each.start, each.end) for each in late] == [
        (utc("20260401T120000"), utc("20260401T150000")),
        (utc("20260402T120000"), utc("20260402T130000")),
    ]
    assert found(obj, "20260401T143000", "20260401T144500")


def test_an_exception_that_is_a_day_excludes_what_is_on_it() -> None:
    """Not by the letter of RFC 5545 section 3.8.5.1, but several clients write it for timed events."""
    assert days(object_of(event(*WEEKLY, "EXDATE;VALUE=DATE:20260309"))) == ["0302", "0316", "0323", "0330"]


def test_an_exception_may_be_written_in_another_zone() -> None:
    obj = object_of(
        event(
            "DTSTART;TZID=Europe/Berlin:20260302T090000",
            "RRULE:FREQ=DAILY;COUNT=3",
            "EXDATE:20260303T080000Z",
            "EXDATE;TZID=America/New_York:20260304T030000",
        )
    )
    assert days(obj) == ["0302"]


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("20260316T090000Z", ["0302", "0309", "0316"]),
        ("20260316T085959Z", ["0302", "0309"]),
        ("20260316", ["0302", "0309", "0316"]),
        ("20260301T000000Z", ["0302"]),
    ],
)
def test_until_is_inclusive_and_may_be_a_day(until: str, expected: list[str]) -> None:
    obj = object_of(event("DTSTART:20260302T090000Z", f"RRULE:FREQ=WEEKLY;UNTIL={until}"))
    assert days(obj) == expected


def test_until_in_utc_is_compared_as_an_instant() -> None:
    """In New York 19:00 is past midnight in UTC."""
    lines = ("DTSTART;TZID=America/New_York:20260302T190000", "RRULE:FREQ=DAILY;UNTIL=20260305T000000Z")
    assert days(object_of(event(*lines))) == ["0302", "0303", "0304"]
    lines = ("DTSTART;TZID=America/New_York:20260302T190000", "RRULE:FREQ=DAILY;UNTIL=20260304T235959Z")
    assert days(object_of(event(*lines))) == ["0302", "0303"]


@pytest.mark.parametrize("until", ["20260304", "20260304T000000Z", "20260304T230000Z"])
def test_until_of_days_is_compared_as_a_day(until: str) -> None:
    obj = object_of(event("DTSTART;VALUE=DATE:20260302", f"RRULE:FREQ=DAILY;UNTIL={until}"))
    assert days(obj) == ["0302", "0303", "0304"]


@pytest.mark.parametrize("until", ["99991231T235959Z", "99991231T235959", "99991231"])
@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Honolulu"])
def test_until_may_be_the_end_of_time_in_any_zone(until: str, zone: str) -> None:
    obj = object_of(event(f"DTSTART;TZID={zone}:20260302T120000", f"RRULE:FREQ=MONTHLY;UNTIL={until}"))
    assert len(days(obj)) == 10


def test_until_may_be_before_the_beginning_in_any_zone() -> None:
    obj = object_of(event("DTSTART;TZID=Pacific/Honolulu:20260302T120000", "RRULE:FREQ=DAILY;UNTIL=00010101T000000Z"))
    assert days(obj) == ["0302"]


def test_a_set_may_be_excluded_wholly() -> None:
    obj = object_of(
        event(
            "DTSTART:20260302T090000Z",
            "RRULE:FREQ=DAILY;COUNT=2",
            "EXDATE:20260302T090000Z,20260303T090000Z",
        )
    )
    assert found(obj, "20260101", "20270101") == []


# -- overrides


def moved(recurrence_id: str, start: str, *lines: str) -> str:
    return event(f"RECURRENCE-ID{recurrence_id}", f"DTSTART:{start}", "DURATION:PT30M", *lines)


def test_an_override_stands_for_its_instance() -> None:
    obj = object_of(event(*WEEKLY), moved(":20260309T090000Z", "20260310T140000Z", "SUMMARY:moved"))
    assert starts(obj)[:3] == ["20260302T090000", "20260310T140000", "20260316T090000"]
    override = found(obj, "20260310", "20260311")[0]
    assert override.is_override
    assert override.component.value("SUMMARY") == "moved"
    assert override.recurrence_id is not None
    assert override.recurrence_id.text() == "20260309T090000Z"
    assert override.end == utc("20260310T143000")


def test_an_override_is_found_where_it_is_and_not_where_it_was() -> None:
    obj = object_of(event(*WEEKLY), moved(":20260309T090000Z", "20280310T140000Z"))
    assert found(obj, "20260309", "20260310") == []
    assert len(found(obj, "20280310", "20280311")) == 1


def test_an_override_outside_of_the_rule_is_an_instance() -> None:
    obj = object_of(event(*WEEKLY), moved(":20260305T090000Z", "20260305T100000Z"))
    assert days(obj) == ["0302", "0305", "0309", "0316", "0323", "0330"]


def test_overrides_without_a_master_are_instances() -> None:
    """An attendee was invited to single instances (RFC 6638 section 3.2.8)."""
    obj = object_of(moved(":20260305T090000Z", "20260305T100000Z"), moved(":20260307T090000Z", "20260307T090000Z"))
    assert starts(obj) == ["20260305T100000", "20260307T090000"]
    assert [each.recurrence_id.text() for each in found(obj, "20260301", "20260401") if each.recurrence_id] == [
        "20260305T090000Z",
        "20260307T090000Z",
    ]


def test_an_override_may_name_its_instance_in_another_zone() -> None:
    master = event("DTSTART;TZID=Europe/Berlin:20260302T090000", "RRULE:FREQ=DAILY;COUNT=3")
    assert starts(object_of(master, moved(":20260303T080000Z", "20260303T120000Z"))) == [
        "20260302T080000",
        "20260303T120000",
        "20260304T080000",
    ]


def test_this_and_future_moves_and_stretches_all_later_instances() -> None:
    """RFC 5545 section 3.8.4.4."""
    obj = object_of(
        event(*WEEKLY),
        moved(";RANGE=THISANDFUTURE:20260316T090000Z", "20260317T110000Z", "SUMMARY:later"),
        moved(":20260323T090000Z", "20260323T120000Z", "SUMMARY:special"),
    )
    every = found(obj, "20260101", "20270101")
    assert [(f"{each.start:%m%dT%H}", each.component.value("SUMMARY")) for each in every] == [
        ("0302T09", "weekly"),
        ("0309T09", "weekly"),
        ("0317T11", "later"),
        ("0323T12", "special"),
        ("0331T11", "later"),
    ]
    assert [each.is_override for each in every] == [False, False, True, True, True]
    assert [(each.end - each.start).seconds for each in every] == [3600, 3600, 1800, 1800, 1800]
    last = every[-1]
    assert last.recurrence_id is not None
    assert last.recurrence_id.text() == "20260330T090000Z", "the instance is named as the master makes it"


def test_this_and_future_holds_until_the_next_one() -> None:
    obj = object_of(
        event(*WEEKLY),
        moved(";RANGE=THISANDFUTURE:20260309T090000Z", "20260309T100000Z"),
        moved(";RANGE=THISANDFUTURE:20260323T090000Z", "20260323T080000Z"),
    )
    assert [at[-6:-4] for at in starts(obj)] == ["09", "10", "10", "08", "08"]


def test_this_and_future_is_found_where_its_instances_went() -> None:
    """Instances moved by months must be looked for months before the window."""
    obj = object_of(
        event("DTSTART:20260302T090000Z", "RRULE:FREQ=WEEKLY"),
        moved(";RANGE=THISANDFUTURE:20260316T090000Z", "20270316T110000Z"),
    )
    assert starts(obj, "20260310", "20261231") == []
    assert starts(obj, "20290101", "20290115") == ["20290102T110000", "20290109T110000"]


def test_this_and_future_keeps_the_wall_clock_of_its_zone() -> None:
    obj = object_of(
        event("DTSTART;TZID=Europe/Berlin:20260302T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=6"),
        event(
            "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260309T090000",
            "DTSTART;TZID=Europe/Berlin:20260309T100000",
            "DURATION:PT2H",
        ),
    )
    assert [f"{each.local_start.local:%m%dT%H}" for each in found(obj, "20260301", "20260501")] == [
        "0302T09",
        "0309T10",
        "0316T10",
        "0323T10",
        "0330T10",
        "0406T10",
    ]


def test_days_are_overridden_by_days() -> None:
    obj = object_of(
        event("DTSTART;VALUE=DATE:20260302", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20260304"),
        event("RECURRENCE-ID;VALUE=DATE:20260303", "DTSTART;VALUE=DATE:20260310"),
    )
    assert days(obj) == ["0302", "0310"]


# -- zones


def test_the_wall_clock_stays_when_daylight_saving_begins_and_ends() -> None:
    obj = object_of(event("DTSTART;TZID=Europe/Berlin:20260315T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY"))
    assert starts(obj, "20260322", "20260406") == ["20260322T080000", "20260329T070000", "20260405T070000"]
    assert starts(obj, "20261018", "20261102") == ["20261018T070000", "20261025T080000", "20261101T080000"]


def test_a_time_that_does_not_exist_is_read_with_the_offset_before() -> None:
    """RFC 5545 section 3.3.5: 02:30 is 03:30 on the day on which the clock is put forward."""
    obj = object_of(event("DTSTART;TZID=Europe/Berlin:20260328T023000", "RRULE:FREQ=DAILY;COUNT=3"))
    assert starts(obj) == ["20260328T013000", "20260329T013000", "20260330T003000"]


def test_a_time_that_exists_twice_is_the_first() -> None:
    obj = object_of(event("DTSTART;TZID=Europe/Berlin:20261024T023000", "RRULE:FREQ=DAILY;COUNT=3"))
    assert starts(obj) == ["20261024T003000", "20261025T003000", "20261026T013000"]


def test_an_end_makes_instances_last_exactly_and_a_duration_nominally() -> None:
    """RFC 5545 section 3.8.5.3: over the night on which the clock is put forward."""
    start = ("DTSTART;TZID=Europe/Berlin:20260327T120000", "RRULE:FREQ=DAILY;COUNT=3")
    exact = found(object_of(event(*start, "DTEND;TZID=Europe/Berlin:20260328T120000")), "20260301", "20260501")
    nominal = found(object_of(event(*start, "DURATION:P1D")), "20260301", "20260501")
    assert [f"{each.local_end.local:%dT%H}" for each in exact] == ["28T12", "29T13", "30T12"]
    assert [f"{each.local_end.local:%dT%H}" for each in nominal] == ["28T12", "29T12", "30T12"]
    assert [(each.end - each.start).total_seconds() / 3600 for each in nominal] == [24, 23, 24]


def test_days_and_floating_times_are_in_the_given_zone() -> None:
    day = object_of(event("DTSTART;VALUE=DATE:20260302"))
    (only,) = found(day, "20260301", "20260310", NEW_YORK)
    assert (only.start, only.end) == (utc("20260302T050000"), utc("20260303T050000"))
    assert only.floating
    assert only.local_end.text() == "20260303"
    floating = object_of(event("DTSTART:20260302T090000", "DURATION:PT1H"))
    (only,) = found(floating, "20260301", "20260310", BERLIN)
    assert only.start == utc("20260302T080000")
    assert only.local_end.text() == "20260302T100000"


def test_a_day_on_which_the_clock_is_changed_is_shorter() -> None:
    (only,) = found(object_of(event("DTSTART;VALUE=DATE:20260329")), "20260301", "20260501", BERLIN)
    assert only.end - only.start == timedelta(hours=23)


def test_a_zone_that_no_database_knows_recurs_by_its_own_rules() -> None:
    zone = component(
        "VTIMEZONE",
        "TZID:Mine",
        component("STANDARD", "DTSTART:20001101T030000", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU",
                  "TZOFFSETFROM:+0500", "TZOFFSETTO:+0400"),
        component("DAYLIGHT", "DTSTART:20000501T020000", "RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=1SU",
                  "TZOFFSETFROM:+0400", "TZOFFSETTO:+0500"),
    )  # fmt: skip
    obj = object_of(zone, event("DTSTART;TZID=Mine:20260401T090000", "RRULE:FREQ=MONTHLY;COUNT=3"))
    assert starts(obj) == ["20260401T050000", "20260501T050000", "20260601T040000"]


# -- tasks, journals, availability


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        (("DTSTART:20260302T090000Z", "DUE:20260303T090000Z"), "20260302T090000", "20260303T090000"),
        (("DTSTART:20260302T090000Z", "DURATION:PT2H"), "20260302T090000", "20260302T110000"),
        (("DTSTART:20260302T090000Z",), "20260302T090000", "20260302T090000"),
        (("DUE:20260303T090000Z",), "20260303T090000", "20260303T090000"),
        (("DTSTART;VALUE=DATE:20260302", "DUE;VALUE=DATE:20260303"), "20260302", "20260303"),
    ],
)
def test_a_task_takes_place_from_start_to_due(lines: tuple[str, ...], start: str, end: str) -> None:
    (only,) = found(object_of(task(*lines)), "20260301", "20260401")
    assert (only.start, only.end) == (utc(start), utc(end))


def test_a_task_without_start_recurs_by_its_due() -> None:
    """RFC 5545 section 3.8.5.3 wants DTSTART for it; clients write such tasks."""
    obj = object_of(task("DUE:20260302T090000Z", "RRULE:FREQ=DAILY;COUNT=3"))
    assert days(obj) == ["0302", "0303", "0304"]


def test_a_task_without_dates_takes_place_at_no_time() -> None:
    assert found(object_of(task("SUMMARY:Some day")), "20260101", "20270101") == []


def test_a_journal_recurs() -> None:
    entry = component("VJOURNAL", "UID:1", "DTSTART;VALUE=DATE:20260302", "RRULE:FREQ=WEEKLY;COUNT=2")
    assert days(object_of(entry)) == ["0302", "0309"]


# -- what it costs


def test_more_instances_than_the_limit_are_refused() -> None:
    obj = object_of(event("DTSTART:20260302T090000Z", "RRULE:FREQ=DAILY"))
    assert len(found(obj, "20260302", "20260306", limit=4)) == 4
    with pytest.raises(MaxInstances):
        found(obj, "20260302", "20260307", limit=4)


@pytest.mark.parametrize(
    "rule",
    ["FREQ=SECONDLY", "FREQ=SECONDLY;INTERVAL=2;BYSECOND=1", "FREQ=MINUTELY;BYDAY=MO", "FREQ=DAILY;BYHOUR=0,1,2,3"],
)
def test_a_window_of_many_years_ends_soon(rule: str) -> None:
    obj = object_of(event("DTSTART:20260302T090000Z", f"RRULE:{rule}"))
    began = time.process_time()
    with pytest.raises(MaxInstances):
        found(obj, "20260101", "20990101", limit=3000)
    assert time.process_time() - began < 1.5


def test_a_month_long_after_the_start_is_as_cheap_as_the_first() -> None:
    """Thirty years of weeks are skipped by arithmetic: a handful of instances is made."""
    obj = object_of(event("DTSTART;TZID=Europe/Berlin:19960101T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY"))
    began = time.process_time()
    for _ in range(100):
        assert len(found(obj, "20260301", "20260401")) == 5
    assert time.process_time() - began < 0.5


def test_floating_times_in_a_fixed_zone_are_shifted_by_it() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    obj = object_of(event("DTSTART:20260302T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2"))
    assert starts(obj, zone=zone) == ["20260302T033000", "20260303T033000"]
