"""From a scheduling message to a mail: what people read, what programs read, and that nobody adds to it (RFC 6047)."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

import attrs
import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st
from letterbox import INVITEE, MANNER, ORGANIZER, TOKENS, calendar, outgoing, people

from calserver import ical
from calserver.scheduling.mail.compose import Composed, compose
from calserver.scheduling.mail.incoming import Incoming
from calserver.scheduling.mail.outgoing import Unmailable
from calserver.scheduling.mail.signing import SIGNED, Signature
from ischedule.dkim import generate, key_record

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
ANN = 'ORGANIZER;CN="Ann Example":mailto:ann@example.com'
BO = "ATTENDEE;CN=Bo;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:bo@other.example"
TEXTS = st.text(max_size=400)
FIELDS = {
    *("from", "reply-to", "to", "subject", "date", "message-id", "references", "auto-submitted"),
    *("x-auto-response-suppress", "x-calendar-uid", "mime-version", "content-type"),
}
TAGS = {*("!DOCTYPE", "html", "head", "meta", "title", "body", "p", "table", "tr", "th", "td", "br", "small")}


def read(composed: Composed) -> EmailMessage:
    """As Python's own parser reads it."""
    return cast(EmailMessage, message_from_bytes(composed.content, policy=policy.default))


def part(found: EmailMessage, media_type: str) -> EmailMessage:
    (one,) = [each for each in found.walk() if each.get_content_type() == media_type]
    return cast(EmailMessage, one)


def data(found: EmailMessage) -> bytes:
    return cast(bytes, part(found, "text/calendar").get_payload(decode=True))


def written(*lines: str, method: str = "REQUEST", **changes: Any) -> EmailMessage:
    return read(compose(outgoing(calendar(method, *lines), **changes), MANNER, NOW))


def words(found: EmailMessage) -> str:
    return cast(str, part(found, "text/plain").get_content()).replace("\r\n", "\n")


def test_an_invitation_has_words_for_people_and_calendar_data_for_programs() -> None:
    when = ("DTSTART;TZID=Europe/Berlin:20261201T100000", "DTEND;TZID=Europe/Berlin:20261201T113000")
    rule = "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;COUNT=4"
    found = written(ANN, BO, "SUMMARY:Lunch\\, at last", "LOCATION:Blue room", "DESCRIPTION:One\\nTwo", rule, *when)
    assert found["Subject"] == "Invitation: Lunch, at last"
    assert found["From"] == "Ann Example via calendar <calendar@example.com>"
    assert found["To"] == "Bo <bo@other.example>"
    assert found["Auto-Submitted"] == "auto-generated"
    text = words(found)
    assert "Ann Example invites you." in text
    assert "Tuesday, 1 December 2026, 10:00 to 11:30 (Europe/Berlin, UTC+01:00)" in text
    assert "every 2 weeks on Tuesday, 4 times" in text
    assert "Bo <bo@other.example>" in text
    assert "One\nTwo" in text
    assert part(found, "text/calendar").get_param("method") == "REQUEST"
    assert part(found, "text/calendar").get_param("charset") == "utf-8"
    assert part(found, "application/ics").get_filename() == "invite.ics"
    assert part(found, "application/ics").get_payload(decode=True) == data(found)


def test_answers_and_what_comes_back_go_to_an_address_for_this_invitation() -> None:
    composed = compose(outgoing(calendar("REQUEST", *people())), MANNER, NOW)
    found = read(composed)
    address = TOKENS.address_for(17, INVITEE, "m-1")
    assert composed.sender == address
    assert found["Reply-To"] == address
    organizer = ical.parse(data(found)).components[0].first("ORGANIZER")
    assert organizer is not None
    assert organizer.value == f"mailto:{address}"
    assert organizer.param("CN") == "ann@example.com"


def test_a_site_may_let_people_speak_for_themselves() -> None:
    manner = attrs.evolve(MANNER, author="person", organizer="person")
    found = read(compose(outgoing(calendar("REQUEST", ANN, BO)), manner, NOW))
    assert found["From"] == "Ann Example <ann@example.com>"
    assert found["Sender"] == "calendar <calendar@example.com>"
    assert b"ORGANIZER;CN=Ann Example:mailto:ann@example.com" in data(found)


