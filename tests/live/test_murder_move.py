"""People move from node to node while they and others go on working, and whatever is killed meanwhile."""

import json
import re
import socket
import sqlite3
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing

import pytest
from daemon import calserver, prepare
from diaries import status
from moves import PLACED, Moves
from murder import Murder
from organizations import until
from working import Client, Going

EVENTS = 5_000
EVENT = """\
BEGIN:VEVENT\r
UID:{uid}\r
DTSTAMP:20260301T120000Z\r
DTSTART:20260302T100000Z\r
DTEND:20260302T110000Z\r
SUMMARY:{summary}\r
END:VEVENT\r
"""
CALENDAR = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{}END:VCALENDAR\r\n"
DEFAULT = "/dav/calendars/user/ann/Default/"


@pytest.fixture(scope="module")
def murder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Murder]:
    made = Murder(tmp_path_factory.mktemp("murder"))
    events = "".join(EVENT.format(uid=f"old-{number}", summary=f"Old {number}") for number in range(EVENTS))
    table = made.folder / "old.ics"
    table.write_bytes(CALENDAR.format(events).encode())
    with made:
        until(lambda: made.front.connect("ann").request("PROPFIND", DEFAULT, Depth="0").status == 207)
        prepare("calendar", "import", "ann", "Default", table, "--config", made.nodes["b1"].config)
        yield made


@pytest.fixture(scope="module")
def moves(murder: Murder) -> Iterator[Moves]:
    with Moves(murder.front.config) as running:
        yield running


def event(uid: str, summary: str = "Lunch") -> str:
    return CALENDAR.format(EVENT.format(uid=uid, summary=summary))


def client_of(murder: Murder) -> Client:
    return Client(murder.front, "ann", DEFAULT)


def where(murder: Murder, who: str = "ann") -> str:
    """The node of somebody, as the directory knows it."""
    query = "SELECT node FROM placement JOIN principal ON principal.id = principal_id WHERE uid = ?"
    with closing(sqlite3.connect(f"file:{murder.directory}?mode=ro", uri=True)) as found:
        return str(found.execute(query, (who,)).fetchone()[0])


def other(node: str) -> str:
    return "b1" if node == "b2" else "b2"


def test_somebody_moves_back_and_forth_while_all_goes_on(murder: Murder, moves: Moves) -> None:
    """Nothing is lost, no client has to begin anew, and organizer and attendee agree."""
    client = client_of(murder)
    client.sync()
    assert len(client.known) == EVENTS
    client.told.clear()
    path = next(iter(client.known))
    before = client.request("GET", path)
    kept: set[str] = set()

    def work(number: int) -> None:
        client.put(f"new-{number}.ics", event(f"new-{number}"))
        kept.add(f"new-{number}.ics")
        if number % 3 == 0:
            client.put(f"new-{number}.ics", event(f"new-{number}", "Dinner"))
        if number % 5 == 0:
            assert client.request("DELETE", DEFAULT + f"new-{number}.ics").status == 204
            client.changed += 1
            kept.remove(f"new-{number}.ics")
        client.sync()

    bob = murder.front.connect("bob")

    def invite(number: int) -> None:
        text = murder.front.meeting(f"meeting-{number}", "bob", [murder.front.mail("ann")])
        while bob.request("PUT", f"/dav/calendars/user/bob/Default/meeting-{number}.ics", text).status == 503:
            time.sleep(0.05)
        time.sleep(0.1)

    working, inviting = Going(work), Going(invite)
    moved = []
    node = where(murder)
    for _ in range(10):
        node = other(node)
        moved += moves.move(["ann"], node)
    working.stop()
    inviting.stop()
    assert len(moved) == 10
    assert working.times > 10
    assert inviting.times > 10
    assert set(client.statuses) <= {200, 201, 204, 207, 503}
    front = murder.front
    until(lambda: len(client.listing()) == EVENTS + len(kept) + inviting.times, "all meetings arrive")
    client.sync()
    assert client.known == client.listing()
    assert {path.rpartition("/")[2] for path in client.known} >= kept
    assert sum(client.told) <= client.changed + inviting.times, "somebody told more than what has changed"
    again = client.request("GET", path)
    assert (again.body, again.headers["ETag"]) == (before.body, before.headers["ETag"])
    last = f"meeting-{inviting.times - 1}"
    place, text = client.find(last)
    line = f"ATTENDEE;PARTSTAT=ACCEPTED:{front.mail('ann')}\r\n"
    answer = re.sub(rf"ATTENDEE[^\r\n]*:{front.mail('ann')}\r\n", line, text)
    assert client.request("PUT", place, answer, Content_Type="text/calendar").status == 204
    until(lambda: status(front.text("bob", last), front.mail("ann"))["PARTSTAT"] == "ACCEPTED")
    assert max(each["paused_seconds"] for each in moved) < 5


