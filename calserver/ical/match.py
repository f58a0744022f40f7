"""Whether an object matches a filter (RFC 4791 sections 9.7 to 9.9, RFC 7953 section 7.2).

Filters of components are about instances: there must be one instance whose component has the properties, and which -
itself, not another one - is in the time range; an alarm is measured from that same instance. An endless series is
looked at lazily, and only where its component has all else that is asked for: its first instance in the range decides.

What nobody can compute in reasonable time does not match: `CalendarObject.parse` and `index` refuse such objects, so
these are in no calendar, and an inbox must stay readable whatever was sent to it. The same holds for malformed times.
"""

from collections.abc import Iterable, Iterator
from datetime import tzinfo

import attrs

from calserver.ical.alarm import Alarm
from calserver.ical.conditions import MaxInstances
from calserver.ical.filter import CompFilter, Filter, ParamFilter, PropFilter
from calserver.ical.meter import Meter
from calserver.ical.model import Component, Property
from calserver.ical.object import CalendarObject
from calserver.ical.recurrence import Series, Span, series_within
from calserver.ical.shape import DAY, has_instances, reach_without_instances, shape_of
from calserver.ical.timerange import TimeRange
from calserver.ical.value import Period, When, ZoneSource, period, unescape, whens

_LOOKED_AT = 100
"""Names that are looked at in one step."""
_COMPARED = 100
"""Characters that are compared in one step."""


def matches(filter: Filter, obj: CalendarObject, *, zone: tzinfo) -> bool:
    """Whether an object matches a filter.

    Args:
        filter: what is asked for.
        obj: any calendar object, beyond the index's horizon or in an inbox too.
        zone: where floating times and days are.
    """
    try:
        return _Matching(obj, zone).calendar(filter.comp)
    except (MaxInstances, ValueError):
        return False  # see above: no such object may make a query fail


