"""What becomes of mail that came in: answers are applied, and whoever speaks for others is refused (RFC 6047)."""

from typing import Any

import pytest
from counter import Counter
from letterbox import ADDRESS, ORGANIZER, TOKENS, bounced, calendar, mail, people
from pytest_twisted import ensureDeferred

from calserver.config import Peer
from calserver.scheduling.mail.signing import Signature
from ischedule.dkim import generate, key_record

BO = "mailto:bo@other.example"
PRIVATE = generate("rsa")
RECORD = key_record(PRIVATE, service="*")
SIGNED_BY = "m1._domainkey.other.example"


def reply(answer: str = "ACCEPTED", who: str = BO, organizer: str = ORGANIZER, uid: str = "m-1") -> bytes:
    return calendar("REPLY", *people(organizer, who, answer=answer), uid=uid)


def reply_address(counter: Counter, who: str = BO, uid: str = "m-1") -> str:
    return TOKENS.address_for(counter.id(), who, uid)


def txt(record: str) -> list[str]:
    return [" ".join(f'"{record[at : at + 200]}"' for at in range(0, len(record), 200))]


def signed(content: bytes, domain: str = "other.example") -> bytes:
    return Signature(domain, "m1", PRIVATE)(content)


# -- answers to the reply address


@ensureDeferred
async def test_an_answer_to_the_reply_address_is_applied(counter: Counter) -> None:
    counter.invite()
    address = reply_address(counter)
    said = await counter.takes(mail(reply(organizer=f"mailto:{address}")), address)
    assert (said.code, counter.stands()) == (250, ("ACCEPTED", "2.0"))


@ensureDeferred
async def test_an_answer_that_comes_twice_is_one_answer(counter: Counter) -> None:
    counter.invite()
    address = reply_address(counter)
    for _ in range(2):
        assert (await counter.takes(mail(reply()), address)).code == 250
    before = counter.copy()
    assert (await counter.takes(mail(reply()), address.upper())).code == 250
    assert counter.copy() == before


@ensureDeferred
async def test_an_answer_to_the_author_of_the_mail_has_the_reply_address_as_organizer(counter: Counter) -> None:
    """Some programs answer to From, whatever Reply-To and ORGANIZER say."""
    counter.invite()
    organizer = f"mailto:{reply_address(counter)}"
    assert (await counter.takes(mail(reply(organizer=organizer)), ADDRESS)).code == 250
    assert counter.stands()[0] == "ACCEPTED"


@ensureDeferred
async def test_each_recipient_has_an_answer_of_its_own(counter: Counter) -> None:
    counter.invite()
    verdicts = await counter.desk().receive("", [ADDRESS, reply_address(counter)], mail(reply()))
    assert [each.code for each in verdicts] == [550, 250]


FORGED = {
    "another author": mail(reply(), author="eve@evil.example"),
    "another author of the same domain": mail(reply(), author="eve@other.example"),
    "for somebody else": mail(reply(who="mailto:cy@far.example")),
    "for another meeting": mail(reply(uid="m-2")),
    "two authors": mail(reply(), author="bo@other.example, eve@evil.example"),
    "two From fields": mail(reply(), author="bo@other.example\r\nFrom: eve@evil.example"),
    "somebody here": mail(reply(who="mailto:cyd@example.com"), author="cyd@example.com"),
}


@pytest.mark.parametrize("name", FORGED)
@ensureDeferred
async def test_who_knows_a_reply_address_can_answer_for_its_invitee_alone(counter: Counter, name: str) -> None:
    counter.invite(attendees=(BO, "mailto:cy@far.example", "mailto:eve@other.example", "mailto:cyd@example.com"))
    counter.invite(uid="m-2")
    said = await counter.takes(FORGED[name], reply_address(counter))
    assert said.code == 550
    assert {counter.stands(each)[0] for each in (BO, "mailto:cy@far.example")} == {"NEEDS-ACTION"}


@pytest.mark.parametrize("detail", ["", "+", "+1-aaaaaaaaaaaaaaaaaaaaaaaa", "+2-"])
@ensureDeferred
async def test_without_the_right_reply_address_an_answer_needs_other_proof(counter: Counter, detail: str) -> None:
    counter.invite()
    said = await counter.takes(mail(reply()), ADDRESS.replace("@", f"{detail}@"))
    assert said.code == 550
    assert said.text.startswith("5.7.1")
    assert counter.stands()[0] == "NEEDS-ACTION"


