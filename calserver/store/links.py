"""Connections that transactions run over: made when they are needed, anew where they were lost; patient with others.

A transaction that fails because others were in the way is done again, at last with nobody else there; one that fails
because the server was away, until its time is over. That is right as long as it has not committed, since all that it
did is undone. Only when a connection is lost between the wish to commit and the answer, nobody knows whether it did:
that is `Uncertain`, and not tried again.
"""

import random
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from calserver.store.dialects import Dialect
from calserver.store.values import Busy

T = TypeVar("T")

OPTIMISTIC: Final = 2
"""How often a transaction may find others in the way before it asks for the database alone."""
CONTESTED_SECONDS: Final = 0.004
AWAY_SECONDS: Final = 0.1
"""How long to wait before the next try, at most."""


class Uncertain(Busy):
    """The connection was lost during a commit: whether anything was written is not known."""


class Link:
    """A connection for one thread at a time.

    Args:
        dialect: of which database.
        writable: whether it may write.
    """

    def __init__(self, dialect: Dialect, *, writable: bool) -> None:
        self._dialect = dialect
        self._writable = writable
        self._driver: Any = None
        self.alone = False
        """Whether the transaction that runs has the database alone: nobody will be in its way."""

    def read(self, work: Callable[[Any], T], until: float) -> T:
        """Run `work` on the driver over a snapshot.

        Args:
            work: what is done.
            until: when it is not tried again any more (`time.monotonic`).

        Raises:
            Busy: the database is away.
        """
        while True:
            try:
                driver = self._open()
                self._dialect.begin_read(driver)
                return work(driver)
            except self._dialect.error as error:
                if not self._dialect.passes(error, alone=True):
                    raise
                if time.monotonic() > until:
                    raise self._dialect.translate(error) from error
            finally:
                self._rest()
            time.sleep(random.uniform(0, AWAY_SECONDS))

    def write(self, work: Callable[[Any], T], until: float) -> T:
        """Run `work` on the driver in a writing transaction, and commit.

        Whoever finds others in the way gets the database alone at last, however long that one has waited before.

        Args:
            work: what is done, maybe several times.
            until: when a database that is away is not waited for any more (`time.monotonic`).

        Raises:
            Busy: others were in the way for too long, or the database is away.
            Uncertain: whether it was written is not known.
            Full: there is no room.
        """
        contested = 0
        while True:
            self.alone = contested >= OPTIMISTIC
            try:
                driver = self._open()
                self._dialect.begin_write(driver, alone=self.alone)
                result = work(driver)
                self._commit(driver)
                return result
            except BaseException as error:
                away = self._driver is None or self._dialect.lost(self._driver)
                self._rest()
                over = time.monotonic() > until if away else self.alone
                if over or not self._dialect.passes(error, alone=self.alone):
                    raised = self._translated(error)
                    if raised is error:
                        raise
                    raise raised from error
            if away:
                time.sleep(random.uniform(0, AWAY_SECONDS))
            else:
                contested += 1
                time.sleep(random.uniform(0, CONTESTED_SECONDS))

    def close(self) -> None:
        """End the connection."""
        if self._driver is not None:
            self._driver.close()

    def _open(self) -> Any:
        if self._driver is None:
            self._driver = self._dialect.connect(writable=self._writable)
        return self._driver

    def _commit(self, driver: Any) -> None:
        try:
            self._dialect.commit(driver)
        except self._dialect.error as error:
            if self._dialect.lost(driver):
                raise Uncertain("the connection was lost during the commit") from error
            raise

    def _rest(self) -> None:
        """Take back what was not committed, and forget a connection that was lost."""
        driver = self._driver
        try:
            if driver is not None and driver.in_transaction:
                driver.execute("ROLLBACK")
        except self._dialect.error:
            if not self._dialect.lost(driver):
                raise
        if driver is not None and self._dialect.lost(driver):
            driver.close()
            self._driver = None

    def _translated(self, error: BaseException) -> BaseException:
        return self._dialect.translate(error) if isinstance(error, self._dialect.error) else error