@attrs.frozen(slots=True)
class _Matching:
    """An object, and how its times are read."""

    obj: CalendarObject
    zone: tzinfo
    meter: Meter = attrs.field(factory=Meter, init=False)
    """Counts what is compared, so that a filter with many parts cannot look at much text again and again."""

    @property
    def zones(self) -> ZoneSource:
        return self.obj.zones

    def calendar(self, wanted: CompFilter) -> bool:
        """Whether VCALENDAR matches."""
        if wanted.is_not_defined:
            return False
        calendar = self.obj.calendar
        return self.properties(wanted.props, calendar) and all(self.within(each) for each in wanted.comps)

    def within(self, wanted: CompFilter) -> bool:
        """Whether some component of VCALENDAR matches; of the main ones, some instance."""
        components = self.obj.calendar.children(wanted.name)
        if wanted.is_not_defined:
            return not components
        timeless = [each for each in wanted.comps if not each.asks_time]
        timed = [each for each in wanted.comps if each.asks_time]
        fit = [
            component
            for component in components
            if self.properties(wanted.props, component) and all(self.inside(each, component) for each in timeless)
        ]
        if not fit or (wanted.time_range is None and not timed):
            return bool(fit)
        if wanted.name == "VFREEBUSY":
            return any(self.busy_time_is_in(wanted.time_range, component) for component in fit)
        if wanted.name == "VAVAILABILITY":
            return any(self.availability_is_in(wanted.time_range, timed, component) for component in fit)
        return self.instance(wanted.time_range, timed, fit)

    def inside(self, wanted: CompFilter, component: Component) -> bool:
        """Whether a component has one inside that matches, by what does not change from instance to instance."""
        found = component.children(wanted.name)
        if wanted.is_not_defined:
            return not found
        return any(
            self.properties(wanted.props, each) and all(self.inside(inner, each) for inner in wanted.comps)
            for each in found
        )

    # -- instances

    def instance(self, time_range: TimeRange | None, timed: list[CompFilter], fit: list[Component]) -> bool:
        """Whether an instance that one of the components governs is in the range, and has what is timed in it."""
        asked = [_AlarmsAsked(self, each, fit) for each in timed]
        if any(self.undated_is_in(time_range, each) and all(one.always(each) for one in asked) for each in fit):
            return True
        series = Series.of(self.obj, self.zone)
        if not asked:
            return _any_in(time_range or TimeRange(), series.governed(fit, time_range or TimeRange(), Meter()))
        for component in fit:
            around = _common([each.around(component) for each in asked], time_range)
            spans = () if around is None else series.governed([component], around, Meter())
            fits = (span for span in spans if all(each.hits(span) for each in asked))
            if _any_in(time_range or TimeRange(), fits):
                return True
        return False

    def undated_is_in(self, time_range: TimeRange | None, component: Component) -> bool:
        """Whether a component without instances is in the range."""
        if has_instances(component):
            return False
        reach = reach_without_instances(component, self.zones, self.zone)
        return reach is not None and (time_range is None or time_range.overlaps(*reach))

    # -- components that are not instances

    def busy_time_is_in(self, time_range: TimeRange | None, component: Component) -> bool:
        """VFREEBUSY: by its start and end, or else by its periods."""
        if time_range is None:
            return True
        shape = shape_of(component, self.zones, self.zone)
        if shape is not None and component.first("DTEND") is not None:
            start = shape.start.epoch(self.zone)
            return time_range.overlaps(start, start + shape.lasts + shape.trail)
        return any(self.value_is_in(time_range, prop) for prop in component.all("FREEBUSY"))

    def availability_is_in(self, time_range: TimeRange | None, timed: list[CompFilter], component: Component) -> bool:
        """VAVAILABILITY, and AVAILABLE inside of it, which recurs."""
        reach = reach_without_instances(component, self.zones, self.zone)
        if time_range is not None and (reach is None or not time_range.overlaps(*reach)):
            return False
        return all(self.available_is_in(each, component) for each in timed)

    def available_is_in(self, wanted: CompFilter, availability: Component) -> bool:
        """Whether an instance of an AVAILABLE matches."""
        asked = wanted.time_range or TimeRange()
        for series in series_within(availability, wanted.name, self.zones, self.zone):
            fit = [
                each
                for each in series.components
                if self.properties(wanted.props, each) and all(self.inside(inner, each) for inner in wanted.comps)
            ]
            if _any_in(asked, series.governed(fit, asked, Meter())):
                return True
        return False

    # -- properties

    def properties(self, wanted: Iterable[PropFilter], component: Component) -> bool:
        """Whether a component has all the properties that are asked for."""
        return all(self.property(each, component) for each in wanted)

    def property(self, wanted: PropFilter, component: Component) -> bool:
        """Whether one property of a component matches."""
        self.meter.spend(1 + len(component.properties) // _LOOKED_AT)
        found = component.all(wanted.name)
        if wanted.is_not_defined:
            return not found
        return any(self.fits(wanted, prop) for prop in found)

    def fits(self, wanted: PropFilter, prop: Property) -> bool:
        """Whether a property's value and parameters match."""
        if wanted.text_match is not None:
            self.meter.spend(len(prop.value) // _COMPARED)
            if not wanted.text_match.matches(unescape(prop.value)):
                return False
        if wanted.time_range is not None and not self.value_is_in(wanted.time_range, prop):
            return False
        return all(self.has_param(each, prop) for each in wanted.params)

    def has_param(self, wanted: ParamFilter, prop: Property) -> bool:
        """Whether a property has a parameter that matches."""
        self.meter.spend(1 + len(prop.params) // _LOOKED_AT)
        values = next((values for name, values in prop.params if name == wanted.name), None)
        if wanted.is_not_defined or values is None:
            return wanted.is_not_defined and values is None
        self.meter.spend(sum(map(len, values)) // _COMPARED + len(values) // _LOOKED_AT)
        return wanted.text_match is None or wanted.text_match.matches(*values)

    def value_is_in(self, time_range: TimeRange, prop: Property) -> bool:
        """Whether one of the times that are a property's value is in the range: days from midnight to midnight."""
        try:
            return any(time_range.overlaps(lo, hi) for lo, hi in self.intervals(prop))
        except ValueError:
            return False  # not a time: an extension's property, or malformed in an inbox

    def intervals(self, prop: Property) -> Iterator[tuple[int, int]]:
        """The times that are a property's value, as half-open intervals."""
        if prop.name == "FREEBUSY":
            times: Iterable[When | Period] = (period(text) for text in prop.value.split(","))
        else:
            times = whens(prop, self.zones)
        for at in times:
            self.meter.spend()
            if isinstance(at, Period):
                yield at.start.epoch(self.zone), at.end.epoch(self.zone)
            else:
                start = at.epoch(self.zone)
                yield start, start + (DAY if at.is_date else 1)


class _AlarmsAsked:
    """A filter of alarms that has a time range, with the alarms of the components that may satisfy it."""

    def __init__(self, matching: _Matching, wanted: CompFilter, components: list[Component]) -> None:
        self._time_range = wanted.time_range or TimeRange()
        self._zone = matching.zone
        self._relative: dict[int, list[Alarm]] = {}
        self._fixed: set[int] = set()
        """Components with an alarm that goes off in the range whichever the instance is."""
        for component in components:
            found = [
                Alarm.of(each, matching.zones, matching.zone)
                for each in component.children(wanted.name)
                if matching.properties(wanted.props, each) and all(matching.inside(one, each) for one in wanted.comps)
            ]
            alarms = [alarm for alarm in found if alarm is not None]
            self._relative[id(component)] = [alarm for alarm in alarms if alarm.at is None]
            if any(alarm.at is not None and alarm.is_in(self._time_range, alarm.at) for alarm in alarms):
                self._fixed.add(id(component))

    def always(self, component: Component) -> bool:
        """Whether an alarm goes off in the range for whichever instance."""
        return id(component) in self._fixed

    def around(self, component: Component) -> TimeRange | None:
        """Where the instances are whose alarms may go off in the range; None where there are no such."""
        if self.always(component):
            return TimeRange()
        alarms = self._relative[id(component)]
        if not alarms:
            return None
        reach = max(alarm.reach for alarm in alarms)
        return TimeRange(self._time_range.start - reach, self._time_range.end + reach)

    def hits(self, span: Span) -> bool:
        """Whether an alarm of an instance goes off in the range."""
        component = span.shape.component
        return self.always(component) or any(
            alarm.is_in(self._time_range, alarm.first(span, self._zone)) for alarm in self._relative[id(component)]
        )


def _common(around: list[TimeRange | None], time_range: TimeRange | None) -> TimeRange | None:
    """What all ranges have in common; None where it is nothing."""
    ranges = [each for each in (*around, time_range) if each is not None]
    if None in around or not ranges:
        return None
    start, end = max(each.start for each in ranges), min(each.end for each in ranges)
    return TimeRange(start, end) if start < end else None


def _any_in(time_range: TimeRange, spans: Iterable[Span]) -> bool:
    return any(time_range.overlaps(span.lo, span.hi) for span in spans)
