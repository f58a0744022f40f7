"""What a whole server takes: ``python -m benchmarks.throughput [--workers 1,2] [--stores URL,...] [--front]``.

Many connections at a time, each of another user: durable PUTs into a calendar of each, into one calendar, and polls.
The clients need about as much of the machine as the server. So requests per second of the clock say what this machine
does with both, and requests per second of CPU what the server does with a processor of its own.

``--front``: what a front end adds to requests that it hands on to the node of a user.
"""

import argparse
import itertools
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import attrs

from benchmarks import data, report
from benchmarks.cases import ICALENDAR, rows
from benchmarks.client import Client
from benchmarks.daemon import PASSWORD, Daemon
from benchmarks.filling import fill_at_once
from benchmarks.measuring import Figure, measure

CONNECTIONS = 16
LOADERS = 2
"""Processes of clients, since one could not ask for more than it has time for."""
POLL = (
    b'<D:propfind xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"><D:prop><CS:getctag/><D:sync-token/>'
    b"</D:prop></D:propfind>"
)
KINDS = ("poll", "PUT, a calendar each", "PUT, one calendar")
OF_FRONT = ("OPTIONS", "the poll", "GET", "PUT", "PROPFIND Depth 1")
"""Rows that tell what a front end adds."""


@attrs.frozen(kw_only=True)
class Taken:
    """What a server took."""

    engine: str
    workers: int
    kind: str
    per_second: float
    per_cpu_second: float
    median_ms: float
    p99_ms: float
    load: float


def ask(host: str, port: int, kind: str, first: int, seconds: float, said: "SimpleQueue[list[float]]") -> None:
    """One connection that asks for some seconds, and says how long each answer took."""
    user = "user1" if kind == KINDS[2] else f"user{first}"
    path = f"/dav/calendars/user/{user}/Default/"
    walls: list[float] = []
    with Client(host, port, user, PASSWORD) as client:
        poll = client.render("PROPFIND", path, POLL, Depth="0", Content_Type="application/xml")
        client.send(poll)
        until = time.monotonic() + seconds
        for number in itertools.count():
            began = time.monotonic()
            if began > until:
                break
            if kind == KINDS[0]:
                answer = client.send(poll)
            else:
                uid = f"{os.getpid()}-{first}-{seconds}-{number}"
                answer = client.request(
                    "PUT", f"{path}{uid}.ics", data.event(number, uid, 10_000), Content_Type=ICALENDAR
                )
            if answer.status not in (201, 207):
                raise SystemExit(f"{kind}: {answer.status} {answer.body[:300]!r}")
            walls.append(time.monotonic() - began)
    said.put(walls)


def loader(
    host: str, port: int, kind: str, users: list[int], seconds: float, out: "multiprocessing.Queue[list[float]]"
) -> None:
    """A process of clients."""
    said: SimpleQueue[list[float]] = SimpleQueue()
    threads = [threading.Thread(target=ask, args=(host, port, kind, user, seconds, said)) for user in users]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    out.put([wall for _ in users for wall in said.get()])


