"""Sharing calendars on the wire, as Apple's clients do it (caldav-sharing).

A sharer POSTs ``CS:share`` to a calendar, with whom to share it and how; a sharee finds a notification, and POSTs
``CS:invite-reply`` to the own calendar home. `davsharing` does the same in the words of the draft that followed; POST
to a calendar is declared here for both, since a class of resources has one function for a method.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final, cast

import attrs

from calserver.caldav import bulk, publishing
from calserver.caldav.notices import STATUS, Notice
from calserver.caldav.publishing import SHARE, XML_TYPES
from calserver.caldav.resources import CalendarCollection, CalendarHome
from calserver.caldav.sharee import SharedCalendar, SharedObject, source_href
from calserver.calendars import OrganizerIsSharer, branches, sharing
from calserver.conditions import ConditionFailed
from calserver.dav import (
    BadRequest,
    Extension,
    Markup,
    Multistatus,
    Request,
    Response,
    access,
    status_response,
    xml,
)
from calserver.dav.xml import Element
from calserver.directory import find_many
from calserver.names import CS, C, D
from calserver.store import Principal, Share

MOST_SHAREES: Final = 200
"""How many invitations one request may change."""
MOST_CHARACTERS: Final = 1000
"""The longest name, summary and address."""
DAVSHARING: Final = "application/davsharing+xml"


class InvalidShare(ConditionFailed):
    """There is no such invitation, or not any more (caldav-sharing section 5)."""

    name = CS("invalid-share")


calendarserver_sharing = Extension(
    "caldav-sharing",
    features=("calendarserver-sharing", "calendarserver-sharing-no-scheduling", "calendarserver-group-sharee"),
    conditions=(InvalidShare, OrganizerIsSharer),
)


# -- invitations -------------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class Invitation:
    """With whom to share a calendar; an ``access`` of None ends it."""

    address: str
    access: str | None
    common_name: str = ""
    summary: str = ""


def asked(request: Request) -> Sequence[Invitation] | None:
    """The invitations that a POST to a calendar is about; None where it is about something else. For `Request.parsed`.

    Raises:
        BadRequest: they are malformed, or too many.
    """
    if request.media_type not in (*XML_TYPES, DAVSHARING):
        return None
    root = request.parsed(xml.body)
    if root is None or root.tag not in ROOTS:
        return None
    found = [each for child in root if (each := ROOTS[root.tag](child)) is not None]
    if not found:
        raise BadRequest("the request names nobody")
    if len(found) > MOST_SHAREES:
        raise BadRequest("the request names too many at once")
    return found


def text(parent: Element, name: str) -> str:
    """The text of a child; empty where there is none.

    Raises:
        BadRequest: it is too long.
    """
    found = xml.content(parent.find(name))
    if len(found) > MOST_CHARACTERS:
        raise BadRequest("a text is too long")
    return found


def _invitation(element: Element) -> Invitation | None:
    """A ``CS:set`` or ``CS:remove`` (caldav-sharing sections 6.25 and 6.26)."""
    if element.tag not in (CS("set"), CS("remove")):
        return None
    address = text(element, D("href"))
    if not address:
        raise BadRequest("an invitation has an address")
    if element.tag == CS("remove"):
        return Invitation(address=address, access=None)
    accesses = [each for each in sharing.ACCESSES if element.find(CS(each)) is not None]
    if len(accesses) != 1:
        raise BadRequest("an invitation is to read, or to read and write")
    return Invitation(
        address=address,
        access=accesses[0],
        common_name=text(element, CS("common-name")),
        summary=text(element, CS("summary")),
    )


def _sharee(element: Element) -> Invitation | None:
    """A ``DAV:sharee`` (draft-pot-webdav-resource-sharing)."""
    if element.tag != D("sharee"):
        return None
    address = text(element, D("href"))
    given = element.find(D("share-access"))
    accesses = [] if given is None else [each.tag for each in given]
    if not address or len(accesses) != 1 or accesses[0] not in _DAV_ACCESSES:
        raise BadRequest("a sharee has an address and an access")
    prop = element.find(D("prop"))
    return Invitation(
        address=address,
        access=_DAV_ACCESSES[accesses[0]],
        common_name="" if prop is None else text(prop, D("displayname")),
        summary=text(element, D("comment")),
    )


_DAV_ACCESSES: Final = {D("read"): "read", D("read-write"): "read-write", D("no-access"): None}
ROOTS: Final = {CS("share"): _invitation, D("share-resource"): _sharee}


@calendarserver_sharing.method("POST", on=CalendarCollection, writes=True, parse=[asked, bulk.asked, publishing.asked])
def post(request: Request, calendar: CalendarCollection) -> Response:
    """Change with whom a calendar is shared (section 5.3.2), or publish it; anything else is a bulk request."""
    invitations = request.parsed(asked)
    if invitations is None:
        public = request.parsed(publishing.asked)
        return bulk.post(request, calendar) if public is None else publishing.change(calendar, public)
    calendar.require(SHARE)
    found = find_many(
        calendar.view.txn, [each.address for each in invitations], prefix=request.prefix, origin=request.origin
    )
    refused = [each for each in invitations if not _carry_out(calendar, each, found.get(each.address))]
    if not refused:
        return Response(HTTPStatus.OK, (("Cache-Control", "no-cache"),))
    outcome = ((each, HTTPStatus.FORBIDDEN if each in refused else HTTPStatus.OK) for each in invitations)
    return Multistatus(status_response(each.address, status) for each, status in outcome).answer()


def _carry_out(calendar: CalendarCollection, invitation: Invitation, sharee: Principal | None) -> bool:
    """Do what one invitation asks for; returns whether the sharee is somebody who can share calendars.

    The owner has the calendar already, and one who is not invited need not be removed.
    """
    txn = calendar.view.txn
    row = txn.collections.get(calendar.row.id)
    if invitation.access is None:
        share = _known(calendar, invitation.address, sharee)
        if share is not None:
            sharing.uninvite(txn, row, share)
        return True
    if sharee is not None and sharee.id == calendar.row.principal_id:
        return False
    if sharee is not None and sharee.kind != "group" and not branches.can_share(txn, (sharee.id,)):
        return False
    sharing.invite(
        txn,
        row,
        sharee,
        address=invitation.address,
        access=invitation.access,
        common_name=invitation.common_name,
        summary=invitation.summary,
    )
    return sharee is not None


def _known(calendar: CalendarCollection, address: str, sharee: Principal | None) -> Share | None:
    shares: Sequence[Share] = calendar.view.txn.shares.of(calendar.row.id)
    for share in shares:
        if share.address == address or (sharee is not None and share.principal_id == sharee.id):
            return share
    return None


# -- replies -----------------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class Reply:
    """What a sharee answers to the invitation with this uid."""

    uid: str
    accepted: bool
    address: str = ""
    summary: str = ""


def reply(request: Request) -> Reply:
    """The body of a POST to a calendar home (section 5.4.1). For `Request.parsed`."""
    root = xml.required_body(request, CS("invite-reply"))
    return Reply(
        uid=text(root, CS("in-reply-to")),
        accepted=accepted(root, CS),
        address=text(root, D("href")),
        summary=text(root, CS("summary")),
    )


def accepted(root: Element, namespace: Callable[[str], str]) -> bool:
    """Whether an answer is yes; raises `BadRequest` where it is neither yes nor no."""
    yes, no = namespace("invite-accepted"), namespace("invite-declined")
    names = {each.tag for each in root} & {yes, no}
    if len(names) != 1:
        raise BadRequest("an invitation is accepted or declined")
    return yes in names


@calendarserver_sharing.method("POST", on=CalendarHome, writes=True, parse=[reply])
def post_reply(request: Request, home: CalendarHome) -> Response:
    """Answer an invitation; the answer to a yes is where the shared calendar is now."""
    answer = request.parsed(reply)
    home.require(access.BIND, access.UNBIND)
    share = invitation_of(home, answer.uid)
    if not answer.accepted:
        sharing.decline(home.view.txn, share, address=answer.address or None)
        return Response(HTTPStatus.NO_CONTENT)
    bound = sharing.accept(home.view.txn, share, address=answer.address or None, summary=answer.summary)
    where = home.view.path(home.href.child(bound.name))
    return Response(HTTPStatus.OK, (xml.CONTENT_TYPE,), xml.document(CS("shared-as"), xml.href(where)))


def invitation_of(home: CalendarHome, uid: str) -> Share:
    """The invitation of a home's owner; raises `InvalidShare` where there is none."""
    share: Share | None = home.view.txn.shares.by_uid(uid)
    if share is None or share.principal_id != home.row.principal_id:
        raise InvalidShare("there is no such invitation")
    return share


