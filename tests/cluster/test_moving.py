"""Moving between two nodes, over stores that are there and a wire that fails at each place in turn."""

import json
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from twisted.internet import reactor as global_reactor  # noqa: TID251 - here it is handed to all others

from calserver import calendars
from calserver.admin import Refused
from calserver.cluster.calls import Caller
from calserver.cluster.mirror import Mirror
from calserver.cluster.mover import Mover
from calserver.cluster.relay import NodeAway
from calserver.cluster.removal import HOLD, STALE, WORKS, Removal
from calserver.config import Calendars, Config, Scheduling
from calserver.meetings import Policy
from calserver.store import Draft, Held, Principal, Store, Transaction, open_store

NODES = ("b1", "b2")
SPEED = 100.0
HOME = "calendar-home"


class Died(BaseException):
    """The process that moves people is no more."""


class Hurry:
    """A reactor in which little time passes between things that come later."""

    def __getattr__(self, name: str) -> Any:
        return getattr(global_reactor, name)

    def callLater(self, delay: float, *what: Any) -> Any:
        reactor: Any = global_reactor
        return reactor.callLater(delay / SPEED, *what)


class Node:
    """A node without a network."""

    def __init__(self, name: str, store: Store, directory: str, wire: "Wire") -> None:
        self.name, self.store = name, store
        self.mirror = Mirror(store, directory, node=name, settle=self._settle, seconds=1, reactor=global_reactor)
        policy = Policy(calendars=Calendars(), scheduling=Scheduling(), prefix="/dav/", node=name)
        self.removal = Removal(store, self.mirror, wire, policy, ["calendars", "drive"], global_reactor)

    def _settle(
        self, txn: Transaction, here: Sequence[Principal], away: Sequence[Principal], groups: Sequence[int]
    ) -> None:
        for each in self.removal.settled(txn, here, away):
            calendars.provision(txn, each, Calendars())

    def put(self, name: str) -> bool:
        """Store an event of Ann's, if her calendars are in use here."""

        def work(txn: Transaction) -> bool:
            if txn.placements.node("user", "ann") != self.name:
                return False
            way = txn.collections.locate("user", "ann", HOME, ("Default",))
            txn.objects.put(way[1].id, Draft(name=name, text=name.encode(), content_type="text/calendar", etag=name))
            return True

        try:
            return self.store.write_now(work)
        except Held:
            return False

    def names(self) -> Mapping[str, int]:
        """Names and revisions of Ann's events, where her calendars are in use here."""

        def look(txn: Transaction) -> Mapping[str, int]:
            ann = txn.principals.by_uid("user", "ann")
            if ann is None or "" not in txn.moves.states([ann.id]).get(ann.id, ()):
                return {}
            calendar = txn.collections.locate("user", "ann", HOME, ("Default",))[1]
            return {each.name: each.revision for each in txn.objects.in_collection(calendar.id)}

        return self.store.read_now(look)

    def let_go(self) -> list[Any]:
        """The holds that there are."""
        return list(self.store.read_now(lambda txn: txn.tasks.of(HOLD)))


