"""Header fields, addresses and media types: read liberally, written so that everybody understands them."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from letters import ANNA, BO, CY, changed, letter

from ischedule.errors import (
    InvalidCalendarDataType,
    OriginatorInvalid,
    OriginatorMissing,
    RecipientInvalid,
    RecipientMissing,
    RequestRefused,
    TooManyOriginators,
    VersionNotSupported,
)
from ischedule.message import ContentType, Envelope, Message, address_key, split_addresses


def test_what_is_composed_is_read() -> None:
    message = letter(recipients=(BO, CY))
    envelope = Envelope.read(message.fields)
    assert (envelope.originator, envelope.originator_domain) == (ANNA, "sender.example")
    assert envelope.recipients == message.recipients == (BO, CY)
    assert envelope.content_type == ContentType(component="VEVENT", method="REQUEST")
    assert envelope.message_id == "7f1c2d30-0001"
    assert dict(message.fields)["Recipient"] == f"{BO},{CY}"
    assert dict(message.fields)["Content-Type"] == "text/calendar; charset=utf-8; component=VEVENT; method=REQUEST"


@pytest.mark.parametrize(
    ("name", "value", "refusal"),
    [
        ("iSchedule-Version", None, VersionNotSupported),
        ("iSchedule-Version", "", VersionNotSupported),
        ("iSchedule-Version", "2.0", VersionNotSupported),
        ("iSchedule-Version", "1", VersionNotSupported),
        ("iSchedule-Version", "1.0 beta", VersionNotSupported),
        ("Content-Type", None, InvalidCalendarDataType),
        ("Content-Type", "calendar", InvalidCalendarDataType),
        ("Content-Type", "text/calendar; charset=utf-16", InvalidCalendarDataType),
        ("Content-Type", "text/calendar; method=REQUEST; method=CANCEL", InvalidCalendarDataType),
        ("Content-Type", 'text/calendar; method="REQUEST', InvalidCalendarDataType),
        ("Content-Type", "text/calendar, text/plain", InvalidCalendarDataType),
        ("Originator", None, OriginatorMissing),
        ("Originator", "  ", OriginatorMissing),
        ("Originator", f"{ANNA},{BO}", TooManyOriginators),
        ("Originator", "mailto:anna", OriginatorInvalid),
        ("Originator", "mailto:@sender.example", OriginatorInvalid),
        ("Originator", "mailto:anna@[192.0.2.1]", OriginatorInvalid),
        ("Originator", "mailto:anna@192.0.2.1", OriginatorInvalid),
        ("Originator", "urn:uuid:7f1c2d30", OriginatorInvalid),
        ("Originator", "anna@sender.example", OriginatorInvalid),
        ("Originator", "mailto:an na@sender.example", OriginatorInvalid),
        ("Originator", "mailto:anna@sender.example\x00", OriginatorInvalid),
        ("Recipient", None, RecipientMissing),
        ("Recipient", " , ,\t", RecipientMissing),
        ("Recipient", f"{BO}\x01", RecipientInvalid),
    ],
)
def test_fields_that_are_refused(name: str, value: str | None, refusal: type[RequestRefused]) -> None:
    with pytest.raises(refusal) as refused:
        Envelope.read(changed(letter().fields, name, value))
    assert refused.value.reason.endswith(".")


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("iSchedule-Version", VersionNotSupported),
        ("Content-Type", InvalidCalendarDataType),
        ("Originator", TooManyOriginators),
    ],
)
def test_fields_that_may_stand_there_once(name: str, refusal: type[RequestRefused]) -> None:
    fields = letter().fields
    with pytest.raises(refusal):
        Envelope.read((*fields, (name, dict(fields)[name])))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iSchedule-Version", " 1.0 "),
        ("iSchedule-Version", "1.1, 1.0"),
        ("Content-Type", "TEXT/Calendar;Method=request;component=VEVENT"),
        ("Content-Type", 'text/calendar; component="VEVENT"; method="REQUEST"; charset="UTF-8"'),
        ("Content-Type", "text/calendar"),
        ("Content-Type", "text/calendar; charset=us-ascii;"),
        ("Content-Type", "text/calendar; x=y; x-z=1"),
        ("Originator", "MAILTO:anna@Sender.Example"),
        ("Originator", "mailto:%61nna@sender.example?subject=x"),
        ("iSchedule-Message-ID", "<1234-5678-1@cal.sender.example>"),
        ("iSchedule-Message-ID", None),
    ],
)
def test_fields_that_are_understood(name: str, value: str | None) -> None:
    envelope = Envelope.read(changed(letter().fields, name, value))
    assert envelope.originator_domain == "sender.example"
    assert envelope.content_type.media_type == "text/calendar"
    assert envelope.content_type.method in ("", "REQUEST")


@pytest.mark.parametrize("value", ["", "a b", "x" * 256, "a\x00b", "caf\xe9"])
def test_a_message_id_that_is_none_does_not_count(value: str) -> None:
    assert Envelope.read(changed(letter().fields, "iSchedule-Message-ID", value)).message_id == ""


def test_recipients_may_be_divided_in_any_way() -> None:
    fields = tuple(each for each in letter().fields if each[0] != "Recipient")
    for more in (
        (("Recipient", f"{BO},{CY}"),),
        (("Recipient", f" {BO} ,\t{CY}, "),),
        (("recipient", BO), ("RECIPIENT", CY)),
        (("Recipient", ""), ("Recipient", BO), ("Recipient", f"{CY},{BO.upper()}")),
    ):
        assert Envelope.read((*fields, *more)).recipients == (BO, CY)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mailto:bo@receiver.example", "MAILTO:Bo@RECEIVER.example"),
        ("mailto:bo@receiver.example", "mailto:b%6F@receiver.example?cc=x"),
        ("mailto:bo@receiver.example", " mailto:bo@receiver.example. "),
        ("mailto:bo@bücher.example", "mailto:bo@xn--bcher-kva.example"),
        ("URN:uuid:7f1c", "urn:uuid:7f1c"),
        ("mailto:a%2Cb@receiver.example", "mailto:a,b@receiver.example"),
    ],
)
def test_addresses_that_are_the_same(one: str, other: str) -> None:
    assert address_key(one) == address_key(other)


def test_addresses_that_are_not() -> None:
    every = (BO, CY, "mailto:bo@other.example", "mailto:bo", "urn:uuid:7f1c", "urn:uuid:7F1C", "", "mailto:")
    assert len({*map(address_key, every)}) == len(every)


@given(st.lists(st.text(max_size=20), max_size=6))
def test_lists_of_anything_are_divided(values: list[str]) -> None:
    found = split_addresses(values)
    assert split_addresses(found) == split_addresses([",".join(found)]) == found
    assert all(each == each.strip() and each and "," not in each for each in found)


types = st.builds(
    ContentType,
    component=st.sampled_from(["", "VEVENT", "VFREEBUSY", "X-THING"]),
    method=st.sampled_from(["", "REQUEST", "REPLY"]),
)


@given(types)
def test_media_types_are_written_as_they_are_read(content_type: ContentType) -> None:
    assert ContentType.read(str(content_type)) == content_type


@given(st.text(max_size=60))
def test_reading_media_types_never_breaks(text: str) -> None:
    for value in (text, f"text/calendar;{text}"):
        with suppress(InvalidCalendarDataType):
            ContentType.read(value)


@given(st.lists(st.tuples(st.sampled_from(["Originator", "Recipient", "Content-Type", "X"]), st.text(max_size=30))))
def test_reading_fields_never_breaks(more: list[tuple[str, str]]) -> None:
    for fields in (tuple(more), (*letter().fields, *more)):
        with suppress(RequestRefused):
            assert Envelope.read(fields).recipients


@pytest.mark.parametrize(
    "change",
    [
        lambda: letter(originator="mailto:anna@sender.example\r\nX: y"),
        lambda: letter(recipients=("mailto:a,b@receiver.example",)),
        lambda: letter(recipients=("mailto:bücher@receiver.example",)),
        lambda: letter(recipients=()),
        lambda: letter(message_id="a b"),
        lambda: letter(method="REQUEST\r\nX: y"),
        lambda: letter(component="VEVENT;x=y"),
    ],
)
def test_nothing_gets_into_the_header_that_does_not_belong_there(change: Callable[[], Message]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        change()
