"""What must be remembered beside a scheduling object, so that messages may come in any order, late and repeated.

It is a value of its own, handed in and out, and not X- parameters in the object: clients rewrite the object and lose
what they do not know, and people see it. `Memory.text` is what to keep in a column beside the object.

On an attendee's copy, ``entries`` are the organizer's last revision: the newest component of each instance, as it was
received. The copy is made of them and of what is the attendee's own, so that the order of arrival does not matter.
``answers`` are the replies, of all attendees on the organizer's copy and of its owner (as an empty address) on an
attendee's: the newest version of each per instance. ``sent`` is, on the organizer's copy, the SEQUENCE with which each
component was last sent: a reply to an earlier one comes too late. ``proposals`` are the newest of each attendee, and on
an attendee's copy what the organizer said to its own.
"""

import attrs

from calserver import ical
from calserver.ical import Component, Property
from calserver.itip.meeting import Key
from calserver.itip.message import Version

_SENT = "X-SENT"
_ANSWER = "X-ANSWER"
_PROPOSAL = "X-PROPOSAL"
_ENTRY = "X-ENTRY"
_RANGE = "RANGE"


@attrs.frozen(kw_only=True)
class Memory:
    """See the module; `Memory()` is what is known of an object that nothing was sent for."""

    entries: dict[Key, Component] = attrs.field(factory=dict)
    zones: tuple[Component, ...] = ()
    """The VTIMEZONEs that the entries need."""
    answers: dict[tuple[str, Key], Version] = attrs.field(factory=dict)
    ranges: frozenset[int] = frozenset()
    sent: dict[Key, int] = attrs.field(factory=dict)
    proposals: dict[tuple[str, Key], Version] = attrs.field(factory=dict)

    def floor(self, key: Key, follows: Key) -> int:
        """The least SEQUENCE of what is no answer to an earlier revision: that with which an instance was sent last.

        Args:
            key: the instance.
            follows: what it is like where it has no component of its own (`Meeting.follows`).
        """
        return self.sent.get(key, self.sent.get(follows, self.sent.get(None, 0)))

    def text(self) -> bytes:
        """As it is stored."""
        properties = [Property(_SENT, str(sequence), _at(key)) for key, sequence in self.sent.items()]
        for (who, key), version in self.answers.items():
            params = (*_at(key), *_as(version))
            params = (*params, (_RANGE, ("THISANDFUTURE",))) if not who and key in self.ranges else params
            properties.append(Property(_ANSWER, who, params))
        for (who, key), version in self.proposals.items():
            properties.append(Property(_PROPOSAL, who, (*_at(key), *_as(version))))
        entries = tuple(
            Component(_ENTRY, (Property("X-KEY", "" if key is None else str(key)),), (each,))
            for key, each in self.entries.items()
        )
        return ical.serialize(Component("VCALENDAR", tuple(properties), (*self.zones, *entries)))

    @classmethod
    def parse(cls, text: bytes) -> "Memory":
        """What `text` wrote.

        Raises:
            ValueError: something else wrote it.
        """
        found = ical.parse(text)
        entries = found.children(_ENTRY)
        return cls(
            entries={_key(each.value("X-KEY")): each.components[0] for each in entries},
            zones=found.children("VTIMEZONE"),
            answers=_versions(found, _ANSWER),
            ranges=frozenset(int(each.param("INSTANCE") or 0) for each in found.all(_ANSWER) if each.param(_RANGE)),
            sent={_key(each.param("INSTANCE")): int(each.value) for each in found.all(_SENT)},
            proposals=_versions(found, _PROPOSAL),
        )


def _versions(found: Component, name: str) -> dict[tuple[str, Key], Version]:
    return {
        (each.value, _key(each.param("INSTANCE"))): Version(
            int(each.param("SEQUENCE") or 0), each.param("DTSTAMP") or ""
        )
        for each in found.all(name)
    }


def _as(version: Version) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("SEQUENCE", (str(version.sequence),)), ("DTSTAMP", (version.stamp,))


def _at(key: Key) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return () if key is None else (("INSTANCE", (str(key),)),)


def _key(text: str | None) -> Key:
    return int(text) if text else None
