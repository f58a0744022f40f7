"""What is written straight from an index says the same as what is written of each resource."""

from typing import Any

import pytest
from dialogue import Dialogue
from lxml import etree

from calserver.names import D
from calserver.store import joined

HOME = "drive/user/ann/"
QUICK = ("getetag", "getcontenttype", "resourcetype")
NAMES = ("a", "%C3%A4%20%26%3C", "50%25", "x:y;z=1", "%F0%9F%93%85.ics")


def told(body: bytes, names: tuple[str, ...]) -> dict[str, Any]:
    """Of each response, by href: its status, and the named properties as text."""
    found = {}
    for each in etree.fromstring(body).iter(D("response")):
        props = {name: each.find(f".//{D(name)}") for name in names}
        texts = {
            name: None if prop is None else (prop.text, sorted(inner.tag for inner in prop))
            for name, prop in props.items()
        }
        found[each.findtext(D("href"))] = (each.findtext(D("status")), texts)
    return found


def ask(names: tuple[str, ...]) -> str:
    return "<D:prop>" + "".join(f"<D:{name}/>" for name in names) + "</D:prop>"


@pytest.fixture
def files(ann: Dialogue) -> Dialogue:
    for number, name in enumerate(NAMES):
        ann("PUT", HOME + name, b"x" * number, content_type="text/calendar" if number % 2 else 'text/x; a="<&>"')
    for name in ("f/", "f/g/", "%C3%BC/"):
        ann("MKCOL", HOME + name)
    ann("PUT", HOME + "f/a", b"x")
    ann("PUT", HOME + "f/g/a", b"x")
    return ann


PLAIN = "drive/user/ann/plain/"
"""A collection whose members the store itself writes."""


@pytest.fixture
def plain(ann: Dialogue, monkeypatch: pytest.MonkeyPatch) -> Dialogue:
    monkeypatch.setattr(joined, "ROWS", 3)
    ann("MKCOL", PLAIN)
    for number, name in enumerate("hgfedcba"):
        ann("PUT", PLAIN + name, b"x" * number, content_type=f"text/plain; a=b{number % 2}")
    ann("MKCOL", PLAIN + "in/")
    ann("PUT", PLAIN + "in/a", b"x")
    return ann


def listing(asked: tuple[str, ...]) -> str:
    return f'<D:propfind xmlns:D="DAV:">{ask(asked)}</D:propfind>'


@pytest.mark.parametrize("names", [QUICK[:1], QUICK[1:2], QUICK[2:], QUICK[:2], QUICK])
def test_what_the_store_writes_is_the_same(plain: Dialogue, names: tuple[str, ...]) -> None:
    def listed(asked: tuple[str, ...]) -> dict[str, Any]:
        return told(plain("PROPFIND", PLAIN, listing(asked), depth="1").body, names)

    fast, slow = listed(names), listed((*names, "creationdate"))
    assert fast == slow
    assert len(fast) == 1 + 8 + 1


@pytest.mark.parametrize("level", ["1", "infinite"])
@pytest.mark.parametrize("limit", [None, 5, 8, 9, 10, 100])
def test_a_first_report_that_the_store_writes_is_the_same(plain: Dialogue, level: str, limit: int | None) -> None:
    def report(asked: tuple[str, ...]) -> tuple[dict[str, Any], str]:
        limited = f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>" if limit else ""
        body = (
            '<D:sync-collection xmlns:D="DAV:"><D:sync-token/>'
            f"<D:sync-level>{level}</D:sync-level>{limited}{ask(asked)}</D:sync-collection>"
        )
        answer = plain("REPORT", PLAIN, body)
        return told(answer.body, QUICK), answer.xml.findtext(D("sync-token"))

    assert report(QUICK) == report((*QUICK, "creationdate"))


def test_a_first_report_that_is_cut_short_goes_on_where_it_ended(plain: Dialogue) -> None:
    """The store writes the first part, the others come from rows; together they tell all that there is by then."""

    def report(token: str, asked: tuple[str, ...], limit: int) -> tuple[dict[str, Any], str]:
        answer = plain(
            "REPORT",
            PLAIN,
            f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>'
            f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>{ask(asked)}</D:sync-collection>",
        )
        return told(answer.body, QUICK), answer.xml.findtext(D("sync-token"))

    plain("DELETE", PLAIN + "in/")
    part, token = report("", QUICK, 5)
    assert (part, token) == report("", (*QUICK, "creationdate"), 5)
    assert [name for name in part if name != f"/dav/{PLAIN}"] == [f"/dav/{PLAIN}{name}" for name in "hgfed"]
    plain("DELETE", PLAIN + "h")
    plain("PUT", PLAIN + "g", b"changed")
    rest, _ = report(token, QUICK, 100)
    assert sorted(rest) == [f"/dav/{PLAIN}{name}" for name in (*"abcgh", "in/")]


@pytest.mark.parametrize("names", [QUICK[:1], QUICK[1:2], QUICK[2:], QUICK[:2], QUICK])
def test_listings_say_the_same_on_both_ways(files: Dialogue, names: tuple[str, ...]) -> None:
    def listed(asked: tuple[str, ...]) -> dict[str, Any]:
        return told(files("PROPFIND", HOME, listing(asked), depth="1").body, names)

    fast, slow = listed(names), listed((*names, "creationdate"))
    assert fast == slow
    assert len(fast) == 1 + len(NAMES) + 2


def test_a_listing_with_times_begins_with_the_latest_change(plain: Dialogue) -> None:
    plain("PUT", PLAIN + "e", b"changed")
    found = told(plain("PROPFIND", PLAIN, listing(("getlastmodified",)), depth="1").body, ())
    assert [href.rpartition("/")[2] for href in found if not href.endswith("/")] == [*"eabcdfgh"]


@pytest.mark.parametrize("level", ["1", "infinite"])
@pytest.mark.parametrize("limit", [None, 3])
@pytest.mark.parametrize("names", [QUICK[:1], QUICK[1:2], QUICK])
def test_sync_reports_say_the_same_on_both_ways(
    files: Dialogue, level: str, limit: int | None, names: tuple[str, ...]
) -> None:
    def report(token: str, asked: tuple[str, ...]) -> tuple[list[str], dict[str, Any], str]:
        limited = f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>" if limit else ""
        body = (
            f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token>'
            f"<D:sync-level>{level}</D:sync-level>{limited}{ask(asked)}</D:sync-collection>"
        )
        answer = files("REPORT", HOME, body)
        assert answer.status == 207
        found = told(answer.body, names)
        return list(found), found, answer.xml.findtext(D("sync-token"))

    first = report("", names)
    assert first == report("", (*names, "creationdate"))
    files("DELETE", HOME + NAMES[1])
    files("PUT", HOME + "f/new", b"1")
    files("DELETE", HOME + "f/g/a")
    files("DELETE", HOME + "%C3%BC/")
    files("PUT", HOME + "a", b"changed")
    token, rounds = first[2], 0
    while rounds == 0 or report(token, names)[2] != token:
        after = report(token, names)
        assert after == report(token, (*names, "creationdate"))
        token, rounds = after[2], rounds + 1
        assert rounds < 20