# -- properties --------------------------------------------------------------------------------------------------------


@calendarserver_sharing.property(CS("allowed-sharing-modes"), on=CalendarCollection)
def allowed_sharing_modes(calendar: CalendarCollection) -> Markup | None:
    """What may be done with a calendar (section 5.2.3); a shared one is not shared again."""
    if isinstance(calendar, SharedCalendar):
        return None
    modes = ["can-be-shared", *(["can-be-published"] if publishing.may_be_public(calendar) else [])]
    return xml.join([xml.element(CS(each)) for each in modes])


@calendarserver_sharing.property(CS("invite"), on=CalendarCollection)
def invite(calendar: CalendarCollection) -> Markup | None:
    """Who was invited, for the owner (section 5.2.2); a sharee sees the sharer and itself."""
    if isinstance(calendar, SharedCalendar):
        owner = calendar.source.owner
        organizer = (xml.href(calendar.view.path(calendar.sharer)), xml.element(CS("common-name"), owner.name))
        share = calendar.view.txn.shares.find(calendar.row.source_id, calendar.row.principal_id)
        users = [] if share is None else [_user(share)]
        return xml.join([xml.element(CS("organizer"), *organizer), *users])
    if not calendar.row.shared or SHARE not in calendar.privileges:
        return None
    return xml.join([_user(each) for each in calendar.view.txn.shares.of(calendar.row.id)])


