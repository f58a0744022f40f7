"""Public keys as domains publish them: tag-lists in the DNS or elsewhere (RFC 6376 section 3.6.1, RFC 8463)."""

from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from typing import Final

import attrs
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from ischedule.dkim.tags import listed, octets, parse_tags
from ischedule.errors import KeyUnusable

PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey
PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

SERVICE: Final = "ischedule"
RSA_BITS: Final = range(1024, 8192 + 1)
"""RFC 8301 section 3.2; who makes a key takes 2048."""
RECORD_BYTES: Final = 16 * 1024


@attrs.frozen(kw_only=True)
class KeyQuery:
    """Where a key is to be looked for; `method` is one of the values of ``q=``."""

    method: str
    domain: str
    selector: str


@attrs.frozen(kw_only=True)
class KeyRecord:
    """A public key that may verify signatures of iSchedule."""

    algorithm: str
    """``rsa`` or ``ed25519``."""
    key: PublicKey = attrs.field(repr=False)
    testing: bool = False
    """The domain says that it is trying things out (``t=y``), which makes no difference (RFC 6376 section 3.6.1)."""
    same_domain: bool = False
    """The identity ``i=`` may not be in a domain below that of the signature (``t=s``)."""

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether the signature of some data was made with the private key; that of Ed25519 is over its SHA-256."""
        try:
            if isinstance(self.key, rsa.RSAPublicKey):
                self.key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            else:
                self.key.verify(signature, sha256(data).digest())
        except InvalidSignature:
            return False
        return True


@lru_cache(maxsize=1024)  # loading a key takes as long as verifying with it
def parse_key_record(text: str) -> KeyRecord:
    """The key in a tag-list; unknown tags are ignored.

    Raises:
        KeyUnusable: it is no key record, or its key is revoked, of a kind that is not known, too weak, or not for us.
    """
    try:
        if len(text) > RECORD_BYTES:
            raise ValueError("it is too long")
        tags = parse_tags(text)
    except ValueError as error:
        raise KeyUnusable(f"the key record cannot be read: {error}") from None
    if tags.get("v", "DKIM1") != "DKIM1" or "v" in list(tags)[1:]:
        raise KeyUnusable("the key record does not begin with v=DKIM1")
    if not tags.get("p"):
        raise KeyUnusable("the key is revoked" if "p" in tags else "the key record has no p=")
    if "h" in tags and "sha256" not in listed(tags["h"]):
        raise KeyUnusable("the key is not for signatures with SHA-256 (h=)")
    if not {"*", SERVICE} & {*listed(tags.get("s", "*"))}:
        raise KeyUnusable(f"the key is not meant for iSchedule (s={tags['s']})")
    algorithm = tags.get("k", "rsa").lower()
    flags = listed(tags.get("t", ""))
    return KeyRecord(
        algorithm=algorithm, key=_public_key(algorithm, tags["p"]), testing="y" in flags, same_domain="s" in flags
    )


def _public_key(algorithm: str, value: str) -> PublicKey:
    try:
        data = octets(value)
        if algorithm == "ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(data)
        if algorithm == "rsa":
            key = serialization.load_der_public_key(data)
            if isinstance(key, rsa.RSAPublicKey) and key.key_size in RSA_BITS:
                return key
            raise KeyUnusable("the key is no RSA key of 1024 to 8192 bits")
    except (ValueError, UnsupportedAlgorithm):
        raise KeyUnusable(f"the key is not one of {algorithm} (p=)") from None
    raise KeyUnusable(f"keys of {algorithm} are not known here (k=)")


def public_key_text(private: PrivateKey) -> str:
    """What ``p=`` says of a key: of RSA a SubjectPublicKeyInfo (RFC 6376), of Ed25519 the bare octets (RFC 8463)."""
    if isinstance(private, rsa.RSAPrivateKey):
        form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    else:
        form = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return b64encode(private.public_key().public_bytes(*form)).decode("ascii")


def key_record(private: PrivateKey, *, service: str = SERVICE) -> str:
    """The tag-list to publish for a key; `service` ``*`` lets it sign the mail of the domain as well."""
    algorithm = "rsa" if isinstance(private, rsa.RSAPrivateKey) else "ed25519"
    restricted = "" if service == "*" else f" s={service};"
    return f"v=DKIM1; k={algorithm};{restricted} p={public_key_text(private)}"