def test_what_waits_to_be_sent_goes_along(murder: Murder, moves: Moves) -> None:
    front = murder.front
    moves.move(["ann"], "b1")
    murder.nodes["b2"].kill()
    assert front.invite("along", "ann", [front.mail("bob")]).status == 201
    murder.nodes["b2"].start()
    moves.move(["ann"], "b2")
    until(lambda: front.find("bob", "along") is not None, "the letter arrives")
    assert "SCHEDULE-STATUS=1.2" in front.connect("ann").request("GET", f"{DEFAULT}along.ics").text
    for node in ("b1", "b2"):
        assert calserver("federation", "queue", "--json", "--config", murder.nodes[node].config).strip() == "[]"


@pytest.mark.parametrize("act", ["hold", "finish", PLACED])
def test_a_move_whose_mover_is_killed_is_ended_by_the_next(murder: Murder, moves: Moves, act: str) -> None:
    client, goal = client_of(murder), other(where(murder))
    before = client.listing()
    with Moves(murder.front.config) as killed:
        killed.begin(["ann"], goal, act)
        assert killed.hear() == {"stopped": act}
    assert [each["node"] for each in moves.move(["ann"], goal)] == ([] if act == PLACED else [goal])
    client.put(f"{act}-{goal}.ics", event(f"{act}-{goal}"))
    after = client.listing()
    assert after.pop(f"{DEFAULT}{act}-{goal}.ics")
    assert after == before
    assert where(murder) == goal


@pytest.mark.parametrize(("act", "whose"), [("hold", "source"), ("finish", "goal"), (PLACED, "source and goal")])
def test_nodes_are_killed_while_somebody_moves(murder: Murder, moves: Moves, act: str, whose: str) -> None:
    client = client_of(murder)
    nodes = {"source": where(murder), "goal": other(where(murder))}
    client.put(f"killed-{act}.ics", event(f"killed-{act}"))
    before = client.listing()
    moves.begin(["ann"], nodes["goal"], act)
    assert moves.hear() == {"stopped": act}
    killed = [murder.nodes[nodes[each]] for each in whose.split(" and ")]
    for node in killed:
        node.kill()
    for node in killed:
        node.start()
    assert "moved" in moves.end()
    assert where(murder) == nodes["goal"]
    client.put(f"killed-{act}-after.ics", event(f"killed-{act}-after"))
    after = client.listing()
    assert after.pop(f"{DEFAULT}killed-{act}-after.ics")
    assert after == before


def test_calendars_are_in_use_again_where_nobody_ends_a_move(murder: Murder, moves: Moves) -> None:
    client, source = client_of(murder), where(murder)
    moves.begin(["ann"], other(source), "finish")
    assert moves.hear() == {"stopped": "finish"}
    connection = murder.front.connect("ann")
    assert connection.request("PUT", f"{DEFAULT}waits.ics", event("waits")).status == 503
    client.put("waits.ics", event("waits"))
    assert where(murder) == source
    assert [each["node"] for each in moves.end()["moved"]] == [other(source)]
    assert f"{DEFAULT}waits.ics" in client.listing()


