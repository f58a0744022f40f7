"""How often somebody may do something: an allowance for each, which is spent at once and grows again with time."""

import attrs


@attrs.frozen
class Rate:
    """So many in a second in the long run, and so many at once."""

    per_second: float
    at_once: float


class Allowances:
    """The allowance of each of many - addresses, domains. Whoever has not been seen for longest is forgotten first.

    Args:
        rate: None for no limit.
        size: most that are kept in mind.
    """

    def __init__(self, rate: Rate | None, *, size: int = 10_000) -> None:
        self._rate = rate
        self._size = size
        self._left: dict[str, tuple[float, float]] = {}

    def spend(self, who: str, now: float) -> float:
        """Take one out of somebody's allowance; returns 0, or the seconds until there is one again.

        Args:
            who: whose allowance.
            now: seconds since any time.
        """
        rate = self._rate
        if rate is None:
            return 0.0
        left, since = self._left.pop(who, (rate.at_once, now))
        left = min(rate.at_once, left + max(now - since, 0.0) * rate.per_second)
        enough = left >= 1
        self._left[who] = (left - 1 if enough else left, now)
        if len(self._left) > self._size:
            del self._left[next(iter(self._left))]
        return 0.0 if enough else (1 - left) / rate.per_second

    def give_back(self, who: str) -> None:
        """Put back what was taken for something that did not happen."""
        if self._rate is not None and who in self._left:
            left, since = self._left[who]
            self._left[who] = (min(self._rate.at_once, left + 1), since)
