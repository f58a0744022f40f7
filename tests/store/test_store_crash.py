"""What was acknowledged is there after the process is killed at any moment."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from samples import furnish

from calserver.store import check, open_store
from calserver.store.urls import dialect_of

WRITER = """
import sys
from twisted.internet import reactor
from calserver.store import Draft, open_store

store = open_store(sys.argv[1], reactor=reactor)
at, first = int(sys.argv[2]), int(sys.argv[3])

def put(number):
    text = b"%d" % number * 300
    draft = Draft(name=str(number), text=text, content_type="text/calendar", etag=str(number), uid=str(number))
    waiting = store.write(lambda txn: txn.objects.put(at, draft, unique_uid=True))
    waiting.addCallback(lambda result: (print(number, flush=True), number < first + 5_000 and put(number + 8)))
    waiting.addErrback(lambda failure: (failure.printTraceback(), reactor.stop()))

for number in range(first, first + 8):
    put(number)
reactor.run()
"""


@pytest.mark.parametrize("acknowledged", [1, 150])
def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    store = open_store(url, reactor=None)
    at = store.write_now(furnish).calendar.id
    store.close()
    told: set[int] = set()
    for run in range(2):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, url, str(at), str(run * 10_000)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        with writer:
            heard = [writer.stdout.readline() for _ in range(acknowledged)]
            writer.kill()
            heard += writer.stdout.readlines()
        assert writer.returncode < 0, "it was killed at work"
        told |= {int(line) for line in heard}
    store = open_store(url, reactor=None)
    members = dict(store.read_now(lambda txn: [(each.name, text) for each, text in txn.objects.iterate(at)]))
    changed = store.read_now(lambda txn: txn.changes.listing(at, 0))
    home = store.read_now(lambda txn: txn.collections.ancestors(at)[0])
    store.close()
    assert {str(number) for number in told} <= set(members)
    assert all(text == name.encode() * 300 for name, text in members.items())
    assert {name for name, *_ in changed} == set(members)
    assert home.quota_used_bytes == sum(map(len, members.values()))
    assert home.revision == max(number for *_, number in changed)
    assert check(url).problems == ()


def test_a_store_is_opened_while_another_process_recovers_it(tmp_path: Path) -> None:
    """Whoever opens a database first after a crash has it alone for a moment; others wait."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    open_store(url, reactor=None).close()
    alone = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None, check_same_thread=False)
    alone.execute("PRAGMA locking_mode=EXCLUSIVE")
    alone.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.3, alone.close)
    done.start()
    try:
        dialect_of(url).connect_watch(lambda: False).close()
    finally:
        done.join()
