"""Access control lists of collections and objects: kept with their rows, and seen as a change."""

from samples import Clock, Place, draft, furnish, put, revision, sqlite_only, statements

from calserver.dav import Ace, Acl
from calserver.names import D
from calserver.store import Collection, Object, Store

READ = frozenset({D("read")})
LIST: Acl = (
    Ace(7, READ, deny=True),
    Ace("all", READ | {D("write")}, invert=True),
    Ace("property:{DAV:}owner", READ, deny=True, invert=True),
    Ace("read-delegates:7", frozenset()),
)


def collection(store: Store, id: int) -> Collection:
    found = store.read_now(lambda txn: txn.collections.get(id))
    assert found is not None
    return found


def stored(store: Store, id: int) -> Object:
    found = store.read_now(lambda txn: txn.objects.by_id(id))
    assert found is not None
    return found


def test_nothing_has_a_list_of_its_own_until_one_is_set(store: Store, place: Place) -> None:
    lunch = put(store, place.calendar.id)
    assert (place.home.acl, place.calendar.acl, lunch.acl) == (None, None, None)
    assert store.read_now(lambda txn: txn.objects.with_acl(place.calendar.id)) == []


def test_a_list_comes_back_as_it_was_set(store: Store, place: Place) -> None:
    changed = store.write_now(lambda txn: txn.collections.set_acl(place.calendar.id, LIST))
    assert changed.acl == LIST
    assert collection(store, place.calendar.id) == changed
    lunch = put(store, place.calendar.id)
    assert not store.read_now(lambda txn: txn.objects.restricted([place.calendar.id]))
    changed_object = store.write_now(lambda txn: txn.objects.set_acl(lunch.id, LIST))
    assert store.read_now(lambda txn: txn.objects.restricted([place.home.id, place.calendar.id]))
    assert changed_object.acl == LIST
    assert stored(store, lunch.id) == changed_object


def test_an_empty_list_is_not_the_same_as_none(store: Store, place: Place) -> None:
    assert store.write_now(lambda txn: txn.collections.set_acl(place.calendar.id, ())).acl == ()
    assert store.write_now(lambda txn: txn.collections.set_acl(place.calendar.id, None)).acl is None


def test_a_new_list_is_a_change_that_clients_see(store: Store, place: Place) -> None:
    lunch = put(store, place.calendar.id)
    before = revision(store, place.home.id)
    store.write_now(lambda txn: txn.objects.set_acl(lunch.id, LIST))
    assert stored(store, lunch.id).revision == revision(store, place.calendar.id) == before + 1
    assert stored(store, lunch.id).etag == lunch.etag
    store.write_now(lambda txn: txn.collections.set_acl(place.calendar.id, LIST))
    assert revision(store, place.calendar.id) == revision(store, place.home.id) == before + 2


def test_access_changes_for_what_is_above_and_what_is_below(store: Store, place: Place) -> None:
    """Above something may be hidden or shown that was not; below what is inherited changes."""
    inner = store.write_now(lambda txn: txn.collections.add(place.calendar.id, "inner", "plain"))
    beside = store.write_now(lambda txn: txn.collections.add(place.home.id, "beside", "plain"))
    assert collection(store, inner.id).access_revision == 0
    now = store.write_now(lambda txn: txn.collections.set_acl(place.calendar.id, LIST)).revision
    for each in (place.home.id, place.calendar.id, inner.id):
        assert collection(store, each).access_revision == now
    assert collection(store, beside.id).access_revision == 0
    put(store, beside.id)
    assert collection(store, place.home.id).access_revision == now


def test_access_changes_for_what_moves(store: Store, place: Place) -> None:
    """It comes to inherit from something else."""
    there = store.write_now(lambda txn: txn.collections.add(place.home.id, "there", "plain"))
    moved = store.write_now(lambda txn: txn.collections.move(place.calendar.id, there.id, "Default"))
    assert moved.access_revision == moved.revision


