"""Files and folders of one person, as WebDAV clients use them (RFC 4918)."""

from dialogue import Dialogue

from calserver.names import D

HOME = "drive/user/ann/"


def test_a_file_comes_back_byte_for_byte_with_its_type_and_etag(ann: Dialogue) -> None:
    """RFC 4918 section 9.7.1."""
    put = ann("PUT", HOME + "a.bin", b"\x00\xff\r\n", content_type="image/x-test")
    assert put.status == 201
    got = ann("GET", HOME + "a.bin")
    assert (got.status, got.body, got.headers["content-type"]) == (200, b"\x00\xff\r\n", "image/x-test")
    assert got.headers["etag"] == put.headers["etag"]


def test_content_without_a_type_is_application_octet_stream(ann: Dialogue) -> None:
    """RFC 9110 section 8.3."""
    ann("PUT", HOME + "a", b"x")
    assert ann("GET", HOME + "a").headers["content-type"] == "application/octet-stream"


def test_what_people_stored_does_not_run_as_a_page_of_this_site(ann: Dialogue) -> None:
    ann("PUT", HOME + "a.html", b"<script>alert(1)</script>", content_type="text/html")
    got = ann("GET", HOME + "a.html")
    assert got.headers["content-security-policy"] == "sandbox"
    assert got.headers["x-content-type-options"] == "nosniff"


def test_the_etag_follows_the_content(ann: Dialogue) -> None:
    first = ann("PUT", HOME + "a", b"1").headers["etag"]
    second = ann("PUT", HOME + "a", b"2")
    assert (second.status, second.headers["etag"] != first) == (204, True)
    assert ann("PUT", HOME + "a", b"1").headers["etag"] == first


def test_names_with_every_character_keep_it(ann: Dialogue) -> None:
    """RFC 3986 section 2.1: what is encoded in a path is decoded once, and encoded again in every href."""
    for spelled in ("%C3%A4%20b", "a+b", "x@y", "t:1", "50%25", "%26%3C%3E%22", "a%3Fb%23c", "%F0%9F%93%85"):
        assert ann("PUT", HOME + spelled, b"x").status == 201, spelled
        assert ann("GET", HOME + spelled).status == 200
        [own] = ann.propfind(HOME + spelled, D("getetag")).hrefs
        assert ann("GET", own.removeprefix("/dav/")).status == 200
    listed = ann.propfind(HOME, D("getetag"), depth="1").hrefs[1:]
    assert len(listed) == 8
    assert all(ann("DELETE", each.removeprefix("/dav/")).status == 204 for each in listed)


def test_a_file_in_a_folder_that_is_not_there_is_a_conflict(ann: Dialogue) -> None:
    """RFC 4918 section 9.7.1."""
    assert ann("PUT", HOME + "no/a", b"x").status == 409
    assert ann("MKCOL", HOME + "no/b").status == 409


def test_there_are_no_members_below_a_file(ann: Dialogue) -> None:
    ann("PUT", HOME + "a", b"x")
    assert ann("PUT", HOME + "a/b", b"x").status == 409
    assert ann("GET", HOME + "a/b").status == 404


def test_a_folder_cannot_be_made_where_something_is(ann: Dialogue) -> None:
    """RFC 4918 section 9.3.1."""
    assert ann("MKCOL", HOME + "f").status == 201
    assert ann("MKCOL", HOME + "f").status == 405
    assert ann("PUT", HOME + "f", b"x").status == 405
    ann("PUT", HOME + "a", b"x")
    assert ann("MKCOL", HOME + "a").status == 405


def test_a_folder_of_an_unknown_type_is_refused(ann: Dialogue) -> None:
    """RFC 5689 section 3.3."""
    body = (
        '<D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:resourcetype><D:collection/><x xmlns="urn:x"/></D:resourcetype>'
        "</D:prop></D:set></D:mkcol>"
    )
    refused = ann("MKCOL", HOME + "f", body, content_type="application/xml")
    assert (refused.status, b"valid-resourcetype" in refused.body) == (403, True)
    assert ann("GET", HOME + "f").status == 404