@pytest.mark.parametrize(("status", "subject"), [("ACCEPTED", "Accepted"), ("DECLINED", "Declined")])
def test_an_answer_comes_from_whom_it_is_about(status: str, subject: str) -> None:
    """RFC 6047 section 2.3; receivers compare From with ATTENDEE."""
    zoe = "mailto:zoe@far.example"
    text = calendar("REPLY", *people(zoe, ORGANIZER, answer=status), "SUMMARY:Lunch", "COMMENT:Yes!")
    found = read(compose(outgoing(text, recipient=zoe), MANNER, NOW))
    assert found["From"] == "ann@example.com"
    assert found["Sender"] == "calendar <calendar@example.com>"
    assert found["Reply-To"] == "ann@example.com"
    assert found["Subject"] == f"{subject}: Lunch"
    assert "Yes!" in words(found)
    assert b"ORGANIZER:mailto:zoe@far.example" in data(found)


def test_a_change_says_what_was_before() -> None:
    before = calendar("REQUEST", *people(), "SUMMARY:Lunch", "LOCATION:Red room")
    found = written(*people(), "SUMMARY:Lunch", "LOCATION:Blue room", previous=before)
    assert found["Subject"] == "Changed: Lunch"
    assert re.search(r"Where: +Blue room\n +\(before: Red room\)", words(found))
    assert "(before: Lunch)" not in words(found)


def test_a_change_says_why_where_that_is_all_that_is_known() -> None:
    found = written(*people(), "SUMMARY:Lunch", reason="changed: time, who takes part")
    assert found["Subject"] == "Changed: Lunch"
    assert re.search(r"Why: +changed: time, who takes part", words(found))


def test_a_cancellation_says_so() -> None:
    found = written(*people(), "SUMMARY:Lunch", "STATUS:CANCELLED", method="CANCEL")
    assert found["Subject"] == "Canceled: Lunch"


TIMES = {
    "Tuesday, 1 December 2026\n": ("DTSTART;VALUE=DATE:20261201",),
    "Tuesday, 1 December 2026 to Thursday, 3 Dec": ("DTSTART;VALUE=DATE:20261201", "DTEND;VALUE=DATE:20261204"),
    "Tuesday, 1 December 2026, 10:00 to 10:30 (UTC)": ("DTSTART:20261201T100000Z", "DURATION:PT30M"),
    "2026, 10:00 to 10:30 (local time)": ("DTSTART:20261201T100000", "DURATION:PT30M"),
    "23:00 to Wednesday, 2 December 2026, 01:00 (UTC)": ("DTSTART:20261201T230000Z", "DURATION:PT2H"),
    "every day, until Thursday, 10 December 2026": (
        "DTSTART:20261201T100000Z",
        "RRULE:FREQ=DAILY;UNTIL=20261210T100000Z",
    ),
    "every month, on days that the calendar shows": ("DTSTART:20261201T100000Z", "RRULE:FREQ=MONTHLY;BYDAY=1TU"),
    "Wednesday, 2 December 2026, 11:00 (UTC) (instead of Tuesday, 1 December 2026, 10:00 (UTC))": (
        "DTSTART:20261202T110000Z",
        "RECURRENCE-ID:20261201T100000Z",
    ),
}


@pytest.mark.parametrize("said", TIMES)
def test_times_are_said_in_words(said: str) -> None:
    assert said in words(written(*people(), *TIMES[said]))


def test_the_same_message_makes_the_same_mail_and_all_of_a_meeting_are_one_thread() -> None:
    one, again = (compose(outgoing(calendar("REQUEST", *people())), MANNER, NOW) for _ in range(2))
    other = read(compose(outgoing(calendar("REQUEST", *people(), sequence=1)), MANNER, NOW))
    assert one == again
    assert read(one)["Message-ID"] != other["Message-ID"]
    assert read(one)["References"] == other["References"]


