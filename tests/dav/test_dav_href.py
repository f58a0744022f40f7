"""Paths as decoded segments, requests and their header fields (RFC 4918 sections 5.2, 8.3; RFC 9110 section 5)."""

from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calserver.dav import BadRequest, Href, parameters, quote_segment
from calserver.dav.message import Headers

segments = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="/" + "".join(map(chr, [*range(32), 127]))), min_size=1
).filter(lambda text: text not in (".", ".."))


@given(st.lists(segments, max_size=4), st.booleans())
def test_a_path_that_is_written_is_read_back(names: list[str], collection: bool) -> None:
    href = Href(tuple(names), collection)
    again = Href.parse(str(href))
    assert again == href
    assert again.collection == (collection or not names)
    assert str(again) == str(href)


@given(segments)
def test_a_written_name_is_safe_in_urls_and_in_xml(name: str) -> None:
    text = quote_segment(name)
    assert not set(text) & set('&<>"/?# ')
    assert text.isascii()
    assert urljoin("http://example.com/a/", "./" + text).startswith("http://example.com/a/")


@given(segments, st.booleans())
def test_a_child_knows_its_path_without_the_whole_being_quoted_again(name: str, collection: bool) -> None:
    for parent in (Href(), Href((), collection=True), Href(("a b",)), Href(("a b",), collection=True)):
        child = parent.child(name, collection=collection)
        assert str(child) == str(Href((*parent.segments, name), collection))


@pytest.mark.parametrize(
    "path",
    [
        "a/../b",
        "a/./b",
        "..",
        "%2e%2e/x",
        "a%2fb",
        "a%00b",
        "a%0ab",
        "a\nb",
        "a%7f",
        "%ff",
        "%c0%ae%c0%ae",
        "%ed%a0%80",
        "\ud800",
        "%ef%bf%be",
        "a%ef%bf%bf",
        "%",
        "a%z",
        "a%6",
        "%%41",
    ],
)
def test_paths_that_name_nothing_are_bad_requests(path: str) -> None:
    with pytest.raises(BadRequest):
        Href.parse(path)


def test_one_collection_has_two_spellings() -> None:
    assert Href.parse("a/b/") == Href.parse("a//b")
    assert Href.parse("a/b/").collection
    assert not Href.parse("a/b").collection
    assert {Href.parse("a/"), Href.parse("a")} == {Href(("a",))}


def test_characters_of_names_keep_apart_what_they_mean_in_urls() -> None:
    names = "a:b", "c@d", "e+f", "g h", "i%j", "k;l", "ü", "m'n", 'o"p', "q&r", "s?t", "u#v", "w\\x", "a|b"
    path = str(Href(names))
    assert path == "a:b/c@d/e+f/g%20h/i%25j/k;l/%C3%BC/m'n/o%22p/q%26r/s%3Ft/u%23v/w%5Cx/a%7Cb"
    assert Href.parse(path).segments == names


def test_within_is_below_or_the_same() -> None:
    assert Href.parse("a/b/c").within(Href.parse("a/b"))
    assert Href.parse("a/b").within(Href.parse("a/b/"))
    assert not Href.parse("a/bc").within(Href.parse("a/b"))
    assert not Href.parse("a").within(Href.parse("a/b"))


def test_header_fields_are_found_in_any_case_and_joined() -> None:
    headers = Headers([("If-Match", '"a"'), ("if-match", '"b"')])
    assert headers["IF-MATCH"] == '"a", "b"'
    assert headers.get("IF-MATCH") == '"a", "b"'
    assert headers.get("depth") is None
    assert headers.get("depth", "0") == "0"
    assert "if-Match" in headers
    assert list(headers) == ["if-match"]


@pytest.mark.parametrize(
    ("value", "front", "found"),
    [
        ("text/xml", "text/xml", {}),
        ('Text/XML; charset="utf-8"', "text/xml", {"charset": "utf-8"}),
        (
            "text/calendar;charset=UTF-8 ; component=VEVENT",
            "text/calendar",
            {"charset": "UTF-8", "component": "VEVENT"},
        ),
        ('a/b; x="y;z\\"w"; v=1', "a/b", {"x": 'y;z"w', "v": "1"}),
        ("a/b; ; x; y=", "a/b", {"y": ""}),
        ("", "", {}),
    ],
)
def test_parameters_are_read_quoted_or_not(value: str, front: str, found: dict[str, str]) -> None:
    assert parameters(value) == (front, found)
