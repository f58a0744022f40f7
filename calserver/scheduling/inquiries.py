"""Asking other servers when people are busy: all domains at once, and whoever is late is reported so."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from calserver import directory, ical
from calserver.caldav import Asking, Told, freebusy_reply
from calserver.ical import CalendarObject, Component, Property
from calserver.meetings.letters import domain_of
from ischedule.client import Client, Outgoing
from ischedule.errors import INVALID_SERVICE, UNAVAILABLE
from ischedule.message import Response
from ischedule.outcome import all_alike
from ischedule.trust import Trust

log = Logger()

MOST_PERIODS: Final = 10_000
"""The most periods of one person that are told on."""
_SUCCESS: Final = "2.0;Success"


@attrs.frozen(kw_only=True)
class Inquiries:
    """Asks by iSchedule.

    Args:
        client: sends the questions.
        trust: whom they are sent to.
        seconds: how long is waited.
    """

    client: Client
    trust: Trust
    seconds: float

    async def ask(self, asking: Asking) -> Sequence[Told]:
        """What other servers say of some attendees, in their order."""
        domains: dict[str, list[Property]] = {}
        for each in asking.attendees:
            domains.setdefault(domain_of(directory.normalize(each.value)), []).append(each)
        answers = await gatherResults(
            [Deferred.fromCoroutine(self._ask(domain, asking, some)) for domain, some in domains.items()]
        )
        found: dict[str, Told] = {each.attendee.value: each for some in answers for each in some}
        return [found[each.value] for each in asking.attendees]

    async def _ask(self, domain: str, asking: Asking, attendees: Sequence[Property]) -> Sequence[Told]:
        addresses = tuple(directory.normalize(each.value) for each in attendees)
        responses: Iterable[Response]
        if "." not in domain or not self.trust.welcomes(domain):
            responses = all_alike(addresses, INVALID_SERVICE, "").responses
        else:
            originator = asking.owner.addresses[0] if asking.owner.addresses else ""
            body = question(asking, originator, addresses)
            outgoing = Outgoing(originator=originator, recipients=addresses, body=body, message_id=str(uuid4()))
            try:
                responses = (await self.client.ask(domain, outgoing, seconds=self.seconds)).responses
            except ValueError as error:
                log.info("a question to {domain} cannot be sent: {error}", domain=domain, error=str(error))
                responses = all_alike(addresses, INVALID_SERVICE, str(error)).responses
        return [told(asking, each, response) for each, response in zip(attendees, responses, strict=True)]


def question(asking: Asking, originator: str, addresses: Iterable[str]) -> bytes:
    """The message that asks: nothing of what the client wrote but what is needed."""
    asked = asking.question
    component = Component(
        "VFREEBUSY",
        (
            Property("UID", asked.uid.value),
            Property("DTSTAMP", f"{asking.now.astimezone(UTC):%Y%m%dT%H%M%SZ}"),
            Property("DTSTART", _utc(asked.when.start)),
            Property("DTEND", _utc(asked.when.end)),
            Property("ORGANIZER", originator),
            *(Property("ATTENDEE", each) for each in addresses),
        ),
    )
    head = (Property("VERSION", "2.0"), Property("PRODID", "-//calserver//EN"), Property("METHOD", "REQUEST"))
    return ical.serialize(Component("VCALENDAR", head, (component,)))


def _utc(epoch: float) -> str:
    return f"{datetime.fromtimestamp(epoch, UTC):%Y%m%dT%H%M%SZ}"


def told(asking: Asking, attendee: Property, response: Response) -> Told:
    """What a server has said of an attendee: only when it is busy, in our own words."""
    status = str(response.status)
    if not response.status.delivered:
        return Told(attendee=attendee, status=status)
    try:
        data = CalendarObject.of(ical.parse(response.calendar_data or b"").replacing("METHOD"))
        if data.component != "VFREEBUSY":
            raise ValueError("it is no VFREEBUSY")
        periods = ical.object_periods(data, asking.question.when, zone=UTC, limit=MOST_PERIODS)
    except Exception as error:  # noqa: BLE001 - whatever a stranger writes, it is not our failure
        log.info("an answer for {who} cannot be read: {error}", who=attendee.value, error=str(error))
        return Told(attendee=attendee, status=str(UNAVAILABLE))
    reply = freebusy_reply(asking.question, attendee, periods, asking.now)
    return Told(attendee=attendee, status=_SUCCESS, data=reply)
