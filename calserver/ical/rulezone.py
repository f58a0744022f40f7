"""A zone from the rules of a VTIMEZONE that no database knows (RFC 5545 section 3.6.5).

What such rules can cost is bounded: they are yearly and in one month, as those of all zones are, there are not many of
them, and they are followed up to a fixed year. Zones are remembered by what their rules say.
"""

import re
from array import array
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

import attrs

from calserver.ical.model import Component
from calserver.ical.value import When, date_or_time, seconds_on_the_wall, unescape, utc_offset, wall_clock

_FIRST_YEAR, _LAST_YEAR = 1900, 2150
_MAX_OBSERVANCES = 256
_MAX_RULES = 24
_MAX_DATES = 1000

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BYDAY = re.compile(r"([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"-?[0-9]{1,4}")
_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "WKST"})


@attrs.frozen(slots=True, kw_only=True)
class YearlyRule:
    """The RRULE of an observance: every year on some day of one month (RFC 5545 section 3.3.10)."""

    month: int
    month_days: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()
    """Pairs of an ordinal (0: each) and a weekday (0: Monday)."""
    count: int | None = None
    until: When | None = None

    @classmethod
    def of(cls, text: str, start: datetime) -> "YearlyRule":
        """Read the rule of an observance that starts at `start`.

        Raises:
            ValueError: it is malformed, or not a rule that a time zone has.
        """
        parts = dict(_rule_parts(text.upper()))
        if (
            parts.get("FREQ") != "YEARLY"
            or parts.get("INTERVAL", "1") != "1"
            or ("COUNT" in parts and "UNTIL" in parts)
        ):
            raise ValueError("the rule of an observance is not one that time zones have")
        days = tuple(_weekday(part) for part in parts["BYDAY"].split(",")) if "BYDAY" in parts else ()
        default_days = () if days else (start.day,)
        (month,) = _numbers(parts["BYMONTH"], 1, 12)[:1] if "BYMONTH" in parts else (start.month,)
        return cls(
            month=month,
            month_days=_numbers(parts["BYMONTHDAY"], -31, 31) if "BYMONTHDAY" in parts else default_days,
            days=days,
            count=_numbers(parts["COUNT"], 1, 9999)[0] if "COUNT" in parts else None,
            until=date_or_time(parts["UNTIL"]) if "UNTIL" in parts else None,
        )

    def onsets(self, start: datetime, offset_from: timedelta) -> Iterator[datetime]:
        """The local times at which the observance begins, in order, after `start` and up to the last year.

        Where it began long ago and is not counted, those of the distant past are left out.
        """
        left = None if self.count is None else self.count - 1
        first_year = max(start.year, _FIRST_YEAR) if left is None else start.year
        for year in range(first_year, _LAST_YEAR + 1):
            day = self._day_of(year)
            if day == 0 or (onset := start.replace(year=year, month=self.month, day=day)) <= start:
                continue
            if left == 0 or (self.until is not None and self._is_past(onset, offset_from)):
                return
            left = None if left is None else left - 1
            yield onset

    def _is_past(self, onset: datetime, offset_from: timedelta) -> bool:
        assert self.until is not None
        return (onset - offset_from if self.until.is_utc else onset) > self.until.local

    def _day_of(self, year: int) -> int:
        """The day of the month on which it is in `year`; 0 for none."""
        first, length = monthrange(year, self.month)
        days = [day for ordinal, weekday in self.days for day in _nth(first, length, ordinal, weekday)]
        if not self.month_days:
            return min(days, default=0)
        in_month = {day if day > 0 else length + 1 + day for day in self.month_days}
        return min((day for day in days or range(1, length + 1) if day in in_month), default=0)


