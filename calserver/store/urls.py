"""Which database a URL means."""

import importlib
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from calserver.store.dialects import Dialect
from calserver.store.sqlite import SQLite
from calserver.store.values import Unusable


def dialect_of(url: str, *, busy_timeout: float = 10.0, writers: int = 1, cache_bytes: int = 2**22) -> Dialect:
    """The dialect for the URL of a database.

    Args:
        url: such as ``sqlite:////var/lib/calserver/calserver.db``, or one that libpq takes, such as
            ``postgresql://calserver@db.example.com/calserver``.
        busy_timeout: see `Dialect.busy_timeout`.
        writers: see `Dialect.writers`; SQLite has one whatever this says.
        cache_bytes: `SQLite.cache_bytes`; PostgreSQL has a cache of its own.

    Raises:
        ValueError: it is none.
        Unusable: what is needed for it is not installed.
    """
    scheme, _, rest = url.partition("://")
    backend = scheme.partition("+")[0]
    if backend in ("postgresql", "postgres"):
        return _postgres(f"postgresql://{rest}", busy_timeout, writers)
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("the database URL is none") from None
    if backend != "sqlite":
        raise ValueError(f"unknown database {backend!r}: sqlite and postgresql are what there is")
    if not parsed.database or parsed.database == ":memory:" or parsed.query:
        raise ValueError("the database URL names no file")
    return SQLite(Path(parsed.database), busy_timeout, cache_bytes)


def _postgres(url: str, busy_timeout: float, writers: int) -> Dialect:
    try:
        # psycopg is there only where somebody wants PostgreSQL.
        module = importlib.import_module("calserver.store.postgres")
    except ModuleNotFoundError as error:
        raise Unusable(f"{error.name} is not installed: pip install 'calserver[postgres]'") from error
    made: Dialect = module.Postgres(url, busy_timeout, writers)
    return made
