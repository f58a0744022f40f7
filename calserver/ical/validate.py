"""Whether iCalendar data is valid and within limits, before it is stored (RFC 5545 section 3.6, RFC 4791 section 5.2).

What readers of the data rely on is checked strictly: structure, cardinality, the types of values, time zones, rules.
What clients in wide use get wrong without anybody being misled is let through:

- no PRODID, no DTSTAMP; DTSTAMP, CREATED and the like not in UTC;
- CREATED in the year 0, as Google writes it where it does not know; of tasks it is read (RFC 4791 section 9.9);
- an end beside a DURATION in an override, as Thunderbird writes it; the end counts (`calserver.ical.object`);
- an end that equals its start, as Outlook and Reminders write them;
- a task whose DTSTART and DUE are of different types, or in different zones; the two are not compared then;
- a STATUS of a task that no RFC defines yet (drafts of task extensions);
- UNTIL of another type than DTSTART; several RRULEs; an RRULE in an override;
- an alarm without the DESCRIPTION that its ACTION wants;
- a broken VTIMEZONE for a zone that is known by its name.
"""

import re
from collections.abc import Callable
from typing import Final

from calserver.ical.conditions import (
    MaxAttendeesPerInstance,
    MaxDateTime,
    MaxInstances,
    MinDateTime,
    SupportedRscale,
    ValidCalendarData,
)
from calserver.ical.limits import Limits
from calserver.ical.model import Component, Property
from calserver.ical.rule import Rule, supported_rscales
from calserver.ical.value import Duration, Period, When, duration, integer, period, when, whens
from calserver.ical.vocabulary import DEFAULT_TYPES, LISTS, ONCE, STATUSES
from calserver.ical.zones import Zones

_REQUIRED: Final = {"VEVENT": ("DTSTART",), "AVAILABLE": ("DTSTART",), "VALARM": ("ACTION", "TRIGGER")}
END: Final = {"VEVENT": "DTEND", "VTODO": "DUE", "VFREEBUSY": "DTEND", "VAVAILABILITY": "DTEND", "AVAILABLE": "DTEND"}
_RANGES: Final = {"PERCENT-COMPLETE": (0, 100), "PRIORITY": (0, 9), "REPEAT": (0, 2**31)}
_MAX_RULES: Final = 8
"""RFC 5545 says that there should be one (section 3.8.5.3)."""
_LIMITED: Final = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "RDATE", "EXDATE"})
_YEAR_0: Final = "0000"
_LEAP_YEAR: Final = "2000"
"""Stands for the year 0 when the rest of a CREATED is checked: it has all days."""
_TRANSPARENCIES: Final = frozenset({"OPAQUE", "TRANSPARENT"})
_TOKEN: Final = re.compile(r"[A-Z0-9-]+")
_BAD_ESCAPE: Final = re.compile(r"(?<!\\)(?:\\\\)*+\\(?![\\;,nN])")


def validate(calendar: Component, limits: Limits) -> None:
    """Check everything that can be said about one VCALENDAR.

    Raises:
        ValidCalendarData: it is not valid.
        MinDateTime, MaxDateTime, MaxInstances, MaxAttendeesPerInstance: it is beyond `limits`.
        SupportedRscale: a rule counts in an unknown calendar.
    """
    _check_calendar(calendar)
    validation = _Validation(Zones(calendar, strict=True), limits, is_message=calendar.first("METHOD") is not None)
    for component in calendar.components:
        if component.name == "VTIMEZONE":
            if len(component.all("TZID")) != 1:
                raise ValidCalendarData("a VTIMEZONE has one TZID")
        elif component.name in ONCE:
            validation.check(component)


def _check_calendar(calendar: Component) -> None:
    version = calendar.all("VERSION")
    if len(version) != 1 or version[0].value.strip().rpartition(";")[2] != "2.0":
        raise ValidCalendarData("VCALENDAR has one VERSION, and it is 2.0")
    if (calendar.value("CALSCALE") or "GREGORIAN").strip().upper() != "GREGORIAN":
        raise ValidCalendarData("CALSCALE is GREGORIAN")
    if not calendar.components:
        raise ValidCalendarData("VCALENDAR contains at least one component")
    if any(len(calendar.all(name)) > 1 for name in ("PRODID", "CALSCALE", "METHOD")):
        raise ValidCalendarData("a property of VCALENDAR occurs twice")


