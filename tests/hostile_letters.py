"""Messages between servers that nobody should take: each as good as it can be but for one thing, and what is answered.

They are from ``sender.example`` to ``receiver.example``, whoever plays these parts.
"""

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import attrs
from letters import ANNA, BO, CY, NOW, changed, event, letter, question, record, signed

from ischedule.message import Message


@attrs.frozen(kw_only=True)
class Forger:
    """Makes messages at a certain time, for a receiver with certain limits."""

    now: float = NOW
    body_bytes: int
    recipients: int

    def signed(self, message: Message | None = None, **how: Any) -> Message:
        return signed(message, **{"now": self.now, **how})

    def with_field(self, name: str, value: str | None, message: Message | None = None) -> Message:
        """A signed message with one field changed after that."""
        message = message or self.signed()
        return attrs.evolve(message, fields=changed(message.fields, name, value))

    def before(self, name: str, value: str | None, message: Message | None = None, **how: Any) -> Message:
        """A message with one field changed before it was signed."""
        message = message or letter()
        return self.signed(attrs.evolve(message, fields=changed(message.fields, name, value)), **how)

    def with_body(self, body: bytes, **how: Any) -> Message:
        return self.signed(letter(body, **how))

    def retagged(self, old: str, new: str) -> Message:
        """A message whose signature has other tags than when it was made."""
        message = self.signed()
        return self.with_field("DKIM-Signature", dict(message.fields)["DKIM-Signature"].replace(old, new), message)

    def foreign(self, domain: str, originator: str = ANNA) -> Message:
        """A message that another domain has signed."""
        return self.signed(letter(event(organizer=originator), originator=originator), domain=domain)

    def dkim_hash(self, body: bytes) -> str:
        """The ``bh=`` of a body."""
        value = dict(self.signed(letter(body)).fields)["DKIM-Signature"]
        return value.partition("bh=")[2].partition(";")[0]

    def too_many(self) -> Message:
        """A message with one recipient too many."""
        many = tuple(f"mailto:u{number}@receiver.example" for number in range(self.recipients + 1))
        return self.signed(letter(event(attendees=many), recipients=many))


class Case(NamedTuple):
    """A hostile message: what is wrong with it, the message, what is answered, whether a key is looked for."""

    what: str
    message: Callable[[Forger], Message]
    status: int
    element: str
    asks_for_key: bool = False


FAILED = "verification-failed"
BOMB = zlib.compress(event("DESCRIPTION:" + "x" * 2_500_000))
VALARM = ("BEGIN:VALARM", "ACTION:AUDIO", "ATTACH;VALUE=BINARY;ENCODING=BASE64:eA==", "END:VALARM")
RECORDS = {
    "cal1": record("cal1"),
    "cal2": record("cal1"),
    "rsa1": record("rsa1"),
    "revoked": "v=DKIM1; k=ed25519; p=",
    "mail": record("mail", service="email"),
    "kind": record("rsa1"),
}
"""The keys that ``sender.example`` publishes, by selector; that of ``lost`` cannot be found out."""

