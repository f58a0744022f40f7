"""A scheduling object by its instances: which component governs which (RFC 5545 section 3.8.4.4).

A `Key` names an instance whichever way its RECURRENCE-ID is written: seconds since the epoch of the time that the
series gives it, read as UTC where that floats; None is the master. A day in a series of times means the instance on it.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Property, When, Zones
from calserver.itip.meaning import BOOKKEEPING, PEOPLE, instants, meaning

Key = int | None

_RANGE: Final = "THISANDFUTURE"
_YEAR: Final = 366 * 86400
_NOT_DERIVED: Final = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID", "DTSTART", "DTEND", "DUE"})


@attrs.frozen(slots=False)
class Meeting:
    """The components of one UID by the instances that they stand for."""

    components: dict[Key, Component]
    zones: Zones = attrs.field(eq=False, repr=False)
    timezones: tuple[Component, ...] = attrs.field(default=(), repr=False)
    """The VTIMEZONEs that its times need."""

    @classmethod
    def of(cls, found: CalendarObject | None) -> "Meeting":
        """That of a calendar object; without one it has no components.

        Raises:
            ValueError: a property is malformed.
        """
        if found is None:
            return cls({}, Zones())
        return cls.made_of(found.components, found.calendar.children("VTIMEZONE"), found.zones)

    @classmethod
    def made_of(
        cls, components: Iterable[Component], timezones: tuple[Component, ...], zones: Zones | None = None
    ) -> "Meeting":
        """That of some components and the VTIMEZONEs beside them.

        Raises:
            ValueError: a property is malformed.
        """
        components = tuple(components)
        zones = zones or Zones(Component("VCALENDAR", (), timezones))
        start = start_of(next((each for each in components if each.first("RECURRENCE-ID") is None), None), zones)
        return cls({key_of(each, zones, start): each for each in components}, zones, timezones)

    def with_components(self, components: dict[Key, Component]) -> "Meeting":
        """Other components, whose times need the same zones."""
        return attrs.evolve(self, components=components)

    @property
    def master(self) -> Component | None:
        """The component without RECURRENCE-ID."""
        return self.components.get(None)

    @property
    def keys(self) -> list[Key]:
        """The master first, then the overrides by time."""
        return sorted(self.components, key=_order)

    @cached_property
    def start(self) -> When | None:
        """Where the master starts."""
        return start_of(self.master, self.zones)

    @cached_property
    def excluded(self) -> frozenset[int]:
        """The instances that an EXDATE of the master takes away."""
        return frozenset() if self.master is None else instants(self.master, "EXDATE", self.zones)

    def covers(self, key: Key) -> bool:
        """Whether the instance is in it: it has a component or the series makes it."""
        return key in self.components or (key is not None and self.makes(key))

    def makes(self, key: int) -> bool:
        """Whether the master makes the instance."""
        if key not in self._made:
            self._made[key] = self._makes(key)
        return self._made[key]

    def could_make(self, key: int) -> bool:
        """Whether the series would make the instance if it were neither excluded nor ended (what clients may store)."""
        master = self.master
        if master is None or master.first("RRULE") is None or self.makes(key):
            return True
        unbounded = tuple(
            each.with_value(endless(each.value)) if each.name == "RRULE" else each
            for each in master.properties
            if each.name not in ("EXDATE", "EXRULE")
        )
        return attrs.evolve(self, components={None: attrs.evolve(master, properties=unbounded)}).makes(key)

    @cached_property
    def _made(self) -> dict[int, bool]:
        return {}

    def _makes(self, key: int) -> bool:
        if self.master is None or not is_recurring(self.master) or key in self.excluded:
            return False
        return key in self._starts(key - 1, key + 1, 100)

    def _starts(self, since: int, until: int, limit: int) -> list[int]:
        """When the series begins in some time, by the master alone; nothing where that costs too much to say."""
        components = () if self.master is None else (self.master,)
        alone = CalendarObject.of(Component("VCALENDAR", (), (*self.timezones, *components)), b"")
        try:
            first, last = datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC)
            return [int(each.start.timestamp()) for each in ical.expand(alone, first, last, zone=UTC, limit=limit)]
        except (ValueError, OverflowError, ical.MaxInstances):
            return []

    def governing(self, key: Key) -> Component | None:
        """The component of an instance: its own, or what the series says of it; None where it is not in it."""
        own = self.components.get(key)
        return own if own is not None else self.derived(key)

    def derived(self, key: Key) -> Component | None:
        """The override that says of an instance what the series says; None where the series does not make it."""
        if key is None or not self.makes(key):
            return None
        return self.like_series(key)

    def like_series(self, key: int) -> Component | None:
        """The same of an instance that the series may have excluded by now; None without a series."""
        start, governing = self.start, self.components.get(self.follows(key))
        if start is None or governing is None:
            return None
        return at_instance(governing, self._era_start(governing, start), start, key, self.zones)

    def only_participation(self, key: int) -> bool:
        """Whether an override says of its instance what the series says, but for who takes part."""
        own, series = self.components.get(key), self.like_series_or_none(key)
        if own is None or series is None or own.components != series.components:
            return False
        ignored = BOOKKEEPING | PEOPLE | {"TRANSP"}
        return meaning(own, self.zones, ignored) == meaning(series, self.zones, ignored)

    def like_series_or_none(self, key: int) -> Component | None:
        """What the series says of an instance, whether it has an override or not; None where it does not make it."""
        return self.like_series(key) if self.makes(key) else None

    @property
    def eras(self) -> frozenset[int]:
        """The overrides that stand for their instance and future ones."""
        return frozenset(key for key, each in self.components.items() if key is not None and is_era(each))

    def next_open(self, key: int, without: Collection[int] = ()) -> int | None:
        """The first of the instances within a year that has no override for itself alone, and is not one of some."""
        closed = {*self.components, *without} - self.eras
        return next(
            (each for each in self._starts(key + 1, key + _YEAR, 1000) if each > key and each not in closed), None
        )

    def between(self, first: int, last: int) -> list[int]:
        """The instances of the series after one and before another, a thousand at most."""
        return [each for each in self._starts(first + 1, last, 1000) if first < each < last]

    def follows(self, key: int) -> Key:
        """What an instance without a component is like: the last override for future ones before it, or the series."""
        return max((each for each in self.eras if each < key), default=None)

    def _era_start(self, governing: Component, start: When) -> When:
        prop = governing.first("RECURRENCE-ID")
        return start if prop is None else ical.when(prop, self.zones)


def key_of(component: Component, zones: Zones, start: When | None = None) -> Key:
    """The instance that a component stands for.

    Args:
        component: it.
        zones: those of its TZIDs.
        start: of the master, where there is one.

    Raises:
        ValueError: RECURRENCE-ID is malformed.
    """
    prop = component.first("RECURRENCE-ID")
    if prop is None:
        return None
    at = ical.when(prop, zones)
    if start is None or at.is_date == start.is_date:
        return at.epoch()
    if at.is_date:
        return start.moved(at.local.replace(hour=start.local.hour, minute=start.local.minute)).epoch()
    return start.moved(at.local.replace(hour=0, minute=0, second=0)).epoch()


def alone(component: Component) -> Component:
    """An override that stands for its instance only."""
    prop = component.first("RECURRENCE-ID")
    if prop is None or prop.param("RANGE") is None:
        return component
    return component.replacing("RECURRENCE-ID", prop.with_param("RANGE", None))


def endless(rule: str) -> str:
    """A rule without its end."""
    return ";".join(part for part in rule.split(";") if part.partition("=")[0].upper() not in ("COUNT", "UNTIL"))


def is_recurring(component: Component) -> bool:
    """Whether a master repeats."""
    return component.first("RRULE") is not None or component.first("RDATE") is not None


def written_like(start: When, key: int) -> When:
    """An instance written as the master writes its start."""
    return start.moved(ical.wall_clock(key, start.zone or UTC))


def at_instance(governing: Component, begins: When, start: When, key: int, zones: Zones) -> Component:
    """The override that says of the instance `key` what `governing` says of the one at `begins`."""
    instance = written_like(start, key)
    moved_by = instance.local - begins.local
    kept: list[Property] = [instance.property("RECURRENCE-ID")]
    for prop in governing.properties:
        if prop.name in ("DTSTART", "DTEND", "DUE"):
            at = ical.when(prop, zones)
            kept.append(prop.with_value(at.moved(at.local + moved_by).text()))
        elif prop.name not in _NOT_DERIVED:
            kept.append(prop)
    return attrs.evolve(governing, properties=tuple(kept))


def calendar(like: Component | None, components: list[Component], zones: tuple[Component, ...]) -> CalendarObject:
    """A calendar object of some components, with the properties of the VCALENDAR `like` and the zones they need."""
    properties = () if like is None else tuple(each for each in like.properties if each.name != "METHOD")
    if like is None:
        properties = (Property("VERSION", "2.0"), Property("PRODID", "-//calserver//itip//EN"))
    named = {
        prop.param("TZID")
        for each in components
        for part in each.walk()
        for prop in part.properties
        if prop.params and prop.name not in PEOPLE
    }
    needed = tuple(each for each in zones if ical.unescape(each.value("TZID") or "") in named)
    return CalendarObject.of(Component("VCALENDAR", properties, (*needed, *components)))


def start_of(master: Component | None, zones: Zones) -> When | None:
    """Where a master starts; a task without start at its end."""
    prop = None if master is None else (master.first("DTSTART") or master.first("DUE"))
    return None if prop is None else ical.when(prop, zones)


def is_era(component: Component) -> bool:
    """Whether an override stands for its instance and all that follow (RFC 5545 section 3.2.13)."""
    prop = component.first("RECURRENCE-ID")
    return prop is not None and (prop.param("RANGE") or "").upper() == _RANGE


def as_era(component: Component) -> Component:
    """An override that stands for its instance and all that follow."""
    prop = component.first("RECURRENCE-ID")
    return component if prop is None else component.replacing("RECURRENCE-ID", prop.with_param("RANGE", _RANGE))


def ranging_like(component: Component, other: Component) -> Component:
    """An override that stands for as many instances as another does."""
    return as_era(component) if is_era(other) else alone(component)


def _order(key: Key) -> tuple[bool, int]:
    return key is not None, key or 0
