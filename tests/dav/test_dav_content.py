"""GET, HEAD, PUT and OPTIONS, conditional requests, ranges, preferences (RFC 9110 sections 9, 13, 14; RFC 8144)."""

import hashlib

import pytest
from memory_tree import START, Server

LAST_MODIFIED = "Sun, 01 Mar 2026 12:00:00 GMT"


def etag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


@pytest.fixture
def server() -> Server:
    made = Server()
    made.mkcol("/dav/a/", "/dav/both/")
    made.put("/dav/a/f.txt", b"0123456789", content_type="text/plain")
    return made


# -- OPTIONS -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/dav/", "/dav/a/", "/dav/a/f.txt", "/dav/a/new", "/dav/no/where", "/dav/principals/ann"]
)
def test_options_tells_the_whole_dav_header_everywhere(server: Server, path: str) -> None:
    """RFC 4918 section 10.1; clients.md 3."""
    answer = server.ask("OPTIONS", path)
    assert answer.status == 200
    assert answer.headers["dav"].split(", ")[:3] == ["1", "2", "3"]
    assert "extended-mkcol" in answer.headers["dav"]
    assert answer.body == b""


def test_allow_names_the_methods_that_the_resource_has(server: Server) -> None:
    assert server.ask("OPTIONS", "/dav/a/f.txt").headers["allow"].split(", ") == sorted(
        ["COPY", "DELETE", "GET", "HEAD", "LOCK", "MOVE", "OPTIONS", "PROPFIND", "PROPPATCH", "PUT", "REPORT", "UNLOCK"]
    )
    assert server.ask("OPTIONS", "/dav/principals/ann").headers["allow"] == "OPTIONS, PROPFIND, REPORT"
    assert server.ask("OPTIONS", "/dav/a/new").headers["allow"] == "LOCK, MKCOL, OPTIONS, POST, PUT"
    assert server.ask("OPTIONS", "/dav/no/where").headers["allow"] == "OPTIONS"


def test_propfind_does_not_answer_a_dav_header(server: Server) -> None:
    assert "dav" not in server.propfind("/dav/a/", "{DAV:}resourcetype").headers


# -- GET and HEAD --------------------------------------------------------------------------------------------------


def test_get_sends_content_with_its_validators(server: Server) -> None:
    answer = server.ask("GET", "/dav/a/f.txt")
    assert (answer.status, answer.body) == (200, b"0123456789")
    assert answer.headers["etag"] == etag(b"0123456789")
    assert answer.headers["last-modified"] == LAST_MODIFIED
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["accept-ranges"] == "bytes"
    assert "schedule-tag" not in answer.headers


def test_head_is_get_without_the_content(server: Server) -> None:
    get, head = server.ask("GET", "/dav/a/f.txt"), server.ask("HEAD", "/dav/a/f.txt")
    assert head.body == b""
    assert dict(head.headers) == {**get.headers, "content-length": "10"}


def test_get_of_what_has_no_content_is_not_allowed_and_of_nothing_not_found(server: Server) -> None:
    answer = server.ask("GET", "/dav/a/")
    assert answer.status == 405
    assert "PROPFIND" in answer.headers["allow"]
    assert "GET" not in answer.headers["allow"]
    assert server.ask("GET", "/dav/a/none").status == 404
    assert server.ask("GET", "/dav/a/f.txt/below").status == 404


def test_the_schedule_tag_is_a_header_of_get_and_head(server: Server) -> None:
    """RFC 6638 section 8.1."""
    assert server.disk.root.members is not None
    server.disk.root.members["a"].members["f.txt"].schedule_tag = '"s1"'  # type: ignore[index]
    assert server.ask("GET", "/dav/a/f.txt").headers["schedule-tag"] == '"s1"'
    assert server.ask("HEAD", "/dav/a/f.txt").headers["schedule-tag"] == '"s1"'
    assert server.ask("PUT", "/dav/a/f.txt", "new").headers["schedule-tag"] == '"s1"'


