"""Whether a mail comes from the domain in its From field: what our mail server says, or its DKIM signatures.

dkimpy verifies, and asks for keys in the middle of it. So the signatures that could count are found first, their keys
are fetched as all of ours are, without a thread, and then dkimpy finds what it asks for. It also takes the square of
the time for a run of blanks, in the body or in a signature: so it gets bodies without, and no signature that is long.
"""

import re
from base64 import b64decode
from typing import Final

import attrs
import dkim
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from calserver.config import Mail
from calserver.scheduling.mail.incoming import Field, Incoming
from calserver.scheduling.mail.results import is_aligned, vouched
from ischedule.dkim import parse_tags
from ischedule.domains import a_labels
from ischedule.resolver import Lookup, TemporaryFailure, texts

MOST_SIGNATURES: Final = 3
"""That are looked at; each costs a question to the DNS and a computation."""
RSA_BITS: Final = range(1024, 4096 + 1)
_ALGORITHM: Final = "rsa-sha256"
_SELECTOR: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,200}[A-Za-z0-9_])?")
_RECORD_BYTES: Final = 8192
_SIGNATURE_BYTES: Final = 4096


class Undecided(Exception):
    """It is not known at the moment: a name server does not answer."""


@attrs.frozen
class _Signature:
    """A signature that could count: its field, where its key is, and how it looks at bodies."""

    field: Field
    name: str
    domain: str
    relaxed: bool


class Vouching:
    """Knows who a mail is from.

    Args:
        config: whom to believe.
        lookup: answers questions about names.
    """

    def __init__(self, config: Mail, lookup: Lookup) -> None:
        self._config = config
        self._lookup = lookup

    async def proof(self, mail: Incoming, author: str) -> str | None:
        """What shows that a mail is from its author; None where nothing does.

        Raises:
            Undecided: a key cannot be fetched at the moment, and nothing else shows it.
        """
        try:
            domain = a_labels(author.rpartition("@")[2])
        except ValueError:
            return None
        said = vouched(mail, domain, self._config.trusted_results, self._config.own_hops)
        if said is not None or not self._config.verify_dkim:
            return said
        return await self._verified(mail, domain)

    async def _verified(self, mail: Incoming, domain: str) -> str | None:
        undecided: str | None = None
        for signature in _candidates(mail, domain)[:MOST_SIGNATURES]:
            try:
                record = await self._record(signature.name)
            except TemporaryFailure as failure:
                undecided = str(failure)
                continue
            if record is not None and _verify(mail, signature, record):
                return f"DKIM signature of {signature.domain}"
        if undecided is not None:
            raise Undecided(undecided)
        return None

    async def _record(self, name: str) -> bytes | None:
        """The key record at a name, where it is an RSA key of a reasonable size that may sign mail."""
        answer = await self._lookup.lookup(name, "TXT")
        for strings in texts(answer):
            record = b"".join(strings)
            if len(record) <= _RECORD_BYTES and _may_sign_mail(record):
                return record
        return None


def _candidates(mail: Incoming, domain: str) -> list[_Signature]:
    """The signatures of the organization of a domain; those that cover only the beginning of the body do not count."""
    found = []
    for field in mail.all("dkim-signature"):
        if len(field.value) > _SIGNATURE_BYTES:
            continue
        try:
            tags = parse_tags(field.text)
            signing = a_labels(tags.get("d", ""))
        except ValueError:
            continue
        usable = tags.get("a", "").lower() == _ALGORITHM and "l" not in tags and _SELECTOR.fullmatch(tags.get("s", ""))
        signed = {each.strip().lower() for each in tags.get("h", "").split(":")}
        if usable and {"from", "content-type"} <= signed | _absent(mail) and is_aligned(signing, domain):
            relaxed = tags.get("c", "").lower().endswith("/relaxed")
            found.append(_Signature(field, f"{tags['s'].lower()}._domainkey.{signing}", signing, relaxed))
    return found


def _absent(mail: Incoming) -> frozenset[str]:
    """What needs not be signed since it is not there."""
    return frozenset() if mail.all("content-type") else frozenset({"content-type"})


def _may_sign_mail(record: bytes) -> bool:
    try:
        tags = parse_tags(record.decode("ascii"))
        key = load_der_public_key(_octets(tags.get("p", "")))
    except (ValueError, UnsupportedAlgorithm):
        return False
    services = {each.strip() for each in tags.get("s", "*").split(":")}
    return (
        tags.get("v", "DKIM1") == "DKIM1"
        and tags.get("k", "rsa") == "rsa"
        and bool(services & {"*", "email"})
        and ("h" not in tags or "sha256" in {each.strip() for each in tags["h"].split(":")})
        and isinstance(key, RSAPublicKey)
        and key.key_size in RSA_BITS
        and key.public_numbers().e < 2**33
    )


def _relaxed(body: bytes) -> bytes:
    """A body with blanks as the relaxed algorithm has them (RFC 6376 section 3.4.4), which then changes nothing."""
    *lines, last = re.sub(rb"[\t ]+", b" ", body).split(b"\r\n")
    return b"\r\n".join((*(line.removesuffix(b" ") for line in lines), last))


def _octets(text: str) -> bytes:
    return b64decode(re.sub(r"\s", "", text), validate=True)


def _verify(mail: Incoming, signature: _Signature, record: bytes) -> bool:
    """Whether a signature fits a mail and a key."""

    def fetched(name: bytes, timeout: float = 0) -> bytes:
        return record if name.decode("ascii", "replace").lower().removesuffix(".") == signature.name else b""

    fields = (signature.field, *(each for each in mail.fields if each.name != "dkim-signature"))
    head = b"".join(b"%s:%s\r\n" % (each.spelled, each.value) for each in fields)
    body = _relaxed(mail.body) if signature.relaxed else mail.body
    try:
        return bool(dkim.DKIM(head + b"\r\n" + body).verify(dnsfunc=fetched))
    except Exception:  # noqa: BLE001 - dkimpy raises many things for what strangers may write, and none is a yes
        return False
