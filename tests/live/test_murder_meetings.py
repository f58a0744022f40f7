"""Meetings of people whose calendars are at different nodes: clients see what they see of one server."""

from collections.abc import Iterator

import pytest
from diaries import Diaries, status
from murder import Murder
from organizations import until


@pytest.fixture(scope="module")
def murder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Murder]:
    with Murder(tmp_path_factory.mktemp("murder")) as running:
        yield running


@pytest.fixture
def front(murder: Murder) -> Diaries:
    return murder.front


def test_a_meeting_across_nodes(front: Diaries) -> None:
    bob, carol = front.mail("bob"), front.mail("carol")
    assert front.invite("lunch", "ann", [bob, carol]).status == 201
    assert status(front.text("ann", "lunch"), carol)["SCHEDULE-STATUS"] == "1.2"
    until(lambda: front.find("bob", "lunch") is not None, "the invitation arrives")
    until(lambda: status(front.text("ann", "lunch"), bob)["SCHEDULE-STATUS"] == "1.2", "it is known to have arrived")
    assert len(front.names("bob", "Inbox")) == 1

    assert front.answers("bob", "lunch", "ACCEPTED").status == 204
    until(lambda: status(front.text("ann", "lunch"), bob)["PARTSTAT"] == "ACCEPTED", "the answer arrives")
    until(lambda: status(front.text("bob", "lunch"), front.mail("ann")).get("SCHEDULE-STATUS") == "1.2")
    until(lambda: status(front.text("carol", "lunch"), bob)["PARTSTAT"] == "ACCEPTED", "others are told")

    moved = "20990106T100000Z"
    assert front.invite("lunch", "ann", [bob, carol], "SUMMARY:Later", "SEQUENCE:1", start=moved).status == 204
    until(lambda: f"DTSTART:{moved}" in front.text("bob", "lunch"), "the change arrives")
    assert status(front.text("bob", "lunch"), bob)["PARTSTAT"] == "NEEDS-ACTION"
    assert f"DTSTART:{moved}" in front.text("carol", "lunch")

    assert front.answers("carol", "lunch", "DECLINED").status == 204
    until(lambda: status(front.text("bob", "lunch"), carol)["PARTSTAT"] == "DECLINED", "who is elsewhere is told, too")

    assert front.by("ann").request("DELETE", "/dav/calendars/user/ann/Default/lunch.ics").status == 204
    until(lambda: "STATUS:CANCELLED" in front.text("bob", "lunch"), "the cancellation arrives")
