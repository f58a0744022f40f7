"""The row of federation: a signed iSchedule message is verified and its invitation is in calendars and Inboxes."""

import itertools
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.cases import Row
from benchmarks.client import Answer, Client
from benchmarks.daemon import Daemon
from ischedule import dkim
from ischedule.message import Message

PLACE: Final = "/.well-known/ischedule"
RECIPIENTS: Final = ("mailto:user1@example.com", "mailto:user2@example.com")
DOMAIN: Final = "sender.example"


def new_key(algorithm: str = "rsa") -> dkim.SigningKey:
    """A key of the other domain."""
    return dkim.SigningKey(domain=DOMAIN, selector="cal1", private=dkim.generate(algorithm))


def messages(key: dkim.SigningKey) -> Iterator[Message]:
    """Invitations of one kilobyte for two people, all different, each signed when it is wanted."""
    for number in itertools.count():
        lines = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Sender//EN",
            "METHOD:REQUEST",
            "BEGIN:VEVENT",
            f"UID:meeting-{number}",
            "DTSTAMP:20260101T000000Z",
            "DTSTART:20260201T100000Z",
            "DTEND:20260201T110000Z",
            "SUMMARY:Weekly meeting of the department",
            f"DESCRIPTION:{'What we have done and what we will do. ' * 14}",
            f"ORGANIZER;CN=Anna:mailto:anna@{DOMAIN}",
            *(f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:{each}" for each in RECIPIENTS),
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
        message = Message.compose(
            originator=f"mailto:anna@{DOMAIN}",
            recipients=RECIPIENTS,
            component="VEVENT",
            method="REQUEST",
            body="\r\n".join(lines).encode(),
            message_id=f"message-{number}",
        )
        signature = dkim.sign(message.fields, message.body, key, now=time.time(), lifetime_seconds=3600)
        yield message.with_field("DKIM-Signature", signature)


def delivered(answer: Answer) -> bool:
    """Whether all recipients have it."""
    return answer.status == 200 and answer.body.count(b"2.0;Success") == len(RECIPIENTS)


def row(daemon: Daemon, key: dkim.SigningKey) -> Row:
    """Messages of a domain whose key the daemon knows."""
    client = Client(daemon.host, daemon.port)
    return Row(
        name="iSchedule message for 2, signed",
        requests=(client.render("POST", PLACE, each.body, **dict(each.fields)) for each in messages(key)),
        check=delivered,
        repeat=100,
        target=None,
        peer=None,
        client=client,
    )
