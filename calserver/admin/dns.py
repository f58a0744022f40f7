"""The DNS records by which clients find the server from a mail address (RFC 6764, RFC 2782, RFC 6763 section 6)."""

import re
from collections.abc import Sequence

import attrs

from calserver.admin.refused import Refused

TTL_SECONDS = 3600
NOT_OFFERED = "0 0 0 ."
"""An SRV record that says "decidedly not here" (RFC 2782): better than silence, after which clients try on."""


@attrs.frozen(kw_only=True)
class Record:
    """A record to publish.

    ``name`` is absolute, without the final dot; ``content`` as a zone file writes it; ``purpose`` says what clients do
    with it.
    """

    name: str
    type: str
    content: str
    purpose: str


def records(
    domain: str, *, host: str | None = None, port: int = 443, plain_port: int | None = None, path: str = "/dav/"
) -> tuple[Record, ...]:
    """The SRV and TXT records for the mail addresses of a domain (RFC 6764 sections 3 and 4).

    Args:
        domain: the part of the addresses after the ``@``.
        host: where clients connect; ``cal.`` and the domain unless given. It must have A or AAAA records, no CNAME.
        port: the port for TLS as clients see it.
        plain_port: a port for clear text, where that is offered to the whole domain; None says that it is not.
        path: the DAV root as clients see it.

    Raises:
        Refused: a name is not one of a host.
    """
    domain = _name(domain)
    target = _name(host) if host else f"cal.{domain}"

    def one(label: str, at_port: int | None, how: str) -> tuple[Record, ...]:
        name = f"{label}._tcp.{domain}"
        if at_port is None:
            return (Record(name=name, type="SRV", content=NOT_OFFERED, purpose=f"{how}: not offered"),)
        return (
            Record(name=name, type="SRV", content=f"0 1 {at_port} {target}.", purpose=how),
            Record(name=name, type="TXT", content=f'"path={path}"', purpose="where to begin on that server"),
        )

    return (
        *one("_caldavs", port, "calendars over TLS"),
        *one("_caldav", plain_port, "calendars without encryption"),
        *one("_carddavs", None, "contacts over TLS"),
        *one("_carddav", None, "contacts without encryption"),
    )


def zone(domain: str, published: Sequence[Record]) -> str:
    """The records as a piece of a zone file (RFC 1035 section 5)."""
    origin = _name(domain)
    lines = [f"$ORIGIN {origin}.", f"$TTL {TTL_SECONDS}"]
    for each in published:
        relative = each.name.removesuffix(f".{origin}")
        lines.append(f"{relative:<20} {each.type:<4} {each.content:<32} ; {each.purpose}")
    return "\n".join(lines) + "\n"


def _name(text: str) -> str:
    """A host name in its ASCII form (RFC 5890), lower case, without a final dot."""
    try:
        name = text.strip().rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        name = ""
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or not all(re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", x) for x in labels):
        raise Refused(f"{text} is not the name of a domain")
    return name
