"""COPY and MOVE to another node, as its two nodes do it: methods that nobody but another node has.

What is to be copied or moved is **packed** at its node, **unpacked** at that of the Destination, and **dropped** where
it was if it is moved: each is a transaction of one node, and asks for the privileges and locks there. It is removed
last, and only as it was packed: what goes wrong in between leaves it at both places, never at none.

What arrives is stored as if a client put it there, as what is moved between the homes of one node is where it is of
concern to others (RFC 6638 section 3.2.3): with all checks, and with all that follows for meetings.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

import attrs

from calserver.cluster.cargo import Cargo, Item, cargo
from calserver.dav import (
    BadRequest,
    Conflict,
    Depth,
    Extension,
    Forbidden,
    Headers,
    PreconditionFailed,
    Refusal,
    Request,
    Resource,
    Response,
    Unmapped,
    access,
    blocked,
    container,
    depth,
    guard_binding,
    landed,
    locked_members,
    not_modified,
    overwrite,
    packed_acl,
    unguarded,
    unpacked_acl,
)
from calserver.tree import StoredCollection, StoredObject

PACK_COPY: Final = "PACK-COPY"
PACK_MOVE: Final = "PACK-MOVE"
UNPACK: Final = "UNPACK"
DROP: Final = "DROP"
HOLDS: Final = "HOLDS"
METHODS: Final = frozenset({PACK_COPY, PACK_MOVE, UNPACK, DROP, HOLDS})
CONTENT_TYPE: Final = ("Content-Type", "application/octet-stream")

porter = Extension("COPY and MOVE between nodes")


class Changed(Refusal):
    """What was packed is not what it was; it is to be packed again."""

    status = HTTPStatus.CONFLICT


class TooLarge(Refusal):
    """More than goes to another node by one request (RFC 4918 section 9.8.5)."""

    status = HTTPStatus.BAD_GATEWAY


_TOO_LARGE: Final = "this is too large to be carried to another node by one request"


@porter.method(HOLDS, on=(Resource, Unmapped), writes=False)
def holds(request: Request, resource: Resource) -> Response:
    """That the If header of the request holds (RFC 4918 section 10.4), or it would have been refused with 412."""
    return Response(HTTPStatus.NO_CONTENT)


# -- where it is -------------------------------------------------------------------------------------------------------


def _may_pack_move(resource: Resource) -> None:
    access.demand(access.lacking(resource, access.READ))
    access.may_unbind(resource)


@porter.method(
    PACK_COPY, on=Resource, writes=False, needs="copy", allow=access.holds(access.READ), guard=unguarded, parse=[depth]
)
def pack_copy(request: Request, resource: Resource) -> Response:
    """All that a COPY takes along (RFC 4918 section 9.8)."""
    not_modified(request, resource)
    level = request.parsed(depth)
    if level is Depth.ONE:
        raise BadRequest("COPY takes Depth 0 or infinity")
    return _packed(resource, deep=level is not Depth.ZERO, moves=False)


@porter.method(
    PACK_MOVE, on=Resource, writes=False, needs="move", allow=_may_pack_move, guard=guard_binding, parse=[depth]
)
def pack_move(request: Request, resource: Resource) -> Response:
    """All that a MOVE takes along (RFC 4918 section 9.9)."""
    not_modified(request, resource)
    if resource.is_collection and request.parsed(depth) not in (None, Depth.INFINITY):
        raise BadRequest("a collection is moved with Depth: infinity")
    if locked := locked_members(resource):
        return blocked(locked)
    if isinstance(resource, StoredCollection | StoredObject):
        resource.check_leaving()
    return _packed(resource, deep=True, moves=True)


def _packed(resource: Resource, *, deep: bool, moves: bool) -> Response:
    if not isinstance(resource, StoredCollection | StoredObject):
        raise Forbidden("this stays where it is")
    resource.view.take_time()
    room = resource.view.settings.body_bytes
    items = []
    for each in _items(resource, (), deep=deep, moves=moves):
        resource.view.allowance.spend(len(each.content))
        room -= len(each.content)
        if room < 0:
            raise TooLarge(_TOO_LARGE)
        items.append(each)
    found = Cargo(stamp=_stamp(resource), moves=moves, items=tuple(items))
    data = b"".join(found.pieces())
    if len(data) > resource.view.settings.body_bytes:
        raise TooLarge(_TOO_LARGE)
    return Response(HTTPStatus.OK, (CONTENT_TYPE,), data)


def _items(
    resource: StoredCollection | StoredObject, names: tuple[str, ...], *, deep: bool, moves: bool
) -> Iterator[Item]:
    view = resource.view
    acl = packed_acl(resource.row.acl) if moves else None
    if isinstance(resource, StoredObject):
        row = resource.row
        text = view.txn.objects.texts([row.id], seen_in=row.collection_id)[row.id]
        yield Item(names=names, content_type=row.content_type, properties=row.properties, acl=acl, content=text)
        return
    place = resource.row
    yield Item(
        names=names,
        kind=resource.copied_kind,
        properties=place.properties,
        acl=acl,
        display_name=place.display_name,
        components=place.components,
        transparent=place.transparent,
        timezone=place.timezone,
    )
    if not deep:
        return
    for child in view.txn.collections.children(place.id):
        member = resource.collection_of(child)
        if access.READ in member.privileges:
            yield from _items(member, (*names, child.name), deep=True, moves=moves)
    for row, text in view.txn.objects.iterate(place.id):
        if resource.shows(row):
            acl = packed_acl(row.acl) if moves else None
            inside = (*names, row.name)
            yield Item(names=inside, content_type=row.content_type, properties=row.properties, acl=acl, content=text)


def _stamp(resource: StoredCollection | StoredObject) -> str:
    return f"{resource.resource_id} {resource.row.revision}"


@porter.method(DROP, on=Resource, writes=True, needs="delete", allow=access.may_unbind, guard=guard_binding)
def drop(request: Request, resource: Resource) -> Response:
    """Remove what has come to its Destination, if it still is what was packed.

    Raises:
        Changed: it is not.
    """
    if not isinstance(resource, StoredCollection | StoredObject) or _stamp(resource) != request.body.decode("latin-1"):
        raise Changed("it has changed meanwhile")
    if locked := locked_members(resource):
        return blocked(locked)
    resource.delete()
    return Response(HTTPStatus.NO_CONTENT)


# -- where it goes -----------------------------------------------------------------------------------------------------


def _lacking(target: Resource) -> list[tuple[str, str]]:
    """The privileges that are missing at a Destination."""
    carried = target.view.request.parsed(cargo)
    source = Resource(target.view, target.href)
    source.is_collection = carried.is_collection
    return (access.lacking_to_replace if carried.moves else access.lacking_to_overwrite)(source, target)


def _may_unpack(target: Resource) -> None:
    try:
        missing = _lacking(target)
    except Refusal:
        return  # of which the handler tells in its turn
    access.demand(missing)


@porter.method(UNPACK, on=(Resource, Unmapped), writes=True, allow=_may_unpack, guard=unguarded, parse=[cargo])
def unpack(request: Request, target: Resource) -> Response:
    """Store what comes from another node (RFC 4918 sections 9.8 and 9.9)."""
    carried = request.parsed(cargo)
    replace = overwrite(request)
    place = container(target)
    if target.exists and not replace:
        raise PreconditionFailed("there is a resource at the Destination, and Overwrite is F")
    access.demand(_lacking(target))
    guard_binding(target)
    if locked := locked_members(target):
        return blocked(locked)
    if not isinstance(place, StoredCollection):
        raise Forbidden("nothing can be put there")
    (_store_collection if carried.is_collection else _store_object)(place, target, carried)
    return landed(target)


def _store_object(place: StoredCollection, target: Resource, carried: Cargo) -> None:
    name = target.href.name
    place.check_name(name)
    if target.exists and target.is_collection:
        target.delete()
    _put(place, name, carried.items[0], moves=carried.moves)


def _put(place: StoredCollection, name: str, item: Item, *, moves: bool) -> None:
    """Store a member as a client would, then what clients store besides."""
    place.view.allowance.spend()
    fields = Headers([("Content-Type", item.content_type)])
    as_client = attrs.evolve(place.view.request, method="PUT", body=item.content, headers=fields)
    stored = place.store(name, as_client).resource
    before = stored.stored_properties
    if before != item.properties:
        stored.store_properties({**dict.fromkeys(before), **item.properties})
    if moves and item.acl is not None:
        stored.set_acl(unpacked_acl(item.acl) or ())


def _store_collection(place: StoredCollection, target: Resource, carried: Cargo) -> None:
    top, *others = carried.items
    place.check_name(target.href.name, height=max((len(each.names) for each in others if each.kind), default=0))
    place.admit(top.kind)
    place.check_count(sum(bool(each.kind) for each in carried.items))
    if target.exists:
        target.delete()
    places: dict[tuple[str, ...], StoredCollection] = {(): _make(place, target.href.name, top)}
    for each in others:
        inside = places.get(each.names[:-1])
        if inside is None:
            raise Conflict("something is in no collection")
        if each.kind:
            inside.admit(each.kind)
            places[each.names] = _make(inside, each.names[-1], each)
        else:
            _put(inside, each.names[-1], each, moves=carried.moves)


def _make(place: StoredCollection, name: str, item: Item) -> StoredCollection:
    made = place.collection_of(
        place.view.txn.collections.add(
            place.row.id,
            name,
            item.kind,
            properties=item.properties,
            display_name=item.display_name,
            components=item.components,
            transparent=item.transparent,
            timezone=item.timezone,
        )
    )
    if item.acl is not None:
        made.set_acl(unpacked_acl(item.acl) or ())
    return made
