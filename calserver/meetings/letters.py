"""Letters: messages for somebody elsewhere, from the commit until they have arrived or are given up.

There is one letter for each recipient of a meeting, as a task (`calserver.store.Tasks`) whose kind names the domain, or
the node of a cluster (its **lane**): so what concerns one recipient goes out in order, and whoever is slow keeps nobody
else waiting. Edits that follow one another before the first is sent become one: what says all of a meeting takes the
place of what was said before.

Elsewhere people are known by their mail addresses only, so a letter calls everybody here by these; other nodes know
who has none by the GUID.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from calserver import directory, ical, itip
from calserver.ical import CalendarObject
from calserver.itip import Message, Method
from calserver.meetings.delivery import Delivery
from calserver.meetings.people import People
from calserver.meetings.policy import Policy
from calserver.store import Entry, Principal, Task, Transaction

LETTER: Final = "letter "
"""How the kinds of the tasks begin; the lane follows."""
NODE: Final = "node:"
"""How the lanes of nodes begin; the name follows. Those of domains are called like these."""
PENDING: Final = "1.0"
UNDELIVERED: Final = "5.1"
"""It was given up."""
MAILTO: Final = "mailto:"


def domain_of(address: str) -> str:
    """The domain of a mail address; empty for another one."""
    scheme, at, domain = address.lower().rpartition("@")
    return domain if at and scheme.startswith(MAILTO) else ""


def node_of(lane: str) -> str | None:
    """The node that a lane leads to; None for that of a domain."""
    return lane.removeprefix(NODE) if lane.startswith(NODE) else None


@attrs.frozen(kw_only=True)
class Letter:
    """What is to be sent to one recipient, in this order.

    ``sender`` is the id of the principal in whose copy the outcome is noted - None where it is of no interest -,
    ``message_id`` names the content, so that a receiver knows a repetition.
    """

    uid: str
    originator: str
    recipient: str
    sender: int | None
    texts: tuple[bytes, ...] = attrs.field(repr=False)
    message_id: str
    posted: str
    """When the oldest of them was written, as an ISO 8601 instant."""
    latest: str = ""
    """When the last of them was written."""
    together: int = 1
    """How many of them were written then: what one change of a meeting says."""
    reason: str = ""
    """Why it is sent, in words."""
    node: str = ""
    """Where the recipient is, for somebody of this site who is at another node."""
    vouched: str = ""
    """The domain that vouches for the originator, for a message from elsewhere that is passed on to another node."""

    @property
    def key(self) -> str:
        """What there is one letter for."""
        return f"{self.originator} {self.recipient} {self.uid}"

    @property
    def kind(self) -> str:
        """The kind of its task."""
        return LETTER + (NODE + self.node if self.node else domain_of(self.recipient))

    @property
    def is_news(self) -> bool:
        """Whether it says more than how others answered."""
        return self.sender is not None or bool(self.vouched)

    @property
    def since(self) -> datetime:
        """When the oldest of them was written."""
        return datetime.fromisoformat(self.posted)

    @property
    def message(self) -> Message:
        """The next message to be sent."""
        return Message.parse(self.texts[0], self.originator, (self.recipient,))

    def packed(self) -> bytes:
        """As it is stored."""
        plain: dict[str, Any] = attrs.asdict(self)
        plain["texts"] = [each.decode() for each in self.texts]
        return json.dumps(plain, ensure_ascii=False).encode()

    @classmethod
    def unpacked(cls, task: Task) -> "Letter":
        """What `packed` wrote."""
        plain = json.loads(task.payload)
        plain["texts"] = tuple(each.encode() for each in plain["texts"])
        return cls(**plain)


def under_way(txn: Transaction, limit: int = 100) -> frozenset[tuple[str, str]]:
    """Lanes and keys of letters to nodes that are to arrive in a moment: they are due, and nothing was in vain yet."""
    lanes = [each.kind for each in txn.tasks.lanes(LETTER + NODE) if each.due <= txn.now]
    if not lanes:
        return frozenset()
    failing = {LETTER + each.domain for each in txn.peers.all() if each.next_try is not None}
    due = (task for lane in lanes if lane not in failing for task in txn.tasks.due(lane, limit))
    return frozenset((task.kind, task.key) for task in due if task.attempts == 0)


def post(
    txn: Transaction,
    policy: Policy,
    message: Message,
    recipients: Iterable[str],
    sender: Principal | None,
    new_id: str,
) -> None:
    """Write letters; they are due at once.

    Args:
        txn: of what makes them necessary.
        policy: of the site.
        message: what they say.
        recipients: normalized mail addresses.
        sender: whose message it is; None where it only tells how others answered.
        new_id: a new UUID.
    """
    message = _with_timezones(People(txn, policy).by_mail(message))
    letter = _letter(txn, message, sender)
    for number, recipient in enumerate(recipients):
        reason = "" if sender is None else message.reason(recipient)
        one = attrs.evolve(letter, recipient=recipient, message_id=f"{new_id}-{number}", reason=reason)
        _put(txn, one, message)
        if sender is not None:
            txn.peers.meet(sender.id, recipient)


def _with_timezones(message: Message) -> Message:
    """The same with the definitions of all time zones: clients may leave them out, and strangers know no names."""
    found = message.calendar.calendar
    full = ical.with_timezones(found)
    return message if full is found else attrs.evolve(message, calendar=CalendarObject.of(full))


def post_within(
    txn: Transaction, policy: Policy, message: Message, nodes: Mapping[str, str], sender: Principal | None, new_id: str
) -> None:
    """Write letters to people of this site who are at other nodes; they are due at once.

    Args:
        txn: of what makes them necessary.
        policy: of the site.
        message: what they say; one from elsewhere is vouched for by the domain of its originator.
        nodes: where the recipients are, by their normalized addresses.
        sender: whose message it is; None where it only tells how others answered, and for one from elsewhere.
        new_id: a new UUID.
    """
    people = People(txn, policy)
    vouched = "" if people.whose(message.originator) is not None else domain_of(message.originator)
    named = people.by_name(message)
    letter = attrs.evolve(_letter(txn, named, sender), vouched=vouched)
    for number, (address, node) in enumerate(nodes.items()):
        who = people.whose(address)
        recipient = address if who is None or address.startswith(MAILTO) else ical.address(directory.preferred(who))
        one = attrs.evolve(
            letter,
            recipient=recipient,
            message_id=f"{new_id}-{number}",
            reason="" if sender is None else message.reason(address),
            node=node,
        )
        _put(txn, one, named)


def _letter(txn: Transaction, message: Message, sender: Principal | None) -> Letter:
    """What letters that say the same have in common."""
    return Letter(
        uid=message.uid,
        originator=message.originator,
        recipient="",
        sender=None if sender is None else sender.id,
        texts=(message.text,),
        message_id="",
        posted=txn.now.isoformat(),
        latest=txn.now.isoformat(),
    )


def _put(txn: Transaction, letter: Letter, message: Message) -> None:
    """Write a letter, or what it says into one that waits."""
    waiting = txn.tasks.get(letter.kind, letter.key)
    if waiting is not None:
        letter = _joined(Letter.unpacked(waiting), letter, message)
    txn.tasks.put(letter.kind, letter.key, letter.packed(), due=txn.now)


def _joined(before: Letter, new: Letter, message: Message) -> Letter:
    """One letter of two: what says all makes what was said before needless.

    All that one change says is kept: an instance is cancelled, and the rest changes. What says all goes first, since
    the rest may be about what that makes.
    """
    if new.sender is None:
        new = attrs.evolve(new, sender=before.sender, reason=before.reason)
    same_change = before.latest == new.latest
    if message.calendar.master is not None and message.method is not Method.ADD:
        texts = (*new.texts, *(before.texts[-before.together :] if same_change else ()))
    else:
        texts = (*before.texts, *new.texts)
    together = before.together + 1 if same_change else 1
    return attrs.evolve(new, posted=before.posted, texts=texts, together=together)


def sent(txn: Transaction, policy: Policy, task: Task, statuses: Mapping[str, str]) -> None:
    """Note what became of the next message of a letter; what follows is due at once.

    Args:
        txn: a writing transaction.
        policy: of the site.
        task: the letter as it was when the message was sent; it may have changed since.
        statuses: the delivery status of the recipient (RFC 6638 section 3.2.9).
    """
    now = txn.tasks.get(task.kind, task.key)
    before = Letter.unpacked(task)
    if now is not None and now.id == task.id:
        left = Letter.unpacked(now).texts
        left = left[1:] if left[:1] == before.texts[:1] else left
        txn.tasks.remove(now.id)
        if left:
            _write_down(txn, policy, before, statuses)
            again = attrs.evolve(Letter.unpacked(now), texts=left)
            txn.tasks.put(again.kind, again.key, again.packed(), due=txn.now)
            return
    settle(txn, policy, before, statuses)


def astray(txn: Transaction, policy: Policy, tasks: Iterable[Task]) -> list[Task]:
    """Those of some letters to nodes whose recipients are not, or no more, at the node that they would go to."""
    people = People(txn, policy)
    found = [(each, Letter.unpacked(each)) for each in tasks]
    people.meet(letter.recipient for _, letter in found)
    return [task for task, letter in found if letter.node != _place(people, letter.recipient)]


def redirect(txn: Transaction, policy: Policy, task: Task) -> None:
    """Have a letter to a node go where its recipient is now; who is here, or nowhere, gets it at once, or never.

    Args:
        txn: a writing transaction.
        policy: of the site, with its routes.
        task: the letter.
    """
    now = txn.tasks.get(task.kind, task.key)
    if now is None:
        return
    txn.tasks.remove(now.id)
    letter = Letter.unpacked(now)
    node = _place(People(txn, policy), letter.recipient)
    if node is not None:
        letter = attrs.evolve(letter, node=node)
        later = txn.tasks.get(letter.kind, letter.key)
        if later is not None:
            letter = attrs.evolve(letter, texts=(*letter.texts, *Letter.unpacked(later).texts))
        txn.tasks.put(letter.kind, letter.key, letter.packed(), due=txn.now)
        return
    sender = None if letter.sender is None else txn.principals.get(letter.sender)
    statuses: Mapping[str, str] = {}
    for text in letter.texts:
        message = Message.parse(text, letter.originator, (letter.recipient,))
        delivery = Delivery(txn, policy, letter.uid, message.calendar.component)
        statuses = delivery.send((message,), sender, only_holders=not letter.is_news)
        delivery.store()
    settle(txn, policy, letter, statuses)


def _place(people: People, address: str) -> str | None:
    """The other node where somebody is."""
    who = people.whose(address)
    return None if who is None else people.node_of(who)


def give_up(txn: Transaction, policy: Policy, task: Task) -> None:
    """Send nothing of a letter any more; its sender is told so."""
    now = txn.tasks.get(task.kind, task.key)
    if now is not None:
        txn.tasks.remove(now.id)
        letter = Letter.unpacked(now)
        settle(txn, policy, letter, {letter.recipient: UNDELIVERED})


def settle(txn: Transaction, policy: Policy, letter: Letter, statuses: Mapping[str, str]) -> None:
    """Write delivery statuses into the sender's copy, where the message is pending; its Schedule-Tag stays."""
    _write_down(txn, policy, letter, statuses)
    principal = None if letter.sender is None else txn.principals.get(letter.sender)
    if principal is None:
        return
    delivery = Delivery(txn, policy, letter.uid, "VEVENT")
    delivery.load([principal])
    holding = delivery.held.get(principal.id)
    if holding is None or holding.object is None:
        return
    if letter.node:
        statuses = _by_all_names(delivery.people, holding.object, letter.recipient, statuses)
    noted = itip.delivered(holding.object, statuses)
    if noted is not holding.object:
        holding.becomes(noted, holding.memory, tag_changes=False)
        delivery.store()


