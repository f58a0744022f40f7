"""What is carried along when a collection is copied or moved (RFC 4918 sections 9.8.3 and 9.9.2)."""

from typing import TYPE_CHECKING, cast

from calserver.tree.objects import StoredObject

if TYPE_CHECKING:
    from calserver.tree.collections import StoredCollection


def copy_into(place: "StoredCollection", source: "StoredCollection", name: str, *, deep: bool) -> "StoredCollection":
    """A copy of a collection in another one, by single steps; with all that is in it, if `deep`."""
    place.check_count(1)
    row = source.row
    made = place.collection_of(
        place.view.txn.collections.add(
            place.row.id,
            name,
            source.copied_kind,
            properties=row.properties,
            display_name=row.display_name,
            components=row.components,
            transparent=row.transparent,
            timezone=row.timezone,
        )
    )
    if deep:
        for member in list(source.members()):
            place.view.allowance.spend()
            if isinstance(member, StoredObject):
                made.receive_object(member, member.row.name, copy=True, replaced=None)
            else:
                made.receive_collection(cast("StoredCollection", member), member.href.name, copy=True, replaced=None)
    return made


def admit_below(place: "StoredCollection", source: "StoredCollection", name: str) -> None:
    """Check what comes with a collection: its kinds, how deep it is, and how many from another home."""
    below = place.view.txn.collections.below(source.row.id)
    above = {source.row.id: (source.row.kind, 0)}
    for each in below:
        kind, height = above[each.parent_id]
        place.estate.kinds.of(kind).admit(each.kind)
        above[each.id] = (each.kind, height + 1)
    place.check_name(name, height=max(height for _, height in above.values()))
    if source.row.home_id != place.row.home_id:
        place.check_count(len(above))
