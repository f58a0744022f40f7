"""Two versions beside each other: ``python -m benchmarks --base COMMIT``.

Both serve at the same time, and each row goes to the one and the other in turns, slice by slice. So whatever else the
machine does hits both, and the ratio of the two costs means something where a single figure does not.
"""

import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

import attrs

from benchmarks import data, meetings
from benchmarks.cases import Row, rows
from benchmarks.client import Client
from benchmarks.daemon import PASSWORD, Daemon
from benchmarks.filling import fill, fill_others, share
from benchmarks.measuring import ask, slices

ROOT = Path(__file__).parent.parent
ROUNDS = 3
"""How many times the slices of a row."""


@attrs.frozen(kw_only=True)
class Pair:
    """CPU milliseconds per request of one row: of the base, and of this checkout."""

    row: str
    size: int
    base_ms: float
    this_ms: float
    ratio: float
    """Median of the ratios of neighboring slices."""


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A directory with the files of a commit."""
    with tempfile.TemporaryDirectory(prefix="calserver-base-") as place:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", "--quiet", place, commit], check=True)
        try:
            yield Path(place)
        finally:
            subprocess.run([*git, "remove", "--force", place], check=True)


def compare(commit: str, sizes: Sequence[int], wanted: Callable[[str], bool]) -> list[Pair]:
    """Measure and print all rows of a commit and of this checkout."""
    pairs = []
    with ExitStack() as stack:
        base = stack.enter_context(checkout(commit))
        daemons = [stack.enter_context(Daemon(meetings.MANY + 2, root=root)) for root in (base, ROOT)]
        clients = [stack.enter_context(Client(each.host, each.port, "user1", PASSWORD)) for each in daemons]
        both = list(zip(daemons, clients, strict=True))
        print(f"\n{'CPU ms per request':46} {'events':>7} {'base':>8} {'this':>8} {'ratio':>6}", flush=True)
        for size in sizes:
            first = size == min(sizes)
            for row, other in zip(*(_rows(*each, size, first) for each in both), strict=True):
                if wanted(row.name):
                    pairs.append(_pair(both, (row, other), size))
                    each = pairs[-1]
                    print(
                        f"{each.row:46} {size:7} {each.base_ms:8.3f} {each.this_ms:8.3f} {each.ratio:6.2f}", flush=True
                    )
        resident = [f"{each.resident_bytes() / 1e6:.0f}" for each in daemons]
        print(f"\nafter the load: {' and '.join(resident)} MB resident")
    return pairs


def _rows(daemon: Daemon, client: Client, size: int, first: bool) -> Iterator[Row]:
    calendar = data.spread(size)
    fill(daemon, client, calendar)
    shared = ""
    if first:
        fill_others(daemon, calendar)
        shared = share(daemon, client, calendar)
    return chain(rows(client, "user1", calendar, shared), meetings.rows(daemon, client) if first else ())


def _pair(both: Sequence[tuple[Daemon, Client]], row: tuple[Row, Row], size: int) -> Pair:
    for (_, client), each in zip(both, row, strict=True):
        ask(client, each)
    costs: list[list[float]] = [[], []]
    rounds = ROUNDS if row[0].peer is None or row[0].peer < 10 else 1
    for number in [each for _ in range(rounds) for each in slices(row[0].repeat)]:
        for (daemon, client), each, cost in zip(both, row, costs, strict=True):
            before = daemon.cpu()
            for _ in range(number):
                ask(client, each)
            cost.append((daemon.cpu() - before) / number)
    base, this = (1000 * statistics.quantiles(cost, n=4)[0] for cost in costs)
    ratio = statistics.median(after / before for before, after in zip(*costs, strict=True))
    return Pair(row=row[0].name, size=size, base_ms=base, this_ms=this, ratio=ratio)
