"""What a copy says as a whole, so that two can be compared."""

from collections.abc import Collection
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component
from calserver.itip.answer import without_cancelled
from calserver.itip.meaning import BOOKKEEPING, meaning
from calserver.itip.meeting import Key, Meeting
from calserver.itip.message import Version
from calserver.itip.people import NEEDS_ACTION, attendee, partstat

_STAMPS: Final = BOOKKEEPING - {"SEQUENCE"}


def says(found: CalendarObject) -> object:
    """All of it, each component with its SEQUENCE.

    Raises:
        ValueError: a property is malformed.
    """
    meeting = Meeting.of(found)
    return {
        key: (Version.of(each).sequence, meaning(each, meeting.zones, _STAMPS))
        for key, each in meeting.components.items()
    }


def says_but_participation(
    found: CalendarObject, addresses: frozenset[str], ignoring: Collection[str] = _STAMPS
) -> object:
    """What a copy says, without what others answered: overrides that hold nothing else are left out.

    Args:
        found: the copy.
        addresses: of its owner.
        ignoring: names of properties that do not count.

    Raises:
        ValueError: a property is malformed.
    """
    meeting = Meeting.of(found)
    said = {}
    for key, each in meeting.components.items():
        own, who = _own(each, addresses), _who(each)
        series = None if key is None else meeting.like_series_or_none(key)
        alike = series is not None and (own, who) == (_own(series, addresses), _who(series))
        if key is not None and alike and meeting.only_participation(key):
            continue
        said[key] = (own, who, meaning(each, meeting.zones, {"ATTENDEE", *ignoring}))
    return said


def looks_alike(one: CalendarObject, other: CalendarObject, addresses: frozenset[str]) -> bool:
    """Whether the owner of two copies sees the same in them, but for what others answered.

    An instance that is cancelled is as good as one that is excluded, and what the series does not make is not excluded.

    Raises:
        ValueError: a property is malformed.
    """
    copies = [without_cancelled(each) for each in (one, other)]
    if all(map(_is_called_off, copies)):
        return True
    mine, theirs = map(Meeting.of, copies)
    if any(_would_be_there(each, key) for key in mine.excluded ^ theirs.excluded for each in (mine, theirs)):
        return False
    first, second = (says_but_participation(each, addresses, {*BOOKKEEPING, "EXDATE"}) for each in copies)
    return first == second


def other_answers(
    organizers: CalendarObject, attendees: CalendarObject, addresses: frozenset[str]
) -> dict[Key, tuple[str, str]]:
    """How an attendee has answered in its copy, and in the organizer's, where that is another answer, by instance.

    Raises:
        ValueError: a property is malformed.
    """
    whole, found = Meeting.of(organizers), {}
    for key, each in Meeting.of(attendees).components.items():
        there = whole.components.get(key) or whole.components.get(None if key is None else whole.follows(key))
        said, known = attendee(each, addresses), None if there is None else attendee(there, addresses)
        if said is not None and known is not None and not _is_cancelled(each) and partstat(said) != partstat(known):
            found[key] = partstat(said), partstat(known)
    return found


def _is_cancelled(component: Component) -> bool:
    return (component.value("STATUS") or "").upper() == "CANCELLED"


def _is_called_off(found: CalendarObject) -> bool:
    return all(map(_is_cancelled, found.components))


def _would_be_there(meeting: Meeting, key: int) -> bool:
    """Whether there would be an instance if it were not excluded."""
    if meeting.master is None:
        return False
    everything = attrs.evolve(meeting.master, properties=_without_exdate(meeting.master))
    return key not in meeting.components and meeting.with_components({None: everything}).makes(key)


def _without_exdate(master: Component) -> tuple[ical.Property, ...]:
    return tuple(each for each in master.properties if each.name != "EXDATE")


def _own(component: Component, addresses: frozenset[str]) -> str:
    mine = attendee(component, addresses)
    return NEEDS_ACTION if mine is None else partstat(mine)


def _who(component: Component) -> frozenset[str]:
    return frozenset(ical.address(prop.value) for prop in component.all("ATTENDEE"))
