"""Mail that a front end takes reaches whose meeting it is about, at whichever node."""

import json
import secrets
import smtplib
import sqlite3
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from daemon import calserver, free_port
from diaries import status
from murder import Murder
from organizations import until

from calserver.scheduling.mail import Tokens

BO = "mailto:bo@west.example"
ADDRESS = "calendar@example.com"


@pytest.fixture(scope="module")
def lmtp() -> int:
    return free_port()


@pytest.fixture(scope="module")
def mailing(lmtp: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Murder]:
    """A cluster whose front end takes mail; what nodes send goes nowhere."""
    cluster, secret = Murder(tmp_path_factory.mktemp("mailing")), secrets.token_hex(32)
    cluster.set(mail__address=ADDRESS, mail__server="127.0.0.1", mail__port=free_port(), ischedule__enabled=False)
    cluster.front.set(mail__lmtp_listen=[f"tcp:{lmtp}:interface=127.0.0.1"])
    for each in cluster.nodes.values():
        key = each.folder / "mail-token.key"
        key.write_text(secret)
        key.chmod(0o600)
    with cluster:
        yield cluster


def principal(cluster: Murder, uid: str) -> int:
    """The id of a principal, which is the same at all nodes."""
    with sqlite3.connect(cluster.front.folder / "calserver.sqlite") as found:
        return int(found.execute("SELECT id FROM principal WHERE uid = ?", (uid,)).fetchone()[0])


@pytest.mark.parametrize("organizer", ["ann", "bob"])
def test_an_answer_by_mail_reaches_the_organizer(mailing: Murder, lmtp: int, organizer: str) -> None:
    front, uid = mailing.front, f"by-mail-{organizer}"
    assert front.invite(uid, organizer, [BO]).status == 201
    secret = bytes.fromhex((front.folder / "mail-token.key").read_text())
    address = Tokens(ADDRESS, secret).address_for(principal(mailing, organizer), BO, uid)
    answer = EmailMessage()
    answer["From"], answer["To"], answer["Subject"] = BO.removeprefix("mailto:"), address, "Accepted"
    text = front.meeting(uid, organizer, [BO]).replace("PRODID", "METHOD:REPLY\r\nPRODID", 1)
    text = text.replace(f"ATTENDEE;PARTSTAT=ACCEPTED:{front.mail(organizer)}\r\n", "")
    text = text.replace("NEEDS-ACTION;RSVP=TRUE", "ACCEPTED").replace(front.mail(organizer), f"mailto:{address}")
    answer.add_attachment(text.encode(), "text", "calendar", params={"method": "REPLY", "charset": "utf-8"})
    with smtplib.LMTP("127.0.0.1", lmtp) as sending:
        sending.sendmail(BO.removeprefix("mailto:"), [address], answer.as_bytes())
    until(lambda: status(front.text(organizer, uid), BO)["PARTSTAT"] == "ACCEPTED", "the answer arrives")


BOUNCE = """\
Received: from mx.example.com
From: MAILER-DAEMON@mx.example.com
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="r"

--r
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; bo@west.example
Action: failed
Status: 5.1.1
--r
Content-Type: text/rfc822-headers

From: calendar@example.com
To: Bo <bo@west.example>
X-Calendar-UID: {uid}

--r--
"""


def test_what_came_back_is_noted_at_the_node_of_who_had_it_sent(mailing: Murder, lmtp: int) -> None:
    front, b2, uid = mailing.front, mailing.nodes["b2"], "came-back"
    assert front.invite(uid, "bob", [BO]).status == 201
    secret = bytes.fromhex((front.folder / "mail-token.key").read_text())
    address = Tokens(ADDRESS, secret).address_for(principal(mailing, "bob"), BO, uid)

    def comes_back() -> None:
        with smtplib.LMTP("127.0.0.1", lmtp) as sending:
            sending.sendmail("", [address], BOUNCE.format(uid=uid).replace("\n", "\r\n"))

    b2.kill()
    try:  # the mail server keeps it until the node is there
        with pytest.raises(smtplib.SMTPDataError) as refused:
            comes_back()
        assert refused.value.smtp_code == 451
    finally:
        b2.start()
    comes_back()
    assert status(front.text("bob", uid), BO)["SCHEDULE-STATUS"] == "5.1"
    explained = json.loads(calserver("schedule", "explain", uid, "--json", "--config", front.config))
    assert (explained["sent"][-1]["recipients"], explained["sent"][-1]["outcome"]) == ([BO], "it came back")
