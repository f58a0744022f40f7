"""When somebody is not to be had: VAVAILABILITY (RFC 7953).

A VAVAILABILITY says that its owner is busy throughout, except in the instances of its AVAILABLE components. Of several,
one with a higher PRIORITY (a smaller number, zero last) covers those with a lower one wherever it reaches; those of one
priority add up, and who is available by one of them is available.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import tzinfo

from calserver.ical.busy import BusyPeriod, merged
from calserver.ical.conditions import MaxInstances
from calserver.ical.freebusytype import letter_of
from calserver.ical.meter import Meter
from calserver.ical.model import Component
from calserver.ical.recurrence import series_within
from calserver.ical.shape import reach_without_instances
from calserver.ical.timerange import TimeRange
from calserver.ical.value import ZoneSource
from calserver.ical.zones import Zones

_LOWEST = 10
_PASSED = 50
"""Intervals that are passed by in one step."""
Interval = tuple[int, int]


def unavailable(
    calendars: Iterable[Component], asked: TimeRange, *, zone: tzinfo, limit: int
) -> tuple[BusyPeriod, ...]:
    """The periods in a time range in which availability leaves no time (RFC 7953 section 5).

    Args:
        calendars: VCALENDARs with VAVAILABILITY components; all other components are ignored.
        asked: when.
        zone: where floating times and days are.
        limit: the most periods of available time.

    Raises:
        MaxInstances: there are more, or finding them costs too much.
        ValueError: a property is malformed.
    """
    by_priority: dict[int, list[tuple[Component, ZoneSource]]] = defaultdict(list)
    for calendar in calendars:
        zones = Zones(calendar)
        for component in calendar.children("VAVAILABILITY"):
            by_priority[_priority(component)].append((component, zones))
    found: list[BusyPeriod] = []
    meter = Meter()
    for priority in sorted(by_priority, reverse=True):
        found = _covered(found, by_priority[priority], asked, zone, limit, meter)
    return merged(found)


def _covered(
    below: list[BusyPeriod],
    components: list[tuple[Component, ZoneSource]],
    asked: TimeRange,
    zone: tzinfo,
    limit: int,
    meter: Meter,
) -> list[BusyPeriod]:
    """The busy periods of a priority, and those of lower ones where it does not reach."""
    reaches: list[tuple[Interval, str]] = []
    free: list[Interval] = []
    for component, zones in components:
        reach = reach_without_instances(component, zones, zone)
        if reach is None or not asked.overlaps(*reach):
            continue
        clipped = max(reach[0], asked.start), min(reach[1], asked.end)
        reaches.append((clipped, letter_of(component.value("BUSYTYPE") or "BUSY-UNAVAILABLE")))
        free += _available(component, clipped, zones, zone, limit, meter)
    free.sort()
    meter.spend((len(below) + len(free)) * len(reaches) // _PASSED)
    covered = sorted(reach for reach, _ in reaches)
    kept = [
        BusyPeriod(start, end, each.busy) for each in below for start, end in _without((each.start, each.end), covered)
    ]
    return kept + [BusyPeriod(start, end, letter) for reach, letter in reaches for start, end in _without(reach, free)]


def _available(
    component: Component, within: Interval, zones: ZoneSource, zone: tzinfo, limit: int, meter: Meter
) -> list[Interval]:
    """The instances of AVAILABLE in a VAVAILABILITY, cut to its own time."""
    found: list[Interval] = []
    meter.spend()
    for series in series_within(component, "AVAILABLE", zones, zone):
        for span in series.spans(*within, meter):
            found.append((max(span.start, within[0]), min(span.end, within[1])))
            if len(found) > limit:
                raise MaxInstances(f"there are more than {limit} periods of available time")
    return [(start, end) for start, end in found if start < end]


def _without(interval: Interval, removed: list[Interval]) -> list[Interval]:
    """What is left of an interval without others, which are sorted by start."""
    start, end = interval
    left = []
    for first, last in removed:
        if last <= start:
            continue
        if first >= end:
            break
        if first > start:
            left.append((start, first))
        start = max(start, last)
    if start < end:
        left.append((start, end))
    return left


def _priority(component: Component) -> int:
    text = component.value("PRIORITY") or "0"
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text[:3]) < _LOWEST else _LOWEST
