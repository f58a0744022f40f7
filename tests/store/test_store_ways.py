"""Ways that are remembered: good as long as nothing has changed, whichever process did."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from samples import Clock, Place, furnish, put

from calserver.store import Collection, Store, Transaction, open_store, ways

CHANGES: dict[str, Callable[[Transaction, Place], object]] = {
    "an object": lambda txn, at: txn.collections.add(at.home.id, "other", "calendar"),
    "a property": lambda txn, at: txn.collections.update(attrs.evolve(at.calendar, properties={"{DAV:}x": "<x/>"})),
    "a list": lambda txn, at: txn.collections.set_acl(at.calendar.id, ()),
    "a name": lambda txn, at: txn.collections.move(at.calendar.id, at.home.id, "other"),
    "its end": lambda txn, at: txn.collections.remove(at.calendar.id),
    "a group": lambda txn, at: txn.principals.set_members(at.principal.id, ()),
}


@pytest.fixture
def beside(store: Store, url: str, clock: Clock) -> Iterator[Store]:
    """Another process, as far as the database knows."""
    opened = open_store(url, reactor=None, now=clock)
    yield opened
    opened.close()


def way(store: Store, *names: str) -> tuple[list[Collection], int]:
    """What is found in a transaction that reads, and by how many statements."""

    def look(txn: Any) -> tuple[list[Collection], int]:
        found = list(txn.collections.locate("user", "ann", "calendar-home", names, remember=True))
        return found, txn.connection.statements

    return store.read_now(look)


def test_a_way_is_found_again_by_a_look_at_the_stamp(store: Store, place: Place) -> None:
    for names in ((), ("Default",), ("Default", "a.ics"), ("Default", "b.ics"), ("nothing",)):
        first, _ = way(store, *names)
        assert way(store, *names) == (first, 1)
        assert [each.name for each in first] == ["", *(each for each in names if each == "Default")]


def test_objects_share_the_way_to_their_collection(store: Store, place: Place) -> None:
    put(store, place.calendar.id, "a.ics")
    way(store, "Default", "a.ics")
    assert way(store, "Default", "b.ics")[1] == 1


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_by_another_process_is_seen_at_once(store: Store, beside: Store, place: Place, change: str) -> None:
    paths = ((), ("Default",), ("Default", "a.ics"), ("other",), ("other", "a.ics"))
    for names in paths:
        way(store, *names)
    beside.write_now(lambda txn: CHANGES[change](txn, place))
    for names in paths:
        assert way(store, *names)[0] == way(beside, *names)[0]
        assert way(store, *names)[0] == store.write_now(
            lambda txn, names=names: list(txn.collections.locate("user", "ann", "calendar-home", names, remember=True))
        )


def test_a_collection_that_takes_the_place_of_nothing_is_found(store: Store, beside: Store, place: Place) -> None:
    assert len(way(store, "Default", "inner")[0]) == 2
    beside.write_now(lambda txn: txn.collections.add(place.calendar.id, "inner", "plain"))
    assert [each.name for each in way(store, "Default", "inner")[0]] == ["", "Default", "inner"]
    assert [each.name for each in way(store, "Default", "other")[0]] == ["", "Default"]
    assert [each.name for each in way(store, "Default", "inner")[0]] == ["", "Default", "inner"]


def test_who_is_made_later_is_found(store: Store, beside: Store) -> None:
    assert way(store, "Default") == ([], 1)
    beside.write_now(furnish)
    assert len(way(store, "Default")[0]) == 2


def test_a_transaction_that_writes_sees_what_it_did(store: Store, place: Place) -> None:
    way(store, "Default")

    def move_and_look(txn: Transaction) -> list[str]:
        txn.collections.move(place.calendar.id, place.home.id, "other")
        found = txn.collections.locate("user", "ann", "calendar-home", ("Default",), remember=True)
        return [each.name for each in found]

    assert store.write_now(move_and_look) == [""]


def test_not_everything_is_remembered(store: Store, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_ways", ways.Ways(2))
    for name in ("a", "b", "c"):
        store.write_now(lambda txn, name=name: txn.collections.add(place.home.id, name, "plain"))
    for _ in range(2):
        for name in ("a", "b", "c"):
            assert [each.name for each in way(store, name)[0]] == ["", name]


def test_a_transaction_that_writes_goes_ways_that_are_known(store: Store, place: Place) -> None:
    def look(txn: Any) -> tuple[list[str], int]:
        found = txn.collections.locate("user", "ann", "calendar-home", ("Default", "new.ics"), remember=True)
        return [each.name for each in found], txn.connection.statements

    assert store.write_now(look) == (["", "Default"], 1)
    way(store, "Default", "old.ics")
    assert store.write_now(look) == (["", "Default"], 1)

    def change_and_look(txn: Any) -> list[list[str]]:
        seen = [look(txn)[0]]
        txn.collections.add(place.calendar.id, "new.ics", "plain")
        seen.append(look(txn)[0])
        return seen

    assert store.write_now(change_and_look) == [["", "Default"], ["", "Default", "new.ics"]]


def test_what_was_taken_back_is_no_way(store: Store, place: Place) -> None:
    """The numbers of what was taken back are given out again, to other changes."""

    def look_and_fail(txn: Transaction) -> None:
        txn.collections.add(place.home.id, "gone", "plain")
        for _ in range(2):
            found = txn.collections.locate("user", "ann", "calendar-home", ("gone",), remember=True)
            assert [each.name for each in found] == ["", "gone"]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write_now(look_and_fail)
    store.write_now(lambda txn: txn.collections.add(place.home.id, "other", "plain"))
    assert [each.name for each in way(store, "gone")[0]] == [""]
    assert [each.name for each in way(store, "other")[0]] == ["", "other"]


def administrators(store: Store) -> tuple[list[str], int]:
    """The uids of the administrators, in a transaction that reads, and by how many statements."""

    def look(txn: Any) -> tuple[list[str], int]:
        return [each.uid for each in txn.principals.administrators()], txn.connection.statements

    return store.read_now(look)


def test_administrators_are_looked_for_again_when_a_principal_has_changed(
    store: Store, beside: Store, place: Place
) -> None:
    def promote(txn: Transaction, *, promoted: bool) -> None:
        txn.principals.update(attrs.evolve(place.principal, administrator=promoted))

    assert administrators(store) == ([], 2)
    assert administrators(store) == ([], 1)
    beside.write_now(lambda txn: promote(txn, promoted=True))
    assert administrators(store) == (["ann"], 2)
    assert administrators(store) == (["ann"], 1)
    beside.write_now(lambda txn: promote(txn, promoted=False))
    assert administrators(store) == ([], 2)


def test_what_a_transaction_has_changed_itself_is_not_remembered(store: Store, place: Place) -> None:
    def promote(txn: Transaction) -> list[str]:
        txn.principals.update(attrs.evolve(place.principal, administrator=True))
        return [each.uid for each in txn.principals.administrators()]

    def promote_in_vain(txn: Transaction) -> None:
        assert promote(txn) == ["ann"]
        raise ValueError("taken back")

    assert administrators(store)[0] == []
    with pytest.raises(ValueError, match="taken back"):
        store.write_now(promote_in_vain)
    assert administrators(store)[0] == []
    assert store.write_now(promote) == ["ann"]
    assert administrators(store)[0] == ["ann"]
