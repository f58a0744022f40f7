"""Recurrence sets written out, or cut down, for a time range (RFC 4791 sections 9.6.5 to 9.6.7)."""

from datetime import tzinfo
from typing import Final

from calserver.ical.conditions import MaxInstances
from calserver.ical.meter import Meter
from calserver.ical.model import Component, Property
from calserver.ical.object import CalendarObject
from calserver.ical.recurrence import Series, Span
from calserver.ical.shape import has_instances, reach_without_instances
from calserver.ical.timerange import TimeRange
from calserver.ical.value import When, period, utc, when

LARGEST_EXPANSION: Final = 16 * 1024 * 1024
"""Characters of all instances of one object: so many times the size of the largest object is no use to anybody."""

_RULES: Final = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"})


# -- expand


def expanded(obj: CalendarObject, asked: TimeRange, *, zone: tzinfo, limit: int) -> Component:
    """The calendar with one component for each instance in the range, without rules and time zones (section 9.6.5).

    Times in a zone become UTC; days and floating times stay what they are.

    Raises:
        MaxInstances: there are more than `limit`, or they come to more than `LARGEST_EXPANSION`.
    """
    try:
        series = Series.of(obj, zone)
        spans = _in_order(series, asked, limit)
        found = [_instance(series, span, obj) for span in spans]
        found += [_all_in_utc(each, obj) for each in obj.components if _undated_is_in(each, asked, obj, zone)]
    except ValueError:
        return obj.calendar  # malformed times, as an inbox may hold them: better the data than no answer
    return obj.calendar.with_components(tuple(found))


def _in_order(series: Series, asked: TimeRange, limit: int) -> list[Span]:
    found: list[Span] = []
    sizes: dict[int, int] = {}
    characters = 0
    for span in series.spans(asked.start, asked.end, Meter()):
        found.append(span)
        if len(found) > limit:
            raise MaxInstances(f"there are more than {limit} instances in the range")
        component = span.shape.component
        if id(component) not in sizes:
            sizes[id(component)] = _characters(component)
        characters += sizes[id(component)]
        if characters > LARGEST_EXPANSION:
            raise MaxInstances("the instances in the range come to too much text")
    return sorted(found, key=lambda span: (span.start, span.end))


def _characters(component: Component) -> int:
    """About how long a component is when it is written."""
    properties = [prop for each in component.walk() for prop in each.properties]
    params = sum(len(value) for prop in properties for _, values in prop.params for value in values)
    return params + sum(len(prop.value) for prop in properties)


def _undated_is_in(component: Component, asked: TimeRange, obj: CalendarObject, zone: tzinfo) -> bool:
    if has_instances(component):
        return False
    reach = reach_without_instances(component, obj.zones, zone)
    return reach is not None and asked.overlaps(*reach)


def _instance(series: Series, span: Span, obj: CalendarObject) -> Component:
    """The component of one instance."""
    component = span.shape.component
    times = _times(series, span)
    properties = [
        times.pop(prop.name) if prop.name in times else _in_utc(prop, obj)
        for prop in component.properties
        if prop.name not in _RULES and not (prop.name == "DURATION" and _ends_unlike(series, span))
    ]
    inner = tuple(_all_in_utc(each, obj) for each in component.components)
    return Component(component.name, (*properties, *times.values()), inner)


def _times(series: Series, span: Span) -> dict[str, Property]:
    """The properties that are different in each instance, by name."""
    component, occurrence = span.shape.component, series.occurrence(span)
    end_name = "DUE" if component.name == "VTODO" else "DTEND"
    found = {}
    if (start := component.first("DTSTART")) is not None:
        found["DTSTART"] = _timed(start, occurrence.local_start, span.start)
    if (end := component.first(end_name)) is not None or _ends_unlike(series, span):
        found[end_name] = _timed(end or Property(end_name, ""), occurrence.local_end, span.end)
    if (instance := occurrence.recurrence_id) is not None:
        epoch = instance.epoch(series.floating)
        found["RECURRENCE-ID"] = _timed(Property("RECURRENCE-ID", ""), instance, epoch)
    return found


