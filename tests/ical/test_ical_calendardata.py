"""CALDAV:calendar-data: parts, expansions, limits, media types (RFC 4791 section 9.6)."""

import json
from datetime import UTC, timedelta, timezone, tzinfo

import attrs
import pytest
from calendar_text import component, event, task, text_of
from lxml import etree

from calserver.ical import CalendarData, Component, Limits, MaxInstances, SupportedCalendarData, parse, render

CALDAV = "urn:ietf:params:xml:ns:caldav"


def read(inner: str = "", **attributes: str) -> CalendarData:
    shown = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return CalendarData.parse(etree.fromstring(f'<calendar-data xmlns="{CALDAV}"{shown}>{inner}</calendar-data>'))


def ranged(name: str, start: str, end: str) -> str:
    return f'<{name} start="{start}T000000Z" end="{end}T000000Z"/>'


def given(inner: str, text: bytes, zone: tzinfo = UTC) -> Component:
    return parse(render(read(inner), text, zone=zone, limits=Limits()))


def lines(component: Component) -> list[str]:
    """The properties as they are written, parameters sorted."""
    return [
        f"{prop.name}{''.join(f';{name}={value}' for name, (value,) in sorted(prop.params))}:{prop.value}"
        for prop in component.properties
    ]


EASTERN = component(
    "VTIMEZONE",
    "TZID:US/Eastern",
    component("STANDARD", "DTSTART:20001026T020000", "TZOFFSETFROM:-0400", "TZOFFSETTO:-0500"),
)
SERIES = text_of(
    EASTERN,
    event(
        "DTSTART;TZID=US/Eastern:20060102T120000",
        "DURATION:PT1H",
        "RRULE:FREQ=DAILY;COUNT=5",
        "EXDATE;TZID=US/Eastern:20060105T120000",
        "SUMMARY:Event #2",
        component("VALARM", "ACTION:AUDIO", "TRIGGER;VALUE=DATE-TIME;TZID=US/Eastern:20060102T110000"),
    ),
    event(
        "DTSTART;TZID=US/Eastern:20060104T140000",
        "DURATION:PT1H",
        "RECURRENCE-ID;TZID=US/Eastern:20060104T120000",
        "SUMMARY:Event #2 bis",
    ),
)


# -- reading the element


@pytest.mark.parametrize(
    "attributes",
    [
        {"content-type": "text/vcalendar", "version": "2.0"},
        {"content-type": "text/calendar", "version": "3.0"},
        {"content-type": "text/calendar", "version": "1.0"},
        {"content-type": "application/xml"},
    ],
)
def test_other_media_types_are_refused(attributes: dict[str, str]) -> None:
    with pytest.raises(SupportedCalendarData):
        read(**attributes)


