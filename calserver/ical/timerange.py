"""Time ranges of queries (RFC 4791 section 9.9), and the elements that have the same attributes."""

from datetime import UTC, datetime, timedelta, tzinfo

import attrs
from lxml import etree

from calserver.ical.shape import EVER, FOREVER
from calserver.ical.value import date_or_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(slots=True)
class TimeRange:
    """From `start` to `end`, exclusive, in seconds since the epoch; `EVER` and `FOREVER` where there is no bound."""

    start: int = EVER
    end: int = FOREVER

    @classmethod
    def parse(cls, element: etree._Element, *, closed: bool = False) -> "TimeRange":
        """The range of a ``CALDAV:time-range`` element, or of another with its attributes.

        Args:
            element: has ``start`` and ``end`` in UTC.
            closed: both must be there.

        Raises:
            ValueError: an attribute is missing or not in UTC, or the end is not after the start. RFC 4791 has no
                precondition for this outside of a filter: the request is malformed.
        """
        start, end = element.get("start"), element.get("end")
        if start is None and end is None:
            raise ValueError("a time range has a start or an end")
        if closed and (start is None or end is None):
            raise ValueError("this time range has a start and an end")
        found = cls(EVER if start is None else _instant(start), FOREVER if end is None else _instant(end))
        if found.end <= found.start:
            raise ValueError("a time range ends after its start")
        return found

    def overlaps(self, lo: int, hi: int) -> bool:
        """Whether a half-open interval and the range have an instant in common."""
        return lo < self.end and self.start < hi

    @property
    def start_time(self) -> datetime:
        """The start as aware UTC."""
        return _EPOCH + timedelta(seconds=self.start)

    @property
    def end_time(self) -> datetime:
        """The end as aware UTC; the last second of the year 9999 where there is none."""
        return _EPOCH + timedelta(seconds=min(self.end, FOREVER - 1))

    def floating_offset(self, zone: tzinfo) -> tuple[int, int]:
        """What to add to start and end to get the wall clock of a zone, in seconds: for rows that float."""
        return _offset(self.start, zone), _offset(self.end, zone)


def _instant(text: str) -> int:
    at = date_or_time(text)
    if not at.is_utc:
        raise ValueError("a time range is given in UTC")
    return at.epoch()


def _offset(epoch: int, zone: tzinfo) -> int:
    near = max(EVER + 2 * 86_400, min(FOREVER - 2 * 86_400, epoch))
    offset = (_EPOCH + timedelta(seconds=near)).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
