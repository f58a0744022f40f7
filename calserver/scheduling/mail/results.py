"""What a mail server of ours has found out about a mail: Authentication-Results (RFC 8601).

Anybody can write such a field. One counts only where it names a server that is trusted, and stands above all Received
fields but those of own servers: whoever has sent the mail can only have written further down.
"""

import re
from collections.abc import Collection, Iterator
from typing import Final

from calserver.scheduling.mail.incoming import Field, Incoming
from ischedule.domains import registrable

_LONGEST: Final = 8192
_TOKENS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[()]|\\.|;|[^"()\\;]+', re.DOTALL)
_METHOD: Final = re.compile(r"\s*([a-z0-9-]+)(?:\s*/\s*\d+)?\s*=\s*([a-z]+)(?=\s|$)", re.IGNORECASE)
_PROPERTY: Final = re.compile(
    r"(?<=\s)([a-z0-9]+)\s*\.\s*([a-z0-9_-]+)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^\s\"]+)", re.IGNORECASE
)


def vouched(mail: Incoming, domain: str, trusted: Collection[str], own_hops: int = 0) -> str | None:
    """Whether trusted servers say that a mail comes from a domain; returns which one says what, None where none does.

    That is so where DMARC has passed for the domain, or a DKIM signature of a domain of the same organization.
    SPF alone says who has delivered a mail, and not whom it is from.
    """
    names = {each.lower() for each in trusted}
    for field in _above_received(mail, own_hops):
        server, results = _parse(field.text)
        if server in names:
            for method, result, properties in results:
                if result == "pass" and _is_for(method, properties, domain):
                    return f"{server}: {method}=pass"
    return None


def _above_received(mail: Incoming, own_hops: int) -> Iterator[Field]:
    hops = 0
    for field in mail.fields:
        hops += field.name == "received"
        if hops > own_hops:
            return
        if field.name == "authentication-results":
            yield field


def _is_for(method: str, properties: dict[str, str], domain: str) -> bool:
    if method == "dmarc":
        return properties.get("header.from", "").lower() == domain
    if method == "dkim":
        signing = properties.get("header.d") or properties.get("header.i", "").rpartition("@")[2]
        return is_aligned(signing, domain)
    return False


def is_aligned(signing: str, domain: str) -> bool:
    """Whether a domain that signs is of the same organization as one that is written from (RFC 7489 section 3.1.1)."""
    signing, domain = signing.lower(), domain.lower()
    return signing == domain or (registrable(signing) is not None and registrable(signing) == registrable(domain))


def _parse(text: str) -> tuple[str, list[tuple[str, str, dict[str, str]]]]:
    """The server, and its results: method, result, properties by type and name."""
    first, *others = _statements(text[:_LONGEST])
    server = first.split()[0].strip('"').lower() if first.split() else ""
    results = []
    for each in others:
        found = _METHOD.match(each)
        if found is not None:
            properties = {
                f"{kind.lower()}.{name.lower()}": value.strip('"')
                for kind, name, value in _PROPERTY.findall(each[found.end() :])
            }
            results.append((found[1].lower(), found[2].lower(), properties))
    return server, results


def _statements(text: str) -> list[str]:
    """What stands between semicolons, without comments, which may be nested."""
    statements, depth = [""], 0
    for token in _TOKENS.findall(text):
        if token == "(":
            depth += 1
        elif token == ")":
            depth = max(0, depth - 1)
        elif not depth and token == ";":
            statements.append("")
        elif not depth:
            statements[-1] += token
    return statements
