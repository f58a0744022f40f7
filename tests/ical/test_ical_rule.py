"""Reading recurrence rules, and the times that they make (RFC 5545 section 3.3.10)."""
# ruff: noqa: DTZ001 - wall clocks have no zone

import re
import time
from calendar import isleap, monthrange
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice

import pytest
from calendar_text import epoch
from hypothesis import assume, given
from hypothesis import strategies as st

from calserver.ical import MaxInstances, Rule
from calserver.ical.meter import Meter
from calserver.ical.repeat import repeat
from calserver.ical.rule import WEEKDAYS

EPOCH = datetime(1970, 1, 1)


def wall(text: str) -> int:
    return epoch(text)


def shown(walls: list[int]) -> list[str]:
    return [f"{EPOCH + timedelta(seconds=at):%Y%m%dT%H%M%S}" for at in walls]


def times(rule: str, start: str, *, last: str = "21000101", first: str = "19000101", most: int = 1000) -> list[str]:
    found = repeat(Rule.parse(rule), wall(start), Meter(), first=wall(first), last=wall(last))
    return shown(list(islice(found, most)))


def days(rule: str, start: str, **bounds: str) -> list[str]:
    return [at[:8] for at in times(rule, start, **bounds)]


# -- reading


@pytest.mark.parametrize(
    "text",
    [
        "",
        "INTERVAL=2",
        "FREQ=FORTNIGHTLY",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=-1",
        "FREQ=DAILY;COUNT=99999999999",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=2;UNTIL=20260101",
        "FREQ=DAILY;UNTIL=2026",
        "FREQ=DAILY;BYHOUR=24",
        "FREQ=DAILY;BYMINUTE=60",
        "FREQ=DAILY;BYSECOND=61",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=YEARLY;BYMONTH=14",
        "FREQ=YEARLY;BYWEEKNO=54",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYDAY=54MO",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;BYDAY=",
        "FREQ=WEEKLY;WKST=XX",
        "FREQ=YEARLY;SKIP=FORWARD",
        "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=SIDEWAYS",
        "FREQ=YEARLY;BYEASTER=1",
        "FREQ=DAILY;X",
        "FREQ=DAILY;BYHOUR=" + ",".join(["1"] * 5000),
    ],
)
def test_a_malformed_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Rule.parse(text)


def test_lists_are_sorted_and_without_duplicates() -> None:
    rule = Rule.parse("freq=monthly;byday=fr,-1mo,fr;bymonthday=15,-1,1;byhour=9,8,9;bymonth=5l,5")
    assert rule.freq == "MONTHLY"
    assert rule.days == ((0, -1), (4, 0))
    assert rule.month_days == (-1, 1, 15)
    assert rule.hours == (8, 9)
    assert rule.months == ((5, False), (5, True))


def test_a_semicolon_at_the_end_and_experimental_parts_are_let_through() -> None:
    assert Rule.parse("FREQ=WEEKLY;X-HINT=1;COUNT=2;").count == 2


def test_a_leap_second_is_read_as_the_one_before() -> None:
    assert Rule.parse("FREQ=MINUTELY;BYSECOND=60").seconds == (59,)


# -- the examples of RFC 5545 section 3.8.5.3


