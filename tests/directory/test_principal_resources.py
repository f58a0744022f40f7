"""Principals over WebDAV: properties, searches, who one is (RFC 3744 sections 4 and 9)."""

from typing import Any

import pytest
from dialogue import Answer, Dialogue

from calserver.names import CS, C, D

ANN = "principals/user/ann/"
ANY = {"test": "anyof"}
EITHER = ["user/ann", "location/hall"]


def hrefs(element: Any) -> list[str]:
    return [each.text for each in element.iter(D("href"))]


def value(who: Dialogue, path: str, name: str) -> Any:
    return who.propfind(path, name).properties("/dav/" + path)[name]


def search(
    who: Dialogue, *terms: tuple[str, str, str], path: str = "principals/", inside: str = "", **attributes: str
) -> Answer:
    """principal-property-search: terms of property element, match type and text."""
    searches = "".join(
        f'<D:property-search><D:prop><{name}/></D:prop><D:match match-type="{how}">{text}</D:match></D:property-search>'
        for name, how, text in terms
    )
    given = "".join(f' {name}="{text}"' for name, text in attributes.items())
    return who(
        "REPORT",
        path,
        '<D:principal-property-search xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" '
        f'xmlns:CS="http://calendarserver.org/ns/"{given}>{searches}<D:prop><D:displayname/></D:prop>{inside}'
        "</D:principal-property-search>",
    )


def found(answer: Answer) -> list[str]:
    assert answer.status == 207, answer.body
    return [each.removeprefix("/dav/principals/").rstrip("/") for each in answer.hrefs]


# -- properties ----------------------------------------------------------------------------------------------------


def test_a_principal_says_who_it_is(ann: Dialogue) -> None:
    names = [D("resourcetype"), D("displayname"), D("principal-URL"), D("resource-id"), D("alternate-URI-set")]
    told = ann.propfind(ANN, *names).properties("/dav/" + ANN)
    assert {each.tag for each in told[D("resourcetype")]} == {D("principal"), D("collection")}
    assert told[D("displayname")].text == "Ann Lee"
    assert hrefs(told[D("principal-URL")]) == ["/dav/" + ANN]
    assert hrefs(told[D("resource-id")]) == ["urn:uuid:0C8BDE62-E600-4696-83D3-8B5ECABDFD2E"]
    assert "mailto:ann@example.com" in hrefs(told[D("alternate-URI-set")])


def test_a_calendar_user_has_addresses_of_three_sorts(ann: Dialogue) -> None:
    """RFC 6638 section 2.4.1."""
    element = value(ann, ANN, C("calendar-user-address-set"))
    assert hrefs(element) == [
        "mailto:ann@example.com",
        "mailto:al@x.org",
        "/dav/" + ANN,
        "urn:uuid:0C8BDE62-E600-4696-83D3-8B5ECABDFD2E",
    ]
    assert [each.get("preferred") for each in element] == ["1", None, None, None]


@pytest.mark.parametrize(
    ("path", "cutype", "record"),
    [
        ("user/ann", "INDIVIDUAL", "users"),
        ("group/staff", "GROUP", "groups"),
        ("resource/beamer", "RESOURCE", "resources"),
        ("location/hall", "ROOM", "locations"),
    ],
)
def test_each_kind_of_principal_has_its_type(ann: Dialogue, path: str, cutype: str, record: str) -> None:
    """RFC 6638 section 2.4.2."""
    assert value(ann, f"principals/{path}/", C("calendar-user-type")).text == cutype
    assert value(ann, f"principals/{path}/", CS("record-type")).text == record


def test_groups_and_members_name_each_other(ann: Dialogue) -> None:
    """RFC 3744 sections 4.3 and 4.4: only direct members."""
    staff = "principals/group/staff/"
    members = hrefs(value(ann, staff, D("group-member-set")))
    assert sorted(members) == ["/dav/principals/group/board/", "/dav/principals/user/bob/"]
    assert hrefs(value(ann, ANN, D("group-membership"))) == ["/dav/principals/group/board/"]
    assert hrefs(value(ann, ANN, D("group-member-set"))) == []


def test_groups_within_groups_are_told_as_one(ann: Dialogue) -> None:
    members = hrefs(value(ann, "principals/group/staff/", CS("expanded-group-member-set")))
    assert members == ["/dav/principals/group/board/", "/dav/principals/user/ann/", "/dav/principals/user/bob/"]
    groups = hrefs(value(ann, ANN, CS("expanded-group-membership")))
    assert sorted(groups) == [
        "/dav/principals/group/board/",
        "/dav/principals/group/staff/",
        "/dav/principals/resource/beamer/calendar-proxy-read/",
    ]


