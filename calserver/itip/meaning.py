"""What a component says, whichever way it is written: the ground on which two revisions are compared.

Values are read: times as instants, ends where the event has a duration, texts without escapes, lists as sets, rules
without order. So a client that writes a property differently has changed nothing.
"""

from collections import Counter
from collections.abc import Collection, Hashable
from datetime import UTC, timedelta
from typing import Final

from calserver import ical
from calserver.ical import Component, Period, Property, Zones
from calserver.itip.people import partstat

Meaning = Counter[tuple[Hashable, ...]]

TIMES: Final = frozenset({"DTSTART", "DTEND", "DURATION", "DUE"})
RECURRENCE: Final = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE"})
BOOKKEEPING: Final = frozenset({"CREATED", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE"})
"""Properties that are about the component and not about what it stands for."""
OWN: Final = frozenset({"TRANSP", "PERCENT-COMPLETE", "COMPLETED"})
"""Properties that an attendee has for itself (RFC 6638 section 3.2.2.1)."""
PROGRESS: Final = ("PERCENT-COMPLETE", "COMPLETED", "STATUS")
"""What says how far somebody is with a task (RFC 5546 section 3.4.3)."""
PEOPLE: Final = frozenset({"ORGANIZER", "ATTENDEE"})
_MOMENTS: Final = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID"})
_DEFAULTS: Final = {"PRIORITY": "0", "CLASS": "PUBLIC"}
_LISTS: Final = frozenset({"CATEGORIES", "RESOURCES"})


def meaning(component: Component, zones: Zones, ignoring: Collection[str] = frozenset()) -> Meaning:
    """The properties of a component as values, without X- properties and those that are ignored.

    Raises:
        ValueError: a property is malformed.
    """
    found: Meaning = Counter()
    for prop in component.properties:
        if prop.name not in ignoring and not prop.name.startswith("X-") and prop.name not in TIMES:
            for value in _values(prop, zones):
                found[prop.name, value] = 1 if prop.name in RECURRENCE else found[prop.name, value] + 1
    if not set(ignoring) >= TIMES:
        found.update(times(component, zones))
        if offsets := clock(component, zones):
            found["CLOCK", offsets] = 1
    return found


def times(component: Component, zones: Zones) -> Meaning:
    """When a component is: start and end, however the end is written.

    Raises:
        ValueError: a property is malformed.
    """
    found: Meaning = Counter()
    start = component.first("DTSTART")
    begins = None if start is None else ical.when(start, zones)
    if begins is not None:
        found["DTSTART", begins.is_date, begins.is_floating, begins.epoch()] += 1
    lasts = component.value("DURATION")
    end = component.first("DTEND") or component.first("DUE")
    if end is not None:
        ends = ical.when(end, zones)
        found["END", ends.is_date, ends.epoch()] += 1
    elif begins is not None and lasts is not None:
        ends = begins.plus(ical.duration(lasts))
        found["END", ends.is_date, ends.epoch()] += 1
    elif begins is not None and begins.is_date:
        ends = begins.plus(ical.Duration(1))
        found["END", True, ends.epoch()] += 1
    return found


def clock(component: Component, zones: Zones) -> tuple[int, ...]:
    """How the clock runs by which a series repeats: offsets from UTC in the months after its start, in seconds.

    Two zones by which it repeats in the same way are the same, whatever they are called. Empty where nothing repeats,
    or where it floats or never changes from UTC.

    Raises:
        ValueError: a property is malformed.
    """
    start = component.first("DTSTART") or component.first("DUE")
    if start is None or (component.first("RRULE") is None and component.first("RDATE") is None):
        return ()
    at = ical.when(start, zones)
    if at.zone is None or at.zone is UTC or at.local.year > 9997:
        return ()
    month = at.local.year * 12 + at.local.month
    walls = (at.local.replace(year=each // 12, month=each % 12 + 1, day=1) for each in range(month, month + 12))
    found = tuple(at.zone.utcoffset(wall.replace(tzinfo=at.zone)) or timedelta() for wall in walls)
    return tuple(int(each.total_seconds()) for each in found) if any(found) else ()


def dates(component: Component, zones: Zones) -> frozenset[tuple[int, int | None]]:
    """The RDATEs: start, and end where one is given.

    Raises:
        ValueError: a property is malformed.
    """
    return frozenset(
        (at.start.epoch(), at.end.epoch()) if isinstance(at, Period) else (at.epoch(), None)
        for prop in component.all("RDATE")
        for at in ical.whens(prop, zones)
    )


def instants(component: Component, name: str, zones: Zones) -> frozenset[int]:
    """The starts that all properties called `name` list: EXDATE or RDATE.

    Raises:
        ValueError: a property is malformed.
    """
    return frozenset(
        (at.start if isinstance(at, Period) else at).epoch()
        for prop in component.all(name)
        for at in ical.whens(prop, zones)
    )


def _values(prop: Property, zones: Zones) -> tuple[Hashable, ...]:
    if prop.name in _MOMENTS:
        at = ical.when(prop, zones)
        return ((at.is_date, at.epoch()),)
    if prop.name in ("RDATE", "EXDATE"):
        return tuple(
            (at.start.epoch(), at.end.epoch()) if isinstance(at, Period) else (at.is_date, at.epoch())
            for at in ical.whens(prop, zones)
        )
    if prop.name in ("RRULE", "EXRULE"):
        return (rule_parts(prop.value),)
    if prop.name == "ATTENDEE":
        role, kind = (prop.param("ROLE") or "REQ-PARTICIPANT"), (prop.param("CUTYPE") or "INDIVIDUAL")
        return ((ical.address(prop.value), partstat(prop), role.upper(), kind.upper()),)
    if prop.name == "ORGANIZER":
        return (ical.address(prop.value),)
    if prop.name in _LISTS:
        return tuple(ical.unescape(each) for each in prop.value.split(","))
    value = ical.unescape(prop.value).strip()
    return () if not value or _DEFAULTS.get(prop.name) == value.upper() else (value,)


def rule_parts(rule: str) -> frozenset[tuple[str, frozenset[str]]]:
    """The parts of a rule without order; INTERVAL=1 says nothing."""
    pairs = (part.partition("=") for part in rule.upper().split(";"))
    return frozenset(
        (name, frozenset(value.split(","))) for name, _, value in pairs if (name, value) != ("INTERVAL", "1")
    )
