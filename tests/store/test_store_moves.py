"""Homes that go to another store: a copy that follows, whatever happens meanwhile and whenever it is interrupted."""

import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import attrs
import pytest
from samples import Clock, Place, draft, furnish, principal

from calserver.dav import Lock
from calserver.ical import Instance
from calserver.store import (
    BRANCH,
    Collection,
    Held,
    Missing,
    Object,
    Share,
    Store,
    Tombstone,
    Transaction,
    Variant,
    Wanted,
    open_store,
)


@pytest.fixture
def other(engine: str, request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path) -> Iterator[Store]:
    """Another store of the same engine."""
    if engine == "sqlite":
        shutil.copy(empty_database, tmp_path / "other.sqlite")
        opened = open_store(f"sqlite:///{tmp_path}/other.sqlite", reactor=None, now=Clock())
        yield opened
        opened.close()
        return
    with request.getfixturevalue("postgres").database() as url:
        opened = open_store(url, reactor=None, now=Clock())
        yield opened
        opened.close()


def introduce(store: Store, other: Store) -> None:
    """Have the same principals there."""
    known = other.read_now(lambda txn: txn.principals.revision())
    roll = store.read_now(lambda txn: txn.rolls.since(known))
    other.write_now(lambda txn: txn.rolls.take_over(roll))


def wired(content: Any) -> Any:
    """What comes out of a wire."""
    return json.loads(json.dumps(content))


def _stage(skeleton: Any, txn: Transaction) -> Sequence[Wanted]:
    return txn.moves.stage(skeleton)


def steps(store: Store, other: Store, ids: Sequence[int], most: int = 500) -> Iterator[int]:
    """Copy, some members at a time, until all is there."""
    while True:
        skeleton = wired(store.read_now(lambda txn: txn.moves.skeleton(ids)))
        wanted = other.write_now(partial(_stage, skeleton))
        if not wanted:
            return
        for each in wanted:
            upto, members = store.read_now(lambda txn, each=each: txn.moves.members(each.source, each.since, most))  # type: ignore[misc] # bound at once
            rows = wired(members)
            assert other.write_now(lambda txn, each=each, upto=upto, rows=rows: txn.moves.take(each, upto, rows))  # type: ignore[misc] # bound at once
            yield len(rows["object"])


def follow(store: Store, other: Store, *ids: int) -> int:
    """Copy all; returns how many members were carried."""
    return sum(steps(store, other, ids))


def go(store: Store, other: Store, *ids: int) -> None:
    """Have the homes there, and here no more."""
    introduce(store, other)
    follow(store, other, *ids)
    store.write_now(lambda txn: txn.moves.hold(ids))
    follow(store, other, *ids)
    here = store.read_now(lambda txn: txn.moves.fingerprints(ids))
    assert here
    assert here == other.read_now(lambda txn: txn.moves.fingerprints(ids, arriving=True))
    other.write_now(lambda txn: txn.moves.arrive(ids))
    store.write_now(lambda txn: txn.moves.leave(ids))


def everything(store: Store, who: int) -> Any:
    """All that is seen of the homes of somebody, without the ids of one store."""

    def tell(row: Collection | Object | Tombstone | Share) -> dict[str, Any]:
        ids = ("id", "home_id", "parent_id", "collection_id", "source_id")
        return {name: value for name, value in attrs.asdict(row).items() if name not in ids}

    def look(txn: Transaction) -> Any:
        found = []
        for kind in ("calendar-home", "drive-home"):
            home = txn.collections.home(who, kind)
            for row in () if home is None else (home, *txn.collections.below(home.id)):
                members = []
                for each, text in txn.objects.iterate(row.id) if row.source_id is None else ():
                    copy = txn.copies.by_id(each.id)
                    assert copy is not None
                    members.append((tell(each), text, copy.memory, sorted(txn.shares.personal(each.id).items())))
                busy = sorted((each.name, repr(one)) for each, one in txn.objects.busy((row.id,), -(10**9), 10**12))
                gone = [tell(each) for each in txn.changes.tombstones(row.id, 0)]
                shares = [tell(each) for each in txn.shares.of(row.id)]
                up = [each.name for each in txn.collections.ancestors(row.id)]
                found.append((up, tell(row), members, busy, gone, shares))
        return found

    return store.read_now(look)