def test_delegates_find_whom_they_act_for_themselves_and_by_groups(ann: Dialogue) -> None:
    """caldav-proxy section 5.3."""
    bob = "principals/user/bob/"
    assert hrefs(value(ann, bob, CS("calendar-proxy-write-for"))) == ["/dav/principals/location/hall/"]
    assert hrefs(value(ann, bob, CS("calendar-proxy-read-for"))) == ["/dav/principals/resource/beamer/"]
    assert hrefs(value(ann, ANN, CS("calendar-proxy-read-for"))) == ["/dav/principals/resource/beamer/"]


def test_names_and_mail_addresses_are_told_apart(ann: Dialogue) -> None:
    bob = "principals/user/bob/"
    assert value(ann, bob, CS("first-name")).text == "Bob"
    assert value(ann, bob, CS("last-name")).text == "van der Berg"
    assert [each.text for each in value(ann, ANN, CS("email-address-set"))] == ["ann@example.com", "al@x.org"]


def test_every_resource_says_where_principals_are(ann: Dialogue) -> None:
    """RFC 3744 section 5.8."""
    for path in ("principals/", ANN):
        assert hrefs(value(ann, path, D("principal-collection-set"))) == ["/dav/principals/"]


def test_a_principal_may_set_its_own_properties_but_not_its_name(ann: Dialogue) -> None:
    def patch(path: str, prop: str) -> int:
        body = f'<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>{prop}</D:prop></D:set></D:propertyupdate>'
        answer = ann("PROPPATCH", path, body)
        if answer.status != 207:
            return answer.status
        return int(answer.xml.find(".//" + D("status")).text.split()[1])

    own = '<x xmlns="urn:x">1</x>'
    assert patch(ANN, own) == 200
    assert value(ann, ANN, "{urn:x}x").text == "1"
    assert patch(ANN, "<D:displayname>Queen</D:displayname>") == 403
    assert patch("principals/user/bob/", own) == 403
    assert value(ann, ANN, D("displayname")).text == "Ann Lee"


def test_principals_cannot_be_made_or_removed_over_webdav(ann: Dialogue, root: Dialogue) -> None:
    for who in (ann, root):
        for path in (ANN, "principals/", "principals/user/", "principals/user/new", "principals/new", ANN + "new"):
            for method in ("DELETE", "PUT", "MKCOL", "GET"):
                assert who(method, path).status in (403, 404, 405), (method, path)
        assert who.propfind(ANN, D("displayname")).status == 207


def test_who_is_not_there_is_not_found(ann: Dialogue) -> None:
    for path in ("principals/user/nobody/", "principals/nokind/ann/", "principals/user/ann/calendar/x"):
        assert ann.propfind(path, D("displayname")).status == 404, path


def test_listings_tell_only_administrators_of_everybody(ann: Dialogue, root: Dialogue) -> None:
    def listed(who: Dialogue, path: str) -> list[str]:
        return [
            each.removeprefix("/dav/principals/") for each in who.propfind(path, D("resourcetype"), depth="1").hrefs
        ]

    assert listed(ann, "principals/") == ["", "user/", "group/", "resource/", "location/"]
    assert listed(ann, "principals/user/") == ["user/", "user/ann/"]
    assert listed(ann, "principals/group/") == ["group/"]
    assert listed(root, "principals/user/") == ["user/", "user/ann/", "user/bob/", "user/root/", "user/zo%C3%AB/"]


