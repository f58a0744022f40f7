"""The two questions: what a change means for others, and what a message means for a copy."""

from collections.abc import Mapping
from datetime import datetime

import attrs

from calserver import ical
from calserver.conditions import ConditionFailed
from calserver.ical import CalendarObject, Property
from calserver.itip.attendee import plan_attendee
from calserver.itip.conditions import (
    AllowedAttendeeSchedulingObjectChange,
    AllowedOrganizerSchedulingObjectChange,
    SameOrganizerInAllComponents,
)
from calserver.itip.memory import Memory
from calserver.itip.message import Message, Method
from calserver.itip.organizer import plan_organizer
from calserver.itip.people import PENDING, agent, is_served, organizer
from calserver.itip.plan import Applied, Plan, Role
from calserver.itip.proposals import apply_proposal
from calserver.itip.replies import apply_refresh, apply_reply
from calserver.itip.requests import apply_request

_REFUSED = "3.8"
_INVALID = "3.7"
_UNSUPPORTED = "3.14"
_TO_ORGANIZER = frozenset({Method.REPLY, Method.REFRESH, Method.COUNTER})


def role_of(found: CalendarObject | None, addresses: frozenset[str]) -> Role | None:
    """What the owner of some addresses is in a scheduling object; None where it is none (RFC 6638 section 3.1)."""
    if found is None or found.component not in ("VEVENT", "VTODO") or found.organizer is None:
        return None
    if found.organizer in addresses:
        return Role.ORGANIZER
    return Role.ATTENDEE if found.attendees & addresses else None


def plan(
    old: CalendarObject | None,
    new: CalendarObject | None,
    *,
    addresses: frozenset[str],
    now: datetime,
    memory: Memory = Memory(),  # noqa: B008 - frozen
    matched_tag: bool = False,
    reply: bool = True,
    spared: frozenset[str] = frozenset(),
) -> Plan:
    """What is to happen when the owner of a calendar puts `new` in the place of `old` (RFC 6638 section 3.2.4).

    Args:
        old: what is stored; None where nothing is.
        new: what shall be stored; None where it is removed.
        addresses: all calendar user addresses of the owner, normalized.
        now: aware.
        memory: what is remembered beside `old`.
        matched_tag: whether the request holds by If-Schedule-Tag-Match, so that its client need not know the latest
            answers (RFC 6638 section 3.2.10): NEEDS-ACTION in it does not ask anew.
        reply: False for ``Schedule-Reply: F``.
        spared: to whom an organizer's change is not worth a message; normalized addresses.

    Raises:
        SameOrganizerInAllComponents: two components have different organizers.
        AllowedOrganizerSchedulingObjectChange: the organizer changes what it cannot.
        AllowedAttendeeSchedulingObjectChange: the attendee does.
        ValueError: a property is malformed.
    """
    was, will = role_of(old, addresses), role_of(new, addresses)
    if new is not None:
        if len({found for each in new.components if (found := organizer(each)) is not None}) > 1:
            raise SameOrganizerInAllComponents("all components have the same organizer")
        _check_roles(old, new, was, will, addresses)
    before, after = (old if was else None), (new if will else None)
    if Role.ATTENDEE in (was, will):
        planned = plan_attendee(before, after, addresses, now, memory, reply=reply)
    elif Role.ORGANIZER in (was, will):
        planned = plan_organizer(before, after, addresses, now, memory, matched_tag=matched_tag, spared=spared)
    else:
        return Plan(calendar=new, memory=memory)
    if will is None and new is not None:
        return Plan(calendar=new, memory=Memory(), messages=planned.messages)
    return planned


