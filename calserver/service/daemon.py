"""One process that answers requests: composed of a configuration, started and stopped."""

import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from calserver import cluster, dav, store
from calserver.admin import database
from calserver.auth import Logins
from calserver.cluster import Identity, Member
from calserver.config import Config, ConfigError, Mail
from calserver.scheduling import NODE_PATH, Federation, attached, mail
from calserver.service.housekeeping import jobs, keep_house, policy_of, works
from calserver.service.memory import keep_giving_back
from calserver.service.readiness import notify
from calserver.service.sockets import CannotListen, listen
from calserver.service.spoken import BRANCHES, MOUNTS, SPOKEN
from calserver.store import Busy, SchemaMismatch, Store, Unusable
from calserver.telemetry import AccessLog, Exposition, LogFile, Metrics, log_observer, open_log
from calserver.tree import Homes, Mounts
from calserver.web import (
    Administration,
    DavAdapter,
    FederationPages,
    Health,
    NodePages,
    Pages,
    Recall,
    Site,
    serve_public,
    store_health,
)
from calserver.work import Worker

log = Logger()

Stop = Callable[[], Deferred[Any]]


class Daemon(Service):
    """A whole server.

    Args:
        config: all of it.
        reactor: where it runs.
        listening: gives what an endpoint is to take for the reactor; the reactor itself unless told.
    """

    def __init__(self, config: Config, reactor: Any, listening: Callable[[str], Any] | None = None) -> None:
        self.config = config
        self.metrics = Metrics()
        self._exposition = Exposition(self.metrics)
        self._reactor = reactor
        self._listening = listening or (lambda endpoint: reactor)
        self._public = Site(config.server, body_bytes=config.dav.body_bytes, metrics=self.metrics, reactor=reactor)
        self._private = Site(config.server, body_bytes=0, metrics=Metrics(), reactor=reactor)
        self._receptions = receptions(config.mail)
        self._ports: list[IListeningPort] = []
        self._store: Store | None = None
        self._node: Member | None = None
        self._background: list[Stop] = []
        self._stopping: list[Stop] = []
        self._closing: list[Callable[[], Any]] = []
        self.reopening: list[Callable[[], None]] = []
        """What opens log files again."""

    @property
    def addresses(self) -> Sequence[Any]:
        """Where it listens: public endpoints in the order of the configuration, then those of the administration."""
        return [port.getHost() for port in self._ports]

    def setServiceParent(self, parent: Any) -> None:
        """Give twistd the log observer that the configuration asks for."""
        self.reopening += observe(parent, self.config)
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
        try:
            self._ports += listen(self._listening(endpoint), endpoint, site, self.config.path)
        except CannotListen as error:
            raise SystemExit(f"calserver: {error}") from error

    def startService(self) -> None:
        """Open the store, and begin to answer."""
        if not self._ports:
            self.privilegedStartService()
        super().startService()
        found = self._store = open_store(self.config, self._reactor)
        logins = Logins(self.config.auth, found, reactor=self._reactor, counts=self.metrics.logins)
        logins.start()
        access_log = AccessLog.open(self.config.log.access_file, self.config.path)
        spoken, tree = dav.Extensions(SPOKEN), Mounts(MOUNTS)
        identity = self._identity()
        federation = self._federation(found, spoken, tree, identity)
        settings = attached(self.config.settings, federation)
        adapter = DavAdapter(
            store=found,
            logins=logins,
            spoken=spoken,
            tree=tree,
            settings=settings,
            server=self.config.server,
            recall=Recall(
                found,
                {each.name: each.home_kind for each in MOUNTS if isinstance(each, Homes)},
                most_bytes=self.config.server.answers_bytes,
            ),
            metrics=self.metrics,
            reactor=self._reactor,
            settled=None if federation is None or identity is None else partial(self._settled, federation),
            ask=None if identity is None else self._ask,
        )
        member = self._node = None if identity is None else self._member(identity, found, adapter)
        front = None if member is None else member.front
        serve_public(self._public, adapter, access_log, _pages(federation, member), front)
        for reception in self._receptions.values():
            reception.desk = None if federation is None else federation.desk
            if member is not None:
                reception.ready, reception.desk = member.is_ready, member.at_desk(reception.desk)
            self._stopping.append(_awaited(reception.stop))
        administration = Administration(self._health, self._text)
        administration.serve(self._private, self.config.metrics)
        for job in jobs(self.config):
            self._background.append(keep_house(job, found, self.metrics, self._reactor))
        self._background.append(keep_giving_back(self._reactor))
        policy = attrs.evolve(policy_of(self.config), routes=settings.routes)
        worker = Worker(found, {**works(policy), **cluster.WORKS}, self.metrics, self._reactor)
        worker.start()
        self._background.append(_awaited(worker.stop))
        self._closing = [logins.stop, found.close]
        if member is not None:
            self._closing.insert(0, _awaited(member.stop))
        if access_log:
            self._closing.append(access_log.close)
            self.reopening.append(access_log.reopen)
        self._listen_to_signals()
        for endpoint in self.config.server.listen:
            log.info("serving {prefix} on {endpoint}", prefix=self.config.server.public_prefix, endpoint=endpoint)
        notify("READY=1")

    def _identity(self) -> Identity | None:
        """Which node of a cluster this is, if it is one."""
        if not self.config.cluster.node:
            return None
        try:
            return Identity.of(self.config)
        except ConfigError as error:
            raise SystemExit(f"calserver: {error}") from None

    def _federation(
        self, found: Store, spoken: dav.Extensions, tree: dav.Tree, identity: Identity | None
    ) -> Federation | None:
        """Scheduling with other organizations, and between nodes, where it is wanted."""
        if not self.config.ischedule.enabled and not self.config.mail.address and identity is None:
            return None
        policy = policy_of(self.config)
        try:
            federation = Federation(self.config, found, policy, spoken, tree, self.metrics, self._reactor, identity)
        except ConfigError as error:
            raise SystemExit(f"calserver: {error}") from None
        federation.start()
        self._background.append(_awaited(federation.rest))
        self._stopping.append(_awaited(federation.stop))
        self.reopening.append(federation.audit.reopen)
        return federation

    def _member(self, identity: Identity, found: Store, adapter: DavAdapter) -> Member:
        """This server as a node of a cluster."""
        homes = {each.name: each.principal_kinds for each in MOUNTS if isinstance(each, Homes)}
        nothing = Recall(found, {}, most_bytes=0)
        branches = attrs.evolve(adapter, tree=Mounts(BRANCHES), recall=nothing)
        try:
            member = Member(self.config, identity, found, adapter, branches, homes, self._reactor)
        except ConfigError as error:
            raise SystemExit(f"calserver: {error}") from None
        self._exposition.registry.register(member.counts)
        member.start()
        return member

    async def _ask(self, question: Any) -> object:
        """Ask other nodes what a request needs to know."""
        assert self._node is not None, "there are others"
        return await self._node.ask(question)

    async def _settled(self, federation: Federation) -> None:
        """Wait a moment for what follows at other nodes from what was written here."""
        await federation.arrived()
        if self._node is not None:
            await self._node.arrived()

    def _listen_to_signals(self) -> None:
        """Open log files again on SIGUSR1, as programs that rotate them ask for; SIGHUP alone would end the process."""
        for number, act in ((signal.SIGUSR1, self.reopen), (signal.SIGHUP, _cannot_reload)):
            previous = signal.signal(number, partial(_in_reactor, self._reactor, act))
            self._closing.append(partial(signal.signal, number, previous))

    def reopen(self) -> None:
        """Go on in new log files, where the old ones were moved away."""
        reopen(self.reopening)

    async def tell(self) -> tuple[Health, str]:
        """How it is, and its metrics in Prometheus' format."""
        return await self._health(), (await self._text()).decode()

    async def _health(self) -> Health:
        assert self._store is not None
        health = await store_health(self._store, self._reactor)
        return health if self._node is None else self._node.health(health)

    async def _text(self) -> bytes:
        return self._exposition.text()

    # -- stopping ----------------------------------------------------------------------------------------------

    async def retire(self) -> None:
        """Leave what is to be done to another process: only the connections that are open get their answers here.

        To be stopped after that.
        """
        await self._rest()
        if self._store is not None:
            self._store.resign()
        await self._public.retire()

    def stopService(self) -> Deferred[None]:
        """Stop listening, let running requests finish, close everything."""
        if not self.running:
            return succeed(None)
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _rest(self) -> None:
        """Begin nothing new."""
        ports, self._ports = self._ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        background, self._background = self._background, []
        for stop in background:
            await stop()

    async def _stop(self) -> None:
        await self._rest()
        for stop in self._stopping:
            await stop()
        await self._public.stop()
        await self._private.stop()
        for close in self._closing:
            await maybeDeferred(close)
        log.info("stopped")


