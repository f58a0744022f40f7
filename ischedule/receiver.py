"""Receive messages from other servers: check everything, deliver what is left, say what became of it.

    class Office:                                          # your calendar server: a `Deliverer`
        def hosts(self, domain): return domain == "receiver.example"
        async def deliver(self, delivery): return [Response(recipient=each, status=SUCCESS) for each in ...]

    receiver = Receiver(Office(), KeyFetcher(resolver, reactor))
    answer = await receiver.receive(Incoming(fields=fields, body=body, address="192.0.2.1"))

This module knows no HTTP server; `ischedule.resource` puts it behind one of Twisted's. The checks come in the order of
their cost, and nothing is looked up for a stranger before what can be checked without has been (the numbers are those
of the comments below):

1. how often its address asks; 2. version, media type, size; 3. originator and recipients, and whether we talk to the
domain; 4. the signature, as far as it can be told without the key, and whether its domain may speak for the originator;
5. the body against its hash; 6. the key, and the signature; 7. how often the domain asks, and whether this is a replay;
8. the calendar data: limits, rules of iTIP, originator and recipients against organizer and attendees; 9. delivery.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from typing import Final, Protocol

import attrs
from twisted.logger import Logger

from ischedule import capabilities, dkim, itip, xml
from ischedule.capabilities import Capabilities
from ischedule.domains import domain_of
from ischedule.errors import (
    INVALID_USER,
    UNAVAILABLE,
    InvalidCalendarDataType,
    MaxContentLength,
    MaxRecipients,
    OriginatorDenied,
    RequestRefused,
    TooManyRequests,
    VerificationFailed,
)
from ischedule.message import NO_CACHE, VERSION, Envelope, Fields, Response, address_key, values_of
from ischedule.rates import Allowances, Rate
from ischedule.replays import ReplayMemory, Replays
from ischedule.resolver import TemporaryFailure
from ischedule.trust import Trust

log = Logger()

USUAL: Final = Capabilities(
    messages=(
        ("VEVENT", ("REQUEST", "ADD", "REPLY", "CANCEL")),
        ("VFREEBUSY", ("REQUEST",)),
    ),
    inline_attachments=False,
    external_attachments=True,
    rscales=("GREGORIAN",),
    max_content_length=1024 * 1024,
    min_date_time="19000101T000000Z",
    max_date_time="21001231T235959Z",
    max_instances=2000,
    max_recipients=100,
)
BRISK: Final = Rate(per_second=20, at_once=200)
SLOW: Final = Rate(per_second=20 / 3600, at_once=20)
SKEW_SECONDS: Final = 300
SHORTEST_MEMORY_SECONDS: Final = 600
QUESTION_SECONDS: Final = 60
"""How long the answer to a question for free-busy time is given again: a stranger must not watch it change."""
KEY_RETRY_SECONDS: Final = 60


@attrs.frozen(kw_only=True)
class Incoming:
    """A scheduling request as HTTP brought it, without any coding of the transfer."""

    fields: Fields
    body: bytes = attrs.field(repr=False)
    address: str
    """The IP address it came from."""


@attrs.frozen(kw_only=True)
class Answer:
    """What is answered; `headers` are complete but for what HTTP itself adds."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = attrs.field(repr=False)
    question: bool = False
    """Whether it is the answer to a question for free-busy time."""


@attrs.frozen(kw_only=True)
class Delivery:
    """A message that has passed all checks."""

    originator: str
    recipients: tuple[str, ...]
    """Those whose domains we host, as they are written in the request."""
    message: itip.ITip
    body: bytes = attrs.field(repr=False)
    domain: str
    """The domain that vouches for it: the one that signed it, or that of a peer that needs no signature."""
    message_id: str
    """What the peer calls it; empty if it does not call it anything."""
    signed: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """The header fields that the signature covers, by their names in lower case."""


