"""Typed reading of raw values (RFC 5545 section 3.3)."""

# ruff: noqa: DTZ001 - the wall clocks of calendars are naive

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calserver.ical import Duration, Period, Property, When, Zones, address, escape, unescape, when, whens
from calserver.ical.value import date_or_time, duration, integer, period, texts, utc, utc_offset, wall_clock

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = Zones()


def epoch(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type] # year, month, day, ...


# Text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (r"a\, b\; c\\ d", r"a, b; c\ d"),
        (r"one\ntwo\Nthree", "one\ntwo\nthree"),
        (r"\\n", r"\n"),
        (r"\:", ":"),
        ("end\\", "end\\"),
        ("", ""),
    ],
)
def test_text_is_unescaped(raw: str, text: str) -> None:
    assert unescape(raw) == text


def test_line_ends_of_every_kind_are_escaped() -> None:
    assert escape("a\r\nb\rc\nd;,\\") == r"a\nb\nc\nd\;\,\\"


@given(st.text())
def test_escaped_text_is_read_again(text: str) -> None:
    assert unescape(escape(text)) == text.replace("\r\n", "\n").replace("\r", "\n")


@given(st.lists(st.text(st.sampled_from("ab,;\\n\n")), min_size=1))
def test_lists_of_text_are_cut_at_unescaped_separators(parts: list[str]) -> None:
    for separator in (",", ";"):
        assert texts(separator.join(map(escape, parts)), separator) == tuple(parts)


# Dates and times


@pytest.mark.parametrize(
    ("prop", "at"),
    [
        (Property("DTSTART", "20250401", (("VALUE", ("DATE",)),)), When(datetime(2025, 4, 1), is_date=True)),
        (Property("DTSTART", "20250401"), When(datetime(2025, 4, 1), is_date=True)),
        (Property("DTSTART", "20250401T090000"), When(datetime(2025, 4, 1, 9))),
        (Property("DTSTART", "20250401T090000Z"), When(datetime(2025, 4, 1, 9), UTC)),
        (
            Property("DTSTART", "20250401T090000", (("TZID", ("Europe/Berlin",)),)),
            When(datetime(2025, 4, 1, 9), BERLIN, "Europe/Berlin"),
        ),
    ],
)
def test_the_four_kinds_of_when(prop: Property, at: When) -> None:
    """RFC 5545 sections 3.3.4 and 3.3.5."""
    assert when(prop, ZONES) == at
    assert at.text() == prop.value
    assert when(at.property("DTSTART"), ZONES) == at


def test_a_zone_is_dropped_where_the_time_is_utc() -> None:
    found = when(Property("DTSTART", "20250401T090000Z", (("TZID", ("Europe/Berlin",)),)), ZONES)
    assert found == When(datetime(2025, 4, 1, 9), UTC)
    assert found.is_utc


def test_a_zone_called_utc_is_not_written_with_z() -> None:
    found = when(Property("DTSTART", "20250401T090000", (("TZID", ("UTC",)),)), ZONES)
    assert not found.is_utc
    assert found.epoch() == epoch(2025, 4, 1, 9)
    assert found.property("DTSTART").param("TZID") == "UTC"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025",
        "2025-04-01",
        "20250431",
        "20250001",
        "00000101",
        "20250401T",
        "20250401T0900",
        "20250401T240000",
        "20250401T096000",
        "20250401T090061",
        "20250401T090000z",
        "20250401T090000+0200",
        " 20250401",
        "20250401\n",
        "٢٠٢٥٠٤٠١",
        "20250401T090000Z,20250402T090000Z",
    ],
)
def test_what_is_not_a_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        date_or_time(text)


@pytest.mark.parametrize(("value", "kind"), [("20250401", "DATE-TIME"), ("20250401T090000", "DATE"), ("20250401", "X")])
def test_the_value_is_of_the_type_that_is_named(value: str, kind: str) -> None:
    with pytest.raises(ValueError, match="VALUE"):
        when(Property("DTSTART", value, (("VALUE", (kind,)),)), ZONES)


