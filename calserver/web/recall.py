"""Answers by heart: what was asked before is answered from memory as long as it is proven to be current.

Polls that find nothing changed are the bulk of a calendar server's load. Nearly all of them repeat a request of some
minutes ago word for word, so the answer of that time is kept, with what the store knew before it was made: the data
version, and the stamp of the home that the path is in. The same version, or an equal stamp, proves that nothing has
changed that could be seen in the answer. Nothing here expires by time, so what depends on time - locks, and answers
that say ``no-store`` - is not kept.
"""

from collections import OrderedDict
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import attrs

from calserver.auth import Login
from calserver.dav import Href, Response
from calserver.store import Stamp, Store, Transaction
from calserver.web.request import Request

METHODS: Final = frozenset({b"OPTIONS", b"PROPFIND", b"GET", b"HEAD", b"REPORT"})
"""Of the reports only sync-collection: others may look beyond the home that the path is in."""
LARGEST_BYTES: Final = 16 * 1024
"""Larger bodies are not kept: making them costs more than the way to it, and they are asked for seldom."""
MOST_HOMES: Final = 20_000
OVERHEAD_BYTES: Final = 1024
"""About what an entry takes besides its key and body."""

NO_STORE: Final = ("Cache-Control", "no-store")

_IRRELEVANT: Final = frozenset(
    b"""accept-encoding authorization connection content-length cookie date forwarded keep-alive te x-forwarded-for
    x-forwarded-host x-forwarded-proto x-request-id via""".split()
)
"""Fields that no handler looks at; what the forwarded ones amount to is in the key."""

Key = tuple[int, bool, str, bytes, bytes, bytes, bytes]


@attrs.define(slots=True)
class Home:
    """The home that a path is in; which row it is turns out in the first transaction that looks."""

    home_kind: str
    principal_kind: str
    uid: str
    id: int | None = None

    def stamp(self, txn: Transaction) -> Stamp | None:
        """The stamp of the home as a transaction sees it; None where there is none."""
        if self.id is None:
            rows = txn.collections.locate(self.principal_kind, self.uid, self.home_kind, ())
            if not rows:
                return None
            self.id = rows[0].id
        found = txn.collections.stamp(self.id)
        if found is None:
            self.id = None
        return found


@attrs.define(slots=True)
class Remembered:
    """An answer, and what proves it."""

    response: Response
    home_id: int
    stamp: Stamp
    version: int
    revision: int
    """Of the principal that asked: the rights with which the answer was made."""
    size_bytes: int


class Recall:
    """The answers that are known by heart.

    Args:
        store: says what has changed.
        home_kinds: kinds of homes by the first segment of their paths.
        most_bytes: all that is kept; what was not asked for the longest goes first.
    """

    def __init__(self, store: Store, home_kinds: Mapping[str, str], *, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._store = store
        self._home_kinds = home_kinds
        self._homes: OrderedDict[tuple[str, ...], Home] = OrderedDict()
        self._answers: OrderedDict[Key, Remembered] = OrderedDict()
        self._size_bytes = 0

    def key(self, request: Request, login: Login) -> Key | None:
        """What makes a request the same as another one; None for those that are never kept."""
        method, body = request.method, request.body
        if (
            method not in METHODS
            or len(body) > LARGEST_BYTES
            or (method == b"REPORT" and b"sync-collection" not in body)
        ):
            return None
        fields = b"\n".join(
            [
                b"%b:%b" % (name, b"\n ".join(values))
                for name, values in request.requestHeaders.getAllRawHeaders()
                if name.lower() not in _IRRELEVANT
            ]
        )
        origin = request.origin
        return (
            login.actor.principal_id or 0,
            origin.secure,
            origin.host,
            method,
            request.uri,
            fields,
            body,
        )

    def home(self, href: Href) -> Home | None:
        """The home that a path is in."""
        where = href.segments[:3]
        found = self._homes.get(where)
        if found is None and len(where) == 3 and where[0] in self._home_kinds:
            found = self._homes[where] = Home(self._home_kinds[where[0]], where[1], where[2])
            if len(self._homes) > MOST_HOMES:
                self._homes.popitem(last=False)
        return found

    def find(self, key: Key, login: Login, version: int) -> Response | None:
        """The answer to a request, if it is proven.

        Args:
            key: of the request.
            login: who asks now.
            version: the store's data version now.
        """
        found = self._answers.get(key)
        if found is None:
            return None
        if found.version != version:
            if self._store.stamp(found.home_id) != found.stamp:
                self._drop(key)
                return None
            found.version = version
        if found.revision != login.revision:
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return found.response

    def keep(self, key: Key, response: Response, *, login: Login, home: Home, stamp: Stamp, version: int) -> None:
        """Remember an answer.

        Args:
            key: of the request.
            response: the answer.
            login: who asked, proven to be current by the transaction that made the answer.
            home: the home that the path is in.
            stamp: of that home, as the transaction saw it.
            version: the store's data version before the transaction.
        """
        body = response.body
        if (
            home.id is None
            or response.status not in (HTTPStatus.OK, HTTPStatus.MULTI_STATUS)
            or not isinstance(body, bytes)
            or len(body) > LARGEST_BYTES
            or b"activelock" in body
            or NO_STORE in response.headers
        ):
            return
        size = len(body) + len(key[-1]) + len(key[-2]) + OVERHEAD_BYTES
        self._drop(key)
        self._answers[key] = Remembered(response, home.id, stamp, version, login.revision, size)
        self._size_bytes += size
        while self._size_bytes > self._most_bytes:
            self._size_bytes -= self._answers.popitem(last=False)[1].size_bytes

    def _drop(self, key: Key) -> None:
        dropped = self._answers.pop(key, None)
        if dropped is not None:
            self._size_bytes -= dropped.size_bytes
