"""The ACL method: what a request wants the list to be, and why that cannot be (RFC 3744 section 8.1)."""

from collections.abc import Iterable
from http import HTTPStatus
from itertools import pairwise
from typing import Final

import attrs

from calserver.conditions import ConditionFailed
from calserver.dav import xml
from calserver.dav.acl import OWNER, PROPERTY, WORDS, Ace, Acl, Entry, Who
from calserver.dav.errors import BadRequest
from calserver.dav.headers import local
from calserver.dav.message import Request, Response
from calserver.dav.privileges import Privileges
from calserver.dav.resource import Resource
from calserver.dav.xml import Element
from calserver.names import D

MOST_ENTRIES: Final = 1000
"""Entries that are read at all; how many a list may have is a setting."""


# -- why not (section 8.1.1) -------------------------------------------------------------------------------------------


class NoAceConflict(ConditionFailed):
    """The entries conflict with each other, or one claims to be inherited or protected (RFC 3744 section 8.1.1)."""

    name = D("no-ace-conflict")


class NoProtectedAceConflict(ConditionFailed):
    """An entry conflicts with one that is protected (RFC 3744 section 8.1.1)."""

    name = D("no-protected-ace-conflict")


class NoInheritedAceConflict(ConditionFailed):
    """An entry conflicts with one that is inherited and always counts (RFC 3744 section 8.1.1)."""

    name = D("no-inherited-ace-conflict")


class LimitedNumberOfAces(ConditionFailed):
    """There are more entries than this server keeps (RFC 3744 section 8.1.1)."""

    name = D("limited-number-of-aces")


class DenyBeforeGrant(ConditionFailed):
    """On this resource entries that deny come before those that grant (RFC 3744 section 8.1.1)."""

    name = D("deny-before-grant")


class GrantOnly(ConditionFailed):
    """On this resource entries only grant (RFC 3744 section 8.1.1)."""

    name = D("grant-only")


class NoInvert(ConditionFailed):
    """On this resource entries cannot be about everybody else (RFC 3744 section 8.1.1)."""

    name = D("no-invert")


class NoAbstract(ConditionFailed):
    """An abstract privilege cannot be granted or denied by itself (RFC 3744 section 8.1.1)."""

    name = D("no-abstract")


class NotSupportedPrivilege(ConditionFailed):
    """There is no such privilege on this resource (RFC 3744 section 8.1.1)."""

    name = D("not-supported-privilege")


class MissingRequiredPrincipal(ConditionFailed):
    """There is no entry for somebody for whom there must be one (RFC 3744 section 8.1.1)."""

    name = D("missing-required-principal")


class RecognizedPrincipal(ConditionFailed):
    """An entry is about somebody that there is not (RFC 3744 section 8.1.1)."""

    name = D("recognized-principal")


class AllowedPrincipal(ConditionFailed):
    """Entries of this resource cannot be about this kind of principal (RFC 3744 section 8.1.1)."""

    name = D("allowed-principal")


CONDITIONS: Final = (
    AllowedPrincipal,
    DenyBeforeGrant,
    GrantOnly,
    LimitedNumberOfAces,
    MissingRequiredPrincipal,
    NoAbstract,
    NoAceConflict,
    NoInheritedAceConflict,
    NoInvert,
    NoProtectedAceConflict,
    NotSupportedPrivilege,
    RecognizedPrincipal,
)


# -- what is asked -----------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class Asked:
    """An entry of a request. Its principal is a word, or the href of one (``href`` says which)."""

    principal: str
    href: bool
    privileges: tuple[str, ...]
    deny: bool
    invert: bool
    claimed: bool
    """Whether it says of itself that it is protected or inherited."""


def asked(request: Request) -> tuple[Asked, ...]:
    """The body of an ACL request. For `Request.parsed`.

    Raises:
        BadRequest: it is not a list as section 5.5 defines it.
        LimitedNumberOfAces: there are absurdly many.
    """
    root = xml.required_body(request, D("acl"))
    entries = root.findall(D("ace"))
    if len(entries) > MOST_ENTRIES:
        raise LimitedNumberOfAces("there are more entries than this server reads")
    return tuple(map(_ace, entries))


def _ace(element: Element) -> Asked:
    invert = element.find(D("invert"))
    principals = (element if invert is None else invert).findall(D("principal"))
    changes = [each for each in element if each.tag in (D("grant"), D("deny"))]
    if len(principals) != 1 or len(changes) != 1 or (invert is not None and element.find(D("principal")) is not None):
        raise BadRequest("an entry is about one principal, and grants or denies")
    privileges = tuple(one.tag for each in changes[0].iterchildren(D("privilege")) for one in each)
    if not privileges:
        raise BadRequest("an entry grants or denies at least one privilege")
    principal, href = _principal(principals[0])
    return Asked(
        principal=principal,
        href=href,
        privileges=privileges,
        deny=changes[0].tag == D("deny"),
        invert=invert is not None,
        claimed=any(element.find(D(each)) is not None for each in ("protected", "inherited")),
    )


