"""MKCOL, DELETE, COPY and MOVE (RFC 4918 sections 9.3, 9.6, 9.8, 9.9), extended MKCOL (RFC 5689)."""

import pytest
from memory_tree import ORIGIN, Server, update

from calserver.names import D

X = "{urn:x}"


@pytest.fixture
def server() -> Server:
    made = Server()
    made.mkcol("/dav/a/", "/dav/a/b/", "/dav/c/")
    made.put("/dav/a/b/deep.txt", "deep")
    made.put("/dav/a/f.txt", "file")
    made.put("/dav/c/g.txt", "other")
    made.ask("PROPPATCH", "/dav/a/f.txt", update("<X:dead>value</X:dead>"))
    return made


def tree(server: Server) -> list[str]:
    return server.propfind("/dav/", D("getetag"), depth="infinity").hrefs


# -- MKCOL ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dav/new/", "/dav/new", "/dav/a/new/"])
def test_mkcol_makes_an_empty_collection_with_or_without_a_slash(server: Server, path: str) -> None:
    """clients.md 6."""
    assert server.ask("MKCOL", path).status == 201
    assert server.propfind(path, D("getetag"), depth="1").hrefs == [path.rstrip("/") + "/"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/dav/a/", 405), ("/dav/a/f.txt", 405), ("/dav/", 405), ("/dav/no/new/", 409), ("/dav/a/f.txt/new/", 409)],
)
def test_mkcol_where_none_can_be(server: Server, path: str, status: int) -> None:
    """RFC 4918 section 9.3.1."""
    before = tree(server)
    answer = server.ask("MKCOL", path)
    assert answer.status == status
    assert status != 405 or "PROPFIND" in answer.headers["allow"]
    assert tree(server) == before


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"\0\1\2", "xyz-foo/bar-512", 415),
        (b"hello", "text/plain", 415),
        (b"<D:other xmlns:D='DAV:'/>", "text/xml", 415),
        (b"<D:mkcol xmlns:D='DAV:'>", "text/xml", 400),
        (b"<!DOCTYPE x><D:mkcol xmlns:D='DAV:'/>", "text/xml", 400),
        (
            b"<D:mkcol xmlns:D='DAV:'><D:remove><D:prop><D:displayname/></D:prop></D:remove></D:mkcol>",
            "text/xml",
            400,
        ),
    ],
)
def test_a_body_that_mkcol_does_not_understand(server: Server, body: bytes, content_type: str, status: int) -> None:
    assert server.ask("MKCOL", "/dav/new/", body, content_type=content_type).status == status
    assert not server.exists("/dav/new/")


def mkcol(*properties: str) -> str:
    inside = "".join(properties)
    return f'<D:mkcol xmlns:D="DAV:" xmlns:X="urn:x"><D:set><D:prop>{inside}</D:prop></D:set></D:mkcol>'


SHELF = "<D:resourcetype><D:collection/><X:shelf/></D:resourcetype>"


def test_extended_mkcol_makes_a_typed_collection_with_its_properties(server: Server) -> None:
    """RFC 5689 section 3."""
    body = mkcol(SHELF, "<D:displayname>Mine</D:displayname>", "<X:size>7</X:size>", "<X:p/>")
    answer = server.ask("MKCOL", "/dav/new", body, content_type="application/xml")
    assert (answer.status, answer.body) == (201, b"")
    found = server.propfind("/dav/new/", *map(D, ("resourcetype", "displayname")), X + "size", X + "p").properties()
    assert {status for status, _ in found.values()} == {200}
    assert [each.tag for each in found[D("resourcetype")][1]] == [D("collection"), X + "shelf"]
    assert found[D("displayname")][1].text == "Mine"
    assert found[X + "size"][1].text == "7"


