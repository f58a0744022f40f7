"""Rows of tables as they go from one store to another: the same whatever database they come from, and fit for JSON."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, LargeBinary, Table

Rows = Sequence[Sequence[Any]]
"""Rows of a table, each with all columns in their order."""
Content = Mapping[str, Rows]
"""Rows by the names of their tables."""


def plain(table: Table, rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows that a driver has read; bytes become text, or a list with their base64 where they are none."""
    binary = [place for place, column in enumerate(table.c) if isinstance(column.type, LargeBinary)]
    logical = [place for place, column in enumerate(table.c) if isinstance(column.type, Boolean)]
    found = []
    for row in map(list, rows):
        for place in binary:
            row[place] = _written(bytes(row[place]))
        for place in logical:
            row[place] = None if row[place] is None else bool(row[place])
        found.append(row)
    return found


def stored(table: Table, rows: Rows, **changed: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """The parameters of an INSERT of such rows.

    Args:
        table: where they belong.
        rows: as `plain` makes them.
        changed: by column what its values become; others stay.
    """
    names = [column.name for column in table.c]
    binary = [column.name for column in table.c if isinstance(column.type, LargeBinary)]
    found = []
    for row in rows:
        made = dict(zip(names, row, strict=True))
        for name in binary:
            made[name] = _read(made[name])
        for name, becomes in changed.items():
            made[name] = becomes.get(made[name], made[name])
        found.append(made)
    return found


def column(table: Table, rows: Rows, name: str) -> list[Any]:
    """The values of a column."""
    place = list(table.c.keys()).index(name)
    return [row[place] for row in rows]


def _written(value: bytes) -> str | list[str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return [b64encode(value).decode()]


def _read(value: str | list[str]) -> bytes:
    return value.encode() if isinstance(value, str) else b64decode(value[0])
