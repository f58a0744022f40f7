"""The XML documents: ours as the draft has them, those of other servers as they are."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from letters import BO, CY
from lxml import etree

from ischedule import xml
from ischedule.errors import (
    BY_ELEMENT,
    INVALID_USER,
    SUCCESS,
    UNAVAILABLE,
    MaxContentLength,
    OriginatorMissing,
    RequestRefused,
    Status,
    TooManyRequests,
    VerificationFailed,
)
from ischedule.message import Response

BUSY = b"BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nX:<a> & ]]>\r\nEND:VCALENDAR\r\n"


def test_the_answer_to_a_delivery() -> None:
    document = xml.schedule_response(
        [
            Response(recipient=BO, status=SUCCESS),
            Response(recipient=CY, status=INVALID_USER, description="No <such> user\x00"),
        ]
    )
    assert document.decode() == (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<schedule-response xmlns="urn:ietf:params:xml:ns:ischedule">'
        "<response><recipient>mailto:bo@receiver.example</recipient><request-status>2.0;Success</request-status></response>"
        "<response><recipient>mailto:cy@receiver.example</recipient>"
        "<request-status>3.7;Invalid calendar user</request-status>"
        "<response-description>No &lt;such&gt; user\ufffd</response-description></response>"
        "</schedule-response>\n"
    )


def test_calendar_data_keeps_its_line_ends() -> None:
    responses = (Response(recipient=BO, status=SUCCESS, calendar_data=BUSY),)
    assert xml.read_schedule_response(xml.schedule_response(responses)) == responses


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")).map(
    str.strip
)


@given(
    st.lists(
        st.builds(
            Response,
            recipient=st.from_regex(r"mailto:[a-z<&]{1,9}@x\.example", fullmatch=True),
            status=st.sampled_from([SUCCESS, INVALID_USER, Status("5.1", "x", "y")]),
            description=words,
        ),
        unique_by=lambda each: each.recipient,
    )
)
def test_what_is_written_is_read(responses: list[Response]) -> None:
    assert xml.read_schedule_response(xml.schedule_response(responses)) == tuple(responses)


def test_answers_as_other_servers_write_them() -> None:
    """Another order, prefixes, unknown elements, a ``href``, a repeated recipient, statuses that are barely there."""
    document = b"""<?xml version='1.0' encoding='UTF-8'?>
      <!-- from somewhere -->
      <I:schedule-response xmlns:I="urn:ietf:params:xml:ns:ischedule" xmlns:D="DAV:" xmlns:X="x:">
        <I:response><I:request-status>2.0</I:request-status><X:thing/><I:recipient>
          <D:href>mailto:bo@receiver.example</D:href></I:recipient>
          <I:responsedescription>fine</I:responsedescription></I:response>
        <I:response><I:recipient>MAILTO:Bo@receiver.example</I:recipient><I:request-status>5.1;x</I:request-status></I:response>
        <I:response><I:recipient>mailto:cy@receiver.example</I:recipient><I:request-status>what?</I:request-status></I:response>
        <I:response><I:recipient>mailto:dee@receiver.example</I:recipient><I:request-status>3.7.1;a;b;c</I:request-status>
          <I:calendar-data content-type="application/calendar+json">["vcalendar"]</I:calendar-data></I:response>
        <I:response/>
      </I:schedule-response>"""
    assert xml.read_schedule_response(document) == (
        Response(recipient=BO, status=Status("2.0"), description="fine"),
        Response(recipient=CY, status=UNAVAILABLE),
        Response(recipient="mailto:dee@receiver.example", status=Status("3.7", "a", "b;c")),
        Response(recipient="", status=UNAVAILABLE),
    )


BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<schedule-response xmlns="urn:ietf:params:xml:ns:ischedule"><response>&b;</response></schedule-response>"""
FILE = b"""<?xml version="1.0"?> <!-- x --> <?y?>
<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><schedule-response><response>&e;</response></schedule-response>"""


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no XML",
        b"<a><b></a>",
        b"<html/>",
        BOMB,
        FILE,
        BOMB.decode().encode("utf-16"),
        b'<?xml version="1.0" encoding="utf-7"?><schedule-response/>',
        b"<schedule-response>\xff</schedule-response>",
        b"<schedule-response>&undeclared;</schedule-response>",
        b"<a>" * 5000 + b"</a>" * 5000,
        b"<schedule-response>" + b" " * xml.MOST_BYTES + b"</schedule-response>",
        b"<schedule-response>\x01</schedule-response>",
    ],
    ids=range(13),
)
def test_what_is_not_read(document: bytes) -> None:
    with pytest.raises(xml.Malformed):
        xml.read_schedule_response(document)
    assert xml.read_error(document) is None


