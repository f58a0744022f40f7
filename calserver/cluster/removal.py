"""What a node does when people move from it, or to it; the command line says when (`calserver.cluster.mover`).

The node that they go to asks for what is missing there, until that is nothing (`calserver.store.moves`). Then their
homes are **held** at the old node: nobody reads or writes them, so the copy becomes the same. That they are at the new
node is decided by one row of the directory, on the condition that the revision of the principal is still the one with
which the homes were held. Whoever wants them in use at the old node again - since nobody has come back to end it -
takes a new revision in the directory first. So one of both happens, whenever a process dies or a connection ends.

Each node changes the state of homes in the transaction in which it learns where their principals are (`settled`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from twisted.logger import Logger

from calserver.calendars import branches
from calserver.cluster.calls import Act, Caller, Declined
from calserver.cluster.mirror import Mirror
from calserver.dav import Href
from calserver.meetings import Policy, luggage
from calserver.store import Principal, Store, Task, Transaction, Wanted

log = Logger()

HOLD_SECONDS: Final = 10.0
"""How long homes are held, if nobody comes back: more than it takes, less than people wait."""
FETCH_SECONDS: Final = 2.0
"""How long one act of fetching goes on."""
LITTLE: Final = 100
"""So few changes in a round of fetching are carried after while homes are held."""
SWEPT_AT_ONCE: Final = 200
SWEEP_SECONDS: Final = 60.0
"""When what has left is removed: nothing that was begun before looks for it any more."""

HOLD: Final = "hold"
"""A task: the homes of a principal are held; the payload is its revision in the directory. Due when that ends."""
LUGGAGE: Final = "luggage"
"""A task: what goes along with a principal who arrives."""
SWEEP: Final = "sweep"
"""A task: homes that have left are to be removed."""
STALE: Final = "stale copy"
"""A task: a copy that was begun is to be removed, if nobody goes on with it."""
STALE_AFTER: Final = timedelta(days=1)
_NEVER: Final = timedelta(days=36500)


class Removal:
    """The part of a node in moving principals.

    Args:
        store: of this node.
        mirror: follows the directory.
        caller: asks other nodes.
        policy: of the site, with the name of this node.
        mounts: the first segments of paths that lead to homes.
        reactor: time.
    """

    def __init__(
        self, store: Store, mirror: Mirror, caller: Caller, policy: Policy, mounts: Iterable[str], reactor: Any
    ) -> None:
        self._store = store
        self._mirror = mirror
        self._caller = caller
        self._policy = policy
        self._mounts = tuple(mounts)
        self._reactor = reactor

    @property
    def acts(self) -> Mapping[str, Act]:
        """What other nodes may ask, by name."""
        return {
            "together": self._together,
            "skeleton": self._skeleton,
            "count": self._count,
            "members": self._members,
            "fingerprints": self._fingerprints,
            "luggage": self._luggage,
            "hold": self._hold,
            "thaw": self._thaw,
            "fetch": self._fetch,
            "finish": self._finish,
            "look": self._look,
        }

    # -- the node that they leave --------------------------------------------------------------------------------------

    async def _together(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Who is here and shares calendars with some principals, or with those who do, and so on."""

        def look(txn: Transaction) -> list[int]:
            found = txn.placements.of(txn.moves.together(asked["principals"]))
            return sorted(each for each, node in found.items() if node == self._policy.node)

        return {"principals": await self._store.read(look)}

    async def _skeleton(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Their collections."""
        return {"rows": await self._store.read(lambda txn: txn.moves.skeleton(asked["principals"]))}

    async def _count(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """How many members these have."""
        return {"total": await self._store.read(lambda txn: txn.moves.count(asked["principals"]))}

    async def _members(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Some members of a collection."""
        upto, rows = await self._store.read(lambda txn: txn.moves.members(asked["collection"], asked["since"]))
        return {"upto": upto, "rows": rows}

    async def _fingerprints(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Digests of their collections."""
        return dict(await self._store.read(lambda txn: txn.moves.fingerprints(asked["principals"])))

    async def _luggage(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """What goes along with them."""

        def look(txn: Transaction) -> Mapping[str, Any]:
            ties = txn.ties.crossing(asked["principals"])
            return {
                str(each.id): {
                    "tasks": luggage.pack(txn, self._policy, each.id),
                    "rows": txn.moves.belongings([each.id], self._paths(each)),
                    "shared": branches.pack(ties, each.id),
                }
                for each in txn.principals.get_many(asked["principals"])
            }

        return await self._store.read(look)

    async def _hold(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Hold their homes, for a while: they have these revisions in the directory."""
        revisions = {int(id): revision for id, revision in asked["revisions"].items()}

        def hold(txn: Transaction) -> None:
            where = txn.placements.of(revisions)
            if any(where.get(each) != self._policy.node for each in revisions):
                raise Declined("they are not at this node")
            txn.moves.hold(revisions)
            due = txn.now + timedelta(seconds=HOLD_SECONDS)
            for id, revision in revisions.items():
                _forget(txn, HOLD, id)
                txn.tasks.put(HOLD, str(id), str(revision).encode(), due=due)

        await self._store.write(hold)
        return {}

    async def _thaw(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have their homes in use again, if they are still here."""

        def look(txn: Transaction) -> list[Task]:
            return [task for each in asked["principals"] if (task := txn.tasks.get(HOLD, str(each))) is not None]

        await self.release(await self._store.read(look))
        return {}

    async def release(self, holds: Sequence[Task]) -> None:
        """Have homes in use again that are held, after nobody can move them any more as they are.

        Raises:
            Busy: the directory is away.
        """
        directory = self._mirror.directory
        if not holds or directory is None:
            return
        revisions = {int(each.key): int(each.payload) for each in holds}
        gone = await directory.write(lambda txn: _stay(txn, self._policy.node, revisions))

        def thaw(txn: Transaction) -> None:
            for each in holds:
                now = txn.tasks.get(HOLD, each.key)
                if now is not None and now.payload == each.payload and int(each.key) not in gone:
                    txn.tasks.remove(now.id)
                    txn.moves.thaw((int(each.key),))

        await self._store.write(thaw)

    # -- the node that they go to --------------------------------------------------------------------------------------

    async def _fetch(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Fetch what is missing, for some seconds; tells whether little is left, and how much is here."""
        ids, source = asked["principals"], asked["source"]
        await self._store.write(lambda txn: self._expect(txn, ids))
        deadline = self._reactor.seconds() + FETCH_SECONDS
        nearly = False
        if await self._swept(ids, deadline):
            while not nearly and self._reactor.seconds() < deadline:
                carried = await self._round(ids, source, deadline)
                nearly = carried is not None and carried <= LITTLE
        total = (await self._caller.ask(source, "count", principals=ids))["total"]
        done = await self._store.read(lambda txn: txn.moves.count(ids, arriving=True))
        return {"nearly": nearly, "done": done, "total": total}

    async def _round(self, ids: Sequence[int], source: str, deadline: float) -> int | None:
        """Fetch once what is missing; returns how many members and collections, None where the time was over before."""
        rows = (await self._caller.ask(source, "skeleton", principals=ids))["rows"]
        wanted: Sequence[Wanted] = await self._store.write(lambda txn: txn.moves.stage(rows))
        carried = 0
        for each in wanted:
            carried += 1 + await self._take(source, each)
            if self._reactor.seconds() > deadline:
                return None
        return carried

    def _expect(self, txn: Transaction, ids: Sequence[int]) -> None:
        """See that there is nothing that a copy would stand against; and that the copy goes if nobody wants it."""
        if self._policy.node in txn.placements.of(ids).values():
            raise Declined("they are at this node")
        if any("" in each or "held" in each for each in txn.moves.states(ids).values()):
            raise Declined("there are calendars of theirs at this node, which are not in use")
        for each in ids:
            _forget(txn, STALE, each)
            txn.tasks.put(STALE, str(each), due=txn.now + STALE_AFTER)

    async def _swept(self, ids: Sequence[int], deadline: float) -> bool:
        """Remove what is here since they left the last time; returns whether all of it is gone."""
        states = await self._store.read(lambda txn: txn.moves.states(ids))
        for each in ids:
            more = "left" in states.get(each, ())
            while more:
                if self._reactor.seconds() > deadline:
                    return False
                more = await self._store.write(partial(_swept, principal_id=each))
        return True

    async def _take(self, source: str, wanted: Wanted) -> int:
        """Fetch some members; returns how many."""
        answer = await self._caller.ask(source, "members", collection=wanted.source, since=wanted.since)
        upto, rows = answer["upto"], answer["rows"]
        await self._store.write(lambda txn: txn.moves.take(wanted, upto, rows))
        return len(rows["object"]) + len(rows["tombstone"])

    async def _finish(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Fetch the rest of what is held, and what goes along; tells whether all is here and the same."""
        ids, source = asked["principals"], asked["source"]
        deadline = self._reactor.seconds() + HOLD_SECONDS
        while await self._round(ids, source, deadline) != 0:
            if self._reactor.seconds() > deadline:
                return {"level": False}
        theirs = await self._caller.ask(source, "fingerprints", principals=ids)
        mine = await self._store.read(lambda txn: txn.moves.fingerprints(ids, arriving=True))
        different = [name for name, digest in theirs.items() if mine.get(name) != digest]
        if different:
            await self._store.write(lambda txn: txn.moves.anew(ids, different))
            return {"level": False}
        packed = await self._caller.ask(source, "luggage", principals=ids)

        def keep(txn: Transaction) -> None:
            for id, content in packed.items():
                txn.tasks.put(LUGGAGE, id, json.dumps(content).encode(), due=txn.now + _NEVER)

        await self._store.write(keep)
        return {"level": True}

    async def _look(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """See at once what has changed in the directory."""
        await self._mirror.catch_up()
        return {}

    # -- all nodes -----------------------------------------------------------------------------------------------------

    def settled(self, txn: Transaction, here: Sequence[Principal], away: Sequence[Principal]) -> Sequence[Principal]:
        """Have homes in use here whose principals are here now, and others no more.

        Args:
            txn: in which this node learns it.
            here: who is placed here.
            away: who is placed elsewhere.

        Returns:
            Who is here, and not about to leave.
        """
        states = txn.moves.states(each.id for each in (*here, *away))
        usable = []
        for each in here:
            state = states.get(each.id, frozenset())
            if "held" not in state and ("arriving" not in state or self._arrive(txn, each)):
                usable.append(each)
        leaving = {each.id: each for each in away if "held" in states.get(each.id, ())}
        ties = txn.ties.crossing(leaving) if leaving else ()
        for id, each in leaving.items():
            luggage.drop(txn, self._policy, (id,))
            txn.moves.leave((id,))
            txn.moves.forget((id,), self._paths(each))
            _forget(txn, HOLD, id)
            txn.tasks.put(SWEEP, str(id), due=txn.now + timedelta(seconds=SWEEP_SECONDS))
        branches.part(txn, leaving, ties)
        return usable

    def _arrive(self, txn: Transaction, who: Principal) -> bool:
        """Have homes in use that are complete; returns whether they are."""
        task = txn.tasks.get(LUGGAGE, str(who.id))
        if task is None:
            log.error("{who} is placed here, but the calendars are not all here", who=who.uid)
            return False
        content = json.loads(task.payload)
        txn.tasks.remove(task.id)
        _forget(txn, STALE, who.id)
        txn.moves.arrive((who.id,))
        txn.moves.forget((who.id,), self._paths(who))
        txn.moves.have(content["rows"])
        branches.unpack(txn, who.id, content["shared"])
        luggage.unpack(txn, who.id, content["tasks"])
        return True

    def _paths(self, who: Principal) -> list[str]:
        return [str(Href((mount, who.kind, who.uid))) for mount in self._mounts]


def sweep(txn: Transaction, task: Task) -> None:
    """Remove some of what has left, or of a copy that nobody wants (`calserver.work.Work`)."""
    if txn.moves.sweep(int(task.key), "left" if task.kind == SWEEP else "arriving", SWEPT_AT_ONCE):
        txn.tasks.postpone(task.id, txn.now)
    else:
        txn.tasks.remove(task.id)


def _swept(txn: Transaction, principal_id: int) -> bool:
    """Remove some of what has left, before it comes back; returns whether there is more."""
    if txn.moves.sweep(principal_id, "left", SWEPT_AT_ONCE):
        return True
    _forget(txn, SWEEP, principal_id)
    return False


def _forget(txn: Transaction, kind: str, principal_id: int) -> None:
    task = txn.tasks.get(kind, str(principal_id))
    if task is not None:
        txn.tasks.remove(task.id)


def _stay(txn: Transaction, node: str, revisions: Mapping[int, int]) -> frozenset[int]:
    """Have nobody move people who have these revisions; returns who is at another node already."""
    where = txn.placements.of(revisions)
    found = txn.principals.get_many(revisions)
    txn.placements.put(
        (each.id for each in found if where.get(each.id) == node and each.revision == revisions[each.id]), node
    )
    return frozenset(each for each, there in where.items() if there != node)


WORKS: Final = {SWEEP: sweep, STALE: sweep}
"""What does the tasks that moving leaves behind."""
