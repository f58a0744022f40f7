"""Proposals to meet otherwise: COUNTER, and the organizer's no, DECLINECOUNTER (RFC 5546 sections 3.2.7 and 3.2.8).

RFC 6638 section 1 leaves them out, so no copy is changed by them: whether a meeting is moved is for its organizer to
decide, who then stores it with another time (which all are told of, and asked for anew). But a proposal is a message of
an attendee to a person, and that person is to see it. So it goes into the Inbox, where messages that have arrived lie
(section 4.2 of the draft), and nowhere else. A PARTSTAT that it has says what the sender would answer
if the meeting were as proposed; it is no answer to the meeting as it is.

Messages come late and twice: what was proposed for an earlier revision than the one that was sent last is of no use any
more, and neither is what is not newer than what its sender proposed before.
"""

import attrs

from calserver import ical
from calserver.ical import CalendarObject
from calserver.itip.meeting import Key, Meeting, key_of
from calserver.itip.memory import Memory
from calserver.itip.message import Message, Method, Version
from calserver.itip.plan import Applied


def apply_proposal(stored: CalendarObject, message: Message, addresses: frozenset[str], memory: Memory) -> Applied:
    """Have the owner of a copy told what is proposed, or that its own proposal is not taken up; the copy stays.

    Args:
        stored: the copy; for a COUNTER of an organizer, otherwise of an attendee.
        message: one of both.
        addresses: of the owner.
        memory: what is remembered beside the copy.
    """
    meeting, counters = Meeting.of(stored), message.method is Method.COUNTER
    people = frozenset((message.originator,)) if counters else addresses
    news: dict[tuple[str, Key], Version] = {}
    for each in message.calendar.components:
        key, version = key_of(each, message.calendar.zones, meeting.start), Version.of(each)
        at, about = (message.originator if counters else "", key), meeting.governing(key)
        if about is None or people.isdisjoint(ical.address(prop.value) for prop in about.all("ATTENDEE")):
            continue
        known = memory.proposals.get(at)
        if version.sequence >= memory.floor(key, None if key is None else meeting.follows(key)) and (
            known is None or version > known
        ):
            news[at] = version
    if not news:
        return Applied(calendar=stored, memory=memory)
    remembered = attrs.evolve(memory, proposals={**memory.proposals, **news})
    return Applied(calendar=stored, memory=remembered, inbox=message)
