"""Two nodes with the same principals, each with the calendars of some; letters between them are carried by hand."""

from collections.abc import Sequence

import attrs
from dialogue import Dialogue
from office import Office

from calserver import meetings
from calserver.meetings import Inquiry, People, Policy, Standing, letters
from calserver.meetings.letters import Letter
from calserver.scheduling.route import Elsewhere, Within
from calserver.store import Store, Transaction
from ischedule.trust import Trust

THERE = ("bob", "dan", "hall", "attic")
"""Who is at the node b2; all others are at b1."""


def place_all(txn: Transaction, there: Sequence[str] = THERE) -> None:
    people = [each for each in txn.principals.list() if each.kind != "group"]
    txn.placements.put([each.id for each in people if each.uid not in there], "b1")
    txn.placements.put([each.id for each in people if each.uid in there], "b2")


class Node:
    """One of them."""

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        made = Office.of(store)
        settings = made.server.settings
        bare = Policy(calendars=settings.calendars, scheduling=settings.scheduling, prefix="/dav/", node=name)
        routes = (Within(policy=bare), Elsewhere(policy=bare, trust=Trust(), can_send=lambda: True))
        self.policy = attrs.evolve(bare, routes=routes)
        settings = attrs.evolve(settings, routes=routes, node=name)
        server = Dialogue(store, made.server.tree, made.server.spoken, settings, ask=self.ask)
        self.office = Office(store, server)
        self.others: dict[str, Node] = {}
        """Those that answer questions."""
        store.write_now(place_all)

    def ask(self, inquiry: Inquiry) -> Sequence[Standing] | None:
        """What another node says; None where it is away."""
        other = self.others.get(inquiry.node)
        if other is None:
            return None
        who, uid = inquiry.principals, inquiry.uid
        return other.office.store.read_now(lambda txn: meetings.standings(txn, other.policy, who, uid))

    def waiting(self, lane: str = "") -> list[Letter]:
        found = self.office.store.read_now(lambda txn: letters.waiting(txn, lane or None))
        return [letter for _, letter in found]

    def carry(self, other: "Node") -> list[Letter]:
        """Take the next message of each letter to the other node, and its answer back."""
        lane = letters.NODE + other.name
        carried = []
        for task, letter in self.office.store.read_now(lambda txn: letters.waiting(txn, lane)):
            status = other.take(letter)
            self.office.write(lambda txn: letters.sent(txn, self.policy, task, {letter.recipient: status}))  # noqa: B023 - called before the next one
            carried.append(letter)
        return carried

    def take(self, letter: Letter) -> str:
        """What becomes of the next message of a letter that has come here."""

        def receive(txn: Transaction) -> str:
            sender = None if letter.vouched or not letter.is_news else People(txn, self.policy).whose(letter.originator)
            done = meetings.receive(txn, self.policy, letter.message, sender=sender, only_holders=not letter.is_news)
            return done[letter.recipient]

        status: str = self.office.write(receive)
        return status

    def work(self) -> int:
        """Do all tasks that wait, whenever they are due; returns how many there were."""

        def one(txn: Transaction) -> bool:
            for kind, work in meetings.WORKS.items():
                for task in txn.tasks.of(kind):
                    work(txn, self.policy, task)
                    return True
            return False

        done = 0
        while self.office.store.write_now(one):
            done += 1
        return done


def settle(one: Node, other: Node) -> int:
    """Do all tasks and carry all letters until there are none; returns how many letters that were."""
    count = 0
    while True:
        done = one.work() + other.work()
        carried = len(one.carry(other)) + len(other.carry(one))
        count += carried
        if not done + carried:
            return count
