"""What is wrong with a domain, said in words: over a real name server and a real HTTPS server."""

import itertools
import json
import os
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from certificates import Authority
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nameservers import Nsd, zone
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.utils import getProcessOutputAndValue
from twisted.web.resource import Resource
from twisted.web.server import Site

from calserver.admin import dns, keys
from calserver.admin.federation_check import Expected, check_hosted
from calserver.admin.finding import Finding
from calserver.admin.installation import install
from calserver.admin.outside import Outside, check
from calserver.config import Config
from ischedule import capabilities, dkim
from ischedule.capabilities import numbered
from ischedule.guard import Guard
from ischedule.receiver import USUAL
from ischedule.resolver import NameServer

HOST = "cal.example.org"
PUBLIC = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
KEYS = {"cal1": f"v=DKIM1; k=ed25519; s=ischedule; p={PUBLIC}", "old": "v=DKIM1; k=rsa; s=ischedule; p="}
CAPABILITIES = b'<query-result xmlns="urn:ietf:params:xml:ns:ischedule"><capabilities/></query-result>'


class Front(Resource):
    """A calendar server as it looks from outside: path to status, Location and body."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, tuple[int, str, bytes]] = {
            "/.well-known/caldav": (301, "/dav/", b""),
            "/dav/": (401, "", b""),
            "/.well-known/ischedule": (200, "", CAPABILITIES),
            "/.well-known/domainkey/example.org/cal1": (200, "", KEYS["cal1"].encode()),
        }

    def render(self, request: Any) -> bytes:
        status, location, body = self.answers.get(request.path.decode(), (404, "", b""))
        request.setResponseCode(status)
        request.setHeader("content-type", "text/plain" if "domainkey" in request.path.decode() else "text/html")
        if location:
            request.setHeader("location", location)
        return body


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def nsd(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nsd]:
    with Nsd(program("nsd"), tmp_path_factory.mktemp("nsd"), {"example.org": zone("example.org")}) as server:
        yield server


serials = itertools.count(2)


def publish(nsd: Nsd, *records: str) -> None:
    nsd.publish("example.org", zone("example.org", *records, "@ MX 10 mail", serial=next(serials)))


class Domain:
    """A domain with a name server and a server, right at first; and what a check says."""

    def __init__(self, front: Front, port: int, authority: Authority, nsd: Nsd) -> None:
        self.front = front
        self.port = port
        self.authority = authority
        self.nsd = nsd
        self.wanted = dns.records("example.org", port=port, addresses=["127.0.0.1"], keys=KEYS, key_lookup=True)
        self.dns_port = nsd.port
        self.expected: Expected | None = None

    async def found(self, *, without: str = "", more: str = "", **changed: str) -> list[Finding]:
        """What is wrong when records are changed: names up to the first dot to contents, or left out."""
        lines = []
        for record in self.wanted:
            content = changed.get(f"{record.name.partition('.')[0]}_{record.type}".lstrip("_"), record.content)
            if record.name.partition(".")[0] != without:
                lines.append(f"{record.name}. {record.type} {content}")
        publish(self.nsd, *lines, more)
        guard = Guard(allow=(ip_network("127.0.0.0/8"),))
        servers = (NameServer("127.0.0.1", self.nsd.port),)
        believed = (self.authority.certificate,)
        outside = Outside(resolvers=servers, authorities=believed, guard=guard, dns_port=self.dns_port)
        return await check(reactor, outside, "Example.org", self.wanted, self.expected)

    async def problems(self, **changed: str) -> list[str]:
        """The sentences that are not fine, apart from the one about the domain's own host; names without the domain."""
        found = [
            each for each in await self.found(**changed) if each.level != "ok" and "leads nowhere" not in each.text
        ]
        return [f"{each.level} {each.subject.removesuffix('.example.org')}: {each.text}" for each in found]


@pytest_twisted.async_yield_fixture()
async def serve() -> Any:
    ports = []

    async def start(factory: Any, options: Any) -> int:
        endpoint: Any = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        if options is not None:
            endpoint = SSL4ServerEndpoint(reactor, 0, options, interface="127.0.0.1")
        ports.append(await endpoint.listen(factory))
        return int(ports[-1].getHost().port)

    yield start
    for port in ports:
        await port.stopListening()


