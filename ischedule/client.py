"""Send messages to other domains' calendar servers, and ask them for free-busy time.

    client = Client(agent, discovery, lambda domain: signing_key, reactor)
    message = Outgoing(originator=..., recipients=..., body=..., message_id=...)
    outcome = await client.deliver("receiver.example", message)
    outcome.responses, outcome.again                       # see `ischedule.outcome`

A delivery finds the domain's servers, looks at what they accept (which is remembered), divides the recipients into
requests that are not too large, signs each, and tries one server after the other until one has answered. It tries once
in a while and no more: when to try again, and in which order, is for a queue to know, which a calendar server has.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, Protocol

import attrs
from hyperlink import URL
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ischedule import capabilities, dkim, itip, outcome
from ischedule.agent import Follow, GuardedAgent, Reply
from ischedule.capabilities import UNKNOWN, Capabilities, CapabilitiesCache, Known
from ischedule.connection import ExchangeFailed, Refused, Unusable
from ischedule.discovery import NoService, Server, TemporaryFailure, Trust, acceptable
from ischedule.domains import domain_of
from ischedule.errors import INVALID_SERVICE, UNAVAILABLE, AttachmentTypeNotSupported, RequestRefused
from ischedule.message import VERSION, Fields, Message
from ischedule.outcome import Again, Outcome
from ischedule.waiting import within
from ischedule.xml import Malformed

log = Logger()

MOST_RECIPIENTS: Final = 50
MOST_RECIPIENT_OCTETS: Final = 4000
"""What fits into one header field of the servers that are about."""
QUESTION_SECONDS: Final = 10.0
"""How long the answer to a question for free-busy time is waited for."""


@attrs.frozen(kw_only=True)
class Outgoing:
    """A message for recipients of one domain: what is sent again has the same `message_id`."""

    originator: str
    recipients: tuple[str, ...]
    body: bytes = attrs.field(repr=False)
    message_id: str
    signer: str = ""
    """The domain that signs; empty: that of the originator."""
    more: Fields = ()
    """Further header fields, which are signed, too; names in lower case."""


class Finds(Protocol):
    """Who finds the servers of a domain: `ischedule.discovery.Discovery`."""

    async def discover(self, domain: str) -> tuple[Server, ...]:
        """The servers in the order in which to try them; raises `NoService` or `TemporaryFailure`."""

    def failed(self, server: Server) -> None:
        """It does not answer."""

    def succeeded(self, server: Server) -> None:
        """It does."""


class NotThere(Exception):
    """A server has not answered a question for its capabilities in a way that makes it worth to send it anything."""


NO_ROUTES: Final[Mapping[str, tuple[Server, ...]]] = MappingProxyType({})


class Client:
    """Sends scheduling requests.

    Args:
        agent: makes the requests.
        discovery: finds the servers.
        key_of: the key with which messages of a domain's users are signed.
        clock: the reactor, for deadlines.
        routes: servers of domains that are not to be looked for.
        srv_trust: which servers are believed to be those of a domain.
        methods: where our keys are published (``q=``).
        lifetime_seconds: how long a signature is valid.
        user_agent: how we introduce ourselves.
        cache: what is known of receivers.
        assumed: what all receivers accept, where that is known without asking.
        now: seconds since 1970.
    """

    def __init__(
        self,
        agent: GuardedAgent,
        discovery: Finds,
        key_of: Callable[[str], dkim.SigningKey],
        clock: IReactorTime,
        *,
        routes: Mapping[str, tuple[Server, ...]] = NO_ROUTES,
        srv_trust: Trust = "target",
        methods: Sequence[str] = ("dns/txt",),
        lifetime_seconds: int = 600,
        user_agent: str = "",
        cache: CapabilitiesCache | None = None,
        assumed: Capabilities | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._agent = agent
        self._discovery = discovery
        self._key_of = key_of
        self._clock = clock
        self._routes = routes
        self._srv_trust = srv_trust
        self._methods = methods
        self._lifetime_seconds = lifetime_seconds
        self._user_agent = user_agent
        self._cache = cache or CapabilitiesCache()
        self._assumed = assumed
        self._now = now

    async def deliver(self, domain: str, outgoing: Outgoing, *, seconds: float | None = None) -> Outcome:
        """Try to deliver a message to a domain once.

        Args:
            domain: that of the recipients.
            outgoing: the message.
            seconds: how long to wait at most, besides the limits of single requests.

        Raises:
            ValueError: the message is none, or one of its addresses cannot stand in a header field.
        """
        try:
            message = itip.read(outgoing.body)
        except RequestRefused as refused:
            raise ValueError(refused.reason) from None
        self._composed(outgoing, message)
        try:
            if seconds is None:
                return await self._deliver(domain, outgoing, message)
            return await within(self._clock, seconds, self._deliver(domain, outgoing, message))
        except TimeoutError:
            return outcome.unreachable(outgoing.recipients, f"{domain} has not answered within {seconds:g} s")

    async def ask(self, domain: str, outgoing: Outgoing, *, seconds: float = QUESTION_SECONDS) -> Outcome:
        """Ask for free-busy time; nobody waits for a second try, so there is none."""
        found = await self.deliver(domain, outgoing, seconds=seconds)
        return attrs.evolve(found, again=Again.NEVER)

    async def servers(self, domain: str) -> tuple[Server, ...]:
        """The servers of a domain that are believed.

        Raises:
            NoService: there are none.
            TemporaryFailure: that is not known at the moment.
        """
        if domain in self._routes:
            return self._routes[domain]
        found = await self._discovery.discover(domain)
        believed = tuple(each for each in found if acceptable(each, domain, self._srv_trust))
        if not believed:
            raise NoService(domain)
        return believed

    async def capabilities(self, domain: str, server: Server) -> Known:
        """What a server of a domain accepts, from what is known or by asking; `UNKNOWN` if it does not say.

        Raises:
            NotThere: it does not answer.
        """
        now = self._now()
        if self._assumed is not None:
            return Known(capabilities=self._assumed, until=now, url=server.url)
        if fresh := self._cache.fresh(server.url, now):
            return fresh
        known = self._cache.known(server.url)
        headers = {"If-None-Match": known.etag} if known and known.etag else {}
        url = f"{server.url}?action=capabilities"
        try:
            reply = await self._agent.exchange("GET", url, headers, follow=self._follow(domain, server))
        except Unusable as error:
            log.info("the capabilities of {url} are not readable: {error}", url=server.url, error=str(error))
            return Known(capabilities=UNKNOWN, until=now, url=server.url)
        except ExchangeFailed as error:
            raise NotThere(str(error)) from None
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status in outcome.BUSY:
            raise NotThere(f"{server.url} answers with {reply.status}")
        found = _read(reply, known)
        if found is None:
            return Known(capabilities=UNKNOWN, until=now, url=server.url)
        self._cache.keep(
            server.url,
            found,
            now=now,
            cache_control=reply.header("cache-control") or "",
            etag=reply.header("etag") or "",
            moved=_moved(reply),
        )
        return self._cache.known(server.url) or Known(capabilities=found, until=now, url=server.url)

    async def _deliver(self, domain: str, outgoing: Outgoing, message: itip.ITip) -> Outcome:
        try:
            servers = await self.servers(domain)
        except NoService as error:
            return attrs.evolve(
                outcome.all_alike(outgoing.recipients, INVALID_SERVICE, str(error)), no_service=not error.declined
            )
        except TemporaryFailure as failure:
            return outcome.all_alike(outgoing.recipients, UNAVAILABLE, str(failure), Again.LATER)
        settled, failed = list[Outcome](), list[Outcome]()
        left = outgoing.recipients
        for server in servers:
            outcomes = await self._try(domain, server, attrs.evolve(outgoing, recipients=left), message)
            settled += [each for each in outcomes if not each.server_failed]
            failed = [each for each in outcomes if each.server_failed]
            left = tuple(response.recipient for each in failed for response in each.responses)
            if not left:
                self._discovery.succeeded(server)
                break
            self._discovery.failed(server)
            log.info("{url} has failed: {reason}", url=server.url, reason=failed[0].reason)
        return outcome.together(outgoing.recipients, settled + failed)

    async def _try(self, domain: str, server: Server, outgoing: Outgoing, message: itip.ITip) -> list[Outcome]:
        """Deliver to one server: the outcomes of one or more requests. After one that has failed there are no more."""
        try:
            known = await self.capabilities(domain, server)
        except NotThere as error:
            return [outcome.unreachable(outgoing.recipients, str(error))]
        if VERSION not in known.capabilities.versions:
            return [outcome.all_alike(outgoing.recipients, INVALID_SERVICE, "the receiver speaks another version")]
        outcomes = list[Outcome]()
        for number, batch in enumerate(batches(outgoing.recipients, known.capabilities.max_recipients)):
            part = attrs.evolve(outgoing, recipients=batch, message_id=numbered(outgoing.message_id, number))
            if outcomes and outcomes[-1].server_failed:
                outcomes.append(outcome.unreachable(batch, outcomes[-1].reason, outcomes[-1].again))
            else:
                outcomes.append(await self._post(domain, server, known, part, message))
        return outcomes

    async def _post(self, domain: str, server: Server, known: Known, part: Outgoing, message: itip.ITip) -> Outcome:
        try:
            part = fitting(part, message, known.capabilities)
        except RequestRefused as refused:
            return outcome.unfit(part.recipients, refused)
        request = self._signed(part, message)
        follow = self._follow(domain, server)
        try:
            reply = await self._agent.exchange("POST", known.url, dict(request.fields), request.body, follow=follow)
        except ExchangeFailed as error:
            again = Again.ONCE if isinstance(error, Refused) else Again.LATER
            return outcome.unreachable(part.recipients, str(error), again)
        self._cache.notice(server.url, reply.header("ischedule-capabilities"))
        found = outcome.judge(
            part.recipients,
            status=reply.status,
            body=reply.body,
            retry_after=reply.header("retry-after") or "",
            now=self._now(),
        )
        if found.again is Again.ONCE:
            self._cache.forget(server.url)
        return found

    def _signed(self, part: Outgoing, message: itip.ITip) -> Message:
        request = self._composed(part, message)
        signature = dkim.sign(
            request.fields,
            request.body,
            self._key_of(part.signer or domain_of(part.originator)),
            now=self._now(),
            lifetime_seconds=self._lifetime_seconds,
            methods=self._methods,
            also=[name for name, _ in part.more],
        )
        return request.with_field("DKIM-Signature", signature)

    def _composed(self, part: Outgoing, message: itip.ITip) -> Message:
        composed = Message.compose(
            originator=part.originator,
            recipients=part.recipients,
            component=message.component,
            method=message.method,
            body=part.body,
            message_id=part.message_id,
            user_agent=self._user_agent,
        )
        return attrs.evolve(composed, fields=(*composed.fields, *part.more))

    def _follow(self, domain: str, server: Server) -> Follow:
        """Redirects go to hosts that would be believed if they had been found."""

        def follow(here: URL, there: URL) -> bool:
            target = attrs.evolve(server, host=there.host.lower(), authentic=False)
            return here.host == there.host or acceptable(target, domain, self._srv_trust)

        return follow


def _read(reply: Reply, known: Known | None) -> Capabilities | None:
    """What a reply says of capabilities; None if it says nothing."""
    if reply.status == HTTPStatus.NOT_MODIFIED and known:
        return known.capabilities
    if reply.status != HTTPStatus.OK:
        return None
    try:
        return capabilities.read(reply.body)
    except Malformed as malformed:
        log.info("the capabilities of {url} are not readable: {reason}", url=reply.url, reason=str(malformed))
        return None


def _moved(reply: Reply) -> str:
    """Where the service is for good, by the redirects of a question for its capabilities."""
    found, asked, _ = reply.url.partition("?action=capabilities")
    return found if asked and reply.permanent else ""


def batches(recipients: Sequence[str], most: int | None) -> Iterator[tuple[str, ...]]:
    """The recipients of each request: no more than are accepted, and than fit into a header field."""
    most = min(most or MOST_RECIPIENTS, MOST_RECIPIENTS)
    batch, octets = list[str](), 0
    for each in recipients:
        if batch and (len(batch) == most or octets + len(each) + 1 > MOST_RECIPIENT_OCTETS):
            yield tuple(batch)
            batch, octets = [], 0
        batch.append(each)
        octets += len(each) + 1
    if batch:
        yield tuple(batch)


def numbered(message_id: str, number: int) -> str:
    """What one of several requests for the same message is called, which must differ between them."""
    return f"{message_id}-{number}" if number else message_id


def fitting(part: Outgoing, message: itip.ITip, limits: Capabilities) -> Outgoing:
    """The message as the receiver takes it: without attached data if it does not take that.

    Raises:
        RequestRefused: it does not take it at all.
    """
    if message.asks_free_busy:
        part = attrs.evolve(part, body=itip.about(part.body, part.recipients))
        message = itip.read(part.body)
    try:
        _check(part, message, limits)
    except AttachmentTypeNotSupported:
        part = attrs.evolve(part, body=itip.without_inline_attachments(part.body))
        _check(part, itip.read(part.body), limits)
    return part


def _check(part: Outgoing, message: itip.ITip, limits: Capabilities) -> None:
    itip.check_limits(message, recipients=len(part.recipients), body_bytes=len(part.body), limits=limits)
