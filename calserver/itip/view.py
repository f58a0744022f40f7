"""What each attendee may see of a meeting: the instances that it is invited to (RFC 6638 section 3.2.6)."""

from collections.abc import Iterable
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component
from calserver.itip.meeting import Key, Meeting, calendar, written_like
from calserver.itip.message import Message, Method
from calserver.itip.people import SERVER, agent, attendee, without_agent_parameters

_PRIVATE: Final = frozenset({"X-MOZ-LASTACK", "X-MOZ-GENERATION", "X-LIC-ERROR", "X-CALENDARSERVER-PRIVATE-COMMENT"})


def invited(meeting: Meeting, owner: Iterable[str]) -> set[str]:
    """The attendees that this server sends messages to, all but the organizer (RFC 6638 section 3.2.1)."""
    found = {
        ical.address(prop.value)
        for each in meeting.components.values()
        for prop in each.all("ATTENDEE")
        if agent(prop) == SERVER
    }
    return found - set(owner)


def view(meeting: Meeting, address: str) -> Meeting:
    """A meeting as one attendee sees it: what it is invited to, the rest of the series excluded."""
    seen: dict[Key, Component] = {}
    hidden: list[int] = []
    for key in meeting.keys:
        prop = attendee(meeting.components[key], (address,))
        if prop is not None and agent(prop) == SERVER:
            seen[key] = sendable(meeting.components[key])
        elif key is not None:
            hidden.append(key)
    if None in seen and meeting.start is not None:
        wanted = [key for key in hidden if key not in meeting.excluded]
        excluded = tuple(written_like(meeting.start, key).property("EXDATE") for key in wanted)
        seen[None] = attrs.evolve(seen[None], properties=(*seen[None].properties, *excluded))
    return meeting.with_components(seen)


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
    """Messages of one originator, those with equal content together."""

    originator: str
    like: Component | None
    timezones: tuple[Component, ...]
    found: dict[tuple[Method, tuple[Component, ...]], list[str]] = attrs.field(factory=dict)

    def add(self, method: Method, recipient: str, components: Iterable[Component]) -> None:
        """Send some components to a recipient; nothing where there are none."""
        content = tuple(components)
        if content:
            self.found.setdefault((method, content), []).append(recipient)

    def messages(self) -> tuple[Message, ...]:
        """All of them, in the order in which they were added."""
        return tuple(
            Message(
                method=method,
                originator=self.originator,
                recipients=tuple(recipients),
                calendar=calendar(self.like, list(content), self.timezones),
            )
            for (method, content), recipients in self.found.items()
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
) -> tuple[Message, ...]:
    """Messages that tell attendees how an organizer's copy is now, such as after somebody replied.

    Args:
        stored: the organizer's copy.
        addresses: of its owner.
        excluding: attendees that need not be told.
        only: the attendees to tell; None for all.
    """
    meeting = Meeting.of(stored)
    mailing = Mailing(stored.organizer or "", stored.calendar, meeting.timezones)
    wanted = invited(meeting, addresses) - set(excluding)
    for who in sorted(wanted if only is None else wanted & set(only)):
        mailing.add(Method.REQUEST, who, ordered(view(meeting, who)))
    return mailing.messages()