@pytest.fixture
def domain(authority: Authority, serve: Any, nsd: Nsd) -> Callable[..., Any]:
    """Make a domain, with a certificate that is as it should be unless given."""

    async def make(options: Any = None) -> Domain:
        front = Front()
        port = await serve(Site(front), options or authority.options(HOST))
        return Domain(front, port, authority, nsd)

    return make


Make = Callable[..., Any]


@pytest_twisted.ensureDeferred
async def test_a_domain_that_is_as_it_should_be(domain: Make) -> None:
    at = await domain()
    found = await at.found()
    assert [(each.level, each.subject) for each in found if each.level != "ok"] == [
        ("warning", "https://example.org/.well-known/caldav")
    ]
    subjects = {each.subject for each in found if each.level == "ok"}
    assert subjects >= {record.name for record in at.wanted}
    assert {f"https://{HOST}:{at.port}/dav/", f"{HOST} port {at.port} (127.0.0.1)"} <= subjects
    assert "ns.example.org (127.0.0.1)" in subjects


@pytest_twisted.ensureDeferred
async def test_name_servers_that_were_left_behind(domain: Make, program: Callable[[str], str], tmp_path: Path) -> None:
    at = await domain()
    old = zone("example.org", "_caldavs._tcp SRV 0 1 443 old", *(f"{r.name}. {r.type} {r.content}" for r in at.wanted))
    with Nsd(program("nsd"), tmp_path, {"example.org": old}) as behind:
        at.dns_port = behind.port
        (problem,) = await at.problems()
    assert problem.startswith("error ns.example.org (127.0.0.1): the name server says 0 1 ")
    at.dns_port = 1
    (problem,) = await at.problems()
    assert problem.startswith("warning ns.example.org (127.0.0.1): the name server does not answer")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"without": "_caldavs"}, "error _caldavs._tcp: there is no SRV record; publish: _caldavs._tcp.example"),
        ({"without": "_caldavs"}, "warning _caldavs._tcp: there is no TXT record"),
        ({"caldavs_SRV": "0 1 443 other.example.net."}, "error _caldavs._tcp: it leads to other.example.net port"),
        ({"caldavs_SRV": "0 0 0 ."}, 'error _caldavs._tcp: it says that this is not offered (target ".")'),
        ({"caldav_SRV": "0 1 80 cal.example.org."}, "error _caldav._tcp: it offers cal.example.org port 80"),
        ({"without": "_caldav"}, "warning _caldav._tcp: it is better to say that this is not offered"),
        ({"more": "_ischedules._tcp SRV 0 1 443 backup"}, "warning _ischedules._tcp: it also leads to backup.exam"),
        ({"more": "_ischedule._tcp SRV 0 1 80 cal"}, "error _ischedule._tcp: it offers scheduling without encr"),
        ({"caldavs_TXT": '"path=/servlet/"'}, "error _caldavs._tcp: the path is /servlet/ instead of /dav/"),
        ({"caldavs_TXT": '"x=1"'}, "warning _caldavs._tcp: its TXT record has no path"),
        ({"more": '_caldavs._tcp TXT "path=/y/"'}, "error _caldavs._tcp: there are 2 TXT records"),
        ({"without": "cal1"}, "error cal1._domainkey: there is no TXT record; what this key signs is refused"),
        ({"more": 'cal1._domainkey TXT "x"'}, "error cal1._domainkey: there are 2 TXT records"),
        ({"cal1_TXT": '"v=DKIM1; k=ed25519; p=QQ=="'}, "error cal1._domainkey: the key there is another one"),
        ({"cal1_TXT": '"v=DKIM1; p="'}, "error cal1._domainkey: the key is revoked there"),
        ({"cal1_TXT": f'"v=DKIM1; p={PUBLIC}"'}, "error cal1._domainkey: it is said to be of the kind rsa"),
        ({"cal1_TXT": f'"k=ed25519; v=DKIM1; p={PUBLIC}"'}, "error cal1._domainkey: it does not begin with v=D"),
        ({"cal1_TXT": '"v=spf1"'}, "error cal1._domainkey: it does not begin with v=DKIM1"),
        ({"cal1_TXT": '"hello"'}, "error cal1._domainkey: it has no key in it"),
        ({"cal1_TXT": f'"k=ed25519; h=sha1; p={PUBLIC}"'}, "error cal1._domainkey: it does not allow sha256"),
        ({"cal1_TXT": f'"k=ed25519; s=email; p={PUBLIC}"'}, "error cal1._domainkey: it is not for scheduling"),
        ({"cal1_TXT": f'"k=ed25519; p={PUBLIC}"'}, "warning cal1._domainkey: the key may sign the mail"),
        ({"cal1_TXT": f'"k=ed25519; t=y; s=ischedule; p={PUBLIC}"'}, "warning cal1._domainkey: it says that the k"),
        ({"old_TXT": '"v=DKIM1; p=QQ=="'}, "warning old._domainkey: the key is retired, and its record does not"),
        ({"without": "cal"}, "error cal: it has no A or AAAA record"),
        ({"without": "cal", "more": "cal CNAME ns"}, "error cal: it is an alias of ns.example.org (CNAME)"),
        ({"more": "cal A 10.0.0.1"}, "error cal: its address 10.0.0.1 is not one of the Internet"),
        ({"without": "cal", "more": "cal AAAA ::1"}, "warning cal: it has no A record"),
    ],
)  # fmt: skip
@pytest_twisted.ensureDeferred
async def test_what_is_wrong_in_the_dns(domain: Make, changed: dict[str, str], says: str) -> None:
    problems = await (await domain()).problems(**changed)
    assert [each for each in problems if each.startswith(says)] != [], problems


