"""When to try a domain again that has failed: later each time, and not all at the same instant."""

from datetime import datetime, timedelta
from random import Random
from typing import Final

LONGEST_SECONDS: Final = 3600.0


def next_try(
    failures: int,
    now: datetime,
    *,
    first_seconds: float,
    longest_seconds: float = LONGEST_SECONDS,
    wish_seconds: float = 0.0,
    chance: Random,
) -> datetime:
    """When to try again.

    Args:
        failures: how often it has failed in a row, at least once.
        now: the time.
        first_seconds: how long to wait after the first failure; it doubles with each.
        longest_seconds: how long to wait at most.
        wish_seconds: how long the other side wants us to wait at least.
        chance: spreads the tries over half of the time.
    """
    waits = min(first_seconds * 2.0 ** min(failures - 1, 30), longest_seconds)
    return now + timedelta(seconds=max(waits * chance.uniform(0.75, 1.25), wish_seconds))
