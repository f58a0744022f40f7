"""How many statements things take: one for a question whatever its size, few for a change."""

from collections.abc import Callable
from typing import Any

import pytest
from samples import DAY, HOUR, Place, draft, postgres_only, principal, put, sqlite_only, statements

from calserver.ical import Instance
from calserver.store import Part, Principal, Share, Store, Transaction, Variant
from calserver.store.postgres import Driver

QUESTIONS: dict[str, Callable[[Transaction, Place], Any]] = {
    "principal by uid": lambda txn, at: txn.principals.by_uid("user", "ann"),
    "principal by login": lambda txn, at: txn.principals.by_login("ann"),
    "principals by address": lambda txn, at: txn.principals.by_addresses(["mailto:ann@example.com", "mailto:b@x"]),
    "principals": lambda txn, at: txn.principals.list(),
    "search": lambda txn, at: txn.principals.search([("name", "contains", "a"), ("uid", "equals", "b")], any_of=True),
    "memberships": lambda txn, at: txn.principals.all_memberships(at.principal.id),
    "groups": lambda txn, at: txn.principals.groups_of([at.principal.id, 2]),
    "delegators": lambda txn, at: txn.principals.delegators([at.principal.id, 2], "read"),
    "home": lambda txn, at: txn.collections.home(at.principal.id, "calendar-home"),
    "path": lambda txn, at: txn.collections.by_path(at.home.id, ("Default", "x", "y")),
    "location": lambda txn, at: txn.collections.locate("user", "ann", "calendar-home", ("Default", "x", "y")),
    "homes": lambda txn, at: txn.collections.homes("user", "calendar-home"),
    "children": lambda txn, at: txn.collections.children(at.home.id),
    "below": lambda txn, at: txn.collections.below(at.home.id),
    "ancestors": lambda txn, at: txn.collections.ancestors(at.calendar.id),
    "object": lambda txn, at: txn.objects.get(at.calendar.id, "1"),
    "objects": lambda txn, at: txn.objects.in_collection(at.calendar.id),
    "listing": lambda txn, at: txn.objects.listing(at.calendar.id),
    "multiget": lambda txn, at: txn.objects.named(at.calendar.id, [str(n) for n in range(1000)]),
    "stream": lambda txn, at: [*txn.objects.iterate(at.calendar.id)],
    "uid": lambda txn, at: txn.objects.by_uid(at.home.id, "1"),
    "range": lambda txn, at: txn.objects.in_range([at.calendar.id], 0, DAY),
    "busy": lambda txn, at: txn.objects.busy([at.calendar.id, at.home.id], 0, DAY),
    "changes": lambda txn, at: txn.changes.objects(at.calendar.id, 0, 10),
    "removals": lambda txn, at: txn.changes.tombstones(at.calendar.id, 0),
    "locks": lambda txn, at: txn.locks.covering("calendars/user/ann/Default/x.ics"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_one_statement(store: Store, place: Place, question: str) -> None:
    for number in range(30):
        put(store, place.calendar.id, f"{number}")
    assert statements(store, lambda txn: QUESTIONS[question](txn, place)) == 1


HARMLESS = tuple(
    f"SCAN {what}"
    for what in ("json_each", "way", "up", "down", "below", "groups", "numbered", "found", "CONSTANT ROW")
)
"""What is small, or made by the statement itself."""


def taken(store: Store, work: Callable[[Any], object]) -> int:
    def counted(txn: Any) -> int:
        before: int = txn.connection.statements
        work(txn)
        after: int = txn.connection.statements
        return after - before

    return store.write_now(counted)


@pytest.mark.parametrize("size", [1, 300])
def test_a_put_takes_few_statements_however_many_instances_it_has(store: Store, place: Place, size: int) -> None:
    many = tuple(Instance(start=n * DAY, end=n * DAY + HOUR) for n in range(size))
    add = lambda txn: txn.objects.put(place.calendar.id, draft(instances=many), unique_uid=True)  # noqa: E731 - short
    assert taken(store, add) == 7
    assert taken(store, add) == 8
    assert taken(store, lambda txn: txn.objects.remove(1)) <= 6


def test_moving_a_collection_does_not_ask_for_each_member(store: Store, place: Place) -> None:
    def move(txn):
        for name in ("new", "Default"):
            txn.collections.move(place.calendar.id, place.home.id, name)

    put(store, place.calendar.id)
    store.write_now(move)
    few = taken(store, move)
    for number in range(30):
        put(store, place.calendar.id, f"{number}")
    assert taken(store, move) == few


def share(txn: Any, place: Place, bob: Principal) -> None:
    """Everything that is done about a shared calendar."""
    home, calendar = txn.collections.add_home(bob.id, "calendar-home"), txn.collections.get(place.calendar.id)
    invited = Share(id=0, collection_id=calendar.id, principal_id=bob.id, address="bob", uid="1")
    invited = txn.shares.update(txn.shares.add(invited))
    bound = txn.shares.bind(
        calendar, home, "from ann", "shared-calendar", access="read", properties={}, display_name=None
    )
    made, _ = txn.objects.put(place.calendar.id, draft("shared"))
    txn.shares.set_common(made.id, Variant(text=b"", etag=""))
    txn.shares.set_personal(made.id, bob.id, Variant(text=b"", etag=""))
    txn.shares.set_access(bound.id, "read-write")
    for ask in (txn.shares.of, txn.shares.bound, txn.shares.below):
        ask(calendar.id)
    for ask in (txn.shares.find, txn.shares.bound_to):
        ask(calendar.id, bob.id)
    txn.shares.sources(home.id)
    txn.shares.personal(made.id)
    txn.shares.by_uid("1")
    txn.shares.shared_with([bob.id])
    txn.shares.remove(invited)


def every_question(txn: Any, place: Place) -> None:
    """All that requests ask; only searches for people may look through all."""
    for question, ask in QUESTIONS.items():
        if question not in ("search", "principals"):
            ask(txn, place)
    txn.objects.joined(place.calendar.id, ("", Part.NAME, ""))


def every_change(txn: Any, place: Place) -> None:
    """All that requests change."""
    made, _ = txn.objects.put(place.calendar.id, draft(), unique_uid=True)
    txn.objects.put(place.calendar.id, draft(), unique_uid=True)
    txn.objects.copy(made.id, place.home.id, "copy")
    txn.objects.move(made.id, place.home.id, "moved")
    txn.objects.remove(made.id)
    inner = txn.collections.add(place.calendar.id, "inner", "plain")
    txn.collections.move(inner.id, place.home.id, "inner")
    txn.collections.set_acl(inner.id, ())
    txn.collections.remove(inner.id)
    txn.locks.remove_below("calendars/user/ann/Default")
    bob = txn.principals.add(principal("bob"))
    txn.principals.set_members(bob.id, [place.principal.id])
    share(txn, place, bob)
    txn.principals.remove(bob.id)


@sqlite_only
def test_plans_never_scan_a_table(store: Store, place: Place) -> None:
    """Every statement that a request runs finds its rows by an index."""
    driver_sql: set[str] = set()

    def traced(work: Callable[[Any, Place], None]) -> Callable[[Any], None]:
        def run(txn: Any) -> None:
            txn.connection.driver.set_trace_callback(driver_sql.add)
            work(txn, place)
            txn.connection.driver.set_trace_callback(None)

        return run

    store.read_now(traced(every_question))
    store.write_now(traced(every_change))

    def plans(txn: Any) -> list[str]:
        found = []
        for sql in driver_sql:
            if sql.startswith("--"):  # what foreign keys run inside of a statement
                continue
            plan = [row[3] for row in txn.connection.driver.execute("EXPLAIN QUERY PLAN " + sql)]
            found += [f"{step}: {sql}" for step in plan if step.startswith("SCAN ") and not step.startswith(HARMLESS)]
        return found

    assert len(driver_sql) > 40
    assert store.read_now(plans) == []


@postgres_only
def test_plans_of_postgresql_never_scan_a_table(
    store: Store, place: Place, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same; where there are few rows it may prefer to, and writers tell it not to."""
    ran: dict[str, Any] = {}
    execute = Driver.execute

    def traced(driver: Driver, sql: str, parameters: Any = None, **kw: Any) -> Any:
        if sql.startswith(("SELECT", "WITH", "UPDATE", "DELETE", "INSERT")):
            ran[sql] = parameters
        return execute(driver, sql, parameters, **kw)

    monkeypatch.setattr(Driver, "execute", traced)
    store.read_now(lambda txn: every_question(txn, place))
    store.write_now(lambda txn: every_change(txn, place))
    monkeypatch.undo()
    found = []
    with Driver.connect(url, autocommit=True) as driver:
        driver.command("SET enable_seqscan = off")
        for sql, parameters in ran.items():
            plan = [row[0] for row in driver.execute("EXPLAIN " + sql, parameters)]
            found += [f"{step}: {sql}" for step in plan if "Seq Scan on" in step]
    assert len(ran) > 40
    assert found == []
