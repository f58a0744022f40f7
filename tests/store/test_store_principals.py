"""Principals, groups, delegates and searches."""

from collections.abc import Sequence

import attrs
import pytest
from samples import Place, draft, furnish, principal

from calserver.store import AddressTaken, Missing, Principal, Store


def add(store: Store, *uids: str, **more: object) -> list[Principal]:
    return [store.write_now(lambda txn, uid=uid: txn.principals.add(principal(uid, **more))) for uid in uids]


def uids(found: Sequence[Principal]) -> list[str]:
    return [each.uid for each in found]


def test_a_principal_comes_back_as_it_was_added(store: Store) -> None:
    given = principal(
        "ann",
        first_name="Ann",
        last_name="Lee",
        addresses=("mailto:ann@example.com", "mailto:lee@example.com"),
        password_hash="$argon2id$x",
        administrator=True,
        enabled=False,
        scheduling=False,
        auto_schedule="automatic",
        auto_accept_group="staff",
        properties={"{DAV:}x": "<x xmlns='DAV:'>é</x>"},
    )
    added = store.write_now(lambda txn: txn.principals.add(given))
    assert added == attrs.evolve(given, id=added.id, revision=added.revision)
    assert store.read_now(lambda txn: txn.principals.get(added.id)) == added
    assert store.read_now(lambda txn: txn.principals.by_uid("user", "ann")) == added
    assert store.read_now(lambda txn: txn.principals.by_uid("group", "ann")) is None


def test_an_uid_is_unique_among_principals_of_its_kind(store: Store) -> None:
    add(store, "ann")
    with pytest.raises(AddressTaken):
        add(store, "ann", guid="OTHER", addresses=())
    add(store, "ann", kind="group", guid="OTHER", addresses=())


@pytest.mark.parametrize(
    "changed",
    [
        {"addresses": ("mailto:ANN@example.com",)},
        {"guid": principal("ann").guid, "addresses": ()},
        {"guid": principal("ann").guid.lower(), "addresses": ()},
    ],
)
def test_an_address_or_guid_of_another_is_refused(store: Store, changed: dict[str, object]) -> None:
    add(store, "ann")
    with pytest.raises(AddressTaken):
        add(store, "bob", **changed)
    (bob,) = add(store, "bob")
    with pytest.raises(AddressTaken):
        store.write_now(lambda txn: txn.principals.update(attrs.evolve(bob, **changed)))
    assert store.read_now(lambda txn: txn.principals.get(bob.id)) == bob


def test_an_update_replaces_everything_and_frees_the_old_address(store: Store) -> None:
    (ann,) = add(store, "ann")
    changed = attrs.evolve(ann, name="Ann B.", addresses=("mailto:b@example.com",), properties={"{x}y": "<y/>"})
    updated = store.write_now(lambda txn: txn.principals.update(changed))
    assert updated.revision > ann.revision
    assert store.read_now(lambda txn: txn.principals.get(ann.id)) == updated
    assert store.read_now(lambda txn: txn.principals.by_address("mailto:ann@example.com")) is None
    assert store.read_now(lambda txn: txn.principals.by_address("mailto:b@example.com")) == updated
    add(store, "bob", addresses=("mailto:ann@example.com",))


def test_an_update_of_nobody_is_a_mistake(store: Store) -> None:
    with pytest.raises(Missing):
        store.write_now(lambda txn: txn.principals.update(principal("ann")))


def test_addresses_are_found_without_case_and_by_guid(store: Store) -> None:
    (ann,) = add(store, "ann")
    asked = ["mailto:Ann@Example.com", f"urn:uuid:{ann.guid}", f"urn:uuid:{ann.guid.lower()}", "mailto:nobody@x"]
    found = store.read_now(lambda txn: txn.principals.by_addresses(asked))
    assert found == dict.fromkeys(asked[:3], ann)


