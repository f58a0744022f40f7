"""Calendars that recurrence rules may count in: their years and months as runs of days (RFC 7529).

A day is a number, `datetime.date.toordinal`; so weekdays and weeks are the same in all of them. All are plain
arithmetic except the Chinese one, which is a table of 201 years: new moons and solar terms in Beijing, as published.
Beyond its years a scale has no month, and a rule ends there.
"""

from bisect import bisect_right
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import accumulate
from typing import Protocol

import attrs

LAST_DAY = 3_652_059
"""The ordinal of 9999-12-31, the last day there is."""


@attrs.frozen(slots=True)
class Month:
    """A month of a year: `number` as in BYMONTH, whether it is the leap month after that one, and its days."""

    number: int
    leap: bool
    first: int
    length: int


@attrs.frozen(slots=True)
class Year:
    """A year: its first day, how many it has, its months in order."""

    number: int
    first: int
    length: int
    months: tuple[Month, ...]


class Scale(Protocol):
    """The arithmetic of a calendar."""

    def year(self, number: int) -> Year | None:
        """The year of this number; None where the calendar is not defined."""

    def year_of(self, day: int) -> Year | None:
        """The year that a day lies in."""

    def month(self, index: int) -> Month | None:
        """The month of an index that counts all months, leap months too, without end."""

    def index_of(self, day: int) -> int | None:
        """The index of the month that a day lies in."""


def scale(rscale: str) -> Scale:
    """The calendar of an RSCALE value, one of `calserver.ical.rule.supported_rscales`.

    Raises:
        ValueError: it is not supported.
    """
    try:
        return _scales()[rscale]
    except KeyError:
        raise ValueError("the recurrence rule counts in a calendar that is not supported") from None


@cache
def _scales() -> dict[str, Scale]:
    return {
        "GREGORIAN": _Gregorian(),
        "CHINESE": _Chinese(),
        "COPTIC": _ThirteenMonths(epoch=103_605),
        "ETHIOPIC": _ThirteenMonths(epoch=2_796),
        "HEBREW": _Hebrew(),
        "ISLAMIC-CIVIL": _Islamic(),
    }


