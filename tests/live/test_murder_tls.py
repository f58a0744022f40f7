"""Nodes that reach each other by TLS, with certificates of an authority of their own."""

import json
from collections.abc import Iterator
from typing import Final

import pytest
from certificates import Authority
from daemon import calserver
from diaries import status
from murder import Murder
from organizations import until

AUTHORITY: Final = Authority()
HOME: Final = "/dav/calendars/user/{}/"


@pytest.fixture(scope="module")
def murder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Murder]:
    with Murder(tmp_path_factory.mktemp("murder"), authority=AUTHORITY) as running:
        yield running


def test_requests_and_messages_go_by_tls(murder: Murder) -> None:
    front, bob = murder.front, murder.front.mail("bob")
    assert front.invite("lunch", "ann", [bob]).status == 201
    until(lambda: front.find("bob", "lunch") is not None, "the invitation arrives")
    assert front.answers("bob", "lunch", "ACCEPTED").status == 204
    until(lambda: status(front.text("ann", "lunch"), bob)["PARTSTAT"] == "ACCEPTED", "the answer arrives")
    answer = front.asks("carol", [bob], day="20990105")
    assert "20990105T090000Z/" in answer
    data = bytes(300_000)
    assert front.connect("bob").request("PUT", "/dav/drive/user/bob/large.bin", data).status == 201
    assert front.connect("bob").request("GET", "/dav/drive/user/bob/large.bin").body == data


@pytest.mark.parametrize(
    ("uid", "authority", "host"),
    [("stranger", Authority("Somebody Else"), "localhost"), ("another", AUTHORITY, "b2.example.com")],
    ids=["of another authority", "for another host"],
)
def test_a_node_with_a_wrong_certificate_is_told_nothing(
    murder: Murder, uid: str, authority: Authority, host: str
) -> None:
    """Neither requests with who has sent them, nor messages; all of it is as if the node were away."""
    front, b1, b2 = murder.front, murder.nodes["b1"], murder.nodes["b2"]
    bob, path = front.mail("bob"), f"{HOME.format('bob')}Default/{uid}.ics"
    b2.stop()
    b2.certify(authority, host)
    b2.start()
    try:
        for method, body in (("PROPFIND", ""), ("PUT", front.meeting(uid, "bob", []))):
            away = front.connect("bob").request(method, path, body, Content_Type="text/calendar")
            assert (away.status, away.headers["Retry-After"]) == (503, "2")
        large = front.connect("bob").request("PUT", "/dav/drive/user/bob/more.bin", bytes(300_000))
        assert (large.status, large.headers["Retry-After"]) == (503, "2")
        assert "certificate" in front.log.read_text()
        assert front.invite(f"{uid}-meeting", "ann", [bob]).status == 201
        until(lambda: "certificate" in waiting(b1.config)["problem"], "it is tried, and the administrator is told why")
        assert "5.1;" in front.asks("ann", [bob])
        assert b2.connect("bob").request("GET", path).status == 404
    finally:
        b2.stop()
        b2.certify(AUTHORITY, "localhost")
        b2.start()
    until(lambda: front.find("bob", f"{uid}-meeting") is not None, "what waited arrives")
    assert front.connect("bob").request("GET", path).status == 404


def waiting(config: object) -> dict[str, str]:
    """What a node says of the other one."""
    (found,) = json.loads(calserver("federation", "peers", "--json", "--config", str(config)))
    assert isinstance(found, dict)
    return found