def test_a_body_that_is_on_its_way_meanwhile_is_to_be_sent_again(murder: Murder, moves: Moves) -> None:
    """Only the client has all of it: nothing is stored, and the next try is for the new node."""
    text, path = event("large", "Lunch" * 20_000).encode(), f"{DEFAULT}large.ics"
    head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {b64encode(b'ann:ann').decode()}\r\n"
    head += f"Content-Type: text/calendar\r\nContent-Length: {len(text)}\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", murder.front.port), 30) as line, line.makefile("rb") as answer:
        line.sendall(head.encode())
        assert answer.readline().startswith(b"HTTP/1.1 100 ")  # it is streamed from here on, to where ann is
        line.sendall(text[:80_000])
        moves.move(["ann"], other(where(murder)))
        line.sendall(text[80_000:])
        assert answer.readline() == b"\r\n"
        assert answer.readline().startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 2\r\n" in iter(answer.readline, b"\r\n")
    client = murder.front.connect("ann")
    assert client.request("GET", path).status == 404
    assert client.request("PUT", path, text, Content_Type="text/calendar").status == 201


def test_who_shares_calendars_moves_alone_or_together(murder: Murder, moves: Moves) -> None:
    moves.move(["ann"], "b1")
    config, front = murder.front.config, murder.front
    shared = share(murder)
    client = client_of(murder)
    for number, (options, node, sharee) in enumerate(((("--together",), "b2", "b2"), ((), "b1", "b2"))):
        calserver("cluster", "move", "ann", node, *options, "--config", config)
        assert (where(murder, "ann"), where(murder, "carol")) == (node, sharee)
        client.put(f"shared{number}.ics", event(f"shared{number}"))
        assert any(each.endswith(f"/shared{number}.ics") for each in front.names("carol", shared))


def share(murder: Murder) -> str:
    """Let Carol share Ann's calendar; returns what it is called there."""
    spaces = 'xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"'
    ann, carol = murder.front.connect("ann"), murder.front.connect("carol")
    invitation = "<CS:set><D:href>mailto:carol@example.com</D:href><CS:read-write/></CS:set>"
    xml = {"Content_Type": "application/xml"}
    assert ann.request("POST", DEFAULT, f"<CS:share {spaces}>{invitation}</CS:share>", **xml).status == 200
    (notice,) = murder.front.names("carol", "Notifications")
    told = carol.request("GET", notice).text
    uid, calendar = (re.search(pattern, told) for pattern in (r"<CS:uid>(.*?)</", r"<CS:hosturl><D:href>(.*?)</"))
    assert uid is not None
    assert calendar is not None
    reply = f"<CS:invite-accepted/><CS:hosturl><D:href>{calendar[1]}</D:href></CS:hosturl>"
    reply = f"<D:href>mailto:carol@example.com</D:href>{reply}<CS:in-reply-to>{uid[1]}</CS:in-reply-to>"
    home = "/dav/calendars/user/carol/"
    answer = carol.request("POST", home, f"<CS:invite-reply {spaces}>{reply}</CS:invite-reply>", **xml)
    found = re.search(rf"<D:href>{home}(.*?)</D:href>", answer.text)
    assert found is not None, answer
    return found[1].strip("/")


def test_a_node_is_drained(murder: Murder) -> None:
    config, client = murder.front.config, client_of(murder)
    before = client.listing()
    done = json.loads(calserver("cluster", "drain", "b2", "--json", "--config", config))
    assert {(each["source"], each["node"]) for each in done} == {("b2", "b1")}
    told = json.loads(calserver("cluster", "nodes", "--json", "--config", config))
    assert {each["name"]: (each["principals"], each["drained"]) for each in told} == {
        "f1": (0, False),
        "b1": (5, False),
        "b2": (0, True),
    }
    assert client.listing() == before
    assert murder.front.find("bob", "along") is not None
