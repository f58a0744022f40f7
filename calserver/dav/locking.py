"""LOCK and UNLOCK, and the properties that tell of locks (RFC 4918 sections 6, 7, 9.10 and 9.11)."""

import uuid
from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus

import attrs

from calserver.dav import xml
from calserver.dav.access import UNLOCK
from calserver.dav.errors import BadRequest, Forbidden, NeedPrivileges, PreconditionFailed, Unauthorized
from calserver.dav.headers import Depth, depth, lock_token, submitted_tokens, timeout_seconds
from calserver.dav.locks import (
    Lock,
    LockTokenMatchesRequestUri,
    NoConflictingLock,
    guard_content,
    lock_path,
    root_path,
    told,
)
from calserver.dav.message import Request, Response
from calserver.dav.multistatus import status_response
from calserver.dav.namespace import blocked, container
from calserver.dav.resource import Resource, View
from calserver.dav.xml import Element, Markup
from calserver.names import D


@attrs.frozen(slots=True, kw_only=True)
class LockInfo:
    """What a LOCK asks for (RFC 4918 section 14.11)."""

    exclusive: bool
    owner: str

    @classmethod
    def parse(cls, root: Element) -> "LockInfo":
        """Read the element."""
        scope, kind = root.find(D("lockscope")), root.find(D("locktype"))
        scopes = [] if scope is None else [each.tag for each in scope]
        if scopes not in ([D("exclusive")], [D("shared")]) or kind is None or kind.find(D("write")) is None:
            raise BadRequest("a lock is exclusive or shared, and for writing")
        owner = root.find(D("owner"))
        return cls(exclusive=scopes == [D("exclusive")], owner="" if owner is None else xml.stored(owner))


def lock_info(request: Request) -> LockInfo | None:
    """The body of a LOCK; None for an empty one, which refreshes. For `Request.parsed`."""
    if request.parsed(xml.body) is None:
        return None
    return LockInfo.parse(xml.required_body(request, D("lockinfo")))


def lock(request: Request, resource: Resource) -> Response:
    """Lock a resource, or refresh a lock; where nothing is, make an empty resource and lock it (sections 9.10, 7.3)."""
    principal_id = request.actor.principal_id
    if principal_id is None:
        raise Unauthorized("a lock has an owner: authenticate first")
    info = request.parsed(lock_info)
    if info is None:
        return _refresh(request, resource)
    level = request.parsed(depth)
    if level is Depth.ONE:
        raise BadRequest("LOCK takes Depth 0 or infinity")
    deep = level is not Depth.ZERO
    if members := _refuse_conflicts(resource, info, deep):
        failed = status_response(resource.path, HTTPStatus.FAILED_DEPENDENCY)
        return blocked(members, failed, condition=NoConflictingLock)
    view = resource.view
    if view.txn.locks.count(principal_id) >= view.settings.locks:
        raise Forbidden("you hold as many locks as this server gives to one principal")
    if len(info.owner.encode()) > view.settings.property_bytes:
        raise Forbidden("the owner element is larger than this server keeps")
    status = HTTPStatus.OK
    if not resource.exists:
        guard_content(resource)
        resource = container(resource).create_empty(resource.href.name)
        status = HTTPStatus.CREATED
    made = Lock(
        token=f"urn:uuid:{uuid.uuid4()}",
        path=lock_path(resource.href),
        principal_id=principal_id,
        exclusive=info.exclusive,
        deep=deep,
        owner=info.owner,
        expires=view.txn.now + _duration(request, view),
    )
    view.txn.locks.add(made)
    return _told(resource, status, ("Lock-Token", f"<{made.token}>"))


def _duration(request: Request, view: View) -> timedelta:
    asked = timeout_seconds(request)
    most = view.settings.lock_seconds
    return timedelta(seconds=most if asked is None else max(1, min(asked, most)))


def _refuse_conflicts(resource: Resource, info: LockInfo, deep: bool) -> list[str]:
    """Raise for a conflicting lock on the resource; return the paths of members with one (section 9.10.5)."""

    def conflicting(found: Iterable[Lock]) -> list[str]:
        return list(dict.fromkeys(each.path for each in found if each.exclusive or info.exclusive))

    view = resource.view
    path = lock_path(resource.href)
    if above := conflicting(view.txn.locks.covering(path)):
        hrefs = tuple(root_path(resource, each) for each in above)
        raise NoConflictingLock("another lock is in the way", hrefs=hrefs)
    return told(resource, conflicting(view.txn.locks.below(path))) if deep else []


