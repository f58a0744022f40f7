"""What requests do to scheduling objects (RFC 6638 section 3.2): from resources to `calserver.meetings`.

These functions take the calendar as the client sees it. What is written lies in `CalendarCollection.kept_in`, which is
the sharer's calendar where that is shared.
"""

from functools import partial
from typing import TYPE_CHECKING

from calserver import calendars, meetings
from calserver.conditions import ConditionFailed
from calserver.dav import Forbidden, MethodNotAllowed, NeedPrivileges, Request, View
from calserver.ical import CalendarObject
from calserver.meetings import Ask, Policy
from calserver.names import C
from calserver.store import Collection as CollectionRow
from calserver.store import NameTaken
from calserver.store import Object as ObjectRow
from calserver.tree import access

if TYPE_CHECKING:
    from calserver.caldav.resources import CalendarCollection, CalendarObjectResource


class DefaultCalendarNeeded(ConditionFailed):
    """Invitations are put into this calendar (RFC 6638 section 4.3.1.1)."""

    name = C("default-calendar-needed")


def policy_of(view: View) -> Policy:
    """What the site wants of scheduling, in one request."""
    request, settings = view.request, view.settings
    return Policy(
        calendars=settings.calendars,  # type: ignore[attr-defined]  # see `calserver.config.Settings`
        scheduling=settings.scheduling,  # type: ignore[attr-defined]  # the same
        prefix=request.prefix,
        origin=request.origin,
        routes=settings.routes,  # type: ignore[attr-defined]  # the same
        node=settings.node,  # type: ignore[attr-defined]  # the same
        standings=request.known,
    )


def asked(request: Request) -> tuple[bool, bool]:
    """Whether a removal is to be told, and whether the request holds by If-Schedule-Tag-Match (sections 8.1, 8.3)."""
    tells = request.headers.get("schedule-reply", "T").strip().upper() != "F"
    return tells, "if-schedule-tag-match" in request.headers


def _ask(calendar: "CalendarCollection") -> Ask:
    reply, matched = asked(calendar.view.request)
    return Ask(may_send=partial(_may_send, calendar), reply=reply, matched_tag=matched)


def _may_send(calendar: "CalendarCollection", privilege: str) -> None:
    """See that the actor may send for whom a calendar belongs to (section 6.2).

    Raises:
        NeedPrivileges: it names the owner's Outbox.
    """
    view = calendar.view
    if access.rules(view, calendar.kept_in):
        return
    at = calendar.outbox
    try:
        outbox = view.find(at)
    except NeedPrivileges:
        raise NeedPrivileges((view.path(at), privilege)) from None
    if privilege not in outbox.privileges:
        raise NeedPrivileges((view.path(at), privilege))


def put(
    calendar: "CalendarCollection", kept_in: CollectionRow, name: str, new: CalendarObject
) -> tuple[ObjectRow, bool]:
    """Store a scheduling object, with all that follows."""
    view = calendar.view
    try:
        return meetings.put(view.txn, policy_of(view), kept_in, name, new, path=calendar.path_of, ask=_ask(calendar))
    except NameTaken:
        raise MethodNotAllowed("there is a collection of this name") from None


def withdraw(member: "CalendarObjectResource") -> str | None:
    """Remove a calendar object, with all that follows; returns the status of a reply that cannot be delivered."""
    calendar: CalendarCollection = member.parent  # type: ignore[assignment]  # the caller has looked
    view, place = calendar.view, calendar.kept_in
    return meetings.remove(view.txn, policy_of(view), place, member.row, ask=_ask(calendar))


def withdraw_all(calendar: "CalendarCollection") -> None:
    """Tell everybody concerned that a whole calendar goes; what cannot be told does not keep it from going."""
    view = calendar.view
    for each in view.txn.copies.organized(calendar.row.id):
        if meetings.concerns(calendar.row, each.row.organizer):
            view.allowance.spend()
            meetings.remove(view.txn, policy_of(view), calendar.row, each.row, ask=_ask(calendar))


def refuse_default(calendar: "CalendarCollection") -> None:
    """Raise `DefaultCalendarNeeded` for the calendar that invitations are put into (section 4.3)."""
    row, txn = calendar.row, calendar.view.txn
    if row.parent_id != row.home_id:
        return
    siblings = txn.collections.children(row.home_id)
    inbox = next((each for each in siblings if each.kind == "inbox"), None)
    default = None if inbox is None else calendars.default_calendar(inbox, siblings, "VEVENT")
    if default is not None and default.id == row.id:
        raise DefaultCalendarNeeded("invitations are put into this calendar: choose another one for them first")


def unreachable(status: str) -> str:
    """Why a meeting is not removed, for people."""
    return (
        f"the organizer cannot be told that you decline ({status}), so the meeting stays; "
        "a DELETE with Schedule-Reply: F removes it without telling"
    )


def refuse_unreachable(status: str | None) -> None:
    """Raise a refusal where `withdraw` has returned a status."""
    if status is not None:
        raise Forbidden(unreachable(status))
