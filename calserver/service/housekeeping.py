"""What is done without anybody asking for it: housekeeping and tasks, by the process that leads."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from calserver import calendars, meetings
from calserver.config import Config
from calserver.store import Store, Task, Transaction
from calserver.telemetry import Metrics
from calserver.work import Work

log = Logger()


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
    return meetings.Policy(
        calendars=config.calendars,
        scheduling=config.scheduling,
        prefix=config.server.public_prefix,
        node=config.cluster.node,
    )


def _with_policy(
    work: Callable[[Transaction, meetings.Policy, Task], None], policy: meetings.Policy, txn: Transaction, task: Task
) -> None:
    work(txn, policy, task)


def keep_house(job: Job, found: Store, metrics: Metrics, reactor: Any) -> Callable[[], Deferred[Any]]:
    """Run a job now and then every so often, if this process leads; one that fails is logged, and tried the next time.

    Returns:
        A function that stops it, and waits for what runs.
    """

    async def run() -> None:
        if not found.lead():
            return
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
