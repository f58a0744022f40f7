"""A front end before two nodes: clients see one server, whoever keeps their calendars."""

import base64
import http.client
import json
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import caldav
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from daemon import Answer, Connection, calserver
from murder import Murder

from calserver.cluster.assertion import Assertion, signed
from ischedule.dkim import load_private_key

EVENT = """\
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//test//EN\r
BEGIN:VEVENT\r
UID:{uid}\r
DTSTAMP:20260301T120000Z\r
DTSTART:20260302T100000Z\r
DTEND:20260302T110000Z\r
SUMMARY:{summary}\r
END:VEVENT\r
END:VCALENDAR\r
"""
HOME = "/dav/calendars/user/{}/"
PLACES = ("/", "/dav/", "/dav", "/dav/principals/", "/dav/principals/user/", "/dav/principals/user/bob/")
PLACES = (*PLACES, "/dav/calendars/", "/dav/calendars/user/", "/dav/drive/")
"""What is in no home."""


@pytest.fixture(scope="module")
def murder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Murder]:
    with Murder(tmp_path_factory.mktemp("murder")) as running:
        yield running


def event(uid: str, summary: str = "Lunch") -> str:
    return EVENT.format(uid=uid, summary=summary)


def within(seconds: float, look: Callable[[], bool]) -> None:
    """Wait for something that must be so soon."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def names(murder: Murder, node: str) -> set[str]:
    """The names of all objects in the store of a node."""
    with sqlite3.connect(f"file:{murder.folder}/{node}/calserver.sqlite?mode=ro", uri=True) as found:
        return {row[0] for row in found.execute("SELECT name FROM object")}


def test_everybody_is_placed_and_has_calendars_at_one_node(murder: Murder) -> None:
    told = json.loads(calserver("cluster", "nodes", "--json", "--config", murder.front.config))
    assert {each["name"]: each["principals"] for each in told} == {"f1": 0, "b1": 3, "b2": 2}
    with sqlite3.connect(murder.front.folder / "calserver.sqlite") as found:
        assert found.execute("SELECT count(*) FROM collection").fetchone() == (0,)
        assert found.execute("SELECT count(*) FROM principal").fetchone() == (6,)
    assert "b1" in calserver("cluster", "status", "--config", murder.nodes["b1"].config)


@pytest.mark.parametrize(("user", "node", "other"), [("ann", "b1", "b2"), ("bob", "b2", "b1")])
def test_what_is_put_at_the_front_is_kept_at_the_node(murder: Murder, user: str, node: str, other: str) -> None:
    client = murder.front.connect(user)
    path = f"{HOME.format(user)}Default/{user}-1.ics"
    put = client.request("PUT", path, event(f"{user}-1"), Content_Type="text/calendar", If_None_Match="*")
    assert (put.status, put.body) == (201, b"")
    got = client.request("GET", path)
    assert (got.status, got.headers["ETag"]) == (200, put.headers["ETag"])
    assert got.text == event(f"{user}-1")
    again = client.request("PUT", path, event(f"{user}-1"), Content_Type="text/calendar", If_None_Match="*")
    assert again.status == 412
    assert client.request("GET", path, If_None_Match=got.headers["ETag"]).status == 304
    head = client.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert [head.headers[name] for name in ("ETag", "Content-Length")] == [got.headers["ETag"], str(len(got.body))]
    assert f"{user}-1.ics" in names(murder, node)
    assert f"{user}-1.ics" not in names(murder, other) | names(murder, "f1")
    assert client.request("DELETE", path).status == 204
    assert client.request("GET", path).status == 404


def test_a_calendar_library_sees_one_server(murder: Murder) -> None:
    with caldav.DAVClient(murder.front.url, username="bob", password="bob") as client:
        calendar = client.principal().make_calendar(name="Trips")
        calendar.save_event(event("trip", "Trip"))
        found = calendar.search(event=True)
        assert [str(each.icalendar_component["SUMMARY"]) for each in found] == ["Trip"]
        token = calendar.objects_by_sync_token().sync_token
        calendar.save_event(event("trip-2", "Second trip"))
        assert len(list(calendar.objects_by_sync_token(token))) == 1
        calendar.delete()


def test_discovery_and_principals_are_answered_by_every_node_alike(murder: Murder) -> None:
    asked = '<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><current-user-principal/>'
    asked += "<C:calendar-home-set/><displayname/><C:calendar-user-address-set/></prop></propfind>"
    answers = []
    for each in murder.nodes.values():
        client = each.connect("ann")
        found: list[object] = []
        for method, path, depth in (
            *(("GET", f"/.well-known/{each}", "") for each in ("caldav", "carddav", "timezone", "ischedule")),
            *((method, path, "0") for method in ("PROPFIND", "OPTIONS") for path in PLACES),
            *(("PROPFIND", path, "1") for path in PLACES),
            ("GET", "/", ""),
        ):
            answer = client.request(method, path, asked if method == "PROPFIND" else "", Depth=depth)
            heads = [answer.headers[name] for name in ("Location", "DAV", "Allow", "Content-Type", "Content-Location")]
            found.append((path, answer.status, heads, answer.body.replace(str(each.port).encode(), b"PORT")))
        answers.append(found)
    assert answers[0] == answers[1] == answers[2]
    assert b"/dav/calendars/user/bob/" in repr(answers[0]).encode()


def test_any_node_hands_on_what_is_not_its_own(murder: Murder) -> None:
    path = f"{HOME.format('bob')}Default/direct.ics"
    assert murder.nodes["b1"].connect("bob").request("PUT", path, event("direct")).status == 201
    assert murder.nodes["b2"].connect("bob").request("GET", path).text == event("direct")


def test_large_bodies_go_both_ways_byte_for_byte(murder: Murder) -> None:
    client, data = murder.front.connect("ann"), os.urandom(9_000_000)
    path = "/dav/drive/user/ann/large.bin"
    assert client.request("PUT", path, data).status == 201
    assert client.request("GET", path).body == data


def chunked(port: int, path: str, user: str, pieces: Iterator[bytes], *fields: str) -> Answer:
    """PUT with chunks, sent as they come."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    token = base64.b64encode(f"{user}:{user}".encode()).decode()
    connection.request("PUT", path, pieces, {"Authorization": f"Basic {token}"}, encode_chunked=True)
    response = connection.getresponse()
    answer = Answer(response.status, response.headers, response.read())
    connection.close()
    return answer


