"""Read a signature, and check all of it that can be checked without its key (draft section 8, RFC 6376 section 6.1.1).

Whoever sends a request decides what is in it, the names in the signature among them. So nothing is looked up before
these checks have passed; and they are cheap.
"""

import re
from typing import Final

import attrs

from ischedule.dkim.tags import listed, octets, parse_tags
from ischedule.domains import a_labels, covers, is_public_suffix
from ischedule.errors import VerificationFailed
from ischedule.message import Fields, values_of

REQUIRED: Final = ("content-type", "ischedule-version", "originator", "recipient")
"""The header fields without which a signature means nothing (draft section 8); ``authorization`` where it is there."""
METHODS: Final = ("private-exchange", "dns/txt", "http/well-known")
"""The ways to get keys, in the order in which they are tried."""
ALGORITHMS: Final = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
"""Not ``rsa-sha1`` (RFC 8301)."""
CANONICALIZATIONS: Final = ("ischedule-relaxed/simple", "ischedule-relaxed")
MOST_CHARACTERS: Final = 4096
MOST_NAMES: Final = 50
MOST_SIGNATURE_BYTES: Final = 1024
AHEAD_SECONDS: Final = 300
"""How far the clock of a peer may be ahead of ours."""
LATE_SECONDS: Final = 5
LONGEST_SECONDS: Final = 86400
"""How old a signature may be whatever it says itself."""
UNLIMITED_SECONDS: Final = 3600
"""How old a signature may be that does not say how long it is valid."""

_NEEDED: Final = ("v", "a", "c", "d", "s", "h", "bh", "b")
_SELECTOR: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)*")
_FIELD_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_TIME: Final = re.compile(r"[0-9]{1,12}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n|\r\n(?![ \t])")


@attrs.frozen(kw_only=True)
class Policy:
    """What is asked of signatures.

    Args:
        methods: the ways to get keys that are open to us.
        require_timestamp: whether ``t=`` must be there.
    """

    methods: tuple[str, ...] = METHODS
    require_timestamp: bool = True


STRICT: Final = Policy()
LENIENT: Final = Policy(require_timestamp=False)


@attrs.frozen(kw_only=True)
class Signature:
    """A signature that is valid as far as that can be told without its key."""

    algorithm: str
    """The kind of key: ``rsa`` or ``ed25519``."""
    domain: str
    selector: str
    identity_domain: str
    """The domain in ``i=``, which is that of the signature or below it."""
    names: tuple[str, ...]
    """The header fields that are covered, in lower case."""
    methods: tuple[str, ...]
    """The ways to get the key that are open, in the order in which to try them."""
    signed_at: int | None
    expires_at: int | None
    body_bytes: int | None
    """The length of the canonical body (``l=``), which must be all of it."""
    body_hash: bytes = attrs.field(repr=False)
    signature: bytes = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    """The value of the field, as it was received."""

    def valid_until(self) -> int:
        """When it expires for us, in seconds since 1970; 0 if it does not say when it was made either."""
        if self.expires_at is None:
            return self.signed_at + UNLIMITED_SECONDS if self.signed_at is not None else 0
        return min(self.expires_at, (self.signed_at or self.expires_at) + LONGEST_SECONDS)


def examine(fields: Fields, *, now: float, policy: Policy = STRICT) -> Signature:
    """Read the signature of a request and check what can be checked without its key.

    Args:
        fields: all header fields of the request.
        now: seconds since 1970.
        policy: what is asked of it.

    Raises:
        VerificationFailed: there is none, or something is wrong with it.
    """
    values = values_of(fields, "DKIM-Signature")
    if len(values) != 1:
        raise _failed("There must be one DKIM-Signature." if values else "The request is not signed.")
    text = values[0]
    if len(text) > MOST_CHARACTERS:
        raise _failed("The DKIM-Signature is too long.")
    if not text.isascii() or any(_CONTROL.search(value) for _, value in fields):
        raise _failed("There are characters in the header fields that do not belong there.")
    try:
        tags = parse_tags(text)
    except ValueError as error:
        raise _failed(f"The DKIM-Signature cannot be read: {error}.") from None
    if missing := [f"{tag}=" for tag in _NEEDED if not tags.get(tag)]:
        raise _failed(f"The DKIM-Signature lacks {', '.join(missing)}.")
    signature = _read(tags, text, policy)
    _check_names(signature.names, fields)
    _check_times(signature, now, policy)
    return signature


