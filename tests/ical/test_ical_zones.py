"""Which zone a TZID means, zones from VTIMEZONE rules, and VTIMEZONEs from the database (RFC 5545 section 3.6.5)."""

# ruff: noqa: DTZ001 - the wall clocks of calendars are naive

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calserver.ical import (
    Component,
    ValidCalendarData,
    ValidTimezone,
    Zones,
    calendar_timezone,
    named_zone,
    parse,
    serialize,
    vtimezone,
    with_timezones,
    zone_of,
)
from calserver.ical.rulezone import RuleZone

BERLIN = ZoneInfo("Europe/Berlin")

STANDARD = """BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZNAME:CET
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
"""
DAYLIGHT = """BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZNAME:CEST
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
"""


def definition(tzid: str = "Middle Earth", observances: str = STANDARD + DAYLIGHT, extra: str = "") -> str:
    return f"BEGIN:VTIMEZONE\nTZID:{tzid}\n{extra}{observances}END:VTIMEZONE\n"


def calendar(*definitions: str) -> Component:
    return parse(f"BEGIN:VCALENDAR\nVERSION:2.0\n{''.join(definitions)}END:VCALENDAR\n")


def rule_zone(observances: str = STANDARD + DAYLIGHT) -> RuleZone:
    return RuleZone.of(calendar(definition(observances=observances)).components[0])


def fixed(offset: str, name: str = "STANDARD", start: str = "19700101T000000", extra: str = "") -> str:
    return f"BEGIN:{name}\nDTSTART:{start}\nTZOFFSETFROM:{offset}\nTZOFFSETTO:{offset}\n{extra}END:{name}\n"


# Names


