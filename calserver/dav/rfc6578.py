"""Collection synchronization: the sync-collection report and the sync-token property (RFC 6578)."""

from http import HTTPStatus
from typing import Any

import attrs

from calserver.conditions import ConditionFailed
from calserver.dav import xml
from calserver.dav.access import READ
from calserver.dav.allowance import NumberOfMatchesWithinLimits
from calserver.dav.errors import BadRequest
from calserver.dav.extension import Extension
from calserver.dav.headers import Depth, depth
from calserver.dav.message import Request, Response
from calserver.dav.multistatus import Multistatus, status_response
from calserver.dav.properties import Properties, Wanted, named
from calserver.dav.resource import Collection
from calserver.dav.xml import Element
from calserver.names import D


class ValidSyncToken(ConditionFailed):
    """The token is not one of this collection, or it is too old (RFC 6578 section 3.2)."""

    name = D("valid-sync-token")


rfc6578 = Extension("RFC 6578", conditions=(ValidSyncToken, NumberOfMatchesWithinLimits))

MOST_TOKEN_CHARACTERS = 512
LEVELS = {"1": False, "infinite": True, "infinity": True}
"""Whether a ``DAV:sync-level`` goes below the members; the last is the word of Depth, which clients mix up."""


@attrs.frozen(slots=True, kw_only=True)
class SyncCollection:
    """What a sync-collection report asks (RFC 6578 section 6.1). ``deep`` is None where it has no sync-level."""

    token: str | None
    deep: bool | None
    limit: int | None
    wanted: Wanted

    @classmethod
    def parse(cls, root: Element) -> "SyncCollection":
        """Read the element."""
        level = root.find(D("sync-level"))
        if level is not None and xml.content(level) not in LEVELS:
            raise BadRequest("DAV:sync-level is 1 or infinite")
        token = xml.content(root.find(D("sync-token")))
        if len(token) > MOST_TOKEN_CHARACTERS:
            raise ValidSyncToken("this is not a sync token of this server")
        return cls(
            token=token or None,
            deep=None if level is None else LEVELS[xml.content(level)],
            limit=_limit(root),
            wanted=Wanted(elements=named(root.find(D("prop")))),
        )


def _limit(root: Element) -> int | None:
    """``DAV:limit`` (RFC 5323 section 5.17)."""
    limit = root.find(D("limit"))
    if limit is None:
        return None
    text = xml.content(limit.find(D("nresults")))
    if not (text.isascii() and text.isdigit() and int(text[:12]) > 0):
        raise BadRequest("DAV:nresults is a positive number")
    return int(text[:12])


@rfc6578.property(D("sync-token"), on=Collection)
def sync_token(collection: Collection) -> str | None:
    """Names the present state (section 4); not in ``DAV:allprop``."""
    return collection.sync_token


@rfc6578.report(D("sync-collection"), on=Collection, body=SyncCollection.parse, needs="changes", brief=True)
def sync_collection(request: Request, collection: Collection, asked: SyncCollection) -> Response:
    """What changed since a token (section 3.2).

    The Depth header is to be 0; but where there is no sync-level it says what that would (an older draft, which some
    clients still speak). An initial report begins with the collection itself, as clients know it from other servers,
    unless the collection has to say that there is more: an href is there once (RFC 4918 section 14.24).
    """
    collection.require(READ)
    level = request.parsed(depth)
    deep = level is Depth.INFINITY if asked.deep is None else asked.deep
    most = collection.view.settings.query_results
    limit = most if asked.limit is None else min(asked.limit, most)
    names = frozenset(asked.wanted.elements)
    changes = collection.rendered_changes(asked.token, deep=deep, limit=limit, names=names)
    if changes is None:
        changes = collection.changes(asked.token, deep=deep, limit=limit)
    properties = Properties(collection.view, asked.wanted)
    answer = Multistatus()
    if asked.token is None and not changes.truncated:
        answer.add(properties.response(collection))
    for each in changes.changes:
        if each.resource is None:
            answer.add(status_response(collection.view.path(each.href), HTTPStatus.NOT_FOUND))
        else:
            answer.add(properties.response(each.resource))
    answer.extend(changes.rendered)
    if changes.truncated:
        answer.add(_truncated(collection))
    return answer.answer(sync_token=changes.token)


def _truncated(collection: Any) -> str:
    """There is more: a response for the collection itself (section 3.6)."""
    error = xml.element(NumberOfMatchesWithinLimits.name)
    return status_response(collection.path, HTTPStatus.INSUFFICIENT_STORAGE, error=error)
