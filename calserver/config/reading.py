"""Tables of TOML become sections; whatever is unknown or wrong is told with its path."""

import difflib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any, TypeVar, get_args

import attrs
from cattrs import ClassValidationError, Converter, ForbiddenExtraKeysError, override
from cattrs.errors import AttributeValidationNote
from cattrs.gen import make_dict_structure_fn

from calserver.config.option import Wrong
from calserver.config.sections import Network, Workers

T = TypeVar("T")


def _strict(kind: type, words: str) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise ValueError(f"must be {words}, not {json.dumps(value, default=str)}")
        return value

    return structure


def _network(value: Any, _: Any) -> Network:
    if not isinstance(value, str):
        raise ValueError('must be a network such as "192.0.2.0/24"')
    return ip_network(value)


def _workers(value: Any, _: Any) -> Workers:
    if type(value) not in (int, str):
        raise ValueError(f'must be a whole number or "auto", not {json.dumps(value, default=str)}')
    return value  # type: ignore[no-any-return] # it is one of both


def _instant(value: Any, _: Any) -> datetime:
    if type(value) is not datetime or value.tzinfo is None:
        raise ValueError("must be a time with its offset, such as 2000-01-01T00:00:00Z")
    return value


def _table(value: Any, kind: Any) -> Any:
    """A table of tables with any names."""
    if not isinstance(value, dict):
        raise ValueError("must be a section")
    inner, found, wrong = get_args(kind)[1], {}, []
    for name, each in value.items():
        try:
            found[name] = _converter.structure(each, inner)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told with its place
            error.add_note(AttributeValidationNote(f"{name}: ", f'"{name}"', inner))
            wrong.append(error)
    if wrong:
        raise ClassValidationError("sections", wrong, inner)
    return MappingProxyType(found)


def _tuple(value: Any, kind: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a list, not {json.dumps(value, default=str)}")
    return tuple(_converter.structure(each, get_args(kind)[0]) for each in value)


def _make_converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, _strict(str, "text in quotes"))
    converter.register_structure_hook(int, _strict(int, "a whole number"))
    converter.register_structure_hook(float, _strict(float, "a number"))
    converter.register_structure_hook(bool, _strict(bool, "true or false"))
    converter.register_structure_hook(datetime, _instant)
    converter.register_structure_hook_func(lambda kind: kind == Network, _network)
    converter.register_structure_hook_func(lambda kind: kind == Workers, _workers)
    converter.register_structure_hook_func(lambda kind: getattr(kind, "__origin__", None) is tuple, _tuple)
    converter.register_structure_hook_func(lambda kind: getattr(kind, "__origin__", None) is Mapping, _table)
    return converter


_converter = _make_converter()


def _section(kind: Any) -> Callable[[Any, Any], Any]:
    options: dict[str, Any] = {
        each.name: override(omit=True) for each in attrs.fields(kind) if each.metadata.get("internal")
    }
    inner = make_dict_structure_fn(kind, _converter, _cattrs_forbid_extra_keys=True, **options)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("must be a section")
        return inner(value, kind)

    return structure


_converter.register_structure_hook_factory(attrs.has, _section)


def structure(tables: Mapping[str, Any], kind: type[T]) -> T:
    """Make a class of sections of what TOML has read.

    Raises:
        ClassValidationError: something is unknown or wrong; `problems` says what.
    """
    return _converter.structure(tables, kind)


def problems(error: BaseException, kind: Any, path: str = "") -> list[str]:
    """One line for each leaf of cattrs' tree of exceptions, with the option's path in front."""
    if not isinstance(error, ClassValidationError):
        return _leaf(error, kind, path)
    lines = []
    for each in error.exceptions:
        inner, inner_kind = path, kind
        for note in getattr(each, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                inner, inner_kind = f"{path}.{note.name}".lstrip("."), note.type
        lines.extend(problems(each, inner_kind, inner))
    return lines


def _leaf(error: BaseException, kind: Any, path: str) -> list[str]:
    if isinstance(error, Wrong):
        path = f"{path}.{error.name}"
    if not isinstance(error, ForbiddenExtraKeysError):
        return [f"{path or 'configuration'}: {error}"]
    known = [each.name for each in attrs.fields(error.cl)]
    lines = []
    for name in sorted(error.extra_fields):
        near = difflib.get_close_matches(name, known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        lines.append(f"{path}.{name}".lstrip(".") + f": there is no such option{hint}")
    return lines
