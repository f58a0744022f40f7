"""Go through what happens to a domain's service or to a message, step by step, and say in words what is found.

    async for step in explain_domain("receiver.example", client, resolver, fetcher):
        print(step)

What is said is what `ischedule.client` and `ischedule.receiver` find, by the same functions: this is for the people who
run servers, and want to know why theirs and another one do not understand each other.
"""

import re
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import attrs

from ischedule import dkim, itip
from ischedule.client import Client, NotThere, Outgoing
from ischedule.discovery import NoService, Server, TemporaryFailure
from ischedule.domains import covers
from ischedule.errors import KeyUnusable, RequestRefused
from ischedule.message import Envelope, Fields, values_of
from ischedule.receiver import Keys
from ischedule.resolver import Lookup, addresses

_REQUEST_LINE: Final = re.compile(rb"[A-Z]+ \S+ HTTP/\d(?:\.\d)?\s*$")


@attrs.frozen
class Step:
    """One thing that was looked at; `good` is None where there is nothing to judge."""

    subject: str
    good: bool | None
    text: str

    def __str__(self) -> str:
        """As a line for people."""
        sign = {True: "ok ", False: "BAD", None: "   "}[self.good]
        return f"{sign} {self.subject:<13} {self.text}"


# -- a domain --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Question:
    """A question for free-busy time, by which somebody's whole way to another server can be tried."""

    originator: str
    recipient: str
    key: dkim.SigningKey


async def explain_domain(
    domain: str, client: Client, lookup: Lookup, keys: Keys, *, selector: str = "", question: Question | None = None
) -> AsyncIterator[Step]:
    """Find a domain's servers and look at each; at a key of the domain, and at what becomes of a question, if asked."""
    try:
        servers = await client.servers(domain)
    except (NoService, TemporaryFailure) as error:
        yield Step("service", False, str(error))
        return
    yield Step("service", True, f"{domain} has {len(servers)} server{'s' if len(servers) > 1 else ''}")
    for server in servers:
        async for step in _server(domain, server, client, lookup):
            yield step
    if selector:
        yield await _published(keys, domain, selector)
    if question:
        async for step in _question(domain, client, keys, question):
            yield step


async def _server(domain: str, server: Server, client: Client, lookup: Lookup) -> AsyncIterator[Step]:
    yield Step("server", None, f"{server.url} (by {server.source or 'configuration'})")
    try:
        found = await addresses(lookup, server.host)
    except TemporaryFailure as failure:
        yield Step("addresses", False, str(failure))
        return
    yield Step("addresses", bool(found), ", ".join(map(str, found)) or f"{server.host} has no address")
    if not found:
        return
    began = time.monotonic()
    try:
        known = await client.capabilities(domain, server)
    except NotThere as error:
        yield Step("connection", False, str(error))
        return
    took = f"{1000 * (time.monotonic() - began):.0f} ms"
    yield Step(
        "connection", True, f"an answer over TLS after {took}, with a certificate that is good for {server.host}"
    )
    if known.url != server.url:
        yield Step("redirect", None, f"the service has moved to {known.url}")
    limits = known.capabilities
    if limits.serial is None and limits.messages is None:
        yield Step("capabilities", False, "it does not say what it accepts in a way that can be read")
        return
    kinds = (f"{name} ({', '.join(methods) or 'every method'})" for name, methods in limits.messages or ())
    yield Step(
        "capabilities", "1.0" in limits.versions, f"number {limits.serial}, versions {', '.join(limits.versions)}"
    )
    yield Step("accepts", None, "; ".join(kinds) or "it does not say which messages")
    bounds = {
        "recipients": limits.max_recipients,
        "octets": limits.max_content_length,
        "instances": limits.max_instances,
    }
    text = ", ".join(f"{number} {name}" for name, number in bounds.items() if number is not None)
    yield Step("limits", None, text or "it does not say any")
    if limits.administrator:
        yield Step("administrator", None, limits.administrator)


async def _published(keys: Keys, domain: str, selector: str) -> Step:
    """Whether there is a key that may sign."""
    name = f"{selector}._domainkey.{domain}"
    try:
        records = await keys.fetch(dkim.KeyQuery(method="dns/txt", domain=domain, selector=selector))
    except TemporaryFailure as failure:
        return Step("key", False, str(failure))
    if not records:
        return Step("key", False, f"there is no TXT record at {name}")
    texts = [_usable(record) for record in records]
    return Step("key", any(good for good, _ in texts), f"{name}: {'; '.join(text for _, text in texts)}")


def _usable(record: str) -> tuple[bool, str]:
    try:
        key = dkim.parse_key_record(record)
    except KeyUnusable as unusable:
        return False, str(unusable)
    return True, f"a key of {key.algorithm} that may sign{', as a test (t=y)' if key.testing else ''}"


async def _question(domain: str, client: Client, keys: Keys, question: Question) -> AsyncIterator[Step]:
    """Sign a question, see whether others can verify it, and send it."""
    now = datetime.now(UTC)
    body = question_text(question.originator, question.recipient, now)
    fields = (("Content-Type", "text/calendar"), ("iSchedule-Version", "1.0"), ("Originator", "x"), ("Recipient", "x"))
    signature = dkim.sign(fields, b"", question.key, now=now.timestamp())
    signed = (*fields, ("DKIM-Signature", signature))
    async for step in _judged(dkim.examine(signed, now=now.timestamp()), signed, b"", keys):
        yield attrs.evolve(step, subject="our key")
    outgoing = Outgoing(
        originator=question.originator, recipients=(question.recipient,), body=body, message_id=str(uuid4())
    )
    found = await client.ask(domain, outgoing)
    (response,) = found.responses
    text = f"{response.recipient}: {response.status}"
    yield Step("question", response.status.delivered, f"{text} {found.reason or response.description}".rstrip())
    if response.calendar_data is not None:
        busy = re.findall(rb"(?m)^FREEBUSY[^:\r\n]*:([^\r\n]+)", response.calendar_data.replace(b"\r\n ", b""))
        periods = b",".join(busy).decode("utf-8", "replace").split(",") if busy else []
        yield Step("busy", None, ", ".join(periods) or "not busy at all")


