"""Two organizations that know nothing of each other but what the DNS says: invitations, answers, free-busy time."""

import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from certificates import Authority
from diaries import status
from organizations import Internet, Organization, until


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


def test_what_is_for_a_dead_server_waits_and_arrives_once(north: Organization, south: Organization) -> None:
    bob = south.mail("bob")
    south.kill()
    assert north.invite("wait", "ann", [bob], "SUMMARY:First").status == 201
    for number in range(1, 4):
        assert north.invite("wait", "ann", [bob], f"SUMMARY:Edit {number}", f"SEQUENCE:{number}").status == 204
    until(lambda: "north.example" in north.text("ann", "wait"))
    assert status(north.text("ann", "wait"), bob)["SCHEDULE-STATUS"] == "1.0"
    south.start()
    until(lambda: south.find("bob", "wait") is not None, "what waited arrives")
    until(lambda: status(north.text("ann", "wait"), bob)["SCHEDULE-STATUS"] == "2.0")
    assert "SUMMARY:Edit 3" in south.text("bob", "wait")
    inbox = [each for each in south.names("bob", "Inbox") if "UID:wait" in south.by("bob").request("GET", each).text]
    assert len(inbox) == 1


def test_a_sender_that_is_killed_sends_when_it_is_back(north: Organization, south: Organization) -> None:
    bob = south.mail("bob")
    south.kill()
    assert north.invite("killed", "ann", [bob]).status == 201
    north.kill()
    south.start()
    north.start()
    until(lambda: south.find("bob", "killed") is not None, "what was acknowledged is sent")
    until(lambda: status(north.text("ann", "killed"), bob)["SCHEDULE-STATUS"] == "2.0")


def test_one_dead_domain_delays_no_other(internet: Internet, north: Organization, south: Organization) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        silent = [f"_ischedules._tcp.silent SRV 0 0 {port} cal.silent", "cal.silent A 127.0.0.1"]
        internet.publish(north.domain, [*north.records(), *silent])
        zoe, bob = f"mailto:zoe@silent.{north.domain}", south.mail("bob")
        assert north.invite("three", "ann", [zoe, bob]).status == 201
        began = time.monotonic()
        until(lambda: south.find("bob", "three") is not None)
        assert time.monotonic() - began < 5
        assert status(north.text("ann", "three"), zoe)["SCHEDULE-STATUS"] == "1.0"


def test_a_key_is_changed_with_overlap(internet: Internet, north: Organization, south: Organization) -> None:
    bob = south.mail("bob")
    north.verb("keys", "rotate")
    internet.publish(north.domain, north.records())
    north.verb("keys", "publish")
    north.verb("keys", "rotate", "--force")
    assert "cal2" in north.verb("keys", "list")
    assert north.invite("rotated", "ann", [bob]).status == 201
    until(lambda: south.find("bob", "rotated") is not None, "a message that the new key has signed arrives")


def test_a_dead_first_server_is_passed_by(internet: Internet, north: Organization, south: Organization) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        dead = unused.getsockname()[1]
    more = [f"_ischedules._tcp SRV 0 0 {dead} cal"]
    found = [each.replace(" 0 1 ", " 5 1 ") if "_ischedules" in each else each for each in south.records()]
    internet.publish(south.domain, [*found, *more])
    try:
        assert north.invite("second", "ann", [south.mail("bob")]).status == 201
        until(lambda: south.find("bob", "second") is not None, "the second server is tried")
    finally:
        internet.publish(south.domain, south.records())


def test_a_domain_moves_to_another_host(internet: Internet, north: Organization, south: Organization) -> None:
    south.stop()
    south.move(f"new.{south.domain}")
    south.start()
    internet.publish(south.domain, south.records())
    assert north.invite("moved", "ann", [south.mail("bob")]).status == 201
    until(lambda: south.find("bob", "moved") is not None, "it is found at the new place")


def test_who_asked_what_is_written_down(north: Organization, south: Organization) -> None:
    asked = [json.loads(line) for line in (south.folder / "audit.log").read_text().splitlines()]
    found = [each for each in asked if each["what"] == "REQUEST" and each["domain"] == north.domain]
    assert found
    assert found[0]["originator"] == north.mail("ann")
    assert set(found[0]["recipients"].values()) == {"2.0"}
    assert any(each["what"] == "free-busy" for each in asked)
