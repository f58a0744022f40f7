"""Recurrence rules that count in other calendars (RFC 7529)."""

from calserver import ical
from calserver.caldav.boxes import Inbox, Outbox
from calserver.caldav.resources import CalendarCollection, PlainCollection
from calserver.dav import Extension, Markup, Resource, xml
from calserver.names import C

rfc7529 = Extension("RFC 7529", conditions=(ical.SupportedRscale,))

SUPPORTED = xml.join([xml.element(C("supported-rscale"), each) for each in sorted(ical.supported_rscales)])


@rfc7529.property(C("supported-rscale-set"), on=(CalendarCollection, PlainCollection, Inbox, Outbox))
def supported_rscale_set(resource: Resource) -> Markup:
    """The calendars that RSCALE may name (section 5.2.1)."""
    return SUPPORTED
