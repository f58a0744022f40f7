"""dkimpy, which others have written for mail, as a second opinion about our signatures.

What is of iSchedule alone - combining fields and trimming commas - is written here once more, in another way. All the
rest is dkimpy's: tag-lists, unfolding, the choice and order of headers, the signature without itself, bodies, RSA.
"""

import hashlib
import os
import random
from base64 import b64decode
from typing import Any

import attrs
import dkim as dkimpy
import pytest
from dkim.canonicalization import CanonicalizationPolicy, Relaxed, Simple
from dkim.crypto import RSASSA_PKCS1_v1_5_verify, parse_public_key
from dkim.util import parse_tag_value
from letters import NOW, record, signing_key

from ischedule import dkim
from ischedule.errors import VerificationFailed
from ischedule.message import Fields

COUNT = int(os.environ.get("ISCHEDULE_MESSAGES", "3000"))
"""How many messages are generated."""
BLANKS = (" ", "  ", "\t", " \t ", "\r\n ", "\r\n\t")


class IScheduleRelaxed(Relaxed):  # type: ignore[misc] # dkimpy has no types
    """``ischedule-relaxed`` by way of the ``relaxed`` of mail."""

    @staticmethod
    def canonicalize_headers(headers: Any) -> Any:
        combined: dict[bytes, bytes] = {}
        for name, value in headers:
            key = name.lower()
            combined[key] = combined[key] + b"," + value if key in combined else value
        found = []
        for name, value in Relaxed.canonicalize_headers(list(combined.items())):
            parts = [part.strip(b" ") for part in value.rstrip(b"\r\n").split(b",")]
            found.append((name, b",".join(parts) + b"\r\n"))
        return found


POLICY = CanonicalizationPolicy(IScheduleRelaxed, Simple)


@attrs.frozen
class Digest:
    """What dkimpy takes for a hash that is finished."""

    hash: Any
    name: str = "sha256"

    def digest(self) -> bytes:
        made: bytes = self.hash.digest()
        return made


def second_opinion(fields: Fields, body: bytes, key: str) -> bool:
    """Whether dkimpy finds that a request is signed well with a key of RSA."""
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    own = next(value for name, value in pairs if name.lower() == b"dkim-signature")
    try:
        tags = parse_tag_value(own)
        if hashlib.sha256(POLICY.canonicalize_body(body)).digest() != b64decode(tags[b"bh"]):
            return False
        hasher = hashlib.sha256()
        names = [each.strip() for each in tags[b"h"].lower().split(b":")]
        headers = POLICY.canonicalize_headers(pairs)
        dkimpy.hash_headers(hasher, POLICY, headers, names, (b"DKIM-Signature", own), tags)
        public = parse_public_key(b64decode(parse_tag_value(key.encode())[b"p"]))
        return bool(RSASSA_PKCS1_v1_5_verify(Digest(hasher), b64decode(tags[b"b"]), public))
    except Exception:  # noqa: BLE001 - of dkimpy, for what is damaged; that is a verdict, too
        return False


def first_opinion(fields: Fields, body: bytes, key: str) -> bool:
    try:
        return dkim.verify(dkim.examine(fields, now=NOW), fields, body, (key,)).valid
    except VerificationFailed:
        return False


def text(chance: random.Random, most: int = 40) -> str:
    """A value with commas and blanks in odd places."""
    pieces = [
        chance.choice(["a", "B", "mailto:x@y.example", ",", ", ", '"', "(", ";", ":", "=", "%2C", *BLANKS[:4]])
        for _ in range(chance.randrange(most))
    ]
    return "".join(pieces)


def body(chance: random.Random) -> bytes:
    pieces = [
        chance.choice([b"BEGIN:VCALENDAR", b"\r\n", b"\r\n\r\n", b"\n", b" ", b"\t", b"\xff", b"x"])
        for _ in range(chance.randrange(30))
    ]
    return b"".join(pieces)


def request(chance: random.Random) -> Fields:
    fields = [
        ("iSchedule-Version", "1.0"),
        ("Originator", "mailto:anna@sender.example"),
        ("Content-Type", text(chance)),
        *(("Recipient", text(chance)) for _ in range(chance.randrange(1, 4))),
    ]
    if chance.random() < 0.7:
        fields.append(("iSchedule-Message-ID", text(chance, 4)))
    if chance.random() < 0.5:
        fields.append(("User-Agent", text(chance)))
    chance.shuffle(fields)
    return tuple(fields)


def on_the_way(chance: random.Random, fields: Fields) -> Fields:
    """The fields as they arrive: often other blanks, sometimes another octet."""
    found = []
    for name, value in fields:
        if value and chance.random() < 0.06:
            at = chance.randrange(len(value))
            value = value[:at] + chance.choice("aB,; :=") + value[at + 1 :]
        if chance.random() < 0.3:
            value = "".join(chance.choice(BLANKS) if each == " " else each for each in value)
        if chance.random() < 0.3:
            value = value.replace(",", chance.choice([" ,", ", ", "\t,\t"]))
        found.append((chance.choice([name, name.upper(), name.lower()]), value))
    return tuple(found)


@pytest.mark.slow
def test_dkimpy_is_of_the_same_opinion() -> None:
    chance, key, good = random.Random(1), record("rsa1"), 0
    for number in range(COUNT):
        fields, content = request(chance), body(chance)
        value = dkim.sign(fields, content, signing_key("rsa1"), now=NOW)
        received = on_the_way(chance, (*fields, ("DKIM-Signature", value)))
        arrived = content + b"\r\n" if chance.random() < 0.3 else content + b"x" if chance.random() < 0.05 else content
        mine, theirs = first_opinion(received, arrived, key), second_opinion(received, arrived, key)
        assert mine == theirs, (number, received, arrived)
        good += mine
    assert COUNT * 0.3 < good < COUNT * 0.9, "both kinds must be there"
