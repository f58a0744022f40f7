"""What several processes over one PostgreSQL owe one another, and what they do when it goes away."""

import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_twisted
from postgresql import OWNER, Cluster
from samples import Clock, Place, draft, furnish, names_in, postgres_only, put
from twisted.internet import reactor  # noqa: TID251 - here the reactor is made the argument
from twisted.internet.defer import DeferredList, gatherResults

from calserver.store import Busy, Missing, Store, Transaction, UidTaken, Uncertain, Unusable, check, open_store
from calserver.store import links as links_module
from calserver.store import postgres as postgres_module
from calserver.store.engine import SqlStore
from calserver.store.postgres import Driver, Postgres

CONF = Path(__file__).parents[2] / "conf" / "pgbouncer.ini"
pytestmark = postgres_only
live = pytest_twisted.ensureDeferred


@pytest.fixture
def beside(url: str, clock: Clock) -> Iterator[Store]:
    """Another process over the same database."""
    opened = open_store(url, reactor=None, now=clock)
    yield opened
    opened.close()


class Meeting:
    """Holds the first run of a work until another one has committed, so that they are in each other's way for sure."""

    def __init__(self, between: Callable[[], object]) -> None:
        self._between = between
        self.runs = 0

    def work(self, look: Callable[[Transaction], Any], change: Callable[[Transaction, Any], Any]) -> Any:
        def run(txn: Transaction) -> Any:
            seen = look(txn)
            self.runs += 1
            if self.runs == 1:
                self._between()
            return change(txn, seen)

        return run


# -- others in the way ---------------------------------------------------------------------------------------------


def test_what_was_read_still_holds_when_it_is_written(store: Store, beside: Store, place: Place) -> None:
    """A lost update: both read the same, and both write what follows from it."""
    put(store, place.calendar.id, "sum", b"1")
    at = place.calendar.id

    def text(txn: Transaction) -> bytes:
        found = txn.objects.get(at, "sum")
        assert found is not None
        return txn.objects.text(found.id)

    def add(txn: Transaction, seen: bytes) -> None:
        txn.objects.put(at, draft("sum", b"%d" % (int(seen) + 1)))

    meeting = Meeting(lambda: beside.write_now(lambda txn: add(txn, text(txn))))
    store.write_now(meeting.work(text, add))
    assert store.read_now(text) == b"3"
    assert meeting.runs == 2


def test_what_was_not_there_is_not_there_when_it_is_written(store: Store, beside: Store) -> None:
    """Write skew: each looks whether the other has written, and writes elsewhere."""
    meeting = Meeting(lambda: beside.write_now(lambda txn: txn.meta.get("a") or txn.meta.set("b", "1")))
    store.write_now(meeting.work(lambda txn: txn.meta.get("b"), lambda txn, seen: seen or txn.meta.set("a", "1")))
    assert store.read_now(lambda txn: (txn.meta.get("a"), txn.meta.get("b"))) == (None, "1")


def test_one_uid_goes_to_one_of_two_calendars(store: Store, beside: Store, place: Place) -> None:
    other = store.write_now(lambda txn: txn.collections.add(place.home.id, "Other", "calendar"))

    def claim(at: int) -> Callable[..., Any]:
        return lambda txn, seen=None: txn.objects.put(at, draft("x", uid="u"), unique_uid=True)

    meeting = Meeting(lambda: beside.write_now(claim(other.id)))
    with pytest.raises(UidTaken):
        store.write_now(meeting.work(lambda txn: txn.collections.get(place.home.id), claim(place.calendar.id)))
    assert names_in(store, place.calendar.id) == []
    assert names_in(store, other.id) == ["x"]


def test_a_place_that_vanishes_meanwhile_is_looked_for_again(store: Store, beside: Store, place: Place) -> None:
    meeting = Meeting(lambda: beside.write_now(lambda txn: txn.collections.remove(place.calendar.id)))
    look = lambda txn: txn.collections.get(place.calendar.id)  # noqa: E731 - short
    change = lambda txn, seen: txn.objects.put(place.calendar.id, draft()) if seen else "gone"  # noqa: E731 - short
    assert store.write_now(meeting.work(look, change)) == "gone"
    with pytest.raises(Missing):
        store.write_now(lambda txn: txn.shares.set_common(4711, None) or txn.copies.remember(4711, b"x"))