@pytest.mark.parametrize(
    ("tzid", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/BERLIN", "Europe/Berlin"),
        ("US/Eastern", "US/Eastern"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Eastern Standard Time", "America/New_York"),
        ('"Europe/Berlin"', "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Tzfile/Europe/Berlin", "Europe/Berlin"),
        ("/citadel.org/20210210_1/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("/softwarestudio.org/Olson_20011030_5/America/New_York", "America/New_York"),
        ("/mozilla.org/20050126_1/Asia/Kolkata", "Asia/Kolkata"),
        ("EST5EDT", "EST5EDT"),
    ],
)
def test_zones_are_known_by_the_names_that_clients_use(tzid: str, name: str) -> None:
    assert named_zone(tzid) == ZoneInfo(name)


@pytest.mark.parametrize("tzid", ["UTC", "utc", "Etc/UTC", "GMT", "Z"])
def test_utc_is_utc_by_every_name(tzid: str) -> None:
    assert named_zone(tzid) is UTC


@pytest.mark.parametrize(
    "tzid",
    [
        "",
        "/",
        "Nowhere",
        "Europe",
        "Europe/",
        "/Europe/Nowhere",
        "../Europe/Berlin\0",
        "../../../etc/passwd",
        "/etc/localtime",
        "localtime",
        "posixrules",
        "tzdata.zi",
        "a" * 100_000,
        "/" * 250,
        "Europe/Berlin/" * 5000,
    ],
)
def test_other_names_are_not_known(tzid: str) -> None:
    assert named_zone(tzid) is None


# Resolution within an object


def test_the_database_goes_before_a_bogus_definition() -> None:
    bogus = definition("Europe/Berlin", fixed("+1100"))
    assert Zones(calendar(bogus)).zone("Europe/Berlin") == BERLIN


def test_a_definition_goes_before_a_name_without_a_region() -> None:
    """What Windows calls ``EST`` has daylight time; what the database calls so has not."""
    assert Zones(calendar(definition("EST"))).zone("EST") == rule_zone()
    assert Zones(calendar()).zone("EST") == ZoneInfo("EST")


@pytest.mark.parametrize("name", ["X-LIC-LOCATION", "TZID-ALIAS-OF"])
def test_a_definition_may_name_its_zone_in_the_database(name: str) -> None:
    zones = Zones(calendar(definition("Mine", fixed("+1100"), extra=f"{name}:Europe/Berlin\n")))
    assert zones.zone("Mine") == BERLIN


def test_a_tzid_with_a_comma_is_escaped_in_its_definition_only() -> None:
    zones = Zones(calendar(definition(r"(UTC+01:00) Amsterdam\, Berlin")), strict=True)
    assert zones.zone("(UTC+01:00) Amsterdam, Berlin") == rule_zone()


def test_unknown_zones_float_or_are_refused() -> None:
    """RFC 5545 section 3.2.19, RFC 7809 section 3.1.4."""
    assert Zones(calendar(definition())).zone("Mordor") is None
    with pytest.raises(ValidTimezone):
        Zones(calendar(definition()), strict=True).zone("Mordor")


def test_a_malformed_definition_is_refused_only_where_it_is_needed() -> None:
    broken = calendar(definition("Mordor", ""), definition("Europe/Berlin", ""))
    zones = Zones(broken, strict=True)
    assert zones.zone("Europe/Berlin") == BERLIN
    with pytest.raises(ValidCalendarData):
        zones.zone("Mordor")
    assert Zones(broken).zone("Mordor") is None


def test_the_first_of_two_definitions_counts() -> None:
    assert Zones(calendar(definition("A"), definition("A", fixed("+1100")))).zone("A") == rule_zone()


def test_the_rules_that_one_object_may_follow_are_bounded() -> None:
    hostile = calendar(
        *(definition(f"Zone {number}", fixed("+0100", extra="RRULE:FREQ=YEARLY\n")) for number in range(100))
    )
    lenient, strict = Zones(hostile), Zones(hostile, strict=True)
    known = [number for number in range(100) if lenient.zone(f"Zone {number}") is not None]
    assert known == list(range(64))
    assert all(strict.zone(f"Zone {number}") is not None for number in known)
    with pytest.raises(ValidCalendarData):
        strict.zone("Zone 64")


def test_equal_definitions_make_one_zone() -> None:
    assert rule_zone() is rule_zone()
    assert rule_zone() != rule_zone(STANDARD)
    assert hash(rule_zone()) != hash(rule_zone(STANDARD))


# Rules


@settings(max_examples=300, deadline=None)
@given(st.datetimes(datetime(1997, 1, 1), datetime(2140, 1, 1)), st.booleans())
def test_rules_give_what_the_database_gives(at: datetime, fold: bool) -> None:
    zone, local = rule_zone(), at.replace(fold=fold)
    assert local.replace(tzinfo=zone).utcoffset() == local.replace(tzinfo=BERLIN).utcoffset()
    instant = at.replace(tzinfo=UTC)
    found, expected = instant.astimezone(zone), instant.astimezone(BERLIN)
    assert (found.replace(tzinfo=None), found.fold) == (expected.replace(tzinfo=None), expected.fold)
    assert (found.tzname(), bool(found.dst())) == (expected.tzname(), bool(expected.dst()))


@pytest.mark.parametrize("year", [2025, 2149])
def test_gaps_and_overlaps_are_read_as_the_rfc_says(year: int) -> None:
    """RFC 5545 section 3.3.5."""
    zone = rule_zone()
    spring = next(at for day in range(31, 24, -1) if (at := datetime(year, 3, day, 2, 30)).weekday() == 6)
    autumn = next(at for day in range(31, 24, -1) if (at := datetime(year, 10, day, 2, 30)).weekday() == 6)
    assert zone.utcoffset(spring) == timedelta(hours=1)
    assert zone.utcoffset(autumn) == timedelta(hours=2)


def test_before_its_first_observance_a_zone_has_the_offset_from_which_that_came() -> None:
    zone = rule_zone()
    assert zone.utcoffset(datetime(1900, 1, 1)) == timedelta(hours=1)
    assert datetime(1900, 1, 1, tzinfo=UTC).astimezone(zone).utcoffset() == timedelta(hours=1)


def test_rules_that_end_and_dates() -> None:
    observances = """BEGIN:STANDARD
DTSTART:20000101T000000
RDATE:20011028T030000,20021027T030000
RDATE:20031026T010000Z
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20010325T020000
RRULE:FREQ=YEARLY;UNTIL=20030330T010000Z;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
"""
    zone = rule_zone(observances)
    summers = [year for year in range(2000, 2010) if zone.utcoffset(datetime(year, 7, 1)) == timedelta(hours=2)]
    winters = [year for year in range(2000, 2010) if zone.utcoffset(datetime(year, 12, 1)) == timedelta(hours=1)]
    assert summers == [2001, 2002, 2003]
    assert winters == list(range(2000, 2010))


@pytest.mark.parametrize(
    ("rule", "years"),
    [
        ("FREQ=YEARLY;COUNT=3;BYMONTH=3;BYDAY=1SU", [2001, 2002, 2003]),
        ("FREQ=YEARLY;UNTIL=20030301T000000", [2001, 2002]),
        ("FREQ=YEARLY;UNTIL=20030304T020000Z;BYMONTH=3;BYMONTHDAY=4", [2001, 2002, 2003]),
        ("FREQ=YEARLY;COUNT=2;BYMONTH=3;BYMONTHDAY=1,2,3,4,5,6,7;BYDAY=SU", [2001, 2002]),
        ("FREQ=YEARLY;COUNT=2;BYMONTH=3;BYMONTHDAY=-28;INTERVAL=1;WKST=MO", [2001, 2002]),
    ],
)
def test_all_forms_of_rules_that_zones_have(rule: str, years: list[int]) -> None:
    template = "BEGIN:{}\nDTSTART:{}\nRRULE:{}\nTZOFFSETFROM:{}\nTZOFFSETTO:{}\nEND:{}\n"
    zone = rule_zone(
        template.format("DAYLIGHT", "20010304T020000", rule, "+0000", "+0100", "DAYLIGHT")
        + template.format("STANDARD", "20011001T020000", "FREQ=YEARLY", "+0100", "+0000", "STANDARD")
    )
    assert [year for year in range(2000, 2010) if zone.utcoffset(datetime(year, 7, 1))] == years


def test_a_definition_that_starts_in_the_year_one_costs_nothing() -> None:
    """Windows programs write such."""
    zone = rule_zone(STANDARD.replace("1970", "0001") + DAYLIGHT.replace("1970", "0001"))
    assert zone.utcoffset(datetime(2025, 7, 1)) == timedelta(hours=2)
    assert zone.utcoffset(datetime(2025, 12, 1)) == timedelta(hours=1)


BAD = {
    "no observance": "",
    "no start": fixed("+0100").replace("DTSTART", "X-START"),
    "start in UTC": fixed("+0100", start="19700101T000000Z"),
    "start on a day": fixed("+0100", start="19700101"),
    "no offset": fixed("+0100").replace("TZOFFSETTO", "X-TO"),
    "bad offset": fixed("+2500"),
    "two rules": fixed("+0100", extra="RRULE:FREQ=YEARLY\nRRULE:FREQ=YEARLY\n"),
    "too many observances": fixed("+0100") * 300,
    "too many rules": fixed("+0100", extra="RRULE:FREQ=YEARLY\n") * 25,
    "too many dates": fixed("+0100", extra=f"RDATE:{','.join(['19800101T000000'] * 1001)}\n"),
    "dates at the end of time": fixed("-0100", extra="RDATE:00010101T000000Z\n"),
    **{
        f"rule {rule}": fixed("+0100", extra=f"RRULE:{rule}\n")
        for rule in (
            "",
            "FREQ",
            "FREQ=DAILY",
            "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=YEARLY;FREQ=YEARLY",
            "FREQ=YEARLY;INTERVAL=2",
            "FREQ=YEARLY;BYHOUR=1",
            "FREQ=YEARLY;BYMONTH=13",
            "FREQ=YEARLY;BYMONTH=",
            "FREQ=YEARLY;BYMONTHDAY=0",
            "FREQ=YEARLY;BYDAY=6SU",
            "FREQ=YEARLY;BYDAY=XX",
            "FREQ=YEARLY;COUNT=0",
            "FREQ=YEARLY;COUNT=99999",
            "FREQ=YEARLY;COUNT=1;UNTIL=20200101T000000Z",
            "FREQ=YEARLY;UNTIL=never",
        )
    },
}


@pytest.mark.parametrize("observances", BAD.values(), ids=BAD.keys())
def test_definitions_that_are_malformed_or_cost_too_much_are_refused(observances: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        rule_zone(observances)


# CALDAV:calendar-timezone


def test_the_time_zone_of_a_calendar_is_one_vtimezone() -> None:
    """RFC 4791 section 5.2.2."""
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{definition()}END:VCALENDAR\n"
    assert calendar_timezone(text) == ("Middle Earth", rule_zone())
    assert calendar_timezone(parse(text)) == ("Middle Earth", rule_zone())
    assert calendar_timezone(text.replace("Middle Earth", "Europe/Berlin").encode()) == ("Europe/Berlin", BERLIN)


@pytest.mark.parametrize(
    "definitions",
    [
        "",
        definition() + definition(),
        definition() + "BEGIN:VEVENT\nUID:1\nEND:VEVENT\n",
        "BEGIN:VEVENT\nUID:1\nEND:VEVENT\n",
        definition().replace("TZID", "X-ID"),
        definition(""),
        definition("Europe/Berlin", ""),
    ],
)
def test_anything_else_is_no_time_zone_of_a_calendar(definitions: str) -> None:
    with pytest.raises(ValidCalendarData):
        calendar_timezone(f"BEGIN:VCALENDAR\nVERSION:2.0\n{definitions}END:VCALENDAR\n")
    with pytest.raises(ValidCalendarData):
        calendar_timezone("This is not a calendar!")


# VTIMEZONEs from the database


def test_a_zone_with_daylight_time_is_written_as_two_rules() -> None:
    written = serialize(vtimezone("Europe/Berlin", datetime(2020, 1, 1, tzinfo=UTC))).decode()
    assert written.count("RRULE:") == 2
    assert "BYMONTH=3;BYDAY=-1SU\r\n" in written
    assert "BYMONTH=10;BYDAY=-1SU\r\n" in written


def test_a_zone_without_daylight_time_is_written_as_one_observance() -> None:
    for tzid in ("UTC", "Asia/Kolkata"):
        assert len(vtimezone(tzid, datetime(2020, 1, 1, tzinfo=UTC)).components) == 1


@pytest.mark.parametrize(
    "tzid",
    [
        "Africa/Casablanca",
        "America/New_York",
        "America/Santiago",
        "Asia/Gaza",
        "Asia/Jerusalem",
        "Asia/Tehran",
        "Australia/Lord_Howe",
        "Europe/Berlin",
        "Europe/Dublin",
        "Pacific/Apia",
    ],
)
@pytest.mark.parametrize("years", [(1975, 1990), (2008, 2030)])
def test_what_is_written_is_right_in_its_years(tzid: str, years: tuple[int, int]) -> None:
    first, last = (datetime(year, 6, 1, tzinfo=UTC) for year in years)
    zone, expected = RuleZone.of(vtimezone(tzid, first, last)), ZoneInfo(tzid)
    at = first
    while at < last:
        assert at.astimezone(zone).replace(tzinfo=None) == at.astimezone(expected).replace(tzinfo=None)
        at += timedelta(days=5, hours=3, minutes=17)


def test_a_written_definition_is_called_as_asked() -> None:
    written = vtimezone("W. Europe Standard Time", datetime(2020, 1, 1, tzinfo=UTC))
    assert written.value("TZID") == "W. Europe Standard Time"
    assert zone_of(vtimezone("Europe/Berlin", datetime(2020, 1, 1, tzinfo=UTC))) == BERLIN


def test_an_unknown_zone_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="zone"):
        vtimezone("Middle Earth", datetime(2020, 1, 1, tzinfo=UTC))


def calendar_of(*lines: str) -> Component:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x"]
    event = ["BEGIN:VEVENT", "UID:x", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"]
    return parse("\n".join([*head, *event, "END:VCALENDAR", ""]))


def test_each_zone_that_is_only_named_gets_its_definition() -> None:
    """RFC 5545 section 3.2.19: what has a TZID has the VTIMEZONE as well."""
    plain = calendar_of(
        "DTSTART;TZID=Europe/Berlin:20260710T090000",
        'DTEND;TZID="(UTC-05:00) America/New_York":20260710T100000',
        "EXDATE;TZID=Europe/Berlin:20190710T090000,20180710T090000",
        "X-TIME;TZID=Nowhere:later",
        "X-WORD;TZID=Asia/Tokyo:later",
    )
    full = with_timezones(plain)
    names = [each.value("TZID") for each in full.children("VTIMEZONE")]
    assert names == ["Europe/Berlin", "Asia/Tokyo"]
    assert full.children("VEVENT") == plain.children("VEVENT")
    assert [each.name for each in full.components] == ["VTIMEZONE", "VTIMEZONE", "VEVENT"]
    berlin = RuleZone.of(full.components[0])
    for at in (datetime(2018, 7, 10, tzinfo=UTC), datetime(2026, 1, 10, tzinfo=UTC)):
        assert at.astimezone(berlin).utcoffset() == at.astimezone(BERLIN).utcoffset()
    assert with_timezones(full) is full


def test_a_definition_that_is_there_stays_alone() -> None:
    named = calendar_of("DTSTART;TZID=Middle Earth:20260710T090000")
    theirs = parse(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{definition()}END:VCALENDAR\n").components
    full = named.with_components((*named.components, *theirs))
    assert with_timezones(full) is full
