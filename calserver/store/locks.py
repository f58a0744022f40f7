"""WebDAV locks (RFC 4918 section 6). Expired ones are as good as gone; each new lock sweeps them out."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import BindParameter, and_, bindparam, delete, func, or_, select, update

from calserver.dav import Lock
from calserver.store import revisions
from calserver.store.rows import instant, microseconds
from calserver.store.schema import lock
from calserver.store.statements import Connection, Row, Statement, inserting

_l = lock.c
_alive = _l.expires > bindparam("now")
_inside = and_(_l.path > bindparam("low"), _l.path < bindparam("high"))

BELOW = Statement(select(lock).where(_inside, _alive).order_by(_l.path, _l.token))
GET = Statement(select(lock).where(_l.token == bindparam("token"), _alive))
INSERT = Statement(inserting(lock))
PURGE = Statement(delete(lock).where(_l.expires <= bindparam("now")))
REFRESH = Statement(
    update(lock).values(expires=bindparam("until")).where(_l.token == bindparam("which"), _l.expires > bindparam("now"))
)
REMOVE = Statement(delete(lock).where(_l.token == bindparam("token")))
REMOVE_BELOW = Statement(delete(lock).where(or_(_l.path == bindparam("path"), _inside)))
NUMBER_OF = Statement(select(func.count()).where(_l.principal_id == bindparam("principal_id"), _alive))


@lru_cache(maxsize=64)
def _covering(levels: int) -> Statement:
    """Of locks on so many paths ``above0`` ... one below the other; each write asks, and the paths are few."""
    above: list[BindParameter[str]] = [bindparam(f"above{level}") for level in range(levels)]
    counts = or_(_l.deep, _l.path == bindparam("path"), _l.path == bindparam("also"))
    return Statement(select(lock).where(_l.path.in_(above), counts, _alive).order_by(_l.path, _l.token))


def _bounds(path: str) -> dict[str, str]:
    """Between what all paths below a path lie: those that go on with a slash, and "0" is what follows it."""
    return {"low": path + "/", "high": path + "0"} if path else {"low": "", "high": "\x7f"}


def _lock(row: Row) -> Lock:
    token, path, principal_id, exclusive, deep, owner, expires = row
    return Lock(
        token=token,
        path=path,
        principal_id=principal_id,
        exclusive=bool(exclusive),
        deep=bool(deep),
        owner=owner,
        expires=instant(expires),
    )


class SqlLocks:
    """`calserver.store.interface.Locks` on SQL."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = microseconds(now)

    def covering(self, path: str, *, parent: bool = False) -> Sequence[Lock]:
        """Locks on the path itself, and deep ones on what lies above it; with `parent` all on what is right above."""
        steps = path.split("/")
        above = ["", *("/".join(steps[: depth + 1]) for depth in range(len(steps)))]
        also = above[-2] if parent else path
        named = {f"above{level}": each for level, each in enumerate(above)}
        rows = self._connection.all(_covering(len(above)), **named, path=path, also=also, now=self._now)
        return [_lock(row) for row in rows]

    def below(self, path: str) -> Sequence[Lock]:
        """Locks on anything below a path."""
        return [_lock(row) for row in self._connection.all(BELOW, **_bounds(path), now=self._now)]

    def get(self, token: str) -> Lock | None:
        """By token."""
        row = self._connection.one(GET, token=token, now=self._now)
        return None if row is None else _lock(row)

    def add(self, lock: Lock) -> None:
        """Insert."""
        self.purge()
        self._connection.run(
            INSERT,
            token=lock.token,
            path=lock.path,
            principal_id=lock.principal_id,
            exclusive=lock.exclusive,
            deep=lock.deep,
            owner=lock.owner,
            expires=microseconds(lock.expires),
        )
        revisions.count(self._connection, "locks")

    def refresh(self, token: str, expires: datetime) -> None:
        """Set a new end."""
        self._changed(self._connection.run(REFRESH, which=token, until=microseconds(expires), now=self._now))

    def remove(self, token: str) -> None:
        """Remove."""
        self._changed(self._connection.run(REMOVE, token=token))

    def remove_below(self, path: str) -> None:
        """Remove the locks rooted at a path or below it (it was deleted or moved)."""
        self._changed(self._connection.run(REMOVE_BELOW, path=path, **_bounds(path)))

    def count(self, principal_id: int) -> int:
        """How many locks a principal holds."""
        number: int = self._connection.value(NUMBER_OF, principal_id=principal_id, now=self._now)
        return number

    def purge(self) -> int:
        """Forget the expired ones; returns how many."""
        return self._changed(self._connection.run(PURGE, now=self._now))

    def _changed(self, rows: int) -> int:
        if rows:
            revisions.count(self._connection, "locks")
        return rows
