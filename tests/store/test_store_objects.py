"""Members with content: what goes in comes out, names and UIDs are unique, bytes are counted."""

import attrs
import pytest
from samples import Clock, Place, draft, furnish, put, revision

from calserver.ical import Instance
from calserver.store import Draft, Missing, NameTaken, Object, Store, Transaction, UidTaken


def test_an_object_comes_back_byte_for_byte(store: Store, place: Place, clock: Clock) -> None:
    given = Draft(
        name="Mittag ü&'<.ics",
        text=bytes(range(256)),
        content_type="text/calendar; charset=utf-8; component=VEVENT",
        etag="abc",
        component="VEVENT",
        uid="uid & ü",
        organizer="mailto:ann@example.com",
        schedule_tag="s1",
        first=-(2**40),
        last=2**40,
        recurring=True,
        properties={"{x}y": "<y xmlns='x'>ü</y>"},
    )
    stored, new = store.write_now(lambda txn: txn.objects.put(place.calendar.id, given))
    assert new
    for field in attrs.fields_dict(Draft):
        if field not in ("text", "instances"):
            assert getattr(stored, field) == getattr(given, field)
    assert (stored.size, stored.created, stored.modified) == (256, clock.now, clock.now)
    assert (stored.collection_id, stored.home_id) == (place.calendar.id, place.home.id)
    assert stored.revision == revision(store, place.calendar.id) == revision(store, place.home.id)
    assert store.read_now(lambda txn: txn.objects.get(place.calendar.id, given.name)) == stored
    assert store.read_now(lambda txn: txn.objects.by_id(stored.id)) == stored
    assert store.read_now(lambda txn: txn.objects.text(stored.id)) == given.text


def test_an_object_without_calendar_data_has_none(store: Store, place: Place) -> None:
    given = Draft(name="a.txt", text=b"", content_type="text/plain", etag="e")
    stored, _ = store.write_now(lambda txn: txn.objects.put(place.home.id, given))
    assert store.read_now(lambda txn: txn.objects.get(place.home.id, "a.txt")) == stored
    assert (stored.uid, stored.first, stored.component, stored.recurring, stored.size) == (None, None, None, False, 0)
    assert store.read_now(lambda txn: txn.objects.text(stored.id)) == b""


def test_a_second_put_replaces_the_content_and_keeps_the_rest(store: Store, place: Place, clock: Clock) -> None:
    first = put(store, place.calendar.id, text=b"one", properties={"{x}y": "<y/>"}, schedule_tag="s")
    later = clock.forward(seconds=5)
    second, new = store.write_now(lambda txn: txn.objects.put(place.calendar.id, draft(text=b"second", uid="other")))
    assert not new
    assert (second.id, second.resource_id, second.created) == (first.id, first.resource_id, first.created)
    assert (second.modified, second.size, second.uid, second.schedule_tag) == (later, 6, "other", None)
    assert second.properties == {"{x}y": "<y/>"}
    assert second.revision == first.revision + 1
    assert store.read_now(lambda txn: txn.objects.text(second.id)) == b"second"
    third, _ = store.write_now(lambda txn: txn.objects.put(place.calendar.id, draft(properties={"{x}z": "<z/>"})))
    assert third.properties == {"{x}z": "<z/>"}


def test_a_put_where_a_collection_is_is_refused(store: Store, place: Place) -> None:
    with pytest.raises(NameTaken):
        put(store, place.home.id, "Default")


def test_a_put_into_nothing_is_a_mistake(store: Store) -> None:
    with pytest.raises(Missing):
        put(store, 4711)
    with pytest.raises(Missing):
        store.read_now(lambda txn: txn.objects.text(4711))


def used(store: Store, home: int) -> int:
    return store.read_now(lambda txn: txn.collections.get(home).quota_used_bytes)


def test_bytes_are_counted_in_the_home(store: Store, place: Place) -> None:
    other = store.write_now(lambda txn: furnish(txn, "bob"))
    made = put(store, place.calendar.id, "a", b"12345")
    put(store, place.calendar.id, "a", b"123")
    put(store, place.home.id, "b", b"1")
    assert used(store, place.home.id) == 4
    store.write_now(lambda txn: txn.objects.copy(made.id, place.calendar.id, "c"))
    assert used(store, place.home.id) == 7
    store.write_now(lambda txn: txn.objects.move(made.id, other.home.id, "a"))
    assert (used(store, place.home.id), used(store, other.home.id)) == (4, 3)
    store.write_now(lambda txn: txn.objects.remove(made.id))
    assert used(store, other.home.id) == 0


# -- UIDs (RFC 4791 section 5.3.2.1) -------------------------------------------------------------------------------