@pytest_twisted.ensureDeferred
async def test_nobody_answers_for_the_domain(domain: Make, authority: Authority) -> None:
    at = await domain()
    outside = Outside(resolvers=(NameServer("127.0.0.1", 1),), authorities=(authority.certificate,))
    found = await check(reactor, outside, "example.org", at.wanted)
    assert {each.level for each in found} == {"error"}
    assert all("cannot be looked up" in each.text or "cannot be found out" in each.text for each in found)


@pytest.mark.parametrize(
    ("names", "days", "says"),
    [
        (["www.example.org", "example.org"], 30, "its certificate is for www.example.org, example.org, not for cal."),
        ([HOST], -1, "its certificate has expired on"),
        ([HOST], 5.5, "its certificate expires in 5 days"),
        (["*.org"], 30, "its certificate is for *.org, not for cal.example.org"),
    ],
)  # fmt: skip
@pytest_twisted.ensureDeferred
async def test_what_is_wrong_with_certificates(
    domain: Make, authority: Authority, names: list[str], days: float, says: str
) -> None:
    at = await domain(authority.options(*names, days=days))
    (problem,) = await at.problems()
    assert problem.partition(": ")[2].startswith(says)


@pytest_twisted.ensureDeferred
async def test_a_wildcard_is_good_for_one_label(domain: Make, authority: Authority) -> None:
    assert await (await domain(authority.options("*.example.org"))).problems() == []


@pytest_twisted.ensureDeferred
async def test_an_authority_that_nobody_believes(domain: Make) -> None:
    problems = await (await domain(Authority("Somebody").options(HOST))).problems()
    assert problems
    assert all("certificate verify failed" in each for each in problems)


class Greeting(Protocol):
    """A server of something else."""

    def connectionMade(self) -> None:
        self.transport.write(b"220 mail.example.org ESMTP\r\n")


@pytest_twisted.ensureDeferred
async def test_what_does_not_speak_tls_and_what_does_not_listen(authority: Authority, serve: Any, nsd: Nsd) -> None:
    for port, says in (
        (await serve(Factory.forProtocol(Greeting), None), "does not speak TLS"),
        (1, "nobody can connect"),
    ):
        (problem,) = await Domain(Front(), port, authority, nsd).problems()
        assert says in problem


