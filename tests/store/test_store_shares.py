"""Shared calendars: what is bound to them, the numbers of their changes, and what is a sharee's own."""

import uuid
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import DAY, HOUR, Clock, Place, draft, furnish, put, revision, statements

from calserver.ical import Instance
from calserver.store import Collection, NameTaken, Share, Store, Transaction, Variant


@attrs.frozen
class Shared:
    """Ann's calendar, and what stands for it in the homes of Bob and Cid."""

    ann: Place
    bob: Place
    cid: Place
    to_bob: Collection
    to_cid: Collection


def bind(txn: Transaction, ann: Place, sharee: Place, name: str = "from-ann", access: str = "read-write") -> Collection:
    home = txn.collections.get(sharee.home.id)
    source = txn.collections.get(ann.calendar.id)
    assert home is not None
    assert source is not None
    return txn.shares.bind(source, home, name, "shared-calendar", access=access, properties={}, display_name="Ann's")


@pytest.fixture
def shared(store: Store, place: Place) -> Shared:
    def share(txn: Transaction) -> Shared:
        bob, cid = furnish(txn, "bob"), furnish(txn, "cid")
        txn.objects.put(place.calendar.id, draft("before.ics", b"before"))
        return Shared(place, bob, cid, bind(txn, place, bob), bind(txn, place, cid, access="read"))

    return store.write_now(share)


def invitation(at: Place, to: Place, **more: Any) -> Share:
    given: dict[str, Any] = {
        "id": 0,
        "collection_id": at.calendar.id,
        "principal_id": to.principal.id,
        "address": f"urn:uuid:{to.principal.guid}",
        "uid": str(uuid.uuid4()),
        "own_access": "read",
    }
    return Share(**(given | more))


def test_whose_a_collection_is_and_what_stands_for_it(store: Store, shared: Shared) -> None:
    ids = [shared.ann.home.id, shared.ann.calendar.id, shared.to_bob.id, shared.bob.calendar.id, 10_000]
    found = store.read_now(lambda txn: txn.principals.owning(ids))
    uids = {id: each.uid for id, each in found.items()}
    ann = shared.ann.principal.uid
    assert uids == {ids[0]: ann, ids[1]: ann, ids[2]: ann, ids[3]: shared.bob.principal.uid}


# -- invitations ---------------------------------------------------------------------------------------------------


def test_an_invitation_is_found_by_its_calendar_its_principal_and_its_uid(store: Store, shared: Shared) -> None:
    made = store.write_now(lambda txn: txn.shares.add(invitation(shared.ann, shared.bob, summary="Work")))
    assert made.id > 0
    calendar, bob = shared.ann.calendar.id, shared.bob.principal.id
    assert store.read_now(lambda txn: txn.shares.of(calendar)) == [made]
    assert store.read_now(lambda txn: txn.shares.find(calendar, bob)) == made
    assert store.read_now(lambda txn: txn.shares.by_uid(made.uid)) == made
    assert store.read_now(lambda txn: txn.shares.shared_with([bob, 4711])) == [calendar]
    assert store.read_now(lambda txn: txn.shares.below(shared.ann.home.id)) == [calendar]
    assert store.read_now(lambda txn: txn.shares.find(calendar, shared.cid.principal.id)) is None


def test_a_calendar_knows_whether_it_is_shared_and_its_owner_sees_each_change(store: Store, shared: Shared) -> None:
    calendar = shared.ann.calendar.id

    def state() -> tuple[bool, int]:
        found = store.read_now(lambda txn: txn.collections.get(calendar))
        assert found is not None
        return found.shared, found.revision

    states = [state()]
    made = store.write_now(lambda txn: txn.shares.add(invitation(shared.ann, shared.bob)))
    states.append(state())
    accepted = store.write_now(lambda txn: txn.shares.update(attrs.evolve(made, status="accepted", access="read")))
    states.append(state())
    assert store.read_now(lambda txn: txn.shares.of(calendar)) == [accepted]
    store.write_now(lambda txn: txn.shares.remove(accepted))
    states.append(state())
    assert [shares for shares, _ in states] == [False, True, True, False]
    numbers = [number for _, number in states]
    assert numbers == sorted(set(numbers))


