"""What a request asks of the system: calls in all, and waits for the disk, counted by strace.

A process that is traced is many times slower, so this is done apart from what measures time.
"""

import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs

SYNCS = ("fsync", "fdatasync", "sync_file_range", "msync")
REQUESTS = 20
"""How many requests are counted."""
_LINE = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.MULTILINE)


@attrs.frozen
class Asked:
    """System calls per request, and how many of them wait for the disk."""

    calls: float
    syncs: float


def available() -> bool:
    """Whether there is something that counts."""
    return shutil.which("strace") is not None


def count(pids: list[int], work: Callable[[], object]) -> Asked:
    """Count what processes ask of the system while `REQUESTS` requests are made by `work`."""
    with tempfile.NamedTemporaryFile() as file:
        command = ["strace", "-f", "-c", "-o", file.name, *(f"--attach={pid}" for pid in pids)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            for _ in pids:
                tracer.stderr.readline()  # that it has attached itself to a process and all its threads
            try:
                work()
            finally:
                tracer.send_signal(signal.SIGINT)
                tracer.stderr.read()
        counted: Counter[str] = Counter()
        for number, name in _LINE.findall(Path(file.name).read_text()):
            counted[name] += int(number)
    del counted["total"]
    return Asked(counted.total() / REQUESTS, sum(counted[name] for name in SYNCS) / REQUESTS)
