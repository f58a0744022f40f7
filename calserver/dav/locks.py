"""Write locks (RFC 4918 sections 6 and 7): the value, what stands in the way of a change, and the If header."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import attrs

from calserver.conditions import ConditionFailed
from calserver.dav.conditional import strongly_equal
from calserver.dav.errors import BadRequest, NeedPrivileges, PreconditionFailed
from calserver.dav.headers import ConditionList, if_lists, local, submitted_tokens
from calserver.dav.href import Href
from calserver.dav.message import Request
from calserver.names import D

if TYPE_CHECKING:
    from calserver.dav.resource import Resource, View

MOST_IF_RESOURCES = 50
"""How many resources one If header may name."""


@attrs.frozen(slots=True, kw_only=True)
class Lock:
    """A WebDAV lock (RFC 4918 section 6). ``path`` is the href below the DAV root, escaped, without a final slash."""

    token: str
    path: str
    principal_id: int
    exclusive: bool
    deep: bool
    owner: str
    """The DAV:owner element as XML text; empty where none was sent."""
    expires: datetime


class Locks(Protocol):
    """What ``view.txn.locks`` offers: locks that have not expired at ``view.txn.now``."""

    def covering(self, path: str, *, parent: bool = False) -> Sequence[Lock]:
        """Locks on the path itself, and deep ones on what lies above it; with `parent` all on what is right above."""

    def below(self, path: str) -> Sequence[Lock]:
        """Locks on anything below a path."""

    def get(self, token: str) -> Lock | None:
        """By token."""

    def add(self, lock: Lock) -> None:
        """Insert."""

    def refresh(self, token: str, expires: datetime) -> None:
        """Set a new end."""

    def remove(self, token: str) -> None:
        """Remove."""

    def remove_below(self, path: str) -> None:
        """Remove the locks rooted at a path or below it."""

    def count(self, principal_id: int) -> int:
        """How many locks a principal holds."""


class LockTokenSubmitted(ConditionFailed):
    """A lock stands in the way whose token its owner did not submit (RFC 4918 section 16)."""

    name = D("lock-token-submitted")
    status = HTTPStatus.LOCKED


class NoConflictingLock(ConditionFailed):
    """Another lock excludes the one asked for (RFC 4918 section 16)."""

    name = D("no-conflicting-lock")
    status = HTTPStatus.LOCKED


class LockTokenMatchesRequestUri(ConditionFailed):
    """The lock of this token does not cover the resource (RFC 4918 section 16)."""

    name = D("lock-token-matches-request-uri")
    status = HTTPStatus.CONFLICT


def lock_path(href: Href) -> str:
    """An href as the locks know it."""
    return str(href).rstrip("/")


def root_path(resource: "Resource", path: str) -> str:
    """The absolute path of a lock that covers a resource, or its collection.

    Where it is not that of the resource itself it is that of a collection above, and ends in a slash.
    """
    if path == lock_path(resource.href):
        return resource.path
    return resource.view.request.prefix + path + ("/" if path else "")


def held(view: "View", lock: Lock) -> bool:
    """Whether the asker owns the lock and submitted its token (RFC 4918 section 6.4)."""
    owner = view.request.actor.principal_id
    return lock.principal_id == owner and lock.token in view.request.parsed(submitted_tokens)


def in_the_way(view: "View", locks: Iterable[Lock]) -> list[str]:
    """Paths below the DAV root that are locked, and for which no token was submitted.

    Of several locks on one path, which are shared then, one token is enough (RFC 4918 section 7).
    """
    roots: dict[str, bool] = {}
    for lock in locks:
        roots[lock.path] = roots.get(lock.path, False) or held(view, lock)
    return [path for path, free in roots.items() if not free]


def _check(resource: "Resource", locks: Iterable[Lock]) -> None:
    if blocked := in_the_way(resource.view, locks):
        hrefs = tuple(root_path(resource, each) for each in blocked)
        raise LockTokenSubmitted("a lock stands in the way", hrefs=hrefs)


def guard_content(resource: "Resource") -> None:
    """Check that no lock keeps the asker from changing a resource, or from making it where nothing is.

    Making one also changes its collection (RFC 4918 section 7.4).
    """
    _check(resource, resource.view.txn.locks.covering(lock_path(resource.href), parent=not resource.exists))


def guard_binding(resource: "Resource") -> None:
    """Check the locks on a resource and on the collection that it is to be taken out of, or put into."""
    _check(resource, resource.view.txn.locks.covering(lock_path(resource.href), parent=True))


def locked_members(resource: "Resource") -> list[str]:
    """Absolute paths of locks below a collection for which no token was submitted."""
    view = resource.view
    if not resource.is_collection:
        return []
    return told(resource, in_the_way(view, view.txn.locks.below(lock_path(resource.href))))


def told(resource: "Resource", paths: Iterable[str]) -> list[str]:
    """Absolute paths of what is locked below a collection; for what the asker may not see, that of the collection."""
    view = resource.view
    found: dict[str, None] = {}
    for path in paths:
        try:
            locked = view.find(Href.parse(path))
        except NeedPrivileges:
            locked = resource
        found[locked.path if locked.exists else resource.path] = None
    return list(found)


def unguarded(resource: "Resource") -> None:
    """No lock matters to the method, or its handler sees to it."""


# -- the If header -------------------------------------------------------------------------------------------------


def check_if(resource: "Resource") -> None:
    """Evaluate the If header of a request to `resource` (RFC 4918 section 10.4.3).

    Raises:
        PreconditionFailed: none of its lists holds.
        BadRequest: it cannot be read, or names more resources than is sensible.
    """
    request = resource.view.request
    lists = request.parsed(if_lists)
    if not lists:
        return
    if len({each.resource for each in lists}) > MOST_IF_RESOURCES:
        raise BadRequest("the If header names too many resources")
    states: dict[str, _State] = {}
    for each in lists:
        if each.resource not in states:
            states[each.resource] = _state_of(resource, each.resource)
        if _holds(each, states[each.resource]):
            return
    raise PreconditionFailed("no list of the If header holds")


@attrs.frozen(slots=True)
class _State:
    """What a resource is known by: its entity tag and its state tokens."""

    etag: str | None = None
    tokens: frozenset[str] = frozenset()


def _state_of(resource: "Resource", tag: str) -> _State:
    """The state of the resource that a tag names; nothing for one elsewhere, or that the asker may not read."""
    view = resource.view
    if tag:
        href = _local(view.request, tag)
        if href is None:
            return _State()
        if href != resource.href:
            try:
                resource = view.find(href)
            except NeedPrivileges:
                return _State()
    tokens = {lock.token for lock in view.txn.locks.covering(lock_path(resource.href))}
    if resource.exists and D("read") in resource.privileges:
        tokens.update(resource.state_tokens)
        return _State(resource.etag, frozenset(tokens))
    return _State(None, frozenset(tokens))


def _local(request: Request, tag: str) -> Href | None:
    try:
        return local(request, tag)
    except BadRequest:
        return None


def _holds(conditions: ConditionList, state: _State) -> bool:
    """Whether all conditions of a list hold; entity tags compare strongly."""
    return all(
        (each.token in state.tokens if each.token else strongly_equal(state.etag, each.etag)) is not each.negated
        for each in conditions.conditions
    )
