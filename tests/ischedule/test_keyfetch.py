"""Keys of strangers: from a real name server, from a real HTTPS server, from a folder."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_twisted
from certificates import Authority
from nameservers import Nsd, zone
from resolved import Names
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import Site

from ischedule.agent import Guard, GuardedAgent
from ischedule.keyfetch import KeyFetcher, KeyTimes, TemporaryFailure, private_keys
from ischedule.resolver import NameServer, Patience, Resolver


class Query(NamedTuple):
    method: str = "dns/txt"
    domain: str = "example.org"
    selector: str = "cal1"


ONE = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
LONG = "v=DKIM1; k=rsa; p=" + "A" * 392
RECORDS = (
    f'cal1._domainkey TXT "{ONE}"',
    f'rsa._domainkey TXT "{LONG[:255]}" "{LONG[255:]}"',
    'both._domainkey TXT "v=DKIM1; p=QQ=="',
    'both._domainkey TXT "v=DKIM1; p=Qg=="',
    "lent._domainkey CNAME cal1._domainkey",
    "other._domainkey A 127.0.0.1",
)
PATIENCE = Patience(tries=(1.0,), shortest=0, failure=0)


@pytest.fixture(scope="module")
def nsd(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nsd]:
    zones = {"example.org": zone("example.org", *RECORDS)}
    with Nsd(program("nsd"), tmp_path_factory.mktemp("nsd"), zones) as server:
        yield server


@pytest.fixture
def keys(nsd: Nsd) -> KeyFetcher:
    return KeyFetcher(Resolver(reactor, servers=[NameServer("127.0.0.1", nsd.port)], patience=PATIENCE), reactor)


@pytest_twisted.ensureDeferred
async def test_keys_in_the_dns(keys: KeyFetcher) -> None:
    """RFC 6376 section 3.6.2: the strings of a record belong together, several records are several keys."""
    assert await keys.fetch(Query()) == (ONE,)
    assert await keys.fetch(Query(domain="EXAMPLE.org", selector="Cal1")) == (ONE,)
    assert await keys.fetch(Query(selector="rsa")) == (LONG,)
    assert sorted(await keys.fetch(Query(selector="both"))) == ["v=DKIM1; p=QQ==", "v=DKIM1; p=Qg=="]
    assert await keys.fetch(Query(selector="lent")) == (ONE,)


@pytest_twisted.ensureDeferred
async def test_no_key_is_not_the_same_as_no_answer(keys: KeyFetcher) -> None:
    assert await keys.fetch(Query(selector="missing")) == ()
    assert await keys.fetch(Query(selector="other")) == ()
    with pytest.raises(TemporaryFailure):
        await keys.fetch(Query(domain="example.com"))


@pytest.mark.parametrize(
    "query",
    [
        Query(method="dns/other"),
        Query(method="http/well-known"),
        Query(method="private-exchange"),
        Query(domain="org"),
        Query(domain="a b"),
        Query(domain=""),
        Query(selector=""),
        Query(selector="a..b"),
        Query(selector="../x"),
        Query(selector="a/b"),
        Query(selector="x" * 300),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_never_asked_for(query: Query) -> None:
    names = Names({})
    assert await KeyFetcher(names, Clock()).fetch(query) == ()
    assert names.asked == []


@pytest_twisted.ensureDeferred
async def test_keys_are_remembered_and_fetched_anew_at_most_once_a_minute() -> None:
    clock, at = Clock(), ("cal1._domainkey.example.org", "TXT")
    names = Names({at: [f'"{ONE}"']})
    keys = KeyFetcher(names, clock)
    assert await keys.fetch(Query()) == (ONE,)
    names.records[at] = ['"v=DKIM1; p="']
    clock.advance(59)
    assert await keys.fetch(Query()) == await keys.fetch(Query(), fresh=True) == (ONE,)
    clock.advance(1)
    assert await keys.fetch(Query()) == (ONE,)
    assert await keys.fetch(Query(), fresh=True) == ("v=DKIM1; p=",)
    assert len(names.asked) == 2
    names.records[at] = []
    clock.advance(301)
    assert await keys.fetch(Query()) == ()
    names.records[at] = [f'"{ONE}"']
    clock.advance(59)
    assert await keys.fetch(Query()) == ()
    clock.advance(2)
    assert await keys.fetch(Query()) == (ONE,)


@pytest_twisted.ensureDeferred
async def test_many_who_ask_at_once_ask_once(nsd: Nsd) -> None:
    names = Names({("cal1._domainkey.example.org", "TXT"): [f'"{ONE}"']})
    gate: Deferred[None] = Deferred()
    lookup = names.lookup

    async def slow(name: str, kind: str, *, fresh: bool = False) -> Any:
        await gate
        return await lookup(name, kind, fresh=fresh)

    names.lookup = slow  # type: ignore[method-assign]
    keys = KeyFetcher(names, Clock())
    waiting = [Deferred.fromCoroutine(keys.fetch(Query())) for _ in range(10)]
    gate.callback(None)
    assert await gatherResults(waiting) == [(ONE,)] * 10
    assert len(names.asked) == 1


@pytest_twisted.ensureDeferred
async def test_there_are_so_many_look_ups_in_a_second_and_no_more() -> None:
    clock = Clock()
    keys = KeyFetcher(Names({}), clock, times=KeyTimes(per_second=5))
    for number in range(5):
        assert await keys.fetch(Query(selector=f"s{number}")) == ()
    with pytest.raises(TemporaryFailure, match="too many"):
        await keys.fetch(Query(selector="s6"))
    assert await keys.fetch(Query(selector="s1")) == ()
    clock.advance(0.2)
    assert await keys.fetch(Query(selector="s6")) == ()


class KeyDocuments(Resource):
    """`/.well-known/domainkey/DOMAIN/SELECTOR` as somebody else's server has it."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[bytes] = []

    def render_GET(self, request: Any) -> bytes:
        self.paths.append(request.path)
        selector = request.path.rpartition(b"/")[2]
        request.setHeader("content-type", "text/plain; charset=utf-8")
        request.setHeader("cache-control", "public, max-age=120")
        if selector == b"html":
            request.setHeader("content-type", "text/html")
        if selector in (b"404", b"503", b"429"):
            request.setResponseCode(int(selector))
        if selector == b"away":
            request.setResponseCode(302)
            request.setHeader("location", "https://inside.example.org/")
        if selector == b"huge":
            return ONE.encode() * 1000
        return f"{ONE}\r\n\n{LONG}\n".encode()


