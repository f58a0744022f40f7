"""Threads and commits.

Readers. A few threads, each with a connection of its own. `Store.read` hands the work to one of them; it runs in a
deferred transaction, which is a snapshot that neither waits for writers nor makes them wait.

The writer. One thread, since the database takes one writer at a time anyway. It takes all works that wait, runs them
in one transaction, each in a savepoint, so that an exception takes back exactly what its work wrote, and commits once:
works that arrive while the disk syncs share the next sync. Only after the commit do they get their answers.

The reactor thread is called back: one call for all works of a group. It has a connection too, that never waits. There
it looks what has changed (`Store.data_version`, `Store.stamp`), and runs works that are over in less time than handing
them to a thread and back would take (`Store.glance`). What takes longer is interrupted, and begun again in a thread.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from itertools import count
from queue import SimpleQueue
from resource import RUSAGE_THREAD, getrusage
from typing import Any, Protocol, TypeVar

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from calserver.dav import TakesLong
from calserver.store.dialects import Dialect
from calserver.store.interface import Transaction
from calserver.store.leases import Lease
from calserver.store.links import Link
from calserver.store.revisions import STAMP
from calserver.store.statements import Connection
from calserver.store.transaction import SqlTransaction
from calserver.store.values import Stamp
from calserver.store.ways import Ways

T = TypeVar("T")
Work = Callable[[Transaction], Any]
GROUP = 50
"""The most works that share a commit: bounds how long the first of them waits."""
GLANCE_SECONDS = 0.002
"""When a glance is given up, as soon as the database asks."""
SLOW_SECONDS, CALM_SECONDS = 0.02, 1.0
"""After a glance that took so long - the disk had to be read - there are none for a while."""


class Closed(Exception):
    """The store was closed."""


class Reactor(Protocol):
    """What is used of the reactor."""

    def callFromThread(self, callable: Callable[..., object], *args: object) -> object:  # noqa: N802 - Twisted's name
        """Call in the reactor thread."""


def utc_now() -> datetime:
    """The instant, aware."""
    return datetime.now(UTC)


@attrs.define(slots=True, eq=False)
class _Job:
    """A work and who waits for it."""

    work: Work
    waiting: "Deferred[Any]"
    until: float
    """When a database that is away is not waited for any more."""
    result: Any = None

    def answer(self) -> None:
        """Hand the result over, in the reactor thread."""
        if not self.waiting.called:
            if isinstance(self.result, Failure):
                self.waiting.errback(self.result)
            else:
                self.waiting.callback(self.result)


class SqlStore:
    """`calserver.store.interface.Store` on SQL; made by `calserver.store.open_store`."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        reactor: Reactor | None,
        readers: int,
        paths: int = 2000,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._dialect = dialect
        self._reactor = reactor
        self._now = now
        self._closed = False
        self._reads: SimpleQueue[_Job | None] = SimpleQueue()
        self._writes: SimpleQueue[_Job | None] = SimpleQueue()
        self._local = threading.local()
        self._links: deque[Link] = deque()
        self._writers: list[threading.Thread] = []
        self._readers: list[threading.Thread] = []
        self._deadline = math.inf
        self._lease: Lease | None = None
        self._ways = Ways(paths)
        self._watch = dialect.connect_watch(self._too_long)
        self._slow_until = 0.0
        self._blocks = getrusage(RUSAGE_THREAD).ru_inblock
        self._unknown = count(-1, -1)
        if reactor is not None:
            self._writers = [self._start(f"store-writer-{n}", self._write_loop, True) for n in range(dialect.writers)]
            self._readers = [self._start(f"store-reader-{n}", self._read_loop, False) for n in range(readers)]

    # -- the contract

    def read(self, work: Callable[[Transaction], T]) -> "Deferred[T]":
        """Run `work` over a consistent snapshot; it must not write."""
        return self._submit(self._reads, work)

    def write(self, work: Callable[[Transaction], T]) -> "Deferred[T]":
        """Run `work` in a writing transaction and return after the commit is on the disk."""
        return self._submit(self._writes, work)

    def glance(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` over a consistent snapshot at once, in the reactor thread."""
        began = time.perf_counter()
        if not self._dialect.glances or began < self._slow_until:
            raise TakesLong
        driver = self._watch
        try:
            self._dialect.begin_read(driver)
            self._deadline = began + GLANCE_SECONDS
            try:
                return self._look(work, driver)
            finally:
                self._deadline = math.inf
                driver.execute("ROLLBACK")
        except self._dialect.error as error:  # what is really wrong, `read` finds again
            raise TakesLong from error
        finally:
            ended = time.perf_counter()
            if ended - began > SLOW_SECONDS and self._read_from_disk():
                self._slow_until = ended + CALM_SECONDS

    def _too_long(self) -> bool:
        return time.perf_counter() > self._deadline

    def _read_from_disk(self) -> bool:
        """Whether the calling thread had to wait for the disk since the last time."""
        before, self._blocks = self._blocks, getrusage(RUSAGE_THREAD).ru_inblock
        return self._blocks != before

    def read_now(self, work: Callable[[Transaction], T]) -> T:
        """The same as `read` in the calling thread."""
        return self._own("reading", writable=False).read(partial(self._look, work), self._patience())

    def write_now(self, work: Callable[[Transaction], T]) -> T:
        """The same as `write` in the calling thread."""
        return self._own("writing", writable=True).write(partial(self._run, work), self._patience())

    def close(self) -> "Deferred[None]":
        """Finish what runs, then close all connections."""
        if self._closed:
            return succeed(None)
        self._closed = True
        for _ in self._writers:
            self._writes.put(None)
        for _ in self._readers:
            self._reads.put(None)
        if self._reactor is None:
            self._disconnect()
            return succeed(None)
        done: Deferred[None] = Deferred()
        threading.Thread(target=self._finish, args=(done,), name="store-closer", daemon=True).start()
        return done

    def data_version(self) -> int:
        """A number that changes whenever anything was committed, by any process; costs some microseconds."""
        try:
            return self._dialect.version(self._watch)
        except self._dialect.error:
            return next(self._unknown)

    def stamp(self, home_id: int) -> Stamp | None:
        """What changes with anything that is seen in a home; costs some microseconds."""
        try:
            row = Connection(self._dialect, self._watch).one(STAMP, home_id=home_id)
        except self._dialect.error:
            return None
        return None if row is None else Stamp(*row)

    def lead(self) -> bool:
        """Whether this process is the one over this database that does what is to be done once; never waits."""
        if self._lease is None and not self._closed:
            self._lease = self._dialect.lease()
        return self._lease is not None and self._lease.held()

    def resign(self) -> None:
        """Leave that to another process, for good."""
        if self._lease is None:
            self._lease = self._dialect.lease()
        self._lease.close()

    # -- threads

    def _submit(self, queue: "SimpleQueue[_Job | None]", work: Work) -> "Deferred[Any]":
        if self._closed:
            raise Closed
        if self._reactor is None:
            raise RuntimeError("a store without a reactor has only read_now and write_now")
        job = _Job(work, Deferred(), self._patience())
        queue.put(job)
        return job.waiting

    def _patience(self) -> float:
        """When what begins now is given up if the database is away."""
        return time.monotonic() + self._dialect.busy_timeout

    def _start(self, name: str, loop: Callable[[Link], None], writable: bool) -> threading.Thread:
        thread = threading.Thread(target=loop, args=(self._link(writable=writable),), name=name, daemon=True)
        thread.start()
        return thread

    def _read_loop(self, link: Link) -> None:
        while (job := self._reads.get()) is not None:
            if not job.waiting.called:
                try:
                    job.result = link.read(partial(self._look, job.work), job.until)
                except BaseException:  # noqa: BLE001 - it belongs to who waits, and the thread goes on
                    job.result = Failure()
                self._answer([job])

    def _write_loop(self, link: Link) -> None:
        going_on = True
        while going_on:
            jobs, going_on = self._waiting()
            if jobs:
                self._write_group(link, jobs)
                self._answer(jobs)

    def _waiting(self) -> tuple[list[_Job], bool]:
        """All works that wait, at least one and at most a group; and whether more may come."""
        jobs: list[_Job] = []
        while not jobs or (len(jobs) < GROUP and not self._writes.empty()):
            job = self._writes.get()
            if job is None:
                return jobs, False
            jobs.append(job)
        return jobs, True

    def _write_group(self, link: Link, jobs: list[_Job]) -> None:
        until = max(job.until for job in jobs)
        try:
            link.write(partial(self._write_all, link, jobs), until)
        except BaseException as error:  # noqa: BLE001 - it belongs to all who wait, and the thread goes on
            failed = Failure(error)
            for job in jobs:
                if not isinstance(job.result, Failure):
                    job.result = failed

    def _write_all(self, link: Link, jobs: list[_Job], driver: Any) -> None:
        for job in jobs:
            job.result = None
        if len(jobs) == 1:
            jobs[0].result = self._run(jobs[0].work, driver)
            return
        for job in jobs:
            self._write_one(link, driver, job)

    def _write_one(self, link: Link, driver: Any, job: _Job) -> None:
        """Run a work of a group; an exception takes back what it wrote, and nothing else."""
        driver.execute("SAVEPOINT work")
        try:
            job.result = self._run(job.work, driver)
        except BaseException as error:
            if self._dialect.passes(error, alone=link.alone):
                raise
            translated = self._dialect.translate(error) if isinstance(error, self._dialect.error) else error
            job.result = Failure(translated)
            if not driver.in_transaction:
                # The database itself gave up the whole transaction (disk full, I/O error): nobody's work is there.
                raise
            driver.execute("ROLLBACK TO work")
        driver.execute("RELEASE work")

    def _answer(self, jobs: Iterable[_Job]) -> None:
        assert self._reactor is not None
        self._reactor.callFromThread(_answer_all, jobs)

    def _finish(self, done: "Deferred[None]") -> None:
        for thread in (*self._writers, *self._readers):
            thread.join()
        self._disconnect()
        assert self._reactor is not None
        self._reactor.callFromThread(done.callback, None)

    # -- connections

    def _link(self, *, writable: bool) -> Link:
        link = Link(self._dialect, writable=writable)
        self._links.append(link)
        return link

    def _own(self, purpose: str, *, writable: bool) -> Link:
        """The connection of the calling thread."""
        if self._closed:
            raise Closed
        link: Link | None = getattr(self._local, purpose, None)
        if link is None:
            link = self._link(writable=writable)
            setattr(self._local, purpose, link)
        return link

    def _look(self, work: Callable[[Transaction], T], driver: Any) -> T:
        """Run `work`, which only reads."""
        return self._run(work, driver, writes=False)

    def _run(self, work: Callable[[Transaction], T], driver: Any, *, writes: bool = True) -> T:
        """Run `work` in the transaction that the driver has begun."""
        connection = Connection(self._dialect, driver, self._ways, writes=writes)
        try:
            return work(SqlTransaction(connection, self._now()))
        finally:
            connection.finish()

    def _disconnect(self) -> None:
        self._watch.close()
        if self._lease is not None:
            self._lease.close()
        while self._links:
            self._links.pop().close()


def _answer_all(jobs: Iterable[_Job]) -> None:
    for job in jobs:
        job.answer()