EXAMPLES = """
19970902 FREQ=DAILY;INTERVAL=10;COUNT=5: 19970902 19970912 19970922 19971002 19971012
19970902 FREQ=WEEKLY;INTERVAL=2;COUNT=6;WKST=SU;BYDAY=TU,TH: 19970902 19970904 19970916 19970918 19970930 19971002
19970905 FREQ=MONTHLY;COUNT=4;BYDAY=1FR: 19970905 19971003 19971107 19971205
19970907 FREQ=MONTHLY;INTERVAL=2;COUNT=4;BYDAY=1SU,-1SU: 19970907 19970928 19971102 19971130
19970922 FREQ=MONTHLY;COUNT=3;BYDAY=-2MO: 19970922 19971020 19971117
19970928 FREQ=MONTHLY;COUNT=4;BYMONTHDAY=-3: 19970928 19971029 19971128 19971229
19970930 FREQ=MONTHLY;COUNT=5;BYMONTHDAY=1,-1: 19970930 19971001 19971031 19971101 19971130
19970910 FREQ=MONTHLY;INTERVAL=18;COUNT=4;BYMONTHDAY=10,13,15: 19970910 19970913 19970915 19990310
19970610 FREQ=YEARLY;COUNT=4;BYMONTH=6,7: 19970610 19970710 19980610 19980710
19970101 FREQ=YEARLY;INTERVAL=3;COUNT=5;BYYEARDAY=1,100,200: 19970101 19970410 19970719 20000101 20000409
19970519 FREQ=YEARLY;COUNT=3;BYDAY=20MO: 19970519 19980518 19990517
19970512 FREQ=YEARLY;COUNT=3;BYWEEKNO=20;BYDAY=MO: 19970512 19980511 19990517
19970313 FREQ=YEARLY;COUNT=4;BYMONTH=3;BYDAY=TH: 19970313 19970320 19970327 19980305
19980213 FREQ=MONTHLY;COUNT=5;BYDAY=FR;BYMONTHDAY=13: 19980213 19980313 19981113 19990813 20001013
19970913 FREQ=MONTHLY;COUNT=4;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13: 19970913 19971011 19971108 19971213
19961105 FREQ=YEARLY;INTERVAL=4;COUNT=3;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8: 19961105 20001107 20041102
19970904 FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3: 19970904 19971007 19971106
19970929 FREQ=MONTHLY;COUNT=4;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2: 19970929 19971030 19971127 19971230
19970805 FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO: 19970805 19970810 19970819 19970824
19970805 FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU: 19970805 19970817 19970819 19970831
20070115 FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5: 20070115 20070130 20070215 20070315 20070330
"""


@pytest.mark.parametrize("example", EXAMPLES.strip().splitlines())
def test_the_examples_of_the_rfc(example: str) -> None:
    start, rule, expected = re.split(": | ", example, maxsplit=2)
    assert days(rule, f"{start}T090000") == expected.split()


def test_every_three_hours_of_a_day() -> None:
    assert times("FREQ=HOURLY;INTERVAL=3", "19970902T090000", last="19970902T170000") == [
        "19970902T090000",
        "19970902T120000",
        "19970902T150000",
    ]


def test_every_twenty_minutes_of_working_hours_daily_and_minutely_are_the_same() -> None:
    daily = times("FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40", "19970902T090000", last="19970905")
    minutely = times("FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16", "19970902T090000", last="19970905")
    assert daily == minutely
    assert len(daily) == 72


# -- what the start is


def test_the_start_is_the_first_time_even_where_the_rule_does_not_make_it() -> None:
    """RFC 5545 section 3.8.5.3: it is always one, and COUNT counts it."""
    assert days("FREQ=WEEKLY;BYDAY=MO;COUNT=3", "20260304T090000") == ["20260304", "20260309", "20260316"]


def test_a_week_without_a_day_is_that_of_the_start() -> None:
    """RFC 5545 section 3.3.10: what the rule does not say comes from DTSTART."""
    assert days("FREQ=YEARLY;BYWEEKNO=20;COUNT=3", "19970512T090000") == ["19970512", "19980511", "19990517"]


def test_leap_days_come_in_leap_years_only() -> None:
    assert days("FREQ=YEARLY;COUNT=4", "20960229", last="22000101") == ["20960229", "21040229", "21080229", "21120229"]


def test_the_31st_comes_in_long_months_only() -> None:
    assert days("FREQ=MONTHLY;COUNT=4", "20260131") == ["20260131", "20260331", "20260531", "20260731"]


def test_positions_are_counted_in_the_whole_period() -> None:
    """The first Thursday or Wednesday of the week of the start lies before it."""
    assert days("FREQ=WEEKLY;BYDAY=WE,TH;BYSETPOS=1;WKST=TH;COUNT=3", "20260616") == [
        "20260616",
        "20260618",
        "20260625",
    ]


# -- oracles: slow, and written from the definitions


