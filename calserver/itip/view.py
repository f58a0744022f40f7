"""What each attendee may see of a meeting: the instances that it is invited to (RFC 6638 section 3.2.6)."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Property, When
from calserver.itip import reasons
from calserver.itip.meaning import PEOPLE, RECURRENCE, instants
from calserver.itip.meeting import Key, Meeting, calendar, endless, written_like
from calserver.itip.message import Message, Method
from calserver.itip.people import SERVER, agent, without_agent_parameters

_PRIVATE: Final = frozenset({"X-MOZ-LASTACK", "X-MOZ-GENERATION", "X-LIC-ERROR", "X-CALENDARSERVER-PRIVATE-COMMENT"})


_FRAME: Final = {"UID", "DTSTAMP", "SEQUENCE", "DTSTART", "DTEND", "DURATION", "DUE", *RECURRENCE}


class Views:
    """A meeting as its attendees see it: what each is invited to, the rest of the series excluded.

    Who is in the same components sees the same, and that is worked out once.

    Attributes:
        meeting: an organizer's copy.
        invited: the attendees that this server sends messages to, all but the organizer (RFC 6638 section 3.2.1), and
            the components that each is in.
    """

    def __init__(self, meeting: Meeting, owner: Iterable[str]) -> None:
        self.meeting = meeting
        self.invited = _invitations(meeting, owner)
        self._sendable: dict[Key, Component] = {}
        self._seen: dict[frozenset[Key], Meeting] = {}

    def keys(self, who: str) -> frozenset[Key]:
        """The components that somebody is invited to."""
        return self.invited.get(who, frozenset())

    def of(self, keys: frozenset[Key]) -> Meeting:
        """What is seen by those who are invited to some components."""
        if keys not in self._seen:
            self._seen[keys] = self._view(keys)
        return self._seen[keys]

    def _view(self, keys: frozenset[Key]) -> Meeting:
        meeting = self.meeting
        seen = {key: self._sent(key) for key in meeting.keys if key in keys}
        eras = meeting.eras & seen.keys()
        if None not in seen and meeting.master is not None and eras:
            seen[None] = _frame(meeting.master, seen[min(eras)])
        if None in seen and meeting.start is not None:
            since = meeting.start.epoch() if None in keys else min(eras)
            hidden = [key for key in meeting.keys if key is not None and key not in keys and key >= since]
            seen[None] = _without(meeting, meeting.start, seen[None], hidden)
        return meeting.with_components(seen)

    def _sent(self, key: Key) -> Component:
        if key not in self._sendable:
            self._sendable[key] = sendable(self.meeting.components[key])
        return self._sendable[key]


def _frame(master: Component, era: Component) -> Component:
    """What says when future instances are, and no more, to who is invited to them and not to the series."""
    kept = tuple(each for each in master.properties if each.name in _FRAME)
    people = tuple(Property(each.name, each.value) for each in era.properties if each.name in PEOPLE)
    return Component(master.name, (*kept, Property("STATUS", "CANCELLED"), *people))


def _without(meeting: Meeting, start: When, master: Component, hidden: list[int]) -> Component:
    """A series without the instances of some overrides; those for future ones hide what follows, up to the next."""
    eras, gone = sorted(meeting.eras), set(hidden)
    for key in meeting.eras.intersection(hidden):
        following = next((each for each in eras if each > key), None)
        if following is None:
            end, first = _first_of(meeting, start, key, hidden), start.epoch()
            master, gone = _ended(master, start, end, meeting), {each for each in gone if each < end or each == first}
        else:
            gone.update(each for each in meeting.between(key, following) if each not in meeting.components)
    excluded = tuple(written_like(start, key).property("EXDATE") for key in sorted(gone - meeting.excluded))
    return attrs.evolve(master, properties=(*master.properties, *excluded)) if excluded else master


def _first_of(meeting: Meeting, start: When, key: int, hidden: list[int]) -> int:
    """The first of some hidden instances that follow one another, up to one; not where the series starts."""
    for each in sorted((each for each in hidden if start.epoch() < each < key), reverse=True):
        if meeting.between(each, key):
            break
        key = each
    return key


def _ended(master: Component, start: When, key: int, meeting: Meeting) -> Component:
    """A series that ends before an instance, by UNTIL as its start is written (RFC 5545 section 3.3.10)."""
    last = datetime.fromtimestamp(key - 1, UTC)
    until = f"{last:%Y%m%d}" if start.is_date else f"{last:%Y%m%dT%H%M%S}{'' if start.is_floating else 'Z'}"
    kept: list[Property] = []
    for prop in master.properties:
        if prop.name == "RRULE":
            kept.append(prop.with_value(f"{endless(prop.value)};UNTIL={until}"))
        elif prop.name == "RDATE":
            each = (prop.with_value(value) for value in prop.value.split(","))
            kept += (one for one in each if min(instants(Component("", (one,)), "RDATE", meeting.zones)) < key)
        else:
            kept.append(prop)
    return attrs.evolve(master, properties=tuple(kept))


def _invitations(meeting: Meeting, owner: Iterable[str]) -> dict[str, frozenset[Key]]:
    found: dict[str, set[Key]] = {}
    for key, each in meeting.components.items():
        for prop in each.properties:
            if prop.name == "ATTENDEE" and agent(prop) == SERVER:
                found.setdefault(ical.address(prop.value), set()).add(key)
    own = frozenset(owner)
    return {who: frozenset(keys) for who, keys in found.items() if who not in own}


def sendable(component: Component) -> Component:
    """A component without what is the organizer's own: alarms, parameters of this server, state of clients."""
    found = without_agent_parameters(component)
    kept = tuple(each for each in found.properties if each.name not in _PRIVATE and not _is_snooze(each.name))
    return attrs.evolve(
        found, properties=kept, components=tuple(each for each in found.components if each.name != "VALARM")
    )


