"""Conditions of a request that goes to two nodes."""

from hypothesis import given
from hypothesis import strategies as st

from calserver.cluster.conditions import if_field
from calserver.dav import Condition, ConditionList, Headers, Href, Request, if_lists
from calserver.directory import ANONYMOUS

TOKEN = st.sampled_from(["urn:uuid:1", "urn:uuid:2"]).map(lambda token: Condition(token=token))
ETAG = st.sampled_from(['"a"', 'W/"b c"']).map(lambda etag: Condition(etag=etag))
CONDITIONS = st.lists(TOKEN | ETAG, min_size=1, max_size=3).map(tuple)


def read(field: bytes) -> tuple[ConditionList, ...]:
    request = Request(method="COPY", href=Href(), headers=Headers([("If", field.decode())]), body=b"", actor=ANONYMOUS)
    return if_lists(request)


@given(st.sampled_from(["", "http://x/dav/a"]), st.lists(CONDITIONS, min_size=1, max_size=3))
def test_lists_are_written_as_they_are_read(tag: str, conditions: list[tuple[Condition, ...]]) -> None:
    lists = tuple(ConditionList(tag, each) for each in conditions)
    assert read(if_field(lists)) == lists


def test_tokens_of_other_lists_are_submitted_by_a_list_that_never_holds() -> None:
    mine = ConditionList("/dav/a", (Condition(token="urn:uuid:1", negated=True),))
    other = ConditionList("/dav/b", (Condition(token="urn:uuid:2"), Condition(etag='"x"')))
    first, second = read(if_field([mine], submitting=[other]))
    assert first == mine
    assert second == ConditionList("/dav/a", (Condition(token="urn:uuid:2"), Condition(token="DAV:no-lock")))
