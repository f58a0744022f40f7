"""Two organizations that know nothing of each other but what the DNS says: invitations, answers, free-busy time."""

from collections.abc import Callable, Iterator

import pytest
from certificates import Authority
from organizations import Internet, Organization, status, until


@pytest.fixture(scope="module")
def internet(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    authority, folder = Authority(), tmp_path_factory.mktemp("internet")
    found = [Organization(folder, domain, authority) for domain in ("north.example", "south.example")]
    with Internet(program("nsd"), folder, found) as running:
        yield running


@pytest.fixture
def north(internet: Internet) -> Organization:
    return internet.organizations["north.example"]


@pytest.fixture
def south(internet: Internet) -> Organization:
    return internet.organizations["south.example"]


def test_a_meeting_across(north: Organization, south: Organization) -> None:
    bob = south.mail("bob")
    assert north.invite("lunch", "ann", [bob]).status == 201
    assert status(north.text("ann", "lunch"), bob)["SCHEDULE-STATUS"] in ("1.0", "2.0", "1.2")
    until(lambda: south.find("bob", "lunch") is not None, "the invitation arrives")
    until(lambda: status(north.text("ann", "lunch"), bob)["SCHEDULE-STATUS"] == "2.0", "it is known to have arrived")
    assert len(south.names("bob", "Inbox")) == 1

    assert south.answers("bob", "lunch", "ACCEPTED").status == 204
    until(lambda: status(north.text("ann", "lunch"), bob)["PARTSTAT"] == "ACCEPTED", "the answer arrives")
    until(lambda: status(south.text("bob", "lunch"), north.mail("ann")).get("SCHEDULE-STATUS") == "2.0")

    moved = "20990106T100000Z"
    assert north.invite("lunch", "ann", [bob], "SUMMARY:Later", "SEQUENCE:1", start=moved).status == 204
    until(lambda: f"DTSTART:{moved}" in south.text("bob", "lunch"), "the change arrives")
    assert status(south.text("bob", "lunch"), bob)["PARTSTAT"] == "NEEDS-ACTION"

    path = "/dav/calendars/user/ann/Default/lunch.ics"
    assert north.by("ann").request("DELETE", path).status == 204
    until(lambda: "STATUS:CANCELLED" in south.text("bob", "lunch"), "the cancellation arrives")


def test_when_people_elsewhere_are_busy(north: Organization, south: Organization) -> None:
    assert south.invite("own", "bob", [], "SUMMARY:Secret").status == 201
    answer = north.asks("ann", [south.mail("bob"), north.mail("cyd"), south.mail("nobody"), "mailto:x@west.example"])
    assert "20990105T090000Z/" in answer
    assert "Secret" not in answer
    assert answer.count("2.0;Success") == 2
    assert "3.7;" in answer
    assert "5.2;" in answer or "5.1;" in answer


def test_a_room_elsewhere_answers_by_itself(north: Organization, south: Organization) -> None:
    hall = south.mail("hall")
    assert north.invite("big", "ann", [hall]).status == 201
    until(lambda: status(north.text("ann", "big"), hall)["PARTSTAT"] == "ACCEPTED", "the room takes it")
    assert north.invite("other", "cyd", [hall]).status == 201
    until(lambda: status(north.text("cyd", "other"), hall)["PARTSTAT"] == "DECLINED", "the room is taken")
