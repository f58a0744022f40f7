"""Header fields of mail, written so that nothing that somebody has typed can make another one (RFC 5322, RFC 2047).

What cannot be written in printable ASCII goes into encoded words; line breaks and other control characters never get
this far (`clean`).
"""

import re
import unicodedata
from base64 import b64encode
from typing import Final
from urllib.parse import unquote

_WORD_OCTETS: Final = 42
"""Of text in one encoded word, which has at most 75 characters."""
_LINE: Final = 78
_PLAIN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_PRINTABLE: Final = re.compile(r"[ -~]*")
_LOCAL: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}"
_DOMAIN: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
ADDRESS: Final = re.compile(rf"(?P<local>{_LOCAL})@(?P<domain>{_DOMAIN})")
"""A mail address without quotes, in ASCII."""


def clean(text: str, most: int, *, lines: bool = False) -> str:
    """Text for people: no control or direction characters, blanks as one space, and no more than `most` characters.

    Args:
        text: whatever it is.
        most: characters; what is cut off is shown by an ellipsis.
        lines: keep line breaks.
    """
    text = text[: 4 * most]
    if lines:
        parts = (_one_line(line) for line in re.split(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text))
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).strip()
    else:
        text = _one_line(text)
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _one_line(text: str) -> str:
    return " ".join("".join(each for each in text if each.isspace() or _is_visible(each)).split())


def _is_visible(character: str) -> bool:
    """Whether a character belongs into text: no control, no half of one, and none that turns the direction around."""
    turns = "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"
    return not turns and unicodedata.category(character) not in ("Cc", "Cs")


def mail_address(address: str) -> str | None:
    """The mail address in a ``mailto:`` URI; None where there is none that can be written in ASCII without quotes."""
    scheme, _, rest = address.partition(":")
    if scheme.lower() != "mailto":
        return None
    found = unquote(rest.partition("?")[0])
    return found if ADDRESS.fullmatch(found) and len(found) <= 254 else None


def domain_of(address: str) -> str:
    """The domain of a mail address, in lower case."""
    return address.rpartition("@")[2].lower()


def mailbox(name: str, address: str) -> str:
    """A mailbox with the name of its owner (RFC 5322 section 3.4); the name may be empty."""
    return f"{_phrase(name)} <{address}>" if name else address


def _phrase(name: str) -> str:
    if not _PRINTABLE.fullmatch(name) or "=?" in name:
        return _encoded_words(name)
    if _PLAIN.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unstructured(text: str) -> str:
    """A text as the value of a field such as Subject."""
    return text if _PRINTABLE.fullmatch(text) and "=?" not in text else _encoded_words(text)


def _encoded_words(text: str) -> str:
    words, word = [], b""
    for character in text:
        octets = character.encode()
        if len(word) + len(octets) > _WORD_OCTETS:
            words.append(word)
            word = b""
        word += octets
    return " ".join(f"=?utf-8?B?{b64encode(each).decode('ascii')}?=" for each in (*words, word))


def field(name: str, value: str) -> bytes:
    """A field as it is sent, folded at blanks.

    Raises:
        ValueError: the value is not printable ASCII: it was not written by the functions above.
    """
    if not _PRINTABLE.fullmatch(value):
        raise ValueError(f"{name} holds what a header field cannot hold")
    lines, line = [], f"{name}:"
    for word in value.split():
        if len(line) + 1 + len(word) > _LINE and line.strip() and not line.endswith(":"):
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join((*lines, line)).encode("ascii") + b"\r\n"
