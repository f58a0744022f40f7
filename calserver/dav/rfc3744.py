"""Access control, as far as resources show it and let it be changed (RFC 3744). Principals are the directory's.

The privileges of the RFC contain some that are finer, or group them: those that Cyrus has.
"""

from collections.abc import Iterable
from functools import lru_cache

from calserver.dav import acl_method, xml
from calserver.dav.access import READ_ACL, WRITE_ACL, holds
from calserver.dav.acl import PROPERTY, WORDS, Ace, Entry, Who
from calserver.dav.errors import NeedPrivileges
from calserver.dav.extension import Extension, Extensions, Privilege
from calserver.dav.href import Href
from calserver.dav.resource import Resource, View
from calserver.dav.xml import Markup
from calserver.names import CY, D

rfc3744 = Extension(
    "RFC 3744",
    features=("access-control",),
    conditions=(NeedPrivileges, *acl_method.CONDITIONS),
    privileges=(
        Privilege(name=D("all"), description="Everything", within=None, aggregate=True),
        Privilege(name=D("read"), description="Read content and properties"),
        Privilege(name=D("read-current-user-privilege-set"), description="See the own privileges", within=D("read")),
        Privilege(name=D("write"), description="Change", aggregate=True),
        Privilege(name=D("write-properties"), description="Change properties", within=D("write")),
        Privilege(name=D("write-content"), description="Change content", within=D("write")),
        Privilege(name=D("bind"), description="Make members", within=D("write"), aggregate=True),
        Privilege(name=CY("add-resource"), description="Make members with content", within=D("bind")),
        Privilege(name=CY("make-collection"), description="Make member collections", within=D("bind")),
        Privilege(name=D("unbind"), description="Remove members", within=D("write"), aggregate=True),
        Privilege(name=CY("remove-resource"), description="Remove members with content", within=D("unbind")),
        Privilege(name=CY("remove-collection"), description="Remove member collections", within=D("unbind")),
        Privilege(name=CY("admin"), description="Administer", aggregate=True),
        Privilege(name=D("read-acl"), description="See who may do what", within=CY("admin")),
        Privilege(name=D("write-acl"), description="Change who may do what", within=CY("admin")),
        Privilege(name=D("share"), description="Share with others", within=CY("admin")),
        Privilege(name=D("unlock"), description="End the locks of others", within=CY("admin")),
    ),
)

rfc3744.method("ACL", on=Resource, writes=True, needs="set_acl", allow=holds(WRITE_ACL), parse=[acl_method.asked])(
    acl_method.acl
)


# -- who has what ------------------------------------------------------------------------------------------------------


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
    """What the asker may do (section 5.4)."""
    resource.require(D("read-current-user-privilege-set"))
    return privileges(resource.privileges)


@lru_cache(maxsize=512)
def privileges(names: frozenset[str]) -> Markup:
    """Privileges as elements."""
    return xml.join([xml.element(D("privilege"), xml.element(each)) for each in sorted(names)])


@rfc3744.property(D("supported-privilege-set"), on=Resource)
def supported_privilege_set(resource: Resource) -> Markup:
    """Which privileges there are, and which contain which (section 5.3)."""
    return resource.view.spoken.derived(type(resource), _supported)


def _supported(spoken: Extensions, kind: type[Resource]) -> Markup:
    declared = spoken.privileges(kind)
    names = {each.name for each in declared}

    def below(name: str | None) -> Markup:
        return xml.join([tree(each) for each in declared if each.within == name])

    def tree(one: Privilege) -> Markup:
        abstract = xml.element(D("abstract")) if one.abstract else Markup()
        description = xml.element(D("description"), one.description, **{"xml:lang": "en"})
        privilege = xml.element(D("privilege"), xml.element(one.name))
        return xml.element(D("supported-privilege"), privilege, abstract, description, below(one.name))

    return xml.join([tree(each) for each in declared if each.within not in names])


# -- lists -------------------------------------------------------------------------------------------------------------


@rfc3744.property(D("acl"), on=Resource)
def acl(resource: Resource) -> Markup:
    """Who may do what (section 5.5): entries that are protected or inherited say so."""
    resource.require(READ_ACL)
    entries = resource.access_control
    hrefs = _hrefs(resource.view, (each.ace.who for each in entries))
    return xml.join([_entry(resource.view, each, hrefs) for each in entries if _known(each.ace.who, hrefs)])


Hrefs = dict[Who, Href]


def _hrefs(view: View, principals: Iterable[Who]) -> Hrefs:
    return dict(view.tree.principal_hrefs(view, {each for each in principals if not _is_word(each)}))


def _is_word(who: Who) -> bool:
    return who in WORDS.values() or (isinstance(who, str) and who.startswith(PROPERTY))


def _known(who: Who, hrefs: Hrefs) -> bool:
    """Whether there still is such a principal."""
    return _is_word(who) or who in hrefs


def _entry(view: View, entry: Entry, hrefs: Hrefs) -> Markup:
    ace = entry.ace
    principal = xml.element(D("principal"), principal_element(view, ace.who, hrefs))
    if ace.invert:
        principal = xml.element(D("invert"), principal)
    marks = [xml.element(D("protected"))] if entry.protected else []
    if entry.inherited is not None:
        marks.append(xml.element(D("inherited"), xml.href(view.path(entry.inherited))))
    return xml.element(D("ace"), principal, _change(ace), *marks)


def _change(ace: Ace) -> Markup:
    return xml.element(D("deny" if ace.deny else "grant"), privileges(ace.privileges))


def principal_element(view: View, who: Who, hrefs: Hrefs) -> Markup:
    """What is in a ``DAV:principal`` (section 5.5.1)."""
    if isinstance(who, str) and who.startswith(PROPERTY):
        return xml.element(D("property"), xml.element(who.removeprefix(PROPERTY)))
    if isinstance(who, str) and _is_word(who):
        return xml.element(D(who))
    return xml.href(view.path(hrefs[who]))


@rfc3744.property(D("acl-restrictions"), on=Resource)
def acl_restrictions(resource: Resource) -> Markup:
    """What lists may not have (section 5.6)."""
    restrictions = resource.acl_restrictions
    found = [
        xml.element(D(name))
        for name, holds_here in (
            ("grant-only", restrictions.grant_only),
            ("no-invert", restrictions.no_invert),
            ("deny-before-grant", restrictions.deny_before_grant),
        )
        if holds_here
    ]
    hrefs = _hrefs(resource.view, restrictions.required)
    required = [principal_element(resource.view, each, hrefs) for each in restrictions.required if _known(each, hrefs)]
    return xml.join([*found, *(xml.element(D("required-principal"), each) for each in required)])


@rfc3744.property(D("inherited-acl-set"), on=Resource)
def inherited_acl_set(resource: Resource) -> Markup:
    """The resources whose lists matter here too (section 5.7)."""
    return xml.join([xml.href(resource.view.path(each)) for each in resource.inherited_acl_set])
