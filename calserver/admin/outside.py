"""Check a domain from outside: its records, and where they lead, as clients and other servers go there."""

import socket
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hyperlink import URL
from twisted.internet.ssl import Certificate
from twisted.internet.threads import deferToThreadPool

from calserver.admin.dns import NOT_OFFERED, Record, named
from calserver.admin.dns_check import KEY_LABEL, check_host, check_records
from calserver.admin.dns_servers import check_servers
from calserver.admin.federation_check import Expected, check_pages, check_signature, judged
from calserver.admin.finding import Finding, doubtful, fine, wrong
from calserver.admin.refused import Refused
from ischedule.agent import ExchangeFailed, GuardedAgent, Reply
from ischedule.guard import Address, Guard
from ischedule.keyfetch import WELL_KNOWN, KeyFetcher
from ischedule.resolver import Lookup, NameServer, Patience, Resolver, TemporaryFailure, addresses

REDIRECTS: Final = (301, 302, 303, 307, 308)
CONNECT_SECONDS: Final = 5.0
ENDING_SOON: Final = timedelta(days=21)
SEEN_NOW: Final = Patience(shortest=0, longest=1e9, longest_negative=0, failure=0)


@attrs.frozen(kw_only=True)
class Outside:
    """Whom to ask and to believe, as somebody out there does: name servers, authorities, networks."""

    resolvers: tuple[NameServer, ...] = ()
    authorities: tuple[Certificate, ...] = ()
    guard: Guard = attrs.field(factory=Guard)
    dns_port: int = 53
    """Where the name servers of zones answer."""

    @classmethod
    def parse(cls, *, resolvers: Sequence[str], authority: Path | None, allow: Sequence[str]) -> "Outside":
        """Read it from words.

        Raises:
            Refused: one of them is not what it should be.
        """
        try:
            return cls(
                resolvers=tuple(map(NameServer.parse, resolvers)),
                authorities=tuple(_certificates(authority)) if authority else (),
                guard=Guard(allow=tuple(map(ip_network, allow))),
            )
        except ValueError as error:
            raise Refused(str(error)) from None


async def check(
    reactor: Any, outside: Outside, domain: str, wanted: Sequence[Record], expected: Expected | None = None
) -> list[Finding]:
    """Everything that others depend on, for a domain that should have certain records (`dns.records`).

    Args:
        reactor: sockets and time.
        outside: whom to ask and to believe.
        domain: the mail domain.
        wanted: its records.
        expected: what the server should tell and sign with; None: that is not looked at.
    """
    domain, now = named(domain), datetime.now(UTC)
    lookup = Resolver(reactor, servers=outside.resolvers, patience=SEEN_NOW)
    agent = GuardedAgent(reactor, lookup, guard=outside.guard, trust=outside.authorities)
    visitor = Visitor(lookup=lookup, agent=agent, guard=outside.guard, reactor=reactor, now=now)

    def at(server: NameServer) -> Resolver:
        return Resolver(reactor, servers=[attrs.evolve(server, port=outside.dns_port)], patience=SEEN_NOW)

    try:
        findings = await check_servers(lookup, at, domain, wanted, outside.guard)
        return await _visit(visitor, domain, wanted, expected) + findings
    finally:
        await agent.close()


async def _visit(visitor: "Visitor", domain: str, wanted: Sequence[Record], expected: Expected | None) -> list[Finding]:
    findings = await check_records(visitor.lookup, domain, wanted)
    if expected is not None and expected.key is not None:
        findings.append(await check_signature(visitor.lookup, visitor.reactor, expected.key, visitor.now))
    offered = {record.name: record for record in wanted if record.type == "SRV" and record.content != NOT_OFFERED}
    clients = f"_caldavs._tcp.{domain}"
    _, _, port, target = offered[clients].content.split()
    host = target.rstrip(".")
    path = next(record.value for record in wanted if (record.name, record.type) == (clients, "TXT")).partition("=")[2]
    findings += await check_host(visitor.lookup, host, visitor.guard)
    certificates = await visitor.certificate(host, int(port), domain)
    findings += certificates
    if any(each.level != "error" for each in certificates):
        delivery = f"_ischedules._tcp.{domain}" in offered
        answers = await visitor.web(host, int(port), domain, path)
        if delivery:
            answers += await visitor.ischedule(host, int(port), expected)
        findings += answers
        records = [record for record in wanted if KEY_LABEL in record.name]
        if delivery and any(each.level == "ok" for each in answers):
            findings += await visitor.keys(
                host, int(port), domain, records, published=f"_domainkey_lookup._tcp.{domain}" in offered
            )
    return findings


