"""Several processes as one server: they share sockets and a store, come and go under load, and nobody notices."""

import http.client
import json
import os
import random
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import pytest
from certificates import Authority
from daemon import START_SECONDS, Connection, Daemon, free_port
from ledger import Ledger, event

PATIENCE_SECONDS: Final = 120.0
TRIES: Final = 500
CALENDAR = "/dav/calendars/user/ann/Default/"
TAKEOVER = "/dav/calendars/user/{}/Default/takeover.ics"


@pytest.fixture
def crowd(make_daemon: Callable[..., Daemon], store_url: str) -> Daemon:
    """Two workers, not started yet."""
    daemon = make_daemon(store=store_url)
    daemon.configure(workers=2)
    return daemon


@pytest.fixture
def two(make_daemon: Callable[..., Daemon]) -> Daemon:
    """The same over SQLite, where the store is not what is tested."""
    daemon = make_daemon()
    daemon.configure(workers=2)
    return daemon


def until(holds: Callable[[], bool], what: str) -> float:
    """Wait; returns how long it took."""
    began, pause = time.monotonic(), threading.Event()
    while not holds():
        assert time.monotonic() < began + PATIENCE_SECONDS, what
        pause.wait(0.02)
    return time.monotonic() - began


def health(daemon: Daemon) -> dict[str, object]:
    with Connection(daemon.admin_port, None) as nobody:
        found: dict[str, object] = json.loads(nobody.request("GET", "/health").body)
        return found


def metrics(daemon: Daemon) -> str:
    with Connection(daemon.admin_port, None) as nobody:
        return nobody.request("GET", "/metrics").text


def start(daemon: Daemon) -> None:
    """Start, and wait until all workers answer."""
    daemon.start()
    until(lambda: health(daemon)["ready"] == 2, "not all became ready")


def process_of(connection: Connection) -> str:
    """Which process a connection leads to."""
    return connection.request("OPTIONS", "/dav/").headers["X-Request-Id"].partition("-")[0]


def both(daemon: Daemon, user: str = "ann") -> dict[str, Connection]:
    """A connection to each of two processes."""
    found: dict[str, Connection] = {}
    for _ in range(TRIES):
        connection = daemon.connect(user)
        if found.setdefault(process_of(connection), connection) is not connection:
            connection.close()
        if len(found) == 2:
            return found
    raise AssertionError("one process takes all connections")


def pids(daemon: Daemon) -> dict[str, int]:
    """The processes of the workers, by their numbers, as they were last said to answer."""
    said = re.findall(r"worker (\d+) answers, process (\d+)", daemon.tail(10_000))
    return {number: int(pid) for number, pid in said}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_both_answer_and_see_at_once_what_the_other_wrote(crowd: Daemon) -> None:
    start(crowd)
    one, other = both(crowd).values()
    poll = ("PROPFIND", CALENDAR)
    for number in range(20):
        before = other.request(*poll, Depth="0").text
        assert other.request(*poll, Depth="0").text == before, "nothing has changed"
        put = one.request("PUT", f"{CALENDAR}{number}.ics", event(f"{number}", number, 0), Content_Type="text/calendar")
        assert put.status == 201
        assert other.request(*poll, Depth="0").text != before, "a poll did not see what the other process wrote"
        assert other.request("GET", f"{CALENDAR}{number}.ics").headers["ETag"] == put.headers["ETag"]
        one, other = other, one
    counted = re.findall(r'calserver_requests_total\{worker="(\d)",method="PUT",status="201"\} (\d+)', metrics(crowd))
    assert sorted(counted) == [("1", "10.0"[:2]), ("2", "10.0"[:2])]