def fill(store: Store, place: Place, number: int, first: int = 0) -> None:
    def work(txn: Transaction) -> None:
        for each in range(first, first + number):
            when = Instance(start=each * 3600, end=each * 3600 + 60, busy="B")
            txn.objects.put(place.calendar.id, draft(f"{each}.ics", b"text %d" % each, instances=(when,)))

    store.write_now(work)


def test_all_of_a_home_is_there_as_it_was(store: Store, other: Store, place: Place) -> None:
    def work(txn: Transaction) -> None:
        bob, staff = txn.principals.add(principal("bob")), txn.principals.add(principal("staff", kind="group"))
        row, _ = txn.objects.put(place.calendar.id, draft("meeting.ics", organizer="mailto:ann@example.com"))
        txn.copies.remember(row.id, b"memory")
        txn.copies.invite_groups(row.id, [staff.id])
        txn.objects.patch(row.id, properties={"{x}y": "<y xmlns='x'>\u00fc</y>"})
        gone, _ = txn.objects.put(place.calendar.id, draft("gone.ics"))
        txn.objects.remove(gone.id)
        folder = txn.collections.add(place.home.id, "Projects", "plain", properties={"{x}y": "<y xmlns='x'/>"})
        inner = txn.collections.add(folder.id, "Deep", "calendar", components=("VEVENT",), timezone="zone")
        txn.objects.put(inner.id, draft("binary", bytes(range(256)), content_type="image/png", uid=None))
        txn.collections.remove(txn.collections.add(place.home.id, "Gone", "calendar").id)
        drive = txn.collections.add_home(place.principal.id, "drive-home")
        txn.objects.put(drive.id, draft("file.txt", b"\xff\x00", uid=None, component=None, instances=()))
        share = Share(id=0, collection_id=place.calendar.id, principal_id=bob.id, address="urn:uuid:bob", uid="one")
        txn.shares.add(share)
        variant = Variant(text=b"common", etag="c", busy_differs=True)
        txn.shares.set_common(row.id, variant)
        txn.shares.set_personal(row.id, bob.id, attrs.evolve(variant, text=b"bob's"))

    store.write_now(work)
    fill(store, place, 30)
    who = place.principal.id
    before = everything(store, who)
    assert len(before) == 5
    go(store, other, who)
    assert everything(other, who) == before
    assert everything(store, who) == []
    other.write_now(lambda txn: txn.objects.put(_calendar(txn, who).id, draft("new.ics")))
    assert everything(other, who) != before
    assert other.read_now(lambda txn: txn.moves.states([who])) == {who: {""}}
    assert store.read_now(lambda txn: txn.moves.states([who])) == {who: {"left"}}


def _calendar(txn: Transaction, who: int) -> Collection:
    home = txn.collections.home(who, "calendar-home")
    assert home is not None
    found = txn.collections.child(home.id, "Default")
    assert found is not None
    return found


def test_what_changes_meanwhile_is_carried_after_and_nothing_else(store: Store, other: Store, place: Place) -> None:
    fill(store, place, 20)
    who = place.principal.id
    introduce(store, other)
    assert follow(store, other, who) == 20
    assert follow(store, other, who) == 0

    def work(txn: Transaction) -> None:
        rows = {each.name: each for each in txn.objects.in_collection(place.calendar.id)}
        txn.objects.put(place.calendar.id, draft("1.ics", b"changed"))
        txn.objects.remove(rows["2.ics"].id)
        txn.objects.move(rows["3.ics"].id, place.calendar.id, "three.ics")
        txn.objects.remove(rows["4.ics"].id)
        txn.objects.put(place.calendar.id, draft("4.ics", b"again"))
        trips = txn.collections.add(place.home.id, "Trips", "calendar")
        txn.objects.move(rows["5.ics"].id, trips.id, "5.ics")
        txn.collections.move(trips.id, place.home.id, "Journeys")

    store.write_now(work)
    assert follow(store, other, who) == 4
    before = everything(store, who)
    go(store, other, who)
    assert everything(other, who) == before


