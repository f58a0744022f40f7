"""Key records: which of them may verify a signature, and what is wrong with the others (RFC 6376 section 3.6.1)."""

from base64 import b64decode, b64encode
from functools import cache
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from letters import NOW, letter, private_key, record, signed, signing_key

from ischedule import dkim
from ischedule.errors import KeyUnusable


@cache
def rsa_public(bits: int, form: str = "spki") -> str:
    """The public half of an RSA key in base64."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    kind = serialization.PublicFormat.PKCS1 if form == "pkcs1" else serialization.PublicFormat.SubjectPublicKeyInfo
    return b64encode(key.public_bytes(serialization.Encoding.DER, kind)).decode()


ED = dkim.parse_tags(record())["p"]
RSA = dkim.parse_tags(record("rsa1"))["p"]
SMALL = (  # an RSA key of 512 bits, which nobody makes any more
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMYfnvWtC8Id5bPKae5yXSxQTt+Zpul6AnnZWfI2TtIarvjHBFUtXRo96y7hoL4VWOPKGCsRqMFD"
    "kpeWLUFdNqcCAwEAAQ=="
)


@pytest.mark.parametrize(
    "text",
    [
        f"v=DKIM1; k=ed25519; p={ED}",
        f"v=DKIM1; k=rsa; p={RSA}",
        f"p={RSA}",
        f"k=rsa; p={RSA};",
        f" v = DKIM1 ;k = ed25519 ; p = {ED[:10]} \t {ED[10:]} ",
        f"v=DKIM1; h=sha1:sha256; k=ed25519; p={ED}",
        f"v=DKIM1; s=*; k=ed25519; p={ED}",
        f"v=DKIM1; s=ischedule; k=ed25519; p={ED}",
        f"v=DKIM1; s=email : ischedule; k=ed25519; p={ED}",
        f"v=DKIM1; s=email:*; k=ed25519; p={ED}",
        f"v=DKIM1; t=y; n=some note; unknown=x; k=ed25519; p={ED}",
        f"p={rsa_public(1024)}",
        f"p={rsa_public(2048, 'pkcs1')}",
    ],
)
def test_records_that_are_usable(text: str) -> None:
    key = dkim.parse_key_record(text)
    assert key.algorithm == ("ed25519" if "ed25519" in text else "rsa")
    assert key.testing == ("t=y" in text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("v=DKIM1", "no p="),
        ("v=DKIM1; p=", "revoked"),
        ("v=DKIM1; k=ed25519; p=   ", "revoked"),
        (f"v=DKIM2; k=ed25519; p={ED}", "v=DKIM1"),
        (f"v=dkim1; k=ed25519; p={ED}", "v=DKIM1"),
        (f"k=ed25519; v=DKIM1; p={ED}", "v=DKIM1"),
        (f"v=DKIM1; k=ed25519; p={ED}; p={ED}", "twice"),
        (f"v=DKIM1; h=sha1; k=ed25519; p={ED}", "h="),
        (f"v=DKIM1; s=email; k=ed25519; p={ED}", "s=email"),
        (f"v=DKIM1; s=; k=ed25519; p={ED}", "s="),
        (f"v=DKIM1; k=dsa; p={ED}", "k="),
        (f"v=DKIM1; k=rsa; p={ED}", "not one of rsa"),
        (f"v=DKIM1; p={ED}", "not one of rsa"),
        (f"v=DKIM1; k=ed25519; p={RSA}", "not one of ed25519"),
        ("v=DKIM1; k=ed25519; p=AAAA", "not one of ed25519"),
        ("v=DKIM1; k=ed25519; p=not base64!", "not one of ed25519"),
        (f"v=DKIM1; k=rsa; p={SMALL}", "1024"),
        ("just some text", "cannot be read"),
        ("<html>", "cannot be read"),
        ("v=DKIM1; n=" + "x" * 20000, "too long"),
    ],
)
def test_records_that_are_not(text: str, words: str) -> None:
    with pytest.raises(KeyUnusable, match=words):
        dkim.parse_key_record(text)


def test_a_key_of_another_kind() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyUnusable, match="no RSA key"):
        dkim.parse_key_record(f"k=rsa; p={b64encode(der).decode()}")


@given(st.text(max_size=100), st.sampled_from(["", "v=DKIM1; ", "v=DKIM1; k=rsa; p=", "v=DKIM1; k=ed25519; p="]))
def test_reading_a_record_never_breaks(text: str, before: str) -> None:
    with pytest.raises(KeyUnusable):
        dkim.parse_key_record(before + text)


def test_the_algorithm_of_the_signature_is_that_of_the_key() -> None:
    message = signed(key="rsa1")
    signature = dkim.examine(message.fields, now=NOW)
    verdict = dkim.verify(signature, message.fields, message.body, (record("cal1"),))
    assert verdict.reason == "the key is one of ed25519, the signature one of rsa"


def test_an_identity_below_the_domain_where_the_key_forbids_it() -> None:
    """``t=s`` in the key record: the domain of ``i=`` is that of ``d=``."""
    message = letter()
    value = dkim.sign(message.fields, message.body, signing_key(), now=NOW)
    # Sign it again with i=, which `sign` does not write.
    for identity, strict in (("@cal.sender.example", False), ("@sender.example", True)):
        unsigned = value[: value.index(" b=")].replace("d=sender", f"i={identity}; d=sender") + " b="
        names = dkim.parse_tags(unsigned)["h"].split(":")
        data = dkim.canonical_fields(message.fields, names, unsigned)
        made = unsigned + b64encode(private_key().sign(sha256(data).digest())).decode()
        fields = (*message.fields, ("DKIM-Signature", made))
        signature = dkim.examine(fields, now=NOW)
        assert dkim.verify(signature, fields, message.body, (record(),)).valid
        assert dkim.verify(signature, fields, message.body, (f"v=DKIM1; k=ed25519; t=y:s; p={ED}",)).valid is strict


@pytest.mark.parametrize("algorithm", ["rsa", "ed25519"])
def test_keys_are_written_and_read(algorithm: str) -> None:
    key = dkim.generate(algorithm)
    again = dkim.load_private_key(dkim.private_text(key))
    assert dkim.key_record(again) == dkim.key_record(key)
    assert dkim.parse_key_record(dkim.key_record(key)).algorithm == algorithm
    assert "s=ischedule;" in dkim.key_record(key)
    assert "s=" not in dkim.key_record(key, service="*").partition("p=")[0]


def test_what_is_no_private_key() -> None:
    public = (
        private_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    locked = private_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    for text in (b"", b"x", public, other, locked):
        with pytest.raises(ValueError, match="key"):
            dkim.load_private_key(text)
    assert b64decode(ED)