def test_an_invitation_goes_with_its_calendar_and_with_its_principal(store: Store, shared: Shared) -> None:
    for sharee in (shared.bob, shared.cid):
        store.write_now(lambda txn, to=sharee: txn.shares.add(invitation(shared.ann, to)))
    store.write_now(lambda txn: txn.principals.remove(shared.bob.principal.id))
    left = store.read_now(lambda txn: txn.shares.of(shared.ann.calendar.id))
    assert [each.principal_id for each in left] == [shared.cid.principal.id]
    store.write_now(lambda txn: txn.principals.remove(shared.cid.principal.id))
    calendar = store.read_now(lambda txn: txn.collections.get(shared.ann.calendar.id))
    assert calendar is not None
    assert not calendar.shared


# -- what is bound -------------------------------------------------------------------------------------------------


def test_what_is_bound_has_the_members_of_its_source_as_its_own(store: Store, shared: Shared) -> None:
    put(store, shared.ann.calendar.id, "lunch.ics", b"lunch", uid="lunch")
    bound = shared.to_bob

    def look(txn: Transaction) -> None:
        source = txn.objects.get(shared.ann.calendar.id, "lunch.ics")
        assert source is not None
        seen = attrs.evolve(source, collection_id=bound.id, home_id=shared.bob.home.id)
        assert txn.objects.get(bound.id, "lunch.ics") == seen
        assert [each.name for each in txn.objects.in_collection(bound.id)] == ["lunch.ics", "before.ics"]
        assert txn.objects.listing(bound.id) == txn.objects.listing(shared.ann.calendar.id)
        assert txn.objects.named(bound.id, ["lunch.ics", "x"]) == {"lunch.ics": (seen, b"lunch")}
        assert txn.objects.whole(bound.id, "lunch.ics") == (seen, b"lunch")
        assert [text for _, text in txn.objects.iterate(bound.id)] == [b"before", b"lunch"]
        assert [*txn.objects.iterate(bound.id, component="VTODO")] == []
        assert (seen, b"lunch") in txn.objects.in_range([bound.id], 0, DAY)
        assert (seen, b"lunch") in txn.objects.in_range([bound.id, shared.bob.calendar.id], 0, DAY, component="VEVENT")
        assert [row.collection_id for row, _ in txn.objects.busy([bound.id], 0, DAY)] == [bound.id, bound.id]
        assert len(txn.objects.busy([bound.id, shared.bob.calendar.id], 0, DAY)) == 2
        assert txn.objects.only_marked([bound.id], 0, DAY) == frozenset()
        assert txn.objects.texts([seen.id], seen_in=bound.id) == {seen.id: b"lunch"}
        assert txn.objects.count(bound.id) == 2
        assert txn.objects.by_uid(shared.bob.home.id, "lunch") == []

    store.read_now(look)


def test_only_the_calendar_itself_takes_members(store: Store, shared: Shared) -> None:
    with pytest.raises(ValueError, match="members of its own"):
        put(store, shared.to_bob.id)


def test_a_name_in_the_home_can_be_taken(store: Store, shared: Shared) -> None:
    with pytest.raises(NameTaken):
        store.write_now(lambda txn: bind(txn, shared.ann, shared.bob, "Default"))


def test_what_is_bound_tells_where_it_comes_from(store: Store, shared: Shared) -> None:
    found = store.read_now(lambda txn: txn.shares.sources(shared.bob.home.id))
    assert found.keys() == {shared.to_bob.id}
    source = found[shared.to_bob.id]
    assert (source.collection.id, source.names, source.owner.uid) == (shared.ann.calendar.id, ("Default",), "ann")
    assert store.read_now(lambda txn: txn.shares.sources(shared.ann.home.id)) == {}


