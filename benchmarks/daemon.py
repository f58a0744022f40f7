"""The server under measurement: started on an empty store, its CPU time read from the kernel."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

PASSWORD = "benchmark"


class Daemon:
    """A calserver process with accounts ``user1`` ... on a throw-away directory, as a context manager."""

    def __init__(
        self, users: int = 12, *, python: str = sys.executable, root: Path | None = None, store: str = ""
    ) -> None:
        self._users = users
        self._store = ("--store", store) if store else ()
        self._command = [python, "-m", "calserver.cli"]
        self._cwd = root or Path(__file__).parent.parent
        self._directory = Path(tempfile.mkdtemp(prefix="calserver-bench-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.host, self.port = "127.0.0.1", _free_port()
        self.start_seconds = 0.0

    def __enter__(self) -> Self:
        self._prepare()
        began = time.monotonic()
        log = (self._directory / "daemon.log").open("wb")
        self._process = subprocess.Popen(
            [*self._command, "serve", "--config", str(self.config)], stdout=log, stderr=log, cwd=self._cwd
        )
        self._await_port()
        self.start_seconds = time.monotonic() - began
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self._directory / "site" / "calserver.toml"

    @property
    def pid(self) -> int:
        """The process id of the running daemon."""
        assert self._process is not None
        return self._process.pid

    def cpu(self) -> float:
        """CPU seconds that the daemon and its children have used so far."""
        return sum(_cpu_seconds(pid) for pid in (self.pid, *_children(self.pid)))

    def resident_bytes(self) -> int:
        """Resident memory of the daemon and its children."""
        total = 0
        for pid in (self.pid, *_children(self.pid)):
            found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            total += int(found.group(1)) * 1024 if found else 0
        return total

    def _prepare(self) -> None:
        site = self._directory / "site"
        listen = f"tcp:{self.port}:interface={self.host}"
        admin = f"tcp:{_free_port()}:interface=127.0.0.1"
        self._run("init", str(site), "--listen", listen, "--admin-listen", admin, *self._store)
        accounts = self._directory / "accounts.csv"
        rows = "".join(f"user{n},{PASSWORD},User {n},user{n}@example.com\n" for n in range(1, self._users + 1))
        accounts.write_text("uid,password,name,email\n" + rows)
        self._run("principals", "import", str(accounts), "--config", str(self.config))

    def _run(self, *arguments: str) -> None:
        done = subprocess.run([*self._command, *arguments], cwd=self._cwd, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"calserver {' '.join(arguments)}: {done.stderr or done.stdout}")

    def _await_port(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
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
