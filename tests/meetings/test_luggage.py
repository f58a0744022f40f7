"""What waits to be done for somebody goes along to another node, once."""

import json
from datetime import timedelta
from typing import Any

import attrs
import pytest

from calserver import calendars
from calserver.config import Calendars, Scheduling
from calserver.meetings import WORKS, Policy, letters, luggage
from calserver.meetings.tasks import REFRESH, REGROUP, key_of
from calserver.store import Draft, Principal, Store, Transaction

POLICY = Policy(calendars=Calendars(), scheduling=Scheduling(), prefix="/dav/", node="b1")


def person(txn: Transaction, uid: str) -> int:
    made = txn.principals.add(
        Principal(id=0, kind="user", uid=uid, guid=uid.upper(), addresses=(f"mailto:{uid}@example.com",))
    )
    calendars.provision(txn, made, Calendars())
    return made.id


def letter(sender: int | None, originator: str, recipient: str, **more: str) -> letters.Letter:
    return letters.Letter(
        uid="meeting",
        originator=f"mailto:{originator}",
        recipient=f"mailto:{recipient}",
        sender=sender,
        texts=(b"first", b"second"),
        message_id="1",
        posted="2026-03-01T12:00:00+00:00",
        **more,
    )


@pytest.fixture
def people(store: Store) -> dict[str, int]:
    """Amy, for whom much waits to be done, and Ben, for whom the same does."""

    def work(txn: Transaction) -> dict[str, int]:
        made = {uid: person(txn, uid) for uid in ("amy", "ben")}
        for uid, id in made.items():
            mine = f"{uid}@example.com"
            for each in (
                letter(id, mine, "eve@example.net"),
                letter(None, mine, "joe@example.net"),
                letter(id, mine, "dan@example.com", node="b2"),
                letter(None, f"{uid}@example.net", "dan@example.com", node="b2", vouched="example.net"),
            ):
                txn.tasks.put(each.kind, each.key, each.packed(), due=txn.now + timedelta(hours=1))
            txn.tasks.put(REFRESH, key_of(id, "meeting"), b"mailto:x@example.com", due=txn.now)
            home = txn.collections.home(id, "calendar-home")
            assert home is not None
            calendar = txn.collections.child(home.id, "Default")
            assert calendar is not None
            draft = Draft(name="m.ics", text=b"", content_type="text/calendar", etag="e", uid=f"{uid}-group")
            txn.tasks.put(REGROUP, str(txn.objects.put(calendar.id, draft)[0].id), due=txn.now)
        return made

    return store.write_now(work)


def tasks(store: Store) -> dict[tuple[str, str], Any]:
    found = store.read_now(lambda txn: txn.tasks.beginning(""))
    return {(each.kind, each.key): attrs.evolve(each, id=0) for each in found}


def test_what_waits_for_somebody_is_taken_along_and_nothing_else(store: Store, people: dict[str, int]) -> None:
    before = tasks(store)
    packed = json.loads(json.dumps(store.read_now(lambda txn: luggage.pack(txn, POLICY, people["amy"]))))
    store.write_now(lambda txn: luggage.drop(txn, POLICY, [people["amy"]]))
    left = tasks(store)
    gone = before.keys() - left.keys()
    assert len(gone) == len(packed) == 5
    assert not any("ben" in key for _, key in gone)
    assert [key for kind, key in left if "amy" in key] == ["mailto:amy@example.net mailto:dan@example.com meeting"]
    store.write_now(lambda txn: luggage.unpack(txn, people["amy"], packed))
    after = tasks(store)
    assert after.keys() == before.keys()
    assert [each for each in after if after[each] != before[each] and each[0] != REGROUP] == []
    store.write_now(lambda txn: luggage.unpack(txn, people["amy"], packed))
    assert tasks(store).keys() == before.keys()


def test_a_copy_that_is_to_follow_its_groups_waits_for_who_is_moving(store: Store, people: dict[str, int]) -> None:
    def regroup(txn: Transaction) -> None:
        for each in txn.tasks.of(REGROUP):
            regroup_of(txn, each)

    def regroup_of(txn: Transaction, task: Any) -> None:
        WORKS[REGROUP](txn, POLICY, task)

    store.write_now(lambda txn: txn.moves.hold([people["amy"]]))
    store.write_now(lambda txn: luggage.drop(txn, POLICY, [people["ben"]]))
    store.write_now(regroup)
    (waiting,) = store.read_now(lambda txn: txn.tasks.of(REGROUP))
    assert waiting.due > store.read_now(lambda txn: txn.now)
    store.write_now(lambda txn: txn.moves.leave([people["amy"]]))
    store.write_now(regroup)
    assert store.read_now(lambda txn: txn.tasks.of(REGROUP)) == []
