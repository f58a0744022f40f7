"""CALDAV:calendar-data: which data of an object a client wants, and in which form (RFC 4791 section 9.6)."""

from calserver import ical
from calserver.dav import Markup, xml
from calserver.ical import JCAL
from calserver.names import C


def element(text: bytes, media_type: str) -> Markup:
    """Calendar data as iCalendar, or as jCal with the attribute that says so (RFC 7265 section 6)."""
    if media_type == JCAL:
        json = ical.to_jcal(ical.parse(text)).decode()
        return xml.Whole(xml.element(C("calendar-data"), json, **{"content-type": JCAL, "version": "2.0"}))
    return xml.Whole(xml.element(C("calendar-data"), text.decode()))
