"""MKCALENDAR: make a calendar with its properties (RFC 4791 section 5.3.1). Extended MKCOL does the same (RFC 5689)."""

from http import HTTPStatus

from calserver.conditions import ConditionFailed
from calserver.dav import (
    BadRequest,
    Instruction,
    Multistatus,
    Request,
    Resource,
    Response,
    RolledBack,
    Unmapped,
    ValidResourcetype,
    instructions,
    make,
    response,
    xml,
)
from calserver.names import C, D

TYPE = (D("collection"), C("calendar"))


class ResourceMustBeNull(ConditionFailed):
    """There is a resource at the place of the new calendar (RFC 4791 section 5.3.1.1)."""

    name = D("resource-must-be-null")


def asked(request: Request) -> tuple[Instruction, ...]:
    """The properties in the body; none where it is empty. For `Request.parsed`."""
    if request.parsed(xml.body) is None:
        return ()
    found = instructions(xml.required_body(request, C("mkcalendar")))
    if any(each.element is None for each in found):
        raise BadRequest("there are no properties to be removed yet")
    return found


def mkcalendar(request: Request, unmapped: Unmapped) -> Response:
    """Make a calendar and set its properties, or do nothing.

    The answer to success is 201 and nothing else: DAVx5 takes a 207 for a failure.

    Raises:
        ValidResourcetype: it is asked for something else.
    """
    wanted = request.parsed(asked)
    types = [each.element for each in wanted if each.name == D("resourcetype") and each.element is not None]
    if any(each.find(C("calendar")) is None for each in types):
        raise ValidResourcetype("MKCALENDAR makes calendars")
    patched = make(unmapped, wanted, default=TYPE)
    if patched.done:
        return Response(HTTPStatus.CREATED, (("Cache-Control", "no-cache"),))
    raise RolledBack(Multistatus([response(unmapped.path, patched.propstats())]).answer())


def refuse(request: Request, resource: Resource) -> Response:
    """There is something already."""
    raise ResourceMustBeNull("there is a resource at this place already")
