"""COPY and MOVE between homes: the same whether the homes are at one node or at two."""

import re
import time
from collections.abc import Callable
from http.client import HTTPException
from threading import Thread

import pytest
from daemon import Answer, Connection
from diaries import Diaries, status
from murder import Murder
from organizations import until

ANN, BOB = "/dav/calendars/user/ann/", "/dav/calendars/user/bob/"
FILES, THERE = "/dav/drive/user/ann/", "/dav/drive/user/bob/"
COLOR = (
    '<propertyupdate xmlns="DAV:"><set><prop><calendar-color xmlns="http://apple.com/ns/ical/">#112233</calendar-color>'
)
COLOR += "<displayname>Trips</displayname></prop></set></propertyupdate>"
ASK_COLOR = (
    '<propfind xmlns="DAV:"><prop><calendar-color xmlns="http://apple.com/ns/ical/"/><displayname/></prop></propfind>'
)
LOCK = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
Play = Callable[[Diaries], list[object]]


def event(uid: str) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//EN", "BEGIN:VEVENT", f"UID:{uid}"]
    lines += ["DTSTAMP:20260301T120000Z", "DTSTART:20260302T100000Z", "END:VEVENT", "END:VCALENDAR", ""]
    return "\r\n".join(lines)


def told(answer: Answer) -> tuple[int, str]:
    """What is compared of an answer: its status, and the name of what was in the way."""
    condition = re.search(r"<D:error[^>]*><([^/>]+)/?>", answer.text) if answer.body else None
    inner = re.findall(r"HTTP/1.1 (\d+)", answer.text) if answer.status == 207 else []
    return answer.status, (condition[1] if condition else "") + ",".join(inner)


def token(answer: Answer) -> str:
    assert answer.status in (200, 201), answer
    return answer.headers["Lock-Token"]


# -- what is played on both --------------------------------------------------------------------------------------------


def members(server: Diaries) -> list[object]:
    """Objects of calendars, and files."""
    by = server.by("admin")
    found: list[object] = [by.request("PUT", f"{ANN}Default/{each}.ics", event(each)).status for each in "abcd"]

    def play(method: str, source: str, target: str, **fields: str) -> None:
        found.append(told(by.request(method, source, Destination=target, **fields)))

    play("COPY", f"{ANN}Default/a.ics", f"{BOB}Default/a.ics")
    play("COPY", f"{ANN}Default/a.ics", f"{BOB}Default/a.ics", Overwrite="F")
    play("COPY", f"{ANN}Default/a.ics", f"{BOB}Default/a.ics", Overwrite="T")
    play("COPY", f"{ANN}Default/b.ics", f"{BOB}Default/a.ics")  # another UID
    play("COPY", f"{ANN}Default/a.ics", f"{BOB}Default/again.ics")  # the UID is there
    play("COPY", f"{ANN}Default/a.ics", f"{BOB}Nothing/a.ics")
    play("COPY", f"{ANN}Default/nothing.ics", f"{BOB}Default/b.ics")
    play("COPY", f"{ANN}Default/a.ics", f"{BOB}Inbox/a.ics")
    play("COPY", f"{ANN}Default/a.ics", f"{BOB}Default/b.ics", Depth="1")
    play("COPY", f"{ANN}Default/a.ics", f"{BOB}Default/b.ics", Overwrite="X")
    play("COPY", f"{ANN}Default/a.ics", f"{BOB}Default/b.ics", If_Match='"other"')
    play("COPY", f"{ANN}Default/a.ics", f"{BOB}Default/b.ics", If_None_Match="*")
    play("COPY", f"{ANN}Default/a.ics", "http://other.example/dav/calendars/user/bob/Default/b.ics")
    play("MOVE", f"{ANN}Default/b.ics", f"{BOB}Default/b.ics", If_Match='"other"')
    play("MOVE", f"{ANN}Default/b.ics", f"{BOB}Default/b.ics")
    play("MOVE", f"{ANN}Default/b.ics", f"{BOB}Default/b.ics")
    play("MOVE", f"{ANN}Default/c.ics", f"http://127.0.0.1:{server.port}{BOB}Default/c.ics", Overwrite="F")
    play("MOVE", f"{ANN}Inbox/", f"{BOB}Mine/")
    play("MOVE", ANN, f"{BOB}Mine/")
    found.append([by.request("GET", f"{ANN}Default/{each}.ics").status for each in "abcd"])
    found.append([by.request("GET", f"{BOB}Default/{each}.ics").text for each in "abcd"])

    found.append(by.request("PUT", f"{FILES}a.txt", "one", Content_Type="text/x-one").status)
    found.append(by.request("PROPPATCH", f"{FILES}a.txt", COLOR).status)
    play("COPY", f"{FILES}a.txt", f"{THERE}a.txt")
    got = by.request("GET", f"{THERE}a.txt")
    found.append((got.text, got.headers["Content-Type"]))
    found.append("#112233" in by.request("PROPFIND", f"{THERE}a.txt", ASK_COLOR, Depth="0").text)
    found.append(by.request("MKCOL", f"{THERE}b/").status)
    play("MOVE", f"{FILES}a.txt", f"{THERE}b/", Overwrite="F")
    play("MOVE", f"{FILES}a.txt", f"{THERE}b")
    found.append(by.request("GET", f"{THERE}b").text)
    play("COPY", f"{THERE}b", f"{ANN}Default/file.ics")  # no calendar data
    return found


