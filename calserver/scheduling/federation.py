"""All parts of scheduling with other organizations, and with other nodes, built of the configuration."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any, Final, cast

import attrs
from hyperlink import URL

from calserver import dav
from calserver.config import Config, ConfigError, Ischedule, Settings
from calserver.meetings import Policy, Route
from calserver.scheduling.audit import Audit
from calserver.scheduling.authorities import authorities
from calserver.scheduling.by_mail import ByMail
from calserver.scheduling.courier import Bundle, Carrier, Courier
from calserver.scheduling.inner_office import InnerOffice
from calserver.scheduling.inquiries import Inquiries
from calserver.scheduling.mail import Desk, Mailer
from calserver.scheduling.manners import Manners, trust
from calserver.scheduling.neighbors import Identity, Neighbors
from calserver.scheduling.office import METHODS, Office
from calserver.scheduling.route import Elsewhere, Within
from calserver.store import Store
from calserver.telemetry import Metrics
from ischedule.agent import GuardedAgent
from ischedule.capabilities import Capabilities
from ischedule.client import Client
from ischedule.discovery import WELL_KNOWN, Discovery, Server
from ischedule.discovery import Trust as SrvTrust
from ischedule.dkim import SigningKey
from ischedule.errors import INVALID_SERVICE
from ischedule.guard import Guard
from ischedule.keyfetch import KeyFetcher, private_keys
from ischedule.keyring import KeyRefused, KeyRing
from ischedule.outcome import Again, Outcome, all_alike
from ischedule.rates import Rate
from ischedule.receiver import Answer, Incoming, Receiver
from ischedule.receiver import Settings as ReceiverSettings
from ischedule.resolver import NameServer, Resolver

KEYS: Final = "keys"
"""The folder with our own keys."""
BODY_BYTES: Final = 1024 * 1024
RECIPIENTS: Final = 100
METHODS_OF_KEYS: Final = ("private-exchange", "dns/txt")
USER_AGENT: Final = "calserver"


class Federation:
    """Scheduling with other organizations, and between the nodes of a cluster.

    Args:
        config: all of it.
        store: where letters are.
        policy: of the site, without routes.
        spoken: what the server speaks.
        tree: what it serves.
        metrics: what is counted.
        reactor: sockets and time.
        identity: of this node; None where there is no cluster.

    Raises:
        ConfigError: a file that it names is not usable.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        policy: Policy,
        spoken: dav.Extensions,
        tree: dav.Tree,
        metrics: Metrics,
        reactor: Any,
        identity: Identity | None = None,
    ) -> None:
        settings = config.ischedule
        self._calendars = config.calendars
        self._ring = KeyRing(config.path(KEYS))
        self._enabled, self._mails = settings.enabled, bool(config.mail.address)
        try:
            self.audit = Audit(settings.audit_file, config.path)
        except OSError as error:
            raise ConfigError(f"ischedule.audit_file: {error}") from None
        believed = trust(settings)
        lookup = Resolver(reactor, servers=[NameServer.parse(each) for each in settings.name_servers])
        self._agent = GuardedAgent(
            reactor,
            lookup,
            guard=Guard(allow=tuple(ip_network(str(each)) for each in settings.allow_networks)),
            trust=authorities(config, "ischedule.authorities_file", settings.authorities_file),
        )
        self._client = Client(
            self._agent,
            Discovery(lookup, reactor, own=config.calendars.hosts),
            self._signing_key,
            reactor,
            routes=_routes(settings),
            srv_trust=cast(SrvTrust, settings.srv_trust),
            user_agent=USER_AGENT,
        )
        self._neighbors = None if identity is None else Neighbors(config, identity, reactor)
        elsewhere = Elsewhere(policy=policy, trust=believed, can_send=self._can_send)
        self.routes: tuple[Route, ...] = (elsewhere,) if identity is None else (Within(policy=policy), elsewhere)
        self.inquiries = Inquiries(
            client=self._client if settings.enabled else None,
            nodes=self._neighbors,
            trust=believed,
            seconds=settings.free_busy_seconds,
        )
        office = Office(
            store=store,
            policy=attrs.evolve(policy, routes=self.routes),
            spoken=spoken,
            tree=tree,
            settings=config.settings,
            manners=Manners(settings),
            audit=self.audit,
            nodes=self._neighbors,
        )
        self._inner = None if self._neighbors is None else self._neighbors.receiver(InnerOffice(office=office))
        keys = KeyFetcher(lookup, reactor, agent=self._agent, private=private_keys(config.path(settings.private_keys)))
        self._receiver = Receiver(
            office,
            keys,
            settings=ReceiverSettings(
                capabilities=capabilities(config),
                trust=believed,
                methods=(*METHODS_OF_KEYS, *(("http/well-known",) if settings.well_known_keys else ())),
                address_rate=_rate(settings.address_rate),
                domain_rate=_rate(settings.domain_rate),
            ),
        )
        self.desk: Desk | None = None
        """Where mail is taken; None where there is none."""
        carriers: list[Carrier] = (
            [ByIschedule(client=self._client, mail_follows=self._mails)] if settings.enabled else []
        )
        if self._mails:
            mailer = Mailer.of(config, config.path(KEYS), reactor)
            carriers.append(ByMail(mailer=mailer, store=store, policy=policy))
            self.desk = Desk.of(config, store, lookup, office.policy, self.audit)
        self._courier = Courier(store, office.policy, settings, carriers, metrics, reactor, inner=self._neighbors)

    @property
    def answers(self) -> bool:
        """Whether other organizations are answered by iSchedule."""
        return self._enabled

    @property
    def asks(self) -> bool:
        """Whether others are asked: other organizations by iSchedule, or other nodes."""
        return self._enabled or self._neighbors is not None

    async def arrived(self) -> None:
        """Wait a moment for what was written to people at other nodes to arrive (`Courier.arrived`)."""
        await self._courier.arrived()

    def start(self) -> None:
        """Begin to deliver letters."""
        self._courier.start()

    async def rest(self) -> None:
        """Deliver no more."""
        await self._courier.stop()

    async def stop(self) -> None:
        """Deliver and ask no more."""
        await self.rest()
        await self._agent.close()
        if self._neighbors is not None:
            await self._neighbors.close()
        self.audit.close()

    # -- for the web -----------------------------------------------------------------------------------------------

    def announce(self, arguments: Mapping[str, str]) -> Answer:
        """What is accepted; `arguments` are those of the query part of the URL."""
        return self._receiver.announce(arguments)

    async def receive(self, incoming: Incoming) -> Answer:
        """Take a message, or refuse it."""
        answer = await self._receiver.receive(incoming)
        if answer.status != HTTPStatus.OK:
            claims = {
                name.lower(): value[:200]
                for name, value in incoming.fields
                if name.lower() in ("originator", "recipient")
            }
            self.audit.note("refused", "", address=incoming.address, status=int(answer.status), claims=claims)
        return answer

    async def receive_within(self, incoming: Incoming) -> Answer:
        """Take a message of another node, or refuse it."""
        assert self._inner is not None, "there is a cluster"
        return await self._inner.receive(incoming)

    def published(self, domain: str, selector: str) -> Sequence[str]:
        """The key records of one of our domains, which others may fetch by HTTPS."""
        if not self._calendars.hosts(domain):
            return ()
        return [key.record() for key in self._ring.to_publish(datetime.now(UTC)) if key.selector == selector]

    # -- keys ------------------------------------------------------------------------------------------------------

    def _can_send(self) -> bool:
        if self._mails:
            return True
        try:
            return self._enabled and bool(self._ring.signing_key())
        except KeyRefused:
            return False

    def _signing_key(self, domain: str) -> SigningKey:
        """Each of our domains publishes the same keys."""
        key = self._ring.signing_key()
        return SigningKey(domain=domain, selector=key.selector, private=self._ring.private_key(key.selector))


