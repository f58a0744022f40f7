"""CalDAV: what it adds to resources (RFC 4791). Its methods and reports are in the modules named after them."""

from datetime import UTC, datetime

from calserver import calendars, ical
from calserver.caldav import freebusy, mkcalendar, multiget, query, timezone
from calserver.caldav.boxes import Inbox, Outbox
from calserver.caldav.homes import mount
from calserver.caldav.resources import (
    CalendarCollection,
    CalendarObjectResource,
    CalendarObjects,
    PlainCollection,
    settings,
)
from calserver.dav import BadRequest, Extension, Forbidden, Markup, Privilege, Resource, Unmapped, access, xml
from calserver.dav.xml import Element
from calserver.directory import PrincipalResource
from calserver.names import C, D

rfc4791 = Extension(
    "RFC 4791",
    features=("calendar-access",),
    conditions=(
        calendars.CalendarCollectionLocationOk,
        calendars.NoUidConflict,
        calendars.SupportedCalendarComponent,
        mkcalendar.ResourceMustBeNull,
        ical.MaxAttendeesPerInstance,
        ical.MaxDateTime,
        ical.MaxInstances,
        ical.MaxResourceSize,
        ical.MinDateTime,
        ical.SupportedCalendarData,
        ical.SupportedCollation,
        ical.SupportedFilter,
        ical.ValidFilter,
        ical.ValidCalendarData,
        ical.ValidCalendarObjectResource,
    ),
    privileges=(
        Privilege(
            name=freebusy.READ_FREE_BUSY,
            description="See when somebody is busy",
            within=D("read"),
            on=(CalendarCollection, PlainCollection, CalendarObjectResource),
        ),
    ),
)

CALENDARS = (CalendarCollection, Inbox, Outbox)
"""What takes calendar data and says what it takes (RFC 4791 section 5.2, RFC 6638 sections 2.1 and 2.2)."""


# -- methods and reports -------------------------------------------------------------------------------------------

rfc4791.method(
    "MKCALENDAR",
    on=Unmapped,
    writes=True,
    needs="make_collection",
    allow=access.may_make_collection,
    parse=[mkcalendar.asked],
)(mkcalendar.mkcalendar)
rfc4791.method("MKCALENDAR", on=Resource, writes=True)(mkcalendar.refuse)


SEARCHABLE = (CalendarObjects, PlainCollection)
"""Collections whose calendar objects, or those in calendars below, can be asked for."""

rfc4791.report(C("calendar-query"), on=SEARCHABLE, body=query.CalendarQuery.parse)(query.calendar_query)
rfc4791.report(C("calendar-query"), on=CalendarObjectResource, body=query.CalendarQuery.parse)(query.object_query)
rfc4791.report(
    C("calendar-multiget"),
    on=(*SEARCHABLE, CalendarObjectResource),
    body=multiget.CalendarMultiget.parse,
    brief=True,
)(multiget.calendar_multiget)
rfc4791.report(C("free-busy-query"), on=(CalendarCollection, PlainCollection), body=freebusy.asked, brief=True)(
    freebusy.free_busy_query
)


# -- properties ----------------------------------------------------------------------------------------------------


@rfc4791.property(C("calendar-home-set"), on=PrincipalResource)
def calendar_home_set(resource: PrincipalResource) -> Markup | None:
    """Where the calendars of a principal are (section 6.2.1)."""
    home = home_of(resource)
    return None if home is None else xml.href(home)


def home_of(resource: PrincipalResource) -> str | None:
    """The path of a principal's calendar home; None for principals that have no calendars."""
    principal = resource.principal
    if principal.kind not in calendars.OWNERS:
        return None
    return resource.view.path(mount.home_href(principal.kind, principal.uid))


@rfc4791.property(C("calendar-description"), on=CalendarCollection, stored=True)
def calendar_description(calendar: CalendarCollection) -> None:
    """What it is about, for people (section 5.2.1)."""