@pytest.mark.parametrize(
    ("properties", "failed", "condition"),
    [
        (
            "<D:resourcetype><D:collection/><X:house/></D:resourcetype><X:p/>",
            {D("resourcetype"): 403, X + "p": 424},
            "valid-resourcetype",
        ),
        (
            SHELF + "<D:getetag/><X:p/>",
            {D("getetag"): 403, X + "p": 424, D("resourcetype"): 424},
            "cannot-modify-protected-property",
        ),
        (SHELF + "<X:size>big</X:size>", {X + "size": 400, D("resourcetype"): 424}, None),
    ],
)
def test_extended_mkcol_does_all_or_nothing(
    server: Server, properties: str, failed: dict[str, int], condition: str | None
) -> None:
    """RFC 5689 section 3.4."""
    answer = server.ask("MKCOL", "/dav/new/", mkcol(properties), content_type="text/xml")
    assert answer.status == 403
    assert answer.xml.tag == D("mkcol-response")
    found = {}
    for propstat in answer.xml.iterfind(D("propstat")):
        status = int((propstat.findtext(D("status")) or "").split()[1])
        found.update({each.tag: status for each in propstat.iterfind(f"{D('prop')}/*")})
    assert found == failed
    assert condition is None or answer.xml.find(f".//{D('error')}/{D(condition)}") is not None
    assert not server.exists("/dav/new/")


# -- DELETE --------------------------------------------------------------------------------------------------------


def test_delete_removes_everything_below(server: Server) -> None:
    assert server.ask("DELETE", "/dav/a/f.txt").status == 204
    assert server.ask("DELETE", "/dav/a/", depth="infinity").status == 204
    assert tree(server) == ["/dav/", "/dav/c/", "/dav/c/g.txt"]
    assert server.ask("DELETE", "/dav/a/").status == 404


@pytest.mark.parametrize("depth", ["0", "1", "2"])
def test_a_collection_is_deleted_whole_or_not_at_all(server: Server, depth: str) -> None:
    """RFC 4918 section 9.6.1."""
    before = tree(server)
    assert server.ask("DELETE", "/dav/a/", depth=depth).status == 400
    assert tree(server) == before


def test_the_root_and_what_has_no_delete_stay(server: Server) -> None:
    assert server.ask("DELETE", "/dav/").status in (403, 404, 405)
    assert server.ask("DELETE", "/dav/principals/ann").status == 405
    assert server.exists("/dav/a/")


# -- COPY and MOVE -------------------------------------------------------------------------------------------------


def test_copy_leaves_the_source_and_takes_the_properties(server: Server) -> None:
    answer = server.ask("COPY", "/dav/a/f.txt", destination=ORIGIN + "/dav/c/new.txt")
    assert answer.status == 201
    assert server.ask("GET", "/dav/c/new.txt").body == server.ask("GET", "/dav/a/f.txt").body == b"file"
    assert server.propfind("/dav/c/new.txt", X + "dead").properties()[X + "dead"][1].text == "value"


def test_move_takes_the_source_away_and_keeps_its_identity(server: Server) -> None:
    before = server.propfind("/dav/a/f.txt", D("resource-id")).properties()[D("resource-id")][1][0].text
    assert server.ask("MOVE", "/dav/a/f.txt", destination="/dav/c/new.txt").status == 201
    assert not server.exists("/dav/a/f.txt")
    after = server.propfind("/dav/c/new.txt", D("resource-id")).properties()[D("resource-id")][1][0].text
    assert before == after


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_collections_go_with_their_members(server: Server, method: str) -> None:
    assert server.ask(method, "/dav/a/", destination="/dav/z/").status == 201
    assert {"/dav/z/", "/dav/z/b/", "/dav/z/b/deep.txt", "/dav/z/f.txt"} <= set(tree(server))
    assert server.exists("/dav/a/b/deep.txt") == (method == "COPY")


def test_a_collection_may_be_copied_without_its_members(server: Server) -> None:
    assert server.ask("COPY", "/dav/a/", destination="/dav/z/", depth="0").status == 201
    assert server.propfind("/dav/z/", D("getetag"), depth="infinity").hrefs == ["/dav/z/"]


