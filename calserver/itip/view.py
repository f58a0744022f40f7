"""What each attendee may see of a meeting: the instances that it is invited to (RFC 6638 section 3.2.6)."""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component
from calserver.itip import reasons
from calserver.itip.meeting import Key, Meeting, calendar, written_like
from calserver.itip.message import Message, Method
from calserver.itip.people import SERVER, agent, without_agent_parameters

_PRIVATE: Final = frozenset({"X-MOZ-LASTACK", "X-MOZ-GENERATION", "X-LIC-ERROR", "X-CALENDARSERVER-PRIVATE-COMMENT"})


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
        if None in seen and meeting.start is not None:
            hidden = [
                key for key in meeting.keys if key is not None and key not in keys and key not in meeting.excluded
            ]
            if hidden:
                excluded = tuple(written_like(meeting.start, key).property("EXDATE") for key in hidden)
                seen[None] = attrs.evolve(seen[None], properties=(*seen[None].properties, *excluded))
        return meeting.with_components(seen)

    def _sent(self, key: Key) -> Component:
        if key not in self._sendable:
            self._sendable[key] = sendable(self.meeting.components[key])
        return self._sendable[key]


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
        mailing.add(Method.REQUEST, (who,), ordered(views.of(views.keys(who))), reason)
    return mailing.messages()
