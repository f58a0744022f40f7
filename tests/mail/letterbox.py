"""Mails and scheduling messages for the tests of mail."""

from collections.abc import Sequence
from typing import Any

from calserver.scheduling.mail.compose import Manner
from calserver.scheduling.mail.outgoing import Outgoing
from calserver.scheduling.mail.tokens import Tokens

KEY = b"k" * 32
ADDRESS = "calendar@example.com"
TOKENS = Tokens(ADDRESS, KEY)
MANNER = Manner(tokens=TOKENS)
ORGANIZER = "mailto:ann@example.com"
INVITEE = "mailto:bo@other.example"


def calendar(method: str, *lines: str, uid: str = "m-1", sequence: int = 0) -> bytes:
    """A scheduling message with one event."""
    every = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//example.com//tests//EN",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        f"SEQUENCE:{sequence}",
        *([] if any(line.startswith("DTSTART") for line in lines) else ["DTSTART:20990105T090000Z", "DURATION:PT1H"]),
        *lines,
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{line}\r\n" for line in every).encode()


def people(organizer: str = ORGANIZER, *attendees: str, answer: str = "NEEDS-ACTION") -> list[str]:
    return [f"ORGANIZER:{organizer}", *(f"ATTENDEE;PARTSTAT={answer}:{each}" for each in attendees or (INVITEE,))]


def outgoing(text: bytes, **changes: Any) -> Outgoing:
    fields: dict[str, Any] = {"principal": 17, "originator": ORGANIZER, "recipient": INVITEE, "text": text}
    return Outgoing(**(fields | changes))


def mail(
    text: bytes | None,
    *,
    author: str = "Bo <bo@other.example>",
    to: str = ADDRESS,
    method: str = "REPLY",
    first: Sequence[str] = (),
    more: Sequence[str] = (),
) -> bytes:
    """A mail as the calendar program of an invitee sends it; `first` stands above the Received field."""
    head = [
        *first,
        "Received: from elsewhere by mx.example.com; Thu, 1 Jan 2026 00:00:00 +0000",
        *more,
        f"From: {author}",
        f"To: {to}",
        "Subject: answer",
        "Date: Thu, 1 Jan 2026 00:00:00 +0000",
        "Message-ID: <1@other.example>",
        "MIME-Version: 1.0",
        'Content-Type: multipart/alternative; boundary="b0"',
    ]
    parts = ["--b0", "Content-Type: text/plain", "", "Yes."]
    if text is not None:
        kind = f"Content-Type: text/calendar; method={method}; charset=utf-8"
        parts += ["--b0", kind, "Content-Transfer-Encoding: 8bit", "", text.decode().rstrip()]
    return "\r\n".join([*head, "", *parts, "--b0--", ""]).encode()


def bounced(action: str = "failed", uid: str = "m-1", to: str = "Bo <bo@other.example>") -> bytes:
    """A notification about an invitation of ours (RFC 3464)."""
    lines = [
        "Received: from mx.example.com",
        "From: MAILER-DAEMON@mx.example.com",
        f"To: {TOKENS.address_for(17, INVITEE, 'm-1')}",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="r"',
        *("", "--r", "Content-Type: text/plain", "", "It did not work."),
        *("--r", "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.example.com", ""),
        *("Final-Recipient: rfc822; bo@other.example", f"Action: {action}", "Status: 5.1.1"),
        "Diagnostic-Code: smtp; 550 no such user",
        *("--r", "Content-Type: text/rfc822-headers", "", "From: calendar@example.com", f"To: {to}"),
        *(f"X-Calendar-UID: {uid}", "", "--r--", ""),
    ]
    return "\r\n".join(lines).encode()