def matches_day(rule: Rule, start: date, day: date) -> bool:
    """Whether a day is one of the rule's, by looking at nothing but the day (interval 1, Monday weeks)."""
    length = monthrange(day.year, day.month)[1]
    year_length = 366 if isleap(day.year) else 365
    year_day = day.timetuple().tm_yday

    def among(number: int, size: int, wanted: tuple[int, ...]) -> bool:
        return number in wanted or number - size - 1 in wanted

    def nth(weekday: int, ordinal: int) -> bool:
        if day.weekday() != weekday or ordinal == 0:
            return day.weekday() == weekday
        if rule.freq == "YEARLY" and not rule.months:
            return ordinal in ((year_day - 1) // 7 + 1, -((year_length - year_day) // 7) - 1)
        return ordinal in ((day.day - 1) // 7 + 1, -((length - day.day) // 7) - 1)

    silent = not (rule.weeks or rule.year_days or rule.month_days or rule.days)
    months = rule.months
    month_days = rule.month_days
    if silent and rule.freq in ("YEARLY", "MONTHLY"):
        month_days = (start.day,)
        months = months or (((start.month, False),) if rule.freq == "YEARLY" else ())
    return (
        (not months or (day.month, False) in months)
        and (not rule.weeks or day.isocalendar().week in rule.weeks)
        and (not rule.year_days or among(year_day, year_length, rule.year_days))
        and (not month_days or among(day.day, length, month_days))
        and (not rule.days or any(nth(weekday, ordinal) for weekday, ordinal in rule.days))
        and not (silent and rule.freq == "WEEKLY" and day.weekday() != start.weekday())
        and not (rule.weeks and not rule.days and not rule.month_days and day.weekday() != start.weekday())
    )


def period_of(rule: Rule, day: date) -> int:
    """The number of the year, month, week or day that a day lies in."""
    if rule.freq == "YEARLY":
        return day.year
    if rule.freq == "MONTHLY":
        return day.year * 12 + day.month
    return (day.toordinal() - 1 - rule.week_start) // 7 if rule.freq == "WEEKLY" else day.toordinal()


def slowly(rule: Rule, start: datetime, last: datetime) -> Iterator[datetime]:
    """All times of a yearly to daily rule: every day is looked at, from the beginning of the first period."""
    first_period = period_of(rule, start.date())
    clock = [
        timedelta(hours=hour, minutes=minute, seconds=start.second)
        for hour in rule.hours or (start.hour,)
        for minute in rule.minutes or (start.minute,)
    ]
    sets: dict[int, list[datetime]] = {}
    day = start.date() - timedelta(days=366)
    while day <= last.date() + timedelta(days=366):
        period = period_of(rule, day)
        if period >= first_period and (period - first_period) % rule.interval == 0 and matches_day(rule, start, day):
            midnight = datetime(day.year, day.month, day.day)
            sets.setdefault(period, []).extend(midnight + at for at in clock)
        day += timedelta(days=1)
    found = {start}
    for times in sets.values():
        chosen = [times[at - 1 if at > 0 else at] for at in rule.positions if abs(at) <= len(times)]
        found.update(chosen if rule.positions else times)
    yield from sorted(at for at in found if start <= at <= last)


def some(numbers: range, most: int = 4) -> st.SearchStrategy[str]:
    usable = [number for number in numbers if number]
    return st.lists(st.sampled_from(usable), min_size=1, max_size=most, unique=True).map(
        lambda found: ",".join(map(str, found))
    )


@st.composite
def long_rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY"]))
    parts = [f"FREQ={freq}"]
    weeks = freq == "YEARLY" and draw(st.integers(0, 4)) == 0
    if weeks:
        parts.append("BYWEEKNO=" + draw(some(range(1, 54))))
    elif draw(st.integers(1, 3)) == 1:
        parts.append(f"INTERVAL={draw(st.integers(1, 5))}")
    if draw(st.integers(0, 2)) == 0:
        parts.append("BYMONTH=" + draw(some(range(1, 13))))
    if freq != "WEEKLY" and draw(st.integers(0, 2)) == 0:
        parts.append("BYMONTHDAY=" + draw(some(range(-31, 32), 6)))
    if freq == "YEARLY" and draw(st.integers(0, 3)) == 0:
        parts.append("BYYEARDAY=" + draw(some(range(-366, 367), 6)))
    if draw(st.booleans()):
        ordinal = st.sampled_from(["", "1", "-1", "3"]) if freq in ("YEARLY", "MONTHLY") and not weeks else st.just("")
        found = draw(st.lists(st.tuples(ordinal, st.sampled_from(WEEKDAYS)), min_size=1, max_size=4, unique=True))
        parts.append("BYDAY=" + ",".join(map("".join, found)))
    for name, numbers in (("BYHOUR", range(1, 24)), ("BYMINUTE", range(1, 60)), ("BYSETPOS", range(-4, 5))):
        if draw(st.integers(0, 3)) == 0:
            parts.append(f"{name}=" + draw(some(numbers, 2)))
    if freq == "WEEKLY" and draw(st.booleans()):
        parts.append("WKST=" + draw(st.sampled_from(WEEKDAYS)))
    return ";".join(parts)


starts = st.datetimes(datetime(2019, 12, 20), datetime(2024, 3, 5)).map(lambda at: at.replace(microsecond=0))


@given(long_rules(), starts, st.integers(30, 1000))
def test_yearly_to_daily_rules_make_the_times_that_looking_at_every_day_finds(
    text: str, start: datetime, length: int
) -> None:
    rule, last = Rule.parse(text), start + timedelta(days=length)
    expected = [int((at - EPOCH).total_seconds()) for at in slowly(rule, start, last)]
    begin, end = (int((at - EPOCH).total_seconds()) for at in (start, last))
    assert shown(list(repeat(rule, begin, Meter(), last=end))) == shown(expected)
    middle = (begin + end) // 2
    later = list(repeat(rule, begin, Meter(), first=middle, last=end))
    assert later == [at for at in expected if at >= middle], "periods before a window are skipped without loss"


@st.composite
def short_rules(draw: st.DrawFn) -> str:
    parts = [f"FREQ={draw(st.sampled_from(['HOURLY', 'MINUTELY', 'SECONDLY']))}"]
    parts.append(f"INTERVAL={draw(st.sampled_from([1, 2, 7, 25, 90, 1441, 4000]))}")
    for name, numbers in (("BYHOUR", 24), ("BYMINUTE", 60), ("BYSECOND", 60)):
        if draw(st.integers(0, 2)) == 0:
            parts.append(f"{name}=" + draw(some(range(1, numbers))))
    if draw(st.integers(0, 2)) == 0:
        parts.append("BYDAY=" + draw(st.sampled_from(["MO", "SA,SU", "TU,WE,TH"])))
    if draw(st.integers(0, 2)) == 0:
        parts.append("BYMONTHDAY=" + draw(some(range(-10, 10))))
    return ";".join(parts)


def slowly_by_seconds(rule: Rule, start: datetime, last: datetime) -> Iterator[datetime]:
    """All times of an hourly to secondly rule: every unit is looked at."""
    unit = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}[rule.freq]
    minutes = rule.minutes or (start.minute,)
    seconds = rule.seconds or (start.second,)
    at = start.replace(minute=0 if unit == 3600 else start.minute, second=0 if unit > 1 else start.second)
    yield start
    while at <= last:
        if (
            matches_day(rule, start.date(), at.date())
            and (not rule.hours or at.hour in rule.hours)
            and (unit == 3600 or not rule.minutes or at.minute in rule.minutes)
            and (unit > 1 or not rule.seconds or at.second in rule.seconds)
        ):
            inside = [at]
            if unit == 3600:
                inside = [at.replace(minute=minute, second=second) for minute in minutes for second in seconds]
            elif unit == 60:
                inside = [at.replace(second=second) for second in seconds]
            yield from (each for each in inside if start < each <= last)
        at += timedelta(seconds=unit * rule.interval)


@given(short_rules(), starts, st.integers(1, 40))
def test_hourly_to_secondly_rules_make_the_times_that_looking_at_every_unit_finds(
    text: str, start: datetime, hours: int
) -> None:
    rule = Rule.parse(text)
    last = start + timedelta(hours=hours if rule.freq == "SECONDLY" else hours * 20)
    assume(rule.freq != "SECONDLY" or hours < 12 or rule.interval > 6)
    expected = [int((at - EPOCH).total_seconds()) for at in slowly_by_seconds(rule, start, last)]
    assume(len(expected) < 20_000)
    begin, end = (int((at - EPOCH).total_seconds()) for at in (start, last))
    assert list(repeat(rule, begin, Meter(10**7), last=end)) == expected
    middle = (begin + end) // 2
    assert list(repeat(rule, begin, Meter(10**7), first=middle, last=end)) == [at for at in expected if at >= middle]


@given(long_rules(), starts, st.integers(1, 60))
def test_count_takes_the_first_times(text: str, start: datetime, count: int) -> None:
    begin = int((start - EPOCH).total_seconds())
    assume("BYSETPOS" not in text)
    endless = list(islice(repeat(Rule.parse(text), begin, Meter(10**6), last=epoch("20600101")), count))
    counted = list(repeat(Rule.parse(f"{text};COUNT={count}"), begin, Meter(10**6), last=epoch("20600101")))
    assert counted == endless


# -- cost (nothing that a client can write may keep the server busy)

EVERYTHING = (
    "BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;"
    f"BYMONTHDAY={','.join(map(str, range(1, 32)))};BYHOUR={','.join(map(str, range(24)))};"
    f"BYMINUTE={','.join(map(str, range(60)))};BYSECOND={','.join(map(str, range(60)))}"
)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2,4,6,9,11;BYMONTHDAY=31",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
        "FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1",
        "FREQ=MINUTELY;BYDAY=MO;BYMONTHDAY=31;BYMONTH=2",
        "FREQ=YEARLY;BYYEARDAY=1;BYMONTH=12",
        "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;INTERVAL=2;BYHOUR=10",
        "FREQ=SECONDLY;INTERVAL=2;BYSECOND=1",
        "FREQ=SECONDLY;BYSETPOS=2",
        f"FREQ=YEARLY;{EVERYTHING};BYSETPOS=32140801",
    ],
)
def test_a_rule_that_is_never_true_ends_soon(rule: str) -> None:
    try:
        parsed = Rule.parse(rule)
    except ValueError:
        assert "BYSETPOS=32140801" in rule
        return
    began = time.process_time()
    try:
        assert list(repeat(parsed, epoch("20260101T090000"), Meter())) == [epoch("20260101T090000")]
    except MaxInstances:
        assert rule.startswith(("FREQ=SECONDLY", "FREQ=HOURLY"))
    assert time.process_time() - began < 1.5


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=SECONDLY;COUNT=999999999",
        f"FREQ=YEARLY;{EVERYTHING}",
        f"FREQ=YEARLY;{EVERYTHING};COUNT=1",
        f"FREQ=YEARLY;{EVERYTHING};BYSETPOS=-1",
        f"FREQ=SECONDLY;{EVERYTHING}",
        "FREQ=WEEKLY",
        "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=YEARLY;INTERVAL=999999999",
    ],
)
def test_a_window_long_after_the_start_costs_no_more_than_one_near_it(rule: str) -> None:
    """The steps are counted, and a few hundred are enough for any of these."""
    window = {"first": epoch("20890101"), "last": epoch("20890101T000500")}
    found = list(repeat(Rule.parse(rule), epoch("19900101T090000"), Meter(1_000), **window))
    assert all(window["first"] <= at <= window["last"] for at in found)


