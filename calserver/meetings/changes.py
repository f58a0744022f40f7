"""Changes by the owner of a calendar: scheduling objects stored and removed (RFC 6638 section 3.2)."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from calserver import calendars, ical, itip
from calserver.calendars import PathOf
from calserver.ical import CalendarObject
from calserver.itip import Memory, Method, Plan, Role
from calserver.meetings import groups
from calserver.meetings.delivery import Delivery, unsent
from calserver.meetings.holding import Holding
from calserver.meetings.policy import Inquiry, Policy, Standing
from calserver.names import C
from calserver.store import Collection, Object, Principal, Transaction

SEND: Final = {Role.ORGANIZER: C("schedule-send-invite"), Role.ATTENDEE: C("schedule-send-reply")}
"""The privileges on the owner's Outbox that sending needs (RFC 6638 section 6.2)."""

_NO_INSTANCE: Final = -1
"""The key of an instance that there is not: its SEQUENCE counts once."""

MaySend = Callable[[str], None]


def _anybody(privilege: str) -> None:
    """Everybody may send."""


@attrs.frozen(kw_only=True)
class Ask:
    """How a client wants a change to be made.

    Attributes:
        may_send: raises a refusal where the actor does not hold a privilege on the owner's Outbox.
        reply: False for ``Schedule-Reply: F`` (section 8.1).
        matched_tag: whether the request holds by If-Schedule-Tag-Match (section 3.2.10).
    """

    may_send: MaySend = _anybody
    reply: bool = True
    matched_tag: bool = False


def concerns(calendar: Collection, *organizers: str | None) -> bool:
    """Whether scheduling has a part in a change, by the organizers before and after."""
    return calendar.kind == "calendar" and any(organizers)


def put(
    txn: Transaction,
    policy: Policy,
    calendar: Collection,
    name: str,
    new: CalendarObject,
    *,
    path: PathOf,
    ask: Ask = Ask(),
) -> tuple[Object, bool]:
    """Store a scheduling object under its name, and do all that follows; returns it and whether it is new.

    Args:
        txn: a writing transaction.
        policy: of the site.
        calendar: see `concerns`.
        name: of the member.
        new: what was checked already.
        path: where clients find the holder of a UID.
        ask: how the client wants it.

    Raises:
        NameTaken: a collection has the name.
        SupportedCalendarComponent, NoUidConflict, UniqueSchedulingObjectResource: see `calserver.calendars.admit`.
        SameOrganizerInAllComponents, AllowedOrganizerSchedulingObjectChange, AllowedAttendeeSchedulingObjectChange,
        ValidCalendarData: see `calserver.itip.plan`.
    """
    replaced = txn.objects.get(calendar.id, name)
    calendars.admit(txn, calendar, new, path, replaced=replaced)
    change = _Change(txn, policy, calendar, new)
    holding = change.holding(name, replaced)
    old = holding.object
    if old is not None:
        new = change.delivery.people.spelled_like(new, old)
    if Role.ORGANIZER in (change.role(old), change.role(new)):
        new = change.delivery.people.introduced(new)
        new, invited = groups.expanded(change.delivery, new)
    else:
        invited = frozenset()
    if old is None:
        change.check_origin(new)
    plan = change.plan(holding, new, ask)
    change.carry_out(holding, plan, ask)
    assert holding.row is not None
    if invited or (old is not None and policy.scheduling.expand_groups and groups.are_in(old)):
        txn.copies.invite_groups(holding.row.id, invited)
    return holding.row, replaced is None


def remove(
    txn: Transaction,
    policy: Policy,
    calendar: Collection,
    row: Object,
    *,
    ask: Ask = Ask(),
) -> str | None:
    """Remove a scheduling object, and do all that follows.

    Returns:
        None when it is removed. Otherwise the status that says why the organizer cannot be told that the attendee
        declines: then the object stays, with this status in it (section 3.2.2.4).
    """
    old = CalendarObject.stored(txn.objects.text(row.id))
    change = _Change(txn, policy, calendar, old)
    holding = change.holding(row.name, row)
    plan = change.plan(holding, None, ask)
    return change.carry_out(holding, plan, ask)