# -- searches ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "attributes", "expected"),
    [
        ([("D:displayname", "contains", "LEE")], {}, ["user/ann"]),
        ([("D:displayname", "starts-with", "b")], {}, ["resource/beamer", "user/bob", "location/hall"]),
        ([("D:displayname", "ends-with", "user")], {}, ["user/root"]),
        ([("D:displayname", "equals", "big hall")], {}, ["location/hall"]),
        ([("D:displayname", "contains", "zoë å")], {}, ["user/zo%C3%AB"]),
        ([("CS:last-name", "starts-with", "VAN")], {}, ["user/bob"]),
        ([("CS:email-address-set", "starts-with", "al@")], {}, ["user/ann"]),
        ([("C:calendar-user-address-set", "contains", "mailto:AL@x")], {}, ["user/ann"]),
        ([("C:calendar-user-address-set", "contains", "urn:uuid:0c8bde62-e600")], {}, ["user/ann"]),
        ([("C:calendar-user-address-set", "equals", "/dav/principals/user/bob")], {}, ["user/bob"]),
        ([("D:displayname", "contains", "x"), ("CS:first-name", "equals", "bob")], {}, []),
        ([("D:displayname", "contains", "e"), ("CS:first-name", "equals", "bob")], {}, ["user/bob"]),
        ([("D:displayname", "equals", "big hall"), ("CS:last-name", "equals", "lee")], ANY, EITHER),
        ([("D:displayname", "contains", "b")], {"type": "ROOM"}, ["location/hall"]),
        ([("D:displayname", "contains", "b"), ("C:calendar-user-type", "equals", "GROUP")], {}, ["group/board"]),
        ([("C:calendar-user-type", "equals", "ROOM")], {}, ["location/hall"]),
        ([("C:calendar-user-type", "starts-with", "R")], {}, ["resource/beamer", "location/hall"]),
        ([("C:calendar-user-type", "equals", "INDIVIDUAL")], {}, []),
        ([("C:calendar-user-type", "contains", "")], {}, []),
        ([("C:calendar-user-type", "equals", "ROOM"), ("D:displayname", "contains", "")], {}, ["location/hall"]),
        ([("C:calendar-user-type", "equals", "ROOM"), ("D:getetag", "contains", "b")], {}, []),
        ([("D:displayname", "contains", "100%")], {}, []),
        ([("D:displayname", "contains", "_")], {}, []),
        ([("D:getetag", "contains", "b")], {}, []),
        ([("D:getetag", "contains", "x"), ("D:displayname", "contains", "lee")], ANY, ["user/ann"]),
        ([("D:displayname", "contains", "")], {}, []),
    ],
)  # fmt: skip
def test_principals_are_found_by_what_their_properties_contain(
    ann: Dialogue, terms: list[tuple[str, str, str]], attributes: dict[str, str], expected: list[str]
) -> None:
    """RFC 3744 section 9.4, with the attributes that Apple's clients send."""
    assert found(search(ann, *terms, **attributes)) == expected


def test_properties_beside_an_empty_prop_are_told(ann: Dialogue) -> None:
    """As python-caldav asks for them."""
    term = "<D:property-search><D:prop><D:displayname/></D:prop><D:match>big hall</D:match></D:property-search>"
    body = f'<D:principal-property-search xmlns:D="DAV:">{term}<D:prop/><D:displayname/></D:principal-property-search>'
    answer = ann("REPORT", "principals/", body)
    assert answer.properties("/dav/principals/location/hall/")[D("displayname")].text == "Big hall"


def test_a_search_stays_in_its_collection_unless_it_is_told_otherwise(ann: Dialogue) -> None:
    term = ("D:displayname", "contains", "b")
    assert found(search(ann, term, path="principals/location/")) == ["location/hall"]
    everywhere = "<D:apply-to-principal-collection-set/>"
    assert len(found(search(ann, term, path="principals/location/", inside=everywhere))) == 4
    assert found(search(ann, term, path=ANN)) == []
    assert len(found(search(ann, term, path=ANN, inside=everywhere))) == 4


def test_a_search_says_that_there_are_more(server: Dialogue) -> None:
    term = ("D:displayname", "contains", "e")
    everybody = found(search(server.by("ann"), term))
    server.settings = type(server.settings)(search_results=2)
    for answer in (
        search(server.by("ann"), term),
        search(server.by("ann"), term, inside="<D:limit><D:nresults>2</D:nresults></D:limit>"),
    ):
        assert found(answer)[:2] == everybody[:2]
        assert answer.statuses == {"/dav/principals/": 507}
        assert b"number-of-matches-within-limits" in answer.body


@pytest.mark.parametrize(
    "body",
    [
        "<D:property-search><D:prop/></D:property-search>",
        "<D:property-search><D:match>x</D:match></D:property-search>",
        "<D:prop/><D:prop/>",
        "<D:limit><D:nresults>x</D:nresults></D:limit>",
        "<D:property-search><D:prop/><D:match match-type='regex'>x</D:match></D:property-search>",
    ],
)
def test_searches_that_make_no_sense_are_bad_requests(ann: Dialogue, body: str) -> None:
    text = f'<D:principal-property-search xmlns:D="DAV:">{body}</D:principal-property-search>'
    assert ann("REPORT", "principals/", text).status == 400


