"""Whether overrides stand for instances of their series (RFC 5545 section 3.8.4.4)."""

from datetime import UTC

import attrs

from calserver.ical.conditions import ValidCalendarData
from calserver.ical.meter import Meter
from calserver.ical.model import Component
from calserver.ical.repeat import repeat
from calserver.ical.rule import Rule
from calserver.ical.value import Period, When, seconds_on_the_wall, wall_clock, when, whens
from calserver.ical.zones import Zones

_LONGEST_GAP = 3 * 3600
"""Seconds by which the wall clock of an instance may differ from its rule's where daylight saving begins."""


def check_overrides(master: Component, overrides: tuple[Component, ...], zones: Zones) -> None:
    """Refuse overrides of instances that the rules of a series cannot make.

    Where the series was shortened by COUNT, UNTIL or EXDATE after an instance was changed, clients leave the override
    behind; that is let through.

    Raises:
        ValidCalendarData: a RECURRENCE-ID is none of the series.
        MaxInstances: finding out costs too much.
    """
    start_prop = master.first("DTSTART")
    rules = [attrs.evolve(Rule.parse(prop.value), count=None, until=None) for prop in master.all("RRULE")]
    if not rules or start_prop is None:
        return
    start = when(start_prop, zones)
    added = {
        (at.start if isinstance(at, Period) else at).epoch()
        for prop in master.all("RDATE")
        for at in whens(prop, zones)
    }
    meter = Meter()
    for each in overrides:
        prop = each.first("RECURRENCE-ID")
        assert prop is not None
        instance = when(prop, zones)
        if instance.is_date != start.is_date:
            raise ValidCalendarData("a RECURRENCE-ID is of another type than DTSTART")
        if instance.epoch() not in added and not any(_makes(rule, start, instance, meter) for rule in rules):
            raise ValidCalendarData("a RECURRENCE-ID is not an instance of the series")


def _makes(rule: Rule, start: When, instance: When, meter: Meter) -> bool:
    begin = seconds_on_the_wall(start.local)
    if start.zone is None or instance.zone is None:
        if instance.zone is not None:
            return True  # a floating series has no instants to compare with
        wall = seconds_on_the_wall(instance.local)
        return next(repeat(rule, begin, meter, first=wall, last=wall), None) is not None
    epoch = instance.epoch()
    wall = seconds_on_the_wall(wall_clock(epoch, start.zone))
    if next(repeat(rule, begin, meter, first=wall, last=wall), None) is not None:
        return True
    near = repeat(rule, begin, meter, first=wall - _LONGEST_GAP, last=wall + _LONGEST_GAP)
    return any(start.moved(wall_clock(at, UTC)).epoch() == epoch for at in near)