class _Validation:
    """The checks of one VCALENDAR, with what they need to know."""

    def __init__(self, zones: Zones, limits: Limits, *, is_message: bool) -> None:
        self.zones = zones
        self.limits = limits
        self.is_message = is_message
        self.earliest = limits.min_date_time.timestamp()
        self.latest = limits.max_date_time.timestamp()
        self.times: dict[str, When] = {}
        """What `moment` read in the component that is being checked."""
        self.excluded = 0
        """How many instances its EXDATEs name."""

    def check(self, component: Component) -> None:
        """Check one component and the known ones inside of it."""
        once = ONCE[component.name]
        found: dict[str, Property] = {}
        self.times = {}
        self.excluded = 0
        attendees = instances = rules = 0
        for prop in component.properties:
            name = prop.name
            if name in found and name in once:
                raise ValidCalendarData(f"{component.name}: {name} occurs twice")
            found[name] = prop
            attendees += name == "ATTENDEE"
            rules += name in ("RRULE", "EXRULE")
            reader = _READERS.get(name)
            if reader is not None:
                try:
                    instances += reader(self, prop, component.name)
                except ValueError as problem:
                    raise ValidCalendarData(f"{component.name}: {name}: {problem}") from None
        if attendees > self.limits.max_attendees_per_instance:
            raise MaxAttendeesPerInstance(f"there are at most {self.limits.max_attendees_per_instance} attendees")
        if max(instances, self.excluded) > self.limits.max_instances:
            raise MaxInstances(f"there are at most {self.limits.max_instances} instances")
        if rules > _MAX_RULES:
            raise ValidCalendarData(f"{component.name}: there are too many rules")
        self.check_span(component, found)
        for each in component.components:
            if each.name in ONCE:
                self.check(each)

    def check_span(self, component: Component, found: dict[str, Property]) -> None:
        """Check what properties say together: required ones, start and end.

        A message need not have DTSTART (RFC 5545 section 3.6.1).
        """
        for required in _REQUIRED.get(component.name, ()):
            if required not in found and not (self.is_message and required == "DTSTART"):
                raise ValidCalendarData(f"{component.name}: {required} is missing")
        end_name = END.get(component.name)
        if end_name is None:
            return
        if end_name in found and "DURATION" in found:
            raise ValidCalendarData(f"{component.name}: there are both {end_name} and DURATION")
        try:
            start, end = self.times.get("DTSTART"), self.times.get(end_name)
            if "DURATION" in found:
                self.check_duration(start, duration(found["DURATION"].value))
            if start is not None and end is not None and not _is_mixed_task(component, found):
                _check_order(start, end)
        except ValueError as problem:
            raise ValidCalendarData(f"{component.name}: {problem}") from None

    def check_duration(self, start: When | None, length: Duration) -> None:
        """Check the DURATION of something that starts."""
        if start is None:
            raise ValueError("there is DURATION without DTSTART")
        if length.total < 0:
            raise ValueError("DURATION is negative")
        if start.is_date and length.seconds % 86400:
            raise ValueError("DTSTART is a day, and DURATION is not in days")
        self.check_limits(start.plus(length))

    def check_limits(self, at: When) -> None:
        """Refuse what is too early or too late to be stored (RFC 4791 sections 5.2.6 and 5.2.7)."""
        if self.limits.min_date_time.year < at.local.year < self.limits.max_date_time.year:
            return
        epoch = at.epoch()
        if epoch < self.earliest:
            raise MinDateTime(f"dates start in {self.limits.min_date_time.year}")
        if epoch > self.latest:
            raise MaxDateTime(f"dates end in {self.limits.max_date_time.year}")

    # What reads each property returns the number of instances that it makes, where it does.

    def moment(self, prop: Property, component: str) -> int:
        """DTSTART and all others with one date or date-time."""
        if prop.name == "CREATED" and component != "VTODO" and prop.value.startswith(_YEAR_0):
            prop = prop.with_value(_LEAP_YEAR + prop.value.removeprefix(_YEAR_0))
        at = self.times[prop.name] = when(prop, self.zones)
        if prop.name in _LIMITED:
            self.check_limits(at)
        return 0

    def moments(self, prop: Property, component: str) -> int:
        """RDATE and EXDATE."""
        found = list(whens(prop, self.zones))
        for at in found:
            self.check_limits(at.start if isinstance(at, Period) else at)
            if isinstance(at, Period):
                self.check_limits(at.end)
        if prop.name == "EXDATE":
            self.excluded += len(found)
            return 0
        return len(found)

    def duration(self, prop: Property, component: str) -> int:
        """DURATION."""
        duration(prop.value)
        return 0

    def trigger(self, prop: Property, component: str) -> int:
        """TRIGGER (RFC 5545 section 3.8.6.3)."""
        if (prop.param("VALUE") or "DURATION").upper() == "DATE-TIME":
            when(prop, self.zones)
        else:
            duration(prop.value)
        return 0

    def number(self, prop: Property, component: str) -> int:
        """PERCENT-COMPLETE and other numbers with a range."""
        least, most = _RANGES[prop.name]
        if not least <= integer(prop.value) <= most:
            raise ValueError(f"the number is not between {least} and {most}")
        return 0

    def sequence(self, prop: Property, component: str) -> int:
        """SEQUENCE; some clients count in milliseconds, beyond what INTEGER allows."""
        if not (prop.value.isascii() and prop.value.isdigit() and len(prop.value) < 19):
            raise ValueError("this is not a number of zero or more")
        return 0

    def periods(self, prop: Property, component: str) -> int:
        """FREEBUSY."""
        found = [period(text) for text in prop.value.split(",")]
        return len(found)

    def rule(self, prop: Property, component: str) -> int:
        """RRULE and EXRULE."""
        found = Rule.parse(prop.value)
        if found.scale not in supported_rscales:
            raise SupportedRscale("the calendar that the rule counts in is not supported")
        return (found.count or 0) if prop.name == "RRULE" else 0

    def status(self, prop: Property, component: str) -> int:
        """STATUS."""
        status, allowed = prop.value.upper(), STATUSES.get(component)
        if _TOKEN.fullmatch(status) is None or not (allowed is None or status in allowed or status.startswith("X-")):
            raise ValueError("this is not a status of the component")
        return 0

    def transparency(self, prop: Property, component: str) -> int:
        """TRANSP."""
        if prop.value.upper() not in _TRANSPARENCIES:
            raise ValueError("this is neither OPAQUE nor TRANSPARENT")
        return 0

    def text(self, prop: Property, component: str) -> int:
        r"""Text for people: a backslash stands before ``\``, ``;``, ``,`` or ``n`` only (RFC 5545 section 3.3.11)."""
        if "\\" in prop.value and _BAD_ESCAPE.search(prop.value):
            raise ValueError("a backslash stands before a character that is not escaped so")
        return 0