def test_who_finds_others_in_the_way_too_often_gets_the_database_alone(
    store: Store, beside: Store, place: Place
) -> None:
    """Somebody else writes during each of its first tries; then it keeps them out, before it looks."""
    at, tries, others = place.calendar.id, [], []

    def interfere(number: int) -> None:
        beside.write_now(lambda txn: txn.objects.put(at, draft("x", b"%d" % number)))

    def work(txn: Transaction) -> list[str]:
        seen = txn.objects.listing(at)
        tries.append(len(seen))
        other = threading.Thread(target=interfere, args=(len(tries),))
        other.start()
        others.append(other)
        other.join(1.0 if len(tries) > links_module.OPTIMISTIC else None)
        assert other.is_alive() == (len(tries) > links_module.OPTIMISTIC)
        txn.objects.put(at, draft("y"))
        return [name for name, *_ in txn.objects.listing(at)]

    assert store.write_now(work) == ["x", "y"]
    assert len(tries) == links_module.OPTIMISTIC + 1
    for other in others:
        other.join()


@live
async def test_two_processes_that_write_the_same_home_lose_nothing_and_nobody_fails(
    url: str, store: Store, place: Place
) -> None:
    both = [open_store(url, reactor=reactor, readers=1, writers=2, busy_timeout=30) for _ in range(2)]
    at = place.calendar.id
    writes = [
        each.write(lambda txn, name=f"{number}-{n:03}": txn.objects.put(at, draft(name))[0].revision)
        for n in range(60)
        for number, each in enumerate(both)
    ]
    revisions = await gatherResults(writes)
    assert len(set(revisions)) == 120
    home = store.read_now(lambda txn: txn.collections.get(place.home.id))
    assert home is not None
    assert home.revision == max(revisions)
    assert home.quota_used_bytes == 120 * len(draft().text)
    assert store.read_now(lambda txn: [row[3] for row in txn.changes.listing(at, 0)]) == sorted(revisions)
    await gatherResults([each.close() for each in both])


@live
async def test_a_group_that_finds_others_in_the_way_is_done_again(url: str, beside: Store, place: Place) -> None:
    running = open_store(url, reactor=reactor, readers=1)
    runs: list[int] = []

    def count(number: int) -> Callable[[Transaction], int]:
        def work(txn: Transaction) -> int:
            txn.objects.put(place.calendar.id, draft(f"{number}"))
            runs.append(number)
            if number == 3 and runs.count(3) == 1:
                raise psycopg.errors.SerializationFailure
            if number == 4:
                txn.copies.remember(4711, b"to nothing")
            return number

        return work

    gate = threading.Event()
    first = running.write(lambda txn: gate.wait(10))
    waiting = [running.write(count(number)) for number in range(8)]
    gate.set()
    await first
    found = await DeferredList(waiting, consumeErrors=True)
    assert [result if ok else result.type for ok, result in found] == [0, 1, 2, 3, Missing, 5, 6, 7]
    assert names_in(beside, place.calendar.id) == ["0", "1", "2", "3", "5", "6", "7"]
    assert runs.count(0) == links_module.OPTIMISTIC + 1
    await running.close()


def test_waiting_for_others_ends(url: str, store: Store) -> None:
    hurried = open_store(url, reactor=None, busy_timeout=0.2)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE meta IN EXCLUSIVE MODE")
        with pytest.raises(Busy):
            hurried.write_now(lambda txn: txn.meta.set("a", "b"))
        assert hurried.read_now(lambda txn: txn.meta.get("a")) is None
    hurried.write_now(lambda txn: txn.meta.set("a", "b"))
    hurried.close()


# -- lost connections ----------------------------------------------------------------------------------------------


def end_connections(url: str) -> None:
    """As a server that is stopped does."""
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )


def test_a_lost_connection_is_made_anew_and_the_work_done_again(store: Store, place: Place, url: str) -> None:
    lost: list[None] = []

    def once(txn: Transaction) -> None:
        if not lost:
            lost.append(None)
            end_connections(url)

    store.write_now(lambda txn: (txn.objects.put(place.calendar.id, draft("a")), once(txn), txn.meta.get("x")))
    assert lost
    assert names_in(store, place.calendar.id) == ["a"]
    lost.clear()
    assert store.read_now(lambda txn: (once(txn), txn.objects.count(place.calendar.id))[1]) == 1
    end_connections(url)
    store.write_now(lambda txn: txn.objects.put(place.calendar.id, draft("b")))
    assert names_in(store, place.calendar.id) == ["a", "b"]


