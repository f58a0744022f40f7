"""One row measured: what the requests cost the server, how long the client waits, what is asked of the system."""

import statistics
import time
from collections.abc import Iterator

import attrs

from benchmarks import syscalls
from benchmarks.cases import Row
from benchmarks.client import Answer, Client
from benchmarks.daemon import Daemon

SLICES = 20


@attrs.frozen(kw_only=True)
class Figure:
    """What one row measured: CPU and wall milliseconds, system calls and syncs per request, bytes of an answer."""

    row: str
    size: int
    cpu_ms: float
    median_ms: float
    p90_ms: float
    p99_ms: float
    answer_bytes: int
    calls: float | None
    syncs: float | None
    target_ms: float | None
    peer_ms: float | None

    @property
    def missed(self) -> bool:
        """Whether it costs more than it should."""
        return self.target_ms is not None and self.cpu_ms > self.target_ms


class WrongAnswer(Exception):
    """The server did not do what a row asks."""


def ask(client: Client, row: Row) -> Answer:
    """Send the next request of a row; raises `WrongAnswer`."""
    answer = (row.client or client).send(next(row.requests))
    if not row.check(answer):
        raise WrongAnswer(f"wrong answer {answer.status}: {answer.body[:500]!r}")
    return answer


def measure(daemon: Daemon, client: Client, row: Row, size: int, *, traced: bool = False) -> Figure:
    """Send all requests of a row, after one that is not counted; `traced`: then some more, to count system calls."""
    ask(client, row)
    walls, costs = [], []
    for size_of_slice in slices(row.repeat):
        before = daemon.cpu()
        for _ in range(size_of_slice):
            began = time.perf_counter()
            answer = ask(client, row)
            walls.append(time.perf_counter() - began)
        costs.append((daemon.cpu() - before) / size_of_slice)
    walls.sort()
    asked = None
    if traced:
        asked = syscalls.count(daemon.pids, lambda: [ask(client, row) for _ in range(syscalls.REQUESTS)])
    return Figure(
        row=row.name,
        size=size,
        cpu_ms=1000 * statistics.quantiles(costs, n=10)[0],
        median_ms=1000 * statistics.median(walls),
        p90_ms=1000 * walls[int(len(walls) * 0.9)],
        p99_ms=1000 * walls[int(len(walls) * 0.99)],
        answer_bytes=len(answer.body),
        calls=None if asked is None else asked.calls,
        syncs=None if asked is None else asked.syncs,
        target_ms=row.target,
        peer_ms=row.peer,
    )


def slices(repeat: int) -> Iterator[int]:
    """How many requests each slice of a row has: CPU is the lowest decile of `SLICES`.

    What others do on the machine makes a request cost more, by what they do to its caches and clock, never less.
    """
    yield from ([repeat // SLICES] * SLICES if repeat >= SLICES else [1] * repeat)
