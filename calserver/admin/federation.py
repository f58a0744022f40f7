"""Other organizations: what is known of them, what waits to be sent to them, and what an administrator does about it.

Other nodes of a cluster are domains here, called ``node:NAME``.

A running server notices what is changed here: both work on the same store.
"""

from datetime import datetime
from functools import partial
from typing import Final

import attrs

from calserver import ical
from calserver.admin.refused import Refused
from calserver.admin.schedule import policy_of
from calserver.config import Config, Ischedule, Peer
from calserver.meetings import letters
from calserver.meetings.letters import LETTER, Letter
from calserver.store import Lane, Store, Task, Transaction
from calserver.store import Peer as Known
from ischedule.domains import a_labels
from ischedule.trust import Trust

AT_ONCE: Final = 100
"""Letters that are given up in one transaction, lest others wait for long."""


@attrs.frozen(kw_only=True)
class Rules:
    """What the configuration says of a domain, all of it put together."""

    talks: bool
    """Whether we talk to it (``allow``, ``deny``)."""
    peer: str
    """The entry of ``ischedule.peers`` that says what is taken from it; empty where there is none."""
    invitations: str
    """Of people to whom the recipient has written: deliver, inbox, refuse."""
    strangers: str
    """Of others."""
    replies: bool
    free_busy: str
    """What it is told: none, busy, types."""
    hosted_domains: tuple[str, ...] = ()
    pinned: bool = False
    unsigned_networks: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Domain:
    """Another domain: what the store knows of it, and what the configuration says."""

    domain: str
    since: datetime | None
    """None where nothing was ever sent there, or came from there."""
    sent: datetime | None
    """When it last took a message."""
    received: datetime | None
    """When a message of it was last delivered."""
    failures: int
    """How often it has failed since it last took a message."""
    problem: str
    """Why it failed last."""
    waiting: int
    """Letters to it."""
    due: datetime | None
    """When the next of them is tried."""
    rules: Rules


@attrs.frozen(kw_only=True)
class Waiting:
    """A letter that waits."""

    domain: str
    originator: str
    recipient: str
    uid: str
    method: str
    since: datetime
    attempts: int
    due: datetime


def rules(settings: Ischedule, domain: str) -> Rules:
    """What the configuration says of a domain."""
    if letters.node_of(domain) is not None:
        return Rules(talks=True, peer="", invitations="deliver", strangers="deliver", replies=True, free_busy="types")
    above = settings.nearest(domain)
    manners, trusted = settings.peers.get(above, Peer()), settings.peers.get(domain, Peer())
    usual = manners.invitations == "usual"
    return Rules(
        talks=settings.enabled and Trust(allow=settings.allow or None, deny=settings.deny).welcomes(domain),
        peer=above,
        invitations=settings.invitations if usual else manners.invitations,
        strangers=settings.strangers if usual else manners.invitations,
        replies=manners.replies,
        free_busy=settings.free_busy if manners.free_busy == "usual" else manners.free_busy,
        hosted_domains=trusted.hosted_domains,
        pinned=trusted.pinned,
        unsigned_networks=tuple(map(str, trusted.unsigned_networks)),
        urls=trusted.urls,
    )


def peers(txn: Transaction, config: Config) -> list[Domain]:
    """All domains that the store or the configuration knows, by name."""
    known = {each.domain: each for each in txn.peers.all()}
    lanes = {each.kind.removeprefix(LETTER): each for each in txn.tasks.lanes(LETTER)}
    return [
        _domain(name, known.get(name), lanes.get(name), config)
        for name in sorted({*known, *lanes, *config.ischedule.peers})
    ]


def show(txn: Transaction, config: Config, domain: str) -> tuple[Domain, list[Waiting]]:
    """Everything about a domain, heard of or not, and the letters to it.

    Raises:
        Refused: it is not the name of a domain.
    """
    name = _named(domain)
    lane = next((each for each in txn.tasks.lanes(LETTER + name) if each.kind == LETTER + name), None)
    return _domain(name, txn.peers.get(name), lane, config), queue(txn, name)


