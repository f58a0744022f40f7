"""A mail that is sent to see whether mail can be sent (``calserver mail test``)."""

from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import attrs

from calserver.config import Config, ConfigError
from calserver.scheduling.mail.compose import Composed
from calserver.scheduling.mail.fields import ADDRESS, clean, domain_of, field, mailbox, unstructured
from calserver.scheduling.mail.mailer import Mailer
from calserver.scheduling.mail.outgoing import SENT
from calserver.scheduling.mail.submission import Steps

_TEXT = """\
This mail was sent to see whether the calendar server can send mail. Nothing needs to be done.

Look at its header: Authentication-Results should say that DKIM, SPF and DMARC have passed for {domain}.
"""


@attrs.frozen(kw_only=True)
class Rehearsal:
    """What was done, one sentence for each step, and whether the mail was taken."""

    steps: tuple[str, ...]
    sent: bool


async def rehearse(config: Config, keys: Path, recipient: str, reactor: Any) -> Rehearsal:
    """Send a mail to an address as an invitation would be, and say each step.

    Args:
        config: all of it.
        keys: the folder of the keys that sign messages to other servers.
        recipient: a mail address.
        reactor: sockets and time.

    Raises:
        ConfigError: mail is not configured, or something of it cannot be used.
    """
    mail = config.mail
    if not mail.address:
        raise ConfigError("mail.address: it is empty, so no mail is sent")
    if not ADDRESS.fullmatch(recipient):
        raise ConfigError(f"{clean(recipient, 100)} is no mail address")
    steps = Steps()
    mailer = Mailer.of(config, keys, reactor)
    signed = {"none": "not signed here", "keys": "signed with the key of the key ring"}
    steps.note(f"mail comes from {mail.address}, {signed.get(mail.dkim, f'signed with the key {mail.dkim_selector}')}")
    outcome = await mailer.try_out(_written(config, recipient, datetime.now(UTC)), steps)
    if outcome.detail not in steps.lines:
        steps.note(outcome.detail)
    return Rehearsal(steps=tuple(steps.lines), sent=outcome.status == SENT)


def _written(config: Config, recipient: str, now: datetime) -> Composed:
    address = config.mail.address
    head = (
        ("From", mailbox(clean(config.mail.name, 100), address)),
        ("To", recipient),
        ("Subject", unstructured("Test of the calendar server")),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<test.{now:%Y%m%d%H%M%S%f}@{domain_of(address)}>"),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=us-ascii"),
    )
    text = _TEXT.format(domain=domain_of(address)).replace("\n", "\r\n").encode("ascii")
    content = b"".join(field(name, value) for name, value in head) + b"\r\n" + text
    return Composed(sender=address, recipient=recipient, content=content)
