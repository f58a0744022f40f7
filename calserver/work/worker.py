"""The loop around tasks, in the process that leads."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from calserver.dav import TakesLong
from calserver.store import Busy, Held, Store, Task, Transaction
from calserver.telemetry import Metrics
from calserver.work.backoff import next_try

log = Logger()

Work = Callable[[Transaction, Task], None]
"""Does a task in a writing transaction, and removes it there; what it raises takes back what it wrote."""

SECONDS: Final = 0.1
"""How often is looked whether there may be something to do; that takes some microseconds."""
HELD: Final = timedelta(seconds=1)
"""How long to wait for somebody whose calendars are on their way to another node."""
AT_ONCE: Final = 20
"""The most tasks of a kind that are looked up at a time."""


class Worker:
    """Does tasks as they become due.

    Args:
        store: where they are.
        works: what does the tasks of each kind.
        metrics: counts what was done and what failed.
        reactor: the clock.
    """

    def __init__(self, store: Store, works: Mapping[str, Work], metrics: Metrics, reactor: Any) -> None:
        self._store, self._works, self._metrics = store, works, metrics
        self._seen: int | None = None
        self._next: datetime | None = None
        self._call = LoopingCall(lambda: Deferred.fromCoroutine(self._turn()))
        self._call.clock = reactor
        self._finished: Deferred[Any] | None = None

    def start(self) -> None:
        """Begin."""
        self._finished = self._call.start(SECONDS)

    async def stop(self) -> None:
        """End when what runs is done."""
        if self._call.running:
            self._call.stop()
        if self._finished is not None:
            await self._finished

    async def _turn(self) -> None:
        if not self._store.lead():
            return
        version = self._store.data_version()
        if version == self._seen and (self._next is None or datetime.now(UTC) < self._next):
            return
        try:
            if await self._something_is_due():
                for kind, work in self._works.items():
                    await self._do_all(kind, work)
                await self._something_is_due()
            self._seen = version
        except Exception:  # noqa: BLE001 - the next turn may succeed, and the server goes on without this one
            log.failure("tasks could not be looked up")

    async def _something_is_due(self) -> bool:
        """Find out when the next task of any kind is due, in one look; returns whether it is now."""

        def look(txn: Transaction) -> tuple[datetime | None, datetime]:
            return txn.tasks.next_due(), txn.now

        try:
            self._next, now = self._store.glance(look)
        except TakesLong:
            self._next, now = await self._store.read(look)
        return self._next is not None and self._next <= now

    async def _do_all(self, kind: str, work: Work) -> None:
        """Do the tasks of a kind that are due, until there are none, or stopping is asked for."""
        while self._call.running:
            due = await self._store.read(lambda txn: txn.tasks.due(kind, AT_ONCE))
            for task in due:
                await self._do(task, work)
            if len(due) < AT_ONCE:
                return

    async def _do(self, task: Task, work: Work) -> None:
        def once(txn: Transaction) -> None:
            found = txn.tasks.get(task.kind, task.key)
            if found is not None and found.id == task.id:
                work(txn, found)

        try:
            await self._store.write(once)
        except Held:
            await self._store.write(lambda txn: txn.tasks.postpone(task.id, txn.now + HELD))
        except Busy:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the task waits for its next try, and others go on
            self._metrics.jobs[task.kind, "failed"] += 1
            log.failure("{kind} of {key} failed", kind=task.kind, key=task.key)
            await self._store.write(lambda txn: txn.tasks.postpone(task.id, next_try(task.attempts, txn.now)))
        else:
            self._metrics.jobs[task.kind, "done"] += 1
