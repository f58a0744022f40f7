"""``ischedule`` as a process: it pings a real receiver that a real name server names, and verifies captures."""

import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import pytest
import pytest_twisted
from certificates import Authority
from click.testing import CliRunner
from houses import UNLIMITED, House, posted
from letters import ANNA, BO, NOW, changed, event, letter, private_key, record, signed
from nameservers import Nsd, zone
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.utils import getProcessOutputAndValue

from ischedule import dkim
from ischedule.cli import Given, commands
from ischedule.explain import explain_message, read_capture
from ischedule.message import Message

HOST = "cal.receiver.example"


class Ran(NamedTuple):
    """What a process has said."""

    output: str
    errors: str
    status: int


async def run(*arguments: str, folder: Path) -> Ran:
    code = "from ischedule.cli import main; main()"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    ran = await getProcessOutputAndValue(
        sys.executable, ["-c", code, *arguments], environment, str(folder), reactor=reactor
    )
    return Ran(ran[0].decode(), ran[1].decode(), ran[2])


class World(NamedTuple):
    """A receiver, a name server that names it, and how to tell a command of both."""

    house: House
    options: list[str]
    folder: Path

    async def run(self, *arguments: str) -> Ran:
        return await run(*arguments, *self.options, folder=self.folder)


@pytest_twisted.async_yield_fixture()
async def house() -> AsyncIterator[House]:
    made = House(UNLIMITED)
    made.now = time.time()
    yield made
    await made.close()


@pytest_twisted.async_yield_fixture()
async def world(
    house: House, listen: Any, authority: Authority, program: Callable[[str], str], tmp_path: Path
) -> AsyncIterator[World]:
    port = await listen(house.site, HOST)
    records = (f"_ischedules._tcp SRV 0 0 {port} cal", "cal A 127.0.0.1", f'cal1._domainkey TXT "{record()}"')
    zones = {
        "receiver.example": zone("receiver.example", *records),
        "sender.example": zone("sender.example", f'cal1._domainkey TXT "{record()}"', 'old._domainkey TXT "p="'),
    }
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "key.pem").write_bytes(dkim.private_text(private_key()))
    with Nsd(program("nsd"), tmp_path, zones) as server:
        yield World(house, ["--resolver", f"127.0.0.1:{server.port}"], tmp_path)


LOCAL = ("--allow", "127.0.0.0/8", "--ca", "ca.pem")
ASK = ("--ask", BO, "--as", "anna@sender.example", "--key", "key.pem", "--key-selector", "cal1")


@pytest_twisted.ensureDeferred
async def test_ping_explains_each_step(world: World) -> None:
    ran = await world.run("ping", "receiver.example", "--selector", "cal1", *LOCAL)
    assert (ran.status, ran.errors) == (0, "")
    lines = ran.output.splitlines()
    subjects = [line[4:].split()[0] for line in lines]
    assert subjects == ["service", "server", "addresses", "connection", "capabilities", "accepts", "limits", "key"]
    assert not [line for line in lines if line.startswith("BAD")]
    assert "VFREEBUSY (REQUEST)" in ran.output
    assert "100 recipients" in ran.output


@pytest_twisted.ensureDeferred
async def test_ping_asks_a_question(world: World) -> None:
    world.house.office.busy = b"BEGIN:VCALENDAR\r\nFREEBUSY;FBTYPE=BUSY:20260101T1000\r\n 00Z/PT1H\r\nEND:VCALENDAR\r\n"
    ran = await world.run("ping", "receiver.example", "--json", *ASK, *LOCAL)
    steps = {step["subject"]: step for step in json.loads(ran.output)}
    assert (ran.status, ran.errors) == (0, "")
    assert steps["our key"]["text"] == "dns/txt, cal1 of sender.example: the signature is good"
    assert steps["question"]["text"] == f"{BO}: 2.0;Success"
    assert steps["busy"]["text"] == "20260101T100000Z/PT1H"
    (delivery,) = world.house.office.deliveries
    assert (delivery.originator, delivery.message.asks_free_busy) == (ANNA, True)