@attrs.define
class Load:
    """Writers, each with a calendar of its own, that go on until they are told to end."""

    daemon: Daemon
    ledgers: list[Ledger]
    breaks: bool
    """Whether connections may break."""
    stopping: threading.Event = attrs.field(factory=threading.Event)
    wrong: list[BaseException] = attrs.field(factory=list)
    broken: int = 0

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._write, args=(each,)) for each in self.ledgers]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join()
        if self.wrong:
            raise self.wrong[0]

    _threads: list[threading.Thread] = attrs.field(factory=list)

    @property
    def written(self) -> int:
        return sum(each.acknowledged for each in self.ledgers)

    def go_on(self, more: int = 30) -> None:
        """Wait until so many more requests were acknowledged."""
        enough = self.written + more
        until(lambda: bool(self.wrong) or self.written >= enough, "the writers do not get on")

    def _write(self, ledger: Ledger) -> None:
        chance = random.Random(ledger.path)
        try:
            while not self.stopping.is_set():
                connection = Connection(self.daemon.port, "ann")
                try:
                    ledger.settle(connection)
                    while not self.stopping.is_set():
                        ledger.write(connection, chance)
                except (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected):
                    self.broken += 1
                    if not self.breaks:
                        raise
                finally:
                    connection.close()
        except BaseException as error:  # noqa: BLE001 - it is told where it can be seen
            self.wrong.append(error)


@pytest.fixture
def ledgers() -> list[Ledger]:
    return [Ledger(f"/dav/calendars/user/ann/writer{n}/") for n in range(3)]


def furnish(daemon: Daemon, ledgers: list[Ledger]) -> None:
    with daemon.connect("ann") as ann:
        for ledger in ledgers:
            assert ann.request("MKCALENDAR", ledger.path).status == 201


def test_a_worker_that_is_killed_under_load_is_replaced_and_loses_nothing(crowd: Daemon, ledgers: list[Ledger]) -> None:
    start(crowd)
    furnish(crowd, ledgers)
    with Load(crowd, ledgers, breaks=True) as load:
        for number in ("1", "2", "1"):
            load.go_on()
            before = pids(crowd)
            os.kill(before[number], signal.SIGKILL)
            load.go_on()
            until(lambda old=before: pids(crowd) != old and health(crowd)["ready"] == 2, "it was not replaced")
    with crowd.connect("ann") as ann:
        for ledger in ledgers:
            ledger.settle(ann)
            ledger.catch_up(ann, random.Random(0))
    assert "was ended by SIGKILL; another one takes its place" in crowd.tail(10_000)
    assert 'calserver_workers_ended_total{worker="supervisor"} 3.0' in metrics(crowd)


def realm(daemon: Daemon) -> str:
    with daemon.connect(None) as nobody:
        return nobody.request("OPTIONS", "/dav/").headers["WWW-Authenticate"]


def test_a_reload_under_load_fails_no_request(crowd: Daemon, ledgers: list[Ledger]) -> None:
    start(crowd)
    furnish(crowd, ledgers)
    with Load(crowd, ledgers, breaks=False) as load:
        for name in ("first", "second"):
            load.go_on()
            old = set(pids(crowd).values())
            crowd.configure(realm=name)
            os.kill(crowd.pid, signal.SIGHUP)
            until(lambda old=old: not any(alive(pid) for pid in old), "the old ones do not end")
            assert f'realm="{name}"' in realm(crowd)
            load.go_on()
    assert load.broken == 0
    assert pids(crowd).keys() == {"1", "2"}


def reloaded(daemon: Daemon) -> int:
    return len(re.findall(r"(?<!nothing is )reloaded: ", daemon.tail(10_000)))


