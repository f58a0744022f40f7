"""Rooms, things, and whoever else wants it answer invitations by themselves.

What is asked anew is answered: instances that somebody has answered already stay as they are. A series may be accepted
in part: the answer that most instances get is that of the series, the others have their own. Since this happens in the
transaction that delivers the invitation, of two who want the same room at the same time one gets it, and the other
learns so at once.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from calserver import ical, itip
from calserver.calendars import CALENDAR_HOME, TELLING, busy_each
from calserver.conditions import ConditionFailed
from calserver.ical import BusyPeriod, Occurrence, TimeRange
from calserver.itip import Role
from calserver.meetings.holding import Holding
from calserver.store import Principal

if TYPE_CHECKING:
    from calserver.meetings.delivery import Delivery

_YES: Final = "ACCEPTED"
_NO: Final = "DECLINED"
_OPEN: Final = "NEEDS-ACTION"

MODES: Final = {
    "accept-always": (_YES, _YES),
    "decline-always": (_NO, _NO),
    "accept-if-free": (_YES, _OPEN),
    "decline-if-busy": (_OPEN, _NO),
    "automatic": (_YES, _NO),
}
"""The answers while free, and while busy."""
_GONE_BY: Final = timedelta(days=2)
"""What was over longer ago than this is not answered, unless all of it was."""
_UNAVAILABLE: Final = "U"


def answer(delivery: "Delivery", holding: Holding) -> bool:
    """Answer what a message has just brought, where its recipient does that by itself.

    Returns:
        Whether nothing is left for somebody to answer.
    """
    principal, found = holding.principal, holding.object
    mode = MODES.get(_mode(delivery, principal, None if found is None else found.organizer))
    if mode is None or found is None or found.component != "VEVENT":
        return False
    addresses = delivery.people.addresses(principal)
    if itip.role_of(found, addresses) is not Role.ATTENDEE:
        return False
    found = itip.without_cancelled(found)
    if found is not holding.object:
        holding.becomes(found, itip.seeded(holding.memory, holding.object), tag_changes=True)
    asked = _asked(delivery, found, addresses)
    return not asked or _answer(delivery, holding, found, asked, *mode)


def _answer(
    delivery: "Delivery",
    holding: Holding,
    found: ical.CalendarObject,
    asked: Sequence[Occurrence],
    free: str,
    taken: str,
) -> bool:
    """Answer the instances that need it; returns whether all have an answer."""
    principal = holding.principal
    addresses = delivery.people.addresses(principal)
    conflicts = _conflicts(delivery, holding, asked) if free != taken else [False] * len(asked)
    wanted = [taken if each else free for each in conflicts]
    answers = _answers(found, asked, wanted)
    if not answers:
        return False
    memory = itip.seeded(holding.memory, found)
    plan = itip.plan(
        found, itip.with_answers(found, addresses, answers), addresses=addresses, now=delivery.txn.now, memory=memory
    )
    holding.becomes(plan.calendar, plan.memory, tag_changes=True)
    delivery.queue(plan.messages, principal)
    return _OPEN not in wanted


def _mode(delivery: "Delivery", principal: Principal, organizer: str | None) -> str:
    """How it answers an organizer: members of a certain group get what is free, whatever others get."""
    if principal.auto_accept_group is not None and organizer is not None:
        txn, who = delivery.txn, delivery.people.whose(organizer)
        group = txn.principals.by_uid("group", principal.auto_accept_group)
        if who is not None and group is not None and group.id in txn.principals.all_memberships(who.id):
            return "automatic"
    return principal.auto_schedule


def _asked(delivery: "Delivery", found: ical.CalendarObject, addresses: frozenset[str]) -> list[Occurrence]:
    """The instances that need an answer."""
    settings, start, recent = delivery.policy, _start(found), delivery.txn.now - _GONE_BY
    ahead = timedelta(days=settings.scheduling.booking_days)
    try:
        for since in (recent, start):
            until = max(since, start) + ahead
            instances = list(ical.expand(found, since, until, zone=UTC, limit=settings.calendars.instances))
            if instances:
                return [each for each in instances if _needs_action(each, addresses)]
    except ConditionFailed:
        pass
    return []


def _start(found: ical.CalendarObject) -> datetime:
    """When the first component begins, about."""
    starts = [prop for each in found.components if (prop := each.first("DTSTART")) is not None]
    return datetime.fromtimestamp(min((ical.when(each, found.zones).epoch() for each in starts), default=0), UTC)


def _needs_action(instance: Occurrence, addresses: frozenset[str]) -> bool:
    if (instance.component.value("STATUS") or "").upper() == "CANCELLED":
        return False
    for prop in instance.component.all("ATTENDEE"):
        if ical.address(prop.value) in addresses:
            return (prop.param("PARTSTAT") or _OPEN).upper() == _OPEN
    return False


def _conflicts(delivery: "Delivery", holding: Holding, asked: Sequence[Occurrence]) -> list[bool]:
    """Whether there is no room for each of the instances."""
    txn, principal = delivery.txn, holding.principal
    span = TimeRange(
        int(min(each.start for each in asked).timestamp()), int(max(each.end for each in asked).timestamp()) + 1
    )
    rows = txn.collections.in_homes([principal.id], CALENDAR_HOME, TELLING)
    periods = busy_each(
        txn, rows, span, settings=delivery.policy.calendars, ignored=lambda row: row.uid == delivery.uid
    ).get(principal.id, [])
    capacity = principal.capacity or 1
    taken = _Taken([each for each in periods if each.busy != _UNAVAILABLE])
    closed = _Taken([each for each in periods if each.busy == _UNAVAILABLE])
    return [
        taken.most_during(int(each.start.timestamp()), int(each.end.timestamp()), capacity) >= capacity
        or closed.most_during(int(each.start.timestamp()), int(each.end.timestamp()), 1) > 0
        for each in asked
    ]


class _Taken:
    """Periods, and how many of them there are at a time."""

    def __init__(self, periods: Sequence[BusyPeriod]) -> None:
        self._periods = sorted((each.start, each.end) for each in periods)
        self._starts = [start for start, _ in self._periods]
        self._longest = max((end - start for start, end in self._periods), default=0)

    def most_during(self, start: int, end: int, enough: int) -> int:
        """The most that are there at one time between two instants; counting stops at `enough`."""
        end = max(end, start + 1)
        first = bisect_left(self._starts, start - self._longest)
        last = bisect_right(self._starts, end - 1)
        edges = Counter[int]()
        for low, high in self._periods[first:last]:
            if high > start and low < end:
                edges[max(low, start)] += 1
                edges[min(high, end)] -= 1
        most = here = 0
        for at in sorted(edges):
            here += edges[at]
            most = max(most, here)
            if most >= enough:
                break
        return most


def _answers(found: ical.CalendarObject, asked: Sequence[Occurrence], wanted: Sequence[str]) -> dict[int | None, str]:
    """What is answered to the series, and what to instances for which that is something else."""
    answers: dict[int | None, str] = {}
    of_series = [(each, status) for each, status in zip(asked, wanted, strict=True) if not each.is_override]
    common = Counter(status for _, status in of_series).most_common(1)
    master = common[0][0] if common else None
    if master is not None and master != _OPEN:
        answers[None] = master
    for each, status in zip(asked, wanted, strict=True):
        key = None if each.recurrence_id is None else each.recurrence_id.epoch()
        if key is not None and (each.is_override or status != master) and status != (_OPEN if each.is_override else ""):
            answers[key] = status
    return answers
