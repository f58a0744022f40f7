"""Run the rows and print the table: ``python -m benchmarks [--sizes 1000,10000] [--only WORDS] [--store URL]``."""

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import attrs

from benchmarks import meetings
from benchmarks.cases import MOST_FOR_SHARED, POLLS, rows
from benchmarks.client import Client
from benchmarks.comparing import Pair, compare
from benchmarks.daemon import PASSWORD, Daemon
from benchmarks.filling import fill, fill_others, share
from benchmarks.measuring import Figure, WrongAnswer, measure


def main() -> int:
    """Measure and print; exit status 1 where an answer was wrong, or polls of shared calendars cost too much."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--sizes", default="1000,10000", help="events in the calendars (default: %(default)s)")
    parser.add_argument("--only", default="", help="rows whose name has this text")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--root", type=Path, help="another checkout to measure, with the same Python")
    parser.add_argument("--base", help="compare with another commit instead, row by row in turns")
    parser.add_argument("--store", default="", help="the URL of an empty database; SQLite unless told")
    options = parser.parse_args()
    sizes = [int(each) for each in options.sizes.split(",")]
    if options.base:
        pairs = compare(options.base, sizes, lambda name: options.only.lower() in name.lower())
        _write(options.json, pairs)
        return 0
    with (
        Daemon(meetings.MANY + 2, root=options.root, store=options.store) as daemon,
        Client(daemon.host, daemon.port, "user1", PASSWORD) as client,
    ):
        print(f"start to first answer {daemon.start_seconds:.2f} s, {daemon.resident_bytes() / 1e6:.0f} MB resident")
        figures = []
        wrong = 0
        for size in sizes:
            fill(daemon, client, size)
            shared = ""
            if size == min(sizes):
                fill_others(daemon, size)
                shared = share(daemon, client, size)
            more = meetings.rows(daemon, client) if size == min(sizes) else iter(())
            for row in chain(rows(client, "user1", size, shared), more):
                if options.only.lower() not in row.name.lower():
                    continue
                try:
                    figures.append(measure(daemon, client, row, size))
                except WrongAnswer as answer:
                    wrong += 1
                    print(f"{row.name}, {size}: {answer}", flush=True)
        _table(figures, sizes)
        wrong += _compare_polls(figures)
        print(f"after the load {daemon.resident_bytes() / 1e6:.0f} MB resident")
    _write(options.json, figures)
    return 1 if wrong else 0


def _write(file: Path | None, figures: Sequence[Figure] | Sequence[Pair]) -> None:
    if file is not None:
        file.write_text(json.dumps([attrs.asdict(each) for each in figures], indent=1) + "\n")


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
