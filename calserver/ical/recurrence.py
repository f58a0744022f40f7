"""Recurrence sets: which instances a series has, and which component governs each (RFC 5545 section 3.8.5).

An instance is known by the time that the master gives it, whatever an override makes of it: wall seconds in the zone of
the master, compared as instants. The set is DTSTART, the RRULEs and RDATEs without the EXDATEs, plus all overrides: an
override stands also where no rule puts an instance. An override with RANGE=THISANDFUTURE begins an **era**: later
instances are governed by it, moved and lasting as it is, unless they have an override of their own.

Where a rule names a wall clock that does not exist, the instance is an hour later rather than left out (RFC 5545 says
both, in sections 3.3.5 and 3.3.10; all clients do this).
"""

import heapq
from collections.abc import Container, Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from itertools import groupby, zip_longest
from typing import Final, NamedTuple

import attrs

from calserver.ical.conditions import MaxInstances
from calserver.ical.meter import Meter
from calserver.ical.model import Component
from calserver.ical.object import CalendarObject
from calserver.ical.repeat import repeat
from calserver.ical.rule import Rule
from calserver.ical.shape import DAY, Shape, at_wall, epoch_of, shape_of, wall_of
from calserver.ical.timerange import TimeRange
from calserver.ical.value import Period, When, ZoneSource, seconds_on_the_wall, when, whens

_FIRST: Final = seconds_on_the_wall(datetime(100, 1, 1))  # noqa: DTZ001 - a wall clock
_LAST: Final = seconds_on_the_wall(datetime(2200, 1, 1))  # noqa: DTZ001 - a wall clock
"""Rules end here: a hundred years after the last date that may be stored."""

_parsed = lru_cache(maxsize=512)(Rule.parse)


class Span(NamedTuple):
    """One instance as numbers: seconds since the epoch; ``lo`` and ``hi`` bound the time ranges that it is in."""

    start: int
    end: int
    lo: int
    hi: int
    wall: int
    """The start on the wall clock of the shape's zone."""
    shape: Shape
    instance: int | None
    """The wall time that the master gives it; None for an override that stands by itself."""
    end_wall: int | None
    """The end on the wall clock, for what floats."""


@attrs.frozen(slots=True)
class Occurrence:
    """One instance. ``start`` and ``end`` are aware UTC; what floats was read in the zone that was given."""

    start: datetime
    end: datetime
    recurrence_id: When | None
    """The time that the master gives it; None where there is only this one."""
    is_override: bool
    span: Span = attrs.field(repr=False)

    @property
    def component(self) -> Component:
        """What governs it: the master or an override."""
        return self.span.shape.component

    @property
    def floating(self) -> bool:
        """Whether it is a day or has floating times."""
        return self.span.shape.start.zone is None

    @property
    def local_start(self) -> When:
        """The start, written as the component writes its own."""
        return self.span.shape.start_at(self.span.wall)

    @property
    def local_end(self) -> When:
        """The end, written as the component writes its own."""
        shape, span = self.span.shape, self.span
        if span.end_wall is not None:
            return shape.end.moved(at_wall(span.end_wall))
        return shape.end_at(span.wall, span.start, span.end)


@attrs.frozen(slots=True)
class _Era:
    """From the instance `first` on, a shape governs, moved by `shift` seconds on the wall clock."""

    first: int
    shape: Shape
    shift: int


def expand(obj: CalendarObject, start: datetime, end: datetime, *, zone: tzinfo, limit: int) -> list[Occurrence]:
    """The instances in a time range, by start (RFC 4791 section 9.9; start is inclusive and end exclusive).

    Args:
        obj: what recurs.
        start: aware.
        end: aware.
        zone: where floating times and days are.
        limit: the most instances.

    Raises:
        MaxInstances: there are more, or finding them costs too much.
        ValueError: a property is malformed.
    """
    series = Series.of(obj, zone)
    found: list[Span] = []
    for span in series.spans(int(start.timestamp()), int(end.timestamp()), Meter()):
        found.append(span)
        if len(found) > limit:
            raise MaxInstances(f"there are more than {limit} instances")
    return [series.occurrence(span) for span in sorted(found, key=lambda span: (span.start, span.end))]


