"""Calendar data as values: model, recurrence, zones, filters (RFC 5545, RFC 4791, RFC 7265, RFC 7529, RFC 7953).

**Text and model.** `parse` turns iCalendar text into a `Component` of `Property` values in one scan and `serialize`
writes it again; between them nothing is lost, because the model keeps raw values, as spelled. `from_jcal` and `to_jcal`
do the same for JSON. Whatever is not a well-formed stream is refused there, so that nothing stored can break an answer
that quotes it.

**Values.** Typed reading happens on demand: `when` and `whens` make a `When` - a day, a floating time, a time in a
zone, UTC - of a property, and know the daylight-saving gaps and overlaps. `Zones` says what a TZID means: the time zone
database by any name that clients use for its zones, and only then the rules of a VTIMEZONE. `address` is the form in
which calendar user addresses are compared.

**Objects.** `CalendarObject.parse` is the gate for everything that a client wants to store: it accepts both media
types, holds the data to RFC 5545 (`validate`), RFC 4791 section 4.1 and the `Limits` of a collection, and raises the
precondition that fails. `CalendarObject.stored` reads what passed that gate before, without judging it again. What may
cost much - rules, zones, nesting, lists - is bounded before it is computed.

**Recurrence.** A `Rule` repeats a start on the wall clock, in one of several calendars (`supported_rscales`); a
`Series` adds what else makes a recurrence set - dates, exceptions, overrides - and the zones; `expand` lists its
instances as `Occurrence` values. Time before a window is skipped by arithmetic, and every step is counted: what costs
too much is `MaxInstances`, at the gate and everywhere else.

**Queries.** `index` makes the rows that the store searches: half-open intervals of which each says exactly which time
ranges an instance is in, and a marker where a series goes on. `Filter.parse` and `CalendarData.parse` read what a
client asks; a filter's `window` is for the index, `matches` reads the object where the index does not prove it, and
`render` gives the data that were asked for. A `ValueError` of these parsers means a malformed request, for which RFC
4791 has no precondition.

**Busy time.** `row_periods` and `object_periods` make `BusyPeriod` values of rows and of objects, `unavailable` of
availability, `published` of a VFREEBUSY; `freebusy` writes them down as one.
"""

from calserver.ical.availability import unavailable
from calserver.ical.busy import BusyPeriod, freebusy, merged, object_periods, published, row_periods
from calserver.ical.calendardata import CalendarData, render
from calserver.ical.collation import SupportedCollation
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
    ValidTimezone,
)
from calserver.ical.filter import Filter, SupportedFilter, ValidFilter, Window
from calserver.ical.freebusytype import counts_by_answer
from calserver.ical.index import Index, index
from calserver.ical.instance import Instance
from calserver.ical.jcal import from_jcal, to_jcal
from calserver.ical.limits import Limits
from calserver.ical.match import matches
from calserver.ical.meter import STEPS, Meter
from calserver.ical.model import Component, Property
from calserver.ical.object import ICALENDAR, JCAL, CalendarObject, etag, message
from calserver.ical.parse import parse
from calserver.ical.recurrence import Occurrence, expand
from calserver.ical.rule import Rule, supported_rscales
from calserver.ical.serialize import serialize
from calserver.ical.timerange import TimeRange
from calserver.ical.validate import validate
from calserver.ical.value import Duration, Period, When, address, duration, escape, unescape, wall_clock, when, whens
from calserver.ical.vtimezone import vtimezone, with_timezones
from calserver.ical.zones import Zones, calendar_timezone, named_zone, zone_of

__all__ = [
    "ICALENDAR",
    "JCAL",
    "STEPS",
    "BusyPeriod",
    "CalendarData",
    "CalendarObject",
    "Component",
    "Duration",
    "Filter",
    "Index",
    "Instance",
    "Limits",
    "MaxAttendeesPerInstance",
    "MaxDateTime",
    "MaxInstances",
    "MaxResourceSize",
    "Meter",
    "MinDateTime",
    "Occurrence",
    "Period",
    "Property",
    "Rule",
    "SupportedCalendarData",
    "SupportedCollation",
    "SupportedFilter",
    "SupportedRscale",
    "TimeRange",
    "ValidCalendarData",
    "ValidCalendarObjectResource",
    "ValidFilter",
    "ValidTimezone",
    "When",
    "Window",
    "Zones",
    "address",
    "calendar_timezone",
    "counts_by_answer",
    "duration",
    "escape",
    "etag",
    "expand",
    "freebusy",
    "from_jcal",
    "index",
    "matches",
    "merged",
    "message",
    "named_zone",
    "object_periods",
    "parse",
    "published",
    "render",
    "row_periods",
    "serialize",
    "supported_rscales",
    "to_jcal",
    "unavailable",
    "unescape",
    "validate",
    "vtimezone",
    "wall_clock",
    "when",
    "whens",
    "with_timezones",
    "zone_of",
]
