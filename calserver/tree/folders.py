"""Collections that are not in the store: the root of the tree, and what holds the homes (``calendars/``)."""

from collections.abc import Callable, Iterator, Sequence

from calserver.dav import Ace, Collection, Entry, Href, Resource, View, acl
from calserver.dav.access import READ_ACL
from calserver.tree import access, listing

Contents = Callable[[View], Iterator[Resource]]


class Folder(Collection):
    """A collection that clients can only look at; `contents` lists what the actor may see of it."""

    content_type = listing.CONTENT_TYPE

    def __init__(self, view: View, href: Href, contents: Contents) -> None:
        super().__init__(view, href)
        self._contents = contents

    @property
    def privileges(self) -> frozenset[str]:
        """Whoever has authenticated may look."""
        actor = self.view.request.actor
        if actor.administrator:
            return access.LOOK | {READ_ACL}
        return access.LOOK if actor.href is not None else access.NOTHING

    @property
    def access_control(self) -> Sequence[Entry]:
        """The same as entries."""
        return (Entry(Ace(acl.AUTHENTICATED, access.LOOK), protected=True),)

    def members(self, wanted: frozenset[str] | None = None) -> Iterator[Resource]:
        """What the actor may see."""
        return self._contents(self.view)

    def member(self, name: str) -> Resource | None:
        """One of them."""
        found = self.view.find(self.href.child(name))
        return found if found.exists else None

    def read(self) -> bytes:
        """A page that lists the members."""
        return listing.page(self)
