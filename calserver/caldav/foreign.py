"""Telling other servers when people here are busy, as far as their owners and the site allow."""

from collections.abc import Sequence

from calserver import directory, ical
from calserver.caldav.homes import mount
from calserver.caldav.inquiry import UNKNOWN, Desk, Part, Question, Told, asked, reply
from calserver.calendars import branches
from calserver.dav import View
from calserver.ical import BusyPeriod
from calserver.store import Principal


def told(
    view: View,
    text: bytes,
    recipients: Sequence[str],
    *,
    types: bool,
    owner: Principal | None = None,
    part: Part = Part.HOME,
) -> Sequence[Told]:
    """Tell when some people are busy, whom a question names.

    Args:
        view: of the asker, for whom another organization vouches, or another node.
        text: the question, a scheduling message.
        recipients: of the attendees that it names those whose domains are ours.
        types: tell also whether somebody is away or busy tentatively; else busy is busy.
        owner: who asks, where that is somebody of this site at another node.
        part: of their homes; whose answers lack what is in branches is told with them.

    Raises:
        ValidSchedulingMessage, ValidCalendarData: the text is no such question.
    """
    question = Question.of(ical.parse(text))
    wanted = {directory.normalize(each) for each in recipients}
    attendees = [each for each in question.attendees if directory.normalize(each.value) in wanted]
    known = directory.find_many(view.txn, [each.value for each in attendees], prefix=view.request.prefix, origin="")
    desk = Desk(view=view, mount=mount.name, kinds=mount.kinds, owner=owner)
    outcomes, busy = asked(desk, question, {each.id: each for each in known.values()}, part=part)
    ids = [each.id for each in known.values()]
    split = branches.counting(view.txn, ids) if part is Part.HOME and view.settings.node else {}  # type: ignore[attr-defined]  # see `calserver.config.Settings`
    found = []
    for attendee in attendees:
        principal = known.get(attendee.value)
        outcome = UNKNOWN if principal is None else outcomes.get(principal.id)
        if outcome is not None or principal is None:
            found.append(Told(attendee=attendee, status=(outcome or UNKNOWN).status))
            continue
        periods = busy.get(principal.id, [])
        data = reply(question, attendee, periods if types else map(_plain, periods), view.txn.now)
        there = split.get(principal.id, frozenset())
        found.append(Told(attendee=attendee, status="2.0;Success", data=data, branches=there))
    return found


def _plain(period: BusyPeriod) -> BusyPeriod:
    """That somebody is busy, and no more."""
    return period._replace(busy="B")
