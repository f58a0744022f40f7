"""From a scheduling message to a mail (RFC 6047): headers, words for people, the calendar data twice.

    multipart/mixed
      multipart/alternative
        text/plain
        text/html
        text/calendar; method=REQUEST       what mail programs with a calendar look for
      application/ics                       a file, for those that hand it to another program

The same message makes the same mail, so a repetition has the same Message-ID.
"""

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import blake2b
from typing import Final
from urllib.parse import quote

import attrs

from calserver import ical
from calserver.conditions import ConditionFailed
from calserver.ical import CalendarObject, Component, Property
from calserver.itip import Message, Method
from calserver.scheduling.mail import wording
from calserver.scheduling.mail.essentials import NAME, Essentials, name_of
from calserver.scheduling.mail.fields import clean, domain_of, field, mail_address, mailbox, unstructured
from calserver.scheduling.mail.outgoing import Outgoing, Unmailable
from calserver.scheduling.mail.tokens import Tokens

UID_FIELD: Final = "X-Calendar-UID"
"""By which a mail that comes back is known (`calserver.scheduling.mail.bounces`); percent-encoded."""
_LONGEST_UID: Final = 900
_TO_ORGANIZER: Final = frozenset({Method.REPLY, Method.REFRESH, Method.COUNTER})


@attrs.frozen(kw_only=True)
class Manner:
    """How mail is written here: the fields are options of ``[mail]``."""

    tokens: Tokens
    """With the address that mail comes from."""
    name: str = "calendar"
    author: str = "calendar"
    organizer: str = "token"
    message_bytes: int = 2 * 1024 * 1024

    @property
    def address(self) -> str:
        """The address that mail comes from."""
        return self.tokens.address


@attrs.frozen(kw_only=True)
class Composed:
    """A mail and its envelope (RFC 5321)."""

    sender: str
    recipient: str
    content: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class _Draft:
    """What a mail is made of."""

    outgoing: Outgoing
    message: Message
    manner: Manner
    person: str
    """The mail address of whose message it is."""
    name: str
    """The name of whose message it is; empty where it has none."""
    recipient: str
    recipient_name: str
    reply_to: str

    @property
    def to_organizer(self) -> bool:
        return self.message.method in _TO_ORGANIZER


def compose(outgoing: Outgoing, manner: Manner, now: datetime) -> Composed:
    """Write a mail.

    Args:
        outgoing: what is to be sent.
        manner: how it is written here.
        now: its Date, aware.

    Raises:
        Unmailable: one of the addresses is none of mail, the message cannot be read, or is too large.
    """
    try:
        draft = _draft(outgoing, manner)
        occasion = _occasion(draft)
        body = _body(draft, occasion)
    except (ValueError, ConditionFailed) as error:
        raise Unmailable(f"the message cannot be written as mail: {error}") from None
    content = b"".join(_head(draft, occasion, now)) + body
    if len(content) > manner.message_bytes:
        raise Unmailable(f"the mail would have {len(content)} bytes, and {manner.message_bytes} are allowed")
    return Composed(sender=draft.reply_to, recipient=draft.recipient, content=content)


def _draft(outgoing: Outgoing, manner: Manner) -> _Draft:
    person, recipient = mail_address(outgoing.originator), mail_address(outgoing.recipient)
    if person is None or recipient is None:
        who = outgoing.originator if person is None else outgoing.recipient
        raise Unmailable(f"{clean(who, NAME)} is no mail address that can be sent to and answered")
    invitee = ical.address(outgoing.recipient)
    message = Message.parse(outgoing.text, outgoing.originator, (invitee,))
    return _Draft(
        outgoing=outgoing,
        message=message,
        manner=manner,
        person=person,
        name=name_of(_person(message.calendar, outgoing.originator)),
        recipient=recipient,
        recipient_name=name_of(_person(message.calendar, outgoing.recipient)),
        reply_to=manner.tokens.address_for(outgoing.principal, invitee, message.uid),
    )


def _person(found: CalendarObject, address: str) -> Property | None:
    """How somebody stands in the calendar data."""
    wanted = ical.address(address)
    return next(
        (
            prop
            for each in found.components
            for name in ("ORGANIZER", "ATTENDEE")
            for prop in each.all(name)
            if ical.address(prop.value) == wanted
        ),
        None,
    )


