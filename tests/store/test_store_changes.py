"""What changed since a revision (RFC 6578), and how long that is told."""

import pytest
from samples import Clock, Place, draft, furnish, put, revision

from calserver.store import Store


def changed(store: Store, collection: int, since: int, limit: int | None = None) -> list[str]:
    found = store.read_now(lambda txn: txn.changes.objects(collection, since, limit))
    listed = store.read_now(lambda txn: txn.changes.listing(collection, since, limit))
    assert [*listed] == [(each.name, each.etag, each.content_type, each.revision) for each in found]
    return [each.name for each in found]


def removed(store: Store, collection: int, since: int, limit: int | None = None) -> list[str]:
    found = store.read_now(lambda txn: txn.changes.tombstones(collection, since, limit))
    assert all(each.collection_id == collection for each in found)
    return [each.name for each in found]


def test_changes_come_in_the_order_in_which_they_happened(store: Store, place: Place) -> None:
    at = place.calendar.id
    start = revision(store, at)
    assert changed(store, at, start) == []
    for name in ("b", "a", "c"):
        put(store, at, name)
    middle = revision(store, at)
    put(store, at, "b", b"again")
    assert changed(store, at, start) == ["a", "c", "b"]
    assert changed(store, at, start, 2) == ["a", "c"]
    assert changed(store, at, middle) == ["b"]
    assert changed(store, at, revision(store, at)) == []


def test_a_removal_is_told_until_the_name_is_made_again(store: Store, place: Place) -> None:
    at = place.calendar.id
    made = [put(store, at, name) for name in ("a", "b")]
    start = revision(store, at)
    store.write_now(lambda txn: [txn.objects.remove(each.id) for each in made])
    assert removed(store, at, start) == ["a", "b"]
    assert removed(store, at, start, 1) == ["a"]
    assert removed(store, at, start + 1) == ["b"]
    store.write_now(lambda txn: txn.collections.add(at, "a", "plain"))
    put(store, at, "b")
    assert removed(store, at, start) == []
    assert changed(store, at, start) == ["b"]


@pytest.mark.parametrize("how", ["move", "copy"])
def test_a_name_that_is_taken_again_in_any_way_is_not_told_as_removed(store: Store, place: Place, how: str) -> None:
    at = place.calendar.id
    gone, other = put(store, at, "a"), put(store, at, "b")
    store.write_now(lambda txn: txn.objects.remove(gone.id))
    store.write_now(lambda txn: getattr(txn.objects, how)(other.id, at, "a"))
    assert removed(store, at, 0) == (["b"] if how == "move" else [])
    inner = store.write_now(lambda txn: txn.collections.add(at, "inner", "plain"))
    store.write_now(lambda txn: txn.objects.remove(txn.objects.get(at, "a").id))
    store.write_now(lambda txn: txn.collections.move(inner.id, at, "a"))
    assert "a" not in removed(store, at, 0)


def test_member_collections_change_with_what_is_below_them(store: Store, place: Place) -> None:
    other = store.write_now(lambda txn: txn.collections.add(place.home.id, "other", "calendar"))
    start = revision(store, place.home.id)
    put(store, other.id)
    found = store.read_now(lambda txn: txn.changes.collections(place.home.id, start))
    assert [each.name for each in found] == ["other"]
    put(store, place.calendar.id)
    found = store.read_now(lambda txn: txn.changes.collections(place.home.id, start))
    assert [each.name for each in found] == ["other", "Default"]


def test_no_two_members_of_a_collection_share_a_number(store: Store, place: Place) -> None:
    """So a sync report may be cut anywhere, and its token is the number of the last member (RFC 6578 section 3.6)."""
    target = store.write_now(lambda txn: furnish(txn, "bob"))

    def fill(txn):
        for name in ("x", "y", "z"):
            inner = txn.collections.add(place.calendar.id, name, "plain")
            for number in range(5):
                txn.objects.put(inner.id, draft(f"{number}"))
                txn.objects.put(place.calendar.id, draft(f"{name}{number}"))
        txn.collections.move(place.calendar.id, target.home.id, "moved")

    store.write_now(fill)

    def numbers(txn):
        at = place.calendar.id
        members = [each.revision for each in (*txn.changes.objects(at, 0), *txn.changes.collections(at, 0))]
        below = [each.revision for each in txn.changes.objects(txn.collections.child(at, "y").id, 0)]
        return members, below, txn.collections.get(at).revision

    members, below, own = store.read_now(numbers)
    assert len(set(members)) == len(members) == 18
    assert len(set(below)) == 5
    assert max(members + below) < own


def test_purging_forgets_old_removals_and_raises_the_floor(store: Store, place: Place, clock: Clock) -> None:
    at = place.calendar.id
    made = {name: put(store, at, name) for name in ("a", "b", "c")}
    store.write_now(lambda txn: txn.objects.remove(made["a"].id))
    first = revision(store, at)
    border = clock.forward(days=1)
    clock.forward(seconds=1)
    store.write_now(lambda txn: txn.objects.remove(made["b"].id))
    stamp = store.stamp(place.home.id)
    assert store.write_now(lambda txn: txn.changes.purge_tombstones(border)) == 1
    assert removed(store, at, 0) == ["b"]
    found = store.read_now(lambda txn: txn.collections.get(at))
    assert found.floor == first
    assert found.revision == first + 1, "nothing changed that a client sees"
    assert store.stamp(place.home.id) != stamp
    home = store.read_now(lambda txn: txn.collections.get(place.home.id))
    assert home.floor == first, "collections above tell of removals too (sync-level infinite)"
    assert store.write_now(lambda txn: txn.changes.purge_tombstones(border)) == 0


@pytest.mark.parametrize("by", ["collection", "moved collection", "object"])
def test_a_collection_replaced_under_its_name_ends_older_tokens_above_it(store: Store, place: Place, by: str) -> None:
    """Nothing tells any more what was below the one that was removed."""
    put(store, place.calendar.id)
    spare = store.write_now(lambda txn: txn.collections.add(place.home.id, "spare", "plain"))
    store.write_now(lambda txn: txn.collections.remove(place.calendar.id))
    gone = revision(store, place.home.id)
    before = store.read_now(lambda txn: txn.collections.get(place.home.id))
    stamp = store.stamp(place.home.id)
    if by == "collection":
        store.write_now(lambda txn: txn.collections.add(place.home.id, "Default", "calendar"))
    elif by == "moved collection":
        store.write_now(lambda txn: txn.collections.move(spare.id, place.home.id, "Default"))
    else:
        put(store, place.home.id, "Default")
    after = store.read_now(lambda txn: txn.collections.get(place.home.id))
    assert before.floor < gone == after.floor < after.revision
    assert store.stamp(place.home.id).floors > stamp.floors
