"""Extended MKCOL: make a collection of some type with its properties in one request (RFC 5689)."""

from collections.abc import Iterable
from http import HTTPStatus

from calserver.conditions import ConditionFailed
from calserver.dav import xml
from calserver.dav.access import may_make_collection
from calserver.dav.errors import BadRequest, UnsupportedMediaType
from calserver.dav.extension import Extension
from calserver.dav.message import Request, Response, RolledBack
from calserver.dav.namespace import container
from calserver.dav.properties import Instruction, Patched, instructions, patch
from calserver.dav.resource import Unmapped
from calserver.names import D


class ValidResourcetype(ConditionFailed):
    """Collections of this type cannot be made, or not here (RFC 5689 section 3.3)."""

    name = D("valid-resourcetype")


rfc5689 = Extension("RFC 5689", features=("extended-mkcol",), conditions=(ValidResourcetype,))


def changes(request: Request) -> tuple[Instruction, ...]:
    """The body of an extended MKCOL; nothing for an empty one. For `Request.parsed`.

    Raises:
        UnsupportedMediaType: the body is of another type (RFC 4918 section 9.3.1).
    """
    if not request.body:
        return ()
    media_type = request.media_type
    if media_type and media_type not in ("application/xml", "text/xml") and not media_type.endswith("+xml"):
        raise UnsupportedMediaType("MKCOL takes XML")
    root = xml.required_body(request)
    if root.tag != D("mkcol"):
        raise UnsupportedMediaType("MKCOL takes DAV:mkcol")
    found = instructions(root)
    if any(each.element is None for each in found):
        raise BadRequest("there are no properties to be removed yet")
    return found


@rfc5689.method("MKCOL", on=Unmapped, writes=True, needs="make_collection", allow=may_make_collection, parse=[changes])
def make_collection(request: Request, unmapped: Unmapped) -> Response:
    """Make a collection and set its properties, or do nothing (section 3, RFC 4918 section 9.3)."""
    patched = make(unmapped, request.parsed(changes), default=(D("collection"),))
    if patched.done:
        return Response(HTTPStatus.CREATED)
    body = xml.document(D("mkcol-response"), patched.propstats())
    raise RolledBack(Response(HTTPStatus.FORBIDDEN, (xml.CONTENT_TYPE,), body))


def make(unmapped: Unmapped, wanted: Iterable[Instruction], *, default: tuple[str, ...]) -> Patched:
    """Make a collection where nothing is, with properties; where it is not `Patched.done`, the caller rolls back.

    Args:
        unmapped: where.
        wanted: properties; ``DAV:resourcetype`` among them says what is made.
        default: the resource types where it is not among them.
    """
    given = tuple(wanted)
    types = [each.element for each in given if each.name == D("resourcetype") and each.element is not None]
    rest = [each for each in given if each.name != D("resourcetype")]
    resourcetype = tuple(each.tag for each in types[-1]) if types else default
    try:
        collection = container(unmapped).make_collection(unmapped.href.name, resourcetype)
    except ValidResourcetype as refusal:
        return Patched([(D("resourcetype"), refusal), *((each.name, None) for each in rest)])
    patched = patch(collection, rest, creating=True)
    return Patched([*patched.outcomes, (D("resourcetype"), None)]) if types else patched
