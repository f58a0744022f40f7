"""Components to text: content lines, folded and escaped (RFC 5545 section 3.1, RFC 6868)."""

import re
from collections.abc import Iterable

from calserver.ical.model import Component

_LINE_OCTETS = 75
_NEEDS_QUOTES = re.compile(r"[,;:]")
_CIRCUMFLEX = re.compile(r'\r\n?|[\n^"]')
_CIRCUMFLEXED = {"^": "^^", '"': "^'"}


def serialize(component: Component) -> bytes:
    """The component as UTF-8 text with CRLF line ends, folded at 75 octets between characters.

    Raises:
        ValueError: a value contains a line break, which would make it another property.
    """
    lines: list[bytes] = []
    _write(component, lines)
    lines.append(b"")
    return b"\r\n".join(lines)


def _write(component: Component, lines: list[bytes]) -> None:
    name = component.name.encode()
    lines.append(b"BEGIN:" + name)
    for prop in component.properties:
        line = f"{prop.name}{_params(prop.params)}:{prop.value}" if prop.params else f"{prop.name}:{prop.value}"
        if "\n" in line or "\r" in line:
            raise ValueError(f"the raw value of {prop.name} contains a line break")
        octets = line.encode()
        lines.append(octets if len(octets) <= _LINE_OCTETS else _folded(octets))
    for each in component.components:
        _write(each, lines)
    lines.append(b"END:" + name)


def _params(params: Iterable[tuple[str, tuple[str, ...]]]) -> str:
    return "".join(f";{name}={','.join(map(_param_value, values))}" for name, values in params)


def _param_value(value: str) -> str:
    if "^" in value or '"' in value or "\n" in value or "\r" in value:
        value = _CIRCUMFLEX.sub(lambda found: _CIRCUMFLEXED.get(found[0], "^n"), value)
    return f'"{value}"' if _NEEDS_QUOTES.search(value) else value


def _folded(octets: bytes) -> bytes:
    """One content line as several, none cut inside of a character."""
    parts: list[bytes] = []
    start, room = 0, _LINE_OCTETS
    while len(octets) - start > room:
        end = start + room
        while octets[end] & 0xC0 == 0x80:
            end -= 1
        parts.append(octets[start:end])
        start, room = end, _LINE_OCTETS - 1
    parts.append(octets[start:])
    return b"\r\n ".join(parts)
