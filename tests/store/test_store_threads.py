"""The store under a reactor: groups of writes, reads beside them, what fails, and how it ends."""

import re
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from samples import Clock, Place, draft, furnish, sqlite_only
from twisted.internet import reactor  # noqa: TID251 - here the reactor is made the argument
from twisted.internet.defer import CancelledError, Deferred, gatherResults, maybeDeferred

from calserver.store import Busy, Closed, Full, Missing, Store, Transaction, open_store
from calserver.store.engine import GROUP, SqlStore

live = pytest_twisted.ensureDeferred


@pytest_twisted.async_yield_fixture()
async def running(url: str) -> AsyncIterator[SqlStore]:
    """A store with threads."""
    store = open_store(url, reactor=reactor, readers=2, busy_timeout=0.05)
    yield store
    await store.close()


class Gate:
    """Holds the writer back until all works that shall share a group wait."""

    def __init__(self, store: Store) -> None:
        self.entered = Deferred()
        self._open = threading.Event()
        self.done = store.write(self._work)

    def _work(self, txn: Transaction) -> None:
        reactor.callFromThread(self.entered.callback, None)
        assert self._open.wait(10)

    def open(self) -> None:
        self._open.set()


async def outcome(waiting: "Deferred[Any]") -> Any:
    """A result, or the exception."""
    try:
        return await waiting
    except Exception as error:  # noqa: BLE001 - it is what the test looks at
        return error


def names(at: int) -> Callable[[Transaction], list[str]]:
    return lambda txn: [name for name, _, _ in txn.objects.listing(at)]


@live
async def test_a_result_comes_back_in_the_reactor_thread(running: SqlStore) -> None:
    place = await running.write(furnish)
    seen = []
    waiting = running.read(lambda txn: (threading.current_thread().name, txn.collections.get(place.home.id)))
    waiting.addCallback(lambda result: seen.append(threading.current_thread()) or result)
    thread, home = await waiting
    assert thread.startswith("store-reader")
    assert home == place.home
    assert seen == [threading.main_thread()]


@live
async def test_an_exception_takes_back_exactly_what_its_work_wrote(running: SqlStore) -> None:
    place = await running.write(furnish)
    at = place.calendar.id

    def put(number: int) -> Callable[[Transaction], int]:
        def work(txn: Transaction) -> int:
            txn.objects.put(at, draft(f"{number:02}"))
            if number % 3 == 0:
                raise ZeroDivisionError(number)
            return number

        return work

    gate = Gate(running)
    await gate.entered
    waiting = [running.write(put(number)) for number in range(GROUP + 10)]
    gate.open()
    found = [await outcome(each) for each in waiting]
    await gate.done
    for number, result in enumerate(found):
        if number % 3:
            assert result == number
        else:
            assert isinstance(result, ZeroDivisionError)
    assert await running.read(names(at)) == [f"{n:02}" for n in range(GROUP + 10) if n % 3]


@live
async def test_works_that_wait_share_one_commit(running: SqlStore) -> None:
    place = await running.write(furnish)
    before = running.data_version()
    gate = Gate(running)
    await gate.entered
    versions = []

    def put(number: int) -> Callable[[Transaction], str]:
        def work(txn: Transaction) -> str:
            versions.append(running.data_version())  # another connection: sees only what is committed
            return txn.objects.put(place.calendar.id, draft(f"{number:02}"))[0].name

        return work

    waiting = [running.write(put(number)) for number in range(20)]
    gate.open()
    assert await gatherResults(waiting) == [f"{number:02}" for number in range(20)]
    assert len(set(versions)) == 1
    assert running.data_version() != before


@sqlite_only
@live
async def test_a_failed_commit_fails_all_works_of_the_group(running: SqlStore) -> None:
    """Here by a foreign key that is only looked at when the transaction ends."""
    place = await running.write(furnish)
    at = place.calendar.id

    def break_it(txn: Any) -> None:
        txn.connection.driver.execute("PRAGMA defer_foreign_keys=ON")
        txn.connection.driver.execute("INSERT INTO content (object_id, text) VALUES (4711, '')")

    gate = Gate(running)
    await gate.entered
    waiting = [running.write(lambda txn: txn.objects.put(at, draft("good"))), running.write(break_it)]
    gate.open()
    await gate.done
    found = [await outcome(each) for each in waiting]
    assert [type(each) for each in found] == [Missing] * 2
    assert await running.read(names(at)) == []
    await running.write(lambda txn: txn.objects.put(at, draft("after")))
    assert await running.read(names(at)) == ["after"]


