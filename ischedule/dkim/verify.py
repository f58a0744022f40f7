"""The second step of verifying: which keys are wanted, and what they say (RFC 6376 sections 6.1.2 and 6.1.3)."""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

import attrs

from ischedule.dkim.canonical import canonical_body, canonical_fields
from ischedule.dkim.keys import KeyQuery, KeyRecord, parse_key_record
from ischedule.dkim.signature import Signature
from ischedule.errors import KeyUnusable, VerificationFailed
from ischedule.message import Fields

MOST_RECORDS: Final = 8
"""How many records of one name are tried."""


@attrs.frozen(kw_only=True)
class Verdict:
    """Whether a signature is good, and why it is not, in words for a log."""

    valid: bool
    reason: str
    key: KeyRecord | None = None
    """The key that has verified it."""


def wanted_keys(signature: Signature) -> tuple[KeyQuery, ...]:
    """Where the key may be, in the order in which to look."""
    return tuple(
        KeyQuery(method=method, domain=signature.domain, selector=signature.selector) for method in signature.methods
    )


def check_body(signature: Signature, body: bytes) -> None:
    """Check that a body is the one that was signed, which needs no key.

    Raises:
        VerificationFailed: it is another one.
    """
    canonical = canonical_body(body)
    if signature.body_bytes is not None and signature.body_bytes != len(canonical):
        raise VerificationFailed("The signature covers a part of the body only (l=).")
    if not hmac.compare_digest(sha256(canonical).digest(), signature.body_hash):
        raise VerificationFailed("The body is not the one that was signed.")


def verify(signature: Signature, fields: Fields, body: bytes, records: Iterable[str]) -> Verdict:
    """Judge a signature by the key records that were found for it; one that fits suffices.

    Args:
        signature: what `examine` made of the fields.
        fields: the header fields as they were received.
        body: the body as it was received, without any coding of the transfer.
        records: tag-lists, as they were published.
    """
    try:
        check_body(signature, body)
    except VerificationFailed as failed:
        return Verdict(valid=False, reason=failed.reason)
    data = canonical_fields(fields, signature.names, signature.text)
    reasons = []
    for record in list(records)[:MOST_RECORDS]:
        try:
            key = _usable(record, signature)
        except KeyUnusable as unusable:
            reasons.append(str(unusable))
            continue
        if key.verifies(signature.signature, data):
            return Verdict(valid=True, reason="the signature is good", key=key)
        reasons.append("the signature was not made with this key, or a header field was changed")
    return Verdict(valid=False, reason="; ".join(dict.fromkeys(reasons)) or "there is no key")


def _usable(text: str, signature: Signature) -> KeyRecord:
    key = parse_key_record(text)
    if key.algorithm != signature.algorithm:
        raise KeyUnusable(f"the key is one of {key.algorithm}, the signature one of {signature.algorithm}")
    if key.same_domain and signature.identity_domain != signature.domain:
        raise KeyUnusable("the identity must be in the very domain of the key (t=s)")
    return key
