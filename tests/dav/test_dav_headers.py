"""Header fields as values: Depth, Destination, Timeout, If, Prefer, Range (RFC 4918 section 10, RFC 7240, RFC 9110)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_tree import ACTORS

from calserver.dav import BadGateway, BadRequest, Depth, Href, Preferences, accepts, depth, destination, preferences
from calserver.dav.headers import (
    Condition,
    ConditionList,
    byte_range,
    if_lists,
    local,
    lock_token,
    overwrite,
    submitted_tokens,
    timeout_seconds,
)
from calserver.dav.message import Headers, Request


def request(origin: str = "http://dav.example.com:8008", prefix: str = "/dav/", **fields: str) -> Request:
    headers = Headers([(name.replace("_", "-"), value) for name, value in fields.items()])
    return Request(method="X", href=Href(), headers=headers, body=b"", actor=ACTORS[None], prefix=prefix, origin=origin)


@pytest.mark.parametrize(
    ("value", "level"),
    [("0", Depth.ZERO), ("1", Depth.ONE), ("infinity", Depth.INFINITY), ("Infinity ", Depth.INFINITY), ("", None)],
)
def test_depth_is_read_in_any_case(value: str, level: Depth | None) -> None:
    assert depth(request(depth=value)) is level


def test_no_depth_is_none_and_another_is_a_bad_request() -> None:
    assert depth(request()) is None
    for value in ("2", "1,noroot", "00", "infinite"):
        with pytest.raises(BadRequest):
            depth(request(depth=value))


def test_overwrite_is_true_unless_it_is_f() -> None:
    assert overwrite(request())
    assert overwrite(request(overwrite="t"))
    assert not overwrite(request(overwrite="F"))
    with pytest.raises(BadRequest):
        overwrite(request(overwrite="maybe"))


# -- Destination ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "value"),
    [
        ("http://dav.example.com:8008", "http://dav.example.com:8008/dav/a%20b/c"),
        ("http://dav.example.com:8008", "HTTP://DAV.example.COM:8008/dav/a%20b/c"),
        ("http://dav.example.com:8008", "/dav/a%20b/c"),
        ("http://dav.example.com:8008", "/dav/a%20b/c?query"),
        ("https://dav.example.com", "https://dav.example.com/dav/a%20b/c"),
        ("https://dav.example.com", "https://dav.example.com:443/dav/a%20b/c"),
        ("https://dav.example.com:443", "https://dav.example.com/dav/a%20b/c"),
        ("http://dav.example.com", "https://dav.example.com/dav/a%20b/c"),
        ("http://[::1]:8008", "http://[::1]:8008/dav/a%20b/c"),
        ("http://dav.example.com", "http://user@dav.example.com/dav/a%20b/c"),
    ],
)
def test_a_destination_on_this_server_is_a_place_below_the_root(origin: str, value: str) -> None:
    assert destination(request(origin, destination=value)) == Href(("a b", "c"))


@pytest.mark.parametrize(
    "value",
    [
        "http://other.example.com:8008/dav/a",
        "http://dav.example.com/dav/a",
        "http://dav.example.com:8009/dav/a",
        "https://dav.example.com:8443/dav/a",
        "ftp://dav.example.com:8008/dav/a",
        "http://dav.example.com.evil.example:8008/dav/a",
        "http://dav.example.com:8008@evil.example/dav/a",
        "//other.example.com/dav/a",
        "http://dav.example.com:8008/elsewhere/a",
        "/elsewhere/a",
        "/davx/a",
        "mailto:ann@example.com",
    ],
)
def test_a_destination_elsewhere_is_a_bad_gateway(value: str) -> None:
    """RFC 4918 section 9.8.5."""
    with pytest.raises(BadGateway):
        destination(request(destination=value))


@pytest.mark.parametrize(
    "value", ["", "/dav/a#frag", "/dav/a#", "http://[::1/dav/a", "http://a:8008.b/dav/", "/dav/a b", "/dav/%2e%2e/a"]
)
def test_a_destination_that_is_no_uri_of_a_resource_is_a_bad_request(value: str) -> None:
    with pytest.raises(BadRequest):
        destination(request(destination=value))


def test_the_public_prefix_is_what_counts_behind_a_proxy() -> None:
    assert destination(request(prefix="/cal/dav/", destination="/cal/dav/x/")) == Href(("x",))
    assert destination(request(prefix="/cal/dav/", destination="/cal/dav")) == Href()
    assert local(request(prefix="/cal/dav/"), "/dav/x") is None


# -- locks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("Second-60", 60),
        ("Infinite, Second-4100000000", None),
        ("second-5, Infinite", 5),
        ("Second-99999999999999999999999999", 2**32 - 1),
        ("Extend, Second-7", 7),
        ("Second-x", None),
        ("Second--5", None),
        ("Second-²", None),
        ("", None),
    ],
)
def test_the_first_timeout_that_can_be_read_counts(value: str, seconds: int | None) -> None:
    """RFC 4918 section 10.7; threats: overflow of Timeout."""
    assert timeout_seconds(request(timeout=value)) == seconds


def test_a_lock_token_stands_in_angle_brackets() -> None:
    assert lock_token(request(lock_token=" <urn:uuid:1> ")) == "urn:uuid:1"
    for value in ("", "urn:uuid:1", "<>", "<a b>", "<a><b>"):
        with pytest.raises(BadRequest):
            lock_token(request(lock_token=value))


# -- If ------------------------------------------------------------------------------------------------------------


def lists(value: str) -> tuple[ConditionList, ...]:
    return if_lists(request(**{"if": value}))


def test_examples_of_the_rfc_are_read() -> None:
    """RFC 4918 sections 10.4.6 to 10.4.10."""
    assert lists('(<urn:uuid:181d4fae> ["I am an ETag"]) (["I am another ETag"])') == (
        ConditionList("", (Condition("urn:uuid:181d4fae"), Condition(etag='"I am an ETag"'))),
        ConditionList("", (Condition(etag='"I am another ETag"'),)),
    )
    assert lists("(Not <urn:uuid:181d4fae> <urn:uuid:58f202ac>)") == (
        ConditionList("", (Condition("urn:uuid:181d4fae", negated=True), Condition("urn:uuid:58f202ac"))),
    )
    assert lists("(<urn:uuid:181d4fae>) (Not <DAV:no-lock>)") == (
        ConditionList("", (Condition("urn:uuid:181d4fae"),)),
        ConditionList("", (Condition("DAV:no-lock", negated=True),)),
    )
    assert lists('</resource1> (<urn:uuid:181d4fae> [W/"A weak ETag"]) (["strong ETag"])') == (
        ConditionList("/resource1", (Condition("urn:uuid:181d4fae"), Condition(etag='W/"A weak ETag"'))),
        ConditionList("/resource1", (Condition(etag='"strong ETag"'),)),
    )
    assert [each.resource for each in lists('</a>(["1"])</b>(["2"])(["3"])')] == ["/a", "/b", "/b"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "()",
        "(",
        ")",
        "<a>",
        "(<a>",
        "<a>)",
        "(<a>) <b>",
        "(<a>) <b> (<c>)",
        "<b> <c> (<d>)",
        "((<a>))",
        "(Not)",
        "(Not Not <a>)",
        "Not (<a>)",
        "([a])",
        "(a)",
        "(<>)",
        "(<a b>)",
        '(["a)',
        "<http://me.com/_namespace/ctag/>",
        "(" * 5000,
        "\x00",
    ],
)
def test_an_if_header_that_does_not_follow_the_grammar_is_a_bad_request(value: str) -> None:
    with pytest.raises(BadRequest):
        lists(value)


def test_the_ctag_condition_of_bulk_requests_is_one_on_the_resource_itself() -> None:
    assert lists("<http://me.com/_namespace/ctag/37>") == (
        ConditionList("", (Condition("http://me.com/_namespace/ctag/37"),)),
    )


def test_no_if_header_is_no_condition_and_names_no_tokens() -> None:
    assert if_lists(request()) == ()
    assert submitted_tokens(request()) == frozenset()


uris = st.sampled_from(["urn:uuid:1", "DAV:no-lock", "http://a.example/(x)", "data:,7/[9]", "/path/Not", "x:y"])
etags = st.sampled_from(['"a"', 'W/"a"', '""', '"Not (<x>)"', '"] ["', 'W/"a b, c"'])
conditions = st.one_of(
    st.builds(Condition, token=uris, negated=st.booleans()), st.builds(Condition, etag=etags, negated=st.booleans())
)
blank = st.sampled_from(["", " ", "  "])


@st.composite
def headers(draw: st.DrawFn) -> tuple[str, tuple[ConditionList, ...]]:
    tagged = draw(st.booleans())
    found, text = [], ""
    for _ in range(draw(st.integers(1, 3))):
        resource = draw(uris) if tagged else ""
        text += f"<{resource}>{draw(blank)}" if tagged else ""
        for one in draw(st.lists(st.lists(conditions, min_size=1, max_size=3), min_size=1, max_size=3)):
            text += "(" + draw(blank)
            for each in one:
                text += draw(st.sampled_from(["Not ", "not", "NOT "])) if each.negated else ""
                text += (f"<{each.token}>" if each.token else f"[{each.etag}]") + draw(blank)
            text += ")" + draw(blank)
            found.append(ConditionList(resource, tuple(one)))
    return text, tuple(found)


@given(headers())
def test_any_if_header_of_the_grammar_is_read_as_it_was_meant(pair: tuple[str, tuple[ConditionList, ...]]) -> None:
    text, meant = pair
    assert lists(text) == meant
    assert submitted_tokens(request(**{"if": text})) == {c.token for one in meant for c in one.conditions if c.token}


@given(st.text(st.sampled_from('()<>[]"NotW/ ab:,\\'), max_size=40))
def test_any_other_text_is_read_or_is_a_bad_request(value: str) -> None:
    try:
        found = lists(value)
    except BadRequest:
        return
    assert found
    assert all(each.conditions for each in found)


# -- Prefer --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, Preferences()),
        ({"brief": "t"}, Preferences(minimal=True, brief=True)),
        ({"brief": "f"}, Preferences()),
        ({"prefer": "return=minimal"}, Preferences(minimal=True)),
        ({"prefer": "return=minimal", "brief": "t"}, Preferences(minimal=True)),
        ({"prefer": 'Return="minimal"; foo="some, parameter"'}, Preferences(minimal=True)),
        ({"prefer": "return=representation, depth-noroot"}, Preferences(representation=True, noroot=True)),
        ({"prefer": "depth-noroot;a=b , return = representation"}, Preferences(representation=True, noroot=True)),
        ({"prefer": "return=minimal, return=representation"}, Preferences(minimal=True)),
        ({"prefer": "x-foo, respond-async, wait=10"}, Preferences()),
        ({"prefer": ',,;="'}, Preferences()),
    ],
)
def test_preferences_are_read_and_the_rest_is_passed_over(fields: dict[str, str], wanted: Preferences) -> None:
    """RFC 7240 section 2, RFC 8144."""
    assert preferences(request(**fields)) == wanted


# -- Range ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("bytes=0-4", (0, 4)),
        ("Bytes = 2-", (2, 9)),
        ("bytes=-3", (7, 9)),
        ("bytes=-300", (0, 9)),
        ("bytes=5-500", (5, 9)),
        ("bytes=9-9", (9, 9)),
        ("bytes=4-2", None),
        ("bytes=0-1,4-5", None),
        ("bytes=-", None),
        ("lines=0-1", None),
        ("bytes=a-b", None),
        ("bytes=99999999999999999999-", None),
    ],
)
def test_one_byte_range_is_read_and_anything_else_is_ignored(value: str, found: tuple[int, int] | None) -> None:
    """RFC 9110 section 14.2."""
    assert byte_range(value, 10) == found


@pytest.mark.parametrize(("value", "length"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-5", 0)])
def test_a_range_without_a_byte_in_it_cannot_be_satisfied(value: str, length: int) -> None:
    with pytest.raises(ValueError, match="bytes"):
        byte_range(value, length)


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_what_slicing_says(length: int, first: int, last: int) -> None:
    content = bytes(range(length))
    try:
        found = byte_range(f"bytes={first}-{last}", length)
    except ValueError:
        assert not content[first : last + 1]
        return
    if found is None:
        assert last < first
    else:
        assert content[found[0] : found[1] + 1] == content[first : last + 1] != b""


def test_media_ranges_come_by_weight_and_refused_ones_not_at_all() -> None:
    """RFC 9110 section 12.5.1."""
    assert accepts('text/*;q=0.5, a/b; version="4.0", c/d;q=0, e/f;q=x, */*;q=0.1') == (
        ("a/b", {"version": "4.0"}),
        ("e/f", {}),
        ("text/*", {}),
        ("*/*", {}),
    )
