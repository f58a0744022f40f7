"""Leases: of all processes over a database, one does what is to be done once for the site.

A lease is held until the process gives it up or ends, however it ends; nobody has to renew it. Where the database is on
another host, the process must be heard of (`SILENT_SECONDS`). It is a promise about work that is done twice in vain,
not about data: whatever is written is guarded by its transaction.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from calserver.store.values import Busy

LEADING: Final = 0x63616C74
"""The advisory lock of who leads."""
LOOK_SECONDS: Final = 0.3
"""How often is asked for a lease that another process has, and whether one's own still stands."""
SILENT_SECONDS: Final = 15.0
"""After which the database takes the lease from a process that is not heard of: its host may be cut off or gone."""
FAREWELL_SECONDS: Final = 5.0
"""How long a server may take that is told that the lease is given up."""
PATIENCE_SECONDS: Final = 2.0
"""How long a process waits for the lease that begins nothing without it."""


class Lease(Protocol):
    """What one process at a time has."""

    def held(self) -> bool:
        """Whether this one has it; asks for it where nobody does. Never waits."""

    def close(self) -> None:
        """Give it up for good."""


@contextmanager
def leading(lease: Lease) -> Iterator[None]:
    """Have a lease for a while, which nobody else has then.

    Raises:
        Busy: another process has it.
    """
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not lease.held():
            if time.monotonic() > deadline:
                raise Busy("a server is running over it, which has to be stopped first")
            time.sleep(LOOK_SECONDS / 10)
        yield
    finally:
        lease.close()


class FileLease:
    """A lock on a file beside the database; the system takes it away from a process that ends.

    Args:
        path: of the file, which stays and is empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._held = self._closed = False

    def held(self) -> bool:
        """Whether this process has it; costs a system call while it does not."""
        if not self._held and not self._closed:
            try:
                if self._descriptor < 0:
                    self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            self._held = True
        return self._held

    def close(self) -> None:
        """Give it up for good."""
        self._held, self._closed = False, True
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class SessionLease:
    """An advisory lock of PostgreSQL, which ends with the connection; a thread keeps that connection.

    The lock belongs to a transaction that stays open and sees nothing, so that it hinders neither other transactions
    nor the cleaning up behind them, and holds through a pooler that gives out connections for a transaction at a time.

    Args:
        connect: makes a driver.
        error: what drivers raise.
    """

    def __init__(self, connect: Callable[[], Any], error: type[Exception]) -> None:
        self._connect, self._error = connect, error
        self._held = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def held(self) -> bool:
        """Whether this process has it, as of a moment ago; costs nothing."""
        if self._thread is None and not self._ended.is_set():
            self._thread = threading.Thread(target=self._keep, name="store-lease", daemon=True)
            self._thread.start()
        return self._held

    def close(self) -> None:
        """Give it up for good."""
        self._held = False
        self._ended.set()
        if self._thread is not None:
            self._thread.join(FAREWELL_SECONDS)

    def _keep(self) -> None:
        driver = None
        while not self._ended.is_set():
            try:
                driver = driver or self._connect()
                self._held = self._look(driver) and not self._ended.is_set()
            except self._error:
                self._held = False
                if driver is not None:
                    driver.close()
                    driver = None
            self._ended.wait(LOOK_SECONDS)
        self._held = False
        if driver is not None:
            driver.close()

    def _look(self, driver: Any) -> bool:
        """Ask for the lock, or whether the connection that has it is still there.

        In the simple form of the protocol, in which nothing of a query stays behind: no snapshot either.
        """
        if driver.in_transaction:
            driver.command("SELECT 1")
            return True
        driver.command(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;"
            f" SET LOCAL idle_in_transaction_session_timeout = {int(SILENT_SECONDS * 1000)}"
        )
        if driver.cursor().execute(f"SELECT pg_try_advisory_xact_lock({LEADING})", prepare=False).fetchone()[0]:
            return True
        driver.command("ROLLBACK")
        return False
