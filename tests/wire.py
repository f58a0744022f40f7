"""HTTP byte by byte over a real socket, for what no client library would send."""

import re
from typing import Any, NamedTuple

from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.python.failure import Failure

WAIT_SECONDS = 10.0


class Answer(NamedTuple):
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire(Protocol):
    """One connection: what is sent, what has come, and whether it is closed."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.closed = False
        self._waiting: list[Deferred[None]] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self._tell()

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008 - Twisted's default
        self.closed = True
        self._tell()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    async def more(self) -> None:
        """Wait until something has come, or the server has closed."""
        changed: Deferred[None] = Deferred()
        self._waiting.append(changed)
        changed.addTimeout(WAIT_SECONDS, reactor)
        await changed

    def send(self, data: bytes) -> None:
        self.transport.write(data)

    async def until(self, wanted: bytes) -> None:
        """Wait until something has come."""
        while wanted not in self.received:
            assert not self.closed, self.received
            await self.more()

    async def until_closed(self) -> bytes:
        """Wait until the server closes; everything that has come."""
        while not self.closed:
            await self.more()
        return bytes(self.received)

    async def answer(self, *, head: bool = False) -> Answer:
        """The next response, taken from what has come."""
        while b"\r\n\r\n" not in self.received:
            assert not self.closed, self.received
            await self.more()
        top, _, _ = bytes(self.received).partition(b"\r\n\r\n")
        line, *fields = top.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
        status = int(line.split()[1])
        begin = len(top) + 4
        if "transfer-encoding" in headers and not head:
            while not self.received.endswith(b"0\r\n\r\n"):
                await self.more()
            content = unchunked(bytes(self.received[begin:]))
            self.received.clear()
            return Answer(status, headers, content)
        length = 0 if head or status in (100, 204, 304) else int(headers["content-length"])
        while len(self.received) < begin + length:
            assert not self.closed, self.received
            await self.more()
        content = bytes(self.received[begin : begin + length])
        del self.received[: begin + length]
        return Answer(status, headers, content)

    async def ask(self, data: bytes) -> Answer:
        """Send a request and wait for its response."""
        self.send(data)
        return await self.answer(head=data.startswith(b"HEAD "))

    def close(self) -> None:
        self.transport.loseConnection()


def unchunked(data: bytes) -> bytes:
    """The content of a chunked body."""
    content = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if not (length := int(size, 16)):
            assert data == b"\r\n"
            return content
        content += data[:length]
        assert data[length : length + 2] == b"\r\n"
        data = data[length + 2 :]


async def connect(port: int, *, tls: bool = False, alpn: tuple[bytes, ...] = ()) -> Wire:
    """Connect to a port on loopback."""
    endpoint: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    if tls:
        options = CertificateOptions(verify=False, acceptableProtocols=list(alpn) or None)
        endpoint = wrapClientTLS(options, HostnameEndpoint(reactor, "127.0.0.1", port))
    wire: Wire = await endpoint.connect(Factory.forProtocol(Wire))
    return wire


def request(method: str, path: str, *fields: str, body: bytes = b"", host: str = "cal.example.org") -> bytes:
    """A request of HTTP/1.1, with a length where it has a body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *fields]
    if body and not any(re.match("(?i)content-length|transfer-encoding", each) for each in fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
