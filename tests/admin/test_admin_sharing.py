"""What administrators change, and what then becomes of shared calendars."""

from pathlib import Path

import pytest

from calserver.admin import accounts, calendar_import, calendars
from calserver.calendars import NOTIFICATIONS, sharing
from calserver.calendars.notifications import Notification
from calserver.config import Calendars
from calserver.store import Share, Store, Transaction

SETTINGS = Calendars(domain="example.org")


def table(store: Store, **members: str) -> None:
    """Groups with these members; `people` are there anyway."""
    people = "".join(f"{uid},user,\n" for uid in ("ann", "bob", "cat"))
    groups = "".join(f"{uid},group,{each}\n" for uid, each in members.items())
    accounts.import_table(store, f"uid,type,members\n{people}{groups}", settings=SETTINGS)


def share(store: Store, sharee: str, access: str = "read") -> None:
    def write(txn: Transaction) -> None:
        ann = accounts.named(txn, "ann")
        place = calendars.find(txn, ann, "Default")
        to = accounts.named(txn, sharee)
        sharing.invite(txn, place, to, address=f"mailto:{sharee}@example.org", access=access)

    store.write_now(write)


def shares(txn: Transaction) -> dict[str, Share]:
    place = calendars.find(txn, accounts.named(txn, "ann"), "Default")
    principals = {each.id: each.uid for each in txn.principals.list()}
    return {principals[each.principal_id or 0]: each for each in txn.shares.of(place.id)}


def accesses(store: Store) -> dict[str, str]:
    """Who of the people has which access."""
    return store.read_now(
        lambda txn: {uid: each.access for uid, each in shares(txn).items() if uid in ("ann", "bob", "cat")}
    )


def accept(store: Store, uid: str) -> str:
    return store.write_now(lambda txn: sharing.accept(txn, shares(txn)[uid]).name)


def told(store: Store, uid: str) -> list[str]:
    """Statuses of the invitations among the notifications of somebody."""

    def read(txn: Transaction) -> list[str]:
        place = txn.collections.child(calendars.home(txn, accounts.named(txn, uid)).id, NOTIFICATIONS)
        assert place is not None
        rows = [each.id for each in txn.objects.in_collection(place.id)]
        return [Notification.unpacked(text).status for text in txn.objects.texts(rows).values()]

    return store.read_now(read)


@pytest.fixture
def groups(store: Store) -> Store:
    table(store, outer="inner", inner="bob")
    return store


def test_who_joins_a_group_shares_and_who_leaves_does_not(groups: Store) -> None:
    share(groups, "outer")
    assert accesses(groups) == {"bob": "read"}
    accept(groups, "bob")
    table(groups, inner="cat")
    assert accesses(groups) == {"cat": "read"}
    bob = groups.read_now(lambda txn: [each.name for each in calendars.calendars(txn, accounts.named(txn, "bob"))])
    assert "Default" in bob
    table(groups, inner="cat bob", outer="")
    assert accesses(groups) == {}


def test_what_the_sharer_gave_in_person_stays(groups: Store) -> None:
    share(groups, "inner", "read-write")
    share(groups, "bob", "read")
    table(groups, inner="")
    assert accesses(groups) == {"bob": "read"}


def test_a_group_that_is_removed_shares_no_more(groups: Store) -> None:
    share(groups, "outer")
    groups.write_now(lambda txn: accounts.remove(txn, "inner", "group"))
    assert accesses(groups) == {}


def test_who_is_removed_shares_no_more(groups: Store) -> None:
    share(groups, "bob")
    accept(groups, "bob")
    groups.write_now(lambda txn: accounts.remove(txn, "bob"))
    assert accesses(groups) == {}


@pytest.mark.parametrize("everything", [True, False])
def test_sharees_are_told_when_a_calendar_or_its_owner_is_removed(groups: Store, everything: bool) -> None:
    share(groups, "bob")
    accept(groups, "bob")

    def write(txn: Transaction) -> None:
        if everything:
            accounts.remove(txn, "ann")
        else:
            calendars.delete(txn, accounts.named(txn, "ann"), "Default")

    groups.write_now(write)
    home = groups.read_now(lambda txn: calendars.home(txn, accounts.named(txn, "bob")))
    kinds = groups.read_now(lambda txn: [each.kind for each in txn.collections.children(home.id)])
    assert "shared-calendar" not in kinds
    assert told(groups, "bob") == ["deleted"]


def test_what_is_imported_has_no_alarms_for_sharees(groups: Store, tmp_path: Path) -> None:
    share(groups, "bob")
    name = accept(groups, "bob")
    lines = (
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//other//EN", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z"),
        *("DTSTART:20260105T090000Z", "BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:-PT5M"),
        *("END:VALARM", "END:VEVENT", "END:VCALENDAR", ""),
    )
    file = tmp_path / "1.ics"
    file.write_bytes("\r\n".join(lines).encode())
    done = list(calendar_import.import_files(groups, "ann", "Default", [file], settings=SETTINGS))
    assert [each.outcome for each in done] == ["new"]

    def texts(txn: Transaction) -> list[bytes]:
        own = calendars.find(txn, accounts.named(txn, "ann"), "Default")
        bound = txn.collections.child(calendars.home(txn, accounts.named(txn, "bob")).id, name)
        assert bound is not None
        found = []
        for place in (own, bound):
            row = txn.objects.in_collection(place.id)[0]
            found.append(txn.objects.texts([row.id], seen_in=place.id)[row.id])
        return found

    own, shared = groups.read_now(texts)
    assert b"VALARM" in own
    assert b"VALARM" not in shared