def _by_all_names(
    people: People, found: CalendarObject, recipient: str, statuses: Mapping[str, str]
) -> Mapping[str, str]:
    """A delivery status by all addresses of a recipient, who may be called otherwise in the sender's copy."""
    people.meet((*found.attendees, *filter(None, (found.organizer,))))
    who = people.whose(recipient)
    if who is None or recipient not in statuses:
        return statuses
    return dict.fromkeys((recipient, *people.addresses(who)), statuses[recipient])


def _write_down(txn: Transaction, policy: Policy, letter: Letter, statuses: Mapping[str, str]) -> None:
    """Have the journal know what became of the next message of a letter."""
    status = statuses.get(letter.recipient)
    if status is not None and policy.scheduling.journal_days:
        entry = Entry(
            at=txn.now,
            uid=letter.uid,
            method=letter.message.method.value,
            originator=letter.originator,
            recipients=(letter.recipient,),
            status=status,
            reason="",
            outcome="the answer of another server",
        )
        txn.journal.add([entry])


def waiting(txn: Transaction, lane: str | None = None) -> Sequence[tuple[Task, Letter]]:
    """All letters of a lane, or of all lanes, in the order in which they were written."""
    found = txn.tasks.beginning(LETTER) if lane is None else txn.tasks.of(LETTER + lane)
    return [(each, Letter.unpacked(each)) for each in found]