def _occasion(draft: _Draft) -> wording.Occasion:
    message, outgoing = draft.message, draft.outgoing
    main = message.calendar.components[0]
    answer = next((each for each in main.all("ATTENDEE") if ical.address(each.value) == message.originator), None)
    before = None
    if outgoing.previous is not None:
        before = Essentials.of(Message.parse(outgoing.previous, outgoing.originator, message.recipients).calendar)
    comment = main.value("COMMENT") if draft.to_organizer else None
    return wording.Occasion(
        method=message.method,
        answer="" if answer is None else (answer.param("PARTSTAT") or "").upper(),
        who=draft.name or draft.person,
        now=Essentials.of(message.calendar),
        before=before,
        reason=outgoing.reason,
        comment=clean(ical.unescape(comment or ""), 1000, lines=True),
    )


# -- the head


def _head(draft: _Draft, occasion: wording.Occasion, now: datetime) -> list[bytes]:
    domain = domain_of(draft.manner.address)
    author, sender = _author(draft)
    thread = _digest(draft.outgoing.originator, draft.outgoing.recipient, draft.message.uid)
    fields = [("From", author)]
    if sender:
        fields.append(("Sender", sender))
    fields += [
        ("Reply-To", mailbox(draft.name, draft.person if draft.to_organizer else draft.reply_to)),
        ("To", mailbox(draft.recipient_name, draft.recipient)),
        ("Subject", unstructured(wording.subject(occasion))),
        ("Date", format_datetime(now)),
        (
            "Message-ID",
            f"<{_digest(draft.outgoing.originator, draft.outgoing.recipient, draft.outgoing.text)}@{domain}>",
        ),
        ("References", f"<{thread}.thread@{domain}>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "OOF, AutoReply"),
    ]
    uid = quote(draft.message.uid, safe="@._-")
    if len(uid) <= _LONGEST_UID:
        fields.append((UID_FIELD, uid))
    return [field(name, value) for name, value in (*fields, ("MIME-Version", "1.0"))]


def _author(draft: _Draft) -> tuple[str, str]:
    """From, and Sender where that is somebody else (RFC 5322 section 3.6.2).

    An answer comes from whom it is about, as receivers want it, where the domain is that of our address: then DKIM and
    SPF of the domain cover it. An invitation does where the site says so. All else comes from our own address.
    """
    manner = draft.manner
    ours = domain_of(draft.person) == domain_of(manner.address)
    if manner.author == "person" or (draft.to_organizer and ours):
        return mailbox(draft.name, draft.person), mailbox(clean(manner.name, NAME), manner.address)
    name = draft.name or draft.person.partition("@")[0]
    return mailbox(f"{name} via {clean(manner.name, NAME)}", manner.address), ""


def _digest(*parts: str | bytes) -> str:
    hashed = blake2b(digest_size=16)
    for part in parts:
        octets = part.encode() if isinstance(part, str) else part
        hashed.update(len(octets).to_bytes(4, "big") + octets)
    return hashed.hexdigest()


# -- the body


def _body(draft: _Draft, occasion: wording.Occasion) -> bytes:
    """The fields that say what the body is, an empty line, and the body."""
    data, method = _calendar_text(draft), draft.message.method.value
    boundary = f"=_{_digest(data)}"  # "=" stands in no part: neither in base64 nor in what is quoted-printable
    params = {"method": method, "charset": "utf-8", "component": draft.message.calendar.component}
    texts = EmailMessage(policy=SMTP)
    texts.set_content(wording.plain(occasion), cte="quoted-printable")
    texts.make_alternative(boundary=f"{boundary}_alternative")
    texts.add_alternative(wording.html(occasion), subtype="html", cte="quoted-printable")
    texts.add_alternative(data, maintype="text", subtype="calendar", cte="base64", params=params)
    whole = EmailMessage(policy=SMTP)
    whole.make_mixed(boundary=f"{boundary}_mixed")
    del texts["MIME-Version"]
    whole.attach(texts)
    whole.add_attachment(data, maintype="application", subtype="ics", filename="invite.ics")
    del whole["MIME-Version"]
    return whole.as_bytes()


def _calendar_text(draft: _Draft) -> bytes:
    """The calendar data as they are mailed: what comes from the organizer is to be answered to the reply address.

    Many mail programs send answers to ORGANIZER and look at nothing else.
    """
    message = draft.message
    if draft.to_organizer or draft.manner.organizer != "token":
        return message.text

    def answered_to(component: Component) -> Component:
        prop = component.first("ORGANIZER")
        if component.name == "VTIMEZONE" or prop is None or ical.address(prop.value) != message.originator:
            return component
        name = draft.name or draft.person
        return component.replacing("ORGANIZER", prop.with_value(f"mailto:{draft.reply_to}").with_param("CN", name))

    calendar = message.calendar.calendar.map(answered_to)
    return attrs.evolve(message, calendar=CalendarObject.of(calendar)).text