class _Regular:
    """A calendar whose years all have the same number of months."""

    months_in_year = 12

    def first_of(self, number: int) -> int:
        """The first day of a year."""
        raise NotImplementedError

    def lengths(self, number: int) -> tuple[int, ...]:
        """How many days the months of a year have."""
        raise NotImplementedError

    def guess(self, day: int) -> int:
        """A year that is not after the one of a day, and near it."""
        raise NotImplementedError

    def year(self, number: int) -> Year | None:
        return _year(self, number)

    def year_of(self, day: int) -> Year | None:
        number = self.guess(day)
        while self.first_of(number + 1) <= day:
            number += 1
        return self.year(number)

    def month(self, index: int) -> Month | None:
        year = self.year(index // self.months_in_year)
        return None if year is None else year.months[index % self.months_in_year]

    def index_of(self, day: int) -> int | None:
        year = self.year_of(day)
        return None if year is None else year.number * self.months_in_year + _month_at(year, day)


@lru_cache(maxsize=1024)
def _year(of: _Regular, number: int) -> Year | None:
    """Years are asked for again and again."""
    first, lengths = of.first_of(number), of.lengths(number)
    length = sum(lengths)
    if first < 1 or first + length - 1 > LAST_DAY:
        return None
    return Year(number, first, length, tuple(_months(first, lengths)))


def _months(first: int, lengths: tuple[int, ...]) -> Iterator[Month]:
    for number, length in enumerate(lengths, 1):
        yield Month(number, False, first, length)
        first += length


def _month_at(year: Year, day: int) -> int:
    at = len(year.months) - 1
    while year.months[at].first > day:
        at -= 1
    return at


class _Gregorian(_Regular):
    def first_of(self, number: int) -> int:
        past = number - 1
        return past * 365 + past // 4 - past // 100 + past // 400 + 1

    def lengths(self, number: int) -> tuple[int, ...]:
        leap = number % 4 == 0 and (number % 100 != 0 or number % 400 == 0)
        return (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

    def guess(self, day: int) -> int:
        return max(1, (day - 1) * 400 // 146_097)


class _ThirteenMonths(_Regular):
    """The Ethiopian and the Coptic calendar: twelve months of thirty days, and the rest."""

    months_in_year = 13

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def first_of(self, number: int) -> int:
        return self._epoch + 365 * (number - 1) + number // 4

    def lengths(self, number: int) -> tuple[int, ...]:
        return (*(30,) * 12, 6 if number % 4 == 3 else 5)

    def guess(self, day: int) -> int:
        return (day - self._epoch) // 366 - 1


class _Islamic(_Regular):
    """The civil Islamic calendar: eleven leap years in thirty, from 622-07-16 (Julian)."""

    def first_of(self, number: int) -> int:
        return 227_015 + (number - 1) * 354 + (3 + 11 * number) // 30

    def lengths(self, number: int) -> tuple[int, ...]:
        return (*(30, 29) * 5, 30, 30 if (14 + 11 * number) % 30 < 11 else 29)

    def guess(self, day: int) -> int:
        return (day - 227_015) // 355 - 1


class _Listed:
    """A calendar with leap months, from a list of years without gaps."""

    def __init__(self, years: tuple[Year, ...]) -> None:
        self._years = years
        self._firsts = [year.first for year in years]
        self._months = [month for year in years for month in year.months]
        self._month_firsts = [month.first for month in self._months]
        self._end = years[-1].first + years[-1].length

    def year(self, number: int) -> Year | None:
        at = number - self._years[0].number
        return self._years[at] if 0 <= at < len(self._years) else None

    def year_of(self, day: int) -> Year | None:
        at = bisect_right(self._firsts, day) - 1
        return self._years[at] if at >= 0 and day < self._end else None

    def month(self, index: int) -> Month | None:
        return self._months[index] if 0 <= index < len(self._months) else None

    def index_of(self, day: int) -> int | None:
        at = bisect_right(self._month_firsts, day) - 1
        return at if at >= 0 and day < self._end else None


def _listed(number: int, first: int, lengths: tuple[int, ...], leap: int) -> Year:
    """A year with a leap month after the month `leap`; 0 where it has none."""
    months = []
    for at, (begins, length) in enumerate(zip(accumulate(lengths, initial=first), lengths, strict=False)):
        is_leap = bool(leap) and at == leap
        months.append(Month(at if leap and at >= leap else at + 1, is_leap, begins, length))
    return Year(number, first, sum(lengths), tuple(months))


class _Hebrew(_Listed):
    """The Hebrew calendar, years from Tishri; Adar I is the leap month after the fifth (RFC 7529 section 4.2)."""

    def __init__(self) -> None:
        firsts = [_new_year(number) for number in range(5500, 6102)]
        super().__init__(
            tuple(
                _hebrew_year(number, first, after - first)
                for number, first, after in zip(range(5500, 6101), firsts, firsts[1:], strict=False)
            )
        )


def _new_year(number: int) -> int:
    """The first of Tishri: the new moon, put off by the four rules."""
    months = (235 * number - 234) // 19
    parts = 12_084 + 13_753 * months
    day = months * 29 + parts // 25_920
    if 3 * (day + 1) % 7 < 3:
        day += 1
    return day - 1_373_427 + _delay(number)


def _elapsed(number: int) -> int:
    months = (235 * number - 234) // 19
    day = months * 29 + (12_084 + 13_753 * months) // 25_920
    return day + 1 if 3 * (day + 1) % 7 < 3 else day


def _delay(number: int) -> int:
    """What keeps years from being 356 or 382 days long."""
    before, at, after = _elapsed(number - 1), _elapsed(number), _elapsed(number + 1)
    if after - at == 356:
        return 2
    return 1 if at - before == 382 else 0


def _hebrew_year(number: int, first: int, length: int) -> Year:
    leap = length > 380
    regular = length - 30 if leap else length
    autumn = (30, 30 if regular == 355 else 29, 29 if regular == 353 else 30, 29, 30)
    return _listed(number, first, (*autumn, *((30,) if leap else ()), 29, 30, 29, 30, 29, 30, 29), 5 if leap else 0)


class _Chinese(_Listed):
    """The Chinese calendar, years by the Gregorian one in which they begin."""

    def __init__(self) -> None:
        first, years = 693_626, []
        for number, code in enumerate((int(text, 16) for text in _CHINESE_YEARS.split()), 1900):
            leap = code >> 13
            lengths = tuple(29 + (code >> at & 1) for at in range(13 if leap else 12))
            years.append(_listed(number, first, lengths, leap))
            first += years[-1].length
        super().__init__(tuple(years))


_CHINESE_YEARS = """
    116d2 00752 00ea5 0b64a 0064b 00a9b 09556 0056a 00b59 05752 00752 0db25 00b25 00a4b 0b4ab 002ad 0056b 04b69
    00da9 0fd92 00e92 00d25 0ba4d 00a56 002b6 095b5 006d4 00ea9 05e92 00e92 0cd26 0052b 00a57 0b2b6 00b5a 006d4
    06ec9 00749 0f693 00a93 0052b 0ca5b 00aad 0056a 09b55 00ba4 00b49 05a93 00a95 0f52d 00536 00aad 0b5aa 005b2
    00da5 07d4a 00d4a 10a95 00a97 00556 0cab5 00ad5 006d2 08ea5 00ea5 0064a 06c97 00a9b 0f55a 0056a 00b69 0b752
    00b52 00b25 0964b 00a4b 114ab 002ad 0056d 0cb69 00da9 00d92 09d25 00d25 15a4d 00a56 002b6 0c5b5 006d5 00ea9
    0be92 00e92 00d26 06a56 00a57 114d6 0035a 006d5 0b6c9 00749 00693 0952b 0052b 00a5b 0555a 0056a 0fb55 00ba4
    00b49 0ba93 00a95 0052d 08aad 00ab5 135aa 005d2 00da5 0dd4a 00d4a 00c95 0952e 00556 00ab5 055b2 006d2 0cea5
    00725 0064b 0ac97 00cab 0055a 06ad6 00b69 17752 00b52 00b25 0da4b 00a4b 004ab 0a55b 005ad 00b6a 05b52 00d92
    0fd25 00d25 00a55 0b4ad 004b6 005b5 06daa 00ec9 11e92 00e92 00d26 0ca56 00a57 004d6 086d5 00755 00749 06e93
    00693 0f52b 0052b 00a5b 0b55a 0056a 00b65 0974a 00b4a 11a95 00a95 0052d 0caad 00ab5 005aa 08ba5 00da5 00d4a
    07c95 00c96 0f94e 00556 00ab5 0b5b2 006d2 00ea5 08e4a 0068b 10c97 004ab 0055b 0cad6 00b6a 00752 09725 00b45
    00a8b 0549b 004ab
"""
"""Per year: which months have thirty days (one bit each), and from bit 13 after which one the leap month comes."""