def test_the_way_to_a_calendar_in_a_folder_is_told(store: Store, shared: Shared) -> None:
    def move(txn: Transaction) -> None:
        folder = txn.collections.add(shared.ann.home.id, "folder", "plain")
        txn.collections.move(shared.ann.calendar.id, folder.id, "Work")

    store.write_now(move)
    found = store.read_now(lambda txn: txn.shares.sources(shared.bob.home.id))
    assert found[shared.to_bob.id].names == ("folder", "Work")


def test_all_that_is_bound_is_found(store: Store, shared: Shared) -> None:
    calendar = shared.ann.calendar.id
    bound = store.read_now(lambda txn: txn.shares.bound(calendar))
    assert [each.id for each in bound] == [shared.to_bob.id, shared.to_cid.id]
    assert [each.access for each in bound] == ["read-write", "read"]
    assert {each.transparent for each in bound} == {True}
    mine = store.read_now(lambda txn: txn.shares.bound_to(calendar, shared.bob.principal.id))
    assert mine is not None
    assert (mine.id, mine.source_id, mine.principal_id) == (shared.to_bob.id, calendar, shared.bob.principal.id)
    store.write_now(lambda txn: txn.shares.set_access(shared.to_bob.id, "read"))
    mine = store.read_now(lambda txn: txn.shares.bound_to(calendar, shared.bob.principal.id))
    assert mine is not None
    assert mine.access == "read"
    assert mine.access_revision == mine.revision > shared.to_bob.revision


# -- numbers -------------------------------------------------------------------------------------------------------


def test_each_change_in_the_source_is_one_in_the_homes_of_the_sharees(store: Store, shared: Shared) -> None:
    """The same number everywhere, higher than all that were there."""
    for number in range(5):
        put(store, shared.bob.calendar.id, f"{number}")
    put(store, shared.ann.calendar.id, "lunch.ics")
    places = (shared.ann.calendar, shared.ann.home, shared.to_bob, shared.bob.home, shared.to_cid, shared.cid.home)
    numbers = {revision(store, each.id) for each in places}
    assert len(numbers) == 1
    assert min(numbers) > revision(store, shared.bob.calendar.id)


@pytest.mark.parametrize("change", ["put", "patch", "remove", "rename", "properties", "touch", "move"])
def test_whatever_changes_in_the_source_is_told_to_the_sharees(store: Store, shared: Shared, change: str) -> None:
    made = put(store, shared.ann.calendar.id, "lunch.ics")
    before = revision(store, shared.to_bob.id), revision(store, shared.bob.home.id)

    def work(txn: Transaction) -> None:
        calendar = txn.collections.get(shared.ann.calendar.id)
        assert calendar is not None
        match change:
            case "put":
                txn.objects.put(calendar.id, draft("lunch.ics", b"other"))
            case "patch":
                txn.objects.patch(made.id, properties={"{x}y": "<y xmlns='x'/>"})
            case "remove":
                txn.objects.remove(made.id)
            case "rename":
                txn.objects.move(made.id, calendar.id, "dinner.ics")
            case "properties":
                txn.collections.update(attrs.evolve(calendar, display_name="Work"))
            case "touch":
                txn.collections.touch(calendar.id)
            case "move":
                txn.collections.move(calendar.id, shared.ann.home.id, "Work")

    store.write_now(work)
    after = revision(store, shared.to_bob.id), revision(store, shared.bob.home.id)
    assert after[0] > before[0]
    assert after[1] >= after[0]
    names = [each.name for each in store.read_now(lambda txn: txn.changes.objects(shared.to_bob.id, before[0]))]
    gone = [each.name for each in store.read_now(lambda txn: txn.changes.tombstones(shared.to_bob.id, before[0]))]
    assert (names, gone) == {
        "put": (["lunch.ics"], []),
        "patch": (["lunch.ics"], []),
        "remove": ([], ["lunch.ics"]),
        "rename": (["dinner.ics"], ["lunch.ics"]),
        "properties": ([], []),
        "touch": ([], []),
        "move": (["before.ics", "lunch.ics"], []),
    }[change]


