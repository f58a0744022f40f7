"""Time zones by reference (RFC 7809): the zone of a calendar, and of a query, by its name.

Calendar objects may name a zone without bringing its VTIMEZONE along. What was sent is kept as it came, so nothing is
announced in the ``DAV`` header: clients that want VTIMEZONEs left out would be promised too much.
"""

from calserver.caldav import timezone
from calserver.caldav.resources import CalendarCollection
from calserver.dav import Extension
from calserver.dav.xml import Element
from calserver.ical import ValidTimezone
from calserver.names import C

rfc7809 = Extension("RFC 7809", conditions=(ValidTimezone,))


@rfc7809.property(C("calendar-timezone-id"), on=CalendarCollection)
def calendar_timezone_id(calendar: CalendarCollection) -> str | None:
    """The name of the zone in which floating times and days are read (section 5.2)."""
    return timezone.name_of(calendar)


@calendar_timezone_id.setter
def set_calendar_timezone_id(calendar: CalendarCollection, element: Element | None) -> None:
    """Keep the zone; raises `ValidTimezone` where no zone has the name."""
    timezone.set_name(calendar, element)
