"""jCal: iCalendar as JSON, and back (RFC 7265).

Values are converted from and to their raw text, so that what this module does not know - X- properties, new value
types - passes through unharmed. A raw value that is not what its type says goes out as type ``unknown``, whose value
is the raw text (RFC 7265 section 5.1).
"""

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

from calserver.ical.conditions import ValidCalendarData
from calserver.ical.model import Component, Property
from calserver.ical.parse import MAX_DEPTH, parse
from calserver.ical.serialize import serialize
from calserver.ical.value import escape, texts, unescape
from calserver.ical.vocabulary import DEFAULT_TYPES, LISTS, STRUCTURED

_LONGEST_INTEGER = 400
_NAME = re.compile(r"[A-Za-z0-9-]+")
_WHEN = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z?))?")
_TIME = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})(Z?)")
_OFFSET = re.compile(r"([+-][0-9]{2})([0-9]{2})([0-9]{2})?")
_NUMERIC_PARTS = frozenset(
    {
        "COUNT",
        "INTERVAL",
        "BYSECOND",
        "BYMINUTE",
        "BYHOUR",
        "BYMONTHDAY",
        "BYYEARDAY",
        "BYWEEKNO",
        "BYMONTH",
        "BYSETPOS",
    }
)


def to_jcal(component: Component) -> bytes:
    """The component as UTF-8 JSON."""
    return json.dumps(_array(component), ensure_ascii=False, separators=(",", ":")).encode()


def from_jcal(content: bytes | str) -> Component:
    """The one ``VCALENDAR`` of a jCal document, held to all that holds for iCalendar text.

    Raises:
        ValidCalendarData: it is not jCal, or what it says is not iCalendar.
    """
    try:
        text = content.decode() if isinstance(content, bytes) else content
        found = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant, parse_int=_integer)
        return parse(serialize(_component(found, 0)))
    except RecursionError:
        raise ValidCalendarData("the JSON is nested too deep") from None
    except ValueError as problem:
        reason = "it is not UTF-8 or not JSON" if isinstance(problem, UnicodeError) else str(problem)
        raise ValidCalendarData(f"this is not jCal: {reason}") from None


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise ValueError("a number has too many digits")
    return int(digits)


# To jCal


def _array(component: Component) -> list[Any]:
    return [
        component.name.lower(),
        [_property_array(each) for each in component.properties],
        [_array(each) for each in component.components],
    ]


def _property_array(prop: Property) -> list[Any]:
    params: dict[str, list[str]] = {}
    kind = DEFAULT_TYPES.get(prop.name, "UNKNOWN")
    for name, values in prop.params:
        if name == "VALUE":
            kind = values[0].upper() if values and _NAME.fullmatch(values[0]) else "UNKNOWN"
        else:
            params.setdefault(name.lower(), []).extend(values)
    try:
        values_out = _values_out(prop, kind)
    except ValueError:
        kind, values_out = "UNKNOWN", [prop.value]
    params_out = {name: values[0] if len(values) == 1 else values for name, values in params.items()}
    return [prop.name.lower(), params_out, kind.lower(), *values_out]


def _values_out(prop: Property, kind: str) -> list[Any]:
    if kind == "TEXT":
        if prop.name in STRUCTURED:
            return [list(texts(prop.value, ";"))]
        return list(texts(prop.value)) if prop.name in LISTS else [unescape(prop.value)]
    convert = _OUT.get(kind)
    if convert is None:
        return [prop.value]
    if prop.name in STRUCTURED:
        return [[convert(part) for part in prop.value.split(";")]]
    return [convert(part) for part in prop.value.split(",")] if prop.name in LISTS else [convert(prop.value)]


def _when_out(raw: str) -> str:
    found = _WHEN.fullmatch(raw)
    if found is None:
        raise ValueError("not a date")
    day = f"{found[1]}-{found[2]}-{found[3]}"
    return day if found[4] is None else f"{day}T{found[4]}:{found[5]}:{found[6]}{found[7]}"


def _time_out(raw: str) -> str:
    found = _TIME.fullmatch(raw)
    if found is None:
        raise ValueError("not a time")
    return f"{found[1]}:{found[2]}:{found[3]}{found[4]}"


def _offset_out(raw: str) -> str:
    found = _OFFSET.fullmatch(raw)
    if found is None:
        raise ValueError("not an offset from UTC")
    return f"{found[1]}:{found[2]}" + (f":{found[3]}" if found[3] else "")


def _period_out(raw: str) -> list[str]:
    start, slash, end = raw.partition("/")
    if not slash:
        raise ValueError("not a period")
    return [_when_out(start), end if end[:1] in ("P", "+", "-") else _when_out(end)]


