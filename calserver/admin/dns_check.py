"""What is really published for a domain, seen from a resolver, compared with what should be (`dns.records`).

Each finding is a sentence with what to change; what is missing is given as the line for the zone file. Nothing is
changed, and nothing connected to: that does `outside`.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from dns.rdtypes.IN.SRV import SRV

from calserver.admin.dns import TTL_SECONDS, Record
from calserver.admin.finding import Finding, doubtful, fine, wrong
from ischedule.guard import Guard
from ischedule.resolver import Answer, Lookup, TemporaryFailure, addresses, services, texts

DAY: Final = 86400
KEY_LABEL: Final = "._domainkey."
RSA_BYTES: Final = 256
"""About the size of a key of 2048 bits."""


def line(record: Record) -> str:
    """The record as a line of a zone file."""
    return f"{record.name}. {TTL_SECONDS} IN {record.type} {record.content}"


async def check_records(lookup: Lookup, domain: str, wanted: Sequence[Record]) -> list[Finding]:
    """Compare the SRV and TXT records of a domain with those that should be there."""
    findings: list[Finding] = []
    for record in wanted:
        if record.type == "SRV":
            findings += await _asked(lookup, record.name, "SRV", partial(_srv, record))
        elif record.type == "TXT" and KEY_LABEL in record.name:
            findings += await _asked(lookup, record.name, "TXT", partial(_key, record))
        elif record.type == "TXT":
            findings += await _asked(lookup, record.name, "TXT", partial(_path, record))
    plain = f"_ischedule._tcp.{domain}"
    findings += await _asked(lookup, plain, "SRV", partial(_clear_text, plain))
    findings += await _asked(lookup, domain, "MX", partial(_mail, domain))
    return findings


async def check_host(lookup: Lookup, host: str, guard: Guard) -> list[Finding]:
    """Whether the target of SRV records has addresses that others can reach."""
    try:
        found = await addresses(lookup, host)
        alias = await lookup.lookup(host, "A")
    except TemporaryFailure as failure:
        return [wrong(host, f"its addresses cannot be found out: {failure}")]
    findings = []
    if alias.aliased:
        findings.append(
            wrong(host, f"it is an alias of {alias.name} (CNAME), which the target of an SRV record must not be")
        )
    if not found:
        findings.append(wrong(host, "it has no A or AAAA record; others cannot connect to it"))
    for address in found:
        if not guard.permits(address, 443):
            findings.append(
                wrong(host, f"its address {address} is not one of the Internet; others refuse to connect to it")
            )
    if found and not any(address.version == 4 for address in found):
        findings.append(doubtful(host, "it has no A record; many networks know IPv4 only"))
    return findings or [fine(host, f"has the address{'es' if len(found) > 1 else ''} {', '.join(map(str, found))}")]


async def _asked(lookup: Lookup, name: str, kind: str, judge: Callable[[Answer], list[Finding]]) -> list[Finding]:
    try:
        return judge(await lookup.lookup(name, kind))
    except TemporaryFailure as failure:
        return [wrong(name, f"{kind} cannot be looked up: {failure}")]


def _srv(record: Record, answer: Answer) -> list[Finding]:
    name, found = record.name, services(answer)
    _, _, port, target = record.content.split()
    offered = [each for each in found if each.target.to_text() != "."]
    if target == ".":
        if offered:
            return [wrong(name, f"it offers {_places(offered)}, which is not offered here; publish: {line(record)}")]
        if not found:
            return [doubtful(name, f"it is better to say that this is not offered: {line(record)}")]
        return [fine(name, "says that this is not offered")]
    if not found:
        return [wrong(name, f"there is no SRV record; publish: {line(record)}")]
    if not offered:
        return [wrong(name, f'it says that this is not offered (target "."); publish: {line(record)}')]
    ours = [each for each in offered if _place(each) == (target.rstrip("."), int(port))]
    findings = []
    if not ours:
        findings.append(wrong(name, f"it leads to {_places(offered)} instead of here; publish: {line(record)}"))
    elif len(offered) > 1:
        others = [each for each in offered if each not in ours]
        findings.append(doubtful(name, f"it also leads to {_places(others or offered[1:])}"))
    if answer.ttl > DAY:
        findings.append(doubtful(name, f"it is kept for {answer.ttl:.0f} s; more than a day makes moving hard"))
    return findings or [fine(name, f"leads to {_places(ours)}")]


def _path(record: Record, answer: Answer) -> list[Finding]:
    name, found = record.name, texts(answer)
    if not found:
        return [doubtful(name, f"there is no TXT record; others guess the path; publish: {line(record)}")]
    if len(found) > 1:
        return [wrong(name, f"there are {len(found)} TXT records; only one is to be there: {line(record)}")]
    wanted = record.value.partition("=")[2]
    paths = [value for key, _, value in (each.partition(b"=") for each in found[0]) if key.lower() == b"path"]
    if not paths:
        return [doubtful(name, f"its TXT record has no path; publish: {line(record)}")]
    path = paths[0].decode("utf-8", "replace")
    if path != wanted:
        return [wrong(name, f"the path is {path} instead of {wanted}; publish: {line(record)}")]
    return [fine(name, f"the path is {path}")]


def _key(record: Record, answer: Answer) -> list[Finding]:
    """A key record against ours (RFC 6376 section 3.6.1)."""
    name, found = record.name, ["".join(each.decode("utf-8", "replace") for each in parts) for parts in texts(answer)]
    ours = _tags(record.value)
    revoked = not ours["p"]
    if not found:
        if revoked:
            return [fine(name, "the retired key is no longer published")]
        return [wrong(name, f"there is no TXT record; what this key signs is refused; publish: {line(record)}")]
    if len(found) > 1:
        return [
            wrong(
                name, f"there are {len(found)} TXT records; which one counts is undefined; publish only: {line(record)}"
            )
        ]
    theirs = _tags(found[0])
    if problem := _unusable(found[0], theirs, ours, revoked):
        return [wrong(name, f"{problem}; publish: {line(record)}")]
    if revoked and theirs.get("p"):
        return [doubtful(name, f"the key is retired, and its record does not say so; publish: {line(record)}")]
    findings = []
    if "y" in theirs.get("t", "").split(":"):
        findings.append(doubtful(name, "it says that the key is for testing (t=y)"))
    if not revoked and _services(theirs) >= {"*"} and _services(ours) != {"*"}:
        findings.append(doubtful(name, "the key may sign the mail of the domain, too (no s=ischedule)"))
    if theirs.get("k", "rsa") == "rsa" and theirs.get("p") and len(_octets(theirs["p"])) < RSA_BYTES:
        findings.append(doubtful(name, "the key is shorter than 2048 bits"))
    return findings or [fine(name, "the retired key is revoked" if revoked else "is the key that signs here")]


def _unusable(text: str, theirs: Mapping[str, str], ours: Mapping[str, str], revoked: bool) -> str | None:
    if "v" in theirs and (theirs["v"] != "DKIM1" or not text.lstrip().startswith("v")):
        return "it does not begin with v=DKIM1"
    if "p" not in theirs:
        return "it has no key in it (p=)"
    if revoked:
        return None
    if not theirs["p"]:
        return "the key is revoked there, and signs here"
    if _octets(theirs["p"]) != _octets(ours["p"]):
        return "the key there is another one than the one that signs here"
    if theirs.get("k", "rsa") != ours.get("k", "rsa"):
        return f"it is said to be of the kind {theirs.get('k', 'rsa')}, and is {ours.get('k', 'rsa')}"
    if "h" in theirs and "sha256" not in theirs["h"].split(":"):
        return "it does not allow sha256 (h=)"
    if not _services(theirs) & {"*", "ischedule"}:
        return f"it is not for scheduling (s={theirs['s']})"
    return None


def _services(tags: Mapping[str, str]) -> set[str]:
    return set(tags.get("s", "*").split(":"))


def _tags(text: str) -> dict[str, str]:
    """A tag-list (RFC 6376 section 3.2), blanks left out: none of the values compared here has any."""
    pairs = (each.partition("=") for each in text.split(";"))
    return {name.strip(): re.sub(r"\s", "", value) for name, _, value in pairs if name.strip()}


def _octets(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return text.encode()


def _clear_text(name: str, answer: Answer) -> list[Finding]:
    offered = [each for each in services(answer) if each.target.to_text() != "."]
    if offered:
        return [wrong(name, f"it offers scheduling without encryption at {_places(offered)}; remove the record")]
    return []


def _mail(domain: str, answer: Answer) -> list[Finding]:
    if answer.records:
        return []
    return [
        doubtful(domain, "there is no MX record; answers by mail do not arrive, where others cannot schedule with us")
    ]


def _place(record: SRV) -> tuple[str, int]:
    return record.target.to_text(omit_final_dot=True).lower(), record.port


def _places(found: Sequence[SRV]) -> str:
    return " and ".join(f"{host} port {port}" for host, port in map(_place, found))
