"""Statements that are compiled once, and the connection that runs them on the driver itself.

SQLAlchemy writes the SQL (`Statement`), the driver runs it: results are plain tuples in the order of the selected
columns, and running one costs nothing beyond the driver. So a statement is a constant of the module that uses it, with
its parameters named by ``bindparam``.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Executable, Table, bindparam, insert

from calserver.store.dialects import Dialect
from calserver.store.ways import Ways

Row = tuple[Any, ...]


class Statement:
    """A Core statement and its SQL."""

    __slots__ = ("_written", "core")

    def __init__(self, core: Executable) -> None:
        self.core = core
        self._written: dict[str, tuple[str, dict[str, Any]]] = {}

    def written(self, dialect: Dialect) -> tuple[str, dict[str, Any]]:
        """The SQL, and the values that are written in the statement itself."""
        found = self._written.get(dialect.name)
        if found is None:
            compiled = self.core.compile(dialect=dialect.compiler)  # type: ignore[attr-defined]  # Executables compile
            constants = {name: value for name, value in compiled.params.items() if value is not None}
            found = self._written[dialect.name] = str(compiled), constants
        return found


def inserting(table: Table, *without: str) -> Any:
    """An INSERT of all columns, each from the parameter of its name."""
    return insert(table).values({column: bindparam(column.name) for column in table.c if column.name not in without})


class Connection:
    """One connection of the driver with an open transaction."""

    __slots__ = ("_streams", "dialect", "driver", "statements", "ways", "writes")

    def __init__(self, dialect: Dialect, driver: Any, ways: Ways | None = None, *, writes: bool = False) -> None:
        self.dialect = dialect
        self.driver = driver
        self.ways = ways
        """Ways that are known; a transaction that writes adds none, since what it sees may be taken back."""
        self.writes = writes
        self._streams: list[Any] = []
        self.statements = 0
        """How many statements ran: what a test counts."""

    def _run(self, statement: Statement, parameters: dict[str, Any]) -> Any:
        self.statements += 1
        sql, constants = statement.written(self.dialect)
        return self.driver.execute(sql, {**constants, **parameters} if constants else parameters)

    def values(self, values: Iterable[int | str]) -> Any:
        """The parameter of `dialects.among`."""
        return self.dialect.values(values)

    def one(self, statement: Statement, **parameters: Any) -> Row | None:
        """The first row."""
        row: Row | None = self._run(statement, parameters).fetchone()
        return row

    def value(self, statement: Statement, **parameters: Any) -> Any:
        """The first column of the first row; None where there is no row."""
        row = self._run(statement, parameters).fetchone()
        return None if row is None else row[0]

    def all(self, statement: Statement, **parameters: Any) -> Sequence[Row]:
        """All rows."""
        rows: Sequence[Row] = self._run(statement, parameters).fetchall()
        return rows

    def stream(self, statement: Statement, **parameters: Any) -> Iterator[Row]:
        """Row after row, never all in memory."""
        self.statements += 1
        sql, constants = statement.written(self.dialect)
        rows = self.dialect.stream(self.driver, sql, {**constants, **parameters})
        self._streams.append(rows)
        return iter(rows)

    def finish(self) -> None:
        """End streams that were not read to their end: an open one keeps its snapshot beyond the transaction."""
        for rows in self._streams:
            rows.close()

    def run(self, statement: Statement, **parameters: Any) -> int:
        """How many rows were written."""
        count: int = self._run(statement, parameters).rowcount
        return count

    def many(self, statement: Statement, rows: Iterable[dict[str, Any]]) -> None:
        """Run once for each of `rows`."""
        self.statements += 1
        sql, constants = statement.written(self.dialect)
        self.driver.executemany(sql, ({**constants, **row} for row in rows) if constants else rows)
