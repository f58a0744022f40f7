"""PROPFIND and PROPPATCH (RFC 4918 sections 9.1 and 9.2, RFC 8144)."""

from typing import Any

import pytest
from memory_tree import Limited, Server, update

from calserver.dav import multistatus
from calserver.names import D

X = "{urn:x}"


@pytest.fixture
def server() -> Server:
    made = Server()
    made.mkcol("/dav/a/", "/dav/a/b/")
    made.put("/dav/a/b/deep.txt")
    made.put("/dav/a/f.txt", content_type="text/plain")
    assert made.ask("PROPPATCH", "/dav/a/f.txt", update("<X:dead>value</X:dead>")).status == 207
    return made


def find(*inside: str) -> str:
    return f'<D:propfind xmlns:D="DAV:" xmlns:X="urn:x">{"".join(inside)}</D:propfind>'


# -- Depth ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "hrefs"),
    [
        ("0", ["/dav/a/"]),
        ("1", ["/dav/a/", "/dav/a/b/", "/dav/a/f.txt"]),
        ("infinity", ["/dav/a/", "/dav/a/b/", "/dav/a/b/deep.txt", "/dav/a/f.txt"]),
        (None, ["/dav/a/", "/dav/a/b/", "/dav/a/b/deep.txt", "/dav/a/f.txt"]),
    ],
)
def test_depth_says_how_far_down_and_none_means_infinity(server: Server, depth: str | None, hrefs: list[str]) -> None:
    fields = {} if depth is None else {"depth": depth}
    answer = server.ask("PROPFIND", "/dav/a/", find("<D:prop><D:getetag/></D:prop>"), **fields)
    assert answer.status == 207
    assert answer.hrefs == hrefs


def test_a_path_without_its_slash_is_answered_with_it(server: Server) -> None:
    """RFC 4918 section 5.2."""
    assert server.propfind("/dav/a", D("getetag")).hrefs == ["/dav/a/"]


def test_what_is_not_a_collection_has_no_members(server: Server) -> None:
    assert server.propfind("/dav/a/f.txt", D("getetag"), depth="1").hrefs == ["/dav/a/f.txt"]


def test_infinity_beyond_the_limit_is_refused_by_name(server: Server) -> None:
    """RFC 4918 section 9.1."""
    server.settings = Limited(infinity_resources=3)
    assert server.propfind("/dav/a/", D("getetag"), depth="infinity").status == 207
    server.settings = Limited(infinity_resources=2)
    answer = server.propfind("/dav/a/", D("getetag"), depth="infinity")
    assert answer.status == 403
    assert answer.conditions == [D("propfind-finite-depth")]
    assert server.propfind("/dav/a/", D("getetag"), depth="1").status == 207


@pytest.mark.parametrize("path", ["/dav/none", "/dav/none/below/", "/dav/a/f.txt/below"])
def test_nothing_is_found_where_nothing_is(server: Server, path: str) -> None:
    assert server.propfind(path, D("getetag")).status == 404


# -- what is asked -------------------------------------------------------------------------------------------------


def test_named_properties_are_found_or_missing(server: Server) -> None:
    found = server.propfind("/dav/a/f.txt", D("getetag"), X + "dead", X + "none", D("add-member"), "bare").properties()
    assert {name: status for name, (status, _) in found.items()} == {
        D("getetag"): 200,
        X + "dead": 200,
        X + "none": 404,
        D("add-member"): 404,
        "bare": 404,
    }
    assert found[X + "dead"][1].text == "value"


@pytest.mark.parametrize("body", ["", " \n", find("<D:allprop/>")])
def test_an_empty_body_is_allprop(server: Server, body: str) -> None:
    found = server.ask("PROPFIND", "/dav/a/f.txt", body, depth="0").properties()
    assert {name for name, (status, _) in found.items() if status == 200} == set(found)
    assert set(found) == {
        *map(D, ("creationdate", "getcontentlength", "getcontenttype", "getetag", "getlastmodified", "lockdiscovery")),
        *map(D, ("resourcetype", "supportedlock")),
        X + "dead",
    }


