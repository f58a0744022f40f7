"""Homes and collections: names, paths, moves, and the numbers that every change takes."""

from collections.abc import Callable

import attrs
import pytest
from samples import Clock, Place, draft, furnish, principal, put, revision, sqlite_only, steps

from calserver.store import Collection, Missing, NameTaken, Store, Transaction


def add(store: Store, parent: int, name: str, kind: str = "plain", **more: object) -> Collection:
    return store.write_now(lambda txn: txn.collections.add(parent, name, kind, **more))


def get(store: Store, id: int) -> Collection | None:
    return store.read_now(lambda txn: txn.collections.get(id))


def test_a_home_is_there_once_per_kind(store: Store, place: Place) -> None:
    assert store.read_now(lambda txn: txn.collections.home(place.principal.id, "calendar-home")) == place.home
    assert store.read_now(lambda txn: txn.collections.home(place.principal.id, "drive-home")) is None
    drive = store.write_now(lambda txn: txn.collections.add_home(place.principal.id, "drive-home"))
    assert (drive.parent_id, drive.name, drive.home_id, drive.principal_id) == (None, "", drive.id, place.principal.id)
    with pytest.raises(NameTaken):
        store.write_now(lambda txn: txn.collections.add_home(place.principal.id, "drive-home"))


def test_a_collection_comes_back_as_it_was_made(store: Store, place: Place, clock: Clock) -> None:
    made = add(
        store,
        place.home.id,
        "Arbeit ü",
        "calendar",
        properties={"{DAV:}displayname": "<D:displayname>Arbeit &amp; ü</D:displayname>"},
        display_name="Arbeit & ü",
        components=("VEVENT", "VTODO"),
        transparent=True,
        timezone="BEGIN:VCALENDAR\r\n",
    )
    assert get(store, made.id) == made
    assert store.read_now(lambda txn: txn.collections.child(place.home.id, "Arbeit ü")) == made
    assert (made.home_id, made.parent_id, made.principal_id) == (place.home.id, place.home.id, place.principal.id)
    assert made.created == made.modified == clock.now
    assert made.components == ("VEVENT", "VTODO")
    assert made.revision == made.floor == revision(store, place.home.id)


def test_an_update_replaces_the_properties(store: Store, place: Place, clock: Clock) -> None:
    later = clock.forward(hours=1)
    changed = attrs.evolve(
        place.calendar, properties={"{x}y": "<y/>"}, display_name="x", components=("VTODO",), transparent=True
    )
    updated = store.write_now(lambda txn: txn.collections.update(changed))
    expected = attrs.evolve(changed, revision=place.calendar.revision + 1, modified=later)
    assert updated == expected == get(store, place.calendar.id)
    assert revision(store, place.home.id) == updated.revision


@pytest.mark.parametrize("name", ["Default", "lunch.ics"])
def test_a_name_is_taken_once_whether_by_a_collection_or_an_object(store: Store, place: Place, name: str) -> None:
    inner = add(store, place.calendar.id, "Default")
    put(store, place.calendar.id, "lunch.ics")
    with pytest.raises(NameTaken):
        add(store, place.calendar.id, name)
    with pytest.raises(NameTaken):
        store.write_now(lambda txn: txn.collections.move(inner.id, place.calendar.id, name))
    add(store, place.calendar.id, name.upper())


def test_a_missing_parent_is_a_mistake(store: Store) -> None:
    with pytest.raises(Missing):
        add(store, 4711, "x")
    with pytest.raises(Missing):
        store.write_now(lambda txn: txn.collections.remove(4711))


def test_paths_are_followed_from_the_home(store: Store, place: Place) -> None:
    inner = add(store, place.calendar.id, "inner")
    at = lambda *names: store.read_now(lambda txn: txn.collections.by_path(place.home.id, names))  # noqa: E731 - short
    assert at() == get(store, place.home.id)
    assert at("Default") == get(store, place.calendar.id)
    assert at("Default", "inner") == inner
    assert at("inner") is None
    assert at("Default", "inner", "x") is None
    assert at("default") is None


def test_locating_goes_as_far_as_there_are_collections(store: Store, place: Place) -> None:
    inner = add(store, place.calendar.id, "inner")
    home, calendar = get(store, place.home.id), get(store, place.calendar.id)

    def way(*names: str, uid: str = "ann", kind: str = "calendar-home") -> list[Collection]:
        return list(store.read_now(lambda txn: txn.collections.locate("user", uid, kind, names)))

    assert way() == [home]
    assert way("Default", "inner") == [home, calendar, inner]
    assert way("Default", "lunch.ics") == [home, calendar]
    assert way("nothing", "inner") == [home]
    assert way("Default", uid="bob") == []
    assert way("Default", kind="drive-home") == []