def _principal(element: Element) -> tuple[str, bool]:
    """A ``DAV:principal``: a word, or an href and that it is one."""
    if len(element) == 1:
        inside = element[0]
        if inside.tag in WORDS:
            return WORDS[inside.tag], False
        if inside.tag == D("href") and xml.content(inside):
            return xml.content(inside), True
        if inside.tag == D("property") and len(inside) == 1:
            return PROPERTY + inside[0].tag, False
    raise BadRequest("a principal is an href, a property, all, authenticated, unauthenticated or self")


# -- what becomes of it ------------------------------------------------------------------------------------------------


def acl(request: Request, resource: Resource) -> Response:
    """Make the list of a resource, without what is inherited or protected, exactly what the request says."""
    resource.set_acl(accepted(resource, request.parsed(asked)))
    return Response(HTTPStatus.OK)


def accepted(resource: Resource, wanted: Iterable[Asked]) -> Acl:
    """The list that a request asks for.

    Raises:
        ConditionFailed: one of `CONDITIONS`.
    """
    wanted = tuple(wanted)
    if len(wanted) > resource.view.settings.aces:
        raise LimitedNumberOfAces(f"a list has at most {resource.view.settings.aces} entries")
    _check_privileges(resource, wanted)
    found = tuple(_resolved(resource, each) for each in wanted)
    _check_restrictions(resource, found)
    _check_conflicts(resource, wanted, found)
    return found


def _check_privileges(resource: Resource, wanted: Iterable[Asked]) -> None:
    known = resource.view.spoken.derived(type(resource), Privileges)
    for each in wanted:
        for name in each.privileges:
            if name not in known.every:
                raise NotSupportedPrivilege(f"there is no privilege {name} on this resource")
            if name in known.abstract:
                raise NoAbstract(f"{name} is granted and denied with the privilege that contains it")


def _resolved(resource: Resource, one: Asked) -> Ace:
    """The entry with its principal as it is stored."""
    who: Who = one.principal
    if one.href:
        who = _recognized(resource, one.principal)
    elif one.principal.startswith(PROPERTY) and one.principal != OWNER:
        declared = resource.view.spoken.properties(type(resource)).get(one.principal.removeprefix(PROPERTY))
        if declared is not None and not declared.stored:
            raise AllowedPrincipal("this property names no principal that a list could be about")
    return Ace(who, frozenset(one.privileges), deny=one.deny, invert=one.invert)


def _recognized(resource: Resource, uri: str) -> Who:
    view = resource.view
    try:
        href = local(view.request, uri)
    except BadRequest:
        href = None
    found = None if href is None else view.tree.principal_at(view, href)
    if found is None:
        raise RecognizedPrincipal("an entry is about somebody that is not known here")
    return found


def _check_restrictions(resource: Resource, found: Acl) -> None:
    restrictions = resource.acl_restrictions
    if restrictions.grant_only and any(each.deny for each in found):
        raise GrantOnly("the list of this resource only grants")
    if restrictions.no_invert and any(each.invert for each in found):
        raise NoInvert("the list of this resource does not invert principals")
    if restrictions.deny_before_grant and any(later.deny and not earlier.deny for earlier, later in pairwise(found)):
        raise DenyBeforeGrant("entries that deny come before those that grant")
    granted = {each.who for each in found if not each.deny and not each.invert}
    if any(each not in granted for each in restrictions.required):
        raise MissingRequiredPrincipal("there must be an entry for a principal that is not in the list")


def _check_conflicts(resource: Resource, wanted: Iterable[Asked], found: Acl) -> None:
    if any(each.claimed for each in wanted):
        raise NoAceConflict("inherited and protected entries are not set by a request")
    always = [each for each in resource.access_control if each.protected]
    owner = None if resource.owner is None else resource.view.tree.principal_at(resource.view, resource.owner)
    known = resource.view.spoken.derived(type(resource), Privileges)
    for each in found:
        ace = attrs.evolve(each, who=owner) if each.who == OWNER and owner is not None else each
        for entry in always:
            if _conflict(known, ace, entry):
                if entry.inherited is not None:
                    raise NoInheritedAceConflict("an entry takes away what is granted by an inherited one for ever")
                raise NoProtectedAceConflict("an entry takes away what is granted by a protected one")


def _conflict(known: Privileges, ace: Ace, entry: Entry) -> bool:
    """Whether an entry says the opposite of one that always counts, of the same principal."""
    same = ace.who == entry.ace.who and ace.invert == entry.ace.invert
    return same and ace.deny != entry.ace.deny and bool(known.bits(ace.privileges) & known.bits(entry.ace.privileges))
