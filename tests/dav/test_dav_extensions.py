"""The extensions: RFC 3253, 3744, 4331, 5397, 5842, 5995, 6578."""

import pytest
from memory_tree import SPOKEN, Limited, Server, update

from calserver.names import CY, D

X = "{urn:x}"


@pytest.fixture
def server() -> Server:
    made = Server()
    made.mkcol("/dav/a/", "/dav/a/b/")
    made.put("/dav/a/b/deep.txt")
    made.put("/dav/a/f.txt")
    return made


# -- reports (RFC 3253) --------------------------------------------------------------------------------------------


def test_reports_are_listed_where_they_are(server: Server) -> None:
    """RFC 3253 section 3.1.5."""

    def reports(path: str) -> list[str]:
        found = server.propfind(path, D("supported-report-set")).properties()[D("supported-report-set")][1]
        return [each.tag for each in found.iterfind(f"{D('supported-report')}/{D('report')}/*")]

    assert reports("/dav/a/") == [D("expand-property"), D("sync-collection")]
    assert reports("/dav/a/f.txt") == reports("/dav/principals/ann") == [D("expand-property")]


def test_methods_and_live_properties_are_listed(server: Server) -> None:
    """RFC 3253 sections 3.1.3 and 3.1.4."""
    found = server.propfind("/dav/a/f.txt", D("supported-method-set"), D("supported-live-property-set")).properties()
    methods = [each.get("name") for each in found[D("supported-method-set")][1]]
    assert ", ".join(map(str, methods)) == server.ask("OPTIONS", "/dav/a/f.txt").headers["allow"]
    names = [each[0][0].tag for each in found[D("supported-live-property-set")][1]]
    assert {D("getetag"), D("owner"), X + "secret"} <= set(names)
    assert X + "color" not in names


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/dav/a/f.txt", '<D:sync-collection xmlns:D="DAV:"/>', 403),
        ("/dav/a/", '<D:no-such xmlns:D="DAV:"/>', 403),
        ("/dav/a/", "", 400),
        ("/dav/a/", "<x", 400),
        ("/dav/a/", "<!DOCTYPE x><x/>", 400),
        ("/dav/none", '<D:expand-property xmlns:D="DAV:"/>', 404),
    ],
)
def test_a_report_that_is_not_there_is_refused(server: Server, path: str, body: str, status: int) -> None:
    """RFC 3253 section 3.6."""
    answer = server.ask("REPORT", path, body)
    assert answer.status == status
    if status == 403:
        assert answer.conditions == [D("supported-report")]


# -- expand-property (RFC 3253 section 3.8) ------------------------------------------------------------------------


def expand(inside: str) -> str:
    return f'<D:expand-property xmlns:D="DAV:">{inside}</D:expand-property>'


OWNER_NAME = '<D:property name="owner"><D:property name="displayname"/></D:property>'


def test_hrefs_become_the_responses_that_they_point_to(server: Server) -> None:
    answer = server.ask("REPORT", "/dav/a/", expand(OWNER_NAME + '<D:property name="getetag"/>'))
    assert answer.hrefs == ["/dav/a/"]
    found = answer.properties("/dav/a/")
    assert found[D("getetag")][0] == 200
    inner = found[D("owner")][1].find(D("response"))
    assert inner is not None
    assert inner.findtext(D("href")) == "/dav/principals/ann/"
    assert inner.findtext(f".//{D('displayname')}") == "Fixed <&>"


def test_stored_properties_are_expanded_within_what_stands_around_them(server: Server) -> None:
    value = (
        '<X:link xmlns:Y="urn:y">see <Y:a><D:href>/dav/a/f.txt</D:href> or</Y:a> &lt;'
        "<D:href>http://dav.example.com:8008/dav/none</D:href><!-- 0 --></X:link>"
    )
    server.ask("PROPPATCH", "/dav/a/", update(value))
    body = expand('<D:property name="link" namespace="urn:x"><D:property name="getcontentlength"/></D:property>')
    link = server.ask("REPORT", "/dav/a/", body).properties("/dav/a/")[X + "link"][1]
    assert (link.text, link[0].tag, link[0][0].tail, link[0].tail) == ("see ", "{urn:y}a", " or", " <")
    assert link[0][0].findtext(f".//{D('getcontentlength')}") == "5"
    assert link[1].findtext(D("href")) == "http://dav.example.com:8008/dav/none"
    assert link[1].findtext(D("status")) == "HTTP/1.1 404 Not Found"


