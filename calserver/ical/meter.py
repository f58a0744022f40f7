"""What an expansion may cost: every step is counted, and the count is bounded before the first one."""

from typing import Final

from calserver.ical.conditions import MaxInstances

STEPS: Final = 50_000
"""Steps of one expansion: some tens of milliseconds at most, and far more than any calendar in use needs."""


class Meter:
    """Counts the steps of an expansion and ends it before it costs too much.

    Args:
        steps: how many there may be.
        within: counts them too, and those of other expansions: what all of them may cost together.
    """

    __slots__ = ("_left", "_within")

    def __init__(self, steps: int = STEPS, within: "Meter | None" = None) -> None:
        self._left = steps
        self._within = within

    def spend(self, steps: int = 1) -> None:
        """Count `steps`.

        Raises:
            MaxInstances: there were too many.
        """
        self._left -= steps
        if self._left < 0:
            raise MaxInstances("the recurrence rule costs too much to expand")
        if self._within is not None:
            self._within.spend(steps)
