"""Calendar data as values: model, recurrence, zones, filters (RFC 5545, RFC 4791, RFC 7265, RFC 7529, RFC 7953)."""

from calserver.ical.conditions import (
    MaxAttendeesPerInstance,
    MaxDateTime,
    MaxInstances,
    MaxResourceSize,
    MinDateTime,
    SupportedCalendarData,
    SupportedRscale,
    ValidCalendarData,
    ValidCalendarObjectResource,
)
from calserver.ical.instance import Instance
from calserver.ical.jcal import from_jcal, to_jcal
from calserver.ical.limits import Limits
from calserver.ical.model import Component, Property
from calserver.ical.object import ICALENDAR, JCAL, CalendarObject, etag
from calserver.ical.parse import parse
from calserver.ical.rule import Rule, supported_rscales
from calserver.ical.serialize import serialize
from calserver.ical.validate import validate
from calserver.ical.value import Duration, Period, When, address, escape, unescape, when, whens
from calserver.ical.vtimezone import vtimezone
from calserver.ical.zones import Zones, calendar_timezone, named_zone, zone_of

__all__ = [
    "ICALENDAR",
    "JCAL",
    "CalendarObject",
    "Component",
    "Duration",
    "Instance",
    "Limits",
    "MaxAttendeesPerInstance",
    "MaxDateTime",
    "MaxInstances",
    "MaxResourceSize",
    "MinDateTime",
    "Period",
    "Property",
    "Rule",
    "SupportedCalendarData",
    "SupportedRscale",
    "ValidCalendarData",
    "ValidCalendarObjectResource",
    "When",
    "Zones",
    "address",
    "calendar_timezone",
    "escape",
    "etag",
    "from_jcal",
    "named_zone",
    "parse",
    "serialize",
    "supported_rscales",
    "to_jcal",
    "unescape",
    "validate",
    "vtimezone",
    "when",
    "whens",
    "zone_of",
]