def test_a_very_deep_path_is_followed_too(store: Store, place: Place) -> None:
    names = [f"level {depth}" for depth in range(300)]

    def dig(txn):
        parent = place.home
        for name in names:
            parent = txn.collections.add(parent.id, name, "plain")
        return parent

    deepest = store.write_now(dig)
    assert store.read_now(lambda txn: txn.collections.by_path(place.home.id, names)) == deepest
    way = store.read_now(lambda txn: txn.collections.locate("user", "ann", "calendar-home", [*names, "x"]))
    assert [each.name for each in way] == ["", *names]
    above = store.read_now(lambda txn: txn.collections.ancestors(deepest.id))
    assert [each.name for each in above] == ["", *names]
    top = above[1]
    assert [each.name for each in store.read_now(lambda txn: txn.collections.below(top.id))] == names[1:]
    store.write_now(lambda txn: txn.collections.remove(top.id))
    assert get(store, deepest.id) is None


def test_children_come_by_name_and_what_lies_below_nearest_first(store: Store, place: Place) -> None:
    b, a = add(store, place.home.id, "b"), add(store, place.home.id, "a")
    add(store, b.id, "b1")
    add(store, a.id, "a1")
    assert [each.name for each in store.read_now(lambda txn: txn.collections.children(place.home.id))] == [
        "Default",
        "a",
        "b",
    ]
    below = store.read_now(lambda txn: txn.collections.below(place.home.id))
    assert [each.name for each in below] == ["Default", "a", "b", "a1", "b1"]


def test_homes_come_with_the_uids_of_their_owners(store: Store, place: Place) -> None:
    other = store.write_now(lambda txn: furnish(txn, "abe"))
    store.write_now(lambda txn: txn.collections.add_home(place.principal.id, "drive-home"))

    def room(txn):
        txn.collections.add_home(txn.principals.add(principal("hall", kind="location")).id, "calendar-home")

    store.write_now(room)
    found = store.read_now(lambda txn: txn.collections.homes("user", "calendar-home"))
    assert found == [("abe", other.home), ("ann", place.home)]


def test_a_change_far_below_numbers_all_collections_on_the_way(store: Store, place: Place, clock: Clock) -> None:
    beside = add(store, place.home.id, "beside")
    inner = add(store, place.calendar.id, "inner")
    later = clock.forward(minutes=1)
    made = put(store, inner.id)
    for each in (place.home.id, place.calendar.id, inner.id):
        found = get(store, each)
        assert found is not None
        assert (found.revision, found.modified) == (made.revision, later)
    assert get(store, beside.id) == beside
    touched = store.write_now(lambda txn: txn.collections.touch(inner.id))
    assert touched == made.revision + 1 == revision(store, place.home.id)


def test_removing_takes_everything_below_and_frees_its_bytes(store: Store, place: Place) -> None:
    inner = add(store, place.calendar.id, "inner")
    put(store, place.home.id, "kept", b"12")
    gone = put(store, inner.id, "gone", b"12345")
    store.write_now(lambda txn: txn.collections.remove(place.calendar.id))
    assert get(store, inner.id) is None
    assert store.read_now(lambda txn: txn.objects.by_id(gone.id)) is None
    home = get(store, place.home.id)
    assert home is not None
    assert home.quota_used_bytes == 2
    (tombstone,) = store.read_now(lambda txn: txn.changes.tombstones(place.home.id, 0))
    assert (tombstone.name, tombstone.was_collection, tombstone.revision) == ("Default", True, home.revision)


def test_a_removed_home_is_gone(store: Store, place: Place) -> None:
    store.write_now(lambda txn: txn.collections.remove(place.home.id))
    assert get(store, place.home.id) is None
    assert get(store, place.calendar.id) is None


def test_a_moved_collection_keeps_its_ids_and_its_members(store: Store, place: Place) -> None:
    target = add(store, place.home.id, "target")
    made = put(store, place.calendar.id, "a", b"123")
    moved = store.write_now(lambda txn: txn.collections.move(place.calendar.id, target.id, "new"))
    assert (moved.id, moved.resource_id, moved.parent_id, moved.name) == (
        place.calendar.id,
        place.calendar.resource_id,
        target.id,
        "new",
    )
    found = store.read_now(lambda txn: txn.objects.get(moved.id, "a"))
    assert found == attrs.evolve(made, revision=found.revision)
    assert found.revision > made.revision
    assert store.read_now(lambda txn: txn.collections.child(place.home.id, "Default")) is None
    home = get(store, place.home.id)
    assert home is not None
    assert home.quota_used_bytes == 3
    assert store.read_now(lambda txn: (txn.collections.used_bytes(home.id), txn.collections.used_bytes(-1))) == (3, 0)


