"""What an attendee sent to the organizer: REPLY and REFRESH (RFC 5546 section 3.2, RFC 6638 section 4.2)."""

import re
from datetime import datetime

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Property
from calserver.itip import reasons
from calserver.itip.meeting import Key, Meeting, calendar, is_era, key_of, ranging_like
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
    meeting = Meeting.of(stored)
    answers = dict(memory.answers)
    components = dict(meeting.components)
    news: set[Key] = set()
    moved: set[Key] = set()
    """Where the participation is another now."""
    replies = sorted(_keyed(meeting, message).items(), key=lambda pair: (pair[0] is not None, pair[0] or 0))
    for key, reply in replies:
        said, version = attendee(reply, (message.originator,)), Version.of(reply)
        target = components.get(key) or _derived(meeting, key, reply)
        known = answers.get((message.originator, key))
        if said is None or target is None or attendee(target, (message.originator,)) is None:
            continue
        if version.sequence < memory.floor(key) or (known is not None and version <= known):
            continue
        answers[message.originator, key] = version
        also = _following(meeting, message.originator, key, version, answers, memory, is_era(reply))
        targets: dict[Key, Component] = {key: target}
        targets |= {other: components[other] for other in also}
        for at, each in targets.items():
            components[at] = _noted(each, message.originator, said, _status(reply))
            news.add(at)
            if key not in meeting.components or partstat(attendee(each, (message.originator,))) != partstat(said):
                moved.add(at)
        meeting = meeting.with_components(components)
    if not news:
        return Applied(calendar=stored, memory=memory)
    stamp = next_stamp(Meeting.of(stored), now)
    for key in set(components) if None in moved else moved:
        components[key] = stamped(components[key], sequence_of(components[key]), stamp)
    found = calendar(
        stored.calendar, ordered(meeting.with_components(components)), stored.calendar.children("VTIMEZONE")
    )
    return Applied(
        calendar=found,
        memory=attrs.evolve(memory, answers=answers),
        changed=True,
        inbox=message,
        participation_only=True,
    )


def _keyed(meeting: Meeting, message: Message) -> dict[Key, Component]:
    zones = message.calendar.zones
    return {key_of(each, zones, meeting.start): each for each in message.calendar.components}


def _derived(meeting: Meeting, key: Key, reply: Component) -> Component | None:
    """The override for an answer to a part of a series."""
    found = meeting.derived(key)
    return None if found is None else ranging_like(found, reply)


def _following(
    meeting: Meeting,
    who: str,
    key: Key,
    version: Version,
    answers: dict[tuple[str, Key], Version],
    memory: Memory,
    is_range: bool,
) -> list[int]:
    """The overrides in which an answer to the series counts: those that hold nothing but answers, none of `who`.

    For an answer to this and future instances they are those that follow.
    """
    if key is not None and not is_range:
        return []
    found = []
    for other, each in meeting.components.items():
        if other is None or (key is not None and other <= key) or attendee(each, (who,)) is None:
            continue
        own = answers.get((who, other))
        answered_itself = own is not None and own.sequence >= memory.floor(other)
        if not answered_itself and version.sequence >= memory.floor(other) and meeting.only_participation(other):
            found.append(other)
    return found


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