@pytest.mark.parametrize(
    ("value", "status", "content", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("parts=1-2", 200, b"0123456789", None),
        ("bytes=10-", 416, None, "bytes */10"),
    ],
)
def test_a_range_is_answered_with_that_part(
    server: Server, value: str, status: int, content: bytes | None, content_range: str | None
) -> None:
    """RFC 9110 section 14."""
    answer = server.ask("GET", "/dav/a/f.txt", range=value)
    assert answer.status == status
    assert answer.headers.get("content-range") == content_range
    assert content is None or answer.body == content


@pytest.mark.parametrize(
    ("if_range", "status"),
    [
        (etag(b"0123456789"), 206),
        ("W/" + etag(b"0123456789"), 200),
        ('"other"', 200),
        (LAST_MODIFIED, 206),
        ("Sun, 01 Mar 2026 11:59:59 GMT", 200),
        ("nonsense", 200),
    ],
)
def test_a_range_of_something_that_changed_is_ignored(server: Server, if_range: str, status: int) -> None:
    """RFC 9110 section 13.1.5."""
    assert server.ask("GET", "/dav/a/f.txt", range="bytes=2-4", if_range=if_range).status == status


# -- conditions ----------------------------------------------------------------------------------------------------

MATCH = etag(b"0123456789")
BEFORE, AFTER = "Sun, 01 Mar 2026 11:00:00 GMT", "Sun, 01 Mar 2026 13:00:00 GMT"


@pytest.mark.parametrize(
    ("fields", "reading", "writing"),
    [
        pytest.param({"if_match": MATCH}, 200, 204, id="If-Match"),
        pytest.param({"if_match": f'"x,y", {MATCH}'}, 200, 204, id="If-Match, one of several"),
        pytest.param({"if_match": MATCH.strip('"')}, 200, 204, id="If-Match without quotes"),
        pytest.param({"if_match": "*"}, 200, 204, id="If-Match: *"),
        pytest.param({"if_match": '"other"'}, 412, 412, id="If-Match, other"),
        pytest.param({"if_match": "nothing"}, 412, 412, id="If-Match, what is no tag"),
        pytest.param({"if_match": ""}, 412, 412, id="If-Match, empty"),
        pytest.param({"if_match": f"W/{MATCH}"}, 412, 412, id="If-Match is strong"),
        pytest.param({"if_match": MATCH, "if_unmodified_since": BEFORE}, 200, 204, id="If-Match goes first"),
        pytest.param({"if_unmodified_since": LAST_MODIFIED}, 200, 204, id="If-Unmodified-Since, same second"),
        pytest.param({"if_unmodified_since": AFTER}, 200, 204, id="If-Unmodified-Since, later"),
        pytest.param({"if_unmodified_since": BEFORE}, 412, 412, id="If-Unmodified-Since, earlier"),
        pytest.param({"if_unmodified_since": "yesterday"}, 200, 204, id="If-Unmodified-Since, no date"),
        pytest.param(
            {"if_unmodified_since": "Fri, 31 Dec 9999 23:59:59 -2359"}, 200, 204, id="If-Unmodified-Since, after all"
        ),
        pytest.param({"if_none_match": MATCH}, 304, 412, id="If-None-Match"),
        pytest.param({"if_none_match": f"W/{MATCH}"}, 304, 412, id="If-None-Match is weak"),
        pytest.param({"if_none_match": "*"}, 304, 412, id="If-None-Match: *"),
        pytest.param({"if_none_match": '"other", *'}, 304, 412, id="If-None-Match with a list that has * in it"),
        pytest.param({"if_match": '"other", *'}, 412, 412, id="If-Match with a list that has * in it"),
        pytest.param({"if_none_match": '"other"'}, 200, 204, id="If-None-Match, other"),
        pytest.param({"if_none_match": '"other"', "if_modified_since": AFTER}, 200, 204, id="If-None-Match goes first"),
        pytest.param({"if_modified_since": LAST_MODIFIED}, 304, 204, id="If-Modified-Since, same second"),
        pytest.param({"if_modified_since": AFTER}, 304, 204, id="If-Modified-Since, later"),
        pytest.param({"if_modified_since": BEFORE}, 200, 204, id="If-Modified-Since, earlier"),
        pytest.param({"if_modified_since": "Sunday, 01-Mar-26 12:00:00 GMT"}, 304, 204, id="date of RFC 850"),
        pytest.param({"if_modified_since": "Sun Mar  1 12:00:00 2026"}, 304, 204, id="date of asctime"),
        pytest.param({"if_modified_since": "0"}, 200, 204, id="If-Modified-Since, no date"),
        pytest.param({"if_schedule_tag_match": '"s1"'}, 412, 412, id="If-Schedule-Tag-Match without a tag"),
    ],
)
def test_conditional_headers_are_evaluated_in_order(
    server: Server, fields: dict[str, str], reading: int, writing: int
) -> None:
    """RFC 9110 section 13.2.2."""
    get = server.ask("GET", "/dav/a/f.txt", **fields)
    assert get.status == reading
    if reading == 304:
        assert get.body == b""
        assert get.headers["etag"] == MATCH
    assert server.ask("HEAD", "/dav/a/f.txt", **fields).status == reading
    assert server.ask("PUT", "/dav/a/f.txt", "changed", **fields).status == writing
    assert server.ask("GET", "/dav/a/f.txt").body == (b"changed" if writing == 204 else b"0123456789")


