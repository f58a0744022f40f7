"""Adding members by POST, where the server chooses the name (RFC 5995)."""

from calserver.dav import xml
from calserver.dav.access import ADD_MEMBER, BIND, demand, lacking
from calserver.dav.errors import NotFound
from calserver.dav.extension import Extension
from calserver.dav.message import Request, Response
from calserver.dav.resource import Collection, Unmapped
from calserver.dav.rfc7240 import stored
from calserver.dav.xml import Markup
from calserver.names import D

rfc5995 = Extension("RFC 5995", features=("add-member",))


@rfc5995.property(D("add-member"), on=Collection, needs="new_name")
def add_member(collection: Collection) -> Markup:
    """Where to POST new members to (section 3.2.1)."""
    return xml.href(collection.path + ADD_MEMBER)


def _place(unmapped: Unmapped) -> Collection:
    parent = unmapped.parent
    if unmapped.href.name != ADD_MEMBER or parent is None:
        raise NotFound("there is nothing at this path")
    return parent


def _may_add(unmapped: Unmapped) -> None:
    demand(lacking(_place(unmapped), BIND))


@rfc5995.method("POST", on=Unmapped, writes=True, needs="new_name", allow=_may_add)
def post(request: Request, unmapped: Unmapped) -> Response:
    """Make a member from the body and say where it is (section 3.2.2)."""
    collection = _place(unmapped)
    written = collection.create(collection.new_name(request), request)
    return stored(request, written).with_headers(("Location", written.resource.path))
