"""The principals of the directory in the store of this node, some hundred milliseconds behind.

The directory may be away: what is known goes on to be true, and is caught up with when it comes back. Only changes of
accounts and placements need it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from calserver import store
from calserver.store import Held, Principal, SchemaMismatch, Store, StrangeDirectory, Transaction

log = Logger()

PATIENCE_SECONDS: Final = 5.0
"""How long a transaction of the directory waits for others, or for a database that is away."""
AGAIN_SECONDS: Final = 5.0
"""When a directory that could not be opened is tried again."""
AWAY: Final = "away"

Settle = Callable[[Transaction, Sequence[Principal], Sequence[Principal], Sequence[int]], object]
"""Does what follows for this node, in the same transaction: given who has changed and is placed here,
and who elsewhere, and changed groups."""


class Mirror:
    """Follows a directory.

    Args:
        mine: the store of this node.
        url: of the directory.
        node: the name of this node.
        settle: does what follows.
        seconds: how often is looked whether anything has changed.
        reactor: threads and time.
    """

    def __init__(self, mine: Store, url: str, *, node: str, settle: Settle, seconds: float, reactor: Any) -> None:
        self.directory: Store | None = None
        """None as long as it could not be opened."""
        self.ready = False
        """Whether this node knows anybody: it has followed the directory, now or in an earlier life."""
        self.revision = 0
        """What it has of the directory, as far as this process has seen."""
        self._current_at: float | None = None
        self._mine = mine
        self._url = url
        self._node = node
        self._settle = settle
        self._seconds = seconds
        self._reactor = reactor
        self._seen: int | None = None
        self._tried = -AGAIN_SECONDS
        self._patient_until = 0.0
        self._problem = ""
        """`AWAY`, or why it is not followed, in words; empty while it is."""
        self._one = DeferredLock()
        self._call = LoopingCall(lambda: Deferred.fromCoroutine(self._look()))
        self._call.clock = reactor
        self._finished: Deferred[Any] | None = None

    @property
    def behind_seconds(self) -> float | None:
        """Since when this node may not know all that the directory does; None where it never did."""
        return None if self._current_at is None else self._reactor.seconds() - self._current_at

    @property
    def state(self) -> str:
        """How it is with the directory: ``ok`` if it was there when it was looked for last, and is followed."""
        if self._problem not in ("", AWAY):
            return self._problem
        if not self.ready:
            return "never seen"
        return "ok" if self.directory is not None and not self._problem else AWAY

    def start(self) -> None:
        """Begin to follow."""
        self._finished = self._call.start(self._seconds)

    async def stop(self) -> None:
        """Follow no more."""
        if self._finished is not None:
            self._call.stop()
            await self._finished
        if self.directory is not None:
            await self.directory.close()

    async def catch_up(self) -> None:
        """Have what the directory has by now, if it is there."""
        await self._one.acquire()
        try:
            await self._follow()
        finally:
            self._one.release()

    async def is_current(self) -> bool:
        """Catch up; returns whether the directory is there."""
        try:
            await self.catch_up()
        except Exception as error:  # noqa: BLE001 - whatever it is, it cannot be changed now
            self._tell(error)
            return False
        return self.directory is not None

    async def reach(self, revision: int) -> None:
        """Have what the directory had at a revision, if it is there."""
        if self.revision < revision and self._reactor.seconds() >= self._patient_until and not await self.is_current():
            self._patient_until = self._reactor.seconds() + AGAIN_SECONDS

    async def _look(self) -> None:
        try:
            await self.catch_up()
        except Held:
            return  # in a moment it is done
        except Exception as error:  # noqa: BLE001 - whatever it is, the node goes on with what it knows
            self._tell(error)
        else:
            if self.directory is None:
                return  # it is not time to try again
            if self._problem:
                log.info("the directory is followed again")
            self._problem = ""

    def _tell(self, error: Exception) -> None:
        """Say why it is not followed: the first time, and when it is because of something else."""
        how = "not followed" if isinstance(error, (SchemaMismatch, StrangeDirectory)) else AWAY
        problem = AWAY if how == AWAY else f"{how}: {error}"
        if self._problem != problem:
            log.error("the directory is {how}: {error}", how=how, error=error)
        self._problem = problem

    async def _follow(self) -> None:
        if not self.ready:
            self.revision = await self._mine.read(lambda txn: txn.principals.revision())
            self.ready = self.revision > 0
        if self.directory is None:
            await self._open()
        if self.directory is None:
            return
        began = self._reactor.seconds()
        version = self.directory.data_version()
        if version != self._seen:
            known = await self._mine.read(lambda txn: txn.principals.revision())
            there = await self.directory.read(_revision)
            if there != known:
                roll = await self.directory.read(lambda txn: _roll(txn, min(known, there)))
                await self._mine.write(lambda txn: self._take_over(txn, roll, known))
            self._seen, self.revision = version, there
        self.ready, self._current_at = True, began

    def _take_over(self, txn: Transaction, roll: store.Roll, known: int) -> None:
        if known < roll.revision <= txn.principals.revision():
            return  # another process of this node was faster
        txn.rolls.take_over(roll)
        here: list[Principal] = []
        away: list[Principal] = []
        for each in roll.changed:
            if each.id in roll.placements:
                (here if roll.placements[each.id] == self._node else away).append(each)
        self._settle(txn, here, away, [each.id for each in roll.changed if each.kind == "group"])

    async def _open(self) -> None:
        """Open the directory: in a thread first, since the reactor must not wait for one that is away."""
        if self._reactor.seconds() - self._tried < AGAIN_SECONDS:
            return
        self._tried = self._reactor.seconds()
        found = await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), store.check, self._url)
        if found.found is not None and not found.current:
            raise SchemaMismatch(found.found, "the directory")
        self.directory = store.open_store(
            self._url, reactor=self._reactor, readers=1, writers=1, busy_timeout=PATIENCE_SECONDS
        )


def _revision(txn: Transaction) -> int:
    """Of all principals of a directory; refuses one that a newer program has upgraded meanwhile."""
    txn.meta.see_tables()
    return txn.principals.revision()


def _roll(txn: Transaction, since: int) -> store.Roll:
    """What has changed in a directory; the same."""
    txn.meta.see_tables()
    return txn.rolls.since(since)
