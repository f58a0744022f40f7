"""The store of a server: open it beside the daemon, upgrade its tables, check what is in it."""

from collections.abc import Iterator
from contextlib import contextmanager

from calserver import store
from calserver.admin.refused import Refused
from calserver.config import Config
from calserver.store import Busy, Health, SchemaMismatch, Store


@contextmanager
def opened(config: Config) -> Iterator[Store]:
    """The store of a configuration for ``read_now`` and ``write_now``; a daemon may run over it at the same time.

    Raises:
        Refused: its tables are of another version, or it stayed locked longer than ``store.busy_timeout_seconds``.
    """
    try:
        found = store.open_store(config.store_url, reactor=None, busy_timeout=config.store.busy_timeout_seconds)
    except SchemaMismatch as error:
        raise Refused(f"{error} (calserver db upgrade)") from None
    except Busy:
        raise _busy() from None
    try:
        yield found
    except Busy:
        raise _busy() from None
    finally:
        found.close()


def upgrade(config: Config) -> Health:
    """Make the tables, or bring them to the revision that this version of the program works with.

    Raises:
        Refused: another process keeps the database.
    """
    try:
        store.upgrade(config.store_url)
    except Busy:
        raise _busy() from None
    return check(config)


def check(config: Config) -> Health:
    """Look at the database without changing it: the revision of its tables, and what is damaged."""
    return store.check(config.store_url)


def _busy() -> Refused:
    return Refused("another process keeps the database; try again")