def test_only_what_may_be_read_is_expanded(server: Server) -> None:
    """Threats: hrefs in expand-property need a check of their own."""
    server.mkcol("/dav/private/")
    for target, status in (("/dav/private/", 403), ("/dav/hidden/x", 403), ("/dav/%2e%2e", 404), ("mailto:a@b", 404)):
        server.ask("PROPPATCH", "/dav/a/", update(f"<X:link><D:href>{target}</D:href></X:link>"))
        body = expand('<D:property name="link" namespace="urn:x"><D:property name="resourcetype"/></D:property>')
        answer = server.ask("REPORT", "/dav/a/", body, user="bob")
        inner = answer.properties("/dav/a/")[X + "link"][1][0]
        assert inner.findtext(D("status")).split()[1] == str(status)  # type: ignore[union-attr]
        assert b"resourcetype" not in answer.body


def test_a_property_that_is_missing_is_missing_expanded_or_not(server: Server) -> None:
    body = expand('<D:property name="no"/><D:property name="group"><D:property name="displayname"/></D:property>')
    found = server.ask("REPORT", "/dav/a/", body).properties()
    assert {name: status for name, (status, _) in found.items()} == {D("no"): 404, D("group"): 404}


def test_expansion_goes_on_as_deep_as_it_is_asked_and_no_further_than_allowed(server: Server) -> None:
    self_link = "<X:link><D:href>/dav/a/</D:href><D:href>/dav/a/</D:href></X:link>"
    server.ask("PROPPATCH", "/dav/a/", update(self_link))

    def nested(depth: int) -> str:
        inside = nested(depth - 1) if depth else '<D:property name="resourcetype"/>'
        return f'<D:property name="link" namespace="urn:x">{inside}</D:property>'

    answer = server.ask("REPORT", "/dav/a/", expand(nested(2)))
    assert answer.body.count(b"resourcetype>") == 2 * 8
    refused = server.ask("REPORT", "/dav/a/", expand(nested(4)))
    assert refused.status == 403
    assert refused.conditions == [D("number-of-matches-within-limits")]
    assert server.ask("REPORT", "/dav/a/", expand(nested(40))).status == 400


@pytest.mark.parametrize(
    "body",
    [
        expand('<D:property name="a b"/>'),
        expand('<D:property name="a" namespace="urn:{x}"/>'),
        expand('<D:property name="&gt;&lt;evil/&gt;"/>'),
        expand("<D:property/>"),
        expand('<D:property name="x"/>' * 401),
    ],
)
def test_names_that_are_none_and_too_many_are_bad_requests(server: Server, body: str) -> None:
    assert server.ask("REPORT", "/dav/a/", body).status == 400


def test_expand_property_has_no_depth(server: Server) -> None:
    assert server.ask("REPORT", "/dav/a/", expand(OWNER_NAME), depth="0").status == 207
    assert server.ask("REPORT", "/dav/a/", expand(OWNER_NAME), depth="1").status == 400
    assert server.ask("REPORT", "/dav/a/", expand(OWNER_NAME), depth="infinity").status == 400


def test_expand_property_needs_the_privilege_to_read(server: Server) -> None:
    server.mkcol("/dav/private/")
    assert server.ask("REPORT", "/dav/private/", expand(OWNER_NAME), user="bob").status == 403


# -- sync-collection (RFC 6578) ------------------------------------------------------------------------------------


def sync(token: str = "", *, level: str | None = "1", limit: str = "", prop: str = "<D:getetag/>") -> str:
    inside = f"<D:sync-token>{token}</D:sync-token>"
    inside += "" if level is None else f"<D:sync-level>{level}</D:sync-level>"
    inside += f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>" if limit else ""
    return f'<D:sync-collection xmlns:D="DAV:">{inside}<D:prop>{prop}</D:prop></D:sync-collection>'


def token_of(server: Server, path: str = "/dav/a/") -> str:
    return server.propfind(path, D("sync-token")).properties()[D("sync-token")][1].text or ""


def test_an_initial_sync_names_the_collection_and_all_members(server: Server) -> None:
    answer = server.ask("REPORT", "/dav/a/", sync(), depth="0")
    assert answer.hrefs == ["/dav/a/", "/dav/a/b/", "/dav/a/f.txt"]
    assert answer.xml.findtext(D("sync-token")) == token_of(server)
    assert answer.properties("/dav/a/f.txt")[D("getetag")][0] == 200


def test_a_later_sync_names_what_changed_and_what_is_gone(server: Server) -> None:
    token = token_of(server)
    assert server.ask("REPORT", "/dav/a/", sync(token)).hrefs == []
    server.put("/dav/a/new.txt")
    server.ask("DELETE", "/dav/a/f.txt")
    answer = server.ask("REPORT", "/dav/a/", sync(token))
    assert answer.hrefs == ["/dav/a/new.txt", "/dav/a/f.txt"]
    assert answer.statuses() == {"/dav/a/f.txt": 404}
    assert answer.xml.findtext(D("sync-token")) == token_of(server) != token


