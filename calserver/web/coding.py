"""Content codings: request bodies decoded within a bound, response bodies compressed (RFC 9110 section 8.4)."""

import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from calserver.dav import BadRequest, ContentTooLarge, UnsupportedMediaType

WORTH_COMPRESSING: Final = 4096
"""Bytes below which compression costs more than it saves."""
AT_ONCE: Final = 256 * 1024
"""Bytes above which a body is compressed piece by piece, so that the reactor never waits long."""
PIECE: Final = 64 * 1024

_COMPRESSIBLE = re.compile(r"text/|application/(xml|json|[a-z.-]+\+(xml|json))", re.IGNORECASE)
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_GZIP_WINDOW = 31
_LEVEL = 1
_MOST_MEMBERS = 8
"""Members of one gzip body (RFC 1952 section 2.2); each costs a copy of what follows it."""


def decode_content(body: bytes, codings: str, limit_bytes: int) -> bytes:
    """A request body without its content coding.

    Raises:
        UnsupportedMediaType: for an unknown coding, or several (RFC 9110 section 15.5.16).
        ContentTooLarge: more than `limit_bytes` come out.
        BadRequest: the data are broken.
    """
    named = [each for part in codings.lower().split(",") if (each := part.strip()) not in ("", "identity")]
    if not named or not body:
        return body
    if len(named) > 1 or named[0] not in _WINDOW_BITS:
        raise UnsupportedMediaType(
            "this content coding is not understood here", {"Accept-Encoding": "gzip, deflate, identity"}
        )
    try:
        return _inflate(body, _WINDOW_BITS[named[0]], limit_bytes)
    except zlib.error:
        if named[0] != "deflate":
            raise BadRequest("the content is not what its coding says") from None
    try:
        return _inflate(body, -15, limit_bytes)  # what old clients send as deflate: no zlib header
    except zlib.error:
        raise BadRequest("the content is not what its coding says") from None


def _inflate(body: bytes, window_bits: int, limit_bytes: int) -> bytes:
    out: list[bytes] = []
    room = limit_bytes
    for _ in range(_MOST_MEMBERS):
        machine = zlib.decompressobj(window_bits)
        out.append(machine.decompress(body, room + 1))
        room -= len(out[-1])
        if room < 0:
            raise ContentTooLarge("the content is too large when it is decompressed")
        if not machine.eof:
            raise BadRequest("the compressed content ends too early")
        body = machine.unused_data if window_bits == _GZIP_WINDOW else b""
        if not body:
            return b"".join(out)
    raise BadRequest("the compressed content has too many members")


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client takes gzip (RFC 9110 section 12.5.3)."""
    if "gzip" not in accept_encoding and "*" not in accept_encoding:
        return False
    weights = {}
    for part in accept_encoding.lower().split(","):
        coding, *parameters = (each.strip() for each in part.split(";"))
        weights[coding] = all(each.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000") for each in parameters)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def compressible(content_type: str) -> bool:
    """Whether a type of content gets smaller by compression."""
    return _COMPRESSIBLE.match(content_type) is not None


def gzip_at_once(body: bytes) -> bytes:
    """A whole body in gzip."""
    machine = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return machine.compress(body) + machine.flush()


def gzip_pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A body in gzip, piece by piece."""
    machine = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    for chunk in chunks:
        if out := machine.compress(chunk):
            yield out
    yield machine.flush()


def pieces(body: bytes) -> Iterator[bytes]:
    """Slices of a large body."""
    return (body[start : start + PIECE] for start in range(0, len(body), PIECE))
