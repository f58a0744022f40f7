"""GET, HEAD and PUT (RFC 9110 section 9.3, RFC 4918 sections 9.4 and 9.7)."""

from http import HTTPStatus

import attrs

from calserver.dav.conditional import range_holds, validators
from calserver.dav.errors import BadRequest, Conflict, NotFound, RangeNotSatisfiable
from calserver.dav.headers import byte_range
from calserver.dav.message import Request, Response
from calserver.dav.resource import Resource, Unmapped
from calserver.dav.rfc7240 import stored


def _fields(resource: Resource) -> tuple[tuple[str, str], ...]:
    content_type = (("Content-Type", resource.content_type),) if resource.content_type else ()
    language = (("Content-Language", resource.content_language),) if resource.content_language else ()
    return (*content_type, *language, *validators(resource), ("Accept-Ranges", "bytes"), *resource.headers)


def get(request: Request, resource: Resource) -> Response:
    """The content, or the part of it that a Range header asks for (RFC 9110 section 14.2).

    Of several ranges in one header none is looked at, as section 14.2 allows.
    """
    if resource.is_collection:
        resource.view.take_time()
    body = resource.read()
    fields = _fields(resource)
    value = request.headers.get("range")
    if value is None or not range_holds(request, resource):
        return Response(HTTPStatus.OK, fields, body)
    try:
        found = byte_range(value, len(body))
    except ValueError:
        raise RangeNotSatisfiable("no such range", {"Content-Range": f"bytes */{len(body)}"}) from None
    if found is None:
        return Response(HTTPStatus.OK, fields, body)
    first, last = found
    part = ("Content-Range", f"bytes {first}-{last}/{len(body)}")
    return Response(HTTPStatus.PARTIAL_CONTENT, (*fields, part), body[first : last + 1])


def head(request: Request, resource: Resource) -> Response:
    """What GET would answer, without the content; Content-Length says how long that is (RFC 9110 section 9.3.2)."""
    length = resource.content_length
    if length is None:
        resource.view.take_time()
        length = len(resource.read())
    return Response(HTTPStatus.OK, (*_fields(resource), ("Content-Length", str(length))))


def without_content(response: Response) -> Response:
    """The answer to a HEAD that is made from that to a GET, for resources with a GET of their own."""
    length = len(response.body) if isinstance(response.body, bytes) else sum(map(len, response.body))
    return attrs.evolve(response.with_headers(("Content-Length", str(length))), body=b"")


def put(request: Request, resource: Resource) -> Response:
    """Store content in a resource, or make one (RFC 9110 section 9.3.4)."""
    if "content-range" in request.headers:
        raise BadRequest("a PUT stores whole content; a part of it is not taken (RFC 9110 section 14.5)")
    if not isinstance(resource, Unmapped):
        return stored(request, resource.write(request))
    parent = resource.parent
    if parent is None:
        raise NotFound("the collection does not exist")
    if request.href.collection:
        raise Conflict("a path with a slash at its end is that of a collection")
    return stored(request, parent.create(resource.href.name, request))
