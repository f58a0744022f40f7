"""Delivering letters: each domain at its own pace, whoever is slow or dead delays nobody else.

A domain is *idle* while nothing is due for it, *served* while its letters are carried - some at a time, one after the
other for each of its people - and *waits* after it has failed, until its next try. The store knows all of it (`Peer`,
due times of the letters), so nothing is lost with the process, and ``calserver federation`` sees and changes it. Of
several processes over a store one delivers (`Store.lead`).

The same holds for other nodes of the cluster, which are called by their lanes (`calserver.meetings.letters.NODE`). They
have a carrier of their own, and are tried again sooner.
"""

from collections.abc import Awaitable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random, SystemRandom
from typing import Any, Final, Protocol

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from calserver.config import Ischedule
from calserver.meetings import Policy, letters
from calserver.meetings.letters import LETTER, UNDELIVERED, Letter
from calserver.scheduling.pace import LONGEST_SECONDS, next_try
from calserver.store import Busy, Peer, Store, Task, Transaction
from calserver.telemetry import Metrics
from ischedule.client import Outgoing
from ischedule.outcome import Again, Outcome

log = Logger()

LOOK_SECONDS: Final = 0.1
"""How often is looked whether anything was committed; that takes some microseconds."""
AT_ONCE: Final = 100
"""The most letters to a domain that are looked up at a time."""
ABREAST: Final = 4
"""The most messages that are carried to a domain at the same time."""
ARRIVAL_SECONDS: Final = 2.0
"""How long a client waits at most for what it has written to arrive at other nodes."""
ARRIVAL_LOOK_SECONDS: Final = 0.02
NODE_SECONDS: Final = 0.5
"""How long to wait after the first try in vain to reach a node."""
LONGEST_NODE_SECONDS: Final = 20.0
"""How long to wait between two of them at most."""


@attrs.frozen(kw_only=True)
class Bundle:
    """Letters that say the same: one message with several recipients."""

    outgoing: Outgoing
    tasks: tuple[Task, ...]
    is_news: bool
    """Whether it says more than how others answered."""
    vouched: str
    """The domain that vouches for it, where it comes from elsewhere and is passed on to another node."""
    reason: str
    """Why it is sent, in words; empty where that is not known."""


class Carrier(Protocol):
    """A way to other domains."""

    def carry(self, domain: str, bundle: Bundle) -> Awaitable[Outcome]:
        """Try to deliver a message once; an outcome with `no_service` says that another way is to be taken."""


def bundled(tasks: Iterable[Task]) -> Iterator[Bundle]:
    """Letters as messages."""
    alike: dict[tuple[str, bytes, bool, str], list[tuple[Task, Letter]]] = {}
    for task in tasks:
        letter = Letter.unpacked(task)
        same = letter.originator, letter.texts[0], letter.is_news, letter.vouched
        alike.setdefault(same, []).append((task, letter))
    for (originator, text, is_news, vouched), some in alike.items():
        yield Bundle(
            outgoing=Outgoing(
                originator=originator,
                recipients=tuple(letter.recipient for _, letter in some),
                body=text,
                message_id=some[0][1].message_id,
            ),
            tasks=tuple(task for task, _ in some),
            is_news=is_news,
            vouched=vouched,
            reason=next((letter.reason for _, letter in some if letter.reason), ""),
        )


