"""Waiting for others: never longer than told, and never twice for the same thing."""

from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


async def within(clock: IReactorTime, seconds: float, work: Coroutine[Any, Any, V]) -> V:
    """What `work` returns; it is cancelled when it takes longer.

    Raises:
        TimeoutError: it took longer.
    """
    running = Deferred.fromCoroutine(work)
    late = False

    def expire() -> None:
        nonlocal late
        late = True
        running.cancel()

    call = clock.callLater(seconds, expire)
    try:
        return await running
    except CancelledError:
        if late:
            raise TimeoutError(f"it took longer than {seconds:g} s") from None
        raise
    finally:
        if call.active():
            call.cancel()


class Cache(Generic[K, V]):
    """What was found out and stays true for a while; the least recently used goes first.

    However many ask for a key at the same time, it is looked up once. Who is cancelled stops waiting; the look-up goes
    on, for the others and for the next one. So a look-up must end by itself.
    """

    def __init__(self, clock: IReactorTime, *, size: int) -> None:
        self._clock = clock
        self._size = size
        self._known: dict[K, tuple[V, float]] = {}
        self._flights: dict[K, list[Deferred[tuple[V, float]]]] = {}

    def __len__(self) -> int:
        return len(self._known)

    async def get(
        self, key: K, look_up: Callable[[], Coroutine[Any, Any, tuple[V, float]]], *, fresh: bool = False
    ) -> tuple[V, float]:
        """The value of a key, and for how many seconds it stays true.

        Args:
            key: what is asked for.
            look_up: finds the value and its lifetime in seconds; what it raises goes to all who wait for it and is not
                remembered.
            fresh: look it up although it is known.
        """
        if not fresh and (known := self._recall(key)):
            return known
        waiter: Deferred[tuple[V, float]] = Deferred()
        waiters = self._flights.setdefault(key, [])
        waiters.append(waiter)
        if len(waiters) == 1:
            Deferred.fromCoroutine(self._fly(key, look_up))
        return await waiter

    def _recall(self, key: K) -> tuple[V, float] | None:
        if (found := self._known.pop(key, None)) is None:
            return None
        value, until = found
        left = until - self._clock.seconds()
        if left <= 0:
            return None
        self._known[key] = found  # the dictionary is in the order of use
        return value, left

    async def _fly(self, key: K, look_up: Callable[[], Coroutine[Any, Any, tuple[V, float]]]) -> None:
        try:
            value, seconds = await look_up()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for those who wait
            for waiter in self._landed(key):
                waiter.errback(error)
            return
        self._known.pop(key, None)
        if seconds > 0:
            self._known[key] = value, self._clock.seconds() + seconds
            while len(self._known) > self._size:
                del self._known[next(iter(self._known))]
        for waiter in self._landed(key):
            waiter.callback((value, seconds))

    def _landed(self, key: K) -> list[Deferred[tuple[V, float]]]:
        return [waiter for waiter in self._flights.pop(key) if not waiter.called]
