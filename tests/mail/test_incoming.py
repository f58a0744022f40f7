"""Mail that came in: read within bounds, and believed only as far as something proves it (RFC 8601, RFC 3464)."""

import time
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from letterbox import TOKENS, bounced, calendar, mail, people

from calserver.scheduling.mail.bounces import read_bounce
from calserver.scheduling.mail.incoming import MOST_LEVELS, MOST_PARTS, Incoming, Unreadable
from calserver.scheduling.mail.results import vouched

REPLY = calendar("REPLY", *people(answer="ACCEPTED"))


def nested(levels: int) -> bytes:
    head = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels))
    return b"From: a@b.example\r\n" + head + b"\r\nend\r\n"


def test_a_reply_is_found_among_the_parts() -> None:
    found = Incoming.read(mail(REPLY))
    assert found.author == "bo@other.example"
    part = found.calendar()
    assert part is not None
    assert part.parameter("method") == "REPLY"
    assert part.text().rstrip() == REPLY.rstrip()


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        ("base64", b64encode("Grüße".encode("iso-8859-1"))),
        ("quoted-printable", b"Gr=FC=DF=\r\ne"),
        ("8bit", "Grüße".encode("iso-8859-1")),
        ("BINARY", "Grüße".encode("iso-8859-1")),
    ],
)
def test_parts_are_decoded(encoding: str, encoded: bytes) -> None:
    head = (
        f"From: a@b.example\nContent-Type: text/calendar; charset=iso-8859-1\nContent-Transfer-Encoding: {encoding}\n\n"
    )
    part = Incoming.read(head.encode() + encoded).calendar()
    assert part is not None
    assert part.text().decode() == "Grüße"


@pytest.mark.parametrize("charset", ["unicode_escape", "idna", "utf-7", "rot13", "x" * 100])
def test_no_strange_character_set_is_tried(charset: str) -> None:
    part = Incoming.read(f"From: a@b.example\nContent-Type: text/calendar; charset={charset}\n\nx".encode()).calendar()
    assert part is not None
    with pytest.raises(Unreadable):
        part.text()


AUTHORS = {
    "bo@other.example": "bo@other.example",
    "Bo <BO@Other.Example>": "bo@other.example",
    '"Baker, Bo" <bo@other.example>': "bo@other.example",
    '"Bo <x@y.example>" <bo@other.example>': "bo@other.example",
    "=?utf-8?q?B=C3=B6?= <bo@other.example>": "bo@other.example",
    "bo@other.example (Bo)": "bo@other.example",
    "Bo\r\n <bo@other.example>": "bo@other.example",
}


@pytest.mark.parametrize("field", AUTHORS)
def test_the_author_is_the_one_address_in_from(field: str) -> None:
    assert Incoming.read(mail(REPLY, author=field)).author == AUTHORS[field]


@pytest.mark.parametrize(
    "field",
    [
        "",
        "Bo",
        "a@b.example, c@d.example",
        "<a@b.example> <c@d.example>",
        "a@b.example <c@d.example>",
        "Bo <a@b.example> c@d.example",
        "a@b.example\r\nFrom: c@d.example",
        "Bo <@relay.example:a@b.example>",
        'Bo <"a b"@b.example>',
        "Bo <a@b.example",
        "Team: a@b.example;",
        "bö@other.example",
    ],
)
def test_a_from_field_that_can_be_read_in_two_ways_has_no_author(field: str) -> None:
    with pytest.raises(Unreadable):
        _ = Incoming.read(mail(REPLY, author=field)).author


def test_nesting_and_parts_are_bounded() -> None:
    Incoming.read(nested(MOST_LEVELS))
    for bomb in (nested(MOST_LEVELS + 1), nested(20_000)):
        with pytest.raises(Unreadable):
            Incoming.read(bomb)
    many = b'From: a@b.example\r\nContent-Type: multipart/mixed; boundary="b"\r\n' + b"\r\n--b\r\n\r\nx" * (
        MOST_PARTS + 5
    )
    with pytest.raises(Unreadable):
        Incoming.read(many)


