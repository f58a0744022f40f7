"""LOCK and UNLOCK, locks in the way of others, the If header (RFC 4918 sections 6, 7, 9.10, 9.11, 10.4)."""

import hashlib

import pytest
from memory_tree import Limited, Server, lock_body, update

from calserver.names import D

X = "{urn:x}"


@pytest.fixture
def server() -> Server:
    made = Server()
    made.mkcol("/dav/both/", "/dav/both/b/", "/dav/c/")
    made.put("/dav/both/b/deep.txt", "deep")
    made.put("/dav/both/f.txt", "file")
    made.put("/dav/c/g.txt", "other")
    return made


def given(token: str, tag: str = "") -> dict[str, str]:
    return {"if": (f"<{tag}> " if tag else "") + f"(<{token}>)"}


# -- taking and giving back ----------------------------------------------------------------------------------------


def test_a_lock_is_told_with_all_that_it_is(server: Server) -> None:
    """RFC 4918 sections 9.10.1 and 14.1."""
    answer = server.ask("LOCK", "/dav/both/f.txt", lock_body(), timeout="Second-100", depth="0")
    assert answer.status == 200
    assert answer.xml.tag == D("prop")
    active = answer.xml.find(f"{D('lockdiscovery')}/{D('activelock')}")
    assert active is not None
    assert active.find(f"{D('lockscope')}/{D('exclusive')}") is not None
    assert active.find(f"{D('locktype')}/{D('write')}") is not None
    assert active.findtext(D("depth")) == "0"
    assert active.findtext(f"{D('owner')}/{D('href')}") == "http://example.com/~ann"
    assert active.findtext(D("timeout")) == "Second-100"
    assert active.findtext(f"{D('lockroot')}/{D('href')}") == "/dav/both/f.txt"
    token = active.findtext(f"{D('locktoken')}/{D('href')}")
    assert answer.headers["lock-token"] == f"<{token}>"
    assert token is not None
    assert token.startswith("urn:uuid:")
    shown = server.propfind("/dav/both/f.txt", D("lockdiscovery")).properties()[D("lockdiscovery")][1]
    assert shown.findtext(f".//{D('locktoken')}/{D('href')}") == token


@pytest.mark.parametrize(
    ("timeout", "seconds"), [("", 3600), ("Infinite", 3600), ("Second-4100000000", 3600), ("Second-0", 1)]
)
def test_the_time_of_a_lock_is_bounded(server: Server, timeout: str, seconds: int) -> None:
    answer = server.ask("LOCK", "/dav/both/f.txt", lock_body(), timeout=timeout)
    assert answer.xml.findtext(f".//{D('timeout')}") == f"Second-{seconds}"


def test_an_unlocked_resource_can_be_written_again(server: Server) -> None:
    token = server.lock("/dav/both/f.txt")
    assert server.ask("PUT", "/dav/both/f.txt", "x", user="bob").status == 423
    assert server.ask("UNLOCK", "/dav/both/f.txt", lock_token=f"<{token}>").status == 204
    assert server.ask("PUT", "/dav/both/f.txt", "x", user="bob").status == 204
    assert server.ask("UNLOCK", "/dav/both/f.txt", lock_token=f"<{token}>").status == 409


def test_an_expired_lock_is_in_nobodys_way(server: Server) -> None:
    token = server.lock("/dav/both/f.txt", timeout="Second-10")
    server.wait(11)
    assert server.ask("PUT", "/dav/both/f.txt", "x", user="bob").status == 204
    assert server.ask("PUT", "/dav/both/f.txt", "x", **given(token)).status == 412


def test_a_refreshed_lock_lasts_longer(server: Server) -> None:
    """RFC 4918 section 9.10.2."""
    token = server.lock("/dav/both/f.txt", timeout="Second-10")
    server.wait(5)
    answer = server.ask("LOCK", "/dav/both/f.txt", timeout="Second-50", **given(token))
    assert answer.status == 200
    assert "lock-token" not in answer.headers
    assert answer.xml.findtext(f".//{D('timeout')}") == "Second-50"
    server.wait(20)
    assert server.ask("PUT", "/dav/both/f.txt", "x").status == 423


