"""What a person wants to know of a scheduling message, in words and of bounded length."""

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Property
from calserver.itip import sequence_of
from calserver.scheduling.mail import moments
from calserver.scheduling.mail.fields import clean, mail_address

TITLE: Final = 200
NAME: Final = 100
PLACE: Final = 300
DESCRIPTION: Final = 4000
MOST_DATES: Final = 10
MOST_PEOPLE: Final = 30
_ANSWERS: Final = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "tentative", "DELEGATED": "delegated"}
_NOT_PEOPLE: Final = frozenset({"ROOM", "RESOURCE"})


@attrs.frozen(kw_only=True)
class Essentials:
    """An event or a task for people; what is not said is empty."""

    title: str
    dates: tuple[str, ...]
    """The series or the only date first, then single dates of it."""
    repeats: str
    place: str
    organizer: str
    people: tuple[str, ...]
    """Who takes part, with answers."""
    description: str
    sequence: int
    """The highest SEQUENCE."""
    whole: bool
    """Whether it is about all of it, and not about single dates."""

    @classmethod
    def of(cls, found: CalendarObject) -> "Essentials":
        """Those of a message.

        Raises:
            ValueError: a property is malformed.
        """
        main = found.components[0]
        return cls(
            title=_text(main, "SUMMARY", TITLE) or "(no title)",
            dates=_dates(found),
            repeats=clean(moments.repeats(main, found.zones), PLACE),
            place=_text(main, "LOCATION", PLACE),
            organizer="" if (prop := main.first("ORGANIZER")) is None else named(prop),
            people=_people(main),
            description=_text(main, "DESCRIPTION", DESCRIPTION, lines=True),
            sequence=max(map(sequence_of, found.components)),
            whole=found.master is not None,
        )

    def differences(self, before: "Essentials") -> tuple[tuple[str, str], ...]:
        """What is other than it was before, as names of facts with what they were."""
        pairs = (
            ("Title", self.title, before.title),
            ("When", "; ".join(self.dates), "; ".join(before.dates)),
            ("Repeats", self.repeats, before.repeats),
            ("Where", self.place, before.place),
        )
        return tuple((name, was or "(not given)") for name, now, was in pairs if now != was)


def _text(component: Component, name: str, most: int, *, lines: bool = False) -> str:
    return clean(ical.unescape(component.value(name) or ""), most, lines=lines)


def _dates(found: CalendarObject) -> tuple[str, ...]:
    lines = list(filter(None, (clean(each, PLACE) for each in _each_date(found))))  # zones may be called anything
    if len(lines) > MOST_DATES:
        return (*lines[:MOST_DATES], f"and {len(lines) - MOST_DATES} further dates")
    return tuple(lines)


def _each_date(found: CalendarObject) -> Iterator[str]:
    for each in found.components:
        at = moments.when(each, found.zones)
        usual = each.first("RECURRENCE-ID")
        if usual is None:
            yield at
            continue
        instance = moments.moment(ical.when(usual, found.zones))
        start = each.first("DTSTART")
        moved = start is not None and ical.when(start, found.zones).epoch() != ical.when(usual, found.zones).epoch()
        yield f"{at} (instead of {instance})" if moved else at or instance


def name_of(prop: Property | None) -> str:
    """What somebody is called: by CN; empty where that says nothing, or only an address."""
    name = "" if prop is None else clean(prop.param("CN") or "", NAME)
    return "" if "@" in name else name


def named(prop: Property) -> str:
    """Organizer or attendee with name and mail address."""
    address = clean(mail_address(prop.value) or "", NAME)
    name = name_of(prop)
    return f"{name} <{address}>" if name and address else name or address or "somebody"


def _people(component: Component) -> tuple[str, ...]:
    lines = [_participant(each) for each in _by_kind(component.all("ATTENDEE"))]
    if len(lines) > MOST_PEOPLE:
        return (*lines[:MOST_PEOPLE], f"and {len(lines) - MOST_PEOPLE} others")
    return tuple(lines)


def _by_kind(attendees: Iterable[Property]) -> list[Property]:
    """People first, then rooms and things."""
    return sorted(attendees, key=lambda each: (each.param("CUTYPE") or "").upper() in _NOT_PEOPLE)


def _participant(prop: Property) -> str:
    role = "optional" if (prop.param("ROLE") or "").upper() == "OPT-PARTICIPANT" else ""
    answer = _ANSWERS.get((prop.param("PARTSTAT") or "").upper(), "")
    notes = ", ".join(filter(None, (role, answer)))
    return f"{named(prop)} ({notes})" if notes else named(prop)
