"""When alarms go off (RFC 5545 sections 3.6.6 and 3.8.6), as time ranges ask for it (RFC 4791 section 9.9)."""

from datetime import tzinfo

import attrs

from calserver.ical.model import Component
from calserver.ical.recurrence import Span
from calserver.ical.shape import DAY, epoch_of, wall_of
from calserver.ical.timerange import TimeRange
from calserver.ical.value import Duration, ZoneSource, duration, when

_MOST_REPEATS = 1_000


@attrs.frozen(slots=True, kw_only=True)
class Alarm:
    """The triggers of a VALARM: at an instant, or before or after the start or end of each instance."""

    at: int | None = None
    """Seconds since the epoch; None where it is relative."""
    offset: Duration = attrs.field(factory=Duration)
    from_end: bool = False
    repeats: int = 0
    every: int = 0
    """Seconds between repetitions."""

    @classmethod
    def of(cls, component: Component, zones: ZoneSource, floating: tzinfo) -> "Alarm | None":
        """Read a VALARM; None where it has no trigger.

        Raises:
            ValueError: a property is malformed.
        """
        trigger = component.first("TRIGGER")
        if trigger is None:
            return None
        every = duration(component.value("DURATION") or "PT0S").total
        repeats = min(int(component.value("REPEAT") or 0), _MOST_REPEATS) if every > 0 else 0
        if (trigger.param("VALUE") or "").upper() == "DATE-TIME":
            return cls(at=when(trigger, zones).epoch(floating), repeats=max(0, repeats), every=every)
        return cls(
            offset=duration(trigger.value),
            from_end=(trigger.param("RELATED") or "").upper() == "END",
            repeats=max(0, repeats),
            every=every,
        )

    @property
    def reach(self) -> int:
        """Seconds by which a relative alarm may be away from its instance, at most."""
        return abs(self.offset.total) + self.repeats * self.every + DAY

    def is_in(self, time_range: TimeRange, first: int) -> bool:
        """Whether it goes off in a time range, if for the first time at `first`."""
        into = 0
        if self.repeats:
            into = min(self.repeats, max(0, -((first - time_range.start) // self.every)))
        return time_range.start <= first + into * self.every < time_range.end

    def first(self, span: Span, floating: tzinfo) -> int:
        """When it goes off for the first time, for an instance.

        Days of the offset are counted on the wall clock (RFC 5545 section 3.3.6).
        """
        if self.at is not None:
            return self.at
        epoch = span.end if self.from_end else span.start
        if self.offset.days:
            zone = span.shape.zone(floating)
            epoch = epoch_of(wall_of(epoch, zone) + self.offset.days * DAY, zone)
        return epoch + self.offset.seconds
