"""Which zone a TZID means (RFC 5545 section 3.2.19, RFC 7809).

In this order: the name of a zone in the IANA database, the name that Windows gives to one, an identifier that ends in
an IANA name (``/freeassociation.sourceforge.net/Europe/Berlin``), a VTIMEZONE that names its IANA zone
(``X-LIC-LOCATION``), and last the rules of the VTIMEZONE itself. IANA's data go first because VTIMEZONEs in the wild
cover a single year, are out of date or plainly wrong. Only names without a region (``EST``) give way to a VTIMEZONE:
there the database has fixed offsets, and the sender usually means something else.
"""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, tzinfo
from functools import cache, cached_property, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from calserver.ical.conditions import ValidCalendarData, ValidTimezone
from calserver.ical.model import Component
from calserver.ical.parse import parse
from calserver.ical.rulezone import RuleZone
from calserver.ical.value import unescape

_UTC_NAMES = frozenset({"utc", "etc/utc", "z", "gmt", "etc/gmt", "utc0", "zulu", "etc/zulu", "uct", "etc/uct"})
_NOT_ZONES = frozenset({"Factory", "localtime", "posixrules"})
"""Files beside the zones that are about the machine."""
_LONGEST_NAME = 255
_MAX_RULES = 64
"""Rules in all VTIMEZONEs that one object needs; what is in the database needs none."""


class Zones:
    """The zones of the TZIDs in one iCalendar object.

    Args:
        calendar: whose VTIMEZONE components define what no database knows; None where there are none.
        strict: refuse an unknown TZID; otherwise its times float, which is what most clients make of them.
    """

    def __init__(self, calendar: Component | None = None, *, strict: bool = False) -> None:
        self._calendar = calendar
        self._strict = strict
        self._known: dict[str, tzinfo | None] = {}
        self._rules_left = _MAX_RULES

    def zone(self, tzid: str) -> tzinfo | None:
        """The zone of a TZID parameter.

        Raises:
            ValidTimezone: it is unknown, and this is strict.
            ValidCalendarData: its VTIMEZONE is malformed, and this is strict.
        """
        try:
            return self._known[tzid]
        except KeyError:
            found = self._known[tzid] = self._resolve(tzid)
            return found

    def _resolve(self, tzid: str) -> tzinfo | None:
        found = named_zone(tzid) if "/" in tzid else None
        try:
            found = found or self._defined(tzid) or named_zone(tzid)
        except ValueError as problem:
            if self._strict:
                raise ValidCalendarData(f"a VTIMEZONE is malformed: {problem}") from None
        if found is None and self._strict:
            raise ValidTimezone("a TZID has no VTIMEZONE and is not the name of a time zone")
        return found

    def _defined(self, tzid: str) -> tzinfo | None:
        definition = self._definitions.get(tzid)
        if definition is None:
            return None
        self._rules_left -= sum(each.first("RRULE") is not None for each in definition.components)
        if self._rules_left < 0:
            raise ValueError("there are too many rules in all time zones")
        return zone_of(definition)

    @cached_property
    def _definitions(self) -> dict[str, Component]:
        """The VTIMEZONEs by name, the first of each."""
        definitions = self._calendar.children("VTIMEZONE") if self._calendar is not None else ()
        return {unescape(each.value("TZID") or ""): each for each in reversed(definitions)}


def named_zone(tzid: str) -> tzinfo | None:
    """The zone that a name stands for: of IANA, of Windows, or ending in one of IANA; UTC is ``datetime.UTC``."""
    return _named(tzid) if len(tzid) <= _LONGEST_NAME else None


def zone_of(definition: Component) -> tzinfo:
    """The zone that one VTIMEZONE defines: of IANA where it names one, else by its rules (RFC 5545 section 3.6.5).

    Raises:
        ValueError: its rules are malformed, or none that a time zone has.
    """
    names = [definition.value(name, "") or "" for name in ("TZID", "X-LIC-LOCATION", "TZID-ALIAS-OF")]
    for name in map(unescape, names):
        if "/" in name and (found := named_zone(name)) is not None:
            return found
    return RuleZone.of(definition)


def calendar_timezone(calendar: Component | bytes | str) -> tuple[str, tzinfo]:
    """Name and zone of a ``CALDAV:calendar-timezone`` (RFC 4791 section 5.2.2), as text or already parsed.

    Raises:
        ValidCalendarData: it is not an iCalendar object with exactly one VTIMEZONE and nothing else.
    """
    if not isinstance(calendar, Component):
        calendar = parse(calendar)
    if len(calendar.components) != 1 or calendar.components[0].name != "VTIMEZONE":
        raise ValidCalendarData("a calendar time zone is exactly one VTIMEZONE")
    definition = calendar.components[0]
    tzid = definition.value("TZID")
    if not tzid:
        raise ValidCalendarData("the VTIMEZONE has no TZID")
    try:
        RuleZone.of(definition)
        return unescape(tzid), zone_of(definition)
    except ValueError as problem:
        raise ValidCalendarData(f"the VTIMEZONE is malformed: {problem}") from None


@lru_cache(maxsize=2048)
def _named(tzid: str) -> tzinfo | None:
    tzid = tzid.strip().strip('"')
    for name in _readings(tzid):
        if name and name.lower() in _UTC_NAMES:
            return UTC
        if name and (spelled := _iana_names().get(name.lower())):
            return ZoneInfo(spelled)
    return None


def _readings(tzid: str) -> Iterator[str | None]:
    yield tzid
    yield _windows().get(tzid)
    yield from _endings(tzid)


@cache
def _windows() -> Mapping[str, str]:
    """Zones by the names that Windows has for them; with the table comes a library, which few servers ever need."""
    found: Mapping[str, str] = importlib.import_module("icalendar.timezone.windows_to_olson").WINDOWS_TO_OLSON
    return found


def _endings(tzid: str) -> Iterable[str]:
    parts = tzid.split("/")
    return ("/".join(parts[at:]) for at in range(max(1, len(parts) - 3), len(parts) - 1))


@cache
def _iana_names() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones() - _NOT_ZONES}
