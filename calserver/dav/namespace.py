"""DELETE, COPY and MOVE: what is where (RFC 4918 sections 9.6, 9.8 and 9.9)."""

from http import HTTPStatus

from calserver.conditions import ConditionFailed
from calserver.dav import xml
from calserver.dav.access import demand, lacking_to_overwrite, lacking_to_replace
from calserver.dav.errors import BadRequest, Conflict, Forbidden, PreconditionFailed
from calserver.dav.headers import Depth, depth, destination, overwrite
from calserver.dav.locks import LockTokenSubmitted, guard_binding, locked_members
from calserver.dav.message import Request, Response
from calserver.dav.multistatus import Multistatus, status_response
from calserver.dav.resource import Collection, Resource


def delete(request: Request, resource: Resource) -> Response:
    """Remove a resource with everything below it, or nothing where a member is locked (section 9.6)."""
    if resource.is_collection and request.parsed(depth) not in (None, Depth.INFINITY):
        raise BadRequest("a collection is deleted with Depth: infinity")
    if locked := locked_members(resource):
        return blocked(locked)
    resource.delete()
    return Response(HTTPStatus.NO_CONTENT)


def blocked(paths: list[str], *also: str, condition: type[ConditionFailed] = LockTokenSubmitted) -> Response:
    """A multistatus that names locked members (RFC 4918 sections 9.6.2 and 11.3), and `also` responses."""
    error = xml.element(condition.name)
    answer = Multistatus(status_response(each, HTTPStatus.LOCKED, error=error) for each in paths)
    answer.extend(also)
    return answer.answer()


def container(unmapped: Resource) -> Collection:
    """The collection that something is to be made in.

    Raises:
        Conflict: it does not exist.
    """
    parent = unmapped.parent
    if parent is None:
        raise Conflict("the collection that would hold it does not exist")
    return parent


def copy(request: Request, resource: Resource) -> Response:
    """Copy a resource, a collection with its members or without (section 9.8)."""
    level = request.parsed(depth)
    if level is Depth.ONE:
        raise BadRequest("COPY takes Depth 0 or infinity")
    target = _target(request, resource)
    demand(lacking_to_overwrite(resource, target))
    guard_binding(target)
    if locked := locked_members(target):
        return blocked(locked)
    resource.copy(target, deep=level is not Depth.ZERO)
    return landed(target)


def move(request: Request, resource: Resource) -> Response:
    """Move a resource with everything below it (section 9.9). Locks stay behind, and end (section 7.7)."""
    if resource.is_collection and request.parsed(depth) not in (None, Depth.INFINITY):
        raise BadRequest("a collection is moved with Depth: infinity")
    target = _target(request, resource)
    demand(lacking_to_replace(resource, target))
    guard_binding(target)
    if locked := locked_members(resource) + locked_members(target):
        return blocked(locked)
    resource.move(target)
    return landed(target)


def landed(target: Resource) -> Response:
    """What is answered when something has come to a place, with the schedule tag that it has (RFC 6638 section 8)."""
    tag = target.view.find(target.href).schedule_tag
    fields = () if tag is None else (("Schedule-Tag", tag),)
    return Response(HTTPStatus.NO_CONTENT if target.exists else HTTPStatus.CREATED, fields)


def _target(request: Request, resource: Resource) -> Resource:
    """What is at the Destination.

    Raises:
        Forbidden: source and destination are the same, or one is inside of the other (sections 9.8.5, 9.9.4).
        PreconditionFailed: there is something, and Overwrite is F.
        Conflict: its collection does not exist.
    """
    href = destination(request)
    if href.within(resource.href) or resource.href.within(href):
        raise Forbidden("source and destination are the same, or one is inside of the other")
    replace = overwrite(request)
    target = resource.view.find(href)
    container(target)
    if target.exists and not replace:
        raise PreconditionFailed("there is a resource at the Destination, and Overwrite is F")
    return target