BOMBS = {
    "fields": b"X: y\r\n" * 20_000,
    "one field": b"X: " + b"y" * 2_000_000,
    "folds": b"X: y\r\n" + b" y\r\n" * 500_000,
    "quotes in a Content-Type": b"Content-Type: multipart/mixed; boundary=" + b'";' * 60_000,
    "semicolons in a Content-Type": b"Content-Type: multipart/mixed" + b";a=b" * 30_000,
    "comments in From": b"From: " + b"(" * 100_000 + b"a@b.example",
    "boundaries": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 400_000,
    "delimiters almost": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + (b"\r\n--b" + b" " * 1000) * 2_000,
    "line ends": b"\n" * 2_000_000,
    "results": b"Authentication-Results: mx; " + b"(" * 50_000 + b"a=b;" * 10_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_hostile_mail_costs_little(name: str) -> None:
    began = time.process_time()
    try:
        found = Incoming.read(BOMBS[name] + b"\r\n\r\n")
        vouched(found, "b.example", {"mx"})
        read_bounce(found)
        found.calendar()
        _ = found.author
    except Unreadable:
        pass
    assert time.process_time() - began < 1.0


def read_or_refused(content: bytes) -> None:
    try:
        found = Incoming.read(content)
        read_bounce(found)
        part = found.calendar()
        if part is not None:
            part.text()
        _ = found.author
    except Unreadable:
        pass


@given(st.binary(max_size=3000) | st.binary(max_size=300).map(lambda some: mail(REPLY).replace(b"answer", some)))
def test_whatever_comes_is_read_or_refused(content: bytes) -> None:
    read_or_refused(content)


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=5))
def test_a_mail_that_is_damaged_anywhere_is_read_or_refused(at: int, by: bytes) -> None:
    content = bytearray(bounced() if at % 2 else mail(REPLY))
    content[at % len(content) : at % len(content) + len(by)] = by
    read_or_refused(bytes(content))


# -- Authentication-Results


def results(*fields: str, more: tuple[str, ...] = (), hops: int = 0) -> str | None:
    first = [f"Authentication-Results: {each}" for each in fields]
    return vouched(Incoming.read(mail(REPLY, first=first, more=more)), "other.example", {"mx.example.com"}, hops)


@pytest.mark.parametrize(
    "field",
    [
        "mx.example.com; dmarc=pass header.from=other.example",
        "MX.example.com 1; spf=fail; DMARC=Pass (p=none) header.from=Other.Example",
        "mx.example.com;\r\n dkim=pass (2048-bit key; unprotected) header.d=other.example header.s=x",
        'mx.example.com; dkim=pass reason="good; really" header.i="@mail.other.example"',
        "mx.example.com (a (nested) comment; dkim=fail); dkim=pass header.d=other.example",
        "mx.example.com; dkim/1 = pass header.d = other.example",
    ],
)
def test_a_trusted_mail_server_is_believed(field: str) -> None:
    assert results(field) is not None


@pytest.mark.parametrize(
    "field",
    [
        "mx.evil.example; dmarc=pass header.from=other.example",
        "mx.example.com; dmarc=fail header.from=other.example",
        "mx.example.com; dmarc=pass header.from=evil.example",
        "mx.example.com; dkim=pass header.d=evil.example",
        "mx.example.com; dkim=pass header.d=example",
        "mx.example.com; spf=pass smtp.mailfrom=other.example",
        "mx.example.com; (dkim=pass header.d=other.example)",
        'mx.example.com; dkim=fail reason="; dkim=pass header.d=other.example"',
        'mx.example.com; x=y z="dkim=pass header.d=other.example"',
        "mx.example.com; dkim=fail dkim=pass header.d=other.example",
        "mx.example.com; none",
        "",
        ";;;",
    ],
)
def test_nothing_else_is_believed(field: str) -> None:
    assert results(field) is None


def test_what_stands_below_a_received_field_may_be_of_the_sender() -> None:
    forged = "Authentication-Results: mx.example.com; dmarc=pass header.from=other.example"
    assert results(more=(forged,)) is None
    assert results(more=(forged,), hops=1) is not None
    assert results(more=("Received: from x by y; now", forged), hops=1) is None


# -- mail that came back


def test_a_mail_that_came_back_says_what_it_was_about() -> None:
    found = read_bounce(Incoming.read(bounced()))
    assert found is not None
    assert (found.uid, found.recipient) == ("m-1", "bo@other.example")
    assert "550 no such user" in found.detail


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded", ""])
def test_a_mail_that_is_only_late_has_not_come_back(action: str) -> None:
    assert read_bounce(Incoming.read(bounced(action))) is None


# -- reply addresses


@given(st.integers(1, 2**40), st.text(min_size=1, max_size=50), st.text(min_size=1, max_size=50))
def test_a_reply_address_is_for_one_principal_invitee_and_uid(principal: int, invitee: str, uid: str) -> None:
    address = TOKENS.address_for(principal, invitee, uid)
    assert len(address.partition("@")[0]) <= 64
    token = TOKENS.read(address.upper())
    assert token is not None
    assert token.principal == principal
    assert TOKENS.proves(token, invitee, uid)
    assert not TOKENS.proves(token, invitee + uid, "")
    assert not TOKENS.proves(token, invitee, uid + "x")
    another = TOKENS.read(address.replace(f"+{principal}-", f"+{principal + 1}-"))
    assert another is not None
    assert not TOKENS.proves(another, invitee, uid)


@pytest.mark.parametrize(
    "address", ["calendar@example.com", "calendar+@example.com", "calendar+1-@example.com", "", "@"]
)
def test_other_addresses_are_none(address: str) -> None:
    assert TOKENS.read(address) is None
