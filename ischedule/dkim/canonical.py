"""The canonical form of header fields (``ischedule-relaxed``) and bodies (``simple``): what is hashed.

``ischedule-relaxed`` is ``relaxed`` of RFC 6376 section 3.4.2, and what proxies may do to HTTP header fields besides:
fields of one name are combined with commas, and white space beside commas is dropped. So it does not matter whether
somebody merges or divides ``Recipient`` fields, changes the case of names, or folds lines.
"""

import re
from collections.abc import Iterable
from typing import Final

from ischedule.message import Fields

_FOLD: Final = re.compile(r"\r\n(?=[ \t])")
_BLANKS: Final = re.compile(r"[ \t]+")
_COMMA: Final = re.compile(r" ?, ?")
_SIGNATURE_TAG: Final = re.compile(r"((?:^|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")


def canonical_field(name: str, values: Iterable[str]) -> str:
    """All fields of a name as one line, without its end.

    Values may be empty; every comma counts, be it in quotes or in a comment.
    """
    value = _BLANKS.sub(" ", _FOLD.sub("", ",".join(values))).strip(" ")
    return f"{name.lower()}:{_COMMA.sub(',', value)}"


def canonical_fields(fields: Fields, names: Iterable[str], signature: str) -> bytes:
    """What is signed (RFC 6376 section 3.7): the fields of each name in the order of ``h=``, then the signature's own.

    A name without a field contributes nothing. The value of ``b=`` is left out, with the white space around it.
    """
    by_name: dict[str, list[str]] = {}
    for name, value in fields:
        by_name.setdefault(name.lower(), []).append(value)
    lines = [canonical_field(name, by_name[name]) for name in map(str.lower, names) if name in by_name]
    lines.append(canonical_field("dkim-signature", [_SIGNATURE_TAG.sub(r"\1", signature, count=1)]))
    return "\r\n".join(lines).encode("latin-1")


def canonical_body(body: bytes) -> bytes:
    """A body that ends in exactly one CRLF; bare LFs and blanks stay (RFC 6376 section 3.4.3)."""
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n"