def test_tokens_complete_attendees_as_one_types(ann: Dialogue) -> None:
    def complete(*tokens: str, context: str = "attendee") -> list[str]:
        given = "".join(f"<C:search-token>{each}</C:search-token>" for each in tokens)
        answer = ann(
            "REPORT",
            "principals/",
            f'<C:calendarserver-principal-search xmlns:C="http://calendarserver.org/ns/" xmlns:D="DAV:" '
            f'context="{context}">{given}<C:limit><C:nresults>50</C:nresults></C:limit>'
            "<D:prop><D:displayname/></D:prop></C:calendarserver-principal-search>",
        )
        return found(answer)

    assert complete("berg") == ["user/bob"]
    assert complete("BERG", "bo") == ["user/bob"]
    assert complete("berg", "ann") == []
    assert complete("b") == ["group/board", "user/bob"]
    assert complete("b", context="location") == ["location/hall"]
    assert complete("example.com", "lee") == ["user/ann"]


def test_the_properties_of_searches_are_no_multistatus(ann: Dialogue) -> None:
    """RFC 3744 section 9.5."""
    answer = ann("REPORT", "principals/", '<D:principal-search-property-set xmlns:D="DAV:"/>')
    assert (answer.status, answer.xml.tag) == (200, D("principal-search-property-set"))
    named = {prop[0].tag for prop in answer.xml.iter(D("prop"))}
    assert named >= {D("displayname"), CS("email-address-set"), CS("first-name"), CS("last-name")}
    assert all(each.get("{http://www.w3.org/XML/1998/namespace}lang") for each in answer.xml.iter(D("description")))


REPORTS = [
    '<D:principal-search-property-set xmlns:D="DAV:"/>',
    '<D:principal-match xmlns:D="DAV:"><D:self/></D:principal-match>',
    '<D:principal-property-search xmlns:D="DAV:"><D:property-search><D:prop><D:displayname/></D:prop>'
    "<D:match>a</D:match></D:property-search></D:principal-property-search>",
]


@pytest.mark.parametrize("body", REPORTS)
@pytest.mark.parametrize("depth", ["1", "infinity"])
def test_reports_on_principals_have_depth_0(ann: Dialogue, body: str, depth: str) -> None:
    """RFC 3744 section 9."""
    assert ann("REPORT", "principals/", body, depth=depth).status == 400
    assert ann("REPORT", "principals/", body, depth="0").status in (200, 207)


@pytest.mark.parametrize("body", REPORTS)
def test_nobody_searches_without_a_name(server: Dialogue, body: str) -> None:
    assert server("REPORT", "principals/", body).status == 401


# -- who one is ----------------------------------------------------------------------------------------------------


def match(who: Dialogue, path: str, inside: str) -> list[str]:
    prop = "<D:prop><D:displayname/></D:prop>"
    return found(who("REPORT", path, f'<D:principal-match xmlns:D="DAV:">{inside}{prop}</D:principal-match>'))


def test_one_finds_oneself_and_ones_groups(ann: Dialogue) -> None:
    """RFC 3744 section 9.3."""
    assert match(ann, "principals/user/", "<D:self/>") == ["user/ann"]
    assert sorted(match(ann, "principals/", "<D:self/>")) == [
        "group/board",
        "group/staff",
        "resource/beamer/calendar-proxy-read",
        "user/ann",
    ]
    assert match(ann, "principals/location/", "<D:self/>") == []


def test_one_finds_what_names_one_in_a_property(ann: Dialogue) -> None:
    owned = "<D:principal-property><D:owner/></D:principal-property>"
    proxies = ["user/ann/calendar-proxy-read", "user/ann/calendar-proxy-write"]
    assert match(ann, "principals/", owned) == ["user/ann", *proxies]
    unknown = "<D:principal-property><x xmlns='urn:x'/></D:principal-property>"
    assert match(ann, "principals/", unknown) == []


@pytest.mark.parametrize("inside", ["", "<D:self/><D:self/>", "<D:principal-property/>", "<D:self/><D:prop/>"])
def test_a_match_that_makes_no_sense_is_a_bad_request(ann: Dialogue, inside: str) -> None:
    body = f'<D:principal-match xmlns:D="DAV:">{inside}<D:prop/></D:principal-match>'
    assert ann("REPORT", "principals/", body).status == 400
