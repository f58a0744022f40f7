"""How texts are compared: the collations of CalDAV (RFC 4791 section 7.5, RFC 4790, RFC 5051)."""

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Final

from calserver.conditions import ConditionFailed
from calserver.names import C


class SupportedCollation(ConditionFailed):
    """A text match names a collation that this server does not know (RFC 4791 section 7.8)."""

    name = C("supported-collation")


_ASCII: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def _octet(text: str) -> str:
    return text


def _ascii_casemap(text: str) -> str:
    """RFC 4790 section 9.2: only the letters of ASCII have no case."""
    return text.lower() if text.isascii() else text.translate(_ASCII)


def _unicode_casemap(text: str) -> str:
    """RFC 5051: simple title case, then compatibility decomposition."""
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFKD", text.translate(_titles()))


@cache
def _titles() -> dict[int, str]:
    """The characters that are not their own simple title case; there are none beyond the ideographs."""
    titles = {code: chr(code).title() for code in range(0x1F000)}
    return {code: title for code, title in titles.items() if len(title) == 1 and title != chr(code)}


COLLATIONS: Final[dict[str, Callable[[str], str]]] = {
    "i;ascii-casemap": _ascii_casemap,
    "i;octet": _octet,
    "i;unicode-casemap": _unicode_casemap,
}
"""What makes texts equal that are equal by a collation."""

DEFAULT_COLLATION: Final = "i;ascii-casemap"


def folding(collation: str | None) -> Callable[[str], str]:
    """What makes texts comparable by a collation; the default where none is named.

    Raises:
        SupportedCollation: it is unknown.
    """
    try:
        return COLLATIONS[collation or DEFAULT_COLLATION]
    except KeyError:
        raise SupportedCollation("text is compared by " + ", ".join(sorted(COLLATIONS))) from None