def test_a_deep_lock_is_refreshed_by_way_of_a_member(server: Server) -> None:
    token = server.lock("/dav/both/", timeout="Second-10")
    answer = server.ask("LOCK", "/dav/both/b/deep.txt", timeout="Second-50", **given(token))
    assert answer.status == 200
    assert answer.xml.findtext(f".//{D('lockroot')}/{D('href')}") == "/dav/both/"


def test_only_an_own_lock_that_is_named_and_there_is_refreshed(server: Server) -> None:
    token = server.lock("/dav/both/f.txt")
    assert server.ask("LOCK", "/dav/both/f.txt").status == 400
    assert server.ask("LOCK", "/dav/both/f.txt", **given("urn:uuid:0")).status == 412
    assert server.ask("LOCK", "/dav/both/b/", **given(token)).status == 412
    assert server.ask("LOCK", "/dav/both/b/", **given(token, "/dav/both/f.txt")).status == 412
    assert server.ask("LOCK", "/dav/both/f.txt", user="bob", **given(token)).status == 403


def test_only_the_owner_of_a_lock_and_who_has_the_privilege_end_it(server: Server) -> None:
    """RFC 4918 section 9.11, RFC 3744 section 3.5; threats: foreign token."""
    token = server.lock("/dav/both/f.txt")
    answer = server.ask("UNLOCK", "/dav/both/f.txt", user="bob", lock_token=f"<{token}>")
    assert answer.status == 403
    assert answer.conditions == [D("need-privileges")]
    assert server.ask("UNLOCK", "/dav/both/f.txt", user="root", lock_token=f"<{token}>").status == 204
    mine = server.lock("/dav/both/f.txt", user="bob")
    assert server.ask("UNLOCK", "/dav/both/f.txt", user="bob", lock_token=f"<{mine}>").status == 204


def test_unlock_names_a_lock_of_the_resource(server: Server) -> None:
    """RFC 4918 section 9.11.1."""
    token = server.lock("/dav/both/f.txt")
    assert server.ask("UNLOCK", "/dav/both/f.txt").status == 400
    wrong = server.ask("UNLOCK", "/dav/c/g.txt", lock_token=f"<{token}>")
    assert wrong.status == 409
    assert wrong.conditions == [D("lock-token-matches-request-uri")]
    assert server.ask("UNLOCK", "/dav/none", lock_token=f"<{token}>").status == 404
    deep = server.lock("/dav/c/")
    assert server.ask("UNLOCK", "/dav/c/g.txt", lock_token=f"<{deep}>").status == 204


@pytest.mark.parametrize(
    "body",
    [
        "<D:lockinfo xmlns:D='DAV:'/>",
        lock_body().replace("<D:write/>", "<D:read/>"),
        lock_body().replace("<D:exclusive/>", ""),
        lock_body().replace("<D:exclusive/>", "<D:exclusive/><D:shared/>"),
        lock_body().replace("lockinfo", "propfind"),
        "<x",
        "<!DOCTYPE x><x/>",
    ],
)
def test_a_lock_that_is_asked_for_wrongly_is_a_bad_request(server: Server, body: str) -> None:
    assert server.ask("LOCK", "/dav/both/f.txt", body).status == 400
    assert server.disk.locks == {}


def test_depth_of_a_lock_is_0_or_infinity(server: Server) -> None:
    """RFC 4918 section 9.10.3."""
    assert server.ask("LOCK", "/dav/both/", lock_body(), depth="1").status == 400
    server.lock("/dav/both/")
    found = server.propfind("/dav/both/b/", D("lockdiscovery")).properties()[D("lockdiscovery")][1]
    assert found.findtext(f".//{D('depth')}") == "infinity"
    assert found.findtext(f".//{D('lockroot')}/{D('href')}") == "/dav/both/"


