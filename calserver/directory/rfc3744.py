"""Principals on the wire (RFC 3744 sections 4 and 9, RFC 6638 section 2.4, calendarserver extensions)."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from calserver.dav import (
    BadRequest,
    Collection,
    Depth,
    Extension,
    Href,
    Markup,
    Multistatus,
    NeedPrivileges,
    NumberOfMatchesWithinLimits,
    Properties,
    Request,
    Resource,
    Response,
    View,
    Wanted,
    acl,
    depth,
    named,
    status_response,
    xml,
)
from calserver.directory.addresses import MAILTO
from calserver.directory.identities import identity_at, named_in_property
from calserver.directory.principals import ROOT, PrincipalCollection, PrincipalResource
from calserver.directory.search import SEARCHABLE, USER_TYPES, Search
from calserver.names import CS, C, D

rfc3744_principals = Extension("RFC 3744: principals")
rfc6638_calendar_users = Extension("RFC 6638: calendar users")
calendarserver_principals = Extension(
    "calendarserver principals",
    features=("calendarserver-principal-property-search", "calendarserver-principal-search"),
)

_TYPES: Final = {kind: name for name, kind in USER_TYPES.items()}
_RECORDS: Final = {"user": "users", "group": "groups", "resource": "resources", "location": "locations"}


def _hrefs(view: View, hrefs: Iterable[Href]) -> Markup:
    return xml.join([xml.href(view.path(each)) for each in hrefs])


# -- properties ----------------------------------------------------------------------------------------------------


@rfc3744_principals.property(D("displayname"), on=PrincipalResource, allprop=True)
def displayname(resource: PrincipalResource) -> str:
    """The name, which is set by administrators (RFC 3744 section 4)."""
    return resource.principal.name


@rfc3744_principals.property(D("principal-URL"), on=PrincipalResource)
def principal_url(resource: PrincipalResource) -> Markup:
    """The one URL of the principal (section 4.2)."""
    return xml.href(resource.path)


@rfc3744_principals.property(D("alternate-URI-set"), on=PrincipalResource)
def alternate_uri_set(resource: PrincipalResource) -> Markup:
    """Other URIs that describe it (section 4.1)."""
    return xml.join([xml.href(each) for each in resource.addresses if each != resource.path])


@rfc3744_principals.property(D("group-member-set"), on=PrincipalResource)
def group_member_set(resource: PrincipalResource) -> Markup:
    """The direct members of a group (section 4.3)."""
    return _hrefs(resource.view, resource.group_members)


@rfc3744_principals.property(D("group-membership"), on=PrincipalResource)
def group_membership(resource: PrincipalResource) -> Markup:
    """The groups that it is a direct member of (section 4.4)."""
    return _hrefs(resource.view, resource.groups)


@rfc3744_principals.property(D("principal-collection-set"), on=Resource)
def principal_collection_set(resource: Resource) -> Markup:
    """Where principals are to be found (section 5.8)."""
    return xml.href(resource.view.path(ROOT))


@rfc6638_calendar_users.property(C("calendar-user-address-set"), on=PrincipalResource)
def calendar_user_address_set(resource: PrincipalResource) -> Markup:
    """How it is called in scheduling, the preferred address first (RFC 6638 section 2.4.1)."""
    first, *others = resource.addresses
    marked = xml.element(D("href"), first, preferred="1")
    return xml.join([marked, *map(xml.href, others)])


@rfc6638_calendar_users.property(C("calendar-user-type"), on=PrincipalResource)
def calendar_user_type(resource: PrincipalResource) -> str:
    """Its CUTYPE (RFC 6638 section 2.4.2)."""
    return _TYPES[resource.principal.kind]


@calendarserver_principals.property(CS("first-name"), on=PrincipalResource)
def first_name(resource: PrincipalResource) -> str | None:
    """Given names of a person."""
    return resource.principal.first_name or None


@calendarserver_principals.property(CS("last-name"), on=PrincipalResource)
def last_name(resource: PrincipalResource) -> str | None:
    """Family name of a person."""
    return resource.principal.last_name or None


@calendarserver_principals.property(CS("email-address-set"), on=PrincipalResource)
def email_address_set(resource: PrincipalResource) -> Markup:
    """Bare mail addresses."""
    mail = [each.removeprefix(MAILTO) for each in resource.principal.addresses if each.startswith(MAILTO)]
    return xml.join([xml.element(CS("email-address"), each) for each in mail])


@calendarserver_principals.property(CS("record-type"), on=PrincipalResource)
def record_type(resource: PrincipalResource) -> str:
    """The kind of principal, in Apple's words."""
    return _RECORDS[resource.principal.kind]


