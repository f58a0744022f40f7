"""What may be stored in a calendar, and in which form (RFC 4791 sections 4.1 and 5.3.2.1).

A UID is there once in all calendars that are direct members of a home, and once among the meetings in all of its
calendars, as RFC 6638 asks: another calendar's holder is named with ``unique-scheduling-object-resource``, one in the
same calendar with ``no-uid-conflict``. Calendars inside of plain collections are else unique in themselves.

Three steps: `accepted` makes a `Draft` of calendar data (no transaction needed), `admit` checks it against the calendar
and the home, and the store keeps it. `put` is all of them.
"""

from collections.abc import Callable, Container
from datetime import datetime, tzinfo
from typing import Final

from calserver import ical
from calserver.calendars.attending import own_addresses
from calserver.calendars.conditions import NoUidConflict, SupportedCalendarComponent, UniqueSchedulingObjectResource
from calserver.calendars.forms import spread
from calserver.calendars.horizon import horizon, limits
from calserver.config import Calendars
from calserver.ical import CalendarObject, Component
from calserver.store import Collection, Draft, Object, Transaction

COMPONENTS: Final = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY")
"""Types of components that calendars can hold; one that names none takes all."""

CONTENT_TYPE: Final = "text/calendar; charset=utf-8"

PathOf = Callable[[Object], str]
"""Where clients find an object of the same home: what conditions name."""


def taken(calendar: Collection) -> tuple[str, ...]:
    """The types of components that a calendar takes (RFC 4791 section 5.2.3)."""
    return calendar.components or COMPONENTS


def accepted(
    name: str,
    new: CalendarObject,
    *,
    now: datetime,
    settings: Calendars,
    zone: tzinfo | None = None,
    own: Container[str] = (),
) -> Draft:
    """What is stored of a calendar object: its text without duplicate alarms, its index rows up to the horizon.

    Args:
        name: of the member.
        new: what was checked already.
        now: from where the horizon is counted.
        settings: limits.
        zone: that of the calendar; see `calserver.ical.index`.
        own: normalized addresses of whose calendar it is: what they declined takes up no time.

    Raises:
        MaxInstances: it has more instances than are allowed.
    """
    calendar = without_duplicate_alarms(new.calendar)
    if calendar is not new.calendar:
        new = CalendarObject.of(calendar)
    index = ical.index(new, horizon=horizon(now, settings), zone=zone, limits=limits(settings), own=own)
    return Draft(
        name=name,
        text=new.text,
        content_type=CONTENT_TYPE,
        etag=ical.etag(new.text),
        component=new.component,
        uid=new.uid,
        organizer=new.organizer,
        first=index.first,
        last=index.last,
        recurring=index.recurring,
        instances=index.instances,
    )


def without_duplicate_alarms(calendar: Component) -> Component:
    """The same calendar without alarms that equal an earlier one of their component; itself where there are none.

    Some clients add the default alarm anew each time they save an event.
    """
    if not any(len(each.children("VALARM")) > 1 for each in calendar.components):
        return calendar
    cleaned = calendar.map(_distinct_alarms)
    return calendar if all(map(_same, cleaned.components, calendar.components)) else cleaned


def _same(one: Component, other: Component) -> bool:
    return one is other


def _distinct_alarms(component: Component) -> Component:
    seen = set()
    kept = []
    for each in component.components:
        key = (each.name, frozenset(each.properties), each.components) if each.name == "VALARM" else id(each)
        if key not in seen:
            seen.add(key)
            kept.append(each)
    return component if len(kept) == len(component.components) else component.with_components(tuple(kept))


def admit(
    txn: Transaction,
    calendar: Collection,
    what: Draft | Object | CalendarObject,
    path: PathOf,
    *,
    replaced: Object | None = None,
    moved: Object | None = None,
) -> None:
    """Check that a calendar takes an object.

    Args:
        txn: where.
        calendar: the calendar.
        what: what it shall take, under its name or in the place of `replaced`.
        path: where clients find the holder of a UID.
        replaced: what is at the place now.
        moved: the object itself, where it comes from another place in the home.

    Raises:
        SupportedCalendarComponent: the calendar takes no components of its type.
        NoUidConflict: the UID belongs to another member of the calendar, or `replaced` has another.
        UniqueSchedulingObjectResource: another calendar of the home has the UID.
    """
    if what.component not in taken(calendar):
        raise SupportedCalendarComponent(f"this calendar takes {', '.join(taken(calendar))}")
    if replaced is not None and replaced.uid != what.uid:
        raise NoUidConflict("the UID of a calendar object cannot change", hrefs=(path(replaced),))
    assert what.uid is not None
    own = {each.id for each in (replaced, moved) if each is not None}
    for holder in txn.objects.by_uid(calendar.home_id, what.uid):
        if holder.id in own:
            continue
        if holder.collection_id == calendar.id:
            raise NoUidConflict("another member of this calendar has the UID", hrefs=(path(holder),))
        place = txn.collections.get(holder.collection_id)
        if place is None or place.kind != "calendar":
            continue
        of_home = place.parent_id == calendar.parent_id == calendar.home_id
        if of_home or (what.organizer is not None and holder.organizer is not None):
            raise UniqueSchedulingObjectResource("another calendar has the UID", hrefs=(path(holder),))


def put(
    txn: Transaction, calendar: Collection, name: str, new: CalendarObject, *, settings: Calendars, path: PathOf
) -> tuple[Object, bool]:
    """Store a calendar object under its name; returns it and whether it is new.

    Raises:
        NameTaken: a collection has the name.
        SupportedCalendarComponent, NoUidConflict, UniqueSchedulingObjectResource: see `admit`.
    """
    own = own_addresses(txn.principals.get(calendar.principal_id) if new.organizer else None, new)
    draft = accepted(name, new, now=txn.now, settings=settings, own=own)
    admit(txn, calendar, draft, path, replaced=txn.objects.get(calendar.id, name))
    row, created = txn.objects.put(calendar.id, draft)
    spread(txn, calendar, row, draft.text)
    return row, created
