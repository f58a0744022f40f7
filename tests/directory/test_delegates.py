"""Delegates as two groups below a principal, which the principal manages (caldav-proxy)."""

import pytest
from dialogue import Answer, Dialogue
from lxml import etree

from calserver.names import CS, D

ANN = "principals/user/ann/"
READ = ANN + "calendar-proxy-read/"
WRITE = ANN + "calendar-proxy-write/"


def hrefs(who: Dialogue, path: str, name: str) -> list[str]:
    found = who.propfind(path, name).properties("/dav/" + path)[name]
    return [each.text.removeprefix("/dav/principals/") for each in found.iter(D("href"))]


def members(who: Dialogue, path: str) -> list[str]:
    return hrefs(who, path, D("group-member-set"))


def choose(who: Dialogue, path: str, *uris: str) -> Answer:
    chosen = "".join(f"<D:href>{uri}</D:href>" for uri in uris)
    return who(
        "PROPPATCH",
        path,
        f'<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:group-member-set>{chosen}</D:group-member-set></D:prop>'
        "</D:set></D:propertyupdate>",
    )


def status(answer: Answer) -> int:
    return int(answer.xml.findtext(f".//{D('propstat')}/{D('status')}").split()[1])


def test_delegates_are_two_groups_below_a_principal(ann: Dialogue) -> None:
    listed = ann.propfind(ANN, D("resourcetype"), depth="1")
    assert listed.hrefs == ["/dav/" + ANN, "/dav/" + READ, "/dav/" + WRITE]
    for path, kind, record in ((READ, "calendar-proxy-read", "read"), (WRITE, "calendar-proxy-write", "write")):
        found = ann.propfind(
            path, D("resourcetype"), D("displayname"), CS("record-type"), D("principal-URL"), D("owner")
        )
        properties = found.properties("/dav/" + path)
        assert [each.tag for each in properties[D("resourcetype")]] == [D("collection"), D("principal"), CS(kind)]
        assert properties[D("displayname")].text == f"Ann Lee ({record} delegates)"
        assert properties[CS("record-type")].text == f"{record}-delegate-group"
        assert properties[D("principal-URL")][0].text == "/dav/" + path
        assert properties[D("owner")][0].text == "/dav/" + ANN


@pytest.mark.parametrize("path", ["location/hall", "resource/beamer"])
def test_rooms_and_things_have_delegates_too(ann: Dialogue, path: str) -> None:
    assert ann.propfind(f"principals/{path}/calendar-proxy-write/", D("displayname")).status == 207


def test_groups_have_none(ann: Dialogue) -> None:
    assert ann.propfind("principals/group/staff/", D("displayname"), depth="1").hrefs == [
        "/dav/principals/group/staff/"
    ]
    assert ann.propfind("principals/group/staff/calendar-proxy-read/", D("displayname")).status == 404


def test_a_principal_chooses_its_delegates(ann: Dialogue, server: Dialogue) -> None:
    bob = server.by("bob")
    assert members(ann, READ) == []
    answer = choose(ann, READ, "/dav/principals/user/bob/", "http://dav.example.com/dav/principals/group/board")
    assert status(answer) == 200
    assert members(bob, READ) == ["group/board/", "user/bob/"]
    assert members(bob, WRITE) == []
    assert hrefs(bob, "principals/user/bob/", D("group-membership")) == [
        "group/staff/",
        "location/hall/calendar-proxy-write/",
        "user/ann/calendar-proxy-read/",
    ]
    assert hrefs(bob, "principals/user/bob/", CS("calendar-proxy-read-for")) == ["user/ann/", "resource/beamer/"]
    assert hrefs(bob, "principals/user/bob/", CS("calendar-proxy-write-for")) == ["location/hall/"]
    choose(ann, READ)
    assert members(ann, READ) == []


def test_the_property_can_be_removed(ann: Dialogue) -> None:
    choose(ann, WRITE, "/dav/principals/user/bob/")
    ann(
        "PROPPATCH",
        WRITE,
        '<D:propertyupdate xmlns:D="DAV:"><D:remove><D:prop><D:group-member-set/></D:prop></D:remove>'
        "</D:propertyupdate>",
    )
    assert members(ann, WRITE) == []


def test_members_of_a_group_act_for_who_chose_it(server: Dialogue) -> None:
    """Ann is in the board, which is in the staff, which reads for the beamer."""
    ann = server.by("ann")
    assert hrefs(ann, ANN, CS("calendar-proxy-read-for")) == ["resource/beamer/"]
    assert hrefs(ann, ANN, D("group-membership")) == ["group/board/"]