def _failed(reason: str) -> VerificationFailed:
    return VerificationFailed(reason)


def _read(tags: dict[str, str], text: str, policy: Policy) -> Signature:
    if tags["v"] != "1":
        raise _failed("The DKIM-Signature is of another version than 1 (v=).")
    if tags["a"].lower() not in ALGORITHMS:
        raise _failed(f"The algorithm must be one of {' and '.join(ALGORITHMS)} (a=).")
    if tags["c"].lower() not in CANONICALIZATIONS:
        raise _failed(f"The canonicalization must be {CANONICALIZATIONS[0]} (c=).")
    domain = _domain(tags["d"])
    selector = tags["s"].lower()
    if len(selector) > 200 or not _SELECTOR.fullmatch(selector):
        raise _failed("The selector is none (s=).")
    identity_domain = _identity_domain(tags.get("i", ""), domain)
    offered = listed(tags.get("q", "dns/txt"))
    methods = tuple(method for method in METHODS if method in offered and method in policy.methods)
    if not methods:
        raise _failed("No way to get the key is known here (q=).")
    try:
        body_hash, signature = octets(tags["bh"]), octets(tags["b"])
    except ValueError:
        raise _failed("A hash or signature is not base64 (bh=, b=).") from None
    if not 0 < len(signature) <= MOST_SIGNATURE_BYTES:
        raise _failed("The signature is of an impossible length (b=).")
    return Signature(
        algorithm=ALGORITHMS[tags["a"].lower()],
        domain=domain,
        selector=selector,
        identity_domain=identity_domain,
        names=listed(tags["h"]),
        methods=methods,
        signed_at=_number(tags, "t"),
        expires_at=_number(tags, "x"),
        body_bytes=_number(tags, "l"),
        body_hash=body_hash,
        signature=signature,
        text=text,
    )


def _domain(value: str) -> str:
    try:
        domain = a_labels(value)
    except ValueError:
        raise _failed("The domain is none (d=).") from None
    if "." not in domain or is_public_suffix(domain):
        raise _failed("The domain is not one that somebody has registered (d=).")
    return domain


def _identity_domain(value: str, domain: str) -> str:
    """The domain of ``i=``: only what follows the last ``@`` matters, the rest is for the signer."""
    if not value:
        return domain
    _, at, named = value.rpartition("@")
    try:
        found = a_labels(named)
    except ValueError:
        found = ""
    if not at or not covers(domain, found):
        raise _failed("The identity is not in the domain (i=).")
    return found


def _number(tags: dict[str, str], tag: str) -> int | None:
    if tag not in tags:
        return None
    if not _TIME.fullmatch(tags[tag]):
        raise _failed(f"There must be a number in {tag}=.")
    return int(tags[tag])


def _check_names(names: tuple[str, ...], fields: Fields) -> None:
    if len(names) > MOST_NAMES or not all(map(_FIELD_NAME.fullmatch, names)):
        raise _failed("The header fields cannot be read (h=).")
    if len({*names}) < len(names):
        raise _failed("A header field is there twice (h=).")
    required = (*REQUIRED, "authorization") if values_of(fields, "Authorization") else REQUIRED
    if missing := [name for name in required if name not in names]:
        raise _failed(f"The signature does not cover {', '.join(missing)} (h=).")


def _check_times(signature: Signature, now: float, policy: Policy) -> None:
    signed, expires = signature.signed_at, signature.expires_at
    if signed is None:
        if policy.require_timestamp:
            raise _failed("The signature does not say when it was made (t=).")
    elif signed > now + AHEAD_SECONDS:
        raise _failed("The signature was made in the future (t=).")
    elif signed < now - LONGEST_SECONDS or (expires is None and signed < now - UNLIMITED_SECONDS):
        raise _failed("The signature is too old (t=).")
    if expires is not None and signed is not None and expires <= signed:
        raise _failed("The signature expires before it was made (x=).")
    if expires is not None and expires < now - LATE_SECONDS:
        raise _failed("The signature has expired (x=).")
