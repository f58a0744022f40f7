"""Sharing with somebody at another node: what there is of it at the sharer's node, and at that of the sharee."""

from collections.abc import Sequence

import attrs
import pytest

from calserver.calendars import branches, notifications, provision, sharing
from calserver.calendars.branches import MOST_TOLD, SIGNPOST, Shared, Signpost
from calserver.calendars.notifications import TIDINGS, Tidings
from calserver.config import Calendars
from calserver.store import BRANCH, Collection, Draft, Principal, Store, Tie, Transaction


@attrs.frozen
class People:
    """Ann has calendars here, Bob at another node."""

    ann: Principal
    bob: Principal


@pytest.fixture
def people(store: Store) -> People:
    def work(txn: Transaction) -> People:
        guid = "00000000-0000-4000-8000-00000000000{}".format
        made = [
            txn.principals.add(Principal(id=0, kind="user", uid=uid, guid=guid(number), name=uid.title()))
            for number, uid in enumerate(("ann", "bob"))
        ]
        provision(txn, made[0], Calendars())
        txn.placements.put([made[0].id], "b1")
        txn.placements.put([made[1].id], "b2")
        return People(*made)

    return store.write_now(work)


def calendar(txn: Transaction, people: People) -> Collection:
    return txn.collections.locate("user", people.ann.uid, "calendar-home", ("Default",))[1]


def home(txn: Transaction, who: Principal) -> Collection:
    found = txn.collections.home(who.id, "calendar-home")
    assert found is not None
    return found


def invite(txn: Transaction, people: People) -> str:
    made = sharing.invite(txn, calendar(txn, people), people.bob, address="mailto:bob@x.y", access="read")
    return made.uid


def accept(txn: Transaction, people: People) -> Collection:
    share = txn.shares.by_uid(invite(txn, people))
    assert share is not None
    return sharing.accept(txn, share)


def waiting(txn: Transaction) -> list[Tidings]:
    return [Tidings.unpacked(each.payload) for each in txn.tasks.of(TIDINGS)]


# -- at the node of the sharer -----------------------------------------------------------------------------------------


def test_who_is_at_another_node_is_told_by_tidings_the_newest_in_the_place_of_older_ones(
    store: Store, people: People
) -> None:
    uid = store.write_now(lambda txn: invite(txn, people))
    (first,) = store.read_now(waiting)
    assert first.content is not None
    assert notifications.Notification.unpacked(first.content).status == "noresponse"
    store.write_now(lambda txn: sharing.end(txn, calendar(txn, people)))
    (second,) = store.read_now(waiting)
    assert (second.name, second.principal_id) == (first.name, people.bob.id) == (f"{uid}.xml", people.bob.id)
    assert second.content is not None
    assert notifications.Notification.unpacked(second.content).status == "deleted"


def test_tidings_are_received_as_often_as_they_come_and_only_where_somebody_is(store: Store, people: People) -> None:
    sent = Tidings(principal_id=people.ann.id, name="x.xml", type=notifications.INVITE, content=b"{}")
    assert Tidings.unpacked(sent.packed()) == sent

    def names(txn: Transaction) -> list[str]:
        place = txn.collections.child(home(txn, people.ann).id, "Notifications")
        assert place is not None
        return [each.name for each in txn.objects.in_collection(place.id)]

    for content, left in ((b"{}", ["x.xml"]), (b"{}", ["x.xml"]), (None, []), (None, [])):
        tidings = attrs.evolve(sent, content=content)
        assert store.write_now(lambda txn, each=tidings: notifications.receive(txn, each))
        assert store.read_now(names) == left
    elsewhere = attrs.evolve(sent, principal_id=people.bob.id)
    assert not store.write_now(lambda txn: notifications.receive(txn, elsewhere))


def test_a_branch_tells_what_is_in_it_and_each_change_of_that(store: Store, people: People) -> None:
    assert store.read_now(lambda txn: branches.told(txn, people.bob.id)) == ()
    bound = store.write_now(lambda txn: accept(txn, people))
    (before,) = store.read_now(lambda txn: branches.told(txn, people.bob.id))
    assert (before.name, before.sharer, before.resource_id) == (bound.name, people.ann.id, bound.resource_id)
    new = Draft(name="a.ics", text=b"x", content_type="text/calendar", etag="a")
    store.write_now(lambda txn: txn.objects.put(calendar(txn, people).id, new))
    (after,) = store.read_now(lambda txn: branches.told(txn, people.bob.id))
    assert after.revision > before.revision