def test_allprop_with_include_adds_the_named(server: Server) -> None:
    """RFC 4918 section 9.1.5."""
    body = find("<D:allprop/><D:include><D:resource-id/><X:none/><X:dead/></D:include>")
    answer = server.ask("PROPFIND", "/dav/a/f.txt", body, depth="0")
    found = answer.properties()
    assert found[D("resource-id")][0] == 200
    assert found[X + "none"][0] == 404
    assert found[D("getetag")][0] == 200
    assert answer.body.count(b"dead") == server.ask("PROPFIND", "/dav/a/f.txt", depth="0").body.count(b"dead")


def test_propname_names_what_is_there_without_values(server: Server) -> None:
    found = server.ask("PROPFIND", "/dav/a/f.txt", find("<D:propname/>"), depth="0").properties()
    assert {status for status, _ in found.values()} == {200}
    assert all(len(each) == 0 and not each.text for _, each in found.values())
    assert {D("getetag"), D("owner"), D("supported-report-set"), X + "dead"} <= set(found)
    assert D("displayname") not in found
    assert D("quota-used-bytes") not in found


@pytest.mark.parametrize(
    "body",
    [
        find("<D:allprop/><D:propname/>"),
        find("<D:prop/><D:prop/>"),
        find("<D:prop/><D:include/>"),
        find("<D:undefined/>"),
        find(),
        "<propfind/>",
        "<D:prop xmlns:D='DAV:'/>",
        "<D:propfind xmlns:D='DAV:'>",
        "<!DOCTYPE x>" + find("<D:allprop/>"),
        find("<D:prop>", *[f"<X:p{n}/>" for n in range(401)], "</D:prop>"),
        "x" * 5000,
        find("<D:undefined/>") + " " * 5000,
    ],
)
def test_a_body_that_asks_for_nothing_or_twice_is_a_bad_request(server: Server, body: str) -> None:
    """RFC 4918 section 14.20."""
    assert server.ask("PROPFIND", "/dav/a/", body, depth="0").status == 400


def test_unknown_elements_beside_the_question_do_not_matter(server: Server) -> None:
    """RFC 4918 section 17."""
    body = find("<X:strange><D:propname/></X:strange><D:prop><D:getetag/></D:prop>") + " " * 5000
    assert server.ask("PROPFIND", "/dav/a/f.txt", body, depth="0").properties()[D("getetag")][0] == 200


def test_a_charset_in_quotes_is_understood(server: Server) -> None:
    """clients.md 12."""
    body = find("<D:prop><X:é/></D:prop>")
    for charset, encoding in (('"utf-8"', "utf-8"), ('"iso-8859-1"', "latin-1"), ("UTF-16", "utf-16")):
        answer = server.ask(
            "PROPFIND", "/dav/a/", body.encode(encoding), depth="0", content_type=f"application/xml; charset={charset}"
        )
        assert [(name, status) for name, (status, _) in answer.properties().items()] == [(X + "é", 404)]


# -- values --------------------------------------------------------------------------------------------------------


def test_live_properties_have_the_forms_of_the_rfc(server: Server) -> None:
    """RFC 4918 section 15."""
    names = ("creationdate", "getlastmodified", "getcontentlength", "getcontenttype", "resource-id", "owner")
    found = server.propfind("/dav/a/f.txt", *map(D, names)).properties()
    assert found[D("creationdate")][1].text == "2026-03-01T12:00:00Z"
    assert found[D("getlastmodified")][1].text == "Sun, 01 Mar 2026 12:00:00 GMT"
    assert found[D("getcontentlength")][1].text == "5"
    assert found[D("getcontenttype")][1].text == "text/plain"
    assert (found[D("resource-id")][1].findtext(D("href")) or "").startswith("urn:uuid:")
    assert found[D("owner")][1].findtext(D("href")) == "/dav/principals/ann/"
    kind = server.propfind("/dav/a/", D("resourcetype")).properties()[D("resourcetype")][1]
    assert [each.tag for each in kind] == [D("collection")]


def test_a_getter_may_write_its_own_tags(server: Server) -> None:
    found = server.propfind("/dav/a/f.txt", X + "tagged").properties()[X + "tagged"][1]
    assert (found.text, found.get("kind"), len(found)) == ("<", "&", 0)


def test_what_is_neither_set_nor_removed_is_no_instruction(server: Server) -> None:
    """RFC 4918 section 17."""
    body = update("<X:p/>").replace("<D:set>", "<X:strange><D:prop><X:q/></D:prop></X:strange><D:set>")
    assert set(server.ask("PROPPATCH", "/dav/a/", body).properties()) == {X + "p"}
    many = update(*[f"<X:p{n}/>" for n in range(401)])
    assert server.ask("PROPPATCH", "/dav/a/", many).status == 400