def test_what_is_wrong_with_a_configuration_leaves_the_workers_that_there_are(two: Daemon) -> None:
    start(two)
    good, old = two.config.read_text(), pids(two)
    two.config.write_text(good + "\n[serve]\n")
    os.kill(two.pid, signal.SIGHUP)
    until(lambda: "nothing is reloaded: serve: there is no such option" in two.tail(), "the mistake is not told")
    two.config.write_text(good)
    two.configure(access_file="missing/access.log")
    os.kill(two.pid, signal.SIGHUP)
    until(lambda: "worker 1 cannot be replaced: ended with status 1" in two.tail(), "the worker became ready")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        two.config.write_text(good)
        two.configure(listen=[f"tcp:{two.port}:interface=127.0.0.1", f"tcp:{taken.getsockname()[1]}"])
        os.kill(two.pid, signal.SIGHUP)
        until(lambda: "nothing is reloaded: cannot listen on tcp:" in two.tail(), "the port is told to be taken")
    assert (pids(two), health(two)["ready"], reloaded(two)) == (old, 2, 0)
    os.kill(old["1"], signal.SIGKILL)
    until(lambda: pids(two) != old, "it is replaced, with the configuration that was in effect")


def test_a_reload_changes_how_many_there_are_and_where_they_listen(two: Daemon) -> None:
    start(two)
    more = free_port()
    two.configure(workers=3, listen=[f"tcp:{port}:interface=127.0.0.1" for port in (two.port, more)], grace_seconds=1.0)
    os.kill(two.pid, signal.SIGHUP)
    until(lambda: reloaded(two) == 1, "it is not reloaded")
    assert health(two)["ready"] == 3
    with Connection(more, "ann") as ann:
        assert ann.request("OPTIONS", "/dav/").status == 200
    two.configure(workers=1, listen=[f"tcp:{more}:interface=127.0.0.1"])
    os.kill(two.pid, signal.SIGHUP)
    until(lambda: reloaded(two) == 2, "it is not reloaded")
    assert health(two) == {"status": "ok", "workers": 1, "ready": 1, "store": "ok"}
    with Connection(more, "ann") as ann:
        assert ann.request("OPTIONS", "/dav/").status == 200
    until(lambda: not takes_connections(two.port), "the old port is not closed")


def takes_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


MEETING = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.com//tests//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
    "DTSTAMP:20260101T000000Z\r\nDTSTART:20990101T090000Z\r\nDURATION:PT1H\r\nORGANIZER:mailto:ann@example.com\r\n"
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.com\r\nATTENDEE{bob}:mailto:bob@example.com\r\n"
    "ATTENDEE:mailto:carol@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def copy_of(connection: Connection, calendar: str, uid: str) -> str:
    """Where somebody has a meeting, whose name the server has chosen."""
    listing = connection.request("PROPFIND", calendar, Depth="1").text
    paths = [each for each in re.findall(r"href>([^<]+[^/])</", listing) if each.startswith(calendar)]
    (found,) = [each for each in paths if f"UID:{uid}\r\n" in connection.request("GET", each).text]
    return found


def answer_and_wait(daemon: Daemon, uid: str) -> float:
    """Bob answers an invitation; the server tells Carol in the background. Returns how long that took."""
    path = "/dav/calendars/user/{}/Default/{}"
    with daemon.connect("ann") as ann, daemon.connect("bob") as bob, daemon.connect("carol") as carol:
        put = ("text/calendar", MEETING.format(uid=uid, bob=""))
        assert ann.request("PUT", path.format("ann", uid + ".ics"), put[1], Content_Type=put[0]).status == 201
        theirs = {who: copy_of(by, path.format(who, ""), uid) for who, by in (("bob", bob), ("carol", carol))}
        accepted = MEETING.format(uid=uid, bob=";PARTSTAT=ACCEPTED")
        assert bob.request("PUT", theirs["bob"], accepted, Content_Type=put[0]).status in (200, 204)
        return until(
            lambda: (
                b"PARTSTAT=ACCEPTED"
                in b"".join(
                    line
                    for line in carol.request("GET", theirs["carol"]).body.replace(b"\r\n ", b"").splitlines()
                    if b"bob@" in line
                )
            ),
            "the others are not told",
        )


