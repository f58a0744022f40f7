"""free-busy-query: when the owner of calendars is busy (RFC 4791 section 7.10)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from http import HTTPStatus
from itertools import compress

from calserver import calendars, ical
from calserver.caldav.resources import CalendarCollection, CalendarObjects, PlainCollection, settings
from calserver.caldav.scope import calendars_below
from calserver.caldav.webcal import PRODID
from calserver.calendars import CONTENT_TYPE
from calserver.dav import BadRequest, Request, Response, View
from calserver.dav.xml import Element
from calserver.ical import TimeRange
from calserver.names import C

READ_FREE_BUSY = C("read-free-busy")


def asked(root: Element) -> TimeRange:
    """The time range of a free-busy-query (section 9.11).

    Raises:
        BadRequest: there is not exactly one, or it has no start and end in UTC; no precondition is defined for that.
    """
    ranges = root.findall(C("time-range"))
    if len(ranges) != 1:
        raise BadRequest("a free-busy-query has one time range")
    try:
        return TimeRange.parse(ranges[0], closed=True)
    except ValueError as problem:
        raise BadRequest(str(problem)) from None


def free_busy_query(request: Request, resource: CalendarObjects | PlainCollection, when: TimeRange) -> Response:
    """One VFREEBUSY for all calendars that the request is about, as far as the asker may see when they are busy.

    A shared calendar tells of the sharer, and so counts in the home of a sharee only when the sharee makes it opaque.
    """
    found = calendars_below(request, resource)
    if found == [resource]:
        resource.require(READ_FREE_BUSY)
    readable = [each for each in found if isinstance(each, CalendarCollection) and READ_FREE_BUSY in each.privileges]
    counting = (each is resource or each.row.source_id is None or not each.row.transparent for each in readable)
    return answer(resource.view, list(compress(readable, counting)), when)


def answer(view: View, readable: Sequence[CalendarCollection], when: TimeRange) -> Response:
    """One VFREEBUSY for calendars of which the asker may see when they are busy."""
    hidden = {id for each in readable for id in each.lacking(READ_FREE_BUSY)}
    rows = [each.row for each in readable]
    periods = calendars.busy(view.txn, rows, when, settings=settings(view), hidden=hidden)
    body = ical.serialize(ical.freebusy(periods, when, now=view.txn.now, prodid=PRODID))
    return Response(HTTPStatus.OK, (("Content-Type", CONTENT_TYPE),), body)


def joined(texts: Iterable[bytes], when: TimeRange, now: datetime) -> bytes:
    """One VFREEBUSY of several about the same time: what nodes tell of calendars in one home.

    Raises:
        ValueError: a text is none.
    """
    told = [each for text in texts for each in ical.parse(text).components]
    periods = (period for each in told for period in ical.published(each, when))
    return ical.serialize(ical.freebusy(periods, when, now=now, prodid=PRODID))
