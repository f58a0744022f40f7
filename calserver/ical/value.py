"""Typed reading of raw values (RFC 5545 section 3.3): texts, days, instants, durations, periods, addresses.

`When` is the one type for a DATE or DATE-TIME. It keeps the wall clock as written and, beside it, what turns the wall
clock into an instant:

========================  ===========  ==========  =========
written                   ``is_date``  ``zone``    ``tzid``
========================  ===========  ==========  =========
``VALUE=DATE:20250401``   True         None        None
``20250401T090000``       False        None        None
``20250401T090000Z``      False        UTC         None
``TZID=Europe/Berlin:..`` False        a tzinfo    as spelled
========================  ===========  ==========  =========

The first two float: they become instants only in a zone that the reader supplies (that of the calendar, or UTC).
A wall clock that does not exist (daylight saving begins) is read with the offset before the gap, one that exists twice
as the first (RFC 5545 section 3.3.5); both are what ``fold=0`` means in Python, so `When.local` never carries a fold.

All readers raise `ValueError` with a sentence for people; `calserver.ical.object` turns it into a refusal.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Protocol
from urllib.parse import unquote

import attrs

from calserver.ical.model import Property

_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z)?)?")
_DURATION = re.compile(
    r"([+-])?P(?=T?[0-9])(?:([0-9]{1,7})W)?(?:([0-9]{1,8})D)?"
    r"(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,11})M)?(?:([0-9]{1,12})S)?)?"
)
_UTC_OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})([0-9]{2})?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_ESCAPE = re.compile(r"[\\;,\n]|\r\n?")
_UNESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r\n": "\\n", "\r": "\\n"}

_EPOCH_ORDINAL = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001 - a day, not an instant


class ZoneSource(Protocol):
    """What resolves a TZID (`calserver.ical.Zones`)."""

    def zone(self, tzid: str) -> tzinfo | None:
        """The zone of this name; None where the time is to float."""


@attrs.frozen(slots=True)
class Duration:
    """Weeks and days as counted on the calendar, and exact time (RFC 5545 section 3.3.6); both of the same sign."""

    days: int = 0
    seconds: int = 0

    @property
    def total(self) -> int:
        """Seconds, days counted as 24 hours."""
        return self.days * 86400 + self.seconds

    def __neg__(self) -> "Duration":
        return Duration(-self.days, -self.seconds)

    def text(self) -> str:
        """As written in iCalendar."""
        sign = "-" if self.total < 0 else ""
        days, seconds = abs(self.days), abs(self.seconds)
        if days and not seconds:
            return f"{sign}P{days // 7}W" if days % 7 == 0 else f"{sign}P{days}D"
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        time = (f"{hour}H" if hour else "") + (f"{minute}M" if minute or (hour and second) else "")
        time += f"{second}S" if second or not time else ""
        return f"{sign}P{f'{days}D' if days else ''}T{time}"


@attrs.frozen(slots=True)
class When:
    """A day, a floating time, a time in a zone, or UTC (RFC 5545 sections 3.3.4 and 3.3.5); see the module's table."""

    local: datetime
    zone: tzinfo | None = None
    tzid: str | None = None
    is_date: bool = False

    @property
    def is_utc(self) -> bool:
        """Whether it was written with ``Z``."""
        return self.zone is UTC and self.tzid is None

    @property
    def is_floating(self) -> bool:
        """Whether it needs a zone from elsewhere to be an instant: floating times and days."""
        return self.zone is None

    def epoch(self, floating: tzinfo = UTC) -> int:
        """Seconds since the epoch; what floats is read in the zone `floating`."""
        wall = seconds_on_the_wall(self.local)
        zone = self.zone or floating
        if zone is UTC:
            return wall
        offset = zone.utcoffset(self.local.replace(tzinfo=zone))
        return wall if offset is None else wall - offset.days * 86400 - offset.seconds

    def moved(self, local: datetime) -> "When":
        """The same kind of time at another wall clock."""
        return When(local, self.zone, self.tzid, self.is_date)

    def plus(self, duration: Duration) -> "When":
        """Later by `duration`: days on the wall clock, then exact time (RFC 5545 section 3.3.6).

        A day plus less than a day is the same day.

        Raises:
            ValueError: the result lies outside the years 1 to 9999.
        """
        days, seconds = duration.days, duration.seconds
        if self.is_date:
            days, seconds = days + seconds // 86400, 0
        try:
            local = self.local + timedelta(days=days)
            if not seconds:
                return self.moved(local)
            if self.zone is None or self.zone is UTC:
                return self.moved(local + timedelta(seconds=seconds))
            return self.moved(wall_clock(self.moved(local).epoch() + seconds, self.zone))
        except OverflowError:
            raise ValueError("a time lies outside the years 1 to 9999") from None

    def text(self) -> str:
        """The raw value, as written in iCalendar."""
        at = self.local
        day = f"{at.year:04d}{at.month:02d}{at.day:02d}"
        if self.is_date:
            return day
        return f"{day}T{at.hour:02d}{at.minute:02d}{at.second:02d}{'Z' if self.is_utc else ''}"

    def property(self, name: str) -> Property:
        """A property with this value, and the parameter that its kind needs."""
        if self.is_date:
            return Property(name, self.text(), (("VALUE", ("DATE",)),))
        return Property(name, self.text(), (("TZID", (self.tzid,)),) if self.tzid is not None else ())


