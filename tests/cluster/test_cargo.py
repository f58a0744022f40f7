"""What is carried to another node arrives as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calserver.cluster.cargo import Cargo, Item, cargo, stamp_of
from calserver.dav import BadRequest, Headers, Href, Request
from calserver.directory import ANONYMOUS

NAME = st.text(min_size=1, max_size=8)
ITEMS = st.builds(
    Item,
    names=st.lists(NAME, max_size=3).map(tuple),
    kind=st.sampled_from(["", "plain", "calendar"]),
    content_type=NAME,
    properties=st.dictionaries(NAME, NAME, max_size=3),
    acl=st.none() | NAME,
    display_name=st.none() | NAME,
    components=st.lists(NAME, max_size=2).map(tuple),
    transparent=st.booleans(),
    timezone=st.none() | NAME,
    content=st.binary(max_size=40),
)
CARGO = st.builds(Cargo, stamp=NAME, moves=st.booleans(), items=st.lists(ITEMS, min_size=1, max_size=4).map(tuple))


def brought(body: bytes) -> Request:
    return Request(method="UNPACK", href=Href(), headers=Headers(), body=body, actor=ANONYMOUS)


@given(CARGO)
def test_what_is_packed_is_unpacked(packed: Cargo) -> None:
    data = b"".join(packed.pieces())
    assert cargo(brought(data)) == packed
    assert stamp_of(data).decode() == packed.stamp


@given(CARGO, st.integers(1, 20))
def test_what_is_cut_off_or_longer_is_refused(packed: Cargo, much: int) -> None:
    data = b"".join(packed.pieces())
    for wrong in (data[:-much], data + bytes(much), data[much:]):
        with pytest.raises(BadRequest):
            cargo(brought(wrong))


@pytest.mark.parametrize("wrong", [b"", b"\n", b"[]\n", b"{}\n", b'{"items":0,"stamp":"","moves":true}\n'])
def test_what_is_none_is_refused(wrong: bytes) -> None:
    with pytest.raises(BadRequest):
        cargo(brought(wrong))
