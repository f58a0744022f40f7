"""Recurrence rules as values: RECUR, and the calendars that it may count in (RFC 5545 section 3.3.10, RFC 7529).

Reading is strict where the grammar is and where a rule would mean nothing; parts that a frequency does not take
(BYWEEKNO in a monthly rule) are read and limit, as they do in every other implementation.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import attrs

from calserver.ical.value import When, date_or_time

supported_rscales: Final = frozenset({"GREGORIAN", "CHINESE", "COPTIC", "ETHIOPIC", "HEBREW", "ISLAMIC-CIVIL"})
"""Values of RSCALE that rules may count in (RFC 7529 section 4.1)."""

FREQUENCIES: Final = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
SKIPS: Final = ("OMIT", "BACKWARD", "FORWARD")
WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

_Reader = Callable[[str], Any]

_LONGEST = 4096
_COUNT = re.compile(r"[0-9]{1,9}")
_SIGNED = re.compile(r"[+-]?[0-9]{1,3}")
_MONTH = re.compile(r"([0-9]{1,2})(L?)")
_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")


@attrs.frozen(slots=True, kw_only=True)
class Rule:
    """A recurrence rule. Empty tuples are parts that were not given; lists are sorted and without duplicates."""

    freq: str
    interval: int = 1
    count: int | None = None
    until: When | None = None
    week_start: int = 0
    """WKST; 0 is Monday."""
    months: tuple[tuple[int, bool], ...] = ()
    """BYMONTH: pairs of the number of a month and whether the leap month after it is meant (RFC 7529)."""
    weeks: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()
    """BYDAY: pairs of a weekday (0 is Monday) and an ordinal (0: each)."""
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    """BYSETPOS."""
    scale: str = "GREGORIAN"
    """RSCALE, in upper case; not necessarily a supported one."""
    skip: str = "OMIT"

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """Read the value of an RRULE.

        Raises:
            ValueError: it is malformed, or breaks a MUST of the RFC.
        """
        if len(text) > _LONGEST:
            raise ValueError("the recurrence rule is too long")
        parts: dict[str, str] = {}
        for part in text.upper().removesuffix(";").split(";"):
            name, equals, value = part.partition("=")
            if not equals or not value or name in parts or (name not in _READERS and not name.startswith("X-")):
                raise ValueError("the recurrence rule has a malformed, repeated or unknown part")
            parts[name] = value
        if "FREQ" not in parts:
            raise ValueError("the recurrence rule has no FREQ")
        if "COUNT" in parts and "UNTIL" in parts:
            raise ValueError("the recurrence rule has both COUNT and UNTIL")
        if "SKIP" in parts and "RSCALE" not in parts:
            raise ValueError("the recurrence rule has SKIP but no RSCALE")
        known = {field: read(parts[name]) for name, (field, read) in _READERS.items() if name in parts}
        return cls(**known)

    @property
    def limits_days(self) -> bool:
        """Whether a part restricts or chooses days."""
        return bool(self.months or self.weeks or self.year_days or self.month_days or self.days)

    @property
    def is_plain(self) -> bool:
        """Whether there is no part besides the frequency and its bounds."""
        return not (self.limits_days or self.hours or self.minutes or self.seconds or self.positions)


def _choice(choices: tuple[str, ...]) -> _Reader:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError("the recurrence rule has a value that its part does not take")
        return text

    return read


def _positive(text: str) -> int:
    if _COUNT.fullmatch(text) is None or int(text) == 0:
        raise ValueError("INTERVAL and COUNT are positive numbers")
    return int(text)


def _numbers(least: int, most: int, *, signed: bool = False) -> _Reader:
    """Reads a list of numbers; signed ones may count from the end and are never zero."""

    def read(text: str) -> tuple[int, ...]:
        found = set()
        for part in text.split(","):
            number = int(part) if _SIGNED.fullmatch(part) else most + 1
            if not least <= (abs(number) if signed else number) <= most:
                raise ValueError("the recurrence rule has a number out of its range")
            found.add(number)
        return tuple(sorted(found))

    return read


def _seconds(text: str) -> tuple[int, ...]:
    """BYSECOND; a leap second is read as the one before it."""
    return tuple(sorted({min(second, 59) for second in _numbers(0, 60)(text)}))


def _months(text: str) -> tuple[tuple[int, bool], ...]:
    found = set()
    for part in text.split(","):
        month = _MONTH.fullmatch(part)
        if month is None or not 1 <= int(month[1]) <= 13:
            raise ValueError("the recurrence rule has a malformed BYMONTH")
        found.add((int(month[1]), month[2] == "L"))
    return tuple(sorted(found))


def _days(text: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for part in text.split(","):
        day = _DAY.fullmatch(part)
        if day is None or (day[1] is not None and not 1 <= abs(int(day[1])) <= 53):
            raise ValueError("the recurrence rule has a malformed BYDAY")
        found.add((WEEKDAYS.index(day[2]), int(day[1] or 0)))
    return tuple(sorted(found))


_READERS: Final[dict[str, tuple[str, _Reader]]] = {
    "FREQ": ("freq", _choice(FREQUENCIES)),
    "INTERVAL": ("interval", _positive),
    "COUNT": ("count", _positive),
    "UNTIL": ("until", date_or_time),
    "WKST": ("week_start", WEEKDAYS.index),
    "BYMONTH": ("months", _months),
    "BYWEEKNO": ("weeks", _numbers(1, 53, signed=True)),
    "BYYEARDAY": ("year_days", _numbers(1, 385, signed=True)),
    "BYMONTHDAY": ("month_days", _numbers(1, 31, signed=True)),
    "BYDAY": ("days", _days),
    "BYHOUR": ("hours", _numbers(0, 23)),
    "BYMINUTE": ("minutes", _numbers(0, 59)),
    "BYSECOND": ("seconds", _seconds),
    "BYSETPOS": ("positions", _numbers(1, 366, signed=True)),
    "RSCALE": ("scale", str),
    "SKIP": ("skip", _choice(SKIPS)),
}