def test_a_body_of_unknown_length_is_handed_on(murder: Murder) -> None:
    pieces = [os.urandom(50_000) for _ in range(40)]
    path = "/dav/drive/user/bob/chunked.bin"
    assert chunked(murder.front.port, path, "bob", iter(pieces)).status == 201
    assert murder.front.connect("bob").request("GET", path).body == b"".join(pieces)


def test_who_may_not_is_told_so_and_the_connection_goes_on(murder: Murder) -> None:
    client, data = murder.front.connect("bob"), os.urandom(300_000)
    assert client.request("PUT", "/dav/drive/user/ann/no.bin", data).status == 403
    assert client.request("PROPFIND", HOME.format("bob"), Depth="0").status == 207
    wrong = murder.front.connect("ann", "wrong")
    assert wrong.request("PUT", "/dav/drive/user/ann/no.bin", data).status == 401
    nobody = murder.front.connect(None)
    assert nobody.request("PUT", "/dav/drive/user/ann/no.bin", data).status == 401
    assert "Basic" in nobody.request("PROPFIND", HOME.format("ann"), Depth="0").headers["WWW-Authenticate"]


def test_who_waits_for_100_continue_gets_it_once(murder: Murder) -> None:
    token = base64.b64encode(b"ann:ann").decode()
    head = f"PUT /dav/drive/user/ann/expected.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\n"
    head += "Expect: 100-continue\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", murder.front.port), 30) as client:
        client.sendall(head.encode())
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(bytes(100_000))
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert answer.count(b"HTTP/1.1") == 1


def test_half_a_body_leaves_nothing(murder: Murder) -> None:
    token = base64.b64encode(b"ann:ann").decode()
    head = f"PUT /dav/drive/user/ann/half.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\n"
    head += "Content-Length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", murder.front.port), 30) as client:
        client.sendall(head.encode() + bytes(500_000))
    assert murder.front.connect("ann").request("GET", "/dav/drive/user/ann/half.bin").status == 404