def queue(txn: Transaction, domain: str | None = None) -> list[Waiting]:
    """The letters that wait, to a domain or to all.

    Raises:
        Refused: it is not the name of a domain.
    """
    name = None if domain is None else _named(domain)
    found = letters.waiting(txn, name)
    known = {each.domain: each for each in txn.peers.all()} if found else {}
    return [_waiting(task, letter, known.get(_domain_of(task))) for task, letter in found]


def retry(txn: Transaction, domain: str, address: str | None = None) -> int:
    """Have the letters to a domain, or to one of its people, tried now; how long the domain was to wait is forgotten.

    Returns:
        How many there are.

    Raises:
        Refused: none waits, or it is not the name of a domain.
    """
    name = _named(domain)
    if address is None:
        found = txn.tasks.hurry(LETTER + name)
    else:
        chosen = _chosen(txn, name, address)
        found = len(chosen)
        for task in chosen:
            txn.tasks.put(task.kind, task.key, task.payload, due=txn.now)
    if not found:
        raise _nothing(name, address)
    known = txn.peers.get(name)
    if known is not None and known.next_try is not None:
        txn.peers.put(attrs.evolve(known, next_try=None))
    return found


def drop(store: Store, config: Config, domain: str, address: str | None = None) -> int:
    """Give up the letters to a domain, or to one of its people: their senders' copies say so (5.1).

    Returns:
        How many there were.

    Raises:
        Refused: none waits, or it is not the name of a domain.
    """
    name, policy = _named(domain), policy_of(config)
    chosen = store.read_now(lambda txn: _chosen(txn, name, address))
    if not chosen:
        raise _nothing(name, address)

    def give_up(txn: Transaction, start: int) -> None:
        for task in chosen[start : start + AT_ONCE]:
            letters.give_up(txn, policy, task)

    for start in range(0, len(chosen), AT_ONCE):
        store.write_now(partial(give_up, start=start))
    return len(chosen)


def _domain(name: str, known: Known | None, lane: Lane | None, config: Config) -> Domain:
    return Domain(
        domain=name,
        since=None if known is None else known.since,
        sent=None if known is None else known.sent,
        received=None if known is None else known.received,
        failures=0 if known is None else known.failures,
        problem="" if known is None else known.problem,
        waiting=0 if lane is None else lane.waiting,
        due=None if lane is None else _due(lane.due, known),
        rules=rules(config.ischedule, name),
    )


def _waiting(task: Task, letter: Letter, known: Known | None) -> Waiting:
    return Waiting(
        domain=_domain_of(task),
        originator=letter.originator,
        recipient=letter.recipient,
        uid=letter.uid,
        method=letter.message.method.value,
        since=letter.since,
        attempts=task.attempts,
        due=_due(task.due, known),
    )


def _due(due: datetime, known: Known | None) -> datetime:
    """Whoever has failed waits, whatever has been written to it since."""
    return due if known is None or known.next_try is None else max(due, known.next_try)


def _domain_of(task: Task) -> str:
    return task.kind.removeprefix(LETTER)


def _chosen(txn: Transaction, domain: str, address: str | None) -> list[Task]:
    recipient = None if address is None else ical.address(address)
    return [task for task, letter in letters.waiting(txn, domain) if recipient in (None, letter.recipient)]


def _named(text: str) -> str:
    """A domain as letters know it: as people write it, in lower case; or a node."""
    name = text.strip().removesuffix(".").lower()
    if letters.node_of(name):
        return name
    try:
        a_labels(name)
    except ValueError:
        raise Refused(f"{text} is not the name of a domain") from None
    return name


def _nothing(domain: str, address: str | None) -> Refused:
    return Refused(f"no letter waits for {address or domain}")