def test_new_content_keeps_the_list(store: Store, place: Place) -> None:
    lunch = put(store, place.calendar.id)
    store.write_now(lambda txn: txn.objects.set_acl(lunch.id, LIST))
    again = put(store, place.calendar.id, text=b"other")
    assert again.acl == LIST
    assert stored(store, lunch.id) == again


def test_properties_keep_the_list(store: Store, place: Place) -> None:
    changed = store.write_now(lambda txn: txn.collections.set_acl(place.calendar.id, LIST))
    assert store.write_now(lambda txn: txn.collections.update(changed)).acl == LIST


def test_a_move_keeps_the_list_and_a_copy_has_none(store: Store, place: Place) -> None:
    """RFC 3744 sections 7.3 and 7.4."""
    lunch = put(store, place.calendar.id)
    store.write_now(lambda txn: txn.objects.set_acl(lunch.id, LIST))
    assert store.write_now(lambda txn: txn.objects.copy(lunch.id, place.calendar.id, "copy.ics")).acl is None
    assert store.write_now(lambda txn: txn.objects.move(lunch.id, place.calendar.id, "moved.ics")).acl == LIST
    store.write_now(lambda txn: txn.collections.set_acl(place.calendar.id, LIST))
    assert store.write_now(lambda txn: txn.collections.move(place.calendar.id, place.home.id, "x")).acl == LIST


def test_what_takes_the_place_of_a_removed_object_has_no_list(store: Store, place: Place) -> None:
    lunch = put(store, place.calendar.id)
    store.write_now(lambda txn: txn.objects.set_acl(lunch.id, LIST))
    store.write_now(lambda txn: txn.objects.remove(lunch.id))
    assert put(store, place.calendar.id).acl is None


@sqlite_only
def test_lists_are_found_without_looking_at_the_others(store: Store, place: Place) -> None:
    other = store.write_now(lambda txn: furnish(txn, "bob"))
    for name in ("a.ics", "b.ics", "c.ics"):
        put(store, place.calendar.id, name)
    lunch = put(store, place.calendar.id, "lunch.ics")
    elsewhere = put(store, other.calendar.id, "lunch.ics")
    store.write_now(lambda txn: txn.objects.set_acl(lunch.id, LIST))
    store.write_now(lambda txn: txn.objects.set_acl(elsewhere.id, ()))
    found = store.read_now(lambda txn: txn.objects.with_acl(place.calendar.id))
    assert [(each.name, each.acl) for each in found] == [("lunch.ics", LIST)]
    assert statements(store, lambda txn: txn.objects.with_acl(place.calendar.id)) == 1
    assert "USING INDEX ix_object_acl" in plan(store)


def plan(store: Store) -> str:
    def explain(txn: object) -> str:
        driver = txn.connection.driver  # type: ignore[attr-defined]  # what is behind the contract, for its plan
        rows = driver.execute(
            "EXPLAIN QUERY PLAN SELECT name, acl FROM object WHERE collection_id = 1 AND acl IS NOT NULL"
        )
        return " ".join(row[3] for row in rows)

    return store.read_now(explain)


def test_lists_are_loaded_with_the_rows(store: Store, place: Place, clock: Clock) -> None:
    store.write_now(lambda txn: txn.objects.put(place.calendar.id, draft("a.ics")))
    lunch = put(store, place.calendar.id)
    store.write_now(lambda txn: txn.objects.set_acl(lunch.id, LIST))
    found = store.read_now(lambda txn: txn.objects.in_collection(place.calendar.id))
    assert [each.acl for each in found] == [LIST, None]
    named = store.read_now(lambda txn: txn.objects.named(place.calendar.id, ["lunch.ics"]))
    assert named["lunch.ics"][0].acl == LIST
    changed = store.read_now(lambda txn: txn.changes.objects(place.calendar.id, 0))
    assert changed[-1].acl == LIST