def test_a_leap_second_is_the_second_before() -> None:
    """RFC 5545 section 3.3.12."""
    assert date_or_time("20161231T235960Z").local == datetime(2016, 12, 31, 23, 59, 59)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("20250330T013000", epoch(2025, 3, 30, 0, 30)),
        ("20250330T023000", epoch(2025, 3, 30, 1, 30)),  # does not exist: the offset before the gap
        ("20250330T033000", epoch(2025, 3, 30, 1, 30)),
        ("20251026T013000", epoch(2025, 10, 25, 23, 30)),
        ("20251026T023000", epoch(2025, 10, 26, 0, 30)),  # exists twice: the first
        ("20251026T033000", epoch(2025, 10, 26, 2, 30)),
    ],
)
def test_gaps_and_overlaps_of_daylight_saving(text: str, instant: int) -> None:
    """RFC 5545 section 3.3.5."""
    assert date_or_time(text, BERLIN, "Europe/Berlin").epoch() == instant


def test_what_floats_is_read_in_the_zone_of_the_reader() -> None:
    for text in ("20250401", "20250401T000000"):
        at = date_or_time(text)
        assert at.is_floating
        assert (at.epoch(), at.epoch(BERLIN)) == (epoch(2025, 4, 1), epoch(2025, 3, 31, 22))


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_come_back_from_the_epoch(at: datetime) -> None:
    at = at.replace(microsecond=0)
    assert utc(int(at.timestamp())) == When(at.replace(tzinfo=None), UTC)


@given(
    st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1)),
    st.sampled_from([BERLIN, UTC, timezone(timedelta(hours=-7))]),
)
def test_wall_clocks_come_back_unless_they_do_not_exist(local: datetime, zone: tzinfo) -> None:
    local = local.replace(microsecond=0, fold=0)
    again = wall_clock(When(local, zone, "x").epoch(), zone)
    assert again == local or zone.utcoffset(local.replace(tzinfo=zone)) != zone.utcoffset(again.replace(tzinfo=zone))


# Durations


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("P1W", Duration(7)),
        ("P15DT5H0M20S", Duration(15, 18020)),
        ("-PT15M", Duration(0, -900)),
        ("+PT1H", Duration(0, 3600)),
        ("PT0S", Duration()),
        ("P1W2D", Duration(9)),
        ("P1DT", Duration(1)),
        ("-P1DT12H", Duration(-1, -43200)),
        ("PT36H", Duration(0, 129600)),
    ],
)
def test_durations(text: str, found: Duration) -> None:
    """RFC 5545 section 3.3.6."""
    assert duration(text) == found
    assert duration(found.text()) == found


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "1D", "P1", "P1H", "PT1D", "P1M", "P1.5D", "--P1D", "P-1D", "p1d", "P1DT1", " P1D"]
)
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(text)


@given(st.integers(-500, 500), st.integers(0, 86400 * 3))
def test_written_durations_are_read_again(days: int, seconds: int) -> None:
    found = Duration(days, -seconds if days < 0 else seconds)
    assert duration(found.text()) == found


def test_days_are_nominal_and_hours_exact() -> None:
    """RFC 5545 section 3.3.6: a day over the change of the clocks is a day, 24 hours are 24 hours."""
    start = When(datetime(2025, 3, 29, 12), BERLIN, "Europe/Berlin")
    assert start.plus(Duration(days=1)).local == datetime(2025, 3, 30, 12)
    assert start.plus(Duration(seconds=86400)).local == datetime(2025, 3, 30, 13)
    assert start.plus(Duration(days=1, seconds=3600)).epoch() - start.epoch() == 23 * 3600 + 3600


def test_a_day_moves_by_days() -> None:
    start = When(datetime(2025, 3, 29), is_date=True)
    assert start.plus(Duration(days=2)) == When(datetime(2025, 3, 31), is_date=True)
    assert start.plus(Duration(seconds=3600)) == start


@pytest.mark.parametrize("length", ["P9999999W", "PT999999999999S", "-P9999999W", "PT99999999H"])
def test_what_leaves_the_calendar_is_an_error(length: str) -> None:
    for at in (
        When(datetime(2025, 1, 1), UTC),
        When(datetime(2025, 1, 1), BERLIN, "x"),
        When(datetime(2025, 1, 1), is_date=True),
    ):
        with pytest.raises(ValueError, match="9999"):
            at.plus(duration(length))


