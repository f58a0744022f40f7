"""Which privileges a method wants (RFC 3744 appendix B), as checks for `Extension.method`.

All that is missing is named at once: a refusal lists each resource with each privilege (section 7.1.1).

Some privileges are finer than those of the RFC, which contain them: to make a member is ``DAV:bind``, of which
``CY:add-resource`` is enough for content and ``CY:make-collection`` for a collection. What is named as missing is the
privilege of the RFC.

COPY and MOVE want more of the destination than the appendix does, which says only what is not enough: besides
``DAV:bind`` that its content and properties may be written.
"""

from collections.abc import Callable, Iterable
from typing import Any

from calserver.dav.errors import Conflict, Forbidden, NeedPrivileges, NotFound, Refusal
from calserver.dav.headers import destination
from calserver.dav.href import Href
from calserver.dav.resource import Resource, Unmapped
from calserver.names import CY, D

READ = D("read")
READ_ACL = D("read-acl")
WRITE_ACL = D("write-acl")
WRITE_CONTENT = D("write-content")
WRITE_PROPERTIES = D("write-properties")
BIND = D("bind")
UNBIND = D("unbind")
UNLOCK = D("unlock")

FINER = {
    (BIND, False): CY("add-resource"),
    (BIND, True): CY("make-collection"),
    (UNBIND, False): CY("remove-resource"),
    (UNBIND, True): CY("remove-collection"),
}
"""What is enough instead of a privilege, by whether it is about a member collection."""

FINDABLE = frozenset({READ, WRITE_CONTENT, CY("add-resource"), CY("remove-resource")})
"""Who holds one of these on a resource may learn that it is there, and on a collection which members it has."""

Missing = tuple[str, str]
"""The path of a resource, and a privilege that lacks there."""


def lacking(resource: Resource, *privileges: str, of_collection: bool = False) -> list[Missing]:
    """Those of the privileges that are not held on a resource.

    Args:
        resource: where.
        privileges: Clark names.
        of_collection: whether ``DAV:bind`` and ``DAV:unbind`` are about a member that is a collection.
    """
    held = resource.privileges
    return [
        (resource.path, each)
        for each in privileges
        if each not in held and FINER.get((each, of_collection)) not in held
    ]


def demand(*missing: Iterable[Missing]) -> None:
    """Raise `NeedPrivileges` with all that is missing, once each; nothing where nothing is."""
    found = dict.fromkeys(each for some in missing for each in some)
    if found:
        raise NeedPrivileges(*found)


def conceal(resource: Resource) -> None:
    """Refuse who may not learn that there is a resource, in the same way as where there is none."""
    if resource.exists and resource.privileges.isdisjoint(FINDABLE):
        raise NeedPrivileges((resource.view.path(resource.view.request.href), READ))


def holds(*privileges: str) -> Callable[[Any], None]:
    """A check that the privileges are held on the resource itself."""

    def check(resource: Resource) -> None:
        demand(lacking(resource, *privileges))

    return check


# -- making and removing -----------------------------------------------------------------------------------------------


ADD_MEMBER = ";add-member"
"""Last segment of the URI that members are POSTed to (RFC 5995 section 3.2.1); no member can have it as its name."""


def refuse_reserved(href: Href) -> None:
    """Refuse to make anything where a member cannot be."""
    if href.name == ADD_MEMBER:
        raise Forbidden("no resource can have this name")


def may_bind(resource: Resource) -> None:
    """Check that a member with content may be made where nothing is: ``DAV:bind`` on the collection.

    Raises:
        Conflict: the collection does not exist (RFC 4918 sections 9.3.1, 9.7.1).
    """
    demand(_lacking_to_bind(resource))


def may_make_collection(resource: Resource) -> None:
    """The same for a collection."""
    demand(_lacking_to_bind(resource, of_collection=True))


def _lacking_to_bind(resource: Resource, *more: str, of_collection: bool = False) -> list[Missing]:
    refuse_reserved(resource.href)
    parent = resource.parent
    if parent is None:
        raise Conflict("the collection that would hold it does not exist")
    missing = lacking(parent, BIND, *more, of_collection=of_collection)
    if not missing and isinstance(resource, Unmapped) and resource.taken:
        # There is something that the asker may not know of; the name is the one thing that cannot be hidden.
        return [(resource.path, WRITE_CONTENT)]
    return missing


def may_unbind(resource: Resource) -> None:
    """Check that a resource may be taken away: ``DAV:unbind`` on its collection."""
    demand(_lacking_to_unbind(resource))


def _lacking_to_unbind(resource: Resource) -> list[Missing]:
    parent = resource.parent
    if parent is None:
        raise NotFound("the resource is in no collection")
    return lacking(parent, UNBIND, of_collection=resource.is_collection)


def may_write(resource: Resource) -> None:
    """Check that content may be stored: ``DAV:write-content`` on what is there, else ``DAV:bind`` on the collection."""
    if resource.exists:
        demand(lacking(resource, WRITE_CONTENT))
    else:
        may_bind(resource)


# -- COPY and MOVE -----------------------------------------------------------------------------------------------------


def may_copy(resource: Resource) -> None:
    """Check what a COPY wants: to read the source, to write what is at the Destination or to make it."""
    demand(lacking(resource, READ), _lacking_at_destination(resource, lacking_to_overwrite))


def may_move(resource: Resource) -> None:
    """Check what a MOVE wants: to read the source and take it away, to make what is at the Destination."""
    demand(
        lacking(resource, READ),
        _lacking_to_unbind(resource),
        _lacking_at_destination(resource, lacking_to_replace),
    )


def _lacking_at_destination(
    source: Resource, lacking_there: Callable[[Resource, Resource], list[Missing]]
) -> list[Missing]:
    """What is missing at the Destination; nothing where it is none, which the handler finds out in its turn."""
    try:
        return lacking_there(source, source.view.find(destination(source.view.request)))
    except NeedPrivileges as refusal:
        return list(refusal.missing)
    except Refusal:
        return []


def lacking_to_overwrite(source: Resource, target: Resource) -> list[Missing]:
    """What a COPY lacks at the Destination. A collection that is there is replaced, not written to."""
    if target.exists:
        written = lacking(target, WRITE_CONTENT, WRITE_PROPERTIES)
        return written + lacking_to_replace(source, target) if target.is_collection else written
    return _lacking_to_bind(target, WRITE_CONTENT, WRITE_PROPERTIES, of_collection=source.is_collection)


def lacking_to_replace(source: Resource, target: Resource) -> list[Missing]:
    """What a MOVE lacks at the Destination."""
    bound = _lacking_to_bind(target, WRITE_CONTENT, WRITE_PROPERTIES, of_collection=source.is_collection)
    return bound + _lacking_to_unbind(target) if target.exists else bound
