"""What goes wrong, and what is said of it: statuses, DAV:error, 401, rollback (RFC 4918 section 16)."""

from http import HTTPStatus

import pytest
from memory_tree import ACTORS, SPOKEN, START, Disk, File, Folder, Limited, MemoryLocks, MemoryTree, Server, Txn, update

from calserver.conditions import ConditionFailed
from calserver.dav import (
    Collection,
    Conflict,
    Extension,
    Extensions,
    Href,
    Refusal,
    Request,
    Resource,
    Response,
    RolledBack,
    Unmapped,
    handle,
    xml,
)
from calserver.dav.message import Headers
from calserver.names import D


class WithHrefs(ConditionFailed):
    """A condition for these tests (section 0)."""

    name = "{urn:x}with-hrefs"
    status = HTTPStatus.CONFLICT


def run(spoken: Extensions, method: str, path: str = "", user: str | None = "ann", body: bytes = b"") -> Response:
    request = Request(method=method, href=Href.parse(path), headers=Headers(), body=body, actor=ACTORS[user])
    spoken.prepare(request)
    return handle(spoken, MemoryTree(), Txn(Disk(), START, MemoryLocks(Disk(), START)), request, Limited())


def failing(refusal: Exception, *, writes: bool) -> Extensions:
    broken = Extension("broken")

    @broken.method("BREAK", on=Resource, writes=writes)
    def fail(request: Request, resource: Resource) -> Response:
        raise refusal

    return Extensions([broken])


def test_a_condition_is_told_with_its_hrefs_and_reason() -> None:
    response = run(failing(WithHrefs("it is <so>", hrefs=("/dav/a%20b", "/dav/c")), writes=False), "BREAK")
    assert response.status == HTTPStatus.CONFLICT
    assert isinstance(response.body, bytes)
    root = xml.parse(response.body)
    assert root.tag == D("error")
    assert [each.text for each in root[0]] == ["/dav/a%20b", "/dav/c"]
    assert root.findtext(D("responsedescription")) == "it is <so>"
    assert dict(response.headers)["Content-Type"] == "application/xml; charset=utf-8"


@pytest.mark.parametrize("refusal", [WithHrefs(), Conflict("no")])
def test_the_refusal_of_a_method_that_writes_is_raised_so_that_the_transaction_is_undone(refusal: Exception) -> None:
    with pytest.raises(RolledBack) as caught:
        run(failing(refusal, writes=True), "BREAK")
    assert caught.value.response.status == HTTPStatus.CONFLICT
    assert run(failing(refusal, writes=False), "BREAK").status == HTTPStatus.CONFLICT


def test_what_is_not_a_refusal_is_a_bug_and_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        run(failing(ZeroDivisionError(), writes=True), "BREAK")


def test_headers_of_a_refusal_are_sent() -> None:
    refused = Conflict("wait", {"Retry-After": "5"})
    assert dict(run(failing(refused, writes=False), "BREAK").headers)["Retry-After"] == "5"


def test_an_unknown_method_is_not_implemented_and_a_known_one_maybe_not_allowed() -> None:
    """RFC 9110 sections 15.6.2 and 15.5.6."""
    server = Server()
    assert server.ask("BREW", "/dav/").status == 501
    assert server.ask("TRACE", "/dav/").status == 501
    answer = server.ask("PUT", "/dav/")
    assert answer.status == 405
    assert "PROPFIND" in answer.headers["allow"]
    assert server.ask("BREW", "/dav/none").status == 501


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PROPFIND", "/dav/", ""),
        ("PROPFIND", "/dav/a/", ""),
        ("PROPFIND", "/dav/none", ""),
        ("PROPFIND", "/dav/hidden/x", ""),
        ("GET", "/dav/a/f.txt", ""),
        ("GET", "/dav/none", ""),
        ("PUT", "/dav/a/f.txt", "x"),
        ("PUT", "/dav/a/new", "x"),
        ("PUT", "/dav/none/new", "x"),
        ("DELETE", "/dav/a/f.txt", ""),
        ("PROPPATCH", "/dav/a/f.txt", update("<X:p/>")),
        ("LOCK", "/dav/a/f.txt", ""),
        ("REPORT", "/dav/a/", '<D:expand-property xmlns:D="DAV:"/>'),
    ],
)
def test_nobody_is_asked_to_authenticate_and_learns_nothing(method: str, path: str, body: str) -> None:
    """clients.md 1; threats: 401, 403 and 404 that differ."""
    server = Server()
    server.mkcol("/dav/a/")
    server.put("/dav/a/f.txt")
    answer = server.ask(method, path, body, user=None)
    assert answer.status == 401
    assert answer.body == b"authenticate first\n"
    assert server.ask("GET", "/dav/a/f.txt").body == b"hello"


@pytest.mark.parametrize("method", ["OPTIONS", "PROPFIND", "REPORT", "LOCK", "PUT"])
def test_nobody_does_more_than_to_look(method: str) -> None:
    """Not even ask what can be done: that would tell what there is."""
    assert Server().ask(method, "/dav/", user=None).status == 401