def test_a_uid_is_there_once_in_the_calendars_of_a_home(store: Store, place: Place) -> None:
    second = store.write_now(lambda txn: txn.collections.add(place.home.id, "second", "calendar"))
    holder = put(store, place.calendar.id, "a.ics", uid="u")
    for collection, name in ((place.calendar.id, "b.ics"), (second.id, "a.ics")):
        with pytest.raises(UidTaken) as refused:
            store.write_now(lambda txn, c=collection, n=name: txn.objects.put(c, draft(n, uid="u"), unique_uid=True))
        assert refused.value.holder == holder
    assert revision(store, place.home.id) == holder.revision
    store.write_now(lambda txn: txn.objects.put(place.calendar.id, draft("a.ics", uid="u"), unique_uid=True))


def test_a_uid_may_be_elsewhere(store: Store, place: Place) -> None:
    other = store.write_now(lambda txn: furnish(txn, "bob"))
    inbox = store.write_now(lambda txn: txn.collections.add(place.home.id, "Inbox", "inbox"))
    put(store, inbox.id, "a.ics", uid="u")
    put(store, other.calendar.id, "a.ics", uid="u")
    made, _ = store.write_now(lambda txn: txn.objects.put(place.calendar.id, draft("a.ics", uid="u"), unique_uid=True))
    found = store.read_now(lambda txn: txn.objects.by_uid(place.home.id, "u"))
    assert {each.collection_id for each in found} == {inbox.id, place.calendar.id}
    assert made in found
    assert store.read_now(lambda txn: txn.objects.by_uid(place.home.id, "v")) == []


def test_objects_without_uid_never_conflict(store: Store, place: Place) -> None:
    for name in ("a", "b"):
        store.write_now(lambda txn, n=name: txn.objects.put(place.calendar.id, draft(n, uid=None), unique_uid=True))


def test_moving_and_copying_mind_the_uid(store: Store, place: Place) -> None:
    other = store.write_now(lambda txn: furnish(txn, "bob"))
    mine = put(store, place.calendar.id, "a.ics", uid="u")
    theirs = put(store, other.calendar.id, "a.ics", uid="u")
    with pytest.raises(UidTaken) as refused:
        store.write_now(lambda txn: txn.objects.move(mine.id, other.calendar.id, "b.ics", unique_uid=True))
    assert refused.value.holder == theirs
    with pytest.raises(UidTaken):
        store.write_now(lambda txn: txn.objects.copy(mine.id, place.calendar.id, "b.ics", unique_uid=True))
    moved = store.write_now(lambda txn: txn.objects.move(mine.id, place.calendar.id, "b.ics", unique_uid=True))
    assert moved.name == "b.ics"


# -- moves, copies, removals ---------------------------------------------------------------------------------------


def test_a_moved_object_stays_the_same_thing(store: Store, place: Place, clock: Clock) -> None:
    other = store.write_now(lambda txn: furnish(txn, "bob"))
    made = put(store, place.calendar.id, "a.ics", b"text", properties={"{x}y": "<y/>"})
    clock.forward(hours=1)
    moved = store.write_now(lambda txn: txn.objects.move(made.id, other.calendar.id, "b.ics"))
    expected = attrs.evolve(
        made, collection_id=other.calendar.id, home_id=other.home.id, name="b.ics", revision=moved.revision
    )
    assert moved == expected
    assert moved.revision == revision(store, other.calendar.id) == revision(store, other.home.id)
    assert store.read_now(lambda txn: txn.objects.text(made.id)) == b"text"
    assert store.read_now(lambda txn: txn.objects.get(place.calendar.id, "a.ics")) is None
    (tombstone,) = store.read_now(lambda txn: txn.changes.tombstones(place.calendar.id, 0))
    assert (tombstone.name, tombstone.was_collection) == ("a.ics", False)
    assert tombstone.revision == revision(store, place.calendar.id)


@pytest.mark.parametrize("name", ["b.ics", "inner", "a.ics"])
def test_a_taken_name_is_refused(store: Store, place: Place, name: str) -> None:
    made = put(store, place.calendar.id, "a.ics")
    put(store, place.calendar.id, "b.ics")
    store.write_now(lambda txn: txn.collections.add(place.calendar.id, "inner", "plain"))
    before = revision(store, place.home.id)
    with pytest.raises(NameTaken):
        store.write_now(lambda txn: txn.objects.move(made.id, place.calendar.id, name))
    with pytest.raises(NameTaken):
        store.write_now(lambda txn: txn.objects.copy(made.id, place.calendar.id, name))
    assert revision(store, place.home.id) == before


