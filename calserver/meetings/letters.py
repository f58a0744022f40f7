"""Letters: messages for somebody elsewhere, from the commit until they have arrived or are given up.

There is one letter for each recipient of a meeting, as a task (`calserver.store.Tasks`) whose kind names the domain: so
what concerns one recipient goes out in order, and whoever is slow keeps nobody else waiting. Edits that follow one
another before the first is sent become one: what says all of a meeting takes the place of what was said before.

Elsewhere people are known by their mail addresses only, so a letter calls everybody here by these.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from calserver import itip
from calserver.itip import Message, Method
from calserver.meetings.delivery import Delivery
from calserver.meetings.people import People
from calserver.meetings.policy import Policy
from calserver.store import Entry, Principal, Task, Transaction

LETTER: Final = "letter "
"""How the kinds of the tasks begin; the domain follows."""
PENDING: Final = "1.0"
UNDELIVERED: Final = "5.1"
"""It was given up."""
MAILTO: Final = "mailto:"


def domain_of(address: str) -> str:
    """The domain of a mail address; empty for another one."""
    scheme, at, domain = address.lower().rpartition("@")
    return domain if at and scheme.startswith(MAILTO) else ""


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
    reason: str = ""
    """Why it is sent, in words."""

    @property
    def key(self) -> str:
        """What there is one letter for."""
        return f"{self.originator} {self.recipient} {self.uid}"

    @property
    def kind(self) -> str:
        """The kind of its task."""
        return LETTER + domain_of(self.recipient)

    @property
    def is_news(self) -> bool:
        """Whether it says more than how others answered."""
        return self.sender is not None

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
    message = People(txn, policy).by_mail(message)
    text = message.text
    for number, recipient in enumerate(recipients):
        letter = Letter(
            uid=message.uid,
            originator=message.originator,
            recipient=recipient,
            sender=None if sender is None else sender.id,
            texts=(text,),
            message_id=f"{new_id}-{number}",
            posted=txn.now.isoformat(),
            reason="" if sender is None else message.reason(recipient),
        )
        waiting = txn.tasks.get(letter.kind, letter.key)
        if waiting is not None:
            letter = _joined(Letter.unpacked(waiting), letter, message)
        txn.tasks.put(letter.kind, letter.key, letter.packed(), due=txn.now)
        if sender is not None:
            txn.peers.meet(sender.id, recipient)


def _joined(before: Letter, new: Letter, message: Message) -> Letter:
    """One letter of two: what says all makes what was said before needless."""
    if new.sender is None:
        new = attrs.evolve(new, sender=before.sender, reason=before.reason)
    if message.calendar.master is not None and message.method is not Method.ADD:
        return attrs.evolve(new, posted=before.posted)
    return attrs.evolve(new, posted=before.posted, texts=(*before.texts, *new.texts))


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
    noted = itip.delivered(holding.object, statuses)
    if noted is not holding.object:
        holding.becomes(noted, holding.memory, tag_changes=False)
        delivery.store()


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


def waiting(txn: Transaction, domain: str | None = None) -> Sequence[tuple[Task, Letter]]:
    """All letters to a domain, or to all domains, in the order in which they were written."""
    found = txn.tasks.beginning(LETTER) if domain is None else txn.tasks.of(LETTER + domain)
    return [(each, Letter.unpacked(each)) for each in found]
