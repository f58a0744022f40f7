"""Bytes on a socket that are no request, or more than one: how each is answered before the connection is closed."""

from typing import Final

import attrs
from doubtful import messages
from hostile import FILES, KEPT, credentials

AUTHORIZED: Final = f"Host: 127.0.0.1\r\nAuthorization: {credentials('ann')}\r\n".encode()
SMUGGLED: Final = f"DELETE {KEPT} HTTP/1.1\r\n".encode() + AUTHORIZED + b"\r\n"
CHUNKED: Final = f"PUT {FILES}new HTTP/1.1\r\n".encode() + AUTHORIZED + b"Transfer-Encoding: chunked\r\n\r\n"


@attrs.frozen
class Message:
    """What is sent, and with which status it is refused; None where the connection is closed without a word."""

    name: str
    data: bytes
    status: int | None


MESSAGES: Final[tuple[Message, ...]] = (
    *(Message(name, data, 400) for name, data in messages(KEPT, SMUGGLED).items()),
    Message("a request line that does not end", b"GET /" + b"x" * 100_000, 414),
    Message("a field that does not end", b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, 431),
    Message("1,000 fields", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1_000 + b"\r\n", 431),
    Message("fields without end", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Long: yyyyyyyyyyyyyyyyyyyy\r\n" * 1_000, 431),
    Message("fields folded without end", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n" + b" y\r\n" * 10_000, 431),
    Message("a length of 30 digits", b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", 413),
    Message(
        "a length of 5,000 digits", b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n", 400
    ),
    Message("a chunk size that does not end", CHUNKED + b"0" * 100_000, 400),
    Message("a chunk extension that does not end", CHUNKED + b"1;" + b"x" * 100_000, 400),
    Message("a chunk extension with a carriage return", CHUNKED + b"1;a\rb\r\nx\r\n0\r\n\r\n" + SMUGGLED, 400),
    Message("a chunk size with a blank before it", CHUNKED + b" 1\r\nx\r\n0\r\n\r\n" + SMUGGLED, 400),
    Message("chunks that end with line feeds", CHUNKED + b"1\nx\n0\n\n" + SMUGGLED, 400),
    Message("trailers without end", CHUNKED + b"0\r\n" + b"X: y\r\n" * 100_000, 400),
    Message("nothing that is a request", bytes(range(256)) * 100, 414),
)