@ensureDeferred
async def test_what_becomes_of_mail_is_written_down(counter: Counter) -> None:
    counter.invite()
    address = reply_address(counter)
    await counter.takes(mail(reply(), author="eve@evil.example"), address)
    await counter.takes(mail(reply()), address)
    await counter.takes(bounced(), address, sender="")
    refused, taken, returned = counter.audited()
    assert refused == {
        "what": "refused",
        "domain": "",
        "sender": "bo@other.example",
        "recipients": [address],
        "by": "mail",
        "reason": "5.7.1 eve@evil.example may speak for nobody else",
    }
    assert (taken["what"], taken["domain"], taken["uid"]) == ("REPLY", "other.example", "m-1")
    assert taken["proof"] == "the reply address"
    assert (returned["what"], returned["noted"]) == ("returned", True)


# -- other proof


@ensureDeferred
async def test_a_signature_of_the_domain_is_proof(counter: Counter) -> None:
    counter.invite()
    counter.names.records[SIGNED_BY, "TXT"] = txt(RECORD)
    assert (await counter.takes(signed(mail(reply())), "ann@example.com")).code == 250
    assert counter.stands()[0] == "ACCEPTED"


UNPROVED = {
    "unsigned": (mail(reply()), RECORD),
    "another body": (signed(mail(reply("DECLINED"))).replace(b"DECLINED", b"ACCEPTED"), RECORD),
    "another author": (signed(mail(reply(), author="eve@other.example")).replace(b"eve@", b"bo@"), RECORD),
    "another domain": (signed(mail(reply()), "evil.example"), RECORD),
    "another key": (signed(mail(reply())), key_record(generate("rsa"), service="*")),
    "a key that is not for mail": (signed(mail(reply())), key_record(PRIVATE)),
    "a revoked key": (signed(mail(reply())), "v=DKIM1; k=rsa; p="),
    "no key": (signed(mail(reply())), "hello"),
    "the beginning of the body": (signed(mail(reply())).replace(b"v=1;", b"v=1; l=10;"), RECORD),
    "an old algorithm": (signed(mail(reply())).replace(b"rsa-sha256", b"rsa-sha1"), RECORD),
}


@pytest.mark.parametrize("name", UNPROVED)
@ensureDeferred
async def test_a_signature_that_does_not_fit_is_none(counter: Counter, name: str) -> None:
    counter.invite()
    content, record = UNPROVED[name]
    for domain in ("other.example", "evil.example"):
        counter.names.records[f"m1._domainkey.{domain}", "TXT"] = txt(record)
    said = await counter.takes(content, "ann@example.com")
    assert (said.code, said.text[:5]) == (550, "5.7.1")
    assert counter.stands()[0] == "NEEDS-ACTION"


@ensureDeferred
async def test_a_silent_name_server_means_later(counter: Counter) -> None:
    counter.invite()
    counter.names.records[SIGNED_BY, "TXT"] = OSError("silence")
    assert (await counter.takes(signed(mail(reply())), "ann@example.com")).code == 451


@ensureDeferred
async def test_what_a_trusted_mail_server_has_found_out_is_proof_where_it_wrote_it(counter: Counter) -> None:
    counter.invite()
    field = "Authentication-Results: mx.example.com; dmarc=pass header.from=other.example"
    trusted = {"trusted_results": ("mx.example.com",)}
    for forged in (mail(reply(), more=[field]), mail(reply(), first=[field.replace("mx.", "mx2.")])):
        assert (await counter.takes(forged, "ann@example.com", **trusted)).code == 550
    assert (await counter.takes(mail(reply(), first=[field]), "ann@example.com")).code == 550
    assert counter.stands()[0] == "NEEDS-ACTION"
    assert (await counter.takes(mail(reply(), first=[field]), "ann@example.com", **trusted)).code == 250
    assert counter.stands()[0] == "ACCEPTED"


@ensureDeferred
async def test_what_is_proposed_by_mail_is_told_and_done_by_nobody(counter: Counter) -> None:
    """Outlook's "propose new time" (RFC 5546 section 3.2.7); it names the reply address as organizer."""
    counter.invite()
    address = reply_address(counter)
    proposal = calendar("COUNTER", *people(f"mailto:{address}", BO, answer="TENTATIVE"), "COMMENT:later?")
    assert (await counter.takes(mail(proposal, method="COUNTER"), address)).code == 250
    assert counter.methods() == ["COUNTER"]
    assert counter.stands()[0] == "NEEDS-ACTION"
    stranger = mail(proposal.replace(b"bo@other", b"eve@other"), author="eve@other.example", method="COUNTER")
    assert (await counter.takes(stranger, address)).code == 550
    assert (await counter.takes(mail(proposal, method="COUNTER"), address, methods=("REPLY",))).code == 550
    assert counter.methods() == ["COUNTER"]


# -- invitations of others


ZOE = "mailto:zoe@other.example"
ALL = {"methods": ("REPLY", "REQUEST", "CANCEL")}


