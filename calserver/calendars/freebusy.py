"""When somebody is busy (RFC 4791 section 7.10, RFC 7953 section 5), from the instance index.

Index rows tell the busy time of events and of published busy time. Where the range reaches beyond the rows of an
object - it has a marker in the range - the object itself is read, for all of the range. Availability is not in the
index: it says that all time is taken but for some.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Final

from calserver import ical
from calserver.calendars.horizon import limits
from calserver.calendars.objects import taken
from calserver.calendars.provision import CALENDAR_HOME, SHARED_CALENDAR
from calserver.conditions import ConditionFailed
from calserver.config import Calendars
from calserver.dav import xml
from calserver.ical import BusyPeriod, CalendarObject, TimeRange, object_periods, row_periods
from calserver.names import CS, C
from calserver.store import Collection, Transaction

AVAILABILITY: Final = (C("calendar-availability"), CS("calendar-availability"))
"""Names of the property of an Inbox that tells its owner's availability: that of RFC 7953, and the one before."""


def zone_of(calendar: Collection) -> tzinfo:
    """The zone in which floating times and days of a calendar are (RFC 4791 section 5.2.2); UTC where it has none."""
    return UTC if calendar.timezone is None else _zone(calendar.timezone)


@lru_cache(maxsize=512)
def _zone(text: str) -> tzinfo:
    return ical.calendar_timezone(text)[1]


def busy(
    txn: Transaction,
    calendars: Iterable[Collection],
    asked: TimeRange,
    *,
    settings: Calendars,
    hidden: Container[int] = (),
) -> list[BusyPeriod]:
    """The periods in which the objects of some calendars take up time, in no order and not merged.

    Args:
        txn: where.
        calendars: which; whether they are transparent is not looked at.
        asked: when; with start and end.
        settings: limits.
        hidden: ids of objects whose busy time the asker may not know.
    """
    by_zone: dict[tzinfo, list[Collection]] = {}
    for each in calendars:
        by_zone.setdefault(zone_of(each), []).append(each)
    return [each for zone, group in by_zone.items() for each in _in_zone(txn, group, zone, asked, settings, hidden)]


def busy_of(txn: Transaction, principal_id: int, asked: TimeRange, *, settings: Calendars) -> list[BusyPeriod]:
    """The periods in which a principal is busy by all calendars that are not transparent, and by availability."""
    home = txn.collections.home(principal_id, CALENDAR_HOME)
    if home is None:
        return []
    members = txn.collections.children(home.id)
    found = busy(
        txn,
        [each for each in members if each.kind in ("calendar", SHARED_CALENDAR) and not each.transparent],
        asked,
        settings=settings,
    )
    texts = [text.encode() for each in members if each.kind == "inbox" and (text := availability(each)) is not None]
    return found + _unavailable(texts, asked, UTC, settings)


def availability(inbox: Collection) -> str | None:
    """The iCalendar text of the availability that is kept with an Inbox."""
    return next((xml.stored_text(inbox.properties[name]) for name in AVAILABILITY if name in inbox.properties), None)


def _in_zone(
    txn: Transaction,
    calendars: Sequence[Collection],
    zone: tzinfo,
    asked: TimeRange,
    settings: Calendars,
    hidden: Container[int],
) -> Iterator[BusyPeriod]:
    offset = asked.floating_offset(zone)
    found = txn.objects.busy([each.id for each in calendars], asked.start, asked.end, floating_offset=offset)
    if hidden:
        found = [each for each in found if each[0].id not in hidden]
    marked = {(row.collection_id, row.id) for row, instance in found if instance.marker}
    certain = (instance for row, instance in found if (row.collection_id, row.id) not in marked)
    yield from row_periods(certain, asked, zone=zone)
    for place in {place for place, _ in marked}:
        for text in txn.objects.texts([id for where, id in marked if where == place], seen_in=place).values():
            yield from _whole(text, asked, zone, settings)
    telling = [each.id for each in calendars if "VAVAILABILITY" in taken(each)]
    if telling:
        rows = txn.objects.in_range(telling, asked.start, asked.end, floating_offset=offset, component="VAVAILABILITY")
        yield from _unavailable([text for row, text in rows if row.id not in hidden], asked, zone, settings)


def _whole(text: bytes, asked: TimeRange, zone: tzinfo, settings: Calendars) -> list[BusyPeriod]:
    """The busy time of an object, whatever the index knows of it.

    One that has more instances than may be listed is busy throughout: better that than to give its time away.
    """
    try:
        return object_periods(CalendarObject.stored(text), asked, zone=zone, limit=limits(settings).max_instances)
    except (ConditionFailed, ValueError):
        return [BusyPeriod(asked.start, asked.end)]


def _unavailable(texts: Sequence[bytes], asked: TimeRange, zone: tzinfo, settings: Calendars) -> list[BusyPeriod]:
    """The time that availability does not leave; the same holds for what has too many instances."""
    if not texts:
        return []
    try:
        calendars = [ical.parse(each) for each in texts]
        return list(ical.unavailable(calendars, asked, zone=zone, limit=limits(settings).max_instances))
    except (ConditionFailed, ValueError):
        return [BusyPeriod(asked.start, asked.end, "U")]
