"""Busy time: from index rows, from objects, and as a VFREEBUSY (RFC 4791 section 7.10, RFC 5545 section 3.6.4).

Periods of one kind that touch become one. Periods of different kinds may overlap and do, as RFC 4791 allows: who reads
them decides which kind wins.
"""

from collections.abc import Container, Iterable, Iterator
from datetime import datetime, tzinfo
from functools import lru_cache
from time import gmtime
from typing import Final, NamedTuple

from calserver.ical.conditions import MaxInstances
from calserver.ical.freebusytype import FBTYPES, busy_letter, letter_of
from calserver.ical.meter import Meter
from calserver.ical.model import Component, Property
from calserver.ical.object import CalendarObject
from calserver.ical.recurrence import Series
from calserver.ical.shape import DAY, epoch_of
from calserver.ical.timerange import TimeRange
from calserver.ical.value import period, utc

_ORDER: Final = "BUTF"


class BusyPeriod(NamedTuple):
    """A period in which somebody is busy, in seconds since the epoch; `busy` is the letter of `Instance.busy`."""

    start: int
    end: int
    busy: str = "B"


Row = tuple[int, int, str, bool]
"""Of the instance index: start, end and letter of an `Instance`, and whether it floats."""


def row_periods(rows: Iterable[Row], asked: TimeRange, *, zone: tzinfo) -> Iterator[BusyPeriod]:
    """The busy periods in a time range of index rows.

    Args:
        rows: of events and published busy time, without those that are free, and without markers: their objects have
            instances that no row tells, see `object_periods`.
        asked: when.
        zone: where rows float.
    """
    first, last = asked.start, asked.end
    for start, end, busy, floating in rows:
        if floating:
            start, end = epoch_of(start, zone), epoch_of(end, zone)
        if start < first:
            start = first
        if end > last:
            end = last
        if start < end:
            yield BusyPeriod(start, end, busy)


def object_periods(
    obj: CalendarObject,
    asked: TimeRange,
    *,
    zone: tzinfo,
    limit: int,
    within: Meter | None = None,
    own: Container[str] = (),
) -> list[BusyPeriod]:
    """The busy periods in a time range of one object, whatever the index knows of it.

    Published busy time and events that are neither cancelled, transparent nor declined count (RFC 4791 section 7.10).

    Args:
        obj: any calendar object.
        asked: when.
        zone: where floating times and days are.
        limit: the most periods.
        within: counts the steps of this and of other objects.
        own: normalized addresses of whose calendar it is; see `busy_letter`.

    Raises:
        MaxInstances: there are more than `limit`, or finding them costs too much.
        ValueError: a property is malformed.
    """
    if obj.component == "VFREEBUSY":
        return [each for component in obj.components for each in published(component, asked)]
    if obj.component != "VEVENT":
        return []
    busy = {id(each): busy_letter(each, own) for each in obj.components}
    counting = [each for each in obj.components if busy[id(each)] != "F"]
    found: list[BusyPeriod] = []
    for span in Series.of(obj, zone).governed(counting, asked, Meter(within=within)):
        found += _clipped(span.start, span.end, busy[id(span.shape.component)], asked)
        if len(found) > limit:
            raise MaxInstances(f"there are more than {limit} instances")
    return found


def published(component: Component, asked: TimeRange) -> Iterator[BusyPeriod]:
    """The busy periods in a time range that a VFREEBUSY tells; raises `ValueError` where one is malformed."""
    for prop in component.all("FREEBUSY"):
        letter = letter_of(prop.param("FBTYPE"))
        for each in (period(text) for text in prop.value.split(",")):
            if letter != "F":
                yield from _clipped(each.start.epoch(), each.end.epoch(), letter, asked)


def _clipped(start: int, end: int, busy: str, asked: TimeRange) -> Iterator[BusyPeriod]:
    start, end = max(start, asked.start), min(end, asked.end)
    if start < end:
        yield BusyPeriod(start, end, busy)


def merged(periods: Iterable[BusyPeriod]) -> tuple[BusyPeriod, ...]:
    """The periods by start, those of one kind joined where they touch or overlap."""
    found: list[BusyPeriod] = []
    last: dict[str, int] = {}
    """Where in `found` the last period of each kind is."""
    for each in sorted(periods):
        start, end, busy = each
        at = last.get(busy)
        if at is None or start > found[at].end:
            last[busy] = len(found)
            found.append(each)
        elif end > found[at].end:
            found[at] = BusyPeriod(found[at].start, end, busy)
    return tuple(sorted(found))


def freebusy(
    periods: Iterable[BusyPeriod],
    asked: TimeRange,
    *,
    now: datetime,
    prodid: str,
    method: str | None = None,
    properties: Iterable[Property] = (),
) -> Component:
    """A VCALENDAR with one VFREEBUSY, all in UTC.

    Args:
        periods: in any order; they are merged.
        asked: the time range that they are about; with start and end.
        now: DTSTAMP; aware.
        prodid: PRODID.
        method: METHOD, where it is a scheduling message.
        properties: what else the VFREEBUSY has: UID, ORGANIZER, ATTENDEE.
    """
    found = merged(periods)
    busy = [prop for letter in _ORDER if (prop := _property(letter, found)) is not None]
    component = Component(
        "VFREEBUSY",
        (
            utc(int(now.timestamp())).property("DTSTAMP"),
            utc(asked.start).property("DTSTART"),
            utc(asked.end).property("DTEND"),
            *properties,
            *busy,
        ),
    )
    head = [Property("VERSION", "2.0"), Property("PRODID", prodid)]
    if method is not None:
        head.append(Property("METHOD", method))
    return Component("VCALENDAR", tuple(head), (component,))


def _property(letter: str, periods: tuple[BusyPeriod, ...]) -> Property | None:
    """All periods of one kind as a FREEBUSY property; BUSY is what it means without FBTYPE."""
    values = [f"{_instant(each.start)}/{_instant(each.end)}" for each in periods if each.busy == letter]
    if not values:
        return None
    return Property("FREEBUSY", ",".join(values), () if letter == "B" else (("FBTYPE", (FBTYPES[letter],)),))


def _instant(epoch: int) -> str:
    """A DATE-TIME in UTC; there are two for each period."""
    day, second = divmod(epoch, DAY)
    return f"{_date(day)}T{_clock(second)}Z"


@lru_cache(maxsize=1024)
def _date(day: int) -> str:
    year, month, day, *_ = gmtime(day * DAY)
    return f"{year:04d}{month:02d}{day:02d}"


@lru_cache(maxsize=1024)
def _clock(second: int) -> str:
    return f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
