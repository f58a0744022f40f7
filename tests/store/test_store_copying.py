"""A store in another database: the same rows, the same numbers, and nothing that comes twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgresql import Cluster
from samples import DAY, Place, draft, furnish, names_in, put

from calserver.ical import Instance
from calserver.store import (
    Busy,
    SchemaMismatch,
    Share,
    Store,
    Unusable,
    Variant,
    check,
    copy,
    copying,
    open_store,
    upgrade,
)


def quietly(table: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without anything."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/target.sqlite"
    else:
        with request.getfixturevalue("postgres").nothing() as made:
            yield made


@pytest.fixture
def full(store: Store, place: Place) -> Place:
    """Something in most of the tables; collections that lie in younger ones; ids that were given out and are gone."""

    def fill(txn):
        bob = furnish(txn, "bob")
        for number in range(25):
            many = tuple(Instance(start=n * DAY, end=n * DAY + 1) for n in range(3))
            txn.objects.put(place.calendar.id, draft(f"{number}", bytes([number, 0, 255]), instances=many))
        folder = txn.collections.add(place.home.id, "folder", "plain", properties={"{x}y": "zwei ü"})
        txn.collections.move(place.calendar.id, folder.id, "Default")
        txn.shares.add(
            Share(id=0, collection_id=place.calendar.id, principal_id=bob.principal.id, address="b", uid="1")
        )
        calendar = txn.collections.get(place.calendar.id)
        txn.shares.bind(
            calendar, bob.home, "of ann", "shared-calendar", access="read", properties={}, display_name=None
        )
        first = txn.objects.get(place.calendar.id, "1")
        txn.shares.set_personal(first.id, bob.principal.id, Variant(text=b"own", etag="own"))
        txn.copies.remember(first.id, b"memory")
        txn.tasks.put("kind", "key", b"payload", due=txn.now)
        txn.objects.remove(txn.objects.put(place.calendar.id, draft("gone"))[0].id)

    store.write_now(fill)
    return place


def test_all_of_a_store_is_there_and_it_goes_on(url: str, store: Store, full: Place, target: str) -> None:
    told: dict[str, tuple[int, int]] = {}
    copied = copy(url, target, lambda table, done, total: told.__setitem__(table, (done, total)))
    assert {each.table: each.rows for each in copied} == {table: done for table, (done, total) in told.items()}
    assert all(done == total for done, total in told.values())
    assert check(target).current
    there = open_store(target, reactor=None)
    assert names_in(there, full.calendar.id) == names_in(store, full.calendar.id)
    before, after = (each.read_now(lambda txn: txn.collections.get(full.home.id)) for each in (store, there))
    assert before == after
    new = put(there, full.calendar.id, "new")
    assert new.id == put(store, full.calendar.id, "new").id, "the id of what was removed does not come again"
    there.close()


def test_there_and_back_is_the_same(url: str, full: Place, target: str, postgres: Cluster, tmp_path: Path) -> None:
    back = f"sqlite:///{tmp_path}/back.sqlite"
    first = copy(url, target, quietly)
    assert copy(target, back, quietly) == first
    assert check(back).problems == ()


def test_a_copy_that_was_interrupted_goes_on(
    url: str, full: Place, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "ROWS", 4)
    reached = [0]

    def break_off(table: str, done: int, total: int) -> None:
        if table == "object" and reached[-1] < done < total and len(reached) < 5:
            reached.append(done)
            raise KeyboardInterrupt

    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            copy(url, target, break_off)
        assert not check(target).current
        with pytest.raises(SchemaMismatch, match="copying"):
            open_store(target, reactor=None)
    assert reached == [0, 4, 8, 12, 16]
    copied = copy(url, target, break_off)
    assert next(each.rows for each in copied if each.table == "object") == 25


def test_a_source_that_was_changed_meanwhile_is_found_out(url: str, store: Store, full: Place, target: str) -> None:
    def break_off(table: str, done: int, total: int) -> None:
        if table == "content":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(url, target, break_off)
    put(store, full.calendar.id, "1", b"changed")
    with pytest.raises(Unusable, match="has become another one"):
        copy(url, target, quietly)
    assert not check(target).current


def test_only_an_empty_database_is_copied_into(url: str, full: Place, target: str) -> None:
    upgrade(target)
    with pytest.raises(Unusable, match="already"):
        copy(url, target, quietly)
    with pytest.raises(Unusable, match="nothing to copy"):
        copy("sqlite:////nonexistent/x", target, quietly)


def test_nobody_writes_while_it_is_copied(url: str, full: Place, target: str) -> None:
    hurried = open_store(url, reactor=None, busy_timeout=0.1)

    def write(table: str, done: int, total: int) -> None:
        if table == "journal":
            with pytest.raises(Busy):
                hurried.write_now(lambda txn: txn.meta.set("a", "b"))

    copy(url, target, write)
    hurried.close()
