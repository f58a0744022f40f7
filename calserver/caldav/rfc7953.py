"""Availability: when somebody can be met at all (RFC 7953), as a property of the Inbox.

Apple's clients know the property under the name that it had before.
"""

from calserver import calendars, ical
from calserver.caldav.boxes import Inbox
from calserver.caldav.resources import settings
from calserver.dav import Extension
from calserver.dav.xml import Element
from calserver.ical import ValidCalendarData

rfc7953 = Extension("RFC 7953", features=("calendar-availability", "inbox-availability"))


@rfc7953.property(calendars.AVAILABILITY[0], on=Inbox, stored=True)
def calendar_availability(inbox: Inbox) -> None:
    """VAVAILABILITY components of the owner (section 7.2.4)."""


@rfc7953.property(calendars.AVAILABILITY[1], on=Inbox, stored=True)
def calendarserver_availability(inbox: Inbox) -> None:
    """The same."""


@calendar_availability.setter
def set_calendar_availability(inbox: Inbox, element: Element | None) -> None:
    """Check it; the old name does not keep another value."""
    _set(inbox, element, other=calendars.AVAILABILITY[1])


@calendarserver_availability.setter
def set_calendarserver_availability(inbox: Inbox, element: Element | None) -> None:
    """The same."""
    _set(inbox, element, other=calendars.AVAILABILITY[0])


def _set(inbox: Inbox, element: Element | None, *, other: str) -> None:
    """Raises `ValidCalendarData` where it is not availability; forgets what was kept under the other name."""
    if element is not None:
        calendar = ical.parse((element.text or "").strip())
        ical.validate(calendar, calendars.limits(settings(inbox.view)))
        if {each.name for each in calendar.components} - {"VTIMEZONE"} != {"VAVAILABILITY"}:
            raise ValidCalendarData("availability is made of VAVAILABILITY components")
    if other in inbox.stored_properties:
        inbox.store_properties({other: None})
