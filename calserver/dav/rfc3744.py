"""Access control, as far as properties of the resource itself show it (RFC 3744). Principals are the directory's."""

from functools import lru_cache

from calserver.dav import xml
from calserver.dav.errors import NeedPrivileges
from calserver.dav.extension import Extension, Extensions, Privilege
from calserver.dav.resource import Resource
from calserver.dav.xml import Markup
from calserver.names import D

rfc3744 = Extension(
    "RFC 3744",
    features=("access-control",),
    conditions=(NeedPrivileges,),
    privileges=(
        Privilege(name=D("all"), description="Everything", within=None),
        Privilege(name=D("read"), description="Read content and properties"),
        Privilege(name=D("read-current-user-privilege-set"), description="See the own privileges", within=D("read")),
        Privilege(name=D("write"), description="Change"),
        Privilege(name=D("write-properties"), description="Change properties", within=D("write")),
        Privilege(name=D("write-content"), description="Change content", within=D("write")),
        Privilege(name=D("bind"), description="Make members", within=D("write")),
        Privilege(name=D("unbind"), description="Remove members", within=D("write")),
        Privilege(name=D("unlock"), description="End the locks of others"),
        Privilege(name=D("read-acl"), description="See who may do what"),
        Privilege(name=D("write-acl"), description="Change who may do what"),
    ),
)


@rfc3744.property(D("owner"), on=Resource)
def owner(resource: Resource) -> Markup | None:
    """The principal that it belongs to (section 5.1)."""
    return None if resource.owner is None else xml.href(resource.view.path(resource.owner))


@rfc3744.property(D("group"), on=Resource)
def group(resource: Resource) -> Markup | None:
    """The group that it belongs to (section 5.2)."""
    return None if resource.group is None else xml.href(resource.view.path(resource.group))


@rfc3744.property(D("current-user-privilege-set"), on=Resource)
def current_user_privilege_set(resource: Resource) -> Markup:
    """What the asker may do (section 5.5)."""
    resource.require(D("read-current-user-privilege-set"))
    return _privileges(resource.privileges)


@lru_cache(maxsize=512)
def _privileges(names: frozenset[str]) -> Markup:
    return xml.join([xml.element(D("privilege"), xml.element(each)) for each in sorted(names)])


@rfc3744.property(D("supported-privilege-set"), on=Resource)
def supported_privilege_set(resource: Resource) -> Markup:
    """Which privileges there are, and which contain which (section 5.3)."""
    return resource.view.spoken.derived(type(resource), _supported)


def _supported(spoken: Extensions, kind: type[Resource]) -> Markup:
    declared = spoken.privileges(kind)

    def below(name: str | None) -> Markup:
        return xml.join([tree(each) for each in declared if each.within == name])

    def tree(one: Privilege) -> Markup:
        description = xml.element(D("description"), one.description, **{"xml:lang": "en"})
        privilege = xml.element(D("privilege"), xml.element(one.name))
        return xml.element(D("supported-privilege"), privilege, description, below(one.name))

    return below(None)
