"""Answers of several nodes become one."""

from http import HTTPStatus

import pytest
from lxml import etree

from calserver.cluster.parts import (
    Listing,
    SyncQuestion,
    away,
    by_home,
    by_name,
    holes,
    homes_of,
    multiget,
    put_in_place,
    read,
    rows,
    written,
)
from calserver.dav import Href, Multistatus, response, status_response, xml
from calserver.names import D
from calserver.tree import Row

MOUNTS = {"calendars": ("user", "location"), "drive": ("user",)}
ASKED = """<expand-property xmlns="DAV:">
  <property name="owner"><property name="displayname"/><property name="group"><property name="x"/></property></property>
  <property name="plain"/>
</expand-property>"""


def body(*paths: str) -> bytes:
    found = Multistatus(response(f"/dav/{path}", "<D:propstat/>") for path in paths).answer().body
    assert isinstance(found, bytes)
    return found


def hrefs(text: bytes) -> list[str]:
    return [each.text or "" for each in read(text).iter(D("href"))]


def home(uid: str) -> Href:
    return Href(("calendars", "user", uid), collection=True)


def test_of_each_node_only_what_is_there_is_taken() -> None:
    """A node may still have a home that is at another one by now."""
    listing = Listing(prefix="/dav/", mounts={("calendars",)})
    listing.take(read(body("calendars/", "calendars/user/", "calendars/user/old/")), [], above=True)
    listing.take(
        read(body("calendars/", "calendars/user/ann/", "calendars/user/ann/x", "calendars/user/bob/")), [home("ann")]
    )
    listing.miss([home("bob")])
    answer = listing.answer()
    assert isinstance(answer.body, bytes)
    paths = ["calendars/", "calendars/user/", "calendars/user/ann/", "calendars/user/ann/x", "calendars/user/bob/"]
    assert hrefs(answer.body) == [f"/dav/{each}" for each in paths]
    assert answer.body.count(b"503") == 1


def test_homes_are_those_at_or_below_a_place() -> None:
    def found(*segments: str, kind: str = "user") -> list[str]:
        return [str(each) for each in homes_of(MOUNTS, Href(segments), kind, "x")]

    assert found() == ["calendars/user/x/", "drive/user/x/"]
    assert found("calendars", "user") == ["calendars/user/x/"]
    assert found("calendars", "location") == []
    assert found("drive", kind="location") == []
    assert found("principals") == []


def prop(name: str, *inside: str) -> str:
    return f"<D:propstat><D:prop><D:{name}>{''.join(inside)}</D:{name}></D:prop></D:propstat>"


def test_what_another_node_may_know_more_of_is_found_and_filled_in() -> None:
    group = prop("group", status_response("/dav/calendars/user/c/", HTTPStatus.FORBIDDEN))
    deep = ("<D:deep>", status_response("/dav/calendars/user/b/", HTTPStatus.NOT_FOUND), "</D:deep>")
    plain = prop("plain", status_response("/dav/calendars/user/d/", HTTPStatus.NOT_FOUND))
    owner = prop("owner", response("/dav/principals/a/", group), *deep, response("/elsewhere/", group))
    text = Multistatus([response("/dav/x", owner + plain)]).answer().body
    assert isinstance(text, bytes)
    tree, asked = read(text), xml.parse(ASKED.encode())
    outer = list(holes(tree[0], asked, "/dav/"))
    assert [(str(each.href), each.is_missing) for each in outer] == [
        ("principals/a/", False),
        ("calendars/user/b/", True),
    ]
    (inner,) = holes(outer[0].response, outer[0].asked, "/dav/")
    assert (str(inner.href), inner.is_missing) == ("calendars/user/c/", True)
    assert [each.get("name") for each in etree.fromstring(inner.request())] == ["x"]
    assert inner.fill(read(body("calendars/user/c/"))) is not None
    outer[1].miss(HTTPStatus.SERVICE_UNAVAILABLE)
    assert written(tree).count(b" 503 ") == 1
    assert written(tree).count(b" 403 ") == 1  # what is at no node of ours
    outer[0].miss(HTTPStatus.NOT_FOUND)
    assert [each.tag for each in outer[0].response] == [D("href"), D("status")]


