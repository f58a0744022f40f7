"""A worker process, as its supervisor sees it."""

import signal
import sys
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from calserver.service.orders import HEARS, SAYS, Lines, Message, Order, packed
from calserver.service.plan import Plan, environment
from calserver.web import Health

log = Logger()

COMMAND: Final = (sys.executable, "-P", "-m", "calserver.service.worker")
READY_SECONDS: Final = 60.0
"""How long a worker may take until it answers requests."""
TELL_SECONDS: Final = 5.0
"""How long it may take to say how it is."""


@attrs.frozen
class Told:
    """How a worker is."""

    health: Health
    metrics: str


class WorkerProcess(ProcessProtocol):
    """A worker.

    Args:
        number: which one of all, from 1.
        plan: what it is to be.
        reactor: the reactor.

    Attributes:
        pid: its process id.
        ready_at: since when it answers; None until then.
        fate: how it has ended, in words; empty until then.
    """

    transport: Any

    def __init__(self, number: int, plan: Plan, reactor: Any) -> None:
        self.number, self.plan, self._reactor = number, plan, reactor
        self.pid = 0
        self.ready_at: float | None = None
        self.fate = ""
        self._lines = Lines(self._hear)
        self._waiting: list[Deferred[None]] = []
        self._asked: dict[int, Deferred[Told | None]] = {}
        self._ids = count(1)

    def start(self, sockets: Mapping[str, list[int]]) -> None:
        """Start it, on sockets of this process."""
        descriptors: dict[int, Any] = {HEARS: "w", 1: 1, 2: 2, SAYS: "r"}
        inherited: dict[str, list[int]] = {}
        for endpoint, ours in sockets.items():
            inherited[endpoint] = [SAYS + 1 + n for n in range(len(descriptors) - 4, len(descriptors) - 4 + len(ours))]
            descriptors |= zip(inherited[endpoint], ours, strict=True)
        try:
            process = self._reactor.spawnProcess(self, COMMAND[0], COMMAND, env=environment(), childFDs=descriptors)
        except OSError as error:
            self._end(f"could not be started: {error}")
            return
        self.pid = process.pid
        plan = self.plan
        order = Order(
            number=self.number,
            workers=plan.workers,
            text=plan.text,
            source=str(plan.source),
            listen=plan.listen,
            sockets=inherited,
        )
        self._send(attrs.asdict(order))

    # -- what it is to do ------------------------------------------------------------------------------------------

    def tell_to(self, do: str, **more: Any) -> None:
        """Have it do something: see `orders`."""
        self._send({"do": do, **more})

    def kill(self) -> None:
        """Kill -9."""
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            return

    async def ask(self) -> Told | None:
        """How it is; None where it does not say."""
        if self.ready_at is None or self.fate:
            return None
        number = next(self._ids)
        answer = self._asked[number] = Deferred[Told | None]()
        self.tell_to("tell", id=number)
        answer.addTimeout(TELL_SECONDS, self._reactor)
        try:
            return await answer
        except TimeoutError:
            return None
        finally:
            self._asked.pop(number, None)

    def _send(self, message: Message) -> None:
        if not self.fate:
            self.transport.writeToChild(HEARS, packed(message))

    # -- what becomes of it ----------------------------------------------------------------------------------------

    async def until_ready(self) -> bool:
        """Wait until it answers; False where it does not get there."""
        return await self._until(lambda: self.ready_at is not None, READY_SECONDS) and not self.fate

    async def until_ended(self, seconds: float | None = None) -> bool:
        """Wait until it has ended; False where it does not in so many seconds."""
        return await self._until(lambda: bool(self.fate), seconds) and bool(self.fate)

    async def _until(self, reached: Callable[[], bool], seconds: float | None) -> bool:
        """Wait until something is reached, or it has ended; False where that takes longer."""
        deadline = None if seconds is None else self._reactor.seconds() + seconds
        while not reached() and not self.fate:
            changed = Deferred[None]()
            self._waiting.append(changed)
            if deadline is not None:
                changed.addTimeout(max(0.0, deadline - self._reactor.seconds()), self._reactor)
            try:
                await changed
            except TimeoutError:
                return False
        return True

    def _changed(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.called:
                each.callback(None)

    def _hear(self, message: Message) -> None:
        match message["said"]:
            case "ready":
                self.ready_at = self._reactor.seconds()
                self._changed()
            case "told":
                answer = self._asked.pop(message["id"], None)
                if answer is not None:
                    answer.callback(Told(Health(message["healthy"], message["facts"]), message["metrics"]))

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """It has said something."""
        self._lines.feed(data)

    def processEnded(self, reason: Failure) -> None:
        """It is gone."""
        number, status = getattr(reason.value, "signal", None), getattr(reason.value, "exitCode", None)
        self._end(f"was ended by {signal.Signals(number).name}" if number else f"ended with status {status}")

    def _end(self, fate: str) -> None:
        self.fate = fate
        asked, self._asked = self._asked, {}
        for each in asked.values():
            each.callback(None)
        self._changed()