def test_what_a_sharee_changes_alone_is_no_news_for_others(store: Store, shared: Shared) -> None:
    places = (shared.ann.calendar, shared.ann.home, shared.to_cid, shared.cid.home)
    before = [revision(store, each.id) for each in places]
    store.write_now(lambda txn: txn.collections.update(attrs.evolve(shared.to_bob, display_name="Boss")))
    assert [revision(store, each.id) for each in places] == before


def test_who_begins_to_share_has_no_token_from_before(store: Store, place: Place) -> None:
    """Numbers from before the beginning are those of another clock, so the floor is above all of them."""
    for number in range(30):
        put(store, place.calendar.id, f"{number}")

    def begin(txn: Transaction) -> Collection:
        return bind(txn, place, furnish(txn, "bob"))

    bound = store.write_now(begin)
    assert bound.floor == bound.revision > revision(store, place.calendar.id)
    assert store.read_now(lambda txn: txn.changes.listing(bound.id, bound.revision)) == []
    assert len(store.read_now(lambda txn: txn.changes.listing(bound.id, 0))) == 30
    assert len(store.read_now(lambda txn: txn.changes.listing(bound.id, 0, 7))) == 7


def test_forgotten_removals_raise_the_floors_of_the_sharees(store: Store, shared: Shared, clock: Clock) -> None:
    made = put(store, shared.ann.calendar.id, "lunch.ics")
    store.write_now(lambda txn: txn.objects.remove(made.id))
    removed = revision(store, shared.to_bob.id)
    later = clock.forward(days=40)
    store.write_now(lambda txn: txn.changes.purge_tombstones(later))
    floors = [
        store.read_now(lambda txn, id=each.id: txn.collections.get(id).floor)
        for each in (shared.ann.calendar, shared.to_bob, shared.bob.home)
    ]
    assert floors == [removed] * 3


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "remove", "own", "leave", "join", "move"]),
        st.sampled_from(["ann", "bob", "cid"]),
        st.sampled_from(["a", "b", "c"]),
    ),
    max_size=25,
)


class World:
    """Ann's calendar, and who shares it, as they change."""

    def __init__(self, txn: Transaction) -> None:
        self.txn = txn
        self.places = {name: furnish(txn, name) for name in ("ann", "bob", "cid")}
        self.source = self.places["ann"].calendar.id
        self.bound: dict[str, int] = {}
        self.told: list[tuple[str, int, int, dict[str, str]]] = []

    def put(self, who: str, name: str, turn: int) -> None:
        self.txn.objects.put(self.source, draft(name, etag=f"{turn}"))

    def remove(self, who: str, name: str, turn: int) -> None:
        found = self.txn.objects.get(self.source, name)
        if found is not None:
            self.txn.objects.remove(found.id)

    def own(self, who: str, name: str, turn: int) -> None:
        """Something in another calendar of the home."""
        self.txn.collections.add(self.places[who].home.id, f"{name}-{turn}", "calendar")

    def leave(self, who: str, name: str, turn: int) -> None:
        if who in self.bound:
            self.txn.collections.remove(self.bound.pop(who))

    def join(self, who: str, name: str, turn: int) -> None:
        if who != "ann" and who not in self.bound:
            self.bound[who] = bind(self.txn, self.places["ann"], self.places[who]).id

    def move(self, who: str, name: str, turn: int) -> None:
        self.txn.collections.move(self.source, self.places["ann"].home.id, f"moved-{turn}")

    def listing(self, id: int) -> dict[str, str]:
        return {row[0]: row[1] for row in self.txn.objects.listing(id)}

    def tell(self) -> None:
        """Every sharee takes a token, and keeps what is there."""
        for who, id in self.bound.items():
            collection, home = self.txn.collections.get(id), self.txn.collections.get(self.places[who].home.id)
            assert collection is not None
            assert home is not None
            assert collection.revision <= home.revision
            self.told.append((who, id, collection.revision, self.listing(id)))

    def check(self) -> None:
        """What each sharee knows is right again after the changes since the token."""
        for who, id, since, known in self.told:
            if self.bound.get(who) != id:
                continue
            changed = self.txn.changes.listing(id, since)
            gone = {each.name for each in self.txn.changes.tombstones(id, since)}
            assert [row[3] for row in changed] == sorted({row[3] for row in changed})
            kept = {name: etag for name, etag in known.items() if name not in gone}
            assert kept | {row[0]: row[1] for row in changed} == self.listing(id)


