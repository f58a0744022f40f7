"""Where new principals of a cluster go."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from calserver.directory import placement
from calserver.directory.placement import least_used
from calserver.store import Principal, Store, Transaction

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


def test_people_and_rooms_are_placed_once_and_groups_never(store: Store) -> None:
    def add(txn: Transaction) -> Mapping[int, str]:
        made = [
            txn.principals.add(Principal(id=0, kind=kind, uid=kind, guid=kind.upper()))
            for kind in ("user", "group", "location")
        ]
        for each in (*made, *made):
            placement.place(txn, each, ("b1", "b2"))
        return {each.kind: txn.placements.of((each.id,)).get(each.id, "") for each in made}

    assert store.write_now(add) == {"user": "b1", "group": "", "location": "b2"}
