"""Conditional requests: If-Match and its kin (RFC 9110 section 13), If-Schedule-Tag-Match (RFC 6638 section 8.3)."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from calserver.dav.errors import PreconditionFailed
from calserver.dav.message import Request
from calserver.dav.resource import Resource

_TAG: Final = re.compile(r'(?:W/)?"[^"]*"|[^\s,"]+', re.IGNORECASE)


def tags(value: str) -> tuple[str, ...]:
    """The entity tags of a header; one that a client sent without quotes gets them."""
    return tuple(each if each.endswith('"') else f'"{each}"' for each in _TAG.findall(value))


def strongly_equal(one: str | None, other: str) -> bool:
    """The strong comparison of RFC 9110 section 8.8.3.2."""
    return one is not None and one == other and one[:2].upper() != "W/"


def weakly_equal(one: str | None, other: str) -> bool:
    """The weak comparison of RFC 9110 section 8.8.3.2."""
    return one is not None and one.removeprefix("W/") == other.removeprefix("W/").removeprefix("w/")


_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(moment: datetime) -> str:
    """A time as HTTP writes it (RFC 9110 section 5.6.7)."""
    at = moment.astimezone(UTC)
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1]
    return f"{day}, {at.day:02} {month} {at.year:04} {at.hour:02}:{at.minute:02}:{at.second:02} GMT"


def parse_http_date(value: str) -> datetime | None:
    """The time that a header names, in any of the three formats; None where it names none."""
    try:
        moment = parsedate_to_datetime(value.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def validators(resource: Resource) -> tuple[tuple[str, str], ...]:
    """The header fields that tell one state of a resource from another: ETag, Last-Modified, Schedule-Tag."""
    fields = []
    if resource.etag is not None:
        fields.append(("ETag", resource.etag))
    if resource.modified is not None:
        fields.append(("Last-Modified", http_date(resource.modified)))
    if resource.schedule_tag is not None:
        fields.append(("Schedule-Tag", resource.schedule_tag))
    return tuple(fields)


def _modified_after(resource: Resource, value: str) -> bool | None:
    """Whether the resource was modified after the time in a header; None where one of the times is not known."""
    moment = parse_http_date(value)
    if moment is None or resource.modified is None:
        return None
    return resource.modified.replace(microsecond=0) > moment


def not_modified(request: Request, resource: Resource) -> bool:
    """Check the conditional headers in the order of RFC 9110 section 13.2.2.

    Returns:
        Whether a GET or HEAD is to be answered with 304.

    Raises:
        PreconditionFailed: one does not hold.
    """
    headers = request.headers
    reading = request.method in ("GET", "HEAD")
    if (value := headers.get("if-match")) is not None:
        if not _match(resource, value, strong=True):
            raise PreconditionFailed("the resource does not have an entity tag of If-Match")
    elif (value := headers.get("if-unmodified-since")) is not None and _modified_after(resource, value):
        raise PreconditionFailed("the resource was modified since")
    if (value := headers.get("if-schedule-tag-match")) is not None and not _same_schedule_tag(resource, value):
        raise PreconditionFailed("the resource does not have the schedule tag")
    if (value := headers.get("if-none-match")) is not None:
        if _match(resource, value, strong=False):
            if reading:
                return True
            raise PreconditionFailed("the resource exists, or has an entity tag of If-None-Match")
    elif reading and (value := headers.get("if-modified-since")) is not None:
        return _modified_after(resource, value) is False
    return False


def _match(resource: Resource, value: str, *, strong: bool) -> bool:
    if not resource.exists:
        return False
    if "*" in ([value.strip()] if strong else map(str.strip, value.split(","))):  # in doubt, what is there stays
        return True
    equal = strongly_equal if strong else weakly_equal
    return any(equal(resource.etag, each) for each in tags(value))


def _same_schedule_tag(resource: Resource, value: str) -> bool:
    return resource.exists and any(strongly_equal(resource.schedule_tag, each) for each in tags(value))


def range_holds(request: Request, resource: Resource) -> bool:
    """Whether If-Range lets the Range header count (RFC 9110 section 13.1.5); so it does where there is none."""
    value = request.headers.get("if-range")
    if value is None:
        return True
    if '"' in value:
        return strongly_equal(resource.etag, value.strip())
    moment = parse_http_date(value)
    return moment is not None and resource.modified is not None and resource.modified.replace(microsecond=0) == moment
