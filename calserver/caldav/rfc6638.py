"""Automatic scheduling (RFC 6638): what it adds to resources. What it does is in `calserver.meetings`."""

from http import HTTPStatus

from lxml import etree

from calserver import calendars, itip
from calserver.caldav import inquiry, outbox, scheduled
from calserver.caldav.boxes import Inbox, Outbox
from calserver.caldav.notices import CALENDARS
from calserver.caldav.resources import CalendarCollection, CalendarObjectResource
from calserver.caldav.rfc4791 import home_of
from calserver.conditions import ConditionFailed
from calserver.dav import (
    BadRequest,
    Extension,
    Forbidden,
    Markup,
    Privilege,
    Request,
    Response,
    access,
    guard_binding,
    local,
    xml,
)
from calserver.dav.xml import Element
from calserver.directory import PrincipalResource
from calserver.names import C, D
from calserver.store import Collection as CollectionRow
from calserver.tree import StoredCollection


class ValidScheduleDefaultCalendarUrl(ConditionFailed):
    """The default calendar must be a calendar of the same home that takes events (RFC 6638 section 9.2)."""

    name = C("valid-schedule-default-calendar-URL")


def _on_inbox(name: str, description: str) -> Privilege:
    return Privilege(name=C(name), description=description, within=C("schedule-deliver"), on=(Inbox,))


def _on_outbox(name: str, description: str) -> Privilege:
    return Privilege(name=C(name), description=description, within=C("schedule-send"), on=(Outbox,))


rfc6638 = Extension(
    "RFC 6638",
    features=("calendar-auto-schedule", "calendarserver-group-attendee"),
    conditions=(
        calendars.UniqueSchedulingObjectResource,
        scheduled.DefaultCalendarNeeded,
        outbox.SupportedCollection,
        outbox.ValidOrganizer,
        inquiry.ValidSchedulingMessage,
        ValidScheduleDefaultCalendarUrl,
        itip.AllowedAttendeeSchedulingObjectChange,
        itip.AllowedOrganizerSchedulingObjectChange,
        itip.SameOrganizerInAllComponents,
    ),
    privileges=(
        Privilege(name=C("schedule-deliver"), description="Send messages to the owner", on=(Inbox,), aggregate=True),
        _on_inbox("schedule-deliver-invite", "Invite the owner"),
        _on_inbox("schedule-deliver-reply", "Reply to invitations of the owner"),
        _on_inbox("schedule-query-freebusy", "Ask when the owner is busy"),
        Privilege(name=C("schedule-send"), description="Send messages for the owner", on=(Outbox,), aggregate=True),
        _on_outbox("schedule-send-invite", "Invite others for the owner"),
        _on_outbox("schedule-send-reply", "Reply to invitations for the owner"),
        _on_outbox("schedule-send-freebusy", "Ask for the owner when others are busy"),
    ),
)


@rfc6638.method(
    "DELETE", on=CalendarObjectResource, writes=True, needs="delete", allow=access.may_unbind, guard=guard_binding
)
def delete(request: Request, member: CalendarObjectResource) -> Response:
    """Remove a calendar object; one whose organizer cannot be told stays, and says why (section 3.2.2.4)."""
    if member.is_scheduled:
        problem = scheduled.withdraw(member)
        if problem is not None:
            text = f"{scheduled.unreachable(problem)}\n".encode()
            fields = (("Content-Type", "text/plain; charset=utf-8"),)
            return Response(HTTPStatus.FORBIDDEN, fields, text, keeps=True)
        member.view.txn.locks.remove_below(str(member.href))
    else:
        member.delete()
    return Response(HTTPStatus.NO_CONTENT)


@rfc6638.property(C("schedule-tag"), on=CalendarObjectResource)
def schedule_tag(member: CalendarObjectResource) -> str | None:
    """Changes only with what matters to scheduling (section 3.2.10)."""
    return member.schedule_tag


def _is_for_outbox(request: Request) -> bool:
    segments = request.href.segments
    return len(segments) == 4 and (segments[0], segments[3]) == (CALENDARS, calendars.OUTBOX)


rfc6638.method("POST", on=Outbox, writes=False, known_by=_is_for_outbox)(outbox.post)
rfc6638.method("POST", on=Inbox, writes=False)(outbox.refuse)


# -- principals ----------------------------------------------------------------------------------------------------


@rfc6638.property(C("schedule-inbox-URL"), on=PrincipalResource)
def schedule_inbox_url(resource: PrincipalResource) -> Markup | None:
    """Where messages to the principal are put (section 2.2.1)."""
    return _in_home(resource, calendars.INBOX)


