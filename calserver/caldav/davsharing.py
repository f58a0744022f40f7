"""Sharing in the words of the draft that followed Apple's (draft-pot-webdav-resource-sharing-04).

The same invitations: ``DAV:share-resource`` instead of ``CS:share`` (its POST is read by `sharing`), ``DAV:invite`` and
``DAV:share-access`` instead of ``CS:invite`` and types of resources, and an answer that is POSTed to the notification.
"""

from http import HTTPStatus

import attrs

from calserver import calendars
from calserver.caldav.notices import DAV_NAMES, STATUS, Notice
from calserver.caldav.publishing import SHARE
from calserver.caldav.resources import CalendarCollection, CalendarHome
from calserver.caldav.rfc4791 import home_of
from calserver.caldav.sharee import SharedCalendar, source_href
from calserver.caldav.sharing import DAVSHARING, accepted, invitation_of, text
from calserver.calendars import sharing
from calserver.dav import (
    BadRequest,
    Extension,
    Forbidden,
    Markup,
    Request,
    Response,
    UnsupportedMediaType,
    access,
    local,
    xml,
)
from calserver.directory import PrincipalResource
from calserver.names import D
from calserver.store import Share

dav_sharing = Extension("WebDAV resource sharing", features=("resource-sharing",))

SLUG_CHARACTERS = 200


# -- properties --------------------------------------------------------------------------------------------------------


@dav_sharing.property(D("share-access"), on=CalendarCollection)
def share_access(calendar: CalendarCollection) -> Markup:
    """What the asker has to do with the sharing of a calendar (section 5.4.1)."""
    if isinstance(calendar, SharedCalendar):
        return xml.element(D(calendar.row.access or "no-access"))
    return xml.element(D("shared-owner" if calendar.row.shared else "not-shared"))


@dav_sharing.property(D("invite"), on=CalendarCollection)
def invite(calendar: CalendarCollection) -> Markup | None:
    """Who was invited, for the owner (section 5.4.2); a sharee sees itself."""
    shares = calendar.view.txn.shares
    if isinstance(calendar, SharedCalendar):
        own = shares.find(calendar.row.source_id, calendar.row.principal_id)
        return xml.join([] if own is None else [_sharee(own)])
    if SHARE not in calendar.privileges:
        return None
    return xml.join([_sharee(each) for each in shares.of(calendar.row.id)])


def _sharee(share: Share) -> Markup:
    parts = [xml.href(share.address)]
    if share.common_name:
        parts.append(xml.element(D("prop"), xml.element(D("displayname"), share.common_name)))
    parts += [xml.element(D(STATUS[share.status])), xml.element(D("share-access"), xml.element(D(share.access)))]
    if share.summary:
        parts.append(xml.element(D("comment"), share.summary))
    return xml.element(D("sharee"), *parts)


@dav_sharing.property(D("share-resource-uri"), on=CalendarCollection)
def share_resource_uri(calendar: CalendarCollection) -> Markup:
    """The same for all who share a calendar (section 5.4.3)."""
    row = calendar.source.collection if isinstance(calendar, SharedCalendar) else calendar.row
    return xml.href(f"urn:uuid:{row.resource_id}")


@dav_sharing.property(D("sharer-resource-uri"), on=SharedCalendar)
def sharer_resource_uri(calendar: SharedCalendar) -> Markup:
    """The sharer's calendar: what Cyrus has besides."""
    return xml.href(calendar.view.path(source_href(calendar.source)))


@dav_sharing.property(D("notification-URL"), on=PrincipalResource)
def notification_url(resource: PrincipalResource) -> Markup | None:
    """Where notifications are (draft-pot-webdav-notifications section 4.2)."""
    home = home_of(resource)
    return None if home is None else xml.href(f"{home}{calendars.NOTIFICATIONS}/")


@dav_sharing.property(D("notificationtype"), on=Notice)
def notificationtype(notice: Notice) -> Markup:
    """What a notification is about (draft-pot-webdav-notifications section 4.3)."""
    return xml.element(D(DAV_NAMES[notice.row.component or ""]))


# -- replies -----------------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class Reply:
    """What a sharee answers: where the calendar shall be, and how it shall be called there."""

    accepted: bool
    create_in: str = ""
    slug: str = ""
    comment: str = ""


def reply(request: Request) -> Reply:
    """The body of a POST to a notification (section 5.5). For `Request.parsed`."""
    if request.media_type != DAVSHARING:
        raise UnsupportedMediaType(f"an answer is {DAVSHARING}")
    root = xml.required_body(request, D("invite-reply"))
    create_in = root.find(D("create-in"))
    slug = text(root, D("slug"))
    if "/" in slug or slug in (".", "..") or len(slug) > SLUG_CHARACTERS or not slug.isprintable():
        raise BadRequest("a slug is a name")
    return Reply(
        accepted=accepted(root, D),
        create_in="" if create_in is None else text(create_in, D("href")),
        slug=slug,
        comment=text(root, D("comment")),
    )


@dav_sharing.method("POST", on=Notice, writes=True, parse=[reply])
def post(request: Request, notice: Notice) -> Response:
    """Answer an invitation; the answer to a yes says where the shared calendar is now."""
    answer = request.parsed(reply)
    home = notice.parent.parent
    if not isinstance(home, CalendarHome):
        raise Forbidden("this can be answered in a calendar home only")
    home.require(access.BIND, access.UNBIND)
    if answer.create_in and local(request, answer.create_in) != home.href:
        raise Forbidden("shared calendars are in the home of the sharee")
    share = invitation_of(home, notice.notification.uid)
    if not answer.accepted:
        sharing.decline(home.view.txn, share)
        return Response(HTTPStatus.NO_CONTENT)
    bound = sharing.accept(home.view.txn, share, summary=answer.comment, name=answer.slug)
    where = home.view.path(home.href.child(bound.name, collection=True))
    return Response(HTTPStatus.CREATED, (("Location", where),))
