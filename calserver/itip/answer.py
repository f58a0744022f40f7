"""Answers that a program gives for an attendee: to a series, and other ones to some of its instances."""

from collections.abc import Mapping

import attrs

from calserver.ical import CalendarObject, Component
from calserver.itip.meeting import Key, Meeting, calendar, written_like
from calserver.itip.people import Addresses, with_partstat
from calserver.itip.view import ordered


def with_answers(found: CalendarObject, addresses: Addresses, answers: Mapping[Key, str]) -> CalendarObject:
    """An attendee's copy with its participation as it would be after answering.

    Args:
        found: the copy.
        addresses: of the attendee.
        answers: PARTSTAT by instance; None stands for the series. An instance of the series gets an override.
    """
    meeting = Meeting.of(found)
    components: dict[Key, Component] = dict(meeting.components)
    for key, status in answers.items():
        component = components.get(key)
        if component is None and key is not None:
            component = meeting.like_series(key)
        if component is not None:
            components[key] = with_partstat(component, addresses, status)
    whole = meeting.with_components(components)
    return calendar(found.calendar, ordered(whole), found.calendar.children("VTIMEZONE"))


def without_cancelled(found: CalendarObject) -> CalendarObject:
    """A copy in which cancelled instances of a series are just not there."""
    meeting = Meeting.of(found)
    gone = [key for key, each in meeting.components.items() if key is not None and _is_cancelled(each)]
    master, start = meeting.master, meeting.start
    if not gone or (master is not None and start is None) or len(gone) == len(meeting.components):
        return found
    components: dict[Key, Component] = {key: each for key, each in meeting.components.items() if key not in gone}
    if master is not None and start is not None:
        excluded = tuple(written_like(start, key).property("EXDATE") for key in gone if key not in meeting.excluded)
        components[None] = attrs.evolve(master, properties=(*master.properties, *excluded))
    whole = meeting.with_components(components)
    return calendar(found.calendar, ordered(whole), found.calendar.children("VTIMEZONE"))


def _is_cancelled(component: Component) -> bool:
    return (component.value("STATUS") or "").upper() == "CANCELLED"
