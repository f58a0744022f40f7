"""The store of a server: open it beside the daemon, upgrade its tables, check what is in it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs

from calserver import store
from calserver.admin.refused import Refused
from calserver.config import Config
from calserver.store import Busy, Full, Health, SchemaMismatch, Store, Unusable

UPGRADE: Final = "calserver db upgrade"


@contextmanager
def opened(config: Config, whose: str = "the database", upgrade: str = UPGRADE) -> Iterator[Store]:
    """The store of a configuration for ``read_now`` and ``write_now``; a daemon may run over it at the same time.

    Args:
        config: of the server.
        whose: what it is called where it is refused.
        upgrade: the command that upgrades it.

    Raises:
        Refused: it cannot be opened, its tables are of another version, it stayed locked longer than
            ``store.busy_timeout_seconds``, or there is no room for what is to be written.
    """
    try:
        found = store.open_store(config.store_url, reactor=None, busy_timeout=config.store.busy_timeout_seconds)
    except SchemaMismatch as error:
        raise Refused(told(SchemaMismatch(error.found, whose), upgrade)) from None
    except (Busy, Unusable) as error:
        raise _refused(error) from None
    try:
        yield found
    except (Busy, Full) as error:
        raise _refused(error) from None
    finally:
        found.close()


@contextmanager
def directory(config: Config) -> Iterator[Store]:
    """The database with the accounts: the directory of a cluster, or else the store itself; see `opened`."""
    if not config.cluster.node:
        with opened(config) as found:
            yield found
        return
    with opened(of_directory(config), "the directory", f"{UPGRADE} --directory") as found:
        yield found


def of_directory(config: Config) -> Config:
    """A configuration whose store is the directory of the cluster.

    Raises:
        Refused: it is none of a cluster.
    """
    if not config.cluster.node:
        raise Refused("this server is no node of a cluster, and has no directory")
    return attrs.evolve(config, store=attrs.evolve(config.store, url=config.directory_url))


def upgrade(config: Config) -> Health:
    """Make the tables, or bring them to the revision that this version of the program works with.

    Raises:
        Refused: it cannot be opened, another process keeps it, or there is no room for it.
    """
    try:
        store.upgrade(config.store_url)
    except SchemaMismatch as error:
        raise Refused(str(error)) from None
    except (Busy, Full, Unusable) as error:
        raise _refused(error) from None
    return check(config)


def check(config: Config) -> Health:
    """Look at the database without changing it: the revision of its tables, and what is damaged.

    Raises:
        Refused: it cannot be opened, or another process keeps it.
    """
    try:
        return store.check(config.store_url)
    except ValueError as error:
        raise Refused(f"store.url: {error}") from None
    except (Busy, Unusable) as error:
        raise _refused(error) from None


def copy(source: str, target: str, progress: Callable[[str, int, int], object]) -> Sequence[store.Copied]:
    """Move a whole store to another database: an empty one, or one with a copy that was interrupted.

    Args:
        source: the URL of a store, whose writers are kept out meanwhile.
        target: the URL of a database.
        progress: is told a table, how many of its rows are done, and how many there are.

    Raises:
        Refused: one of them cannot be opened, or is in use; the target has a store; or what was copied is not the same.
    """
    try:
        return store.copy(source, target, progress)
    except SchemaMismatch as error:
        raise Refused(str(error)) from None
    except ValueError as error:
        raise Refused(str(error)) from None
    except (Busy, Full, Unusable) as error:
        raise _refused(error) from None


def told(error: SchemaMismatch, upgrade: str = UPGRADE) -> str:
    """What is wrong with tables, and the command that mends it, where there is one."""
    return f"{error} ({upgrade})" if error.is_older else str(error)


def _refused(error: Busy | Full | Unusable) -> Refused:
    return Refused(f"{error}; try again" if isinstance(error, Busy) else str(error))