def _refresh(request: Request, resource: Resource) -> Response:
    """Set a new end for the lock that the If header names (section 9.10.2)."""
    view = resource.view
    tokens = request.parsed(submitted_tokens)
    if not tokens:
        raise BadRequest("a LOCK without a body refreshes the lock that the If header names")
    found = [each for each in view.txn.locks.covering(lock_path(resource.href)) if each.token in tokens]
    if not found:
        raise PreconditionFailed("the resource does not have the lock that the If header names")
    for each in found:
        if each.principal_id != request.actor.principal_id:
            raise Forbidden("the lock is not yours")
        view.txn.locks.refresh(each.token, view.txn.now + _duration(request, view))
    return _told(resource, HTTPStatus.OK)


def _told(resource: Resource, status: HTTPStatus, *fields: tuple[str, str]) -> Response:
    resource.view.memory.pop(_Known, None)
    content = xml.element(D("lockdiscovery"), discovery(resource))
    return Response(status, (xml.CONTENT_TYPE, *fields), xml.document(D("prop"), content))


def unlock(request: Request, resource: Resource) -> Response:
    """End a lock (section 9.11): its owner may, and who has ``DAV:unlock`` on the resource (RFC 3744 section 3.5)."""
    locks = resource.view.txn.locks
    found = locks.get(lock_token(request))
    if found is None or not _covers(found, lock_path(resource.href)):
        raise LockTokenMatchesRequestUri("the resource does not have this lock")
    if found.principal_id != request.actor.principal_id and UNLOCK not in resource.privileges:
        raise NeedPrivileges((resource.path, UNLOCK))
    locks.remove(found.token)
    return Response(HTTPStatus.NO_CONTENT)


def _covers(lock: Lock, path: str) -> bool:
    return lock.path == path or (lock.deep and (not lock.path or path.startswith(lock.path + "/")))


# -- properties ----------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True)
class _Known:
    """All locks on and around one path, read once for a whole listing."""

    root: str
    at: dict[str, list[Lock]]
    deep: list[Lock]


def _known(view: View) -> _Known:
    if _Known not in view.memory:
        root = lock_path(view.request.href)
        at: dict[str, list[Lock]] = {}
        found = {each.token: each for each in (*view.txn.locks.covering(root), *view.txn.locks.below(root))}
        for each in found.values():
            at.setdefault(each.path, []).append(each)
        view.memory[_Known] = _Known(root, at, [each for each in found.values() if each.deep])
    known: _Known = view.memory[_Known]
    return known


def _locks_on(resource: Resource) -> Iterable[Lock]:
    known = _known(resource.view)
    path = lock_path(resource.href)
    if path != known.root and known.root and not path.startswith(known.root + "/"):
        return tuple(resource.view.txn.locks.covering(path))
    shallow = [each for each in known.at.get(path, ()) if not each.deep]
    return shallow + [each for each in known.deep if _covers(each, path)]


def discovery(resource: Resource) -> Markup:
    """The content of ``DAV:lockdiscovery`` (RFC 4918 section 15.8)."""
    return xml.join([_active(resource, each) for each in _locks_on(resource)])


def _active(resource: Resource, lock: Lock) -> Markup:
    seconds = max(0, int((lock.expires - resource.view.txn.now).total_seconds()))
    return xml.element(
        D("activelock"),
        xml.element(D("locktype"), xml.element(D("write"))),
        xml.element(D("lockscope"), xml.element(D("exclusive" if lock.exclusive else "shared"))),
        xml.element(D("depth"), "infinity" if lock.deep else "0"),
        Markup(lock.owner),
        xml.element(D("timeout"), f"Second-{seconds}"),
        xml.element(D("locktoken"), xml.href(lock.token)),
        xml.element(D("lockroot"), xml.href(root_path(resource, lock.path))),
    )


def _entry(scope: str) -> Markup:
    return xml.element(
        D("lockentry"),
        xml.element(D("lockscope"), xml.element(D(scope))),
        xml.element(D("locktype"), xml.element(D("write"))),
    )


SUPPORTED = xml.join([_entry("exclusive"), _entry("shared")])
"""The content of ``DAV:supportedlock`` (RFC 4918 section 15.10)."""