def test_names_that_are_exchanged_are_no_hindrance(store: Store, other: Store, place: Place) -> None:
    def make(txn: Transaction) -> tuple[int, int]:
        one, two = (txn.collections.add(place.home.id, name, "calendar").id for name in ("One", "Two"))
        return one, two

    one, two = store.write_now(make)
    introduce(store, other)
    follow(store, other, place.principal.id)

    def exchange(txn: Transaction) -> None:
        txn.collections.move(one, place.home.id, "Three")
        txn.collections.move(two, place.home.id, "One")
        txn.collections.move(one, two, "Two")

    store.write_now(exchange)
    before = everything(store, place.principal.id)
    go(store, other, place.principal.id)
    assert everything(other, place.principal.id) == before


@pytest.mark.parametrize("stop", range(7))
def test_a_copy_that_is_interrupted_goes_on_from_there(store: Store, other: Store, place: Place, stop: int) -> None:
    fill(store, place, 45)
    who = place.principal.id
    introduce(store, other)
    copying = steps(store, other, [who], most=10)
    done = sum(islice(copying, stop))
    copying.close()
    assert done + follow(store, other, who) == 45
    before = everything(store, who)
    go(store, other, who)
    assert everything(other, who) == before


def test_removals_that_are_forgotten_while_a_copy_waits_have_it_made_anew(
    store: Store, other: Store, place: Place, clock: Clock
) -> None:
    fill(store, place, 10)
    who = place.principal.id
    introduce(store, other)
    follow(store, other, who)
    store.write_now(lambda txn: txn.objects.remove(txn.objects.in_collection(place.calendar.id)[0].id))
    fill(store, place, 1, first=10)
    clock.forward(days=100)
    store.write_now(lambda txn: txn.changes.purge_tombstones(txn.now))
    assert follow(store, other, who) == 10
    before = everything(store, who)
    go(store, other, who)
    assert everything(other, who) == before


def test_removals_that_were_forgotten_before_do_not_keep_a_long_copy_from_ending(
    store: Store, other: Store, place: Place, clock: Clock
) -> None:
    fill(store, place, 1200)
    store.write_now(lambda txn: txn.objects.remove(txn.objects.in_collection(place.calendar.id)[0].id))
    clock.forward(days=100)
    store.write_now(lambda txn: txn.changes.purge_tombstones(txn.now))
    introduce(store, other)
    assert follow(store, other, place.principal.id) == 1199


def test_nobody_reads_or_writes_what_is_held(store: Store, place: Place) -> None:
    fill(store, place, 1)
    ids, kind = [place.principal.id], "calendar-home"
    store.write_now(lambda txn: txn.moves.hold(ids))
    for look in (
        lambda txn: txn.collections.home(ids[0], kind),
        lambda txn: txn.collections.locate("user", "ann", kind, ("Default",)),
        lambda txn: txn.collections.in_homes(ids, kind, ("calendar",)),
    ):
        with pytest.raises(Held):
            store.read_now(look)
    for change in (
        lambda txn: txn.objects.put(place.calendar.id, draft("new.ics")),
        lambda txn: txn.objects.put(place.calendar.id, draft("0.ics")),
        lambda txn: txn.objects.remove(txn.objects.get(place.calendar.id, "0.ics").id),
        lambda txn: txn.collections.add(place.home.id, "New", "calendar"),
        lambda txn: txn.collections.remove(place.calendar.id),
        lambda txn: txn.collections.touch(place.home.id),
        lambda txn: txn.collections.add_home(ids[0], kind),
    ):
        with pytest.raises(Held):
            store.write_now(change)
    store.write_now(lambda txn: txn.moves.thaw(ids))
    store.write_now(lambda txn: txn.objects.put(place.calendar.id, draft("new.ics")))


