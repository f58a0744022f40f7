"""The rows of the instance index, and that they say the same as reading the object (RFC 4791 section 9.9)."""

import time
from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest
from calendar_text import component, epoch, event, object_of, task, utc
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from calserver.ical import CalendarObject, Filter, Index, Instance, Limits, MaxInstances, TimeRange, index, matches
from calserver.ical.shape import EVER, FOREVER

HORIZON = utc("20270301")
LIMITS = Limits()


def indexed(obj: CalendarObject, limits: Limits = LIMITS) -> Index:
    return index(obj, horizon=HORIZON, limits=limits)


def spans(found: Index) -> list[tuple[str, str]]:
    return [(shown(each.start), shown(each.end)) for each in found.instances if not each.marker]


def shown(at: int) -> str:
    return {EVER: "ever", FOREVER: "forever"}.get(at) or f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%S}"


def markers(found: Index) -> list[str]:
    return [shown(each.start) for each in found.instances if each.marker]


def test_one_event_is_one_row() -> None:
    found = indexed(object_of(event("DTSTART:20260302T090000Z", "DURATION:PT1H")))
    assert found.instances == (Instance(start=epoch("20260302T090000"), end=epoch("20260302T100000")),)
    assert (found.first, found.last, found.recurring) == (epoch("20260302T090000"), epoch("20260302T100000"), False)


def test_an_event_beyond_the_horizon_is_a_row_too() -> None:
    assert spans(indexed(object_of(event("DTSTART:20900302T090000Z", "DURATION:PT1H")))) == [
        ("20900302T090000", "20900302T100000")
    ]


def test_what_lasts_no_time_is_a_second_long_and_free() -> None:
    (row,) = indexed(object_of(event("DTSTART:20260302T090000Z"))).instances
    assert (row.end - row.start, row.busy) == (1, "F")


def test_an_endless_series_has_rows_to_the_horizon_and_a_marker_at_the_next_instance() -> None:
    found = indexed(object_of(event("DTSTART:20270201T090000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY")))
    assert [start for start, _ in spans(found)] == [f"202702{day}T090000" for day in ("01", "08", "15", "22")]
    assert markers(found) == ["20270301T090000"]
    assert (found.last, found.recurring) == (None, True)


def test_an_endless_series_that_begins_later_is_a_marker() -> None:
    found = indexed(object_of(event("DTSTART:20300201T090000Z", "RRULE:FREQ=YEARLY")))
    assert (spans(found), markers(found)) == ([], ["20300201T090000"])
    assert found.first == epoch("20300201T090000")


def test_a_short_series_has_all_rows() -> None:
    found = indexed(object_of(event("DTSTART:20270222T090000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=3")))
    assert (len(spans(found)), markers(found)) == (3, [])
    assert found.last == epoch("20270308T100000")


def test_a_long_series_that_ends_has_a_marker_and_a_known_end() -> None:
    found = indexed(object_of(event("DTSTART:20270222T090000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=150")))
    assert (len(spans(found)), markers(found)) == (1, ["20270301T090000"])
    assert found.last == epoch("20270222T100000") + 149 * 7 * 86400


def test_overrides_are_rows_wherever_they_are() -> None:
    master = event("DTSTART:20270201T090000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY")
    moved = event("RECURRENCE-ID:20270208T090000Z", "DTSTART:20290208T090000Z", "DURATION:PT2H", "STATUS:TENTATIVE")
    found = indexed(object_of(master, moved))
    override = next(each for each in found.instances if each.recurrence_id is not None)
    assert (shown(override.start), override.busy, override.recurrence_id) == (
        "20290208T090000",
        "T",
        "20270208T090000Z",
    )
    assert "20270208T090000" not in [start for start, _ in spans(found)]
    assert markers(found) == ["20270301T090000"]


def test_days_and_floating_times_are_wall_clock_rows() -> None:
    (day,) = indexed(object_of(event("DTSTART;VALUE=DATE:20260302"))).instances
    assert (day.floating, shown(day.start), shown(day.end)) == (True, "20260302T000000", "20260303T000000")
    found = index(
        object_of(event("DTSTART:20260302T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2")),
        horizon=HORIZON,
        zone=timezone(timedelta(hours=9)),
        limits=LIMITS,
    )
    assert all(each.floating for each in found.instances)
    assert spans(found) == [("20260302T090000", "20260302T100000"), ("20260303T090000", "20260303T100000")]


