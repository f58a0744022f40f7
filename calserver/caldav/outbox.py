"""The free-busy request: POST on a scheduling Outbox (RFC 6638 section 5, RFC 5546 section 3.3.2).

A client sends a VFREEBUSY with the METHOD REQUEST; the answer is a ``CALDAV:schedule-response`` with the VFREEBUSY of
each attendee, or why there is none. Who asks is the owner of the Outbox, as the ORGANIZER of the message must be; a
delegate who holds the privilege there asks in the owner's name, and learns what the owner may know. The header fields
``Originator`` and ``Recipient``, which clients of older drafts send, say nothing that the message does not.

Answers for all attendees come from the same queries, however many there are. ``X-CALENDARSERVER-MASK-UID`` names a
meeting of the organizer that is to be moved: it does not stand in its own way.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final, NoReturn, cast

import attrs

from calserver import calendars, directory, ical
from calserver.caldav import calendar_data
from calserver.caldav.boxes import Inbox, Outbox
from calserver.caldav.freebusy import READ_FREE_BUSY
from calserver.caldav.negotiation import content_type
from calserver.caldav.resources import CalendarCollection, CalendarObjects, settings
from calserver.caldav.webcal import PRODID
from calserver.conditions import ConditionFailed
from calserver.dav import Href, Markup, Request, Response, View, xml
from calserver.directory import Actor, principal_href
from calserver.ical import JCAL, BusyPeriod, Component, Property, TimeRange, ValidCalendarData
from calserver.names import C, D
from calserver.store import Collection as CollectionRow
from calserver.store import Object as ObjectRow
from calserver.store import Principal
from calserver.tree import Estate

SEND: Final = C("schedule-send-freebusy")
QUERY: Final = C("schedule-query-freebusy")

MOST_DAYS: Final = 100_000
"""How many days may be asked about in all: those of the time range for each attendee."""


class SupportedCollection(ConditionFailed):
    """Messages are sent by the scheduling Outbox, and by nothing else (RFC 6638 section 5)."""

    name = C("supported-collection")


class ValidSchedulingMessage(ConditionFailed):
    """The message is not a free-busy request as iTIP wants it (RFC 6638 section 5, RFC 5546 section 3.3.2)."""

    name = C("valid-scheduling-message")
    status = HTTPStatus.BAD_REQUEST


class ValidOrganizer(ConditionFailed):
    """The organizer is not the calendar user that the Outbox belongs to (RFC 6638 section 5)."""

    name = C("valid-organizer")


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
    at = ical.when(prop, ical.Zones(Component("VCALENDAR")))
    if not at.is_utc:
        raise ValidCalendarData(f"VFREEBUSY: {prop.name} is in UTC")
    return at.epoch()


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


def elsewhere(address: str, owner: Principal, view: View) -> Outcome:
    """Why there is no answer for an address that nobody has here.

    This is the place for those who can ask other servers: what they take is not foreign any more.
    """
    normalized = directory.normalize(address)
    scheme, _, rest = normalized.partition(":")
    if scheme == "mailto":
        ours = {settings(view).domain.lower(), *(each.rpartition("@")[2] for each in owner.addresses)}
        return UNKNOWN if rest.rpartition("@")[2] in ours or "@" not in rest else FOREIGN
    foreign = scheme in ("http", "https") and not normalized.startswith(f"{view.request.origin.lower()}/")
    return FOREIGN if foreign else UNKNOWN


@attrs.frozen(kw_only=True)
class Desk:
    """Where the owner of an Outbox asks: what this calendar user may know of the homes of others."""

    view: View
    estate: Estate
    owner: Principal

    @classmethod
    def of(cls, outbox: Outbox, owner: Principal) -> "Desk":
        """What others see who asks by an Outbox is its owner, whoever sends the request."""
        view = outbox.view
        if view.request.actor.principal_id != owner.id:
            asker = attrs.evolve(view.request, actor=Actor.of(view.txn, owner))
            view = View(view.txn, asker, view.tree, view.spoken, view.settings)
        return cls(view=view, estate=outbox.estate, owner=owner)

    def open(self, principal: Principal, rows: Sequence[CollectionRow]) -> list[CalendarObjects] | Outcome:
        """What tells when a principal is busy, or why that is not told; `rows` are the home and what is in it."""
        top = next((each for each in rows if each.parent_id is None), None)
        if top is None or not principal.scheduling or not principal.enabled:
            return UNABLE
        at = Href((self.estate.href.segments[0], principal.kind, principal.uid), collection=True)
        owner = principal_href(principal.kind, principal.uid)
        home = self.estate.kinds.home(self.view, at, top, Estate(top, at, owner, self.estate.kinds))
        members = [home.collection_of(each) for each in rows if each.kind == "inbox" or calendars.counts(each)]
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

    def ignores(self, places: Mapping[int, CalendarCollection], masked: str | None, row: ObjectRow) -> bool:
        """Whether an object does not count: the meeting that is moved, or one that is hidden."""
        place = places[row.collection_id]
        if row.uid == masked and (place.row.principal_id == self.owner.id or self.organizes(row)):
            return True
        if place.row.source_id is not None or (row.acl is None and not place.varied):
            return False
        return READ_FREE_BUSY not in place.object_of(row).privileges

    def organizes(self, row: ObjectRow) -> bool:
        """Whether the owner of the Outbox is the organizer of an object."""
        request = self.view.request
        found = row.organizer and directory.find(
            self.view.txn, row.organizer, prefix=request.prefix, origin=request.origin
        )
        return bool(found) and cast(Principal, found).id == self.owner.id


def post(request: Request, outbox: Outbox) -> Response:
    """Tell when calendar users are busy (section 5).

    Raises:
        NeedPrivileges: who asks may not send such requests from this Outbox.
        SupportedCalendarData, MaxResourceSize, ValidCalendarData: see `calserver.ical.message`.
        ValidSchedulingMessage: the data are not a free-busy request.
        ValidOrganizer: the Outbox is not that of the organizer.
    """
    outbox.require(SEND)
    view, txn = outbox.view, outbox.view.txn
    limits = calendars.limits(settings(view))
    question = Question.of(ical.message(request.body, request.headers.get("content-type", ""), limits))
    named = [each.value for each in (question.organizer, *question.attendees)]
    known = directory.find_many(txn, named, prefix=request.prefix, origin=request.origin)
    owner = known.get(question.organizer.value)
    if owner is None or owner.id != outbox.row.principal_id:
        raise ValidOrganizer("the ORGANIZER is not who this Outbox belongs to")
    desk = Desk.of(outbox, owner)
    outcomes, busy = _asked(
        desk, question, {known[each.value].id: known[each.value] for each in question.attendees if each.value in known}
    )
    answers = []
    for attendee in question.attendees:
        principal = known.get(attendee.value)
        outcome = elsewhere(attendee.value, owner, view) if principal is None else outcomes.get(principal.id)
        if outcome is None:
            assert principal is not None
            answers.append(_success(request, view, question, attendee, busy.get(principal.id, [])))
        else:
            answers.append(_failure(attendee, outcome))
    return Response(HTTPStatus.OK, (xml.CONTENT_TYPE,), xml.document(C("schedule-response"), *answers))


def _asked(
    desk: Desk, question: Question, principals: Mapping[int, Principal]
) -> tuple[dict[int, Outcome], Mapping[int, list[BusyPeriod]]]:
    """Why some of the principals do not answer, and when the others are busy."""
    rows: dict[int, list[CollectionRow]] = {each: [] for each in principals}
    for row in desk.view.txn.collections.in_homes(principals, calendars.CALENDAR_HOME, calendars.TELLING):
        rows[row.principal_id].append(row)
    outcomes: dict[int, Outcome] = {}
    telling: list[CalendarObjects] = []
    for each, principal in principals.items():
        opened = desk.open(principal, rows[each])
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
        ignored=partial(desk.ignores, places, question.masked),
    )
    return outcomes, busy


# -- the answer ----------------------------------------------------------------------------------------------------


def _success(
    request: Request, view: View, question: Question, attendee: Property, periods: Iterable[BusyPeriod]
) -> Markup:
    reply = ical.freebusy(
        periods,
        question.when,
        now=view.txn.now,
        prodid=PRODID,
        method="REPLY",
        properties=(question.uid, question.organizer, attendee),
    )
    data = calendar_data.whole(reply, JCAL if content_type(request) == JCAL else ical.ICALENDAR)
    return _response(attendee, "2.0;Success", data)


def _failure(attendee: Property, outcome: Outcome) -> Markup:
    error = () if outcome.error is None else (xml.element(D("error"), xml.element(outcome.error)),)
    return _response(attendee, outcome.status, *error)


def _response(attendee: Property, status: str, *content: Markup) -> Markup:
    """A ``CALDAV:response`` (section 10.2); the recipient is called as the client did."""
    recipient = xml.element(C("recipient"), xml.href(attendee.value))
    return xml.element(C("response"), recipient, xml.element(C("request-status"), status), *content)


def refuse(request: Request, inbox: Inbox) -> NoReturn:
    """Nothing is sent by an Inbox."""
    raise SupportedCollection("messages are sent by the scheduling Outbox")