class Series:
    """The recurrence set of components with one UID.

    Args:
        master: the component without RECURRENCE-ID; None where there is none.
        overrides: those with one.
        zones: the zones of their TZIDs.
        floating: where floating times and days are.

    Raises:
        ValueError: a property is malformed.
    """

    def __init__(
        self, master: Component | None, overrides: Iterable[Component], zones: ZoneSource, floating: tzinfo
    ) -> None:
        self.floating = floating
        self.components = (*(() if master is None else (master,)), *overrides)
        self.master = None if master is None else shape_of(master, zones, floating)
        self._zone = floating if self.master is None else self.master.zone(floating)
        self._all_day = self.master is not None and self.master.start.is_date
        self._rules: list[Rule] = []
        self._excluding: list[Rule] = []
        self._added: list[int] = []
        self._lasting: dict[int, int] = {}
        """Wall time of an instance to the seconds that it lasts: RDATEs that are periods."""
        self._replaced: set[int] = set()
        """Instances that are excluded or have an override of their own."""
        self._excluded_days: set[int] = set()
        self._overrides: dict[int, tuple[Shape, When]] = {}
        """The id of a shape to it and its RECURRENCE-ID."""
        self._eras: list[_Era] = []
        if master is not None and self.master is not None:
            self._read_set(master, zones)
            self._eras.append(_Era(_FIRST, self.master, 0))
        for each in self.components[master is not None :]:
            self._read_override(each, zones)
        self._eras.sort(key=lambda era: era.first)

    @classmethod
    def of(cls, obj: CalendarObject, floating: tzinfo) -> "Series":
        """That of a calendar object.

        Raises:
            ValueError: a property is malformed.
        """
        return cls(obj.master, obj.overrides, obj.zones, floating)

    @property
    def is_recurring(self) -> bool:
        """Whether instances are told apart by RECURRENCE-ID."""
        return bool(self._rules or self._added or self._overrides)

    @property
    def is_endless(self) -> bool:
        """Whether a rule has neither COUNT nor UNTIL."""
        return any(rule.count is None and rule.until is None for rule in self._rules)

    @property
    def until(self) -> int | None:
        """An instant after all instances that rules make, where each of them has UNTIL."""
        ends = [rule.until.epoch(self._zone) for rule in self._rules if rule.until is not None]
        if not ends or len(ends) < len(self._rules):
            return None
        return max(ends) + 2 * DAY + max(era.shape.lasts + abs(era.shift) for era in self._eras)

    # -- reading

    def _read_set(self, master: Component, zones: ZoneSource) -> None:
        for prop in master.properties:
            if prop.name == "RRULE":
                self._rules.append(_parsed(prop.value))
            elif prop.name == "EXRULE":
                self._excluding.append(_parsed(prop.value))
            elif prop.name == "RDATE":
                for added in whens(prop, zones):
                    self._add(added)
            elif prop.name == "EXDATE":
                for excluded in whens(prop, zones):
                    self._exclude(excluded.start if isinstance(excluded, Period) else excluded)
        self._added.sort()

    def _add(self, added: When | Period) -> None:
        if isinstance(added, Period):
            wall = self._instance(added.start)
            self._lasting[wall] = added.end.epoch(self._zone) - added.start.epoch(self._zone)
        else:
            wall = self._instance(added)
        self._added.append(wall)

    def _exclude(self, excluded: When) -> None:
        if excluded.is_date and not self._all_day:
            self._excluded_days.add(seconds_on_the_wall(excluded.local) // DAY)
        else:
            self._replaced.add(self._key(self._instance(excluded)))

    def _read_override(self, component: Component, zones: ZoneSource) -> None:
        shape, prop = shape_of(component, zones, self.floating), component.first("RECURRENCE-ID")
        if shape is None or prop is None:
            return
        recurrence_id = when(prop, zones)
        self._overrides[id(shape)] = shape, recurrence_id
        instance = self._instance(recurrence_id)
        self._replaced.add(self._key(instance))
        if self.master is not None and (prop.param("RANGE") or "").upper() == "THISANDFUTURE":
            moved = seconds_on_the_wall(shape.start.local) - self._wall_in(shape, instance)
            self._eras.append(_Era(instance, shape, moved))

    def _instance(self, at: When) -> int:
        """The wall time of an instance in the master's zone."""
        wall = seconds_on_the_wall(at.local)
        if self._all_day:
            return wall - wall % DAY
        if at.is_date and self.master is not None:
            return wall + seconds_on_the_wall(self.master.start.local) % DAY
        if at.zone is None or at.zone is self._zone:
            return wall
        return wall_of(at.epoch(), self._zone)

    def _key(self, instance: int) -> int:
        """By which instances are compared: days as they are written, times as instants."""
        return instance if self._all_day else epoch_of(instance, self._zone)

    def _wall_in(self, shape: Shape, instance: int) -> int:
        """The wall time of an instance on the clock of an override."""
        zone = shape.zone(self.floating)
        if zone is self._zone or self._all_day or shape.start.is_date:
            return instance
        return wall_of(epoch_of(instance, self._zone), zone)

    # -- the set

    def spans(self, lo: int, hi: int, meter: Meter) -> Iterator[Span]:
        """The instances in ``[lo, hi)``: first the overrides, then the others as the master orders them.

        Raises:
            MaxInstances: finding them costs too much.
        """
        for found in (self.own(), *self.eras(lo, hi, meter)):
            for span in found:
                if span.lo < hi and lo < span.hi:
                    yield span

    def governed(self, components: Iterable[Component], time_range: TimeRange, meter: Meter) -> Iterator[Span]:
        """The instances in a time range that one of some components governs: those with an override first.

        Raises:
            MaxInstances: finding them costs too much.
        """
        wanted = {id(component) for component in components}
        own = (span for span in self.own() if id(span.shape.component) in wanted)
        lo, hi = time_range.start, time_range.end
        for found in (own, *self.eras(lo, hi, meter, wanted)):
            for span in found:
                if span.lo < hi and lo < span.hi:
                    yield span

    def own(self) -> Iterator[Span]:
        """The instances that have an override of their own."""
        for shape, recurrence_id in self._overrides.values():
            zone, wall = shape.zone(self.floating), seconds_on_the_wall(shape.start.local)
            start = epoch_of(wall, zone)
            end = shape.end_of(wall, start, zone)
            end_wall = wall + shape.lasts if shape.start.zone is None else None
            instance = None if self.master is None else self._instance(recurrence_id)
            yield Span(start, end, start - shape.lead, end + shape.trail, wall, shape, instance, end_wall)

    def eras(self, lo: int, hi: int, meter: Meter, governing: Container[int] | None = None) -> Iterator[Iterator[Span]]:
        """The other instances in ``[lo, hi)`` and some near it, in order; one iterator for each era.

        Args:
            lo: seconds since the epoch.
            hi: the same, exclusive.
            meter: counts the steps.
            governing: ids of the components whose eras are wanted; None for all.

        Raises:
            MaxInstances: finding them costs too much.
        """
        for era, after in zip_longest(self._eras, self._eras[1:]):
            if governing is None or id(era.shape.component) in governing:
                first, last = era.first, _LAST if after is None else after.first - 1
                if self._rules or self._added:
                    first, last = self._window(era, first, last, lo, hi)
                if first <= last:
                    yield self._era(era, first, last, meter)

    def _window(self, era: _Era, first: int, last: int, lo: int, hi: int) -> tuple[int, int]:
        """Between which instances of an era those in ``[lo, hi)`` are, on the master's wall clock."""
        shape = era.shape
        zone = shape.zone(self.floating)
        lasts = max(shape.lasts, *self._lasting.values()) if self._lasting else shape.lasts
        least, greatest = lo - lasts - shape.trail - era.shift, hi + shape.lead - era.shift
        if least - 2 * DAY > last or greatest + 2 * DAY < first:
            return first, first - 1
        apart = 0 if zone is self._zone else 2 * DAY
        return (
            max(first, _least_wall(least + era.shift, zone) - era.shift - apart),
            min(last, _greatest_wall(greatest + era.shift, zone) - era.shift + apart),
        )

    def _era(self, era: _Era, first: int, last: int, meter: Meter) -> Iterator[Span]:
        shape = era.shape
        zone = shape.zone(self.floating)
        moved = shape is not self.master
        lasting = {} if moved else self._lasting
        days, seconds, lead, trail, floats = (
            shape.days,
            shape.seconds,
            shape.lead,
            shape.trail,
            shape.start.zone is None,
        )
        for instance in self._instances(first, last, meter):
            wall = self._wall_in(shape, instance) + era.shift if moved else instance
            start = epoch_of(wall, zone)
            end_wall = None
            if floats:
                end_wall = wall + lasting.get(instance, shape.lasts)
                end = epoch_of(end_wall, zone)
            elif instance in lasting:
                end = start + lasting[instance]
            else:
                end = (epoch_of(wall + days * DAY, zone) if days else start) + seconds
            yield Span(start, end, start - lead, end + trail, wall, shape, instance, end_wall)

    def _instances(self, first: int, last: int, meter: Meter) -> Iterator[int]:
        """The wall times of the instances that have no override, in order."""
        found = self._unfiltered(first, last, meter)
        replaced, days = self._replaced, self._excluded_days
        if replaced:
            found = (at for at in found if self._key(at) not in replaced)
        return (at for at in found if at // DAY not in days) if days else found

    def _unfiltered(self, first: int, last: int, meter: Meter) -> Iterator[int]:
        assert self.master is not None, "there are no eras without a master"
        start = seconds_on_the_wall(self.master.start.local)
        sources: list[Iterable[int]] = [self._by_rule(rule, start, first, last, meter) for rule in self._rules]
        if not self._rules and first <= start <= last:
            sources.append([start])
        if self._added:
            sources.append([added for added in self._added if first <= added <= last])
        merged = iter(sources[0]) if len(sources) == 1 else _distinct(heapq.merge(*sources))
        if self._excluding:
            excluding = heapq.merge(*(self._excluded(rule, start, first, last, meter) for rule in self._excluding))
            return _without(merged, excluding)
        return merged

    def _by_rule(self, rule: Rule, start: int, first: int, last: int, meter: Meter) -> Iterator[int]:
        if rule.until is None:
            return repeat(rule, start, meter, first=first, last=last)
        return self._until(rule, rule.until, start, first, last, meter)

    def _until(self, rule: Rule, until: When, start: int, first: int, last: int, meter: Meter) -> Iterator[int]:
        """The repetitions up to UNTIL, which is inclusive; days and times are compared as far as they can be."""
        bound = seconds_on_the_wall(until.local)
        if until.is_date or self._all_day:
            bound += DAY - 1 - bound % DAY
            yield from repeat(rule, start, meter, first=first, last=max(start, min(last, bound)))
            return
        epoch = max(_FIRST, min(_LAST, until.epoch(self._zone)))
        bound = epoch if self._zone is UTC else wall_of(epoch, self._zone)
        for instance in repeat(rule, start, meter, first=first, last=max(start, min(last, bound + 2 * 3600))):
            if instance > bound - DAY and instance != start and epoch_of(instance, self._zone) > epoch:
                return
            yield instance

    def _excluded(self, rule: Rule, start: int, first: int, last: int, meter: Meter) -> Iterator[int]:
        return (at for at in self._by_rule(rule, start, first, last, meter) if at >= start)

    def is_period(self, span: Span) -> bool:
        """Whether an instance lasts as an RDATE says that is a period, and not as its component."""
        return bool(self._lasting) and span.shape is self.master and span.instance in self._lasting

    def replaced(self, span: Span) -> tuple[int, int] | None:
        """Where the instance would be that an override replaces; None where nothing tells."""
        if span.instance is None or self.master is None:
            own = self.recurrence_id(span)
            return None if own is None else (at := own.epoch(self.floating), at + 1)
        start = epoch_of(span.instance, self._zone)
        end = self.master.end_of(span.instance, start, self._zone)
        return start - self.master.lead, end + self.master.trail

    # -- what it looks like

    def occurrence(self, span: Span) -> Occurrence:
        """An instance with its times as they are written."""
        return Occurrence(
            datetime.fromtimestamp(span.start, UTC),
            datetime.fromtimestamp(span.end, UTC),
            self.recurrence_id(span),
            span.shape is not self.master,
            span,
        )

    def recurrence_id(self, span: Span) -> When | None:
        """The time that the master gives an instance; None where there is only one."""
        if span.instance is None or self.master is None:
            found = self._overrides.get(id(span.shape))
            return None if found is None else found[1]
        return self.master.start.moved(at_wall(span.instance)) if self.is_recurring else None


def series_within(outer: Component, name: str, zones: ZoneSource, floating: tzinfo) -> Iterator[Series]:
    """The recurrence sets of the components inside of another, one for each UID."""
    found = sorted(outer.children(name), key=_uid)
    for _, group in groupby(found, key=_uid):
        components = list(group)
        masters = [each for each in components if each.first("RECURRENCE-ID") is None]
        overrides = [each for each in components if each.first("RECURRENCE-ID") is not None]
        for master in masters[1:]:
            yield Series(master, (), zones, floating)
        yield Series(masters[0] if masters else None, overrides, zones, floating)


def _uid(component: Component) -> str:
    return component.value("UID") or ""


def _least_wall(epoch: int, zone: tzinfo) -> int:
    """A wall time before which nothing is at `epoch` or later, whatever the clock does on that day."""
    epoch = max(_FIRST, min(_LAST, epoch))
    return epoch if zone is UTC else min(wall_of(epoch + near, zone) - near for near in (-DAY, 0, DAY))


def _greatest_wall(epoch: int, zone: tzinfo) -> int:
    """A wall time after which nothing is at `epoch` or earlier, whatever the clock does on that day."""
    epoch = max(_FIRST, min(_LAST, epoch))
    return epoch if zone is UTC else max(wall_of(epoch + near, zone) - near for near in (-DAY, 0, DAY))


def _distinct(ordered: Iterable[int]) -> Iterator[int]:
    before = None
    for each in ordered:
        if each != before:
            yield each
        before = each


def _without(ordered: Iterable[int], excluding: Iterator[int]) -> Iterator[int]:
    """What is in one ordered series and not in the other."""
    excluded = next(excluding, None)
    for each in ordered:
        while excluded is not None and excluded < each:
            excluded = next(excluding, None)
        if each != excluded:
            yield each