@pytest.mark.parametrize(("method", "depth"), [("COPY", "1"), ("MOVE", "0"), ("MOVE", "1"), ("COPY", "x")])
def test_other_depths_are_bad_requests(server: Server, method: str, depth: str) -> None:
    """RFC 4918 sections 9.8.3 and 9.9.2."""
    assert server.ask(method, "/dav/a/", destination="/dav/z/", depth=depth).status == 400
    assert not server.exists("/dav/z/")


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_overwriting_replaces_and_only_where_it_may(server: Server, method: str) -> None:
    """RFC 4918 section 10.6."""
    refused = server.ask(method, "/dav/a/f.txt", destination="/dav/c/g.txt", overwrite="F")
    assert refused.status == 412
    assert server.ask("GET", "/dav/c/g.txt").body == b"other"
    assert server.ask(method, "/dav/a/f.txt", destination="/dav/c/g.txt", overwrite="T").status == 204
    assert server.ask("GET", "/dav/c/g.txt").body == b"file"
    assert server.ask(method, "/dav/a/b/", destination="/dav/c/").status == 204
    assert server.propfind("/dav/c/", D("getetag"), depth="1").hrefs == ["/dav/c/", "/dav/c/deep.txt"]


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    ("source", "destination", "status"),
    [
        ("/dav/a/f.txt", "/dav/a/f.txt", 403),
        ("/dav/a/f.txt", ORIGIN + "/dav/a/%66.txt", 403),
        ("/dav/a/", "/dav/a", 403),
        ("/dav/a/", "/dav/a/b/inside/", 403),
        ("/dav/a/b/", "/dav/a/", 403),
        ("/dav/a/b/", "/dav/", 403),
        ("/dav/a/f.txt", "/dav/none/f.txt", 409),
        ("/dav/a/f.txt", "/dav/c/g.txt/x", 409),
        ("/dav/a/f.txt", "http://elsewhere.example.com/dav/f.txt", 502),
        ("/dav/a/f.txt", "/ui/f.txt", 502),
        ("/dav/a/f.txt", "/dav/c/%2e%2e/x", 400),
        ("/dav/a/f.txt", "/dav/c/x#y", 400),
        ("/dav/a/f.txt", "", 400),
        ("/dav/a/f.txt", "/dav/c/;add-member", 403),
        ("/dav/a/none", "/dav/c/x", 404),
        ("/dav/principals/ann", "/dav/c/x", 405),
        ("/dav/a/f.txt", "/dav/hidden/x", 403),
    ],
)
def test_destinations_that_cannot_be(server: Server, method: str, source: str, destination: str, status: int) -> None:
    """RFC 4918 sections 9.8.5 and 9.9.4; threats: lost source, ACL bypass by Destination."""
    before = tree(server)
    assert server.ask(method, source, destination=destination).status == status
    assert tree(server) == before


@pytest.mark.parametrize("method", ["COPY", "MOVE", "DELETE", "PUT", "MKCOL", "PROPPATCH", "LOCK"])
def test_who_may_only_read_changes_nothing(server: Server, method: str) -> None:
    """RFC 3744 appendix B."""
    before = server.disk
    path = "/dav/a/new/" if method == "MKCOL" else "/dav/a/f.txt"
    body = update("<X:p/>") if method == "PROPPATCH" else ""
    answer = server.ask(method, path, body, user="bob", destination="/dav/c/x.txt")
    assert answer.status == 403
    assert answer.conditions == [D("need-privileges")]
    assert server.disk == before


def test_the_destination_needs_its_own_privileges(server: Server) -> None:
    """Threats: ACL checked on the request URI only."""
    server.mkcol("/dav/both/")
    server.put("/dav/both/mine.txt")
    for destination in ("/dav/c/x.txt", "/dav/c/g.txt"):
        for method in ("COPY", "MOVE"):
            answer = server.ask(method, "/dav/both/mine.txt", user="bob", destination=destination)
            assert answer.status == 403
            needed = answer.xml.findtext(f".//{D('resource')}/{D('href')}")
            assert needed in ("/dav/c/", destination)
    assert server.ask("COPY", "/dav/a/f.txt", user="bob", destination="/dav/both/f.txt").status == 201
    assert server.ask("MOVE", "/dav/both/f.txt", user="bob", destination="/dav/both/h.txt").status == 201
    assert server.ask("MOVE", "/dav/a/f.txt", user="bob", destination="/dav/both/i.txt").status == 403
