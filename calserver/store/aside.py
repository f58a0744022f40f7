"""Homes that are set aside, while their principal moves to another node of a cluster (`calserver.store.moves`).

What the kinds of their collections begin with says so. Whoever looks for homes, Inboxes or calendars looks for them by
their kinds, and so finds none of these; whoever looks for the home of somebody who is moving is told to come again.
"""

from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, or_

from calserver.store.schema import collection
from calserver.store.values import Held

HELD: Final = "held "
"""It may leave at any moment: nobody reads or writes it."""
LEFT: Final = "left "
"""It is at another node now, and here no more; it is about to be removed."""
ARRIVING: Final = "arriving "
"""It is not complete, or not here yet."""
ANY: Final = "% %"
"""What the kind of each of them is like, and no other kind."""

BRANCH: Final = "calendar-branch"
"""The kind of homes in which sharees who are at other nodes have what is shared with them here; these never move."""

_c = collection.c


def is_aside(kind: str) -> bool:
    """Whether the kind of a collection says that it is set aside."""
    return " " in kind


def served(column: ColumnElement[str] = _c.kind) -> ColumnElement[bool]:
    """Collections, by their kinds, that are not set aside, or only held."""
    return and_(column.not_like(LEFT + "%"), column.not_like(ARRIVING + "%"))


def of_kind(column: ColumnElement[str]) -> ColumnElement[bool]:
    """Homes of the kind that the parameter ``kind`` says, and those of them that are held, or have left."""
    return or_(column == bindparam("kind"), column == bindparam("held_kind"), column == bindparam("left_kind"))


def kinds(kind: str) -> dict[str, str]:
    """The parameters of `of_kind`."""
    return {"kind": kind, "held_kind": HELD + kind, "left_kind": LEFT + kind}


def check(kind: str, *, left: bool = False) -> None:
    """See that a home that was found is not held.

    Args:
        kind: of the home.
        left: whether one that has left is as bad.

    Raises:
        Held: it is.
    """
    if kind.startswith(HELD) or (left and kind.startswith(LEFT)):
        raise Held("the calendars are on their way to another node")