@sqlite_only
@live
async def test_where_the_database_gives_up_the_transaction_nobody_in_it_is_told_otherwise(running: SqlStore) -> None:
    """As SQLite does when the disk is full: what earlier works of the group wrote is gone too."""
    place = await running.write(furnish)
    at = place.calendar.id

    def give_up(txn: Any) -> None:
        txn.connection.driver.execute("ROLLBACK")
        raise OSError("the disk is full")

    gate = Gate(running)
    await gate.entered
    waiting = [
        running.write(lambda txn: txn.objects.put(at, draft("before"))),
        running.write(give_up),
        running.write(lambda txn: txn.objects.put(at, draft("after"))),
    ]
    gate.open()
    found = [await outcome(each) for each in waiting]
    await gate.done
    assert [type(each) for each in found] == [OSError] * 3
    assert await running.read(names(at)) == []


@sqlite_only
@live
async def test_a_full_disk_is_told_and_nothing_of_the_work_is_there(running: SqlStore) -> None:
    place = await running.write(furnish)
    at = place.calendar.id

    def limit(txn: Any) -> None:
        pages = txn.connection.driver.execute("PRAGMA page_count").fetchone()[0]
        txn.connection.driver.execute(f"PRAGMA max_page_count={pages + 4}")

    await running.write(limit)
    large = draft("large", bytes(100_000))
    gate = Gate(running)
    await gate.entered
    waiting = [
        running.write(lambda txn: txn.objects.put(at, draft("small"))[0].name),
        running.write(lambda txn: txn.objects.put(at, large)),
    ]
    gate.open()
    first, second = [await outcome(each) for each in waiting]
    await gate.done
    assert isinstance(second, Full)
    expected = [] if isinstance(first, Full) else ["small"]
    assert await running.read(names(at)) == expected, "what was acknowledged is there, and only that"


@live
async def test_many_writers_and_readers_at_once_lose_nothing(running: SqlStore) -> None:
    place = await running.write(furnish)
    at = place.calendar.id
    writes = [running.write(lambda txn, n=n: txn.objects.put(at, draft(f"{n:03}"))[0]) for n in range(200)]
    reads = [running.read(lambda txn: (len(txn.objects.listing(at)), txn.objects.count(at))) for _ in range(100)]
    stored = await gatherResults(writes)
    assert len({each.revision for each in stored}) == 200
    assert all(listed == counted for listed, counted in await gatherResults(reads)), "a read sees one snapshot"
    assert await running.read(lambda txn: txn.objects.count(at)) == 200


@live
async def test_a_read_does_not_wait_for_the_writer(running: SqlStore) -> None:
    place = await running.write(furnish)
    gate = Gate(running)
    await gate.entered
    assert await running.read(lambda txn: txn.collections.get(place.home.id)) == place.home
    gate.open()
    await gate.done


@live
async def test_a_read_cannot_write(running: SqlStore) -> None:
    place = await running.write(furnish)
    found = await outcome(running.read(lambda txn: txn.collections.touch(place.home.id)))
    assert isinstance(found, Exception)
    assert re.search("read-?only", str(found))
    with pytest.raises(type(found)):
        running.read_now(lambda txn: txn.collections.touch(place.home.id))


@live
async def test_a_cancelled_read_that_has_not_begun_never_runs(running: SqlStore) -> None:
    gate, ran = threading.Event(), []
    blocking = [running.read(lambda txn: gate.wait(10)) for _ in range(2)]
    cancelled = running.read(lambda txn: ran.append(1))
    cancelled.cancel()
    gate.set()
    assert isinstance(await outcome(cancelled), CancelledError)
    await gatherResults(blocking)
    await gatherResults([running.read(lambda txn: None) for _ in range(4)])
    assert ran == []


@live
async def test_an_unfinished_stream_does_not_keep_its_snapshot(running: SqlStore) -> None:
    place = await running.write(furnish)
    at = place.calendar.id
    await running.write(lambda txn: [txn.objects.put(at, draft(f"{n}")) for n in range(5)])
    kept = []

    def abandon(txn: Transaction) -> None:
        members = txn.objects.iterate(at)
        kept.append(members)
        next(members)
        raise ZeroDivisionError

    found = [await outcome(running.read(abandon)) for _ in range(4)]
    assert all(isinstance(each, ZeroDivisionError) for each in found)
    await running.write(lambda txn: txn.objects.put(at, draft("new")))
    assert await gatherResults([running.read(lambda txn: txn.objects.count(at)) for _ in range(4)]) == [6] * 4
    assert [type(await outcome(running.write(abandon)))] == [ZeroDivisionError]