def _is_mixed_task(component: Component, found: dict[str, Property]) -> bool:
    """Whether DTSTART and DUE of a task are written differently, as clients do that let people edit each alone."""
    start, due = found["DTSTART"], found.get("DUE")
    return component.name == "VTODO" and due is not None and start.params != due.params


def _check_order(start: When, end: When) -> None:
    if start.is_date != end.is_date:
        raise ValueError("start and end are of different types")
    if start.is_floating == end.is_floating and end.epoch() < start.epoch():
        raise ValueError("the end is before the start")


_READERS: Final[dict[str, Callable[[_Validation, Property, str], int]]] = {
    **{
        name: _Validation.moments if name in LISTS else _Validation.moment
        for name, kind in DEFAULT_TYPES.items()
        if kind == "DATE-TIME"
    },
    **dict.fromkeys(
        ("CATEGORIES", "COMMENT", "CONTACT", "DESCRIPTION", "LOCATION", "RESOURCES", "SUMMARY"), _Validation.text
    ),
    **dict.fromkeys(_RANGES, _Validation.number),
    "DURATION": _Validation.duration,
    "EXRULE": _Validation.rule,
    "FREEBUSY": _Validation.periods,
    "RRULE": _Validation.rule,
    "SEQUENCE": _Validation.sequence,
    "STATUS": _Validation.status,
    "TRANSP": _Validation.transparency,
    "TRIGGER": _Validation.trigger,
}