def _is_snooze(name: str) -> bool:
    return name.startswith("X-MOZ-SNOOZE")


@attrs.define
class Mailing:
    """Messages of one originator, those with equal content together.

    Components are compared as objects, which `Views` gives once each; what is made anew goes through `same`.
    """

    originator: str
    like: Component | None
    timezones: tuple[Component, ...]
    _found: dict[tuple[Method, tuple[int, ...]], tuple[tuple[Component, ...], dict[str, str]]] = attrs.field(
        factory=dict
    )
    _known: dict[Component, Component] = attrs.field(factory=dict)

    def same(self, component: Component) -> Component:
        """The object that stands for all components that are equal to one."""
        return self._known.setdefault(component, component)

    def add(self, method: Method, recipients: Iterable[str], components: Iterable[Component], reason: str) -> None:
        """Send some components to some recipients for a reason; nothing where there are none."""
        content = tuple(components)
        if content:
            told = self._found.setdefault((method, tuple(map(id, content))), (content, {}))[1]
            told.update(dict.fromkeys(recipients, reason))

    def sent(self) -> Iterable[tuple[tuple[Component, ...], Mapping[str, str]]]:
        """What is sent, to whom and why."""
        return self._found.values()

    def messages(self) -> tuple[Message, ...]:
        """All of them, in the order in which they were added."""
        return tuple(
            Message(
                method=method,
                originator=self.originator,
                recipients=tuple(sorted(told)),
                calendar=calendar(self.like, list(content), self.timezones),
                reasons=told,
            )
            for (method, _), (content, told) in self._found.items()
        )


def ordered(meeting: Meeting) -> list[Component]:
    """The components of a meeting, the master first."""
    return [meeting.components[key] for key in meeting.keys]


def refresh(
    stored: CalendarObject,
    addresses: frozenset[str],
    *,
    excluding: Iterable[str] = (),
    only: Iterable[str] | None = None,
    reason: str = reasons.PARTICIPATION,
) -> tuple[Message, ...]:
    """Messages that tell attendees how an organizer's copy is now, such as after somebody replied.

    Args:
        stored: the organizer's copy.
        addresses: of its owner.
        excluding: attendees that need not be told.
        only: the attendees to tell; None for all.
        reason: why they are told.
    """
    meeting = Meeting.of(stored)
    views, mailing = Views(meeting, addresses), Mailing(stored.organizer or "", stored.calendar, meeting.timezones)
    told = views.invited.keys() - set(excluding)
    for who in sorted(told if only is None else told & set(only)):
        content = ordered(views.of(views.keys(who)))
        called_off = all((each.value("STATUS") or "").upper() == "CANCELLED" for each in content)
        mailing.add(Method.CANCEL if called_off else Method.REQUEST, (who,), content, reason)
    return mailing.messages()