def test_members_of_groups_share_wherever_they_are(store: Store, people: People) -> None:
    def work(txn: Transaction) -> None:
        guid = "00000000-0000-4000-8000-000000000009"
        staff = txn.principals.add(Principal(id=0, kind="group", uid="staff", guid=guid))
        txn.principals.set_members(staff.id, [people.bob.id])
        sharing.invite(txn, calendar(txn, people), staff, address="mailto:staff@x.y", access="read")

    store.write_now(work)
    assert [each.principal_id for each in store.read_now(waiting)] == [people.bob.id]


def test_what_is_in_a_branch_comes_into_the_home_when_the_sharee_does(store: Store, people: People) -> None:
    bound = store.write_now(lambda txn: accept(txn, people))

    def arrive(txn: Transaction) -> int:
        provision(txn, people.bob, Calendars())
        branches.follow(txn, people.bob.id, [shared(people, bound.name, 1)], ())
        before = home(txn, people.bob).revision
        branches.join(txn, people.bob.id)
        return before

    before = store.write_now(arrive)

    def check(txn: Transaction) -> None:
        place = home(txn, people.bob)
        found = txn.collections.child(place.id, bound.name)
        assert found is not None
        assert (found.id, found.kind, found.source_id) == (bound.id, "shared-calendar", calendar(txn, people).id)
        assert bound.revision < found.revision == place.revision
        assert before < place.floor == place.revision
        assert txn.collections.home(people.bob.id, BRANCH) is None
        assert [each.id for each in txn.shares.bound(calendar(txn, people).id)] == [bound.id]

    store.read_now(check)
    store.write_now(lambda txn: branches.join(txn, people.bob.id))
    store.read_now(check)


def test_who_shares_a_calendar_leaves_and_comes_back_as_often_as_it_happens(store: Store, people: People) -> None:
    bound = store.write_now(lambda txn: accept(txn, people))

    def leave(txn: Transaction) -> Sequence[Tie]:
        ties: Sequence[Tie] = txn.ties.crossing([people.ann.id])
        branches.part(txn, [people.ann.id], ties)
        assert branches.told(txn, people.bob.id) == []
        return ties

    def come_back(txn: Transaction) -> None:
        for each in ties:
            txn.ties.fasten(each.source, branches.home_for(txn, people.bob.id).id, each.row)

    for _ in range(3):
        ties = store.write_now(leave)
        store.write_now(come_back)
        (found,) = store.read_now(lambda txn: branches.told(txn, people.bob.id))
        assert (found.name, found.resource_id) == (bound.name, bound.resource_id)


# -- at the node of the sharee -----------------------------------------------------------------------------------------


def shared(people: People, name: str, revision: int, resource_id: str = "r") -> Shared:
    return Shared(name=name, sharer=people.bob.id, resource_id=resource_id, revision=revision, transparent=True)


def signposts(txn: Transaction) -> dict[str, Signpost]:
    return {each.name: each for each in branches.signposts(txn, "user", "ann")}


def test_signposts_are_what_is_in_the_branch(store: Store, people: People) -> None:
    def follow(*there: Shared, sharers: Sequence[int] = (people.bob.id,)) -> int:
        """Follow; returns the revision of the home."""

        def work(txn: Transaction) -> int:
            branches.follow(txn, people.ann.id, there, sharers)
            found = {name: each.shared for name, each in signposts(txn).items()}
            if sharers:
                assert found == {each.name: each for each in there}
            return home(txn, people.ann).revision

        return store.write_now(work)

    first = follow(shared(people, "x", 5), shared(people, "y", 6))
    assert follow(shared(people, "x", 5), shared(people, "y", 6)) == first
    second = follow(shared(people, "x", 9), shared(people, "y", 6))
    assert second > first
    assert follow(sharers=()) == second
    third = follow(shared(people, "x", 9, "another"), shared(people, "y", 6))
    assert third > second
    assert follow() > third


