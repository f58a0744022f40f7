"""Sections become TOML: the effective configuration, and the commented sample file."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, get_args

import attrs

EXAMPLES: Final[Mapping[str, str]] = {"peers": "partner.example", "nodes": "b1"}
"""What a section of a table may be called."""


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return json.dumps(str(value), ensure_ascii=False)


def render(config: Any, write: Callable[[str, str], str], *, docs: bool = False) -> str:
    """All sections of a configuration, and of the tables of sections in it.

    Args:
        config: a class of sections.
        write: given an option's path and its line, the line as it is to be written.
        docs: with what sections and options are for.
    """
    lines: list[str] = []
    for section in attrs.fields(type(config)):
        if not section.metadata.get("internal"):
            lines += _section(section.name, getattr(config, section.name), write, docs=docs)
    return "\n".join(lines)


def _section(path: str, part: Any, write: Callable[[str, str], str], *, docs: bool) -> Iterator[str]:
    if docs:
        yield f"# {inspect.getdoc(type(part))}"
    yield f"[{path}]"
    tables = []
    for each in attrs.fields(type(part)):
        value = getattr(part, each.name)
        if isinstance(value, Mapping):
            tables.append((each, value))
            continue
        if docs:
            yield f"# {each.metadata['doc']}"
        yield write(f"{path}.{each.name}", f"{each.name} = {_toml(value)}")
    yield ""
    for each, value in tables:
        for name, inner in value.items():
            yield from _section(f'{path}.{each.name}."{name}"', inner, write, docs=False)
        if docs:
            yield from _example(f'{path}.{each.name}."{EXAMPLES[each.name]}"', each)


def _example(path: str, table: "attrs.Attribute[Any]") -> Iterator[str]:
    """A section of a table as a comment, which says what such a one may have."""
    kind = get_args(table.type)[1]
    yield f"# {table.metadata['doc']}: {inspect.getdoc(kind)}"
    yield f"#[{path}]"
    for each in attrs.fields(kind):
        yield f"# {each.metadata['doc']}"
        yield f"#{each.name} = {_toml(each.default)}"
    yield ""
