"""CALDAV:calendar-data as a value: which parts of an object a client wants, in which form (RFC 4791 section 9.6).

What is asked for whole is sent as it is stored, without being read. Everything else is a chain of functions from
component to component: expansion or limitation of the recurrence set, limitation of busy time, then the choice of
components and properties.
"""

from datetime import tzinfo
from typing import Final

import attrs
from lxml import etree

from calserver.ical.conditions import SupportedCalendarData
from calserver.ical.expansion import expanded, limited_freebusy, limited_recurrence
from calserver.ical.jcal import to_jcal
from calserver.ical.limits import Limits
from calserver.ical.model import Component
from calserver.ical.object import ICALENDAR, JCAL, CalendarObject
from calserver.ical.parse import parse
from calserver.ical.serialize import serialize
from calserver.ical.timerange import TimeRange
from calserver.names import C

_MOST_ELEMENTS = 500
_DEEPEST = 8
_MEDIA_TYPES: Final = (ICALENDAR, JCAL)


@attrs.frozen(slots=True, kw_only=True)
class Part:
    """CALDAV:comp: what is wanted of a component (section 9.6.1)."""

    name: str
    props: dict[str, bool] | None = None
    """Names of properties to whether only the name is wanted; None for all."""
    comps: "dict[str, Part] | None" = None
    """What is inside; None for all."""

    def of(self, component: Component) -> Component:
        """The part of a component."""
        properties = component.properties
        if self.props is not None:
            properties = tuple(
                prop.with_value("") if self.props[prop.name] else prop for prop in properties if prop.name in self.props
            )
        comps = self.comps
        if comps is None:
            return Component(component.name, properties, component.components)
        inner = tuple(comps[each.name].of(each) for each in component.components if each.name in comps)
        return Component(component.name, properties, inner)


@attrs.frozen(slots=True, kw_only=True)
class CalendarData:
    """CALDAV:calendar-data (section 9.6)."""

    media_type: str = ICALENDAR
    part: Part | None = None
    expand: TimeRange | None = None
    limit_recurrence_set: TimeRange | None = None
    limit_freebusy_set: TimeRange | None = None

    @classmethod
    def parse(cls, element: etree._Element) -> "CalendarData":
        """Read a ``CALDAV:calendar-data`` element of a request.

        Raises:
            SupportedCalendarData: the media type or version is not one that this server gives.
            ValueError: the element is not as it is defined: the request is malformed.
        """
        media_type = (element.get("content-type") or ICALENDAR).partition(";")[0].strip().lower()
        if media_type not in _MEDIA_TYPES or (element.get("version") or "2.0").strip() != "2.0":
            raise SupportedCalendarData("calendar data is text/calendar or application/calendar+json, version 2.0")
        if sum(1 for _ in element.iter(etree.Element)) > _MOST_ELEMENTS:
            raise ValueError(f"calendar-data has at most {_MOST_ELEMENTS} elements")
        found = cls(
            media_type=media_type,
            part=_outermost(element.find(C("comp"))),
            expand=_range(element, "expand"),
            limit_recurrence_set=_range(element, "limit-recurrence-set"),
            limit_freebusy_set=_range(element, "limit-freebusy-set"),
        )
        if found.expand is not None and found.limit_recurrence_set is not None:
            raise ValueError("calendar-data either expands or limits a recurrence set")
        return found

    @property
    def is_whole(self) -> bool:
        """Whether objects are wanted as they are stored, apart from the media type."""
        return self.part is None and not (self.expand or self.limit_recurrence_set or self.limit_freebusy_set)


def render(spec: CalendarData, text: bytes, *, zone: tzinfo, limits: Limits) -> bytes:
    """What a client gets of an object that is stored as `text`: iCalendar, or jCal.

    Args:
        spec: what it asked for.
        text: the iCalendar text; it is returned itself where all of it is wanted.
        zone: where floating times and days are.
        limits: how many instances are listed at most.

    Raises:
        MaxInstances: the expansion has more instances.
    """
    if spec.is_whole:
        return text if spec.media_type == ICALENDAR else to_jcal(parse(text))
    if spec.expand is not None:
        calendar = expanded(CalendarObject.stored(text), spec.expand, zone=zone, limit=limits.max_instances)
    elif spec.limit_recurrence_set is not None:
        calendar = limited_recurrence(CalendarObject.stored(text), spec.limit_recurrence_set, zone=zone)
    else:
        calendar = parse(text)
    if spec.limit_freebusy_set is not None:
        calendar = limited_freebusy(calendar, spec.limit_freebusy_set)
    if spec.part is not None:
        calendar = spec.part.of(calendar)
    return serialize(calendar) if spec.media_type == ICALENDAR else to_jcal(calendar)


def _outermost(element: etree._Element | None) -> Part | None:
    """The part of VCALENDAR; None where it is all of it."""
    if element is None:
        return None
    found = _part(element)
    if found.name != "VCALENDAR":
        raise ValueError("the outermost component of calendar-data is VCALENDAR")
    return None if found.props is None and found.comps is None else found


def _part(element: etree._Element, depth: int = 1) -> Part:
    if depth > _DEEPEST:
        raise ValueError("the components of calendar-data go deeper than components do")
    props = comps = None
    if element.find(C("allprop")) is None:
        props = {_name(each): _is_yes(each.get("novalue", "no")) for each in element.iterchildren(C("prop"))}
    if element.find(C("allcomp")) is None:
        comps = {_name(each): _part(each, depth + 1) for each in element.iterchildren(C("comp"))}
    return Part(name=_name(element), props=props, comps=comps)


def _name(element: etree._Element) -> str:
    name = (element.get("name") or "").strip().upper()
    if not name:
        raise ValueError("a component or property in calendar-data has a name")
    return name


def _is_yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("novalue is yes or no")
    return text == "yes"


def _range(element: etree._Element, name: str) -> TimeRange | None:
    found = element.find(C(name))
    return None if found is None else TimeRange.parse(found, closed=True)
