"""Access control lists: who may do what where, as administrators see and change it (RFC 3744).

Where a client may not set a list - on homes - an administrator may: what is granted there holds for all that is in the
home. A list that is changed here begins as the one that was in effect before, so that what everybody has by default
stays until it is revoked.
"""

from collections.abc import Sequence
from typing import Final

import attrs

from calserver.admin import accounts, rights
from calserver.admin.refused import Refused
from calserver.config import Settings
from calserver.dav import (
    Ace,
    Acl,
    BadRequest,
    Entry,
    Extensions,
    Headers,
    Href,
    NeedPrivileges,
    Privileges,
    Request,
    Tree,
    View,
    acl,
)
from calserver.dav import Actor as DavActor
from calserver.directory import PROXIES, Actor
from calserver.store import Transaction
from calserver.tree import StoredCollection, StoredObject

WORDS: Final = {
    "anyone": acl.ALL,
    "all": acl.ALL,
    "authenticated": acl.AUTHENTICATED,
    "anonymous": acl.UNAUTHENTICATED,
    "unauthenticated": acl.UNAUTHENTICATED,
    "owner": acl.OWNER,
}
"""Principals that are no accounts."""

ROOT: Final = Actor(administrator=True, href=Href(("principals", "user", "-"), collection=True))
"""The command line: whoever runs it has the database anyway."""


@attrs.frozen(kw_only=True)
class Rule:
    """An entry of a list as it is shown."""

    who: str
    rights: str
    privileges: tuple[str, ...]
    deny: bool
    everybody_else: bool
    """Whether it is about all but `who`."""
    source: str
    """``own``, ``default``, ``always``, or ``inherited``."""
    inherited_from: str | None = None


@attrs.frozen(kw_only=True)
class Place:
    """What a path leads to, and all entries that count there in their order."""

    path: str
    kind: str
    owner: str
    rules: tuple[Rule, ...]


@attrs.frozen(kw_only=True)
class Held:
    """What somebody may do at a path."""

    path: str
    who: str
    rights: str
    privileges: tuple[str, ...]


@attrs.frozen
class Server:
    """What a server is made of, as far as who may do what depends on it."""

    spoken: Extensions
    tree: Tree
    settings: Settings
    prefix: str


Stored = StoredCollection | StoredObject


# -- looking -----------------------------------------------------------------------------------------------------------


def show(txn: Transaction, server: Server, path: str) -> Place:
    """The access control list at a path.

    Raises:
        Refused: there is nothing, or nothing with a list.
    """
    found = _find(txn, server, path, ROOT)
    names = _Names(txn, found)
    return Place(
        path=str(found.href),
        kind=_kind(found),
        owner=names.of_owner(),
        rules=tuple(_rule(found, each, names) for each in found.access_control),
    )


def held(txn: Transaction, server: Server, path: str, who: str) -> Held:
    """What somebody may do at a path, by all lists, groups and delegations.

    Raises:
        Refused: there is nobody, or nothing.
    """
    principal = accounts.named(txn, who)
    found = _find(txn, server, path, ROOT)
    try:
        seen = server.tree.find(_view(txn, server, found.href, Actor.of(txn, principal)), found.href)
        privileges = seen.privileges if seen.exists else frozenset()
    except NeedPrivileges:
        privileges = frozenset()
    return Held(
        path=str(found.href),
        who=_name(principal.kind, principal.uid),
        rights=rights.letters(privileges, _kind(found)),
        privileges=tuple(sorted(map(rights.word, privileges))),
    )


# -- changing ----------------------------------------------------------------------------------------------------------


def grant(txn: Transaction, server: Server, path: str, who: str, words: Sequence[str], *, deny: bool = False) -> Place:
    """Grant privileges to a principal, or deny them; what the list said the other way of them is taken out.

    Args:
        txn: a writing transaction.
        server: whose.
        path: of a home, a collection or a file.
        who: an account, or one of `WORDS`; ``read-delegates`` and ``write-delegates`` of the owner.
        words: privileges or letters of rights.
        deny: refuse them instead.

    Raises:
        Refused: there is nothing at the path, nobody of this name, or no such privilege.
    """
    found = _find(txn, server, path, ROOT)
    model = _model(found)
    principal = _principal(txn, found, who)
    wanted = model.bits(rights.privileges(words, _kind(found), model.every))
    if not wanted:
        raise Refused("these rights control nothing here")
    before = _without(model, _own(found), principal, wanted, of=not deny)
    _set(found, _with(model, before, principal, wanted, deny=deny))
    return show(txn, server, path)


def revoke(txn: Transaction, server: Server, path: str, who: str, words: Sequence[str] = ()) -> Place:
    """Take privileges of a principal out of the list, granted and denied ones; all of them where none are named.

    Raises:
        Refused: see `grant`; or the list says nothing of this principal.
    """
    found = _find(txn, server, path, ROOT)
    model = _model(found)
    principal = _principal(txn, found, who)
    names = rights.privileges(words, _kind(found), model.every) if words else model.every
    before = _own(found)
    after = before
    for denied in (False, True):
        after = _without(model, after, principal, model.bits(names), of=denied)
    if after == before:
        raise Refused(f"the list of {found.href} itself says nothing of this about {who}")
    _set(found, after)
    return show(txn, server, path)