def test_what_cannot_be_locked_says_so(server: Server) -> None:
    assert server.ask("LOCK", "/dav/principals/ann", lock_body()).status == 405
    assert server.propfind("/dav/principals/ann", D("supportedlock")).properties()[D("supportedlock")][0] == 404
    entries = server.propfind("/dav/c/", D("supportedlock")).properties()[D("supportedlock")][1]
    assert [each[0][0].tag for each in entries] == [D("exclusive"), D("shared")]


def test_nobody_holds_too_many_locks_or_describes_them_at_length(server: Server) -> None:
    """Threats: many locks, owner XML."""
    server.settings = Limited(locks=2)
    server.lock("/dav/both/f.txt", scope="shared")
    server.lock("/dav/both/f.txt", scope="shared")
    assert server.ask("LOCK", "/dav/both/f.txt", lock_body("shared")).status == 403
    server.lock("/dav/both/f.txt", scope="shared", user="bob")
    long = lock_body("shared").replace("http://example.com/~ann", "x" * 3000)
    assert server.ask("LOCK", "/dav/both/f.txt", long, user="bob").status == 403


# -- conflicts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("exclusive", "exclusive", 423),
        ("exclusive", "shared", 423),
        ("shared", "exclusive", 423),
        ("shared", "shared", 200),
    ],
)
@pytest.mark.parametrize(("at", "then"), [("/dav/both/f.txt", "/dav/both/f.txt"), ("/dav/both/", "/dav/both/f.txt")])
def test_locks_exclude_one_another(server: Server, first: str, second: str, status: int, at: str, then: str) -> None:
    """RFC 4918 sections 6.2 and 9.10.5."""
    server.lock(at, scope=first)
    answer = server.ask("LOCK", then, lock_body(second), user="bob")
    assert answer.status == status
    if status == 423:
        assert answer.conditions == [D("no-conflicting-lock")]
        assert answer.xml.findtext(f".//{D('href')}") == at
    assert server.ask("LOCK", then, lock_body(second)).status == status


def test_a_lock_below_is_in_the_way_of_a_deep_one(server: Server) -> None:
    """RFC 4918 section 9.10.9."""
    server.lock("/dav/both/b/deep.txt", user="bob")
    answer = server.ask("LOCK", "/dav/both/", lock_body())
    assert answer.status == 207
    assert answer.statuses() == {"/dav/both/b/deep.txt": 423, "/dav/both/": 424}
    assert [each[0].tag for each in answer.xml.iter(D("error"))] == [D("no-conflicting-lock")]
    assert len(server.disk.locks) == 1
    assert server.ask("LOCK", "/dav/both/", lock_body(), depth="0").status == 200


# -- where nothing is ----------------------------------------------------------------------------------------------


def test_a_lock_where_nothing_is_makes_an_empty_resource(server: Server) -> None:
    """RFC 4918 section 7.3."""
    answer = server.ask("LOCK", "/dav/both/new.txt", lock_body())
    assert answer.status == 201
    token = answer.headers["lock-token"].strip("<>")
    assert server.ask("GET", "/dav/both/new.txt").body == b""
    assert server.ask("PUT", "/dav/both/new.txt", "x").status == 423
    assert server.ask("PUT", "/dav/both/new.txt", "x", **given(token)).status == 204
    assert server.ask("LOCK", "/dav/none/new.txt", lock_body()).status == 409
    assert server.ask("LOCK", "/dav/c/new.txt", lock_body(), user="bob").status == 403


def test_a_locked_collection_takes_no_empty_resource(server: Server) -> None:
    token = server.lock("/dav/both/", depth="0")
    assert server.ask("LOCK", "/dav/both/new.txt", lock_body()).status == 423
    assert not server.exists("/dav/both/new.txt")
    assert server.ask("LOCK", "/dav/both/new.txt", lock_body(), **given(token, "/dav/both/")).status == 201


# -- in the way ----------------------------------------------------------------------------------------------------


