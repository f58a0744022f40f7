"""What one request may cost: time to compute, and size of its answer.

Each single step - an expansion, a filter, the text of an object - is bounded where it is taken. What is here bounds the
sum of them: ten thousand small steps are a request that holds up everybody else's, and a short request for one object
under many names, or for properties that refer to each other, can be answered with gigabytes.
"""

import time
from collections.abc import Callable

import attrs

from calserver.conditions import ConditionFailed
from calserver.names import D


class NumberOfMatchesWithinLimits(ConditionFailed):
    """More results than the client or this server wants in one answer (RFC 6578 section 3.2, RFC 4791 section 7.8)."""

    name = D("number-of-matches-within-limits")


@attrs.define(slots=True)
class Allowance:
    """How much of both is left; times are those that the thread has computed, whatever else runs on the machine.

    To ask how long that was is a call of the system. So it is asked only when more time than that has gone by at all.

    Args:
        seconds: how long the request may compute.
        characters: how long its answer may be.
        clock: seconds that the thread has computed.
        wall: seconds that have gone by.
    """

    seconds: float
    characters: int
    _clock: Callable[[], float] = time.thread_time
    _wall: Callable[[], float] = time.perf_counter
    _began: float = attrs.field(init=False)
    _wall_began: float = attrs.field(init=False)

    @_began.default
    def _begin(self) -> float:
        return self._clock()

    @_wall_began.default
    def _look(self) -> float:
        return self._wall()

    @property
    def spent_seconds(self) -> float:
        """How long the request has computed."""
        return self._clock() - self._began

    def spend(self, characters: int = 0) -> None:
        """Count a part of the answer, to be called at each step of what may have many.

        Raises:
            NumberOfMatchesWithinLimits: it is too much.
        """
        self.characters -= characters
        if self.characters < 0:
            raise NumberOfMatchesWithinLimits("the answer would be larger than this server sends")
        if self._wall() - self._wall_began > self.seconds and self.spent_seconds > self.seconds:
            raise NumberOfMatchesWithinLimits("the request would take longer to answer than this server takes")