@pytest_twisted.ensureDeferred
async def test_ping_says_what_is_wrong(world: World) -> None:
    cases = (
        (("sender.example", *LOCAL), "has no iSchedule service"),
        (("receiver.example", "--allow", "127.0.0.0/8"), "certificate"),
        (("receiver.example", "--ca", "ca.pem"), "is not to be connected to"),
        (("receiver.example", "--selector", "cal9", *LOCAL), "no TXT record at cal9._domainkey.receiver.example"),
        (("receiver.example", *LOCAL, *ASK[:-1], "old"), "the key is revoked"),
    )
    every = [Deferred.fromCoroutine(world.run("ping", *arguments)) for arguments, _ in cases]
    for ran, (_, words) in zip(await gatherResults(every), cases, strict=True):
        assert (ran.status, ran.errors) == (1, "")
        assert words in next(line for line in ran.output.splitlines() if line.startswith("BAD")), ran.output


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("ping", "a b"), 2),
        (("ping", "x.example", "--allow", "here"), 2),
        (("ping", "x.example", "--ask", BO), 2),
        (("ping", "x.example", "--resolver", "here"), 2),
        (("ping", "x.example", "--ca", "missing.pem"), 1),
        (("ping", "x.example", *ASK), 1),
        (("verify", "missing.txt"), 1),
        (("keygen", "a b"), 2),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(commands, arguments)
    assert (ran.exit_code, "Traceback" in ran.output) == (status, False)
    assert "Error: " in ran.output


# -- verify ----------------------------------------------------------------------------------------------------------

AT = "2026-01-01T00:01:00Z"


@pytest.fixture
def capture(tmp_path: Path) -> Callable[[bytes], str]:
    def write(content: bytes) -> str:
        (tmp_path / "request.txt").write_bytes(content)
        return "request.txt"

    return write


@pytest_twisted.ensureDeferred
async def test_verify_goes_through_a_message(world: World, capture: Callable[[bytes], str]) -> None:
    message = signed()
    ran = await world.run("verify", capture(posted(message.fields, message.body)), "--at", AT)
    assert (ran.status, ran.errors) == (0, "")
    assert [line[:3].strip() for line in ran.output.splitlines()] == ["ok"] * 6
    ran = await world.run("verify", "request.txt")  # now
    assert ran.status == 1
    assert "BAD signature" in ran.output
    assert "ok  calendar" in ran.output, "it goes on"


@pytest.mark.parametrize(
    ("message", "key", "words"),
    [
        (letter(), record(), "not signed"),
        (attrs.evolve(signed(), body=event(uid="x")), record(), "The body is not the one that was signed."),
        (signed(), record("cal2"), "not made with this key"),
        (signed(), "p=", "revoked"),
        (signed(domain="other.example"), record(), "may not speak for users of sender.example"),
        (signed(letter(recipients=(BO, "mailto:x@y.example"))), record(), "must be an ATTENDEE"),
        (signed(letter(b"hello")), record(), "invalid-calendar-data"),
        (attrs.evolve(signed(), fields=changed(signed().fields, "Originator", None)), record(), "originator-missing"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_wrong_with_a_message(message: Message, key: str, words: str) -> None:
    steps = [step async for step in explain_message(message.fields, message.body, Given((key,)), now=NOW)]
    assert words in " ".join(step.text for step in steps if step.good is False)


@pytest.mark.parametrize("content", [b"", b"hello", b"hello\r\n\r\nx", b"POST / HTTP/1.1\r\n\r\n"])
def test_what_is_no_capture(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"header fields"):
        read_capture(content)


def test_captures_are_read_in_whatever_form() -> None:
    message = signed()
    plain = posted(message.fields, message.body)
    expected = [value.strip() for _, value in message.fields]
    head, _, body = plain.partition(b"\r\n\r\n")
    chunked = head.replace(b"Content-Length", b"X-Length") + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    for content in (
        plain,
        plain.partition(b"\r\n")[2],
        head.replace(b"\r\n", b"\n") + b"\n\n" + body,
        plain + b"\n",
        chunked + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
        plain.replace(b"Recipient: ", b"Recipient:\r\n "),
    ):
        fields, found = read_capture(content)
        values = [
            value.strip()
            for name, value in fields
            if name not in ("Host", "Content-Length", "X-Length", "Transfer-Encoding")
        ]
        assert values == expected
        assert found == message.body
        assert dkim.verify(dkim.examine(fields, now=NOW), fields, found, (record(),)).valid


# -- keygen ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["rsa", "ed25519"])
def test_keygen_writes_a_key_and_prints_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["keygen", "Sender.Example", "--algorithm", algorithm, "--selector", "one"]
    ran = CliRunner().invoke(commands, arguments)
    path = tmp_path / "sender.example.one.pem"
    assert (ran.exit_code, path.stat().st_mode & 0o777) == (0, 0o600)
    assert "one._domainkey.sender.example. TXT (" in ran.output
    strings = ran.output.split('"')[1::2]
    assert max(map(len, strings)) <= 255
    assert "".join(strings) == dkim.key_record(dkim.load_private_key(path.read_bytes()))
    before = path.read_bytes()
    assert CliRunner().invoke(commands, arguments).exit_code == 1
    assert path.read_bytes() == before, "nothing is overwritten"
    other = CliRunner().invoke(commands, ["keygen", "sender.example", "--out", "x.pem", "--any-service", "--json"])
    assert "s=" not in json.loads(other.output)["content"].partition("p=")[0]
