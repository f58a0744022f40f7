"""Collections of the store as WebDAV resources (RFC 4918 section 5.2), and the homes they are in.

The protocol rooms derive their classes from these and say in `Kinds` which class a kind of collection has. What they
usually override: `StoredCollection.kind_for` and `admit` (which collections may be members), `draft` (what may be
stored, and in which form), `receive_object` and `receive_collection` (what comes by COPY and MOVE), `derived` (columns
that follow from stored properties).
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Final

import attrs

from calserver.dav import (
    Acl,
    Changes,
    Collection,
    ContentTooLarge,
    Entry,
    Forbidden,
    Href,
    InsufficientStorage,
    MethodNotAllowed,
    QuotaNotExceeded,
    Request,
    Resource,
    ValidResourcetype,
    View,
    Written,
    xml,
)
from calserver.dav.access import FINDABLE, READ, UNBIND, demand, lacking
from calserver.names import D
from calserver.store import Collection as CollectionRow
from calserver.store import Draft, NameTaken
from calserver.store import Object as ObjectRow
from calserver.tree import access, carrying, listing, report, sync
from calserver.tree.access import Source
from calserver.tree.estate import Estate
from calserver.tree.markup import QUICK, Writer
from calserver.tree.objects import UNKNOWN, StoredObject, content_etag, landing, lock_path, merged

MANY: Final = 2000
"""Members that are not listed in a hurry: more than the store writes in a millisecond."""


class StoredCollection(Collection):
    """A collection in a home, or a home itself."""

    lockable = True
    content_type = listing.CONTENT_TYPE
    object_class: ClassVar[type[StoredObject]] = StoredObject
    heritable: ClassVar[bool] = True
    """Whether members inherit its access control list."""
    traversed: ClassVar[bool] = True
    """Whether sync reports on what is above go into it; if not, its changes are told by those on itself alone."""
    quick = QUICK
    """Properties of members that are what their rows say; a class that makes them differ leaves them out."""

    def __init__(
        self, view: View, href: Href, row: CollectionRow, estate: Estate, parent: "StoredCollection | None" = None
    ) -> None:
        super().__init__(view, href)
        self.estate = estate
        self._parent = parent
        self._take(row)

    @property
    def copied_kind(self) -> str:
        """The kind of a copy of it."""
        return self.row.kind

    @property
    def ctag(self) -> str:
        """What changes with every change in the collection."""
        return f"{self.row.id}-{self.row.revision}"

    @property
    def parent(self) -> Collection | None:
        """The collection that it is in; for a home the one that holds the homes."""
        return self._parent if self._parent is not None else super().parent

    def _take(self, row: CollectionRow) -> None:
        self.row = row
        self.etag = f'"{self.ctag}"'
        self.created = row.created
        self.modified = row.modified
        self.display_name = row.display_name
        self.resource_id = f"urn:uuid:{row.resource_id}"
        self.owner = self.estate.owner
        self.sync_token = str(sync.Token.of(row))
        self.quota_used = self.estate.row.quota_used_bytes
        most = self.view.settings.quota_bytes
        self.quota_available = max(most - self.quota_used, 0) if most else None

    @cached_property
    def privileges(self) -> frozenset[str]:
        """What the actor holds here and on the objects in it."""
        return access.held(self.view, self.row, type(self), lambda: self.entries, self.stored_properties)

    @property
    def inherited(self) -> Acl:
        """The entries of what is above: those that count after its own."""
        parent = self._parent
        return access.delegated(self.row.principal_id) if parent is None else parent.passed_on

    @property
    def own_entries(self) -> Acl:
        """Its own entries: those that are stored, or the default of its kind."""
        return access.own(self.row)

    @cached_property
    def entries(self) -> Acl:
        """All entries that count here, its own first."""
        return (*self.own_entries, *self.inherited)

    @property
    def passed_on(self) -> Acl:
        """The entries that its members inherit."""
        return self.entries if self.heritable else self.inherited

    @property
    def sources(self) -> Sequence[Source]:
        """Where the entries come from that its members inherit, the nearest first."""
        own = ((self.href, access.own(self.row)),) if self.heritable or self._parent is None else ()
        return (*own, *(() if self._parent is None else self._parent.sources))

    @property
    def access_control(self) -> Sequence[Entry]:
        """All entries with where they come from."""
        above = () if self._parent is None else self._parent.sources
        return access.shown(self.view, self.row, access.own(self.row), above, self.estate)

    @property
    def inherited_acl_set(self) -> Sequence[Href]:
        """The collections whose entries it inherits."""
        return () if self._parent is None else tuple(href for href, _ in self._parent.sources)

    def set_acl(self, acl: Acl) -> None:
        """Replace its own entries."""
        self._take(self.view.txn.collections.set_acl(self.row.id, acl))

    @cached_property
    def member_privileges(self) -> frozenset[str]:
        """What the actor holds on members with content, as long as they have no list of their own."""
        return access.held(self.view, self.row, self.object_class, lambda: self.passed_on, {})

    @cached_property
    def varied(self) -> bool:
        """Whether what is inherited depends on properties of members, so that each must be looked at."""
        return not access.rules(self.view, self.row) and any(map(access.by_property, self.passed_on))

    def lacking(self, privilege: str) -> set[int]:
        """The ids of the members with content on which the actor does not hold a privilege."""
        if access.rules(self.view, self.row):
            return set()
        objects = self.view.txn.objects
        each_one = self.varied or privilege not in self.member_privileges
        found = objects.in_collection(self.row.id) if each_one else objects.with_acl(self.row.id)
        return {each.id for each in found if privilege not in self.object_of(each).privileges}

    def shows(self, row: ObjectRow) -> bool:
        """Whether the actor may read a member with content; where not, it is not there for the actor."""
        if row.acl is None and not self.varied:
            return READ in self.member_privileges
        return READ in self.object_of(row).privileges

    @property
    def findable(self) -> bool:
        """Whether the actor may learn which members there are, and which are not."""
        return not self.privileges.isdisjoint(FINDABLE)

    # -- members ---------------------------------------------------------------------------------------------

    def collection_of(self, row: CollectionRow) -> "StoredCollection":
        """A member collection, of the class that its kind has."""
        return self.estate.kinds.of(row.kind)(
            self.view, self.href.child(row.name, collection=True), row, self.estate, self
        )

    def object_of(self, row: ObjectRow) -> StoredObject:
        """A member with content."""
        return self.object_class(self.view, self.href.child(row.name), row, self)

    def members(self, wanted: frozenset[str] | None = None) -> Iterator[Resource]:
        """Member collections that the actor may see by name, then members with content, the latest change first."""
        self.consider()
        for row in self.view.txn.collections.children(self.row.id):
            member = self.collection_of(row)
            if READ in member.privileges:
                yield member
        for each in self.view.txn.objects.in_collection(self.row.id):
            if self.shows(each):
                yield self.object_of(each)

    def consider(self) -> None:
        """Take time for a listing that is long."""
        if self.view.hurried and self.view.txn.objects.count(self.row.id) > MANY:
            self.view.take_time()

    def rendered(self, names: frozenset[str]) -> Iterable[str | bytes] | None:
        """The same as markup, where only quick properties are wanted."""
        return self._rendered(Writer(names)) if names <= self.quick and not self.varied else None

    def _rendered(self, writer: Writer) -> Iterator[str | bytes]:
        for row in self.view.txn.collections.children(self.row.id):
            member = self.collection_of(row)
            if READ in member.privileges:
                yield writer.collection(member)
        joined = self.joined(writer)
        if joined is None:
            yield from writer.objects(self.path, self.shown(self.view.txn.objects.listing(self.row.id)))
        else:
            yield from joined

    def joined(self, writer: Writer) -> Sequence[bytes] | None:
        """All members with content as markup, where the actor may read all and the store can write it."""
        self.consider()
        if not self.open:
            return None
        pieces: Sequence[bytes] | None = self.view.txn.objects.joined(self.row.id, writer.template(self.path))
        return pieces

    def joined_some(self, writer: Writer, most: int) -> tuple[Sequence[bytes], int | None] | None:
        """The same with None, or of those of too many that were changed first, with the revision of the last."""
        self.consider()
        if not self.open:
            return None
        found: tuple[Sequence[bytes], int | None] | None = self.view.txn.objects.joined_some(
            self.row.id, writer.template(self.path), most
        )
        return found

    def shown(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Those of the rows, which begin with the name of a member, that the actor may read."""
        shown, other = self._readable
        if not other:
            return rows if shown else ()
        return [row for row in rows if (row[0] not in other) is shown]

    @property
    def open(self) -> bool:
        """Whether the actor may read all members with content."""
        return self._readable == (True, frozenset())

    @cached_property
    def _readable(self) -> tuple[bool, frozenset[str]]:
        """Whether the actor may read members with content, and the names of those with which it is otherwise."""
        if access.rules(self.view, self.row):
            return True, frozenset()
        shown = READ in self.member_privileges
        lists = self.view.txn.objects.with_acl(self.row.id)
        return shown, frozenset(each.name for each in lists if self.shows(each) is not shown)

    def member(self, name: str) -> Resource | None:
        """One direct member; None where there is none, or none that the actor may see."""
        row = self.view.txn.collections.child(self.row.id, name)
        if row is not None:
            member = self.collection_of(row)
            return member if member.privileges else None
        found = self.object_named(name) if self.findable else None
        return found if found is not None and found.privileges else None

    def object_named(self, name: str) -> StoredObject | None:
        """The member with content that has this name."""
        row = self.view.txn.objects.get(self.row.id, name)
        return None if row is None else self.object_of(row)

    # -- content and properties ------------------------------------------------------------------------------

    def read(self) -> bytes:
        """A page that lists the members, for people who have logged in (RFC 4918 section 9.4)."""
        if self.view.request.actor.href is None:
            raise Forbidden("this lists nothing for nobody in particular")
        return listing.page(self)

    @property
    def stored_properties(self) -> Mapping[str, str]:
        """What clients have set."""
        return self.row.properties

    def store_properties(self, changes: Mapping[str, str | None]) -> None:
        """Set or remove stored properties, and the columns that follow from them."""
        row = attrs.evolve(self.row, properties=merged(self.row.properties, changes))
        self._take(self.view.txn.collections.update(self.derived(row)))

    def derived(self, row: CollectionRow) -> CollectionRow:
        """A row with the columns that follow from its stored properties."""
        name = row.properties.get(D("displayname"))
        return attrs.evolve(row, display_name=None if name is None else xml.stored_text(name))

    # -- making members --------------------------------------------------------------------------------------

    @classmethod
    def kind_for(cls, resourcetype: tuple[str, ...]) -> str:
        """The kind of a new collection with this ``DAV:resourcetype``; raises `ValidResourcetype` (RFC 5689)."""
        if set(resourcetype) <= {D("collection")}:
            return "plain"
        raise ValidResourcetype("collections of this type cannot be made here")

    @classmethod
    def admit(cls, kind: str) -> None:
        """Raise a condition where a collection of this kind cannot be a member."""
        if kind != "plain":
            raise Forbidden("collections of this kind cannot be here")

    def make_collection(self, name: str, resourcetype: tuple[str, ...]) -> "StoredCollection":
        """Make an empty collection."""
        kind = self.kind_for(resourcetype)
        self.admit(kind)
        self.check_name(name)
        self.check_count(1)
        try:
            return self.collection_of(self.view.txn.collections.add(self.row.id, name, kind))
        except NameTaken:
            raise MethodNotAllowed("there is something already") from None

    def create(self, name: str, request: Request) -> Written:
        """Make a member with content."""
        self.check_name(name)
        return self.store(name, request)

    def create_empty(self, name: str) -> Resource:
        """Make a member without content, to be locked (RFC 4918 section 7.3)."""
        self.check_name(name)
        return self.put(Draft(name=name, text=b"", content_type=UNKNOWN, etag=content_etag(b"")))[0]

    def new_name(self, request: Request) -> str:
        """A name that nothing has."""
        return str(uuid.uuid4())

    def store(self, name: str, request: Request) -> Written:
        """Store what a request brings under a name, new or not."""
        draft = self.draft(name, request)
        resource, created = self.put(draft)
        return Written(resource=resource, created=created, verbatim=draft.text == request.body)

    def draft(self, name: str, request: Request) -> Draft:
        """What is to be stored of a request: here the body as it is."""
        if len(request.body) > self.view.settings.body_bytes:
            raise ContentTooLarge("the content is larger than this server takes")
        media_type = request.headers.get("Content-Type", "").strip() or UNKNOWN
        return Draft(name=name, text=request.body, content_type=media_type, etag=content_etag(request.body))

    def put(self, draft: Draft, *, unique_uid: bool = False) -> tuple[StoredObject, bool]:
        """Store a draft; the member, and whether it is new."""
        try:
            row, created = self.view.txn.objects.put(self.row.id, draft, unique_uid=unique_uid)
        except NameTaken:
            raise MethodNotAllowed("there is a collection of this name") from None
        self.check_room()
        return self.object_of(row), created

    def check_name(self, name: str, *, height: int = 0) -> None:
        """Raise `Forbidden` for names that are too long, or too deep down with `height` levels below them."""
        if len(name.encode()) > self.view.settings.name_bytes:
            raise Forbidden("the name is longer than this server takes")
        if len(self.href.segments) + height >= self.view.settings.path_depth:
            raise Forbidden("the path is deeper than this server takes")

    def check_room(self) -> None:
        """Raise `QuotaNotExceeded` where what was stored is more than the home has room for (RFC 4331 section 6).

        In a home that has too much already, what makes it no larger is taken.
        """
        most = self.view.settings.quota_bytes
        before = self.estate.row.quota_used_bytes
        if most and self.view.txn.collections.used_bytes(self.row.home_id) > max(most, before):
            raise QuotaNotExceeded("there is no room for this")

    def check_count(self, more: int) -> None:
        """Raise a refusal where a home would have too many collections."""
        if len(self.view.txn.collections.below(self.row.home_id)) + more > self.view.settings.collections:
            raise InsufficientStorage("there are too many collections in this home")

    # -- namespace -------------------------------------------------------------------------------------------

    def delete(self) -> None:
        """Remove it with everything below, and the locks there.

        Raises:
            NeedPrivileges: something below may not be removed.
        """
        self._check_below(taken_along=False)
        self.view.txn.collections.remove(self.row.id)
        self.view.txn.locks.remove_below(lock_path(self.href))

    def copy(self, target: Resource, *, deep: bool = True) -> None:
        """Copy the collection with its properties and, if `deep`, its members (RFC 4918 section 9.8.3)."""
        place, replaced = landing(self, target)
        place.receive_collection(self, target.href.name, copy=True, deep=deep, replaced=replaced)

    def move(self, target: Resource) -> None:
        """Move it with everything below and all resource ids (RFC 4918 section 9.9.2); the locks do not move.

        Raises:
            NeedPrivileges: something below may not be removed, or not be read and so not be taken along.
        """
        self._check_below(taken_along=True)
        place, replaced = landing(self, target)
        place.receive_collection(self, target.href.name, copy=False, replaced=replaced)
        self.view.txn.locks.remove_below(lock_path(self.href))

    def check_leaving(self) -> None:
        """Raise a refusal where it cannot be moved to another home, whatever that is."""
        self._check_below(taken_along=True)

    def _check_below(self, *, taken_along: bool) -> None:
        """Check what the actor needs on collections that go with this one.

        Where members of one are removed, ``DAV:unbind``, as if they were removed one by one; to take them along,
        ``DAV:read`` on everything. What the actor may not know of is not named.
        """
        if self.row.source_id is not None or access.rules(self.view, self.row):
            return
        missing: list[tuple[str, str]] = []
        for place in self._everything_below():
            at = place if READ in place.privileges else self
            missing += ((at.path, name) for _, name in place.missing_to_empty())
            if taken_along and (READ not in place.privileges or place.lacking(READ)):
                missing.append((at.path, READ))
        demand(missing)

    def _everything_below(self) -> "Iterator[StoredCollection]":
        """This and all collections below, whether the actor may see them or not."""
        places = {self.row.id: self}
        yield self
        for row in self.view.txn.collections.below(self.row.id):
            places[row.id] = places[row.parent_id].collection_of(row)
            yield places[row.id]

    def missing_to_empty(self) -> Iterator[tuple[str, str]]:
        """The privileges that the actor lacks to remove all members."""
        if self.view.txn.objects.count(self.row.id):
            yield from lacking(self, UNBIND)
        if self.view.txn.collections.children(self.row.id):
            yield from lacking(self, UNBIND, of_collection=True)

    def receive_object(self, source: StoredObject, name: str, *, copy: bool, replaced: Resource | None) -> Resource:
        """Take a member that is copied or moved here, in the place of `replaced`."""
        self.check_name(name)
        if replaced is not None:
            replaced.delete()
        objects = self.view.txn.objects
        take = objects.copy if copy else objects.move
        row = take(source.row.id, self.row.id, name)
        if copy and isinstance(replaced, StoredObject) and replaced.row.acl is not None:
            # Who may overwrite something with a copy need not be one who may say who reads it.
            row = objects.set_acl(row.id, replaced.row.acl)
        self.check_room()
        return self.object_of(row)

    def receive_collection(
        self, source: "StoredCollection", name: str, *, copy: bool, deep: bool = True, replaced: Resource | None
    ) -> "StoredCollection":
        """Take a collection that is copied or moved here, in the place of `replaced`.

        A copy is made of single steps: each member comes by `receive_object` or `receive_collection`.
        """
        self.admit(source.copied_kind if copy else source.row.kind)
        if copy:
            self.check_name(name)
        else:
            carrying.admit_below(self, source, name)
        if replaced is not None:
            replaced.delete()
        if copy:
            return carrying.copy_into(self, source, name, deep=deep)
        row = self.view.txn.collections.move(source.row.id, self.row.id, name)
        self.check_room()
        return self.collection_of(row)

    # -- changes ---------------------------------------------------------------------------------------------

    def changes(self, since: str | None, *, deep: bool, limit: int | None) -> Changes:
        """What changed since a token (RFC 6578)."""
        return report.changes(self, since, deep=deep, limit=limit)

    def rendered_changes(
        self, since: str | None, *, deep: bool, limit: int | None, names: frozenset[str]
    ) -> Changes | None:
        """The same as markup, where only quick properties are wanted."""
        return report.rendered(self, since, deep=deep, limit=limit, names=names)