def test_a_document_type_that_is_only_talked_about() -> None:
    text = "<schedule-response><response><recipient><![CDATA[<!DOCTYPE x>]]></recipient></response></schedule-response>"
    assert xml.read_schedule_response(text.encode())[0].recipient == "<!DOCTYPE x>"


def test_looking_for_a_document_type_takes_no_time() -> None:
    for text in ("<?" + "x?><?" * 100_000, " " * 1_000_000, "<!--" + "--><!--" * 100_000):
        with pytest.raises(xml.Malformed):
            xml.parse(text.encode())


@given(st.binary(max_size=200))
def test_reading_never_breaks(content: bytes) -> None:
    for document in (content, b"<error>" + content + b"</error>"):
        with suppress(xml.Malformed):
            xml.read_schedule_response(document)
        xml.read_error(document)


def test_a_refusal_of_ours() -> None:
    document = xml.error(VerificationFailed("The signature has expired."))
    assert document.decode() == (
        '<?xml version="1.0" encoding="utf-8"?>\n<error xmlns="urn:ietf:params:xml:ns:ischedule"><verification-failed/>'
        "<response-description>The signature has expired.</response-description></error>\n"
    )
    assert xml.read_error(document) == ("verification-failed", "The signature has expired.")
    assert xml.read_error(xml.error(TooManyRequests("Slowly."))) == ("", "Slowly.")


def test_refusals_of_other_servers() -> None:
    document = (
        b'<D:error xmlns:D="DAV:" xmlns:I="urn:ietf:params:xml:ns:ischedule"><I:originator-missing/>text</D:error>'
    )
    assert xml.read_error(document) == ("originator-missing", "")
    assert BY_ELEMENT["originator-missing"] is OriginatorMissing


def test_each_refusal_has_its_element() -> None:
    assert len(BY_ELEMENT) == len({each.element for each in BY_ELEMENT.values()}) >= 20
    for name, kind in BY_ELEMENT.items():
        refused: RequestRefused = kind("Why.")
        assert 400 <= refused.status < 500
        if name:
            assert etree.fromstring(xml.error(refused))[0].tag == xml.name(name)
    assert BY_ELEMENT["max-content-length"] is MaxContentLength
    assert MaxContentLength("x").status == 413
    assert VerificationFailed("x").status == 403
    assert VerificationFailed("x", retry_after_seconds=60).status == 503


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("2.0;Success", SUCCESS),
        ("2.0", Status("2.0")),
        (" 1.2;Delivered ", Status("1.2", "Delivered")),
        ("3.7.2;x", Status("3.7", "x")),
        ("2.0 OK", Status("2.0")),
        ("", UNAVAILABLE),
        ("OK", UNAVAILABLE),
        ("0.1;x", UNAVAILABLE),
        ("\u0662.0;x", UNAVAILABLE),
    ],
)
def test_statuses_of_recipients(value: str, status: Status) -> None:
    assert Status.read(value) == status


def test_what_statuses_mean() -> None:
    assert str(Status("5.1", "Gone", "x;y")) == "5.1;Gone;x;y"
    assert SUCCESS.delivered
    assert Status("1.2").delivered
    assert not INVALID_USER.delivered
    assert UNAVAILABLE.again
    assert not INVALID_USER.again
    assert Status("5.0", "x").schedule_status == "5.2"
    assert Status("3.8", "x").schedule_status == "3.8"
