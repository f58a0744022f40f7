"""How far ahead recurring components are indexed, and what happens beyond.

An object's index rows reach to the horizon of the day on which they were written; a marker row stands for everything
beyond. A query that only markers answer for has to look into the objects (see `calserver.store.Objects.in_range`).
`extend` writes the rows anew as time goes by, so that the usual queries - weeks and months ahead - never have to.

What floats (floating times, whole days) is indexed as wall-clock time and compared in the zone that the calendar has
when it is queried. So a calendar that gets another zone needs no new rows.
"""

from datetime import datetime, timedelta

from calserver import ical
from calserver.calendars.attending import own_addresses
from calserver.conditions import ConditionFailed
from calserver.config import Calendars
from calserver.ical import CalendarObject, Instance
from calserver.store import Object, Principal, Transaction


def horizon(now: datetime, settings: Calendars) -> datetime:
    """How far rows that are written now reach."""
    return now + timedelta(days=settings.horizon_days)


def limits(settings: Calendars) -> ical.Limits:
    """The limits of calendar data (RFC 4791 sections 5.2.5 to 5.2.9)."""
    return ical.Limits(
        max_resource_size=settings.resource_bytes,
        min_date_time=settings.min_date_time,
        max_date_time=settings.max_date_time,
        max_instances=settings.instances,
        max_attendees_per_instance=settings.attendees,
    )


def extend(txn: Transaction, settings: Calendars, *, limit: int = 200) -> int:
    """Write the index rows of some objects anew whose rows end too early; returns how many were.

    To be called every so often, each time in a transaction of its own. Rows may end a tenth before the horizon until
    they are written anew, so that a daily series is not indexed every day.
    """
    until = horizon(txn.now, settings)
    due = until - timedelta(days=settings.horizon_days) / 10
    found = txn.objects.unindexed(int(due.timestamp()), limit)
    owners = txn.principals.owning({row.home_id for row, _ in found}) if found else {}
    for row, text in found:
        txn.objects.set_instances(row.id, _rows(row, text, owners.get(row.home_id), until, settings))
    return len(found)


def _rows(
    row: Object, text: bytes, owner: Principal | None, until: datetime, settings: Calendars
) -> tuple[Instance, ...]:
    """The rows of an object. One that has become more than may be listed counts as everywhere up to the horizon."""
    try:
        found = CalendarObject.stored(text)
        own = own_addresses(owner, found)
        return ical.index(found, horizon=until, limits=limits(settings), own=own).instances
    except (ConditionFailed, ValueError):
        first, last = row.first or 0, int(until.timestamp())
        return (
            Instance(start=min(first, last), end=last, busy="F"),
            Instance(start=last, end=int(settings.max_date_time.timestamp()), marker=True),
        )