@sqlite_only
@live
async def test_a_write_waits_for_another_process_only_so_long(running: SqlStore, tmp_path: Path) -> None:
    await running.write(furnish)
    with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = [await outcome(running.write(lambda txn: txn.meta.set("a", "b"))) for _ in range(2)]
        assert [type(each) for each in found] == [Busy] * 2
        with pytest.raises(Busy):
            running.write_now(lambda txn: txn.meta.set("a", "b"))
        assert await running.read(lambda txn: txn.meta.get("a")) is None
        other.execute("ROLLBACK")
    await running.write(lambda txn: txn.meta.set("a", "b"))
    assert await running.read(lambda txn: txn.meta.get("a")) == "b"


@live
async def test_closing_finishes_what_was_asked_and_takes_no_more(url: str) -> None:
    store = open_store(url, reactor=reactor)
    place = await store.write(furnish)
    at = place.calendar.id
    waiting = [store.write(lambda txn, n=n: txn.objects.put(at, draft(f"{n:02}"))[0].name) for n in range(120)]
    reads = [store.read(lambda txn: txn.collections.get(at).name) for _ in range(20)]
    done = store.close()
    for ask in (store.read, store.write, store.read_now, store.write_now):
        assert isinstance(await outcome(maybeDeferred(ask, furnish)), Closed)
    await done
    assert [await each for each in waiting] == [f"{n:02}" for n in range(120)]
    assert await gatherResults(reads) == ["Default"] * 20
    await store.close()
    running = {thread.name.rstrip("0123456789") for thread in threading.enumerate()}
    assert not running & {"store-writer", "store-reader-"}


def test_without_a_reactor_there_are_only_the_direct_ways(store: Store, place: Place) -> None:
    with pytest.raises(RuntimeError, match="reactor"):
        store.read(lambda txn: None)
    with pytest.raises(ZeroDivisionError):
        store.write_now(lambda txn: (txn.collections.touch(place.home.id), 1 / 0))
    assert store.read_now(lambda txn: txn.collections.get(place.home.id)) == place.home


def test_threads_without_a_reactor_have_a_connection_each(store: Store, place: Place) -> None:
    def work(number: int) -> None:
        for name in range(5):
            store.write_now(lambda txn, n=name: txn.objects.put(place.calendar.id, draft(f"{number}-{n}")))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert store.read_now(lambda txn: txn.objects.count(place.calendar.id)) == 20


# -- what is current -----------------------------------------------------------------------------------------------


def test_the_version_changes_with_every_commit_of_anybody(store: Store, url: str, place: Place) -> None:
    first = store.data_version()
    assert store.data_version() == first
    store.read_now(lambda txn: txn.collections.get(place.home.id))
    assert store.data_version() == first
    other = open_store(url, reactor=None)
    other.write_now(lambda txn: txn.meta.set("a", "b"))
    second = store.data_version()
    assert second != first
    store.write_now(lambda txn: txn.meta.set("a", "c"))
    assert store.data_version() != second
    other.close()


def test_the_stamp_changes_with_what_is_seen_in_a_home_and_with_nothing_else(
    store: Store, place: Place, clock: Clock
) -> None:
    other = store.write_now(lambda txn: furnish(txn, "bob"))
    stamp = store.stamp(place.home.id)
    assert stamp is not None
    store.write_now(lambda txn: txn.objects.put(other.calendar.id, draft()))
    store.write_now(lambda txn: txn.meta.set("a", "b"))
    assert store.stamp(place.home.id) == stamp
    seen = [stamp]
    for work in (
        lambda txn: txn.objects.put(place.calendar.id, draft()),
        lambda txn: txn.principals.set_delegates(other.principal.id, "read", [place.principal.id]),
        lambda txn: txn.objects.remove(txn.objects.get(place.calendar.id, "lunch.ics").id),
        lambda txn: txn.changes.purge_tombstones(clock.forward(days=1)),
    ):
        store.write_now(work)
        seen.append(store.stamp(place.home.id))
    assert len(set(seen)) == 5
    assert store.stamp(4711) is None