def test_nobody_else_chooses_delegates(server: Dialogue, root: Dialogue) -> None:
    choose(root, WRITE, "/dav/principals/user/bob/")
    bob = server.by("bob")
    for path in (
        READ,
        WRITE,
        "principals/location/hall/calendar-proxy-write/",
        "principals/user/zo%C3%AB/calendar-proxy-read/",
    ):
        refused = choose(bob, path, "/dav/principals/user/bob/")
        assert (refused.status, refused.error) == (403, D("need-privileges"))
    assert members(root, WRITE) == ["user/bob/"]
    assert choose(server, WRITE, "/dav/principals/user/bob/").status == 401


def test_administrators_choose_delegates_of_rooms(root: Dialogue) -> None:
    assert status(choose(root, "principals/location/hall/calendar-proxy-write/", "/dav/principals/user/ann/")) == 200
    assert members(root, "principals/location/hall/calendar-proxy-write/") == ["user/ann/"]


@pytest.mark.parametrize(
    "uri",
    [
        "/dav/principals/user/nobody/",
        "/dav/principals/user/",
        "/dav/principals/user/bob/calendar-proxy-read/",
        "/dav/principals/user/ann/",
        "http://elsewhere.example.com/dav/principals/user/bob/",
        "mailto:bob@example.com",
        "/dav/%ff",
        "",
    ],
)
def test_only_principals_become_delegates(ann: Dialogue, uri: str) -> None:
    """And nothing is changed where one of several is none."""
    choose(ann, READ, "/dav/principals/user/bob/")
    refused = choose(ann, READ, "/dav/principals/location/hall/", uri)
    assert status(refused) == 403
    assert members(ann, READ) == ["user/bob/"]


def test_nothing_else_is_kept_on_the_groups(ann: Dialogue) -> None:
    answer = ann(
        "PROPPATCH",
        READ,
        '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="urn:x">1</x></D:prop></D:set></D:propertyupdate>',
    )
    assert answer.status in (207, 403)
    assert b"200 OK" not in answer.body
    for method in ("PUT", "DELETE", "MKCOL", "MOVE", "ACL"):
        assert ann(method, READ, destination=ann.destination("principals/user/x/")).status in (403, 405), method
    assert ann("PUT", ANN + "calendar-proxy-other").status in (403, 404, 405)


def test_the_feature_is_announced(ann: Dialogue) -> None:
    assert "calendar-proxy" in ann("OPTIONS", ANN).headers["DAV"]


def test_one_is_found_as_the_delegate_that_one_is(server: Dialogue, ann: Dialogue) -> None:
    """RFC 3744 section 9.3: the groups of delegates are groups."""
    choose(ann, WRITE, "/dav/principals/user/bob/", "/dav/principals/user/zo%C3%AB/")
    found = server.by("bob")(
        "REPORT",
        "principals/user/",
        '<D:principal-match xmlns:D="DAV:"><D:self/><D:prop><D:displayname/></D:prop></D:principal-match>',
    )
    assert sorted(found.hrefs) == ["/dav/principals/user/ann/calendar-proxy-write/", "/dav/principals/user/bob/"]


def test_delegates_are_expanded(server: Dialogue, ann: Dialogue) -> None:
    """RFC 3253 section 3.8, as Apple's clients ask."""
    choose(ann, WRITE, "/dav/principals/user/bob/")
    asked = etree.Element(D("expand-property"))
    inner = etree.SubElement(asked, D("property"), name="calendar-proxy-write-for", namespace=CS("")[1:-1])
    etree.SubElement(inner, D("property"), name="displayname")
    found = server.by("bob")("REPORT", "principals/user/bob/", etree.tostring(asked))
    assert "Ann Lee" in found.body.decode()
    assert "Big hall" in found.body.decode()


def test_who_may_do_what_is_told(server: Dialogue, ann: Dialogue) -> None:
    assert [each[0].tag for each in privileges(ann)] == [
        D("read"),
        D("read-acl"),
        D("read-current-user-privilege-set"),
        D("write-properties"),
    ]
    assert D("write-properties") not in [each[0].tag for each in privileges(server.by("bob"))]
    entries = ann.propfind(READ, D("acl")).properties("/dav/" + READ)[D("acl")]
    assert [each.find(D("protected")) is not None for each in entries] == [True, True]


def privileges(who: Dialogue) -> list[etree._Element]:
    name = D("current-user-privilege-set")
    return list(who.propfind(READ, name).properties("/dav/" + READ)[name])
