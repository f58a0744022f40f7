"""The name server for demonstrations: it answers as NSD does over the same zone file."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
import pytest_twisted
from nameservers import Nsd
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from calserver.admin import Refused
from calserver.admin import dns as published
from calserver.admin.installation import install
from calserver.admin.nameserver import NameServer, complete
from ischedule import resolver
from ischedule.discovery import Discovery
from ischedule.keyfetch import KeyFetcher

LONG = "v=DKIM1; k=rsa; s=ischedule; p=" + "A" * 392
RECORDS = published.records("example.org", addresses=["127.0.0.1", "::1"], keys={"cal1": LONG, "cal2": "v=DKIM1; p="})
MORE = "alias CNAME cal\naway CNAME host.example.net.\nloop CNAME loop\na.b.c TXT deep\n"
ZONE = complete("example.org", published.zone("example.org", RECORDS) + MORE)
QUESTIONS = [
    *((record.name, record.type) for record in RECORDS),
    ("example.org", "SOA"),
    ("example.org", "NS"),
    ("EXAMPLE.ORG", "TXT"),
    ("Cal.Example.Org", "A"),
    ("missing.example.org", "A"),
    ("_tcp.example.org", "A"),
    ("b.c.example.org", "TXT"),
    ("alias.example.org", "A"),
    ("alias.example.org", "TXT"),
    ("alias.example.org", "CNAME"),
    ("away.example.org", "A"),
    ("www.example.com", "A"),
]


def essence(message: dns.message.Message) -> tuple[Any, ...]:
    """What matters of an answer: codes, flags, answers in any order, who says that there is nothing."""
    answers = sorted(line.lower() for rrset in message.answer for line in rrset.to_text().splitlines())
    nothing = [rrset.to_text().lower() for rrset in message.authority if rrset.rdtype == dns.rdatatype.SOA]
    return dns.rcode.to_text(message.rcode()), bool(message.flags & dns.flags.AA), answers, nothing


@pytest_twisted.async_yield_fixture()
async def server() -> Any:
    made = NameServer({"example.org": ZONE})
    made.port = await made.listen(reactor, "127.0.0.1")  # type: ignore[attr-defined]
    yield made
    await made.stop()


@pytest_twisted.ensureDeferred
async def test_it_answers_as_nsd_does(server: Any, program: Callable[[str], str], tmp_path: Path) -> None:
    with Nsd(program("nsd"), tmp_path, {"example.org": ZONE}) as nsd:
        for name, kind in QUESTIONS:
            query = dns.message.make_query(name, kind)
            here = await deferToThread(dns.query.tcp, query, "127.0.0.1", timeout=5, port=server.port)
            there = await deferToThread(dns.query.tcp, query, "127.0.0.1", timeout=5, port=nsd.port)
            assert essence(here) == essence(there), (name, kind)


@pytest_twisted.ensureDeferred
async def test_what_is_found_by_it_is_what_was_published(server: Any) -> None:
    asking = resolver.Resolver(reactor, servers=[resolver.NameServer("127.0.0.1", server.port)])
    (found,) = await Discovery(asking, reactor).discover("example.org")
    assert found.url == "https://cal.example.org/.well-known/ischedule"
    assert [str(each) for each in await resolver.addresses(asking, found.host)] == ["127.0.0.1", "::1"]

    class Query:
        method, domain, selector = "dns/txt", "example.org", "cal1"

    assert await KeyFetcher(asking, reactor).fetch(Query()) == (LONG,)


@pytest_twisted.ensureDeferred
async def test_zones_are_replaced_while_it_runs(server: Any) -> None:
    server.publish("example.org", complete("example.org", "cal A 127.0.0.9"))
    asking = resolver.Resolver(reactor, servers=[resolver.NameServer("127.0.0.1", server.port)])
    assert [str(each) for each in await resolver.addresses(asking, "cal.example.org")] == ["127.0.0.9"]
    with pytest.raises(Refused, match="cannot be read"):
        server.publish("example.org", "nonsense")


@pytest_twisted.ensureDeferred
async def test_a_port_that_is_taken_is_refused(server: Any) -> None:
    with pytest.raises(Refused, match="cannot be listened on"):
        await NameServer({}).listen(reactor, "127.0.0.1", server.port)


@pytest_twisted.ensureDeferred
async def test_from_the_command_line(tmp_path: Path) -> None:
    """`calserver demo dns` answers with what `calserver dns records` prints, until it is told to stop."""
    site = tmp_path / "site"
    install(site, domain="example.org")
    listening = Told()
    command = [sys.executable, "-m", "calserver.cli", "demo", "dns", "example.org", "north.example"]
    place = ["--listen", "127.0.0.1:0", "--address", "127.0.0.1", "--port", "8443"]
    environment = {**os.environ, "CALSERVER_CONFIG": str(site / "calserver.toml")}
    reactor.spawnProcess(listening, sys.executable, [*command, *place], env=environment)
    try:
        port = int((await listening.line).split(" port ")[1].partition(".")[0])
        asking = resolver.Resolver(reactor, servers=[resolver.NameServer("127.0.0.1", port)])
        for domain in ("example.org", "north.example"):
            (found,) = await Discovery(asking, reactor).discover(domain)
            assert found.url == f"https://cal.{domain}:8443/.well-known/ischedule"
            key = await asking.lookup(f"cal1._domainkey.{domain}", "TXT")
            assert key.records
    finally:
        listening.transport.signalProcess("INT")
        await listening.ended


class Told(ProcessProtocol):
    """A process: the first line that it prints, and its end."""

    def __init__(self) -> None:
        self.line: Deferred[str] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self._text = b""

    def outReceived(self, data: bytes) -> None:
        self._text += data
        if b"\n" in self._text and not self.line.called:
            self.line.callback(self._text.decode())

    def processEnded(self, reason: Failure) -> None:
        if not self.line.called:
            self.line.errback(reason)
        self.ended.callback(None)