class Undo(Exception):
    """Ends a transaction without a trace."""


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_from_every_token_a_sharee_hears_all_that_happened_since(store: Store, operations: list[Any]) -> None:
    """Whatever happens in which home, in every order."""

    def work(txn: Transaction) -> None:
        world = World(txn)
        for turn, (what, who, name) in enumerate(operations):
            getattr(world, what)(who, name, turn)
            world.tell()
        world.check()
        raise Undo

    with pytest.raises(Undo):
        store.write_now(work)


# -- the end -------------------------------------------------------------------------------------------------------


def test_what_is_bound_goes_with_the_calendar_and_the_sharees_hear_of_it(store: Store, shared: Shared) -> None:
    before = revision(store, shared.bob.home.id)
    store.write_now(lambda txn: txn.collections.remove(shared.ann.calendar.id))
    assert store.read_now(lambda txn: txn.collections.get(shared.to_bob.id)) is None
    gone = store.read_now(lambda txn: txn.changes.tombstones(shared.bob.home.id, before))
    assert [(each.name, each.was_collection) for each in gone] == [("from-ann", True)]


def test_it_goes_with_a_folder_that_the_calendar_is_in(store: Store, shared: Shared) -> None:
    def remove(txn: Transaction) -> None:
        folder = txn.collections.add(shared.ann.home.id, "folder", "plain")
        txn.collections.move(shared.ann.calendar.id, folder.id, "Work")
        txn.collections.remove(folder.id)

    store.write_now(remove)
    assert store.read_now(lambda txn: txn.collections.get(shared.to_cid.id)) is None


def test_it_goes_with_the_owner(store: Store, shared: Shared) -> None:
    before = revision(store, shared.bob.home.id)
    store.write_now(lambda txn: txn.principals.remove(shared.ann.principal.id))
    assert store.read_now(lambda txn: txn.collections.get(shared.to_bob.id)) is None
    gone = store.read_now(lambda txn: txn.changes.tombstones(shared.bob.home.id, before))
    assert [each.name for each in gone] == ["from-ann"]


def test_a_sharee_leaves_without_a_trace_in_the_calendar(store: Store, shared: Shared) -> None:
    before = revision(store, shared.ann.calendar.id)
    store.write_now(lambda txn: txn.collections.remove(shared.to_bob.id))
    assert revision(store, shared.ann.calendar.id) == before
    assert store.read_now(lambda txn: txn.objects.count(shared.ann.calendar.id)) == 1
    left = revision(store, shared.bob.home.id)
    put(store, shared.ann.calendar.id)
    assert revision(store, shared.bob.home.id) == left


def test_it_stays_in_its_home(store: Store, shared: Shared) -> None:
    with pytest.raises(ValueError, match="home"):
        store.write_now(lambda txn: txn.collections.move(shared.to_bob.id, shared.cid.home.id, "x"))
    moved = store.write_now(lambda txn: txn.collections.move(shared.to_bob.id, shared.bob.home.id, "Boss"))
    assert (moved.name, moved.source_id) == ("Boss", shared.ann.calendar.id)


# -- what is a sharee's own ----------------------------------------------------------------------------------------