def invitation(method: str = "REQUEST", organizer: str = ZOE, uid: str = "z-1", sequence: int = 0) -> bytes:
    return calendar(method, *people(organizer, organizer, "mailto:ann@example.com"), uid=uid, sequence=sequence)


@ensureDeferred
async def test_invitations_are_taken_where_the_site_says_so(counter: Counter) -> None:
    counter.names.records[SIGNED_BY, "TXT"] = txt(RECORD)
    content = signed(mail(invitation(), author="zoe@other.example", method="REQUEST"))
    assert (await counter.takes(content, "ann@example.com")).code == 550
    assert counter.copy(uid="z-1") is None
    assert (await counter.takes(content, "ann@example.com", **ALL)).code == 250
    assert counter.copy(uid="z-1") is not None
    gone = signed(mail(invitation("CANCEL", sequence=1), author="zoe@other.example", method="CANCEL"))
    assert (await counter.takes(gone, "ann@example.com", **ALL)).code == 250
    found = counter.copy(uid="z-1")
    assert found is not None
    assert found.components[0].value("STATUS") == "CANCELLED"


@ensureDeferred
async def test_an_invitation_comes_from_its_organizer_alone(counter: Counter) -> None:
    counter.names.records[SIGNED_BY, "TXT"] = txt(RECORD)
    for author, organizer in (("eve@other.example", ZOE), ("zoe@other.example", "mailto:cyd@example.com")):
        content = signed(mail(invitation(organizer=organizer), author=author, method="REQUEST"))
        assert (await counter.takes(content, "ann@example.com", **ALL)).code == 550
    unsigned = mail(invitation(), author="zoe@other.example", method="REQUEST")
    assert (await counter.takes(unsigned, "ann@example.com", **ALL)).code == 550
    ours = mail(invitation(organizer="mailto:cyd@example.com"), author="cyd@example.com", method="REQUEST")
    counter.names.records["m1._domainkey.example.com", "TXT"] = txt(RECORD)
    assert (await counter.takes(signed(ours, "example.com"), "ann@example.com", **ALL)).code == 550
    assert counter.copy(uid="z-1") is None


@pytest.mark.parametrize(
    "rules",
    [
        {"deny": ("other.example",)},
        {"allow": ("friend.example",)},
        {"strangers": "refuse"},
        {"peers": {"other.example": Peer(invitations="refuse")}},
    ],
)
@ensureDeferred
async def test_the_rules_for_other_organizations_are_those_for_mail(counter: Counter, rules: dict[str, Any]) -> None:
    counter.names.records[SIGNED_BY, "TXT"] = txt(RECORD)
    content = signed(mail(invitation(), author="zoe@other.example", method="REQUEST"))
    assert (await counter.takes(content, "ann@example.com", ischedule=rules, **ALL)).code == 550
    assert counter.copy(uid="z-1") is None


@ensureDeferred
async def test_answers_of_a_domain_may_be_unwanted(counter: Counter) -> None:
    counter.invite()
    rules = {"peers": {"other.example": Peer(replies=False)}}
    assert (await counter.takes(mail(reply()), reply_address(counter), ischedule=rules)).code == 550
    assert counter.stands()[0] == "NEEDS-ACTION"


# -- what is no answer


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (mail(None), 550),
        (mail(None, first=["Auto-Submitted: auto-replied"]), 250),
        (mail(reply(), method="REQUEST"), 550),
        (mail(b"BEGIN:VCALENDAR"), 550),
        (mail(calendar("PUBLISH", *people())), 550),
        (mail(reply(), first=["Received: by x"] * 60), 554),
        (b"no header\r\n\r\n", 550),
    ],
)
@ensureDeferred
async def test_the_rest_is_refused_or_dropped(counter: Counter, content: bytes, code: int) -> None:
    counter.invite()
    assert (await counter.takes(content, reply_address(counter))).code == code
    assert counter.stands()[0] == "NEEDS-ACTION"


# -- mail that came back


@ensureDeferred
async def test_a_mail_that_came_back_is_noted(counter: Counter) -> None:
    counter.invite()
    said = await counter.takes(bounced(), reply_address(counter), sender="")
    assert (said.code, counter.stands()) == (250, ("NEEDS-ACTION", "5.1"))


@pytest.mark.parametrize(
    "content", [bounced(uid="m-2"), bounced(to="cy@far.example"), bounced("delayed"), bounced(uid="")]
)
@ensureDeferred
async def test_a_notification_about_something_else_is_not(counter: Counter, content: bytes) -> None:
    counter.invite(attendees=(BO, "mailto:cy@far.example"))
    counter.invite(uid="m-2")
    before = counter.copy()
    await counter.takes(content, reply_address(counter), sender="")
    assert counter.copy() == before
