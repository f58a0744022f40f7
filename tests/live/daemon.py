"""A real server of ours for tests: a process of its own, over a directory of its own, on ports of its own."""

import atexit
import base64
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import cache
from http.client import HTTPResponse
from pathlib import Path
from typing import NamedTuple, Self

from calserver.cli import run

CALSERVER = (sys.executable, "-m", "calserver.cli")
ACCOUNTS = """\
uid,password,name,email,type,admin
ann,ann,Ann Archer,ann@example.com,user,
bob,bob,Bob Baker,bob@example.com,user,
carol,carol,Carol Cook,carol@example.com,user,
admin,admin,Administrator,admin@example.com,user,yes
room1,,Room 1,room1@example.com,location,
"""
TEMPLATE_PORTS = (11111, 22222)
START_SECONDS = 120.0
STOP_SECONDS = 20.0


class Answer(NamedTuple):
    """Status, header fields and body of a response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


class Connection:
    """HTTP as one user over one kept-alive connection."""

    def __init__(self, port: int, user: str | None, password: str | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers: dict[str, str] = {}
        if user is not None:
            token = base64.b64encode(f"{user}:{password if password is not None else user}".encode()).decode()
            self._headers["Authorization"] = f"Basic {token}"

    def request(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Answer:
        """Send and read; ``_`` in the names of header fields stands for ``-``."""
        content = body.encode() if isinstance(body, str) else body
        fields = self._headers | {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, content or None, fields)
        response: HTTPResponse = self._connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def calserver(*arguments: str | Path, stdin: str = "") -> str:
    """Run a verb of the command line that must succeed; returns what it printed."""
    done = subprocess.run(
        [*CALSERVER, *map(str, arguments)], input=stdin, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"calserver {' '.join(map(str, arguments))}: {done.stderr}{done.stdout}"
    return done.stdout


def prepare(*arguments: str | Path) -> str:
    """The same without a process, for what tests need before they begin: it would compile and read everything first."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        status = run(list(map(str, arguments)))
    assert status == 0, f"calserver {' '.join(map(str, arguments))}: status {status}"
    return printed.getvalue()


def made(folder: Path, accounts: str, port: int, admin_port: int, *more: str) -> Path:
    """Have the command line make a directory with accounts."""
    local = "tcp:{}:interface=127.0.0.1"
    prepare("init", folder, "--listen", local.format(port), "--admin-listen", local.format(admin_port), *more)
    if accounts:
        table = folder.with_name(folder.name + ".csv")
        table.write_text(accounts, encoding="utf-8")
        prepare("principals", "import", table, "--config", folder / "calserver.toml")
    return folder


@cache
def template(accounts: str) -> Path:
    """A directory with these accounts, which others are copies of: making one takes seconds."""
    place = Path(tempfile.mkdtemp(prefix="calserver-template-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return made(place / "server", accounts, *TEMPLATE_PORTS)


class Daemon:
    """The daemon over a directory that `calserver init` made, as a context manager; it can be killed and started again.

    Args:
        folder: where the directory is to be; it must not exist.
        accounts: CSV text for `calserver principals import`; none where there are people already.
        store: the URL of the store; the default of `calserver init` where it is empty.
    """

    prefix: tuple[str, ...] = ()
    """What the command of the server begins with."""

    def __init__(self, folder: Path, accounts: str, store: str = "") -> None:
        self.folder = folder
        self.port, self.admin_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.config = folder / "calserver.toml"
        self.log = folder.with_name(folder.name + ".log")
        self._process: subprocess.Popen[bytes] | None = None
        self._connections: list[Connection] = []
        self.store_url = store or f"sqlite:///{folder}/calserver.sqlite"
        if store:
            made(folder, accounts, self.port, self.admin_port, "--store", store)
        else:
            shutil.copytree(template(accounts), folder)
            text = self.config.read_text(encoding="utf-8")
            for number, port in zip(TEMPLATE_PORTS, (self.port, self.admin_port), strict=True):
                text = text.replace(f"tcp:{number}:", f"tcp:{port}:")
            self.config.write_text(text, encoding="utf-8")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the running daemon."""
        assert self._process is not None
        return self._process.pid

    def configure(self, **options: object) -> None:
        """Change options of the configuration by their names, of which there must be one."""
        text = self.config.read_text(encoding="utf-8")
        for name, value in options.items():
            line = f"{name} = {json.dumps(value)}"
            text, changed = re.subn(rf"(?m)^#?{name} = .*$", lambda _, line=line: line, text)
            assert changed == 1, name
        self.config.write_text(text, encoding="utf-8")

    def start(self, health: int = 200) -> None:
        """Start, and return when that is how it is; the time that takes is bounded."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, *CALSERVER, "serve", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        self._await_answer(health, time.monotonic() + START_SECONDS)

    def _await_answer(self, health: int, deadline: float) -> None:
        assert self._process is not None
        while time.monotonic() < deadline:
            if self.health() == health:
                return
            try:
                self._process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            break
        raise AssertionError(f"the daemon did not start:\n{self.tail()}")

    def health(self) -> int:
        """What it says of itself: an HTTP status, 0 where it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def stop(self) -> None:
        """Ask it to finish what runs, and wait until it is gone."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill -9, with all processes that it has started: nothing gets finished."""
        self._end(signal.SIGKILL)

    def _end(self, with_signal: signal.Signals) -> None:
        while self._connections:
            self._connections.pop().close()
        if self._process is None:
            return
        if with_signal == signal.SIGKILL:
            os.killpg(self._process.pid, with_signal)  # it has a session of its own
        else:
            self._process.send_signal(with_signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"the daemon did not stop within {STOP_SECONDS} s:\n{self.tail()}") from None
        finally:
            self._process = None

    def connect(self, user: str | None, password: str | None = None) -> Connection:
        """HTTP as a user whose password is the uid, unless given; closed with the daemon at the latest."""
        self._connections.append(Connection(self.port, user, password))
        return self._connections[-1]

    def tail(self, lines: int = 40) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
