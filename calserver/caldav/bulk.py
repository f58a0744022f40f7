"""Many calendar objects in one request: POST to a calendar (calendarserver-bulk-change).

A *simple* request is one iCalendar or jCal text, of which each UID becomes a new member. A *CRUD* request is an XML
list of members to be made, changed or deleted. Each stands for itself: the answer is a multistatus in the order of the
request, and what was refused does not keep the others from being done. Only a condition on the whole calendar - the If
header with a ctag - holds for all.
"""

import re
from http import HTTPStatus
from itertools import islice
from typing import Final, cast

import attrs

from calserver import calendars, ical
from calserver.caldav import calendar_data
from calserver.caldav.resources import CALENDAR_DATA, CalendarCollection, CalendarObjectResource
from calserver.conditions import ConditionFailed
from calserver.dav import (
    BadRequest,
    ContentTooLarge,
    Extension,
    Headers,
    Markup,
    Multistatus,
    NotFound,
    PreconditionFailed,
    QuotaNotExceeded,
    Refusal,
    Request,
    Response,
    UnsupportedMediaType,
    Written,
    access,
    condition,
    guard_binding,
    guard_content,
    local,
    propstat,
    response,
    status_response,
    xml,
)
from calserver.dav.xml import Element
from calserver.ical import ICALENDAR, JCAL
from calserver.names import CS, MOBILEME, D
from calserver.tree import StoredObject

bulk_change = Extension("calendarserver-bulk-change")

MOST_RESOURCES: Final = 250
MOST_BYTES: Final = 32 * 1024 * 1024
"""Of all members that one text is cut into."""
WRITING_PART: Final = 0.4
"""How much of the time that a request may compute this one may: nobody else can write in the meantime."""
_LINE_END: Final = re.compile(r"\r?\n")


def MM(local: str) -> str:  # noqa: N802 - as the document writes its prefix
    """Name in the namespace of the extension."""
    return f"{{{MOBILEME}}}{local}"


@attrs.frozen(slots=True, kw_only=True)
class Change:
    """One member to be made (no ``href``), changed, or deleted (no ``text``)."""

    href: str | None = None
    etag: str | None = None
    """What the member's entity tag must be."""
    text: bytes | None = None
    media_type: str = ICALENDAR
    verbatim: bool = True
    """Whether the text is what the client sent; XML loses carriage returns."""


def asked(request: Request) -> tuple[Change, ...]:
    """What a request wants done. For `Request.parsed`.

    Raises:
        UnsupportedMediaType: the body is of none of the types that this takes.
        ValidCalendarData: the body is not what its type says.
        BadRequest: the XML is not a list of changes.
        ContentTooLarge: there are more than `MOST_RESOURCES`.
    """
    media_type = request.media_type
    if media_type in (ICALENDAR, JCAL):
        changes = _simple(request.body, media_type)
    elif media_type in ("application/xml", "text/xml"):
        changes = tuple(map(_change, xml.required_body(request, MM("multiput")).iterchildren(MM("resource"))))
    else:
        raise UnsupportedMediaType("this takes calendar data, or a list of changes as XML")
    if len(changes) > MOST_RESOURCES:
        raise ContentTooLarge(f"at most {MOST_RESOURCES} members can be changed in one request")
    return changes


def _simple(body: bytes, media_type: str) -> tuple[Change, ...]:
    calendar = ical.from_jcal(body) if media_type == JCAL else ical.parse(body)
    pieces = [piece for _, piece in islice(calendars.pieces(calendar), MOST_RESOURCES + 1)]
    if len(pieces) == 1:
        return (Change(text=body, media_type=media_type),)
    write = ical.to_jcal if media_type == JCAL else ical.serialize
    changes: list[Change] = []
    size = 0
    for each in pieces:
        changes.append(Change(text=write(each), media_type=media_type))
        size += len(changes[-1].text or b"")
        if size > MOST_BYTES:
            raise ContentTooLarge("the members with the time zones that each of them has are too large together")
    return tuple(changes)