@pytest.mark.parametrize(
    ("lines", "letter"),
    [
        ((), "B"),
        (("STATUS:CONFIRMED",), "B"),
        (("STATUS:TENTATIVE",), "T"),
        (("STATUS:CANCELLED",), "F"),
        (("TRANSP:TRANSPARENT",), "F"),
        (("TRANSP:OPAQUE", "STATUS:tentative"), "T"),
        (("TRANSP:TRANSPARENT", "STATUS:TENTATIVE"), "F"),
        (("X-MICROSOFT-CDO-BUSYSTATUS:OOF",), "U"),
        (("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE",), "T"),
        (("X-MICROSOFT-CDO-BUSYSTATUS:FREE",), "F"),
        (("X-MICROSOFT-CDO-BUSYSTATUS:FREE", "TRANSP:OPAQUE"), "B"),
        (("X-MICROSOFT-CDO-BUSYSTATUS:BUSY", "TRANSP:TRANSPARENT"), "F"),
    ],
)
def test_the_kind_of_busy_time(lines: tuple[str, ...], letter: str) -> None:
    """RFC 4791 section 7.10."""
    (row,) = indexed(object_of(event("DTSTART:20260302T090000Z", "DURATION:PT1H", *lines))).instances
    assert row.busy == letter


@pytest.mark.parametrize(
    ("lines", "letter"),
    [
        (("ATTENDEE;PARTSTAT=ACCEPTED:mailto:me@example.com",), "B"),
        (("ATTENDEE:mailto:me@example.com",), "B"),
        (("ATTENDEE;PARTSTAT=declined:MAILTO:Me@example.com",), "F"),
        (("ATTENDEE;PARTSTAT=DELEGATED:mailto:me@example.com",), "F"),
        (("ATTENDEE;PARTSTAT=TENTATIVE:mailto:me@example.com",), "T"),
        (("ATTENDEE;PARTSTAT=TENTATIVE:mailto:me@example.com", "TRANSP:TRANSPARENT"), "F"),
        (("ATTENDEE;PARTSTAT=TENTATIVE:mailto:me@example.com", "X-MICROSOFT-CDO-BUSYSTATUS:OOF"), "U"),
        (("ATTENDEE;PARTSTAT=DECLINED:mailto:me@example.com", "STATUS:TENTATIVE"), "F"),
        (("ATTENDEE;PARTSTAT=DECLINED:mailto:other@example.com",), "B"),
    ],
)
def test_a_meeting_counts_by_the_answer_of_whose_calendar_it_is(lines: tuple[str, ...], letter: str) -> None:
    """RFC 5545 section 3.2.12."""
    obj = object_of(event("DTSTART:20260302T090000Z", "DURATION:PT1H", "ORGANIZER:mailto:o@example.com", *lines))
    own = {"mailto:me@example.com"}
    assert index(obj, horizon=HORIZON, limits=LIMITS, own=own).instances[0].busy == letter


def test_tasks_journals_and_availability_make_nobody_busy() -> None:
    for obj in (
        object_of(task("DTSTART:20260302T090000Z", "DUE:20260303T090000Z")),
        object_of(component("VJOURNAL", "UID:1", "DTSTART;VALUE=DATE:20260302")),
        object_of(component("VAVAILABILITY", "UID:1", "DTSTART:20260302T090000Z")),
    ):
        assert [each.busy for each in indexed(obj).instances] == ["F"]


def test_the_marker_of_a_series_that_is_free_is_free() -> None:
    lines = ("DTSTART:20260302T090000Z", "DURATION:PT1H", "RRULE:FREQ=YEARLY")
    assert indexed(object_of(event(*lines))).instances[-1].busy == "B"
    assert indexed(object_of(event(*lines, "TRANSP:TRANSPARENT"))).instances[-1].busy == "F"


@pytest.mark.parametrize(
    ("lines", "rows", "first", "last"),
    [
        ((), [("ever", "forever")], None, None),
        (("CREATED:20260302T090000Z",), [("20260302T090000", "forever")], "20260302T090000", None),
        (
            ("COMPLETED:20260302T090000Z",),
            [("20260302T085959", "20260302T090001")],
            "20260302T085959",
            "20260302T090001",
        ),
        (
            ("COMPLETED:20260302T090000Z", "CREATED:20260301T090000Z"),
            [("20260301T085959", "20260302T090001")],
            "20260301T085959",
            "20260302T090001",
        ),
    ],
)
def test_tasks_without_dates_have_rows(
    lines: tuple[str, ...], rows: list[tuple[str, str]], first: str | None, last: str | None
) -> None:
    found = indexed(object_of(task(*lines)))
    assert spans(found) == rows
    assert markers(found) == [], "a marker before the horizon would be looked at again each time that moves"
    assert (found.first, found.last) == (None if first is None else epoch(first), None if last is None else epoch(last))