def test_text_is_escaped(server: Server) -> None:
    found = server.propfind("/dav/principals/ann", D("displayname")).properties()
    assert found[D("displayname")][1].text == "Fixed <&>"


def test_a_property_that_may_not_be_read_is_403_with_the_missing_privilege(server: Server) -> None:
    """RFC 3744 section 7.1.1, threats: ACL on the request URI only."""
    answer = server.propfind("/dav/a/f.txt", X + "secret", D("getetag"), user="bob")
    found = answer.properties()
    assert found[X + "secret"][0] == 403
    assert found[D("getetag")][0] == 200
    needed = answer.xml.find(f".//{D('error')}/{D('need-privileges')}/{D('resource')}")
    assert needed is not None
    assert needed.findtext(D("href")) == "/dav/a/f.txt"
    assert needed.find(f"{D('privilege')}/{D('all')}") is not None
    assert server.propfind("/dav/a/f.txt", X + "secret").properties()[X + "secret"][1].text == "42"


def test_members_that_may_not_be_seen_are_left_out(server: Server) -> None:
    server.mkcol("/dav/private/")
    assert "/dav/private/" in server.propfind("/dav/", D("getetag"), depth="1").hrefs
    assert "/dav/private/" not in server.propfind("/dav/", D("getetag"), depth="1", user="bob").hrefs


def test_names_in_urls_come_back_as_the_client_needs_them(server: Server) -> None:
    """clients.md 8."""
    server.put("/dav/a/b/x%20%25%26:@+%C3%BC.txt")
    answer = server.propfind("/dav/a/b/", D("getetag"), depth="1")
    assert "/dav/a/b/x%20%25%26:@+%C3%BC.txt" in answer.hrefs