def test_a_collection_moved_to_another_home_belongs_there(store: Store, place: Place) -> None:
    other = store.write_now(lambda txn: furnish(txn, "bob"))
    for number in range(20):
        put(store, place.calendar.id, f"{number}", b"123")
    inner = add(store, place.calendar.id, "inner")
    put(store, inner.id, "deep", b"12345", uid="deep")
    before = get(store, place.calendar.id)
    moved = store.write_now(lambda txn: txn.collections.move(place.calendar.id, other.home.id, "new"))
    assert (moved.home_id, moved.principal_id) == (other.home.id, other.principal.id)
    assert get(store, inner.id).principal_id == other.principal.id
    (found,) = store.read_now(lambda txn: txn.objects.by_uid(other.home.id, "deep"))
    assert found.collection_id == inner.id
    assert before is not None
    changed = store.read_now(lambda txn: txn.changes.objects(moved.id, before.revision))
    assert len(changed) == 20, "a token from before the move tells of all"
    assert get(store, place.home.id).quota_used_bytes == 0
    assert get(store, other.home.id).quota_used_bytes == 65


def test_a_collection_cannot_move_into_itself_nor_a_home_anywhere(store: Store, place: Place) -> None:
    inner = add(store, place.calendar.id, "inner")
    for target in (place.calendar.id, inner.id):
        with pytest.raises(ValueError, match="into itself"):
            store.write_now(lambda txn, target=target: txn.collections.move(place.calendar.id, target, "x"))
    with pytest.raises(ValueError, match="home"):
        store.write_now(lambda txn: txn.collections.move(place.home.id, inner.id, "x"))


def test_an_id_is_never_given_out_again(store: Store, place: Place) -> None:
    """A sync token names a collection by its id (RFC 6578 section 3.2): it must not become that of another."""
    made = add(store, place.home.id, "x")
    thing = put(store, place.calendar.id)
    store.write_now(lambda txn: (txn.collections.remove(made.id), txn.objects.remove(thing.id)))
    assert add(store, place.home.id, "x").id > made.id
    assert put(store, place.calendar.id).id > thing.id


def test_a_file_in_a_home_has_no_calendar(store: Store, place: Place) -> None:
    found = store.write_now(lambda txn: txn.objects.put(place.home.id, draft("a.txt", uid=None, instances=())))
    assert found[0].collection_id == place.home.id
    assert revision(store, place.home.id) == found[0].revision


def test_the_homes_of_many_and_what_is_in_them_are_one_query(store: Store, place: Place) -> None:
    other = store.write_now(lambda txn: furnish(txn, "ben"))
    alone = store.write_now(lambda txn: txn.principals.add(principal("cleo")))
    inbox = add(store, place.home.id, "Inbox", "inbox")
    add(store, place.home.id, "Files")
    add(store, inbox.id, "inner", "calendar")
    people = [place.principal.id, other.principal.id, alone.id]
    found = store.read_now(lambda txn: txn.collections.in_homes(people, "calendar-home", ["calendar", "inbox"]))
    assert {each.id for each in found} == {place.home.id, place.calendar.id, inbox.id, other.home.id, other.calendar.id}
    assert store.read_now(lambda txn: txn.collections.in_homes([], "calendar-home", ["calendar"])) == []


LOOKS = {
    "homes": lambda txn, at: txn.collections.in_homes([at.principal.id], "calendar-home", ["calendar", "inbox"]),
    "a home": lambda txn, at: txn.collections.home(at.principal.id, "calendar-home"),
    "a way": lambda txn, at: txn.collections.locate("user", "ann", "calendar-home", ["Default", "a.ics"]),
    "an address": lambda txn, at: txn.principals.by_addresses(["mailto:ann@example.com"]),
    "an owner": lambda txn, at: txn.principals.owning([at.home.id]),
    "groups": lambda txn, at: txn.principals.memberships(at.principal.id),
    "copies": lambda txn, at: txn.copies.of([at.home.id], "lunch"),
    "sources": lambda txn, at: txn.shares.sources(at.home.id),
}


@sqlite_only
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_what_requests_look_for_takes_steps_that_do_not_grow_with_the_number_of_users(
    store: Store, place: Place, look: Callable[[Transaction, Place], object]
) -> None:
    def settle(first: int, last: int) -> None:
        store.write_now(lambda txn: [furnish(txn, "x" * number) for number in range(first, last)])

    settle(1, 20)
    few = steps(store, lambda txn: look(txn, place))
    settle(20, 220)
    assert steps(store, lambda txn: look(txn, place)) <= few + 10