def collections(server: Diaries) -> list[object]:
    """Calendars with what is in them, and folders."""
    by = server.by("admin")
    trips = f"{ANN}Trips/"
    found: list[object] = [by.request("MKCALENDAR", trips).status, by.request("PROPPATCH", trips, COLOR).status]
    found += [by.request("PUT", f"{trips}t{each}.ics", event(f"t{each}")).status for each in range(3)]

    def play(method: str, source: str, target: str, **fields: str) -> None:
        found.append(told(by.request(method, source, Destination=target, **fields)))

    def looks(path: str) -> None:
        answer = by.request("PROPFIND", path, ASK_COLOR, Depth="1")
        found.append((answer.status, sorted(re.findall(r"<D:href>[^<]*/([^/<]+/?)</D:href>", answer.text))))
        found.append((answer.text.count("#112233"), answer.text.count("Trips</")))

    play("COPY", trips, f"{BOB}Empty/", Depth="0")
    looks(f"{BOB}Empty/")
    play("COPY", trips, f"{BOB}Empty/", Depth="1")
    play("COPY", trips, f"{BOB}Default/inside/")
    play("COPY", trips, f"{BOB}Copied/")
    looks(f"{BOB}Copied/")
    found.append(by.request("DELETE", f"{BOB}Empty/").status)
    play("MOVE", trips, f"{BOB}Copied/", Overwrite="F")
    play("MOVE", trips, f"{BOB}Copied/", Depth="0")
    play("MOVE", f"{ANN}Default/", f"{BOB}Copied/")
    play("MOVE", trips, f"{BOB}Copied/")
    looks(f"{BOB}Copied/")
    found.append(by.request("PROPFIND", trips, Depth="0").status)
    found.append(by.request("GET", f"{BOB}Copied/t1.ics").text)
    found += [by.request("MKCOL", f"{FILES}{each}").status for each in ("x/", "x/y/")]
    found += [by.request("PUT", f"{FILES}{each}", each).status for each in ("x/1", "x/y/2")]
    play("COPY", f"{FILES}x/", f"{THERE}x/")
    play("MOVE", f"{FILES}x/", f"{THERE}x/z/")
    found += [by.request("GET", f"{THERE}{each}").text for each in ("x/1", "x/y/2", "x/z/1", "x/z/y/2")]
    found.append(by.request("GET", f"{FILES}x/1").status)
    return found


def rights(server: Diaries) -> list[object]:
    """Nobody takes what is not theirs, or puts it where they may not."""
    ann, bob = server.by("ann"), server.by("bob")
    mine = f"{ANN}Default/mine.ics"
    found: list[object] = [ann.request("PUT", mine, event("mine")).status]
    for method in ("COPY", "MOVE"):
        for who in (ann, bob, server.connect(None), server.connect("ann", "wrong")):
            found.append(told(who.request(method, mine, Destination=f"{BOB}Default/mine.ics")))
        found.append(told(ann.request(method, mine, Destination="/dav/calendars/user/no/Default/x")))
        found.append(told(ann.request(method, mine, Destination="/dav/principals/user/bob/")))
    grant = '<acl xmlns="DAV:"><ace><principal><href>/dav/principals/user/ann/</href></principal><grant><privilege>'
    grant += "<{}/></privilege></grant></ace></acl>"
    found.append(bob.request("MKCALENDAR", f"{BOB}Open/").status)
    for privilege in ("read", "write-content", "bind", "write"):
        found.append(bob.request("ACL", f"{BOB}Open/", grant.format(privilege)).status)
        for method in ("COPY", "MOVE"):
            found.append((privilege, told(ann.request(method, mine, Destination=f"{BOB}Open/{method}.ics"))))
    found.append(ann.request("GET", mine).status)
    return found