def test_what_was_written_before_a_home_is_held_is_all_that_was(store: Store, place: Place) -> None:
    """Whoever writes at the same time has written before, or is told to come again."""
    ids, written, threads = [place.principal.id], list[str](), 4
    begun = threading.Barrier(threads + 1)

    def write(number: int) -> None:
        for each in range(10_000):
            name = f"{number}-{each}.ics"
            try:
                store.write_now(lambda txn, name=name: txn.objects.put(place.calendar.id, draft(name)))  # type: ignore[misc] # bound at once
            except Held:
                return
            written.append(name)
            if each == 2:
                begun.wait()

    writing = [threading.Thread(target=write, args=(number,)) for number in range(threads)]
    for thread in writing:
        thread.start()
    begun.wait()
    store.write_now(lambda txn: txn.moves.hold(ids))
    _, members = store.read_now(lambda txn: txn.moves.members(place.calendar.id, 0, 100_000))
    for thread in writing:
        thread.join()
    assert sorted(row[3] for row in members["object"]) == sorted(written)


def test_what_was_remembered_of_a_home_is_known_to_be_old_when_it_is_held(store: Store, place: Place) -> None:
    before = store.read_now(lambda txn: txn.collections.stamp(place.home.id))
    store.write_now(lambda txn: txn.moves.hold([place.principal.id]))
    held = store.read_now(lambda txn: txn.collections.stamp(place.home.id))
    store.write_now(lambda txn: txn.moves.thaw([place.principal.id]))
    assert len({before, held, store.read_now(lambda txn: txn.collections.stamp(place.home.id))}) == 3


def test_what_arrives_is_seen_by_nobody(store: Store, other: Store, place: Place) -> None:
    fill(store, place, 3)
    introduce(store, other)
    who = place.principal.id
    follow(store, other, who)
    assert everything(other, who) == []
    assert other.read_now(lambda txn: txn.collections.homes("user", "calendar-home")) == []
    assert other.read_now(lambda txn: txn.collections.in_homes([who], "calendar-home", ("calendar",))) == []
    assert not other.read_now(lambda txn: txn.moves.fingerprints([who]))
    assert other.read_now(lambda txn: txn.moves.count([who], arriving=True)) == 3


def test_a_copy_that_is_not_the_same_is_found_out_and_made_anew(store: Store, other: Store, place: Place) -> None:
    fill(store, place, 3)
    who = place.principal.id
    introduce(store, other)
    follow(store, other, who)
    store.write_now(lambda txn: txn.copies.remember(txn.objects.in_collection(place.calendar.id)[0].id, b"memory"))
    assert follow(store, other, who) == 0
    here = store.read_now(lambda txn: txn.moves.fingerprints([who]))
    there = other.read_now(lambda txn: txn.moves.fingerprints([who], arriving=True))
    different = [name for name, digest in here.items() if there[name] != digest]
    assert different == [place.calendar.resource_id]
    other.write_now(lambda txn: txn.moves.anew([who], different))
    assert follow(store, other, who) == 3
    before = everything(store, who)
    go(store, other, who)
    assert everything(other, who) == before


def test_what_has_left_is_swept_out_in_pieces_and_may_come_back(store: Store, other: Store, place: Place) -> None:
    fill(store, place, 25)
    who = place.principal.id
    before = everything(store, who)
    go(store, other, who)
    more = [store.write_now(lambda txn: txn.moves.sweep(who, "left", 10)) for _ in range(4)]
    assert more == [True, True, True, False]
    assert store.read_now(lambda txn: txn.moves.states([who])) == {}
    go(other, store, who)
    assert everything(store, who) == before


