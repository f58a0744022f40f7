"""Check what other servers depend on, as they do: what is told of this server, and whether its signatures verify."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import attrs

from calserver.admin.dns import Record
from calserver.admin.dns_check import KEY_LABEL
from calserver.admin.finding import Finding, doubtful, fine, wrong
from calserver.config import Config
from ischedule import capabilities, dkim
from ischedule.agent import ExchangeFailed, GuardedAgent, Reply
from ischedule.capabilities import Capabilities
from ischedule.errors import VerificationFailed
from ischedule.keyfetch import KeyFetcher
from ischedule.message import Message
from ischedule.resolver import Lookup, TemporaryFailure
from ischedule.xml import Malformed

PROBE: Final = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//calserver//EN\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"
"""What is signed; nobody gets it."""


@attrs.frozen(kw_only=True)
class Expected:
    """What a server announces and signs with, as its configuration has it."""

    capabilities: Capabilities
    """With its serial number."""
    key: dkim.SigningKey | None
    """None where there is none."""


def check_hosted(config: Config, domain: str) -> list[Finding]:
    """Whether the people of a domain are ours by the configuration."""
    if config.calendars.hosts(domain):
        return []
    return [
        wrong(
            domain,
            "neither calendars.domain nor calendars.domains of the configuration names it; "
            "messages for its people are not taken (3.7), and its keys not shown",
        )
    ]


def judged(reply: Reply, expected: Expected | None) -> Finding:
    """Whether an answer tells the capabilities that it should."""
    if reply.status != HTTPStatus.OK:
        return wrong(reply.url, f"it answers {reply.status} instead of its capabilities; others cannot deliver")
    try:
        told = capabilities.read(reply.body)
    except Malformed:
        return wrong(reply.url, "it does not answer with capabilities of iSchedule: another program is there")
    if expected is None:
        return fine(reply.url, "tells its capabilities")
    wanted = expected.capabilities
    if told.serial == wanted.serial:
        return fine(reply.url, f"tells its capabilities, those of the configuration (serial number {wanted.serial})")
    names = [each.name for each in attrs.fields(Capabilities) if each.name != "serial"]
    other = [name.replace("_", "-") for name in names if getattr(told, name) != getattr(wanted, name)]
    what = f" ({', '.join(other)})" if other else ""
    return doubtful(
        reply.url,
        f"its capabilities{what} are not those of the configuration: another server answers, "
        "or this one was not started again since it was changed",
    )


async def check_pages(agent: GuardedAgent, place: str, domain: str, records: Sequence[Record]) -> list[Finding]:
    """The keys as the server itself shows them."""
    findings = []
    for record in records:
        url = f"{place}/.well-known/domainkey/{domain}/{record.name.partition(KEY_LABEL)[0]}"
        try:
            reply = await agent.exchange("GET", url)
        except ExchangeFailed as error:
            findings.append(doubtful(url, f"it cannot be asked: {error}"))
            continue
        if record.value in reply.body.decode("utf-8", "replace").splitlines():
            findings.append(fine(url, "shows the same key"))
        else:
            findings.append(doubtful(url, f"it answers {reply.status} without the key: another program is there"))
    return findings


async def check_signature(lookup: Lookup, reactor: Any, key: dkim.SigningKey, now: datetime) -> Finding:
    """Sign a message, and verify it with what is published."""
    subject = f"{key.selector}{KEY_LABEL}{key.domain}"
    who = f"mailto:postmaster@{key.domain}"
    message = Message.compose(
        originator=who,
        recipients=(who,),
        component="VEVENT",
        method="REQUEST",
        body=PROBE,
        message_id=str(uuid.uuid4()),
    )
    value = dkim.sign(message.fields, message.body, key, now=now.timestamp())
    message = message.with_field("DKIM-Signature", value)
    try:
        signature = dkim.examine(message.fields, now=now.timestamp())
        (query,) = dkim.wanted_keys(signature)
        found = await KeyFetcher(lookup, reactor).fetch(query)
    except (VerificationFailed, TemporaryFailure) as failure:
        return wrong(subject, f"what is signed here cannot be verified: {failure}")
    verdict = dkim.verify(signature, message.fields, message.body, found)
    if not verdict.valid:
        return wrong(subject, f"what is signed here is refused by others: {verdict.reason}")
    return fine(subject, "verifies what is signed here")
