"""The principals of a directory in other stores: the same ids and revisions, whatever happens in between."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from samples import principal

from calserver.store import Principal, Roll, Store, StrangeDirectory, Transaction, open_store


@pytest.fixture
def node(engine: str, request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path) -> Iterator[Store]:
    """A second store of the same engine; `store` is its directory."""
    if engine == "sqlite":
        shutil.copy(empty_database, tmp_path / "node.sqlite")
        opened = open_store(f"sqlite:///{tmp_path}/node.sqlite", reactor=None)
        yield opened
        opened.close()
    else:
        with request.getfixturevalue("postgres").database() as made:
            opened = open_store(made, reactor=None)
            yield opened
            opened.close()


def follow(node: Store, directory: Store) -> list[int]:
    """Bring a node up to date; returns who is gone."""
    known = node.read_now(lambda txn: txn.principals.revision())
    roll = directory.read_now(lambda txn: txn.rolls.since(known))
    return list(node.write_now(lambda txn: txn.rolls.take_over(roll)))


def everything(store: Store) -> Any:
    """All that a store knows of principals."""

    def look(txn: Transaction) -> Any:
        found = sorted(txn.principals.list(), key=lambda each: each.id)
        return (
            txn.principals.revision(),
            found,
            [[each.uid for each in txn.principals.members(who.id)] for who in found],
            [[each.uid for each in txn.principals.delegates(who.id, "write")] for who in found],
            txn.placements.of(each.id for each in found),
            txn.principals.by_addresses([address for who in found for address in who.addresses]),
            [each.uid for each in txn.principals.search([("name", "contains", "n")], any_of=True)],
        )

    return store.read_now(look)


def add(store: Store, *uids: str, **more: Any) -> list[Principal]:
    return [store.write_now(lambda txn, uid=uid: txn.principals.add(principal(uid, **more))) for uid in uids]


def test_placements_are_counted_and_changed(store: Store) -> None:
    ann, bob, carol = add(store, "ann", "bob", "carol")
    before = store.read_now(lambda txn: txn.principals.revision())
    store.write_now(lambda txn: txn.placements.put([ann.id, bob.id], "b1"))
    store.write_now(lambda txn: txn.placements.put([carol.id], "b2"))
    store.write_now(lambda txn: txn.placements.put([], "b3"))
    assert store.read_now(lambda txn: txn.placements.counts()) == {"b1": 2, "b2": 1}
    assert store.read_now(lambda txn: txn.placements.of([ann.id, carol.id, 99])) == {ann.id: "b1", carol.id: "b2"}
    assert store.read_now(lambda txn: txn.placements.node("user", "bob")) == "b1"
    assert store.read_now(lambda txn: txn.placements.node("group", "bob")) is None
    changed = store.read_now(lambda txn: txn.principals.get(carol.id))
    assert changed is not None
    assert changed.revision == before + 2
    store.write_now(lambda txn: txn.placements.put([ann.id], "b2"))
    store.write_now(lambda txn: txn.placements.put([bob.id], None))
    assert store.read_now(lambda txn: txn.placements.counts()) == {"b2": 2}
    store.write_now(lambda txn: txn.principals.remove(ann.id))
    assert store.read_now(lambda txn: txn.placements.counts()) == {"b2": 1}


def test_a_node_has_what_its_directory_has(store: Store, node: Store) -> None:
    ann, bob, carol = add(store, "ann", "bob", "carol", password_hash="$x", properties={"{DAV:}x": "<x/>"})
    (staff,) = add(store, "staff", kind="group")
    store.write_now(lambda txn: txn.principals.set_members(staff.id, [ann.id, bob.id]))
    store.write_now(lambda txn: txn.principals.set_delegates(ann.id, "write", [bob.id]))
    store.write_now(lambda txn: txn.placements.put([ann.id], "b1"))
    assert follow(node, store) == []
    assert everything(node) == everything(store)
    store.write_now(lambda txn: txn.principals.set_members(staff.id, [carol.id]))
    store.write_now(lambda txn: txn.principals.set_delegates(ann.id, "write", []))
    store.write_now(lambda txn: txn.principals.update(attrs.evolve(bob, name="Bobby Lin", password_hash=None)))
    store.write_now(lambda txn: txn.placements.put([ann.id, carol.id], "b2"))
    assert follow(node, store) == []
    assert everything(node) == everything(store)


def test_what_has_not_changed_is_not_read_again(store: Store, node: Store) -> None:
    ann, _ = add(store, "ann", "bob")
    follow(node, store)
    store.write_now(lambda txn: txn.principals.update(attrs.evolve(ann, name="Ann Lee")))
    known = node.read_now(lambda txn: txn.principals.revision())
    assert [each.uid for each in store.read_now(lambda txn: txn.rolls.since(known)).changed] == ["ann"]
    follow(node, store)
    assert follow(node, store) == []
    assert everything(node) == everything(store)


def test_who_is_removed_goes_with_calendars_and_relations(store: Store, node: Store) -> None:
    ann, bob = add(store, "ann", "bob")
    (staff,) = add(store, "staff", kind="group")
    store.write_now(lambda txn: txn.principals.set_members(staff.id, [ann.id, bob.id]))
    follow(node, store)
    node.write_now(lambda txn: txn.collections.add_home(ann.id, "calendar-home"))
    store.write_now(lambda txn: txn.principals.remove(ann.id))
    assert follow(node, store) == [ann.id]
    assert node.read_now(lambda txn: txn.collections.home(ann.id, "calendar-home")) is None
    assert everything(node) == everything(store)


def test_a_uid_and_an_address_go_from_one_to_another(store: Store, node: Store) -> None:
    ann, bob = add(store, "ann", "bob")
    follow(node, store)

    def swap(txn: Transaction) -> None:
        txn.principals.update(attrs.evolve(ann, addresses=()))
        txn.principals.update(attrs.evolve(bob, addresses=ann.addresses))
        txn.principals.update(attrs.evolve(ann, addresses=bob.addresses))

    store.write_now(swap)
    follow(node, store)
    assert everything(node) == everything(store)
    store.write_now(lambda txn: txn.principals.remove(ann.id))
    add(store, "ann", addresses=bob.addresses)
    assert follow(node, store) == [ann.id]
    assert everything(node) == everything(store)


def test_homes_stay_when_their_owner_changes(store: Store, node: Store) -> None:
    (ann,) = add(store, "ann")
    follow(node, store)
    home = node.write_now(lambda txn: txn.collections.add_home(ann.id, "calendar-home"))
    store.write_now(lambda txn: txn.placements.put([ann.id], "b2"))
    follow(node, store)
    assert node.read_now(lambda txn: txn.collections.home(ann.id, "calendar-home")) == home


def test_an_empty_or_older_directory_removes_nobody(store: Store, node: Store) -> None:
    add(store, "ann", "bob")
    follow(node, store)
    before = everything(node)
    older = Roll(revision=1, names={}, changed=(), members=(), delegates=(), placements={})
    with pytest.raises(StrangeDirectory, match="less"):
        node.write_now(lambda txn: txn.rolls.take_over(older))
    assert everything(node) == before


def test_a_directory_of_other_people_is_not_followed(store: Store, node: Store) -> None:
    add(node, "zoe")
    add(store, "ann", "bob")
    before = everything(node)
    with pytest.raises(StrangeDirectory, match="user/zoe"):
        follow(node, store)
    assert everything(node) == before
