"""Text to components: one scan over the lines of an iCalendar stream (RFC 5545 section 3.1, RFC 6868).

The scan works on the bytes as long as it can (control characters, unfolding), so that a character which a client
folded in its middle is whole again before it is decoded. Half of the lines of an object are the same in many objects:
those of its VTIMEZONE, which clients send with each of them. So time zones are remembered as a whole, and of all else
short lines with the property that they became.

Taken although the RFC is stricter: LF or CR alone as line end, empty lines, a byte order mark, names in lower case.
Everything else that is not a content line is refused, because what is stored is sent to other clients as it came.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import islice

from calserver.ical.conditions import ValidCalendarData
from calserver.ical.model import Component, Property

MAX_DEPTH = 16
"""Components within components; RFC 5545 and its extensions need five."""

_CONTROLS = bytes((set(range(0x20)) | {0x7F}) - {0x09, 0x0A, 0x0D})
_NAME = re.compile(r"[A-Za-z0-9-]+")
_QUOTED_HEAD = re.compile(r'[^":]*+(?:"[^"]*+"[^":]*+)*+(?=:)')
_PARAM = re.compile(r';([A-Za-z0-9-]+)=((?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)')
_PARAM_VALUE = re.compile(r'(?:^|,)(?:"([^"]*)"|([^",]*))')
_CIRCUMFLEX = re.compile(r"\^([n^'])")
_CIRCUMFLEXED = {"n": "\n", "^": "^", "'": '"'}
_REMEMBERED_LENGTH = 72
_ZONE_BEGINS, _ZONE_ENDS = "BEGIN:VTIMEZONE", "END:VTIMEZONE"
_ZONE_LINES, _ZONE_LENGTH = 100, 8192
"""The most lines and characters of a time zone that is remembered; longer ones are histories, and few send them."""


def parse(content: bytes | str) -> Component:
    """The one ``VCALENDAR`` of an iCalendar stream.

    Raises:
        ValidCalendarData: it is not UTF-8, not made of content lines, or not exactly one well-nested VCALENDAR.
    """
    raw = _encoded(content)
    return _assembled(raw, _unfolded(raw).split("\n"))


def _encoded(content: bytes | str) -> bytes:
    try:
        raw = content.encode() if isinstance(content, str) else content
    except UnicodeEncodeError:
        raise ValidCalendarData("the text contains half of a surrogate pair") from None
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if len(raw.translate(None, _CONTROLS)) != len(raw):
        at = next(at for at, byte in enumerate(raw) if byte in _CONTROLS)
        raise ValidCalendarData(f"line {_line_at(raw, at)}: control characters are not allowed")
    return raw


def _unfolded(raw: bytes) -> str:
    """The text with one content line per line (RFC 5545 section 3.1)."""
    if b"\r" in raw:
        raw = raw.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        text = raw.replace(b"\n ", b"").replace(b"\n\t", b"").decode()
    except UnicodeDecodeError:
        raise ValidCalendarData("the text is not UTF-8") from None
    if not text.isascii() and ("\ufffe" in text or "\uffff" in text):
        raise ValidCalendarData("the text contains code points that are not characters")
    return text


def _assembled(raw: bytes, lines: list[str], *, zones: bool = True) -> Component:
    """The calendar that the content lines make; `raw` is for the line numbers of refusals, `zones` are remembered."""
    nesting = _Nesting()
    numbered = enumerate(lines)
    for at, line in numbered:
        if not line:
            continue
        if line == _ZONE_BEGINS and zones and len(nesting.stack) == 1 and (found := _zone_at(lines, at)) is not None:
            length, zone = found
            nesting.stack[0][2].append(zone)
            next(islice(numbered, length - 2, None))
            continue
        try:
            prop = _remembered(line) if len(line) <= _REMEMBERED_LENGTH else _property(line)
            name = prop.name
            if name == "BEGIN":
                nesting.open(prop)
            elif name == "END":
                nesting.close(prop)
            else:
                nesting.add(prop)
        except ValueError as problem:
            raise ValidCalendarData(f"line {_physical(raw, at)}: {problem}") from None
    if nesting.stack:
        raise ValidCalendarData("the text ends before the last END")
    if nesting.calendar is None:
        raise ValidCalendarData("there is no BEGIN:VCALENDAR")
    return nesting.calendar


def _zone_at(lines: list[str], at: int) -> tuple[int, Component] | None:
    """How many lines the VTIMEZONE has that begins at a line, and what it is; None where the scan has to look."""
    try:
        length = lines.index(_ZONE_ENDS, at, at + _ZONE_LINES) - at + 1
    except ValueError:
        return None
    text = "\n".join(lines[at : at + length])
    zone = _remembered_zone(text) if len(text) <= _ZONE_LENGTH else None
    return None if zone is None else (length, zone)


def _zone(text: str) -> Component | None:
    """The time zone that lines make; None where they are malformed, which is told where they stand."""
    lines = ["BEGIN:VCALENDAR", *text.split("\n"), "END:VCALENDAR"]
    try:
        found = _assembled(b"", lines, zones=False)
    except ValidCalendarData:
        return None
    return found.components[0] if len(found.components) == 1 and not found.properties else None


_remembered_zone = lru_cache(maxsize=256)(_zone)


class _Nesting:
    """The components that are open, outermost first: name, properties so far, sub-components so far."""

    def __init__(self) -> None:
        self.stack: list[tuple[str, list[Property], list[Component]]] = []
        self.calendar: Component | None = None
        self.add: Callable[[Property], None] = _outside

    def open(self, begin: Property) -> None:
        name = begin.value.strip().upper()
        if begin.params or _NAME.fullmatch(name) is None:
            raise ValueError("BEGIN does not name a component")
        if self.calendar is not None:
            raise ValueError("there is something after END:VCALENDAR")
        if (name == "VCALENDAR") is bool(self.stack):
            raise ValueError("VCALENDAR is the outermost component, and the only one of its kind")
        if len(self.stack) >= MAX_DEPTH:
            raise ValueError("components are nested too deep")
        properties: list[Property] = []
        self.stack.append((name, properties, []))
        self.add = properties.append

    def close(self, end: Property) -> None:
        if not self.stack or end.params or end.value.strip().upper() != self.stack[-1][0]:
            raise ValueError("END does not match a BEGIN")
        name, properties, components = self.stack.pop()
        component = Component(name, tuple(properties), tuple(components))
        if self.stack:
            self.stack[-1][2].append(component)
            self.add = self.stack[-1][1].append
        else:
            self.calendar = component
            self.add = _outside


def _outside(_prop: Property) -> None:
    raise ValueError("there is something outside of BEGIN:VCALENDAR and END:VCALENDAR")


def _property(line: str) -> Property:
    head, colon, value = line.partition(":")
    if '"' in head:
        found = _QUOTED_HEAD.match(line)
        if found is None:
            raise ValueError("a quoted parameter value does not end, or no colon follows it")
        head, value = found[0], line[found.end() + 1 :]
    elif not colon:
        raise ValueError("this is not a content line")
    name, semicolon, _ = head.partition(";")
    if _NAME.fullmatch(name) is None:
        raise ValueError("this is not the name of a property")
    return Property(name.upper(), value, _params(head, len(name)) if semicolon else ())


_remembered = lru_cache(maxsize=4096)(_property)


def _params(head: str, at: int) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The parameters of a content line, from the part before its colon."""
    params: list[tuple[str, tuple[str, ...]]] = []
    while at < len(head):
        found = _PARAM.match(head, at)
        if found is None:
            raise ValueError("a parameter is malformed")
        params.append((found[1].upper(), _param_values(found[2])))
        at = found.end()
    return tuple(params)


def _param_values(text: str) -> tuple[str, ...]:
    """The values of one parameter, unquoted and without RFC 6868 escapes."""
    values = [quoted or plain for quoted, plain in _PARAM_VALUE.findall(text)] if '"' in text else text.split(",")
    if "^" in text:
        values = [_CIRCUMFLEX.sub(lambda found: _CIRCUMFLEXED[found[1]], value) for value in values]
    return tuple(values)


def _line_at(raw: bytes, at: int) -> int:
    """The number of the line in which byte `at` is, from 1."""
    before = raw[:at].replace(b"\r\n", b"\n")
    return before.count(b"\n") + before.count(b"\r") + 1


def _physical(raw: bytes, logical: int) -> int:
    """The number of the line on which the unfolded line `logical` (from 0) begins, from 1."""
    begun = -1
    lines = raw.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    for number, line in enumerate(lines, 1):
        begun += number == 1 or line[:1] not in (b" ", b"\t")
        if begun == logical:
            return number
    return len(lines)
