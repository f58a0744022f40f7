"""A whole calendar as one file, for subscriptions and downloads ("webcal").

The stored texts are cut and joined, not parsed: of each what lies between the properties of its VCALENDAR and the end,
and each VTIMEZONE once. That they are well nested was checked when they were stored.
"""

import re
from collections.abc import Iterable, Iterator
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
    zones: dict[bytes, bytes] = {}
    components = list(_cut(texts, zones))
    body = b"".join((*zones.values(), *components))
    return b"".join((head, _LINE_END.sub(b"\r\n", body), end, tail))


def _cut(texts: Iterable[bytes], zones: dict[bytes, bytes]) -> Iterator[bytes]:
    """The components of each text without its time zones, which go to `zones` by their TZID."""
    for text in texts:
        found = _COMPONENTS.search(text)
        if found is None:
            continue
        components = found[0]
        for zone in _TIMEZONE.findall(components):
            tzid = _TZID.search(zone)
            zones.setdefault(_FOLD.sub(b"", tzid[0]) if tzid else zone, zone)
        yield _TIMEZONE.sub(b"", components)
