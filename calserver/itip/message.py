"""Scheduling messages (RFC 5546 section 1.4) and the versions by which they are ordered."""

from collections.abc import Mapping
from enum import StrEnum

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Limits, Property
from calserver.itip.people import organizer


class Method(StrEnum):
    """What a message wants (RFC 5546 section 1.4); PUBLISH is known, and not processed."""

    REQUEST = "REQUEST"
    ADD = "ADD"
    CANCEL = "CANCEL"
    REPLY = "REPLY"
    REFRESH = "REFRESH"
    COUNTER = "COUNTER"
    DECLINECOUNTER = "DECLINECOUNTER"
    PUBLISH = "PUBLISH"


@attrs.frozen(kw_only=True)
class Message:
    """An iTIP message in its envelope; `calendar` is its content without METHOD.

    ``originator`` is the address that whoever delivered the message vouches for, not what the content claims.
    """

    method: Method
    originator: str
    recipients: tuple[str, ...]
    calendar: CalendarObject
    reasons: Mapping[str, str] = attrs.field(factory=dict, eq=False, repr=False)
    """Why it is sent, in words, by recipient; a message from elsewhere has none."""

    @classmethod
    def received(
        cls, content: bytes, originator: str, recipients: tuple[str, ...], limits: Limits | None = None
    ) -> "Message":
        """A message from elsewhere, checked like what clients send.

        Raises:
            ValidCalendarData, MaxResourceSize, MinDateTime, MaxDateTime, MaxInstances, MaxAttendeesPerInstance,
            SupportedRscale: see `calserver.ical.message`.
            ValidCalendarObjectResource: its components do not belong together.
            ValueError: it has no METHOD that is known.
        """
        return cls._of(ical.message(content, limits=limits or Limits()), originator, recipients)

    @classmethod
    def parse(cls, text: bytes, originator: str, recipients: tuple[str, ...]) -> "Message":
        """A message as `text` wrote it.

        Raises:
            ValidCalendarData: it is not iCalendar.
            ValidCalendarObjectResource: its components do not belong together.
            ValueError: it has no METHOD that is known.
        """
        return cls._of(ical.parse(text), originator, recipients)

    @classmethod
    def _of(cls, found: Component, originator: str, recipients: tuple[str, ...]) -> "Message":
        method = Method((found.value("METHOD") or "").upper())
        content = CalendarObject.of(found.replacing("METHOD"))
        return cls(method=method, originator=ical.address(originator), recipients=recipients, calendar=content)

    @property
    def text(self) -> bytes:
        """As it is sent, with its METHOD."""
        found = self.calendar.calendar
        properties = [each for each in found.properties if each.name != "METHOD"]
        at = next((at + 1 for at, each in enumerate(properties) if each.name == "PRODID"), len(properties))
        properties.insert(at, Property("METHOD", self.method.value))
        return ical.serialize(attrs.evolve(found, properties=tuple(properties)))

    def reason(self, recipient: str) -> str:
        """Why it is sent to a recipient, in words; empty where that is not known."""
        return self.reasons.get(recipient, "")

    @property
    def uid(self) -> str:
        """Of the calendar object that it is about."""
        return self.calendar.uid

    @property
    def organizer(self) -> str | None:
        """The normalized address of the organizer that all of its components have; None where they do not agree."""
        found = {organizer(each) for each in self.calendar.components}
        return found.pop() if len(found) == 1 else None


@attrs.frozen(order=True)
class Version:
    """How recent a component is: SEQUENCE first, then DTSTAMP (RFC 5546 section 2.1.5)."""

    sequence: int = 0
    stamp: str = ""

    @classmethod
    def of(cls, component: Component) -> "Version":
        """That of a component; what is missing or malformed counts as oldest."""
        return cls(sequence_of(component), component.value("DTSTAMP") or "")


def sequence_of(component: Component) -> int:
    """SEQUENCE, which is 0 where it is missing (RFC 5545 section 3.8.7.4)."""
    text = component.value("SEQUENCE") or "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def stamped(component: Component, sequence: int, stamp: str) -> Component:
    """A component with another version; SEQUENCE 0 is not written where there was none."""
    component = component.replacing("DTSTAMP", Property("DTSTAMP", stamp))
    if sequence == sequence_of(component):
        return component
    return component.replacing("SEQUENCE", Property("SEQUENCE", str(sequence)))
