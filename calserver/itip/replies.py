"""What an attendee sent to the organizer: REPLY and REFRESH (RFC 5546 section 3.2, RFC 6638 section 4.2)."""

import re
from datetime import datetime

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Property
from calserver.itip import reasons
from calserver.itip.meeting import Key, Meeting, alone, as_era, calendar, is_era, key_of, ranging_like
from calserver.itip.memory import Memory
from calserver.itip.message import Message, Version, sequence_of, stamped
from calserver.itip.organizer import next_stamp
from calserver.itip.people import answered, attendee, each_attendee, partstat
from calserver.itip.plan import Applied
from calserver.itip.view import ordered, refresh

_SUCCESS = "2.0"
_CODE = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,2}){1,2}")
"""RFC 5545 section 3.8.8.3."""


def apply_refresh(stored: CalendarObject, message: Message, addresses: frozenset[str], memory: Memory) -> Applied:
    """Answer a REFRESH with what its originator may see now."""
    again = refresh(stored, addresses, only=(message.originator,), reason=reasons.ASKED_FOR)
    return Applied(calendar=stored, memory=memory, messages=again, problem=None if again else "3.7")


def apply_reply(stored: CalendarObject, message: Message, now: datetime, memory: Memory) -> Applied:
    """Note the answers of the originator, and of nobody else, in the organizer's copy.

    An answer to an earlier revision than the one that was sent last is too late, and one that is older than what is
    known already changes nothing.
    """
    answers = _Answers(stored, message.originator, memory)
    for key, reply in _keyed(answers.meeting, message):
        answers.note(key, reply)
    if not answers.news:
        return Applied(calendar=stored, memory=memory)
    return Applied(
        calendar=answers.calendar(now), memory=answers.memory, changed=True, inbox=message, participation_only=True
    )


class _Answers:
    """An organizer's copy in which answers of one attendee are noted."""

    def __init__(self, stored: CalendarObject, who: str, memory: Memory) -> None:
        self.stored, self.who, self.memory = stored, who, memory
        self.meeting = Meeting.of(stored)
        self.news = False
        self.moved: set[Key] = set()
        """Where the participation is another now."""

    def note(self, key: Key, reply: Component) -> None:
        """Note an answer, where it is not too late and not known."""
        said, version = attendee(reply, (self.who,)), Version.of(reply)
        target = self.meeting.components.get(key) or _derived(self.meeting, key, reply)
        known = self.memory.answers.get((self.who, key))
        if said is None or target is None or attendee(target, (self.who,)) is None:
            return
        if version.sequence < self._floor(key) or (known is not None and version <= known):
            return
        target = self._split(key, target, is_era(reply))
        self.memory = attrs.evolve(self.memory, answers={**self.memory.answers, (self.who, key): version})
        components = dict(self.meeting.components)
        targets = {key: target} | {at: components[at] for at in self._following(key, version, is_era(reply))}
        for at, each in targets.items():
            components[at] = _noted(each, self.who, said, _status(reply))
            if key not in self.meeting.components or partstat(attendee(each, (self.who,))) != partstat(said):
                self.moved.add(at)
        self.news = True
        self.meeting = self.meeting.with_components(components)

    def _floor(self, key: Key) -> int:
        """The least SEQUENCE that an answer must have: that with which what governs the instance was sent last."""
        return self.memory.floor(key, None if key is None else self.meeting.follows(key))

    def _split(self, key: Key, target: Component, ranges: bool) -> Component:
        """Give future instances a component where the answer is for them and its target is not, or conversely.

        Returns:
            The target, which stands for its instance alone then.
        """
        if key not in self.meeting.components or key is None or is_era(target) == ranges:
            return target
        first = self.meeting.next_open(key)
        again = None if first is None else self.meeting.derived(first)
        if first is None or again is None or first in self.meeting.components:
            return target
        self.meeting = self.meeting.with_components({**self.meeting.components, first: as_era(again)})
        self.moved.add(first)
        if is_era(target):
            same = {(who, first): version for (who, at), version in self.memory.answers.items() if at == key}
            sent: dict[Key, int] = {first: self.memory.sent[key]} if key in self.memory.sent else {}
            self.memory = attrs.evolve(self.memory, answers=self.memory.answers | same, sent=self.memory.sent | sent)
        return alone(target)

    def _following(self, key: Key, version: Version, ranges: bool) -> list[int]:
        """The overrides in which an answer to the series counts: those that hold nothing but answers, none of its own.

        For an answer to this and future instances they are those that follow.
        """
        if key is not None and not ranges:
            return []
        found = []
        for other, each in self.meeting.components.items():
            if other is None or (key is not None and other <= key) or attendee(each, (self.who,)) is None:
                continue
            own, floor = self.memory.answers.get((self.who, other)), self._floor(other)
            answered_itself = own is not None and own.sequence >= floor
            if not answered_itself and version.sequence >= floor and self.meeting.only_participation(other):
                found.append(other)
        return found

    def calendar(self, now: datetime) -> CalendarObject:
        """The copy, with a new version of what others are to hear of."""
        components, stamp = dict(self.meeting.components), next_stamp(Meeting.of(self.stored), now)
        for key in set(components) if None in self.moved else self.moved:
            components[key] = stamped(components[key], sequence_of(components[key]), stamp)
        whole = self.meeting.with_components(components)
        return calendar(self.stored.calendar, ordered(whole), self.stored.calendar.children("VTIMEZONE"))


def _keyed(meeting: Meeting, message: Message) -> list[tuple[Key, Component]]:
    """The replies by the instances that they are for, that for the series first."""
    zones = message.calendar.zones
    found = {key_of(each, zones, meeting.start): each for each in message.calendar.components}
    return sorted(found.items(), key=lambda pair: (pair[0] is not None, pair[0] or 0))


def _derived(meeting: Meeting, key: Key, reply: Component) -> Component | None:
    """The override for an answer to a part of a series."""
    found = meeting.derived(key)
    return None if found is None else ranging_like(found, reply)


def _noted(component: Component, who: str, said: Property, codes: str) -> Component:
    def noted(prop: Property) -> Property:
        if ical.address(prop.value) != who:
            return prop
        delegate = said.param("DELEGATED-TO") if partstat(said) == "DELEGATED" else None
        return answered(prop, partstat(said)).with_param("DELEGATED-TO", delegate).with_param("SCHEDULE-STATUS", codes)

    return each_attendee(component, noted)


def _status(reply: Component) -> str:
    """What SCHEDULE-STATUS is then: the codes of all REQUEST-STATUS (RFC 6638 section 4.2)."""
    codes = (each.value.partition(";")[0].strip() for each in reply.all("REQUEST-STATUS"))
    return ",".join(each for each in codes if _CODE.fullmatch(each)) or _SUCCESS
