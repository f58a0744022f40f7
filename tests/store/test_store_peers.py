"""Other domains, to whom people there have written, and how many tasks of a kind wait."""

from datetime import timedelta
from functools import partial

import attrs
from samples import Clock, furnish

from calserver.store import Lane, Peer, Store, Transaction


def test_what_is_known_of_a_domain_is_remembered_and_replaced(store: Store, clock: Clock) -> None:
    def first(txn: Transaction) -> Peer:
        known = Peer(domain="a.example", since=txn.now, sent=txn.now)
        txn.peers.put(known)
        txn.peers.put(Peer(domain="b.example", since=txn.now))
        return known

    known = store.write_now(first)
    assert store.read_now(lambda txn: txn.peers.get("a.example")) == known
    failed = attrs.evolve(known, failures=2, next_try=known.since + timedelta(hours=1), problem="nobody is there")
    store.write_now(lambda txn: txn.peers.put(failed))
    assert store.read_now(lambda txn: txn.peers.get("a.example")) == failed
    assert [each.domain for each in store.read_now(lambda txn: txn.peers.all())] == ["a.example", "b.example"]
    assert store.read_now(lambda txn: txn.peers.of(["a.example", "c.example"])) == [failed]
    assert store.read_now(lambda txn: txn.peers.of([])) == []
    assert store.read_now(lambda txn: txn.peers.get("c.example")) is None


def test_whom_people_have_written_to(store: Store) -> None:
    ann, bob = (store.write_now(partial(furnish, uid=each)) for each in ("ann", "bob"))
    address = "mailto:zoe@there.example"

    def write(txn: Transaction) -> None:
        for _ in range(2):
            txn.peers.meet(ann.principal.id, address)

    store.write_now(write)
    both = (ann.principal.id, bob.principal.id)
    assert store.read_now(lambda txn: txn.peers.who_met(address, both)) == {ann.principal.id}
    assert store.read_now(lambda txn: txn.peers.who_met("mailto:yan@there.example", both)) == frozenset()


def test_lanes_are_the_kinds_of_tasks_with_a_beginning(store: Store, clock: Clock) -> None:
    def write(txn: Transaction) -> Lane:
        soon, later = txn.now + timedelta(hours=1), txn.now + timedelta(hours=2)
        for kind, key, due in (("x b", "1", later), ("x b", "2", soon), ("x a", "1", later), ("y", "1", soon)):
            txn.tasks.put(kind, key, due=due)
        return Lane(kind="x b", waiting=2, due=soon)

    lane = store.write_now(write)
    lanes = store.read_now(lambda txn: txn.tasks.lanes("x "))
    assert [each.kind for each in lanes] == ["x a", "x b"]
    assert lanes[1] == lane
    found = store.read_now(lambda txn: txn.tasks.beginning("x "))
    assert [(each.kind, each.key) for each in found] == [("x a", "1"), ("x b", "1"), ("x b", "2")]
    assert store.write_now(lambda txn: txn.tasks.hurry("x b")) == 2
    assert len(store.read_now(lambda txn: txn.tasks.due("x b", 10))) == 2
    assert store.read_now(lambda txn: txn.tasks.due("x a", 10)) == []