@pytest.mark.parametrize(
    ("level", "depth", "deep"),
    [
        ("1", "0", False),
        ("1", "1", False),
        ("1", "infinity", False),
        ("1", None, False),
        ("infinite", "0", True),
        ("infinite", "1", True),
        ("infinite", None, True),
        ("infinity", "0", True),
        ("infinity", "1", True),
        (None, "1", False),
        (None, "0", False),
        (None, None, False),
        (None, "infinity", True),
    ],
)
def test_the_sync_level_says_how_deep_and_depth_only_without_it(
    server: Server, level: str | None, depth: str | None, deep: bool
) -> None:
    """RFC 6578 section 3.3; clients.md 7."""
    fields = {} if depth is None else {"depth": depth}
    hrefs = server.ask("REPORT", "/dav/a/", sync(level=level), **fields).hrefs
    assert ("/dav/a/b/deep.txt" in hrefs) == deep


@pytest.mark.parametrize(
    "body",
    [
        sync(level="bogus"),
        sync(level=""),
        sync(limit="0"),
        sync(limit="many"),
        sync(limit="-1"),
        sync(prop="".join(f"<D:p{n}/>" for n in range(401))),
    ],
)
def test_a_sync_that_is_asked_for_wrongly_is_a_bad_request(server: Server, body: str) -> None:
    assert server.ask("REPORT", "/dav/a/", body).status == 400


@pytest.mark.parametrize("token", ["data:,bogus", "data:,999/1", "http://example.com/", "../../etc/passwd", "x" * 600])
def test_a_token_that_is_not_valid_is_refused_by_name(server: Server, token: str) -> None:
    """RFC 6578 section 3.2; threats: forged token."""
    answer = server.ask("REPORT", "/dav/a/", sync(token))
    assert answer.status == 403
    assert answer.conditions == [D("valid-sync-token")]


def test_a_sync_without_properties_names_changes_all_the_same(server: Server) -> None:
    answer = server.ask("REPORT", "/dav/a/", sync(prop=""))
    assert answer.hrefs == ["/dav/a/", "/dav/a/b/", "/dav/a/f.txt"]
    assert answer.properties("/dav/a/f.txt") == {}
    assert answer.statuses() == {}


@pytest.mark.parametrize("limits", [{"limit": "3"}, {"limit": "99"}, {"settings": "3"}])
def test_a_limit_cuts_the_answer_and_nothing_is_lost(server: Server, limits: dict[str, str]) -> None:
    """RFC 6578 section 3.6."""
    for number in range(8):
        server.put(f"/dav/a/{number}")
    server.settings = Limited(query_results=3)
    token, seen, rounds = "", [], 0
    while True:
        answer = server.ask("REPORT", "/dav/a/", sync(token, limit=limits.get("limit", "")))
        assert len(answer.hrefs) <= 3 + 1
        assert len(set(answer.hrefs)) == len(answer.hrefs), "RFC 4918 section 14.24: an href is there once"
        token = answer.xml.findtext(D("sync-token")) or ""
        seen += [each for each in answer.hrefs if each != "/dav/a/"]
        rounds += 1
        if answer.statuses().get("/dav/a/") != 507:
            break
        condition = answer.xml.find(f".//{D('error')}/{D('number-of-matches-within-limits')}")
        assert condition is not None
    assert rounds == 4
    assert sorted(seen) == sorted(server.propfind("/dav/a/", D("getetag"), depth="1").hrefs[1:])
    assert token == token_of(server)


def test_a_sync_needs_the_privilege_to_read(server: Server) -> None:
    server.mkcol("/dav/private/")
    answer = server.ask("REPORT", "/dav/private/", sync(), user="bob")
    assert answer.status == 403
    assert answer.conditions == [D("need-privileges")]


# -- add-member (RFC 5995) -----------------------------------------------------------------------------------------


def test_a_member_is_added_by_post_and_its_place_is_told(server: Server) -> None:
    found = server.propfind("/dav/a/", D("add-member")).properties()
    assert found[D("add-member")][1].findtext(D("href")) == "/dav/a/;add-member"
    assert server.propfind("/dav/a/f.txt", D("add-member")).properties()[D("add-member")][0] == 404
    answer = server.ask("POST", "/dav/a/;add-member", "posted", content_type="text/plain", if_none_match="*")
    assert (answer.status, answer.body) == (201, b"")
    place = answer.headers["location"]
    assert server.ask("GET", place).body == b"posted"
    assert answer.headers["etag"] == server.ask("GET", place).headers["etag"]
    assert "content-location" not in answer.headers