def test_a_class_may_write_its_listing_itself(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from memory_tree import Folder

    from calserver.dav import MEMBER_END, MEMBER_MIDDLE, MEMBER_START

    def rendered(self: Any, names: frozenset[str]) -> list[str] | None:
        if names != {D("getetag")}:
            return None
        return [f'{MEMBER_START}/dav/quick{MEMBER_MIDDLE}<D:getetag>"q"</D:getetag>{MEMBER_END}']

    monkeypatch.setattr(Folder, "rendered", rendered)
    assert server.propfind("/dav/a/", D("getetag"), depth="1").hrefs == ["/dav/a/", "/dav/quick"]
    assert server.propfind("/dav/a/", D("getetag"), D("owner"), depth="1").hrefs == [
        "/dav/a/",
        "/dav/a/b/",
        "/dav/a/f.txt",
    ]


def test_a_large_answer_is_made_of_chunks(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multistatus, "WHOLE_BYTES", 100_000)
    for number in range(60):
        server.put(f"/dav/a/b/{number:03}")
        server.ask("PROPPATCH", f"/dav/a/b/{number:03}", update(f"<X:long>{'x' * 1900}</X:long>"))
    one = server.ask("PROPFIND", "/dav/a/", depth="infinity")
    assert not isinstance(one.response.body, bytes)
    assert len(list(one.response.body)) > 1
    assert len(one.hrefs) == 64


# -- Prefer, Brief -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{"prefer": "return=minimal"}, {"brief": "t"}])
def test_minimal_leaves_out_what_is_missing(server: Server, fields: dict[str, str]) -> None:
    """RFC 8144 section 2.1."""
    answer = server.propfind("/dav/a/f.txt", D("getetag"), X + "none", **fields)
    assert set(answer.properties()) == {D("getetag")}
    assert ("preference-applied" in answer.headers) == ("prefer" in fields)
    nothing = server.propfind("/dav/a/f.txt", X + "none", **fields)
    assert nothing.properties() == {}
    assert nothing.xml.findtext(f".//{D('propstat')}/{D('status')}") == "HTTP/1.1 200 OK"


def test_minimal_does_not_hide_refusals(server: Server) -> None:
    answer = server.propfind("/dav/a/f.txt", X + "secret", user="bob", prefer="return=minimal")
    assert answer.properties()[X + "secret"][0] == 403


def test_noroot_leaves_out_the_resource_itself(server: Server) -> None:
    """RFC 8144 section 3."""
    answer = server.propfind("/dav/a/", D("getetag"), depth="1", prefer="depth-noroot")
    assert answer.hrefs == ["/dav/a/b/", "/dav/a/f.txt"]
    assert answer.headers["preference-applied"] == "depth-noroot"
    alone = server.propfind("/dav/a/", D("getetag"), prefer="depth-noroot")
    assert alone.hrefs == ["/dav/a/"]
    assert "preference-applied" not in alone.headers


# -- PROPPATCH -----------------------------------------------------------------------------------------------------


def test_properties_are_set_removed_and_kept_verbatim(server: Server) -> None:
    value = '<X:p xml:lang="de" a="1"><X:q xmlns:Z="urn:z"><Z:r/></X:q> &lt;text&gt;\u20ac&#13;</X:p>'
    answer = server.ask("PROPPATCH", "/dav/a/f.txt", update(value))
    assert answer.status == 207
    assert answer.hrefs == ["/dav/a/f.txt"]
    assert {name: status for name, (status, _) in answer.properties().items()} == {X + "p": 200}
    kept = server.propfind("/dav/a/f.txt", X + "p").properties()[X + "p"][1]
    assert kept.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert kept.get("a") == "1"
    assert kept[0][0].tag == "{urn:z}r"
    assert kept[0].tail == " <text>\u20ac\r"
    assert server.ask("PROPPATCH", "/dav/a/f.txt", update(remove="<X:p/>")).properties()[X + "p"][0] == 200
    assert server.propfind("/dav/a/f.txt", X + "p").properties()[X + "p"][0] == 404


def test_removing_what_is_not_there_succeeds(server: Server) -> None:
    """RFC 4918 section 14.23."""
    assert server.ask("PROPPATCH", "/dav/a/", update(remove="<X:p/>")).properties()[X + "p"][0] == 200


def test_instructions_are_carried_out_in_document_order(server: Server) -> None:
    """RFC 4918 section 9.2."""
    body = (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:X="urn:x"><D:set><D:prop><X:p>1</X:p></D:prop></D:set>'
        "<D:remove><D:prop><X:p/></D:prop></D:remove><D:set><D:prop><X:p>2</X:p><X:q/></D:prop></D:set>"
        "<D:remove><D:prop><X:q/></D:prop></D:remove></D:propertyupdate>"
    )
    answer = server.ask("PROPPATCH", "/dav/a/", body)
    assert {name: status for name, (status, _) in answer.properties().items()} == {X + "p": 200, X + "q": 200}
    found = server.propfind("/dav/a/", X + "p", X + "q").properties()
    assert found[X + "p"][1].text == "2"
    assert found[X + "q"][0] == 404


@pytest.mark.parametrize(
    "name", ["getetag", "resourcetype", "lockdiscovery", "owner", "current-user-principal", "sync-token", "resource-id"]
)
def test_one_protected_property_undoes_all(server: Server, name: str) -> None:
    """RFC 4918 sections 9.2 and 16; threats: PROPPATCH of live properties."""
    answer = server.ask("PROPPATCH", "/dav/a/", update("<X:p>1</X:p>", f"<D:{name}/>", "<X:q/>"))
    assert answer.status == 207
    found = answer.properties()
    assert {each: status for each, (status, _) in found.items()} == {X + "p": 424, D(name): 403, X + "q": 424}
    assert answer.xml.find(f".//{D('error')}/{D('cannot-modify-protected-property')}") is not None
    assert server.propfind("/dav/a/", X + "p").properties()[X + "p"][0] == 404
    assert server.ask("PROPPATCH", "/dav/a/", update(remove=f"<D:{name}/>")).properties()[D(name)][0] == 403


def test_a_refusal_of_a_check_undoes_all(server: Server) -> None:
    answer = server.ask("PROPPATCH", "/dav/a/", update("<X:p/>", "<X:color>grey</X:color>"))
    assert {name: status for name, (status, _) in answer.properties().items()} == {X + "p": 424, X + "color": 405}
    assert server.propfind("/dav/a/", X + "color").properties()[X + "color"][1].text == "black"


def test_a_stored_live_property_is_kept_verbatim_and_goes_back_to_its_default(server: Server) -> None:
    assert server.ask("PROPPATCH", "/dav/a/", update('<X:color b="c">red</X:color>')).status == 207
    kept = server.propfind("/dav/a/", X + "color").properties()[X + "color"][1]
    assert (kept.text, kept.get("b")) == ("red", "c")
    server.ask("PROPPATCH", "/dav/a/", update(remove="<X:color/>"))
    assert server.propfind("/dav/a/", X + "color").properties()[X + "color"][1].text == "black"


def test_a_property_for_creation_alone_is_protected_later(server: Server) -> None:
    assert server.ask("PROPPATCH", "/dav/a/", update("<X:size>3</X:size>")).properties()[X + "size"][0] == 403


def test_displayname_is_set_and_shown(server: Server) -> None:
    server.ask("PROPPATCH", "/dav/a/", update("<D:displayname>calendar &lt;- &amp; ]]&gt;</D:displayname>"))
    found = server.propfind("/dav/a/", D("displayname")).properties()
    assert found[D("displayname")][1].text == "calendar <- & ]]>"


def test_a_minimal_answer_to_an_update_that_worked_is_empty(server: Server) -> None:
    """RFC 8144 section 2.2."""
    answer = server.ask("PROPPATCH", "/dav/a/", update("<X:p/>"), prefer="return=minimal")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["preference-applied"] == "return=minimal"
    assert server.ask("PROPPATCH", "/dav/a/", update("<D:getetag/>"), prefer="return=minimal").status == 207


@pytest.mark.parametrize("body", ["", "<D:propfind xmlns:D='DAV:'/>", "<x", "<!DOCTYPE x><x/>"])
def test_an_update_without_its_body_is_a_bad_request(server: Server, body: str) -> None:
    assert server.ask("PROPPATCH", "/dav/a/", body).status == 400


def test_too_large_and_too_many_properties_are_refused(server: Server) -> None:
    answer = server.ask("PROPPATCH", "/dav/a/", update(f"<X:p>{'x' * 2000}</X:p>", "<X:q/>"))
    assert {name: status for name, (status, _) in answer.properties().items()} == {X + "p": 507, X + "q": 424}
    assert server.ask("PROPPATCH", "/dav/a/", update(*[f"<X:p{n}/>" for n in range(20)])).status == 207
    assert server.ask("PROPPATCH", "/dav/a/", update("<X:another/>")).status == 507
    assert server.ask("PROPPATCH", "/dav/a/", update("<X:p1>again</X:p1>")).status == 207
    assert server.ask("PROPPATCH", "/dav/a/", update(remove="<X:p1/>")).status == 207


def test_properties_of_what_cannot_keep_any_are_not_set(server: Server) -> None:
    answer = server.ask("PROPPATCH", "/dav/principals/ann", update("<X:p/>"))
    assert answer.status == 405
    assert server.ask("PROPPATCH", "/dav/none", update("<X:p/>")).status == 404


@pytest.mark.parametrize(
    ("asked", "hrefs"),
    [
        ("/dav/m%40x/", ["/dav/m%40x/", "/dav/m%40x/a@b", "/dav/m%40x/c%20d"]),
        ("/dav/m@x/", ["/dav/m@x/", "/dav/m@x/a@b", "/dav/m@x/c%20d"]),
        ("/dav/%6d%40x", ["/dav/%6d%40x/", "/dav/%6d%40x/a@b", "/dav/%6d%40x/c%20d"]),
        ("/dav/m%40x/a%40b", ["/dav/m%40x/a%40b"]),
        ("/dav//m@x/", ["/dav//m@x/", "/dav//m@x/a@b", "/dav//m@x/c%20d"]),
    ],
)
def test_answers_begin_as_the_client_spelled_the_path(server: Server, asked: str, hrefs: list[str]) -> None:
    """clients.md 11: members whose path does not begin like that of the request are ignored."""
    server.mkcol("/dav/m@x/")
    server.put("/dav/m@x/a@b")
    server.put("/dav/m@x/c%20d")
    assert server.propfind(asked, D("getetag"), depth="1").hrefs == hrefs


def test_a_spelling_that_would_need_escaping_is_not_taken_over(server: Server) -> None:
    server.mkcol("/dav/m%26x/")
    assert server.propfind("/dav/m&x/", D("getetag")).hrefs == ["/dav/m%26x/"]
    assert server.propfind("/dav/m&x", D("owner")).properties()[D("owner")][1][0].text == "/dav/principals/ann/"
