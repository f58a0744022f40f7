"""Composition root: a configuration goes in, running services come out.

What the server speaks (`SPOKEN`) and what it serves (`MOUNTS`) stand here and nowhere else.

twistd starts the daemon in three steps, which `Daemon` follows: `makeService` reads the configuration; privileged ports
are bound while the process may still be root; then - after a fork, and as the user that it stays - the store is
opened, with its threads and files. Connections wait in the kernel until the reactor runs, so none comes too early.
"""

import gc
import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

import attrs
from twisted.application.service import Service
from twisted.internet import reactor as global_reactor  # noqa: TID251 - the one place that hands it to all others
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.failure import Failure
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from calserver import caldav, calendars, dav, directory, drive, meetings, store
from calserver.auth import Logins
from calserver.config import Config, ConfigError, Mail
from calserver.scheduling import Federation, attached, mail
from calserver.store import Busy, SchemaMismatch, Store, Task, Transaction, Unusable
from calserver.telemetry import AccessLog, LogFile, Metrics, log_observer, open_log
from calserver.tree import Homes, Mount, Mounts, caldav_ctag
from calserver.web import Administration, DavAdapter, FederationPages, Recall, Site, serve_public
from calserver.work import Work, Worker

log = Logger()

SPOKEN: Final = (
    dav.rfc4918,
    dav.rfc3253,
    dav.rfc3744,
    dav.rfc4331,
    dav.rfc5397,
    dav.rfc5689,
    dav.rfc5842,
    dav.rfc5995,
    dav.rfc6578,
    dav.rfc7240,
    directory.rfc3744_principals,
    directory.rfc6638_calendar_users,
    directory.calendarserver_principals,
    directory.caldav_proxy,
    caldav_ctag,
    caldav.rfc4791,
    caldav.rfc6638,
    caldav.rfc7529,
    caldav.rfc7809,
    caldav.rfc7953,
    caldav.calendarserver,
    caldav.bulk_change,
    caldav.calendarserver_sharing,
    caldav.dav_sharing,
    caldav.calendarserver_publishing,
)
"""Everything that the server speaks; a later one wins over an earlier one."""

MOUNTS: Final[tuple[Mount, ...]] = (directory.PrincipalMount(), caldav.mount, drive.drive)
"""Everything that it serves."""


@attrs.frozen(kw_only=True)
class Job:
    """Housekeeping: what is done to the store every so often."""

    name: str
    seconds: float
    work: Callable[[Transaction], object]


def jobs(config: Config) -> Sequence[Job]:
    """The housekeeping of a server."""
    kept = timedelta(days=config.dav.sync_days)
    return (
        Job(name="locks", seconds=600, work=lambda txn: txn.locks.purge()),
        Job(name="tombstones", seconds=3600, work=lambda txn: txn.changes.purge_tombstones(txn.now - kept)),
        Job(name="inboxes", seconds=600, work=lambda txn: meetings.empty_inboxes(txn, config.scheduling)),
        Job(name="journal", seconds=600, work=lambda txn: meetings.forget(txn, config.scheduling)),
        Job(name="horizon", seconds=60, work=lambda txn: calendars.extend(txn, config.calendars)),
    )


def works(policy: meetings.Policy) -> Mapping[str, Work]:
    """What does the tasks of each kind."""
    return {kind: partial(_with_policy, work, policy) for kind, work in meetings.WORKS.items()}


def policy_of(config: Config) -> meetings.Policy:
    """What the site wants of scheduling; no message leaves it."""
    return meetings.Policy(calendars=config.calendars, scheduling=config.scheduling, prefix=config.server.public_prefix)


def _with_policy(
    work: Callable[[Transaction, meetings.Policy, Task], None], policy: meetings.Policy, txn: Transaction, task: Task
) -> None:
    work(txn, policy, task)


