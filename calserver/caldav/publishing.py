"""Public calendars on the wire: publishing one as Apple's clients do it, and reading it without logging in.

``CS:publish-calendar`` and ``CS:unpublish-calendar`` are POSTed to a calendar (see `sharing.post`), whose URL anybody
may then subscribe to. An administrator may publish no more than when a calendar is busy: then its URL gives that.
"""

from datetime import timedelta
from http import HTTPStatus
from typing import Final

import attrs

from calserver.caldav.freebusy import READ_FREE_BUSY, answer
from calserver.caldav.resources import CalendarCollection
from calserver.calendars import publishing
from calserver.dav import (
    Extension,
    Forbidden,
    Markup,
    NeedPrivileges,
    Request,
    Response,
    View,
    access,
    content,
    without_content,
    xml,
)
from calserver.directory import ANONYMOUS
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
    if public and not may_be_public(calendar):
        raise Forbidden("nothing is public on this server")
    if public:
        if publishing.published(calendar.row) != publishing.READ:
            publishing.publish(txn, calendar.row)
        return Response(HTTPStatus.ACCEPTED)
    if publishing.published(calendar.row) is not None:
        publishing.unpublish(txn, calendar.row)
    return Response(HTTPStatus.OK)


def may_be_public(calendar: CalendarCollection) -> bool:
    """Whether calendars can be public at all, and this one is its owner's."""
    return calendar.view.settings.anonymous and calendar.row.source_id is None


# -- properties --------------------------------------------------------------------------------------------------------


def _url(calendar: CalendarCollection) -> Markup:
    return xml.href(calendar.view.request.origin + calendar.path)


@calendarserver_publishing.property(CS("publish-url"), on=CalendarCollection)
def publish_url(calendar: CalendarCollection) -> Markup | None:
    """Where anybody may subscribe to a calendar; None while it is not public."""
    if publishing.published(calendar.row) is None or not may_be_public(calendar):
        return None
    return _url(calendar)


@calendarserver_publishing.property(CS("pre-publish-url"), on=CalendarCollection)
def pre_publish_url(calendar: CalendarCollection) -> Markup | None:
    """Where anybody may subscribe to a calendar once it is public, for who can make it so."""
    return _url(calendar) if SHARE in calendar.privileges and may_be_public(calendar) else None


# -- reading -----------------------------------------------------------------------------------------------------------


def seen(calendar: CalendarCollection) -> CalendarCollection:
    """A calendar as who asks may see it; who may not read it sees what everybody does, logged in or not."""
    view = calendar.view
    if access.READ in calendar.privileges or calendar.in_public or not may_be_public(calendar):
        return calendar
    if seen not in view.memory:
        request = attrs.evolve(view.request, actor=ANONYMOUS)
        try:
            view.memory[seen] = View(view.txn, request, view.tree, view.spoken, view.settings).find(calendar.href)
        except NeedPrivileges:
            view.memory[seen] = None
    found = view.memory[seen]
    return found if isinstance(found, CalendarCollection) else calendar


def may_look(calendar: CalendarCollection) -> None:
    """Raise `NeedPrivileges` where the actor may neither read a calendar nor see in public when it is busy."""
    found = seen(calendar)
    if not (found.in_public and READ_FREE_BUSY in found.privileges):
        calendar.require(access.READ)


@calendarserver_publishing.method(
    "GET", on=CalendarCollection, writes=False, allow=may_look, brief=lambda request: True
)
def get(request: Request, calendar: CalendarCollection) -> Response:
    """All of a calendar as one iCalendar object, or when it is busy around now, whichever the actor may see."""
    calendar.view.take_time()
    found = seen(calendar)
    if access.READ in found.privileges:
        return content.get(request, found)
    now = int(found.view.txn.now.timestamp())
    when = TimeRange(now - int(PAST.total_seconds()), now + int(FUTURE.total_seconds()))
    return answer(found.view, [found], when).with_headers(("Cache-Control", "no-store"))


@calendarserver_publishing.method(
    "HEAD", on=CalendarCollection, writes=False, allow=may_look, brief=lambda request: True
)
def head(request: Request, calendar: CalendarCollection) -> Response:
    """What GET would answer, without the content."""
    found = seen(calendar)
    return content.head(request, found) if access.READ in found.privileges else without_content(get(request, found))