# -- homes with branches -----------------------------------------------------------------------------------------------


def test_responses_are_found_by_the_members_of_a_home_that_they_are_about() -> None:
    paths = ["calendars/user/ann/", "calendars/user/ann/x/", "calendars/user/ann/x/a.ics", "drive/user/ann/x"]
    root = read(body("calendars/", *paths))
    assert {name: len(some) for name, some in by_name(root, home("ann"), "/dav/").items()} == {"x": 2}
    assert {name: len(some) for name, some in by_name(root, home("ann"), "/dav/", deep=True).items()} == {"x": 1}
    drive = Href(("drive", "user", "ann"), collection=True)
    assert {place: len(some) for place, some in by_home(root, "/dav/").items()} == {home("ann"): 3, drive: 1}


def test_responses_are_put_in_the_place_of_others() -> None:
    root = read(body("a/", "a/x/", "a/y/"))
    known = list(root)[1:2]
    put_in_place(root, known, [*read(body("a/x/", "a/x/b")), away("/dav/a/z/")])
    assert hrefs(written(root)) == ["/dav/a/", "/dav/a/x/", "/dav/a/x/b", "/dav/a/z/", "/dav/a/y/"]
    put_in_place(root, [], read(body("b/")))
    assert hrefs(written(root))[-2:] == ["/dav/a/y/", "/dav/b/"]
    assert [each.text for each in root.iter(D("status"))] == ["HTTP/1.1 503 Service Unavailable"]


def test_a_page_has_the_members_of_a_home_with_their_names_and_sizes() -> None:
    def told(path: str, prop: str) -> str:
        return response(f"/dav/{path}", f"<D:propstat><D:prop>{prop}</D:prop></D:propstat>")

    size, name = "<D:getcontentlength>5</D:getcontentlength>", "<D:displayname>Hers</D:displayname>"
    found = [told("calendars/user/ann/", ""), told("calendars/user/ann/x/", name), told("calendars/user/ann/f", size)]
    found += [told("calendars/user/ann/y/", ""), status_response("/dav/calendars/user/ann/z/", HTTPStatus(503))]
    text = Multistatus(found).answer().body
    assert isinstance(text, bytes)
    assert list(rows(read(text), home("ann"), "/dav/")) == [
        Row("x", True, "Hers"),
        Row("f", False, "5 bytes"),
        Row("y", True),
        Row("z", True, "away"),
    ]


def test_a_multiget_is_asked_for_some_of_its_resources() -> None:
    asked = read(b'<multiget xmlns="DAV:"><prop><x/></prop><href>/dav/a/x</href><href>/dav/b/y</href></multiget>')
    some = read(multiget(asked, read(body("b/y"))))
    assert [each.tag for each in some] == [D("prop"), D("href")]
    assert [each.text for each in some.iter(D("href"))] == ["/dav/b/y"]


@pytest.mark.parametrize(
    ("inside", "depth", "deep"),
    [
        ("<sync-level>1</sync-level>", "infinity", False),
        ("<sync-level>infinite</sync-level>", "0", True),
        ("", "infinity", True),
        ("", "0", False),
        ("", "", False),
    ],
)
def test_a_sync_report_on_a_home_is_asked_of_a_calendar(inside: str, depth: str, deep: bool) -> None:
    text = f'<sync-collection xmlns="DAV:"><sync-token>t</sync-token>{inside}<prop><x/></prop></sync-collection>'
    question = SyncQuestion.of(read(text.encode()), depth)
    assert (question.token, question.deep) == ("t", deep)
    assert [each.tag for each in read(question.propfind())] == [D("prop")]
    report = read(question.report("u"))
    assert [(each.tag, each.text) for each in report][:2] == [(D("sync-token"), "u"), (D("sync-level"), "1")]
    assert report.find(f"{D('prop')}/{D('x')}") is not None
