"""CALDAV:calendar-data in reports: which data of an object a client wants, and in which form (RFC 4791 section 9.6)."""

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Final

import attrs

from calserver import calendars, ical
from calserver.caldav.resources import CALENDAR_DATA, CalendarObjectResource, settings
from calserver.dav import BadRequest, Markup, Wanted, xml
from calserver.ical import ICALENDAR, JCAL, CalendarData, Component

WHOLE: Final = CalendarData()


@attrs.frozen(slots=True)
class Data:
    """What a report wants of calendar data; ``spec`` is None where it wants none."""

    spec: CalendarData | None

    @classmethod
    def of(cls, wanted: Wanted) -> "Data":
        """Read the element among the wanted properties.

        Raises:
            SupportedCalendarData: the media type or version is not one that this server gives.
            BadRequest: it is malformed.
        """
        element = wanted.elements.get(CALENDAR_DATA)
        try:
            return cls(None if element is None else CalendarData.parse(element))
        except ValueError as problem:
            raise BadRequest(str(problem)) from None

    @property
    def parses(self) -> bool:
        """Whether objects must be parsed for it."""
        return self.spec is not None and self.spec != WHOLE

    def getters(self, zone: tzinfo | None) -> Mapping[str, Callable[[CalendarObjectResource], str | None]]:
        """Getters for `Properties`; `zone` is where floating times and days are, None for that of the calendar."""
        if self.spec is None:
            return {}
        if self.spec == WHOLE:
            return {CALENDAR_DATA: _whole}
        return {CALENDAR_DATA: _Partial(self.spec, zone)}


def _whole(resource: CalendarObjectResource) -> str:
    return resource.text.decode()


@attrs.frozen(slots=True)
class _Partial:
    """A getter for a part or another form of the data."""

    spec: CalendarData
    zone: tzinfo | None

    def __call__(self, resource: CalendarObjectResource) -> str:
        zone = self.zone or resource.zone
        limits = calendars.limits(settings(resource.view))
        return _element(ical.render(self.spec, resource.text, zone=zone, limits=limits), self.spec.media_type)


def element(text: bytes, media_type: str) -> Markup:
    """Stored calendar data as iCalendar, or as jCal."""
    return _element(ical.to_jcal(ical.parse(text)) if media_type == JCAL else text, media_type)


def whole(calendar: Component, media_type: str) -> Markup:
    """Calendar data that were made for this answer."""
    return _markup(ical.to_jcal(calendar) if media_type == JCAL else ical.serialize(calendar), media_type)


def _element(data: bytes, media_type: str) -> Markup:
    """The same as the value of a property."""
    return xml.Whole(_markup(data, media_type))


def _markup(data: bytes, media_type: str) -> Markup:
    """Calendar data with the attributes that say what it is, where it is not iCalendar (RFC 7265 section 6)."""
    attributes = {} if media_type == ICALENDAR else {"content-type": media_type, "version": "2.0"}
    return xml.element(CALENDAR_DATA, data.decode(), **attributes)