class Daemon(Service):
    """A whole server.

    Args:
        config: all of it.
        reactor: where it runs.
    """

    def __init__(self, config: Config, reactor: Any) -> None:
        self.config = config
        self.metrics = Metrics()
        self._reactor = reactor
        self._public = Site(config.server, body_bytes=config.dav.body_bytes, metrics=self.metrics, reactor=reactor)
        self._private = Site(config.server, body_bytes=0, metrics=Metrics(), reactor=reactor)
        self._receptions = receptions(config.mail)
        self._ports: list[IListeningPort] = []
        self._housekeeping: list[Callable[[], Deferred[Any]]] = []
        self._closing: list[Callable[[], Any]] = []
        self._reopening: list[Callable[[], None]] = []

    @property
    def addresses(self) -> Sequence[Any]:
        """Where it listens: public endpoints in the order of the configuration, then those of the administration."""
        return [port.getHost() for port in self._ports]

    def setServiceParent(self, parent: Any) -> None:
        """Give twistd the log observer that the configuration asks for."""
        if isinstance(parent, Componentized) and parent.getComponent(ILogObserver) is None:
            out = open_log(self.config.log, self.config.path)
            if isinstance(out, LogFile):
                self._reopening.append(out.reopen)
            parent.setComponent(ILogObserver, log_observer(self.config.log, out))
        super().setServiceParent(parent)

    # -- starting ----------------------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Bind the ports."""
        super().privilegedStartService()
        for endpoint in self.config.server.listen:
            self._listen(endpoint, self._public)
        for endpoint in self.config.server.admin_listen:
            self._listen(endpoint, self._private)
        for endpoint, reception in self._receptions.items():
            self._listen(endpoint, reception)

    def _listen(self, endpoint: str, site: IProtocolFactory) -> None:
        failures: list[Failure] = []
        try:
            listening = serverFromString(self._reactor, located(endpoint, self.config.path)).listen(site)
            listening.addCallbacks(self._ports.append, failures.append)
        except (ValueError, TypeError, OSError) as error:  # what endpoint parsers raise, each in its own way
            raise SystemExit(f"calserver: cannot listen on {endpoint}: {error}") from error
        if failures:
            raise SystemExit(f"calserver: cannot listen on {endpoint}: {failures[0].getErrorMessage()}")

    def startService(self) -> None:
        """Open the store, and begin to answer."""
        if not self._ports:
            self.privilegedStartService()
        super().startService()
        found = self._open_store()
        logins = Logins(self.config.auth, found, reactor=self._reactor, counts=self.metrics.logins)
        logins.start()
        access_log = AccessLog.open(self.config.log.access_file, self.config.path)
        spoken, tree = dav.Extensions(SPOKEN), Mounts(MOUNTS)
        federation = self._federation(found, spoken, tree)
        settings = attached(self.config.settings, federation)
        adapter = DavAdapter(
            store=found,
            logins=logins,
            spoken=spoken,
            tree=tree,
            settings=settings,
            server=self.config.server,
            recall=Recall(found, {each.name: each.home_kind for each in MOUNTS if isinstance(each, Homes)}),
            metrics=self.metrics,
            reactor=self._reactor,
        )
        pages = FederationPages(federation) if federation is not None and federation.asks else None
        serve_public(self._public, adapter, access_log, pages)
        for reception in self._receptions.values():
            reception.desk = None if federation is None else federation.desk
            self._housekeeping.append(partial(_ended, reception))
        Administration(found, self.metrics, reactor=self._reactor).serve(self._private, self.config.metrics)
        for job in jobs(self.config):
            self._housekeeping.append(keep_house(job, found, self.metrics, self._reactor))
        policy = attrs.evolve(policy_of(self.config), routes=settings.routes)
        worker = Worker(found, works(policy), self.metrics, self._reactor)
        worker.start()
        self._housekeeping.append(lambda: Deferred.fromCoroutine(worker.stop()))
        self._closing = [logins.stop, found.close]
        if access_log:
            self._closing.append(access_log.close)
            self._reopening.append(access_log.reopen)
        self._listen_to_signal()
        for endpoint in self.config.server.listen:
            log.info("serving {prefix} on {endpoint}", prefix=self.config.server.public_prefix, endpoint=endpoint)

    def _federation(self, found: Store, spoken: dav.Extensions, tree: dav.Tree) -> Federation | None:
        """Scheduling with other organizations, where it is wanted."""
        if not self.config.ischedule.enabled and not self.config.mail.address:
            return None
        try:
            federation = Federation(
                self.config, found, policy_of(self.config), spoken, tree, self.metrics, self._reactor
            )
        except ConfigError as error:
            raise SystemExit(f"calserver: {error}") from None
        federation.start()
        self._housekeeping.append(lambda: Deferred.fromCoroutine(federation.stop()))
        self._reopening.append(federation.audit.reopen)
        return federation

    def _listen_to_signal(self) -> None:
        """Open log files again on SIGUSR1, as programs that rotate them ask for."""
        previous = signal.signal(signal.SIGUSR1, lambda *_: self._reactor.callFromThread(self._reopen))
        self._closing.append(lambda: signal.signal(signal.SIGUSR1, previous))

    def _reopen(self) -> None:
        for reopen in self._reopening:
            try:
                reopen()
            except OSError as error:
                log.error("a log file stays as it is: {error}", error=error)

    def _open_store(self) -> Store:
        config = self.config
        try:
            return store.open_store(
                config.store_url,
                reactor=self._reactor,
                readers=config.store.readers,
                writers=config.store.writers,
                busy_timeout=config.store.busy_timeout_seconds,
            )
        except SchemaMismatch as error:
            raise SystemExit(f"calserver: {error} (calserver db upgrade)") from error
        except Busy as error:
            raise SystemExit("calserver: another process keeps the database") from error
        except Unusable as error:
            raise SystemExit(f"calserver: {error}") from error

    # -- stopping ----------------------------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        """Stop listening, let running requests finish, close everything."""
        if not self.running:
            return succeed(None)
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        ports, self._ports = self._ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        for stop in self._housekeeping:
            await stop()
        await self._public.stop()
        await self._private.stop()
        for close in self._closing:
            await maybeDeferred(close)
        log.info("stopped")