def test_the_schedule_tag_condition_holds_for_the_same_tag_only(server: Server) -> None:
    """RFC 6638 section 8.3."""
    assert server.disk.root.members is not None
    server.disk.root.members["a"].members["f.txt"].schedule_tag = '"s1"'  # type: ignore[index]
    assert server.ask("PUT", "/dav/a/f.txt", "x", if_schedule_tag_match='"s2"').status == 412
    assert server.ask("DELETE", "/dav/a/f.txt", if_schedule_tag_match='"s2"').status == 412
    assert server.ask("DELETE", "/dav/a/f.txt", if_schedule_tag_match='"s1"').status == 204


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"if_none_match": "*"}, 201),
        ({"if_none_match": '"a"'}, 201),
        ({"if_match": "*"}, 412),
        ({"if_match": '"a"'}, 412),
        ({"if_schedule_tag_match": '"a"'}, 412),
        ({"if_unmodified_since": BEFORE}, 201),
    ],
)
def test_conditions_on_what_does_not_exist(server: Server, fields: dict[str, str], status: int) -> None:
    assert server.ask("PUT", "/dav/a/new", "x", **fields).status == status
    assert server.exists("/dav/a/new") == (status == 201)


@pytest.mark.parametrize("method", ["DELETE", "MOVE", "COPY", "PROPPATCH", "LOCK"])
def test_every_writing_method_keeps_to_the_conditions(server: Server, method: str) -> None:
    answer = server.ask(method, "/dav/a/f.txt", destination="/dav/a/g.txt", if_match='"other"')
    assert answer.status == 412
    assert server.exists("/dav/a/f.txt")
    assert not server.exists("/dav/a/g.txt")


def test_conditions_do_not_matter_to_propfind_and_options(server: Server) -> None:
    assert server.propfind("/dav/a/f.txt", "{DAV:}getetag", if_none_match=MATCH, if_match='"x"').status == 207
    assert server.ask("OPTIONS", "/dav/a/f.txt", if_none_match=MATCH).status == 200


def test_what_is_not_found_or_not_allowed_is_not_a_failed_condition(server: Server) -> None:
    """RFC 9110 section 13.2.1; the probing PUT of clients.md 14 makes nothing."""
    assert server.ask("GET", "/dav/a/none", if_match="*").status == 404
    assert server.ask("PUT", "/dav/", if_match="nothing").status == 405


