"""Other nodes of the cluster: what goes to them goes as to other organizations, signed with the key of this node.

Nodes and their keys stand in the configuration (``private-exchange``), so nothing is looked up, and each node speaks
for all people of the site. What a message itself does not say to the other node stands in header fields of our own,
which are signed like the others.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final, Protocol

import attrs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hyperlink import URL

from calserver.config import Config
from calserver.meetings import letters
from calserver.scheduling.authorities import authorities
from calserver.scheduling.courier import Bundle
from ischedule.agent import GuardedAgent
from ischedule.capabilities import Capabilities
from ischedule.client import Client, Outgoing
from ischedule.connection import Limits
from ischedule.discovery import NoService, Server
from ischedule.dkim import KeyQuery, SigningKey
from ischedule.errors import INVALID_SERVICE
from ischedule.guard import Guard
from ischedule.message import Response
from ischedule.outcome import Outcome, all_alike
from ischedule.receiver import Deliverer, Delivery, Receiver
from ischedule.receiver import Settings as ReceiverSettings
from ischedule.resolver import SystemNames
from ischedule.trust import Trust

PATH: Final = "/ischedule-node"
"""Where nodes post messages."""
ONLY_HOLDERS: Final = "calserver-only-holders"
"""The field that says that who has no copy (any more) gets none: the message only says who takes part."""
VOUCHED: Final = "calserver-vouched"
"""The field with the domain that vouches for the originator, who is at another organization."""
BRANCH: Final = "calserver-branch"
"""The field that says that what people have in branches here is asked about; and for whom: ``site``, or ``outside``."""
HAND_ON_SECONDS: Final = 6.0
"""How long another organization waits for the answer of the node that its message is handed on to."""
SELECTOR: Final = "node"
WITHIN: Final = Capabilities(longest_question_days=None)
"""What nodes accept of one another: what a client may store at one of them, the others take."""

_METHODS: Final = ("private-exchange",)
_ANSWER_BYTES: Final = 16 * 1024 * 1024
_EVERYWHERE: Final = Guard(allow=(ip_network("0.0.0.0/0"), ip_network("::/0")))
"""Nodes are where the configuration says."""


class Identity(Protocol):
    """Who this node is, and whom it believes: `calserver.cluster.Identity`."""

    @property
    def name(self) -> str:
        """Of this node."""

    @property
    def key(self) -> Ed25519PrivateKey:
        """Of this node."""

    @property
    def all(self) -> Mapping[str, Ed25519PublicKey]:
        """The keys of all nodes: when people here are busy a node asks itself, if it has to ask others as well."""


class Nowhere:
    """`ischedule.client.Finds` that finds nothing: all nodes are known."""

    async def discover(self, domain: str) -> tuple[Server, ...]:
        """Raises `NoService`."""
        raise NoService(domain)

    def failed(self, server: Server) -> None:
        """There is no other one to try first."""

    def succeeded(self, server: Server) -> None:
        """The same."""


@attrs.frozen
class Keys:
    """`ischedule.receiver.Keys`: those of the configuration, by the domains that sign."""

    records: Mapping[str, str]

    async def fetch(self, query: KeyQuery, *, fresh: bool = False) -> tuple[str, ...]:
        """The record of a node's key."""
        found = self.records.get(query.domain) if query.selector == SELECTOR else None
        return () if found is None else (found,)


class Neighbors:
    """The other nodes, as this one reaches them.

    Args:
        config: all of it.
        identity: of this node.
        reactor: sockets and time.

    Raises:
        ConfigError: a certificate is not usable.
    """

    def __init__(self, config: Config, identity: Identity, reactor: Any) -> None:
        cluster = config.cluster
        self._signer = signer(identity.name)
        self._records = {
            signer(name): f"v=DKIM1; k=ed25519; p={b64encode(key.public_bytes_raw()).decode()}"
            for name, key in identity.all.items()
        }
        self._agent = GuardedAgent(
            reactor,
            SystemNames(reactor),
            guard=_EVERYWHERE,
            limits=Limits(
                connect_seconds=cluster.connect_seconds,
                answer_seconds=cluster.answer_seconds,
                total_seconds=cluster.connect_seconds + 2 * cluster.answer_seconds,
                body_bytes=_ANSWER_BYTES,
            ),
            trust=authorities(config, "cluster.authorities_file", cluster.authorities_file),
            plain=True,
        )
        self._client = Client(
            self._agent,
            Nowhere(),
            lambda domain: SigningKey(domain=domain, selector=SELECTOR, private=identity.key),
            reactor,
            routes={name: (_server(cluster.nodes[name].url),) for name in identity.all},
            methods=_METHODS,
            assumed=WITHIN,
        )

    def receiver(self, office: Deliverer) -> Receiver:
        """What takes messages of the other nodes, and of nobody else."""
        trust = Trust(allow=tuple(self._records), one_site=True)
        unlimited = ReceiverSettings(
            capabilities=WITHIN, trust=trust, methods=_METHODS, address_rate=None, domain_rate=None, unknown_rate=None
        )
        return Receiver(office, Keys(self._records), settings=unlimited)

    async def close(self) -> None:
        """Close idle connections."""
        await self._agent.close()

    async def carry(self, domain: str, bundle: Bundle) -> Outcome:
        """Try to deliver letters once (`calserver.scheduling.courier.Carrier`); `domain` is the lane of a node."""
        more = [] if bundle.is_news else [(ONLY_HOLDERS, "yes")]
        if bundle.vouched:
            more.append((VOUCHED, bundle.vouched))
        outgoing = attrs.evolve(bundle.outgoing, signer=self._signer, more=tuple(more))
        return await self._deliver(letters.node_of(domain) or "", outgoing, None)

    async def hand_on(self, node: str, delivery: Delivery) -> Sequence[Response]:
        """Let a node answer for its people what another organization wants of them; its answer is the answer."""
        outgoing = Outgoing(
            originator=delivery.originator,
            recipients=delivery.recipients,
            body=delivery.body,
            message_id=delivery.message_id or "none",
            signer=self._signer,
            more=((VOUCHED, delivery.domain),),
        )
        return (await self._deliver(node, outgoing, HAND_ON_SECONDS)).responses

    async def ask(self, node: str, outgoing: Outgoing, seconds: float, *, branch: str = "") -> Sequence[Response]:
        """Ask a node when its people are busy, or others in their branches there; who asks is the originator."""
        more = ((BRANCH, branch),) if branch else ()
        return (await self._deliver(node, attrs.evolve(outgoing, signer=self._signer, more=more), seconds)).responses

    async def _deliver(self, node: str, outgoing: Outgoing, seconds: float | None) -> Outcome:
        try:
            return await self._client.deliver(node, outgoing, seconds=seconds)
        except ValueError as error:
            return all_alike(outgoing.recipients, INVALID_SERVICE, f"the message cannot be sent: {error}")


def signer(node: str) -> str:
    """The domain that a node signs as: one that nobody else can have."""
    return f"{node}.node.internal"


def _server(text: str) -> Server:
    url = URL.from_text(text)
    return Server(host=url.host, port=url.port or 443, path=PATH, secure=url.scheme == "https")