def question_text(originator: str, recipient: str, now: datetime) -> bytes:
    """A question for the free-busy time of the next day."""
    stamps = [f"{each:%Y%m%dT%H%M%SZ}" for each in (now, now, now + timedelta(days=1))]
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//ischedule//ping//EN",
        "METHOD:REQUEST",
        "BEGIN:VFREEBUSY",
        f"UID:{uuid4()}",
        f"DTSTAMP:{stamps[0]}",
        f"DTSTART:{stamps[1]}",
        f"DTEND:{stamps[2]}",
        f"ORGANIZER:{originator}",
        f"ATTENDEE:{recipient}",
        "END:VFREEBUSY",
        "END:VCALENDAR",
        "",
    )
    return "\r\n".join(lines).encode()


# -- a message -------------------------------------------------------------------------------------------------------


async def explain_message(fields: Fields, body: bytes, keys: Keys, *, now: float) -> AsyncIterator[Step]:
    """Look at a request as a receiver does, but go on after what is wrong where that is possible."""
    envelope = signature = None
    try:
        envelope = Envelope.read(fields)
        yield Step("header", True, f"from {envelope.originator} to {', '.join(envelope.recipients)}")
    except RequestRefused as refused:
        yield Step("header", False, f"{refused.element}: {refused.reason}")
    try:
        signature = dkim.examine(fields, now=now, policy=dkim.LENIENT)
        yield Step("signature", True, _described(signature))
    except RequestRefused as refused:
        yield Step("signature", False, refused.reason)
    if signature:
        if signature.signed_at is None:
            yield Step("time", False, "it does not say when it was made (t=)")
        if envelope:
            good = covers(signature.domain, envelope.originator_domain)
            word = "may" if good else "may not"
            yield Step("domain", good, f"{signature.domain} {word} speak for users of {envelope.originator_domain}")
        async for step in _judged(signature, fields, body, keys):
            yield step
    for step in _content(envelope, body):
        yield step


def _described(signature: dkim.Signature) -> str:
    parts = [f"{signature.algorithm} by {signature.domain}, selector {signature.selector}"]
    for word, seconds in (("made", signature.signed_at), ("valid until", signature.expires_at)):
        if seconds is not None:
            parts.append(f"{word} {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC")
    return f"{', '.join(parts)}; covers {', '.join(signature.names)}"


async def _judged(signature: dkim.Signature, fields: Fields, body: bytes, keys: Keys) -> AsyncIterator[Step]:
    """The body against its hash, then each way to get the key until one verifies."""
    try:
        dkim.check_body(signature, body)
    except RequestRefused as refused:
        yield Step("body", False, refused.reason)
        return
    for query in dkim.wanted_keys(signature):
        where = f"{query.method}, {query.selector} of {query.domain}"
        try:
            records = await keys.fetch(query)
        except TemporaryFailure as failure:
            yield Step("key", False, f"{where}: {failure}")
            continue
        verdict = dkim.verify(signature, fields, body, records)
        yield Step("key", verdict.valid, f"{where}: {verdict.reason}")
        if verdict.valid:
            return


def _content(envelope: Envelope | None, body: bytes) -> Iterator[Step]:
    try:
        message = itip.read(body)
        yield Step("calendar", True, f"{message.method} of {message.component}, UID {message.uid}")
        if envelope:
            itip.check_envelope(message, envelope)
            yield Step("iTIP", True, "originator and recipients are organizer and attendees as they should be")
    except RequestRefused as refused:
        yield Step("calendar", False, f"{refused.element}: {refused.reason}")


def read_capture(content: bytes) -> tuple[Fields, bytes]:
    """The header fields and the body of a request as it went over the wire, with or without its first line.

    Raises:
        ValueError: it is none.
    """
    head, blank, body = _divided(content)
    lines = [line.rstrip(b"\r") for line in head.split(b"\n")]
    if _REQUEST_LINE.match(lines[0]):
        lines.pop(0)
    fields: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] = (fields[-1][0], f"{fields[-1][1]}\r\n{line.decode('latin-1')}")
        elif colon and name.strip():
            fields.append((name, value))
        else:
            raise ValueError("it does not begin with the header fields of a request")
    if not blank or not fields:
        raise ValueError("there is no blank line between header fields and body")
    found = tuple(fields)
    if any("chunked" in each.lower() for each in values_of(found, "Transfer-Encoding")):
        return found, _unchunked(body)
    lengths = [each.strip() for each in values_of(found, "Content-Length")]
    return found, body[: int(lengths[0])] if lengths and lengths[0].isdigit() else body


def _divided(content: bytes) -> tuple[bytes, bytes, bytes]:
    """What is before and behind the first blank line, of whatever line ends."""
    found = re.search(rb"\r?\n\r?\n", content)
    return (content[: found.start()], found[0], content[found.end() :]) if found else (content, b"", b"")


def _unchunked(body: bytes) -> bytes:
    content = b""
    while True:
        size, _, rest = body.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if not length:
            return content
        content, body = content + rest[:length], rest[length + 2 :]