@rfc4791.property(C("supported-calendar-component-set"), on=CALENDARS)
def supported_calendar_component_set(resource: CalendarObjects) -> Markup:
    """The types of components that it takes (section 5.2.3)."""
    return components(resource.taken)


def components(names: tuple[str, ...]) -> Markup:
    """Types of components as elements."""
    return xml.join([xml.element(C("comp"), name=each) for each in names])


@supported_calendar_component_set.creator
def choose_components(calendar: CalendarCollection, element: Element | None) -> None:
    """Only who makes a calendar can say what it is for.

    Raises:
        BadRequest: it names nothing.
        Forbidden: it names only types that are not stored here.
    """
    wanted = [each.get("name", "").upper() for each in (() if element is None else element.iter(C("comp")))]
    if not wanted:
        raise BadRequest("the set names no component")
    known = tuple(each for each in calendars.COMPONENTS if each in wanted)
    if not known:
        raise Forbidden("components of these types are not stored here")
    calendar.update(components=known)


SUPPORTED_CALENDAR_DATA = xml.join(
    [
        xml.element(C("calendar-data"), **{"content-type": each, "version": "2.0"})
        for each in (ical.ICALENDAR, ical.JCAL)
    ]
)


@rfc4791.property(C("supported-calendar-data"), on=CALENDARS)
def supported_calendar_data(resource: Resource) -> Markup:
    """The media types that it takes and gives (section 5.2.4, RFC 7265)."""
    return SUPPORTED_CALENDAR_DATA


@rfc4791.property(C("max-resource-size"), on=CALENDARS)
def max_resource_size(resource: Resource) -> str:
    """The most bytes of a calendar object (section 5.2.5)."""
    return str(settings(resource.view).resource_bytes)


@rfc4791.property(C("min-date-time"), on=CALENDARS)
def min_date_time(resource: Resource) -> str:
    """The earliest instant in calendar data (section 5.2.6)."""
    return _instant(settings(resource.view).min_date_time)


@rfc4791.property(C("max-date-time"), on=CALENDARS)
def max_date_time(resource: Resource) -> str:
    """The latest instant in calendar data (section 5.2.7)."""
    return _instant(settings(resource.view).max_date_time)


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


@rfc4791.property(C("max-instances"), on=CALENDARS)
def max_instances(resource: Resource) -> str:
    """The most recurrence instances that are listed one by one (section 5.2.8)."""
    return str(settings(resource.view).instances)


@rfc4791.property(C("max-attendees-per-instance"), on=CALENDARS)
def max_attendees_per_instance(resource: Resource) -> str:
    """The most attendees of an instance (section 5.2.9)."""
    return str(settings(resource.view).attendees)


SUPPORTED_COLLATIONS = xml.join(
    [xml.element(C("supported-collation"), each) for each in ("i;ascii-casemap", "i;octet", "i;unicode-casemap")]
)


@rfc4791.property(C("supported-collation-set"), on=SEARCHABLE)
def supported_collation_set(resource: Resource) -> Markup:
    """How text-match may compare (section 7.5.1)."""
    return SUPPORTED_COLLATIONS


@rfc4791.property(C("calendar-timezone"), on=CalendarCollection)
def calendar_timezone(calendar: CalendarCollection) -> Markup | str | None:
    """The zone of floating times and days in the calendar (section 5.2.2), as iCalendar or as jCal."""
    return timezone.text_of(calendar)


@calendar_timezone.setter
def set_calendar_timezone(calendar: CalendarCollection, element: Element | None) -> None:
    """Keep the zone; raises `ValidCalendarData` where it is not exactly one VTIMEZONE."""
    timezone.set_text(calendar, element)


@rfc4791.property(C("calendar-data"), on=CalendarObjectResource)
def calendar_data(resource: CalendarObjectResource) -> str:
    """The content (section 9.6), which RFC 4791 defines for reports only."""
    return resource.text.decode()
