"""Many processes as one server: sockets that they share, who takes the place of whom, how all of them are."""

import signal
from collections.abc import Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, gatherResults, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.logger import Logger

from calserver.config import Config, ConfigError
from calserver.service.daemon import observe, open_store, reopen
from calserver.service.plan import Plan, plan_of, read_again
from calserver.service.processes import Told, WorkerProcess
from calserver.service.readiness import notify
from calserver.service.sockets import CannotListen, Sockets, listen
from calserver.telemetry import Exposition, Metrics, gathered
from calserver.web import Administration, Health, Site

log = Logger()

STEADY_SECONDS: Final = 5.0
"""A worker that has answered for so long did not end because of what it is."""
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
FAREWELL_SECONDS: Final = 10.0
"""How much longer than its grace a worker may take to end."""


def pause_seconds(failures: int) -> float:
    """How long nobody takes the place of a worker, after so many that ended at once."""
    return 0.0 if failures < 2 else float(min(PAUSE_SECONDS * 2 ** (min(failures, 20) - 2), LONGEST_PAUSE_SECONDS))


class Supervisor(Service):
    """A whole server of many processes.

    Args:
        config: all of it.
        reactor: where it runs.
        listening: endpoints that stand for those in the configuration.
    """

    def __init__(self, config: Config, reactor: Any, listening: tuple[str, ...] | None = None) -> None:
        self.config = config
        self._reactor = reactor
        assert config.source is not None, "twistd reads a file"
        self._source = config.source
        self._plan = plan_of(config, config.source.read_text(encoding="utf-8"), listening)
        self._sockets = Sockets(reactor)
        self._private = Site(config.server, body_bytes=0, metrics=Metrics(), reactor=reactor)
        self._ports: list[IListeningPort] = []
        self._crew: dict[int, WorkerProcess] = {}
        self._beside: set[WorkerProcess] = set()
        """Those that retire, and those that do not answer yet and are to follow others."""
        self._failures: dict[int, int] = {}
        self._pauses: set[Deferred[None]] = set()
        self._stopping = self._reloading = self._once_more = False
        self._reopening: list[Any] = []
        self._previous: list[Any] = []
        self._counts = Counts(self)
        self._exposition = Exposition(self._counts)

    @property
    def addresses(self) -> Sequence[Any]:
        """Where it listens: shared endpoints in the order of the configuration, then those of the administration."""
        return [*self._sockets.addresses, *(port.getHost() for port in self._ports)]

    @property
    def workers(self) -> Sequence[WorkerProcess]:
        """Those that answer, or are about to."""
        return [self._crew[number] for number in sorted(self._crew)]

    def setServiceParent(self, parent: Any) -> None:
        """Give twistd the log observer that the configuration asks for."""
        self._reopening += observe(parent, self.config)
        super().setServiceParent(parent)

    # -- starting ----------------------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Bind the ports."""
        super().privilegedStartService()
        try:
            self._sockets.bind(self._plan.endpoints, self._plan.path)
            for endpoint in self.config.server.admin_listen:
                self._ports += listen(self._reactor, endpoint, self._private, self.config.path)
        except CannotListen as error:
            raise SystemExit(f"calserver: {error}") from error

    def startService(self) -> None:
        """See that the store can be opened, and start workers."""
        if not self._sockets.addresses:
            self.privilegedStartService()
        super().startService()
        open_store(self.config, None).close()
        Administration(self.health, self.metrics).serve(self._private, self.config.metrics)
        for number, act in ((signal.SIGUSR1, self._reopen), (signal.SIGHUP, self._reload_soon)):
            previous = signal.signal(number, lambda *_, act=act: self._reactor.callFromThread(act))
            self._previous.append(partial(signal.signal, number, previous))
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        for number in range(1, self._plan.workers + 1):
            self._crew[number] = self._spawn(number, self._plan)

    def _spawn(self, number: int, plan: Plan) -> WorkerProcess:
        worker = WorkerProcess(number, plan, self._reactor)
        worker.start(self._sockets.descriptors(plan.endpoints))
        self._run(self._watch(worker))
        return worker

    def _run(self, running: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(running).addErrback(lambda failure: log.failure("supervision failed", failure))

    # -- replacing -------------------------------------------------------------------------------------------------

    async def _watch(self, worker: WorkerProcess) -> None:
        """See a worker through its life; another one takes its place, unless that was wanted."""
        if await worker.until_ready():
            log.info("worker {number} answers, process {pid}", number=worker.number, pid=worker.pid)
            notify("READY=1")
        await worker.until_ended()
        self._beside.discard(worker)
        if self._stopping or self._crew.get(worker.number) is not worker:
            return
        self._counts.ended += 1
        answered = 0.0 if worker.ready_at is None else self._reactor.seconds() - worker.ready_at
        failures = 0 if answered > STEADY_SECONDS else self._failures.get(worker.number, 0) + 1
        self._failures[worker.number] = failures
        log.error(
            "worker {number}, process {pid}, {fate}; another one takes its place in {pause} seconds",
            number=worker.number,
            pid=worker.pid,
            fate=worker.fate,
            pause=pause_seconds(failures),
        )
        await self._pause(pause_seconds(failures))
        if not self._stopping and self._crew.get(worker.number) is worker:
            self._crew[worker.number] = self._spawn(worker.number, worker.plan)

    async def _pause(self, seconds: float) -> None:
        pause: Deferred[None] = deferLater(self._reactor, seconds)
        self._pauses.add(pause)
        try:
            await pause
        except CancelledError:
            return
        finally:
            self._pauses.discard(pause)

    def _reload_soon(self) -> None:
        self._run(self.reload())

    async def reload(self) -> None:
        """Have each worker followed by one with the configuration and the program of now."""
        if self._reloading:
            self._once_more = True
            return
        self._reloading = True
        try:
            while not self._stopping:
                self._once_more = False
                await self._reload()
                if not self._once_more:
                    return
        finally:
            self._reloading = False

    async def _reload(self) -> None:
        try:
            plan = await read_again(self._source, self._plan.listen, self._reactor)
            self._sockets.bind(plan.endpoints, plan.path)
        except (ConfigError, CannotListen, TimeoutError) as error:
            log.error("nothing is reloaded: {problem}", problem=str(error))
            return
        for number in range(1, plan.workers + 1):
            if not await self._follow(number, plan):
                break
        else:
            for number in [each for each in self._crew if each > plan.workers]:
                self._retire(self._crew.pop(number))
            self._plan = plan
            log.info("reloaded: {workers} workers", workers=plan.workers)
        await self._sockets.keep_only([each for worker in self.workers for each in worker.plan.endpoints])

    async def _follow(self, number: int, plan: Plan) -> bool:
        """Put another worker in the place of one, as soon as it answers; whether it does."""
        worker = self._spawn(number, plan)
        self._beside.add(worker)
        if not await worker.until_ready():
            if not worker.fate:
                worker.kill()
            if not self._stopping:
                log.error("worker {number} cannot be replaced: {fate}", number=number, fate=worker.fate or "too slow")
            return False
        self._beside.discard(worker)
        previous = self._crew.get(number)
        self._crew[number] = worker
        if previous is not None:
            self._retire(previous)
        return True

    def _retire(self, worker: WorkerProcess) -> None:
        if worker.fate:
            return
        self._beside.add(worker)
        worker.tell_to("retire")
        self._run(self._end(worker, 2 * worker.plan.grace_seconds + FAREWELL_SECONDS))

    async def _end(self, worker: WorkerProcess, seconds: float) -> None:
        """Wait until a worker has ended, and kill one that does not."""
        if not await worker.until_ended(seconds):
            log.error("worker {number}, process {pid}, does not end", number=worker.number, pid=worker.pid)
            worker.kill()
            await worker.until_ended()

    # -- telling ---------------------------------------------------------------------------------------------------

    async def _ask(self) -> dict[str, Told]:
        """How the workers are: those that say."""
        asked = await gatherResults([Deferred.fromCoroutine(each.ask()) for each in self.workers])
        return {str(each.number): told for each, told in zip(self.workers, asked, strict=True) if told is not None}

    async def health(self) -> Health:
        """That of the worker that is best: there need be one only that is well."""
        told = [each.health for each in (await self._ask()).values()]
        best = max(told, key=lambda each: each.healthy, default=Health(False, {"store": "unreachable"}))
        return Health(best.healthy, {"workers": self._plan.workers, "ready": len(told), **best.facts})

    async def metrics(self) -> bytes:
        """The metrics of all."""
        told = await self._ask()
        own = {"supervisor": self._exposition.text().decode()}
        return gathered(own | {number: each.metrics for number, each in told.items()}).encode()

    def _reopen(self) -> None:
        reopen(self._reopening)
        for worker in (*self.workers, *self._beside):
            worker.tell_to("reopen")

    # -- stopping ----------------------------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        """Stop listening, let all workers finish what runs."""
        if not self.running:
            return succeed(None)
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._stopping = True
        notify("STOPPING=1")
        for pause in list(self._pauses):
            pause.cancel()
        await self._sockets.keep_only(())
        workers = [*self.workers, *self._beside]
        for worker in workers:
            worker.tell_to("stop")
        seconds = max((each.plan.grace_seconds for each in workers), default=0.0) + FAREWELL_SECONDS
        await gatherResults([Deferred.fromCoroutine(self._end(each, seconds)) for each in workers])
        for port in self._ports:
            await maybeDeferred(port.stopListening)
        await self._private.stop()
        for restore in self._previous:
            restore()
        log.info("stopped")


class Counts(Collector):
    """The supervisor's own metrics."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.ended = 0

    def collect(self) -> Iterator[Metric]:
        """All families (prometheus_client calls this)."""
        ready = sum(each.ready_at is not None and not each.fate for each in self._supervisor.workers)
        yield GaugeMetricFamily("calserver_workers_ready", "Workers that answer requests", ready)
        yield CounterMetricFamily("calserver_workers_ended", "Workers that ended without being told to", self.ended)
