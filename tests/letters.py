"""Scheduling messages for tests: what to send, who signs it, and keys that are made once."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from ischedule import dkim
from ischedule.message import Fields, Message

NOW: Final = 1_767_225_600.0
"""2026-01-01 00:00 UTC."""
ANNA, BO, CY, DEE = (
    "mailto:anna@sender.example",
    "mailto:bo@receiver.example",
    "mailto:cy@receiver.example",
    "mailto:dee@receiver.example",
)


@cache
def _made(name: str) -> Any:
    return dkim.generate("rsa" if name.startswith("rsa") else "ed25519")


def private_key(name: str = "cal1") -> Any:
    """The private key of a name: of RSA where it begins with ``rsa``; always the same one."""
    return _made(name)


def record(name: str = "cal1", **changes: Any) -> str:
    """What is published of a key."""
    return dkim.key_record(private_key(name), **changes)


def signing_key(name: str = "cal1", domain: str = "sender.example") -> dkim.SigningKey:
    return dkim.SigningKey(domain=domain, selector=name, private=private_key(name))


def event(
    *lines: str,
    method: str = "REQUEST",
    organizer: str = ANNA,
    attendees: Sequence[str] = (BO, CY),
    uid: str = "meeting-1",
    start: str = "20260201T100000Z",
) -> bytes:
    """An iTIP message about an event."""
    return calendar(
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        f"DTSTART:{start}",
        "SUMMARY:Lunch\\, maybe",
        f"ORGANIZER;CN=Anna:{organizer}",
        *(f'ATTENDEE;PARTSTAT=NEEDS-ACTION;CN="A: b;c":{each}' for each in attendees),
        *lines,
        "END:VEVENT",
    )


def question(*lines: str, attendees: Sequence[str] = (BO,), end: str = "20260202T000000Z") -> bytes:
    """A question for free-busy time."""
    return calendar(
        "METHOD:REQUEST",
        "BEGIN:VFREEBUSY",
        "UID:question-1",
        "DTSTAMP:20260101T000000Z",
        "DTSTART:20260201T000000Z",
        f"DTEND:{end}",
        f"ORGANIZER:{ANNA}",
        *(f"ATTENDEE:{each}" for each in attendees),
        *lines,
        "END:VFREEBUSY",
    )


def calendar(*lines: str) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Sender//EN", *lines, "END:VCALENDAR", ""]).encode()


def letter(
    body: bytes | None = None,
    *,
    originator: str = ANNA,
    recipients: Sequence[str] = (BO, CY),
    component: str = "VEVENT",
    method: str = "REQUEST",
    message_id: str = "7f1c2d30-0001",
) -> Message:
    """A request that is not signed."""
    return Message.compose(
        originator=originator,
        recipients=recipients,
        component=component,
        method=method,
        body=event() if body is None else body,
        message_id=message_id,
    )


def signed(message: Message | None = None, *, key: str = "cal1", domain: str = "sender.example", **how: Any) -> Message:
    """A request with a signature."""
    message = message or letter()
    value = dkim.sign(message.fields, message.body, signing_key(key, domain), **{"now": NOW, **how})
    return message.with_field("DKIM-Signature", value)


def changed(fields: Fields, name: str, value: str | None) -> Fields:
    """The fields with another value of one of them, or without it."""
    kept = tuple((each, text if each.lower() != name.lower() else value) for each, text in fields)
    return tuple((each, text) for each, text in kept if text is not None)