@calendarserver_principals.property(CS("expanded-group-member-set"), on=PrincipalResource)
def expanded_group_member_set(resource: PrincipalResource) -> Markup:
    """The members of a group, and of the groups in it."""
    return _hrefs(resource.view, resource.all_members())


@calendarserver_principals.property(CS("expanded-group-membership"), on=PrincipalResource)
def expanded_group_membership(resource: PrincipalResource) -> Markup:
    """The groups that it is in, directly or through other groups."""
    return _hrefs(resource.view, resource.all_groups())


# -- searches ------------------------------------------------------------------------------------------------------


@rfc3744_principals.report(D("principal-property-search"), on=Collection, body=Search.parse)
def principal_property_search(request: Request, collection: Collection, search: Search) -> Response:
    """Principals by what their properties contain (section 9.4)."""
    _depth_zero(request)
    collection.require(D("read"))
    kinds: tuple[str, ...] = ()
    if search.everywhere or not collection.href.segments:
        kinds = search.kinds
    elif isinstance(collection, PrincipalCollection):
        kinds = collection.kinds
    return _found(collection, search, kinds)


@calendarserver_principals.report(
    CS("calendarserver-principal-search"), on=(PrincipalCollection, PrincipalResource), body=Search.parse_tokens
)
def calendarserver_principal_search(request: Request, collection: Collection, search: Search) -> Response:
    """Principals whose names or mail addresses have all tokens: what completes attendees as one types."""
    _depth_zero(request)
    collection.require(D("read"))
    return _found(collection, search, search.kinds)


def _found(collection: Collection, search: Search, kinds: tuple[str, ...]) -> Response:
    """The answer to a search; where there are more, the collection says so (RFC 3744 section 9.4)."""
    view = collection.view
    most = view.settings.search_results
    limit = most if search.limit is None else min(most, search.limit)
    found = search.run(view.txn, kinds, limit + 1)
    properties = Properties(view, search.wanted)
    answer = Multistatus(properties.response(PrincipalResource(view, each)) for each in found[:limit])
    if len(found) > limit:
        error = xml.element(NumberOfMatchesWithinLimits.name)
        answer.add(status_response(collection.path, HTTPStatus.INSUFFICIENT_STORAGE, error=error))
    return answer.answer()


@rfc3744_principals.report(D("principal-search-property-set"), on=PrincipalCollection, body=lambda root: None)
def principal_search_property_set(request: Request, collection: Collection, nothing: None) -> Response:
    """The properties that a search looks into (section 9.5); no multistatus."""
    _depth_zero(request)
    collection.require(D("read"))
    properties = (
        xml.element(
            D("principal-search-property"),
            xml.element(D("prop"), xml.element(name)),
            Markup(f'<D:description xml:lang="en">{xml.escape(description)}</D:description>'),
        )
        for name, (_, description) in SEARCHABLE.items()
    )
    return Response(HTTPStatus.OK, (xml.CONTENT_TYPE,), xml.document(D("principal-search-property-set"), *properties))


# -- who one is ----------------------------------------------------------------------------------------------------


def _match(root: xml.Element) -> tuple[str | None, Wanted]:
    """Read a ``DAV:principal-match``: the property to be compared, None for ``DAV:self``, and those to be told."""
    which = [each for each in root if each.tag in (D("self"), D("principal-property"))]
    if len(which) != 1 or (which[0].tag == D("principal-property") and len(which[0]) != 1):
        raise BadRequest("DAV:principal-match has DAV:self or one DAV:principal-property")
    return (which[0][0].tag if len(which[0]) else None), _one_prop(root, required=False)


