"""Which node of a cluster keeps the calendars of a principal.

A principal that is placed elsewhere takes a new revision, so whoever follows the principals of a directory
(`calserver.store.roll`) learns of it with everything else about them.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, delete, func, select

from calserver.store import revisions
from calserver.store.dialects import among
from calserver.store.principals import REVISE
from calserver.store.schema import placement, principal
from calserver.store.statements import Connection, Statement, inserting

_l, _p = placement.c, principal.c

OF = Statement(select(_l.principal_id, _l.node).where(among(_l.principal_id, "ids")))
NODE = Statement(
    select(_l.node)
    .join(principal, _p.id == _l.principal_id)
    .where(_p.uid == bindparam("uid"), _p.kind == bindparam("kind"))
)
COUNTS = Statement(select(_l.node, func.count()).group_by(_l.node))
CLEAR = Statement(delete(placement).where(among(_l.principal_id, "ids")))
INSERT = Statement(inserting(placement))


class SqlPlacements:
    """`calserver.store.interface.Placements` on SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, principal_ids: Iterable[int]) -> Mapping[int, str]:
        """The nodes of principals that are placed, by their ids, in one query."""
        rows = self._connection.all(OF, ids=self._connection.values(principal_ids))
        return {row[0]: row[1] for row in rows}

    def node(self, kind: str, uid: str) -> str | None:
        """The node of a principal; None where it is not placed, or there is none."""
        found: str | None = self._connection.value(NODE, kind=kind, uid=uid)
        return found

    def counts(self) -> Mapping[str, int]:
        """How many principals are placed on each node."""
        return {row[0]: row[1] for row in self._connection.all(COUNTS)}

    def put(self, principal_ids: Iterable[int], node: str | None) -> None:
        """Place principals on a node, or (None) on none; they take a new revision."""
        ids = set(principal_ids)
        if not ids:
            return
        which = self._connection.values(ids)
        self._connection.run(CLEAR, ids=which)
        if node is not None:
            self._connection.many(INSERT, [{"principal_id": each, "node": node} for each in sorted(ids)])
        self._connection.run(REVISE, number=revisions.count(self._connection, "principals"), ids=which)
