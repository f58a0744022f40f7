"""Two servers over one PostgreSQL are one server: whoever asks the other one is told the same, at once."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest
from daemon import Connection, Daemon, calserver

ACCOUNTS = "uid,password,email\n" + "".join(f"{who},{who},{who}@example.com\n" for who in ("ann", "bob"))
HOME = "/dav/calendars/user/ann/"
CTAG = '<D:propfind xmlns:D="DAV:"><D:prop><D:sync-token/></D:prop></D:propfind>'
ROUNDS = 100
RACES = 20


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, database_of: Callable[[str], AbstractContextManager[str]]
) -> Iterator[tuple[Daemon, Daemon]]:
    folder = tmp_path_factory.mktemp("both")
    with ExitStack() as stack:
        url = stack.enter_context(database_of("postgres"))
        first = stack.enter_context(Daemon(folder / "first", ACCOUNTS, url))
        yield first, stack.enter_context(Daemon(folder / "second", "", url))


def event(uid: str, number: int = 0) -> str:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.com//tests//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20990101T090000Z\r\nDURATION:PT1H\r\n"
        f"SUMMARY:Number {number}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def put(connection: Connection, path: str, content: str, **headers: str) -> int:
    return connection.request("PUT", path, content, Content_Type="text/calendar", **headers).status


def token(connection: Connection, path: str) -> str:
    answer = connection.request("PROPFIND", path, CTAG, Content_Type="text/xml", Depth="0")
    assert answer.status == 207
    found = re.search(r"sync-token>([^<]+)<", answer.text)
    assert found is not None
    return found[1]


def test_a_poll_sees_what_the_other_has_acknowledged(both: tuple[Daemon, Daemon]) -> None:
    """However often it was asked before, and so is known by heart."""
    writer, reader = (each.connect("ann") for each in both)
    path = HOME + "Default/"
    seen = []
    for number in range(ROUNDS):
        before = token(reader, path)
        assert token(reader, path) == before
        assert put(writer, path + "x.ics", event("x", number)) in (201, 204)
        assert token(reader, path) != before
        assert f"Number {number}\r" in reader.request("GET", path + "x.ics").text
        seen.append(before)
    assert len(set(seen)) == ROUNDS


def test_a_password_that_was_changed_does_not_open_the_other(both: tuple[Daemon, Daemon]) -> None:
    first, second = both
    connections = [each.connect("bob") for each in both]
    assert [each.request("OPTIONS", "/dav/calendars/user/bob/").status for each in connections] == [200, 200]
    calserver("user", "password", "bob", "--password-stdin", "--config", first.config, stdin="new\n")
    assert [each.request("OPTIONS", "/dav/calendars/user/bob/").status for each in connections] == [401, 401]
    assert second.connect("bob", "new").request("OPTIONS", "/dav/calendars/user/bob/").status == 200


def test_of_two_objects_with_one_uid_one_is_stored(both: tuple[Daemon, Daemon]) -> None:
    connections = [each.connect("ann") for each in both]
    paths = [f"{HOME}calendar{number}/" for number in range(2)]
    for connection, path in zip(connections, paths, strict=True):
        assert connection.request("MKCALENDAR", path).status == 201

    def store(race: int, number: int) -> None:
        gate.wait()
        statuses.append(put(connections[number], f"{paths[number]}{race}.ics", event(f"race{race}")))

    for race in range(RACES):
        gate, statuses = threading.Barrier(2), list[int]()
        threads = [threading.Thread(target=store, args=(race, number)) for number in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sorted(statuses) == [201, 403]


def test_of_two_changes_of_one_version_one_is_made(both: tuple[Daemon, Daemon]) -> None:
    connections = [each.connect("ann") for each in both]
    path = HOME + "Default/version.ics"
    assert put(connections[0], path, event("version")) == 201

    def change(number: int, etag: str) -> None:
        gate.wait()
        statuses.append(put(connections[number], path, event("version", number + 1), If_Match=etag))

    for _ in range(RACES):
        etag = connections[0].request("GET", path).headers["ETag"]
        gate, statuses = threading.Barrier(2), list[int]()
        threads = [threading.Thread(target=change, args=(number, etag)) for number in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sorted(statuses) == [204, 412]
        assert put(connections[0], path, event("version", 99)) == 204
