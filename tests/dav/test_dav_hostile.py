"""Requests that nobody should send: never a server error, never a change by a refusal (threats: NULL dereferences)."""

from hypothesis import given, settings
from hypothesis import strategies as st
from memory_tree import SPOKEN, Server, lock_body, update

METHODS = [*sorted(SPOKEN.known_methods), "TRACE", "ACL", "get", ""]
PATHS = [
    "/dav/",
    "/dav/a/",
    "/dav/a",
    "/dav/a/f.txt",
    "/dav/a/f.txt/",
    "/dav/a/f.txt/x",
    "/dav/a/new",
    "/dav/a/new/",
    "/dav/a/;add-member",
    "/dav/none/x",
    "/dav/hidden/x",
    "/dav/principals/ann",
    "/dav/private/x",
]
BODIES = [
    "",
    " ",
    "\0",
    "<",
    "<a/>",
    "<!DOCTYPE a><a/>",
    lock_body(),
    lock_body("shared"),
    update("<X:p/>"),
    update("<D:getetag/>"),
    update(),
    '<D:propfind xmlns:D="DAV:"/>',
    '<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>',
    '<D:propfind xmlns:D="DAV:"><D:prop/></D:propfind>',
    '<D:mkcol xmlns:D="DAV:"/>',
    '<D:mkcol xmlns:D="DAV:"><D:set/></D:mkcol>',
    '<D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:resourcetype/></D:prop></D:set></D:mkcol>',
    '<D:sync-collection xmlns:D="DAV:"/>',
    '<D:sync-collection xmlns:D="DAV:"><D:limit/></D:sync-collection>',
    '<D:expand-property xmlns:D="DAV:"/>',
    '<expand-property xmlns="DAV:"><property name="owner"><property name=":"/></property></expand-property>',
]
VALUES = {
    "depth": ["0", "1", "infinity", "-1", "\xff"],
    "destination": [
        *PATHS,
        "",
        "?",
        "http://",
        "http://[",
        "//",
        "/dav/%",
        "/dav/%00",
        "http://dav.example.com:99999/",
    ],
    "overwrite": ["T", "F", ""],
    "if": ["", "()", "(<a>)", "(Not <a>)", "<x> (<a>)", "<http://[> (<a>)", '(["x"])', "(" * 200],
    "if-match": ["*", '"x"', "x", ",", '"', "W/"],
    "if-none-match": ["*", '"x"', ""],
    "if-modified-since": ["", "0", "Sun, 99 Foo 2026 12:00:00 GMT", "Sun, 01 Mar 99999999999 12:00:00 GMT"],
    "if-unmodified-since": ["Thu, 01 Jan 1970 00:00:00 GMT", "x"],
    "if-schedule-tag-match": ['"x"', ""],
    "range": ["bytes=0-0", "bytes=-1", "bytes=9-1", "bytes=99-", "bytes="],
    "if-range": ['"x"', "x"],
    "timeout": ["Second-0", "Second-" + "9" * 400, "Infinite"],
    "lock-token": ["<x>", "x", "<>"],
    "prefer": ["return=minimal", "return=representation", "depth-noroot", '"', ";;,,=="],
    "brief": ["t"],
    "content-type": ["text/xml", 'text/xml; charset="', "text/xml; charset=utf-32", "x", ";"],
    "content-range": ["bytes 0-1/2"],
}

requests = st.tuples(
    st.sampled_from(METHODS),
    st.sampled_from(PATHS),
    st.sampled_from(BODIES) | st.text(max_size=20),
    st.sampled_from(["ann", "bob", "root", None]),
    st.dictionaries(st.sampled_from(sorted(VALUES)), st.integers(0, 30), max_size=4),
)


def is_expected(status: int) -> bool:
    return status < 500 or status in (501, 502, 507)


@settings(max_examples=60, deadline=None)
@given(st.lists(requests, min_size=1, max_size=8))
def test_no_request_is_a_server_error_and_no_refusal_changes_anything(
    asked: list[tuple[str, str, str, str | None, dict[str, int]]],
) -> None:
    server = Server()
    server.mkcol("/dav/a/", "/dav/private/")
    server.put("/dav/a/f.txt")
    for method, path, body, user, chosen in asked:
        fields = {name: VALUES[name][number % len(VALUES[name])] for name, number in chosen.items()}
        before = repr(server.disk)
        answer = server.ask(method, path, body, user=user, **fields)
        assert is_expected(answer.status), (method, path, body, fields)
        if answer.status >= 400:
            assert repr(server.disk) == before
            assert answer.body
        if user is None:
            assert answer.status in (200, 400, 401, 405, 412, 501), (method, path, answer.status)
        if answer.headers.get("content-type", "").startswith("application/xml"):
            assert answer.xml is not None
