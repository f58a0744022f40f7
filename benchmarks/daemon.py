"""The server under measurement: started on an empty store, its costs read from the kernel."""

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
from pathlib import Path
from typing import Self

from ischedule import dkim

PASSWORD = "benchmark"


class Daemon:
    """A calserver process with accounts ``user1`` ... on a throw-away directory, as a context manager.

    Its modules are compiled before, as installing a program does: else the start would be that of compiling them.

    Args:
        users: how many accounts there are.
        root: the checkout that serves; this one unless told.
        store: the URL of an empty database; SQLite unless told.
        key: of another domain that may send iSchedule messages.
        options: of the configuration file, as they stand there.
    """

    def __init__(
        self,
        users: int = 12,
        *,
        root: Path | None = None,
        store: str = "",
        key: dkim.SigningKey | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._users = users
        self._store = ("--store", store) if store else ()
        self._key = key
        self._options = dict(options or {})
        self._command = [sys.executable, "-m", "calserver.cli"]
        self._cwd = root or Path(__file__).parent.parent
        self._directory = Path(tempfile.mkdtemp(prefix="calserver-bench-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.host, self.port = "127.0.0.1", _free_port()
        self.start_seconds = self.start_cpu_seconds = 0.0

    def __enter__(self) -> Self:
        self._prepare()
        self.start()
        return self

    def start(self) -> None:
        """Start it, and wait for its first answer."""
        began = time.monotonic()
        log = (self._directory / "daemon.log").open("wb")
        self._process = subprocess.Popen(
            [*self._command, "serve", "--config", str(self.config)], stdout=log, stderr=log, cwd=self._cwd
        )
        self._await_answer()
        self.start_seconds = time.monotonic() - began
        self.start_cpu_seconds = self.cpu()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it, and leave nothing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self._directory / "site" / "calserver.toml"

    @property
    def pids(self) -> list[int]:
        """The process ids of the running daemon and its children."""
        assert self._process is not None
        return [self._process.pid, *_children(self._process.pid)]

    def cpu(self) -> float:
        """CPU seconds that the daemon and its children have used so far."""
        return sum(map(_cpu_seconds, self.pids))

    def resident_bytes(self) -> int:
        """Resident memory of the daemon and its children."""
        total = 0
        for pid in self.pids:
            found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            total += int(found.group(1)) * 1024 if found else 0
        return total

    def add_users(self, first: int, last: int) -> None:
        """Make accounts that nobody logs in to, beside the running server."""
        rows = "".join(f"user{n},User {n},user{n}@example.com\n" for n in range(first, last + 1))
        self.add_accounts("uid,name,email\n" + rows)

    def _prepare(self) -> None:
        subprocess.run([sys.executable, "-m", "compileall", "-q", "calserver", "ischedule"], cwd=self._cwd, check=True)
        self.make_site()
        rows = "".join(f"user{n},{PASSWORD},User {n},user{n}@example.com\n" for n in range(1, self._users + 1))
        self.add_accounts("uid,password,name,email\n" + rows)
        if self._key is not None:
            self._know(self._key)

    def make_site(self) -> None:
        """Make the configuration and an empty store."""
        site = self._directory / "site"
        listen = f"tcp:{self.port}:interface={self.host}"
        admin = f"tcp:{_free_port()}:interface=127.0.0.1"
        self.run("init", str(site), "--listen", listen, "--admin-listen", admin, *self._store)
        self._configure(self._options)

    def add_accounts(self, table: str) -> None:
        """Make accounts as a CSV table says."""
        accounts = self._directory / "accounts.csv"
        accounts.write_text(table)
        self.run("principals", "import", str(accounts), "--config", str(self.config))

    def _configure(self, options: Mapping[str, str]) -> None:
        text = self.config.read_text()
        for name, value in options.items():
            text, found = re.subn(rf"(?m)^#?{name} = .*$", f"{name} = {value}", text)
            if not found:
                raise SystemExit(f"there is no option {name}")
        self.config.write_text(text)

    def _know(self, key: dkim.SigningKey) -> None:
        """Let a domain send messages as fast as it likes."""
        keys = self.config.parent / "peer-keys" / key.domain
        keys.mkdir(parents=True)
        (keys / f"{key.selector}.txt").write_text(dkim.key_record(key.private))
        self._configure({"domain": '"example.com"', "address_rate": "1e6", "domain_rate": "1e6"})
        with self.config.open("a") as file:
            file.write(f'\n[ischedule.peers."{key.domain}"]\npinned = true\n')

    def join(self, section: str) -> None:
        """Make it a node of a cluster, by a section of the configuration."""
        text = self.config.read_text()
        begin, end = text.index("[cluster]"), text.index("[log]")
        self.config.write_text(text[:begin] + section + "\n" + text[end:])

    def run(self, *arguments: str) -> str:
        """What a verb of the command line says."""
        done = subprocess.run([*self._command, *arguments], cwd=self._cwd, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"calserver {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout

    def _await_answer(self) -> None:
        """Wait for an answer; a refusal is one."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                with socket.create_connection((self.host, self.port), timeout=5) as connection:
                    connection.sendall(f"OPTIONS /dav/ HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n\r\n".encode())
                    if connection.recv(64).startswith(b"HTTP/1.1 "):
                        return
            except OSError:
                time.sleep(0.02)
        raise SystemExit("the daemon did not start:\n" + (self._directory / "daemon.log").read_text()[-4000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children = (task / "children").read_text().split() if (task / "children").exists() else []
        for child in children:
            found += [int(child), *_children(int(child))]
    return found


def _cpu_seconds(pid: int) -> float:
    """Run time of all live threads in nanoseconds; of the process in ticks where that is not to be had."""
    try:
        return sum(int(each.read_text().split()[0]) for each in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    except (OSError, ValueError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
