"""What the resources of one home have in common: whose it is, and which class a collection in it has."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from calserver.dav import Href
from calserver.store import Collection as CollectionRow

if TYPE_CHECKING:
    from calserver.tree.collections import StoredCollection
    from calserver.tree.home import Home


@attrs.frozen(slots=True)
class Kinds:
    """The classes that the collections of a home have, by their kind in the store.

    ``home`` is the class of the home itself, ``plain`` of a kind that `others` does not name.
    """

    home: "type[Home]"
    plain: "type[StoredCollection]"
    others: "Mapping[str, type[StoredCollection]]" = attrs.field(factory=dict)

    def of(self, kind: str) -> "type[StoredCollection]":
        """The class of a collection below the home."""
        return self.others.get(kind, self.plain)


@attrs.frozen(slots=True)
class Estate:
    """What all resources of one home share in one request: its row, where it is, its owner, and the classes."""

    row: CollectionRow
    href: Href
    owner: Href
    kinds: Kinds