def test_missing_privileges_are_named_with_their_resource() -> None:
    """RFC 3744 section 7.1.1."""
    server = Server()
    server.mkcol("/dav/a/")
    answer = server.ask("PUT", "/dav/a/new", "x", user="bob")
    assert answer.conditions == [D("need-privileges")]
    resource = answer.xml.find(f"{D('need-privileges')}/{D('resource')}")
    assert resource is not None
    assert resource.findtext(D("href")) == "/dav/a/"
    assert [each[0].tag for each in resource.iterfind(D("privilege"))] == [D("bind")]


def test_reasons_of_plain_refusals_are_plain_text() -> None:
    answer = Server().ask("GET", "/dav/none")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.body == b"there is nothing at this path\n"


# -- declarations --------------------------------------------------------------------------------------------------


def test_the_nearest_class_wins_and_then_the_later_extension() -> None:
    first, second = Extension("first"), Extension("second")
    first.method("A", on=Resource, writes=False)(lambda request, resource: Response(body=b"1"))
    first.method("A", on=Folder, writes=False)(lambda request, resource: Response(body=b"2"))
    second.method("A", on=Collection, writes=False)(lambda request, resource: Response(body=b"3"))
    second.method("A", on=Resource, writes=False)(lambda request, resource: Response(body=b"4"))
    spoken = Extensions([first, second])
    assert run(spoken, "A").body == b"2"
    assert run(spoken, "A", "principals/ann").body == b"4"
    methods = spoken.methods(Collection)
    assert methods["A"].handle(None, None).body == b"3"  # type: ignore[arg-type]


def test_unmapped_has_only_what_is_declared_on_it() -> None:
    extension = Extension("x")
    extension.method("A", on=Resource, writes=False)(lambda request, resource: Response())
    extension.method("B", on=Unmapped, writes=False)(lambda request, resource: Response())
    spoken = Extensions([extension])
    assert set(spoken.methods(Unmapped)) == {"B"}
    assert set(spoken.methods(File)) == {"A"}


def test_a_class_has_a_method_only_where_it_does_the_work() -> None:
    class Fixed(File):
        write = Resource.write
        lockable = False

    assert {"PUT", "LOCK", "UNLOCK"} & set(SPOKEN.methods(Fixed)) == set()
    assert set(SPOKEN.methods(File)) - set(SPOKEN.methods(Fixed)) == {"PUT", "LOCK", "UNLOCK"}
    assert D("lockdiscovery") in SPOKEN.properties(File)
    assert D("lockdiscovery") not in SPOKEN.properties(Fixed)


def test_writing_requests_are_told_from_reading_ones_before_anything_is_opened() -> None:
    def request(method: str, body: str = "") -> Request:
        return Request(method=method, href=Href(), headers=Headers(), body=body.encode(), actor=ACTORS["ann"])

    extension = Extension("x")
    extension.report("{urn:x}writing", on=Folder, body=lambda root: root, writes=True)(
        lambda request, resource, body: Response()
    )
    spoken = Extensions([*SPOKEN.spoken, extension])
    writing = sorted(name for name in spoken.known_methods if spoken.writes(request(name)))
    assert writing == ["ACL", "COPY", "DELETE", "LOCK", "MKCOL", "MOVE", "POST", "PROPPATCH", "PUT", "UNLOCK"]
    assert not spoken.writes(request("REPORT", '<D:sync-collection xmlns:D="DAV:"/>'))
    assert spoken.writes(request("REPORT", '<x:writing xmlns:x="urn:x"/>'))
    assert not spoken.writes(request("REPORT", "<x"))
    assert not spoken.writes(request("REPORT"))
    assert not spoken.writes(request("BREW"))


def test_bodies_are_parsed_once_and_before_the_transaction() -> None:
    calls = []

    def parse(request: Request) -> str:
        calls.append(request.body)
        if request.body == b"bad":
            raise Conflict("bad")
        return request.body.decode()

    extension = Extension("x")

    @extension.method("A", on=Resource, writes=False, parse=[parse])
    def handler(request: Request, resource: Resource) -> Response:
        return Response(body=(request.parsed(parse) + request.parsed(parse)).encode())

    spoken = Extensions([extension])
    assert run(spoken, "A", body=b"x").body == b"xx"
    assert calls == [b"x"]
    assert run(spoken, "A", body=b"bad").status == HTTPStatus.CONFLICT
    assert calls == [b"x", b"bad"]


def test_the_dav_header_is_made_of_the_features_in_order() -> None:
    assert Extensions(
        [Extension("a", features=("1", "x")), Extension("b"), Extension("c", features=("y",))]
    ).dav_header == ("1, x, y")


def test_every_refusal_has_a_status_that_refuses() -> None:
    assert all(each.status >= 400 for each in Refusal.__subclasses__())
