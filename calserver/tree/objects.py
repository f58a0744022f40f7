"""Objects of the store as WebDAV resources: members with content."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from calserver.dav import Acl, Conflict, Entry, Forbidden, Href, Request, Resource, View, Written
from calserver.store import Object
from calserver.tree import access

if TYPE_CHECKING:
    from calserver.tree.collections import StoredCollection

UNKNOWN: Final = "application/octet-stream"
"""What content is when nobody says (RFC 9110 section 8.3)."""

UNTRUSTED: Final = (("Content-Security-Policy", "sandbox"), ("X-Content-Type-Options", "nosniff"))
"""Header fields that keep what clients stored from running as a page of this site in a browser."""


def content_etag(text: bytes) -> str:
    """The bare entity tag of content: the same bytes have the same tag."""
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def lock_path(href: Href) -> str:
    """How locks name a resource."""
    return str(href).rstrip("/")


class StoredObject(Resource):
    """A member with content."""

    lockable = True
    headers: tuple[tuple[str, str], ...] = UNTRUSTED

    def __init__(self, view: View, href: Href, row: Object, parent: "StoredCollection") -> None:
        super().__init__(view, href)
        self._parent = parent
        self._take(row)

    @property
    def parent(self) -> "StoredCollection":
        """The collection that it is in."""
        return self._parent

    def _take(self, row: Object) -> None:
        self.row = row
        self.etag = f'"{row.etag}"'
        self.content_type = row.content_type
        self.content_length = row.size
        self.created = row.created
        self.modified = row.modified
        self.resource_id = f"urn:uuid:{row.resource_id}"
        self.owner = self._parent.owner

    @property
    def entries(self) -> Acl:
        """All access control entries that count here, its own first."""
        return (*(self.row.acl or ()), *self._parent.passed_on)

    @property
    def privileges(self) -> frozenset[str]:
        """What the actor holds here: mostly the same as on all members of the collection."""
        if self.row.acl is None and not self._parent.varied:
            return self._parent.member_privileges
        return self._own_privileges

    @property
    def access_control(self) -> Sequence[Entry]:
        """All entries with where they come from."""
        return access.shown(self.view, self._parent.row, self.row.acl or (), self._parent.sources, self._parent.estate)

    @property
    def inherited_acl_set(self) -> Sequence[Href]:
        """The collections whose entries it inherits."""
        return tuple(href for href, _ in self._parent.sources)

    def set_acl(self, acl: Acl) -> None:
        """Replace its own entries; the ETag stays."""
        self._take(self.view.txn.objects.set_acl(self.row.id, acl))

    @cached_property
    def _own_privileges(self) -> frozenset[str]:
        return access.held(self.view, self._parent.row, type(self), lambda: self.entries, self.row.properties)

    @property
    def stored_properties(self) -> Mapping[str, str]:
        """What clients have set."""
        return self.row.properties

    def store_properties(self, changes: Mapping[str, str | None]) -> None:
        """Set or remove stored properties; the ETag stays."""
        self._take(self.view.txn.objects.patch(self.row.id, properties=merged(self.row.properties, changes)))

    def read(self) -> bytes:
        """The content as it was stored."""
        content: bytes = self.view.txn.objects.text(self.row.id)
        return content

    def write(self, request: Request) -> Written:
        """Replace the content; the resource id and the stored properties stay."""
        return self._parent.store(self.href.name, request)

    def delete(self) -> None:
        """Remove it, and the locks on it."""
        self.view.txn.objects.remove(self.row.id)
        self.view.txn.locks.remove_below(lock_path(self.href))

    def copy(self, target: Resource, *, deep: bool = True) -> None:
        """Copy content and properties (RFC 4918 section 9.8); the copy has a resource id of its own."""
        place, replaced = landing(self, target)
        place.receive_object(self, target.href.name, copy=True, replaced=replaced)

    def check_leaving(self) -> None:
        """Raise a refusal where it cannot be moved to another home, whatever that is."""

    def move(self, target: Resource) -> None:
        """Move it with its resource id (RFC 4918 section 9.9, RFC 5842 section 3.1); its locks do not move."""
        place, replaced = landing(self, target)
        place.receive_object(self, target.href.name, copy=False, replaced=replaced)
        self.view.txn.locks.remove_below(lock_path(self.href))


@runtime_checkable
class Receiver(Protocol):
    """A collection that takes what is copied or moved into it."""

    def receive_object(self, source: StoredObject, name: str, *, copy: bool, replaced: Resource | None) -> Resource:
        """Take a member with content, in the place of `replaced`."""

    def receive_collection(
        self, source: "StoredCollection", name: str, *, copy: bool, deep: bool = True, replaced: Resource | None
    ) -> "StoredCollection":
        """Take a collection, in the place of `replaced`."""


def landing(source: Resource, target: Resource) -> tuple[Receiver, Resource | None]:
    """The collection that a target is or would be in, and what is replaced there (RFC 4918 section 9.8.4)."""
    if target.href.within(source.href) or source.href.within(target.href):
        raise Forbidden("source and destination lie within each other")
    if isinstance(source, StoredObject) and isinstance(target, StoredObject) and source.row.id == target.row.id:
        raise Forbidden("source and destination are the same")
    place = target.parent
    if place is None and not target.exists:
        raise Conflict("the collection of the destination does not exist")
    if not isinstance(place, Receiver):
        raise Forbidden("nothing can be put there")
    return place, target if target.exists else None


def merged(properties: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Stored properties after some were set or, by None, removed."""
    after: dict[str, Any] = {**properties, **changes}
    return {name: value for name, value in after.items() if value is not None}
