"""Requests that nobody should send, to a real server: a refusal by name, no change, and no time lost (threats)."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from daemon import Daemon
from hostile import (
    CALENDAR,
    DEADLINE_SECONDS,
    FILE,
    FILES,
    FOREIGN,
    SECRET,
    Row,
    check,
    conditions,
    credentials,
    event,
    everything,
    furnish,
    message,
    query,
    row,
    send,
    xml,
)
from hostile_bytes import MESSAGES, Message
from hostile_calendars import BOMBS, TEXTS, Poison
from hostile_requests import ROWS
from lxml import etree

from calserver.names import C

NEW = CALENDAR + "new.ics"


@pytest.fixture(scope="module")
def victim(daemon: Daemon) -> Iterator[Daemon]:
    """A server with something to lose; whatever it is asked, it logs no bug."""
    furnish(daemon)
    yield daemon
    assert "Traceback" not in daemon.log.read_text(encoding="utf-8")


def table(rows: dict[str, tuple[Row, ...]]) -> list[object]:
    return [
        pytest.param(each, id=f"{part}: {each.name}") for part, each in ((p, e) for p, es in rows.items() for e in es)
    ]


@pytest.mark.parametrize("tried", table(ROWS))
def test_it_is_refused_by_name_and_changes_nothing(victim: Daemon, tried: Row) -> None:
    check(victim, tried)


# -- what is stored ------------------------------------------------------------------------------------------------

SPAN = 'start="20250101T000000Z" end="20350101T000000Z"'
WEEK = 'start="20260105T000000Z" end="20260112T000000Z"'
TIMED = '<C:comp-filter name="VEVENT"><C:time-range {}/></C:comp-filter>'
JCAL = "application/calendar+json"
PROBES = {
    "its own text": ("GET", NEW, b""),
    "the whole calendar": ("GET", CALENDAR, b""),
    "a listing": ("PROPFIND", CALENDAR, xml("D:propfind", "<D:allprop/>")),
    "all texts": ("REPORT", CALENDAR, query('<C:comp-filter name="VEVENT"/>')),
    "ten years": ("REPORT", CALENDAR, query(TIMED.format(SPAN))),
    "the week of all years": ("REPORT", CALENDAR, query(TIMED.format(WEEK.replace("2026", "2090")))),
    "reminders": (
        "REPORT",
        CALENDAR,
        query(f'<C:comp-filter name="VEVENT">{TIMED.format(WEEK).replace("VEVENT", "VALARM")}</C:comp-filter>'),
    ),
    "expanded": (
        "REPORT",
        CALENDAR,
        query(TIMED.format(WEEK), data=f"<C:calendar-data><C:expand {WEEK}/></C:calendar-data>"),
    ),
    "limited": (
        "REPORT",
        CALENDAR,
        query(TIMED.format(WEEK), data=f"<C:calendar-data><C:limit-recurrence-set {WEEK}/></C:calendar-data>"),
    ),
    "busy times of ten years": ("REPORT", CALENDAR, xml("C:free-busy-query", f"<C:time-range {SPAN}/>")),
    "as jCal": ("GET", NEW, b""),
}
"""What people and their programs ask of a calendar; the answers are the right ones whatever is in it."""


def stored(rows: tuple[Poison, ...]) -> list[object]:
    return [pytest.param(each, id=each.name) for each in rows]


@pytest.mark.parametrize("poison", stored((*BOMBS, *TEXTS)))
def test_what_is_stored_harms_nobody(victim: Daemon, poison: Poison) -> None:
    before = everything(victim)
    answer = send(victim.port, message(row("", f"PUT {NEW}", (), body=poison.body, Content_Type=poison.media_type)))
    try:
        if poison.condition:
            assert (answer.status, conditions(answer)) == (403, {poison.condition}), answer.body
            assert everything(victim) == before
            return
        assert answer.status == 201, answer.body
        for name, (method, path, body) in PROBES.items():
            probe(
                victim,
                name,
                row("", f"{method} {path}", (), body=body, Depth="1", Accept=JCAL if "jCal" in name else "*/*"),
            )
        everything(victim)
    finally:
        send(victim.port, message(row("", f"DELETE {NEW}", ())))


def probe(victim: Daemon, name: str, asked: Row) -> None:
    """An answer in time that can be read, and has in it what others have stored."""
    found = send(victim.port, message(asked))
    assert found.status in (200, 207) or conditions(found) == {C("max-instances")}, (name, found.status, found.body)
    if "xml" in found.headers["content-type"]:
        etree.fromstring(found.body)
    if found.status == 207 and name not in ("reminders", "the week of all years"):
        assert b"kept" in found.body, (name, found)


# -- what is no request --------------------------------------------------------------------------------------------


def until_closed(connection: socket.socket) -> bytes:
    """All that comes until the server closes, within the deadline."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while more := connection.recv(65536):
            received += more
    return received


@pytest.mark.parametrize("tried", [pytest.param(each, id=each.name) for each in MESSAGES])
def test_one_refusal_and_the_connection_is_closed(victim: Daemon, tried: Message) -> None:
    before = everything(victim)
    with socket.create_connection(("127.0.0.1", victim.port), timeout=DEADLINE_SECONDS) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(tried.data)
        received = until_closed(connection)
    assert received.startswith(b"HTTP/1.1 %d " % tried.status), received
    assert received.count(b"HTTP/1.1 ") == 1, received
    assert everything(victim) == before


