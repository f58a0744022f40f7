"""Whether all name servers of a zone say the same: one that was left behind misleads some of the people, sometimes."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address

from calserver.admin.dns import Record
from calserver.admin.finding import Finding, doubtful, fine, wrong
from ischedule.domains import parents
from ischedule.guard import Guard
from ischedule.resolver import Answer, Lookup, NameServer, TemporaryFailure, addresses

At = Callable[[NameServer], Lookup]
"""Ask one name server."""


async def check_servers(lookup: Lookup, at: At, domain: str, wanted: Sequence[Record], guard: Guard) -> list[Finding]:
    """Ask each name server of a domain's zone for the records, and compare with what the resolver says.

    Args:
        lookup: the resolver.
        at: makes one that asks a certain name server.
        domain: the domain.
        wanted: the names and types that matter.
        guard: name servers are asked where it permits.
    """
    try:
        servers = await _servers(lookup, domain)
        questions = sorted({(record.name, record.type) for record in wanted if record.type in ("SRV", "TXT")})
        known = {question: _essence(await lookup.lookup(*question)) for question in questions}
    except TemporaryFailure:
        return []  # which check_records has said already
    findings = []
    for name in servers:
        for address in await _addresses(lookup, name):
            if guard.permits(ip_address(address), 443):
                findings.append(await _compared(at(NameServer(address)), f"{name} ({address})", known))
    return findings


async def _servers(lookup: Lookup, domain: str) -> list[str]:
    """The name servers of the zone that a domain lies in."""
    for each in parents(domain):
        answer = await lookup.lookup(each, "NS")
        if answer.records:
            return sorted(record.to_text().rstrip(".").lower() for record in answer.records)
    return []


async def _addresses(lookup: Lookup, name: str) -> list[str]:
    try:
        return [str(address) for address in await addresses(lookup, name)]
    except TemporaryFailure:
        return []


async def _compared(server: Lookup, subject: str, known: dict[tuple[str, str], list[str]]) -> Finding:
    for (name, kind), expected in known.items():
        try:
            found = _essence(await server.lookup(name, kind))
        except TemporaryFailure as failure:
            return doubtful(subject, f"the name server does not answer: {failure}")
        if found != expected:
            said, other = (", ".join(each) or "nothing" for each in (found, expected))
            return wrong(subject, f"the name server says {said} for {name} {kind}, and the resolver {other}")
    return fine(subject, "the name server says the same")


def _essence(answer: Answer) -> list[str]:
    return sorted(record.to_text() for record in answer.records)