def _ends_unlike(series: Series, span: Span) -> bool:
    """Whether a DURATION does not say when an instance ends: it is given otherwise, or its days are not days in UTC."""
    return series.is_period(span) or (span.shape.days > 0 and span.end_wall is None)


def _timed(prop: Property, at: When, epoch: int) -> Property:
    """A property with another time, in UTC unless that floats."""
    new = (at if at.is_floating else utc(epoch)).property(prop.name)
    kept = tuple(pair for pair in prop.params if pair[0] not in ("TZID", "VALUE"))
    return Property(prop.name, new.value, (*kept, *new.params))


def _all_in_utc(component: Component, obj: CalendarObject) -> Component:
    """A component with the times in zones, of itself and of what is in it, in UTC."""
    properties = tuple(_in_utc(prop, obj) for prop in component.properties)
    return Component(component.name, properties, tuple(_all_in_utc(each, obj) for each in component.components))


def _in_utc(prop: Property, obj: CalendarObject) -> Property:
    """A property with the time in a zone that it has, in UTC; others as they are."""
    if not prop.params or prop.param("TZID") is None:
        return prop
    try:
        at = when(prop, obj.zones)
    except ValueError:
        return prop  # a list of times, or an extension's idea of TZID
    if at.is_floating:
        return prop
    return Property(prop.name, utc(at.epoch()).text(), tuple(pair for pair in prop.params if pair[0] != "TZID"))


# -- limit-recurrence-set


def limited_recurrence(obj: CalendarObject, asked: TimeRange, *, zone: tzinfo) -> Component:
    """The calendar with the master and those overrides only that matter in the range (section 9.6.6).

    An override matters where it is, where the instance was that it replaces, and with RANGE=THISANDFUTURE wherever one
    is that it governs.

    Raises:
        MaxInstances: finding out costs too much.
    """
    if not obj.overrides:
        return obj.calendar
    try:
        mattering = _mattering(Series.of(obj, zone), obj, asked)
    except ValueError:
        return obj.calendar  # malformed times, as an inbox may hold them: better the data than no answer
    unwanted = {id(each) for each in obj.overrides} - mattering
    return obj.calendar.map(lambda each: None if id(each) in unwanted else each)


def _mattering(series: Series, obj: CalendarObject, asked: TimeRange) -> set[int]:
    found = set()
    for span in series.own():
        replaced = series.replaced(span)
        if asked.overlaps(span.lo, span.hi) or (replaced is not None and asked.overlaps(*replaced)):
            found.add(id(span.shape.component))
    overrides = {id(each) for each in obj.overrides}
    for era in series.eras(asked.start, asked.end, Meter(), overrides):
        first = next((span for span in era if asked.overlaps(span.lo, span.hi)), None)
        if first is not None:
            found.add(id(first.shape.component))
    return found | {id(each) for each in obj.overrides if not has_instances(each)}


# -- limit-freebusy-set


def limited_freebusy(calendar: Component, asked: TimeRange) -> Component:
    """The calendar with those periods of FREEBUSY only that overlap the range (section 9.6.7)."""
    return calendar.map(lambda each: _limited(each, asked) if each.name == "VFREEBUSY" else each)


def _limited(component: Component, asked: TimeRange) -> Component:
    properties = (_limited_periods(prop, asked) if prop.name == "FREEBUSY" else prop for prop in component.properties)
    return Component(component.name, tuple(prop for prop in properties if prop is not None), component.components)


def _limited_periods(prop: Property, asked: TimeRange) -> Property | None:
    kept = [text for text in prop.value.split(",") if _overlaps(text, asked)]
    return prop.with_value(",".join(kept)) if kept else None


def _overlaps(text: str, asked: TimeRange) -> bool:
    try:
        found = period(text)
    except ValueError:
        return True  # not a period that this server knows to limit
    return asked.overlaps(found.start.epoch(), found.end.epoch())
