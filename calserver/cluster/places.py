"""At which node a path is answered: that of the principal in whose home it is, or of who shares a calendar there."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from calserver import caldav
from calserver.calendars import branches
from calserver.cluster.paths import At, owner
from calserver.dav import Href, TakesLong
from calserver.store import Store, Transaction
from calserver.tree import HOME_SEGMENTS

MOST_PLACES: Final = 50_000
"""How many principals' places are remembered."""
Whose = tuple[str, str]
"""Kind and uid of a principal."""


@attrs.frozen
class Residence:
    """Where a principal is."""

    node: str | None
    signposts: Mapping[str, At] = attrs.field(factory=dict)
    """What leads from a home here to other nodes, by its name in the home."""


class Places:
    """Knows where principals are, as far as this node knows.

    Args:
        store: of this node.
        node: its name.
        mounts: the first segments of paths that lead to homes.
    """

    def __init__(self, store: Store, node: str, mounts: Mapping[str, Sequence[str]]) -> None:
        self._store = store
        self._node = node
        self._mounts = mounts
        self._known: dict[Whose, Residence] = {}
        self._version = 0

    def is_here(self, at: At | None) -> bool:
        """Whether something is answered here: what all nodes have is, and what nobody has."""
        return at is None or at.node == self._node

    def whose(self, path: str) -> Whose | None:
        """In whose home a path is."""
        return owner(Href.parse(path), self._mounts)

    def at(self, path: str) -> At | None:
        """Where a path is; None for those that all nodes have, and those that nobody has.

        Raises:
            TakesLong: it has to be looked up (`find`).
        """
        whose = self.whose(path)
        return None if whose is None else _at(path, self.residence(whose))

    async def find(self, path: str) -> At | None:
        """The same, however long it takes."""
        whose = self.whose(path)
        return None if whose is None else _at(path, await self.reside(whose))

    def residence(self, whose: Whose) -> Residence:
        """Where a principal is; raises `TakesLong`."""
        version = self._store.data_version()
        if version != self._version or len(self._known) > MOST_PLACES:
            self._known.clear()
            self._version = version
        if whose not in self._known:
            self._known[whose] = self._store.glance(lambda txn: self._look(txn, whose))
        return self._known[whose]

    async def reside(self, whose: Whose) -> Residence:
        """The same, however long it takes."""
        try:
            return self.residence(whose)
        except TakesLong:
            found: Residence = await self._store.read(lambda txn: self._look(txn, whose))
            return found

    async def has_branch(self, path: str) -> bool:
        """Whether what is at a path, in the home of somebody who is elsewhere, is here: a branch, or what is in one."""
        segments = Href.parse(path).segments
        if segments[0] != caldav.mount.name or len(segments) <= HOME_SEGMENTS:
            return True

        def look(txn: Transaction) -> bool:
            return branches.has(txn, *segments[1 : HOME_SEGMENTS + 1])

        try:
            found: bool = self._store.glance(look)
        except TakesLong:
            found = await self._store.read(look)
        return found

    def _look(self, txn: Transaction, whose: Whose) -> Residence:
        node = txn.placements.node(*whose)
        found = branches.signposts(txn, *whose) if node == self._node else ()
        nodes = txn.placements.of(each.sharer for each in found) if found else {}
        ways = {each.name: At(nodes[each.sharer], part=True) for each in found if each.sharer in nodes}
        return Residence(node, ways)


def _at(path: str, residence: Residence) -> At | None:
    segments = Href.parse(path).segments
    if residence.signposts and segments[0] == caldav.mount.name and len(segments) > HOME_SEGMENTS:
        found = residence.signposts.get(segments[HOME_SEGMENTS])
        if found is not None:
            return found
    return None if residence.node is None else At(residence.node)
