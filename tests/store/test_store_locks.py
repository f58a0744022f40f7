"""WebDAV locks (RFC 4918 section 6) and the settings of the store."""

from datetime import timedelta

import attrs
import pytest
from samples import Clock, Place

from calserver.dav import Lock
from calserver.store import Store


@pytest.fixture
def lock(place: Place, clock: Clock) -> Lock:
    return Lock(
        token="urn:uuid:1",
        path="calendars/user/ann/Default",
        principal_id=place.principal.id,
        exclusive=True,
        deep=True,
        owner="<D:owner xmlns:D='DAV:'>Ann</D:owner>",
        expires=clock.now + timedelta(minutes=10),
    )


def add(store: Store, *locks: Lock) -> None:
    for each in locks:
        store.write_now(lambda txn, each=each: txn.locks.add(each))


def covering(store: Store, path: str) -> list[str]:
    return [each.token for each in store.read_now(lambda txn: txn.locks.covering(path))]


def below(store: Store, path: str) -> list[str]:
    return [each.token for each in store.read_now(lambda txn: txn.locks.below(path))]


def test_a_lock_comes_back_as_it_was_made(store: Store, lock: Lock) -> None:
    add(store, lock)
    assert store.read_now(lambda txn: txn.locks.get(lock.token)) == lock
    assert store.read_now(lambda txn: txn.locks.get("urn:uuid:2")) is None
    assert store.read_now(lambda txn: txn.locks.count(lock.principal_id)) == 1
    with pytest.raises(Exception, match=r"(?i)unique"):
        add(store, lock)


def test_a_deep_lock_covers_what_is_below_and_another_only_its_resource(store: Store, lock: Lock) -> None:
    shallow = attrs.evolve(lock, token="urn:uuid:2", path="calendars/user/ann", deep=False)
    root = attrs.evolve(lock, token="urn:uuid:3", path="")
    add(store, lock, shallow, root)
    assert covering(store, "calendars/user/ann/Default") == ["urn:uuid:3", "urn:uuid:1"]
    assert covering(store, "calendars/user/ann/Default/a/b.ics") == ["urn:uuid:3", "urn:uuid:1"]
    assert covering(store, "calendars/user/ann") == ["urn:uuid:3", "urn:uuid:2"]
    assert covering(store, "calendars/user/ann/Default2") == ["urn:uuid:3"]
    assert covering(store, "") == ["urn:uuid:3"]


def test_locks_on_what_is_right_above_are_found_by_the_same_question(store: Store, lock: Lock) -> None:
    shallow = attrs.evolve(lock, token="urn:uuid:2", path="calendars/user/ann", deep=False)
    root = attrs.evolve(lock, token="urn:uuid:3", path="", deep=False)
    add(store, lock, shallow, root)
    for path, tokens in (
        ("calendars/user/ann/Default/a.ics", ["urn:uuid:1"]),
        ("calendars/user/ann/Default", ["urn:uuid:2", "urn:uuid:1"]),
        ("calendars/user/ann", ["urn:uuid:2"]),
        ("calendars", ["urn:uuid:3"]),
        ("", ["urn:uuid:3"]),
    ):
        found = store.read_now(lambda txn, path=path: txn.locks.covering(path, parent=True))
        assert [each.token for each in found] == tokens, path


def test_locks_below_a_path_are_not_those_beside_it(store: Store, lock: Lock) -> None:
    paths = ["a/b", "a/b/c", "a/b/%C3%BC.ics", "a/b0", "a/b-", "a/bc", "a", ""]
    add(store, *(attrs.evolve(lock, token=path, path=path) for path in paths))
    assert below(store, "a/b") == ["a/b/%C3%BC.ics", "a/b/c"]
    assert below(store, "") == sorted(path for path in paths if path)
    assert below(store, "a/b/c") == []
    store.write_now(lambda txn: txn.locks.remove_below("a/b"))
    assert below(store, "") == ["a", "a/b-", "a/b0", "a/bc"]
    store.write_now(lambda txn: txn.locks.remove_below(""))
    assert covering(store, "") == []


def test_an_expired_lock_is_no_lock(store: Store, lock: Lock, clock: Clock) -> None:
    add(store, lock)
    clock.now = lock.expires - timedelta(microseconds=1)
    assert covering(store, lock.path) == [lock.token]
    clock.now = lock.expires
    assert covering(store, lock.path) == []
    assert below(store, "") == []
    assert store.read_now(lambda txn: (txn.locks.get(lock.token), txn.locks.count(lock.principal_id))) == (None, 0)
    store.write_now(lambda txn: txn.locks.refresh(lock.token, lock.expires + timedelta(hours=1)))
    assert covering(store, lock.path) == [], "what has expired cannot be refreshed (RFC 4918 section 6.6)"
    assert store.write_now(lambda txn: txn.locks.purge()) == 1
    assert store.write_now(lambda txn: txn.locks.purge()) == 0


def test_a_lock_can_be_refreshed_and_removed(store: Store, lock: Lock, clock: Clock) -> None:
    add(store, lock)
    until = lock.expires + timedelta(hours=1)
    store.write_now(lambda txn: txn.locks.refresh(lock.token, until))
    assert store.read_now(lambda txn: txn.locks.get(lock.token)) == attrs.evolve(lock, expires=until)
    store.write_now(lambda txn: txn.locks.remove(lock.token))
    assert store.read_now(lambda txn: txn.locks.get(lock.token)) is None


def test_locks_go_with_who_holds_them(store: Store, place: Place, lock: Lock) -> None:
    add(store, lock)
    other = store.write_now(
        lambda txn: txn.principals.add(attrs.evolve(place.principal, uid="b", guid="B", addresses=()))
    )
    home = store.write_now(lambda txn: txn.collections.add_home(other.id, "calendar-home"))
    before = store.stamp(home.id)
    store.write_now(lambda txn: txn.principals.remove(place.principal.id))
    assert below(store, "") == []
    after = store.stamp(home.id)
    assert before is not None
    assert after is not None
    assert after.locks > before.locks


def test_settings_are_kept(store: Store) -> None:
    assert store.read_now(lambda txn: txn.meta.get("key")) is None
    for value in ("one", "zwei ü"):
        store.write_now(lambda txn, value=value: txn.meta.set("key", value))
        assert store.read_now(lambda txn: txn.meta.get("key")) == value
