"""Thousands of connections that do nothing, or next to nothing, cost a process little and others no time."""

import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from daemon import Daemon

IDLE, SLOW = 10_000, 1_000
MOST_BYTES = 150_000_000
AT_ONCE_SECONDS = 3.0
"""Within which others are answered, on a machine that has other things to do."""


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Let this process, and those that it starts, open as many files as the test needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE + SLOW + 1000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"a process may open {hard} files at most here, which is fewer than {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident_bytes(daemon: Daemon) -> int:
    lines = Path(f"/proc/{daemon.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024


def test_idle_and_slow_connections_cost_little(many_descriptors: None, make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon()
    patient = re.sub(r"#(idle|request)_timeout_seconds = .*", r"\1_timeout_seconds = 600.0", daemon.config.read_text())
    daemon.config.write_text(patient)
    daemon.start()
    with ExitStack() as opened:
        idle, slow = (
            [opened.enter_context(socket.create_connection(("127.0.0.1", daemon.port))) for _ in range(count)]
            for count in (IDLE, SLOW)
        )
        for each in slow:
            each.sendall(b"PUT /dav/calendars/user/ann/Default/slow.ics HTTP/1.1\r\nHost: slow\r\n")
        for each in slow:
            each.sendall(b"Content-Le")
        ann = daemon.connect("ann")
        assert ann.request("OPTIONS", "/dav/").status == 200
        began = time.monotonic()
        assert ann.request("PROPFIND", "/dav/calendars/user/ann/", Depth="1").status == 207
        assert time.monotonic() - began < AT_ONCE_SECONDS
        assert resident_bytes(daemon) < MOST_BYTES
        for each in (idle[0], idle[-1]):
            each.sendall(b"OPTIONS /dav/ HTTP/1.1\r\nHost: idle\r\nConnection: close\r\n\r\n")
            assert each.recv(12) == b"HTTP/1.1 401"
        for each in (slow[0], slow[-1]):
            each.sendall(b"ngth: 0\r\n\r\n")
            assert each.recv(12) == b"HTTP/1.1 401"
    assert ann.request("OPTIONS", "/dav/").status == 200
