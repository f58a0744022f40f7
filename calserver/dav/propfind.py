"""PROPFIND and PROPPATCH (RFC 4918 sections 9.1 and 9.2)."""

from collections.abc import Iterator
from functools import lru_cache
from http import HTTPStatus

from calserver.conditions import ConditionFailed
from calserver.dav import xml
from calserver.dav.access import READ
from calserver.dav.errors import BadRequest
from calserver.dav.headers import Depth, depth
from calserver.dav.message import Request, Response, RolledBack
from calserver.dav.multistatus import Multistatus, response
from calserver.dav.properties import ALLPROP, Instruction, Properties, Wanted, instructions, patch, wanted
from calserver.dav.resource import Collection, Resource
from calserver.dav.rfc7240 import applied, preferences
from calserver.names import D


class PropfindFiniteDepth(ConditionFailed):
    """More resources than this server answers for in one PROPFIND (RFC 4918 section 9.1)."""

    name = D("propfind-finite-depth")


def asked(request: Request) -> Wanted:
    """The body of a PROPFIND; an empty one asks for all properties. For `Request.parsed`."""
    if len(request.body) <= SHORT_BYTES:
        return _read(request.body, request.charset, request.limits)
    return wanted(xml.required_body(request, D("propfind")))


SHORT_BYTES = 4096
"""Up to this length bodies are kept: what polls ask for is always the same."""


@lru_cache(maxsize=256)
def _read(body: bytes, charset: str | None, limits: xml.Limits) -> Wanted:
    if not body.strip():
        return ALLPROP
    root = xml.parse(body, charset=charset, limits=limits)
    if root.tag != D("propfind"):
        raise BadRequest("the body is not the XML that this method takes")
    return wanted(root)


def shallow(request: Request) -> bool:
    """Whether a PROPFIND asks for a resource, or its members, and no more."""
    return request.headers.get("depth", "").strip() in ("0", "1")


def propfind(request: Request, resource: Resource) -> Response:
    """Properties of a resource, and of its members by Depth, which is infinity where the header lacks."""
    want = request.parsed(asked)
    level = request.parsed(depth)
    if level is None:
        level = Depth.INFINITY
    properties = Properties(resource.view, want)
    answer = Multistatus()
    noroot = level is not Depth.ZERO and request.parsed(preferences).noroot
    if not noroot:
        answer.add(properties.response(resource))
    if level is not Depth.ZERO and isinstance(resource, Collection):
        answer.extend(_below(resource, level, want, properties))
    return answer.answer(*applied(request, noroot=noroot))


def _below(collection: Collection, level: Depth, want: Wanted, properties: Properties) -> Iterator[str | bytes]:
    if level is Depth.ONE:
        ready = None if want.names is None else collection.rendered(want.names)
        yield from map(properties.response, collection.members(want.names)) if ready is None else ready
        return
    most = collection.view.settings.infinity_resources
    for count, each in enumerate(_walk(collection, want), 1):
        if count > most:
            raise PropfindFiniteDepth("there are more resources below than this server answers for; use Depth: 1")
        yield properties.response(each)


def _walk(collection: Collection, want: Wanted) -> Iterator[Resource]:
    """Everything below a collection, as far as the asker may read; a collection comes before its members."""
    for each in collection.members(want.names):
        yield each
        if isinstance(each, Collection) and READ in each.privileges:
            yield from _walk(each, want)


def changes(request: Request) -> tuple[Instruction, ...]:
    """The body of a PROPPATCH. For `Request.parsed`."""
    return instructions(xml.required_body(request, D("propertyupdate")))


def proppatch(request: Request, resource: Resource) -> Response:
    """Set and remove properties, all of them or none (RFC 4918 section 9.2)."""
    patched = patch(resource, request.parsed(changes))
    if patched.done and request.parsed(preferences).minimal:
        return Response(HTTPStatus.OK, applied(request))
    answer = Multistatus([response(resource.path, patched.propstats())]).answer(*applied(request))
    if not patched.done:
        raise RolledBack(answer)
    return answer
