"""What a sync report tells of a collection, to who asks (RFC 6578 section 3): changes as resources, or as markup."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Any

from calserver.dav import Change, Changes, Collection, status_response, xml
from calserver.dav.access import READ
from calserver.names import D
from calserver.store import Collection as CollectionRow
from calserver.store import Object as ObjectRow
from calserver.store import Tombstone
from calserver.tree import access, sync
from calserver.tree.markup import Writer

if TYPE_CHECKING:
    from calserver.tree.collections import StoredCollection


def changes(collection: "StoredCollection", since: str | None, *, deep: bool, limit: int | None) -> Changes:
    """What changed since a token."""
    places = _places(collection, deep=deep)
    found = _since(collection, places, since, limit=limit, brief=False)
    told = [change for _, what, place in found.lines if (change := _change(places[place.id], what))]
    return Changes(
        token=str(found.token),
        changes=told,
        rendered=[] if since else [refused for each in told if (refused := _not_traversed(each))],
        truncated=found.truncated,
    )


def rendered(
    collection: "StoredCollection", since: str | None, *, deep: bool, limit: int | None, names: frozenset[str]
) -> Changes | None:
    """The same as markup; None where other than quick properties are wanted."""
    places = _places(collection, deep=deep)
    if not all(names <= each.quick and not each.varied for each in places.values()):
        return None
    writer = Writer(names)
    if since is None and limit is not None and len(places) == 1:
        first = _first(collection, writer, limit)
        if first is not None:
            return first
    found = _since(collection, places, since, limit=limit, brief=True)
    told: list[str] = []
    for id, lines in groupby(found.lines, key=lambda line: line[2].id):
        told += _written(places[id], [what for _, what, _ in lines], writer, first=since is None)
    return Changes(token=str(found.token), rendered=told, truncated=found.truncated)


def _first(collection: "StoredCollection", writer: Writer, limit: int) -> Changes | None:
    """A first report, cut short or not, as the store writes it; None where it does not."""
    rows = collection.view.txn.collections.children(collection.row.id)
    found = collection.joined_some(writer, limit - len(rows)) if len(rows) <= limit else None
    if found is None or (rows and found[1] is not None):
        return None
    members, revision = found
    token = sync.Token.of(collection.row) if revision is None else sync.Token.first(collection.row).cut(revision)
    rendered: list[str | bytes] = [*_written(collection, rows, writer, first=True), *members]
    return Changes(token=str(token), rendered=rendered, truncated=revision is not None)


def _since(
    collection: "StoredCollection",
    places: Mapping[int, "StoredCollection"],
    since: str | None,
    *,
    limit: int | None,
    brief: bool,
) -> sync.Report:
    view, row = collection.view, collection.row
    settled = 0 if access.rules(view, row) else row.access_revision
    rows = [each.row for each in places.values()]
    return sync.since(view.txn, row, since, rows, limit=limit, settled=settled, brief=brief)


def _places(collection: "StoredCollection", *, deep: bool) -> dict[int, "StoredCollection"]:
    """A collection and, if `deep`, all collections below that reports go into, by primary key."""
    places = {collection.row.id: collection}
    for row in collection.view.txn.collections.below(collection.row.id) if deep else ():
        if row.parent_id in places:
            member = places[row.parent_id].collection_of(row)
            if member.traversed and READ in member.privileges:
                places[row.id] = member
    return places


def _change(place: "StoredCollection", what: CollectionRow | ObjectRow | Tombstone) -> Change | None:
    """A change in a collection, None where the actor may not see it."""
    if isinstance(what, CollectionRow):
        member = place.collection_of(what)
        return Change(href=member.href, resource=member) if READ in member.privileges else None
    if isinstance(what, ObjectRow):
        changed = place.object_of(what)
        return Change(href=changed.href, resource=changed) if place.shows(what) else None
    return Change(href=place.href.child(what.name, collection=what.was_collection), resource=None)


def _written(place: "StoredCollection", whats: Sequence[Any], writer: Writer, *, first: bool) -> Iterator[str]:
    """Changes in a collection as markup; objects are rows. `first` says that there was no token."""
    for rows, some in groupby(whats, key=lambda what: isinstance(what, tuple)):
        if rows:
            yield from writer.objects(place.path, place.shown(list(some)))
            continue
        for change in filter(None, (_change(place, what) for what in some)):
            if isinstance(change.resource, Collection):
                yield writer.collection(change.resource)
                if first and (refused := _not_traversed(change)):
                    yield refused
            else:
                yield status_response(place.view.path(change.href), HTTPStatus.NOT_FOUND)


def _not_traversed(change: Change) -> str | None:
    """What a first report says of a collection that it does not go into, besides its properties (section 3.3)."""
    member = change.resource
    if getattr(member, "traversed", True) or member is None:
        return None
    return status_response(member.path, HTTPStatus.FORBIDDEN, error=xml.element(D("sync-traversal-supported")))