def reset(txn: Transaction, server: Server, path: str) -> Place:
    """Remove the list, so that what everybody has by default holds again.

    Raises:
        Refused: there is nothing at the path.
    """
    _set(_find(txn, server, path, ROOT), None)
    return show(txn, server, path)


def _without(model: Privileges, entries: Acl, who: acl.Who, bits: int, *, of: bool) -> Acl:
    """A list in which no entry that denies (`of`), or grants, has these privileges for a principal."""
    kept = []
    for each in entries:
        if each.who == who and not each.invert and each.deny is of:
            left = model.shortest(model.bits(each.privileges) & ~bits)
            if not left:
                continue
            each = attrs.evolve(each, privileges=left)
        kept.append(each)
    return tuple(kept)


def _with(model: Privileges, entries: Acl, who: acl.Who, bits: int, *, deny: bool) -> Acl:
    """A list with privileges added: denied ones first, so that they count whatever is granted to groups."""
    found = list(entries)
    for number, each in enumerate(found):
        if each.who == who and not each.invert and each.deny is deny:
            found[number] = attrs.evolve(each, privileges=model.shortest(model.bits(each.privileges) | bits))
            return tuple(found)
    added = Ace(who, model.shortest(bits), deny=deny)
    return (added, *found) if deny else (*found, added)


def _set(found: Stored, entries: Acl | None) -> None:
    objects, collections = found.view.txn.objects, found.view.txn.collections
    if isinstance(found, StoredObject):
        if "ACL" in found.without:
            raise Refused("single calendar objects have the list of their calendar (see calendars.object_acl)")
        objects.set_acl(found.row.id, entries)
    else:
        if found.row.source_id is not None:
            raise Refused("who may do what with a shared calendar is said by the calendar that is shared")
        collections.set_acl(found.row.id, entries)


# -- parts -------------------------------------------------------------------------------------------------------------


def _view(txn: Transaction, server: Server, href: Href, actor: DavActor) -> View:
    request = Request(method="ACL", href=href, headers=Headers(), body=b"", actor=actor, prefix=server.prefix)
    return View(txn, request, server.tree, server.spoken, server.settings)


def _find(txn: Transaction, server: Server, path: str, actor: DavActor) -> Stored:
    """What is at a path, which may begin with the prefix that clients see, or with a slash."""
    path = path.removeprefix(server.prefix).lstrip("/")
    try:
        href = Href.parse(path)
    except BadRequest as error:
        raise Refused(f"{path!r} is no path: {error.reason}") from None
    found = server.tree.find(_view(txn, server, href, actor), href)
    if not found.exists:
        raise Refused(f"there is nothing at {path}")
    if not isinstance(found, StoredCollection | StoredObject):
        raise Refused(f"what is at {path} has no access control list; homes, and what is in them, have")
    return found


def _model(found: Stored) -> Privileges:
    return found.view.spoken.derived(type(found), Privileges)


def _kind(found: Stored) -> str:
    return found.row.kind if isinstance(found, StoredCollection) else "object"


def _own(found: Stored) -> Acl:
    """The entries that are not inherited: those that are stored, or the default ones."""
    if isinstance(found, StoredCollection):
        return found.own_entries
    return found.row.acl or ()


def _principal(txn: Transaction, found: Stored, who: str) -> acl.Who:
    """Whom an entry is about."""
    if who in WORDS:
        return WORDS[who]
    owner = (found if isinstance(found, StoredCollection) else found.parent).row.principal_id
    for name, prefix in PROXIES.items():
        if who == f"{name.rpartition('-')[2]}-delegates":
            return f"{prefix}{owner}"
    return accounts.named(txn, who).id


def _name(kind: str, uid: str) -> str:
    return uid if kind == "user" else f"{kind}/{uid}"


class _Names:
    """How principals are called, found in one query."""

    def __init__(self, txn: Transaction, found: Stored) -> None:
        self._found = found
        whos = {each.ace.who for each in found.access_control}
        self._hrefs = found.view.tree.principal_hrefs(found.view, whos)
        self._words = {who: word for word, who in reversed(WORDS.items())}

    def of_owner(self) -> str:
        """The owner of what is shown."""
        owner = self._found.owner
        return "" if owner is None else _name(*owner.segments[1:3])

    def of(self, who: acl.Who) -> str:
        """A principal of an entry."""
        if who in self._words:
            return self._words[who]
        href = self._hrefs.get(who)
        if href is None:
            return str(who) if isinstance(who, str) else f"(gone: {who})"
        name = _name(*href.segments[1:3])
        return f"{href.segments[3].rpartition('-')[2]}-delegates of {name}" if len(href.segments) == 4 else name


def _rule(found: Stored, entry: Entry, names: _Names) -> Rule:
    model = _model(found)
    privileges = model.held_by(model.bits(entry.ace.privileges))
    if entry.protected:
        source = "always"
    elif entry.inherited is not None:
        source = "inherited"
    else:
        source = "default" if found.row.acl is None else "own"
    return Rule(
        who=names.of(entry.ace.who),
        rights=rights.letters(privileges, _kind(found)),
        privileges=tuple(sorted(map(rights.word, entry.ace.privileges & model.every))),
        deny=entry.ace.deny,
        everybody_else=entry.ace.invert,
        source=source,
        inherited_from=None if entry.inherited is None else str(entry.inherited),
    )
