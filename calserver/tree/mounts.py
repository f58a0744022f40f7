"""Where everything is: the first segment of a path leads to a mount, which finds the rest.

`Mounts` is the `calserver.dav.Tree` of the server. `Homes` are the mounts with homes in them; the directory's
principals are another one.

What is hidden. A path that the actor may not look into is refused with ``DAV:need-privileges`` in the same way
whether there is something or not, so that nobody learns what others have, or who has an account (RFC 3744 section 9).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, Protocol

import attrs

from calserver.dav import Collection, Href, MethodNotAllowed, NeedPrivileges, Resource, Unmapped, View, acl
from calserver.directory import identity_at, identity_hrefs, principal_href
from calserver.names import D
from calserver.store import Collection as CollectionRow
from calserver.tree.collections import StoredCollection
from calserver.tree.estate import Estate, Kinds
from calserver.tree.folders import Folder

ROOT: Final = Href((), collection=True)
HOME_SEGMENTS: Final = 3
"""Of the path of a home: mount, kind and uid of the principal."""


class Mount(Protocol):
    """What is below one name in the root."""

    @property
    def name(self) -> str:
        """The first segment of its paths."""

    def find(self, view: View, href: Href) -> Resource:
        """The resource at a path that begins with `name`."""


class Mounts:
    """The tree: the root and its mounts."""

    def __init__(self, mounts: Iterable[Mount]) -> None:
        self._mounts = {mount.name: mount for mount in mounts}

    def find(self, view: View, href: Href) -> Resource:
        """The resource at an href; `Unmapped` where there is none.

        Raises:
            NeedPrivileges: the actor may not know what is there.
        """
        if not href.segments:
            return Folder(view, ROOT, self._contents)
        mount = self._mounts.get(href.segments[0])
        if mount is not None:
            return mount.find(view, href)
        return Unmapped(view, href, Folder(view, ROOT, self._contents) if len(href.segments) == 1 else None)

    def principal_at(self, view: View, href: Href) -> acl.Who | None:
        """The principal that an access control entry means by an href."""
        return identity_at(view.txn, href)

    def principal_hrefs(self, view: View, principals: Iterable[acl.Who]) -> Mapping[acl.Who, Href]:
        """Where principals are that entries mean."""
        return identity_hrefs(view.txn, principals)

    def _contents(self, view: View) -> Iterator[Resource]:
        for name, mount in self._mounts.items():
            yield mount.find(view, ROOT.child(name, collection=True))


@attrs.frozen(kw_only=True)
class Homes:
    """A mount with homes: ``<name>/<kind of principal>/<uid>/``, and what is below them."""

    name: str
    home_kind: str
    """``Collection.kind`` of the homes."""
    kinds: Kinds
    principal_kinds: tuple[str, ...] = ("user",)
    wanted: Mapping[tuple[str, str], str] = attrs.field(factory=dict)
    """What is named as missing where not ``DAV:read``: by method and name in a home, whether there is that or not."""
    branches: "Homes | None" = None
    """What is looked into first: parts of homes that are at another node."""

    def find(self, view: View, href: Href) -> Resource:
        """The resource at an href: found by two queries, however deep it is."""
        match href.segments:
            case (_,):
                return self._top(view)
            case (_, kind) if kind in self.principal_kinds:
                return self._homes(view, kind)
            case (_, kind, uid, *names) if kind in self.principal_kinds:
                return self._below(view, href, kind, uid, names)
            case (_, _):
                return Unmapped(view, href, self._top(view))
            case _:
                return Unmapped(view, href, None)

    def home(self, view: View, kind: str, uid: str) -> StoredCollection | None:
        """The home of a principal, whoever asks."""
        rows = view.txn.collections.locate(kind, uid, self.home_kind, ())
        return self._home(view, kind, uid, rows[0]) if rows else None

    def home_href(self, kind: str, uid: str) -> Href:
        """Where the home of a principal is."""
        return _home_href(self.name, kind, uid)

    def _home(self, view: View, kind: str, uid: str, row: CollectionRow) -> StoredCollection:
        estate = Estate(row, self.home_href(kind, uid), principal_href(kind, uid), self.kinds)
        return self.kinds.home(view, estate.href, row, estate)

    def _below(self, view: View, href: Href, kind: str, uid: str, names: Sequence[str]) -> Resource:
        actor = view.request.actor
        owner = actor.administrator or actor.href == principal_href(kind, uid)
        if self.branches is not None and self.branches.home(view, kind, uid) is not None:
            return self.branches.find(view, href)
        rows = view.txn.collections.locate(kind, uid, self.home_kind, names, remember=owner)
        if not rows:
            if not owner:
                raise self._refusal(view, href, names)
            return Unmapped(view, href, self._homes(view, kind) if not names else None)
        way = [self._home(view, kind, uid, rows[0])]
        for row in rows[1:]:
            way.append(way[-1].collection_of(row))
        if len(way) == len(names) + 1 and way[-1].privileges:
            return way[-1]
        hidden = False
        while way and not way[-1].privileges:
            hidden = True
            way.pop()
        if not way or not way[-1].findable:
            raise self._refusal(view, href, names)
        missing = names[len(way) - 1 :]
        if len(missing) > 1:
            return Unmapped(view, href, None)
        found = None if hidden else way[-1].object_named(missing[0])
        if found is not None and found.privileges:
            return found
        return Unmapped(view, href, way[-1], taken=hidden or found is not None)

    def _refusal(self, view: View, href: Href, names: Sequence[str]) -> Exception:
        """The answer where the actor may not know whether there is something.

        What no home can do is refused as for any home.
        """
        request = view.request
        methods = view.spoken.methods(self.kinds.home)
        if not names and request.href == href and request.actor.href is not None and request.method not in methods:
            return MethodNotAllowed("homes do not have this method", {"Allow": ", ".join(sorted(methods))})
        wanted = self.wanted.get((request.method, names[0]), D("read")) if len(names) == 1 else D("read")
        return NeedPrivileges((view.path(href), wanted))

    def _top(self, view: View) -> Collection:
        def contents(view: View) -> Iterator[Resource]:
            return (self._homes(view, kind) for kind in self.principal_kinds)

        return Folder(view, Href((self.name,), collection=True), contents)

    def _homes(self, view: View, kind: str) -> Collection:
        def contents(view: View) -> Iterator[Resource]:
            actor = view.request.actor
            if actor.administrator:
                for uid, row in view.txn.collections.homes(kind, self.home_kind):
                    yield self._home(view, kind, uid, row)
            elif actor.href is not None and actor.href.segments[1:2] == (kind,):
                row = view.txn.collections.home(actor.principal_id, self.home_kind)
                if row is not None:  # one that has left for another node is listed there
                    yield self._home(view, kind, actor.href.name, row)

        return Folder(view, Href((self.name, kind), collection=True), contents)


@lru_cache(maxsize=4096)
def _home_href(name: str, kind: str, uid: str) -> Href:
    return Href((name, kind, uid), collection=True)