def test_a_meter_ends_what_costs_too_much() -> None:
    with pytest.raises(MaxInstances):
        list(repeat(Rule.parse("FREQ=SECONDLY"), epoch("20260101"), Meter()))


def test_combinations_are_not_laid_out_to_find_one_of_them() -> None:
    began = time.process_time()
    assert times(f"FREQ=YEARLY;{EVERYTHING};BYSETPOS=-1", "20260101T000000", last="20271231T235959") == [
        "20260101T000000",
        "20261231T235959",
        "20271231T235959",
    ]
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("rule", "start"),
    [
        ("FREQ=WEEKLY;COUNT=500;BYDAY=MO,TH", "20260304T090000"),
        ("FREQ=WEEKLY;COUNT=500;BYDAY=SU,TH;WKST=SU;INTERVAL=2", "20260304T090000"),
        ("FREQ=DAILY;COUNT=500;INTERVAL=3", "20260304T090000"),
        ("FREQ=MONTHLY;COUNT=200", "20260304T090000"),
        ("FREQ=MONTHLY;COUNT=100;INTERVAL=5", "20260131T090000"),
        ("FREQ=YEARLY;COUNT=60", "20260304T090000"),
        ("FREQ=HOURLY;COUNT=700;INTERVAL=7", "20260304T090000"),
    ],
)
def test_the_last_of_a_count_is_the_same_by_arithmetic_and_by_counting(rule: str, start: str) -> None:
    parsed = Rule.parse(rule)
    everything = list(repeat(parsed, epoch(start), Meter()))
    endless = Rule.parse(";".join(part for part in rule.split(";") if not part.startswith("COUNT")))
    assert everything == list(islice(repeat(endless, epoch(start), Meter()), parsed.count))
    assert len(everything) == parsed.count
    assert list(repeat(parsed, epoch(start), Meter(), first=everything[-3])) == everything[-3:]