@pytest.mark.parametrize(
    "inner",
    [
        '<comp name="VEVENT"/>',
        "<comp/>",
        '<comp name="VCALENDAR"><comp name=""/></comp>',
        '<comp name="VCALENDAR"><prop/></comp>',
        '<comp name="VCALENDAR"><prop name="X" novalue="1"/></comp>',
        "<expand/>",
        '<expand start="20060103T000000Z"/>',
        '<expand start="20060103" end="20060104"/>',
        '<expand start="20060103T000000" end="20060104T000000"/>',
        '<expand start="20060104T000000Z" end="20060103T000000Z"/>',
        '<limit-recurrence-set start="20060103T000000Z"/>',
        '<limit-freebusy-set end="x" start="y"/>',
        ranged("expand", "20060103", "20060104") + ranged("limit-recurrence-set", "20060103", "20060104"),
        '<comp name="VCALENDAR">' + '<prop name="X"/>' * 600 + "</comp>",
        '<comp name="VCALENDAR">' + '<comp name="X">' * 10 + "</comp>" * 11,
    ],
)
def test_a_malformed_element_is_refused(inner: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read(inner)


def test_what_is_asked_for_whole_is_not_even_read() -> None:
    for inner in ("", '<comp name="VCALENDAR"><allprop/><allcomp/></comp>'):
        spec = read(inner)
        assert spec.is_whole
        text = b"not a calendar"
        assert render(spec, text, zone=UTC, limits=Limits()) is text


# -- parts


def test_components_and_properties_that_were_not_asked_for_are_left_out() -> None:
    """RFC 4791 section 7.8.1."""
    found = given(
        '<comp name="VCALENDAR"><prop name="version"/><comp name="VEVENT"><prop name="SUMMARY"/>'
        '<prop name="UID"/><prop name="DTSTART"/></comp><comp name="VTIMEZONE"/></comp>',
        SERIES,
    )
    assert lines(found) == ["VERSION:2.0"]
    assert [each.name for each in found.components] == ["VTIMEZONE", "VEVENT", "VEVENT"]
    zone, first, _ = found.components
    assert (zone.properties, zone.components) == ((), ())
    assert lines(first) == ["UID:1", "DTSTART;TZID=US/Eastern:20060102T120000", "SUMMARY:Event #2"]
    assert first.components == ()


def test_all_properties_and_all_components_may_be_asked_for_apart() -> None:
    found = given(
        '<comp name="VCALENDAR"><allprop/><comp name="VEVENT"><prop name="UID"/><allcomp/></comp></comp>', SERIES
    )
    assert [prop.name for prop in found.properties] == ["VERSION", "PRODID"]
    assert [each.name for each in found.components] == ["VEVENT", "VEVENT"]
    assert lines(found.components[0]) == ["UID:1"]
    assert [each.name for each in found.components[0].components] == ["VALARM"]


def test_a_value_may_be_left_out() -> None:
    """RFC 4791 section 9.6.4: name and parameters stay."""
    found = given(
        '<comp name="VCALENDAR"><comp name="VEVENT"><prop name="DTSTART" novalue="yes"/>'
        '<prop name="UID" novalue="no"/></comp></comp>',
        SERIES,
    )
    assert lines(found.components[0]) == ["UID:1", "DTSTART;TZID=US/Eastern:"]


# -- expand


def test_instances_are_written_out_in_utc() -> None:
    """RFC 4791 section 9.6.5: no rules, no time zones, each with a RECURRENCE-ID."""
    found = given(ranged("expand", "20060103", "20060107"), SERIES)
    assert [each.name for each in found.components] == ["VEVENT"] * 3
    assert lines(found.components[0]) == [
        "UID:1",
        "DTSTART:20060103T170000Z",
        "DURATION:PT1H",
        "SUMMARY:Event #2",
        "RECURRENCE-ID:20060103T170000Z",
    ]
    assert lines(found.components[1]) == [
        "UID:1",
        "DTSTART:20060104T190000Z",
        "DURATION:PT1H",
        "SUMMARY:Event #2 bis",
        "RECURRENCE-ID:20060104T170000Z",
    ]
    assert lines(found.components[2])[1] == "DTSTART:20060106T170000Z"
    assert lines(found.components[0].components[0])[1] == "TRIGGER;VALUE=DATE-TIME:20060102T160000Z"


def test_a_part_of_an_expansion_may_be_asked_for() -> None:
    inner = ranged("expand", "20060103", "20060107")
    found = given(f'<comp name="VCALENDAR"><comp name="VEVENT"><prop name="DTSTART"/></comp></comp>{inner}', SERIES)
    assert [lines(each) for each in found.components] == [
        ["DTSTART:20060103T170000Z"],
        ["DTSTART:20060104T190000Z"],
        ["DTSTART:20060106T170000Z"],
    ]


def test_one_event_stays_one_without_recurrence_id() -> None:
    text = text_of(EASTERN, event("DTSTART;TZID=US/Eastern:20060102T120000", "DTEND;TZID=US/Eastern:20060102T130000"))
    found = given(ranged("expand", "20060101", "20060107"), text)
    assert [lines(each) for each in found.components] == [
        ["UID:1", "DTSTART:20060102T170000Z", "DTEND:20060102T180000Z"]
    ]
    assert given(ranged("expand", "20060103", "20060107"), text).components == ()


def test_days_stay_days_and_floating_times_floating() -> None:
    text = text_of(event("DTSTART;VALUE=DATE:20060102", "DTEND;VALUE=DATE:20060103", "RRULE:FREQ=DAILY;COUNT=3"))
    found = given(ranged("expand", "20060103", "20060104"), text)
    assert [lines(each) for each in found.components] == [
        [
            "UID:1",
            "DTSTART;VALUE=DATE:20060103",
            "DTEND;VALUE=DATE:20060104",
            "RECURRENCE-ID;VALUE=DATE:20060103",
        ]
    ]
    text = text_of(event("DTSTART:20060102T120000", "DTEND:20060102T130000", "RRULE:FREQ=DAILY;COUNT=3"))
    found = given(ranged("expand", "20060103", "20060104"), text, timezone(timedelta(hours=13)))
    assert [lines(each) for each in found.components] == [
        ["UID:1", "DTSTART:20060104T120000", "DTEND:20060104T130000", "RECURRENCE-ID:20060104T120000"]
    ]


def test_instances_that_this_and_future_governs_are_written_out_one_by_one() -> None:
    text = text_of(
        event("DTSTART:20060102T120000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=4", "SUMMARY:before"),
        event(
            "RECURRENCE-ID;RANGE=THISANDFUTURE:20060104T120000Z",
            "DTSTART:20060104T140000Z",
            "DURATION:PT2H",
            "SUMMARY:after",
        ),
    )
    found = given(ranged("expand", "20060101", "20060201"), text)
    assert [
        (each.value("DTSTART"), each.value("RECURRENCE-ID"), each.value("SUMMARY")) for each in found.components
    ] == [
        ("20060102T120000Z", "20060102T120000Z", "before"),
        ("20060103T120000Z", "20060103T120000Z", "before"),
        ("20060104T140000Z", "20060104T120000Z", "after"),
        ("20060105T140000Z", "20060105T120000Z", "after"),
    ]
    assert all(prop.param("RANGE") is None for each in found.components for prop in each.properties)


def test_an_instance_that_a_period_lengthens_has_an_end_of_its_own() -> None:
    text = text_of(event("DTSTART:20060102T120000Z", "DURATION:PT1H", "RDATE;VALUE=PERIOD:20060103T120000Z/PT3H"))
    found = given(ranged("expand", "20060101", "20060201"), text)
    assert [(each.value("DURATION"), each.value("DTEND")) for each in found.components] == [
        ("PT1H", None),
        (None, "20060103T150000Z"),
    ]


def test_days_of_a_duration_are_not_days_in_utc() -> None:
    """Over the night on which the clock is put forward a day is 23 hours long."""
    text = text_of(event("DTSTART;TZID=America/New_York:20260307T120000", "DURATION:P1D"))
    (only,) = given(ranged("expand", "20260301", "20260401"), text).components
    assert lines(only)[1:] == ["DTSTART:20260307T170000Z", "DTEND:20260308T160000Z"]


def test_tasks_are_written_out_with_their_due() -> None:
    text = text_of(task("DTSTART:20060102T120000Z", "DUE:20060102T180000Z", "RRULE:FREQ=DAILY;COUNT=2"))
    found = given(ranged("expand", "20060101", "20060201"), text)
    assert [each.value("DUE") for each in found.components] == ["20060102T180000Z", "20060103T180000Z"]
    undated = given(ranged("expand", "20060101", "20060201"), text_of(task("SUMMARY:Some day")))
    assert [lines(each) for each in undated.components] == [["UID:1", "SUMMARY:Some day"]]


def test_more_instances_than_the_limit_are_refused() -> None:
    text = text_of(event("DTSTART:20060102T120000Z", "RRULE:FREQ=DAILY"))
    spec = read(ranged("expand", "20060101", "20160101"))
    with pytest.raises(MaxInstances):
        render(spec, text, zone=UTC, limits=Limits())
    many = attrs.evolve(Limits(), max_instances=4000)
    assert render(spec, text, zone=UTC, limits=many).count(b"BEGIN:VEVENT") == 3651


def test_malformed_times_are_given_as_they_are() -> None:
    text = text_of(event("DTSTART:yesterday"), method="REQUEST")
    assert given(ranged("expand", "20060101", "20160101"), text) == parse(text)


# -- limit-recurrence-set


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        ("20060102", "20060104", []),
        ("20060103", "20060105", ["moved from the 4th to the 10th"]),
        ("20060110", "20060111", ["moved from the 4th to the 10th"]),
        ("20060120", "20060121", ["from the 15th on"]),
        ("20060116", "20060117", ["on the 16th"]),
        ("20060301", "20060302", []),
    ],
)
def test_overrides_are_kept_that_matter(start: str, end: str, kept: list[str]) -> None:
    """RFC 4791 section 9.6.6: where they are, where their instance was, and all that they govern."""
    text = text_of(
        EASTERN,
        event("DTSTART:20060102T120000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=30", "SUMMARY:master"),
        event("RECURRENCE-ID:20060104T120000Z", "DTSTART:20060110T140000Z", "SUMMARY:moved from the 4th to the 10th"),
        event(
            "RECURRENCE-ID;RANGE=THISANDFUTURE:20060115T120000Z", "DTSTART:20060115T140000Z", "SUMMARY:from the 15th on"
        ),
        event("RECURRENCE-ID:20060116T120000Z", "DTSTART:20060116T150000Z", "SUMMARY:on the 16th"),
    )
    found = given(ranged("limit-recurrence-set", start, end), text)
    assert [each.value("SUMMARY") for each in found.children("VEVENT")] == ["master", *kept]
    assert len(found.children("VTIMEZONE")) == 1
    assert found.children("VEVENT")[0].value("RRULE") == "FREQ=DAILY;COUNT=30"