def test_an_added_member_can_be_answered_with_what_is_stored(server: Server) -> None:
    answer = server.ask("POST", "/dav/a/;add-member", "posted!", prefer="return=representation")
    assert (answer.status, answer.body) == (201, b"posted")
    assert answer.headers["content-location"] == answer.headers["location"]


@pytest.mark.parametrize(
    ("path", "user", "status"),
    [
        ("/dav/a/", "ann", 405),
        ("/dav/a/other", "ann", 404),
        ("/dav/none/;add-member", "ann", 404),
        ("/dav/a/f.txt/;add-member", "ann", 404),
        ("/dav/a/;add-member", "bob", 403),
    ],
)
def test_members_are_not_added_elsewhere(server: Server, path: str, user: str, status: int) -> None:
    before = server.disk
    assert server.ask("POST", path, "x", user=user).status == status
    assert server.disk == before


@pytest.mark.parametrize("method", ["PUT", "MKCOL", "LOCK"])
def test_nothing_gets_the_name_of_the_add_member_uri(server: Server, method: str) -> None:
    assert server.ask(method, "/dav/a/;add-member").status == 403
    assert server.ask("GET", "/dav/a/;add-member").status == 404


# -- privileges (RFC 3744), principals (RFC 5397), quota (RFC 4331) ------------------------------------------------


def test_the_own_privileges_are_shown(server: Server) -> None:
    """RFC 3744 section 5.5."""
    found = server.propfind("/dav/a/", D("current-user-privilege-set"), user="bob").properties()
    names = [each[0].tag for each in found[D("current-user-privilege-set")][1]]
    assert names == [D("read"), D("read-current-user-privilege-set")]


def test_the_tree_of_privileges_is_made_of_what_is_declared(server: Server) -> None:
    """RFC 3744 section 5.3."""
    found = server.propfind("/dav/a/", D("supported-privilege-set")).properties()[D("supported-privilege-set")][1]
    assert len(found) == 1

    def names(element: object, depth: int = 0) -> list[tuple[int, str]]:
        privilege = element.find(D("privilege"))[0].tag  # type: ignore[attr-defined]
        assert element.findtext(D("description"))  # type: ignore[attr-defined]
        below = element.findall(D("supported-privilege"))  # type: ignore[attr-defined]
        return [(depth, privilege), *(each for one in below for each in names(one, depth + 1))]

    listed = names(found[0])
    assert listed[0] == (0, D("all"))
    assert (1, D("read")) in listed
    assert (2, D("read-current-user-privilege-set")) in listed
    assert (2, D("bind")) in listed
    assert (3, CY("add-resource")) in listed
    assert (2, D("unlock")) in listed


def test_the_current_principal_is_named(server: Server) -> None:
    """RFC 5397 section 3."""
    for user in ("ann", "bob"):
        found = server.propfind("/dav/", D("current-user-principal"), user=user).properties()
        assert found[D("current-user-principal")][1].findtext(D("href")) == f"/dav/principals/{user}/"


def test_quota_is_told_where_there_is_one(server: Server) -> None:
    """RFC 4331."""
    found = server.propfind("/dav/a/", D("quota-used-bytes"), D("quota-available-bytes")).properties()
    assert (found[D("quota-used-bytes")][0], found[D("quota-used-bytes")][1].text) == (200, "17")
    assert found[D("quota-available-bytes")][0] == 404


# -- answers in a hurry ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "fields", "body", "brief"),
    [
        ("OPTIONS", {}, b"", True),
        ("GET", {}, b"", True),
        ("PROPFIND", {"depth": "0"}, b"", True),
        ("PROPFIND", {"depth": "1"}, b"", True),
        ("PROPFIND", {"depth": "infinity"}, b"", False),
        ("PROPFIND", {}, b"", False),
        ("PUT", {}, b"", False),
        ("REPORT", {}, b'<sync-collection xmlns="DAV:"/>', True),
        ("REPORT", {}, b'<expand-property xmlns="DAV:"/>', False),
        ("REPORT", {}, b'<nothing xmlns="DAV:"/>', False),
        ("REPORT", {}, b"no XML", False),
        ("INVENTED", {}, b"", False),
    ],
)
def test_what_takes_little_time_is_told_before_the_transaction(
    server: Server, method: str, fields: dict[str, str], body: bytes, brief: bool
) -> None:
    assert SPOKEN.brief(server.request(method, "/dav/a/f.txt", body, **fields)) is brief