def _check_roles(
    old: CalendarObject | None, new: CalendarObject, was: Role | None, will: Role | None, addresses: frozenset[str]
) -> None:
    """Nobody takes a meeting over, leaves it without a head, or stays in it without being invited."""
    refusal: type[ConditionFailed] | None = None
    if was is Role.ATTENDEE and old is not None and not is_served(old):
        return
    if was is Role.ATTENDEE and will is not Role.ATTENDEE:
        refusal = AllowedAttendeeSchedulingObjectChange
    elif was is Role.ORGANIZER and (will is Role.ATTENDEE or (will is None and (new.attendees or new.organizer))):
        refusal = AllowedOrganizerSchedulingObjectChange
    elif was is Role.ATTENDEE and old is not None and old.organizer != new.organizer:
        refusal = AllowedAttendeeSchedulingObjectChange
    if refusal is not None:
        raise refusal("organizer and attendees do not change their places")
    if will is Role.ATTENDEE and len({agent(each.first("ORGANIZER")) for each in new.components}) > 1:
        raise AllowedAttendeeSchedulingObjectChange("SCHEDULE-AGENT is the same on every ORGANIZER")


def apply(
    stored: CalendarObject | None,
    message: Message,
    *,
    addresses: frozenset[str],
    now: datetime,
    memory: Memory = Memory(),  # noqa: B008 - frozen
) -> Applied:
    """What a message does to the copy of one of its recipients (RFC 6638 section 4).

    Args:
        stored: the recipient's object with the UID of the message; None where there is none.
        message: as delivered; its originator was verified.
        addresses: all calendar user addresses of the recipient, normalized.
        now: aware.
        memory: what is remembered beside `stored`.

    Raises:
        ValueError: a property is malformed.
    """
    problem = _problem(stored, message, addresses)
    if problem is not None:
        return Applied(calendar=stored, memory=memory, problem=problem)
    if message.method in (Method.REQUEST, Method.ADD, Method.CANCEL):
        return apply_request(stored, message, addresses, memory)
    assert stored is not None, "there is a problem without"
    if message.method is Method.REFRESH:
        return apply_refresh(stored, message, addresses, memory)
    if message.method is Method.REPLY:
        return apply_reply(stored, message, now, memory)
    return apply_proposal(stored, message, addresses, memory)


def _problem(stored: CalendarObject | None, message: Message, addresses: frozenset[str]) -> str | None:
    """Why a message is not for a copy: UID *and* organizer are to match, and the originator to be who it speaks for."""
    if message.method is Method.PUBLISH:
        return _UNSUPPORTED
    organizer = message.organizer
    if organizer is None or (
        stored is not None and (stored.uid, stored.component) != (message.uid, message.calendar.component)
    ):
        return _INVALID
    if stored is not None and stored.organizer != organizer:
        return _REFUSED
    if message.method in _TO_ORGANIZER:
        if stored is None or organizer not in addresses:
            return _INVALID
        strange = message.method is Method.COUNTER and message.originator not in stored.attendees
        return _REFUSED if strange or message.originator not in message.calendar.attendees else None
    if organizer in addresses or message.originator != organizer:
        return _REFUSED
    if stored is None and message.method is Method.DECLINECOUNTER:
        return _INVALID
    uninvited = message.method is not Method.CANCEL and not message.calendar.attendees & addresses
    return _INVALID if uninvited else None


def delivered(found: CalendarObject, statuses: Mapping[str, str], *, pending: bool = True) -> CalendarObject:
    """A copy with what became of messages, by recipient (RFC 6638 section 3.2.9).

    A message to the organizer is noted on ORGANIZER, one to attendees on ATTENDEE; where `pending`, only on those that
    say that a message is.
    """

    def noted(prop: Property) -> Property:
        if prop.name not in ("ORGANIZER", "ATTENDEE") or (pending and prop.param("SCHEDULE-STATUS") != PENDING):
            return prop
        address = ical.address(prop.value)
        status = statuses.get(address)
        if status is None or prop.name != ("ORGANIZER" if address == found.organizer else "ATTENDEE"):
            return prop
        return prop.with_param("SCHEDULE-STATUS", status)

    components = tuple(
        each if each.name == "VTIMEZONE" else attrs.evolve(each, properties=tuple(map(noted, each.properties)))
        for each in found.calendar.components
    )
    if components == found.calendar.components:
        return found
    return CalendarObject.of(found.calendar.with_components(components))
