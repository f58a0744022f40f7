"""What is in a message, and whether it is from whom and to whom the envelope says (draft section 6, RFC 5546)."""

from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from letters import ANNA, BO, CY, DEE, calendar, event, letter, question

from ischedule import itip
from ischedule.capabilities import UNKNOWN, Capabilities
from ischedule.errors import (
    AttachmentTypeNotSupported,
    InvalidCalendarData,
    InvalidSchedulingMessage,
    MaxContentLength,
    MaxDateTime,
    MaxRecipients,
    MinDateTime,
    RecipientMismatch,
    RequestRefused,
)
from ischedule.message import Envelope

LIMITS = Capabilities(
    messages=(("VEVENT", ("REQUEST", "REPLY", "CANCEL")), ("VFREEBUSY", ("REQUEST",))),
    inline_attachments=False,
    external_attachments=True,
    rscales=("GREGORIAN",),
    max_content_length=10_000,
    min_date_time="19000101T000000Z",
    max_date_time="21001231T235959Z",
    max_recipients=2,
)


def checked(
    body: bytes,
    *,
    originator: str = ANNA,
    recipients: Sequence[str] = (BO,),
    component: str = "VEVENT",
    method: str = "REQUEST",
    limits: Capabilities = LIMITS,
) -> itip.ITip:
    envelope = Envelope.read(
        letter(body, originator=originator, recipients=recipients, component=component, method=method).fields
    )
    message = itip.read(body)
    itip.check_limits(message, recipients=len(envelope.recipients), body_bytes=len(body), limits=limits)
    itip.check_envelope(message, envelope)
    return message


def test_a_message_is_read() -> None:
    found = checked(event(attendees=(BO, CY)))
    assert (found.method, found.component, found.uid) == ("REQUEST", "VEVENT", "meeting-1")
    assert (found.organizer, found.attendees) == (ANNA, (BO, CY))
    assert not found.asks_free_busy
    asked = checked(question(attendees=(BO, CY)), recipients=(CY, BO), component="VFREEBUSY")
    assert asked.asks_free_busy


def test_lines_may_be_folded_and_end_in_any_way() -> None:
    folded = event().replace(b"mailto:bo@rec", b"mailto:bo@r\r\n ec")
    assert checked(folded).attendees == (BO, CY)
    assert checked(event().replace(b"\r\n", b"\n")).attendees == (BO, CY)
    zone = (
        b"BEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    assert checked(event().replace(b"BEGIN:VEVENT", zone + b"BEGIN:VEVENT")).component == "VEVENT"


HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"hello",
        b"X:y",
        b"VERSION:2.0",
        event() + event(),
        event() + b"X:y\r\n",
        event()[:-20],
        event().replace(b"END:VEVENT", b"END:VTODO"),
        event().replace(b"VERSION:2.0", b"VERSION:1.0"),
        event().replace(b"VERSION:2.0\r\n", b""),
        event().replace(b"SUMMARY:", b"SUMMARY"),
        event().replace(b"SUMMARY", b"SUM MARY"),
        event().replace(b"Lunch", b"Lun\x00ch"),
        event().replace(b"Lunch", b"Lun\rch"),
        event().replace(b"20260201T100000Z", b"tomorrow"),
        event("RRULE:FREQ=DAILY;UNTIL=never"),
        event("EXDATE:20260201T100000Z,x"),
        (HEAD + "BEGIN:A\r\n" * 9 + "END:A\r\n" * 9 + "END:VCALENDAR").encode(),
        b"BEGIN:VEVENT\r\nEND:VEVENT",
    ],
    ids=range(20),
)
def test_what_is_no_calendar(body: bytes) -> None:
    with pytest.raises(InvalidCalendarData):
        checked(body)


@pytest.mark.parametrize(
    "body",
    [
        event().replace(b"METHOD:REQUEST\r\n", b""),
        event().replace(b"METHOD:REQUEST", b"METHOD:REQUEST\r\nMETHOD:REQUEST"),
        event(method="PUBLISH"),
        event(method="ADD"),
        calendar("METHOD:REQUEST"),
        event().replace(b"UID:meeting-1\r\n", b""),
        event("END:VEVENT", "BEGIN:VEVENT", "UID:other", "DTSTAMP:20260101T000000Z", f"ORGANIZER:{ANNA}"),
        event("END:VEVENT", "BEGIN:VTODO", "UID:meeting-1", "DTSTAMP:20260101T000000Z", "END:VTODO", "BEGIN:VEVENT"),
        event().replace(b"DTSTAMP:20260101T000000Z\r\n", b""),
        event().replace(b"DTSTART:20260201T100000Z\r\n", b""),
        event().replace(f"ORGANIZER;CN=Anna:{ANNA}\r\n".encode(), b""),
        event(f"ORGANIZER:{BO}"),
        event("RRULE:RSCALE=CHINESE;FREQ=YEARLY"),
        event(organizer=BO),
        event(attendees=(CY, DEE)),
        event(attendees=()),
    ],
    ids=range(16),
)
def test_what_is_no_message_to_bo_from_anna(body: bytes) -> None:
    with pytest.raises(InvalidSchedulingMessage):
        checked(body)


@pytest.mark.parametrize(("component", "method"), [("VTODO", "REQUEST"), ("VEVENT", "CANCEL")])
def test_the_media_type_is_that_of_the_body(component: str, method: str) -> None:
    with pytest.raises(InvalidSchedulingMessage, match="Content-Type"):
        checked(event(), component=component, method=method)