def receptions(config: Mail) -> Mapping[str, mail.Reception]:
    """Where mail is taken, by endpoint."""
    if not config.address:
        return {}
    name = config.address.rpartition("@")[2]
    by_lmtp = {each: mail.Reception(name, mail.Lmtp) for each in config.lmtp_listen}
    return by_lmtp | {each: mail.Reception(name, mail.Smtp) for each in config.smtp_listen}


def _ended(reception: mail.Reception) -> Deferred[None]:
    return Deferred.fromCoroutine(reception.stop())


def located(endpoint: str, path: Callable[[str], Path]) -> str:
    """An endpoint string whose relative paths start at the folder of the configuration."""
    return re.sub(
        r"(\b(?:privateKey|certKey|extraCertChain|dhParameters|address)=|\bunix:)(?![a-z]+=|/)([^:]+)",
        lambda found: found[1] + str(path(found[2])).replace(":", r"\:"),
        endpoint,
    )


def keep_house(job: Job, found: Store, metrics: Metrics, reactor: Any) -> Callable[[], Deferred[Any]]:
    """Run a job now and then every so often; one that fails is logged, and tried again the next time.

    Returns:
        A function that stops it, and waits for what runs.
    """

    async def run() -> None:
        try:
            await found.write(job.work)
        except Exception:  # noqa: BLE001 - the next run may succeed, and the server goes on without this one
            metrics.jobs[job.name, "failed"] += 1
            log.failure("housekeeping failed: {job}", job=job.name)
        else:
            metrics.jobs[job.name, "done"] += 1

    call = LoopingCall(lambda: Deferred.fromCoroutine(run()))
    call.clock = reactor
    finished = call.start(job.seconds)

    def stop() -> Deferred[Any]:
        call.stop()
        return finished

    return stop


# -- twistd --------------------------------------------------------------------------------------------------------


class Options(UsageOptions):
    """``twistd calserver [options]``."""

    synopsis = "[options]"
    longdesc = "A calendar server: CalDAV over SQLite or PostgreSQL."
    optParameters: ClassVar = [
        ["config", "c", None, "The configuration file; CALSERVER_CONFIG names one too."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, endpoint: str) -> None:
        """Listen on this endpoint instead of those in the file; may be given several times."""
        self["listen"].append(endpoint)


def makeService(options: Options) -> Daemon:
    """The daemon for a command line (twistd calls this)."""
    named = options["config"] or os.environ.get("CALSERVER_CONFIG")
    if not named:
        raise UsageError("--config or CALSERVER_CONFIG must name the configuration file")
    try:
        config = Config.load(Path(named))
    except ConfigError as error:
        raise SystemExit("\n".join(f"calserver: {each}" for each in error.problems)) from None
    if options["listen"]:
        config = attrs.evolve(config, server=attrs.evolve(config.server, listen=tuple(options["listen"])))
    global_reactor.callWhenRunning(settle)
    return Daemon(config, global_reactor)


def settle() -> None:
    """Leave what stays for ever out of garbage collections, and have them less often: a tenth of a request's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