@pytest.mark.parametrize(
    ("path", "answer", "says"),
    [
        ("/.well-known/caldav", (200, "", b"hello"), "it answers itself instead of redirecting to /dav/"),
        ("/.well-known/caldav", (404, "", b""), "it answers 404 instead of redirecting to /dav/"),
        ("/.well-known/caldav", (301, "/servlet/", b""), "it redirects to /servlet/ instead of to /dav/"),
        ("/.well-known/caldav", (301, "http://cal.example.org/dav/", b""), "it redirects to another server, http://cal.ex"),
        ("/.well-known/caldav", (301, "https://[::/", b""), "it answers 301 instead of redirecting"),
        ("/dav/", (207, "", b""), "it answers 207 instead of asking for a password"),
        ("/.well-known/ischedule", (404, "", b""), "it answers 404 instead of its capabilities"),
        ("/.well-known/ischedule", (200, "", b"hello"), "it does not answer with capabilities"),
        ("/.well-known/ischedule", (200, "", b"<html/>"), "it does not answer with capabilities"),
        ("/.well-known/domainkey/example.org/cal1", (404, "", b""), "over HTTPS the key is not there"),
        ("/.well-known/domainkey/example.org/cal1", (200, "", b"p=Q"), "over HTTPS the key is p=Q"),
        ("/.well-known/domainkey/example.org/cal1", (503, "", b""), "answers with 503"),
    ],
)  # fmt: skip
@pytest_twisted.ensureDeferred
async def test_what_the_server_answers_wrongly(
    domain: Make, path: str, answer: tuple[int, str, bytes], says: str
) -> None:
    at = await domain()
    at.front.answers[path] = answer
    (problem,) = await at.problems()
    assert problem.startswith("error https://")
    assert says in problem


