"""The body of a request that is handled while it arrives: as fast as who takes it does."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from calserver.web.channel import Channel

EARLY_BYTES: Final = 64 * 1024
"""Bodies up to this length are collected: they are there at once, mostly with the header fields."""


class Intake:
    """A body on its way from a connection (HTTP/1.1) to who takes it.

    Nothing more is read from the connection until somebody takes it, and while who does so pauses.

    Args:
        channel: the connection.
        length: bytes of the body, where they are known.
    """

    def __init__(self, channel: "Channel", length: int | None) -> None:
        self.length = length
        self.gone = False
        """Whether the client went before all was there."""
        self._channel = channel
        self._chunks: list[bytes] = []
        self._take: Callable[[bytes], object] | None = None
        self._paused = False
        self._complete = False
        self._over = False
        self._told: list[Callable[[], object]] = []

    # -- the connection ------------------------------------------------------------------------------------------------

    def data(self, data: bytes) -> None:
        """A part is there."""
        if self._take is not None and not self._paused:
            self._take(data)
        else:
            self._chunks.append(data)
            self._channel.pause_body()

    def end(self) -> None:
        """All is there."""
        self._complete = True
        self._tell()

    def lost(self) -> None:
        """The connection is gone."""
        if not self._over:
            self.gone = True
            self._tell()

    # -- who takes it --------------------------------------------------------------------------------------------------

    def take(self, take: Callable[[bytes], object]) -> None:
        """Have all parts handed to a function."""
        self._take = take
        self.resume()

    def discard(self) -> None:
        """Throw away what is there, and what is still to come."""
        self.take(lambda data: None)

    def pause(self) -> None:
        """Hand over nothing for now."""
        self._paused = True
        if not self._complete and not self.gone:
            self._channel.pause_body()

    def resume(self) -> None:
        """Hand over what is there, and read on."""
        self._paused = False
        while self._chunks and self._take is not None and not self._paused:
            self._take(self._chunks.pop(0))
        if not self._chunks and not self._paused and self._take is not None:
            if not self._complete and not self.gone:
                self._channel.resume_body()
            self._tell()

    def when_over(self, tell: Callable[[], object]) -> None:
        """Call a function when all was taken, or the client is gone."""
        self._told.append(tell)
        self._tell()

    async def over(self) -> None:
        """Wait for that."""
        done: Deferred[None] = Deferred()
        self.when_over(lambda: done.callback(None))
        await done

    def _tell(self) -> None:
        taken = self._complete and not self._chunks and self._take is not None
        if self._over or taken or self.gone:
            self._over = True
            told, self._told = self._told, []
            for each in told:
                each()
