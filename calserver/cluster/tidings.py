"""What people at other nodes are told of calendars that somebody here shares with them: carried after the commit.

Each of the tidings is a task until it has arrived (`calserver.calendars.notifications`); newer ones about the same
invitation take the place of older ones, and to be told twice is as good as once. Who cannot be told now is told later,
and keeps nobody else waiting.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from calserver.calendars import notifications
from calserver.calendars.notifications import TIDINGS, Tidings
from calserver.cluster.calls import Caller, Declined
from calserver.cluster.relay import NodeAway, NodeSilent
from calserver.store import Busy, Store, Task, Transaction
from calserver.work import next_try

log = Logger()

LOOK_SECONDS: Final = 0.1
"""How often is looked whether there are any; that takes some microseconds."""
AT_ONCE: Final = 100
SECONDS: Final = 5.0
"""How long a node is waited for."""
ARRIVAL_SECONDS: Final = 2.0
"""How long a client waits at most for what it has caused to arrive."""
ARRIVAL_LOOK_SECONDS: Final = 0.02


class TidingsCarrier:
    """Carries tidings, in the process that leads; and takes those of other nodes.

    Args:
        store: of this node.
        caller: asks other nodes.
        reactor: time.
    """

    def __init__(self, store: Store, caller: Caller, reactor: Any) -> None:
        self._store = store
        self._caller = caller
        self._seen: int | None = None
        self._look_again = False
        self._busy = False
        self._call = LoopingCall(lambda: Deferred.fromCoroutine(self._look()))
        self._call.clock = reactor
        self._finished: Deferred[Any] | None = None

    def start(self) -> None:
        """Begin."""
        self._finished = self._call.start(LOOK_SECONDS)

    async def stop(self) -> None:
        """End."""
        if self._finished is not None:
            self._call.stop()
            await self._finished

    async def arrived(self) -> None:
        """Wait until what was written has arrived, if nothing was in vain yet; no longer than `ARRIVAL_SECONDS`."""
        clock = self._call.clock
        until = clock.seconds() + ARRIVAL_SECONDS
        try:
            written = waiting = await self._store.read(_under_way)
            while waiting and self._call.running and clock.seconds() < until:
                await self._look()
                await deferLater(clock, ARRIVAL_LOOK_SECONDS)
                waiting = written & await self._store.read(_under_way)
        except Busy:
            return  # nobody knows, and the client has its answer all the same

    async def take(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Tell people here what another node has sent (`calserver.cluster.calls.Act`)."""

        def tell(txn: Transaction) -> Sequence[bool]:
            return [notifications.receive(txn, Tidings.unpacked(each)) for each in asked["tidings"]]

        return {"here": await self._store.write(tell)}

    # -- carrying ------------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        if self._busy or not self._store.lead():
            return
        version = self._store.data_version()
        if version == self._seen and not self._look_again:
            return
        self._busy = True
        try:
            waiting = await self._store.read(lambda txn: txn.tasks.lanes(TIDINGS))
            due: Mapping[str, Sequence[Task]] = await self._store.read(_due) if waiting else {}
            carrying = [Deferred.fromCoroutine(self._carry(node, tasks)) for node, tasks in due.items()]
            await gatherResults(carrying, consumeErrors=True)
            self._seen, self._look_again = version, bool(waiting)
        except Busy:
            return  # the next look may succeed
        except Exception:  # noqa: BLE001 - the same, and the server goes on without this one
            log.failure("tidings for other nodes could not be carried")
        finally:
            self._busy = False

    async def _carry(self, node: str, tasks: Sequence[Task]) -> None:
        if not node:  # there is nobody any more to be told
            await self._store.write(lambda txn: _note(txn, tasks, [True for _ in tasks]))
            return
        try:
            answer = await self._caller.ask(
                node, TIDINGS, seconds=SECONDS, tidings=[each.payload.decode() for each in tasks]
            )
        except (NodeAway, NodeSilent, Declined) as error:
            log.warn("{node} cannot be told what is shared with its people: {error}", node=node, error=error)
            taken = [False for _ in tasks]
        else:
            taken = answer["here"]
        await self._store.write(lambda txn: _note(txn, tasks, taken))


def _due(txn: Transaction) -> Mapping[str, Sequence[Task]]:
    """What is due, by the nodes where people are now."""
    tasks = txn.tasks.due(TIDINGS, AT_ONCE)
    whose = {each.id: Tidings.unpacked(each.payload).principal_id for each in tasks}
    nodes = txn.placements.of(set(whose.values()))
    found: dict[str, list[Task]] = {}
    for each in tasks:
        found.setdefault(nodes.get(whose[each.id], ""), []).append(each)
    return found


def _note(txn: Transaction, tasks: Sequence[Task], taken: Sequence[bool]) -> None:
    for task, is_told in zip(tasks, taken, strict=True):
        now = txn.tasks.get(task.kind, task.key)
        if now is None or now.payload != task.payload:
            continue  # there is something newer to tell
        if is_told:
            txn.tasks.remove(now.id)
        else:
            txn.tasks.postpone(now.id, next_try(now.attempts, txn.now))


def _under_way(txn: Transaction) -> frozenset[tuple[str, bytes]]:
    return frozenset((each.key, each.payload) for each in txn.tasks.due(TIDINGS, AT_ONCE) if not each.attempts)