# -- PUT -----------------------------------------------------------------------------------------------------------


def test_put_makes_and_then_replaces(server: Server) -> None:
    made = server.ask("PUT", "/dav/a/new", "one", content_type="text/x")
    assert (made.status, made.body, made.headers["etag"]) == (201, b"", etag(b"one"))
    replaced = server.ask("PUT", "/dav/a/new", "two")
    assert (replaced.status, replaced.body, replaced.headers["etag"]) == (204, b"", etag(b"two"))
    assert server.ask("GET", "/dav/a/new").body == b"two"


def test_put_answers_no_etag_when_other_bytes_were_stored(server: Server) -> None:
    """RFC 4791 section 5.3.4."""
    answer = server.ask("PUT", "/dav/a/new", "one!")
    assert answer.status == 201
    assert "etag" not in answer.headers
    assert server.ask("GET", "/dav/a/new").body == b"one"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dav/no/f", 409),
        ("/dav/a/f.txt/below", 409),
        ("/dav/a/", 405),
        ("/dav/a/new/", 409),
        ("/dav/principals/ann", 405),
    ],
)
def test_put_where_no_content_can_be(server: Server, path: str, status: int) -> None:
    """RFC 4918 sections 9.7.1 and 9.7.2."""
    assert server.ask("PUT", path, "x").status == status
    assert not server.exists("/dav/a/new")


def test_a_part_of_content_is_not_put(server: Server) -> None:
    """RFC 9110 section 14.5."""
    assert server.ask("PUT", "/dav/a/f.txt", "x", content_range="bytes 0-0/10").status == 400
    assert server.ask("GET", "/dav/a/f.txt").body == b"0123456789"


def test_a_refusal_from_the_collection_leaves_nothing_behind(server: Server) -> None:
    assert server.ask("PUT", "/dav/a/new", b"a\0").status == 400
    assert not server.exists("/dav/a/new")


# -- Prefer: return=representation ---------------------------------------------------------------------------------


def test_a_put_can_be_answered_with_what_is_stored(server: Server) -> None:
    """RFC 7240 section 4.2."""
    made = server.ask("PUT", "/dav/a/new", "one!", prefer="return=representation", content_type="text/x")
    assert (made.status, made.body, made.headers["etag"]) == (201, b"one", etag(b"one"))
    assert made.headers["content-location"] == "/dav/a/new"
    assert made.headers["content-type"] == "text/x"
    assert made.headers["preference-applied"] == "return=representation"
    assert server.ask("PUT", "/dav/a/new", "two", prefer="return=representation").status == 200


def test_a_put_that_fails_a_condition_can_be_answered_with_what_there_is(server: Server) -> None:
    """RFC 8144 section 3.2."""
    answer = server.ask("PUT", "/dav/a/f.txt", "x", prefer="return=representation", if_match="1234")
    assert (answer.status, answer.body) == (412, b"0123456789")
    assert answer.headers["content-location"] == "/dav/a/f.txt"
    assert answer.headers["etag"] == MATCH
    missing = server.ask("PUT", "/dav/a/none", "x", prefer="return=representation", if_match="1234")
    assert missing.status == 412
    assert "content-location" not in missing.headers
    moved = server.ask("DELETE", "/dav/a/f.txt", prefer="return=representation", if_match="1234")
    assert moved.status == 412
    assert "content-location" not in moved.headers


def test_times_of_modification_are_compared_in_whole_seconds(server: Server) -> None:
    assert server.disk.root.members is not None
    server.disk.root.members["a"].members["f.txt"].modified = START.replace(microsecond=999_999)  # type: ignore[index]
    assert server.ask("GET", "/dav/a/f.txt", if_modified_since=LAST_MODIFIED).status == 304
