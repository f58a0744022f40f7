"""Reading CALDAV:filter: what is refused, and what the index can tell of the rest (RFC 4791 sections 7.8 and 9.7)."""

import pytest
from calendar_text import epoch
from lxml import etree

from calserver.ical import Filter, SupportedCollation, SupportedFilter, TimeRange, ValidFilter, Window

CALDAV = "urn:ietf:params:xml:ns:caldav"
RANGE = '<time-range start="20260102T000000Z" end="20260103T000000Z"/>'


def read(inner: str) -> Filter:
    return Filter.parse(etree.fromstring(f'<filter xmlns="{CALDAV}">{inner}</filter>'))


def calendar(inner: str) -> str:
    return f'<comp-filter name="VCALENDAR">{inner}</comp-filter>'


def comp(name: str, inner: str = "") -> str:
    return f'<comp-filter name="{name}">{inner}</comp-filter>'


@pytest.mark.parametrize(
    "inner",
    [
        "",
        comp("VEVENT"),
        calendar("") + calendar(""),
        calendar(RANGE),
        calendar(comp("VALARM")),
        calendar(comp("AVAILABLE")),
        calendar(comp("STANDARD")),
        calendar(comp("VCALENDAR")),
        calendar(comp("VTIMEZONE", RANGE)),
        calendar(comp("VTIMEZONE", comp("STANDARD", RANGE))),
        calendar(comp("VEVENT", comp("VEVENT"))),
        calendar(comp("VEVENT", comp("VALARM", comp("VEVENT")))),
        calendar(comp("VEVENT", comp("VALARM", comp("X-COMP", RANGE)))),
        calendar(comp("VJOURNAL", comp("VALARM"))),
        calendar(comp("VEVENT", comp("AVAILABLE"))),
        calendar(comp("X-COMP", RANGE)),
        calendar(comp("VEVENT", f'<prop-filter name="SUMMARY">{RANGE}</prop-filter>')),
        calendar(comp("VEVENT", f'<prop-filter name="DTSTART">{RANGE}<text-match>x</text-match></prop-filter>')),
        calendar(comp("VEVENT", RANGE + RANGE)),
        calendar(comp("VEVENT", "<is-not-defined/>" + RANGE)),
        calendar(comp("VEVENT", "<is-not-defined/>" + comp("VALARM"))),
        calendar(comp("VEVENT", '<prop-filter name="X"><is-not-defined/><text-match>a</text-match></prop-filter>')),
        calendar(
            comp(
                "VEVENT",
                '<prop-filter name="X"><param-filter name="Y"><is-not-defined/><text-match>a</text-match>'
                "</param-filter></prop-filter>",
            )
        ),
        calendar("<comp-filter/>"),
        calendar(comp("VEVENT", "<prop-filter/>")),
        calendar(comp("VEVENT", '<prop-filter name="X"><param-filter name=" "/></prop-filter>')),
        calendar(comp("VEVENT", '<prop-filter name="X"><text-match negate-condition="1">a</text-match></prop-filter>')),
        calendar(comp("VEVENT", '<time-range start="20260102" end="20260103"/>')),
        calendar(comp("VEVENT", '<time-range start="20260102T000000" end="20260103T000000"/>')),
        calendar(comp("VEVENT", '<time-range start="soon"/>')),
        calendar(comp("VEVENT", '<time-range start="20261302T000000Z"/>')),
        calendar(comp("VEVENT", '<time-range start="20260103T000000Z" end="20260102T000000Z"/>')),
        calendar(comp("VEVENT", '<time-range start="20260103T000000Z" end="20260103T000000Z"/>')),
    ],
)  # fmt: skip
def test_a_filter_that_cannot_be_is_refused(inner: str) -> None:
    with pytest.raises(ValidFilter):
        read(inner)


def test_a_range_without_bounds_is_malformed() -> None:
    """Its definition has an attribute at least; there is no precondition for it."""
    with pytest.raises(ValueError, match="start or an end"):
        read(calendar(comp("VEVENT", "<time-range/>")))