def _certificates(path: Path) -> list[Certificate]:
    return [
        Certificate.loadPEM(found.public_bytes(serialization.Encoding.PEM))
        for found in x509.load_pem_x509_certificates(path.read_bytes())
    ]


@attrs.frozen
class KeyQuery:
    """A key that is to be fetched over HTTPS."""

    domain: str
    selector: str
    method: str = WELL_KNOWN


@attrs.frozen(kw_only=True)
class Visitor:
    """Somebody from outside: how names are looked up, requests made, and what the time is."""

    lookup: Lookup
    agent: GuardedAgent
    guard: Guard
    reactor: Any
    now: datetime

    async def certificate(self, host: str, port: int, domain: str) -> list[Finding]:
        """The certificate at each address of a host, against the host's name (RFC 9525)."""
        try:
            found = await addresses(self.lookup, host)
        except TemporaryFailure:
            return []
        findings: list[Finding] = []
        for address in found:
            if self.guard.permits(address, port):
                findings += await self._certificate_at(address, host, port, domain)
        return findings

    async def web(self, host: str, port: int, domain: str, path: str) -> list[Finding]:
        """What the server answers to clients: redirects of well-known paths, the question for a password."""
        place = _place(host, port)
        findings = await self._ask("GET", f"{place}/.well-known/caldav", lambda reply: _redirect(reply, path))
        findings += await self._ask("PROPFIND", place + path, _password)
        return findings + await self._domain_itself(domain, path)

    async def ischedule(self, host: str, port: int, expected: Expected | None) -> list[Finding]:
        """What the server tells other servers that it accepts."""
        url = f"{_place(host, port)}/.well-known/ischedule?action=capabilities"
        return await self._ask("GET", url, lambda reply: judged(reply, expected))

    async def keys(
        self, host: str, port: int, domain: str, records: Sequence[Record], *, published: bool
    ) -> list[Finding]:
        """The keys as the server shows them; where it is `published` that it does, as others fetch them then."""
        if not published:
            return await check_pages(self.agent, _place(host, port), domain, records)
        fetcher = KeyFetcher(self.lookup, self.reactor, agent=self.agent)
        findings = []
        for record in records:
            selector = record.name.partition(KEY_LABEL)[0]
            subject = f"https://{domain}/.well-known/domainkey/{domain}/{selector}"
            try:
                found = await fetcher.fetch(KeyQuery(domain, selector))
            except TemporaryFailure as failure:
                findings.append(wrong(subject, str(failure)))
                continue
            if record.value in found or (record.value.endswith("p=") and not found):
                findings.append(fine(subject, "is the same key over HTTPS"))
            else:
                findings.append(wrong(subject, f"over HTTPS the key is {' and '.join(found) or 'not there'}"))
        return findings

    async def _domain_itself(self, domain: str, path: str) -> list[Finding]:
        """Clients that do not ask for SRV records go to the domain's own host."""
        url = f"https://{domain}/.well-known/caldav"
        help_needed = doubtful(url, "it leads nowhere; clients that do not ask for SRV records do not find the server")
        try:
            reply = await self.agent.exchange("GET", url)
        except ExchangeFailed:
            return [help_needed]
        target = _target(reply)
        return [fine(url, f"redirects to {target.to_text()}")] if target and target.scheme == "https" else [help_needed]

    async def _ask(self, method: str, url: str, judge: Callable[[Reply], Finding]) -> list[Finding]:
        headers = {"Depth": "0"} if method == "PROPFIND" else {}
        try:
            return [judge(await self.agent.exchange(method, url, headers))]
        except ExchangeFailed as error:
            return [wrong(url, f"it cannot be asked: {error}")]

    async def _certificate_at(self, address: Address, host: str, port: int, domain: str) -> list[Finding]:
        subject = f"{host} port {port} ({address})"
        try:
            found = await deferToThreadPool(
                self.reactor, self.reactor.getThreadPool(), presented, str(address), port, host
            )
        except ssl.SSLError as error:
            return [wrong(subject, f"it does not speak TLS: {error.reason or error}")]
        except OSError as error:
            return [wrong(subject, f"nobody can connect to it: {error.strerror or error}")]
        return _judged(found, subject, host, domain, self.now)


