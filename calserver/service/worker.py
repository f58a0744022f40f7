"""A worker: the program of a process that a supervisor starts (``python -m calserver.service.worker``)."""

import signal
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - here it is handed to all others
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.stdio import StandardIO
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure

from calserver.config import ConfigError
from calserver.service.daemon import Daemon
from calserver.service.memory import be_frugal, settle
from calserver.service.orders import HEARS, SAYS, Lines, Message, Order, packed
from calserver.service.sockets import Inherited
from calserver.telemetry import LogFile, Numbered, log_observer, open_log

log = Logger()


class Channel(Protocol):
    """The pipes to the supervisor.

    Args:
        daemon: what this process is.
        reactor: which runs it.
    """

    transport: Any

    def __init__(self, daemon: Daemon, reactor: Any) -> None:
        self._daemon, self._reactor = daemon, reactor
        self._lines = Lines(self._do)
        self._retiring = self._stopping = False
        self.dataReceived = self._lines.feed  # type: ignore[method-assign] # that is all there is to it

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override] # always given
        """The supervisor is gone."""
        if self._reactor.running:
            log.warn("the supervisor is gone")
            self._stop()

    def say(self, **message: Any) -> None:
        """Send a message."""
        self.transport.write(packed(message))

    def _do(self, message: Message) -> None:
        match message["do"]:
            case "stop":
                self._stop()
            case "retire":
                Deferred.fromCoroutine(self._retire()).addErrback(lambda failure: log.failure("retiring", failure))
            case "reopen":
                self._daemon.reopen()
            case "tell":
                Deferred.fromCoroutine(self._tell(message["id"])).addErrback(lambda _: None)

    def _stop(self) -> None:
        if self._reactor.running and not self._stopping:
            self._stopping = True
            self._reactor.stop()

    async def _retire(self) -> None:
        if not self._retiring:
            self._retiring = True
            try:
                await self._daemon.retire()
            finally:
                self._stop()

    async def _tell(self, number: int) -> None:
        health, metrics = await self._daemon.tell()
        self.say(said="told", id=number, healthy=health.healthy, facts=health.facts, metrics=metrics)


def main() -> None:
    """Be the worker that standard input says."""
    order = Order.of(_first_message())
    try:
        config = order.config()
    except ConfigError as error:
        raise SystemExit("\n".join(f"calserver: {each}" for each in error.problems)) from None
    be_frugal()
    reactor: Any = global_reactor
    daemon = Daemon(config, reactor, lambda endpoint: Inherited(reactor, order.sockets.get(endpoint, ())))
    out = open_log(config.log, config.path)
    if isinstance(out, LogFile):
        daemon.reopening.append(out.reopen)
    observer = Numbered(log_observer(config.log, out), order.number)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    daemon.startService()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # whoever sends it to all processes means the supervisor
    reactor.addSystemEventTrigger("before", "shutdown", daemon.stopService)
    channel = Channel(daemon, reactor)
    StandardIO(channel, HEARS, SAYS, reactor)  # type: ignore[call-arg] # on Windows there are no such arguments
    reactor.callWhenRunning(settle)
    reactor.callWhenRunning(channel.say, said="ready")
    reactor.run()


def _first_message() -> Message:
    """What comes first, and nothing of what comes behind it."""
    messages: list[Message] = []
    lines = Lines(messages.append)
    with open(HEARS, "rb", buffering=0, closefd=False) as pipe:
        lines.feed(pipe.readline())
    if not messages:
        raise SystemExit("calserver: this is started by a supervisor (server.workers), not by hand")
    return messages[0]


if __name__ == "__main__":
    main()