def test_copies_stay_at_their_node(murder: Murder) -> None:
    client, home = murder.front.connect("admin"), HOME.format("ann")
    assert client.request("PUT", f"{home}Default/from.ics", event("from")).status == 201
    assert client.request("MKCALENDAR", f"{home}Copies/").status == 201
    here = f"http://127.0.0.1:{murder.front.port}{home}Copies/to.ics"
    files = "/dav/drive/user/ann/"
    assert client.request("PUT", f"{files}a.txt", "text").status == 201
    assert client.request("COPY", f"{files}a.txt", Destination=f"{files}b.txt").status == 201
    assert client.request("GET", f"{files}b.txt").text == "text"
    assert client.request("MOVE", f"{home}Default/from.ics", Destination=here, Overwrite="T").status == 201
    assert client.request("GET", f"{home}Copies/to.ics").text == event("from")


def test_rights_hold_across_nodes(murder: Murder) -> None:
    """Ann at one node makes Bob at the other her delegate; he writes there."""
    ann, bob = murder.front.connect("ann"), murder.front.connect("bob")
    path = f"{HOME.format('ann')}Default/by-bob.ics"
    assert bob.request("PUT", path, event("by-bob")).status == 403
    members = '<propertyupdate xmlns="DAV:"><set><prop><group-member-set>{}</group-member-set></prop></set>'
    members += "</propertyupdate>"
    proxy = "/dav/principals/user/ann/calendar-proxy-write/"
    href = "<href>/dav/principals/user/bob/</href>"
    asked = '<propfind xmlns="DAV:"><prop><group-member-set/></prop></propfind>'
    for _ in range(5):  # what a client has written it sees, at whichever node that is decided
        assert b"200 OK" in ann.request("PROPPATCH", proxy, members.format(href)).body
        assert b"/user/bob/" in ann.request("PROPFIND", proxy, asked, Depth="0").body
        assert bob.request("PUT", path, event("by-bob")).status in (201, 204)
        assert b"200 OK" in ann.request("PROPPATCH", proxy, members.format("")).body
        assert bob.request("PUT", path, event("by-bob")).status == 403


def test_accounts_change_while_all_is_running(murder: Murder) -> None:
    config = murder.nodes["b2"].config
    calserver("user", "add", "dora", "--email", "dora@example.com", "--password-stdin", "--config", config, stdin="one")
    path = f"{HOME.format('dora')}Default/d.ics"
    within(5, lambda: murder.front.connect("dora", "one").request("PUT", path, event("d")).status in (201, 204))
    calserver("user", "password", "dora", "--password-stdin", "--config", config, stdin="two")
    within(5, lambda: murder.front.connect("dora", "one").request("GET", path).status == 401)
    assert murder.front.connect("dora", "two").request("GET", path).status == 200
    node = next(name for name in ("b1", "b2") if "d.ics" in names(murder, name))
    calserver("user", "remove", "dora", "--yes", "--config", config)
    within(5, lambda: "d.ics" not in names(murder, node))
    assert murder.front.connect("dora", "two").request("GET", path).status == 401


def test_a_node_that_is_killed_is_away_until_it_is_back(murder: Murder) -> None:
    ann, bob = murder.front.connect("ann"), murder.front.connect("bob")
    path = f"{HOME.format('bob')}Default/kept.ics"
    assert bob.request("PUT", path, event("kept")).status == 201
    murder.nodes["b2"].kill()
    for method, body in (("GET", ""), ("PUT", event("kept", "Changed")), ("PROPFIND", "")):
        away = bob.request(method, path, body, Depth="0")
        assert (away.status, away.headers["Retry-After"]) == (503, "2")
    assert bob.request("PUT", "/dav/drive/user/bob/away.bin", bytes(200_000)).status == 503
    assert ann.request("PROPFIND", HOME.format("ann"), Depth="1").status == 207
    assert bob.request("PROPFIND", "/dav/principals/user/bob/", Depth="0").status == 207
    murder.nodes["b2"].start()
    assert bob.request("GET", path).text == event("kept")
    assert bob.request("PUT", path, event("kept", "Changed")).status == 204


def test_without_the_directory_everything_but_changes_of_accounts_goes_on(murder: Murder, tmp_path: Path) -> None:
    murder.nodes["b1"].stop()
    aside = tmp_path / "aside"
    murder.directory.rename(aside)
    try:
        murder.directory.mkdir()
        murder.nodes["b1"].start()
        ann = murder.front.connect("ann")
        path = f"{HOME.format('ann')}Default/alone.ics"
        assert ann.request("PUT", path, event("alone")).status == 201
        change = '<propertyupdate xmlns="DAV:"><set><prop><group-member-set/></prop></set></propertyupdate>'
        proxy = "/dav/principals/user/ann/calendar-proxy-write/"
        assert murder.nodes["b1"].connect("ann").request("PROPPATCH", proxy, change).status == 503
    finally:
        murder.directory.rmdir()
        aside.rename(murder.directory)


