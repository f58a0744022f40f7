"""iCalendar files as other programs write them, cut into calendar object resources (RFC 4791 section 4.1).

An export of a whole calendar holds many components in one VCALENDAR; a server stores one object per UID, with the time
zones that it refers to. A file that is one such object already stays as it is, byte for byte.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import attrs

from calserver import calendars
from calserver.admin.refused import Refused
from calserver.ical import parse, serialize

_BEGIN = re.compile(rb"^BEGIN:VCALENDAR[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[\w.@{}+~-]{1,120}")


@attrs.frozen(kw_only=True)
class Piece:
    """One calendar object resource of a file: its UID (empty where there is none), a name for it, and its text."""

    uid: str
    name: str
    text: bytes


def find(paths: tuple[Path, ...]) -> list[Path]:
    """The files that are meant: those named, and every .ics below folders, in order.

    Raises:
        Refused: there are none, or one does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found.extend(sorted(each for each in path.rglob("*") if each.suffix.lower() == ".ics" and each.is_file()))
        elif path.exists():
            found.append(path)
        else:
            raise Refused(f"{path} does not exist")
    if not found:
        raise Refused(f"there are no .ics files in {', '.join(map(str, paths))}")
    return found


def pieces(content: bytes, stem: str) -> Iterator[Piece]:
    """The objects in the content of a file; `stem` names the only one of a file.

    Raises:
        ValidCalendarData: it is not iCalendar.
    """
    found = [parse(each) for each in _streams(content)]
    groups = [group for each in found for group in calendars.pieces(each)]
    if len(groups) == 1 and found[0].first("METHOD") is None:
        uid, _ = groups[0]
        yield Piece(uid=uid, name=_name(stem), text=content)
        return
    for uid, group in groups:
        yield Piece(uid=uid, name=_name(uid), text=serialize(group))


def _streams(content: bytes) -> list[bytes]:
    """The VCALENDARs of a file, which may be several, one after the other (RFC 5545 section 3.4)."""
    starts = [found.start() for found in _BEGIN.finditer(content)]
    if len(starts) < 2:
        return [content]
    return [content[start:end] for start, end in zip(starts, [*starts[1:], len(content)], strict=True)]


def _name(text: str) -> str:
    """A name for a member of a calendar: the text where that is plain, its digest where it is not."""
    plain = text if _PLAIN_NAME.fullmatch(text) and text[0] != "." else hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"{plain}.ics"
