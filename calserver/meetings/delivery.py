"""Delivering messages: what they do to the copies of all who have an account, in one transaction (RFC 6638 section 4).

A `Delivery` is about one UID. It takes messages, finds whom they are for, applies them to the copies, lets rooms answer
- which are messages again - and at last stores each copy that has changed once, and what belongs into Inboxes: so a
message is seen there when everything that it causes is done. Whom nobody here has is asked of the routes.

People, homes and copies are looked up for all recipients of a message at once. Who has no copy yet gets the same as
others who have none, so that is worked out once. Whose calendars are at another node is one for the routes, too.
"""

import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import attrs

from calserver import calendars, ical, itip
from calserver.calendars import zone_of
from calserver.ical import CalendarObject, Component
from calserver.itip import Memory, Message, Method
from calserver.meetings import rooms
from calserver.meetings.holding import Holding, House, houses, worth_keeping
from calserver.meetings.people import People
from calserver.meetings.policy import Manner, Policy
from calserver.meetings.rights import INVITE, REPLY, may_deliver
from calserver.meetings.tasks import refresh_later
from calserver.store import Draft, Entry, Principal, Transaction

DELIVERED: Final = "1.2"
UNKNOWN: Final = "3.7"
DENIED: Final = "3.8"
UNABLE: Final = "5.2"
"""There is no way to the recipient."""
NO_SCHEDULING: Final = "5.3"

FORWARDED: Final = "2.7"
"""To a group: its members get the message."""
_ELSEWHERE: Final = {
    "1.0": "waits to be sent to another server",
    NO_SCHEDULING: "does not take part in scheduling",
    UNKNOWN: "nobody has this address",
    UNABLE: "there is no way to another server",
}


def unsent(status: str) -> bool:
    """Whether a delivery status says that there was no way to the recipient."""
    return status.startswith("5")


def declines(component: Component, addresses: frozenset[str]) -> bool:
    """Whether an attendee has declined what a component stands for."""
    return any(
        (each.param("PARTSTAT") or "").upper() == "DECLINED"
        for each in component.all("ATTENDEE")
        if ical.address(each.value) in addresses
    )


def is_cancelled(found: CalendarObject) -> bool:
    """Whether nothing of a meeting takes place."""
    return all((each.value("STATUS") or "").upper() == "CANCELLED" for each in found.components)


_PROPOSALS: Final = frozenset({Method.COUNTER, Method.DECLINECOUNTER})
_TO_ORGANIZER: Final = frozenset({Method.REPLY, Method.REFRESH, Method.COUNTER})


@attrs.define
class _Post:
    """A message on its way."""

    message: Message
    sender: Principal | None
    """Who has sent it, where that is somebody here."""
    only_holders: bool = False
    """Whether those who have no copy get none."""
    first: itip.Applied | None = None
    """What it did for somebody who had no copy."""


