"""Sync tokens, and what changed since one (RFC 6578).

A token is a URI that names a collection and a revision: ``data:,<resource id>/<revision>``. One number orders all
changes in a home, each change takes one, and it is never given twice to the same collection (see `calserver.store`),
not even after a move to another home. So a token of a home and one of a collection in it mean the same instant.

An answer that a limit cut short ends in a token with one more field, ``/<started>``: the revision at which the first of
a row of such answers was made. Who began with nothing at that time need not hear of what was removed before, so a long
first synchronization goes on though removals are forgotten in the meantime.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final

import attrs

from calserver.dav import NumberOfMatchesWithinLimits, ValidSyncToken
from calserver.store import Collection, Transaction

_TOKEN: Final = re.compile(r"data:,([0-9A-Za-z-]{1,64})/([0-9]{1,18})(?:/([0-9]{1,18}))?")


@attrs.frozen(slots=True)
class Token:
    """What a sync token says: everything in a collection up to a revision has been told."""

    resource_id: str
    revision: int
    started: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Token":
        """Read a token; raises `ValidSyncToken` for what `__str__` would not write."""
        found = _TOKEN.fullmatch(text)
        if found is None:
            raise ValidSyncToken("this is not a sync token of this server")
        return cls(found[1], int(found[2]), None if found[3] is None else int(found[3]))

    @classmethod
    def of(cls, row: Collection) -> "Token":
        """The token of a collection as it is now."""
        return cls(row.resource_id, row.revision)

    @classmethod
    def first(cls, row: Collection) -> "Token":
        """The token of whom nothing of a collection was told."""
        return cls(row.resource_id, 0, row.revision)

    def cut(self, revision: int) -> "Token":
        """The token after an answer that goes on from this one, and was cut short at a revision."""
        return Token(self.resource_id, revision, self.begun if self.begun > revision else None)

    @property
    def begun(self) -> int:
        """The revision before which removals are no news."""
        return self.revision if self.started is None else self.started

    def check(self, row: Collection, settled: int = 0) -> None:
        """Raise `ValidSyncToken` where this is not a token of the collection, or too old a one."""
        if self.resource_id != row.resource_id or not self.revision <= self.begun <= row.revision:
            raise ValidSyncToken("the sync token does not belong to this collection")
        if self.begun < max(row.floor, settled):
            raise ValidSyncToken("the sync token is too old")

    def __str__(self) -> str:
        text = f"data:,{self.resource_id}/{self.revision}"
        return text if self.started is None else f"{text}/{self.started}"


Line = tuple[int, Any, Collection]
"""One change: its revision; the `Collection`, `Object` (or its row) or `Tombstone`; the collection that it is in."""


@attrs.frozen(slots=True)
class Report:
    """Changes in the order in which they happened, the token for the next time, and whether a limit cut them short."""

    token: Token
    lines: Sequence[Line]
    truncated: bool = False


def since(
    txn: Transaction,
    row: Collection,
    text: str | None,
    places: Iterable[Collection],
    *,
    limit: int | None,
    settled: int = 0,
    brief: bool = False,
) -> Report:
    """The changes in a collection after a token, None for all members.

    Args:
        txn: the transaction.
        row: the collection.
        text: the token.
        places: the collections whose members are told of: this one, or those below too.
        limit: how many changes to tell.
        settled: the revision from which on who asks sees the same members, apart from the changes. Before a calendar
            was shared with somebody, its changes had numbers of another home; so tokens from that time are too old.
        brief: tell members with content as rows, at a tenth of the cost of `Object`.

    Raises:
        ValidSyncToken: the token is not one of this collection, or too old.
        NumberOfMatchesWithinLimits: the limit is too small for the first change (a member with its collections).
    """
    token = Token.first(row) if text is None else Token.parse(text)
    places = list(places)
    token.check(row, max(settled, *(each.floor for each in places if each.source_id is not None), 0))
    most = None if limit is None else limit + 1
    changed = [each for each in places if each.revision > token.revision]
    lines = sorted(
        _lines(txn, changed, token.revision, most=most, brief=brief, removed=text is not None), key=_revision
    )
    if limit is None or len(lines) <= limit:
        return Report(Token.of(row), lines)
    beyond = lines[limit][0]
    told = [line for line in lines[:limit] if line[0] < beyond]
    if not told:
        raise NumberOfMatchesWithinLimits("one change is more than the limit allows")
    return Report(token.cut(told[-1][0]), told, truncated=True)


_revision = itemgetter(0)


def _lines(
    txn: Transaction, places: Iterable[Collection], after: int, *, most: int | None, brief: bool, removed: bool
) -> Iterator[Line]:
    """The changes after a revision, place by place; of each place at least the first `most`."""
    changes = txn.changes
    for place in places:
        yield from ((each.revision, each, place) for each in changes.collections(place.id, after))
        if brief:
            yield from ((each[3], each, place) for each in changes.listing(place.id, after, most))
        else:
            yield from ((each.revision, each, place) for each in changes.objects(place.id, after, most))
        if removed:
            yield from ((each.revision, each, place) for each in changes.tombstones(place.id, after, most))