@rfc3744_principals.report(D("principal-match"), on=Collection, body=_match)
def principal_match(request: Request, collection: Collection, asked: tuple[str | None, Wanted]) -> Response:
    """Members that are who asks, or a group of theirs, or that name them in a property (section 9.3)."""
    _depth_zero(request)
    collection.require(D("read"))
    name, wanted = asked
    own = _own(collection.view)
    view = collection.view
    if name is None:
        found: Iterable[Resource] = (view.find(each) for each in own if each.within(collection.href))
    else:
        found = (each for each in _below(collection) if _names(each, name, own))
    properties = Properties(view, wanted)
    return Multistatus(properties.response(each) for each in found).answer()


def _own(view: View) -> list[Href]:
    """The principals that who asks is, or is in."""
    found = None if view.request.actor.href is None else view.find(view.request.actor.href)
    return [found.href, *found.all_groups()] if isinstance(found, PrincipalResource) else []


def _below(collection: Collection) -> Iterator[Resource]:
    """All members at any depth that may be read, as far as one request may go."""
    left = collection.view.settings.infinity_resources
    waiting = [collection]
    while waiting:
        for member in waiting.pop().members():
            if left == 0:
                raise NumberOfMatchesWithinLimits("there are too many members to look at")
            left -= 1
            if D("read") in member.privileges:
                yield member
                if isinstance(member, Collection):
                    waiting.append(member)


def _names(resource: Resource, name: str, own: Iterable[Href]) -> bool:
    """Whether a live property of a resource has the href of one of the principals."""
    declared = resource.view.spoken.properties(type(resource)).get(name)
    try:
        value = None if declared is None else declared.get(resource)
    except NeedPrivileges:
        return False  # what may not be read names nobody
    return value is not None and any(xml.href(resource.view.path(each)) in value for each in own)


@rfc3744_principals.report(D("acl-principal-prop-set"), on=Resource, body=lambda root: _one_prop(root, required=True))
def acl_principal_prop_set(request: Request, resource: Resource, wanted: Wanted) -> Response:
    """Properties of the principals that the access control list names (section 9.2)."""
    _depth_zero(request)
    resource.require(D("read-acl"))
    view = resource.view
    whos = dict.fromkeys(each.ace.who for each in resource.access_control)
    hrefs = view.tree.principal_hrefs(view, [who for who in whos if who not in acl.WORDS.values()])
    named_here = dict.fromkeys(href for who in whos for href in _principals_of(resource, who, hrefs))
    if len(named_here) > view.settings.search_results:
        raise NumberOfMatchesWithinLimits("the list names too many principals")
    properties = Properties(view, wanted)
    return Multistatus(properties.response(view.find(each)) for each in named_here).answer()


def _principals_of(resource: Resource, who: acl.Who, hrefs: Mapping[acl.Who, Href]) -> Iterable[Href]:
    """Where the principals of an entry are: one that it names, or those in a property of the resource."""
    if who in hrefs:
        return [hrefs[who]]
    if who == acl.OWNER:
        return [] if resource.owner is None else [resource.owner]
    if isinstance(who, str) and who.startswith(acl.PROPERTY):
        principals = named_in_property(resource.view, who, resource.stored_properties)
        return [each for each in principals if identity_at(resource.view.txn, each) is not None]
    return []


def _one_prop(root: xml.Element, *, required: bool) -> Wanted:
    props = root.findall(D("prop"))
    if len(props) > 1 or (required and not props):
        raise BadRequest("the report has one DAV:prop")
    return Wanted(elements=named(props[0])) if props else Wanted()


def _depth_zero(request: Request) -> None:
    """Raise `BadRequest` for any other Depth: these reports are defined for 0 only (section 9)."""
    asked: Any = request.parsed(depth)
    if asked not in (None, Depth.ZERO):
        raise BadRequest("the Depth of this report is 0")