class Deliverer(Protocol):
    """What a calendar server does with messages."""

    def hosts(self, domain: str) -> bool:
        """Whether the calendar users of a domain are ours. Messages *from* them do not come in here."""

    async def deliver(self, delivery: Delivery) -> Sequence[Response]:
        """Deliver a message, or answer a question for free-busy time.

        Returns:
            What became of it for each recipient; who is missing is told to try again.

        Raises:
            RequestRefused: none of the recipients can have it: `MaxInstances`, for example.
        """


class Keys(Protocol):
    """Who finds keys: `ischedule.keyfetch.KeyFetcher`."""

    async def fetch(self, query: dkim.KeyQuery, *, fresh: bool = False) -> tuple[str, ...]:
        """The records of a key; raises `TemporaryFailure`."""


@attrs.frozen(kw_only=True)
class Settings:
    """What a receiver accepts of whom.

    Args:
        capabilities: what is announced, and enforced.
        trust: whom we talk to.
        methods: how keys may be got. ``http/well-known`` makes requests to strangers for strangers.
        address_rate: requests from one address.
        domain_rate: requests that one domain has signed.
        unknown_rate: recipients of one domain's requests that do not exist, lest it try out all names.
    """

    capabilities: Capabilities = USUAL
    trust: Trust = attrs.field(factory=Trust)
    methods: tuple[str, ...] = ("private-exchange", "dns/txt")
    address_rate: Rate | None = BRISK
    domain_rate: Rate | None = BRISK
    unknown_rate: Rate | None = SLOW


