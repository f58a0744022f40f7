"""The days that a recurrence rule chooses, period by period (RFC 5545 section 3.3.10, RFC 7529 section 4).

A period is a year, a month, a week or a day. Its days come sorted; an empty list is a period in which the rule chooses
none. Periods before the one asked for are not visited: their number is known by arithmetic.
"""

from collections.abc import Iterator

from calserver.ical.meter import Meter
from calserver.ical.rule import Rule
from calserver.ical.scale import Month, Year, scale

_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_CYCLE = {"YEARLY": 400, "MONTHLY": 4_800, "WEEKLY": 20_871, "DAILY": 146_097}
"""Periods after which the Gregorian calendar has repeated itself: a rule with days in none of them has none at all."""


class RuleDays:
    """The days of a rule for a series that starts on the day `start`."""

    def __init__(self, rule: Rule, start: int, meter: Meter) -> None:
        self._rule = rule
        self._meter = meter
        self._scale = scale(rule.scale)
        self._start = start
        self._weekdays = {weekday for weekday, _ in rule.days}
        self._place: tuple[Year, Month] | None = None
        """Where the day lies that was asked for last; the next is mostly in the same month."""

    def periods(self, first: int, last: int) -> Iterator[list[int]]:
        """The days of the periods that touch `first` to `last`, in order; some may lie before or after.

        Raises:
            MaxInstances: this costs too much.
        """
        if self._rule.freq == "YEARLY":
            found = self._yearly(first, last)
        elif self._rule.freq == "MONTHLY":
            found = self._monthly(first, last)
        elif self._rule.freq == "WEEKLY":
            found = self._weekly(first, last)
        else:
            found = self._daily(first, last)
        barren = 0
        for days in found:
            barren = 0 if days else barren + 1
            if barren > _CYCLE[self._rule.freq]:
                return
            yield days

    def allows(self, day: int) -> bool:
        """Whether no part of the rule excludes a day: where the parts limit a daily or shorter frequency."""
        rule = self._rule
        if rule.days and (day - 1) % 7 not in self._weekdays:
            return False
        if not (rule.months or rule.month_days or rule.year_days or rule.weeks):
            return True
        place = self._place
        if place is None or not 0 <= day - place[1].first < place[1].length:
            place = self._place = self._placed(day)
            if place is None:
                return False
        year, month = place
        return (
            (not rule.months or (month.number, month.leap) in rule.months)
            and (not rule.month_days or _is_among(day - month.first + 1, month.length, rule.month_days))
            and (not rule.year_days or _is_among(day - year.first + 1, year.length, rule.year_days))
            and (not rule.weeks or self._in_weeks(year, day))
        )

    def _placed(self, day: int) -> tuple[Year, Month] | None:
        year, index = self._scale.year_of(day), self._scale.index_of(day)
        month = None if index is None else self._scale.month(index)
        return None if year is None or month is None else (year, month)

    # -- periods

    def _yearly(self, first: int, last: int) -> Iterator[list[int]]:
        anchor, asked = self._scale.year_of(self._start), self._scale.year_of(first)
        if anchor is None or asked is None:
            return
        interval = self._rule.interval
        number = anchor.number + max(0, (asked.number - 1 - anchor.number) // interval) * interval
        while (year := self._scale.year(number)) is not None and year.first - 1 <= last:
            self._meter.spend(4)
            yield sorted(self._of_year(year))
            number += interval

    def _monthly(self, first: int, last: int) -> Iterator[list[int]]:
        anchor, asked = self._scale.index_of(self._start), self._scale.index_of(first)
        if anchor is None or asked is None:
            return
        interval = self._rule.interval
        index = anchor + max(0, (asked - 1 - anchor) // interval) * interval
        while (month := self._scale.month(index)) is not None and month.first - 1 <= last:
            self._meter.spend(2)
            yield sorted(self._of_month(month))
            index += interval

    def _weekly(self, first: int, last: int) -> Iterator[list[int]]:
        rule = self._rule
        begins = self._start - (self._start - 1 - rule.week_start) % 7
        step = 7 * rule.interval
        begins += max(0, (first - begins) // step) * step
        weekdays = self._weekdays or {(self._start - 1) % 7}
        offsets = sorted((weekday - rule.week_start) % 7 for weekday in weekdays)
        limited = rule.months or rule.month_days or rule.year_days or rule.weeks
        while begins <= last:
            self._meter.spend()
            days = [begins + offset for offset in offsets]
            yield [day for day in days if self.allows(day)] if limited else days
            begins += step

    def _daily(self, first: int, last: int) -> Iterator[list[int]]:
        interval = self._rule.interval
        begins = self._start + max(0, (first - self._start) // interval) * interval
        limited = self._rule.limits_days
        for day in range(begins, last + 1, interval):
            self._meter.spend()
            yield [day] if not limited or self.allows(day) else []

    # -- days of a period

    def _of_year(self, year: Year) -> set[int]:
        rule = self._rule
        if rule.year_days:
            return {day for day in self._counted(year, rule.year_days) if self._limited(day, year)}
        months = self._months(year)
        if rule.month_days or not (rule.weeks or rule.days):
            days = {day for month in months for day in self._month_days(month)}
            if rule.days:
                days &= self._nth_days(months if rule.months else (year,))
        elif rule.weeks:
            days = self._weekdays_in(year.first, year.length)
            if rule.months:
                days = {day for day in days if any(0 <= day - month.first < month.length for month in months)}
        else:
            days = self._nth_days(months if rule.months else (year,))
        return {day for day in days if self._in_weeks(year, day)} if rule.weeks else days

    def _of_month(self, month: Month) -> set[int]:
        rule = self._rule
        if rule.months and (month.number, month.leap) not in rule.months:
            return set()
        if rule.days and not rule.month_days:
            days = self._nth_days((month,))
        else:
            days = set(self._month_days(month))
            if rule.days:
                days &= self._nth_days((month,))
        return {day for day in days if self.allows(day)} if rule.year_days or rule.weeks else days

    def _months(self, year: Year) -> tuple[Month, ...]:
        """The months that the rule chooses in a year; of leap months that it lacks as SKIP says."""
        rule = self._rule
        wanted = rule.months
        if not wanted:
            if rule.month_days or rule.weeks or rule.days:
                return year.months
            wanted = (self._anchor_month(),)
        found = []
        for number, leap in wanted:
            exact = [month for month in year.months if (month.number, month.leap) == (number, leap)]
            if not exact and leap and rule.skip != "OMIT":
                instead = number + 1 if rule.skip == "FORWARD" else number
                exact = [month for month in year.months if (month.number, month.leap) == (instead, False)]
            found += exact
        return tuple(found)

    def _month_days(self, month: Month) -> Iterator[int]:
        """The days of a month by BYMONTHDAY, or the day of the start."""
        return self._counted(month, self._rule.month_days or (self._anchor_day(),))

    def _counted(self, block: Month | Year, numbers: tuple[int, ...]) -> Iterator[int]:
        """The days of these numbers in a month or a year; instead of those that it lacks what SKIP says."""
        after = block.first + block.length
        for number in numbers:
            if abs(number) <= block.length:
                yield block.first + number - 1 if number > 0 else after + number
            elif self._rule.skip != "OMIT":
                missed = after if number > 0 else block.first
                yield missed if self._rule.skip == "FORWARD" else missed - 1

    def _limited(self, day: int, year: Year) -> bool:
        """Whether a day of BYYEARDAY passes the parts beside it, which limit."""
        rule = self._rule
        month = next((month for month in year.months if 0 <= day - month.first < month.length), None)
        if month is None:
            return True
        if rule.months and (month.number, month.leap) not in rule.months:
            return False
        if rule.month_days and not _is_among(day - month.first + 1, month.length, rule.month_days):
            return False
        if rule.days and day not in self._nth_days((month,) if rule.months else (year,)):
            return False
        return not rule.weeks or self._in_weeks(year, day)

    def _nth_days(self, blocks: tuple[Month | Year, ...]) -> set[int]:
        """The days that BYDAY chooses in months or a year."""
        found: set[int] = set()
        for block in blocks:
            for weekday, ordinal in self._rule.days:
                days = range(block.first + (weekday - block.first + 1) % 7, block.first + block.length, 7)
                if ordinal == 0:
                    found.update(days)
                elif abs(ordinal) <= len(days):
                    found.add(days[ordinal - 1 if ordinal > 0 else ordinal])
        return found

    def _weekdays_in(self, first: int, length: int) -> set[int]:
        weekdays = self._weekdays or {(self._start - 1) % 7}
        return {day for day in range(first, first + length) if (day - 1) % 7 in weekdays}

    def _in_weeks(self, year: Year, day: int) -> bool:
        """Whether the week of a day is one of BYWEEKNO: the first is that with at least four days in the year."""
        week = self._first_week(year.first)
        after = self._first_week(year.first + year.length)
        if day < week:
            before = self._scale.year(year.number - 1)
            if before is None:
                return False
            week, after = self._first_week(before.first), week
        elif day >= after:
            next_year = self._scale.year(year.number + 1)
            if next_year is None:
                return False
            week, after = after, self._first_week(next_year.first + next_year.length)
        return _is_among((day - week) // 7 + 1, (after - week) // 7, self._rule.weeks)

    def _first_week(self, new_year: int) -> int:
        into = (new_year - 1 - self._rule.week_start) % 7
        return new_year - into if into <= 3 else new_year + 7 - into

    # -- what the start says where the rule is silent

    def _anchor_month(self) -> tuple[int, bool]:
        month = self._month_of_start()
        return month.number, month.leap

    def _anchor_day(self) -> int:
        return self._start - self._month_of_start().first + 1

    def _month_of_start(self) -> Month:
        index = self._scale.index_of(self._start)
        month = None if index is None else self._scale.month(index)
        assert month is not None, "no period is visited for a start that the calendar does not have"
        return month


def is_impossible(rule: Rule) -> bool:
    """Whether a rule chooses no day for a reason that can be seen at once: a day that its months never have."""
    return (
        rule.scale == "GREGORIAN"
        and rule.skip == "OMIT"
        and bool(rule.months and rule.month_days)
        and not any(
            not leap and number <= 12 and abs(day) <= _LONGEST_MONTHS[number - 1]
            for number, leap in rule.months
            for day in rule.month_days
        )
    )


def _is_among(number: int, length: int, wanted: tuple[int, ...]) -> bool:
    """Whether the `number`-th of `length` is wanted, counted from either end."""
    return number in wanted or number - length - 1 in wanted
