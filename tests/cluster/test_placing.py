"""Where new principals go, and whose a path is."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calserver.cluster.placing import least_used, owner
from calserver.dav import Href

names = st.text("abc", min_size=1, max_size=3)


@given(st.sets(names, min_size=1), st.dictionaries(names, st.integers(0, 9)))
def test_a_new_principal_goes_where_the_fewest_are(nodes: set[str], counts: Mapping[str, int]) -> None:
    chosen = least_used(nodes, counts)
    assert chosen in nodes
    assert counts.get(chosen or "", 0) == min(counts.get(each, 0) for each in nodes)


@given(st.sets(names, min_size=1), st.integers(0, 60))
def test_nodes_fill_evenly(nodes: set[str], many: int) -> None:
    counts: dict[str, int] = {}
    for _ in range(many):
        chosen = least_used(nodes, counts)
        assert chosen is not None
        counts[chosen] = counts.get(chosen, 0) + 1
    assert max(counts.values(), default=0) - min((counts.get(each, 0) for each in nodes), default=0) <= 1


def test_without_nodes_it_goes_nowhere() -> None:
    assert least_used((), {"b1": 1}) is None


@pytest.mark.parametrize(
    ("path", "whose"),
    [
        ("calendars/user/ann/", ("user", "ann")),
        ("calendars/user/ann/Default/a.ics", ("user", "ann")),
        ("drive/user/a%20b", ("user", "a b")),
        ("calendars/location/room1/", ("location", "room1")),
        ("calendars/user/", None),
        ("calendars/", None),
        ("", None),
        ("principals/user/ann/", None),
        ("elsewhere/user/ann/", None),
    ],
)
def test_a_path_below_a_home_is_its_owners(path: str, whose: tuple[str, str] | None) -> None:
    assert owner(Href.parse(path), ("calendars", "drive")) == whose
