"""Which media type a client wants calendar data in: iCalendar, or jCal (RFC 7265, RFC 9110 section 12.5.1)."""

from typing import Final

from calserver.calendars import CONTENT_TYPE
from calserver.dav import Request, accepts
from calserver.ical import ICALENDAR, JCAL

_ANSWERED: Final = frozenset({"GET", "HEAD", "PUT", "POST"})
_TYPES: Final = {ICALENDAR: CONTENT_TYPE, "text/*": CONTENT_TYPE, JCAL: JCAL, "application/*": JCAL}


def content_type(request: Request) -> str | None:
    """The Content-Type of calendar data in the answer; None where the method has no such answer.

    Where the client does not mind it is iCalendar; only what was sent as jCal then comes back as jCal.
    """
    return request.parsed(_content_type) if request.method in _ANSWERED else None


def _content_type(request: Request) -> str:
    own = JCAL if request.media_type == JCAL else CONTENT_TYPE
    for media_range, _ in accepts(request.headers.get("accept", "")):
        if media_range == "*/*":
            return own
        if media_range in _TYPES:
            return _TYPES[media_range]
    return own
