"""Glances: short works in the reactor thread, given up as soon as they are not short."""

import threading
from typing import Any

import pytest
from samples import Clock, Place, draft, postgres_only, put, sqlite_only

from calserver.dav import TakesLong
from calserver.store import Store, Transaction, engine, open_store, postgres

LONG = 3000


def fill(txn: Transaction, place: Place) -> None:
    for number in range(LONG):
        txn.objects.put(place.calendar.id, draft(str(number), instances=()))


def names(place: Place) -> Any:
    return lambda txn: [row[0] for row in txn.objects.listing(place.calendar.id)]


@sqlite_only
def test_a_glance_runs_at_once_in_the_calling_thread(store: Store, place: Place) -> None:
    put(store, place.calendar.id, "a")
    assert store.glance(names(place)) == ["a"]
    assert store.glance(lambda txn: threading.current_thread()) is threading.current_thread()


@sqlite_only
def test_a_glance_sees_what_was_committed_and_nothing_else(store: Store, place: Place, url: str, clock: Clock) -> None:
    beside = open_store(url, reactor=None, now=clock)

    def change_and_look(txn: Transaction) -> list[str]:
        txn.objects.put(place.calendar.id, draft("b"))
        return store.glance(names(place))

    assert store.glance(names(place)) == []
    assert beside.write_now(change_and_look) == []
    assert store.glance(names(place)) == ["b"]
    beside.close()


def test_a_glance_cannot_write(store: Store, place: Place) -> None:
    with pytest.raises(TakesLong):
        store.glance(lambda txn: txn.objects.put(place.calendar.id, draft("a")))
    assert store.read_now(names(place)) == []


@sqlite_only
def test_what_goes_wrong_in_a_glance_is_raised(store: Store) -> None:
    def fail(txn: Transaction) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        store.glance(fail)


@sqlite_only
def test_a_glance_that_takes_long_is_given_up(store: Store, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write_now(lambda txn: fill(txn, place))
    monkeypatch.setattr(engine, "GLANCE_SECONDS", 0.0)
    with pytest.raises(TakesLong):
        store.glance(names(place))
    monkeypatch.setattr(engine, "GLANCE_SECONDS", 60.0)
    assert len(store.glance(names(place))) == LONG


def test_looking_what_changed_is_never_given_up(store: Store, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "GLANCE_SECONDS", -1.0)
    monkeypatch.setattr(postgres, "LOOK_SECONDS", 60.0)
    stamp = store.stamp(place.home.id)
    assert stamp is not None
    for _ in range(300):
        assert store.stamp(place.home.id) == stamp


@sqlite_only
@pytest.mark.parametrize("calm", [0.0, 60.0])
def test_while_the_disk_is_slow_there_are_no_glances(
    store: Store, place: Place, monkeypatch: pytest.MonkeyPatch, calm: float
) -> None:
    monkeypatch.setattr(engine, "SLOW_SECONDS", 0.0)
    monkeypatch.setattr(engine, "CALM_SECONDS", calm)
    monkeypatch.setattr(engine, "getrusage", lambda who: Usage())
    assert store.glance(names(place)) == []
    for _ in range(2):
        if calm:
            with pytest.raises(TakesLong):
                store.glance(names(place))
        else:
            assert store.glance(names(place)) == []


class Usage:
    """The disk was just read."""

    @property
    def ru_inblock(self) -> object:
        return object()


def test_a_closed_store_takes_long(store: Store, place: Place) -> None:
    store.close()
    with pytest.raises(TakesLong):
        store.glance(names(place))


@postgres_only
def test_what_lies_behind_a_network_always_takes_long(store: Store, place: Place) -> None:
    with pytest.raises(TakesLong):
        store.glance(names(place))
