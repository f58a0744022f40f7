"""What an iTIP message says, as far as the envelope around it depends on it (RFC 5546), and whether it may say so.

This is not a model of calendars: it reads the few properties by which a receiver decides whether to take a message,
and a sender whether to send it. A calendar server reads the body in its own way afterwards, and knows what recurs how
often.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

import attrs

from ischedule.capabilities import Capabilities
from ischedule.errors import (
    AttachmentTypeNotSupported,
    InvalidCalendarData,
    InvalidSchedulingMessage,
    MaxContentLength,
    MaxDateTime,
    MaxRecipients,
    MinDateTime,
    RecipientMismatch,
)
from ischedule.message import Envelope, address_key

MOST_LINES: Final = 100_000
DEEPEST: Final = 8
"""Most components inside of each other."""

BY_ORGANIZER: Final = frozenset({"REQUEST", "ADD", "CANCEL", "DECLINECOUNTER"})
"""Methods of messages from an organizer to attendees."""
BY_ATTENDEE: Final = frozenset({"REPLY", "REFRESH", "COUNTER"})
"""Methods of messages from one attendee to the organizer; a COUNTER may list the others (RFC 5546 section 3.2.7)."""
_OF_ONE: Final = BY_ATTENDEE - {"COUNTER"}

_LINE: Final = re.compile(r'([A-Za-z0-9-]+)((?:;[A-Za-z0-9-]+=(?:"[^"]*"|[^";:])*+)*+):(.*)')
_PARAMETER: Final = re.compile(r';([A-Za-z0-9-]+)=((?:"[^"]*"|[^";:])*)')
_FOLDED: Final = re.compile(rb"[^\n]*\n(?:[ \t][^\n]*\n)*+|[^\n]+\Z")
"""A content line with those that continue it."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_DATE: Final = re.compile(r"(\d{8})(?:T(\d{6})Z?)?")
_UTC: Final = re.compile(r"\d{8}T\d{6}Z")
_RULE_PART: Final = re.compile(r"(?:^|;)(UNTIL|RSCALE)=([^;]+)", re.IGNORECASE)
_DATES: Final = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "EXDATE", "RDATE", "FREEBUSY"})


@attrs.frozen(slots=True)
class Property:
    """A content line (RFC 5545 section 3.1): name and parameters in upper case, the value as it stands there."""

    name: str
    parameters: dict[str, str]
    value: str


@attrs.frozen(slots=True)
class Part:
    """A component directly inside of VCALENDAR, with the properties of components inside of it."""

    name: str
    properties: list[Property] = attrs.field(factory=list)
    inner: list[Property] = attrs.field(factory=list)

    def values(self, name: str) -> tuple[str, ...]:
        """The values of all its own properties of a name."""
        return tuple(each.value for each in self.properties if each.name == name)


@attrs.frozen(kw_only=True)
class ITip:
    """An iTIP message; addresses are in the form of `address_key`."""

    method: str
    component: str
    uid: str
    organizer: str
    attendees: tuple[str, ...]
    parts: tuple[Part, ...] = attrs.field(repr=False)

    @property
    def asks_free_busy(self) -> bool:
        """Whether it is a question for free-busy time."""
        return self.component == "VFREEBUSY"


def read(body: bytes) -> ITip:
    """Read a body.

    Raises:
        InvalidCalendarData: it is not one VCALENDAR in UTF-8.
        InvalidSchedulingMessage: it has no method, or components that do not belong together.
    """
    head, parts = _parts(body)
    if head.values("VERSION") != ("2.0",):
        raise InvalidCalendarData("The body is not iCalendar of version 2.0.")
    method = _one(head.values("METHOD"), "METHOD").upper()
    parts = tuple(part for part in parts if part.name != "VTIMEZONE")
    kinds = {part.name for part in parts}
    if len(kinds) != 1:
        raise InvalidSchedulingMessage("There must be components of one kind.")
    uid = _one(tuple({uid for part in parts for uid in part.values("UID") or ("",)}), "UID")
    organizer = _one(tuple({address_key(each) for part in parts for each in part.values("ORGANIZER")}), "ORGANIZER")
    attendees = dict.fromkeys(address_key(each) for part in parts for each in part.values("ATTENDEE"))
    found = ITip(
        method=method, component=kinds.pop(), uid=uid, organizer=organizer, attendees=tuple(attendees), parts=parts
    )
    _check_rules(found)
    return found


def _one(values: tuple[str, ...], name: str) -> str:
    if len(values) != 1 or not values[0].strip():
        raise InvalidSchedulingMessage(f"There must be one {name}.")
    return values[0].strip()