def test_who_is_removed_while_moving_leaves_nothing(store: Store, other: Store, place: Place) -> None:
    fill(store, place, 3)
    who = place.principal.id
    go(store, other, who)
    for each in (store, other):
        each.write_now(lambda txn: txn.principals.remove(who))
        assert each.read_now(lambda txn: txn.moves.states([who])) == {}


def share(store: Store, place: Place) -> Place:
    """Bob, who shares Ann's calendar."""

    def work(txn: Transaction) -> Place:
        bob = furnish(txn, "bob")
        one = Share(id=0, collection_id=place.calendar.id, principal_id=bob.principal.id, address="bob", uid="share")
        txn.shares.add(one)
        txn.shares.bind(
            place.calendar,
            bob.home,
            "shared",
            "shared-calendar",
            access="read-write",
            properties={},
            display_name="Ann's",
        )
        return bob

    return store.write_now(work)


def test_who_shares_calendars_goes_together(store: Store, other: Store, place: Place) -> None:
    bob = share(store, place)
    fill(store, place, 3)
    ids = place.principal.id, bob.principal.id
    assert store.read_now(lambda txn: txn.moves.together([ids[1]])) == frozenset(ids)
    before = [everything(store, each) for each in ids]
    go(store, other, *ids)
    assert [everything(other, each) for each in ids] == before
    seen = other.read_now(
        lambda txn: txn.objects.listing(
            next(
                each.id
                for each in txn.collections.below(txn.collections.home(ids[1], "calendar-home").id)
                if each.source_id
            )  # type: ignore[union-attr] # there is one
        )
    )
    assert len(seen) == 3
    for each in ids:
        while store.write_now(lambda txn, each=each: txn.moves.sweep(each, "left", 10)):  # type: ignore[misc] # bound at once
            pass
    go(other, store, *ids)
    assert [everything(store, each) for each in ids] == before


def bound(txn: Transaction, who: Place, kind: str = "calendar-home") -> Collection:
    home = txn.collections.home(who.principal.id, kind)
    assert home is not None
    found = txn.collections.child(home.id, "shared")
    assert found is not None
    return found


def test_what_is_bound_does_not_go_with_a_sharee_who_goes_alone(store: Store, other: Store, place: Place) -> None:
    bob = share(store, place)
    before = store.read_now(lambda txn: bound(txn, bob))
    (tie,) = store.read_now(lambda txn: txn.ties.crossing([bob.principal.id]))
    assert (tie.bound, tie.sharer, tie.source) == (before, place.principal.id, place.calendar.resource_id)
    assert store.read_now(lambda txn: txn.ties.crossing([bob.principal.id, place.principal.id])) == []
    go(store, other, bob.principal.id)
    assert [row for row in everything(other, bob.principal.id) if "shared" in row[0]] == []

    def adopt(txn: Transaction) -> None:
        branch = txn.collections.add_home(bob.principal.id, BRANCH)
        txn.ties.adopt(tie.bound.id, branch.id, "shared-calendar")

    store.write_now(adopt)
    after = store.read_now(lambda txn: bound(txn, bob, BRANCH))
    assert attrs.evolve(after, home_id=0, parent_id=0, revision=0) == attrs.evolve(
        before, home_id=0, parent_id=0, revision=0
    )
    assert after.revision > before.revision
    assert store.read_now(lambda txn: txn.shares.bound_to(place.calendar.id, bob.principal.id)) == after
    while store.write_now(lambda txn: txn.moves.sweep(bob.principal.id, "left", 10)):
        pass
    assert store.read_now(lambda txn: bound(txn, bob, BRANCH)) == after