COMMON = Variant(text=b"for all", etag="common")
OWN = Variant(text=b"for bob alone", etag="own")


def forms(store: Store, shared: Shared, name: str) -> list[tuple[str, int, bytes]]:
    """ETag, size and text of an object for Ann, Bob and Cid, from all that tell it."""

    def look(txn: Transaction) -> list[tuple[str, int, bytes]]:
        found = []
        for id in (shared.ann.calendar.id, shared.to_bob.id, shared.to_cid.id):
            row, text = txn.objects.named(id, [name])[name]
            assert txn.objects.get(id, name) == row
            assert row in txn.objects.in_collection(id)
            assert row in txn.changes.objects(id, 0)
            assert (row, text) in [*txn.objects.iterate(id)]
            assert (row, text) in txn.objects.in_range([id], 0, DAY)
            assert (row.name, row.etag, row.content_type) in txn.objects.listing(id)
            assert (row.name, row.etag, row.content_type, row.revision) in txn.changes.listing(id, 0)
            assert txn.objects.texts([row.id], seen_in=id) == {row.id: text}
            found.append((row.etag, row.size, text))
        return found

    return store.read_now(look)


def test_an_object_has_a_form_for_the_owner_one_for_all_sharees_and_one_for_each(store: Store, shared: Shared) -> None:
    made = put(store, shared.ann.calendar.id, "lunch.ics", b"for ann")
    owner = (made.etag, 7, b"for ann")
    assert forms(store, shared, "lunch.ics") == [owner] * 3
    store.write_now(lambda txn: txn.shares.set_common(made.id, COMMON))
    common = ("common", 7, b"for all")
    assert forms(store, shared, "lunch.ics") == [owner, common, common]
    store.write_now(lambda txn: txn.shares.set_personal(made.id, shared.bob.principal.id, OWN))
    own = ("own", 13, b"for bob alone")
    assert forms(store, shared, "lunch.ics") == [owner, own, common]
    assert store.read_now(lambda txn: txn.shares.personal(made.id)) == {shared.bob.principal.id: b"for bob alone"}
    store.write_now(lambda txn: txn.shares.set_common(made.id, None))
    assert forms(store, shared, "lunch.ics") == [owner, own, owner]
    store.write_now(lambda txn: txn.shares.set_personal(made.id, shared.bob.principal.id, None))
    assert forms(store, shared, "lunch.ics") == [owner] * 3


def test_what_was_common_is_forgotten_when_the_content_changes(store: Store, shared: Shared) -> None:
    """Nothing old is shown, whoever forgets to tell what is new."""
    made = put(store, shared.ann.calendar.id, "lunch.ics", b"for ann")
    store.write_now(lambda txn: txn.shares.set_common(made.id, COMMON))
    changed = put(store, shared.ann.calendar.id, "lunch.ics", b"changed")
    assert forms(store, shared, "lunch.ics") == [(changed.etag, 7, b"changed")] * 3


def test_a_form_of_its_own_follows_the_object_to_another_name_and_not_elsewhere(store: Store, shared: Shared) -> None:
    made = put(store, shared.ann.calendar.id, "lunch.ics", b"for ann")
    store.write_now(lambda txn: txn.shares.set_common(made.id, COMMON))
    store.write_now(lambda txn: txn.shares.set_personal(made.id, shared.bob.principal.id, OWN))
    store.write_now(lambda txn: txn.objects.move(made.id, shared.ann.calendar.id, "dinner.ics"))
    assert [text for _, _, text in forms(store, shared, "dinner.ics")] == [b"for ann", b"for bob alone", b"for all"]
    store.write_now(lambda txn: txn.objects.move(made.id, shared.cid.calendar.id, "x.ics"))
    store.write_now(lambda txn: txn.objects.move(made.id, shared.ann.calendar.id, "lunch.ics"))
    assert [text for _, _, text in forms(store, shared, "lunch.ics")] == [b"for ann"] * 3


