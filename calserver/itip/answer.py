"""Answers that a program gives for an attendee: to a series, and other ones to some of its instances."""

from collections.abc import Mapping

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component
from calserver.itip.meeting import Key, Meeting, calendar
from calserver.itip.people import Addresses, answered
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
            components[key] = _answered(component, addresses, status)
    whole = meeting.with_components(components)
    return calendar(found.calendar, ordered(whole), found.calendar.children("VTIMEZONE"))


def _answered(component: Component, addresses: Addresses, status: str) -> Component:
    changed = tuple(
        answered(each, status) if each.name == "ATTENDEE" and ical.address(each.value) in addresses else each
        for each in component.properties
    )
    return attrs.evolve(component, properties=changed)