def _change(element: Element) -> Change:
    href = element.find(D("href"))
    if_match = element.find(f"{MM('if-match')}/{D('getetag')}")
    data = next(element.iter(CALENDAR_DATA), None)
    if (data is None) == (element.find(MM("delete")) is None) or (data is None and href is None):
        raise BadRequest("each resource has calendar data, or is to be deleted")
    return Change(
        href=None if href is None else xml.content(href),
        etag=None if if_match is None else xml.content(if_match),
        text=None if data is None else _LINE_END.sub("\r\n", (data.text or "").strip() + "\n").encode(),
        media_type=ICALENDAR if data is None else data.get("content-type", ICALENDAR),
        verbatim=False,
    )


@bulk_change.property(MM("bulk-requests"), on=CalendarCollection)
def bulk_requests(calendar: CalendarCollection) -> Markup:
    """The kinds of requests that there are, and their limits."""
    limits = (
        xml.element(MM("max-resources"), str(MOST_RESOURCES)),
        xml.element(MM("max-bytes"), str(calendar.view.settings.body_bytes)),
    )
    return xml.join([xml.element(MM("simple"), *limits), xml.element(MM("crud"), *limits)])


@bulk_change.method("POST", on=CalendarCollection, writes=True, parse=[asked])
def post(request: Request, calendar: CalendarCollection) -> Response:
    """Make, change and delete members; the CTag header says the calendar's new ctag."""
    answer = Multistatus([_done(request, calendar, each) for each in request.parsed(asked)])
    calendar.refresh()
    return answer.answer(("CTag", calendar.ctag))


def _done(request: Request, calendar: CalendarCollection, change: Change) -> str:
    """Carry out one change; the ``DAV:response`` that tells of it.

    What refuses a change does so before anything is written. That a quota is exceeded is found afterwards, so it
    refuses the whole request.
    """
    name = calendar.new_name(request)
    path = change.href or calendar.view.path(calendar.href.child(name))
    try:
        if calendar.view.allowance.spent_seconds > WRITING_PART * calendar.view.settings.request_seconds:
            raise ContentTooLarge("the request takes too long; send the rest in another one")
        if change.href is None:
            access.demand(access.lacking(calendar, access.BIND))
            guard_content(calendar)
            return _written(request, change, calendar.create(name, _put(request, change)))
        member = _member(request, calendar, change.href)
        if change.etag is not None and change.etag != member.etag:
            raise PreconditionFailed("the member does not have this entity tag")
        if change.text is not None:
            member.require(access.WRITE_CONTENT)
            guard_content(member)
            return _written(request, change, member.write(_put(request, change)))
        access.demand(access.lacking(calendar, access.UNBIND))
        guard_binding(member)
        member.delete()
        return status_response(path, HTTPStatus.OK)
    except QuotaNotExceeded:
        raise
    except ConditionFailed as refusal:
        return status_response(path, refusal.status, error=condition(refusal), description=refusal.reason)
    except Refusal as refusal:
        return status_response(path, refusal.status, description=refusal.reason)


def _member(request: Request, calendar: CalendarCollection, uri: str) -> StoredObject:
    if not calendar.findable:
        calendar.require(access.READ)
    href = local(request, uri)
    found = calendar.member(href.name) if href is not None and href.parent == calendar.href else None
    if not isinstance(found, StoredObject):
        raise NotFound("the calendar has no such member")
    return found


def _put(request: Request, change: Change) -> Request:
    """The PUT that does the same."""
    return attrs.evolve(
        request, method="PUT", body=change.text or b"", headers=Headers([("Content-Type", change.media_type)])
    )


def _written(request: Request, change: Change, written: Written) -> str:
    """What became of a member; its data where they are not what was sent, and the client wants to know."""
    member = cast(CalendarObjectResource, written.resource)
    found = [xml.element(D("getetag"), member.etag or ""), xml.element(CS("uid"), member.row.uid or "")]
    if not (written.verbatim and change.verbatim) and "return-changed-data" in request.headers.get(
        "x-mobileme-dav-options", ""
    ):
        found.append(calendar_data.element(member.text, change.media_type))
    return response(member.path, propstat(HTTPStatus.OK, "".join(found)))