def test_a_copy_is_the_owners(store: Store, shared: Shared) -> None:
    made = put(store, shared.ann.calendar.id, "lunch.ics", b"for ann")
    store.write_now(lambda txn: txn.shares.set_common(made.id, COMMON))
    store.write_now(lambda txn: txn.objects.copy(made.id, shared.ann.calendar.id, "copy.ics"))
    assert [text for _, _, text in forms(store, shared, "copy.ics")] == [b"for ann"] * 3


def test_who_leaves_takes_along_what_was_personal(store: Store, shared: Shared) -> None:
    made = put(store, shared.ann.calendar.id, "lunch.ics", b"for ann")
    for sharee in (shared.bob, shared.cid):
        store.write_now(lambda txn, id=sharee.principal.id: txn.shares.set_personal(made.id, id, OWN))
    store.write_now(lambda txn: txn.collections.remove(shared.to_bob.id))
    assert store.read_now(lambda txn: txn.shares.personal(made.id)).keys() == {shared.cid.principal.id}


def test_busy_time_that_is_a_sharees_own_is_not_told_by_the_index(store: Store, shared: Shared) -> None:
    """Then a marker says that the object has to be read."""
    made = put(store, shared.ann.calendar.id, "lunch.ics", instances=(Instance(start=DAY, end=DAY + HOUR),))
    free = put(
        store,
        shared.ann.calendar.id,
        "free.ics",
        instances=(Instance(start=DAY, end=DAY + HOUR, busy="F"),),
        uid="free",
    )
    other = Variant(text=b"x", etag="x", busy_differs=True)
    store.write_now(lambda txn: txn.shares.set_personal(made.id, shared.bob.principal.id, other))
    store.write_now(lambda txn: txn.shares.set_common(free.id, other))

    def busy(collection_id: int) -> dict[int, bool]:
        rows = store.read_now(lambda txn: txn.objects.busy([collection_id], DAY, 2 * DAY))
        return {row.id: instance.marker for row, instance in rows}

    assert busy(shared.ann.calendar.id) == {made.id: False}
    assert busy(shared.to_bob.id) == {made.id: True, free.id: True}
    assert busy(shared.to_cid.id) == {made.id: False, free.id: True}


# -- what it costs -------------------------------------------------------------------------------------------------


def taken(store: Store, work: Any) -> int:
    def counted(txn: Any) -> int:
        before: int = txn.connection.statements
        work(txn)
        after: int = txn.connection.statements
        return after - before

    return store.write_now(counted)


@pytest.mark.parametrize(
    "question",
    [
        lambda txn, id: txn.objects.get(id, "before.ics"),
        lambda txn, id: txn.objects.in_collection(id),
        lambda txn, id: txn.objects.listing(id),
        lambda txn, id: txn.objects.named(id, ["before.ics"]),
        lambda txn, id: [*txn.objects.iterate(id)],
        lambda txn, id: txn.objects.in_range([id], 0, DAY),
        lambda txn, id: txn.objects.busy([id], 0, DAY),
        lambda txn, id: txn.changes.objects(id, 0, 10),
        lambda txn, id: txn.changes.tombstones(id, 0),
        lambda txn, id: txn.shares.sources(id),
    ],
)
def test_a_question_about_what_is_bound_is_one_statement(store: Store, shared: Shared, question: Any) -> None:
    assert statements(store, lambda txn: question(txn, shared.to_bob.id)) == 1


def test_a_change_takes_as_many_statements_for_many_sharees_as_for_one(store: Store, shared: Shared) -> None:
    def change(txn: Transaction) -> None:
        txn.objects.put(shared.ann.calendar.id, draft("before.ics", b"again"))
        txn.collections.touch(shared.ann.calendar.id)

    few = taken(store, change)
    for number in range(20):
        store.write_now(lambda txn, n=number: bind(txn, shared.ann, furnish(txn, f"sharee{n}")))
    assert taken(store, change) == few
