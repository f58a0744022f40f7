"""Mail with a real mail server: what we send arrives signed, what is sent to us is taken or refused (docs/mail.md)."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from email import message_from_bytes, policy
from typing import Any

import dkim
import pytest
import pytest_twisted
from certificates import Authority
from counter import Counter
from exim import LOGIN, PASSWORD, PLAIN, USER, WAIT_SECONDS, Exim
from letterbox import TOKENS, calendar, mail, outgoing, people
from pytest_twisted import ensureDeferred
from twisted.internet import reactor  # noqa: TID251 - that of pytest-twisted
from twisted.internet.defer import DeferredQueue, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from calserver.scheduling.mail import SENT, UNDELIVERABLE, Desk, Lmtp, Mailer, Outcome, Reception, Verdict, rehearse
from ischedule.dkim import generate, key_record, private_text

BO = "mailto:bo@other.example"
PRIVATE = generate("rsa")


class Watched:
    """A desk that tells what it has said of each recipient."""

    def __init__(self, desk: Desk) -> None:
        self.config, self.expects = desk.config, desk.expects
        self.said: DeferredQueue[Verdict] = DeferredQueue()
        self._desk = desk

    async def receive(self, sender: str, recipients: Sequence[str], content: bytes) -> list[Verdict]:
        verdicts = await self._desk.receive(sender, recipients, content)
        for each in verdicts:
            self.said.put(each)
        return verdicts


class Town:
    """A calendar server that takes mail, and what is needed for mail servers beside it."""

    def __init__(self, counter: Counter, watched: Watched, port: int, exim: str) -> None:
        self.counter, self.watched, self.lmtp = counter, watched, port
        self._exim = exim
        self._authority = Authority()
        folder = counter.folder
        (folder / "ca.pem").write_bytes(self._authority.pem)
        (folder / "other-ca.pem").write_bytes(Authority("Another").pem)
        (folder / "password").write_text(f"{PASSWORD}\n")
        (folder / "wrong").write_text("wrong\n")
        (folder / "m1.pem").write_bytes(private_text(PRIVATE))

    def exim(self, mechanism: dict[str, str] = PLAIN) -> Exim:
        """A mail server that is trusted by `mailer`."""
        return Exim(self._exim, *self._authority.pem_for("localhost"), self.lmtp, mechanism)

    async def verdict(self) -> Verdict:
        """What is said next of a recipient."""
        return await self.watched.said.get().addTimeout(WAIT_SECONDS, reactor)

    def options(self, exim: Exim, **options: Any) -> dict[str, Any]:
        usual = {"server": "localhost", "port": exim.port, "authorities_file": "ca.pem", "timeout_seconds": 10.0}
        login = {"user": USER, "password_file": "password"}
        signing = {"dkim": "file", "dkim_selector": "m1", "dkim_key_file": "m1.pem"}
        return usual | login | signing | options

    def mailer(self, exim: Exim, **options: Any) -> Mailer:
        return Mailer.of(self.counter.config(**self.options(exim, **options)), self.counter.folder / "keys", reactor)


@pytest_twisted.async_yield_fixture()
async def town(counter: Counter, program: Callable[[str], str]) -> AsyncIterator[Town]:
    exim = program("exim4")
    watched = Watched(counter.desk(trusted_results=("mx.example.com",), verify_dkim=False))
    reception = Reception("cal.example.com", Lmtp, watched)  # type: ignore[arg-type]
    port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(reception)
    yield Town(counter, watched, port.getHost().port, exim)
    await maybeDeferred(port.stopListening)
    await reception.stop()


async def mailbox(exim: Exim, mails: int = 1) -> list[bytes]:
    """The mails in the mailbox, as soon as there are so many."""
    for _ in range(int(WAIT_SECONDS / 0.05)):
        if len(found := exim.mails) >= mails:
            return found
        await deferLater(reactor, 0.05)
    raise AssertionError(f"the mail did not arrive:\n{exim.log()}")


def key(name: bytes, timeout: float = 0) -> bytes:
    assert name == b"m1._domainkey.example.com."
    return key_record(PRIVATE, service="*").encode()


def invitation(**changes: Any) -> Any:
    return outgoing(calendar("REQUEST", *people(), "SUMMARY:Überraschung", "DESCRIPTION:.\\n..\\n.x"), **changes)


# -- out


@pytest.mark.parametrize("mechanism", [PLAIN, LOGIN], ids=["plain", "login"])
@pytest.mark.parametrize("security", ["starttls", "tls"])
@ensureDeferred
async def test_a_mail_arrives_signed_over_tls_after_a_login(
    town: Town, mechanism: dict[str, str], security: str
) -> None:
    with town.exim(mechanism) as exim:
        port = exim.port if security == "starttls" else exim.secure
        (outcome,) = await town.mailer(exim, security=security, port=port).deliver([invitation()])
        assert outcome.status == SENT, outcome.detail
        (arrived,) = await mailbox(exim)
        log = exim.log()
    assert re.search(r"P=esmtpsa X=TLS1\.[23]\S* .*A=plain ", log) is not None
    signature = arrived[arrived.index(b"DKIM-Signature") :]
    assert dkim.verify(signature, dnsfunc=key)
    found: Any = message_from_bytes(signature, policy=policy.default)
    assert found["Subject"] == "Invitation: Überraschung"
    assert ".\r\n..\r\n.x" in found.get_body(("plain",)).get_content().replace("\r\n", "\n").replace("\n", "\r\n")
    address = TOKENS.address_for(17, BO, "m-1")
    assert f"<= {address} " in log
    assert found["Reply-To"] == address


@ensureDeferred
async def test_each_mail_of_a_batch_has_its_own_outcome(town: Town) -> None:
    recipients = ["bo", "refused", "later", "urn:x", "cy"]
    letters = [invitation(recipient=each if ":" in each else f"mailto:{each}@other.example") for each in recipients]
    with town.exim() as exim:
        outcomes: list[Outcome] = await town.mailer(exim).deliver(letters)
        arrived = await mailbox(exim, 2)
        connections = re.findall(r"<= \S+ .*\[127\.0\.0\.1\] P=", exim.log())
    assert [each.status for each in outcomes] == [SENT, UNDELIVERABLE, None, UNDELIVERABLE, SENT]
    assert "5.7.1 not here" in outcomes[1].detail
    assert "4.2.0 come again" in outcomes[2].detail
    assert len(arrived) == len(connections) == 2


@ensureDeferred
async def test_one_person_sends_no_more_than_a_day_has(town: Town) -> None:
    with town.exim() as exim:
        mailer = town.mailer(exim, daily_mails=2)
        later = invitation(recipient="mailto:later@other.example")
        assert [each.status for each in await mailer.deliver([later, later, later])] == [None, None, UNDELIVERABLE]
        outcomes = await mailer.deliver([invitation(), invitation(), invitation(), invitation(principal=18)])
        await mailbox(exim, 3)
    assert [each.status for each in outcomes] == [SENT, SENT, UNDELIVERABLE, SENT]
    assert "mail.daily_mails" in outcomes[2].detail


@pytest.mark.parametrize(
    ("options", "detail"),
    [
        ({"password_file": "wrong"}, "535"),
        ({"authorities_file": "other-ca.pem"}, "certificate verify failed"),
        ({"authorities_file": ""}, "certificate verify failed"),
        ({"user": "", "server": "127.0.0.1"}, "TLS"),
        ({"port": 1}, "refused"),
    ],
)
@ensureDeferred
async def test_what_is_wrong_with_the_connection_is_no_fault_of_the_mail(
    town: Town, options: dict[str, Any], detail: str
) -> None:
    with town.exim() as exim:
        (outcome,) = await town.mailer(exim, **options).deliver([invitation()])
        assert exim.mails == []
    assert outcome.again
    assert detail.lower() in outcome.detail.lower()


@ensureDeferred
async def test_the_rehearsal_says_each_step(town: Town) -> None:
    with town.exim() as exim:
        config = town.counter.config(**town.options(exim))
        done = await rehearse(config, town.counter.folder / "keys", "somebody@other.example", reactor)
        (arrived,) = await mailbox(exim)
    assert done.sent
    for step in ("signed with the key m1", "connected to localhost", "TLSv1.", "logged in as calendar", "250 OK"):
        assert any(step in each for each in done.steps), done.steps
    assert b"Nothing needs to be done" in arrived


# -- in


@ensureDeferred
async def test_an_answer_to_the_reply_address_arrives_and_counts(town: Town) -> None:
    town.counter.invite()
    address = TOKENS.address_for(town.counter.id(), BO, "m-1")
    reply = mail(calendar("REPLY", *people(f"mailto:{address}", BO, answer="ACCEPTED")), to=address)
    with town.exim() as exim:
        await deferToThread(exim.send, reply, "bo@other.example", address)
        verdict = await town.verdict()
    assert verdict.code == 250
    assert town.counter.stands()[0] == "ACCEPTED"


REPLY = calendar("REPLY", *people(answer="ACCEPTED"))
RESULTS = "Authentication-Results: mx.example.com; dmarc=pass header.from=other.example"
FORGED = {
    "another author": (mail(REPLY, author="eve@other.example"), True),
    "no reply address": (mail(REPLY), False),
    "results that the sender has written": (mail(REPLY, first=[RESULTS]), False),
    "results of somebody else": (mail(REPLY, first=[RESULTS.replace("mx.", "mx2.")]), False),
}


@pytest.mark.parametrize("name", FORGED)
@ensureDeferred
async def test_a_forged_answer_is_refused(town: Town, name: str) -> None:
    town.counter.invite()
    content, knows = FORGED[name]
    address = TOKENS.address_for(town.counter.id(), BO, "m-1") if knows else "calendar@example.com"
    with town.exim() as exim:
        await deferToThread(exim.send, content, "eve@evil.example", address)
        verdict = await town.verdict()
    assert verdict.code == 550
    assert verdict.text.startswith("5.7.1")
    assert town.counter.stands()[0] == "NEEDS-ACTION"


@ensureDeferred
async def test_an_invitation_that_cannot_be_delivered_comes_back_and_is_noted(town: Town) -> None:
    gone = "mailto:gone@other.example"
    town.counter.invite(attendees=(gone,))
    text = calendar("REQUEST", *people("mailto:ann@example.com", gone))
    letter = outgoing(text, recipient=gone, principal=town.counter.id())
    with town.exim() as exim:
        (outcome,) = await town.mailer(exim).deliver([letter])
        assert outcome.status == SENT
        verdict = await town.verdict()
    assert verdict.code == 250
    assert town.counter.stands(gone)[1] == UNDELIVERABLE
