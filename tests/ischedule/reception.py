"""A receiver on a real socket of loopback, with a calendar server behind it that remembers what it got."""

from collections.abc import Mapping, Sequence
from typing import Any

from letters import NOW, record
from resolved import Names
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from wire import Answer, Wire, connect, request

from ischedule.errors import INVALID_USER, NO_AUTHORITY, SUCCESS
from ischedule.keyfetch import KeyFetcher
from ischedule.message import Fields, Message, Response
from ischedule.receiver import Delivery, Receiver, Settings
from ischedule.resource import KeyPages, ReceiverResource, ReceiverSite

UNLIMITED = Settings(address_rate=None, domain_rate=None, unknown_rate=None)
PLACE = "/.well-known/ischedule"


def published(**records: str | Exception) -> dict[tuple[str, str], list[str] | Exception]:
    """Records in the DNS, by selector of ``sender.example``."""
    return {
        (f"{selector}._domainkey.sender.example", "TXT"): text if isinstance(text, Exception) else [_strings(text)]
        for selector, text in records.items()
    }


def _strings(text: str) -> str:
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))


class Office:
    """Hosts ``receiver.example``, where everybody exists but ``nobody``."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.refusal: Exception | None = None
        self.busy = b"BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nEND:VCALENDAR\r\n"

    def hosts(self, domain: str) -> bool:
        return domain == "receiver.example"

    async def deliver(self, delivery: Delivery) -> Sequence[Response]:
        self.deliveries.append(delivery)
        if self.refusal:
            raise self.refusal
        return [self._response(each, delivery) for each in delivery.recipients if "silent" not in each]

    def _response(self, recipient: str, delivery: Delivery) -> Response:
        status = INVALID_USER if "nobody" in recipient else NO_AUTHORITY if "private" in recipient.lower() else SUCCESS
        asked = delivery.message.asks_free_busy and status is SUCCESS
        return Response(recipient=recipient, status=status, calendar_data=self.busy if asked else None)


class House:
    """The office, the receiver before it, and a port of loopback."""

    def __init__(self, settings: Settings = UNLIMITED, records: Mapping[tuple[str, str], Any] | None = None) -> None:
        self.now = NOW
        self.clock = Clock()
        self.office = Office()
        self.names = Names(
            records
            if records is not None
            else published(cal1=record("cal1"), rsa1=record("rsa1"), revoked="v=DKIM1; k=ed25519; p=")
        )
        self.receiver = Receiver(
            self.office, KeyFetcher(self.names, self.clock), settings=settings, now=lambda: self.now
        )
        root, well_known = Resource(), Resource()
        root.putChild(b".well-known", well_known)
        well_known.putChild(b"ischedule", ReceiverResource(self.receiver))
        well_known.putChild(b"domainkey", KeyPages(self.publish))
        self.site = ReceiverSite(root, body_bytes=self.receiver.capabilities.max_content_length or 1_000_000)
        self.site.noisy = False
        self._port = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.port = self._port.getHost().port
        self._wires: list[Wire] = []

    def publish(self, domain: str, selector: str) -> tuple[str, ...]:
        return (record(), record("cal2")) if (domain, selector) == ("receiver.example", "cal1") else ()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.clock.advance(seconds)

    async def wire(self) -> Wire:
        self._wires.append(await connect(self.port))
        return self._wires[-1]

    async def send(self, message: Message, *more: str) -> Answer:
        return await (await self.wire()).ask(posted(message.fields, message.body, *more))

    async def get(self, path: str, *fields: str, method: str = "GET") -> Answer:
        return await (await self.wire()).ask(request(method, path, *fields))

    async def close(self) -> None:
        for each in self._wires:
            each.close()
            await each.until_closed()
        await self._port.stopListening()


def posted(fields: Fields, body: bytes, *more: str) -> bytes:
    """A POST, octet by octet."""
    return request("POST", PLACE, *(f"{name}: {value}" for name, value in fields), *more, body=body)