def done(daemon: Daemon) -> dict[str, float]:
    """How often the others were told, by worker."""
    found = re.findall(
        r'calserver_jobs_total\{worker="(\d)",job="([a-z-]+)",outcome="done"\} ([\d.]+)', metrics(daemon)
    )
    by_worker: dict[str, float] = {}
    for worker, _, count in found:
        by_worker[worker] = by_worker.get(worker, 0.0) + float(count)
    return by_worker


def test_what_is_done_in_the_background_is_done_by_one_and_then_by_another(crowd: Daemon) -> None:
    start(crowd)
    answer_and_wait(crowd, "first")
    (leader,) = done(crowd)
    os.kill(pids(crowd)[leader], signal.SIGKILL)
    assert answer_and_wait(crowd, "second") < START_SECONDS
    until(lambda: health(crowd)["ready"] == 2, "it was not replaced")
    after = done(crowd)
    assert leader not in after
    assert len(after) == 1


def test_workers_end_with_their_supervisor(two: Daemon) -> None:
    """Another one can start over the same ports at once."""
    start(two)
    workers = list(pids(two).values())
    os.kill(two.pid, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in workers), "they stay")
    two.stop()
    start(two)


def test_logs_of_all_go_on_in_new_files(two: Daemon) -> None:
    two.configure(access_file="access.log", file="calserver.log")
    start_with_log(two)
    names = [two.folder / "access.log", two.folder / "calserver.log"]
    for path in names:
        path.rename(path.with_name(path.name + ".1"))
    os.kill(two.pid, signal.SIGUSR1)
    until(lambda: all(path.exists() for path in names), "the files are not there")
    seen = {process_of(each) for each in both(two).values()}
    until(lambda: {line.split()[-2].partition("-")[0] for line in names[0].read_text().splitlines()} >= seen, "not all")


def start_with_log(daemon: Daemon) -> None:
    daemon.start()
    until(lambda: health(daemon)["ready"] == 2, "not all became ready")


@pytest.fixture
def certified(tmp_path: Path) -> tuple[Path, Path, ssl.SSLContext]:
    authority = Authority()
    public, secret = authority.pem_for("localhost")
    for name, content in (("cert.pem", public), ("key.pem", secret)):
        (tmp_path / name).write_bytes(content)
    context = ssl.create_default_context(cadata=authority.pem.decode())
    return tmp_path / "key.pem", tmp_path / "cert.pem", context


def test_every_kind_of_endpoint_is_shared(two: Daemon, certified: tuple[Path, Path, ssl.SSLContext]) -> None:
    key, certificate, context = certified
    port, balanced = free_port(), free_port()
    two.configure(
        listen=[
            f"tcp:{two.port}:interface=127.0.0.1",
            f"ssl:{port}:interface=127.0.0.1:privateKey={key}:certKey={certificate}",
            "unix:http.sock:mode=660",
            f"haproxy:tcp:{balanced}:interface=127.0.0.1",
        ],
        trusted_proxies=["127.0.0.0/8"],
    )
    start(two)
    place = two.folder / "http.sock"
    for turn in range(2):
        with (
            socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as encrypted,
        ):
            assert status_of(encrypted) == 401
        with socket.socket(socket.AF_UNIX) as local:
            local.connect(str(place))
            assert status_of(local) in (401, 403)
        with socket.create_connection(("127.0.0.1", balanced), timeout=30) as proxied:
            assert status_of(proxied, b"PROXY TCP4 192.0.2.1 127.0.0.1 1234 80\r\n") in (401, 403)
        assert place.stat().st_mode & 0o777 == 0o660
        if not turn:
            old = pids(two)
            os.kill(two.pid, signal.SIGHUP)
            until(lambda old=old: not any(alive(pid) for pid in old.values()), "the old ones do not end")
    two.stop()
    assert not place.exists()


def status_of(connection: socket.socket, before: bytes = b"") -> int:
    connection.sendall(before + b"PROPFIND /dav/ HTTP/1.1\r\nHost: localhost\r\nDepth: 0\r\nConnection: close\r\n\r\n")
    return int(connection.makefile("rb").readline().split()[1])