def ask(server: Server, method: str, path: str, **fields: str) -> int:
    body = {"PROPPATCH": update("<X:p/>"), "PUT": "x"}.get(method, "")
    return server.ask(method, path, body, destination="/dav/c/new", **fields).status


@pytest.mark.parametrize("method", ["PUT", "PROPPATCH", "DELETE", "MOVE"])
def test_a_locked_resource_is_changed_with_its_token_alone(server: Server, method: str) -> None:
    """RFC 4918 section 7."""
    token = server.lock("/dav/both/f.txt")
    answer = server.ask(method, "/dav/both/f.txt", update("<X:p/>"), destination="/dav/c/new")
    assert answer.status == 423
    assert answer.conditions == [D("lock-token-submitted")]
    assert answer.xml.findtext(f".//{D('href')}") == "/dav/both/f.txt"
    assert ask(server, method, "/dav/both/f.txt", user="root", **given(token)) == 423
    assert ask(server, method, "/dav/both/f.txt", **given("urn:uuid:0")) == 412
    assert ask(server, method, "/dav/both/f.txt", **given(token)) < 300


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "OPTIONS", "COPY", "REPORT"])
def test_a_locked_resource_is_read_without_a_token(server: Server, method: str) -> None:
    server.lock("/dav/both/f.txt")
    body = '<D:expand-property xmlns:D="DAV:"/>' if method == "REPORT" else ""
    answer = server.ask(method, "/dav/both/f.txt", body, destination="/dav/both/new")
    assert answer.status < 300


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/dav/both/new"),
        ("MKCOL", "/dav/both/new/"),
        ("DELETE", "/dav/both/f.txt"),
        ("MOVE", "/dav/both/f.txt"),
        ("POST", "/dav/both/;add-member"),
        ("PROPPATCH", "/dav/both/"),
    ],
)
@pytest.mark.parametrize("depth", ["0", "infinity"])
def test_a_locked_collection_keeps_its_members(server: Server, method: str, path: str, depth: str) -> None:
    """RFC 4918 section 7.4."""
    token = server.lock("/dav/both/", depth=depth)
    assert ask(server, method, path) == 423
    assert ask(server, method, path, **given(token, "/dav/both/")) < 300


def test_a_shallow_lock_on_a_collection_leaves_the_content_of_members_free(server: Server) -> None:
    server.lock("/dav/both/", depth="0")
    assert ask(server, "PUT", "/dav/both/f.txt") == 204
    assert ask(server, "PUT", "/dav/both/b/new") == 201


def test_a_deep_lock_holds_for_all_that_is_below_now_and_later(server: Server) -> None:
    token = server.lock("/dav/both/")
    assert ask(server, "PUT", "/dav/both/b/deep.txt") == 423
    assert ask(server, "PUT", "/dav/both/b/new") == 423
    assert ask(server, "PUT", "/dav/both/b/new", **given(token, "/dav/both/")) == 201
    assert ask(server, "PUT", "/dav/both/b/new", **given(token)) == 204


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_locked_destination_is_not_overwritten(server: Server, method: str) -> None:
    token = server.lock("/dav/c/g.txt")
    answer = server.ask(method, "/dav/both/f.txt", destination="/dav/c/g.txt")
    assert answer.status == 423
    assert answer.xml.findtext(f".//{D('href')}") == "/dav/c/g.txt"
    answer = server.ask(method, "/dav/both/f.txt", destination="/dav/c/g.txt", **given(token, "/dav/c/g.txt"))
    assert answer.status == 204


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_locked_collection_takes_nothing_new(server: Server, method: str) -> None:
    token = server.lock("/dav/c/", depth="0")
    assert server.ask(method, "/dav/both/f.txt", destination="/dav/c/new").status == 423
    assert server.ask(method, "/dav/both/f.txt", destination="/dav/c/new", **given(token, "/dav/c/")).status == 201