class Courier:
    """Delivers letters.

    Args:
        store: where they are.
        policy: of the site.
        settings: when to try again, and when to give up.
        carriers: the ways to domains, in the order in which they are tried.
        inner: the way to other nodes; None where there is no cluster.
        metrics: counts what became of letters, by domain.
        reactor: the clock.
        chance: spreads tries.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        settings: Ischedule,
        carriers: Sequence[Carrier],
        metrics: Metrics,
        reactor: Any,
        *,
        inner: Carrier | None = None,
        chance: Random | None = None,
    ) -> None:
        self._store, self._policy, self._settings = store, policy, settings
        self._carriers, self._inner, self._metrics = carriers, inner, metrics
        self._chance = chance or SystemRandom()
        self._seen: int | None = None
        self._next: datetime | None = None
        self._served: dict[str, Deferred[None]] = {}
        self._call = LoopingCall(lambda: Deferred.fromCoroutine(self._look()))
        self._call.clock = reactor
        self._finished: Deferred[Any] | None = None

    def start(self) -> None:
        """Begin."""
        self._finished = self._call.start(LOOK_SECONDS)

    async def stop(self) -> None:
        """End; what is on its way is not waited for: it is sent again, and does the same."""
        if self._call.running:
            self._call.stop()
        if self._finished is not None:
            await self._finished
        served = list(self._served.values())
        for each in served:
            each.cancel()
        await gatherResults(served)

    async def arrived(self) -> None:
        """Wait until what was written to people at other nodes has arrived there; no longer than `ARRIVAL_SECONDS`.

        So who looks at both calendars sees what would be there at one server. What takes longer arrives later.
        """
        clock = self._call.clock
        until = clock.seconds() + ARRIVAL_SECONDS
        try:
            written = waiting = await self._store.read(letters.under_way)
            while waiting and self._call.running and clock.seconds() < until:
                await self._look()
                await deferLater(clock, ARRIVAL_LOOK_SECONDS)
                waiting = written & await self._store.read(letters.under_way)
        except Busy:
            return  # nobody knows, and the client has its answer all the same

    # -- which domains ---------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        if not self._store.lead():
            self._metrics.letters_waiting = {}
            return
        version = self._store.data_version()
        if version == self._seen and (self._next is None or datetime.now(UTC) < self._next):
            return
        try:
            due = await self._store.read(self._due)
        except Exception:  # noqa: BLE001 - the next look may succeed, and the server goes on without this one
            log.failure("letters could not be looked up")
            return
        self._seen, self._next = version, None
        self._metrics.letters_waiting = {domain: waiting for domain, _, waiting in due}
        now = datetime.now(UTC)
        for domain, at, _ in due:
            if at <= now:
                if domain in self._served:
                    continue
                if len(self._served) < self._settings.connections or letters.node_of(domain) is not None:
                    self._serve(domain)
                    continue
                at = now
            self._next = at if self._next is None else min(at, self._next)

    def _due(self, txn: Transaction) -> list[tuple[str, datetime, int]]:
        """When which domain is to be served, and how many letters wait for it.

        Whoever has failed waits, whatever has been written to it since.
        """
        lanes = txn.tasks.lanes(LETTER)
        waits = {each.domain: each.next_try for each in txn.peers.all() if each.next_try} if lanes else {}
        due = []
        for lane in lanes:
            domain = lane.kind.removeprefix(LETTER)
            due.append((domain, max(lane.due, waits.get(domain, lane.due)), lane.waiting))
        return due

    def _serve(self, domain: str) -> None:
        serving = Deferred.fromCoroutine(self._deliver(domain))
        self._served[domain] = serving

        def free(_: object = None) -> None:
            self._served.pop(domain, None)
            self._seen = None

        def pause(failure: Failure) -> Deferred[None] | None:
            if not self._call.running:
                return None  # it was cancelled: gathered, that has another name
            log.failure("letters to {domain} could not be delivered", failure, domain=domain)
            return deferLater(self._call.clock, self._settings.retry_seconds).addErrback(lambda _: None)

        serving.addErrback(pause).addCallback(free)

    # -- one domain ------------------------------------------------------------------------------------------------

    async def _deliver(self, domain: str) -> None:
        """Deliver what is due for a domain, until there is nothing, or it fails."""
        while self._call.running:
            tasks = await self._store.read(lambda txn: txn.tasks.due(LETTER + domain, AT_ONCE))
            if not tasks:
                return
            if letters.node_of(domain) is not None:
                tasks = await self._redirected(tasks)
            bundles = list(bundled(tasks))
            for start in range(0, len(bundles), ABREAST):
                some = bundles[start : start + ABREAST]
                outcomes = await gatherResults([Deferred.fromCoroutine(self._carry(domain, each)) for each in some])
                noted = partial(self._note, domain=domain, results=list(zip(some, outcomes, strict=True)))
                if not await self._write(noted):
                    return

    async def _redirected(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Have letters to a node go elsewhere whose recipients are not there any more; returns the others."""
        astray = await self._store.read(lambda txn: letters.astray(txn, self._policy, tasks))

        def redirect(txn: Transaction) -> bool:
            for each in astray:
                letters.redirect(txn, self._policy, each)
            return True

        if astray:
            await self._write(redirect)
        gone = {each.id for each in astray}
        return [each for each in tasks if each.id not in gone]

    async def _carry(self, domain: str, bundle: Bundle) -> Outcome:
        outcome: Outcome | None = None
        if letters.node_of(domain) is not None:
            assert self._inner is not None, "such letters are written in a cluster only"
            return await self._inner.carry(domain, bundle)
        for carrier in self._carriers:
            outcome = await carrier.carry(domain, bundle)
            if not outcome.no_service:
                break
        assert outcome is not None, "there is a way, or no letter would have been written"
        return outcome

    async def _write(self, noted: Any) -> bool:
        while True:
            try:
                answer: bool = await self._store.write(noted)
            except Busy:
                await deferLater(self._call.clock, LOOK_SECONDS)
                continue
            return answer

    def _note(self, txn: Transaction, domain: str, results: Sequence[tuple[Bundle, Outcome]]) -> bool:
        """Write down what became of letters; returns whether the domain can be tried on."""
        known = txn.peers.get(domain) or Peer(domain=domain, since=txn.now)
        failed = next((outcome for _, outcome in results if _is_failure(outcome)), None)
        if failed is None:
            problem = next((outcome.reason for _, outcome in results if outcome.reason), "")
            known = attrs.evolve(known, sent=txn.now, failures=0, next_try=None, problem=problem)
        else:
            failures = known.failures + 1
            then = self._again(txn, domain, failures, failed)
            known = attrs.evolve(known, failures=failures, next_try=then, problem=failed.reason)
        txn.peers.put(known)
        for bundle, outcome in results:
            statuses = {each.recipient: each.status.schedule_status for each in outcome.responses}
            for task in bundle.tasks:
                self._settle(txn, task, outcome, statuses[Letter.unpacked(task).recipient], known)
        return failed is None

    def _again(self, txn: Transaction, domain: str, failures: int, outcome: Outcome) -> datetime:
        is_node = letters.node_of(domain) is not None
        return next_try(
            failures,
            txn.now,
            first_seconds=NODE_SECONDS if is_node else self._settings.retry_seconds,
            longest_seconds=LONGEST_NODE_SECONDS if is_node else LONGEST_SECONDS,
            wish_seconds=outcome.retry_after_seconds or 0.0,
            chance=self._chance,
        )

    def _settle(self, txn: Transaction, task: Task, outcome: Outcome, status: str, known: Peer) -> None:
        letter = Letter.unpacked(task)
        waits = letter.recipient in outcome.pending
        once_more = outcome.again is Again.LATER or task.attempts == 0
        if not waits or not once_more:
            self._count(known.domain, "delivered" if status[0] in "12" else "refused")
            letters.sent(txn, self._policy, task, {letter.recipient: status})
        elif txn.now - letter.since >= timedelta(hours=self._settings.give_up_hours):
            self._count(known.domain, "given up")
            letters.give_up(txn, self._policy, task)
            log.warn(
                "a letter to {who} is given up: {why}",
                who=letter.recipient,
                why=outcome.reason or UNDELIVERED,
            )
        else:
            self._count(known.domain, "postponed")
            txn.tasks.postpone(task.id, known.next_try or self._again(txn, known.domain, task.attempts + 1, outcome))

    def _count(self, domain: str, what: str) -> None:
        self._metrics.letter(domain, what)


def _is_failure(outcome: Outcome) -> bool:
    """Whether it is the domain that has failed, and not a single message to it."""
    return outcome.server_failed or (
        outcome.again is Again.LATER and len(outcome.pending) == len(outcome.responses) and bool(outcome.reason)
    )