def _rule_parts(text: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for part in text.removesuffix(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or name in seen or name not in _PARTS:
            raise ValueError("the rule of an observance is not one that time zones have")
        seen.add(name)
        yield name, value


def _nth(first: int, length: int, ordinal: int, weekday: int) -> range:
    """The days of a month, whose day 1 is weekday `first`, that are its `ordinal`-th (0: any) `weekday`."""
    days = range(1 + (weekday - first) % 7, length + 1, 7)
    if ordinal == 0:
        return days
    at = ordinal - 1 if ordinal > 0 else len(days) + ordinal
    return days[at : at + 1] if 0 <= at < len(days) else range(0)


def _numbers(text: str, least: int, most: int) -> tuple[int, ...]:
    numbers = tuple(int(part) if _NUMBER.fullmatch(part) else 0 for part in text.split(","))
    if not all(number and least <= number <= most for number in numbers):
        raise ValueError("the rule of an observance has a number out of range")
    return numbers


def _weekday(text: str) -> tuple[int, int]:
    found = _BYDAY.fullmatch(text)
    if found is None:
        raise ValueError("the rule of an observance has a malformed BYDAY")
    return int(found[1] or 0), _DAYS.index(found[2])


@attrs.frozen(slots=True, kw_only=True)
class Observance:
    """One STANDARD or DAYLIGHT of a VTIMEZONE; `start` and `dates` are local times before the change."""

    start: datetime
    offset_from: timedelta
    offset_to: timedelta
    name: str
    daylight: bool
    rule: YearlyRule | None
    dates: tuple[datetime, ...]

    @classmethod
    def of(cls, component: Component) -> "Observance":
        """Read a STANDARD or DAYLIGHT component.

        Raises:
            ValueError: it is malformed.
        """
        start = date_or_time(component.value("DTSTART", "") or "")
        rules = component.all("RRULE")
        dates = [date_or_time(text) for prop in component.all("RDATE") for text in prop.value.split(",")]
        if start.is_date or start.is_utc or len(rules) > 1 or len(dates) > _MAX_DATES:
            raise ValueError("an observance starts at a local time and has at most one rule")
        offset_from = utc_offset(component.value("TZOFFSETFROM", "") or "")
        return cls(
            start=start.local,
            offset_from=offset_from,
            offset_to=utc_offset(component.value("TZOFFSETTO", "") or ""),
            name=unescape(component.value("TZNAME", "") or ""),
            daylight=component.name == "DAYLIGHT",
            rule=YearlyRule.of(rules[0].value, start.local) if rules else None,
            dates=tuple(_before_change(date, offset_from) for date in dates),
        )

    def onsets(self) -> Iterator[datetime]:
        """The local times at which it begins."""
        yield self.start
        yield from self.dates
        if self.rule is not None:
            yield from self.rule.onsets(self.start, self.offset_from)


class RuleZone(tzinfo):
    """The zone that observances make.

    A local time that does not exist or exists twice is read as PEP 495 has it; without a fold that is what RFC 5545
    section 3.3.5 asks.
    """

    def __init__(self, observances: tuple[Observance, ...]) -> None:
        changes = sorted(
            (
                (seconds_on_the_wall(onset) - _seconds(each.offset_from), at)
                for at, each in enumerate(observances)
                for onset in each.onsets()
            )
        )
        self._observances = observances
        self._first = observances[changes[0][1]]
        self._at = array("H", (at for _, at in changes))
        self._utc = array("q", (utc for utc, _ in changes))
        before = _seconds(self._first.offset_from)
        self._walls = (array("q"), array("q"))
        for utc, at in changes:
            after = _seconds(observances[at].offset_to)
            self._walls[0].append(utc + max(before, after))
            self._walls[1].append(utc + min(before, after))
            before = after

    @classmethod
    def of(cls, definition: Component) -> "RuleZone":
        """The zone of a VTIMEZONE.

        Raises:
            ValueError: it has no observance, too many, or a malformed one.
        """
        parts = definition.children("STANDARD", "DAYLIGHT")
        if not parts or len(parts) > _MAX_OBSERVANCES:
            raise ValueError("a time zone has some observances, and not too many")
        observances = tuple(map(Observance.of, parts))
        rules = sum(each.rule is not None for each in observances)
        if rules > _MAX_RULES or sum(len(each.dates) for each in observances) > _MAX_DATES:
            raise ValueError("a time zone has not so many rules and dates")
        return _remembered(observances)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleZone) and self._observances == other._observances

    def __hash__(self) -> int:
        return hash(self._observances)

    def __repr__(self) -> str:
        return f"<RuleZone {self._first.name or self._first.offset_to}>"

    def utcoffset(self, dt: datetime | None) -> timedelta:
        """Offset from UTC at a local time."""
        if dt is None:
            return self._first.offset_to
        at = bisect_right(self._walls[dt.fold], seconds_on_the_wall(dt))
        return self._observances[self._at[at - 1]].offset_to if at else self._first.offset_from

    def dst(self, dt: datetime | None) -> timedelta:
        """An hour in daylight time; zero otherwise."""
        found = self._observance(dt)
        return timedelta(hours=1) if found is not None and found.daylight else timedelta(0)

    def tzname(self, dt: datetime | None) -> str:
        """TZNAME of the observance at a local time."""
        found = self._observance(dt)
        return found.name if found is not None else ""

    def fromutc(self, dt: datetime) -> datetime:
        """Local time of an instant."""
        utc = seconds_on_the_wall(dt)
        at = bisect_right(self._utc, utc)
        offset = self._observances[self._at[at - 1]].offset_to if at else self._first.offset_from
        local = dt + offset
        return local.replace(fold=int(at > 0 and utc + _seconds(offset) < self._walls[0][at - 1]))

    def _observance(self, dt: datetime | None) -> Observance | None:
        at = 0 if dt is None else bisect_right(self._walls[dt.fold], seconds_on_the_wall(dt))
        return self._observances[self._at[at - 1]] if at else None


_remembered = lru_cache(maxsize=64)(RuleZone)


def _before_change(date: When, offset_from: timedelta) -> datetime:
    """An RDATE as local time; some write it in UTC."""
    return wall_clock(date.epoch() + _seconds(offset_from), UTC) if date.is_utc else date.local


def _seconds(offset: timedelta) -> int:
    return offset.days * 86400 + offset.seconds
