"""What a run found, for people and for programs."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from benchmarks.cases import MOST_FOR_SHARED, POLLS
from benchmarks.measuring import Figure

MOST_RESIDENT_MB = 90
"""Of a process after the load."""
MOST_START_SECONDS = 1.5
"""Until the first answer; CPU, since nothing waits while a server starts."""


def circumstances() -> dict[str, Any]:
    """Which program was measured where, and what else the machine did."""
    git = ["git", "-C", str(Path(__file__).parent.parent), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "commit": commit,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def write(file: Path | None, figures: Sequence[Any], **facts: Any) -> None:
    """Write figures for programs, with the circumstances."""
    if file is not None:
        found = {**circumstances(), **facts, "figures": [attrs.asdict(each) for each in figures]}
        file.write_text(json.dumps(found, indent=1) + "\n")


def table(figures: Sequence[Figure]) -> None:
    """Print each row with its target, and mark what is over it."""
    names = list(dict.fromkeys(each.row for each in figures))
    heads = ("events", "CPU", "target", "Cyrus", "median", "p90", "p99", "calls", "syncs", "bytes")
    print("\n{:46} {:>6} {:>8} {:>7} {:>6} {:>8} {:>8} {:>8} {:>6} {:>5} {:>8}".format("CPU ms per request", *heads))
    for each in sorted(figures, key=lambda one: (names.index(one.row), one.size)):
        print(
            f"{each.row:46} {each.size:6} {each.cpu_ms:8.3f} {_number(each.target_ms, 7, 2)}"
            f" {_number(each.peer_ms, 6, 1)} {each.median_ms:8.2f} {each.p90_ms:8.2f} {each.p99_ms:8.2f}"
            f" {_number(each.calls, 6, 1)} {_number(each.syncs, 5, 2)} {each.answer_bytes:8}"
            + (f" * {each.cpu_ms / (each.target_ms or 1):.2f}" if each.missed else "")
        )
    print(
        "\n* over the target, so many times. Cyrus: CPU of httpd 3.6 on a machine of the same size. Wall clock in ms,"
    )
    print("one connection. Calls: system calls per request; syncs: those of them that wait for the disk.")


def _number(value: float | None, width: int, digits: int) -> str:
    return " " * width if value is None else f"{value:{width}.{digits}f}"


def growth(figures: Sequence[Figure]) -> None:
    """Print how the cost of each row grows from the smallest size to the largest."""
    sizes = sorted({each.size for each in figures})
    if len(sizes) < 2:
        return
    print(f"\n{'CPU ms per request':46}" + "".join(f"{size:>9}" for size in sizes) + "   growth")
    for name in dict.fromkeys(each.row for each in figures):
        cost = {each.size: each.cpu_ms for each in figures if each.row == name}
        cells = "".join(f"{cost[size]:9.3f}" if size in cost else " " * 9 for size in sizes)
        if len(cost) > 1:
            print(f"{name:46}{cells}   x {cost[max(cost)] / cost[min(cost)]:.2f}")


def process(*, start_seconds: float, start_cpu_seconds: float, idle_bytes: int, resident_bytes: int) -> None:
    """Print what the process itself takes."""
    slow = "  *" if start_cpu_seconds > MOST_START_SECONDS else ""
    large = "  *" if resident_bytes > MOST_RESIDENT_MB * 1e6 else ""
    print(
        f"\nstart to first answer {start_cpu_seconds:.2f} s of CPU ({start_seconds:.2f} s of the clock),"
        f" target {MOST_START_SECONDS}{slow}"
    )
    print(
        f"resident {idle_bytes / 1e6:.0f} MB idle, {resident_bytes / 1e6:.0f} MB after the load,"
        f" target {MOST_RESIDENT_MB}{large}"
    )


def compare_polls(figures: Sequence[Figure]) -> int:
    """Say what polls of shared calendars cost beside those of own ones; returns how many cost too much."""
    cost = {(each.row, each.size): each.cpu_ms for each in figures}
    above = 0
    for (row, size), shared in cost.items():
        own = cost.get((POLLS.get(row, ""), size))
        if own is not None:
            above += shared > MOST_FOR_SHARED * own
            print(f"{row}: {shared / own:.2f} times that of an own one, at most {MOST_FOR_SHARED}")
    return above