def _parts(body: bytes) -> tuple[Part, tuple[Part, ...]]:
    """The properties of VCALENDAR, and the components in it."""
    head, parts, stack = Part("VCALENDAR"), list[Part](), list[str]()
    lines = _lines(body)
    for line in lines:
        if line.name == "BEGIN":
            stack.append(line.value.strip().upper())
            if len(stack) == 2:
                parts.append(Part(stack[1]))
        elif line.name == "END":
            if not stack or stack.pop() != line.value.strip().upper():
                raise InvalidCalendarData("A component does not end where it should.")
        elif stack:
            into = (head.properties, parts[-1].properties, parts[-1].inner) if parts else (head.properties,)
            into[min(len(stack), 3) - 1].append(line)
        if stack[:1] != ["VCALENDAR"] or len(stack) > DEEPEST:
            break
    if stack or not head.properties or next(lines, None):
        raise InvalidCalendarData("The body must be one VCALENDAR.")
    return head, tuple(parts)


def _lines(body: bytes) -> Iterator[Property]:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidCalendarData("The body is not in UTF-8.") from None
    if _CONTROL.search(text):
        raise InvalidCalendarData("There are control characters in the body.")
    lines = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "").split("\n")
    if len(lines) > MOST_LINES:
        raise InvalidCalendarData("The body has too many lines.")
    return map(_line, filter(None, lines))


def _line(text: str) -> Property:
    name, colon, value = text.partition(":")
    if colon and name.isascii() and name.replace("-", "").isalnum():  # most lines have no parameters
        return Property(name.upper(), {}, value)
    if not (found := _LINE.fullmatch(text)):
        raise InvalidCalendarData("A line of the body is not iCalendar.")
    parameters = {key.upper(): value.strip('"') for key, value in _PARAMETER.findall(found[2])}
    return Property(found[1].upper(), parameters, found[3])


def _check_rules(message: ITip) -> None:
    """What RFC 5546 section 3 asks of all messages of a method, and RFC 5545 section 3.6 of their components."""
    for part in message.parts:
        if len(part.values("DTSTAMP")) != 1:
            raise InvalidSchedulingMessage("Each component must have one DTSTAMP.")
        if len(part.values("ORGANIZER")) != 1:
            raise InvalidSchedulingMessage("Each component must have one ORGANIZER.")
        if message.method in _OF_ONE and len(part.values("ATTENDEE")) != 1:
            raise InvalidSchedulingMessage("Each component must have one ATTENDEE, who sends it.")
        if message.component == "VEVENT" and message.method in ("REQUEST", "ADD"):
            _one(part.values("DTSTART"), "DTSTART in each component")
    if message.method in _OF_ONE and len(message.attendees) != 1:
        raise InvalidSchedulingMessage("All components must have the same ATTENDEE, who sends them.")
    if message.asks_free_busy:
        _check_question(message)


def _check_question(message: ITip) -> None:
    """A question for free-busy time (RFC 5546 section 3.3.2)."""
    if message.method != "REQUEST" or len(message.parts) != 1:
        raise InvalidSchedulingMessage("A question for free-busy time is one VFREEBUSY with METHOD:REQUEST.")
    part = message.parts[0]
    start, end = _one(part.values("DTSTART"), "DTSTART"), _one(part.values("DTEND"), "DTEND")
    if not _UTC.fullmatch(start) or not _UTC.fullmatch(end):
        raise InvalidSchedulingMessage("DTSTART and DTEND must be in UTC.")
    if _length(start, end) <= timedelta(0):
        raise InvalidSchedulingMessage("DTEND must be after DTSTART.")


def _length(start: str, end: str) -> timedelta:
    try:
        return datetime.strptime(f"{end}+0000", "%Y%m%dT%H%M%SZ%z") - datetime.strptime(
            f"{start}+0000", "%Y%m%dT%H%M%SZ%z"
        )
    except ValueError:
        raise InvalidCalendarData("A date is none.") from None


def check_envelope(message: ITip, envelope: Envelope) -> None:
    """Check that a message is from whom and to whom the header fields say (draft section 6).

    Raises:
        InvalidSchedulingMessage: it is not.
        RecipientMismatch: it is a question for free-busy time about others than the recipients.
    """
    given = envelope.content_type
    if given.method not in ("", message.method) or given.component not in ("", message.component):
        raise InvalidSchedulingMessage("The Content-Type is not that of the body.")
    originator, recipients = address_key(envelope.originator), {*map(address_key, envelope.recipients)}
    by_attendee = message.method in BY_ATTENDEE
    if originator not in (message.attendees if by_attendee else (message.organizer,)):
        raise InvalidSchedulingMessage(
            f"The Originator must be the {'ATTENDEE who sends it' if by_attendee else 'ORGANIZER'}."
        )
    if message.asks_free_busy:
        if recipients != {*message.attendees}:
            raise RecipientMismatch("The Recipients must be the ATTENDEEs, no more and no less.")
    elif by_attendee:
        if recipients != {message.organizer}:
            raise InvalidSchedulingMessage("The Recipient must be the ORGANIZER.")
    elif not recipients <= {*message.attendees}:
        raise InvalidSchedulingMessage("Each Recipient must be an ATTENDEE.")


