"""When a component takes place, and which time ranges it is in (RFC 5545 section 3.6, RFC 4791 section 9.9).

A `Shape` is what all instances that a component governs have in common: how long they last, and how far they reach. The
conditions of RFC 4791 section 9.9 compare start and end of a time range with instants, some of them strictly and some
not. As all of these are whole seconds, each condition is the overlap of the range with a half-open interval that
begins ``lead`` seconds before the start and ends ``trail`` seconds after the end; so one interval per instance says
which ranges it is in, and an index of intervals answers a query exactly.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import attrs

from calserver.ical.model import Component
from calserver.ical.value import Duration, When, ZoneSource, duration, seconds_on_the_wall, wall_clock, when

DAY: Final = 86_400
FOREVER: Final = 253_402_300_800
"""Seconds since the epoch where the year 9999 ends: the end of what has none."""
EVER: Final = -62_135_596_800
"""Seconds since the epoch where the year 1 begins: the start of what has none."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the epoch on any wall
_END: Final = {"VTODO": "DUE"}


@attrs.frozen(slots=True, kw_only=True)
class Shape:
    """What the instances of a component have in common.

    They last ``days`` on the wall clock and then ``seconds``: exactly where the component has an end, nominally where
    it has a DURATION (RFC 5545 section 3.8.5.3).
    """

    component: Component
    start: When
    end: When
    days: int
    seconds: int
    lead: int
    trail: int

    @property
    def lasts(self) -> int:
        """Seconds, days counted as 24 hours."""
        return self.days * DAY + self.seconds

    def zone(self, floating: tzinfo) -> tzinfo:
        """The zone of its wall clock; `floating` where it has none."""
        return self.start.zone or floating

    def end_of(self, wall: int, epoch: int, zone: tzinfo) -> int:
        """The instant at which an instance ends that starts at `wall`, which is `epoch` in `zone`."""
        if self.start.zone is None:
            return epoch_of(wall + self.lasts, zone)
        return (epoch_of(wall + self.days * DAY, zone) if self.days else epoch) + self.seconds

    def start_at(self, wall: int) -> When:
        """The start of an instance, written as the component writes its own."""
        return self.start.moved(at_wall(wall))

    def end_at(self, wall: int, start: int, end: int) -> When:
        """The end of an instance of what does not float, written as the component writes its own."""
        zone, same = self.end.zone, end + wall - start
        if zone is None:  # a task that starts at a time and is due on a day
            return self.end.moved(self.end.local + (at_wall(wall) - self.start.local))
        if zone is self.start.zone and epoch_of(same, zone) == end:
            return self.end.moved(at_wall(same))
        return self.end.moved(wall_clock(end, zone))


def epoch_of(wall: int, zone: tzinfo) -> int:
    """The instant of wall seconds in a zone (RFC 5545 section 3.3.5 where the clock is changed).

    Raises:
        ValueError: it lies outside the years 1 to 9999.
    """
    if zone is UTC:
        return wall
    try:
        offset = zone.utcoffset(datetime.fromtimestamp(wall, UTC))  # a zone reads the clock only, not whose it is
    except (OverflowError, OSError):
        raise ValueError("a time lies outside the years 1 to 9999") from None
    return wall if offset is None else wall - offset.days * DAY - offset.seconds


def wall_of(epoch: int, zone: tzinfo) -> int:
    """The wall seconds of an instant in a zone."""
    return epoch if zone is UTC else seconds_on_the_wall(wall_clock(epoch, zone))


def at_wall(wall: int) -> datetime:
    """Wall seconds as a naive time.

    Raises:
        ValueError: it lies outside the years 1 to 9999.
    """
    try:
        return _EPOCH + timedelta(seconds=wall)
    except OverflowError:
        raise ValueError("a time lies outside the years 1 to 9999") from None