def _boolean_out(raw: str) -> bool:
    if raw.upper() not in ("TRUE", "FALSE"):
        raise ValueError("not a boolean")
    return raw.upper() == "TRUE"


def _float_out(raw: str) -> float:
    if not re.fullmatch(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?", raw):
        raise ValueError("not a float")
    return float(raw)


def _integer_out(raw: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", raw):
        raise ValueError("not an integer")
    return int(raw)


def _recur_out(raw: str) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    for part in raw.split(";"):
        name, equals, value = part.partition("=")
        if not equals or name.lower() in rule or _NAME.fullmatch(name) is None:
            raise ValueError("not a rule")
        values: list[Any] = value.split(",")
        if name.upper() == "UNTIL":
            values = [_when_out(value)]
        elif name.upper() in _NUMERIC_PARTS:
            values = [_integer_out(each) if each[-1:] != "L" else each for each in values]
        rule[name.lower()] = values[0] if len(values) == 1 else values
    return rule


_OUT: dict[str, Callable[[str], Any]] = {
    "BOOLEAN": _boolean_out,
    "DATE": _when_out,
    "DATE-TIME": _when_out,
    "FLOAT": _float_out,
    "INTEGER": _integer_out,
    "PERIOD": _period_out,
    "RECUR": _recur_out,
    "TIME": _time_out,
    "UTC-OFFSET": _offset_out,
}


# From jCal


def _component(found: Any, depth: int) -> Component:
    if not isinstance(found, list) or len(found) != 3 or not all(isinstance(part, list) for part in found[1:]):
        raise ValueError("a component is an array of its name, its properties and its components")
    if depth >= MAX_DEPTH:
        raise ValueError("components are nested too deep")
    return Component(
        _name(found[0]), tuple(map(_property, found[1])), tuple(_component(each, depth + 1) for each in found[2])
    )


def _name(found: Any) -> str:
    if not isinstance(found, str) or _NAME.fullmatch(found) is None:
        raise ValueError("a component, a property or a parameter has a malformed name")
    return found.upper()


def _property(found: Any) -> Property:
    if not isinstance(found, list) or len(found) < 4 or not isinstance(found[1], dict) or not isinstance(found[2], str):
        raise ValueError("a property is an array of its name, parameters, type and values")
    name, kind = _name(found[0]), _name(found[2])
    if name in ("BEGIN", "END"):
        raise ValueError("a property is named like a delimiter")
    params = [(_name(key), _param_values(values)) for key, values in found[1].items()]
    if kind not in ("UNKNOWN", DEFAULT_TYPES.get(name)):
        params.append(("VALUE", (kind,)))
    convert = _IN.get(kind, _as_is)
    return Property(name, ",".join(_value_in(value, convert) for value in found[3:]), tuple(params))


def _param_values(found: Any) -> tuple[str, ...]:
    values = found if isinstance(found, list) else [found]
    return tuple(_scalar(value) for value in values)


def _value_in(value: Any, convert: Callable[[Any], str]) -> str:
    """A value as raw text; an array is a structured value (RFC 7265 section 3.4.1.3), or a period."""
    if isinstance(value, list) and convert is not _period_in:
        return ";".join(",".join(map(convert, part)) if isinstance(part, list) else convert(part) for part in value)
    return convert(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    if not isinstance(value, str):
        raise ValueError("a value is a string, a number, a boolean or, where its type says so, something else")
    return value


def _as_is(value: Any) -> str:
    return _scalar(value)


def _text_in(value: Any) -> str:
    return escape(_scalar(value))


def _when_in(value: Any) -> str:
    return _scalar(value).replace("-", "").replace(":", "")


def _offset_in(value: Any) -> str:
    return _scalar(value).replace(":", "")


def _period_in(value: Any) -> str:
    parts = value if isinstance(value, list) else _scalar(value).split("/")
    if len(parts) != 2:
        raise ValueError("a period has a start, and an end or a duration")
    start, end = map(_scalar, parts)
    return f"{_when_in(start)}/{end if end[:1] in ('P', '+', '-') else _when_in(end)}"


def _recur_in(value: Any) -> str:
    if not isinstance(value, dict):
        raise ValueError("a rule is an object")
    parts = []
    for name, found in value.items():
        values = [_scalar(each) for each in (found if isinstance(found, list) else [found])]
        if any(";" in each for each in values):
            raise ValueError("a part of a rule contains a semicolon")
        parts.append(f"{_name(name)}={','.join(map(_when_in, values) if name.lower() == 'until' else values)}")
    return ";".join(parts)


_IN: dict[str, Callable[[Any], str]] = {
    "DATE": _when_in,
    "DATE-TIME": _when_in,
    "PERIOD": _period_in,
    "RECUR": _recur_in,
    "TEXT": _text_in,
    "TIME": _offset_in,
    "UTC-OFFSET": _offset_in,
}
