"""The time zone of a calendar, given as a VTIMEZONE (RFC 4791 section 5.2.2) or by its name (RFC 7809 section 5.2).

The store keeps it once, as iCalendar text; the name is that of its VTIMEZONE. So each of the two properties follows
the other, as RFC 7809 asks for.
"""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from calserver import ical
from calserver.caldav.resources import CalendarCollection
from calserver.caldav.webcal import PRODID
from calserver.dav import Markup, Request, xml
from calserver.dav.xml import Element
from calserver.ical import ICALENDAR, JCAL, Component, Limits, Property, SupportedCalendarData, ValidTimezone
from calserver.names import C


def text_of(calendar: CalendarCollection) -> Markup | str | None:
    """The content of ``CALDAV:calendar-timezone``; as jCal where the request's element asks for it (RFC 7265)."""
    text = calendar.row.timezone
    if text is None or not calendar.view.request.parsed(_wants_jcal):
        return text
    return _jcal(text)


@lru_cache(maxsize=128)
def _jcal(text: str) -> Markup:
    json = ical.to_jcal(ical.parse(text)).decode()
    return xml.Whole(xml.element(C("calendar-timezone"), json, **{"content-type": JCAL}))


def _wants_jcal(request: Request) -> bool:
    root = request.parsed(xml.body)
    asked = None if root is None else root.find(f".//{C('calendar-timezone')}")
    return asked is not None and asked.get("content-type") == JCAL


def set_text(calendar: CalendarCollection, element: Element | None) -> None:
    """Keep the VTIMEZONE in an element, iCalendar or jCal; None for no zone.

    Raises:
        SupportedCalendarData: it is of another media type.
        ValidCalendarData: it is not exactly one VTIMEZONE.
    """
    calendar.update(timezone=None if element is None else zone_text(element))


def zone_text(element: Element) -> str:
    """The iCalendar text with one VTIMEZONE in an element; raises what `set_text` does."""
    text = (element.text or "").strip()
    media_type = element.get("content-type", ICALENDAR)
    if media_type == JCAL:
        text = ical.serialize(ical.from_jcal(text)).decode()
    elif media_type != ICALENDAR:
        raise SupportedCalendarData("calendar data is text/calendar or application/calendar+json")
    ical.validate(ical.parse(text), Limits())
    ical.calendar_timezone(text)
    return text


def name_of(calendar: CalendarCollection) -> str | None:
    """The content of ``CALDAV:calendar-timezone-id``: the name of the zone, where it is one that others know."""
    text = calendar.row.timezone
    if text is None:
        return None
    name = ical.calendar_timezone(text)[0]
    return None if ical.named_zone(name) is None else name


def set_name(calendar: CalendarCollection, element: Element | None) -> None:
    """Keep the zone with a name; None for no zone.

    Raises:
        ValidTimezone: no zone has the name.
    """
    calendar.update(timezone=None if element is None else vtimezone(xml.content(element)))


def vtimezone(name: str) -> str:
    """The iCalendar text of a zone by its name; raises `ValidTimezone`."""
    try:
        definition = ical.vtimezone(name, datetime(1970, 1, 1, tzinfo=UTC))
    except ValueError:
        raise ValidTimezone("no time zone of this name is known") from None
    frame = (Property("VERSION", "2.0"), Property("PRODID", PRODID))
    return ical.serialize(Component("VCALENDAR", frame, (definition,))).decode()


def of_query(root: Element) -> tzinfo | None:
    """The zone that a query names by its text or by its id; None where it names none (RFC 4791 9.8, RFC 7809 6.2)."""
    text, name = root.find(C("timezone")), root.find(C("timezone-id"))
    if text is not None:
        return ical.calendar_timezone(zone_text(text))[1]
    if name is None:
        return None
    found = ical.named_zone(xml.content(name))
    if found is None:
        raise ValidTimezone("no time zone of this name is known")
    return found
