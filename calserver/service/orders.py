"""What a supervisor and its workers say to each other: JSON, a line each, over pipes.

A worker gets on its standard input an `Order`, what it is to be; then what it is to do: ``retire``, ``stop``,
``reopen`` (its log files), ``tell`` (how it is). The end of its input is the end of its supervisor. It says on `SAYS`
that it is ``ready``, and what it was asked to ``tell``.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from calserver.config import Config

HEARS: Final = 0
SAYS: Final = 3
"""File descriptors of a worker; those of sockets come behind them."""

Message = Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Order:
    """What a worker is to be."""

    number: int
    workers: int
    """How many there are."""
    text: str
    """Of the configuration: what the file said when it was read for all workers."""
    source: str
    """The file."""
    listen: tuple[str, ...] | None
    """Endpoints that stand for those in the configuration."""
    sockets: Mapping[str, list[int]]
    """By endpoint."""

    @classmethod
    def of(cls, message: Message) -> "Order":
        """What was sent."""
        listen = message["listen"]
        return cls(**{**message, "listen": None if listen is None else tuple(listen)})

    def config(self) -> Config:
        """The configuration of a worker.

        Raises:
            ConfigError: it is wrong.
        """
        config = Config.parse(self.text, source=Path(self.source))
        server = attrs.evolve(config.server, admin_listen=())
        if self.listen is not None:
            server = attrs.evolve(server, listen=self.listen)
        return attrs.evolve(config, server=server)


def packed(message: Message) -> bytes:
    """A message as it is sent."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class Lines:
    """Puts together what arrives in pieces.

    Args:
        take: is called with each message.
    """

    def __init__(self, take: Callable[[Message], None]) -> None:
        self._take = take
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """A piece."""
        *complete, rest = data.split(b"\n")
        for each in complete:
            line = b"".join((*self._pieces, each))
            self._pieces.clear()
            self._take(json.loads(line))
        if rest:
            self._pieces.append(rest)
