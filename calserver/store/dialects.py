"""Where databases differ: what each must be able to do, and the few expressions that each writes its own way.

All else in this room is SQL that SQLAlchemy writes for any of them. `sqlite` and `postgres` hold a `Dialect` each, and
an ``@compiles`` for each construct; `urls` says which of them a URL means.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import BindParameter, Boolean, ColumnElement, Connection, LargeBinary, bindparam

from calserver.store.leases import Lease


class among(ColumnElement[bool]):  # noqa: N801 - an operator, spelled like SQLAlchemy's own
    """Whether `column` is one of the values of the parameter `name`, however many: one statement for all lengths."""

    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.values: BindParameter[Any] = bindparam(name)

    def self_group(self, against: Any = None) -> "among":
        """It is a condition as it stands: not to be compared with 1 where there are no booleans."""
        return self


class joined(ColumnElement[bytes]):  # noqa: N801 - a function, spelled like SQLAlchemy's own
    """An aggregate: the texts `line` of all rows as bytes, with the parameter `name` between them.

    The rows are those of a scan in the order of the column `order`.
    """

    inherit_cache = False
    type = LargeBinary()

    def __init__(self, line: ColumnElement[str], name: str, order: ColumnElement[Any]) -> None:
        self.line = line
        self.separator: BindParameter[str] = bindparam(name)
        self.order = order


class unplain(ColumnElement[bool]):  # noqa: N801 - a condition, spelled like SQLAlchemy's own operators
    """Whether a member has a name that is escaped in paths, or a media type that is escaped in XML.

    Spelled by each database as the index ``ix_object_unplain`` is, which is to be used. A name is plain where
    `calserver.dav.quote_segment` changes nothing.
    """

    inherit_cache = True
    type = Boolean()

    def self_group(self, against: Any = None) -> "unplain":
        """It is a condition as it stands."""
        return self


class Dialect(Protocol):
    """A database as far as it differs from others.

    A **driver** is a connection of Python's DB-API, in autocommit mode, for one thread at a time. It has ``execute``
    and ``executemany`` of its own, as those of SQLite have, and tells ``in_transaction``.
    """

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def compiler(self) -> Any:
        """SQLAlchemy's dialect, which writes the SQL."""

    @property
    def error(self) -> type[Exception]:
        """What the driver raises."""

    @property
    def busy_timeout(self) -> float:
        """Seconds that a write waits for others, and both for a database that is away."""

    @property
    def writers(self) -> int:
        """How many writing transactions a process has at a time, at most."""

    @property
    def glances(self) -> bool:
        """Whether a transaction may run in the reactor thread, since nothing lies between it and the data."""

    # -- the database

    def prepare(self) -> None:
        """Make what tables can be made in; raises `Unusable`."""

    def tables(self) -> AbstractContextManager[Connection]:
        """For looking at tables and changing them: a connection of SQLAlchemy, in a transaction that is alone.

        Raises:
            Busy: another process keeps the database for too long.
            Unusable: it cannot be opened, or is none.
        """

    def exists(self) -> bool:
        """Whether there is a database."""

    def problems(self) -> list[str]:
        """What is wrong with it, in sentences for people."""

    # -- copies (`calserver.store.copying`), over connections that `tables` gave

    def keep_out_writers(self, connection: Connection) -> None:
        """Let nobody write until the transaction ends."""

    def last_numbers(self, connection: Connection) -> Mapping[str, int]:
        """The highest id that was ever given out, by table: no id comes again."""

    def continue_numbers(self, connection: Connection, last: Mapping[str, int]) -> None:
        """Go on from there."""

    def untie(self, connection: Connection) -> None:
        """Allow rows to come before those that they refer to."""

    def tie(self, connection: Connection) -> None:
        """Allow that no longer; raises where something is missing."""

    def count_on(self, driver: Any, table: str) -> None:
        """Give out no id of a table that is there, though others have chosen it."""

    # -- connections

    def connect(self, *, writable: bool) -> Any:
        """A new driver."""

    def connect_watch(self, enough: Callable[[], bool]) -> Any:
        """A driver for the reactor thread: it never waits for anybody, and fails where `enough` says so."""

    def lease(self) -> Lease:
        """What one process over this database has at a time."""

    def lost(self, driver: Any) -> bool:
        """Whether a driver is of no use any more."""

    # -- transactions

    def begin_read(self, driver: Any) -> None:
        """Begin a snapshot."""

    def begin_write(self, driver: Any, *, alone: bool) -> None:
        """Begin to write; with all other writers kept away, where somebody found them in the way too often."""

    def commit(self, driver: Any) -> None:
        """Commit, and return when it is on the disk."""

    def passes(self, error: BaseException, *, alone: bool) -> bool:
        """Whether what failed with an error may succeed when it is done again."""

    def translate(self, error: Exception) -> Exception:
        """What the contract raises for an error of the driver; the error itself where it says nothing about it."""

    def version(self, watch: Any) -> int:
        """A number that differs from the last one of this driver if others committed since."""

    def stream(self, driver: Any, sql: str, parameters: dict[str, Any]) -> Any:
        """Run a query whose rows are not wanted all at once: an iterator with ``close``."""

    def values(self, values: Iterable[int | str]) -> Any:
        """The parameter of `among`."""