@pytest.mark.parametrize("method", ["DELETE", "MOVE"])
def test_a_locked_member_keeps_its_collection_where_it_is(server: Server, method: str) -> None:
    """RFC 4918 section 9.6.1: 207 with 423 for the member."""
    token = server.lock("/dav/both/b/deep.txt")
    answer = server.ask(method, "/dav/both/", destination="/dav/z/")
    assert answer.status == 207
    assert answer.statuses() == {"/dav/both/b/deep.txt": 423}
    assert server.exists("/dav/both/f.txt")
    answer = server.ask(method, "/dav/both/", destination="/dav/z/", **given(token, "/dav/both/b/deep.txt"))
    assert answer.status in (201, 204)


@pytest.mark.parametrize("method", ["DELETE", "MOVE"])
def test_a_locked_collection_inside_is_told_with_its_slash(server: Server, method: str) -> None:
    """RFC 4918 section 5.2."""
    server.lock("/dav/both/b/", depth="0")
    answer = server.ask(method, "/dav/both/", destination="/dav/z/")
    assert answer.statuses() == {"/dav/both/b/": 423}


def test_a_locked_member_of_the_destination_is_not_overwritten(server: Server) -> None:
    server.lock("/dav/c/g.txt")
    answer = server.ask("COPY", "/dav/both/b/", destination="/dav/c/")
    assert answer.statuses() == {"/dav/c/g.txt": 423}
    assert server.exists("/dav/c/g.txt")


def test_one_token_of_several_shared_locks_is_enough_for_its_owner(server: Server) -> None:
    anns, bobs = (
        server.lock("/dav/both/f.txt", scope="shared"),
        server.lock("/dav/both/f.txt", scope="shared", user="bob"),
    )
    assert ask(server, "PUT", "/dav/both/f.txt") == 423
    assert ask(server, "PUT", "/dav/both/f.txt", **given(bobs)) == 423
    assert ask(server, "PUT", "/dav/both/f.txt", **given(anns)) == 204
    assert ask(server, "PUT", "/dav/both/f.txt", user="bob", **given(bobs)) == 204


def test_locks_do_not_move_and_end_with_their_resource(server: Server) -> None:
    """RFC 4918 section 7.7."""
    token = server.lock("/dav/both/f.txt")
    assert server.ask("MOVE", "/dav/both/f.txt", destination="/dav/c/new", **given(token)).status == 201
    assert server.disk.locks == {}
    token = server.lock("/dav/c/new")
    assert server.ask("DELETE", "/dav/c/new", **given(token)).status == 204
    assert server.disk.locks == {}
    assert server.ask("PUT", "/dav/c/new", "again").status == 201


def test_a_copy_is_not_locked(server: Server) -> None:
    server.lock("/dav/both/f.txt")
    server.ask("COPY", "/dav/both/f.txt", destination="/dav/c/new")
    assert ask(server, "PUT", "/dav/c/new") == 204


# -- the If header -------------------------------------------------------------------------------------------------

ETAG = f'"{hashlib.md5(b"file").hexdigest()}"'


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("([{etag}])", 204),
        ('(["other"])', 412),
        ('(["other"]) ([{etag}])', 204),
        ("([W/{etag}])", 412),
        ("(Not [{etag}])", 412),
        ('(Not ["other"])', 204),
        ("(<urn:uuid:0>)", 412),
        ("(Not <urn:uuid:0>)", 204),
        ("(Not <DAV:no-lock>)", 204),
        ("(<DAV:no-lock>)", 412),
        ("(<urn:uuid:0>) (Not <DAV:no-lock>)", 204),
        ("([{etag}] <urn:uuid:0>)", 412),
        ("</dav/both/f.txt> ([{etag}])", 204),
        ("<http://dav.example.com:8008/dav/both/f.txt> ([{etag}])", 204),
        ("</dav/c/g.txt> ([{etag}])", 412),
        ("</dav/c/g.txt> ([{etag}]) </dav/both/f.txt> ([{etag}])", 204),
        ("<http://elsewhere.example.com/dav/both/f.txt> ([{etag}])", 412),
        ("<http://elsewhere.example.com/> (Not <urn:uuid:0>)", 204),
        ("</dav/none> (Not [{etag}])", 204),
        ("</dav/%2e%2e> ([{etag}])", 412),
        ("</dav/hidden/x> ([{etag}])", 412),
        ("(<", 400),
        ("", 400),
    ],
)
def test_the_if_header_is_evaluated_on_the_resources_that_it_names(server: Server, value: str, status: int) -> None:
    """RFC 4918 section 10.4."""
    assert ask(server, "PUT", "/dav/both/f.txt", **{"if": value.replace("{etag}", ETAG)}) == status
    assert server.ask("GET", "/dav/both/f.txt").body == (b"x" if status == 204 else b"file")


