"""All principals of one database in another: read what has changed since a revision, and take it over.

A **directory** is a store of which others have the principals, with the same ids and revisions. What they read of it
is a `Roll`: who is there, and the rows of those that have changed. Every change gives the principals that it concerns a
new revision, so whoever knows up to which revision it has followed misses nothing, however long it was away.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from calserver.store.dialects import among
from calserver.store.placements import CLEAR as CLEAR_PLACEMENTS
from calserver.store.placements import INSERT as INSERT_PLACEMENT
from calserver.store.placements import OF as PLACEMENTS
from calserver.store.principals import (
    CLEAR_ADDRESSES,
    CLEAR_TERMS,
    INSERT_DELEGATE,
    INSERT_MEMBER,
    PRINCIPAL,
    UPDATE,
    SqlPrincipals,
    columns_of,
    principal_from,
)
from calserver.store.schema import counter, delegation, membership, principal
from calserver.store.statements import Connection, Statement, inserting
from calserver.store.values import Principal, Roll, StrangeDirectory

_p, _m, _d = principal.c, membership.c, delegation.c

CHANGED = Statement(select(*PRINCIPAL).where(_p.revision > bindparam("since")).order_by(_p.id))
NAMES = Statement(select(_p.id, _p.kind, _p.uid, _p.guid))
MEMBERS = Statement(select(_m.group_id, _m.member_id).where(among(_m.group_id, "ids")))
DELEGATES = Statement(select(_d.principal_id, _d.access, _d.delegate_id).where(among(_d.principal_id, "ids")))
CLEAR_MEMBERS = Statement(delete(membership).where(among(_m.group_id, "ids")))
CLEAR_DELEGATES = Statement(delete(delegation).where(among(_d.principal_id, "ids")))
INSERT = Statement(inserting(principal))
GO_ON = Statement(update(counter).values(value=bindparam("number")).where(counter.c.name == "principals"))


class SqlRolls:
    """`calserver.store.interface.Rolls` on SQL."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._principals = SqlPrincipals(connection, now)

    def since(self, revision: int) -> Roll:
        """Who is there, and what has changed since a revision."""
        changed = [principal_from(row) for row in self._connection.all(CHANGED, since=revision)]
        ids = self._connection.values(each.id for each in changed)
        return Roll(
            revision=self._principals.revision(),
            names={row[0]: (row[1], row[2], row[3]) for row in self._connection.all(NAMES)},
            changed=tuple(changed),
            members=tuple((row[0], row[1]) for row in self._connection.all(MEMBERS, ids=ids)),
            delegates=tuple((row[0], row[1], row[2]) for row in self._connection.all(DELEGATES, ids=ids)),
            placements={row[0]: row[1] for row in self._connection.all(PLACEMENTS, ids=ids)},
        )

    def take_over(self, roll: Roll) -> Sequence[int]:
        """Have the principals of a directory, with their revisions; returns the ids of those that are gone."""
        mine = {row[0]: (row[1], row[2], row[3]) for row in self._connection.all(NAMES)}
        self._recognize(roll, mine)
        gone = sorted(mine.keys() - roll.names.keys())
        for each in gone:
            self._principals.remove(each)
        self._write(roll.changed, known=mine.keys())
        self._relate(roll)
        self._connection.run(GO_ON, number=roll.revision)
        return gone

    def _recognize(self, roll: Roll, mine: dict[int, tuple[str, str, str]]) -> None:
        """Refuse what is not the directory that was followed: to follow another one would remove everybody."""
        if roll.revision < self._principals.revision():
            raise StrangeDirectory("it knows less than it knew before: it is another one, or an old copy")
        for id, (kind, uid, guid) in mine.items():
            there = roll.names.get(id)
            if there is not None and there[:2] != (kind, uid) and there[2] != guid:
                raise StrangeDirectory(f"{kind}/{uid} is {there[0]}/{there[1]} there: it is another one")

    def _write(self, changed: Sequence[Principal], known: Iterable[int]) -> None:
        known = set(known)
        for each in changed:  # first, since an address may have gone from one to another
            self._connection.run(CLEAR_ADDRESSES, id=each.id)
            self._connection.run(CLEAR_TERMS, id=each.id)
        for each in changed:
            if each.id in known:
                self._connection.run(UPDATE, which=each.id, **columns_of(each))
        new: list[dict[str, Any]] = [{"id": each.id, **columns_of(each)} for each in changed if each.id not in known]
        self._connection.many(INSERT, new)
        self._connection.dialect.count_on(self._connection.driver, principal.name)
        for each in changed:
            self._principals.name(each)

    def _relate(self, roll: Roll) -> None:
        ids = self._connection.values(each.id for each in roll.changed)
        for clear in (CLEAR_MEMBERS, CLEAR_DELEGATES, CLEAR_PLACEMENTS):
            self._connection.run(clear, ids=ids)
        self._connection.many(INSERT_MEMBER, [{"group_id": g, "member_id": m} for g, m in roll.members])
        self._connection.many(
            INSERT_DELEGATE, [{"principal_id": p, "access": a, "delegate_id": d} for p, a, d in roll.delegates]
        )
        self._connection.many(INSERT_PLACEMENT, [{"principal_id": p, "node": n} for p, n in roll.placements.items()])