def test_a_login_is_a_uid_or_a_mail_address_and_users_come_first(store: Store) -> None:
    add(store, "room", kind="location")
    (user,) = add(store, "room", guid="X", addresses=("mailto:r@example.com",))
    by_login = lambda typed: store.read_now(lambda txn: txn.principals.by_login(typed))  # noqa: E731 - short
    assert by_login("room") == user
    assert by_login("R@example.com") == user
    assert by_login("room@example.com").kind == "location"
    assert by_login("nobody") is None


def test_listing_is_by_uid_and_by_kind(store: Store) -> None:
    add(store, "cid", "ann")
    add(store, "bob", kind="group")
    assert uids(store.read_now(lambda txn: txn.principals.list())) == ["ann", "bob", "cid"]
    assert uids(store.read_now(lambda txn: txn.principals.list("user"))) == ["ann", "cid"]
    many = store.read_now(lambda txn: txn.principals.get_many(each.id for each in txn.principals.list()))
    assert uids(many) == ["ann", "bob", "cid"]


@pytest.mark.parametrize(
    ("terms", "any_of", "kinds", "expected"),
    [
        ([("name", "contains", "STRASSE")], False, (), ["bob"]),
        ([("name", "contains", "e\u0301")], False, (), ["ann"]),
        ([("name", "starts-with", "rené")], False, (), ["ann"]),
        ([("name", "ends-with", "rené")], False, (), []),
        ([("name", "ends-with", "lee")], False, (), ["ann"]),
        ([("name", "equals", "rené lee")], False, (), ["ann"]),
        ([("name", "equals", "rené")], False, (), []),
        ([("email", "contains", "@example")], False, (), ["ann", "bob", "hall"]),
        ([("email", "contains", "mailto:")], False, (), []),
        ([("email", "contains", "@example")], False, ("location", "group"), ["hall"]),
        ([("name", "contains", "lee"), ("uid", "equals", "bob")], False, (), []),
        ([("name", "contains", "lee"), ("uid", "equals", "bob")], True, (), ["ann", "bob"]),
        ([("name", "contains", "%")], False, (), ["hall"]),
        ([("name", "contains", "_")], False, (), []),
        ([("name", "contains", "\\")], False, (), []),
        ([("guid", "starts-with", principal("bob").guid[:36].lower())], False, (), ["bob"]),
        ([("name", "contains", "x" * 60_000)], False, (), []),
        ([("name", "contains", "x" * 60_000), ("uid", "equals", "bob")], False, (), []),
        ([("name", "contains", "x" * 60_000), ("uid", "equals", "bob")], True, (), ["bob"]),
        ([], False, (), []),
        ([("name", "contains", "")], False, ("user",), ["ann", "bob"]),
    ],
)
def test_searches(
    store: Store, terms: list[tuple[str, str, str]], any_of: bool, kinds: tuple[str, ...], expected: list[str]
) -> None:
    add(store, "ann", name="René Lee", first_name="René", last_name="Lee")
    add(store, "bob", name="Bob Straße")
    add(store, "hall", kind="location", name="Hall 100%")
    found = store.read_now(lambda txn: txn.principals.search(terms, any_of=any_of, kinds=kinds))
    assert uids(found) == expected


def test_a_search_stops_at_its_limit(store: Store) -> None:
    add(store, "ann", "bob", "cid")
    terms = [("email", "contains", "example")]
    assert uids(store.read_now(lambda txn: txn.principals.search(terms, any_of=True, limit=2))) == ["ann", "bob"]


def test_a_member_that_is_not_there_is_a_mistake(store: Store) -> None:
    (staff,) = add(store, "staff", kind="group")
    with pytest.raises(Missing):
        store.write_now(lambda txn: txn.principals.set_members(staff.id, [4711]))
    with pytest.raises(Missing):
        store.write_now(lambda txn: txn.collections.add_home(4711, "calendar-home"))