@attrs.define(slots=False)
class Delivery:
    """The copies of one meeting and the messages about it, in one transaction."""

    txn: Transaction
    policy: Policy
    uid: str
    component: str
    people: People = attrs.field(init=False)
    manner: Callable[[Principal], Manner] | None = attrs.field(default=None, init=False)
    """What becomes of an invitation from elsewhere to somebody who has no copy."""
    held: dict[int, Holding] = attrs.field(factory=dict, init=False)
    """By principal."""
    _houses: dict[int, House] = attrs.field(factory=dict, init=False)
    _queue: deque[_Post] = attrs.field(factory=deque, init=False)
    _inbox: list[tuple[House, Message]] = attrs.field(factory=list, init=False)
    _journal: dict[tuple[Method, str, str, str, str, int], list[str]] = attrs.field(factory=dict, init=False)
    """Recipients by method, originator, status, reason, outcome and SEQUENCE."""
    _drafts: dict[object, Draft] = attrs.field(factory=dict, init=False)
    _name: str = attrs.field(factory=lambda: f"{uuid.uuid4()}.ics", init=False)
    """Of all new copies."""

    def __attrs_post_init__(self) -> None:
        self.people = People(self.txn, self.policy)

    # -- sending

    def send(
        self, messages: Iterable[Message], sender: Principal | None, *, only_holders: bool = False
    ) -> dict[str, str]:
        """Deliver messages, and all that they cause.

        Args:
            messages: about the UID.
            sender: None where nobody here has sent them.
            only_holders: whether those who have no copy (any more) get none.

        Returns:
            The delivery status of each recipient of the messages (RFC 6638 section 3.2.9).
        """
        statuses: dict[str, str] = {}
        for each in messages:
            statuses |= self._post(_Post(each, sender, only_holders))
        self._note(sender, statuses)
        while self._queue:
            post = self._queue.popleft()
            self._note(post.sender, self._post(post))
            if sender is not None and post.message.method is Method.REPLY:
                self._tell_others(sender)
        return statuses

    def _tell_others(self, organizer: Principal) -> None:
        """Tell those whose copies are at hand how others - rooms - have answered just now."""
        holding = self.held.get(organizer.id)
        if self._queue or holding is None or holding.object is None or not self._refreshes(holding.object):
            return
        here = [each for each in holding.object.attendees if (who := self.people.whose(each)) and who.id in self.held]
        again = itip.refresh(holding.object, self.people.addresses(organizer), only=here)
        self._queue.extend(_Post(each, None, only_holders=True) for each in again)

    def _refreshes(self, found: CalendarObject) -> bool:
        """Whether attendees are told how others answered."""
        others = len(found.attendees - {found.organizer})
        return 1 < others <= self.policy.scheduling.refresh_attendees

    def queue(self, messages: Iterable[Message], sender: Principal | None) -> None:
        """Have messages delivered after those that are on their way."""
        self._queue.extend(_Post(each, sender) for each in messages)

    def _note(self, sender: Principal | None, statuses: Mapping[str, str]) -> None:
        """Write delivery statuses into the sender's copy."""
        holding = None if sender is None else self.held.get(sender.id)
        if holding is not None and holding.object is not None and statuses:
            holding.becomes(itip.delivered(holding.object, statuses), holding.memory, tag_changes=False)

    def _post(self, post: _Post) -> dict[str, str]:
        """Deliver one message to each of its recipients."""
        message = post.message
        self.people.meet((*message.recipients, message.originator))
        known = {each: who for each in message.recipients if (who := self._here(each)) is not None}
        self.load(known.values())
        foreign = [each for each in message.recipients if each not in known]
        statuses = self._route(message, foreign, post.sender) if foreign else {}
        for address, status in statuses.items():
            self._write_down(message, address, status, _ELSEWHERE.get(status, ""))
        for address, principal in known.items():
            statuses[address], outcome = self._deliver(post, principal)
            self._write_down(post.message, address, statuses[address], outcome)
        return statuses

    def _here(self, address: str) -> Principal | None:
        """Who has an address, and the calendars here."""
        who = self.people.whose(address)
        return None if who is None or self.people.node_of(who) is not None else who

    def _write_down(self, message: Message, recipient: str, status: str, outcome: str) -> None:
        """Note for the journal what became of a message."""
        sequence = max(map(itip.sequence_of, message.calendar.components))
        alike = (message.method, message.originator, status, message.reason(recipient), outcome, sequence)
        self._journal.setdefault(alike, []).append(recipient)

    def _route(self, message: Message, recipients: list[str], sender: Principal | None) -> dict[str, str]:
        """Ask the routes for whom nobody here has, and whose calendars are at another node."""
        statuses: dict[str, str] = {}
        for each in recipients:
            who = self.people.whose(each)
            if who is None and self.people.is_ours(each):
                statuses[each] = UNKNOWN
            elif who is not None and not (who.enabled and who.scheduling):
                statuses[each] = NO_SCHEDULING
        for route in self.policy.routes:
            left = [each for each in recipients if each not in statuses]
            if left:
                statuses |= route.take(self.txn, message, left, sender)
        return {each: statuses.get(each, UNABLE) for each in recipients}

    # -- copies

    def load(self, principals: Iterable[Principal]) -> None:
        """Find the homes and copies of principals."""
        new = {each.id: each for each in principals if each.id not in self.held}
        if not new:
            return
        found = houses(self.txn, new)
        self._houses |= found
        stored = {each.row.home_id: each for each in self.txn.copies.of((h.home.id for h in found.values()), self.uid)}
        for id, house in found.items():
            self.held[id] = Holding.of(self.txn, new[id], house, stored.get(house.home.id), self.component)
            if self.held[id].stored is None:
                self.held[id].name = self._name

    def _deliver(self, post: _Post, principal: Principal) -> tuple[str, str]:
        """Apply a message to the copy of a recipient; returns the delivery status, and why it is that."""
        if principal.kind == "group":
            return FORWARDED, "a group, its members get it"
        holding = self.held.get(principal.id)
        if not principal.enabled or not principal.scheduling or holding is None or holding.place is None:
            able = principal.enabled and principal.scheduling
            return NO_SCHEDULING, "has no calendar for it" if able else "does not take part in scheduling"
        if not self._admits(post, holding.house):
            return DENIED, "the Inbox does not take it from the originator"
        if holding.object is None and self._is_unwanted(post, holding):
            return DELIVERED, "has no copy any more"
        manner = self._manner(post, holding)
        if manner == "refuse":
            return DENIED, "no invitations are taken from the originator"
        if manner == "inbox":
            self._inbox.append((holding.house, post.message))
            return DELIVERED, "put into the Inbox only"
        had = holding.object is not None
        applied = self._applied(post, holding)
        if applied.problem is not None:
            return applied.problem, "does not fit the copy" if had else "there is no such meeting"
        answered = self._take(post, holding, applied)
        proposes = post.message.method in _PROPOSALS and applied.inbox is not None
        unchanged = "put into the Inbox, for its owner to decide" if proposes else "nothing new"
        what = ("changed the copy" if had else "made a copy") if applied.changed else unchanged
        return DELIVERED, f"{what}, answered by itself" if answered else what

    def _admits(self, post: _Post, house: House) -> bool:
        privilege = REPLY if post.message.method in _TO_ORGANIZER else INVITE
        return house.inbox is not None and may_deliver(self.txn, post.sender, house.home, house.inbox, privilege)

    def _take(self, post: _Post, holding: Holding, applied: itip.Applied) -> bool:
        """Note what a message did to a copy, and see to what follows; returns whether the recipient answers itself."""
        if applied.calendar is not holding.object or applied.memory != holding.memory:
            tag_changes = applied.changed and not applied.participation_only
            holding.becomes(applied.calendar, applied.memory, tag_changes=tag_changes)
        self.queue(applied.messages, holding.principal)
        automatic = False
        if post.message.method is Method.REPLY:
            if applied.changed and applied.calendar is not None and self._refreshes(applied.calendar):
                refresh_later(self.txn, self.policy, holding.principal.id, self.uid)
        elif applied.changed and not applied.participation_only:
            automatic = rooms.answer(self, holding)
            if automatic and holding.object is not None and is_cancelled(holding.object):
                holding.becomes(None, holding.memory, tag_changes=True)
        if applied.inbox is not None and not automatic:
            self._inbox.append((holding.house, applied.inbox))
        return automatic

    def _is_unwanted(self, post: _Post, holding: Holding) -> bool:
        """Whether one who has no copy shall get none: one who declined and removed it is not asked anew."""
        if post.only_holders:
            return True
        if post.message.method is not Method.REQUEST:
            return False
        addresses = self.people.addresses(holding.principal)
        return all(declines(each, addresses) for each in post.message.calendar.components)

    def _manner(self, post: _Post, holding: Holding) -> Manner:
        """What becomes of a message, whatever it says."""
        invites = post.message.method in (Method.REQUEST, Method.ADD)
        if self.manner is None or post.sender is not None or holding.object is not None or not invites:
            return "deliver"
        return self.manner(holding.principal)

    def _applied(self, post: _Post, holding: Holding) -> itip.Applied:
        fresh = holding.object is None and holding.memory == Memory()
        if fresh and post.first is not None:
            return post.first
        applied = itip.apply(
            holding.object,
            self._called_alike(post.message, holding),
            addresses=self.people.addresses(holding.principal),
            now=self.txn.now,
            memory=holding.memory,
        )
        if fresh and applied.problem is None and not applied.messages:
            post.first = applied
        return applied

    def _called_alike(self, message: Message, holding: Holding) -> Message:
        """A message that calls people as the copy does: clients use any address, nodes one that all of them know."""
        found, organizer = holding.object, message.organizer
        if found is None or found.organizer is None or organizer is None:
            return message
        if found.organizer == organizer and message.originator in (organizer, *found.attendees):
            return message
        self.people.meet((found.organizer, organizer, message.originator))
        whose = self.people.whose(organizer)
        if found.organizer != organizer and (whose is None or whose != self.people.whose(found.organizer)):
            return message
        return attrs.evolve(
            message,
            originator=self.people.called_in(found, message.originator),
            calendar=self.people.spelled_like(message.calendar, found),
        )

    # -- storing

    def store(self) -> None:
        """Store all copies that have changed, then what belongs into Inboxes, and what the journal shall know."""
        for each in self.held.values():
            if each.changed:
                self._store(each)
        for house, message in self._inbox:
            assert house.inbox is not None
            self.txn.objects.put(house.inbox.id, self._item(message))
        self._inbox.clear()
        if self.policy.scheduling.journal_days:
            self.txn.journal.add(self._entries())
        self._journal.clear()

    def _entries(self) -> Iterator[Entry]:
        """What the journal shall know."""
        for (method, originator, status, reason, outcome, sequence), recipients in self._journal.items():
            yield Entry(
                at=self.txn.now,
                uid=self.uid,
                method=method.value,
                originator=originator,
                recipients=tuple(recipients),
                status=status,
                reason=reason,
                outcome=outcome,
                sequence=sequence,
            )

    def _store(self, holding: Holding) -> None:
        holding.changed = False
        stored = holding.stored
        if holding.object is None:
            if stored is not None:
                self.txn.objects.remove(stored.row.id)
            return
        memory = worth_keeping(holding.memory, holding.object)
        if stored is not None and holding.object.text == stored.text and not holding.tag_changes:
            if memory != stored.memory:
                self.txn.copies.remember(stored.row.id, memory)
            holding.row = stored.row
            return
        assert holding.place is not None, "there is none for a copy that is not there yet"
        draft = self._draft(holding, holding.object)
        if not holding.tagged:
            draft = attrs.evolve(draft, schedule_tag=None)
        elif stored is not None and stored.row.schedule_tag is not None and not holding.tag_changes:
            draft = attrs.evolve(draft, schedule_tag=stored.row.schedule_tag)
        row, _ = self.txn.objects.put(holding.place.id, draft)
        calendars.spread(self.txn, holding.place, row, draft.text)
        holding.row = row
        if memory is not None or (stored is not None and stored.memory is not None):
            self.txn.copies.remember(row.id, memory)

    def _draft(self, holding: Holding, object: CalendarObject) -> Draft:
        assert holding.place is not None
        zone = zone_of(holding.place)
        matters = any(map(ical.counts_by_answer, object.components))
        own = self.people.addresses(holding.principal) & object.attendees if matters else frozenset()
        key = (id(object), holding.name, zone, own)
        if key not in self._drafts:
            draft = calendars.accepted(
                holding.name, object, now=self.txn.now, settings=self.policy.calendars, zone=zone, own=own
            )
            self._drafts[key] = attrs.evolve(draft, schedule_tag=draft.etag)
        return self._drafts[key]

    def _item(self, message: Message) -> Draft:
        """A message as it lies in an Inbox: its text, found by the time that it is about."""
        key = id(message)
        if key not in self._drafts:
            text = message.text
            found = calendars.accepted(
                f"{uuid.uuid4()}.ics", message.calendar, now=self.txn.now, settings=self.policy.calendars
            )
            self._drafts[key] = attrs.evolve(found, text=text, etag=ical.etag(text), organizer=None)
        return self._drafts[key]
