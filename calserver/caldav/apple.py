"""What Apple's clients and servers added to CalDAV: colors, order, default alarms, component sets of homes."""

from calserver import calendars
from calserver.caldav.resources import CalendarCollection, CalendarHome
from calserver.caldav.rfc4791 import home_of
from calserver.dav import Extension, Markup, xml
from calserver.directory import PrincipalResource
from calserver.names import CS, ICAL, C

calendarserver = Extension("calendarserver", features=("calendarserver-home-sync",))


@calendarserver.property(ICAL("calendar-color"), on=CalendarCollection, stored=True)
def calendar_color(calendar: CalendarCollection) -> None:
    """``#RRGGBBAA``, kept with its attribute ``symbolic-color``; none until a client sets one."""


@calendarserver.property(ICAL("calendar-order"), on=CalendarCollection, stored=True)
def calendar_order(calendar: CalendarCollection) -> None:
    """Its place among the calendars."""


def _default_alarm(name: str) -> None:
    @calendarserver.property(C(name), on=(CalendarCollection, CalendarHome), stored=True)
    def alarm(collection: CalendarCollection | CalendarHome) -> None:
        """The VALARM of new components, of all calendars or of one."""


for _name in (
    "default-alarm-vevent-datetime",
    "default-alarm-vevent-date",
    "default-alarm-vtodo-datetime",
    "default-alarm-vtodo-date",
):
    _default_alarm(_name)


@calendarserver.property(C("supported-calendar-component-sets"), on=CalendarHome)
def supported_calendar_component_sets(home: CalendarHome) -> str:
    """The sets of components that new calendars may have; as any may, there is none in particular."""
    return ""


@calendarserver.property(CS("notification-URL"), on=PrincipalResource)
def notification_url(resource: PrincipalResource) -> Markup | None:
    """Where a client finds what others want to share with the principal (caldav-sharing section 4.1)."""
    home = home_of(resource)
    return None if home is None else xml.href(f"{home}{calendars.NOTIFICATIONS}/")
