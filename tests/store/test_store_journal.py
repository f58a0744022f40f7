"""The journal of scheduling messages, and messages that lie in Inboxes for long."""

from samples import Clock, Place, draft, furnish

from calserver.store import Entry, Store, Transaction


def entry(store: Store, uid: str, recipient: str = "mailto:bob@example.com") -> Entry:
    """Write an entry in a transaction of its own; returns it."""

    def write(txn: Transaction) -> Entry:
        new = Entry(
            at=txn.now,
            uid=uid,
            method="REQUEST",
            originator="mailto:ann@example.com",
            recipients=(recipient, "mailto:dan@example.com"),
            status="1.2",
            reason="invited",
            outcome="made a copy",
        )
        txn.journal.add([new])
        return new

    return store.write_now(write)


def test_entries_are_found_by_uid_in_their_order(store: Store, clock: Clock) -> None:
    first = entry(store, "lunch")
    entry(store, "dinner")
    clock.forward(days=-1)
    second = entry(store, "lunch", "mailto:cat@example.com")
    assert store.read_now(lambda txn: txn.journal.about("lunch")) == [first, second]
    assert store.read_now(lambda txn: txn.journal.about("breakfast")) == []


def test_nothing_costs_nothing(store: Store) -> None:
    store.write_now(lambda txn: txn.journal.add(()))
    assert store.read_now(lambda txn: txn.journal.about("")) == []


def test_old_entries_are_forgotten_some_at_a_time(store: Store, clock: Clock) -> None:
    for _ in range(5):
        entry(store, "lunch")
        clock.forward(days=1)
    cut = clock.now
    kept = [entry(store, "lunch"), entry(store, "lunch")]
    purged = [store.write_now(lambda txn: txn.journal.purge(cut, 3)) for _ in range(3)]
    assert purged == [3, 2, 0]
    assert store.read_now(lambda txn: txn.journal.about("lunch")) == kept
    clock.forward(days=1)
    assert store.write_now(lambda txn: txn.journal.purge(txn.now, 9)) == 2
    assert store.write_now(lambda txn: txn.journal.purge(txn.now, 9)) == 0


def test_messages_are_found_that_lie_in_inboxes_for_long(store: Store, place: Place, clock: Clock) -> None:
    def arrive(txn: Transaction, name: str) -> int:
        found = txn.collections.child(place.home.id, "Inbox")
        inbox = found or txn.collections.add(place.home.id, "Inbox", "inbox")
        return txn.objects.put(inbox.id, draft(name, uid="lunch"))[0].id

    def before(limit: int) -> list[int]:
        return list(store.read_now(lambda txn: txn.copies.received_before(cut, limit)))

    old = [store.write_now(lambda txn, name=name: arrive(txn, name)) for name in "zyx"]
    event = store.write_now(lambda txn: txn.objects.put(place.calendar.id, draft("old.ics"))[0].id)
    other = store.write_now(lambda txn: furnish(txn, "bob"))
    assert other.calendar.id
    cut = clock.forward(days=1)
    new = store.write_now(lambda txn: arrive(txn, "new"))
    assert before(9) == old
    assert before(2) == old[:2]
    for each in old:
        store.write_now(lambda txn, id=each: txn.objects.remove(id))
    assert before(9) == []
    assert store.read_now(lambda txn: (txn.objects.by_id(event), txn.objects.by_id(new))) != (None, None)


def test_copies_are_found_by_many_uids_and_page_by_page(store: Store, place: Place) -> None:
    def meet(txn: Transaction) -> None:
        for number in range(5):
            name = f"{number}.ics"
            txn.objects.put(place.calendar.id, draft(name, uid=f"uid-{number}", organizer="mailto:ann@example.com"))
        txn.objects.put(place.calendar.id, draft("2x.ics", uid="alone"))

    store.write_now(meet)

    def names(txn: Transaction) -> tuple[list[list[str]], set[str | None]]:
        pages = [
            [each.row.name for each in txn.copies.organized(place.calendar.id, after, 2)] for after in ("", "1.ics")
        ]
        pages.append([each.row.name for each in txn.copies.organized(place.calendar.id)])
        found = txn.copies.of_many([place.home.id], ["uid-1", "uid-3", "nowhere"])
        return pages, {each.row.uid for each in found}

    pages, uids = store.read_now(names)
    assert pages == [["0.ics", "1.ics"], ["2.ics", "3.ics"], [f"{number}.ics" for number in range(5)]]
    assert uids == {"uid-1", "uid-3"}
    assert store.read_now(lambda txn: txn.copies.of_many([], ["uid-1"])) == []
