"""When somebody is busy (RFC 4791 section 7.10, RFC 7953 section 5), from the instance index.

Index rows tell the busy time of events and of published busy time. Where the range reaches beyond the rows of an
object - it has a marker in the range - the object itself is read, for all of the range. Availability is not in the
index: it says that all time is taken but for some.
"""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from calserver import ical
from calserver.calendars.attending import own_addresses
from calserver.calendars.horizon import limits
from calserver.calendars.objects import taken
from calserver.calendars.provision import CALENDAR_HOME, SHARED_CALENDAR
from calserver.conditions import ConditionFailed
from calserver.config import Calendars
from calserver.dav import xml
from calserver.ical import STEPS, BusyPeriod, CalendarObject, Meter, TimeRange, object_periods, row_periods
from calserver.names import CS, C
from calserver.store import Collection, Object, Principal, Taken, Taker, Transaction

AVAILABILITY: Final = (C("calendar-availability"), CS("calendar-availability"))
"""Names of the property of an Inbox that tells its owner's availability: that of RFC 7953, and the one before."""

STEPS_BEYOND: Final = 4 * STEPS
"""What may be spent on all objects of one principal for what the index does not know."""
READ_BYTES: Final = 100
"""How much text is read in one step."""


def zone_of(calendar: Collection) -> tzinfo:
    """The zone in which floating times and days of a calendar are (RFC 4791 section 5.2.2); UTC where it has none."""
    return UTC if calendar.timezone is None else _zone(calendar.timezone)


@lru_cache(maxsize=512)
def _zone(text: str) -> tzinfo:
    return ical.calendar_timezone(text)[1]


TELLING: Final = ("calendar", SHARED_CALENDAR, "inbox")
"""Kinds of what tells in a home when its owner is busy."""


def counts(calendar: Collection) -> bool:
    """Whether a calendar takes up time at all (RFC 6638 section 9.1)."""
    return (
        calendar.kind in TELLING
        and not calendar.transparent
        and not (calendar.components and _BUSY.isdisjoint(calendar.components))
    )


_BUSY: Final = frozenset({"VEVENT", "VFREEBUSY", "VAVAILABILITY"})

Ignored = Callable[[Taker], bool]
"""Whether the busy time of an object does not count, or may not be told; None in its place is for all that do."""


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
    found = _by_owner(txn, calendars, asked, settings, (lambda row: row.id in hidden) if hidden else None)
    return [period for periods in found.values() for period in periods]


def busy_of(txn: Transaction, principal_id: int, asked: TimeRange, *, settings: Calendars) -> list[BusyPeriod]:
    """The periods in which a principal is busy by all calendars that are not transparent, and by availability."""
    rows = txn.collections.in_homes([principal_id], CALENDAR_HOME, TELLING)
    return busy_each(txn, rows, asked, settings=settings).get(principal_id, [])


def busy_each(
    txn: Transaction,
    collections: Sequence[Collection],
    asked: TimeRange,
    *,
    settings: Calendars,
    ignored: Ignored | None = None,
) -> dict[int, list[BusyPeriod]]:
    """The periods in which principals are busy, by their ids; what costs queries is asked once for all of them.

    Args:
        txn: where.
        collections: what is in their homes; the calendars among them that are not transparent count, and the
            availability that is kept with an Inbox.
        asked: when; with start and end.
        settings: limits.
        ignored: which objects do not count.
    """
    counting = [each for each in collections if each.kind != "inbox" and counts(each)]
    found = _by_owner(txn, counting, asked, settings, ignored)
    for each in collections:
        if each.kind == "inbox" and (text := availability(each)) is not None:
            found[each.principal_id] += _unavailable([text.encode()], asked, UTC, settings)
    return found


