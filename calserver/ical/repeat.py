"""The times at which a recurrence rule repeats a start (RFC 5545 section 3.3.10).

Times are **wall** seconds: the wall clock read as if it were UTC, in seconds since the epoch. Zones come later
(`calserver.ical.recurrence`), as RFC 5545 counts recurrences on the wall clock. Nothing here is longer than the
question: periods before it are skipped by arithmetic, combinations of BYHOUR, BYMINUTE and BYSECOND are never listed,
and each step is counted by a `Meter`.
"""

from collections.abc import Iterator
from typing import Final

from calserver.ical.meter import Meter
from calserver.ical.rule import Rule
from calserver.ical.ruledays import RuleDays, is_impossible
from calserver.ical.scale import LAST_DAY, scale

DAY: Final = 86_400
EPOCH_DAY: Final = 719_163
"""The ordinal of 1970-01-01."""
EARLIEST: Final = (1 - EPOCH_DAY) * DAY
LATEST: Final = (LAST_DAY + 1 - EPOCH_DAY) * DAY - 1
"""The last second of the year 9999."""

_UNITS = {"WEEKLY": 7 * DAY, "DAILY": DAY, "HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}


def repeat(rule: Rule, start: int, meter: Meter, *, first: int = EARLIEST, last: int = LATEST) -> Iterator[int]:
    """The wall times of a series that starts at `start`, between `first` and `last` inclusive, in order.

    The start is always one, and counts (RFC 5545 section 3.8.5.3). UNTIL is the caller's: it needs a zone.

    Raises:
        MaxInstances: this costs too much.
    """
    counted = rule.count
    if counted is not None and (bound := _last_counted(rule, start)) is not None:
        counted, last = None, min(last, bound)
    if rule.is_plain and rule.freq in _UNITS:
        step = rule.interval * _UNITS[rule.freq]
        return _even(start + max(0, -((start - first) // step)) * step, last, step, meter)
    return _uneven(rule, start, counted, first, last, meter)


def _even(first: int, last: int, step: int, meter: Meter) -> Iterator[int]:
    for wall in range(first, last + 1, step):
        meter.spend()
        yield wall


def _uneven(rule: Rule, start: int, counted: int | None, first: int, last: int, meter: Meter) -> Iterator[int]:
    """The start, and what the rule makes after it."""
    if first <= start <= last:
        yield start
    if counted == 1 or is_impossible(rule):
        return
    before = start
    for wall in _walls(rule, start, meter, start if counted is not None else max(start, first), last):
        if wall <= before:
            continue
        if wall > last:
            return
        before = wall
        if wall >= first:
            yield wall
        if counted is not None:
            counted -= 1
            if counted == 1:
                return


def _walls(rule: Rule, start: int, meter: Meter, first: int, last: int) -> Iterator[int]:
    if rule.freq in ("HOURLY", "MINUTELY", "SECONDLY"):
        return _short(rule, start, meter, first, last)
    return _long(rule, start, meter, first, last)


def _long(rule: Rule, start: int, meter: Meter, first: int, last: int) -> Iterator[int]:
    """Yearly to daily: days, and on each of them the same times."""
    start_day, second = divmod(start, DAY)
    times = _Times(rule, second)
    size = len(times)
    first_day = first // DAY + EPOCH_DAY
    for days in RuleDays(rule, start_day + EPOCH_DAY, meter).periods(first_day, last // DAY + EPOCH_DAY):
        if rule.positions:
            for at in _chosen(rule.positions, len(days) * size):
                meter.spend()
                yield (days[at // size] - EPOCH_DAY) * DAY + times[at % size]
        else:
            for day in days:
                if day >= first_day:
                    midnight = (day - EPOCH_DAY) * DAY
                    for time in times.since(first - midnight):
                        meter.spend()
                        yield midnight + time


class _Times:
    """The seconds of the day that BYHOUR, BYMINUTE and BYSECOND make, as a sequence that is never laid out."""

    def __init__(self, rule: Rule, second: int) -> None:
        self._hours = [hour * 3600 for hour in rule.hours or (second // 3600,)]
        self._minutes = [minute * 60 for minute in rule.minutes or (second // 60 % 60,)]
        self._seconds = rule.seconds or (second % 60,)

    def __len__(self) -> int:
        return len(self._hours) * len(self._minutes) * len(self._seconds)

    def since(self, least: int) -> Iterator[int]:
        """Those from the second `least` on."""
        for hour in self._hours:
            if hour + 3599 < least:
                continue
            for minute in self._minutes:
                for second in self._seconds:
                    if (at := hour + minute + second) >= least:
                        yield at

    def __getitem__(self, at: int) -> int:
        at, second = divmod(at, len(self._seconds))
        hour, minute = divmod(at, len(self._minutes))
        return self._hours[hour] + self._minutes[minute] + self._seconds[second]


def _chosen(positions: tuple[int, ...], size: int) -> list[int]:
    """The indexes that BYSETPOS chooses from a set of `size`."""
    return sorted({(at - 1 if at > 0 else size + at) for at in positions if abs(at) <= size})


# -- hourly, minutely, secondly


def _short(rule: Rule, start: int, meter: Meter, first: int, last: int) -> Iterator[int]:
    """Hourly to secondly: units of time, and in each of them the same moments."""
    unit = _UNITS[rule.freq]
    moments = _moments(rule, start, unit)
    if rule.positions:
        moments = [moments[at] for at in _chosen(rule.positions, len(moments))]
    begin = start - start % unit
    units = _stepped if rule.is_plain or rule.interval * unit >= DAY else _by_days
    for at in units(rule, begin, meter, first - first % unit, last):
        for moment in moments:
            meter.spend()
            yield at + moment


def _moments(rule: Rule, start: int, unit: int) -> list[int]:
    """The seconds of an hour or minute that BYMINUTE and BYSECOND, or the start, choose."""
    if unit == 1:
        return [0]
    seconds = rule.seconds or (start % 60,)
    if unit == 60:
        return list(seconds)
    return [minute * 60 + second for minute in rule.minutes or (start // 60 % 60,) for second in seconds]


def _stepped(rule: Rule, begin: int, meter: Meter, first: int, last: int) -> Iterator[int]:
    """Unit by unit as the interval says, leaving out those that a part excludes."""
    step = rule.interval * _UNITS[rule.freq]
    limits = _Limits(rule)
    days = RuleDays(rule, begin // DAY + EPOCH_DAY, meter)
    for at in range(begin + max(0, (first - begin) // step) * step, last + 1, step):
        meter.spend()
        if limits.allow(at % DAY) and (not rule.limits_days or days.allows(at // DAY + EPOCH_DAY)):
            yield at


def _by_days(rule: Rule, begin: int, meter: Meter, first: int, last: int) -> Iterator[int]:
    """Day by day, leaving out whole days; on the others whichever is less: what the interval or what the parts name."""
    step = rule.interval * _UNITS[rule.freq]
    limits = _Limits(rule)
    days = RuleDays(rule, begin // DAY + EPOCH_DAY, meter)
    for midnight in range(first - first % DAY, last + 1, DAY):
        meter.spend()
        if rule.limits_days and not days.allows(midnight // DAY + EPOCH_DAY):
            continue
        offset, least = (begin - midnight) % step, max(0, first - midnight)
        whole = DAY // step <= limits.size
        aligned = offset + max(0, -((offset - least) // step)) * step
        for at in range(aligned, DAY, step) if whole else limits.named(least):
            meter.spend()
            if limits.allow(at) if whole else (at - offset) % step == 0:
                yield midnight + at


class _Limits:
    """The parts that limit which units of a day there are: those not shorter than the unit."""

    def __init__(self, rule: Rule) -> None:
        unit = _UNITS[rule.freq]
        self._hours = rule.hours or tuple(range(24))
        self._minutes = (rule.minutes or tuple(range(60))) if unit < 3600 else (0,)
        self._seconds = (rule.seconds or tuple(range(60))) if unit < 60 else (0,)
        self.size = len(self._hours) * len(self._minutes) * len(self._seconds)

    def allow(self, second: int) -> bool:
        """Whether a unit that begins at this second of the day is not excluded."""
        return second // 3600 in self._hours and second // 60 % 60 in self._minutes and second % 60 in self._seconds

    def named(self, least: int) -> Iterator[int]:
        """All that are not excluded, from the second `least` on."""
        for hour in self._hours:
            if hour * 3600 + 3599 < least:
                continue
            for minute in self._minutes:
                for second in self._seconds:
                    if (at := hour * 3600 + minute * 60 + second) >= least:
                        yield at


# -- COUNT


def _last_counted(rule: Rule, start: int) -> int | None:
    """The wall time of the last that COUNT allows, where arithmetic tells; None where it must be counted."""
    assert rule.count is not None
    steps = (rule.count - 1) * rule.interval
    if rule.is_plain and rule.freq in _UNITS:
        return start + steps * _UNITS[rule.freq]
    if rule.freq == "WEEKLY" and not (
        rule.months or rule.weeks or rule.year_days or rule.month_days or rule.positions or rule.hours
    ):
        return None if rule.minutes or rule.seconds else _last_week_day(rule, start)
    if rule.is_plain and rule.scale == "GREGORIAN" and rule.freq in ("YEARLY", "MONTHLY"):
        return _last_month_day(start, steps * 12 if rule.freq == "YEARLY" else steps)
    return None


def _last_week_day(rule: Rule, start: int) -> int:
    assert rule.count is not None
    day = start // DAY + EPOCH_DAY
    into = (day - 1 - rule.week_start) % 7
    weekdays = {weekday for weekday, _ in rule.days} or {(day - 1) % 7}
    offsets = sorted((weekday - rule.week_start) % 7 for weekday in weekdays)
    this_week = [offset for offset in offsets if offset > into]
    left = rule.count - 1
    if left <= len(this_week):
        return start + ((this_week[left - 1] - into) * DAY if left else 0)
    weeks, at = divmod(left - len(this_week) - 1, len(offsets))
    return start + ((weeks + 1) * rule.interval * 7 + offsets[at] - into) * DAY


def _last_month_day(start: int, months: int) -> int | None:
    gregorian = scale("GREGORIAN")
    day = start // DAY + EPOCH_DAY
    index = gregorian.index_of(day)
    month = None if index is None else gregorian.month(index)
    if index is None or month is None or day - month.first >= 28:
        return None
    last = gregorian.month(index + months)
    return LATEST if last is None else start + (last.first - month.first) * DAY
