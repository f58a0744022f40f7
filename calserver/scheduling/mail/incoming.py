"""A mail that came in, read with bounds on everything (RFC 5322, RFC 2045, RFC 2046).

Python's own parser is made for mail that one wants to see all of: nesting and boundaries in hostile numbers cost it
quadratic time and its stack. This one reads each line once for each level that it is in, gives up at the first thing
that is beyond the bounds, and does not look into mails that are attached.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from email.message import Message as Fields
from itertools import islice
from quopri import decodestring
from typing import Final

import attrs

from calserver.scheduling.mail.fields import ADDRESS

HEAD_BYTES: Final = 64 * 1024
MOST_FIELDS: Final = 500
PART_HEAD_BYTES: Final = 16 * 1024
MOST_CONTENT_TYPE: Final = 2000
"""Characters: taking it apart costs their square."""
MOST_PARTS: Final = 50
MOST_LEVELS: Final = 8
MOST_RECEIVED: Final = 50
"""Hops, after which a mail goes round in circles."""
_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_CHARSETS: Final = re.compile(
    r"utf-?8|us-ascii|ascii|iso-8859-\d{1,2}|windows-125\d|cp125\d|koi8-[ru]|gb2312|gbk|gb18030|big5|shift_jis|euc-jp|"
    r"euc-kr|iso-2022-jp",
    re.IGNORECASE,
)
_ENCODINGS: Final = frozenset({"", "7bit", "8bit", "binary", "base64", "quoted-printable"})
_COMMENT: Final = re.compile(r"\([^()\\]*\)\s*$")
_NAME: Final = r'(?:[^"<>,;:@()\\]|"(?:[^"\\]|\\.)*")*'
_MAILBOX: Final = re.compile(rf"\s*(?:{_NAME}<(?P<inside>[^<>@\s]+@[^<>@\s]+)>|(?P<bare>[^<>@\s,]+@[^<>@\s,]+))\s*")


class Unreadable(Exception):
    """A mail, or what matters in it, cannot be read; the text says why."""


@attrs.frozen
class Field:
    """A header field: its name as it is spelled, its value as it came, folded."""

    spelled: bytes
    value: bytes

    @property
    def name(self) -> str:
        """Its name in lower case."""
        return self.spelled.decode("ascii").lower()

    @property
    def text(self) -> str:
        """The value on one line."""
        return re.sub(r"\r?\n(?=[ \t])", "", self.value.decode("utf-8", "replace")).strip()


@attrs.frozen(kw_only=True)
class Part:
    """A part that is not made of others; the body is still encoded."""

    media_type: str
    parameters: Fields = attrs.field(repr=False)
    encoding: str
    body: bytes = attrs.field(repr=False)

    def parameter(self, name: str) -> str:
        """A parameter of its Content-Type; empty where there is none."""
        found = self.parameters.get_param(name)
        return found if isinstance(found, str) else ""

    def content(self) -> bytes:
        """The decoded body.

        Raises:
            Unreadable: it is not encoded as it says.
        """
        if self.encoding not in _ENCODINGS:
            raise Unreadable(f"a part has the unknown encoding {self.encoding[:40]!r}")
        try:
            if self.encoding == "base64":
                return b64decode(re.sub(rb"[^A-Za-z0-9+/=]", b"", self.body))
        except binascii.Error:
            raise Unreadable("a part is not base64 as it says") from None
        return decodestring(self.body) if self.encoding == "quoted-printable" else self.body

    def text(self) -> bytes:
        """The decoded body as UTF-8.

        Raises:
            Unreadable: it is not in the character set that it says.
        """
        charset = self.parameter("charset") or "utf-8"
        if not _CHARSETS.fullmatch(charset):
            raise Unreadable(f"a part has the unknown character set {charset[:40]!r}")
        try:
            return self.content().decode(charset).encode()
        except (UnicodeDecodeError, LookupError):
            raise Unreadable(f"a part is not in {charset} as it says") from None


@attrs.frozen(kw_only=True)
class Incoming:
    """A mail: header fields in their order, and parts."""

    fields: tuple[Field, ...] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    """As it came, but with CRLF."""
    media_type: str
    parts: tuple[Part, ...] = attrs.field(repr=False)

    @classmethod
    def read(cls, content: bytes) -> "Incoming":
        """Read a mail.

        Raises:
            Unreadable: it is malformed, or beyond the bounds.
        """
        content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        head, body = _split(content)
        fields = tuple(_fields(head, HEAD_BYTES))
        if len(fields) > MOST_FIELDS:
            raise Unreadable("it has too many header fields")
        parts = tuple(_parts(fields, body))
        return cls(fields=fields, body=body, media_type=_content_type(fields).get_content_type(), parts=parts)

    def all(self, name: str) -> tuple[Field, ...]:
        """All fields of a name, in lower case."""
        return tuple(each for each in self.fields if each.name == name)

    def text(self, name: str) -> str:
        """The first field of a name, on one line; empty where there is none."""
        found = self.all(name)
        return found[0].text if found else ""

    @property
    def author(self) -> str:
        """The one mail address in the one From field, in lower case.

        Raises:
            Unreadable: there is another number of them, or it cannot be read without doubt.
        """
        fields = self.all("from")
        if len(fields) != 1:
            raise Unreadable("it does not have one From field")
        text = _COMMENT.sub("", fields[0].text[:2000])
        found = _MAILBOX.fullmatch(text)
        address = "" if found is None else found["inside"] or found["bare"]
        if not ADDRESS.fullmatch(address):
            raise Unreadable("its From field does not have one plain mail address")
        return address.lower()

    @property
    def is_automatic(self) -> bool:
        """Whether no person has sent it (RFC 3834 section 5)."""
        automatic = self.text("auto-submitted").partition(";")[0].strip().lower()
        return automatic not in ("", "no") or self.text("precedence").lower() in ("bulk", "junk", "list", "auto_reply")

    @property
    def goes_round(self) -> bool:
        """Whether it has come through more servers than there are on any way."""
        return len(self.all("received")) > MOST_RECEIVED

    def calendar(self) -> Part | None:
        """The first part with a scheduling message; None where there is none."""
        found = [each for each in self.parts if each.media_type == "text/calendar"]
        return next((each for each in found if each.parameter("method")), found[0] if found else None)


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Header and body, of a mail or a part with CRLF."""
    if content.startswith(b"\r\n"):
        return b"", content[2:]
    head, _, body = content.partition(b"\r\n\r\n")
    return head, body