def test_what_is_bound_is_fastened_where_a_sharer_goes_alone(store: Store, other: Store, place: Place) -> None:
    bob = share(store, place)
    fill(store, place, 3)
    before = store.read_now(lambda txn: bound(txn, bob))
    (tie,) = store.read_now(lambda txn: txn.ties.crossing([place.principal.id]))
    with pytest.raises(Missing):
        other.write_now(lambda txn: txn.ties.fasten(tie.source, 1, wired(tie.row)))
    go(store, other, place.principal.id)

    def fasten(txn: Transaction) -> int:
        home = txn.collections.add_home(bob.principal.id, "calendar-home")
        txn.collections.add(home.id, "shared", "plain")
        txn.ties.fasten(tie.source, home.id, wired(tie.row))
        made = txn.collections.get(home.id)
        assert made is not None
        return made.floor

    floor = other.write_now(fasten)
    after = other.read_now(lambda txn: bound(txn, bob))
    ids = {"id": 0, "home_id": 0, "parent_id": 0, "source_id": 0, "revision": 0}
    assert attrs.evolve(after, **ids) == attrs.evolve(before, **ids)
    assert after.revision == floor > before.revision
    assert len(other.read_now(lambda txn: txn.objects.listing(after.id))) == 3

    store.write_now(lambda txn: txn.ties.detach(tie.bound.id, "signpost", {"{x}y": "<y xmlns='x'/>"}))
    left = store.read_now(lambda txn: bound(txn, bob))
    assert (left.kind, left.source_id, left.access, left.properties) == (
        "signpost",
        None,
        None,
        {"{x}y": "<y xmlns='x'/>"},
    )
    assert left.revision > before.revision
    while store.write_now(lambda txn: txn.moves.sweep(place.principal.id, "left", 10)):
        pass
    assert store.read_now(lambda txn: bound(txn, bob)) == left


def test_a_group_that_changes_does_not_touch_calendars_that_are_not_here(
    store: Store, other: Store, place: Place
) -> None:
    def work(txn: Transaction) -> int:
        staff = txn.principals.add(principal("staff", kind="group"))
        one = Share(id=0, collection_id=place.calendar.id, principal_id=staff.id, address="staff", uid="share")
        txn.shares.add(one)
        return staff.id

    staff = store.write_now(work)
    introduce(store, other)
    follow(store, other, place.principal.id)
    assert store.read_now(lambda txn: txn.shares.shared_with([staff])) == [place.calendar.id]
    assert other.read_now(lambda txn: txn.shares.shared_with([staff])) == []
    go(store, other, place.principal.id)
    assert store.read_now(lambda txn: txn.shares.shared_with([staff])) == []
    store.write_now(lambda txn: txn.principals.remove(staff))


def test_locks_and_acquaintances_go_along(store: Store, other: Store, place: Place, clock: Clock) -> None:
    who, path = place.principal.id, "calendars/user/ann"

    def lock(token: str, path: str) -> Lock:
        until = clock.now + timedelta(hours=1)
        return Lock(token=token, path=path, principal_id=who, exclusive=True, deep=False, owner="", expires=until)

    def work(txn: Transaction) -> None:
        txn.locks.add(lock("one", f"{path}/Default/a.ics"))
        txn.locks.add(lock("two", "calendars/user/anna"))
        txn.peers.meet(who, "mailto:x@example.net")

    store.write_now(work)
    introduce(store, other)
    luggage = wired(store.read_now(lambda txn: txn.moves.belongings([who], [path])))
    for _ in range(2):
        other.write_now(lambda txn: txn.moves.forget([who], [path]))
        other.write_now(lambda txn: txn.moves.have(luggage))
    assert [each.token for each in other.read_now(lambda txn: txn.locks.below("calendars"))] == ["one"]
    assert other.read_now(lambda txn: txn.peers.who_met("mailto:x@example.net", [who])) == {who}
    store.write_now(lambda txn: txn.moves.forget([who], [path]))
    assert [each.token for each in store.read_now(lambda txn: txn.locks.below("calendars"))] == ["two"]
