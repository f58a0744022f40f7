"""What clients prefer: Prefer and Brief, and the answers that follow them (RFC 7240, RFC 8144)."""

from http import HTTPStatus

import attrs

from calserver.dav.conditional import validators
from calserver.dav.errors import Refusal
from calserver.dav.extension import Extension
from calserver.dav.message import Request, Response, items
from calserver.dav.resource import Resource, View, Written
from calserver.names import D

rfc7240 = Extension("RFC 7240, RFC 8144")


@attrs.frozen(slots=True)
class Preferences:
    """What the client prefers (RFC 7240, RFC 8144)."""

    minimal: bool = False
    """``return=minimal``, or ``Brief: t``."""
    representation: bool = False
    """``return=representation``."""
    noroot: bool = False
    """``depth-noroot`` (RFC 8144 section 3)."""
    brief: bool = False
    """The minimal answer was asked for by ``Brief: t`` alone."""


def preferences(request: Request) -> Preferences:
    """The Prefer and Brief headers. What is not known or malformed is passed over (RFC 7240 section 2)."""
    named: dict[str, str] = {}
    for one in items(request.headers.get("prefer", "")):
        name, _, value = one.partition(";")[0].partition("=")
        named.setdefault(name.strip().lower(), value.strip().strip('"').lower())
    wanted = named.get("return")
    brief = wanted is None and request.headers.get("brief", "").strip().lower() == "t"
    return Preferences(
        minimal=brief or wanted == "minimal",
        representation=wanted == "representation",
        noroot="depth-noroot" in named,
        brief=brief,
    )


def applied(request: Request, *, noroot: bool = False) -> tuple[tuple[str, str], ...]:
    """The Preference-Applied header of a multistatus (RFC 7240 section 3); none for what Brief asked for.

    Args:
        request: that has the preferences.
        noroot: whether the root was left out (RFC 8144 section 3).
    """
    preferred = request.parsed(preferences)
    names = []
    if preferred.minimal and not preferred.brief:
        names.append("return=minimal")
    if noroot:
        names.append("depth-noroot")
    return (("Preference-Applied", ", ".join(names)),) if names else ()


def representation(resource: Resource, status: HTTPStatus) -> Response:
    """The content of a resource as the answer to a request that wrote it (RFC 7240 section 4.2)."""
    fields = (
        ("Content-Type", resource.content_type or "application/octet-stream"),
        ("Content-Location", resource.path),
        ("Preference-Applied", "return=representation"),
        ("Vary", "Prefer"),
    )
    return Response(status, fields + validators(resource), resource.read(), represents=resource.href)


def represented(view: View, response: Response) -> Response:
    """A representation as the resource is by now, after what has followed from the change that it answers.

    It stays as it is where there is none any more that the client may see.
    """
    assert response.represents is not None, "it is a representation"
    try:
        resource = view.find(response.represents)
    except Refusal:
        return response
    if not resource.exists or D("read") not in resource.privileges:
        return response
    new = representation(resource, response.status)
    names = {name for name, _ in new.headers}
    kept = tuple(each for each in response.headers if each[0] not in names)
    return attrs.evolve(new, headers=(*kept, *new.headers))


def stored(request: Request, written: Written) -> Response:
    """The answer to a request that stored content: 201 or 204, or the content as stored where that is preferred.

    There is an ETag only where the client knows the bytes that it belongs to (RFC 4791 section 5.3.4).
    """
    resource = written.resource
    if request.parsed(preferences).representation:
        return representation(resource, HTTPStatus.CREATED if written.created else HTTPStatus.OK)
    fields = tuple(each for each in validators(resource) if each[0] != "ETag" or written.verbatim)
    return Response(HTTPStatus.CREATED if written.created else HTTPStatus.NO_CONTENT, fields)


def current(resource: Resource, refused: Response) -> Response:
    """The content as it is with the status of a failed PUT, for who prefers a representation (RFC 8144 section 3.2)."""
    request = resource.view.request
    methods = resource.view.spoken.methods(type(resource))
    if request.method != "PUT" or "GET" not in methods or D("read") not in resource.privileges:
        return refused
    return representation(resource, refused.status)
