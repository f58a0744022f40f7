"""The DNS records by which a domain's calendars are found, and its signatures verified.

Clients find the server from a mail address (RFC 6764), other servers find it by ``_ischedules``, and what it signs is
verified by the keys below ``_domainkey`` (RFC 6376). SRV is RFC 2782, TXT beside it RFC 6763 section 6.
"""

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Final

import attrs

from calserver.admin.refused import Refused
from ischedule import domains

TTL_SECONDS: Final = 3600
NOT_OFFERED: Final = "0 0 0 ."
"""An SRV record that says "decidedly not here" (RFC 2782): better than silence, after which clients try on."""
SEPARATOR: Final = '" "'
"""Between two strings of a TXT record in a zone file; inside of one, a quote is escaped."""
STRING_BYTES: Final = 255
"""The most that one string of a TXT record holds (RFC 1035 section 3.3.14)."""
RECEIVER: Final = "/.well-known/ischedule"
"""Where the receiver of iSchedule messages answers: directly, whatever path is published."""


@attrs.frozen(kw_only=True)
class Record:
    """A record to publish.

    ``name`` is absolute, without the final dot; ``content`` as a zone file writes it; ``purpose`` says what it is for.
    """

    name: str
    type: str
    content: str
    purpose: str

    @property
    def value(self) -> str:
        """The content as web forms want it: a text without quotes, in one piece."""
        return _text(self.content) if self.type == "TXT" else self.content

    @property
    def fields(self) -> dict[str, str]:
        """All of it, for programs."""
        return {**attrs.asdict(self), "value": self.value}


def records(
    domain: str,
    *,
    host: str | None = None,
    port: int = 443,
    plain_port: int | None = None,
    path: str = "/dav/",
    addresses: Sequence[str] = (),
    ischedule: bool = True,
    keys: Mapping[str, str] | None = None,
    key_lookup: bool = False,
) -> tuple[Record, ...]:
    """The records for the mail addresses of a domain.

    Args:
        domain: the part of the addresses after the ``@``.
        host: where clients connect; ``cal.`` and the domain unless given. It must have A or AAAA records, no CNAME.
        port: the port for TLS as clients see it.
        plain_port: a port for clear text, where that is offered to the whole domain; None says that it is not.
        path: the DAV root as clients see it.
        addresses: IP addresses of the host, where it lies in the domain and has no records yet.
        ischedule: other servers may deliver to this domain.
        keys: the key records of the domain's signatures: selector to tag-list.
        key_lookup: keys can be fetched from this server, too (``http/well-known``).

    Raises:
        Refused: a name is not one of a host, an address not one.
    """
    domain = named(domain)
    target = named(host) if host else f"cal.{domain}"

    def one(label: str, at_port: int | None, how: str, at_path: str = path) -> tuple[Record, ...]:
        name = f"{label}._tcp.{domain}"
        if at_port is None:
            return (Record(name=name, type="SRV", content=NOT_OFFERED, purpose=f"{how}: not offered"),)
        return (
            Record(name=name, type="SRV", content=f"0 1 {at_port} {target}.", purpose=how),
            Record(name=name, type="TXT", content=quoted(f"path={at_path}"), purpose="where to begin on that server"),
        )

    found = [
        *(_address(target, each) for each in addresses if domains.covers(domain, target)),
        *one("_caldavs", port, "calendars over TLS"),
        *one("_caldav", plain_port, "calendars without encryption"),
        *one("_carddavs", None, "contacts over TLS"),
        *one("_carddav", None, "contacts without encryption"),
        *one("_ischedules", port if ischedule else None, "scheduling with other servers", RECEIVER),
    ]
    if key_lookup:
        found += one("_domainkey_lookup", port, "keys of signatures over HTTPS")[:1]
    return (*found, *key_records(domain, keys or {}))


def key_records(domain: str, keys: Mapping[str, str]) -> tuple[Record, ...]:
    """The records of a domain's keys: selector to tag-list.

    Raises:
        Refused: it is no name of a domain.
    """
    below = f"_domainkey.{named(domain)}"
    return tuple(
        Record(name=f"{selector}.{below}", type="TXT", content=quoted(text), purpose="key of signatures")
        for selector, text in keys.items()
    )


def zone(domain: str, published: Sequence[Record]) -> str:
    """The records as a piece of a zone file (RFC 1035 section 5), which BIND and NSD read the same."""
    origin = named(domain)
    lines = [f"$ORIGIN {origin}.", f"$TTL {TTL_SECONDS}"]
    for each in published:
        relative = "@" if each.name == origin else each.name.removesuffix(f".{origin}")
        if relative == each.name:
            relative += "."
        head, content = f"{relative:<24} {each.type:<4} ", each.content
        strings = content[1:-1].split(SEPARATOR) if each.type == "TXT" else []
        if len(strings) > 1:
            between = '"\n' + " " * (len(head) + 2) + '"'
            content = f'( "{between.join(strings)}" )'
        lines.append(f"{head}{content:<32} ; {each.purpose}")
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A text as the strings of a TXT record in a zone file: quoted, and cut where it is longer than one string can be.

    Quotes keep a ``;`` from beginning a comment; whoever reads the record joins the strings without a blank.
    """
    octets = text.encode("utf-8")
    pieces = [octets[start : start + STRING_BYTES] for start in range(0, len(octets), STRING_BYTES)] or [b""]
    return " ".join(f'"{"".join(map(_escaped, piece))}"' for piece in pieces)


def _escaped(octet: int) -> str:
    character = chr(octet)
    if character in '"\\':
        return f"\\{character}"
    return character if 32 <= octet < 127 else f"\\{octet:03d}"


def _text(content: str) -> str:
    """The text of a TXT record as a zone file writes it: without quotes and escapes, the strings joined."""
    joined = content[1:-1].replace(SEPARATOR, "").encode("ascii")
    return re.sub(rb"\\(\d{3}|.)", _plain, joined).decode("utf-8", "replace")


def _plain(escape: "re.Match[bytes]") -> bytes:
    return bytes((int(escape[1]),)) if len(escape[1]) == 3 else escape[1]


def _address(target: str, text: str) -> Record:
    try:
        address = ip_address(text.strip())
    except ValueError:
        raise Refused(f"{text} is not an IP address") from None
    kind = "A" if address.version == 4 else "AAAA"
    return Record(name=target, type=kind, content=str(address), purpose="where the server is")


def named(text: str) -> str:
    """A host name in its ASCII form, of at least two labels, lower case, without a final dot.

    Raises:
        Refused: it is none.
    """
    try:
        name = domains.a_labels(text)
    except ValueError:
        name = ""
    if "." not in name:
        raise Refused(f"{text} is not the name of a domain")
    return name
