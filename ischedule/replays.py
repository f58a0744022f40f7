"""What has been received already: the same message has the same answer, and is not delivered twice.

Anybody who has seen a signed message can send it again for as long as its signature is valid, to any server. And a peer
that has lost our answer rightly does. Both are told what was answered the first time, and nothing else happens.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import attrs
from twisted.internet.defer import Deferred

A = TypeVar("A")


class Replays(Protocol[A]):
    """Keeps answers in mind; servers of several processes need one that all of them share."""

    async def once(
        self, key: bytes, work: Callable[[], Awaitable[A]], *, now: float, until: float
    ) -> tuple[A, float | None]:
        """The answer of `work`, which is done once for each key.

        Args:
            key: what makes a message the same.
            work: makes the answer. What it raises is not kept in mind.
            now: seconds since 1970.
            until: how long the answer is needed.

        Returns:
            The answer, and how many seconds ago it was made; None if that was now.
        """


@attrs.frozen
class _Kept(Generic[A]):
    answer: A
    at: float
    until: float


class ReplayMemory(Generic[A]):
    """`Replays` of one process, in memory.

    Args:
        size: most answers that are kept; beyond that, the oldest are given up.
    """

    def __init__(self, *, size: int = 100_000) -> None:
        self._size = size
        self._kept: dict[bytes, _Kept[A]] = {}
        self._running: dict[bytes, list[Deferred[None]]] = {}

    async def once(
        self, key: bytes, work: Callable[[], Awaitable[A]], *, now: float, until: float
    ) -> tuple[A, float | None]:
        """See `Replays`. Whoever comes while the first one is at work waits for its answer."""
        while key in self._running:
            done: Deferred[None] = Deferred()
            self._running[key].append(done)
            await done
        if (kept := self._kept.get(key)) and kept.until > now:
            return kept.answer, max(now - kept.at, 0.0)
        self._running[key] = []
        try:
            answer = await work()
            self._keep(key, _Kept(answer, now, until), now)
        finally:
            for waiter in self._running.pop(key):
                if not waiter.called:
                    waiter.callback(None)
        return answer, None

    def _keep(self, key: bytes, kept: _Kept[A], now: float) -> None:
        """Answers expire about in the order in which they came, so a look at the oldest ones is enough."""
        self._kept.pop(key, None)
        self._kept[key] = kept
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) <= self._size and self._kept[oldest].until > now:
                break
            del self._kept[oldest]