def typed(title: str, place: str, name: str, description: str, uid: str) -> bytes | None:
    """An invitation in which somebody has typed all that can be typed; None where that is no calendar data."""
    texts = {"UID": uid, "SUMMARY": title, "LOCATION": place, "DESCRIPTION": description}
    event = ical.Component(
        "VEVENT",
        (
            *(ical.Property(field, ical.escape(text)) for field, text in texts.items()),
            ical.Property("DTSTART", "20990105T090000Z"),
            ical.Property("ORGANIZER", ORGANIZER, (("CN", (name,)),)),
            ical.Property("ATTENDEE", INVITEE, (("CN", (name,)),)),
        ),
    )
    head = (ical.Property("VERSION", "2.0"), ical.Property("PRODID", "x"), ical.Property("METHOD", "REQUEST"))
    try:
        text = ical.serialize(ical.Component("VCALENDAR", head, (event,)))
        ical.parse(text)
    except (ValueError, ical.ValidCalendarData):  # there are control characters in it
        return None
    return text


@given(title=TEXTS, place=TEXTS, name=TEXTS, description=st.text(max_size=6000), uid=st.text(min_size=1, max_size=300))
def test_nothing_that_is_typed_becomes_a_header_field_or_a_part(
    title: str, place: str, name: str, description: str, uid: str
) -> None:
    text = typed(title, place, name, description, uid)
    if text is None:
        return
    composed = compose(outgoing(text), MANNER, NOW)
    top, _, _ = composed.content.partition(b"\r\n\r\n")
    assert {line.partition(b":")[0].decode().lower() for line in re.split(rb"\r\n(?![ \t])", top)} <= FIELDS
    assert all(len(line) <= 998 for line in composed.content.split(b"\r\n"))
    assert b"\n" not in composed.content.replace(b"\r\n", b"")
    found = read(composed)
    leaves = ["text/plain", "text/html", "text/calendar", "application/ics"]
    assert [each.get_content_type() for each in found.walk() if not each.is_multipart()] == leaves
    assert found["Subject"].startswith("Invitation: ")
    assert {*re.findall(r"</?([a-zA-Z!]+)", part(found, "text/html").get_content())} <= TAGS
    ours = Incoming.read(composed.content)
    assert [each.media_type for each in ours.parts] == leaves
    assert ours.parts[2].text() == data(found)
    assert ours.author == "calendar@example.com"


WRONG = ["urn:uuid:1", "mailto:", "mailto:bo", "mailto:a%0Ab@x.example", "mailto:a%3Cb@x.example", "mailto:ä@x.example"]


@pytest.mark.parametrize("address", WRONG)
def test_what_is_no_plain_mail_address_is_refused(address: str) -> None:
    text = calendar("REQUEST", *people(ORGANIZER, address))
    with pytest.raises(Unmailable):
        compose(outgoing(text, recipient=address), MANNER, NOW)


def test_a_mail_that_would_be_too_large_is_refused() -> None:
    with pytest.raises(Unmailable, match="bytes"):
        compose(outgoing(calendar("REQUEST", *people(), "X-BIG:" + "x" * 2_000_000)), MANNER, NOW)


def test_long_lists_and_texts_are_cut() -> None:
    many = [f"mailto:p{n}@other.example" for n in range(100)]
    found = words(written(*people(ORGANIZER, INVITEE, *many), f"DESCRIPTION:{'word ' * 5000}"))
    assert "and 71 others" in found
    assert len(found) < 10_000


def test_the_signature_is_what_dkimpy_accepts_and_covers_all_that_matters() -> None:
    private = generate("rsa")
    record = key_record(private, service="*").encode()
    mail = compose(outgoing(calendar("REQUEST", ANN, BO)), MANNER, NOW).content
    signed = Signature("example.com", "m1", private)(mail)

    def key(name: bytes, timeout: float = 0) -> bytes:
        assert name == b"m1._domainkey.example.com."
        return record

    assert dkim.verify(signed, dnsfunc=key)
    assert not dkim.verify(signed.replace(b"Ann Example via", b"Zoe Example via", 1), dnsfunc=key)
    assert not dkim.verify(signed.replace(b"\r\n\r\n", b"\r\nSender: x@y.example\r\n\r\n", 1), dnsfunc=key)
    assert not dkim.verify(b"From: x@y.example\r\n" + signed, dnsfunc=key)
    assert not dkim.verify(signed.replace(b"invites", b"incites"), dnsfunc=key)
    assert {b"from", b"to", b"subject", b"reply-to", b"content-type"} <= {*SIGNED}
