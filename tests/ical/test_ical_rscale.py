"""Recurrence rules in other calendars, and what is made of dates that do not exist (RFC 7529)."""

from datetime import date, timedelta

import pytest
from calendar_text import epoch
from hypothesis import given
from hypothesis import strategies as st

from calserver.ical import Rule, supported_rscales
from calserver.ical.meter import Meter
from calserver.ical.repeat import repeat
from calserver.ical.scale import scale


def days(rule: str, start: str) -> list[str]:
    found = repeat(Rule.parse(rule), epoch(start), Meter(), last=epoch("21500101"))
    return [f"{date(1970, 1, 1) + timedelta(seconds=at):%Y%m%d}" for at in found]


TABLE = """
20130210 RSCALE=CHINESE;FREQ=YEARLY;COUNT=4 20130210 20140131 20150219 20160208
20130906 RSCALE=ETHIOPIC;FREQ=MONTHLY;BYMONTH=13;COUNT=4 20130906 20140906 20150906 20160906
20140208 RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=8;SKIP=FORWARD;COUNT=4 20140208 20150227 20160217 20170306
20140208 RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=8;COUNT=3 20140208 20160217 20190213
20120229 RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD;COUNT=5 20120229 20130301 20140301 20150301 20160229
20120229 RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=BACKWARD;COUNT=5 20120229 20130228 20140228 20150228 20160229
20120229 RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=OMIT;COUNT=2 20120229 20160229
20140131 RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD;COUNT=4 20140131 20140228 20140331 20140430
20140131 RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD;COUNT=4 20140131 20140301 20140331 20140501
20140131 RSCALE=GREGORIAN;FREQ=MONTHLY;COUNT=3 20140131 20140331 20140531
20150201 RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=1,31;SKIP=FORWARD;COUNT=5 20150201 20150301 20150331 20150401 20150501
20121231 RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=366;SKIP=FORWARD;COUNT=4 20121231 20140101 20150101 20160101
20121231 RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=366;SKIP=BACKWARD;COUNT=4 20121231 20131231 20141231 20151231
20160109 RSCALE=CHINESE;FREQ=MONTHLY;COUNT=4 20160109 20160308 20160506 20160802
20160109 RSCALE=CHINESE;FREQ=MONTHLY;SKIP=FORWARD;COUNT=4 20160109 20160208 20160308 20160407
20160109 RSCALE=CHINESE;FREQ=MONTHLY;SKIP=BACKWARD;COUNT=4 20160109 20160207 20160308 20160406
20131025 RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=9L;BYMONTHDAY=10;COUNT=2 20131025 20141102
20131013 RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=9,9L;BYMONTHDAY=9;COUNT=4 20131013 20141002 20141101 20151021
20240410 RSCALE=ISLAMIC-CIVIL;FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=1;COUNT=3 20240410 20250331 20260320
20240911 RSCALE=COPTIC;FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1;COUNT=3 20240911 20250911 20260911
"""


@pytest.mark.parametrize("row", TABLE.strip().splitlines())
def test_rules_count_in_their_calendar(row: str) -> None:
    start, rule, *expected = row.split()
    assert days(rule, start) == expected


def test_gregorian_and_five_more_are_supported() -> None:
    assert supported_rscales == {"GREGORIAN", "CHINESE", "COPTIC", "ETHIOPIC", "HEBREW", "ISLAMIC-CIVIL"}
    for rscale in supported_rscales:
        assert scale(rscale).year_of(date(2026, 1, 1).toordinal()) is not None


def test_an_unknown_calendar_is_refused_where_it_is_counted_in() -> None:
    with pytest.raises(ValueError, match="not supported"):
        list(repeat(Rule.parse("RSCALE=DANGI;FREQ=YEARLY"), 0, Meter()))


def test_a_rule_ends_where_its_calendar_does() -> None:
    found = days("RSCALE=CHINESE;FREQ=YEARLY", "20130210")
    assert found[-1] == "21000209"


@given(st.sampled_from(sorted(supported_rscales)), st.dates(date(1901, 1, 1), date(2099, 12, 31)))
def test_days_months_and_years_agree(rscale: str, day: date) -> None:
    calendar, ordinal = scale(rscale), day.toordinal()
    year, index = calendar.year_of(ordinal), calendar.index_of(ordinal)
    assert year is not None
    assert index is not None
    month, after = calendar.month(index), calendar.month(index + 1)
    assert month in year.months
    assert month is not None
    assert after is not None
    assert month.first <= ordinal < month.first + month.length == after.first
    assert sum(each.length for each in year.months) == year.length
    following = calendar.year(year.number + 1)
    assert following is None or following.first == year.first + year.length
    assert len({(each.number, each.leap) for each in year.months}) == len(year.months)


@pytest.mark.parametrize(
    ("rscale", "day", "year", "month", "leap", "day_of_month"),
    [
        ("GREGORIAN", date(2024, 2, 29), 2024, 2, False, 29),
        ("GREGORIAN", date(1900, 3, 1), 1900, 3, False, 1),
        ("CHINESE", date(2023, 1, 22), 2023, 1, False, 1),
        ("CHINESE", date(2023, 3, 22), 2023, 2, True, 1),
        ("CHINESE", date(2033, 12, 22), 2033, 11, True, 1),
        ("CHINESE", date(2057, 9, 29), 2057, 9, False, 1),
        ("HEBREW", date(2023, 9, 16), 5784, 1, False, 1),
        ("HEBREW", date(2024, 2, 10), 5784, 5, True, 1),
        ("HEBREW", date(2024, 3, 24), 5784, 6, False, 14),
        ("ETHIOPIC", date(2007, 9, 12), 2000, 1, False, 1),
        ("COPTIC", date(2024, 1, 8), 1740, 4, False, 29),
        ("ISLAMIC-CIVIL", date(2024, 3, 11), 1445, 9, False, 1),
    ],
)
def test_known_days_are_where_they_are(
    rscale: str, day: date, year: int, month: int, leap: bool, day_of_month: int
) -> None:
    calendar, ordinal = scale(rscale), day.toordinal()
    index = calendar.index_of(ordinal)
    found = None if index is None else calendar.month(index)
    of_year = calendar.year_of(ordinal)
    assert found is not None
    assert of_year is not None
    assert (of_year.number, found.number, found.leap, ordinal - found.first + 1) == (year, month, leap, day_of_month)