def test_groups_are_followed_to_any_depth_even_in_circles(store: Store) -> None:
    (ann,) = add(store, "ann")
    inner, outer, other = add(store, "inner", "outer", "staff", kind="group")

    def join(txn):
        txn.principals.set_members(inner.id, [ann.id])
        txn.principals.set_members(outer.id, [inner.id])
        txn.principals.set_members(inner.id, [ann.id, outer.id])

    store.write_now(join)
    assert store.read_now(lambda txn: txn.principals.all_memberships(ann.id)) == {inner.id, outer.id}
    assert uids(store.read_now(lambda txn: txn.principals.memberships(ann.id))) == ["inner"]
    assert uids(store.read_now(lambda txn: txn.principals.members(inner.id))) == ["ann", "outer"]
    assert store.read_now(lambda txn: txn.principals.all_memberships(other.id)) == frozenset()
    assert store.read_now(lambda txn: txn.principals.groups_of([other.id, ann.id])) == {inner.id, outer.id}
    assert store.read_now(lambda txn: txn.principals.groups_of([])) == frozenset()


def test_delegates_have_one_kind_of_access_each_way(store: Store) -> None:
    ann, bob, cid = add(store, "ann", "bob", "cid")
    store.write_now(lambda txn: txn.principals.set_delegates(ann.id, "read", [bob.id, cid.id]))
    store.write_now(lambda txn: txn.principals.set_delegates(ann.id, "write", [cid.id]))
    store.write_now(lambda txn: txn.principals.set_delegates(bob.id, "write", [cid.id]))
    assert uids(store.read_now(lambda txn: txn.principals.delegates(ann.id, "read"))) == ["bob", "cid"]
    assert uids(store.read_now(lambda txn: txn.principals.delegates(ann.id, "write"))) == ["cid"]
    assert uids(store.read_now(lambda txn: txn.principals.delegators([cid.id, bob.id], "write"))) == ["ann", "bob"]
    store.write_now(lambda txn: txn.principals.set_delegates(ann.id, "read", []))
    assert store.read_now(lambda txn: txn.principals.delegates(ann.id, "read")) == []


def test_whoever_is_concerned_gets_a_new_revision(store: Store) -> None:
    ann, bob, cid = add(store, "ann", "bob", "cid")
    (staff,) = add(store, "staff", kind="group")

    def changed(work) -> list[str]:
        before = store.read_now(lambda txn: txn.principals.revision())
        store.write_now(work)
        return [each.uid for each in store.read_now(lambda txn: txn.principals.list()) if each.revision > before]

    assert changed(lambda txn: txn.principals.set_members(staff.id, [ann.id, bob.id])) == ["ann", "bob", "staff"]
    assert changed(lambda txn: txn.principals.set_members(staff.id, [ann.id, cid.id])) == ["bob", "cid", "staff"]
    assert changed(lambda txn: txn.principals.set_delegates(ann.id, "read", [cid.id])) == ["ann", "cid"]
    assert changed(lambda txn: txn.principals.set_delegates(ann.id, "read", [])) == ["ann", "cid"]
    store.write_now(lambda txn: txn.principals.set_delegates(bob.id, "read", [ann.id]))
    assert changed(lambda txn: txn.principals.remove(ann.id)) == ["bob", "staff"]


def test_removing_somebody_removes_all_that_was_theirs(store: Store, place: Place) -> None:
    other = store.write_now(lambda txn: furnish(txn, "bob"))

    def fill(txn):
        inner = txn.collections.add(place.calendar.id, "inner", "plain")
        txn.objects.put(inner.id, draft())
        txn.objects.put(other.calendar.id, draft())
        txn.principals.remove(place.principal.id)

    store.write_now(fill)
    assert store.read_now(lambda txn: txn.principals.get(place.principal.id)) is None
    assert store.read_now(lambda txn: txn.collections.get(place.home.id)) is None
    assert store.read_now(lambda txn: txn.collections.get(place.calendar.id)) is None
    assert store.read_now(lambda txn: txn.objects.count(other.calendar.id)) == 1
    again = store.write_now(lambda txn: furnish(txn, "ann"))
    assert again.principal.id > other.principal.id, "ids are never given out again"
    assert again.home.id > other.home.id
