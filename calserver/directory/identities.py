"""Principals as access control entries mean them: by a key in the store, or as the delegates of somebody."""

from collections.abc import Iterable, Mapping
from typing import Final

from calserver.dav import BadRequest, Href, View, acl, local, xml
from calserver.directory.actor import KINDS, SEGMENT, principal_href
from calserver.names import D
from calserver.store import Transaction

PROXIES: Final = {"calendar-proxy-read": acl.READERS, "calendar-proxy-write": acl.WRITERS}
"""The groups of delegates below a principal, by the last segment of their paths (caldav-proxy section 3)."""

MOST_HREFS: Final = 20
"""How many principals a property may name."""


def proxy_href(kind: str, uid: str, name: str) -> Href:
    """Where a group of delegates is."""
    return principal_href(kind, uid).child(name, collection=True)


def identity_at(txn: Transaction, href: Href) -> acl.Who | None:
    """Who is at an href, None where that is no principal."""
    match href.segments:
        case (segment, kind, uid, *below) if segment == SEGMENT and kind in KINDS:
            principal = txn.principals.by_uid(kind, uid)
        case _:
            return None
    if principal is None:
        return None
    if not below:
        return principal.id
    if len(below) == 1 and below[0] in PROXIES and principal.kind != "group":
        return f"{PROXIES[below[0]]}{principal.id}"
    return None


def identity_hrefs(txn: Transaction, whos: Iterable[acl.Who]) -> Mapping[acl.Who, Href]:
    """Where principals are, in one query; those that are gone are left out."""
    wanted = {who: _key(who) for who in whos}
    known = {each.id: each for each in txn.principals.get_many({key for key in wanted.values() if key is not None})}
    found: dict[acl.Who, Href] = {}
    for who, key in wanted.items():
        principal = None if key is None else known.get(key)
        if principal is not None:
            at = principal_href(principal.kind, principal.uid)
            found[who] = at if isinstance(who, int) else at.child(_proxy(who), collection=True)
    return found


def named_in_property(view: View, who: str, properties: Mapping[str, str]) -> list[Href]:
    """The hrefs in a property that clients set, which an entry is about (RFC 3744 section 5.5.1).

    Args:
        view: of the request.
        who: `acl.PROPERTY` with the name of the property.
        properties: those of the resource.
    """
    stored = properties.get(who.removeprefix(acl.PROPERTY))
    if stored is None:
        return []
    uris = [xml.content(each) for each in xml.restored(stored).iter(D("href"))]
    return [href for uri in uris[:MOST_HREFS] if (href := _href(view, uri)) is not None]


def _href(view: View, uri: str) -> Href | None:
    try:
        return local(view.request, uri)
    except BadRequest:
        return None


def _key(who: acl.Who) -> int | None:
    """The key of the principal that an entry names."""
    if isinstance(who, int):
        return who
    prefix, _, key = who.rpartition(":")
    return int(key) if prefix + ":" in PROXIES.values() and key.isdigit() else None


def _proxy(who: str) -> str:
    return next(name for name, prefix in PROXIES.items() if who.startswith(prefix))
