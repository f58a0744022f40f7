"""Run the rows and print the table: ``python -m benchmarks [--sizes 1000,10000] [--only WORDS] [--store URL]``."""

import argparse
import json
import re
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import attrs

from benchmarks import data, meetings
from benchmarks.cases import ICALENDAR, MOST_FOR_SHARED, NEW_CALENDAR, POLLS, XML, Row, rows
from benchmarks.client import Answer, Client
from benchmarks.daemon import PASSWORD, Daemon

LOADERS = 4
SLICES = 10


@attrs.frozen(kw_only=True)
class Figure:
    """What one row measured: CPU and wall milliseconds per request, bytes of an answer."""

    row: str
    size: int
    cpu_ms: float
    median_ms: float
    worst_ms: float
    answer_bytes: int
    target_ms: float | None
    peer_ms: float | None


def main() -> int:
    """Measure and print; exit status 1 where an answer was wrong, or polls of shared calendars cost too much."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--sizes", default="1000,10000", help="events in the calendars (default: %(default)s)")
    parser.add_argument("--only", default="", help="rows whose name has this text")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--root", type=Path, help="another checkout to measure, with the same Python")
    parser.add_argument("--store", default="", help="the URL of an empty database; SQLite unless told")
    options = parser.parse_args()
    sizes = [int(each) for each in options.sizes.split(",")]
    with (
        Daemon(meetings.MANY + 2, root=options.root, store=options.store) as daemon,
        Client(daemon.host, daemon.port, "user1", PASSWORD) as client,
    ):
        print(f"start to first answer {daemon.start_seconds:.2f} s, {daemon.resident_bytes() / 1e6:.0f} MB resident")
        figures = []
        wrong = 0
        for size in sizes:
            _fill(daemon, client, size)
            shared = ""
            if size == min(sizes):
                _fill_others(daemon, size)
                shared = _share(daemon, client, size)
            more = meetings.rows(daemon, client) if size == min(sizes) else iter(())
            for row in chain(rows(client, "user1", size, shared), more):
                if options.only.lower() not in row.name.lower():
                    continue
                try:
                    figures.append(_measure(daemon, client, row, size))
                except WrongAnswer as answer:
                    wrong += 1
                    print(f"{row.name}, {size}: {answer}", flush=True)
        _table(figures, sizes)
        wrong += _compare_polls(figures)
        print(f"after the load {daemon.resident_bytes() / 1e6:.0f} MB resident")
    if options.json:
        options.json.write_text(json.dumps([attrs.asdict(each) for each in figures], indent=1) + "\n")
    return 1 if wrong else 0


def _fill(daemon: Daemon, client: Client, size: int) -> None:
    path = f"/dav/calendars/user/user1/bench{size}/"
    if client.request("MKCALENDAR", path, NEW_CALENDAR, Content_Type=XML).status != 201:
        raise SystemExit("MKCALENDAR failed")
    items = list(data.calendar(size))
    began, before = time.monotonic(), daemon.cpu()
    failures: list[str] = []

    def load(part: Sequence[tuple[str, bytes]]) -> None:
        with Client(daemon.host, daemon.port, "user1", PASSWORD) as loader:
            for name, text in part:
                answer = loader.request("PUT", path + name, text, Content_Type="text/calendar; charset=utf-8")
                if answer.status != 201:
                    failures.append(f"PUT {name}: {answer.status} {answer.body[:200]!r}")
                    return

    threads = [threading.Thread(target=load, args=(items[n::LOADERS],)) for n in range(LOADERS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if failures:
        raise SystemExit(failures[0])
    wall, cpu = time.monotonic() - began, daemon.cpu() - before
    print(
        f"{size} events stored by {LOADERS} clients: {size / wall:.0f} a second, {1000 * cpu / size:.2f} ms CPU each",
        flush=True,
    )


def _fill_others(daemon: Daemon, size: int) -> None:
    """Give the other people of free-busy a calendar too: in one request each, as only reading is measured."""
    for number in range(2, data.ATTENDEES + 1):
        user = f"user{number}"
        path = f"/dav/calendars/user/{user}/bench{size}/"
        with Client(daemon.host, daemon.port, user, PASSWORD) as client:
            client.request("MKCALENDAR", path, NEW_CALENDAR, Content_Type=XML)
            items = [text for _, text in data.calendar(size)]
            for at in range(0, size, 250):
                answer = client.request("POST", path, data.joined(items[at : at + 250]), Content_Type=ICALENDAR)
                if answer.status != 207:
                    raise SystemExit(f"bulk POST: {answer.status} {answer.body[:200]!r}")


def _share(daemon: Daemon, client: Client, size: int) -> str:
    """Let user2 share a calendar with user1; returns its path in the home of user1."""
    names = 'xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"'
    invitation = (
        f"<CS:share {names}><CS:set><D:href>mailto:user1@example.com</D:href><CS:read-write/></CS:set></CS:share>"
    )
    path = f"/dav/calendars/user/user2/bench{size}/"
    invited = f"<D:propfind {names}><D:prop><CS:invite/></D:prop></D:propfind>"
    with Client(daemon.host, daemon.port, "user2", PASSWORD) as owner:
        owner.request("POST", path, invitation.encode(), Content_Type=XML)
        found = re.search(rb"<CS:uid>([^<]+)", owner.request("PROPFIND", path, invited.encode(), Depth="0").body)
    uid = "" if found is None else found[1].decode()
    reply = f"<CS:invite-reply {names}><CS:invite-accepted/><CS:in-reply-to>{uid}</CS:in-reply-to></CS:invite-reply>"
    answer = client.request("POST", "/dav/calendars/user/user1/", reply.encode(), Content_Type=XML)
    accepted = re.search(rb"<D:href>([^<]+)", answer.body)
    if accepted is None:
        raise SystemExit(f"sharing: {answer.status} {answer.body[:200]!r}")
    return accepted[1].decode() + "/"


def _compare_polls(figures: Sequence[Figure]) -> int:
    """Say what polls of shared calendars cost beside those of own ones; returns how many cost too much."""
    cost = {(each.row, each.size): each.cpu_ms for each in figures}
    above = 0
    for (row, size), shared in cost.items():
        own = cost.get((POLLS.get(row, ""), size))
        if own is not None:
            above += shared > MOST_FOR_SHARED * own
            print(f"{row}: {shared / own:.2f} times that of an own one, at most {MOST_FOR_SHARED}")
    return above


class WrongAnswer(Exception):
    """The server did not do what a row asks."""


def _ask(client: Client, row: Row) -> Answer:
    answer = client.send(next(row.requests))
    if not row.check(answer):
        raise WrongAnswer(f"wrong answer {answer.status}: {answer.body[:500]!r}")
    return answer


def _measure(daemon: Daemon, client: Client, row: Row, size: int) -> Figure:
    _ask(client, row)
    walls, costs = [], []
    for size_of_slice in _slices(row.repeat):
        before = daemon.cpu()
        for _ in range(size_of_slice):
            began = time.perf_counter()
            answer = _ask(client, row)
            walls.append(time.perf_counter() - began)
        costs.append((daemon.cpu() - before) / size_of_slice)
    walls.sort()
    return Figure(
        row=row.name,
        size=size,
        cpu_ms=1000 * statistics.quantiles(costs, n=4)[0],
        median_ms=1000 * statistics.median(walls),
        worst_ms=1000 * walls[int(len(walls) * 0.99)],
        answer_bytes=len(answer.body),
        target_ms=row.target,
        peer_ms=row.peer,
    )


def _slices(repeat: int) -> Iterator[int]:
    """How many requests each slice of a row has: CPU is the lower quartile of `SLICES`.

    What others do on the machine makes a request cost more, by what they do to its caches and clock, never less.
    """
    yield from ([repeat // SLICES] * SLICES if repeat >= SLICES else [1] * repeat)


def _table(figures: Sequence[Figure], sizes: Sequence[int]) -> None:
    names = list(dict.fromkeys(each.row for each in figures))
    heads = ("events", "CPU", "target", "Cyrus", "median", "p99", "bytes")
    print("\n{:46} {:>7} {:>8} {:>7} {:>6} {:>8} {:>8} {:>9}".format("CPU ms per request", *heads))
    for each in sorted(figures, key=lambda one: (names.index(one.row), one.size)):
        target = f"{each.target_ms:7.2f}" if each.target_ms else " " * 7
        peer = f"{each.peer_ms:6.1f}" if each.peer_ms else " " * 6
        missed = " *" if each.target_ms and each.cpu_ms > each.target_ms else ""
        print(
            f"{each.row:46} {each.size:7} {each.cpu_ms:8.3f} {target} {peer} {each.median_ms:8.2f} {each.worst_ms:8.2f}"
            f" {each.answer_bytes:9}{missed}"
        )
    print("\n(* over the target; Cyrus: httpd 3.6 on a machine of the same size. Wall clock in ms, one connection.)")
    if len(sizes) > 1:
        print(f"\nGrowth of CPU from {sizes[0]} to {sizes[-1]} events:")
        for name in names:
            cost = {each.size: each.cpu_ms for each in figures if each.row == name}
            if cost.keys() >= {sizes[0], sizes[-1]}:
                print(f"{name:46} x {cost[sizes[-1]] / cost[sizes[0]]:.2f}")


if __name__ == "__main__":
    sys.exit(main())
