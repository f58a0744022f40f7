"""Calendar object resources: one UID, one kind of component, its recurrence overrides (RFC 4791 section 4.1)."""

import re
from functools import cached_property
from hashlib import blake2b
from typing import Final

import attrs

from calserver.ical.conditions import (
    MaxInstances,
    MaxResourceSize,
    SupportedCalendarData,
    ValidCalendarData,
    ValidCalendarObjectResource,
)
from calserver.ical.jcal import from_jcal
from calserver.ical.limits import Limits
from calserver.ical.model import Component
from calserver.ical.overrides import check_overrides
from calserver.ical.parse import parse
from calserver.ical.serialize import serialize
from calserver.ical.validate import END, validate
from calserver.ical.value import address, unescape, when
from calserver.ical.zones import Zones

ICALENDAR: Final = "text/calendar"
JCAL: Final = "application/calendar+json"

_LONGEST_UID = 1024
"""Octets; RFC 7986 section 5.3 asks for less than 255, and indexes take about 2,700."""
_DELIMITERS = re.compile(rb"^(?:BEGIN|END):[A-Z0-9-]+\r?(?:\n(?![ \t])|\Z)", re.MULTILINE | re.IGNORECASE)
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


@attrs.frozen(slots=True, kw_only=True)
class CalendarObject:
    """A calendar object resource (RFC 4791 section 4.1).

    ``text`` is what is stored and sent: the bytes as received, unless they came as jCal, with a byte order mark, folded
    inside of characters, with line ends of CR alone, with ``BEGIN`` and ``END`` that are folded or hold blanks, or with
    an override that has both an end and a DURATION.
    ``organizer`` and ``attendees`` are normalized addresses, over all components.
    """

    text: bytes = attrs.field(repr=False)
    calendar: Component = attrs.field(repr=False)
    uid: str
    component: str
    """``VEVENT``, ``VTODO``, ..."""
    master: Component | None = attrs.field(repr=False)
    """The component without RECURRENCE-ID; None where an attendee was invited to single instances only."""
    overrides: tuple[Component, ...] = attrs.field(repr=False)
    organizer: str | None = None
    attendees: frozenset[str] = frozenset()

    @cached_property
    def zones(self) -> Zones:
        """The zones of the TZIDs in it."""
        return Zones(self.calendar)

    @property
    def components(self) -> tuple[Component, ...]:
        """The master, where there is one, and the overrides."""
        return self.overrides if self.master is None else (self.master, *self.overrides)

    @classmethod
    def parse(cls, content: bytes, content_type: str = ICALENDAR, limits: Limits = Limits()) -> "CalendarObject":  # noqa: B008 - frozen
        """What a client wants to store, checked.

        Raises:
            SupportedCalendarData: the media type is neither iCalendar nor jCal.
            MaxResourceSize: there are more bytes than `limits` allow.
            ValidCalendarData: it is not valid iCalendar (RFC 5545), or not in UTF-8.
            ValidCalendarObjectResource: it is not one calendar object.
            MinDateTime, MaxDateTime, MaxInstances, MaxAttendeesPerInstance: it is beyond another limit.
            SupportedRscale: a rule counts in an unknown calendar.
        """
        received = _received(content, content_type, limits)
        calendar = _with_one_end(received)
        as_it_came = calendar is received and _media_type(content_type) != JCAL
        content = _storable(content, calendar) if as_it_came else serialize(calendar)
        found = cls.of(calendar, content)
        validate(calendar, limits)
        if len(found.overrides) > limits.max_instances:
            raise MaxInstances(f"there are at most {limits.max_instances} instances")
        if found.master is not None and found.overrides:
            check_overrides(found.master, found.overrides, found.zones)
        return found

    @classmethod
    def stored(cls, text: bytes) -> "CalendarObject":
        """What was checked when it was stored; in an inbox that may be a scheduling message, with its METHOD."""
        return cls._of(parse(text), text)

    @classmethod
    def of(cls, calendar: Component, text: bytes | None = None) -> "CalendarObject":
        """The object that a VCALENDAR makes; only what makes it one is checked.

        Raises:
            ValidCalendarData: an override has a malformed RECURRENCE-ID.
            ValidCalendarObjectResource: it is not one calendar object.
        """
        if calendar.first("METHOD") is not None:
            raise ValidCalendarObjectResource("a calendar object has no METHOD")
        return cls._of(calendar, text)

    @classmethod
    def _of(cls, calendar: Component, text: bytes | None) -> "CalendarObject":
        components = _main_components(calendar)
        uids = {each.value("UID") for each in components}
        uid = unescape(uids.pop() or "")
        if uids or not uid:
            raise ValidCalendarObjectResource("all components of a calendar object have one UID")
        if len(uid.encode()) > _LONGEST_UID:
            raise ValidCalendarData(f"the UID is longer than {_LONGEST_UID} octets")
        masters = [each for each in components if each.first("RECURRENCE-ID") is None]
        if len(masters) > 1:
            raise ValidCalendarObjectResource("two components with one UID have no RECURRENCE-ID")
        overrides = tuple(each for each in components if each.first("RECURRENCE-ID") is not None)
        _refuse_duplicates(calendar, overrides)
        organizers = [found.value for each in (*masters, *overrides) if (found := each.first("ORGANIZER")) is not None]
        return cls(
            text=serialize(calendar) if text is None else text,
            calendar=calendar,
            uid=uid,
            component=components[0].name,
            master=masters[0] if masters else None,
            overrides=overrides,
            organizer=(address(organizers[0]) or None) if organizers else None,
            attendees=frozenset(address(prop.value) for each in components for prop in each.all("ATTENDEE")),
        )