class Receiver:
    """Receives scheduling requests.

    Args:
        deliverer: what is done with them.
        keys: finds the keys of strangers.
        settings: what is accepted of whom.
        replays: what has been received already.
        now: the time, in seconds since 1970.
    """

    def __init__(
        self,
        deliverer: Deliverer,
        keys: Keys,
        *,
        settings: Settings | None = None,
        replays: Replays[Answer] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings or Settings()
        self.capabilities = capabilities.numbered(self.settings.capabilities)
        self._deliverer = deliverer
        self._keys = keys
        self._replays: Replays[Answer] = replays or ReplayMemory()
        self._now = now
        self._addresses = Allowances(self.settings.address_rate)
        self._domains = Allowances(self.settings.domain_rate)
        self._unknown = Allowances(self.settings.unknown_rate)
        self._policy = dkim.Policy(methods=self.settings.methods, require_timestamp=False)
        self._document = capabilities.write(self.capabilities)
        self._headers = (
            ("iSchedule-Version", VERSION),
            ("iSchedule-Capabilities", str(self.capabilities.serial)),
        )

    # -- answers ---------------------------------------------------------------------------------------------------

    def announce(self, arguments: Mapping[str, str]) -> Answer:
        """The answer to a GET: what is accepted. `arguments` are those of the query part of the URL."""
        if {arguments.get("action", "capabilities"), arguments.get("query", "capabilities")} != {"capabilities"}:
            return self.refuse(RequestRefused("The only question is ?action=capabilities."), HTTPStatus.BAD_REQUEST)
        headers = (
            *self._headers,
            xml.CONTENT_TYPE,
            ("Cache-Control", "max-age=3600"),
            ("ETag", f'"{self.capabilities.serial}"'),
        )
        return Answer(status=HTTPStatus.OK, headers=headers, body=self._document)

    def refuse(self, refused: RequestRefused, status: HTTPStatus | None = None) -> Answer:
        """The answer to a request that is refused."""
        headers = [*self._headers, xml.CONTENT_TYPE, NO_CACHE]
        if refused.retry_after_seconds is not None:
            headers.append(("Retry-After", str(int(refused.retry_after_seconds) + 1)))
        return Answer(status=status or refused.status, headers=tuple(headers), body=xml.error(refused))

    async def receive(self, incoming: Incoming) -> Answer:
        """Check a request and deliver it; the answer to it, whatever it is."""
        try:
            return await self._receive(incoming)
        except RequestRefused as refused:
            log.info(
                "refused a message from {address}: {element}: {reason} {detail}",
                address=incoming.address,
                element=refused.element or refused.status.phrase,
                reason=refused.reason,
                detail=refused.detail,
            )
            return self.refuse(refused)

    # -- checks ----------------------------------------------------------------------------------------------------

    async def _receive(self, incoming: Incoming) -> Answer:
        now = self._now()
        _spend(self._addresses, incoming.address, now)  # 1
        envelope = self._open(incoming)  # 2, 3
        signature = self._examine(envelope, incoming, now)  # 4
        if signature is None:
            _spend(self._domains, envelope.originator_domain, now)
            return await self._process(envelope, incoming.body, envelope.originator_domain, ())
        dkim.check_body(signature, incoming.body)  # 5
        await self._verify(signature, incoming)  # 6
        _spend(self._domains, signature.domain, now)  # 7
        work = partial(self._process, envelope, incoming.body, signature.domain, signature.names)
        return await self._once(signature, work, now)

    def _open(self, incoming: Incoming) -> Envelope:
        limits, trust = self.capabilities, self.settings.trust
        envelope = Envelope.read(incoming.fields, any_originator=trust.one_site)
        if envelope.content_type.media_type not in (name for name, _ in limits.data_types):
            raise InvalidCalendarDataType("The media type is not one that was announced.")
        if any(each.strip().lower() not in ("", "identity") for each in values_of(incoming.fields, "Content-Encoding")):
            raise InvalidCalendarDataType("The body may have no Content-Encoding.")
        if limits.max_content_length is not None and len(incoming.body) > limits.max_content_length:
            raise MaxContentLength(f"The body may have {limits.max_content_length} octets.")
        if limits.max_recipients is not None and len(envelope.recipients) > limits.max_recipients:
            raise MaxRecipients(f"There may be {limits.max_recipients} recipients in one request.")
        if trust.one_site:
            return envelope
        if self._deliverer.hosts(envelope.originator_domain):
            raise OriginatorDenied("The Originator is one of our own users.")
        if not trust.welcomes(envelope.originator_domain):
            raise OriginatorDenied("Messages from this domain are not taken.")
        return envelope

    def _examine(self, envelope: Envelope, incoming: Incoming, now: float) -> dkim.Signature | None:
        """The signature; None where none is needed."""
        trust = self.settings.trust
        domain = envelope.originator_domain
        if not values_of(incoming.fields, "DKIM-Signature") and trust.needs_no_signature(domain, incoming.address):
            return None
        signature = dkim.examine(incoming.fields, now=now, policy=self._policy)
        if signature.signed_at is None and trust.peer(signature.domain).require_timestamp:
            raise VerificationFailed("The signature does not say when it was made (t=).")
        if not trust.may_speak(signature.domain, domain) or not trust.welcomes(signature.domain):
            raise OriginatorDenied("The domain that has signed may not speak for the Originator.")
        return signature

    async def _verify(self, signature: dkim.Signature, incoming: Incoming) -> None:
        reasons, unknown = list[str](), False
        for query in self._queries(signature):
            try:
                verdict = await self._try(query, signature, incoming)
            except TemporaryFailure as failure:
                unknown = True
                reasons.append(str(failure))
                continue
            if verdict.valid:
                return
            reasons.append(f"{query.method}: {verdict.reason}")
        detail = f"{signature.selector} of {signature.domain}: {'; '.join(reasons)}"
        if unknown:
            raise VerificationFailed(
                "The key could not be found out at the moment.", detail=detail, retry_after_seconds=KEY_RETRY_SECONDS
            )
        raise VerificationFailed("No key of the domain verifies the signature.", detail=detail)

    def _queries(self, signature: dkim.Signature) -> tuple[dkim.KeyQuery, ...]:
        queries = dkim.wanted_keys(signature)
        if self.settings.trust.peer(signature.domain).pinned:
            return (attrs.evolve(queries[0], method="private-exchange"),)
        return queries

    async def _try(self, query: dkim.KeyQuery, signature: dkim.Signature, incoming: Incoming) -> dkim.Verdict:
        """Judge by the keys that are known, and once more where they have changed meanwhile."""
        records = await self._keys.fetch(query)
        verdict = dkim.verify(signature, incoming.fields, incoming.body, records)
        if not verdict.valid:
            changed = await self._keys.fetch(query, fresh=True)
            if changed != records:
                verdict = dkim.verify(signature, incoming.fields, incoming.body, changed)
        return verdict

    async def _once(self, signature: dkim.Signature, work: Callable[[], Awaitable[Answer]], now: float) -> Answer:
        """Process a message once; a replay gets the answer that was given, one of a question only for a while."""
        named = f"{signature.domain}\0{signature.selector}\0".encode()
        until = max(signature.valid_until() + SKEW_SECONDS, now + SHORTEST_MEMORY_SECONDS)
        key = sha256(named + signature.signature).digest()
        answer, seconds_ago = await self._replays.once(key, work, now=now, until=until)
        if seconds_ago is not None:
            log.info(
                "a message of {domain} has come again after {seconds:.0f} s",
                domain=signature.domain,
                seconds=seconds_ago,
            )
            if answer.question and seconds_ago > QUESTION_SECONDS:
                raise VerificationFailed("This question has been answered.")
        return answer

    # -- delivery --------------------------------------------------------------------------------------------------

    async def _process(self, envelope: Envelope, body: bytes, domain: str, signed: Sequence[str]) -> Answer:
        message = itip.read(body)  # 8
        itip.check_limits(message, recipients=len(envelope.recipients), body_bytes=len(body), limits=self.capabilities)
        itip.check_envelope(message, envelope)
        hosted = tuple(each for each in envelope.recipients if self._is_ours(each))
        responses: Sequence[Response] = ()
        if hosted:  # 9
            responses = await self._deliverer.deliver(
                Delivery(
                    originator=envelope.originator,
                    recipients=hosted,
                    message=message,
                    body=body,
                    domain=domain,
                    message_id=envelope.message_id,
                    signed={name: ",".join(values_of(envelope.fields, name)) for name in signed},
                )
            )
        found = {address_key(each.recipient): each for each in responses}
        complete = [
            self._response(each, each in hosted, found.get(address_key(each)), domain) for each in envelope.recipients
        ]
        log.info(
            "received {method} {component} from {originator}, vouched for by {domain} ({message_id}): {statuses}",
            method=message.method,
            component=message.component,
            originator=envelope.originator,
            domain=domain,
            message_id=envelope.message_id,
            statuses=" ".join(each.status.code for each in complete),
        )
        headers = (*self._headers, xml.CONTENT_TYPE, NO_CACHE)
        return Answer(
            status=HTTPStatus.OK,
            headers=headers,
            body=xml.schedule_response(complete),
            question=message.asks_free_busy,
        )

    def _is_ours(self, address: str) -> bool:
        if self.settings.trust.one_site:
            return True
        try:
            return self._deliverer.hosts(domain_of(address))
        except ValueError:
            return False

    def _response(self, recipient: str, hosted: bool, response: Response | None, domain: str) -> Response:
        """What is said of a recipient; whoever asks for too many that do not exist learns no more about them."""
        if response is None:
            response = Response(recipient=recipient, status=UNAVAILABLE if hosted else INVALID_USER)
        if hosted and response.status.code == INVALID_USER.code and self._unknown.spend(domain, self._now()):
            response = Response(recipient=recipient, status=UNAVAILABLE)
        return attrs.evolve(response, recipient=recipient)


def _spend(allowances: Allowances, who: str, now: float) -> None:
    if seconds := allowances.spend(who, now):
        raise TooManyRequests("Too many requests; try later.", detail=who, retry_after_seconds=seconds)