def test_a_signpost_has_the_name_that_the_calendar_has_in_the_branch(store: Store, people: People) -> None:
    def follow(*there: Shared) -> tuple[int, dict[str, Signpost]]:
        def work(txn: Transaction) -> tuple[int, dict[str, Signpost]]:
            branches.follow(txn, people.ann.id, there, (people.bob.id,))
            return home(txn, people.ann).revision, signposts(txn)

        return store.write_now(work)

    first, _ = follow(shared(people, "x", 5, "a"), shared(people, "z", 5, "b"))
    second, found = follow(shared(people, "y", 7, "a"), shared(people, "z", 5, "b"))
    assert sorted(found) == ["y", "z"]
    assert (found["y"].known_at(first), found["y"].known_at(second)) == (5, 7)
    assert follow(shared(people, "y", 7, "a"), shared(people, "z", 5, "b")) == (second, found)
    _, found = follow(shared(people, "y", 9, "b"), shared(people, "z", 9, "a"))
    assert {name: each.resource_id for name, each in found.items()} == {"y": "b", "z": "a"}
    _, found = follow(shared(people, "Default", 10, "b"), shared(people, "z", 9, "a"))
    assert list(found) == ["z"]


def test_a_signpost_knows_what_goes_with_a_revision_of_the_home(store: Store, people: People) -> None:
    def at(revision: int) -> int:
        def work(txn: Transaction) -> int:
            branches.follow(txn, people.ann.id, [shared(people, "x", revision)], ())
            return home(txn, people.ann).revision

        return store.write_now(work)

    before = store.read_now(lambda txn: home(txn, people.ann)).revision
    seen = {at(revision): revision for revision in range(10, 20)}
    found = store.read_now(signposts)["x"]
    assert {revision: found.known_at(revision) for revision in seen} == seen
    assert found.known_at(before) is None
    for revision in range(20, 20 + MOST_TOLD):
        at(revision)
    assert {store.read_now(signposts)["x"].known_at(revision) for revision in seen} == {None}


def test_a_signpost_knows_the_time_when_the_calendar_was_in_the_home(store: Store, people: People) -> None:
    """Sharer and sharee had the same numbers then."""

    def together(txn: Transaction) -> int:
        provision(txn, people.bob, Calendars())
        accept(txn, people)
        return home(txn, people.bob).revision

    def apart(txn: Transaction) -> int:
        branches.part(txn, [people.ann.id], txn.ties.crossing([people.ann.id]))
        return home(txn, people.bob).revision

    before, after = store.write_now(together), store.write_now(apart)
    (found,) = store.read_now(lambda txn: branches.signposts(txn, "user", "bob"))
    assert before < after
    assert found.known_at(before) == before
    assert found.known_at(after) == found.shared.revision


def test_what_the_sharee_has_made_is_not_taken_away_by_a_signpost(store: Store, people: People) -> None:
    def work(txn: Transaction) -> None:
        branches.follow(txn, people.ann.id, [shared(people, "Default", 5)], ())
        assert calendar(txn, people).kind == "calendar"
        assert SIGNPOST not in {each.kind for each in txn.collections.children(home(txn, people.ann).id)}

    store.write_now(work)


def test_the_node_of_a_sharer_is_known_by_the_notification_or_the_signpost(store: Store, people: People) -> None:
    def node(invitation: str) -> str | None:
        return store.read_now(lambda txn: branches.invited_by(txn, "user", "ann", invitation))

    assert node("x") is None
    store.write_now(lambda txn: branches.follow(txn, people.ann.id, [shared(people, "x", 5)], ()))
    assert node("x") == "b2"
    place = notifications.Place(kind="user", uid="bob", names=("Default",))
    told = notifications.Notification(
        type=notifications.INVITE,
        stamp="",
        uid="y",
        address="",
        status="noresponse",
        calendar=place,
        person=notifications.Person.of(people.bob),
    )
    store.write_now(lambda txn: notifications.tell(txn, people.ann.id, told))
    assert node("y") == "b2"
    assert store.read_now(lambda txn: branches.invited_by(txn, "user", "nobody", "y")) is None
