"""The current-user-principal property (RFC 5397)."""

from calserver.dav import xml
from calserver.dav.extension import Extension
from calserver.dav.resource import Resource
from calserver.dav.xml import Markup
from calserver.names import D

rfc5397 = Extension("RFC 5397")


@rfc5397.property(D("current-user-principal"), on=Resource)
def current_user_principal(resource: Resource) -> Markup:
    """The principal of who asks (section 3)."""
    href = resource.view.request.actor.href
    return xml.element(D("unauthenticated")) if href is None else xml.href(resource.view.path(href))