def shape_of(component: Component, zones: ZoneSource, floating: tzinfo = UTC) -> Shape | None:
    """How the instances of a component are; None where it has no time.

    A task without DTSTART is at its DUE. An end before the start counts as none.

    Raises:
        ValueError: a property is malformed.
    """
    start = _when(component, "DTSTART", zones)
    end = _when(component, _END.get(component.name, "DTEND"), zones)
    if start is None:
        if component.name != "VTODO" or end is None:
            return None
        return Shape(component=component, start=end, end=end, days=0, seconds=0, lead=1, trail=0)
    days, seconds = _lasting(component, start, end, floating)
    if component.name == "VTODO":
        lead, trail = _reach_of_task(component, days * DAY + seconds, has_due=end is not None)
    else:
        lead, trail = 0, int(component.name == "VFREEBUSY" or days * DAY + seconds <= 0)
    if days * DAY + seconds < 0:
        days = seconds = 0
    return Shape(component=component, start=start, end=end or start, days=days, seconds=seconds, lead=lead, trail=trail)


def _when(component: Component, name: str, zones: ZoneSource) -> When | None:
    found = component.first(name)
    return None if found is None else when(found, zones)


def _lasting(component: Component, start: When, end: When | None, floating: tzinfo) -> tuple[int, int]:
    """Days on the wall clock, and exact seconds."""
    if end is not None:
        if start.is_date and end.is_date:
            return (end.local - start.local).days, 0
        if start.zone is None and end.zone is None:
            return 0, seconds_on_the_wall(end.local) - seconds_on_the_wall(start.local)
        return 0, end.epoch(floating) - start.epoch(floating)
    text = component.value("DURATION")
    if text is not None:
        nominal = duration(text)
        return _whole_days(nominal) if start.is_date else (nominal.days, nominal.seconds)
    return (1, 0) if start.is_date and component.name != "VTODO" else (0, 0)


def _whole_days(nominal: Duration) -> tuple[int, int]:
    return nominal.days + nominal.seconds // DAY, 0


def _reach_of_task(component: Component, lasts: int, *, has_due: bool) -> tuple[int, int]:
    """Lead and trail of a task that starts (the first three rows of the table in RFC 4791 section 9.9)."""
    if has_due:
        return (0, 0) if lasts > 0 else (1 - lasts, 1)
    if component.first("DURATION") is not None:
        return (0, 1) if lasts > 0 else (1, 1)
    return 0, 1


def has_instances(component: Component) -> bool:
    """Whether a component takes place at some time; all others may still be in time ranges."""
    if component.name == "VAVAILABILITY":
        return False
    return component.first("DTSTART") is not None or (component.name == "VTODO" and component.first("DUE") is not None)


def reach_without_instances(component: Component, zones: ZoneSource, floating: tzinfo = UTC) -> tuple[int, int] | None:
    """The interval in which a component is that has no `Shape`, or none that counts; None where it is in no range.

    Tasks are where they were created or completed (the last four rows of the table in RFC 4791 section 9.9), an
    availability may be without end (RFC 7953 section 7.2), and an event without a start, as an inbox may hold it, is in
    every range (RFC 6638 section 4.3 as drafted; RFC 5546 allows it in a request for a refresh).

    Raises:
        ValueError: a property is malformed.
    """
    if component.name == "VAVAILABILITY":
        return _reach_of_availability(component, zones, floating)
    if component.name == "VTODO":
        return _reach_of_undated_task(component, zones, floating)
    return (EVER, FOREVER) if component.name == "VEVENT" else None


def _reach_of_availability(component: Component, zones: ZoneSource, floating: tzinfo) -> tuple[int, int]:
    shape = shape_of(component, zones, floating)
    end = _when(component, "DTEND", zones)
    if shape is None:
        return EVER, FOREVER if end is None else end.epoch(floating)
    start = shape.start.epoch(floating)
    if end is None and component.first("DURATION") is None:
        return start, FOREVER
    return start, shape.end_of(seconds_on_the_wall(shape.start.local), start, shape.zone(floating))


def _reach_of_undated_task(component: Component, zones: ZoneSource, floating: tzinfo) -> tuple[int, int]:
    created, completed = (_when(component, name, zones) for name in ("CREATED", "COMPLETED"))
    if completed is None:
        return EVER if created is None else created.epoch(floating), FOREVER
    moments = [at.epoch(floating) for at in (created, completed) if at is not None]
    return min(moments) - 1, max(moments) + 1
