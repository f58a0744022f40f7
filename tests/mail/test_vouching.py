"""Whom a mail is from, by its DKIM signatures: what dkimpy accepts is accepted, at a bounded cost."""

import time

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_twisted import ensureDeferred
from resolved import Names

from calserver.config import Mail
from calserver.scheduling.mail import Vouching
from calserver.scheduling.mail.incoming import Incoming
from calserver.scheduling.mail.signing import Signature
from calserver.scheduling.mail.vouching import _relaxed
from ischedule.dkim import generate, key_record, private_text

PRIVATE = generate("rsa")
RECORD = key_record(PRIVATE, service="*")
HEAD = b"From: Bo <bo@other.example>\r\nSubject: =?utf-8?q?x?=  y\r\n\tz\r\nContent-Type: text/plain\r\n\r\n"


def vouching(record: str = RECORD) -> Vouching:
    text = " ".join(f'"{record[at : at + 200]}"' for at in range(0, len(record), 200))
    return Vouching(Mail(address="calendar@example.com"), Names({("m1._domainkey.other.example", "TXT"): [text]}))


async def proof(mail: bytes) -> str | None:
    return await vouching().proof(Incoming.read(mail), "bo@other.example")


@pytest.mark.parametrize("how", [b"simple/simple", b"simple/relaxed", b"relaxed/simple", b"relaxed/relaxed"])
@pytest.mark.parametrize("body", [b"", b"\r\n\r\n", b"a  b \t\r\n\r\n \r\n", b"x", b"\t\r\n.\r\n"])
@ensureDeferred
async def test_every_way_of_signing_is_known(how: bytes, body: bytes) -> None:
    names = tuple(how.split(b"/"))
    mail = HEAD + body
    signature = dkim.sign(
        mail,
        b"m1",
        b"other.example",
        private_text(PRIVATE),
        canonicalize=names,
        include_headers=[b"from", b"content-type"],
    )
    assert await proof(signature + mail) == "DKIM signature of other.example"
    assert await proof(signature + b"DKIM-Signature: v=1; a=rsa-sha256; d=evil.example\r\n" + mail) is not None
    assert await proof(b"DKIM-Signature: nonsense\r\n" + signature + mail) is not None
    assert await proof(signature + mail + b"more\r\n") is None


@given(st.lists(st.sampled_from([b" ", b"\t", b"x", b"\r\n", b"\r"]), max_size=40).map(b"".join))
def test_blanks_are_as_dkimpy_would_have_them(body: bytes) -> None:
    relaxed = dkim.canonicalization.Relaxed.canonicalize_body
    assert relaxed(_relaxed(body)) == relaxed(body)


TAGS = b"DKIM-Signature: v=1; a=rsa-sha256; d=other.example; s=m1; h=from:content-type; bh=x; b=%s\r\n"
SIGN = Signature("other.example", "m1", PRIVATE)
HOSTILE = {
    "blanks in the body": SIGN(HEAD + b"x") + b" " * 1_000_000 + b"x",
    "blanks in lines": SIGN(HEAD + b"x") + (b" " * 16_000 + b"x\r\n") * 60,
    "blanks in a signature": TAGS % (b" " * 60_000 + b"?") + HEAD,
    "folds in a field": SIGN(b"X: y" + b"\r\n " * 15_000 + b"\r\n" + HEAD),
    "many signatures": TAGS % b"aa==" * 400 + HEAD,
}


@pytest.mark.parametrize("name", HOSTILE)
@ensureDeferred
async def test_a_hostile_signature_costs_little(name: str) -> None:
    began = time.process_time()
    await proof(HOSTILE[name])
    assert time.process_time() - began < 1.0