HOSTILE = [
    Case("no version", lambda by: by.before("iSchedule-Version", None), 400, "version-not-supported"),
    Case("another version", lambda by: by.before("iSchedule-Version", "2.0"), 400, "version-not-supported"),
    Case(
        "another media type",
        lambda by: by.before("Content-Type", "application/json"),
        400,
        "invalid-calendar-data-type",
    ),
    Case(
        "another charset",
        lambda by: by.before("Content-Type", "text/calendar; charset=utf-16"),
        400,
        "invalid-calendar-data-type",
    ),
    Case("no media type", lambda by: by.before("Content-Type", None), 400, "invalid-calendar-data-type"),
    Case(
        "a compressed bomb",
        lambda by: by.signed(letter(BOMB).with_field("Content-Encoding", "gzip")),
        400,
        "invalid-calendar-data-type",
    ),
    Case(
        "a compressed body",
        lambda by: by.signed(letter(zlib.compress(event())).with_field("Content-Encoding", "deflate")),
        400,
        "invalid-calendar-data-type",
    ),
    Case("too large", lambda by: by.with_body(event("X:" + "y" * by.body_bytes)), 413, "max-content-length"),
    Case("no originator", lambda by: by.before("Originator", None), 400, "originator-missing"),
    Case("an empty originator", lambda by: by.before("Originator", " "), 400, "originator-missing"),
    Case("two originators in a list", lambda by: by.before("Originator", f"{ANNA},{BO}"), 400, "too-many-originators"),
    Case(
        "two originators in fields", lambda by: by.signed().with_field("Originator", ANNA), 400, "too-many-originators"
    ),
    Case("an originator without domain", lambda by: by.before("Originator", "mailto:anna"), 400, "originator-invalid"),
    Case(
        "an originator with an address",
        lambda by: by.before("Originator", "mailto:anna@[192.0.2.1]"),
        400,
        "originator-invalid",
    ),
    Case(
        "an originator of another scheme",
        lambda by: by.before("Originator", "urn:uuid:7f1c"),
        400,
        "originator-invalid",
    ),
    Case("no recipient", lambda by: by.before("Recipient", None), 400, "recipient-missing"),
    Case("empty recipients", lambda by: by.before("Recipient", " , ,"), 400, "recipient-missing"),
    Case("control characters", lambda by: by.with_field("Recipient", f"{BO}\x01"), 400, "recipient-invalid"),
    Case("too many recipients", lambda by: by.too_many(), 403, "max-recipients"),
    Case("an originator of ours", lambda by: by.foreign("receiver.example", BO), 403, "originator-denied"),
    Case(
        "an originator of ours, signed by others", lambda by: by.foreign("sender.example", BO), 403, "originator-denied"
    ),
    Case("not signed", lambda by: letter(), 403, FAILED),
    Case("signed twice", lambda by: by.signed(by.signed()), 403, FAILED),
    Case("rubbish for a signature", lambda by: letter().with_field("DKIM-Signature", "none"), 403, FAILED),
    Case("a long signature", lambda by: letter().with_field("DKIM-Signature", "v=1; z=" + "x" * 5000), 403, FAILED),
    Case("SHA-1", lambda by: by.retagged("ed25519-sha256", "rsa-sha1"), 403, FAILED),
    Case("the canonicalization of mail", lambda by: by.retagged("ischedule-relaxed", "relaxed"), 403, FAILED),
    Case("the originator not covered", lambda by: by.retagged("originator:", ""), 403, FAILED),
    Case("the recipients not covered", lambda by: by.retagged("recipient:", ""), 403, FAILED),
    Case("Authorization not covered", lambda by: by.signed().with_field("Authorization", "Basic YTpi"), 403, FAILED),
    Case("a field covered twice", lambda by: by.retagged("h=", "h=recipient:"), 403, FAILED),
    Case("a part of the body", lambda by: by.retagged("bh=", "l=10; bh="), 403, FAILED),
    Case("expired", lambda by: by.signed(now=by.now - 606), 403, FAILED),
    Case("from the future", lambda by: by.signed(now=by.now + 360), 403, FAILED),
    Case("very old", lambda by: by.signed(now=by.now - 86401, lifetime_seconds=10**6), 403, FAILED),
    Case("without time", lambda by: by.retagged(f"t={int(by.now)}; ", ""), 403, FAILED),
    Case("expires before it begins", lambda by: by.retagged(f"x={int(by.now) + 600}", f"x={int(by.now)}"), 403, FAILED),
    Case("no way to get the key", lambda by: by.signed(methods=("http/well-known",)), 403, FAILED),
    Case("a public suffix signs", lambda by: by.foreign("example"), 403, FAILED),
    Case("another domain signs", lambda by: by.foreign("evil.example"), 403, "originator-denied"),
    Case("a domain below signs", lambda by: by.foreign("cal.sender.example"), 403, "originator-denied"),
    Case("a domain with the same end signs", lambda by: by.foreign("der.example"), 403, "originator-denied"),
    Case("the body changed", lambda by: attrs.evolve(by.signed(), body=event(uid="meeting-2")), 403, FAILED),
    Case("the body longer", lambda by: attrs.evolve(by.signed(), body=event() + b"x"), 403, FAILED),
    Case(
        "the body hash changed as well",
        lambda by: attrs.evolve(by.retagged(by.dkim_hash(event()), by.dkim_hash(b"x\r\n")), body=b"x\r\n"),
        403,
        FAILED,
        True,
    ),
    Case(
        "the originator changed", lambda by: by.with_field("Originator", "mailto:eve@sender.example"), 403, FAILED, True
    ),
    Case(
        "a recipient changed",
        lambda by: by.with_field("Recipient", f"{BO},mailto:eve@receiver.example"),
        403,
        FAILED,
        True,
    ),
    Case(
        "a recipient added",
        lambda by: by.signed().with_field("Recipient", "mailto:eve@receiver.example"),
        403,
        FAILED,
        True,
    ),
    Case("a recipient removed", lambda by: by.with_field("Recipient", BO), 403, FAILED, True),
    Case("recipients in another order", lambda by: by.with_field("Recipient", f"{CY},{BO}"), 403, FAILED, True),
    Case(
        "the media type changed",
        lambda by: by.with_field("Content-Type", "text/calendar; component=VEVENT; method=CANCEL"),
        403,
        FAILED,
        True,
    ),
    Case("the Message-ID changed", lambda by: by.with_field("iSchedule-Message-ID", "another"), 403, FAILED, True),
    Case(
        "a longer life", lambda by: by.retagged(f"x={int(by.now) + 600}", f"x={int(by.now) + 6000}"), 403, FAILED, True
    ),
    Case("no key", lambda by: by.signed(key="unknown"), 403, FAILED, True),
    Case("another key", lambda by: by.signed(key="cal2", domain="sender.example"), 403, FAILED, True),
    Case("a revoked key", lambda by: by.signed(key="revoked"), 403, FAILED, True),
    Case("a key for mail", lambda by: by.signed(key="mail"), 403, FAILED, True),
    Case("a key of another kind", lambda by: by.signed(key="kind"), 403, FAILED, True),
    Case("a key that cannot be looked up", lambda by: by.signed(key="lost"), 503, FAILED, True),
    Case("no calendar", lambda by: by.with_body(b"hello"), 400, "invalid-calendar-data", True),
    Case("two calendars", lambda by: by.with_body(event() + event()), 400, "invalid-calendar-data", True),
    Case(
        "not in UTF-8",
        lambda by: by.with_body(event("X:\xff").replace(b"\xc3\xbf", b"\xff")),
        400,
        "invalid-calendar-data",
        True,
    ),
    Case(
        "no method",
        lambda by: by.with_body(event().replace(b"METHOD:REQUEST\r\n", b"")),
        400,
        "invalid-scheduling-message",
        True,
    ),
    Case(
        "a method that is not taken",
        lambda by: by.with_body(event(method="PUBLISH"), method="PUBLISH"),
        400,
        "invalid-scheduling-message",
        True,
    ),
    Case(
        "a component that is not taken",
        lambda by: by.with_body(event().replace(b"VEVENT", b"VJOURNAL"), component="VJOURNAL"),
        400,
        "invalid-scheduling-message",
        True,
    ),
    Case(
        "another method in the header",
        lambda by: by.with_body(event(), method="CANCEL"),
        400,
        "invalid-scheduling-message",
        True,
    ),
    Case(
        "two events",
        lambda by: by.with_body(
            event("END:VEVENT", "BEGIN:VEVENT", "UID:2", "DTSTAMP:20260101T000000Z", f"ORGANIZER:{ANNA}")
        ),
        400,
        "invalid-scheduling-message",
        True,
    ),
    Case(
        "another organizer",
        lambda by: by.with_body(event(organizer="mailto:eve@sender.example")),
        400,
        "invalid-scheduling-message",
        True,
    ),
    Case("an organizer of ours", lambda by: by.with_body(event(organizer=BO)), 400, "invalid-scheduling-message", True),
    Case(
        "a recipient who is no attendee",
        lambda by: by.signed(letter(event(attendees=(BO,)))),
        400,
        "invalid-scheduling-message",
        True,
    ),
    Case(
        "a reply for somebody else",
        lambda by: by.with_body(event(method="REPLY", organizer=BO, attendees=(CY,)), method="REPLY", recipients=(BO,)),
        400,
        "invalid-scheduling-message",
        True,
    ),
    Case(
        "a reply of two",
        lambda by: by.with_body(
            event(method="REPLY", organizer=BO, attendees=(ANNA, CY)), method="REPLY", recipients=(BO,)
        ),
        400,
        "invalid-scheduling-message",
        True,
    ),
    Case(
        "a reply to attendees",
        lambda by: by.with_body(
            event(method="REPLY", organizer=BO, attendees=(ANNA,)), method="REPLY", recipients=(CY,)
        ),
        400,
        "invalid-scheduling-message",
        True,
    ),
    Case(
        "a question about others",
        lambda by: by.with_body(question(attendees=(CY,)), component="VFREEBUSY", recipients=(BO,)),
        400,
        "recipient-mismatch",
        True,
    ),
    Case(
        "a question about one more",
        lambda by: by.with_body(question(attendees=(BO, CY)), component="VFREEBUSY", recipients=(BO,)),
        400,
        "recipient-mismatch",
        True,
    ),
    Case(
        "a question about years",
        lambda by: by.with_body(question(end="20300101T000000Z"), component="VFREEBUSY", recipients=(BO,)),
        400,
        "invalid-scheduling-message",
        True,
    ),
    Case(
        "a file of ours attached",
        lambda by: by.with_body(event("ATTACH:file:///etc/passwd")),
        403,
        "attachment-type-not-supported",
        True,
    ),
    Case("long ago", lambda by: by.with_body(event(start="18990101T000000Z")), 403, "min-date-time", True),
    Case("far away", lambda by: by.with_body(event(start="99990101T000000Z")), 403, "max-date-time", True),
]

INLINE = [
    Case(
        "data attached",
        lambda by: by.with_body(event("ATTACH;VALUE=BINARY;ENCODING=BASE64:eA==")),
        403,
        "attachment-type-not-supported",
        True,
    ),
    Case("data in an alarm", lambda by: by.with_body(event(*VALARM)), 403, "attachment-type-not-supported", True),
]
"""Where no data inside of messages is taken."""
