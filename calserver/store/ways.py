"""Ways to collections that were found before: nearly every request begins with one of them.

A way is good as long as the stamp of its home is the one it was found with (`calserver.store.values.Stamp`); that is
looked at inside the transaction which uses it, so a way is never older than what the transaction sees otherwise,
whichever process has changed something. The numbers of a stamp only grow: what a transaction that writes has changed
itself has another stamp than all ways. Such a one adds none: what it sees may be taken back, and its numbers given out
again.

Objects are not remembered, only what is not among the collections beside them: so the way to an object is known when
that to its collection is.
"""

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from calserver.store.values import Collection, Principal, Stamp

Key = tuple[str, ...]
"""Kind and uid of a principal, kind of home, names."""
WITHOUT_NAMES: Final = 3
"""How long the key of a home is."""


@attrs.frozen(slots=True)
class Way:
    """The rows from a home down to a collection.

    ``collections`` are the names of the collections in the last one, None where nobody has looked.
    """

    stamp: Stamp
    rows: tuple[Collection, ...]
    collections: frozenset[str] | None


class Ways:
    """What is remembered, for all threads.

    Args:
        most: how many ways; a few kilobytes each.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[Key, Way] = {}
        self.administrators: tuple[int, Sequence[Principal]] | None = None
        """With the revision of all principals at which they were the ones."""

    def find(self, key: Key, stamp: Callable[[int], Stamp | None]) -> Sequence[Collection] | None:
        """The collections on a way, as far as they are there; None where that is not known.

        Args:
            key: of the way.
            stamp: of a home, now.
        """
        found, to_object = self._known.get(key), False
        if found is None and len(key) > WITHOUT_NAMES:
            found, to_object = self._known.get(key[:-1]), True
        if found is None or (to_object and (found.collections is None or key[-1] in found.collections)):
            return None
        return found.rows if stamp(found.rows[0].id) == found.stamp else None

    def keep(
        self,
        key: Key,
        rows: Sequence[Collection],
        stamp: Callable[[int], Stamp | None],
        beside: Callable[[int], frozenset[str]],
    ) -> None:
        """Remember what was found, if that was the collection or the one that would hold it.

        Args:
            key: of the way.
            rows: what was found.
            stamp: of a home, now.
            beside: the names of the collections in one.
        """
        missing = len(key) - WITHOUT_NAMES + 1 - len(rows)
        now = stamp(rows[0].id) if rows and missing <= 1 else None
        if now is None:
            return
        if len(self._known) >= self._most:
            self._known.clear()
        collections = beside(rows[-1].id) if missing else None
        self._known[key[:-1] if missing else key] = Way(now, tuple(rows), collections)
