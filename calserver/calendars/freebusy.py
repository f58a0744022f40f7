"""When somebody is busy (RFC 4791 section 7.10), from the instance index.

Index rows tell the busy time of events and of published busy time. Where the range reaches beyond the rows of an
object - it has a marker in the range - the object itself is read, for all of the range.
"""

from collections.abc import Iterable, Iterator
from datetime import tzinfo

from calserver.calendars.horizon import limits
from calserver.conditions import ConditionFailed
from calserver.config import Calendars
from calserver.ical import BusyPeriod, CalendarObject, TimeRange, object_periods, row_periods
from calserver.store import Transaction


def busy(
    txn: Transaction, calendars: Iterable[int], asked: TimeRange, *, zone: tzinfo, settings: Calendars
) -> Iterator[BusyPeriod]:
    """The periods in which the objects of some calendars take up time, in no order and not merged.

    Args:
        txn: where.
        calendars: ids of collections that have the same zone. Whether they are transparent is not looked at.
        asked: when; with start and end.
        zone: where floating times and days are.
        settings: limits.
    """
    offset = asked.floating_offset(zone)
    found = txn.objects.busy(calendars, asked.start, asked.end, floating_offset=offset)
    marked = {row.id for row, instance in found if instance.marker}
    rows = (instance for row, instance in found if row.id not in marked)
    yield from row_periods(rows, asked, zone=zone)
    for text in txn.objects.texts(marked).values() if marked else ():
        yield from _beyond(text, asked, zone, settings)


def _beyond(text: bytes, asked: TimeRange, zone: tzinfo, settings: Calendars) -> list[BusyPeriod]:
    """The busy time of an object, whatever the index knows of it.

    One that has more instances than may be listed is busy throughout: better that than to promise its time to others.
    """
    try:
        return object_periods(CalendarObject.stored(text), asked, zone=zone, limit=limits(settings).max_instances)
    except (ConditionFailed, ValueError):
        return [BusyPeriod(asked.start, asked.end)]
