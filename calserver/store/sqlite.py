"""SQLite: one file, readers that see snapshots, and one writer at a time."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import attrs
from sqlalchemy import Connection, NullPool, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from calserver.store.dialects import among, joined, unplain
from calserver.store.leases import FileLease
from calserver.store.schema import UNPLAIN_IN_SQLITE, metadata
from calserver.store.values import Busy, Full, Missing, Unusable


@compiles(among, "sqlite")
def _among(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = compiler.process(element.column, **kw), compiler.process(element.values, **kw)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(joined, "sqlite")
def _joined(element: joined, compiler: SQLCompiler, **kw: Any) -> str:
    line, separator = compiler.process(element.line, **kw), compiler.process(element.separator, **kw)
    return f"CAST(group_concat({line}, {separator}) AS BLOB)"


@compiles(unplain, "sqlite")
def _unplain(element: unplain, compiler: SQLCompiler, **kw: Any) -> str:
    return UNPLAIN_IN_SQLITE


_as_json: Final = json.JSONEncoder(separators=(",", ":")).encode
COUNTED: Final = "sqlite_autoincrement"
STEPS: Final = 4000
"""Steps of SQLite's virtual machine, in all runs of a statement together: about a hundred rows."""


@attrs.frozen(slots=True)
class SQLite:
    """SQLite in WAL mode: readers see snapshots and never wait, writers queue for the one write lock.

    ``synchronous=FULL`` syncs the log at each commit, so what was acknowledged survives a loss of power.
    """

    path: Path
    busy_timeout: float
    """Seconds that a writer waits for another process."""
    cache_bytes: int = 2**22
    """How much of the file is kept in memory by the connection that looks, and by the one that writes; readers, of
    which there are more and which are asked less, keep a quarter of that."""

    name: ClassVar = "sqlite"
    compiler: ClassVar = sqlite.dialect(paramstyle="named")
    error: ClassVar[type[Exception]] = sqlite3.Error
    writers: ClassVar = 1
    glances: ClassVar = True

    def connect(self, *, writable: bool) -> sqlite3.Connection:
        """A new driver."""
        cache_bytes = self.cache_bytes if writable else self.cache_bytes // 4
        return self._connect(writable=writable, wait_seconds=self.busy_timeout, cache_bytes=cache_bytes)

    def _connect(self, *, writable: bool, wait_seconds: float, cache_bytes: int) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=self.busy_timeout,  # while it is opened: somebody may be recovering what a crash has left
            isolation_level=None,
            check_same_thread=False,
            cached_statements=400,
        )
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"cache_size=-{cache_bytes // 1024}",
            "journal_size_limit=67108864",
            f"query_only={'OFF' if writable else 'ON'}",
            f"busy_timeout={round(wait_seconds * 1000)}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def connect_watch(self, enough: Callable[[], bool]) -> sqlite3.Connection:
        """A driver that asks `enough` now and then, after `STEPS` of a statement, and fails if it is so."""
        connection = self._connect(writable=False, wait_seconds=0, cache_bytes=self.cache_bytes)
        connection.set_progress_handler(enough, STEPS)
        return connection

    def lease(self) -> FileLease:
        """What one process over this database has at a time."""
        return FileLease(self.path.with_name(self.path.name + "-lead"))

    def lost(self, driver: sqlite3.Connection) -> bool:
        """Whether a driver is of no use any more: a file does not go away."""
        return False

    def prepare(self) -> None:
        """Make the file where there is none: readable by its owner only, and its directory entry durable.

        Raises:
            Unusable: it cannot be made.
        """
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return
        except OSError as error:
            raise Unusable(f"{self.path}: {error.strerror}") from error
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def tables(self) -> Iterator[Connection]:
        """For looking at tables and changing them: a connection of SQLAlchemy that holds the write lock.

        Foreign keys are not enforced, since changing a table may mean to make it anew.

        Raises:
            Busy: another process keeps the lock for too long.
            Unusable: the file cannot be opened, or is no database.
        """

        def connect() -> sqlite3.Connection:
            connection = self.connect(writable=True)
            connection.execute("PRAGMA foreign_keys=OFF")
            return connection

        engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raised = self.translate(error.orig) if isinstance(error.orig, Exception) else error
            if isinstance(raised, self.error):
                raised = Unusable(f"{self.path}: {raised}")
            raise raised from error

    def exists(self) -> bool:
        """Whether there is a database."""
        return self.path.exists()

    def problems(self) -> list[str]:
        """What the database itself finds wrong with its pages and its references."""
        found: list[str] = []
        try:
            with closing(self.connect(writable=False)) as connection:
                found += [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
                found += [
                    f"row {rowid} of {table} refers to nothing in {parent}"
                    for table, rowid, parent, _ in connection.execute("PRAGMA foreign_key_check")
                ]
        except sqlite3.DatabaseError as error:
            found.append(str(error))
        return found

    def keep_out_writers(self, connection: Connection) -> None:
        """Let nobody write: the transaction of `tables` has the write lock."""

    def last_numbers(self, connection: Connection) -> Mapping[str, int]:
        """The highest id that was ever given out, by table."""
        return {row[0]: row[1] for row in connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")}

    def continue_numbers(self, connection: Connection, last: Mapping[str, int]) -> None:
        """Go on from there; SQLite counts only where ids must not come again."""
        for name in set(last) & {each.name for each in metadata.tables.values() if each.dialect_kwargs.get(COUNTED)}:
            connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, last[name]))

    def count_on(self, driver: Any, table: str) -> None:
        """SQLite never gives out one that is there."""

    def untie(self, connection: Connection) -> None:
        """Allow rows to come before those that they refer to: `tables` does."""

    def tie(self, connection: Connection) -> None:
        """See that nothing is missing.

        Raises:
            Missing: something refers to what is not there.
        """
        if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise Missing("something refers to what is not there")

    def begin_read(self, driver: sqlite3.Connection) -> None:
        """Begin a snapshot."""
        driver.execute("BEGIN")

    def begin_write(self, driver: sqlite3.Connection, *, alone: bool) -> None:
        """Take the write lock; the driver itself waits for it."""
        driver.execute("BEGIN IMMEDIATE")

    def commit(self, driver: sqlite3.Connection) -> None:
        """Commit, and return when it is on the disk."""
        driver.execute("COMMIT")

    def passes(self, error: BaseException, *, alone: bool) -> bool:
        """Whether what failed may succeed when it is done again: who has the write lock has nobody in the way."""
        return False

    def translate(self, error: Exception) -> Exception:
        """What the contract raises for an error of the driver; the error itself where it says nothing about it."""
        if isinstance(error, sqlite3.IntegrityError) and error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            return Missing("something refers to what is not there")
        code = error.sqlite_errorcode & 0xFF if isinstance(error, sqlite3.OperationalError) else None
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Busy("another process keeps the database")
        if code == sqlite3.SQLITE_FULL:
            return Full("there is no room left on the disk")
        return error

    def version(self, watch: sqlite3.Connection) -> int:
        """A number that differs from the last one of this driver if others committed since."""
        return int(watch.execute("PRAGMA data_version").fetchone()[0])

    def stream(self, driver: sqlite3.Connection, sql: str, parameters: dict[str, Any]) -> sqlite3.Cursor:
        """Run a query whose rows are not wanted all at once: all are like that."""
        return driver.execute(sql, parameters)

    def values(self, values: Iterable[int | str]) -> str:
        """The parameter of `among`."""
        return _as_json(list(values))
