"""What every principal has from the start."""

import attrs
import pytest

from calserver.calendars import provision
from calserver.config import Calendars
from calserver.names import D
from calserver.store import Principal, Store, Transaction


def add(txn: Transaction, kind: str = "user", uid: str = "ann") -> Principal:
    return txn.principals.add(
        Principal(id=0, kind=kind, uid=uid, guid=f"00000000-0000-0000-0000-{hash(uid) % 10**12:012}")
    )


def members(txn: Transaction, principal: Principal) -> dict[str, str]:
    home = txn.collections.home(principal.id, "calendar-home")
    assert home is not None
    return {each.name: each.kind for each in txn.collections.children(home.id)}


ALL = {
    "Default": "calendar",
    "Tasks": "calendar",
    "Inbox": "inbox",
    "Outbox": "outbox",
    "Attachments": "attachments",
    "Notifications": "notifications",
}


@pytest.mark.parametrize("kind", ["user", "resource", "location"])
def test_who_has_calendars_gets_all_standard_collections(store: Store, kind: str) -> None:
    def work(txn: Transaction) -> None:
        ann = add(txn, kind)
        provision(txn, ann, Calendars())
        assert members(txn, ann) == ALL
        assert (txn.collections.home(ann.id, "drive-home") is not None) is (kind == "user")

    store.write_now(work)


def test_a_group_gets_nothing(store: Store) -> None:
    def work(txn: Transaction) -> None:
        staff = add(txn, "group", "staff")
        provision(txn, staff, Calendars())
        assert txn.collections.home(staff.id, "calendar-home") is None

    store.write_now(work)


def test_events_and_tasks_have_a_calendar_each_with_a_title(store: Store) -> None:
    def work(txn: Transaction) -> None:
        ann = add(txn)
        provision(txn, ann, Calendars())
        home = txn.collections.home(ann.id, "calendar-home")
        default, tasks = (txn.collections.child(home.id, name) for name in ("Default", "Tasks"))
        assert "VEVENT" in default.components
        assert "VTODO" not in default.components
        assert tasks.components == ("VTODO",)
        assert (default.display_name, tasks.display_name) == ("Calendar", "Tasks")
        assert "Calendar" in default.properties[D("displayname")]

    store.write_now(work)


@pytest.mark.parametrize(
    ("switch", "missing"),
    [
        ("create_default", {"Default"}),
        ("create_tasks", {"Tasks"}),
        ("create_scheduling", {"Inbox", "Outbox"}),
        ("create_attachments", {"Attachments"}),
        ("create_notifications", {"Notifications"}),
    ],
)
def test_each_collection_has_its_switch(store: Store, switch: str, missing: set[str]) -> None:
    def work(txn: Transaction) -> None:
        ann = add(txn)
        provision(txn, ann, attrs.evolve(Calendars(), **{switch: False}))
        assert members(txn, ann).keys() == ALL.keys() - missing

    store.write_now(work)


def test_the_drive_has_its_switch(store: Store) -> None:
    def work(txn: Transaction) -> None:
        ann = add(txn)
        provision(txn, ann, Calendars(create_drive=False))
        assert txn.collections.home(ann.id, "drive-home") is None

    store.write_now(work)


def test_doing_it_again_makes_what_is_missing_and_changes_nothing_else(store: Store) -> None:
    def work(txn: Transaction) -> None:
        ann = add(txn)
        provision(txn, ann, Calendars())
        home = txn.collections.home(ann.id, "calendar-home")
        provision(txn, ann, Calendars())
        assert txn.collections.home(ann.id, "calendar-home") == home
        txn.collections.remove(txn.collections.child(home.id, "Tasks").id)
        provision(txn, ann, Calendars())
        assert members(txn, ann) == ALL

    store.write_now(work)
