"""A transaction: the subjects over one connection, at one instant."""

from datetime import datetime

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
    Objects,
    Peers,
    Principals,
    Shares,
    Tasks,
)
from calserver.store.journal import SqlJournal
from calserver.store.locks import SqlLocks
from calserver.store.meta import SqlMeta
from calserver.store.objects import SqlObjects
from calserver.store.peers import SqlPeers
from calserver.store.principals import SqlPrincipals
from calserver.store.shares import SqlShares
from calserver.store.statements import Connection
from calserver.store.tasks import SqlTasks


class SqlTransaction:
    """`calserver.store.interface.Transaction` on SQL."""

    __slots__ = (
        "changes",
        "collections",
        "connection",
        "copies",
        "journal",
        "locks",
        "meta",
        "now",
        "objects",
        "peers",
        "principals",
        "shares",
        "tasks",
    )

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.now = now
        self.connection = connection
        self.principals: Principals = SqlPrincipals(connection, now)
        self.collections: Collections = SqlCollections(connection, now)
        self.objects: Objects = SqlObjects(connection, now)
        self.copies: Copies = SqlCopies(connection)
        self.shares: Shares = SqlShares(connection, now)
        self.changes: ChangeLog = SqlChangeLog(connection)
        self.locks: Locks = SqlLocks(connection, now)
        self.tasks: Tasks = SqlTasks(connection, now)
        self.journal: Journal = SqlJournal(connection)
        self.peers: Peers = SqlPeers(connection)
        self.meta: Meta = SqlMeta(connection)
