"""Memory that a process does not need goes back to the system."""

import ctypes
import gc
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

ARENAS: Final = -8, 1
LARGE: Final = -3, 8 * 1024 * 1024
TRIM: Final = -1, 4 * 1024 * 1024
"""Numbers and values for ``mallopt`` of the GNU C library."""
GIVE_BACK_SECONDS: Final = 60.0
"""How often what is free is given back: to look takes below a millisecond, and 80 MB to give back some ten."""


def be_frugal() -> None:
    """Have the C library give back memory that is free; to be called before threads are started.

    By itself it keeps some megabytes for each thread, and what a large answer took once, for ever. Only one thread
    runs at a time anyway. A C library that knows nothing of this is left as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in (ARENAS, LARGE, TRIM):
            mallopt(parameter, value)


def settle() -> None:
    """Leave what stays for ever out of garbage collections, and have them less often: a tenth of a request's time.

    What the start has used and does not need any more goes back to the system.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    give_back()


def give_back() -> None:
    """Give back all that is free, wherever it lies.

    The C library does so by itself with what lies at the end of its memory only: some octets that are still used there
    keep any number of megabytes that are free.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def keep_giving_back(reactor: Any) -> Callable[[], Deferred[Any]]:
    """Do so every so often.

    Returns:
        A function that ends it.
    """
    call = LoopingCall(give_back)
    call.clock = reactor
    finished = call.start(GIVE_BACK_SECONDS, now=False)

    def stop() -> Deferred[Any]:
        call.stop()
        return finished

    return stop
