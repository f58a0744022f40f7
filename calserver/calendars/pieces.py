"""One VCALENDAR with many components, cut into calendar object resources (RFC 4791 section 4.1)."""

from collections.abc import Iterator
from typing import Final

from calserver.ical import Component, ValidCalendarData

KEPT_PROPERTIES: Final = ("VERSION", "PRODID", "CALSCALE")
"""Properties of the VCALENDAR that say how to read it; the others describe the file, or the calendar that it was."""


def pieces(calendar: Component) -> Iterator[tuple[str, Component]]:
    """The components of each UID, as a VCALENDAR with the time zones that they refer to.

    Raises:
        ValidCalendarData: there are none.
    """
    by_uid: dict[str, list[Component]] = {}
    zones = {each.value("TZID", ""): each for each in calendar.children("VTIMEZONE")}
    for each in calendar.components:
        if each.name != "VTIMEZONE":
            by_uid.setdefault(each.value("UID", "") or "", []).append(each)
    if not by_uid:
        raise ValidCalendarData("there is nothing in it")
    kept = tuple(each for each in calendar.properties if each.name in KEPT_PROPERTIES)
    for uid, group in by_uid.items():
        wanted = [each.param("TZID") for one in group for part in one.walk() for each in part.properties]
        used = [zones[tzid] for tzid in dict.fromkeys(wanted) if tzid is not None and tzid in zones]
        yield uid, Component("VCALENDAR", kept, (*used, *group))