def message(content: bytes, content_type: str = ICALENDAR, limits: Limits = Limits()) -> Component:  # noqa: B008 - frozen
    """A VCALENDAR that a client sends and that is not stored, checked: a scheduling message (RFC 5546).

    Raises:
        SupportedCalendarData: the media type is neither iCalendar nor jCal.
        MaxResourceSize: there are more bytes than `limits` allow.
        ValidCalendarData: it is not valid iCalendar (RFC 5545), or not in UTF-8.
        MinDateTime, MaxDateTime, MaxInstances, MaxAttendeesPerInstance: it is beyond another limit.
        SupportedRscale: a rule counts in an unknown calendar.
    """
    calendar = _with_one_end(_received(content, content_type, limits))
    validate(calendar, limits)
    return calendar


def _received(content: bytes, content_type: str, limits: Limits) -> Component:
    media_type = _media_type(content_type)
    if len(content) > limits.max_resource_size:
        raise MaxResourceSize(f"calendar data is at most {limits.max_resource_size} bytes long")
    return from_jcal(content) if media_type == JCAL else parse(content)


def _with_one_end(calendar: Component) -> Component:
    """A VCALENDAR in which no override has both an end and a DURATION (RFC 5545 section 3.6.1); the end counts.

    Thunderbird writes the end of an instance that its user has changed beside the DURATION that the series has.
    """
    two = [each for each in calendar.components if _has_two_ends(each)]
    return calendar.map(lambda each: each.replacing("DURATION") if each in two else each) if two else calendar


def _has_two_ends(component: Component) -> bool:
    end = END.get(component.name)
    if end is None or component.first("RECURRENCE-ID") is None:
        return False
    return component.first("DURATION") is not None and component.first(end) is not None


def etag(text: bytes) -> str:
    """The entity tag of stored text, without quotes."""
    return blake2b(text, digest_size=16).hexdigest()


def _media_type(content_type: str) -> str:
    media_type, *params = (part.strip() for part in content_type.lower().split(";"))
    if media_type not in (ICALENDAR, JCAL, ""):
        raise SupportedCalendarData("calendar data is text/calendar or application/calendar+json")
    for name, _, value in (param.partition("=") for param in params):
        if name.strip() == "charset" and value.strip().strip('"') not in _CHARSETS:
            raise ValidCalendarData("calendar data is in UTF-8")
    return media_type or ICALENDAR


def _storable(content: bytes, calendar: Component) -> bytes:
    """The text as it came, or written anew where others might read it in another way, or cut it in the wrong place."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode()
    except UnicodeDecodeError:
        return serialize(calendar)
    whole_lines = content.count(b"\r") == content.count(b"\r\n")
    if whole_lines and len(_DELIMITERS.findall(content)) == 2 * _number(calendar):
        return content
    return serialize(calendar)


def _number(component: Component) -> int:
    """How many components there are, itself and all below."""
    return 1 + sum(map(_number, component.components))


def _main_components(calendar: Component) -> tuple[Component, ...]:
    others = [each for each in calendar.components if each.name != "VTIMEZONE"]
    known = tuple(each for each in others if not each.name.startswith("X-")) or tuple(others)
    if len({each.name for each in known}) != 1:
        raise ValidCalendarObjectResource("a calendar object has components of one type besides VTIMEZONE")
    return known


def _refuse_duplicates(calendar: Component, overrides: tuple[Component, ...]) -> None:
    if len(overrides) < 2:
        return
    zones = Zones(calendar)
    seen: set[tuple[bool, int]] = set()
    for each in overrides:
        prop = each.first("RECURRENCE-ID")
        assert prop is not None
        try:
            at = when(prop, zones)
        except ValueError as problem:
            raise ValidCalendarData(f"RECURRENCE-ID: {problem}") from None
        key = (at.is_date, at.epoch())
        if key in seen:
            raise ValidCalendarObjectResource("two components have the same RECURRENCE-ID")
        seen.add(key)