class _Change:
    """What both have in common: a calendar's owner, and the delivery of what the change causes."""

    def __init__(self, txn: Transaction, policy: Policy, calendar: Collection, found: CalendarObject) -> None:
        self.txn, self.policy, self.calendar = txn, policy, calendar
        owner = txn.principals.get(calendar.principal_id)
        assert owner is not None
        self.owner: Principal = owner
        self.delivery = Delivery(txn, policy, found.uid, found.component)
        self._meet(found)

    def _meet(self, found: CalendarObject) -> None:
        self.delivery.people.meet((*found.attendees, *filter(None, (found.organizer,))))

    @property
    def addresses(self) -> frozenset[str]:
        """All of the owner."""
        return self.delivery.people.addresses(self.owner)

    def role(self, found: CalendarObject | None) -> Role | None:
        """What the owner is in it."""
        return itip.role_of(found, self.addresses)

    def holding(self, name: str, row: Object | None) -> Holding:
        """What the owner has, and where it will be; for an organizer what the attendees have is looked up as well."""
        self.delivery.load([self.owner])
        holding = self.delivery.held[self.owner.id]
        if row is not None and (holding.stored is None or holding.stored.row.id != row.id):
            found = self.txn.copies.by_id(row.id)
            holding = Holding.of(self.txn, self.owner, holding.house, found, self.delivery.component)
            self.delivery.held[self.owner.id] = holding
        holding.place, holding.name = self.calendar, name
        if holding.object is not None:
            self._meet(holding.object)
        return holding

    def check_origin(self, new: CalendarObject) -> None:
        """Refuse an invitation by somebody here who has no such meeting: it cannot have come from there.

        Raises:
            AllowedAttendeeSchedulingObjectChange: that is so.
        """
        people = self.delivery.people
        organizer = None if new.organizer is None else people.whose(new.organizer)
        if organizer is None or self.role(new) is not Role.ATTENDEE or not itip.is_served(new):
            return
        node = people.node_of(organizer)
        found: Sequence[Standing] | None
        if node is None:
            self.delivery.load([organizer])
            found = _standings(self.delivery, [organizer])
        else:
            found = self.policy.standings(Inquiry(node, new.uid, (organizer.id,)))
        if found is not None and not any(each.organizer == organizer.id for each in found):
            raise itip.AllowedAttendeeSchedulingObjectChange("the organizer has no such meeting")

    def _ahead(self, old: CalendarObject | None, new: CalendarObject, memory: Memory) -> Memory:
        """What is remembered, so that what is sent is newer than what those who are invited now know already.

        They know of a meeting that was removed, and is made again under the same UID.
        """
        people = self.delivery.people
        newcomers = new.attendees - (frozenset() if old is None else old.attendees)
        people.meet(newcomers)
        known = {each: who for each in newcomers if (who := people.whose(each)) is not None and who.id != self.owner.id}
        here = [who for who in known.values() if people.node_of(who) is None]
        self.delivery.load(here)
        own = (each.sequence for each in _standings(self.delivery, here) if each.organizer == self.owner.id)
        latest = max(own, default=0)
        if old is None:
            latest = max(latest, self._told(new.uid, known, newcomers - known.keys() - self.addresses))
        highest = max([*memory.sent.values(), -1 if old is None else _sequence(old)])
        if not latest or latest < highest:
            return memory
        return attrs.evolve(memory, sent={**memory.sent, _NO_INSTANCE: latest + 1})

    def _told(self, uid: str, known: Mapping[str, Principal], foreign: Set[str]) -> int:
        """The highest SEQUENCE that people elsewhere have of a meeting that was removed here.

        Nodes say what theirs have; what others were told, and those of a node that says nothing, the journal knows.
        """
        people = self.delivery.people
        nodes: dict[str, dict[str, int]] = {}
        for address, who in known.items():
            node = people.node_of(who)
            if node is not None:
                nodes.setdefault(node, {})[address] = who.id
        journal = self.txn.journal.about(uid) if nodes or foreign else ()
        people.meet(each.originator for each in journal)
        sent = [each for each in journal if each.method != Method.REPLY and people.whose(each.originator) == self.owner]
        if not sent:
            return 0
        latest = 0
        for node, some in nodes.items():
            found = self.policy.standings(Inquiry(node, uid, tuple(sorted(some.values()))))
            if found is None:
                foreign |= some.keys()
            else:
                latest = max([latest, *(each.sequence for each in found if each.organizer == self.owner.id)])
        return max([latest, *(each.sequence or 0 for each in sent if not foreign.isdisjoint(each.recipients))])

    def plan(self, holding: Holding, new: CalendarObject | None, ask: Ask) -> Plan:
        """What the change means for others.

        Raises:
            ValidCalendarData: a property that matters to scheduling is malformed.
        """
        old = holding.object
        memory = holding.memory
        if old is not None and self.role(old) is Role.ATTENDEE:
            memory = itip.seeded(memory, old)
        elif new is not None and self.role(new) is Role.ORGANIZER:
            memory = self._ahead(old, new, memory)
        try:
            return itip.plan(
                old,
                new,
                addresses=self.addresses,
                now=self.txn.now,
                memory=memory,
                matched_tag=ask.matched_tag,
                reply=ask.reply,
                spared=self._spared(old, new, holding),
            )
        except ValueError as problem:
            raise ical.ValidCalendarData(str(problem)) from None

    def _spared(self, old: CalendarObject | None, new: CalendarObject | None, holding: Holding) -> frozenset[str]:
        """Strangers, where nothing but the past is changed: whoever is here has a copy that is to agree."""
        if not self._is_long_gone(old, new, holding):
            return frozenset()
        people = self.delivery.people
        invited = frozenset(address for each in (old, new) if each is not None for address in each.attendees)
        people.meet(invited)
        return frozenset(each for each in invited if people.whose(each) is None)

    def _is_long_gone(self, old: CalendarObject | None, new: CalendarObject | None, holding: Holding) -> bool:
        """Whether a change is to what was over long ago, before and after it."""
        limit = self.txn.now - timedelta(days=self.policy.scheduling.past_days)
        if holding.stored is None:
            return False
        last = holding.stored.row.last
        if last is None or holding.stored.row.first is None or last > limit.timestamp():
            return False
        if new is None:
            return old is not None
        if new.master is None or not _starts_before(new, limit):
            return False
        index = ical.index(new, horizon=limit, zone=UTC, limits=calendars.limits(self.policy.calendars))
        return index.last is not None and index.last <= limit.timestamp()

    def carry_out(self, holding: Holding, plan: Plan, ask: Ask) -> str | None:
        """Send what the plan has, and store all copies; returns why a reply could not be sent that removal needs."""
        if plan.messages:
            role = Role.ATTENDEE if plan.messages[0].method is Method.REPLY else Role.ORGANIZER
            ask.may_send(SEND[role])
        before = holding.object
        holding.becomes(plan.calendar, plan.memory, tag_changes=plan.schedule_tag_changes)
        holding.tagged = plan.role is not None
        statuses = self.delivery.send(plan.messages, self.owner)
        problem = None
        if plan.calendar is None and plan.role is Role.ATTENDEE:
            problem = next(filter(unsent, statuses.values()), None)
            if problem is not None and before is not None:
                holding.becomes(itip.delivered(before, statuses, pending=False), holding.memory, tag_changes=False)
                holding.tagged = True
        self.delivery.store()
        return problem


def standings(txn: Transaction, policy: Policy, principals: Iterable[int], uid: str) -> Sequence[Standing]:
    """What people here have of a meeting; those who have nothing are left out."""
    delivery = Delivery(txn, policy, uid, "VEVENT")
    found = [who for each in principals if (who := txn.principals.get(each)) is not None]
    delivery.load(found)
    return _standings(delivery, found)


def _standings(delivery: Delivery, principals: Iterable[Principal]) -> Sequence[Standing]:
    found = []
    for each in principals:
        held = delivery.held[each.id].object if each.id in delivery.held else None
        if held is not None and held.organizer is not None:
            by = delivery.people.whose(held.organizer)
            found.append(Standing(each.id, None if by is None else by.id, _sequence(held)))
    return found


def _sequence(found: CalendarObject) -> int:
    """The highest SEQUENCE in it."""
    return max(map(itip.sequence_of, found.components))


def _starts_before(new: CalendarObject, limit: datetime) -> bool:
    start = None if new.master is None else new.master.first("DTSTART")
    return start is not None and ical.when(start, new.zones).epoch() < limit.timestamp()
