"""WebDAV (RFC 4918): what it adds to resources. What the methods do is in the modules named after their subject.

MKCOL is that of RFC 5689, which contains the one of section 9.3.
"""

from datetime import UTC
from functools import lru_cache
from http import HTTPStatus

from calserver.dav import content, locking, namespace, propfind, xml
from calserver.dav.access import (
    READ,
    WRITE_PROPERTIES,
    holds,
    may_bind,
    may_copy,
    may_move,
    may_unbind,
    may_write,
)
from calserver.dav.conditional import http_date
from calserver.dav.extension import Extension
from calserver.dav.headers import depth
from calserver.dav.locks import (
    LockTokenMatchesRequestUri,
    LockTokenSubmitted,
    NoConflictingLock,
    guard_binding,
    unguarded,
)
from calserver.dav.message import Request, Response
from calserver.dav.properties import CannotModifyProtectedProperty
from calserver.dav.resource import Resource, Unmapped
from calserver.dav.xml import Markup
from calserver.names import D

rfc4918 = Extension(
    "RFC 4918",
    features=("1", "2", "3"),
    conditions=(
        CannotModifyProtectedProperty,
        LockTokenMatchesRequestUri,
        LockTokenSubmitted,
        NoConflictingLock,
        propfind.PropfindFiniteDepth,
    ),
)


# -- methods -------------------------------------------------------------------------------------------------------


def always(request: Request) -> bool:
    """Answering takes little time whatever is asked."""
    return True


@rfc4918.method("OPTIONS", on=(Resource, Unmapped), writes=False, brief=always)
def options(request: Request, resource: Resource) -> Response:
    """What the server speaks, and the methods of the resource (section 10.1, RFC 9110 section 9.3.7)."""
    spoken = resource.view.spoken
    return Response(HTTPStatus.OK, (("DAV", spoken.dav_header), ("Allow", ", ".join(spoken.allow(resource)))))


rfc4918.method("GET", on=Resource, writes=False, needs="read", allow=holds(READ), brief=always)(content.get)
rfc4918.method("HEAD", on=Resource, writes=False, needs="read", allow=holds(READ), brief=always)(content.head)
rfc4918.method("PUT", on=Resource, writes=True, needs="write", allow=may_write)(content.put)
rfc4918.method("PUT", on=Unmapped, writes=True, needs="create", allow=may_write)(content.put)

rfc4918.method(
    "PROPFIND",
    on=Resource,
    writes=False,
    allow=holds(READ),
    parse=[propfind.asked, depth],
    brief=propfind.shallow,
)(propfind.propfind)
rfc4918.method(
    "PROPPATCH",
    on=Resource,
    writes=True,
    needs="store_properties",
    allow=holds(WRITE_PROPERTIES),
    parse=[propfind.changes],
)(propfind.proppatch)

rfc4918.method("DELETE", on=Resource, writes=True, needs="delete", allow=may_unbind, guard=guard_binding)(
    namespace.delete
)
rfc4918.method("COPY", on=Resource, writes=True, needs="copy", allow=may_copy, guard=unguarded)(namespace.copy)
rfc4918.method("MOVE", on=Resource, writes=True, needs="move", allow=may_move, guard=guard_binding)(namespace.move)

rfc4918.method(
    "LOCK", on=Resource, writes=True, needs="lockable", allow=may_write, guard=unguarded, parse=[locking.lock_info]
)(locking.lock)
rfc4918.method(
    "LOCK", on=Unmapped, writes=True, needs="create_empty", allow=may_bind, guard=unguarded, parse=[locking.lock_info]
)(locking.lock)
rfc4918.method("UNLOCK", on=Resource, writes=True, needs="lockable", guard=unguarded)(locking.unlock)


# -- properties ----------------------------------------------------------------------------------------------------


@rfc4918.property(D("creationdate"), on=Resource, allprop=True)
def creationdate(resource: Resource) -> str | None:
    """When it was made (section 15.1)."""
    return None if resource.created is None else f"{resource.created.astimezone(UTC).isoformat()[:19]}Z"


@rfc4918.property(D("displayname"), on=Resource, allprop=True, stored=True)
def displayname(resource: Resource) -> str | None:
    """A name for people (section 15.2)."""
    return resource.display_name


@rfc4918.property(D("getcontentlanguage"), on=Resource, allprop=True)
def getcontentlanguage(resource: Resource) -> str | None:
    """Content-Language of a GET (section 15.3)."""
    return resource.content_language


@rfc4918.property(D("getcontentlength"), on=Resource, allprop=True)
def getcontentlength(resource: Resource) -> str | None:
    """Content-Length of a GET (section 15.4)."""
    return None if resource.content_length is None else str(resource.content_length)


@rfc4918.property(D("getcontenttype"), on=Resource, allprop=True)
def getcontenttype(resource: Resource) -> str | None:
    """Content-Type of a GET (section 15.5)."""
    return resource.content_type


@rfc4918.property(D("getetag"), on=Resource, allprop=True)
def getetag(resource: Resource) -> str | None:
    """ETag of a GET (section 15.6)."""
    return resource.etag


@rfc4918.property(D("getlastmodified"), on=Resource, allprop=True)
def getlastmodified(resource: Resource) -> str | None:
    """Last-Modified of a GET (section 15.7)."""
    return None if resource.modified is None else http_date(resource.modified)


@rfc4918.property(D("lockdiscovery"), on=Resource, allprop=True, needs="lockable")
def lockdiscovery(resource: Resource) -> Markup:
    """The locks that there are (section 15.8)."""
    return locking.discovery(resource)


@rfc4918.property(D("resourcetype"), on=Resource, allprop=True)
def resourcetype(resource: Resource) -> Markup:
    """What it is (section 15.9)."""
    return _types(resource.resourcetype)


@lru_cache(maxsize=256)
def _types(names: tuple[str, ...]) -> Markup:
    return xml.join([xml.element(each) for each in names])


@rfc4918.property(D("supportedlock"), on=Resource, allprop=True, needs="lockable")
def supportedlock(resource: Resource) -> Markup:
    """The locks that may be taken (section 15.10)."""
    return locking.SUPPORTED
