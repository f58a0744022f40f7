"""The daemon as a process of its own, as twistd starts and stops it."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from calserver.store.schema import REVISION

TWISTD = [
    sys.executable,
    "-c",
    "from twisted.scripts.twistd import run; run()",
    "--nodaemon",
    "--pidfile=",
    "calserver",
]
WAIT_SECONDS = 30
AUTHORIZATION = {"Authorization": "Basic YW5uOmdlaGVpbQ=="}


@attrs.define
class Site:
    """A directory with a configuration and a store, and the processes that were started over it."""

    folder: Path
    processes: list[subprocess.Popen[str]] = attrs.field(factory=list)

    def start(self, text: str = "", *arguments: str) -> subprocess.Popen[str]:
        (self.folder / "calserver.toml").write_text(text)
        process = subprocess.Popen(
            [*TWISTD, "--config", str(self.folder / "calserver.toml"), *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "CALSERVER_CONFIG"},
        )
        self.processes.append(process)
        return process

    def refused(self, text: str = "", *arguments: str) -> str:
        """What a process says that must not start."""
        process = self.start(text, *arguments)
        said, _ = process.communicate(timeout=WAIT_SECONDS)
        assert process.returncode not in (0, None)
        assert "Traceback" not in said
        return said


@pytest.fixture
def site(populated: Path, tmp_path: Path) -> Iterator[Site]:
    shutil.copy(populated, tmp_path / "calserver.sqlite")
    found = Site(tmp_path)
    yield found
    for process in found.processes:
        process.kill()
        process.communicate()


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def listening(public: int, private: int, more: str = "") -> str:
    return f"""
        [server]
        listen = ["tcp:{public}:interface=127.0.0.1"]
        admin_listen = ["tcp:{private}:interface=127.0.0.1"]
        {more}
    """


def answers(port: int) -> None:
    """Wait until a port answers."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"nothing listens on {port}")


def test_sigterm_lets_a_running_request_finish_and_loses_nothing(site):
    """The database is kept by this process, so that the request is still running when the signal comes."""
    public, private = free_ports()
    process = site.start(listening(public, private) + '[log]\nformat = "json"\naccess_file = "access.log"')
    answers(public)
    with (
        closing(http.client.HTTPConnection("127.0.0.1", public, timeout=WAIT_SECONDS)) as client,
        closing(http.client.HTTPConnection("127.0.0.1", private, timeout=WAIT_SECONDS)) as metrics,
        closing(sqlite3.connect(site.folder / "calserver.sqlite", isolation_level=None)) as keeper,
    ):
        client.request("OPTIONS", "/dav/", headers=AUTHORIZATION)
        assert client.getresponse().read() == b""
        keeper.execute("BEGIN IMMEDIATE")
        client.request("PUT", "/dav/drive/user/ann/a.txt", b"kept", AUTHORIZATION)
        while not runs(metrics):
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        while takes_connections(public):
            time.sleep(0.02)
        assert process.poll() is None
        keeper.execute("COMMIT")
        assert client.getresponse().status == 201
    said, _ = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == -signal.SIGTERM, said  # twistd passes on what ended it
    assert "stopped" in [json.loads(line)["message"] for line in said.splitlines()]
    assert re.search(r'"PUT /dav/drive/user/ann/a.txt HTTP/1.1" 201 ', (site.folder / "access.log").read_text())
    with closing(sqlite3.connect(site.folder / "calserver.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def runs(metrics: http.client.HTTPConnection) -> bool:
    """Whether a request is being answered."""
    metrics.request("GET", "/metrics")
    return b"calserver_requests_in_flight 1.0" in metrics.getresponse().read()


def takes_connections(port: int) -> bool:
    """Whether a port still takes connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except (ConnectionRefusedError, ConnectionResetError):  # reset: it was closed before the connection was accepted
        return False
    return True


def test_endpoints_of_the_command_line_win_over_those_of_the_file(site):
    public, private = free_ports()
    site.start(listening(1, private), "--listen", f"tcp:{public}:interface=127.0.0.1")
    answers(public)
    answers(private)


def test_a_wrong_configuration_is_told_in_lines(site):
    said = site.refused("[server]\nlisten = 1\nlisen = 2")
    assert "calserver: server.listen: must be a list, not 1" in said
    assert "calserver: server.lisen: there is no such option (did you mean listen?)" in said


def test_a_missing_configuration_is_told(site):
    (site.folder / "calserver.toml").unlink(missing_ok=True)
    process = subprocess.run(TWISTD, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS, cwd=site.folder)
    assert process.returncode != 0
    assert "--config or CALSERVER_CONFIG" in process.stdout + process.stderr


def test_a_port_that_is_taken_is_told(site):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = site.refused(listening(taken.getsockname()[1], 0))
    assert "calserver: cannot listen on tcp:" in said


@pytest.mark.parametrize("endpoint", ["nonsense:1", "tcp:", "ssl:8443:privateKey=missing.pem"])
def test_an_endpoint_that_is_none_is_told(site, endpoint):
    assert f"calserver: cannot listen on {endpoint}" in site.refused("", "--listen", endpoint)


@pytest.mark.parametrize(
    ("revision", "what"), [("0001", "(calserver db upgrade)"), ("9999", "a newer program has upgraded it\n")]
)
def test_a_database_of_another_version_is_told(site, revision, what):
    with closing(sqlite3.connect(site.folder / "calserver.sqlite", isolation_level=None)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    said = site.refused(listening(0, 0))
    assert f"the database has revision {revision}, this program needs {REVISION}: " in said
    assert what in said