def test_the_if_header_matters_to_reading_methods_too(server: Server) -> None:
    assert server.ask("GET", "/dav/both/f.txt", **{"if": f"([{ETAG}])"}).status == 200
    assert server.ask("GET", "/dav/both/f.txt", **{"if": "(<urn:uuid:0>)"}).status == 412


def test_a_token_and_a_tag_together_guard_against_a_lost_update(server: Server) -> None:
    token = server.lock("/dav/both/f.txt")
    both = {"if": f"(<{token}> [{ETAG}])"}
    assert ask(server, "PUT", "/dav/both/f.txt", **both) == 204
    assert ask(server, "PUT", "/dav/both/f.txt", **both) == 412


def test_a_token_that_is_negated_is_submitted_all_the_same(server: Server) -> None:
    """RFC 4918 section 10.4.1."""
    token = server.lock("/dav/both/f.txt")
    assert ask(server, "PUT", "/dav/both/f.txt", **{"if": f"(Not <{token}>) (<{token}>)"}) == 204
    assert ask(server, "PUT", "/dav/both/f.txt", **{"if": f"(Not <urn:uuid:0>) (<{token}>)"}) == 204


def test_a_lock_is_a_state_of_every_resource_that_it_covers(server: Server) -> None:
    token = server.lock("/dav/both/")
    assert ask(server, "PUT", "/dav/both/b/deep.txt", **given(token)) == 204
    assert ask(server, "PUT", "/dav/both/b/deep.txt", **given(token, "/dav/both/f.txt")) == 204
    assert ask(server, "PUT", "/dav/both/b/deep.txt", **given(token, "/dav/c/")) == 412


def test_a_sync_token_is_a_state_too(server: Server) -> None:
    """RFC 6578 section 5."""
    token = server.propfind("/dav/both/", D("sync-token")).properties()[D("sync-token")][1].text or ""
    assert ask(server, "PUT", "/dav/both/new", **given(token, "/dav/both/")) == 201
    assert ask(server, "PUT", "/dav/both/new2", **given(token, "/dav/both/")) == 412


def test_who_may_not_read_a_resource_does_not_learn_its_state(server: Server) -> None:
    server.mkcol("/dav/private/")
    server.put("/dav/private/f.txt", "file")
    tagged = {"if": f"</dav/private/f.txt> ([{ETAG}])"}
    assert ask(server, "PUT", "/dav/both/f.txt", **tagged) == 204
    assert ask(server, "PUT", "/dav/both/f.txt", user="bob", **tagged) == 412


def test_an_if_header_names_a_sensible_number_of_resources(server: Server) -> None:
    value = "".join(f"</dav/x{n}> (<urn:uuid:0>)" for n in range(51))
    assert ask(server, "PUT", "/dav/both/f.txt", **{"if": value}) == 400


# -- cost ----------------------------------------------------------------------------------------------------------


def test_listing_locks_of_many_members_asks_twice(server: Server) -> None:
    for number in range(20):
        server.put(f"/dav/c/{number}")
    token = server.lock("/dav/c/7")
    answer = server.propfind("/dav/c/", D("lockdiscovery"), depth="1")
    assert server.txn is not None
    assert server.txn.locks.queries == 2
    assert answer.body.count(token.encode()) == 1
    assert server.propfind("/dav/c/7", D("lockdiscovery")).body.count(token.encode()) == 1
