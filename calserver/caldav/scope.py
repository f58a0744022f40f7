"""Which calendars a report is about, by its Depth (RFC 4791 section 7.5 to 7.10, RFC 3253 section 3.6)."""

from collections.abc import Iterator

from calserver.caldav.resources import CalendarCollection, CalendarObjects, PlainCollection
from calserver.dav import Depth, Request, depth
from calserver.tree import StoredCollection


def calendars_below(request: Request, resource: StoredCollection) -> list[CalendarObjects]:
    """The calendar itself; of another collection those in it: with Depth 1 its members, with infinity all below.

    Without a Depth header that is none (RFC 4791 section 7.8).
    """
    if isinstance(resource, CalendarObjects):
        return [resource]
    level = request.parsed(depth)
    if level in (None, Depth.ZERO):
        return []
    return list(_below(resource, deep=level is Depth.INFINITY))


def _below(collection: StoredCollection, *, deep: bool) -> Iterator[CalendarCollection]:
    places = {collection.row.id: collection}
    for row in collection.view.txn.collections.below(collection.row.id):
        if row.parent_id not in places:
            continue
        place = places[row.parent_id].collection_of(row)
        if isinstance(place, CalendarCollection):
            yield place
        elif deep and isinstance(place, PlainCollection):
            places[row.id] = place