@attrs.frozen(slots=True)
class Period:
    """A span of time with its start and end, however the end was written (RFC 5545 section 3.3.9)."""

    start: When
    end: When


def seconds_on_the_wall(local: datetime) -> int:
    """Seconds since the epoch if a wall clock showed UTC."""
    return (local.toordinal() - _EPOCH_ORDINAL) * 86400 + local.hour * 3600 + local.minute * 60 + local.second


def wall_clock(epoch: int, zone: tzinfo) -> datetime:
    """The naive local time of an instant in `zone`, without fold.

    Raises:
        ValueError: it lies outside the years 1 to 9999.
    """
    try:
        utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch)
        return (utc if zone is UTC else utc.astimezone(zone)).replace(tzinfo=None, fold=0)
    except OverflowError:
        raise ValueError("a time lies outside the years 1 to 9999") from None


def utc(epoch: int) -> When:
    """The instant `epoch` seconds after the epoch, in UTC.

    Raises:
        ValueError: it lies outside the years 1 to 9999.
    """
    return When(wall_clock(epoch, UTC), UTC)


def date_or_time(text: str, zone: tzinfo | None = None, tzid: str | None = None) -> When:
    """DATE or DATE-TIME by the form of the text (RFC 5545 sections 3.3.4 and 3.3.5).

    A leap second is read as the one before it. ``Z`` wins over a zone, as some clients write both.
    """
    return _date_or_time_again(text, zone, tzid) if len(text) <= _SHORT else _date_or_time(text, zone, tzid)


def _date_or_time(text: str, zone: tzinfo | None, tzid: str | None) -> When:
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError("this is not a date or date-time")
    year, month, day, hour, minute, second, z = found.groups()
    if hour is None:
        return When(datetime(int(year), int(month), int(day)), is_date=True)  # noqa: DTZ001 - a day
    local = datetime(  # noqa: DTZ001 - wall clock
        int(year), int(month), int(day), int(hour), int(minute), min(int(second), 59) if second == "60" else int(second)
    )
    return When(local, UTC) if z else When(local, zone, tzid if zone is not None else None)


_SHORT = 24
"""Characters of what is remembered with what it means: storing an object reads each of its times about three times."""
_date_or_time_again = lru_cache(maxsize=2048)(_date_or_time)


def when(prop: Property, zones: ZoneSource) -> When:
    """The one DATE or DATE-TIME value of a property, with its TZID resolved (RFC 5545 section 3.2.19)."""
    return _one(prop.value, *_zone(prop, zones), prop.param("VALUE"))


def whens(prop: Property, zones: ZoneSource) -> Iterator[When | Period]:
    """The values of a property that is a list: EXDATE, RDATE (RFC 5545 sections 3.8.5.1 and 3.8.5.2)."""
    zone, tzid = _zone(prop, zones)
    kind = prop.param("VALUE")
    periods = kind is not None and kind.upper() == "PERIOD"
    for text in prop.value.split(","):
        yield period(text, zone, tzid) if periods else _one(text, zone, tzid, kind)


def _zone(prop: Property, zones: ZoneSource) -> tuple[tzinfo | None, str | None]:
    tzid = prop.param("TZID") if prop.params else None
    return (None, None) if tzid is None else (zones.zone(tzid), tzid)


