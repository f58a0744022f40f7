"""Public calendars on the wire: publishing one as Apple's clients do it, and reading it without logging in.

``CS:publish-calendar`` and ``CS:unpublish-calendar`` are POSTed to a calendar (see `sharing.post`), whose URL anybody
may then subscribe to. An administrator may publish no more than when a calendar is busy: then its URL gives that.
"""

from datetime import timedelta
from http import HTTPStatus
from typing import Final

from calserver.caldav.freebusy import READ_FREE_BUSY, answer
from calserver.caldav.resources import CalendarCollection
from calserver.calendars import publishing
from calserver.dav import Extension, Markup, Request, Response, access, content, without_content, xml
from calserver.ical import TimeRange
from calserver.names import CS, D

SHARE: Final = D("share")
"""The privilege."""
XML_TYPES: Final = ("application/xml", "text/xml")
PAST: Final = timedelta(days=7)
FUTURE: Final = timedelta(days=90)
"""Which time the URL of a calendar tells of that is published for that."""

calendarserver_publishing = Extension("calendar-publishing")

_CHANGES: Final = {CS("publish-calendar"): True, CS("unpublish-calendar"): False}


def asked(request: Request) -> bool | None:
    """Whether a POST publishes a calendar or ends that; None where it is about something else. For `Request.parsed`."""
    if request.media_type not in XML_TYPES:
        return None
    root = request.parsed(xml.body)
    return None if root is None else _CHANGES.get(root.tag)


def change(calendar: CalendarCollection, public: bool) -> Response:
    """Publish a calendar, or end that."""
    calendar.require(SHARE)
    txn = calendar.view.txn
    if public:
        if publishing.published(calendar.row) != publishing.READ:
            publishing.publish(txn, calendar.row)
        return Response(HTTPStatus.ACCEPTED)
    if publishing.published(calendar.row) is not None:
        publishing.unpublish(txn, calendar.row)
    return Response(HTTPStatus.OK)


# -- properties --------------------------------------------------------------------------------------------------------


def _url(calendar: CalendarCollection) -> Markup:
    return xml.href(calendar.view.request.origin + calendar.path)


@calendarserver_publishing.property(CS("publish-url"), on=CalendarCollection)
def publish_url(calendar: CalendarCollection) -> Markup | None:
    """Where anybody may subscribe to a calendar; None while it is not public."""
    return None if publishing.published(calendar.row) is None else _url(calendar)


@calendarserver_publishing.property(CS("pre-publish-url"), on=CalendarCollection)
def pre_publish_url(calendar: CalendarCollection) -> Markup | None:
    """Where anybody may subscribe to a calendar once it is public, for who can make it so."""
    return _url(calendar) if SHARE in calendar.privileges else None


# -- reading -----------------------------------------------------------------------------------------------------------


def may_look(calendar: CalendarCollection) -> None:
    """Raise `NeedPrivileges` where the actor may neither read a calendar nor see in public when it is busy."""
    if READ_FREE_BUSY not in calendar.privileges or publishing.published(calendar.row) is None:
        calendar.require(access.READ)


@calendarserver_publishing.method("GET", on=CalendarCollection, writes=False, allow=may_look)
def get(request: Request, calendar: CalendarCollection) -> Response:
    """All of a calendar as one iCalendar object, or when it is busy around now, whichever the actor may see."""
    if access.READ in calendar.privileges:
        return content.get(request, calendar)
    now = int(calendar.view.txn.now.timestamp())
    when = TimeRange(now - int(PAST.total_seconds()), now + int(FUTURE.total_seconds()))
    return answer(calendar.view, [calendar], when).with_headers(("Cache-Control", "no-cache"))


@calendarserver_publishing.method("HEAD", on=CalendarCollection, writes=False, allow=may_look)
def head(request: Request, calendar: CalendarCollection) -> Response:
    """What GET would answer, without the content."""
    if access.READ in calendar.privileges:
        return content.head(request, calendar)
    return without_content(get(request, calendar))