def test_where_a_commit_is_lost_nobody_is_told_that_it_failed_or_not(
    store: Store, place: Place, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(self: Postgres, driver: Driver) -> None:
        end_connections(url)
        driver.execute("COMMIT")

    monkeypatch.setattr(Postgres, "commit", lose)
    with pytest.raises(Uncertain):
        store.write_now(lambda txn: txn.objects.put(place.calendar.id, draft("a")))


def test_a_database_that_is_away_is_waited_for_only_so_long(postgres: Cluster, url: str) -> None:
    store = open_store(url, reactor=None, busy_timeout=0.3)
    moved = url.replace(str(postgres.folder), "/nonexistent")
    object.__setattr__(store._dialect, "url", moved)  # type: ignore[attr-defined]  # as if the server had gone
    for work in (store.read_now, store.write_now):
        with pytest.raises(Busy, match="away"):
            work(lambda txn: txn.meta.get("a"))
    store.close()
    with pytest.raises(Unusable, match="nonexistent"):
        open_store(moved, reactor=None)
    with pytest.raises(Unusable, match="nonexistent"):
        check(moved)


def test_who_hangs_in_a_transaction_does_not_keep_others_out(
    store: Store, beside: Store, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_module, "IDLE_SECONDS", 0.3)
    done: list[float] = []

    def hang(txn: Transaction) -> None:
        txn.objects.put(place.calendar.id, draft("a"))
        if not done:
            other = threading.Thread(target=lambda: put(beside, place.calendar.id, "b"))
            other.start()
            other.join(20)
            done.append(0)
            assert not other.is_alive()
        txn.objects.put(place.calendar.id, draft("c"))

    store.write_now(hang)
    assert names_in(store, place.calendar.id) == ["a", "b", "c"]


# -- what is current -----------------------------------------------------------------------------------------------


def test_no_number_comes_again_when_the_watch_was_lost(
    url: str, store: Store, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_module, "LOOK_SECONDS", 60.0)
    seen = {store.data_version()}
    end_connections(url)
    for _ in range(50):
        version = store.data_version()
        assert version not in seen or version == max(seen), "a number that was given before the loss"
        seen.add(version)
        if version > 0 and store.stamp(place.home.id) is not None:
            break
        threading.Event().wait(0.1)
    else:
        pytest.fail("there is no new connection")
    assert version != min(each for each in seen if each > 0)
    assert store.data_version() == version


def test_a_slow_look_is_given_up_and_none_is_taken_for_a_while(
    url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.data_version() > 0
    monkeypatch.setattr(postgres_module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(postgres_module.Watch, "_SNAPSHOT", "SELECT pg_sleep(5)")
    numbers = {store.data_version() for _ in range(10)}
    assert len(numbers) == 10
    assert max(numbers) < 0


# -- poolers -------------------------------------------------------------------------------------------------------


@contextmanager
def pooler(postgres: Cluster, program: str) -> Iterator[str]:
    """The folder of the socket of a pgbouncer like that of `conf/`: another connection for each transaction."""
    with tempfile.TemporaryDirectory(prefix="pgbouncer-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o777)
        text = CONF.read_text()
        for ours, here in (
            ("host=db.example.org", f"host={postgres.folder} user={OWNER}"),
            ("listen_addr = 127.0.0.1", "listen_addr ="),
            ("unix_socket_dir =", f"unix_socket_dir = {folder}"),
            ("auth_type = scram-sha-256", "auth_type = any"),
            ("auth_file = /etc/pgbouncer/userlist.txt", "server_reset_query_always = 1"),
            ("default_pool_size = 20", "default_pool_size = 3"),
        ):
            assert ours in text
            text = text.replace(ours, here)
        (folder / "ini").write_text(text)
        user = {"user": postgres.user} if postgres.user is not None else {}
        running = subprocess.Popen([program, str(folder / "ini")], stderr=subprocess.DEVNULL, **user)
        try:
            for _ in range(100):
                if (folder / ".s.PGSQL.6432").exists():
                    break
                threading.Event().wait(0.05)
            yield str(folder)
        finally:
            running.terminate()
            running.wait()


@live
async def test_behind_a_pooler_nothing_needs_a_session(
    postgres: Cluster, url: str, program: Callable[[str], str], place: Place
) -> None:
    with pooler(postgres, program("pgbouncer")) as folder:
        through = url.replace(str(postgres.folder), folder) + "&port=6432"
        both: list[SqlStore] = [open_store(through, reactor=reactor, readers=2, writers=2) for _ in range(2)]
        at = place.calendar.id
        writes = [
            each.write(lambda txn, name=f"{number}-{n:02}": txn.objects.put(at, draft(name), unique_uid=True))
            for n in range(30)
            for number, each in enumerate(both)
        ]
        reads = [
            each.read(lambda txn: len([*txn.objects.iterate(at)]) - len(txn.objects.listing(at)))
            for _ in range(30)
            for each in both
        ]
        await gatherResults(writes)
        assert set(await gatherResults(reads)) == {0}
        first, second = both
        before = second.data_version()
        assert before > 0
        await first.write(furnish_bob)
        assert second.data_version() != before
        assert await second.read(lambda txn: txn.objects.count(at)) == 60
        await gatherResults([each.close() for each in both])


def furnish_bob(txn: Transaction) -> Place:
    return furnish(txn, "bob")
