"""A small HTTP/1.1 client on one kept-alive socket: what it costs must not drown what it measures."""

import base64
import socket
import time
from collections.abc import Mapping
from typing import NamedTuple, Self

IDLE_SECONDS = 30.0
"""After that a server may close a connection at any moment."""


class Answer(NamedTuple):
    """Status, header fields by lower-case name, and body of a response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """One connection that authenticates as one user, or as nobody."""

    def __init__(self, host: str, port: int, user: str = "", password: str = "") -> None:
        self._address = host, port
        self._connect()
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._fixed = f"Host: {host}:{port}\r\n" + (f"Authorization: Basic {token}\r\n" if user else "")

    def _connect(self) -> None:
        self._socket = socket.create_connection(self._address, timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")
        self._used = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
        self._socket.close()

    def render(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        """A request as bytes, so that a loop sends without building it again; ``_`` in names stands for ``-``."""
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {path} HTTP/1.1\r\n{self._fixed}{lines}Content-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def send(self, rendered: bytes) -> Answer:
        """Send a rendered request and read the whole answer; on another connection after a long time."""
        if time.monotonic() - self._used > IDLE_SECONDS:
            self.close()
            self._connect()
        self._socket.sendall(rendered)
        status = int(self._stream.readline().split(b" ", 2)[1])
        headers: dict[str, str] = {}
        while (line := self._stream.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        self._used = time.monotonic()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return Answer(status, headers, self._chunks())
        length = int(headers.get("content-length", "0"))
        return Answer(status, headers, self._stream.read(length))

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Render and send."""
        return self.send(self.render(method, path, body, **headers))

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self._stream.readline().split(b";")[0], 16):
            parts.append(self._stream.read(size))
            self._stream.readline()
        while self._stream.readline() not in (b"\r\n", b""):
            pass
        return b"".join(parts)
