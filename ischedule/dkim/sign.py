"""Sign requests (RFC 6376 section 5), and make the keys for it."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from ischedule.dkim.canonical import canonical_body, canonical_fields
from ischedule.dkim.keys import RSA_BITS, PrivateKey
from ischedule.message import Fields

SIGNED: Final = (
    "content-type",
    "ischedule-version",
    "originator",
    "recipient",
    "ischedule-message-id",
    "authorization",
)
"""The header fields that are signed where they are there: those that must be, and the Message-ID. Not ``User-Agent``,
which proxies rewrite."""
LIFETIME_SECONDS: Final = 600
GENERATED_BITS: Final = 2048


@attrs.frozen(kw_only=True)
class SigningKey:
    """A private key, and the domain and selector under which its public key is found."""

    domain: str
    selector: str
    private: PrivateKey = attrs.field(repr=False)

    @property
    def algorithm(self) -> str:
        """The value of ``a=``."""
        return "rsa-sha256" if isinstance(self.private, rsa.RSAPrivateKey) else "ed25519-sha256"


def sign(
    fields: Fields,
    body: bytes,
    key: SigningKey,
    *,
    now: float,
    lifetime_seconds: int = LIFETIME_SECONDS,
    methods: Sequence[str] = ("dns/txt",),
    also: Sequence[str] = (),
) -> str:
    """The value of ``DKIM-Signature`` for a request, which must be sent as it is: one line, ``b=`` last.

    Args:
        fields: the header fields.
        body: exactly what is sent.
        key: with what to sign.
        now: seconds since 1970.
        lifetime_seconds: how long the signature is valid, a minute at least.
        methods: where the key is published (``q=``, which is always written: there are verifiers that need it).
        also: further header fields that are signed, in lower case.

    Raises:
        ValueError: a field holds what cannot stand in a header field.
    """
    present = {name.lower() for name, _ in fields}
    names = [name for name in (*SIGNED, *also) if name in present]
    for name, value in fields:
        if not value.replace("\t", " ").isprintable() or not value.isascii():
            raise ValueError(f"{name} holds what cannot stand in a header field")
    unsigned = (
        f"v=1; a={key.algorithm}; c=ischedule-relaxed/simple; d={key.domain}; s={key.selector}; "
        f"q={':'.join(methods)}; t={int(now)}; x={int(now) + max(lifetime_seconds, 60)}; h={':'.join(names)}; "
        f"bh={b64encode(sha256(canonical_body(body)).digest()).decode()}; b="
    )
    data = canonical_fields(fields, names, unsigned)
    if isinstance(key.private, rsa.RSAPrivateKey):
        signature = key.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = key.private.sign(sha256(data).digest())
    return unsigned + b64encode(signature).decode()


def generate(algorithm: str = "rsa") -> PrivateKey:
    """A new private key, ``rsa`` of 2048 bits or ``ed25519``."""
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=GENERATED_BITS)


def private_text(key: PrivateKey) -> bytes:
    """A private key as PEM (PKCS #8, not encrypted)."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_private_key(pem: bytes) -> PrivateKey:
    """The private key in a PEM text.

    Raises:
        ValueError: there is none, or none to sign with.
    """
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("it holds no private key in PEM without a password") from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size in RSA_BITS:
        return key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    raise ValueError("the key is neither an RSA key of 1024 to 8192 bits nor one of Ed25519")