class Wire(Caller):
    """Asks nodes of this process, and fails once where it is told to."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.asked: list[str] = []
        self.fails_at: int | None = None
        self.how = ""
        self.written: set[str] = set()

    async def ask(self, node: str, act: str, **asked: Any) -> Mapping[str, Any]:
        number = len(self.asked)
        self.asked.append(act)
        for each in self.nodes.values():
            name = f"{len(self.written)}-{act}"
            if each.put(name):
                self.written.add(name)
        failure = Died() if self.how.startswith("dies") else NodeAway("it is away")
        if number == self.fails_at and self.how.endswith("before"):
            raise failure
        answer = await self.nodes[node].removal.acts[act](json.loads(json.dumps(asked)))
        if number == self.fails_at and self.how.endswith("after"):
            raise failure
        found: Mapping[str, Any] = json.loads(json.dumps(answer))
        return found


@attrs.define
class Town:
    """Two nodes and their directory."""

    config: Config
    directory: Store
    wire: Wire
    b1: Node
    b2: Node

    def mover(self) -> Mover:
        return Mover(self.config, self.directory, self.wire, lambda progress: None, Hurry())

    def where(self) -> str | None:
        return self.directory.read_now(lambda txn: txn.placements.node("user", "ann"))


@pytest.fixture(params=["sqlite", "postgres"])
def urls(request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path) -> Iterator[Mapping[str, str]]:
    """Empty stores of each engine, by what they are for."""
    with ExitStack() as stack:
        found = {}
        for name in ("directory", *NODES):
            if request.param == "sqlite":
                shutil.copy(empty_database, tmp_path / f"{name}.sqlite")
                found[name] = f"sqlite:///{tmp_path}/{name}.sqlite"
            else:
                found[name] = stack.enter_context(request.getfixturevalue("postgres").copy_of(empty_database))
        yield found


@pytest_twisted.async_yield_fixture()
async def town(tmp_path: Path, urls: Mapping[str, str]) -> AsyncIterator[Town]:
    url = urls["directory"]
    key = "A" * 43 + "="
    lines = ["[cluster]", 'node = "b1"', f'directory = "{url}"']
    for name in NODES:
        lines += [f"[cluster.nodes.{name}]", f'url = "http://{name}"', f'key = "{key}"']
    (tmp_path / "node.toml").write_text("\n".join(lines))
    directory = open_store(url, reactor=None)

    def add(txn: Transaction) -> None:
        ann = txn.principals.add(Principal(id=0, kind="user", uid="ann", guid="A", addresses=("mailto:ann@x.org",)))
        txn.principals.add(Principal(id=0, kind="group", uid="staff", guid="S"))
        txn.principals.add(Principal(id=0, kind="user", uid="nowhere", guid="N"))
        txn.placements.put([ann.id], "b1")

    directory.write_now(add)
    wire = Wire()
    for name in NODES:
        store = open_store(urls[name], reactor=global_reactor)  # type: ignore[arg-type] # what is used of it is there
        wire.nodes[name] = Node(name, store, url, wire)
        await wire.nodes[name].mirror.catch_up()
    yield Town(Config.load(tmp_path / "node.toml"), directory, wire, *wire.nodes.values())
    for each in wire.nodes.values():
        await each.mirror.stop()
        await each.store.close()
    directory.close()


@pytest.mark.parametrize("how", ["fails before", "fails after", "dies before", "dies after"])
@pytest_twisted.ensureDeferred
async def test_wherever_it_fails_ann_is_at_one_node_with_all_that_was_written(town: Town, how: str) -> None:
    wire = town.wire
    await town.mover().move(["ann"], "b2", together=False)
    acts, source = len(wire.asked), "b2"
    assert acts > 10
    for number in range(0, acts, 1 if "sqlite" in str(town.config.cluster.directory) else 4):
        goal = "b1" if source == "b2" else "b2"
        wire.asked.clear()
        wire.fails_at, wire.how = number, how
        try:
            await town.mover().move(["ann"], goal, together=False)
        except Died:
            wire.fails_at = None
            await town.mover().move(["ann"], goal, together=False)
        for each in (town.b1, town.b2):
            await each.mirror.catch_up()
        assert town.where() == goal, wire.asked
        assert wire.nodes[goal].names().keys() == wire.written
        assert wire.nodes[source].names() == {}
        assert not wire.nodes[goal].let_go()
        source = goal
    revisions = list(wire.nodes[source].names().values())
    assert len(set(revisions)) == len(revisions)


@pytest_twisted.ensureDeferred
async def test_what_is_held_and_forgotten_is_in_use_again_and_cannot_be_moved_as_it_was(town: Town) -> None:
    ids = town.directory.read_now(lambda txn: {each.id: each.revision for each in txn.principals.list("user")[:1]})
    asked = {"revisions": {str(id): revision for id, revision in ids.items()}}
    await town.wire.ask("b1", "hold", **asked)
    assert not town.b1.put("no.ics")
    await town.b1.removal.release(town.b1.let_go())
    assert town.b1.put("yes.ics")
    revised = town.directory.read_now(lambda txn: {each.id: each.revision for each in txn.principals.get_many(ids)})
    assert all(revised[each] > ids[each] for each in ids)
    assert town.where() == "b1"


@pytest_twisted.ensureDeferred
async def test_what_has_been_moved_is_not_in_use_again_where_it_was_held(town: Town) -> None:
    ids = town.directory.read_now(lambda txn: {each.id: each.revision for each in txn.principals.list("user")[:1]})
    await town.wire.ask("b1", "hold", revisions={str(id): revision for id, revision in ids.items()})
    town.directory.write_now(lambda txn: txn.placements.put(ids, "b2"))
    await town.b1.removal.release(town.b1.let_go())
    assert not town.b1.put("no.ics")
    assert town.b1.let_go()
    await town.b1.mirror.catch_up()
    assert not town.b1.let_go()
    assert not town.b1.put("no.ics")


@pytest_twisted.ensureDeferred
async def test_calendars_that_are_not_complete_are_not_taken_into_use(town: Town) -> None:
    """Whoever writes into the directory by hand loses nothing: not here, and not at the old node."""
    assert town.b1.put("kept.ics")
    (ann,) = town.directory.read_now(lambda txn: [each.id for each in txn.principals.list("user") if each.uid == "ann"])
    await town.wire.ask("b2", "fetch", principals=[ann], source="b1")
    town.directory.write_now(lambda txn: txn.placements.put([ann], "b2"))
    for each in (town.b1, town.b2):
        await each.mirror.catch_up()
    assert town.b2.names() == {}
    town.directory.write_now(lambda txn: txn.placements.put([ann], "b1"))
    for each in (town.b1, town.b2):
        await each.mirror.catch_up()
    assert "kept.ics" in town.b1.names()


@pytest.mark.parametrize(
    ("name", "node", "why"),
    [
        ("ann", "b3", "none of the nodes"),
        ("group/staff", "b2", "has no calendars"),
        ("nowhere", "b2", "is on no node"),
        ("who", "b2", "who"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_moved_is_refused(town: Town, name: str, node: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        await town.mover().move([name], node, together=False)


@pytest_twisted.ensureDeferred
async def test_a_copy_that_nobody_goes_on_with_is_removed_and_may_be_begun_again(town: Town) -> None:
    def sweep(txn: Transaction) -> int:
        tasks = txn.tasks.of(STALE)
        for each in tasks:
            WORKS[STALE](txn, each)
        return len(tasks)

    ann = town.directory.read_now(lambda txn: txn.principals.by_uid("user", "ann"))
    assert ann is not None
    await town.wire.ask("b2", "fetch", principals=[ann.id], source="b1")
    assert town.b2.store.read_now(lambda txn: txn.moves.states([ann.id])) == {ann.id: {"arriving"}}
    while town.b2.store.write_now(sweep):
        pass
    assert town.b2.store.read_now(lambda txn: txn.moves.states([ann.id])) == {}
    await town.mover().move(["ann"], "b2", together=False)
    assert town.b2.names().keys() == town.wire.written
    assert town.b2.store.read_now(lambda txn: txn.tasks.of(STALE)) == []


@pytest_twisted.ensureDeferred
async def test_who_is_there_already_stays(town: Town) -> None:
    assert await town.mover().move(["ann"], "b1", together=False) == []


@pytest_twisted.ensureDeferred
async def test_the_last_node_is_not_drained(town: Town) -> None:
    (moved,) = await town.mover().drain("b1")
    assert (list(moved.who), moved.source, moved.node) == (["ann"], "b1", "b2")
    with pytest.raises(Refused, match="no other node"):
        await town.mover().drain("b2")
