"""Which privileges a method wants (RFC 3744 appendix B), as checks for `Extension.method`."""

from collections.abc import Callable
from typing import Any

from calserver.dav.errors import Conflict, Forbidden, NotFound
from calserver.dav.href import Href
from calserver.dav.resource import Resource
from calserver.names import D

READ = D("read")
WRITE_CONTENT = D("write-content")
WRITE_PROPERTIES = D("write-properties")
BIND = D("bind")
UNBIND = D("unbind")
UNLOCK = D("unlock")


def holds(*privileges: str) -> Callable[[Any], None]:
    """A check that the privileges are held on the resource itself."""

    def check(resource: Resource) -> None:
        resource.require(*privileges)

    return check


ADD_MEMBER = ";add-member"
"""Last segment of the URI that members are POSTed to (RFC 5995 section 3.2.1); no member can have it as its name."""


def refuse_reserved(href: Href) -> None:
    """Refuse to make anything where a member cannot be."""
    if href.name == ADD_MEMBER:
        raise Forbidden("no resource can have this name")


def may_bind(resource: Resource) -> None:
    """Check that something may be made where nothing is: ``DAV:bind`` on the collection.

    Raises:
        Conflict: the collection does not exist (RFC 4918 sections 9.3.1, 9.7.1).
    """
    refuse_reserved(resource.href)
    parent = resource.parent
    if parent is None:
        raise Conflict("the collection that would hold it does not exist")
    parent.require(BIND)


def may_unbind(resource: Resource) -> None:
    """Check that a resource may be taken away: ``DAV:unbind`` on its collection."""
    parent = resource.parent
    if parent is None:
        raise NotFound("the resource is in no collection")
    parent.require(UNBIND)


def may_write(resource: Resource) -> None:
    """Check that content may be stored: ``DAV:write-content`` on what is there, else ``DAV:bind`` on the collection."""
    if resource.exists:
        resource.require(WRITE_CONTENT)
    else:
        may_bind(resource)
