"""Quota properties (RFC 4331)."""

from http import HTTPStatus

from calserver.conditions import ConditionFailed
from calserver.dav.extension import Extension
from calserver.dav.resource import Resource
from calserver.names import D


class QuotaNotExceeded(ConditionFailed):
    """The request would need more room than its owner has left (RFC 4331 section 6)."""

    name = D("quota-not-exceeded")
    status = HTTPStatus.INSUFFICIENT_STORAGE


class SufficientDiskSpace(ConditionFailed):
    """The server itself has no room left (RFC 4331 section 6)."""

    name = D("sufficient-disk-space")
    status = HTTPStatus.INSUFFICIENT_STORAGE


rfc4331 = Extension("RFC 4331", conditions=(QuotaNotExceeded, SufficientDiskSpace))


@rfc4331.property(D("quota-available-bytes"), on=Resource)
def quota_available_bytes(resource: Resource) -> str | None:
    """How much may still be stored (section 3)."""
    return None if resource.quota_available is None else str(resource.quota_available)


@rfc4331.property(D("quota-used-bytes"), on=Resource)
def quota_used_bytes(resource: Resource) -> str | None:
    """How much is stored (section 4)."""
    return None if resource.quota_used is None else str(resource.quota_used)