def open_store(config: Config, reactor: Any) -> Store:
    """The store of a configuration.

    Raises:
        SystemExit: it cannot be opened; says why.
    """
    try:
        return store.open_store(
            config.store_url,
            reactor=reactor,
            readers=config.store.readers,
            writers=config.store.writers,
            busy_timeout=config.store.busy_timeout_seconds,
            cache_bytes=config.store.cache_bytes,
            paths=config.store.paths,
        )
    except SchemaMismatch as error:
        raise SystemExit(f"calserver: {database.told(error)}") from error
    except Busy as error:
        raise SystemExit("calserver: another process keeps the database") from error
    except Unusable as error:
        raise SystemExit(f"calserver: {error}") from error


def receptions(config: Mail) -> Mapping[str, mail.Reception]:
    """Where mail is taken, by endpoint."""
    if not config.address:
        return {}
    name = config.address.rpartition("@")[2]
    by_lmtp = {each: mail.Reception(name, mail.Lmtp) for each in config.lmtp_listen}
    return by_lmtp | {each: mail.Reception(name, mail.Smtp) for each in config.smtp_listen}


def observe(parent: Any, config: Config) -> list[Callable[[], None]]:
    """Give twistd the log observer that a configuration asks for, unless it has one.

    Returns:
        What opens the log again.
    """
    if not isinstance(parent, Componentized) or parent.getComponent(ILogObserver) is not None:
        return []
    out = open_log(config.log, config.path)
    parent.setComponent(ILogObserver, log_observer(config.log, out))
    return [out.reopen] if isinstance(out, LogFile) else []


def reopen(reopening: Sequence[Callable[[], None]]) -> None:
    """Open log files again; what cannot be opened stays as it is."""
    for each in reopening:
        try:
            each()
        except OSError as error:
            log.error("a log file stays as it is: {error}", error=error)


def _awaited(stop: Callable[[], Any]) -> Stop:
    return lambda: Deferred.fromCoroutine(stop())


def _in_reactor(reactor: Any, act: Callable[[], None], *_: object) -> None:
    reactor.callFromThread(act)


def _cannot_reload() -> None:
    log.warn("one process reads its configuration at the start: restart it, or let workers serve (server.workers)")


def _pages(federation: Federation | None, member: Member | None) -> list[Pages]:
    """What is answered besides the DAV root: to other organizations, and to other nodes."""
    found: list[Pages] = []
    if federation is not None and federation.answers:
        found.append(FederationPages(federation))
    if federation is not None and member is not None:
        found.append(NodePages(NODE_PATH, federation))
    if member is not None:
        found.append(member.pages)
    return found