def _fields(head: bytes, most: int) -> Iterator[Field]:
    if len(head) > most:
        raise Unreadable("a header is too large")
    for line in re.split(rb"\r\n(?![ \t])", head):
        found = _FIELD.fullmatch(line)
        if found is not None:
            yield Field(found[1], found[2])
        elif line and not line.startswith(b"From "):
            raise Unreadable("a header has a line that is no field")


def _content_type(fields: tuple[Field, ...]) -> Fields:
    """The Content-Type of a mail or a part, with its parameters."""
    found = Fields()
    given = [each.text for each in fields if each.name == "content-type"]
    if len(given) > 1:
        raise Unreadable("a part has two Content-Type fields")
    if given and len(given[0]) > MOST_CONTENT_TYPE:
        raise Unreadable("a Content-Type is too long")
    if given:
        found["Content-Type"] = given[0].encode("ascii", "replace").decode("ascii")
    return found


def _parts(fields: tuple[Field, ...], body: bytes) -> Iterator[Part]:
    """The parts that are not made of others, in their order."""
    waiting = [(fields, body, 0)]
    seen = 0
    while waiting:
        fields, body, level = waiting.pop()
        seen += 1
        if seen > MOST_PARTS or level > MOST_LEVELS:
            raise Unreadable("it has too many parts")
        content_type = _content_type(fields)
        media_type = content_type.get_content_type()
        if content_type.get_content_maintype() != "multipart":
            encoding = next((each.text for each in fields if each.name == "content-transfer-encoding"), "")
            yield Part(media_type=media_type, parameters=content_type, encoding=encoding.lower(), body=body)
            continue
        inner = []
        for each in _divided(body, content_type.get_boundary() or ""):
            head, rest = _split(each)
            inner.append((tuple(_fields(head, PART_HEAD_BYTES)), rest, level + 1))
        waiting.extend(reversed(inner))


def _divided(body: bytes, boundary: str) -> list[bytes]:
    """The parts of a multipart body (RFC 2046 section 5.1.1); what comes before and after them counts for nothing."""
    if not 0 < len(boundary) <= 70 or not boundary.isascii():
        raise Unreadable("a part has no boundary as it should be")
    delimiter = re.escape(boundary.encode("ascii"))
    found = list(islice(re.finditer(rb"(?:\A|\r\n)--" + delimiter + rb"(--)?[ \t]*(?=\r\n|\Z)", body), MOST_PARTS + 2))
    if len(found) > MOST_PARTS + 1:
        raise Unreadable("it has too many parts")
    parts = []
    for this, following in zip(found, (*found[1:], None), strict=False):
        if this[1]:
            break
        part = body[this.end() : len(body) if following is None else following.start()]
        parts.append(part.removeprefix(b"\r\n"))
    return parts