def check_limits(message: ITip, *, recipients: int, body_bytes: int, limits: Capabilities) -> None:
    """Check a message against what a receiver has announced; the number of instances is left to the receiver.

    Raises:
        RequestRefused: one of the elements for what was announced.
    """
    if limits.max_recipients is not None and recipients > limits.max_recipients:
        raise MaxRecipients(f"There may be {limits.max_recipients} recipients in one request.")
    if limits.max_content_length is not None and body_bytes > limits.max_content_length:
        raise MaxContentLength(f"The body may have {limits.max_content_length} octets.")
    if not limits.accepts(message.component, message.method):
        raise InvalidSchedulingMessage(f"{message.component} with METHOD:{message.method} is not accepted.")
    if message.asks_free_busy and limits.longest_question_days is not None:
        part = message.parts[0]
        days = limits.longest_question_days
        if _length(part.values("DTSTART")[0].strip(), part.values("DTEND")[0].strip()) > timedelta(days=days):
            raise InvalidSchedulingMessage(f"The range must be {days} days at most.")
    for part in message.parts:
        for line in part.properties:
            _check_property(line, limits)
        for line in part.inner:
            if line.name == "ATTACH":
                _check_attachment(line, limits)


def _check_property(line: Property, limits: Capabilities) -> None:
    if line.name == "ATTACH":
        _check_attachment(line, limits)
    elif line.name == "RRULE":
        _check_rule(line.value, limits)
    elif line.name in _DATES:
        for value in line.value.split(","):
            _check_date(value.partition("/")[0], limits)


def is_inline(line: Property) -> bool:
    """Whether an ATTACH has its data inside."""
    scheme = line.value.partition(":")[0].strip().lower()
    return line.parameters.get("VALUE", "").upper() == "BINARY" or "ENCODING" in line.parameters or scheme == "data"


def _check_attachment(line: Property, limits: Capabilities) -> None:
    inline = is_inline(line)
    refused = (limits.inline_attachments if inline else limits.external_attachments) is False
    if refused or line.value.strip().lower().startswith("file:"):
        raise AttachmentTypeNotSupported(f"ATTACH with {'data inside' if inline else 'such a URI'} is not accepted.")


def _check_date(value: str, limits: Capabilities) -> None:
    if not (found := _DATE.fullmatch(value.strip())):
        raise InvalidCalendarData("A date is none.")
    given = f"{found[1]}T{found[2] or '000000'}"
    if limits.min_date_time is not None and given < limits.min_date_time.rstrip("Z"):
        raise MinDateTime(f"Dates may not lie before {limits.min_date_time}.")
    if limits.max_date_time is not None and given > limits.max_date_time.rstrip("Z"):
        raise MaxDateTime(f"Dates may not lie after {limits.max_date_time}.")


def _check_rule(value: str, limits: Capabilities) -> None:
    for name, text in _RULE_PART.findall(value):
        if name.upper() == "UNTIL":
            _check_date(text, limits)
        elif limits.rscales is not None and text.upper() not in ("GREGORIAN", *limits.rscales):
            raise InvalidSchedulingMessage(f"Rules of the calendar {text[:40]} are not accepted (RSCALE).")


# -- for senders -----------------------------------------------------------------------------------------------------


def without_inline_attachments(body: bytes) -> bytes:
    """The same message without the data that is attached to it, for a receiver that does not take it."""
    return _filtered(body, lambda line: line.name == "ATTACH" and is_inline(line))


def about(body: bytes, attendees: Iterable[str]) -> bytes:
    """The same message with some of its attendees only: a question for free-busy time is one about its recipients."""
    kept = {*map(address_key, attendees)}
    return _filtered(body, lambda line: line.name == "ATTENDEE" and address_key(line.value) not in kept)


def _filtered(body: bytes, drop: Callable[[Property], bool]) -> bytes:
    """The lines of a body, as they are, without some of them."""
    kept = []
    for folded in _FOLDED.findall(body):
        text = folded.replace(b"\r\n", b"\n").replace(b"\n ", b"").replace(b"\n\t", b"").strip(b"\n").decode("utf-8")
        if not text or not drop(_line(text)):
            kept.append(folded)
    return b"".join(kept)
