"""How verbs print what they found: tables and fields for people, JSON for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import click
from rich.cells import cell_len


def print_json(value: Any) -> None:
    """A value - of attrs classes, too - as one JSON document."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    if attrs.has(type(value)):
        return attrs.asdict(value, recurse=False)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def print_table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows with heads above, in columns as wide as what is in them."""
    table = [tuple(heads), *(tuple(map(_cell, row)) for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    for row in table:
        line = "  ".join(text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def print_fields(fields: Mapping[str, Any]) -> None:
    """Names and values, one per line; what is empty is left out."""
    width = max(map(len, fields), default=0) + 2
    for name, value in fields.items():
        if text := _cell(value):
            click.echo(f"{name + ':':<{width}}{text}")


def _cell(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, tuple | list | frozenset):
        return ", ".join(map(str, value))
    return str(value)
