"""PostgreSQL, by psycopg: many processes on many machines over one database.

What SQLite gives by having one writer, PostgreSQL gives by proof: writers run in serializable transactions, so whatever
several of them do at a time comes out as if they had run one after the other. Revisions, UIDs that are unique in a
home, rooms that take one booking, tombstones, tasks that are done once: all that is read in a transaction still holds
when it commits, or the transaction fails and is done again (`passes`, `calserver.store.links`).

A process has one writer at a time (or few), which commits in groups; so the transactions that may be in the way of one
another are as many as there are processes, and not as many as there are requests. Whoever had others in the way twice
asks for the database alone: each writer holds a weak lock of the table ``meta`` and that one a strong lock, taken
before the snapshot. Then nothing can be in the way, and it goes through. So the worst that contention comes to is what
SQLite does always.

Nothing here needs a session: no setting, no lock, no prepared statement outlives a transaction where a pooler gives
out another connection for each (pgbouncer with ``pool_mode = transaction``). Where there is no pooler, statements are
prepared.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, count
from typing import Any, ClassVar, Final, TypeVar

import attrs
import psycopg
from psycopg import errors, waiting
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper
from sqlalchemy import Connection, NullPool, Text, create_engine, func, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from calserver.store.dialects import among, joined, unplain
from calserver.store.leases import SessionLease
from calserver.store.schema import UNPLAIN_IN_POSTGRES, UNPLAIN_INDEX, metadata
from calserver.store.values import Busy, Full, Missing, Unusable

T = TypeVar("T")

OLDEST: Final = 15
"""The oldest version that is worked with."""
MAKING: Final = 0x63616C73
"""The advisory lock of who makes or changes tables."""
CROWDED_SECONDS: Final = (0.1, 0.3)
"""How long a writer waits for the lock of another one, at random: two that wait for each other do not both give up."""
IDLE_SECONDS = 30.0
"""When the server gives up a transaction in which nothing is asked any more: whoever began it is gone, or hangs."""
LOOK_SECONDS: Final = 0.1
"""How long a look from the reactor thread may take; what takes longer is given up, and the connection with it."""
SLOW_SECONDS, CALM_SECONDS = 0.02, 1.0
"""After a look that took so long there are none for a while."""
REFERENCES: Final = (("fk_collection_parent_id", "parent_id"), ("fk_collection_source_id", "source_id"))
"""Of collections to collections, which may have been made later than what lies in them by now."""
PATIENCE: Final = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "target_session_attrs": "read-write",
    "application_name": "calserver",
}
"""What a URL that says nothing about it gets: a host that is gone is noticed, and only a primary is worked with."""

for _index in chain.from_iterable(table.indexes for table in metadata.tables.values()):
    if (_where := _index.dialect_options["sqlite"]["where"]) is not None:
        _where = text(UNPLAIN_IN_POSTGRES) if _index.name == UNPLAIN_INDEX else _where
        _index.dialect_options["postgresql"]["where"] = _where


@compiles(Text, "postgresql")
def _text(element: Text, compiler: Any, **kw: Any) -> str:
    """Names, paths and UIDs compare byte by byte, whatever language the database was made for."""
    return 'TEXT COLLATE "C"'


@compiles(among, "postgresql")
def _among(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} = ANY({compiler.process(element.values, **kw)})"


@compiles(joined, "postgresql")
def _joined(element: joined, compiler: SQLCompiler, **kw: Any) -> str:
    line, separator, order = (compiler.process(each, **kw) for each in (element.line, element.separator, element.order))
    return f"convert_to(string_agg({line}, {separator} ORDER BY {order}), 'UTF8')"


@compiles(unplain, "postgresql")
def _unplain(element: unplain, compiler: SQLCompiler, **kw: Any) -> str:
    return UNPLAIN_IN_POSTGRES.replace("%", "%%")


class TooSlow(psycopg.OperationalError):
    """A look took too long, or there is no connection for it."""


class Driver(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is used like one of SQLite, and that may be told how long it may wait."""

    deadline: float | None = None
    """When waiting for the server is given up (`time.monotonic`); the connection is of no use after that."""
    _names = count()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun."""
        return self.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    def execute(self, query: Any, params: Any = None, **kw: Any) -> "psycopg.Cursor[tuple[Any, ...]]":
        """Run a statement; values come in binary form."""
        return self.cursor(binary=True).execute(query, params, **kw)

    def executemany(self, query: Any, rows: Iterable[Any]) -> None:
        """Run a statement for each of `rows`, all on their way at once.

        Behind such a batch the server does not count how long nothing is asked (`IDLE_SECONDS`), so something is.
        """
        batch = list(rows)
        if len(batch) == 1:
            self.execute(query, batch[0])
        elif batch:
            self.cursor(binary=True).executemany(query, batch)
            self.command("")

    def command(self, text: str) -> None:
        """Run several statements that have no parameters, on one way to the server and back."""
        self.cursor().execute(text, prepare=False)

    def stream(self, query: Any, parameters: Any) -> "psycopg.ServerCursor[tuple[Any, ...]]":
        """Run a query whose rows come some hundred at a time."""
        cursor = self.cursor(name=f"rows{next(self._names)}", binary=True)
        cursor.itersize = 200
        cursor.execute(query, parameters)
        return cursor

    def wait(self, gen: Any, *args: Any, **kw: Any) -> Any:
        """Wait for the server, until the deadline."""
        if self.deadline is None:
            return super().wait(gen, *args, **kw)
        return waiting.wait(_until(gen, self.deadline), self.pgconn.socket, interval=LOOK_SECONDS / 10)


def _until(gen: Any, deadline: float) -> Any:
    """A conversation of psycopg that ends at a deadline."""
    try:
        state = next(gen)
        while True:
            ready = yield state
            if not ready and time.monotonic() > deadline:
                raise TooSlow("the database did not answer in time")
            state = gen.send(ready)
    except StopIteration as done:
        return done.value


class Watch:
    """Looks from the reactor thread, each a statement of its own: over in no time, or given up.

    A connection that was lost is made anew in a thread.
    """

    _SNAPSHOT: Final = "SELECT pg_current_snapshot()::text, pg_postmaster_start_time()::text"

    def __init__(self, connect: Callable[[], Driver]) -> None:
        self._connect = connect
        self._driver: Driver | None = connect()
        self._connecting: threading.Thread | None = None
        self._calm_until = 0.0
        self._closed = False
        self._seen: tuple[Any, ...] | None = None
        self._number = 0

    def version(self) -> int:
        """A number that changes with the snapshot that a transaction would get.

        Two equal snapshots see the same: when a transaction ends that wrote something, the next one differs, and none
        ever comes again. Another server, or the same one after a restart, may have another past.
        """
        found = self.execute(self._SNAPSHOT).fetchone()
        if found != self._seen:
            self._seen, self._number = found, self._number + 1
        return self._number

    def execute(self, sql: str, parameters: Any = None) -> Any:
        """Run a statement; raises `psycopg.Error` where it takes too long."""
        driver, began = self._driver, time.monotonic()
        if driver is None or began < self._calm_until:
            self._connect_soon(began)
            raise TooSlow("the database is slow, or away")
        driver.deadline = began + LOOK_SECONDS
        try:
            return driver.execute(sql, parameters)
        except psycopg.Error:
            self._driver = self._seen = None
            driver.close()
            raise
        finally:
            if time.monotonic() - began > SLOW_SECONDS:
                self._calm_until = began + CALM_SECONDS

    def close(self) -> None:
        """End."""
        self._closed = True
        if self._driver is not None:
            self._driver.close()

    def _connect_soon(self, now: float) -> None:
        if self._driver is None and now >= self._calm_until and self._connecting is None:
            self._connecting = threading.Thread(target=self._connect_anew, name="store-watch", daemon=True)
            self._connecting.start()

    def _connect_anew(self) -> None:
        try:
            self._driver = self._connect()
            if self._closed:
                self._driver.close()
        except psycopg.Error:
            self._calm_until = time.monotonic() + CALM_SECONDS
        finally:
            self._connecting = None


@attrs.frozen(slots=True)
class Postgres:
    """PostgreSQL: snapshots for readers, serializable transactions for writers."""

    url: str = attrs.field(repr=False)
    """As libpq takes it."""
    busy_timeout: float
    writers: int = 1

    name: ClassVar = "postgres"
    compiler: ClassVar = postgresql.dialect(paramstyle="pyformat")  # type: ignore[no-untyped-call]  # it has no types
    error: ClassVar[type[Exception]] = psycopg.Error
    glances: ClassVar = False

    # -- the database

    def prepare(self) -> None:
        """See that tables can be made in it.

        Raises:
            Unusable: it cannot be reached, is too old, or does not take all letters.
        """
        try:
            with self.connect(writable=True) as driver:
                info = driver.info
                if info.server_version < OLDEST * 10_000:
                    raise Unusable(f"PostgreSQL {OLDEST} or later is needed, this is {info.server_version // 10_000}")
                if info.parameter_status("server_encoding") not in (None, "UTF8"):
                    raise Unusable("the database must have the encoding UTF8 (createdb --encoding=UTF8)")
        except psycopg.Error as error:
            raise Unusable(_sentence(error)) from error

    @contextmanager
    def tables(self) -> Iterator[Connection]:
        """For looking at tables and changing them: a connection of SQLAlchemy, in a transaction that is alone.

        Raises:
            Busy: another process keeps the database for too long.
            Unusable: it cannot be reached.
        """

        def connect() -> Any:
            return psycopg.connect(self._conninfo())

        engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_milliseconds(self.busy_timeout)}")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MAKING})")
                yield connection
        except DBAPIError as error:
            raise self._about_tables(error.orig or error) from error
        except psycopg.Error as error:
            raise self._about_tables(error) from error

    def _about_tables(self, error: BaseException) -> BaseException:
        if isinstance(error, errors.LockNotAvailable):
            return Busy("another process keeps the tables")
        return Unusable(_sentence(error)) if isinstance(error, psycopg.OperationalError) else error

    def exists(self) -> bool:
        """Whether there is a database: who asks for its tables is told."""
        return True

    def problems(self) -> list[str]:
        """What would lose acknowledged writes, and what the database itself knows to be broken."""
        try:
            with self.connect(writable=False) as driver:
                settings = [
                    f"{name} is off: what was acknowledged may be lost with the power"
                    for name in ("fsync", "full_page_writes", "synchronous_commit")
                    if driver.execute(f"SHOW {name}").fetchall()[0][0] == "off"
                ]
                broken = driver.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
                return settings + [f"the index {row[0]} is not valid" for row in broken.fetchall()]
        except psycopg.Error as error:
            return [_sentence(error)]

    def keep_out_writers(self, connection: Connection) -> None:
        """Let nobody write until the transaction ends."""
        connection.exec_driver_sql("LOCK TABLE meta IN EXCLUSIVE MODE")

    def last_numbers(self, connection: Connection) -> Mapping[str, int]:
        """The highest id that was ever given out, by table."""
        return {name: self._number(connection, sequence) for name, sequence in _sequences(connection)}

    def _number(self, connection: Connection, sequence: str) -> int:
        last, called = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()
        return int(last) if called else 0

    def continue_numbers(self, connection: Connection, last: Mapping[str, int]) -> None:
        """Go on from there, or from the highest that there is."""
        for name, sequence in _sequences(connection):
            there = connection.scalar(select(func.max(metadata.tables[name].c.id))) or 0
            number = max(last.get(name, 0), there)
            connection.execute(select(func.setval(sequence, max(number, 1), number > 0)))

    def count_on(self, driver: Driver, table: str) -> None:
        """Give out no id of a table that is there."""
        driver.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")

    def untie(self, connection: Connection) -> None:
        """Allow collections to come before those that they lie in, or are bound to."""
        for name, _ in REFERENCES:
            connection.exec_driver_sql(f"ALTER TABLE collection DROP CONSTRAINT IF EXISTS {name}")

    def tie(self, connection: Connection) -> None:
        """Allow that no longer; raises where something is missing."""
        for name, column in REFERENCES:
            connection.exec_driver_sql(
                f"ALTER TABLE collection ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES collection (id)"
            )

    # -- connections

    def connect(self, *, writable: bool) -> Driver:
        """A new driver; it prepares statements unless a pooler lies between: then it talks to another process."""
        driver = Driver.connect(self._conninfo(), autocommit=True)
        driver.adapters.register_dumper(int, Int8Dumper)
        driver.adapters.register_dumper(int, Int8BinaryDumper)
        driver.prepared_max = 400
        found = driver.execute("SELECT pg_backend_pid()").fetchone()
        if found is None or found[0] != driver.info.backend_pid:
            driver.prepare_threshold = None
        return driver

    def connect_watch(self, enough: Callable[[], bool]) -> Watch:
        """A driver for the reactor thread."""
        return Watch(lambda: self.connect(writable=False))

    def lease(self) -> SessionLease:
        """What one process over this database has at a time."""
        return SessionLease(lambda: self.connect(writable=False), psycopg.Error)

    def lost(self, driver: Driver) -> bool:
        """Whether a driver is of no use any more."""
        return driver.closed or driver.broken

    def _conninfo(self) -> str:
        given = conninfo_to_dict(self.url)
        return make_conninfo(self.url, **{name: value for name, value in PATIENCE.items() if name not in given})

    # -- transactions

    def begin_read(self, driver: Driver) -> None:
        """Begin a snapshot."""
        driver.command(f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off; {_idle()}")

    def begin_write(self, driver: Driver, *, alone: bool) -> None:
        """Begin to write; the lock is there before the snapshot, since LOCK does not take one.

        Queries find what they want by indexes, so that no more is watched for conflicts than what was looked at.
        """
        if driver.info.parameter_status("in_hot_standby") == "on":
            driver.close()
            raise psycopg.OperationalError("this is a standby")
        driver.command(
            "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE; SET LOCAL enable_seqscan = off; SET LOCAL jit = off;"
            f"{_idle()};"
            f"SET LOCAL lock_timeout = {_milliseconds(self.busy_timeout)};"
            f"LOCK TABLE meta IN {'EXCLUSIVE' if alone else 'ROW EXCLUSIVE'} MODE;"
            f"SET LOCAL lock_timeout = {_milliseconds(random.uniform(*CROWDED_SECONDS))}"
        )

    def commit(self, driver: Driver) -> None:
        """Commit; what PostgreSQL rolls back instead is an error."""
        if driver.execute("COMMIT").statusmessage != "COMMIT":
            raise errors.InFailedSqlTransaction("the transaction had failed before")

    def passes(self, error: BaseException, *, alone: bool) -> bool:
        """Whether what failed may succeed when it is done again: others were in the way, or the server was away.

        What breaks a constraint may do so only because another one has written at the same time.
        """
        if isinstance(error, errors.IntegrityError):
            return not alone
        if isinstance(error, errors.OperationalError):
            return not isinstance(error, errors.DiskFull | errors.QueryCanceled)
        return isinstance(error, psycopg.InterfaceError | errors.IdleInTransactionSessionTimeout)

    def translate(self, error: Exception) -> Exception:
        """What the contract raises for an error of the driver; the error itself where it says nothing about it."""
        if isinstance(error, errors.ForeignKeyViolation):
            return Missing("something refers to what is not there")
        if isinstance(error, errors.DiskFull):
            return Full("there is no room left on the disk")
        if isinstance(error, errors.LockNotAvailable | errors.SerializationFailure | errors.DeadlockDetected):
            return Busy("others were in the way for too long")
        if not isinstance(error, errors.IntegrityError) and self.passes(error, alone=False):
            return Busy(f"the database is away: {_sentence(error)}")
        return error

    def version(self, watch: Watch) -> int:
        """A number that differs from the last one if others committed since."""
        return watch.version()

    def stream(self, driver: Driver, sql: str, parameters: dict[str, Any]) -> Any:
        """Run a query whose rows are not wanted all at once."""
        return driver.stream(sql, parameters)

    def values(self, values: Iterable[int | str]) -> list[int | str]:
        """The parameter of `among`."""
        return list(values)


def _sequences(connection: Connection) -> Sequence[tuple[str, str]]:
    """The tables whose ids are counted, and what counts them."""
    return [
        (table.name, found)
        for table in metadata.sorted_tables
        if "id" in table.c
        and (found := connection.scalar(select(func.pg_get_serial_sequence(f'"{table.name}"', "id")))) is not None
    ]


def _idle() -> str:
    """Nobody else waits for long for what a process that is gone has locked."""
    return f"SET LOCAL idle_in_transaction_session_timeout = {_milliseconds(IDLE_SECONDS)}"


def _milliseconds(seconds: float) -> int:
    return max(int(seconds * 1000), 1)


def _sentence(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())
