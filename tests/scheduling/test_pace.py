"""When a domain that has failed is tried again."""

from datetime import UTC, datetime
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from calserver.scheduling.pace import LONGEST_SECONDS, next_try

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.integers(1, 100), st.floats(0.01, 600), st.floats(0, 90_000), st.randoms(use_true_random=False))
def test_later_each_time_but_not_for_ever_and_not_before_the_other_side_wants(
    failures: int, first: float, wish: float, chance: Random
) -> None:
    waits = (next_try(failures, NOW, first_seconds=first, wish_seconds=wish, chance=chance) - NOW).total_seconds()
    middle = min(first * 2 ** (failures - 1), LONGEST_SECONDS)
    assert max(0.75 * middle, wish) <= waits + 1e-5
    assert waits <= max(1.25 * middle, wish) + 1e-5


def test_not_all_at_the_same_instant() -> None:
    assert len({next_try(3, NOW, first_seconds=10, chance=Random(seed)) for seed in range(20)}) > 10
