"""Homes that were held for a move which nobody has ended are in use again."""

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from calserver.cluster.removal import HOLD, Removal
from calserver.store import Busy, Store

log = Logger()

SECONDS: Final = 1.0
"""How often is looked whether there are any."""
AT_ONCE: Final = 200


class Holds:
    """Looks after homes that are held, in the process that leads.

    Args:
        store: of this node.
        removal: has them in use again.
        reactor: time.
    """

    def __init__(self, store: Store, removal: Removal, reactor: Any) -> None:
        self._store = store
        self._removal = removal
        self._call = LoopingCall(lambda: Deferred.fromCoroutine(self._look()))
        self._call.clock = reactor
        self._finished: Deferred[Any] | None = None

    def start(self) -> None:
        """Begin."""
        self._finished = self._call.start(SECONDS)

    async def stop(self) -> None:
        """End."""
        if self._finished is not None:
            self._call.stop()
            await self._finished

    async def _look(self) -> None:
        if not self._store.lead():
            return
        try:
            due = await self._store.read(lambda txn: txn.tasks.due(HOLD, AT_ONCE))
            await self._removal.release(due)
        except Busy:
            return  # the next look may succeed
        except Exception:  # noqa: BLE001 - the same, and the server goes on without this one
            log.failure("calendars that are held could not be looked after")