# Others


def test_periods_end_at_a_time_or_after_a_duration() -> None:
    """RFC 5545 section 3.3.9."""
    expected = Period(When(datetime(1997, 1, 1, 18), UTC), When(datetime(1997, 1, 1, 20), UTC))
    assert period("19970101T180000Z/19970101T200000Z") == expected
    assert period("19970101T180000Z/PT2H") == expected


@pytest.mark.parametrize(
    "text",
    [
        "19970101T180000Z",
        "19970101T180000Z/",
        "19970101/PT2H",
        "19970101T180000Z/19970101",
        "19970101T180000Z/19970101T180000Z",
        "19970101T180000Z/-PT1H",
        "19970101T180000Z/19970101T190000",
        "/PT1H",
    ],
)
def test_what_is_not_a_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        period(text)


def test_lists_of_dates_times_and_periods() -> None:
    """RFC 5545 section 3.8.5."""
    assert list(whens(Property("EXDATE", "20250401T090000Z,20250402T090000Z"), ZONES)) == [
        When(datetime(2025, 4, 1, 9), UTC),
        When(datetime(2025, 4, 2, 9), UTC),
    ]
    (found,) = whens(
        Property("RDATE", "20250401T090000/PT1H", (("VALUE", ("PERIOD",)), ("TZID", ("Europe/Berlin",)))), ZONES
    )
    assert isinstance(found, Period)
    assert found.end == When(datetime(2025, 4, 1, 10), BERLIN, "Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "offset"),
    [("+0100", 3600), ("-0500", -18000), ("+000000", 0), ("-001234", -754), ("+1400", 50400)],
)
def test_offsets_from_utc(text: str, offset: int) -> None:
    """RFC 5545 section 3.3.14."""
    assert utc_offset(text) == timedelta(seconds=offset)


@pytest.mark.parametrize("text", ["", "0100", "+01", "+01:00", "+0160", "+2400", "+010060", "+01000"])
def test_what_is_not_an_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="offset"):
        utc_offset(text)


@pytest.mark.parametrize("text", ["", "1.0", "a", "2147483648", "-2147483649", "9" * 5000, " 1", "1_0", "\u0661"])
def test_what_is_not_an_integer_is_refused(text: str) -> None:
    """RFC 5545 section 3.3.8."""
    with pytest.raises(ValueError, match="integer"):
        integer(text)


@pytest.mark.parametrize(
    "spellings",
    [
        ("mailto:Ann@Example.COM", "MAILTO:ann@example.com", "ann@example.com", " mailto:ann@example.com"),
        (
            "mailto:o'neil+cal@example.com",
            "mailto:o%27neil%2bcal@Example.com",
            "mailto:o'neil%2Bcal@example.com?subject=x",
        ),
        ("mailto:zoë@example.com", "mailto:ZO%C3%8B@example.com"),
        ("urn:uuid:5A985493-EE2C-4665-94CF-4DFEA3A89500", "URN:UUID:5a985493-ee2c-4665-94cf-4dfea3a89500"),
        ("http://EXAMPLE.com/principals/Ann/", "HTTP://example.com/principals/Ann"),
        ("/principals/user/Ann@x/", "/principals/user/Ann@x"),
    ],
)
def test_addresses_that_name_the_same_are_equal(spellings: tuple[str, ...]) -> None:
    assert len({address(each) for each in spellings}) == 1


@pytest.mark.parametrize(
    "raw", ["a%0D%0Ab@c", "a%00@c", "a%20b@c", "a%3Cb%3E@c", "a%2Cb@c", "a%ff@c", "a%zz@c", "%22a%22@c"]
)
def test_what_is_no_plain_mail_address_is_not_decoded(raw: str) -> None:
    """It goes into fields of messages."""
    assert address(f"mailto:{raw}") == f"mailto:{raw.lower()}"


def test_addresses_that_differ_stay_different() -> None:
    assert (
        len({address(each) for each in ("mailto:a@b", "http://h/A", "http://h/a", "/a", "a", "urn:uuid:a", "tel:+1")})
        == 7
    )
