"""Run the rows and print the table: ``python -m benchmarks [--sizes 1000,10000] [--only WORDS] [--store URL]``."""

import argparse
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from benchmarks import data, federated, meetings, report, syscalls
from benchmarks.cases import Row, rows
from benchmarks.client import Client
from benchmarks.comparing import compare
from benchmarks.daemon import PASSWORD, Daemon
from benchmarks.filling import fill, fill_others, share
from benchmarks.measuring import Figure, WrongAnswer, measure
from ischedule import dkim


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
        report.write(options.json, pairs, base=options.base)
        return 0
    key = federated.new_key()
    figures: list[Figure] = []
    wrong = 0
    with (
        Daemon(meetings.MANY + 2, root=options.root, store=options.store, key=key) as daemon,
        Client(daemon.host, daemon.port, "user1", PASSWORD) as client,
    ):
        idle_bytes = daemon.resident_bytes()
        for size in sizes:
            for row in _rows(daemon, client, key, size, first=size == min(sizes)):
                if options.only.lower() not in row.name.lower():
                    continue
                try:
                    figures.append(measure(daemon, client, row, size, traced=syscalls.available()))
                except WrongAnswer as answer:
                    wrong += 1
                    print(f"{row.name}, {size}: {answer}", flush=True)
        facts = {
            "start_seconds": daemon.start_seconds,
            "start_cpu_seconds": daemon.start_cpu_seconds,
            "idle_bytes": idle_bytes,
            "resident_bytes": daemon.resident_bytes(),
        }
    report.table(figures)
    report.growth(figures)
    report.process(**facts)  # type: ignore[arg-type] # each is what its name says
    wrong += report.compare_polls(figures)
    report.write(options.json, figures, engine=options.store.partition(":")[0] or "sqlite", **facts)
    return 1 if wrong else 0


def _rows(daemon: Daemon, client: Client, key: dkim.SigningKey, size: int, *, first: bool) -> Iterator[Row]:
    """All rows of a size; those that have none come with the first one."""
    calendar = data.spread(size)
    fill(daemon, client, calendar)
    shared, more = "", iter(())
    if first:
        fill_others(daemon, calendar)
        shared = share(daemon, client, calendar)
        more = chain(meetings.rows(daemon, client), (federated.row(daemon, key),))
    return chain(rows(client, "user1", calendar, shared), more)


if __name__ == "__main__":
    sys.exit(main())
