"""What an attendee sent to the organizer: REPLY and REFRESH (RFC 5546 section 3.2, RFC 6638 section 4.2)."""

from datetime import datetime

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component
from calserver.itip.meeting import Key, Meeting, calendar, key_of
from calserver.itip.memory import Memory
from calserver.itip.message import Message, Version, sequence_of, stamped
from calserver.itip.organizer import next_stamp
from calserver.itip.people import answered, attendee, partstat
from calserver.itip.plan import Applied
from calserver.itip.view import ordered, refresh

_SUCCESS = "2.0"


def apply_refresh(stored: CalendarObject, message: Message, addresses: frozenset[str], memory: Memory) -> Applied:
    """Answer a REFRESH with what its originator may see now."""
    again = refresh(stored, addresses, only=(message.originator,))
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
    replies = sorted(_keyed(meeting, message).items(), key=lambda pair: (pair[0] is not None, pair[0] or 0))
    for key, reply in replies:
        said, version = attendee(reply, (message.originator,)), Version.of(reply)
        target = components.get(key) or meeting.derived(key)
        known = answers.get((message.originator, key))
        if said is None or target is None or attendee(target, (message.originator,)) is None:
            continue
        if version.sequence < memory.floor(key) or (known is not None and version <= known):
            continue
        answers[message.originator, key] = version
        status = _status(reply)
        components[key] = _noted(target, message.originator, partstat(said), status)
        news.add(key)
        meeting = meeting.with_components(components)
        if key is None:
            for other in _following(meeting, message.originator, version, answers, memory):
                components[other] = _noted(components[other], message.originator, partstat(said), status)
                news.add(other)
    if not news:
        return Applied(calendar=stored, memory=memory)
    stamp = next_stamp(meeting, now)
    for key in set(components) if None in news else news:
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


def _following(
    meeting: Meeting, who: str, version: Version, answers: dict[tuple[str, Key], Version], memory: Memory
) -> list[int]:
    """The overrides in which an answer to the series counts: those that hold nothing but answers, none of `who`."""
    found = []
    for key, each in meeting.components.items():
        if key is None or attendee(each, (who,)) is None:
            continue
        own = answers.get((who, key))
        answered_itself = own is not None and own.sequence >= memory.floor(key)
        if not answered_itself and version.sequence >= memory.floor(key) and meeting.only_participation(key):
            found.append(key)
    return found


def _noted(component: Component, who: str, status: str, codes: str) -> Component:
    changed = tuple(
        answered(each, status).with_param("SCHEDULE-STATUS", codes)
        if each.name == "ATTENDEE" and ical.address(each.value) == who
        else each
        for each in component.properties
    )
    return attrs.evolve(component, properties=changed)


def _status(reply: Component) -> str:
    codes = [each.value.partition(";")[0].strip() for each in reply.all("REQUEST-STATUS")]
    return ",".join(codes) or _SUCCESS
