"""What is asked and told of busy time: of the homes of some calendar users, as far as who asks may know.

Somebody here asks by the scheduling Outbox (`calserver.caldav.outbox`), somebody elsewhere by another server, which
vouches for the asker (`calserver.caldav.foreign`). Answers for all attendees come from the same queries, however many
there are. ``X-CALENDARSERVER-MASK-UID`` names a meeting of the organizer that is to be moved: it does not stand in its
own way.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import partial
from http import HTTPStatus
from typing import Final, cast

import attrs

from calserver import calendars, directory, ical
from calserver.caldav.boxes import Inbox, Outbox
from calserver.caldav.freebusy import READ_FREE_BUSY
from calserver.caldav.resources import CalendarCollection, CalendarObjects, settings
from calserver.caldav.webcal import PRODID
from calserver.conditions import ConditionFailed
from calserver.dav import Href, View
from calserver.directory import Actor, principal_href
from calserver.ical import BusyPeriod, Component, Property, TimeRange, ValidCalendarData
from calserver.names import C
from calserver.store import BRANCH, Principal, Taker
from calserver.store import Collection as CollectionRow
from calserver.tree import Estate, Kinds

QUERY: Final = C("schedule-query-freebusy")

MOST_DAYS: Final = 100_000
"""How many days may be asked about in all: those of the time range for each attendee."""


class ValidSchedulingMessage(ConditionFailed):
    """The message is not a free-busy request as iTIP wants it (RFC 6638 section 5, RFC 5546 section 3.3.2)."""

    name = C("valid-scheduling-message")
    status = HTTPStatus.BAD_REQUEST


# -- what is asked -------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class Question:
    """A free-busy request."""

    uid: Property
    organizer: Property
    attendees: tuple[Property, ...]
    """Each address once."""
    when: TimeRange
    masked: str | None
    """UID of the meeting that does not count."""

    @classmethod
    def of(cls, calendar: Component) -> "Question":
        """Read a scheduling message.

        Raises:
            ValidSchedulingMessage: it is not a free-busy request.
            ValidCalendarData: a time is not in UTC (RFC 5545 sections 3.8.2.2 and 3.8.2.4).
        """
        if (calendar.value("METHOD") or "").upper() != "REQUEST":
            raise ValidSchedulingMessage("the METHOD of a free-busy request is REQUEST")
        found = [each for each in calendar.components if each.name != "VTIMEZONE"]
        if [each.name for each in found] != ["VFREEBUSY"]:
            raise ValidSchedulingMessage("a free-busy request has one VFREEBUSY and no other component")
        uid, organizer, start, end, _ = (
            _one(found[0], name) for name in ("UID", "ORGANIZER", "DTSTART", "DTEND", "DTSTAMP")
        )
        attendees = {each.value.strip(): each for each in found[0].all("ATTENDEE")}
        if not attendees:
            raise ValidSchedulingMessage("a free-busy request has an ATTENDEE")
        if found[0].first("FREEBUSY") is not None:
            raise ValidSchedulingMessage("a free-busy request has no FREEBUSY")
        when = TimeRange(_instant(start), _instant(end))
        if when.end <= when.start:
            raise ValidSchedulingMessage("DTEND is after DTSTART")
        if (when.end - when.start) // 86_400 * len(attendees) > MOST_DAYS:
            raise ValidSchedulingMessage("this is too long a time for so many attendees")
        return cls(
            uid=uid,
            organizer=organizer,
            attendees=tuple(attendees.values()),
            when=when,
            masked=found[0].value("X-CALENDARSERVER-MASK-UID"),
        )


def _one(component: Component, name: str) -> Property:
    found = component.all(name)
    if len(found) != 1 or not found[0].value.strip():
        raise ValidSchedulingMessage(f"a free-busy request has one {name}")
    return found[0]


def _instant(prop: Property) -> int:
    try:
        at = ical.when(prop, ical.Zones(Component("VCALENDAR")))
    except ValueError as problem:
        raise ValidCalendarData(f"VFREEBUSY: {prop.name}: {problem}") from None
    if not at.is_utc:
        raise ValidCalendarData(f"VFREEBUSY: {prop.name} is in UTC")
    return at.epoch()


@attrs.frozen(kw_only=True)
class Asking:
    """A question to other servers."""

    owner: Principal
    """Who asks."""
    question: Question
    attendees: tuple[Property, ...]
    """About whom."""
    nodes: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)
    """Of those who are at other nodes of the cluster the node, and the address that it knows, by the value above."""
    now: datetime


@attrs.frozen(kw_only=True)
class Told:
    """What another server says of an attendee: the VFREEBUSY in its VCALENDAR, or why there is none."""

    attendee: Property
    status: str
    """The value of REQUEST-STATUS."""
    data: Component | None = None
    branches: frozenset[str] = frozenset()
    """The nodes that have shared calendars of an attendee which count, besides those that this is about."""


# -- who is asked --------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True)
class Outcome:
    """What becomes of the question to one attendee, if not success (RFC 5546 section 3.6)."""

    status: str
    error: str | None = None
    """Clark name of what earlier drafts had for it in ``DAV:error``, and clients still look for."""


UNKNOWN: Final = Outcome("3.7;Invalid calendar user", C("recipient-exists"))
FORBIDDEN: Final = Outcome("3.8;No authority", C("recipient-permissions"))
FOREIGN: Final = Outcome("5.2;Invalid calendar service")
UNABLE: Final = Outcome("5.3;No scheduling support for user")
AWAY: Final = Outcome("5.1;Service unavailable")
"""At another node, which may be asked."""


def elsewhere(address: str, owner: Principal, view: View) -> Outcome:
    """Why there is no answer for an address that nobody has here; who is `FOREIGN` may be asked of other servers."""
    normalized = directory.normalize(address)
    scheme, _, rest = normalized.partition(":")
    if scheme == "mailto":
        domain = rest.rpartition("@")[2]
        ours = {each.rpartition("@")[2] for each in owner.addresses}
        if "@" not in rest or domain in ours or settings(view).hosts(domain):
            return UNKNOWN
        return FOREIGN
    foreign = scheme in ("http", "https") and not normalized.startswith(f"{view.request.origin.lower()}/")
    return FOREIGN if foreign else UNKNOWN


class Part(Enum):
    """What is asked about of homes that are in parts at several nodes."""

    ALL = "all"
    HOME = "home"
    """What is in the home itself."""
    BRANCH = "branch"
    """What is in a branch: the node of the home has seen to it that who asks may know."""


@attrs.frozen(kw_only=True)
class Desk:
    """Where somebody asks: what this calendar user may know of the homes of others."""

    view: View
    """Of the asker."""
    mount: str
    """The name of what homes are in."""
    kinds: Kinds
    owner: Principal | None
    """Whose own meeting may be masked; None for one who has no account here."""

    @classmethod
    def of(cls, outbox: Outbox, owner: Principal) -> "Desk":
        """What others see who asks by an Outbox is its owner, whoever sends the request."""
        view, estate = outbox.view, outbox.estate
        if view.request.actor.principal_id != owner.id:
            asker = attrs.evolve(view.request, actor=Actor.of(view.txn, owner))
            view = View(view.txn, asker, view.tree, view.spoken, view.settings)
        return cls(view=view, mount=estate.href.segments[0], kinds=estate.kinds, owner=owner)

    def open(
        self, principal: Principal, rows: Sequence[CollectionRow], part: Part = Part.ALL
    ) -> list[CalendarObjects] | Outcome:
        """What tells when a principal is busy, or why that is not told; `rows` are the home and what is in it."""
        top = next((each for each in rows if each.parent_id is None), None)
        if top is None or not principal.scheduling or not principal.enabled:
            return UNABLE
        at = Href((self.mount, principal.kind, principal.uid), collection=True)
        owner = principal_href(principal.kind, principal.uid)
        home = self.kinds.home(self.view, at, top, Estate(top, at, owner, self.kinds))
        members = [home.collection_of(each) for each in rows if each.kind == "inbox" or calendars.counts(each)]
        if part is Part.BRANCH:
            return [each for each in members if isinstance(each, CalendarCollection)]
        inbox = next((each for each in members if isinstance(each, Inbox)), None)
        if inbox is None:
            return UNABLE
        if QUERY not in inbox.privileges:
            return FORBIDDEN
        return [inbox, *(each for each in members if isinstance(each, CalendarCollection) and self.tells(each))]

    def tells(self, calendar: CalendarCollection) -> bool:
        """Whether a calendar counts: as all do that do not keep their busy time from who asks.

        What sharers allow sharees is nothing to others; that the sharee is busy is.
        """
        return calendar.row.source_id is not None or READ_FREE_BUSY in calendar.privileges

    def looks(self, places: Mapping[int, CalendarCollection], masked: str | None) -> bool:
        """Whether some object may not count, so that each is looked at."""
        return (
            masked is not None
            or any(each.varied for each in places.values())
            or self.view.txn.objects.restricted(places)
        )

    def ignores(self, places: Mapping[int, CalendarCollection], masked: str | None, row: Taker) -> bool:
        """Whether an object does not count: the meeting that is moved, or one that is hidden."""
        place = places[row.collection_id]
        owner = self.owner if row.uid == masked else None
        if owner is not None and (place.row.principal_id == owner.id or self.organizes(row, owner)):
            return True
        if place.row.source_id is not None or (row.acl is None and not place.varied):
            return False
        found = self.view.txn.objects.by_id(row.id)
        return found is None or READ_FREE_BUSY not in place.object_of(found).privileges

    def organizes(self, row: Taker, owner: Principal) -> bool:
        """Whether the owner of the Outbox is the organizer of an object."""
        request = self.view.request
        found = row.organizer and directory.find(
            self.view.txn, row.organizer, prefix=request.prefix, origin=request.origin
        )
        return bool(found) and cast(Principal, found).id == owner.id


def asked(
    desk: Desk, question: Question, principals: Mapping[int, Principal], *, part: Part = Part.ALL
) -> tuple[dict[int, Outcome], Mapping[int, list[BusyPeriod]]]:
    """Why some of the principals do not answer, and when the others are busy."""
    rows: dict[int, list[CollectionRow]] = {each: [] for each in principals}
    kind = BRANCH if part is Part.BRANCH else calendars.CALENDAR_HOME
    for row in desk.view.txn.collections.in_homes(principals, kind, calendars.TELLING):
        rows[row.principal_id].append(row)
    outcomes: dict[int, Outcome] = {}
    away = nodes(desk.view, principals) if part is Part.ALL else {}
    telling: list[CalendarObjects] = []
    for each, principal in principals.items():
        able = principal.scheduling and principal.enabled
        opened = AWAY if able and each in away else desk.open(principal, rows[each], part)
        if isinstance(opened, Outcome):
            outcomes[each] = opened
        else:
            telling += opened
    places = {each.row.id: each for each in telling if isinstance(each, CalendarCollection)}
    busy = calendars.busy_each(
        desk.view.txn,
        [each.row for each in telling],
        question.when,
        settings=settings(desk.view),
        ignored=partial(desk.ignores, places, question.masked) if desk.looks(places, question.masked) else None,
    )
    return outcomes, busy


def nodes(view: View, principals: Iterable[int]) -> Mapping[int, str]:
    """The nodes of those principals, by id, who are at another one; or here, with calendars that count elsewhere."""
    here = view.settings.node  # type: ignore[attr-defined]  # see `calserver.config.Settings`
    if not here:
        return {}
    found = view.txn.placements.of(principals)
    split = calendars.branches.counting(view.txn, [each for each, node in found.items() if node == here])
    return {each: node for each, node in found.items() if node != here or each in split}


def reply(question: Question, attendee: Property, periods: Iterable[BusyPeriod], now: datetime) -> Component:
    """The answer for one attendee (RFC 5546 section 3.3.3)."""
    return ical.freebusy(
        periods,
        question.when,
        now=now,
        prodid=PRODID,
        method="REPLY",
        properties=(question.uid, question.organizer, attendee),
    )