def test_a_folder_goes_with_everything_in_it(ann: Dialogue) -> None:
    """RFC 4918 section 9.6.1."""
    for path in ("f", "f/g"):
        ann("MKCOL", HOME + path)
    ann("PUT", HOME + "f/g/a", b"x")
    assert ann("DELETE", HOME + "f").status == 204
    assert [ann("GET", HOME + path).status for path in ("f", "f/g", "f/g/a")] == [404] * 3


def test_a_browser_gets_a_page_that_lists_a_folder(ann: Dialogue) -> None:
    """RFC 4918 section 9.4; names cannot break out of it."""
    ann("MKCOL", HOME + "f")
    ann("PUT", HOME + "f/%3Cimg%20src=x%20onerror=alert(1)%3E.txt", b"12345")
    ann("PUT", HOME + "f/javascript:alert(1)", b"")
    page = ann("GET", HOME + "f/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = page.body.decode()
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;.txt" in text
    assert 'href="javascript' not in text
    assert "(5 bytes)" in text


def test_the_home_itself_stays(ann: Dialogue) -> None:
    assert ann("DELETE", HOME).status == 405
    assert ann("MOVE", HOME, destination=ann.destination("drive/user/ann/x")).status in (403, 405)
    assert "DELETE" not in ann("OPTIONS", HOME).headers["allow"]


def test_quota_is_told_and_kept(server: Dialogue) -> None:
    """RFC 4331 sections 3, 4 and 6."""
    server.settings = type(server.settings)(quota_bytes=100)
    ann = server.by("ann")
    ann("PUT", HOME + "a", b"x" * 60)
    found = ann.propfind(HOME, D("quota-used-bytes"), D("quota-available-bytes")).properties("/dav/" + HOME)
    assert (found[D("quota-used-bytes")].text, found[D("quota-available-bytes")].text) == ("60", "40")
    refused = ann("PUT", HOME + "b", b"x" * 41)
    assert (refused.status, refused.error) == (507, D("quota-not-exceeded"))
    assert ann("COPY", HOME + "a", destination=ann.destination(HOME + "c")).status == 507
    assert ann("PUT", HOME + "b", b"x" * 40).status == 201
    assert ann("MOVE", HOME + "b", destination=ann.destination(HOME + "d")).status == 201
    ann("DELETE", HOME + "a")
    assert ann("PUT", HOME + "a", b"x" * 60).status == 201


def test_content_may_be_replaced_in_a_home_that_is_full(server: Dialogue) -> None:
    server.settings = type(server.settings)(quota_bytes=100)
    ann = server.by("ann")
    assert ann("PUT", HOME + "a", b"x" * 100).status == 201
    assert ann("PUT", HOME + "a", b"y" * 100).status == 204
    assert ann("PUT", HOME + "a", b"y" * 101).status == 507


def test_names_and_paths_are_bounded(server: Dialogue) -> None:
    server.settings = type(server.settings)(name_bytes=64, path_depth=8)
    ann = server.by("ann")
    assert ann("PUT", HOME + "n" * 65, b"").status == 403
    path = HOME
    for name in "abcde":
        path += name + "/"
        assert ann("MKCOL", path).status == 201
    assert ann("PUT", path + "x", b"").status == 403
    assert ann("MKCOL", path + "x").status == 403
    ann("MKCOL", HOME + "z")
    assert ann("MOVE", HOME + "a", destination=ann.destination(HOME + "z/a")).status == 403
    assert ann("COPY", HOME + "a", destination=ann.destination(HOME + "z/a")).status == 403
    assert ann("MOVE", HOME + "a", destination=ann.destination(HOME + "b")).status == 201


def test_a_lock_of_a_name_that_is_free_makes_an_empty_file(ann: Dialogue) -> None:
    """RFC 4918 section 7.3."""
    body = (
        '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
        "<D:locktype><D:write/></D:locktype></D:lockinfo>"
    )
    assert ann("LOCK", HOME + "a", body, content_type="application/xml").status == 201
    got = ann("GET", HOME + "a")
    assert (got.status, got.body) == (200, b"")
    assert ann("PUT", HOME + "a", b"x").status == 423