def test_overrides_without_a_master_are_kept_where_they_are_or_were() -> None:
    text = text_of(event("RECURRENCE-ID:20060104T120000Z", "DTSTART:20060110T140000Z"))
    for start, end, kept in (("20060104", "20060105", 1), ("20060110", "20060111", 1), ("20060106", "20060107", 0)):
        assert len(given(ranged("limit-recurrence-set", start, end), text).components) == kept


# -- limit-freebusy-set


def test_busy_periods_are_kept_that_overlap() -> None:
    """RFC 4791 section 9.6.7."""
    text = text_of(
        component(
            "VFREEBUSY",
            "UID:1",
            "FREEBUSY:20060102T100000Z/20060102T120000Z,20060103T100000Z/PT2H",
            "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060104T100000Z/20060104T120000Z",
        )
    )
    found = given(ranged("limit-freebusy-set", "20060102", "20060103"), text)
    assert lines(found.components[0]) == ["UID:1", "FREEBUSY:20060102T100000Z/20060102T120000Z"]


# -- jCal


def test_all_of_it_may_be_had_as_jcal() -> None:
    """RFC 7265."""
    spec = read(ranged("expand", "20060103", "20060104"), content_type="application/calendar+json", version="2.0")
    name, _, components = json.loads(render(spec, SERIES, zone=UTC, limits=Limits()))
    assert name == "vcalendar"
    assert [each[0] for each in components] == ["vevent"]
    whole = read(content_type="application/calendar+json")
    assert len(json.loads(render(whole, SERIES, zone=UTC, limits=Limits()))[2]) == 3


def test_an_expansion_that_comes_to_too_much_text_is_refused() -> None:
    """One stored event cannot be made into gigabytes."""
    text = text_of(event("DTSTART:20060102T120000Z", "RRULE:FREQ=DAILY", "DESCRIPTION:" + "x" * 100_000))
    assert len(given(ranged("expand", "20060102", "20060402"), text).components) == 90
    with pytest.raises(MaxInstances):
        given(ranged("expand", "20060102", "20080102"), text)