@attrs.frozen(kw_only=True)
class ByIschedule:
    """`Carrier` by iSchedule.

    Args:
        client: sends messages.
        mail_follows: whether mail is the next way, so that it is taken where there is no key to sign with.
    """

    client: Client
    mail_follows: bool = False

    async def carry(self, domain: str, bundle: Bundle) -> Outcome:
        """Try to deliver a message once."""
        outgoing = bundle.outgoing
        try:
            return await self.client.deliver(domain, outgoing)
        except KeyRefused as error:
            outcome = all_alike(outgoing.recipients, INVALID_SERVICE, str(error), Again.LATER)
            return attrs.evolve(outcome, no_service=self.mail_follows)
        except ValueError as error:
            return all_alike(outgoing.recipients, INVALID_SERVICE, f"the message cannot be sent: {error}")


def capabilities(config: Config) -> Capabilities:
    """What is announced, and enforced."""
    calendars = config.calendars
    return Capabilities(
        messages=(("VEVENT", METHODS), ("VTODO", METHODS), ("VFREEBUSY", ("REQUEST",))),
        inline_attachments=True,
        external_attachments=True,
        rscales=("GREGORIAN",),
        max_content_length=min(calendars.resource_bytes, BODY_BYTES),
        min_date_time=f"{calendars.min_date_time.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        max_date_time=f"{calendars.max_date_time.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        max_instances=calendars.instances,
        max_recipients=RECIPIENTS,
    )


def attached(settings: Settings, federation: Federation | None) -> Settings:
    """``View.settings`` with the ways to other organizations, where there are any."""
    if federation is None:
        return settings
    settings = attrs.evolve(settings, routes=federation.routes)
    return attrs.evolve(settings, inquire=federation.inquiries.ask) if federation.asks else settings


def _rate(per_second: float) -> Rate:
    return Rate(per_second=per_second, at_once=max(per_second * 10, 1.0))


def _routes(settings: Ischedule) -> Mapping[str, tuple[Server, ...]]:
    """The servers of domains that are not looked for in the DNS."""
    return {domain: tuple(_server(each) for each in peer.urls) for domain, peer in settings.peers.items() if peer.urls}


def _server(text: str) -> Server:
    try:
        url = URL.from_text(text)
        if url.scheme not in ("https", "http") or not url.host:
            raise ValueError("it has no https and host")
    except ValueError as error:
        raise ConfigError(f"ischedule.peers: {text} is no URL of a server: {error}") from None
    path = "/" + "/".join(url.path) if url.path and url.path != ("",) else WELL_KNOWN
    return Server(host=url.host, port=url.port or 443, path=path, secure=url.scheme == "https")