def take(daemon: Daemon, engine: str, workers: int, kind: str, seconds: float) -> Taken:
    """What a server takes of one kind."""
    spawn = multiprocessing.get_context("spawn")
    out = spawn.Queue()
    users = list(range(1, CONNECTIONS + 1))
    loaders = [
        spawn.Process(target=loader, args=(daemon.host, daemon.port, kind, users[n::LOADERS], seconds, out))
        for n in range(LOADERS)
    ]
    cpu = daemon.cpu()
    for each in loaders:
        each.start()
    walls = sorted(wall for _ in loaders for wall in out.get())
    for each in loaders:
        each.join()
    cpu = daemon.cpu() - cpu
    return Taken(
        engine=engine,
        workers=workers,
        kind=kind,
        per_second=len(walls) / seconds,
        per_cpu_second=len(walls) / cpu,
        median_ms=1000 * walls[len(walls) // 2],
        p99_ms=1000 * walls[int(len(walls) * 0.99)],
        load=os.getloadavg()[0],
    )


@contextmanager
def cluster() -> Iterator[tuple[Daemon, Daemon]]:
    """A front end, and the node that has the calendars."""
    front, node = Daemon(), Daemon()
    names = {"front": (front, "frontend"), "node": (node, "backend")}
    for each, _ in names.values():
        each.make_site()
    keys = {name: each.run("cluster", "key", "--config", str(each.config)).strip() for name, (each, _) in names.items()}
    others = "".join(
        f'[cluster.nodes.{name}]\nurl = "http://{each.host}:{each.port}"\nkey = "{keys[name]}"\nrole = "{role}"\n'
        for name, (each, role) in names.items()
    )
    directory = front.config.parent / "directory.sqlite"
    for name, (each, _) in names.items():
        each.join(f'[cluster]\nnode = "{name}"\ndirectory = "sqlite:///{directory}"\nlook_seconds = 0.05\n{others}')
    front.add_accounts(f"uid,password,name,email\nuser1,{PASSWORD},User 1,user1@example.com\n")
    try:
        node.start()
        front.start()
        yield front, node
    finally:
        front.stop()
        node.stop()


class Both(Daemon):
    """A front end and a node, as far as their costs are concerned."""

    def __init__(self, front: Daemon, node: Daemon) -> None:
        self._both = front, node

    def cpu(self) -> float:
        """CPU seconds of both."""
        return sum(each.cpu() for each in self._both)


def behind_front() -> list[Figure]:
    """The same rows asked of a node, and by way of a front end."""
    figures = []
    with cluster() as (front, node):
        costs: dict[str, list[float]] = {}
        for name, asked, daemon in (("node alone", node, node), ("by way of the front end", front, Both(front, node))):
            with Client(asked.host, asked.port, "user1", PASSWORD) as client:
                calendar = data.spread(1000)
                if asked is node:
                    calendar = there = fill_at_once(client, "user1", calendar)
                else:
                    calendar = there
                for row in rows(client, "user1", calendar, again=name[:2]):
                    if any(words in row.name for words in OF_FRONT):
                        figure = measure(daemon, client, row, 1000)
                        figures.append(attrs.evolve(figure, row=f"{row.name}, {name}"))
                        costs.setdefault(row.name, []).append(figure.cpu_ms)
    print(f"\n{'CPU ms per request':46} {'node':>8} {'both':>8} {'adds':>8}")
    for row_name, (alone, both) in costs.items():
        print(f"{row_name:46} {alone:8.3f} {both:8.3f} {both - alone:8.3f}")
    return figures


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.throughput", description=__doc__)
    parser.add_argument("--workers", default="1,2", help="numbers of processes (default: %(default)s)")
    parser.add_argument("--stores", default="", help="URLs of empty databases, one for each number; SQLite unless told")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each is measured (default: %(default)s)")
    parser.add_argument("--front", action="store_true", help="what a front end adds, instead")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if options.front:
        report.write(options.json, behind_front())
        return 0
    found = []
    stores = options.stores.split(",") if options.stores else itertools.repeat("")
    print(f"{'':24} {'engine':>10} {'workers':>7} {'per s':>8} {'per CPU s':>9} {'median':>7} {'p99':>7} {'load':>5}")
    for workers, store in zip(map(int, options.workers.split(",")), stores, strict=False):
        engine = store.partition(":")[0] or "sqlite"
        with Daemon(CONNECTIONS, store=store, options={"workers": str(workers)}) as daemon:
            for kind in KINDS:
                each = take(daemon, engine, workers, kind, options.seconds)
                found.append(each)
                print(
                    f"{kind:24} {engine:>10} {workers:7} {each.per_second:8.0f} {each.per_cpu_second:9.0f}"
                    f" {each.median_ms:7.1f} {each.p99_ms:7.1f} {each.load:5.1f}",
                    flush=True,
                )
    report.write(options.json, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