class KeyServer(NamedTuple):
    """A key server, a fetcher that finds it, and its clock."""

    documents: KeyDocuments
    keys: KeyFetcher
    clock: Clock
    names: Names


@pytest_twisted.async_yield_fixture()
async def site(listen: Callable[..., Any], authority: Authority) -> Any:
    documents, clock = KeyDocuments(), Clock()
    port = await listen(Site(documents), "keys.example.org")
    names = Names(
        {
            ("_domainkey_lookup._tcp.example.org", "SRV"): [f"0 0 {port} keys.example.org."],
            ("_domainkey_lookup._tcp.declined.example", "SRV"): ["0 0 0 ."],
            ("_domainkey_lookup._tcp.dead.example", "SRV"): ["0 0 1 keys.example.org."],
            ("_domainkey_lookup._tcp.second.example", "SRV"): [
                "0 0 1 keys.example.org.",
                f"1 0 {port} keys.example.org.",
            ],
            ("_domainkey_lookup._tcp.inside.example", "SRV"): ["0 0 443 inside.example.org."],
            ("_domainkey_lookup._tcp.other.example", "SRV"): [f"0 0 {port} other.example.org."],
            ("keys.example.org", "A"): ["127.0.0.1"],
            ("other.example.org", "A"): ["127.0.0.1"],
            ("inside.example.org", "A"): ["10.0.0.1"],
        }
    )
    agent = GuardedAgent(reactor, names, guard=Guard(allow=(ip_network("127.0.0.0/8"),)), trust=[authority.certificate])
    yield KeyServer(documents, KeyFetcher(names, clock, agent=agent), clock, names)
    await agent.close()


@pytest_twisted.ensureDeferred
async def test_keys_over_https(site: KeyServer) -> None:
    query = Query(method="http/well-known")
    assert await site.keys.fetch(query) == (ONE, LONG)
    assert await site.keys.fetch(query) == (ONE, LONG)
    assert site.documents.paths == [b"/.well-known/domainkey/example.org/cal1"]
    site.clock.advance(121)
    await site.keys.fetch(query)
    assert len(site.documents.paths) == 2


@pytest.mark.parametrize("selector", ["404", "html", "huge", "away"])
@pytest_twisted.ensureDeferred
async def test_what_is_no_document_of_keys(site: KeyServer, selector: str) -> None:
    assert await site.keys.fetch(Query("http/well-known", "example.org", selector)) == ()


@pytest.mark.parametrize(
    "query", [("example.org", "503"), ("example.org", "429"), ("dead.example", "x"), ("none.example", "x")]
)
@pytest_twisted.ensureDeferred
async def test_servers_of_keys_that_do_not_work(site: KeyServer, query: tuple[str, str]) -> None:
    with pytest.raises(TemporaryFailure):
        await site.keys.fetch(Query("http/well-known", *query))


@pytest_twisted.ensureDeferred
async def test_servers_of_keys_that_are_not_gone_to(site: KeyServer) -> None:
    for domain in ("declined.example", "inside.example", "other.example"):
        assert await site.keys.fetch(Query("http/well-known", domain)) == ()
    assert site.documents.paths == []


@pytest_twisted.ensureDeferred
async def test_the_second_server_of_keys(site: KeyServer) -> None:
    assert await site.keys.fetch(Query("http/well-known", "second.example")) == (ONE, LONG)


@pytest_twisted.ensureDeferred
async def test_keys_that_were_exchanged(tmp_path: Path) -> None:
    folder = tmp_path / "Example.org"
    folder.mkdir()
    (folder / "cal1.txt").write_text(f"# by telephone\n{ONE}\n\n{LONG}\n")
    keys = KeyFetcher(Names({}), Clock(), private=private_keys(tmp_path))
    assert await keys.fetch(Query("private-exchange")) == (ONE, LONG)
    assert await keys.fetch(Query("private-exchange", "example.org", "cal2")) == ()
    assert private_keys(tmp_path / "missing") == {}