def test_a_copy_is_another_thing_with_the_same_content(store: Store, place: Place, clock: Clock) -> None:
    made = put(store, place.calendar.id, "a.ics", b"text", properties={"{x}y": "<y/>"})
    store.write_now(lambda txn: txn.objects.set_instances(made.id, [Instance(start=5, end=9)]))
    later = clock.forward(hours=1)
    copied = store.write_now(lambda txn: txn.objects.copy(made.id, place.home.id, "b.ics"))
    assert copied.resource_id != made.resource_id
    expected = attrs.evolve(
        made,
        id=copied.id,
        collection_id=place.home.id,
        name="b.ics",
        resource_id=copied.resource_id,
        revision=copied.revision,
        created=later,
        modified=later,
    )
    assert copied == expected == store.read_now(lambda txn: txn.objects.get(place.home.id, "b.ics"))
    assert store.read_now(lambda txn: txn.objects.text(copied.id)) == b"text"
    assert store.read_now(lambda txn: txn.objects.in_range([place.home.id], 0, 10)) == [(copied, b"text")]
    assert store.read_now(lambda txn: txn.objects.get(place.calendar.id, "a.ics")) == made


def test_properties_are_replaced_without_a_new_etag(store: Store, place: Place, clock: Clock) -> None:
    made = put(store, place.calendar.id, properties={"{x}y": "<y/>"})
    clock.forward(hours=1)
    patched = store.write_now(lambda txn: txn.objects.patch(made.id, properties={"{x}z": "<z/>"}))
    assert patched == attrs.evolve(made, properties={"{x}z": "<z/>"}, revision=made.revision + 1)
    assert patched == store.read_now(lambda txn: txn.objects.by_id(made.id))
    emptied = store.write_now(lambda txn: txn.objects.patch(made.id, properties={}))
    assert emptied.properties == {}


def test_a_removed_object_leaves_nothing_but_a_tombstone(store: Store, place: Place) -> None:
    made = put(store, place.calendar.id)
    store.write_now(lambda txn: txn.objects.remove(made.id))
    assert store.read_now(lambda txn: txn.objects.by_id(made.id)) is None
    assert store.read_now(lambda txn: txn.objects.texts([made.id])) == {}
    assert store.read_now(lambda txn: txn.objects.in_range([place.calendar.id], 0, 10)) == []
    for work in (
        lambda txn: txn.objects.remove(made.id),
        lambda txn: txn.objects.patch(made.id, properties={}),
        lambda txn: txn.objects.move(made.id, place.home.id, "x"),
        lambda txn: txn.objects.set_instances(made.id, []),
    ):
        with pytest.raises(Missing):
            store.write_now(work)


# -- listings ------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(store: Store, place: Place) -> list[Object]:
    made = [put(store, place.calendar.id, name, name.encode()) for name in ("c", "a", "b")]
    put(store, place.home.id, "elsewhere")
    return sorted(made, key=lambda each: each.name)


def test_members_come_by_name(store: Store, place: Place, three: list[Object]) -> None:
    def check(txn):
        objects, at = txn.objects, place.calendar.id
        assert [*objects.listing(at)] == [(each.name, each.etag, each.content_type) for each in three]
        assert [*objects.iterate(at)] == [(each, each.name.encode()) for each in three]
        assert [*objects.iterate(at, component="VTODO")] == []
        assert [each for each, _ in objects.iterate(at, component="VEVENT")] == three
        assert objects.count(at) == 3
        assert objects.count(4711) == 0
        assert [*objects.listing(4711)] == []

    store.read_now(check)


def test_whole_members_come_with_the_latest_change_first(store: Store, place: Place, three: list[Object]) -> None:
    changed = put(store, place.calendar.id, three[1].name, b"changed", uid=three[1].uid)
    others = sorted((three[0], three[2]), key=lambda each: each.revision, reverse=True)
    assert store.read_now(lambda txn: txn.objects.in_collection(place.calendar.id)) == [changed, *others]


def test_many_are_read_by_name_or_id(store: Store, place: Place, three: list[Object]) -> None:
    a, b, c = three
    asked = ["c", "a", "nothing", "elsewhere", "a"]
    found = store.read_now(lambda txn: txn.objects.named(place.calendar.id, asked))
    assert found == {"a": (a, b"a"), "c": (c, b"c")}
    assert store.read_now(lambda txn: txn.objects.texts([b.id, c.id, 4711])) == {b.id: b"b", c.id: b"c"}
    assert store.read_now(lambda txn: txn.objects.named(place.calendar.id, [])) == {}


def test_one_is_read_with_its_content(store: Store, place: Place, three: list[Object]) -> None:
    def look(txn: Transaction) -> None:
        for bound in (True, False):
            assert txn.objects.whole(place.calendar.id, "b", bound=bound) == (three[1], b"b")
            assert txn.objects.whole(place.calendar.id, "nothing", bound=bound) is None
            rows = txn.objects.contents(place.calendar.id, ["b", "nothing"], bound=bound)
            assert [tuple(each) for each in rows] == [("b", three[1].etag, three[1].content_type, b"b")]

    store.read_now(look)


def test_a_multiget_of_very_many_is_still_one_query(store: Store, place: Place, three: list[Object]) -> None:
    asked = [f"nothing-{number}" for number in range(100_000)] + ["b"]
    assert set(store.read_now(lambda txn: txn.objects.named(place.calendar.id, asked))) == {"b"}