def locks(server: Diaries) -> list[object]:
    """Locks keep things at both ends, and end where something was moved away."""
    by = server.by("admin")
    source, target = f"{ANN}Default/locked.ics", f"{BOB}Locks/locked.ics"
    found: list[object] = [by.request("PUT", source, event("locked")).status]
    found.append(by.request("MKCALENDAR", f"{BOB}Locks/").status)
    own = token(by.request("LOCK", source, LOCK))
    theirs = token(by.request("LOCK", f"{BOB}Locks/", LOCK))

    def play(method: str, condition: str = "") -> None:
        fields = {"If": condition} if condition else {}
        found.append(told(by.request(method, source, Destination=target, **fields)))

    here, there = f"<http://127.0.0.1:{server.port}{ANN}Default/>", f"<http://127.0.0.1:{server.port}{BOB}Locks/>"
    play("COPY")
    play("COPY", f"({own})")
    play("COPY", f"({theirs})")
    play("COPY", f"{there} ({own})")
    play("COPY", f"{there} (Not {theirs})")
    play("COPY", f"{here} ({theirs}) {there} (Not {theirs})")
    play("COPY", f"{there} ({theirs})")
    play("MOVE", f"{there} ({theirs})")
    play("MOVE", f"({own})")
    play("MOVE", f"(<urn:uuid:none>) ({own}) ({theirs})")
    found.append(by.request("GET", source).status)
    return found


def conditions(server: Diaries) -> list[object]:
    """An If header of any request may be about resources anywhere."""
    by, path = server.by("admin"), f"{ANN}Default/conditions.ics"
    put = by.request("PUT", path, event("conditions"))
    found: list[object] = [put.status, by.request("MKCALENDAR", f"{BOB}Conditions/").status]
    theirs = token(by.request("LOCK", f"{BOB}Conditions/", LOCK))
    here, there = f"<http://127.0.0.1:{server.port}{path}>", f"<{BOB}Conditions/>"
    mine = by.request("GET", path).headers["ETag"]
    for field in (
        f"{there} ({theirs})",
        f"{there} (Not {theirs})",
        f"{there} (<urn:uuid:other>)",
        f'{there} (<urn:uuid:other>) {here} (["other"])',
        f"{there} (<urn:uuid:other>) {here} ([{mine}])",
        f"{there} (<urn:uuid:other>) {there} ({theirs} Not <urn:uuid:other>)",
        f"{there} nonsense",
        f"<http://other.example/> ({theirs})",
    ):
        found.append(by.request("DELETE", f"{ANN}Default/nothing.ics", If=field).status)
        found.append(by.request("PROPPATCH", path, COLOR, If=field).status)
    found.append(server.by("bob").request("PROPPATCH", path, COLOR, If=f"{there} ({theirs})").status)
    found.append(server.connect(None).request("PROPPATCH", path, COLOR, If=f"{there} ({theirs})").status)
    return found


def meetings(server: Diaries) -> list[object]:
    """What is moved is withdrawn where it was, and stored where it goes; a copy tells nobody."""
    carol = server.mail("carol")
    found: list[object] = [server.invite("party", "ann", [carol]).status]
    until(lambda: server.find("carol", "party") is not None, "she is invited")
    by, source = server.by("admin"), f"{ANN}Default/party.ics"
    found.append(told(by.request("COPY", source, Destination=f"{BOB}Default/party.ics")))
    found.append(by.request("GET", f"{BOB}Default/party.ics").status)
    found.append("CANCELLED" in server.text("carol", "party"))
    found.append(by.request("DELETE", f"{BOB}Default/party.ics", Schedule_Reply="F").status)
    found.append(told(by.request("MOVE", source, Destination=f"{BOB}Default/party.ics")))
    until(lambda: "CANCELLED" in server.text("carol", "party"), "who was invited is told")
    found.append(by.request("GET", source).status)
    found.append(status(server.text("bob", "party"), carol).get("PARTSTAT"))
    return found


