"""The resource-id property (RFC 5842 section 3.1); of the rest of that RFC nothing."""

from calserver.dav import xml
from calserver.dav.extension import Extension
from calserver.dav.resource import Resource
from calserver.dav.xml import Markup
from calserver.names import D

rfc5842 = Extension("RFC 5842")


@rfc5842.property(D("resource-id"), on=Resource)
def resource_id(resource: Resource) -> Markup | None:
    """A URI that stays with the resource wherever it is moved."""
    return None if resource.resource_id is None else xml.href(resource.resource_id)