@rfc6638.property(C("schedule-outbox-URL"), on=PrincipalResource)
def schedule_outbox_url(resource: PrincipalResource) -> Markup | None:
    """Where the principal asks for busy time of others (section 2.1.1)."""
    return _in_home(resource, calendars.OUTBOX)


def _in_home(resource: PrincipalResource, name: str) -> Markup | None:
    home = home_of(resource)
    return None if home is None else xml.href(f"{home}{name}/")


# -- calendars -----------------------------------------------------------------------------------------------------

OPAQUE = xml.element(C("opaque"))
TRANSPARENT = xml.element(C("transparent"))


@rfc6638.property(C("schedule-calendar-transp"), on=CalendarCollection)
def schedule_calendar_transp(calendar: CalendarCollection) -> Markup:
    """Whether its events take up time (section 9.1)."""
    return TRANSPARENT if calendar.row.transparent else OPAQUE


@schedule_calendar_transp.setter
def set_schedule_calendar_transp(calendar: CalendarCollection, element: Element | None) -> None:
    """Set it; what is removed is opaque again."""
    names = {C("opaque")} if element is None else {each.tag for each in element}
    if names not in ({C("opaque")}, {C("transparent")}):
        raise BadRequest("a calendar is opaque or transparent")
    calendar.update(transparent=C("transparent") in names)


# -- the Inbox -----------------------------------------------------------------------------------------------------


def _calendars(inbox: Inbox, component: str = "VEVENT") -> list[CollectionRow]:
    """The calendars directly in the home that take components of a type."""
    rows = inbox.view.txn.collections.children(inbox.row.home_id)
    return [each for each in rows if each.kind == "calendar" and component in calendars.taken(each)]


def _visible(inbox: Inbox, component: str = "VEVENT") -> list[CalendarCollection]:
    """Those of them that the actor may read."""
    home = inbox.parent
    assert isinstance(home, StoredCollection)
    found = (home.collection_of(each) for each in _calendars(inbox, component))
    return [each for each in found if isinstance(each, CalendarCollection) and access.READ in each.privileges]


def _named(inbox: Inbox, element: Element | None, component: str = "VEVENT") -> list[CalendarCollection]:
    """The calendars that the hrefs in an element name.

    Raises:
        BadRequest: an href is no URI.
        ValidScheduleDefaultCalendarUrl: one names something else, or what the actor may not know of.
    """
    known = {each.href.segments: each for each in _visible(inbox, component)}
    found = []
    for each in () if element is None else element.iter(D("href")):
        href = local(inbox.view.request, xml.content(each))
        if href is None or href.segments not in known:
            raise ValidScheduleDefaultCalendarUrl(f"this is not a calendar for {component} in the same home")
        found.append(known[href.segments])
    return found


def _default_of(component: str, name: str) -> None:
    """Declare the property that names the calendar for new invitations of a type."""

    @rfc6638.property(name, on=Inbox)
    def default_url(inbox: Inbox) -> Markup:
        """The calendar that invitations are put into (section 9.2); empty where there is none that the actor may see.

        It is remembered by its resource id, so that it may be moved.
        """
        default = calendars.default_calendar(inbox.row, _calendars(inbox, component), component)
        if default is None:
            return Markup()
        return xml.join([xml.href(each.path) for each in _visible(inbox, component) if each.row.id == default.id])

    @default_url.setter
    def set_default_url(inbox: Inbox, element: Element | None) -> None:
        """Choose it; without an element what was provided is the default again."""
        if element is None:
            inbox.store_properties({name: None})
            return
        named = _named(inbox, element, component)
        if len(named) != 1:
            raise ValidScheduleDefaultCalendarUrl("one calendar can be the default")
        kept = etree.Element(name)
        kept.text = named[0].row.resource_id
        inbox.store_properties({name: xml.stored(kept)})


for _component, _name in calendars.DEFAULT_URLS.items():
    _default_of(_component, _name)


@rfc6638.property(C("calendar-free-busy-set"), on=Inbox)
def calendar_free_busy_set(inbox: Inbox) -> Markup:
    """The calendars that count as busy time: what RFC 6638 replaced by schedule-calendar-transp, told the old way."""
    return xml.join([xml.href(each.path) for each in _visible(inbox) if not each.row.transparent])


@calendar_free_busy_set.setter
def set_calendar_free_busy_set(inbox: Inbox, element: Element | None) -> None:
    """Make these calendars opaque, and the others transparent."""
    if element is None:
        raise Forbidden("the set cannot be removed")
    opaque = {each.row.id for each in _named(inbox, element)}
    changing = [each for each in _visible(inbox) if each.row.transparent == (each.row.id in opaque)]
    access.demand(*(access.lacking(each, access.WRITE_PROPERTIES) for each in changing))
    for each in changing:
        each.update(transparent=not each.row.transparent)
