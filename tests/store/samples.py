"""Values for the tests of the store."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import attrs
import pytest

from calserver.ical import Instance
from calserver.store import Collection, Draft, Object, Principal, Store, Transaction

T = TypeVar("T")
sqlite_only = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""For what is SQLite's own."""
postgres_only = pytest.mark.parametrize("engine", ["postgres"], indirect=True)
HOUR = 3600
DAY = 86400


@attrs.define
class Clock:
    """The clock of a store under test."""

    now: datetime = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **duration: float) -> datetime:
        self.now += timedelta(**duration)
        return self.now


@attrs.frozen
class Place:
    """Somebody with a home and a calendar in it."""

    principal: Principal
    home: Collection
    calendar: Collection


def principal(uid: str, **more: Any) -> Principal:
    """A principal with a mail address."""
    given: dict[str, Any] = {
        "id": 0,
        "kind": "user",
        "uid": uid,
        "guid": f"00000000-0000-4000-8000-{sum(map(ord, uid)):012X}",
        "name": uid.title(),
        "addresses": (f"mailto:{uid}@example.com",),
    }
    return Principal(**(given | more))


def draft(name: str = "lunch.ics", text: bytes = b"BEGIN:VCALENDAR", **more: Any) -> Draft:
    """An event of an hour at the epoch."""
    given: dict[str, Any] = {
        "name": name,
        "text": text,
        "content_type": "text/calendar; charset=utf-8",
        "etag": f"{len(text)}-{hash(text) & 0xFFFF:x}",
        "component": "VEVENT",
        "uid": f"{name}@example.com",
        "first": 0,
        "last": HOUR,
        "instances": (Instance(start=0, end=HOUR),),
    }
    return Draft(**(given | more))


def furnish(txn: Transaction, uid: str = "ann") -> Place:
    """Make somebody with a home and a calendar."""
    who = txn.principals.add(principal(uid))
    home = txn.collections.add_home(who.id, "calendar-home")
    calendar = txn.collections.add(home.id, "Default", "calendar")
    home_now = txn.collections.get(home.id)
    assert home_now is not None
    return Place(who, home_now, calendar)


def put(store: Store, collection_id: int, name: str = "lunch.ics", text: bytes = b"x", **more: Any) -> Object:
    """Store an event in a transaction of its own."""
    return store.write_now(lambda txn: txn.objects.put(collection_id, draft(name, text, **more))[0])


def revision(store: Store, collection_id: int) -> int:
    """The revision of a collection."""
    found = store.read_now(lambda txn: txn.collections.get(collection_id))
    assert found is not None
    return found.revision


def statements(store: Store, work: Callable[[Transaction], object]) -> int:
    """How many statements a reading work runs."""

    def counted(txn: Any) -> int:
        before: int = txn.connection.statements
        work(txn)
        after: int = txn.connection.statements
        return after - before

    return store.read_now(counted)


def names_in(store: Store, collection_id: int) -> list[str]:
    """The names of the members of a collection."""
    return store.read_now(lambda txn: [name for name, _, _ in txn.objects.listing(collection_id)])


def steps(store: Store, look: Callable[[Transaction], object]) -> int:
    """How many steps of its virtual machine SQLite takes for what reads: no other load of the machine disturbs that."""

    def count(txn: Any) -> int:
        counted = [0]

        def step() -> int:
            counted[0] += 1
            return 0

        txn.connection.driver.set_progress_handler(step, 1)
        try:
            look(txn)
        finally:
            txn.connection.driver.set_progress_handler(None, 1)
        return counted[0]

    return store.read_now(count)
