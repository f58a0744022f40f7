"""Refusals without a name of their own: HTTP statuses as exceptions (RFC 9110 section 15, RFC 4918 section 11)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar

from calserver.conditions import ConditionFailed
from calserver.names import D


class Refusal(Exception):
    """The request was refused with a status; `reason` is one sentence for people."""

    status: ClassVar[HTTPStatus]

    def __init__(self, reason: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.headers = dict(headers or {})


class BadRequest(Refusal):
    """The request cannot be understood (RFC 9110 section 15.5.1)."""

    status = HTTPStatus.BAD_REQUEST


class Unauthorized(Refusal):
    """Who asks is not known, and must be for this (RFC 9110 section 15.5.2)."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(Refusal):
    """Not allowed, whoever asks (RFC 9110 section 15.5.4)."""

    status = HTTPStatus.FORBIDDEN


class NotFound(Refusal):
    """There is no such resource, or none that the asker may know of (RFC 9110 section 15.5.5)."""

    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(Refusal):
    """The resource does not have this method (RFC 9110 section 15.5.6); the adapter adds ``Allow``."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class Conflict(Refusal):
    """The state of the resource, or a missing parent, forbids it (RFC 9110 section 15.5.10)."""

    status = HTTPStatus.CONFLICT


class PreconditionFailed(Refusal):
    """A condition in the headers does not hold (RFC 9110 section 15.5.13)."""

    status = HTTPStatus.PRECONDITION_FAILED


class ContentTooLarge(Refusal):
    """The content is larger than this server takes (RFC 9110 section 15.5.14)."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaType(Refusal):
    """The content is of a type that does not belong here (RFC 9110 section 15.5.16)."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class RangeNotSatisfiable(Refusal):
    """None of the asked ranges is in the content (RFC 9110 section 15.5.17)."""

    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


class Locked(Refusal):
    """A lock stands in the way, and its token was not submitted (RFC 4918 section 11.3)."""

    status = HTTPStatus.LOCKED


class NotImplementedHere(Refusal):
    """The method is unknown to this server (RFC 9110 section 15.6.2)."""

    status = HTTPStatus.NOT_IMPLEMENTED


class BadGateway(Refusal):
    """It concerns another server, or a part of this one that WebDAV does not reach (RFC 4918 section 9.8.5)."""

    status = HTTPStatus.BAD_GATEWAY


class InsufficientStorage(Refusal):
    """There is no room for it (RFC 4918 section 11.5)."""

    status = HTTPStatus.INSUFFICIENT_STORAGE


class NeedPrivileges(ConditionFailed):
    """The asker lacks privileges (RFC 3744 section 7.1.1).

    Args:
        missing: pairs of the href and the Clark name of each privilege that was wanted there.
    """

    name = D("need-privileges")

    def __init__(self, *missing: tuple[str, str]) -> None:
        super().__init__("you lack the privilege for this")
        self.missing = missing
