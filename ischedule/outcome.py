"""What became of a delivery, and whether to try again: one answer, or none, of a receiver judged (draft section 6).

outcome = judge(recipients, status=reply.status, body=reply.body, retry_after=...)
for response in outcome.responses:
    response.status.schedule_status                    # for SCHEDULE-STATUS, once there is no further try
outcome.again                                          # NEVER, ONCE, LATER
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from typing import Final

import attrs

from ischedule import xml
from ischedule.errors import INVALID_SERVICE, NO_SCHEDULING, UNAVAILABLE, RequestRefused, Status
from ischedule.message import Response, address_key

SIGN_AGAIN_SECONDS: Final = 60.0
"""After that a signature may verify that did not: clocks and remembered keys are renewed."""
LONGEST_RETRY_SECONDS: Final = 86400.0

BUSY: Final = frozenset({408, 425, 429})
"""Statuses below 500 that pass."""
MISPLACED: Final = frozenset({300, 301, 302, 303, 307, 308, 404, 405, 410})
"""Statuses that say that the service is not there."""


class Again(Enum):
    """Whether it is of use to try again."""

    NEVER = "never"
    ONCE = "once"
    """There is a chance that something is set right by that; if not, nothing more will happen."""
    LATER = "later"
    """It is a matter of time, for as long as the sender cares."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of a message for each of its recipients.

    While there are further tries, the status of those who are `pending` is 1.0 for their organizer.
    """

    responses: tuple[Response, ...]
    again: Again = Again.NEVER
    pending: tuple[str, ...] = ()
    """The recipients for whom to try again."""
    reason: str = ""
    """In words for a log; empty where the receiver has answered as it should."""
    retry_after_seconds: float | None = None
    """The receiver's wish, if it has one."""
    element: str = ""
    """The name of the error with which the receiver has refused it as a whole."""
    no_service: bool = False
    """The domain has no iSchedule service: it is worth to try mail."""
    server_failed: bool = False
    """It is the server that has failed, and not the domain's service: the next one may do."""


def all_alike(recipients: Iterable[str], status: Status, reason: str, again: Again = Again.NEVER) -> Outcome:
    """The same for everybody, for a reason in words."""
    responses = tuple(Response(recipient=each, status=status, description=reason) for each in recipients)
    pending = () if again is Again.NEVER else tuple(each.recipient for each in responses)
    return Outcome(responses=responses, again=again, pending=pending, reason=reason)


def unfit(recipients: Iterable[str], refused: RequestRefused) -> Outcome:
    """The message is not one that the receiver takes; it is not even sent."""
    return attrs.evolve(all_alike(recipients, INVALID_SERVICE, refused.reason), element=refused.element)


def unreachable(recipients: Iterable[str], reason: str, again: Again = Again.LATER) -> Outcome:
    """There was no answer."""
    return attrs.evolve(all_alike(recipients, UNAVAILABLE, reason, again), server_failed=True)


def judge(recipients: Sequence[str], *, status: int, body: bytes, retry_after: str = "", now: float = 0.0) -> Outcome:
    """What an answer means.

    Args:
        recipients: whom the request named.
        status: of HTTP.
        body: of the answer.
        retry_after: the value of the header field.
        now: seconds since 1970.
    """
    if status == HTTPStatus.OK:
        return _answered(recipients, body)
    found = xml.read_error(body)
    element, description = found or ("", "")
    reason = " ".join(filter(None, (f"the receiver answers with {status}", element, description)))
    wish = _seconds(retry_after, now)
    if element == "verification-failed" and status < 500:
        outcome = all_alike(recipients, NO_SCHEDULING, reason, Again.ONCE)
        wish = SIGN_AGAIN_SECONDS
    elif status in BUSY or status >= 500:
        outcome = all_alike(recipients, UNAVAILABLE, reason, Again.LATER)
        outcome = attrs.evolve(outcome, server_failed=status >= 500 and status != HTTPStatus.INSUFFICIENT_STORAGE)
    elif element in ("max-recipients", "max-content-length"):
        outcome = all_alike(recipients, INVALID_SERVICE, reason, Again.ONCE)
    elif status in MISPLACED and not element:
        outcome = attrs.evolve(all_alike(recipients, UNAVAILABLE, reason, Again.ONCE), server_failed=True)
    elif status in (401, 407) or element == "originator-denied":
        outcome = all_alike(recipients, NO_SCHEDULING, reason)
    else:
        outcome = all_alike(recipients, INVALID_SERVICE, reason)
    return attrs.evolve(outcome, element=element, retry_after_seconds=wish)


def _answered(recipients: Sequence[str], body: bytes) -> Outcome:
    try:
        responses = xml.read_schedule_response(body)
    except xml.Malformed as malformed:
        return all_alike(recipients, UNAVAILABLE, f"the answer cannot be read: {malformed}", Again.ONCE)
    found = {address_key(each.recipient): each for each in responses}
    complete = []
    for recipient in recipients:
        response = found.get(address_key(recipient))
        if response is None:
            complete.append(Response(recipient=recipient, status=UNAVAILABLE, description="there was no answer for it"))
        else:
            complete.append(attrs.evolve(response, recipient=recipient))
    pending = tuple(each.recipient for each in complete if each.status.again)
    return Outcome(responses=tuple(complete), again=Again.LATER if pending else Again.NEVER, pending=pending)


def _seconds(retry_after: str, now: float) -> float | None:
    """Retry-After is a number of seconds or a date (RFC 9110 section 10.2.3)."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_SECONDS)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max((when - datetime.fromtimestamp(now, UTC)).total_seconds(), 0.0), LONGEST_RETRY_SECONDS)


def together(recipients: Sequence[str], outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of a message that was sent in several requests, in the order of the recipients."""
    worst = max(outcomes, key=lambda each: [*Again].index(each.again))
    found = {response.recipient: response for each in outcomes for response in each.responses}
    pending = {recipient for each in outcomes for recipient in each.pending}
    return attrs.evolve(
        worst,
        responses=tuple(found[each] for each in recipients),
        pending=tuple(each for each in recipients if each in pending),
        reason="; ".join(dict.fromkeys(each.reason for each in outcomes if each.reason)),
    )
