"""People whose domain has no calendar server get mail, and answer by mail: the daemon, Exim and a real name server."""

import re
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from certificates import Authority
from daemon import free_port
from diaries import status
from exim import PASSWORD, USER, Exim
from nameservers import Nsd, zone
from organizations import Organization, until

BO, CY, GONE = (f"mailto:{who}@west.example" for who in ("bo", "cy", "gone"))


class Site:
    """An organization, and the mail server that it shares with the people of west.example."""

    def __init__(self, north: Organization, exim: Exim) -> None:
        self.north, self.exim = north, exim

    def mails(self, uid: str, to: str) -> list[Any]:
        """What somebody was sent about a meeting."""
        found: list[Any] = [message_from_bytes(each, policy=policy.default) for each in self.exim.mails]
        return [each for each in found if each["X-Calendar-UID"] == uid and to.removeprefix("mailto:") in each["To"]]

    def awaits(self, uid: str, to: str, number: int = 1) -> Any:
        """The mail with this number about a meeting, as soon as it is there."""
        until(lambda: len(self.mails(uid, to)) >= number, f"mail {number} to {to}: {self.north.tail()}")
        return self.mails(uid, to)[number - 1]

    def stands(self, uid: str, who: str) -> str:
        return status(self.north.text("ann", uid), who).get("PARTSTAT", "")

    def delivered(self, uid: str, who: str) -> str:
        return status(self.north.text("ann", uid), who).get("SCHEDULE-STATUS", "")


@pytest.fixture(scope="module")
def site(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    authority, folder, lmtp = Authority(), tmp_path_factory.mktemp("mail"), free_port()
    north = Organization(folder, "north.example", authority)
    (north.folder / "password").write_text(PASSWORD)
    zones = {"north.example": zone("north.example", *north.records()), "west.example": zone("west.example")}
    certificate = authority.pem_for("localhost")
    with (
        Exim(program("exim4"), *certificate, lmtp, domain="north.example") as exim,
        Nsd(program("nsd"), folder, zones) as nsd,
    ):
        north.set(
            ischedule__name_servers=[f"127.0.0.1:{nsd.port}"],
            mail__address="calendar@north.example",
            mail__server="localhost",
            mail__port=exim.port,
            mail__authorities_file="ca.pem",
            mail__user=USER,
            mail__password_file="password",
            mail__lmtp_listen=[f"tcp:{lmtp}:interface=127.0.0.1"],
        )
        with north:
            yield Site(north, exim)


def answer(invitation: Any, partstat: str, author: str = "bo@west.example") -> bytes:
    """What the mail program of an invitee makes of an invitation."""
    (data,) = [each for each in invitation.walk() if each.get_content_type() == "text/calendar"]
    text = data.get_payload(decode=True).decode().replace("\r\n ", "").replace("METHOD:REQUEST", "METHOD:REPLY")
    mine = rf"ATTENDEE[^\r\n]*:mailto:{re.escape(author)}\r\n"
    text = re.sub(rf"(?!{mine})ATTENDEE[^\r\n]*\r\n", "", text)
    text = re.sub(mine, f"ATTENDEE;PARTSTAT={partstat}:mailto:{author}\r\n", text)
    head = [
        f"From: <{author}>",
        f"To: {invitation['Reply-To']}",
        "Subject: answer",
        "MIME-Version: 1.0",
        "Content-Type: text/calendar; method=REPLY; charset=utf-8",
    ]
    return "\r\n".join([*head, "", text]).encode()


def reply(site: Site, invitation: Any, partstat: str, author: str = "bo@west.example") -> None:
    address = invitation["Reply-To"].addresses[0].addr_spec
    site.exim.send(answer(invitation, partstat, author), author, address)


def test_a_meeting_with_somebody_who_has_mail_only(site: Site) -> None:
    assert site.north.invite("lunch", "ann", [BO, CY], "SUMMARY:Lunch").status == 201
    invitation = site.awaits("lunch", BO)
    assert invitation["Subject"] == "Invitation: Lunch"
    until(lambda: site.delivered("lunch", BO) == "1.1", "the mail server has taken it")
    site.awaits("lunch", CY)

    reply(site, invitation, "ACCEPTED")
    until(lambda: site.stands("lunch", BO) == "ACCEPTED", f"the answer arrives: {site.exim.log()}")
    assert site.stands("lunch", CY) == "NEEDS-ACTION"

    moved = "20990106T100000Z"
    changed = ("SUMMARY:Lunch", "SEQUENCE:1")
    assert site.north.invite("lunch", "ann", [BO, CY], *changed, start=moved).status == 204
    assert site.awaits("lunch", BO, 2)["Subject"] == "Changed: Lunch"

    path = "/dav/calendars/user/ann/Default/lunch.ics"
    assert site.north.by("ann").request("DELETE", path).status == 204
    assert site.awaits("lunch", BO, 3)["Subject"] == "Canceled: Lunch"
    site.awaits("lunch", CY, 3)
    assert len(site.mails("lunch", CY)) == 3, "nobody gets mail because others have answered"


def test_who_answers_for_others_is_refused(site: Site) -> None:
    assert site.north.invite("tea", "ann", [BO, CY]).status == 201
    invitation = site.awaits("tea", BO)
    reply(site, invitation, "DECLINED", "cy@west.example")
    until(lambda: "5.7.1" in site.exim.log(), "it is refused")
    assert "5.7.1 nothing proves that cy@west.example has sent this" in (site.north.folder / "audit.log").read_text()
    assert site.stands("tea", CY) == "NEEDS-ACTION"


def test_what_comes_back_is_noted(site: Site) -> None:
    assert site.north.invite("trip", "ann", [GONE]).status == 201
    until(lambda: site.delivered("trip", GONE) == "5.1", f"{site.exim.log()}{site.north.tail()}")


def test_mail_can_be_tried_from_the_command_line(site: Site) -> None:
    said = site.north.verb("mail", "test", "somebody@west.example")
    assert "logged in as calendar" in said
    assert "the mail server has taken the mail" in said
