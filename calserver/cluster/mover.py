"""Moving people to another node, and emptying a node: what the command line does, step by step, while all goes on.

Each step is an act of one node (`calserver.cluster.removal`) that can be done again, or one transaction of the
directory. What has been done is known to the nodes and the directory alone: so whoever asks for the same move again
goes on with it, whatever became of the process that began it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from calserver import directory
from calserver.admin import Refused
from calserver.admin import accounts as principals
from calserver.admin import cluster as nodes
from calserver.cluster.calls import Caller, Declined, caller_of
from calserver.cluster.relay import NodeAway, NodeSilent
from calserver.config import Config
from calserver.store import Principal, Store, Transaction

PATIENCE_SECONDS: Final = 60.0
"""How long a node may be away before the move is left as it is."""
AGAIN_SECONDS: Final = 0.5
"""How long to wait before what has failed is tried again."""
ATTEMPTS: Final = 10


@attrs.frozen(kw_only=True)
class Progress:
    """How far a move is."""

    who: Sequence[str]
    done: int
    """How many members are at the new node."""
    total: int
    problem: str = ""
    """Why nothing happens at the moment."""


@attrs.frozen(kw_only=True)
class Moved:
    """People who are at another node now."""

    who: Sequence[str]
    source: str
    node: str
    members: int
    """Events, tasks, messages and files."""
    seconds: float
    paused_seconds: float
    """How long nobody could read or write their calendars."""


class _NotYet(Exception):
    """The step has to be tried again; the text says why."""


class Mover:
    """Moves people.

    Args:
        config: of any node.
        accounts: the directory.
        caller: asks nodes.
        progress: is told how far it is.
        reactor: time.
    """

    def __init__(
        self, config: Config, accounts: Store, caller: Caller, progress: Callable[[Progress], object], reactor: Any
    ) -> None:
        self._config = config
        self._accounts = accounts
        self._caller = caller
        self._progress = progress
        self._reactor = reactor

    # -- who, and where to ---------------------------------------------------------------------------------------------

    async def move(self, names: Collection[str], node: str, *, together: bool) -> Sequence[Moved]:
        """Move people to a node.

        Args:
            names: as `calserver.admin.accounts.named` finds them.
            node: where to.
            together: whether those at their node move, too, with whom they share calendars.

        Returns:
            What was done; nothing for those who were there.

        Raises:
            Refused: it cannot be done, or a node is away for too long; to ask for it again goes on with it.
        """
        if node not in nodes.backends(self._config):
            raise Refused(f"{node} is none of the nodes that keep calendars: {', '.join(nodes.backends(self._config))}")
        wanted = self._accounts.read_now(
            lambda txn: {each.id: each for each in (principals.named(txn, name) for name in names)}
        )
        done: list[Moved] = []
        for each in wanted.values():
            source = self._where(each.id)
            if each.kind == "group":
                raise Refused(f"{each.uid} is a group, which has no calendars")
            if source is None:
                raise Refused(f"{each.uid} is on no node: calserver cluster place")
            if source == node:
                await self._tell(node)
                continue
            group = await self._patiently([each.uid], self._together, each.id, source) if together else [each]
            done.append(await self._move(group, source, node))
        return done

    async def drain(self, node: str) -> Sequence[Moved]:
        """Move everybody from a node to those with the fewest; nobody is placed there any more.

        Raises:
            Refused: there is no other one; or see `move`.
        """
        if node not in nodes.backends(self._config):
            raise Refused(f"{node} is none of the nodes that keep calendars: {', '.join(nodes.backends(self._config))}")
        closed = self._accounts.write_now(lambda txn: _close(txn, node))
        open_ones = [each for each in nodes.backends(self._config) if each not in closed]
        if not open_ones:
            raise Refused("there is no other node that keeps calendars")
        done: list[Moved] = []
        while people := self._accounts.read_now(lambda txn: _on(txn, node)):
            for each in people:
                if self._where(each.id) != node:
                    continue  # with somebody else
                counts = self._accounts.read_now(lambda txn: txn.placements.counts())
                target = directory.least_used(open_ones, counts)
                assert target is not None, "there is one"
                group = await self._patiently([each.uid], self._together, each.id, node)
                done.append(await self._move(group, node, target))
        await self._tell(*self._config.cluster.nodes)
        return done

    def _where(self, principal_id: int) -> str | None:
        return self._accounts.read_now(lambda txn: txn.placements.of((principal_id,))).get(principal_id)

    async def _together(self, principal_id: int, source: str) -> Sequence[Principal]:
        answer = await self._caller.ask(source, "together", principals=[principal_id])
        return self._accounts.read_now(lambda txn: txn.principals.get_many(answer["principals"]))

    # -- one move ------------------------------------------------------------------------------------------------------

    async def _move(self, group: Sequence[Principal], source: str, node: str) -> Moved:
        began = self._reactor.seconds()
        who = [each.uid for each in group]
        ids = [each.id for each in group]
        members = await self._patiently(who, self._copy, who, ids, source, node)
        for _ in range(ATTEMPTS):
            try:
                paused = await self._switch(ids, source, node)
            except (NodeAway, NodeSilent, Declined, _NotYet) as error:
                self._progress(Progress(who=who, done=0, total=0, problem=str(error)))
                if self._is_there(ids, node):  # it was done, only the answer was lost
                    paused = 0.0
                    break
                await self._let_go(ids, source)
                members = await self._patiently(who, self._copy, who, ids, source, node)
            else:
                break
        else:
            raise Refused(f"{', '.join(who)}: the calendars change too fast, or a node is away; they are at {source}")
        await self._tell(source, *(each for each in self._config.cluster.nodes if each not in (node, source)))
        return Moved(
            who=who,
            source=source,
            node=node,
            members=members,
            seconds=round(self._reactor.seconds() - began, 3),
            paused_seconds=round(paused, 3),
        )

    async def _copy(self, who: Sequence[str], ids: Sequence[int], source: str, node: str) -> int:
        """Fetch until little is left; returns how many members there are."""
        while True:
            answer = await self._caller.ask(node, "fetch", principals=ids, source=source)
            self._progress(Progress(who=who, done=answer["done"], total=answer["total"]))
            if answer["nearly"]:
                return int(answer["total"])

    async def _switch(self, ids: Sequence[int], source: str, node: str) -> float:
        """Have the calendars at the new node; returns for how many seconds they were nowhere."""
        revisions = self._accounts.read_now(
            lambda txn: {each.id: each.revision for each in txn.principals.get_many(ids)}
        )
        began = self._reactor.seconds()
        await self._caller.ask(source, "hold", revisions={str(id): revision for id, revision in revisions.items()})
        answer = await self._caller.ask(node, "finish", principals=ids, source=source)
        if not answer["level"]:
            raise _NotYet("something has changed meanwhile")
        if not self._accounts.write_now(lambda txn: _place(txn, revisions, source, node)):
            raise _NotYet("an account has changed meanwhile")
        await self._tell(node)
        return float(self._reactor.seconds() - began)

    async def _let_go(self, ids: Sequence[int], source: str) -> None:
        """Have the calendars in use at the old node again; it does so by itself if it does not hear of it."""
        try:
            await self._caller.ask(source, "thaw", principals=ids)
        except (NodeAway, NodeSilent, Declined):
            await self._pause()

    def _is_there(self, ids: Sequence[int], node: str) -> bool:
        where = self._accounts.read_now(lambda txn: txn.placements.of(ids))
        return all(where.get(each) == node for each in ids)

    async def _tell(self, *nodes: str) -> None:
        """Have nodes look into the directory at once; those that do not hear of it do so in a moment."""
        await gatherResults([Deferred.fromCoroutine(self._look(each)) for each in nodes])

    async def _look(self, node: str) -> None:
        try:
            await self._caller.ask(node, "look")
        except (NodeAway, NodeSilent, Declined):
            return

    # -- patience ------------------------------------------------------------------------------------------------------

    async def _patiently(self, who: Sequence[str], step: Callable[..., Any], *arguments: Any) -> Any:
        """Do a step, again if a node is away."""
        deadline = self._reactor.seconds() + PATIENCE_SECONDS
        while True:
            try:
                return await step(*arguments)
            except (NodeAway, NodeSilent) as error:
                if self._reactor.seconds() > deadline:
                    raise Refused(f"{', '.join(who)}: a node is away ({error}); ask again to go on") from None
                self._progress(Progress(who=who, done=0, total=0, problem=str(error)))
            except Declined as error:
                raise Refused(f"{', '.join(who)}: {error}") from None
            await self._pause()

    async def _pause(self) -> None:
        await deferLater(self._reactor, AGAIN_SECONDS)


def mover_of(config: Config, accounts: Store, progress: Callable[[Progress], object], reactor: Any) -> Mover:
    """What moves people, on the command line of any node.

    Raises:
        ConfigError: a key or a certificate is not usable.
    """
    return Mover(config, accounts, caller_of(config, reactor), progress, reactor)


def _place(txn: Transaction, revisions: Mapping[int, int], source: str, node: str) -> bool:
    """Have people at another node if nothing has changed about them; returns whether they are. Of the directory."""
    where = txn.placements.of(revisions)
    found = {each.id: each.revision for each in txn.principals.get_many(revisions)}
    if found != revisions or any(where.get(each) != source for each in revisions):
        return False
    txn.placements.put(revisions, node)
    return True


def _close(txn: Transaction, node: str) -> frozenset[str]:
    """Have nobody placed on a node; returns all nodes of which that is so."""
    closed = directory.drained(txn) | {node}
    directory.drain(txn, closed)
    return closed


def _on(txn: Transaction, node: str) -> Sequence[Principal]:
    """Everybody on a node."""
    found = [each for each in txn.principals.list() if each.kind != "group"]
    where = txn.placements.of(each.id for each in found)
    return [each for each in found if where.get(each.id) == node]
