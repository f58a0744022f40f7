"""Signatures of requests by domains: the DKIM of iSchedule (draft-desruisseaux-ischedule-05, RFC 6376, RFC 8463).

Signing:

    key = SigningKey(domain="sender.example", selector="cal1", private=private_key)
    field = sign(message.fields, message.body, key, now=time.time())

Verifying takes two steps, so that nothing in here waits for a network:

    signature = examine(fields, now=time.time())            # all that can be checked without the key
    for query in wanted_keys(signature):                    # in the order in which to try them
        records = await fetcher.fetch(query)
        verdict = verify(signature, fields, body, records)  # verdict.valid, verdict.reason

What is signed are header fields and the body, neither host nor path nor method: a signature says that *a domain*
vouches for a message, to whomever it is sent. Therefore receivers do not process messages for users of others, and
keep in mind what they have received.

What differs from DKIM for mail: header fields are combined and canonicalized as ``ischedule-relaxed`` (`canonical`),
there is no From field, ``t=`` is required unless told otherwise, ``l=`` may not leave anything out, and the key must be
meant for ``ischedule`` or for everything. Where a rule comes from stands beside it.
"""

from ischedule.dkim.canonical import canonical_body, canonical_field, canonical_fields
from ischedule.dkim.keys import (
    KeyQuery,
    KeyRecord,
    PrivateKey,
    key_record,
    parse_key_record,
    public_key_text,
)
from ischedule.dkim.sign import SIGNED, SigningKey, generate, load_private_key, private_text, sign
from ischedule.dkim.signature import LENIENT, METHODS, STRICT, Policy, Signature, examine
from ischedule.dkim.tags import parse_tags
from ischedule.dkim.verify import Verdict, check_body, verify, wanted_keys

__all__ = [
    "LENIENT",
    "METHODS",
    "SIGNED",
    "STRICT",
    "KeyQuery",
    "KeyRecord",
    "Policy",
    "PrivateKey",
    "Signature",
    "SigningKey",
    "Verdict",
    "canonical_body",
    "canonical_field",
    "canonical_fields",
    "check_body",
    "examine",
    "generate",
    "key_record",
    "load_private_key",
    "parse_key_record",
    "parse_tags",
    "private_text",
    "public_key_text",
    "sign",
    "verify",
    "wanted_keys",
]