RFC8463 = Ed25519PrivateKey.from_private_bytes(b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="))
"""The private key of the public one above."""


@pytest_twisted.ensureDeferred
async def test_what_the_server_tells_is_what_its_configuration_says(domain: Make) -> None:
    at, told = await domain(), numbered(USUAL)
    at.expected = Expected(capabilities=told, key=None)
    at.front.answers["/.well-known/ischedule"] = (200, "", capabilities.write(told))
    assert await at.problems() == []
    other = numbered(attrs.evolve(USUAL, max_recipients=5, inline_attachments=True))
    at.front.answers["/.well-known/ischedule"] = (200, "", capabilities.write(other))
    (problem,) = await at.problems()
    assert problem.startswith("warning https://")
    assert "its capabilities (inline-attachments, max-recipients) are not those of the configuration" in problem


@pytest_twisted.ensureDeferred
async def test_what_is_signed_is_verified_by_what_is_published(domain: Make) -> None:
    at, told = await domain(), numbered(USUAL)
    at.front.answers["/.well-known/ischedule"] = (200, "", capabilities.write(told))
    key = dkim.SigningKey(domain="example.org", selector="cal1", private=RFC8463)
    at.expected = Expected(capabilities=told, key=key)
    assert await at.problems() == []
    assert "verifies what is signed here" in {each.text for each in await at.found()}
    at.expected = Expected(capabilities=told, key=attrs.evolve(key, private=dkim.generate("ed25519")))
    (problem,) = await at.problems()
    assert problem.startswith("error cal1._domainkey: what is signed here is refused by others: the signature was not")
    problems = await at.problems(without="cal1")
    assert "error cal1._domainkey: what is signed here is refused by others: there is no key" in problems
    problems = await at.problems(cal1_TXT=f'"v=DKIM1; k=ed25519; s=email; p={PUBLIC}"')
    assert any("refused by others: the key is not meant for iSchedule" in each for each in problems), problems


@pytest_twisted.ensureDeferred
async def test_keys_that_the_server_shows_though_nobody_is_told_so(domain: Make) -> None:
    at = await domain()
    at.wanted = dns.records("example.org", port=at.port, addresses=["127.0.0.1"], keys=KEYS)
    page = "/.well-known/domainkey/example.org/"
    at.front.answers[f"{page}old"] = (200, "", KEYS["old"].encode() + b"\r\n")
    assert await at.problems() == []
    assert f"https://{HOST}:{at.port}{page}cal1" in {each.subject for each in await at.found() if each.level == "ok"}
    del at.front.answers[f"{page}cal1"]
    (problem,) = await at.problems()
    assert problem.startswith("warning https://")
    assert problem.endswith("it answers 404 without the key: another program is there")


@pytest.mark.parametrize(
    ("names", "level", "says"),
    [
        (["cal.hoster.test"], "warning", "its certificate does not also name example.org: careful clients ask first"),
        (["cal.hoster.test", "example.org"], "ok", "and also for example.org, outside of which cal.hoster.test lies"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_server_outside_of_the_domain(
    authority: Authority,
    serve: Any,
    program: Callable[[str], str],
    tmp_path: Path,
    names: list[str],
    level: str,
    says: str,
) -> None:
    port = await serve(Site(Front()), authority.options(*names))
    wanted = dns.records("example.org", host="cal.hoster.test", port=port, keys=KEYS, key_lookup=True)
    zones = {
        "example.org": zone("example.org", *(f"{each.name}. {each.type} {each.content}" for each in wanted)),
        "hoster.test": zone("hoster.test", "cal A 127.0.0.1"),
    }
    with Nsd(program("nsd"), tmp_path, zones) as both:
        outside = Outside(
            resolvers=(NameServer("127.0.0.1", both.port),),
            authorities=(authority.certificate,),
            guard=Guard(allow=(ip_network("127.0.0.0/8"),)),
            dns_port=both.port,
        )
        found = await check(reactor, outside, "example.org", wanted)
    (about,) = [each for each in found if each.subject == f"cal.hoster.test port {port} (127.0.0.1)"]
    assert about.level == level
    assert says in about.text


def test_private_keys_are_those_of_the_records(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site)
    config = Config.load(site / "calserver.toml")
    assert [each.level for each in keys.check(config)] == ["ok"]
    (site / "keys" / "cal1.pem").chmod(0o644)
    assert "others can read" in keys.check(config)[0].text
    (site / "keys" / "cal1.pem").unlink()
    other = keys.generate(config)
    (site / "keys" / f"{other.selector}.pem").rename(site / "keys" / "cal1.pem")
    first, second = keys.check(config)
    assert "is another one than that of the record" in first.text
    assert "there is no private key" in second.text


@pytest_twisted.ensureDeferred
async def test_from_the_command_line(domain: Make, authority: Authority, nsd: Nsd, tmp_path: Path) -> None:
    at, site = await domain(), tmp_path / "site"
    install(site, domain="example.org")
    config = Config.load(site / "calserver.toml")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    records = dns.records("example.org", port=at.port, addresses=["127.0.0.1"], keys=keys.key_records(config))
    publish(nsd, *(f"{each.name}. {each.type} {each.content}" for each in records))

    async def run(*more: str) -> tuple[int, str]:
        place = ["--port", str(at.port), "--authority", str(tmp_path / "ca.pem"), "--allow", "127.0.0.0/8", *more]
        command = ["-m", "calserver.cli", "dns", "check", "example.org", "--resolver", f"127.0.0.1:{nsd.port}", *place]
        environment = {**os.environ, "CALSERVER_CONFIG": str(site / "calserver.toml")}
        out, err, status = await getProcessOutputAndValue(sys.executable, command, env=environment)
        assert err == b""
        return status, out.decode()

    status, out = await run()
    assert status == 0, out
    assert "ok    cal1._domainkey.example.org: is the key that signs here" in out
    keys.rotate(config)
    status, out = await run("--json")
    assert status == 1
    errors = [each["subject"] for each in json.loads(out) if each["level"] == "error"]
    assert errors == ["cal2._domainkey.example.org"]


def test_a_domain_that_the_configuration_does_not_know(tmp_path: Path) -> None:
    install(tmp_path / "site", domain="example.org")
    config = Config.load(tmp_path / "site" / "calserver.toml")
    assert check_hosted(config, "example.org") == []
    (problem,) = check_hosted(config, "other.example")
    assert problem.level == "error"
