"""The free-busy request: POST on a scheduling Outbox (RFC 6638 section 5, RFC 5546 section 3.3.2).

A client sends a VFREEBUSY with the METHOD REQUEST; the answer is a ``CALDAV:schedule-response`` with the VFREEBUSY of
each attendee, or why there is none. Who asks is the owner of the Outbox, as the ORGANIZER of the message must be; a
delegate who holds the privilege there asks in the owner's name, and learns what the owner may know. The header fields
``Originator`` and ``Recipient``, which clients of older drafts send, say nothing that the message does not.

Whom nobody here has, other servers may know, and whose calendars are at another node of the cluster, that one knows:
they are asked after the transaction, all at the same time.
"""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final, NoReturn

from calserver import calendars, directory, ical
from calserver.caldav import calendar_data
from calserver.caldav.boxes import Inbox, Outbox
from calserver.caldav.inquiry import (
    AWAY,
    FOREIGN,
    Asking,
    Desk,
    Outcome,
    Question,
    Told,
    asked,
    elsewhere,
    nodes,
    reply,
)
from calserver.caldav.negotiation import content_type
from calserver.caldav.resources import settings
from calserver.conditions import ConditionFailed
from calserver.dav import Markup, Request, Response, View, xml
from calserver.ical import JCAL, Component, Property
from calserver.names import C, D
from calserver.store import Principal

SEND: Final = C("schedule-send-freebusy")


class SupportedCollection(ConditionFailed):
    """Messages are sent by the scheduling Outbox, and by nothing else (RFC 6638 section 5)."""

    name = C("supported-collection")


class ValidOrganizer(ConditionFailed):
    """The organizer is not the calendar user that the Outbox belongs to (RFC 6638 section 5)."""

    name = C("valid-organizer")


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
    principals = {known[each.value].id: known[each.value] for each in question.attendees if each.value in known}
    outcomes, busy = asked(Desk.of(outbox, owner), question, principals)
    answers: list[Markup] = []
    others: dict[int, Property] = {}
    """Whom other servers know, by where their answers belong."""
    away: dict[str, Principal] = {}
    for attendee in question.attendees:
        principal = known.get(attendee.value)
        outcome = elsewhere(attendee.value, owner, view) if principal is None else outcomes.get(principal.id)
        if outcome is None:
            assert principal is not None
            data = reply(question, attendee, busy.get(principal.id, []), txn.now)
            answers.append(_success(request, attendee, data))
            continue
        if outcome is FOREIGN or outcome is AWAY:
            others[len(answers)] = attendee
        if outcome is AWAY and principal is not None:
            away[attendee.value] = principal
        answers.append(_failure(attendee, outcome))
    inquire = view.settings.inquire  # type: ignore[attr-defined]  # see `calserver.config.Settings`
    if others and inquire is not None:
        asking = Asking(
            owner=owner,
            question=question,
            attendees=tuple(others.values()),
            nodes=_placed(view, away),
            now=txn.now,
        )
        return Response(later=partial(_with_others, request, inquire(asking), answers, tuple(others)))
    return _answer(answers)


def _placed(view: View, away: Mapping[str, Principal]) -> Mapping[str, tuple[str, str]]:
    """Of attendees at other nodes the node, and an address that it knows."""
    found = nodes(view, [each.id for each in away.values()])
    return {value: (found[each.id], directory.preferred(each)) for value, each in away.items()}


# -- the answer ----------------------------------------------------------------------------------------------------


async def _with_others(
    request: Request, asked: Awaitable[Sequence[Told]], answers: list[Markup], places: Sequence[int]
) -> Response:
    """The answer with what other servers say, in the places that were left for that."""
    for place, told in zip(places, await asked, strict=True):
        data = told.data
        answers[place] = (
            _failure(told.attendee, Outcome(told.status)) if data is None else _success(request, told.attendee, data)
        )
    return _answer(answers)


def _answer(answers: Iterable[Markup]) -> Response:
    return Response(HTTPStatus.OK, (xml.CONTENT_TYPE,), xml.document(C("schedule-response"), *answers))


def _success(request: Request, attendee: Property, reply: Component) -> Markup:
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