def test_published_busy_time_has_a_row_for_itself_and_one_for_each_period() -> None:
    busy = component(
        "VFREEBUSY",
        "UID:1",
        "DTSTART:20260302T000000Z",
        "DTEND:20260303T000000Z",
        "FREEBUSY:20260302T090000Z/PT1H,20260302T110000Z/20260302T120000Z",
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260302T130000Z/PT1H",
        "FREEBUSY;FBTYPE=FREE:20260302T150000Z/PT1H",
    )
    rows = [(shown(each.start)[9:11], each.busy) for each in indexed(object_of(busy)).instances]
    assert rows == [("00", "F"), ("09", "B"), ("11", "B"), ("13", "T"), ("15", "F")]


# -- limits (RFC 4791 section 5.2.8)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;COUNT=3001",
        "FREQ=SECONDLY",
        "FREQ=SECONDLY;COUNT=999999999",
        "FREQ=MINUTELY;BYDAY=MO,TU,WE",
        "FREQ=SECONDLY;INTERVAL=2;BYSECOND=1",
        "FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11",
        "FREQ=SECONDLY;UNTIL=20260401T000000Z",
    ],
)
def test_series_with_too_many_instances_are_refused_soon(rule: str) -> None:
    began = time.process_time()
    with pytest.raises(MaxInstances):
        indexed(object_of(event("DTSTART:20260302T090000Z", f"RRULE:{rule}")))
    assert time.process_time() - began < 1.5


@pytest.mark.parametrize(
    "lines",
    [
        ("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",),
        ("RRULE:FREQ=DAILY", "EXRULE:FREQ=DAILY"),
        ("RRULE:FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",),
        ("RRULE:FREQ=DAILY",),
        ("RRULE:FREQ=DAILY;UNTIL=20991231",),
        ("RRULE:FREQ=WEEKLY;UNTIL=20991231T000000Z",),
        ("RRULE:FREQ=HOURLY;INTERVAL=12",),
    ],
)
def test_series_of_long_standing_are_taken(lines: tuple[str, ...]) -> None:
    """Daily from 1990 is more than the limit allows to list, but nothing unusual."""
    began = time.process_time()
    found = indexed(object_of(event("DTSTART:20200302T090000Z", *lines)))
    assert all(each.start >= HORIZON.timestamp() for each in found.instances if each.marker)
    assert time.process_time() - began < 1.5


def test_available_time_is_bounded_like_instances() -> None:
    available = component("AVAILABLE", "UID:2", "DTSTART:20260302T090000Z", "RRULE:FREQ=SECONDLY")
    with pytest.raises(MaxInstances):
        indexed(object_of(component("VAVAILABILITY", "UID:1", available)))


def test_all_available_time_together_is_bounded() -> None:
    available = component("AVAILABLE", "UID:2", "DTSTART:20000302T090000Z", "RRULE:FREQ=DAILY")
    began = time.process_time()
    with pytest.raises(MaxInstances):
        indexed(object_of(component("VAVAILABILITY", "UID:1", *[available] * 500)))
    assert time.process_time() - began < 1.5


def test_the_limit_is_that_of_the_calendar() -> None:
    obj = object_of(event("DTSTART:20260302T090000Z", "RRULE:FREQ=DAILY;COUNT=5"))
    assert len(indexed(obj, attrs.evolve(LIMITS, max_instances=5)).instances) == 5
    with pytest.raises(MaxInstances):
        indexed(obj, attrs.evolve(LIMITS, max_instances=4))


# -- the index and the object say the same

OFFSET = 5 * 3600
ZONE = timezone(timedelta(seconds=OFFSET))
HOURS = st.integers(0, 24 * 6)


def moment(hours: int, kind: str) -> str:
    """A value with its parameters: a day, a floating time, UTC, or in a zone."""
    at = utc("20260302") + timedelta(hours=hours)
    return {
        "day": f";VALUE=DATE:{at:%Y%m%d}",
        "floating": f":{at:%Y%m%dT%H%M%S}",
        "utc": f":{at:%Y%m%dT%H%M%SZ}",
        "zone": f";TZID=America/New_York:{at:%Y%m%dT%H%M%S}",
    }[kind]