def _user(share: Share) -> Markup:
    parts = [xml.element(CS("uid"), share.uid), xml.href(share.address)]
    if share.common_name:
        parts.append(xml.element(CS("common-name"), share.common_name))
    parts.append(xml.element(CS("access"), xml.element(CS(share.access))))
    parts.append(xml.element(CS(STATUS[share.status])))
    return xml.element(CS("user"), *parts)


@calendarserver_sharing.property(CS("shared-url"), on=SharedCalendar)
def shared_url(calendar: SharedCalendar) -> Markup:
    """The sharer's calendar (section 5.2.4)."""
    return xml.href(calendar.view.path(source_href(calendar.source)))


@calendarserver_sharing.property(D("owner"), on=(SharedCalendar, SharedObject))
def owner(resource: SharedCalendar | SharedObject) -> Markup:
    """The sharer (section 5.5.5)."""
    calendar = resource if isinstance(resource, SharedCalendar) else cast(SharedCalendar, resource.parent)
    return xml.href(resource.view.path(calendar.sharer))


@calendarserver_sharing.property(C("calendar-description"), on=SharedCalendar, stored=True)
def calendar_description(calendar: SharedCalendar) -> Markup | None:
    """What the sharer says of the calendar, until the sharee says something else."""
    kept = calendar.source.collection.properties.get(C("calendar-description"))
    return None if kept is None else xml.Whole(kept)


@calendarserver_sharing.property(CS("notificationtype"), on=Notice)
def notificationtype(notice: Notice) -> Markup:
    """What a notification is about (section 4.2.1)."""
    return xml.element(CS(notice.row.component or ""), **{"shared-type": "calendar"})
