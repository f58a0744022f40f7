"""Connections of mail servers: LMTP has an answer for each recipient, and what comes in is bounded (RFC 2033)."""

import smtplib
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_twisted
from letterbox import mail
from pytest_twisted import ensureDeferred
from twisted.internet import reactor  # noqa: TID251 - that of pytest-twisted
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.threads import deferToThread

from calserver.config import Mail
from calserver.scheduling.mail import Lmtp, Reception, Smtp, Verdict
from calserver.scheduling.mail import reception as limits


class Listener:
    """Takes every mail, or what is said by the local part of the recipient."""

    def __init__(self) -> None:
        self.config = Mail(message_bytes=10_000)
        self.taken: list[tuple[str, Sequence[str], bytes]] = []

    def expects(self, recipient: str) -> bool:
        return not recipient.startswith("nobody")

    async def receive(self, sender: str, recipients: Sequence[str], content: bytes) -> list[Verdict]:
        self.taken.append((sender, tuple(recipients), content))
        if recipients[0].startswith("bug"):
            raise RuntimeError("a bug")
        return [Verdict(550 if each.startswith("no") else 250, f"5.0.0 for {each}") for each in recipients]


class Place:
    """A listener with its ports."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.ports: dict[type[Lmtp], int] = {}


@pytest_twisted.async_yield_fixture()
async def place() -> AsyncIterator[Place]:
    made, listening = Place(), []
    for kind in (Lmtp, Smtp):
        factory = Reception("cal.example.com", kind, made.listener)  # type: ignore[arg-type]
        listening.append((await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory), factory))
        made.ports[kind] = listening[-1][0].getHost().port
    yield made
    for port, factory in listening:
        await maybeDeferred(port.stopListening)
        await factory.stop()


def dialogue(port: int, *blocks: bytes) -> list[bytes]:
    """Send blocks, each after an answer to the one before; returns all lines that came, until the other end closes."""
    lines: list[bytes] = []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, connection.makefile("rb") as answers:
        for each in (b"", *blocks):
            connection.sendall(each)
            while line := answers.readline():
                lines.append(line.rstrip())
                if line[3:4] == b" ":
                    break
        connection.shutdown(socket.SHUT_WR)
        lines += [line.rstrip() for line in answers.readlines()]
    return lines


ENVELOPE = (b"LHLO x\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<a@x.example>\r\n", b"DATA\r\n")


@ensureDeferred
async def test_lmtp_answers_for_each_recipient(place: Place) -> None:
    recipients = [b"RCPT TO:<%s@x.example>\r\n" % name for name in (b"a", b"no", b"nobody", b"b")]
    content = mail(None).replace(b"Yes.", b"Yes\r\n..")
    blocks = [ENVELOPE[0], b"MAIL FROM:<bo@other.example> SIZE=100 BODY=8BITMIME\r\n", *recipients, b"DATA\r\n"]
    lines = await deferToThread(dialogue, place.ports[Lmtp], *blocks, content + b".\r\n")
    assert [line[:3] for line in lines[-8:]] == [b"250", b"250", b"550", b"250", b"354", b"250", b"550", b"250"]
    assert lines[-2] == b"550 5.0.0 for no@x.example"
    ((sender, taken, arrived),) = place.listener.taken
    assert sender == "bo@other.example"
    assert taken == ("a@x.example", "no@x.example", "b@x.example")
    assert arrived == content.replace(b"..", b".")


@ensureDeferred
async def test_python_speaks_lmtp_with_it(place: Place) -> None:
    def talk() -> dict[str, Any]:
        with smtplib.LMTP("127.0.0.1", place.ports[Lmtp]) as client:
            assert client.ehlo()[0] == 250
            assert client.has_extn("size")
            return client.sendmail("", ["b@x.example"], b"From: x@y\r\n\r\n.\r\n")

    assert await deferToThread(talk) == {}
    assert place.listener.taken == [("", ("b@x.example",), b"From: x@y\r\n\r\n.\r\n")]


@ensureDeferred
async def test_smtp_takes_one_recipient_at_a_time(place: Place) -> None:
    def talk() -> Any:
        with smtplib.SMTP("127.0.0.1", place.ports[Smtp]) as client:
            return client.sendmail("bo@other.example", ["a@x.example", "b@x.example"], mail(None))

    refused = await deferToThread(talk)
    assert {name: code for name, (code, _) in refused.items()} == {"b@x.example": 452}
    assert place.listener.taken[0][1] == ("a@x.example",)


@ensureDeferred
async def test_what_is_too_large_is_refused_after_it_was_thrown_away(place: Place) -> None:
    body = b"x" * 1000 + b"\r\n"
    lines = await deferToThread(
        dialogue, place.ports[Lmtp], *ENVELOPE, body * 1000 + b".\r\n", *ENVELOPE[1:], b"X: ok\r\n.\r\n"
    )
    assert b"552 5.3.4 it is too large" in lines
    assert lines[-1].startswith(b"250")
    assert [content for _, _, content in place.listener.taken] == [b"X: ok\r\n"]


@ensureDeferred
async def test_a_line_without_end_ends_the_connection(place: Place) -> None:
    """Otherwise what follows would be taken for commands."""
    smuggled = b"x" * 20_000 + b"\r\nRSET\r\nMAIL FROM:<eve@evil.example>\r\n"
    lines = await deferToThread(dialogue, place.ports[Lmtp], *ENVELOPE, smuggled)
    assert lines[-1] == b"500 5.5.2 a line is too long"
    assert place.listener.taken == []


@ensureDeferred
async def test_a_mail_ends_with_its_own_line_end_alone(place: Place) -> None:
    """A bare line feed around the dot is content (SMTP smuggling)."""
    inner = b"X: first\n.\nMAIL FROM:<eve@evil.example>\r\n..\r\n.\r\n"
    await deferToThread(dialogue, place.ports[Lmtp], *ENVELOPE, inner)
    ((_, _, content),) = place.listener.taken
    assert content == b"X: first\n.\nMAIL FROM:<eve@evil.example>\r\n.\r\n"


@pytest.mark.parametrize(
    ("kind", "block", "code"),
    [
        (Lmtp, b"EHLO x\r\n", b"500"),
        (Smtp, b"LHLO x\r\n", b"500"),
        (Lmtp, b"DATA\r\n", b"503"),
        (Lmtp, b"RCPT TO:<a@x.example>\r\n", b"503"),
        (Lmtp, b"MAIL FROM:<a b@c>\r\n", b"501"),
        (Lmtp, b"\xff\xfe\r\n", b"500"),
        (Lmtp, b"\r\n", b"500"),
        (Lmtp, b"STARTTLS\r\n", b"500"),
        (Lmtp, b"AUTH PLAIN\r\n", b"500"),
    ],
)
@ensureDeferred
async def test_other_commands_are_refused(place: Place, kind: type[Lmtp], block: bytes, code: bytes) -> None:
    lines = await deferToThread(dialogue, place.ports[kind], block)
    assert lines[-1][:3] == code


@ensureDeferred
async def test_a_bug_leaves_the_mail_with_the_mail_server(place: Place) -> None:
    envelope = [*ENVELOPE[:2], b"RCPT TO:<bug@x.example>\r\n", b"DATA\r\n"]
    lines = await deferToThread(dialogue, place.ports[Lmtp], *envelope, b"x\r\n.\r\n")
    assert lines[-1] == b"451 4.3.0 something went wrong here"


@ensureDeferred
async def test_recipients_and_connections_are_bounded(place: Place) -> None:
    many = [b"RCPT TO:<a%d@x.example>\r\n" % n for n in range(limits.MOST_RECIPIENTS + 1)]
    lines = await deferToThread(dialogue, place.ports[Lmtp], *ENVELOPE[:2], *many)
    assert [line[:3] for line in lines].count(b"452") == 1

    def crowd() -> list[bytes]:
        held = [socket.create_connection(("127.0.0.1", place.ports[Lmtp]), timeout=10) for _ in range(60)]
        try:
            return [each.recv(100)[:3] for each in held]
        finally:
            for each in held:
                each.close()

    greetings = await deferToThread(crowd)
    assert greetings.count(b"220") == limits.MOST_CONNECTIONS
