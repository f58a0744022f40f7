"""Asking other servers when people are busy: all domains and nodes at once, and whoever is late is reported so."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol
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
MASKED: Final = "X-CALENDARSERVER-MASK-UID"


class Nodes(Protocol):
    """Other nodes of the cluster: `calserver.scheduling.neighbors.Neighbors`."""

    async def ask(self, node: str, outgoing: Outgoing, seconds: float) -> Sequence[Response]:
        """Ask a node when its people are busy."""


@attrs.frozen(kw_only=True)
class Inquiries:
    """Asks by iSchedule.

    Args:
        client: sends the questions; None where other organizations are not asked.
        nodes: asks other nodes; None where there is no cluster.
        trust: whom they are sent to.
        seconds: how long is waited.
    """

    client: Client | None
    nodes: Nodes | None
    trust: Trust
    seconds: float

    async def ask(self, asking: Asking) -> Sequence[Told]:
        """What other servers say of some attendees, in their order."""
        domains: dict[str, list[Property]] = {}
        nodes: dict[str, list[Property]] = {}
        for each in asking.attendees:
            if each.value in asking.nodes:
                nodes.setdefault(asking.nodes[each.value][0], []).append(each)
            else:
                domains.setdefault(domain_of(directory.normalize(each.value)), []).append(each)
        questions = [
            *(self._ask(domain, asking, some) for domain, some in domains.items()),
            *(self._ask_node(node, asking, some) for node, some in nodes.items()),
        ]
        answers = await gatherResults([Deferred.fromCoroutine(each) for each in questions])
        found: dict[str, Told] = {each.attendee.value: each for some in answers for each in some}
        return [found[each.value] for each in asking.attendees]

    async def _ask(self, domain: str, asking: Asking, attendees: Sequence[Property]) -> Sequence[Told]:
        addresses = tuple(directory.normalize(each.value) for each in attendees)
        responses: Iterable[Response]
        if self.client is None or "." not in domain or not self.trust.welcomes(domain):
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

    async def _ask_node(self, node: str, asking: Asking, attendees: Sequence[Property]) -> Sequence[Told]:
        """Ask another node: who asks is known there, and so is the meeting that is to be moved."""
        assert self.nodes is not None, "nobody is at another node where there is none"
        addresses = tuple(directory.normalize(asking.nodes[each.value][1]) for each in attendees)
        originator, each_once = directory.preferred(asking.owner), tuple(dict.fromkeys(addresses))
        masked = asking.question.masked
        more = () if masked is None else (Property(MASKED, masked),)
        body = question(asking, originator, each_once, more)
        outgoing = Outgoing(originator=originator, recipients=each_once, body=body, message_id=str(uuid4()))
        responses = await self.nodes.ask(node, outgoing, self.seconds)
        found = dict(zip(each_once, responses, strict=True))
        return [told(asking, each, found[address]) for each, address in zip(attendees, addresses, strict=True)]


def question(asking: Asking, originator: str, addresses: Iterable[str], more: Iterable[Property] = ()) -> bytes:
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
            *more,
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
