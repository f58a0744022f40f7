"""How cost grows: ``python -m benchmarks.growth [--objects 100,1000,10000,100000] [--users 10,100,1000,10000]``.

By the size of a calendar: the five years that are asked about hold as much in each of them, what makes the larger ones
large lies before, as in a calendar that has been used for long. So the answers are the same, and what costs more then
costs more because of the size alone. By the number of users: the same requests by the same people, while there are more
and more others. A poll, a GET, a PUT, an incremental sync and a week of free-busy must cost the same; a listing grows
with what it lists.
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from benchmarks import data, meetings, report
from benchmarks.cases import Row, rows
from benchmarks.client import Client
from benchmarks.daemon import PASSWORD, Daemon
from benchmarks.filling import fill_at_once, fill_others
from benchmarks.measuring import Figure, measure

FLAT = 1.5
"""How many times as much the largest may cost: noise of a shared machine, and a level more in a tree of pages."""
LISTINGS = ("PROPFIND Depth 1", "sync-collection, initial")
"""What grows with what it lists."""
SKIPPED = ("free-busy POST", "shared")
"""Rows that are about more than one calendar."""
OF_PEOPLE = ("the poll", "GET", "PUT", "10 changes", "free-busy POST", "invite 10", "accepts")
"""Rows that others might make slower."""
PEOPLE = 13
"""Who logs in, or is invited."""


def by_objects(daemon: Daemon, client: Client, sizes: list[int]) -> Iterator[Figure]:
    """The rows of one calendar, for calendars of several sizes."""
    for size in sizes:
        calendar = fill_at_once(client, "user1", data.archived(size))
        for row in rows(client, "user1", calendar):
            if not any(words in row.name for words in SKIPPED):
                yield measure(daemon, client, row, size)


def by_users(daemon: Daemon, client: Client, numbers: list[int]) -> Iterator[Figure]:
    """The rows that others might make slower, with more and more others."""
    calendar = fill_at_once(client, "user1", data.spread(1000))
    fill_others(daemon, calendar)
    there = PEOPLE
    for round_, number in enumerate(numbers):
        if number > there:
            daemon.add_users(there + 1, number)
            there = number
        every: Iterator[Row] = chain(
            rows(client, "user1", calendar, again=str(round_)), meetings.rows(daemon, client, again=str(round_))
        )
        for row in every:
            if any(words in row.name for words in OF_PEOPLE):
                yield measure(daemon, client, row, number)


def grown(figures: list[Figure]) -> int:
    """How many rows cost more than they should in the largest."""
    above = 0
    for name in {each.row for each in figures} - {each.row for each in figures if each.row.startswith(LISTINGS)}:
        cost = {each.size: each.cpu_ms for each in figures if each.row == name}
        if cost[max(cost)] > FLAT * cost[min(cost)]:
            above += 1
            print(f"* {name}: more than {FLAT} times as much")
    return above


def main() -> int:
    """Measure and print; exit status 1 where something grows that should not."""
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description=__doc__)
    parser.add_argument("--objects", default="100,1000,10000,100000", help="sizes of calendars (default: %(default)s)")
    parser.add_argument("--users", default="10,100,1000,10000", help="numbers of users (default: %(default)s)")
    parser.add_argument("--store", default="", help="the URL of an empty database; SQLite unless told")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    above, every = 0, []
    for what, sizes, measured in (("objects", options.objects, by_objects), ("users", options.users, by_users)):
        if not sizes:
            continue
        with (
            Daemon(PEOPLE, store=options.store) as daemon,
            Client(daemon.host, daemon.port, "user1", PASSWORD) as client,
        ):
            figures = list(measured(daemon, client, [int(each) for each in sizes.split(",")]))
        print(f"\nGrowth by {what}:", end="")
        report.growth(figures)
        above += grown(figures)
        every += figures
    report.write(options.json, every)
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