@st.composite
def objects(draw: st.DrawFn) -> CalendarObject:
    kind = draw(st.sampled_from(["day", "floating", "utc", "zone"]))
    name = draw(st.sampled_from(["VEVENT", "VEVENT", "VTODO", "VJOURNAL"]))
    first = draw(HOURS)
    lines = ["UID:1"]
    if name != "VTODO" or draw(st.integers(0, 3)):
        lines.append(f"DTSTART{moment(first, kind)}")
    elif draw(st.booleans()):
        lines.append(f"CREATED{moment(draw(HOURS), 'utc')}")
    end = draw(st.sampled_from(["", "end", "duration"])) if name != "VJOURNAL" else ""
    later = first + draw(st.integers(1, 60))
    if end == "end":
        end_name = "DUE" if name == "VTODO" else "DTEND"
        lines.append(f"{end_name}{moment(later + 23 if kind == 'day' else later, kind)}")
    elif end == "duration" and len(lines) > 1 and lines[1].startswith("DTSTART"):
        lines.append(f"DURATION:P{draw(st.integers(0, 3))}D" if kind == "day" else f"DURATION:PT{draw(HOURS)}H")
    if any(line.startswith("DTSTART") for line in lines) and draw(st.booleans()):
        rule = draw(st.sampled_from(["FREQ=DAILY;COUNT=4", "FREQ=WEEKLY", "FREQ=DAILY;INTERVAL=2;COUNT=3"]))
        lines.append(f"RRULE:{rule}")
        if draw(st.booleans()):
            lines.append(f"EXDATE{moment(first + 24 * draw(st.integers(0, 3)), kind)}")
        if draw(st.booleans()):
            lines.append(f"RDATE{moment(draw(HOURS), kind)}")
        if draw(st.booleans()):
            future = draw(st.sampled_from(["", ";RANGE=THISANDFUTURE"]))
            return object_of(
                component(name, *lines),
                component(
                    name,
                    "UID:1",
                    f"RECURRENCE-ID{future}{moment(first + 24 * draw(st.integers(0, 3)), kind)}",
                    f"DTSTART{moment(draw(HOURS), draw(st.sampled_from([kind, kind, 'floating', 'utc', 'zone'])))}",
                    "SUMMARY:changed",
                ),
            )
    return object_of(component(name, *lines))


def overlaps(row: Instance, asked: TimeRange) -> bool:
    """As the store compares: rows that float with the wall clock of the zone."""
    start, end = asked.floating_offset(ZONE) if row.floating else (0, 0)
    return row.start < asked.end + end and row.end > asked.start + start


@given(objects(), HOURS, st.integers(1, 100), st.sampled_from([0, 1, -1, 1800]))
def test_a_range_overlaps_a_row_exactly_where_the_object_matches(
    obj: CalendarObject, first: int, length: int, shift: int
) -> None:
    start = utc("20260302") + timedelta(hours=first, seconds=shift)
    asked = TimeRange(int(start.timestamp()), int(start.timestamp()) + length * 3600)
    xml = (
        '<filter xmlns="urn:ietf:params:xml:ns:caldav"><comp-filter name="VCALENDAR">'
        f'<comp-filter name="{obj.component}"><time-range start="{asked.start_time:%Y%m%dT%H%M%SZ}" '
        f'end="{asked.end_time:%Y%m%dT%H%M%SZ}"/></comp-filter></comp-filter></filter>'
    )
    wanted = Filter.parse(etree.fromstring(xml))
    rows = index(obj, horizon=utc("20260601"), zone=ZONE, limits=LIMITS).instances
    assert wanted.exact
    assert matches(wanted, obj, zone=ZONE) is any(overlaps(row, asked) for row in rows if not row.marker)
    assert not any(overlaps(row, asked) for row in rows if row.marker)


@given(objects(), st.integers(0, 60))
def test_rows_do_not_depend_on_the_horizon_before_it(obj: CalendarObject, days: int) -> None:
    near = index(obj, horizon=utc("20260302") + timedelta(days=days), limits=LIMITS)
    far = index(obj, horizon=utc("20270302"), limits=LIMITS)
    horizon = (utc("20260302") + timedelta(days=days)).timestamp()
    assert [each for each in near.instances if each.start < horizon and not each.marker] == [
        each for each in far.instances if each.start < horizon
    ]
    assert (near.first, near.last, near.recurring) == (far.first, far.last, far.recurring)
    if [each for each in far.instances if each not in near.instances]:
        assert min(each.start for each in near.instances if each.marker) >= horizon
