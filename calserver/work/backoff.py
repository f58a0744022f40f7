"""When to try again what failed."""

from datetime import datetime, timedelta
from typing import Final

DELAYS: Final = (1, 5, 30, 120, 600, 1800)
"""Seconds after the first failure, the second and so on; from then on the last."""


def next_try(attempts: int, now: datetime) -> datetime:
    """When to try a task again that has failed `attempts` times before, and now."""
    return now + timedelta(seconds=DELAYS[min(attempts, len(DELAYS) - 1)])
