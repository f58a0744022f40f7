"""What answers mean, and whether to try again: one table (draft sections 6 and 11)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from letters import BO, CY

from ischedule import outcome, xml
from ischedule.errors import BY_ELEMENT, INVALID_USER, SUCCESS, UNAVAILABLE, Status
from ischedule.message import Response
from ischedule.outcome import Again, judge

WHO = (BO, CY)


def refused(element: str) -> bytes:
    return xml.error(BY_ELEMENT[element]("Why."))


@pytest.mark.parametrize(
    ("status", "body", "code", "again", "next_server"),
    [
        (400, b"", "5.2", Again.NEVER, False),
        (400, refused("invalid-scheduling-message"), "5.2", Again.NEVER, False),
        (401, b"", "5.3", Again.NEVER, False),
        (403, b"<html>", "5.2", Again.NEVER, False),
        (403, refused("originator-denied"), "5.3", Again.NEVER, False),
        (403, refused("verification-failed"), "5.3", Again.ONCE, False),
        (400, refused("verification-failed"), "5.3", Again.ONCE, False),
        (503, refused("verification-failed"), "5.1", Again.LATER, True),
        (403, refused("max-recipients"), "5.2", Again.ONCE, False),
        (413, refused("max-content-length"), "5.2", Again.ONCE, False),
        (413, b"", "5.2", Again.NEVER, False),
        (404, b"", "5.1", Again.ONCE, True),
        (405, b"", "5.1", Again.ONCE, True),
        (410, b"", "5.1", Again.ONCE, True),
        (302, b"", "5.1", Again.ONCE, True),
        (404, refused("originator-missing"), "5.2", Again.NEVER, False),
        (408, b"", "5.1", Again.LATER, False),
        (429, b"", "5.1", Again.LATER, False),
        (500, b"", "5.1", Again.LATER, True),
        (502, b"<html>", "5.1", Again.LATER, True),
        (507, b"", "5.1", Again.LATER, False),
        (204, b"", "5.2", Again.NEVER, False),
        (200, b"", "5.1", Again.ONCE, False),
        (200, b"<html/>", "5.1", Again.ONCE, False),
        (200, refused("originator-denied"), "5.1", Again.ONCE, False),
    ],
)
def test_answers_that_are_the_same_for_all(
    status: int, body: bytes, code: str, again: Again, next_server: bool
) -> None:
    found = judge(WHO, status=status, body=body)
    assert [(each.recipient, each.status.code) for each in found.responses] == [(BO, code), (CY, code)]
    assert (found.again, found.server_failed) == (again, next_server)
    assert found.pending == (() if again is Again.NEVER else WHO)
    assert found.reason


def test_an_answer_for_each() -> None:
    document = xml.schedule_response(
        [Response(recipient="MAILTO:CY@receiver.example", status=INVALID_USER), Response(recipient=BO, status=SUCCESS)]
    )
    found = judge(WHO, status=200, body=document)
    assert found.responses == (Response(recipient=BO, status=SUCCESS), Response(recipient=CY, status=INVALID_USER))
    assert (found.again, found.pending, found.reason) == (Again.NEVER, (), "")


def test_who_is_left_out_or_told_to_wait_is_tried_again() -> None:
    document = xml.schedule_response([Response(recipient=BO, status=SUCCESS)])
    found = judge(WHO, status=200, body=document)
    assert [each.status.code for each in found.responses] == ["2.0", "5.1"]
    assert (found.again, found.pending) == (Again.LATER, (CY,))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None),
        ("120", 120),
        ("99999999999999999999", 86400),
        ("-1", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 0),
        ("Thu, 01 Jan 2099 00:00:00 GMT", 86400),
    ],
)
def test_when_to_come_again(value: str, seconds: float | None) -> None:
    assert judge(WHO, status=503, body=b"", retry_after=value, now=100).retry_after_seconds == seconds


def test_a_signature_is_made_anew_after_a_minute() -> None:
    assert judge(WHO, status=403, body=refused("verification-failed")).retry_after_seconds == 60


@given(st.integers(100, 599), st.binary(max_size=100), st.text(max_size=30))
def test_judging_never_breaks(status: int, body: bytes, retry_after: str) -> None:
    found = judge(WHO, status=status, body=body, retry_after=retry_after)
    assert tuple(each.recipient for each in found.responses) == WHO
    assert not any(each.status.delivered for each in found.responses)


def test_several_requests_have_one_outcome() -> None:
    one = outcome.all_alike([CY], SUCCESS, "")
    other = outcome.unreachable([BO], "it is dark")
    found = outcome.together(WHO, [one, other, one])
    assert [(each.recipient, each.status) for each in found.responses] == [
        (BO, UNAVAILABLE),
        (CY, Status("2.0", "Success")),
    ]
    assert (found.again, found.pending, found.reason) == (Again.LATER, (BO,), "it is dark")