# -- who says to be a node ---------------------------------------------------------------------------------------------


def said(murder: Murder, target: str, method: str = "GET", key: Ed25519PrivateKey | None = None, **more: str) -> str:
    """What the front end would say of a request to the node b1."""
    if key is None:
        found = load_private_key((murder.front.folder / "node.pem").read_bytes())
        assert isinstance(found, Ed25519PrivateKey)
        key = found
    facts = {"node": "f1", "audience": "b1", "kind": "user", "uid": "ann"} | more
    return signed(Assertion(at=int(time.time()), **facts), key, method=method, target=target)  # type: ignore[arg-type] # what is used of it is there


def test_a_node_believes_the_front_end_once_and_nobody_else(murder: Murder) -> None:
    path = f"{HOME.format('ann')}Default/"
    client = murder.nodes["b1"].connect(None)

    def ask(field: str, method: str = "PROPFIND", where: str = path) -> int:
        return client.request(method, where, Authorization=field, Depth="0").status

    field = said(murder, path, "PROPFIND")
    assert ask(field) == 207
    assert ask(field) == 401
    assert ask(said(murder, path, "PROPFIND"), "DELETE") == 401
    assert ask(said(murder, path, "PROPFIND"), where=HOME.format("ann")) == 401
    assert ask(said(murder, path, "PROPFIND", audience="b2")) == 401
    assert ask(said(murder, path, "PROPFIND", node="b2")) == 401
    assert ask(said(murder, path, "PROPFIND", key=Ed25519PrivateKey.generate())) == 401
    assert ask("Node x.y") == 401
    assert ask(said(murder, path, "PROPFIND", uid="bob")) == 403
    assert ask(said(murder, path, "PROPFIND", kind="", uid="")) == 401
    assert ask(said(murder, path, "PROPFIND", uid="nobody")) == 503


def test_of_all_workers_of_a_node_one_believes_an_assertion_and_none_after_a_restart(murder: Murder) -> None:
    node, path = murder.nodes["b1"], f"{HOME.format('ann')}Default/"
    node.stop()
    node.configure(workers=2)
    node.start()
    with Connection(node.admin_port, None) as nobody:  # all workers together are one node
        facts = json.loads(nobody.request("GET", "/health").body)
    assert facts.pop("directory") in ("ok", "away"), "it may not have been opened yet"
    assert facts | {"ready": 2} == {"status": "ok", "workers": 2, "ready": 2, "store": "ok", "node": "b1"}
    field = said(murder, path, "PROPFIND")

    def ask() -> int:
        with node.connect(None) as fresh:
            return fresh.request("PROPFIND", path, Authorization=field, Depth="0").status

    try:
        assert sorted(ask() for _ in range(20)) == [207] + [401] * 19
    finally:
        node.stop()
        node.configure(workers=1)
        node.start()
    assert ask() == 401


def test_the_front_end_takes_no_assertion_of_a_client(murder: Murder) -> None:
    path = f"{HOME.format('ann')}Default/"
    client = murder.front.connect(None)
    for field in (said(murder, path, "PROPFIND"), "Node x.y", "node x"):
        assert client.request("PROPFIND", path, Authorization=field, Depth="0").status == 401


def test_nothing_goes_in_circles(murder: Murder) -> None:
    """A node that is given what is elsewhere does not hand it on."""
    path = f"{HOME.format('bob')}Default/"
    client = murder.nodes["b1"].connect(None)
    answer = client.request("PROPFIND", path, Authorization=said(murder, path, "PROPFIND", uid="bob"), Depth="0")
    assert answer.status == 421


def test_a_client_cannot_say_what_a_front_end_says(murder: Murder) -> None:
    """Fields about the connection end at the front end, whatever they name."""
    client = murder.front.connect("ann")
    answer = client.request(
        "PROPFIND",
        HOME.format("ann"),
        Depth="1",
        X_Forwarded_Host="evil.example",
        Via="1.1 b1",
        Cookie="a=b",
    )
    assert answer.status == 207
    assert b"Default" in answer.body
    assert b"evil.example" not in answer.body