def test_an_unknown_collation_is_refused() -> None:
    match = '<text-match collation="i;klingon">a</text-match>'
    with pytest.raises(SupportedCollation):
        read(calendar(comp("VEVENT", f'<prop-filter name="SUMMARY">{match}</prop-filter>')))


@pytest.mark.parametrize(
    "inner",
    [
        calendar(comp("VEVENT") * 600),
        calendar(comp("X-A", comp("X-B", comp("X-C", comp("X-D", comp("X-E", comp("X-F"))))))),
        calendar(comp("VEVENT", f'<prop-filter name="X"><text-match>{"a" * 5000}</text-match></prop-filter>')),
    ],
)
def test_a_filter_larger_than_any_real_one_is_refused(inner: str) -> None:
    with pytest.raises(SupportedFilter):
        read(inner)


@pytest.mark.parametrize(
    "inner",
    [
        calendar(""),
        calendar("<is-not-defined/>"),
        calendar(comp("vevent", comp("valarm", RANGE))),
        calendar(comp("VTIMEZONE", comp("DAYLIGHT"))),
        calendar(comp("VEVENT", comp("PARTICIPANT"))),
        calendar(comp("VPOLL")),
        calendar(comp("VEVENT", f'<prop-filter name="X-APPLE-TIME">{RANGE}</prop-filter>')),
        calendar(comp("VFREEBUSY", f'<prop-filter name="FREEBUSY">{RANGE}</prop-filter>')),
        calendar(comp("VEVENT", '<prop-filter name="X"><text-match collation="i;octet"/></prop-filter>')),
        calendar(comp("VAVAILABILITY", comp("AVAILABLE", RANGE))),
        '<unknown xmlns="urn:x"/>' + calendar(comp("VEVENT")),
    ],
)
def test_what_can_be_is_read(inner: str) -> None:
    read(inner)


JANUARY_2 = TimeRange(epoch("20260102"), epoch("20260103"))


@pytest.mark.parametrize(
    ("inner", "window", "exact"),
    [
        ("", None, True),
        (comp("VEVENT"), Window("VEVENT"), True),
        (comp("VEVENT", RANGE), Window("VEVENT", JANUARY_2), True),
        (comp("VTODO", '<time-range start="20260102T000000Z"/>'), Window("VTODO", TimeRange(JANUARY_2.start)), True),
        (comp("VTODO", '<time-range end="20260103T000000Z"/>'), Window("VTODO", TimeRange(end=JANUARY_2.end)), True),
        (comp("VEVENT", RANGE + '<prop-filter name="SUMMARY"/>'), Window("VEVENT", JANUARY_2), False),
        (comp("VEVENT", RANGE + comp("VALARM")), Window("VEVENT", JANUARY_2), False),
        (comp("VEVENT", comp("VALARM", RANGE)), Window("VEVENT"), False),
        (comp("VFREEBUSY", RANGE), Window("VFREEBUSY", JANUARY_2), False),
        (comp("VFREEBUSY"), Window("VFREEBUSY"), True),
        (comp("VAVAILABILITY", RANGE), Window("VAVAILABILITY", JANUARY_2), True),
        (comp("VEVENT", "<is-not-defined/>"), None, False),
        (comp("VTODO", "<is-not-defined/>") + comp("VEVENT", RANGE), Window("VEVENT", JANUARY_2), False),
        (comp("VTIMEZONE"), None, False),
        ('<prop-filter name="METHOD"/>', None, False),
        ("<is-not-defined/>", None, False),
    ],
)
def test_what_the_index_can_tell_of_a_filter(inner: str, window: Window | None, exact: bool) -> None:
    found = read(calendar(inner))
    assert found.window == window
    assert found.exact is exact


def test_a_range_has_times_for_those_who_speak_them() -> None:
    assert f"{JANUARY_2.start_time:%Y%m%dT%H%M%S}" == "20260102T000000"
    assert f"{TimeRange().end_time:%Y%m%dT%H%M%S}" == "99991231T235959"