def test_a_reply_comes_from_its_attendee_and_goes_to_the_organizer() -> None:
    reply = event(method="REPLY", organizer=BO, attendees=(ANNA,))
    assert checked(reply, method="REPLY").attendees == (ANNA,)
    for body, recipients in (
        (event(method="REPLY", organizer=BO, attendees=(CY,)), (BO,)),
        (event(method="REPLY", organizer=BO, attendees=(ANNA, CY)), (BO,)),
        (event(method="REPLY", organizer=BO, attendees=()), (BO,)),
        (reply, (CY,)),
        (reply, (BO, CY)),
    ):
        with pytest.raises(InvalidSchedulingMessage):
            checked(body, method="REPLY", recipients=recipients)


def test_who_is_removed_is_told() -> None:
    assert checked(event(method="CANCEL", attendees=(BO,)), method="CANCEL").method == "CANCEL"


def test_questions_are_about_the_recipients() -> None:
    """One to one: otherwise somebody would learn of times that nobody has asked for."""
    for attendees, recipients in (((BO, CY), (BO,)), ((BO,), (BO, CY)), ((CY,), (BO,))):
        with pytest.raises(RecipientMismatch):
            checked(question(attendees=attendees), recipients=recipients, component="VFREEBUSY")


@pytest.mark.parametrize(
    "body",
    [
        question(end="20260201T000000Z"),
        question(end="20260131T000000Z"),
        question(end="20260405T000000Z"),
        question(end="20260202T000000"),
        question().replace(b"METHOD:REQUEST", b"METHOD:REPLY"),
        question("DTEND:20260203T000000Z"),
        question("END:VFREEBUSY", "BEGIN:VFREEBUSY", "UID:question-1", "DTSTAMP:20260101T000000Z", f"ORGANIZER:{ANNA}"),
    ],
    ids=range(7),
)
def test_questions_that_are_none(body: bytes) -> None:
    with pytest.raises(InvalidSchedulingMessage):
        checked(body, component="VFREEBUSY")


def test_a_question_may_cover_two_months() -> None:
    assert checked(question(end="20260404T000000Z"), component="VFREEBUSY").asks_free_busy
    with pytest.raises(InvalidCalendarData):
        checked(question(end="20261301T000000Z"), component="VFREEBUSY")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (event(start="18991231T235959Z"), MinDateTime),
        (event(start="21010101T000000Z"), MaxDateTime),
        (event("EXDATE;VALUE=DATE:20260101,18000101"), MinDateTime),
        (event("RDATE;VALUE=PERIOD:20260101T000000Z/PT1H,22000101T000000Z/PT1H"), MaxDateTime),
        (event("RRULE:FREQ=DAILY;UNTIL=30000101"), MaxDateTime),
        (event("RECURRENCE-ID:18000101T000000"), MinDateTime),
        (event("ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY:eA=="), AttachmentTypeNotSupported),
        (event("ATTACH:data:text/plain,x"), AttachmentTypeNotSupported),
        (event("ATTACH:file:///etc/passwd"), AttachmentTypeNotSupported),
        (event("BEGIN:VALARM", "ATTACH;VALUE=BINARY:eA==", "END:VALARM"), AttachmentTypeNotSupported),
        (event("X:" + "y" * 10_000), MaxContentLength),
    ],
    ids=range(11),
)
def test_what_was_announced_is_the_limit(body: bytes, refusal: type[RequestRefused]) -> None:
    with pytest.raises(refusal):
        checked(body)


def test_recipients_are_limited() -> None:
    with pytest.raises(MaxRecipients):
        checked(event(attendees=(BO, CY, DEE)), recipients=(BO, CY, DEE))


def test_what_was_not_announced_is_no_limit() -> None:
    body = event(
        "ATTACH;VALUE=BINARY:eA==", "RRULE:RSCALE=CHINESE;FREQ=YEARLY", "EXDATE:10000101", attendees=(BO, CY, DEE)
    )
    assert checked(body, limits=UNKNOWN, recipients=(BO, CY, DEE)).uid == "meeting-1"
    assert checked(event("ATTACH:https://sender.example/menu.pdf", "RRULE:RSCALE=GREGORIAN;FREQ=DAILY")).attendees


@given(st.binary(max_size=100), st.integers(0, 500))
def test_reading_never_breaks(noise: bytes, at: int) -> None:
    for body in (noise, event()[:at] + noise + event()[at:], question()[:at] + noise + question()[at:]):
        with suppress(RequestRefused):
            assert checked(body, limits=UNKNOWN).organizer == ANNA


def test_long_lines_of_parameters_take_no_time() -> None:
    line = "X" + ";A=" + ";A=".join(["," * 50] * 2000)
    with pytest.raises(InvalidCalendarData):
        itip.read(event(line))


def test_a_proposal_may_name_all_attendees_and_is_from_one_of_them() -> None:
    """RFC 5546 section 3.2.7: a COUNTER can propose other attendees, too."""
    body = event(method="COUNTER", organizer=CY, attendees=(ANNA, BO))
    for who in (ANNA, BO):
        assert checked(body, originator=who, recipients=(CY,), method="COUNTER", limits=UNKNOWN).method == "COUNTER"
    for who, to in ((DEE, CY), (CY, CY), (ANNA, BO)):
        with pytest.raises(InvalidSchedulingMessage):
            checked(body, originator=who, recipients=(to,), method="COUNTER", limits=UNKNOWN)
