"""What other servers bring: taken or not, delivered by the same core as local messages, questions answered."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol
from uuid import uuid4

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from calserver import caldav, calendars, dav, directory, ical, meetings
from calserver.caldav import Part, Told
from calserver.conditions import ConditionFailed
from calserver.config import Settings
from calserver.directory import Actor
from calserver.ical import ValidCalendarData
from calserver.itip import Message, Method
from calserver.meetings import People, Policy
from calserver.scheduling.audit import Audit
from calserver.scheduling.manners import Manners
from calserver.store import Busy, Peer, Principal, Store, Transaction
from ischedule import errors
from ischedule.client import Outgoing
from ischedule.errors import INVALID_USER, NO_AUTHORITY, SUCCESS, RequestRefused, Status
from ischedule.itip import BY_ATTENDEE
from ischedule.message import Response
from ischedule.receiver import Delivery

log = Logger()

SITE: Final = "site"
OUTSIDE: Final = "outside"
"""For whom is asked about branches: somebody of this site, or of another organization."""
BRANCH_SECONDS: Final = 4.0
"""How long a node is waited for that has a branch."""
FOREIGNER: Final = Actor(vouched=True)
"""Who asks from elsewhere: nobody here, but one for whom another organization vouches."""


@attrs.frozen(kw_only=True)
class Sender:
    """Somebody of this site who is at another node."""

    principal: Principal
    actor: Actor
    only_holders: bool
    """Whether the message only says who takes part: who has no copy gets none."""


class Nodes(Protocol):
    """Other nodes of the cluster: `calserver.scheduling.neighbors.Neighbors`."""

    async def hand_on(self, node: str, delivery: Delivery) -> Sequence[Response]:
        """Let a node answer for its people."""

    async def ask(self, node: str, outgoing: Outgoing, seconds: float, *, branch: str = "") -> Sequence[Response]:
        """Ask a node when others are busy by what they have in branches there."""


@attrs.frozen(kw_only=True)
class Office:
    """`ischedule.receiver.Deliverer` of a calendar server.

    Args:
        store: where people's calendars are.
        policy: of the site.
        spoken: what the server speaks.
        tree: what it serves.
        settings: ``View.settings``.
        manners: what is taken from whom.
        audit: where is written down who asked what.
        nodes: those that answer for people who are not here; None where there is no cluster.
    """

    store: Store
    policy: Policy
    spoken: dav.Extensions
    tree: dav.Tree
    settings: Settings
    manners: Manners
    audit: Audit
    nodes: Nodes | None = None

    def hosts(self, domain: str) -> bool:
        """Whether the people of a domain are ours."""
        return self.policy.calendars.hosts(domain)

    async def deliver(self, delivery: Delivery) -> Sequence[Response]:
        """Deliver a message, or answer a question; whose calendars are at other nodes gets it there.

        Raises:
            RequestRefused: nobody can have it.
        """
        if self.nodes is None:
            return await self.taken(delivery)
        parts = await self.store.read(lambda txn: self._by_node(txn, delivery.recipients))
        waiting = []
        for node, recipients in parts.items():
            part = attrs.evolve(delivery, recipients=recipients)
            answering = self.taken(part) if node is None else self.nodes.hand_on(node, part)
            waiting.append(Deferred.fromCoroutine(answering))
        return [each for some in await gatherResults(waiting, consumeErrors=True) for each in some]

    def _by_node(self, txn: Transaction, recipients: Sequence[str]) -> Mapping[str | None, tuple[str, ...]]:
        """Recipients by the node where they are; None for those who are here or nowhere."""
        people = People(txn, self.policy)
        people.meet(map(ical.address, recipients))
        found: dict[str | None, tuple[str, ...]] = {}
        for each in recipients:
            who = people.whose(ical.address(each))
            node = None if who is None else people.node_of(who)
            found[node] = (*found.get(node, ()), each)
        return found

    async def taken(self, delivery: Delivery, sender: Sender | None = None) -> Sequence[Response]:
        """Deliver to people who are here, or say when they are busy.

        Args:
            delivery: all of its recipients are here, or nowhere.
            sender: who has sent it; None for somebody of another organization.

        Raises:
            RequestRefused: nobody can have it.
        """
        found: Sequence[Response]
        if delivery.message.asks_free_busy:
            what, found = "free-busy", await self._told(delivery, sender)
        else:
            what, found = delivery.message.method, await self._delivered(delivery, sender)
        self.audit.note(
            what,
            delivery.domain,
            originator=delivery.originator,
            uid=delivery.message.uid,
            recipients={each.recipient: each.status.code for each in found},
        )
        return found

    # -- messages --------------------------------------------------------------------------------------------------

    async def _delivered(self, delivery: Delivery, sender: Sender | None) -> Sequence[Response]:
        method = delivery.message.method
        if sender is None and method in BY_ATTENDEE and not self.manners.replies(delivery.domain):
            return _all(delivery, NO_AUTHORITY)
        message = self._message(delivery)

        def receive(txn: Transaction) -> Mapping[str, str]:
            if sender is not None:
                who = None if sender.only_holders else sender.principal
                return meetings.receive(txn, self.policy, message, sender=who, only_holders=sender.only_holders)
            invitations = self.manners.invitations(txn, delivery.domain, message.originator)
            statuses = meetings.receive(txn, self.policy, message, manner=invitations)
            known = txn.peers.get(delivery.domain) or Peer(domain=delivery.domain, since=txn.now)
            txn.peers.put(attrs.evolve(known, received=txn.now))
            return statuses

        try:
            statuses = await self.store.write(receive)
        except Busy:
            return ()
        except ConditionFailed as refused:
            raise _refused(refused) from None
        said = _status if sender is None else Status
        return [Response(recipient=each, status=said(statuses[ical.address(each)])) for each in delivery.recipients]

    def _message(self, delivery: Delivery) -> Message:
        """The message, checked like what clients send.

        Raises:
            RequestRefused: it is none, or more than is taken.
        """
        recipients = tuple(ical.address(each) for each in delivery.recipients)
        try:
            return Message.received(
                delivery.body, delivery.originator, recipients, calendars.limits(self.settings.calendars)
            )
        except ConditionFailed as refused:
            raise _refused(refused) from None
        except ValueError as error:
            raise errors.InvalidSchedulingMessage(str(error)) from None

    # -- questions -------------------------------------------------------------------------------------------------

    async def _told(
        self, delivery: Delivery, sender: Sender | None, *, part: Part = Part.HOME, allowed: str = ""
    ) -> Sequence[Response]:
        allowed = allowed or ("types" if sender is not None else self.manners.told(delivery.domain))
        if allowed == "none":
            return _all(delivery, NO_AUTHORITY)
        request = dav.Request(
            method="POST",
            href=dav.Href(()),
            headers=dav.Headers(()),
            body=delivery.body,
            actor=FOREIGNER if sender is None else sender.actor,
            prefix=self.policy.prefix,
        )
        owner = None if sender is None else sender.principal

        def look(txn: Transaction) -> Sequence[Told]:
            view = dav.View(txn, request, self.tree, self.spoken, self.settings)
            return caldav.told(
                view, delivery.body, delivery.recipients, types=allowed == "types", owner=owner, part=part
            )

        try:
            told = await self.store.read(look)
        except Busy:
            return ()
        except ConditionFailed as refused:
            raise _refused(refused) from None
        found = {directory.normalize(each.attendee.value): each for each in told}
        answering = [
            Deferred.fromCoroutine(self._answer(delivery, each, found.get(directory.normalize(each)), sender, allowed))
            for each in delivery.recipients
        ]
        answers: Sequence[Response] = await gatherResults(answering, consumeErrors=True)
        return answers

    async def branch(self, delivery: Delivery, sender: Sender | None) -> Sequence[Response]:
        """Say when people who are elsewhere are busy by what is in their branches here."""
        return await self._told(delivery, sender, part=Part.BRANCH, allowed="types")

    async def _answer(
        self, delivery: Delivery, recipient: str, told: Told | None, sender: Sender | None, allowed: str
    ) -> Response:
        """The answer for a recipient, with what is in branches at other nodes."""
        if told is None:  # it is the attendee's address spelled as nobody here has it
            return Response(recipient=recipient, status=INVALID_USER)
        data = told.data
        if data is not None and told.branches:
            more = await gatherResults(
                [Deferred.fromCoroutine(self._in_branch(each, delivery, recipient, sender)) for each in told.branches]
            )
            periods = [
                period if allowed == "types" else attrs.evolve(period, params=()) for one in more for period in one
            ]
            data = data.with_components(
                tuple(attrs.evolve(each, properties=(*each.properties, *periods)) for each in data.components)
            )
        text = None if data is None else ical.serialize(data)
        return Response(recipient=recipient, status=Status.read(told.status), calendar_data=text)

    async def _in_branch(
        self, node: str, delivery: Delivery, recipient: str, sender: Sender | None
    ) -> Sequence[ical.Property]:
        """What a node adds to the busy time of somebody here; nothing where it does not answer."""
        assert self.nodes is not None, "branches are at other nodes"
        outgoing = Outgoing(
            originator=recipient if sender is None else delivery.originator,
            recipients=(recipient,),
            body=delivery.body,
            message_id=str(uuid4()),
        )
        branch = OUTSIDE if sender is None else SITE
        for each in await self.nodes.ask(node, outgoing, BRANCH_SECONDS, branch=branch):
            if each.calendar_data is not None:
                return [period for one in ical.parse(each.calendar_data).components for period in one.all("FREEBUSY")]
        log.warn("{node} does not say when {who} is busy there", node=node, who=recipient)
        return ()


def _all(delivery: Delivery, status: Status) -> Sequence[Response]:
    return [Response(recipient=each, status=status) for each in delivery.recipients]


def _status(code: str) -> Status:
    """A delivery status (RFC 6638 section 3.2.9) as a REQUEST-STATUS."""
    if code.startswith(("1", "2")):
        return SUCCESS
    known = {each.code: each for each in (INVALID_USER, NO_AUTHORITY, errors.NO_SCHEDULING, errors.INVALID_SERVICE)}
    return known.get(code, Status(code))


def _refused(refused: ConditionFailed) -> RequestRefused:
    """What a condition of CalDAV is called between servers."""
    kind = errors.BY_ELEMENT.get(
        {"max-resource-size": "max-content-length"}.get(_local(refused), _local(refused)),
        errors.InvalidCalendarData if isinstance(refused, ValidCalendarData) else errors.InvalidSchedulingMessage,
    )
    return kind(refused.reason)


def _local(refused: ConditionFailed) -> str:
    return refused.name.rpartition("}")[2]


METHODS: Final = tuple(each.value for each in Method if each is not Method.PUBLISH)
"""What is taken of events and tasks."""