# -- what is told ----------------------------------------------------------------------------------------------------

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def test_names_with_markup_are_text_in_listings(victim: Daemon) -> None:
    """Stored cross-site scripting: the page of a collection, and the type of what is in it."""
    name = f"{FILES}{quote(EVIL.replace('/', ''), safe='')}"
    display = xml("D:propertyupdate", f"<D:set><D:prop><D:displayname>{escape(EVIL)}</D:displayname></D:prop></D:set>")
    for asked, status in (
        (row("", f"MKCOL {name}/", ()), 201),
        (row("", f"PROPPATCH {name}/", (), body=display), 207),
        (row("", f"PUT {name}/evil.html", (), body=EVIL, Content_Type="text/html"), 201),
    ):
        assert send(victim.port, message(asked)).status == status
    try:
        for path in (FILES, name + "/"):
            page = send(victim.port, message(row("", f"GET {path}", (), Accept="text/html")))
            assert page.status == 200
            assert b"<script" not in page.body
            assert b"<img" not in page.body
            assert "default-src 'none'" in page.headers["content-security-policy"]
        stored = send(victim.port, message(row("", f"GET {name}/evil.html", ())))
        assert "sandbox" in stored.headers["content-security-policy"]
        assert stored.headers["x-content-type-options"] == "nosniff"
    finally:
        assert send(victim.port, message(row("", f"DELETE {name}/", ()))).status == 204


HIDDEN = {
    "an event": (SECRET, FOREIGN + "nothing.ics"),
    "a calendar": (FOREIGN, "/dav/calendars/user/bob/nothing/"),
    "a file": ("/dav/drive/user/bob/secret.txt", "/dav/drive/user/bob/nothing.txt"),
    "a calendar that tells when one is busy": ("/dav/calendars/user/carol/Tasks/", "/dav/calendars/user/carol/None/"),
    "a calendar of somebody": ("/dav/calendars/user/carol/Tasks/", "/dav/calendars/user/nobody/Tasks/"),
    "what somebody has": ("/dav/calendars/user/carol/", "/dav/calendars/user/nobody/"),
}
"""What there is, and what there is not, of which one may not know which is which."""


def computed_seconds(daemon: Daemon) -> float:
    """How long the server has computed, in all its threads."""
    threads = Path(f"/proc/{daemon.pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in threads) / 1e9


METHODS = ("GET", "DELETE", "PROPFIND", "PROPPATCH", "PUT", "MKCOL", "LOCK", "ACL", "COPY", "MOVE", "REPORT")
TIMES = 15


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("paths", HIDDEN.values(), ids=HIDDEN)
def test_what_is_hidden_is_like_what_is_not_there(victim: Daemon, method: str, paths: tuple[str, str]) -> None:
    """The same answer, for about the same work."""
    body = event() if method == "PUT" else query() if method == "REPORT" else b""
    fields = {"Destination": CALENDAR + "x.ics"} if method in ("COPY", "MOVE") else {}
    least = [1.0, 1.0]
    for _ in range(TIMES):
        answers = []
        for number, path in enumerate(paths):
            before = computed_seconds(victim)
            answer = send(victim.port, message(row("", f"{method} {path}", (), body=body, **fields)))
            least[number] = min(least[number], computed_seconds(victim) - before)
            answers.append((answer.status, answer.text.replace(path, "")))
    assert answers[0] == answers[1]
    assert answers[0][0] in (403, 404, 405)
    assert abs(least[0] - least[1]) < 0.001


# -- who guesses -----------------------------------------------------------------------------------------------------


def guess(daemon: Daemon, user: str, password: str) -> tuple[int, float]:
    began = time.perf_counter()
    authorization = credentials(user, password)
    answer = send(daemon.port, message(row("", f"GET {FILE}", (), user=None, Authorization=authorization)))
    return answer.status, time.perf_counter() - began


def test_guesses_are_slow_whoever_is_guessed_and_few_however_many_come_at_a_time(
    make_daemon: Callable[..., Daemon],
) -> None:
    daemon = make_daemon()
    daemon.start()
    furnish(daemon)
    known, unknown = ([guess(daemon, user, f"wrong {n}") for n in range(5)] for user in ("ann", "nobody"))
    assert {status for status, _ in known + unknown} == {401}
    fastest = [min(seconds for _, seconds in each) for each in (known, unknown)]
    assert max(fastest) < 2 * min(fastest)
    with ThreadPoolExecutor(5) as pool:
        statuses = [each[0] for each in pool.map(lambda n: guess(daemon, "bob", f"wrong {n}"), range(50))]
    assert (statuses.count(401), statuses.count(429)) == (10, 40)
    assert guess(daemon, "ann", "ann")[0] == 200, "who has logged in is not locked out"


# -- for how long ----------------------------------------------------------------------------------------------------


MOST_SWEEPS = 8
"""After how many the memory of a server that loses none has stopped to grow: pools fill up in the beginning."""


def resources(daemon: Daemon) -> tuple[int, int]:
    """Bytes of memory and open descriptors of the server."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return resident * 1024, len(list(Path(f"/proc/{daemon.pid}/fd").iterdir()))


def test_all_of_it_again_and_again_leaves_nothing_behind(victim: Daemon) -> None:
    rows = [each for part in ROWS.values() for each in part if len(each.body) < 1_000_000]

    def sweep() -> tuple[int, int]:
        for each in rows:
            send(victim.port, message(each), each.request.split()[0])
        for tried in MESSAGES:
            with socket.create_connection(("127.0.0.1", victim.port), timeout=DEADLINE_SECONDS) as connection:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(tried.data)
                until_closed(connection)
        return resources(victim)

    sweep()
    first = before = sweep()
    for _ in range(MOST_SWEEPS):
        memory, descriptors = sweep()
        assert descriptors <= first[1] + 3
        if memory - before[0] < 2_000_000:
            return
        before = (memory, descriptors)
    pytest.fail(f"{MOST_SWEEPS} times the same has taken more memory each time")
