"""A transaction: the subjects over one connection, at one instant."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from calserver.store.changes import SqlChangeLog
from calserver.store.collections import SqlCollections
from calserver.store.copies import SqlCopies
from calserver.store.interface import (
    ChangeLog,
    Collections,
    Copies,
    Journal,
    Locks,
    Meta,
    Moves,
    Objects,
    Peers,
    Placements,
    Principals,
    Rolls,
    Shares,
    Tasks,
    Ties,
)
from calserver.store.journal import SqlJournal
from calserver.store.locks import SqlLocks
from calserver.store.meta import SqlMeta
from calserver.store.moves import SqlMoves
from calserver.store.objects import SqlObjects
from calserver.store.peers import SqlPeers
from calserver.store.placements import SqlPlacements
from calserver.store.principals import SqlPrincipals
from calserver.store.roll import SqlRolls
from calserver.store.shares import SqlShares
from calserver.store.statements import Connection
from calserver.store.tasks import SqlTasks
from calserver.store.ties import SqlTies

_SUBJECTS: Final[Mapping[str, Callable[[Connection, datetime], Any]]] = {
    "changes": lambda connection, now: SqlChangeLog(connection),
    "collections": SqlCollections,
    "copies": lambda connection, now: SqlCopies(connection),
    "journal": lambda connection, now: SqlJournal(connection),
    "locks": SqlLocks,
    "meta": lambda connection, now: SqlMeta(connection),
    "moves": lambda connection, now: SqlMoves(connection),
    "objects": SqlObjects,
    "peers": lambda connection, now: SqlPeers(connection),
    "placements": lambda connection, now: SqlPlacements(connection),
    "principals": SqlPrincipals,
    "rolls": SqlRolls,
    "shares": SqlShares,
    "tasks": SqlTasks,
    "ties": SqlTies,
}


class SqlTransaction:
    """`calserver.store.interface.Transaction` on SQL."""

    __slots__ = ("connection", "now", *_SUBJECTS)

    principals: Principals
    placements: Placements
    rolls: Rolls
    collections: Collections
    objects: Objects
    copies: Copies
    shares: Shares
    changes: ChangeLog
    moves: Moves
    ties: Ties
    locks: Locks
    tasks: Tasks
    journal: Journal
    peers: Peers
    meta: Meta

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.now = now
        self.connection = connection

    def __getattr__(self, name: str) -> Any:
        """A subject, made when it is used for the first time: most transactions are about two or three."""
        if name not in _SUBJECTS:
            raise AttributeError(name)
        made = _SUBJECTS[name](self.connection, self.now)
        setattr(self, name, made)
        return made