@pytest.mark.parametrize("play", [members, collections, rights, locks, conditions, meetings])
def test_it_is_the_same_between_nodes_as_between_homes(cluster: Murder, single: Diaries, play: Play) -> None:
    assert play(cluster.front) == play(single)


# -- between nodes only ------------------------------------------------------------------------------------------------


def test_what_cannot_arrive_stays_where_it_is(cluster: Murder) -> None:
    source, target = f"{ANN}Default/stays.ics", f"{BOB}Default/stays.ics"
    by = cluster.front.by("admin")  # at b2
    assert by.request("PUT", source, event("stays")).status == 201
    cluster.nodes["b2"].kill()
    away = by.request("MOVE", source, Destination=target)
    assert (away.status, away.headers["Retry-After"]) == (503, "2")
    assert by.request("GET", source).text == event("stays")
    cluster.nodes["b2"].start()
    assert by.request("MOVE", source, Destination=target).status == 201
    assert by.request("GET", target).text == event("stays")


def test_any_node_carries_and_clients_do_not_have_the_methods_of_nodes(cluster: Murder) -> None:
    for number, node in enumerate(cluster.nodes.values()):
        by, name = node.by("admin"), f"n{number}"
        assert by.request("PUT", f"{ANN}Default/{name}.ics", event(name)).status == 201
        assert by.request("MOVE", f"{ANN}Default/{name}.ics", Destination=f"{BOB}Default/{name}.ics").status == 201
        assert by.request("GET", f"{BOB}Default/{name}.ics").text == event(name)
        for method in ("PACK-COPY", "PACK-MOVE", "UNPACK", "DROP", "HOLDS"):
            for home in (ANN, BOB):
                assert by.request(method, f"{home}Default/{name}.ics").status == 501
                assert by.request(method, f"{home}Default/{name}.ics", bytes(100_000)).status == 501
        refused = by.request("COPY", f"{ANN}Inbox/", Destination=f"{BOB}Inbox2/")
        assert refused.status == 405
        assert "PACK" not in refused.headers["Allow"]


def test_a_large_calendar_is_copied(cluster: Murder) -> None:
    by = cluster.front.by("admin")
    assert by.request("MKCALENDAR", f"{ANN}Many/").status == 201
    head, one, tail = re.split("(BEGIN:VEVENT.*END:VEVENT\r\n)", event("m"), flags=re.DOTALL)
    text = head + "".join(one.replace("UID:m", f"UID:m{number}") for number in range(200)) + tail
    assert by.request("POST", f"{ANN}Many/", text, Content_Type="text/calendar").status == 207
    assert by.request("COPY", f"{ANN}Many/", Destination=f"{BOB}Many/").status == 201
    assert by.request("PROPFIND", f"{BOB}Many/", Depth="1").text.count("<D:response>") == 201


def test_whichever_node_dies_while_things_are_moved_nothing_is_lost(cluster: Murder) -> None:
    """The client tries again until it is told that it is done; then all is at the one place, and not at the other."""
    names = [f"k{number}" for number in range(40)]
    by = cluster.front.by("admin")
    for name in names:
        assert by.request("PUT", f"{ANN}Default/{name}.ics", event(name)).status == 201
    statuses: list[int] = []

    def move(name: str) -> int:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                with Connection(cluster.front.port, "admin") as fresh:
                    target = f"{BOB}Default/{name}.ics"
                    status = fresh.request("MOVE", f"{ANN}Default/{name}.ics", Destination=target).status
            except (OSError, HTTPException):
                continue
            if status not in (503, 504):
                return status
        return 0

    def move_all() -> None:
        statuses.extend(map(move, names))

    worker = Thread(target=move_all)
    worker.start()
    for number, node in enumerate(("b1", "b2", "f1"), 1):
        until(lambda number=number: len(statuses) >= 8 * number, "it goes on")  # type: ignore[misc] # bound at once
        cluster.nodes[node].kill()
        cluster.nodes[node].start()
    worker.join()
    by = cluster.front.by("admin")
    assert set(statuses) <= {201, 204, 404}, statuses  # 404 where the answer to a try that succeeded was lost
    for name in names:
        assert by.request("GET", f"{BOB}Default/{name}.ics").text == event(name)
        assert by.request("GET", f"{ANN}Default/{name}.ics").status == 404
