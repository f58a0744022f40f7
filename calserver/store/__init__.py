"""Persistence: one database, its transactions, and the values they speak.

Theory of operation. `interface` is the contract: protocols grouped by subject, over the values of `values`. Its one
implementation writes SQL through SQLAlchemy Core. Statements are module constants beside the methods that use them,
compiled once and run on the driver (`statements`); what differs between databases lies in `sqlite` and `postgres`.
`engine` has the threads and the grouping of commits, `links` the patience with others, `leases` who of many processes
leads; `migrations` makes and upgrades the tables of `schema`, `copying` moves them to another database,
`moves` the homes of somebody, and `ties` what is shared with others.

How a change is numbered is told in `revisions`, how a range of time is found in `instances`.
"""

import importlib
from collections.abc import Callable
from datetime import datetime

from calserver.dav import Lock
from calserver.store.aside import BRANCH
from calserver.store.copying import Copied, copy
from calserver.store.engine import Closed, Reactor, SqlStore, utc_now
from calserver.store.interface import (
    ChangeLog,
    Collections,
    Copies,
    Journal,
    Locks,
    Meta,
    Moves,
    Objects,
    Peers,
    Placements,
    Principals,
    Rolls,
    Shares,
    Store,
    Tasks,
    Transaction,
)
from calserver.store.links import Uncertain
from calserver.store.raw import Content
from calserver.store.schema import REVISION
from calserver.store.tables import Health, SchemaMismatch, check, ensure
from calserver.store.urls import dialect_of
from calserver.store.values import (
    AddressTaken,
    Busy,
    Collection,
    Copy,
    Draft,
    Entry,
    Full,
    Held,
    Lane,
    Missing,
    NameTaken,
    Object,
    Part,
    Peer,
    Principal,
    Roll,
    Share,
    Source,
    Stamp,
    StrangeDirectory,
    Taken,
    Taker,
    Task,
    Tie,
    Tombstone,
    UidTaken,
    Unusable,
    Variant,
    Wanted,
)

__all__ = [
    "BRANCH",
    "REVISION",
    "AddressTaken",
    "Busy",
    "ChangeLog",
    "Closed",
    "Collection",
    "Collections",
    "Content",
    "Copied",
    "Copies",
    "Copy",
    "Draft",
    "Entry",
    "Full",
    "Health",
    "Held",
    "Journal",
    "Lane",
    "Lock",
    "Locks",
    "Meta",
    "Missing",
    "Moves",
    "NameTaken",
    "Object",
    "Objects",
    "Part",
    "Peer",
    "Peers",
    "Placements",
    "Principal",
    "Principals",
    "Roll",
    "Rolls",
    "SchemaMismatch",
    "Share",
    "Shares",
    "Source",
    "Stamp",
    "Store",
    "StrangeDirectory",
    "Taken",
    "Taker",
    "Task",
    "Tasks",
    "Tie",
    "Tombstone",
    "Transaction",
    "UidTaken",
    "Uncertain",
    "Unusable",
    "Variant",
    "Wanted",
    "check",
    "copy",
    "open_store",
    "upgrade",
]


def open_store(
    url: str,
    *,
    reactor: Reactor | None,
    readers: int = 4,
    writers: int = 1,
    busy_timeout: float = 10.0,
    cache_bytes: int = 2**22,
    paths: int = 2000,
    now: Callable[[], datetime] = utc_now,
) -> SqlStore:
    """Open a database; an empty one gets its tables.

    Args:
        url: such as ``sqlite:////var/lib/calserver/calserver.db``, or ``postgresql://calserver@db/calserver``.
        reactor: where results are handed over; None leaves only `read_now` and `write_now`.
        readers: how many reads run at the same time.
        writers: how many groups of writes run at the same time, where the database takes more than one.
        busy_timeout: seconds that a write waits for others before `Busy`, and both for a database that is away.
        cache_bytes: see `calserver.store.sqlite.SQLite`.
        paths: how many ways to collections are remembered.
        now: the clock.

    Raises:
        SchemaMismatch: the tables are of another revision: `upgrade` first.
        Busy: another process keeps the database.
        Unusable: it cannot be opened.
    """
    dialect = dialect_of(url, busy_timeout=busy_timeout, writers=writers, cache_bytes=cache_bytes)
    ensure(dialect)
    return SqlStore(dialect, reactor=reactor, readers=readers, paths=paths, now=now)


def upgrade(url: str) -> None:
    """Bring the tables of a database to the revision that this program works with; a missing one is made.

    Raises:
        Busy: another process keeps the database, or a server is running over tables that are to be changed.
        SchemaMismatch: a newer program has made the tables.
        Unusable: it cannot be opened.
    """
    # Alembic takes a fifth of a second to load, which a server that starts need not pay.
    importlib.import_module("calserver.store.migrations").upgrade(url)
