"""A whole calendar as one file, for subscriptions and downloads ("webcal").

The stored texts are cut and joined, not parsed: of each what lies between the properties of its VCALENDAR and the end,
and each VTIMEZONE once. That they are well nested was checked when they were stored.

Only where objects mean different zones by one name that says nothing by itself (``tzone://Microsoft/Custom``) their
zones get other names, for which they are parsed.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from calserver import ical
from calserver.ical import Component, Property

PRODID: Final = "-//calserver//NONSGML calserver//EN"

_FLAGS: Final = re.MULTILINE | re.DOTALL | re.IGNORECASE
_COMPONENTS: Final = re.compile(rb"^BEGIN:(?!VCALENDAR\b).*(?=^END:VCALENDAR\b)", _FLAGS)
_TIMEZONE: Final = re.compile(rb"^BEGIN:VTIMEZONE\b.*?^END:VTIMEZONE\b[^\n]*\n", _FLAGS)
_TZID: Final = re.compile(rb"^TZID\b[^\n]*\n(?:[ \t][^\n]*\n)*", _FLAGS)
_FOLD: Final = re.compile(rb"\r?\n[ \t]?")
_LINE_END: Final = re.compile(rb"\r?\n")


def whole(texts: Iterable[bytes], properties: Iterable[tuple[str, str]] = ()) -> bytes:
    """One VCALENDAR with the components of many calendar objects.

    Args:
        texts: the objects as they are stored.
        properties: names and texts of further properties of the VCALENDAR.
    """
    known = (("VERSION", "2.0"), ("PRODID", PRODID), ("CALSCALE", "GREGORIAN"), *properties)
    frame = ical.serialize(Component("VCALENDAR", tuple(Property(name, ical.escape(text)) for name, text in known)))
    head, end, tail = frame.rpartition(b"END:")
    zones = _Zones()
    components = [zones.without(text) for text in texts]
    body = b"".join((*zones.texts.values(), *components))
    return b"".join((head, _LINE_END.sub(b"\r\n", body), end, tail))


class _Zones:
    """The time zones of a calendar, each definition under a name of its own."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}
        """Each VTIMEZONE by its TZID."""
        self._seen: set[bytes] = set()
        """The same without the names."""
        self._others: dict[tuple[str, Component], str] = {}
        """What a zone with a TZID and a definition is called instead."""
        self._numbers: Counter[str] = Counter()

    def without(self, text: bytes) -> bytes:
        """The components of an object without its time zones, which are kept here."""
        components = _components(text)
        if self._seen.issuperset(_TIMEZONE.findall(components)):  # as it mostly is
            return _TIMEZONE.sub(b"", components)
        found = _zones(components)
        if clashing := {tzid for tzid, zone in found.items() if self._clashes(tzid, zone)}:
            components = _components(self._renamed(text, clashing))
            found = _zones(components)
        for tzid, zone in found.items():
            self._seen.add(self.texts.setdefault(tzid, zone))
        return _TIMEZONE.sub(b"", components)

    def _clashes(self, tzid: str, zone: bytes) -> bool:
        """Whether a zone has the name of another one, of which nobody knows what it means."""
        known = self.texts.get(tzid, zone)
        if known == zone or ical.named_zone(tzid) is not None:
            return False
        return _definition(known) != _definition(zone)

    def _renamed(self, text: bytes, clashing: set[str]) -> bytes:
        """An object whose time zones have other names."""
        calendar = ical.parse(text)
        names = {
            tzid: self._other_name(tzid, each.replacing("TZID"))
            for each in calendar.children("VTIMEZONE")
            if (tzid := ical.unescape(each.value("TZID") or "")) in clashing
        }
        return ical.serialize(_with_names(calendar, names))

    def _other_name(self, tzid: str, definition: Component) -> str:
        while (tzid, definition) not in self._others:
            self._numbers[tzid] += 1
            name = f"{tzid} {self._numbers[tzid] + 1}"
            if name not in self.texts:
                self._others[tzid, definition] = name
        return self._others[tzid, definition]


def _components(text: bytes) -> bytes:
    """What lies between the properties of a VCALENDAR and its end."""
    found = _COMPONENTS.search(text)
    return b"" if found is None else found[0]


def _zones(components: bytes) -> dict[str, bytes]:
    """The time zones in a text by their names."""
    found: dict[str, bytes] = {}
    for zone in _TIMEZONE.findall(components):
        tzid = _TZID.search(zone)
        raw = _FOLD.sub(b"", tzid[0]).partition(b":")[2] if tzid else zone
        found.setdefault(ical.unescape(raw.decode()), zone)
    return found


def _definition(zone: bytes) -> Component:
    """What a VTIMEZONE says besides its name."""
    return ical.parse(b"BEGIN:VCALENDAR\n" + zone + b"END:VCALENDAR\n").components[0].replacing("TZID")


def _with_names(component: Component, names: Mapping[str, str]) -> Component:
    """A component with other names for time zones, in it and in all below."""
    properties = tuple(
        each.with_param("TZID", names[used]) if (used := each.param("TZID", "")) and used in names else each
        for each in component.properties
    )
    tzid = ical.unescape(component.value("TZID") or "")
    renamed = Component(component.name, properties, tuple(_with_names(each, names) for each in component.components))
    if component.name == "VTIMEZONE" and tzid in names:
        return renamed.replacing("TZID", Property("TZID", ical.escape(names[tzid])))
    return renamed
