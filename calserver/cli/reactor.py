"""Run a verb that waits for the network."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import react

T = TypeVar("T")


def run_async(work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """What `work(reactor)` returns or raises; the reactor runs so long, once in a process. Ctrl-C ends it."""
    outcome: list[T] = []
    errors: list[Exception] = []

    async def settle(reactor: Any) -> None:
        try:
            outcome.append(await work(reactor))
        except Exception as error:  # noqa: BLE001 - it is raised again below, outside of the reactor
            errors.append(error)

    try:
        react(lambda reactor: Deferred.fromCoroutine(settle(reactor)))
    except SystemExit:
        if errors:
            raise errors[0] from None
        if not outcome:
            raise
    return outcome[0]
