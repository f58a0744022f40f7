"""What a change of a calendar object means for others (RFC 6638 section 3.2)."""

from enum import StrEnum

import attrs

from calserver.ical import CalendarObject
from calserver.itip.memory import Memory
from calserver.itip.message import Message


class Role(StrEnum):
    """What the owner of a copy is in it (RFC 6638 section 3.1)."""

    ORGANIZER = "organizer"
    ATTENDEE = "attendee"


@attrs.frozen(kw_only=True)
class Plan:
    """What is to happen when an object is put, or removed.

    Attributes:
        calendar: what to store; None where it is removed.
        memory: what to remember beside it.
        messages: what to send; SCHEDULE-STATUS of their recipients is 1.0 (pending) in `calendar`.
        role: of the owner in what is stored, or was; None where scheduling has no part in it.
        schedule_tag_changes: whether the Schedule-Tag does (RFC 6638 section 3.2.10).
    """

    calendar: CalendarObject | None
    memory: Memory = Memory()  # noqa: RUF009 - frozen
    messages: tuple[Message, ...] = ()
    role: Role | None = None
    schedule_tag_changes: bool = False


@attrs.frozen(kw_only=True)
class Applied:
    """What a message did to a copy.

    Attributes:
        calendar: the copy as it is to be stored; None where there is none.
        memory: what to remember, also where there is no copy.
        changed: whether `calendar` is other than what was stored.
        inbox: what to put into the scheduling inbox; None where nobody needs to know.
        messages: what to answer at once: a REFRESH to the organizer, or a REQUEST to who asked for it.
        participation_only: whether nothing but the participation of others changed, so that the Schedule-Tag stays.
        problem: why the message was not applied: a code of RFC 5546 section 3.6; None where it was.
    """

    calendar: CalendarObject | None
    memory: Memory
    changed: bool = False
    inbox: Message | None = None
    messages: tuple[Message, ...] = ()
    participation_only: bool = False
    problem: str | None = None
