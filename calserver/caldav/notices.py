"""Notifications as resources (caldav-sharing section 4, draft-pot-webdav-notifications).

What is stored are facts (`calserver.calendars.notifications`). Who asks for the draft's media type gets its XML; all
others get that of calendarserver.org.
"""

from typing import Final

from calserver.calendars.notifications import INVITE, Notification, Person, Place
from calserver.dav import Href, Markup, Request, View, accepts, xml
from calserver.directory import principal_href
from calserver.names import CS, C, D
from calserver.store import Object as ObjectRow
from calserver.tree import StoredCollection, StoredObject

CALENDARS: Final = "calendars"
"""The first segment of the paths of calendars."""
DAV_TYPE: Final = "application/davnotification+xml"
_DAV_TYPES: Final = frozenset({DAV_TYPE, "application/webdavnotification+xml"})

STATUS: Final = {status: f"invite-{status}" for status in ("noresponse", "accepted", "declined", "deleted", "invalid")}
"""Local names of the elements that say how an invitation stands."""
DAV_NAMES: Final = {"invite-notification": "share-invite-notification", "invite-reply": "share-reply-notification"}


def wants_dav(request: Request) -> bool:
    """Whether a client reads the XML of the draft."""
    return any(media_type in _DAV_TYPES for media_type, _ in accepts(request.headers.get("accept", "")))


class Notice(StoredObject):
    """A notification; its owner removes it when it has been seen."""

    headers = (*StoredObject.headers, ("Vary", "Accept"))

    def __init__(self, view: View, href: Href, row: ObjectRow, parent: StoredCollection) -> None:
        super().__init__(view, href, row, parent)
        self.content_length = None
        if wants_dav(view.request):
            self.content_type = DAV_TYPE

    @property
    def notification(self) -> Notification:
        """What it says."""
        return Notification.unpacked(super().read())

    def read(self) -> bytes:
        """The XML that the client reads."""
        write = _dav if wants_dav(self.view.request) else _calendarserver
        return write(self.view, self.notification)


def hosturl(view: View, place: Place) -> str:
    """Where a calendar is, as sharing spells it: without a slash at the end."""
    return view.path(Href((CALENDARS, place.kind, place.uid, *place.names)))


def _person(view: View, person: Person) -> str:
    return view.path(principal_href(person.kind, person.uid))


def _components(told: Notification) -> Markup:
    """The types of components that clients sort calendars by; one that takes all is shown as one for events."""
    return xml.join([xml.element(C("comp"), name=each) for each in told.components or ("VEVENT",)])


# -- calendarserver.org ------------------------------------------------------------------------------------------------


def _calendarserver(view: View, told: Notification) -> bytes:
    inside = _cs_invite(view, told) if told.type == INVITE else _cs_reply(view, told)
    kind = xml.element(CS(told.type), inside, **{"shared-type": "calendar"})
    stamp = told.stamp.replace("-", "").replace(":", "")
    return xml.document(CS("notification"), xml.element(CS("dtstamp"), stamp), kind)


def _cs_invite(view: View, told: Notification) -> Markup:
    parts: list[str] = [
        xml.element(CS("uid"), told.uid),
        xml.href(told.address),
        xml.element(CS(STATUS[told.status])),
        xml.element(CS("access"), xml.element(CS(told.access))),
        xml.element(CS("hosturl"), xml.href(hosturl(view, told.calendar))),
        xml.element(
            CS("organizer"), xml.href(_person(view, told.person)), xml.element(CS("common-name"), told.person.name)
        ),
    ]
    if told.summary:
        parts.append(xml.element(CS("summary"), told.summary))
    parts.append(xml.element(C("supported-calendar-component-set"), _components(told)))
    return xml.join(parts)


def _cs_reply(view: View, told: Notification) -> Markup:
    parts: list[str] = [
        xml.href(told.address),
        xml.element(CS(STATUS[told.status])),
        xml.element(CS("hosturl"), xml.href(hosturl(view, told.calendar))),
        xml.element(CS("in-reply-to"), told.uid),
    ]
    if told.summary:
        parts.append(xml.element(CS("summary"), told.summary))
    parts.append(xml.element(CS("common-name"), told.person.name))
    return xml.join(parts)


# -- the draft ---------------------------------------------------------------------------------------------------------


def _dav(view: View, told: Notification) -> bytes:
    inside = _dav_invite(view, told) if told.type == INVITE else _dav_reply(view, told)
    kind = xml.element(D(DAV_NAMES[told.type]), inside)
    return xml.document(D("notification"), xml.element(D("dtstamp"), told.stamp), kind)


def _dav_invite(view: View, told: Notification) -> Markup:
    principal = (xml.href(_person(view, told.person)), _named(told.person.name))
    calendar = [
        xml.element(D("displayname"), told.title or told.summary or ""),
        xml.element(D("resourcetype"), xml.element(D("collection")), xml.element(C("calendar"))),
        xml.element(C("supported-calendar-component-set"), _components(told)),
    ]
    parts: list[str] = [
        xml.element(D("principal"), *principal),
        xml.element(D(STATUS[told.status])),
        xml.element(D("sharer-resource-uri"), xml.href(hosturl(view, told.calendar) + "/")),
        xml.element(D("share-access"), xml.element(D(told.access))),
        xml.element(D("prop"), *calendar),
    ]
    if told.summary:
        parts.append(xml.element(D("comment"), told.summary))
    return xml.join(parts)


def _dav_reply(view: View, told: Notification) -> Markup:
    sharee = (
        xml.href(told.address),
        _named(told.person.name),
        xml.element(D(STATUS[told.status])),
        xml.element(D("share-access"), xml.element(D(told.access))),
    )
    parts: list[str] = [xml.element(D("sharee"), *sharee), xml.href(hosturl(view, told.calendar) + "/")]
    if told.summary:
        parts.append(xml.element(D("comment"), told.summary))
    return xml.join(parts)


def _named(name: str) -> Markup:
    return xml.element(D("prop"), xml.element(D("displayname"), name))
