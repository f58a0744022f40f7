"""The daemon as administrators start it, and the command line beside it on the same database."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon import CALSERVER, START_SECONDS, Connection, Daemon, calserver, free_port

ROOT = Path(__file__).parent.parent.parent
TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=")
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//calserver//tests//EN\r\nBEGIN:VEVENT\r\nUID:{0}\r\n"
    "DTSTAMP:20260105T120000Z\r\nDTSTART:20260202T090000Z\r\nSUMMARY:{0}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@contextmanager
def running(*command: str) -> Iterator[list[str]]:
    """A daemon in the foreground until it says that it serves; yields what it printed until then; SIGTERM ends it."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    printed: list[str] = []
    try:
        assert process.stdout
        for line in process.stdout:  # ends when the process does
            printed.append(line)
            if re.search(r"serving /dav/ on", line):
                break
        else:
            raise AssertionError("".join(printed))
        yield printed
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=START_SECONDS)
    assert process.returncode in (0, -signal.SIGTERM), "".join(printed) + rest  # twistd passes the signal on at the end
    assert "stopped" in rest
    assert "Traceback" not in rest


def principal_of(port: int, user: str = "ann", password: str = "ann") -> int:
    with Connection(port, user, password) as connection:
        return connection.request("PROPFIND", f"/dav/principals/user/{user}/", Depth="0").status


def test_twistd_and_serve_are_the_same_daemon(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon()
    with running(*TWISTD, "calserver", "--config", str(daemon.config)):
        assert principal_of(daemon.port, password="ann") == 207
    other = free_port()
    serve = (*CALSERVER, "serve", "--config", str(daemon.config), "--listen", f"tcp:{other}:interface=127.0.0.1")
    with running(*serve):
        assert principal_of(other, password="ann") == 207
        try:
            principal_of(daemon.port, password="ann")
        except ConnectionRefusedError:
            pass
        else:
            raise AssertionError("--listen adds to the file instead of standing for it")


def test_what_keeps_it_from_starting_is_one_line(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon()
    daemon.start()
    busy = subprocess.run(
        [*CALSERVER, "serve", "--config", str(daemon.config)], capture_output=True, text=True, check=False, timeout=30
    )
    assert busy.returncode == 1
    assert f"calserver: cannot listen on tcp:{daemon.port}" in busy.stderr.splitlines()[-1]
    assert "Traceback" not in busy.stdout + busy.stderr
    daemon.config.write_text("[server]\nlisten = 1\n")
    wrong = subprocess.run(
        [*CALSERVER, "serve", "--config", str(daemon.config)], capture_output=True, text=True, check=False, timeout=30
    )
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)


def test_the_command_line_works_beside_a_running_server(make_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = make_daemon()
    daemon.start()
    config = ("--config", daemon.config)
    calserver("user", "add", "dora", "--password-stdin", *config, stdin="first\n")
    assert principal_of(daemon.port, "dora", "first") == 207
    calserver("user", "password", "dora", "--password-stdin", *config, stdin="second\n")
    assert principal_of(daemon.port, "dora", "first") == 401
    assert principal_of(daemon.port, "dora", "second") == 207

    folder = tmp_path / "events"
    folder.mkdir()
    for n in range(130):
        (folder / f"e{n}.ics").write_text(EVENT.format(f"e{n}"), newline="")
    dora = daemon.connect("dora", "second")
    place = "/dav/calendars/user/dora/Default/"
    assert dora.request("PUT", place + "mine.ics", EVENT.format("mine"), Content_Type="text/calendar").status == 201
    before = dora.request("PROPFIND", place, Depth="0").text
    calserver("calendar", "import", "dora", "Default", folder, *config)
    assert dora.request("GET", place + "e7.ics").text == EVENT.format("e7")
    assert dora.request("PROPFIND", place, Depth="0").text != before, "polls see what another process wrote"
    assert calserver("calendar", "export", "dora", "Default", *config).count("BEGIN:VEVENT") == 131
    calserver("user", "remove", "dora", "--yes", *config)
    assert dora.request("GET", place + "e7.ics").status == 401


def test_health_and_metrics_have_a_port_of_their_own(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon()
    daemon.start()
    answers = {}
    for port in (daemon.port, daemon.admin_port):
        for path in ("/health", "/metrics"):
            with Connection(port, None) as nobody:
                answers[port, path] = nobody.request("GET", path).status
    assert [answers[daemon.admin_port, path] for path in ("/health", "/metrics")] == [200, 200]
    assert 200 not in [answers[daemon.port, path] for path in ("/health", "/metrics")]


def test_logs_go_on_in_new_files_after_a_signal(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon()
    daemon.config.write_text(
        daemon.config.read_text()
        .replace('#access_file = ""', 'access_file = "access.log"')
        .replace('#file = ""', 'file = "calserver.log"')
    )
    access, application = daemon.folder / "access.log", daemon.folder / "calserver.log"
    daemon.start()
    with daemon.connect("ann") as ann:
        for number in (1, 2):
            ann.request("OPTIONS", f"/dav/?{number}")
            for path in (access, application):
                path.rename(path.with_name(f"{path.name}.{number}"))
            ann.request("OPTIONS", f"/dav/?still-{number}")
            os.kill(daemon.pid, signal.SIGUSR1)
            deadline = time.monotonic() + START_SECONDS
            while not (access.exists() and application.exists()):
                assert time.monotonic() < deadline
                ann.request("OPTIONS", f"/dav/?until-{number}")
        ann.request("OPTIONS", "/dav/?last")
    daemon.stop()
    first, second, third = (
        path.read_text() for path in (access.with_name("access.log.1"), access.with_name("access.log.2"), access)
    )
    assert "/dav/?1 " in first
    assert "/dav/?still-1 " in first
    assert "/dav/?2 " in second
    assert "/dav/?last " in third
    assert "/dav/?2 " not in first + third
    assert "serving" in application.with_name("calserver.log.1").read_text()
    assert "stopped" in application.read_text()