def _one(text: str, zone: tzinfo | None, tzid: str | None, kind: str | None) -> When:
    found = date_or_time(text, zone, tzid)
    if kind is not None and kind.upper() != ("DATE" if found.is_date else "DATE-TIME"):
        raise ValueError("the value is not of the type that its VALUE parameter says")
    return found


def period(text: str, zone: tzinfo | None = None, tzid: str | None = None) -> Period:
    """PERIOD (RFC 5545 section 3.3.9); the end lies after the start."""
    first, slash, second = text.partition("/")
    start = date_or_time(first, zone, tzid)
    if not slash or start.is_date:
        raise ValueError("this is not a period")
    end = start.plus(duration(second)) if second[:1] in ("P", "+", "-") else date_or_time(second, zone, tzid)
    if end.is_date or end.is_floating != start.is_floating or end.epoch() <= start.epoch():
        raise ValueError("a period ends after its start")
    return Period(start, end)


def duration(text: str) -> Duration:
    """DURATION (RFC 5545 section 3.3.6); clients also send weeks together with days, and ``P1DT``."""
    return _duration_again(text) if len(text) <= _SHORT else _duration(text)


def _duration(text: str) -> Duration:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("this is not a duration")
    sign, weeks, days, hours, minutes, seconds = found.groups()
    result = Duration(
        int(weeks or 0) * 7 + int(days or 0), int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    )
    return -result if sign == "-" else result


_duration_again = lru_cache(maxsize=512)(_duration)


def utc_offset(text: str) -> timedelta:
    """UTC-OFFSET (RFC 5545 section 3.3.14)."""
    found = _UTC_OFFSET.fullmatch(text)
    if found is None or found[3] > "59" or (found[4] or "00") > "59" or found[2] > "23":
        raise ValueError("this is not an offset from UTC")
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]), seconds=int(found[4] or 0))
    return -offset if found[1] == "-" else offset


def integer(text: str) -> int:
    """INTEGER (RFC 5545 section 3.3.8)."""
    if _INTEGER.fullmatch(text) is None or not -(2**31) <= int(text) < 2**31:
        raise ValueError("this is not an integer")
    return int(text)


def escape(text: str) -> str:
    """Text as a raw TEXT value (RFC 5545 section 3.3.11)."""
    return _ESCAPE.sub(lambda found: _ESCAPED[found[0]], text)


def unescape(raw: str) -> str:
    """The text of a raw TEXT value (RFC 5545 section 3.3.11); a backslash before any other character is dropped."""
    if "\\" not in raw:
        return raw
    return _UNESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], raw)


def texts(raw: str, separator: str = ",") -> tuple[str, ...]:
    """The texts of a raw list, or with ``;`` of a structured value (RFC 5545 section 3.1.1)."""
    if "\\" not in raw:
        return tuple(raw.split(separator))
    return tuple(unescape(part) for part in re.findall(rf"(?:^|{separator})((?:[^\\{separator}]|\\.|\\$)*)", raw, re.S))


_PLAIN_MAIL = re.compile(r"[\w.!#$&'*+/=?^`{|}~-]+@[\w.-]+")
"""A mail address that needs no quotes in fields of messages (RFC 5322 section 3.2.3, RFC 6532)."""


@lru_cache(maxsize=16_384)
def address(text: str) -> str:
    """A calendar user address in the form in which addresses are compared (RFC 6638 section 2.4.1).

    Mail addresses and ``urn:uuid:`` are compared without case; of other URIs only the scheme and the host are.
    Mail addresses are compared decoded, without header fields (RFC 6068 section 2), where they are plain then.
    A bare mail address counts as ``mailto:``, and a path stays one; no slash stands at the end.
    """
    text = text.strip()
    if text.startswith("/"):
        return text.rstrip("/")
    scheme, colon, rest = text.partition(":")
    if not colon:
        return f"mailto:{text.lower()}" if "@" in text else text
    scheme = scheme.lower()
    if scheme == "mailto" and ("%" in rest or "?" in rest):
        found = unquote(rest.partition("?")[0])
        rest = found if _PLAIN_MAIL.fullmatch(found) else rest
    if scheme in ("mailto", "urn"):
        return f"{scheme}:{rest.lower()}"
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        return f"{scheme}://{host.lower()}{slash}{path.rstrip('/')}"
    return f"{scheme}:{rest.rstrip('/')}"