def _by_owner(
    txn: Transaction, calendars: Iterable[Collection], asked: TimeRange, settings: Calendars, ignored: Ignored | None
) -> defaultdict[int, list[BusyPeriod]]:
    """The busy time of calendars by who has them, one zone after the other."""
    by_zone: dict[tzinfo, list[Collection]] = {}
    for each in calendars:
        by_zone.setdefault(zone_of(each), []).append(each)
    found: defaultdict[int, list[BusyPeriod]] = defaultdict(list)
    for zone, group in by_zone.items():
        for owner, periods in _in_zone(txn, group, zone, asked, settings, ignored):
            found[owner] += periods
    return found


def availability(inbox: Collection) -> str | None:
    """The iCalendar text of the availability that is kept with an Inbox."""
    return next((xml.stored_text(inbox.properties[name]) for name in AVAILABILITY if name in inbox.properties), None)


def _in_zone(
    txn: Transaction,
    calendars: Sequence[Collection],
    zone: tzinfo,
    asked: TimeRange,
    settings: Calendars,
    ignored: Ignored | None,
) -> Iterator[tuple[int, Iterable[BusyPeriod]]]:
    """The busy time of calendars of one zone, in parts with whose it is."""
    owner = {each.id: each.principal_id for each in calendars}

    def whose_is(row: tuple[Object, Any]) -> int:
        return owner[row[0].collection_id]

    offset = asked.floating_offset(zone)
    found = _rows(txn, calendars, asked, offset, ignored)
    marked = {(place, id) for *_, place, id, marker in found if marker}
    by_place: defaultdict[int, list[tuple[int, int, str, bool]]] = defaultdict(list)
    for start, end, busy, floating, place, id, _ in found:
        if not marked or (place, id) not in marked:
            by_place[place].append((start, end, busy, floating))
    for place, rows in by_place.items():
        yield owner[place], row_periods(rows, asked, zone=zone)
    left = {whose: Meter(STEPS_BEYOND) for whose in owner.values()}
    owners = txn.principals.owning({place for place, _ in marked}) if marked else {}
    for place in {place for place, _ in marked}:
        for text in txn.objects.texts([id for where, id in marked if where == place], seen_in=place).values():
            yield owner[place], _whole(text, owners.get(place), asked, zone, settings, left[owner[place]])
    telling = [each.id for each in calendars if "VAVAILABILITY" in taken(each)]
    if telling:
        available = txn.objects.available(telling, asked.start, asked.end, floating_offset=offset)
        for whose, of_one in groupby(sorted(available, key=whose_is), key=whose_is):
            texts = [text for row, text in of_one if ignored is None or not ignored(_taker(row))]
            yield whose, _unavailable(texts, asked, zone, settings)


def _rows(
    txn: Transaction,
    calendars: Sequence[Collection],
    asked: TimeRange,
    offset: tuple[int, int],
    ignored: Ignored | None,
) -> Sequence[Taken]:
    """The index rows that count: from the index alone, where no object has to be looked at for that."""
    ids = [each.id for each in calendars]
    bound = any(each.source_id is not None for each in calendars)
    if ignored is None and not bound:
        return txn.objects.taken(ids, asked.start, asked.end, floating_offset=offset)
    return [
        (each.start, each.end, each.busy, each.floating, row.collection_id, row.id, each.marker)
        for row, each in txn.objects.busy(ids, asked.start, asked.end, floating_offset=offset, bound=bound)
        if ignored is None or not ignored(row)
    ]


def _taker(row: Object) -> Taker:
    acl = None if row.acl is None else ""
    return Taker(row.id, row.collection_id, row.name, row.uid, row.organizer, acl)


def _whole(
    text: bytes, owner: Principal | None, asked: TimeRange, zone: tzinfo, settings: Calendars, left: Meter
) -> list[BusyPeriod]:
    """The busy time of an object in somebody's calendar, whatever the index knows of it.

    One that has more instances than may be listed is busy throughout: better that than to give its time away. So is
    what is looked at after `left` is used up.
    """
    most = limits(settings).max_instances
    try:
        left.spend(1 + len(text) // READ_BYTES)
        found = CalendarObject.stored(text)
        own = own_addresses(owner, found)
        return object_periods(found, asked, zone=zone, limit=most, within=left, own=own)
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
