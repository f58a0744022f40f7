"""Delegates: who acts for a principal, as two groups below it, which the principal itself manages (caldav-proxy).

``<principal>/calendar-proxy-read/`` are those who may read its calendars, ``<principal>/calendar-proxy-write/`` those
who may change them too. Groups can be delegates: then all their members are. What delegates hold is decided where all
privileges are (`calserver.tree.access`).
"""

from collections.abc import Iterable
from typing import Final

from calserver.dav import BadRequest, Extension, Forbidden, Href, Markup, View, local, xml
from calserver.dav.xml import Element
from calserver.directory.identities import identity_at
from calserver.directory.principals import PrincipalResource, ProxyResource
from calserver.names import CS, D

MOST_DELEGATES: Final = 1000

caldav_proxy = Extension("caldav-proxy", features=("calendar-proxy",))


def _hrefs(view: View, hrefs: Iterable[Href]) -> Markup:
    return xml.join([xml.href(view.path(each)) for each in hrefs])


@caldav_proxy.property(D("displayname"), on=ProxyResource, allprop=True)
def displayname(resource: ProxyResource) -> str | None:
    """A name for people, which follows from the principal's."""
    return resource.display_name


@caldav_proxy.property(D("principal-URL"), on=ProxyResource)
def principal_url(resource: ProxyResource) -> Markup:
    """The one URL of the group (RFC 3744 section 4.2)."""
    return xml.href(resource.path)


@caldav_proxy.property(D("alternate-URI-set"), on=ProxyResource)
def alternate_uri_set(resource: ProxyResource) -> str:
    """There are no others (RFC 3744 section 4.1)."""
    return ""


@caldav_proxy.property(D("group-membership"), on=ProxyResource)
def group_membership(resource: ProxyResource) -> str:
    """It is a member of no other group (RFC 3744 section 4.4)."""
    return ""


@caldav_proxy.property(CS("record-type"), on=ProxyResource)
def record_type(resource: ProxyResource) -> str:
    """The kind of principal, in Apple's words."""
    return f"{resource.access}-delegate-group"


@caldav_proxy.property(D("group-member-set"), on=ProxyResource)
def group_member_set(resource: ProxyResource) -> Markup:
    """The delegates (RFC 3744 section 4.3)."""
    return _hrefs(resource.view, resource.delegates)


@group_member_set.setter
def set_group_member_set(resource: ProxyResource, element: Element | None) -> None:
    """Replace them; without an element there are none.

    Raises:
        Forbidden: one is not a principal of this server, or the principal itself.
    """
    view = resource.view
    uris = [] if element is None else [xml.content(each) for each in element.iterchildren(D("href"))]
    if len(uris) > MOST_DELEGATES:
        raise Forbidden("these are too many delegates; make a group of them")
    ids = []
    for uri in uris:
        try:
            href = local(view.request, uri)
        except BadRequest:
            href = None
        found = None if href is None else identity_at(view.txn, href)
        if not isinstance(found, int):
            raise Forbidden("a delegate is not a principal of this server")
        if found == resource.principal.id:
            raise Forbidden("nobody is a delegate of oneself")
        ids.append(found)
    resource.set_delegates(ids)


@caldav_proxy.property(CS("calendar-proxy-read-for"), on=PrincipalResource)
def calendar_proxy_read_for(resource: PrincipalResource) -> Markup:
    """Whose calendars it may read as a delegate."""
    return _hrefs(resource.view, resource.delegators("read"))


@caldav_proxy.property(CS("calendar-proxy-write-for"), on=PrincipalResource)
def calendar_proxy_write_for(resource: PrincipalResource) -> Markup:
    """Whose calendars it may change as a delegate."""
    return _hrefs(resource.view, resource.delegators("write"))
