"""A node of a cluster: all its parts, built of the configuration."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from calserver import calendars, meetings
from calserver.calendars import branches, sharing
from calserver.calendars.notifications import TIDINGS
from calserver.cluster.believing import Doorkeeper
from calserver.cluster.bounces import RETURNED, Bounces
from calserver.cluster.branches import BRANCH, in_branch
from calserver.cluster.calls import Caller, NodeActs, alike
from calserver.cluster.counts import Counts
from calserver.cluster.explaining import EXPLAIN, explaining
from calserver.cluster.front import Front
from calserver.cluster.holds import Holds
from calserver.cluster.identity import Identity
from calserver.cluster.mirror import Mirror
from calserver.cluster.relay import Relay
from calserver.cluster.removal import Removal
from calserver.cluster.replays import Replays
from calserver.cluster.standings import STANDINGS, Standings
from calserver.cluster.statuses import STATUS, told
from calserver.cluster.tidings import TidingsCarrier
from calserver.config import Config, ConfigError
from calserver.meetings import Inquiry, Standing
from calserver.scheduling import authorities
from calserver.scheduling.mail import Desk
from calserver.store import Principal, Store, Transaction
from calserver.web import DavAdapter, Health, Recall, store_health


class Member:
    """This server as a node.

    Args:
        config: all of it.
        identity: of this node.
        store: of this node.
        adapter: answers what is here.
        branches: answers what is here of homes at other nodes.
        mounts: the first segments of paths that lead to homes, and the kinds of principals that have these.
        reactor: sockets and time.

    Raises:
        ConfigError: a certificate is not usable, or there is no place for files beside the key.
    """

    def __init__(
        self,
        config: Config,
        identity: Identity,
        store: Store,
        adapter: DavAdapter,
        branches: DavAdapter,
        mounts: Mapping[str, Sequence[str]],
        reactor: Any,
    ) -> None:
        self._config, self._store, self._reactor = config, store, reactor
        cluster = config.cluster
        self._adapter = adapter
        self._accounts: DavAdapter | None = None
        self._mirror = Mirror(
            store,
            config.directory_url,
            node=cluster.node,
            settle=self._settle,
            seconds=cluster.look_seconds,
            reactor=reactor,
        )
        self._relay = Relay(cluster, authorities(config, "cluster.authorities_file", cluster.authorities_file), reactor)
        self.counts = Counts(self._mirror, reactor.seconds)
        self._replays = self._memory()
        doorkeeper = Doorkeeper(identity, self._replays)
        caller = Caller(identity, self._relay)
        self.front = Front(
            identity,
            adapter,
            branches,
            self.accounts,
            self._mirror,
            self._relay,
            mounts,
            self.counts,
            doorkeeper,
            caller,
        )
        policy = meetings.Policy(
            calendars=config.calendars,
            scheduling=config.scheduling,
            prefix=config.server.public_prefix,
            node=cluster.node,
        )
        self._removal = Removal(store, self._mirror, caller, policy, mounts, reactor)
        self._holds = Holds(store, self._removal, reactor)
        of_rows = {name: alike(act) for name, act in self._removal.acts.items()}
        self._bounces = Bounces(store, policy, caller)
        self._standings = Standings(store, policy, caller)
        self._tidings = TidingsCarrier(store, caller, reactor)
        self.pages = NodeActs(
            doorkeeper,
            {
                **of_rows,
                STATUS: self._status,
                RETURNED: self._bounces.take,
                EXPLAIN: explaining(store, config),
                STANDINGS: self._standings.take,
                BRANCH: partial(in_branch, store),
                TIDINGS: self._tidings.take,
            },
        )
        """Where other nodes ask this one."""

    def start(self) -> None:
        """Begin to follow the directory."""
        self._mirror.start()
        self._holds.start()
        self._tidings.start()

    async def stop(self) -> None:
        """Follow it no more, and close connections."""
        await self._tidings.stop()
        await self._holds.stop()
        await self._mirror.stop()
        await self._relay.close()
        self._replays.close()

    def at_desk(self, desk: Desk | None) -> Desk | None:
        """What takes mail, with the other nodes at hand."""
        return None if desk is None else attrs.evolve(desk, pass_on=self._bounces.pass_on)

    async def ask(self, inquiry: Inquiry) -> Sequence[Standing] | None:
        """Ask another node what a request needs to know (`DavAdapter.ask`)."""
        return await self._standings.ask(inquiry)

    async def arrived(self) -> None:
        """Wait a moment for what people at other nodes are to be told of calendars that are shared with them."""
        await self._tidings.arrived()

    def is_ready(self) -> bool:
        """Whether this node knows who there is."""
        return self._mirror.ready

    def health(self, store: Health) -> Health:
        """Whether this node can answer, given whether its store does: not before it knows who there is.

        It does not need the directory for that.
        """
        facts = {"node": self._config.cluster.node, "directory": self._mirror.state}
        return Health(store.healthy and self._mirror.ready, {**store.facts, **facts})

    async def _status(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """How this node is, for whoever asks all of them."""
        health = self.health(await store_health(self._store, self._reactor))
        return told(health, self._mirror.revision)

    async def accounts(self) -> DavAdapter | None:
        """What answers changes of accounts: the same as everything else, over the directory; None where that is away.

        This node is brought up to date first, so that both know the same of who asks.
        """
        if not await self._mirror.is_current():
            return None
        directory = self._mirror.directory
        if self._accounts is None and directory is not None:
            recall, settled = Recall(directory, {}, most_bytes=0), self._mirror.is_current
            self._accounts = attrs.evolve(self._adapter, store=directory, recall=recall, foreign=True, settled=settled)
        return self._accounts

    def _memory(self) -> Replays:
        key = self._config.path(self._config.cluster.key_file)
        try:
            return Replays(key.with_name(f"{key.name}.used"), time.time())
        except OSError as error:
            raise ConfigError(f"cluster.key_file: nothing can be remembered beside it: {error}") from None

    def _settle(
        self, txn: Transaction, here: Sequence[Principal], away: Sequence[Principal], groups: Sequence[int]
    ) -> None:
        usable = self._removal.settled(txn, here, away)
        for each in usable:
            calendars.provision(txn, each, self._config.calendars)
        branches.settle(txn, [each.id for each in away])
        sharing.welcome(txn, [each.id for each in (*usable, *away)])
        if groups:
            sharing.regroup(txn, sharing.through(txn, groups))
            meetings.groups_changed(txn, groups)
