"""A meeting of two organizations, as their people's clients do it: invitation, acceptance, a look at the other's time.

What happens is told in lines, of both sides; if something does not, `NotCrossed` says what.
"""

import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import attrs
import treq
from twisted.internet.task import deferLater
from twisted.web.http_headers import Headers

from calserver.admin.demo import PASSWORD
from calserver.admin.demo_sites import Site

TOLD_SECONDS: Final = 20.0
START_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.1
LINE: Final = re.compile(r"(?:ATTENDEE|ORGANIZER)([^\r\n]*):mailto:([^\r\n]+)\r\n")


class NotCrossed(Exception):
    """Something did not get to the other side."""


@attrs.frozen(kw_only=True)
class Person:
    """Somebody who takes part, with a client."""

    site: Site
    reactor: Any

    @property
    def uid(self) -> str:
        """The account."""
        return self.site.organization.first.uid

    @property
    def mail(self) -> str:
        """The mail address."""
        return self.site.organization.first.address(self.site.organization.domain)

    @property
    def home(self) -> str:
        """The calendar home."""
        return f"/dav/calendars/user/{self.uid}/"

    async def ask(self, method: str, path: str, body: str = "", **fields: str) -> tuple[int, str]:
        """Status and text of an answer."""
        headers = Headers({name.replace("_", "-"): [value] for name, value in fields.items()})
        response = await treq.request(
            method,
            self.site.url.rstrip("/") + path,
            data=body.encode(),
            headers=headers,
            auth=(self.uid, PASSWORD),
            timeout=TOLD_SECONDS,
            persistent=False,
            reactor=self.reactor,
        )
        return response.code, await response.text("utf-8")

    async def copy(self, uid: str) -> tuple[str, str] | None:
        """Path and unfolded text of what this person has of a meeting."""
        status, listing = await self.ask("PROPFIND", self.home + "Default/", Depth="1")
        if status != HTTPStatus.MULTI_STATUS:
            raise NotCrossed(f"{self.mail} cannot read the own calendar: {status}")
        for path in re.findall(r"<D:href>([^<]+[^/])</D:href>", listing):
            _, text = await self.ask("GET", path)
            text = text.replace("\r\n ", "")
            if f"UID:{uid}\r\n" in text:
                return path, text
        return None

    async def store(self, path: str, text: str) -> None:
        """Store a copy."""
        status, answer = await self.ask("PUT", path, text, Content_Type="text/calendar")
        if status not in (HTTPStatus.CREATED, HTTPStatus.NO_CONTENT):
            raise NotCrossed(f"{self.mail} cannot store the meeting: {status} {answer}")


async def started(reactor: Any, *sites: Site) -> None:
    """Wait until servers answer.

    Raises:
        NotCrossed: one does not.
    """
    for each in sites:
        person = Person(site=each, reactor=reactor)
        await _until(reactor, partial(_answers, person), START_SECONDS, f"{each.url} does not answer")


async def tell(reactor: Any, north: Site, south: Site, say: Callable[[str], None]) -> None:
    """Have a meeting made, accepted, and looked at across.

    Raises:
        NotCrossed: it did not work.
    """
    ann, sam = Person(site=north, reactor=reactor), Person(site=south, reactor=reactor)
    uid = str(uuid.uuid4())
    start = (datetime.now(UTC) + timedelta(days=1)).replace(hour=14, minute=0, second=0, microsecond=0)
    say(f"{ann.mail} invites {sam.mail}, whose server nobody has configured here:")
    await ann.store(f"{ann.home}Default/{uid}.ics", meeting(uid, ann.mail, sam.mail, start))

    async def arrived() -> bool:
        return await sam.copy(uid) is not None

    await _until(reactor, arrived, TOLD_SECONDS, "the invitation did not arrive")
    domain = south.organization.domain
    say(f"  the DNS says that _ischedules._tcp.{domain} is {south.organization.host}:{south.secure_port}")
    say(f"  {north.organization.host} signs the message with a key of {north.organization.domain} and sends it there")
    found = await sam.copy(uid)
    assert found is not None
    path, text = found
    say(f"  it is in the calendar of {sam.mail}: {_said(text, sam.mail, 'PARTSTAT')}")

    await sam.store(path, re.sub(rf"PARTSTAT=NEEDS-ACTION([^\r\n]*:mailto:{sam.mail})", r"PARTSTAT=ACCEPTED\1", text))
    say(f"{sam.mail} accepts:")

    async def answered() -> bool:
        seen = await ann.copy(uid)
        return seen is not None and _said(seen[1], sam.mail, "PARTSTAT") == "ACCEPTED"

    await _until(reactor, answered, TOLD_SECONDS, "the answer did not arrive")
    seen = await ann.copy(uid)
    assert seen is not None
    say(
        f"  in the calendar of {ann.mail}: {_said(seen[1], sam.mail, 'PARTSTAT')}, "
        f"delivery status {_said(seen[1], sam.mail, 'SCHEDULE-STATUS')}"
    )

    say(f"{ann.mail} asks when {sam.mail} is busy that day:")
    _, answer = await ann.ask(
        "POST", ann.home + "Outbox/", question(ann.mail, sam.mail, start), Content_Type="text/calendar"
    )
    busy = re.findall(r"(?m)^FREEBUSY[^:\n]*:([^\r\n]+)", answer.replace("\r\n ", ""))
    if "2.0;Success" not in answer or not any(f"{start:%Y%m%dT%H%M%SZ}" in each for each in busy):
        raise NotCrossed(f"the other server did not say when {sam.mail} is busy: {answer}")
    say(f"  {south.organization.host} answers: {', '.join(busy)}")


def meeting(uid: str, organizer: str, attendee: str, start: datetime) -> str:
    """A meeting as a client stores it."""
    return _calendar(
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
        "DURATION:PT1H",
        "SUMMARY:Meeting of North and South",
        f"ORGANIZER:mailto:{organizer}",
        f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}",
        f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{attendee}",
        "END:VEVENT",
    )


def question(organizer: str, attendee: str, start: datetime) -> str:
    """A question for free-busy time of a day."""
    return _calendar(
        "METHOD:REQUEST",
        "BEGIN:VFREEBUSY",
        f"UID:{uuid.uuid4()}",
        f"DTSTAMP:{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART:{start:%Y%m%d}T000000Z",
        f"DTEND:{start:%Y%m%d}T235959Z",
        f"ORGANIZER:mailto:{organizer}",
        f"ATTENDEE:mailto:{attendee}",
        "END:VFREEBUSY",
    )


def _calendar(*lines: str) -> str:
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//calserver//demo//EN")
    return "".join(f"{each}\r\n" for each in (*head, *lines, "END:VCALENDAR"))


def _said(text: str, mail: str, name: str) -> str:
    """A parameter of somebody's line; empty where there is none."""
    for parameters, who in LINE.findall(text):
        found = re.search(rf';{name}="?([^;"]+)', parameters)
        if who == mail and found:
            return str(found[1])
    return ""


async def _answers(person: Person) -> bool:
    try:
        status, _ = await person.ask("PROPFIND", person.home, Depth="0")
    except Exception:  # noqa: BLE001 - it has not started yet, whatever that looks like
        return False
    return status == HTTPStatus.MULTI_STATUS


async def _until(reactor: Any, holds: Callable[[], Awaitable[bool]], seconds: float, otherwise: str) -> None:
    deadline = reactor.seconds() + seconds
    while not await holds():
        if reactor.seconds() > deadline:
            raise NotCrossed(otherwise)
        await deferLater(reactor, LOOK_SECONDS)
