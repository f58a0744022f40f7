"""What can be wrong: one exception type per error element of iSchedule, and the statuses of single recipients.

An error of the whole request is an exception; what a single recipient gets is a `Status`. The element of an exception
is its class in lower case with hyphens: `OriginatorMissing` is ``originator-missing``. HTTP statuses are those of the
draft's advice (section 11): 400 for what is not well-formed, 403 for what is not wanted.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar, Final

import attrs


class RequestRefused(Exception):
    """A scheduling request was refused as a whole.

    Args:
        reason: one sentence for the peer.
        detail: more, for our log only.
        retry_after_seconds: when to try again, where that is of use.
    """

    element: ClassVar[str] = ""
    """Local name of the element inside ``error``; empty where HTTP's status says it all."""
    status: HTTPStatus = HTTPStatus.FORBIDDEN

    def __init__(self, reason: str = "", *, detail: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds

    def __init_subclass__(cls) -> None:
        cls.element = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()


class VersionNotSupported(RequestRefused):
    """``iSchedule-Version`` is missing or names no version that is spoken here."""

    status = HTTPStatus.BAD_REQUEST


class InvalidCalendarDataType(RequestRefused):
    """The media type or charset of the body is not one that was announced."""

    status = HTTPStatus.BAD_REQUEST


class InvalidCalendarData(RequestRefused):
    """The body is not iCalendar."""

    status = HTTPStatus.BAD_REQUEST


class InvalidSchedulingMessage(RequestRefused):
    """The body breaks the rules of iTIP, or does not fit the header fields."""

    status = HTTPStatus.BAD_REQUEST


class OriginatorMissing(RequestRefused):
    """There is no ``Originator``."""

    status = HTTPStatus.BAD_REQUEST


class TooManyOriginators(RequestRefused):
    """There is more than one ``Originator``."""

    status = HTTPStatus.BAD_REQUEST


class OriginatorInvalid(RequestRefused):
    """The ``Originator`` is not an address that could be verified."""

    status = HTTPStatus.BAD_REQUEST


class OriginatorDenied(RequestRefused):
    """Who has signed may not speak for the originator, or is not wanted here."""


class RecipientMissing(RequestRefused):
    """There is no ``Recipient``."""

    status = HTTPStatus.BAD_REQUEST


class RecipientInvalid(RequestRefused):
    """A ``Recipient`` is nothing that could be answered for (of Apple's server; not in the draft)."""

    status = HTTPStatus.BAD_REQUEST


class RecipientMismatch(RequestRefused):
    """The attendees of a free-busy request are not its recipients."""

    status = HTTPStatus.BAD_REQUEST


class OrganizerDenied(RequestRefused):
    """The organizer is one of ours (of Apple's server; not in the draft)."""


class AttendeeDenied(RequestRefused):
    """The attendee who replies is one of ours (of Apple's server; not in the draft)."""


class VerificationFailed(RequestRefused):
    """The signature is missing or does not verify; 503 where that was not to be found out at the moment."""

    def __init__(self, reason: str = "", *, detail: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(reason, detail=detail, retry_after_seconds=retry_after_seconds)
        if retry_after_seconds is not None:
            self.status = HTTPStatus.SERVICE_UNAVAILABLE


class AttachmentTypeNotSupported(RequestRefused):
    """There is an ATTACH of a kind that was not announced."""


class MaxRecipients(RequestRefused):
    """There are more recipients than announced."""


class MaxContentLength(RequestRefused):
    """The body is larger than announced."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class MinDateTime(RequestRefused):
    """A date lies before what was announced."""


class MaxDateTime(RequestRefused):
    """A date lies after what was announced."""


class MaxInstances(RequestRefused):
    """There are more recurrence instances than announced."""


BY_ELEMENT: Final[Mapping[str, type[RequestRefused]]] = {each.element: each for each in RequestRefused.__subclasses__()}
"""The exception types by the names of their elements."""


class TooManyRequests(RequestRefused):
    """The peer asks too often; there is no element for that."""

    status = HTTPStatus.TOO_MANY_REQUESTS


TooManyRequests.element = ""


class KeyUnusable(Exception):
    """A key record is there, but no signature can be verified with it; the text says why."""


_STATUS: Final = re.compile(r"\s*([1-9])\.([0-9]{1,2})(?:\.[0-9]{1,2})*")


@attrs.frozen
class Status:
    """The value of a REQUEST-STATUS property (RFC 5545 section 3.8.8.3): what became of a recipient."""

    code: str
    text: str = ""
    data: str = ""

    @classmethod
    def read(cls, value: str) -> "Status":
        """Read what a peer wrote; without a code that is the status of a service that is out of order.

        Only the leading code counts: peers leave out the text, or the semicolon before it.
        """
        if not (found := _STATUS.match(value)):
            return UNAVAILABLE
        _, _, rest = value.partition(";")
        text, _, data = rest.partition(";")
        return cls(f"{found[1]}.{found[2]}", text.strip(), data.strip())

    def __str__(self) -> str:
        """As it is written."""
        return ";".join((self.code, self.text, self.data) if self.data else (self.code, self.text))

    @property
    def delivered(self) -> bool:
        """Whether the recipient has the message, or will have it."""
        return self.code[0] in "12"

    @property
    def again(self) -> bool:
        """Whether to try again later is of any use."""
        return self.code == "5.1"

    @property
    def schedule_status(self) -> str:
        """The code for SCHEDULE-STATUS (RFC 6638 section 3.2.9): of the codes that are defined there."""
        return "5.2" if self.code == "5.0" else self.code


PENDING: Final = Status("1.0", "Pending")
SUCCESS: Final = Status("2.0", "Success")
INVALID_USER: Final = Status("3.7", "Invalid calendar user")
NO_AUTHORITY: Final = Status("3.8", "No authority")
UNAVAILABLE: Final = Status("5.1", "Service unavailable")
INVALID_SERVICE: Final = Status("5.2", "Invalid calendar service")
NO_SCHEDULING: Final = Status("5.3", "No scheduling support for user")