def _place(host: str, port: int) -> str:
    return f"https://{host}" if port == 443 else f"https://{host}:{port}"


def presented(address: str, port: int, host: str) -> x509.Certificate:
    """The certificate that a server presents for a name, whatever it is worth; blocks for some seconds.

    Raises:
        OSError: it cannot be connected to; `ssl.SSLError`: it does not speak TLS.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((address, port), timeout=CONNECT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        encoded = secured.getpeercert(binary_form=True)
    assert encoded is not None
    return x509.load_der_x509_certificate(encoded)


def _judged(found: x509.Certificate, subject: str, host: str, domain: str, now: datetime) -> list[Finding]:
    names = _names(found)
    ends = found.not_valid_after_utc
    if not any(_matches(name, host) for name in names):
        return [wrong(subject, f"its certificate is for {', '.join(names) or 'nobody'}, not for {host}")]
    if ends < now:
        return [wrong(subject, f"its certificate has expired on {ends:%Y-%m-%d}")]
    if found.not_valid_before_utc > now:
        return [wrong(subject, f"its certificate is valid only from {found.not_valid_before_utc:%Y-%m-%d} on")]
    findings = []
    if ends - now < ENDING_SOON:
        findings.append(doubtful(subject, f"its certificate expires in {(ends - now).days} days"))
    text = f"its certificate is for {host}, until {ends.astimezone(UTC):%Y-%m-%d}"
    if not (host == domain or host.endswith(f".{domain}")):
        if any(_matches(name, domain) for name in names):
            text += f", and also for {domain}, outside of which {host} lies"
        else:
            findings.append(
                doubtful(
                    subject,
                    f"{host} lies outside of {domain}, and its certificate does not also name {domain}: careful "
                    "clients ask first, and careful servers (srv_trust) do not deliver",
                )
            )
    return findings or [fine(subject, text)]


def _names(found: x509.Certificate) -> Sequence[str]:
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)]


def _matches(pattern: str, host: str) -> bool:
    """A name of a certificate; the first label may be an asterisk (RFC 9525 section 6.3)."""
    first, _, rest = host.partition(".")
    return pattern == host or (pattern == f"*.{rest}" and bool(first) and "." in rest)


def _target(reply: Reply) -> URL | None:
    locations = reply.headers.getRawHeaders("location", [])
    if reply.status not in REDIRECTS or len(locations) != 1:
        return None
    try:
        return URL.from_text(reply.url).click(locations[0])
    except ValueError:
        return None


def _redirect(reply: Reply, path: str) -> Finding:
    """RFC 6764 section 5."""
    if reply.status == HTTPStatus.OK:
        return wrong(reply.url, f"it answers itself instead of redirecting to {path}")
    target, here = _target(reply), URL.from_text(reply.url)
    if target is None:
        return wrong(reply.url, f"it answers {reply.status} instead of redirecting to {path}")
    if (target.scheme, target.host, target.port) != (here.scheme, here.host, here.port):
        return wrong(reply.url, f"it redirects to another server, {target.to_text()}, instead of to {path}")
    if "/" + "/".join(target.path) != path:
        return wrong(reply.url, f"it redirects to /{'/'.join(target.path)} instead of to {path}")
    return fine(reply.url, f"redirects to {path}")


def _password(reply: Reply) -> Finding:
    if reply.status == HTTPStatus.UNAUTHORIZED:
        return fine(reply.url, "asks for a password")
    return wrong(reply.url, f"it answers {reply.status} instead of asking for a password (401)")
