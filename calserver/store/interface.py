"""The contract of persistence: what a transaction offers, grouped by subject.

Everything above the store speaks the values of `calserver.store.values` and never rows or SQL. A store is opened by
`calserver.store.open_store`; its `read` and `write` run a plain function over a `Transaction` in a worker thread:

    found = await store.read(lambda txn: txn.collections.by_path(home.id, ("Default",)))

The tree. Everything that clients see lies in **collections** that belong to a principal: homes (no parent, one per
principal and kind), collections in them, and **objects** in those. Names are unique among the members of a collection,
objects and collections together. Each has a resource id (a UUID) that stays with it when it is moved.

Revisions. Every home has a counter. A change anywhere below it takes the next number, which becomes the revision of
the home, of the collections on the way and of the object itself. So one number orders all changes in a home, a
collection's revision says whether anything in it changed, and a sync token is a revision with the collection's id.
What is removed leaves a tombstone with its revision, kept until `purge_tombstones`; ``floor`` is the oldest revision
from which a collection can still tell all changes.

No two members of a collection, tombstones included, share a number, so a list of changes may be cut anywhere. A
collection that moves to another home goes on above all numbers that it ever had. When the name of a collection that was
removed is taken again, its tombstone goes, and the floors from there up rise to its number: nothing else would tell
that what lay below is gone.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from calserver.dav import Acl, Lock
from calserver.ical import Instance
from calserver.store.raw import Content
from calserver.store.values import (
    Collection,
    Copy,
    Draft,
    Entry,
    Lane,
    Object,
    Part,
    Peer,
    Principal,
    Roll,
    Share,
    Source,
    Stamp,
    Taken,
    Taker,
    Task,
    Tie,
    Tombstone,
    Variant,
    Wanted,
)

T = TypeVar("T")


# -- principals ----------------------------------------------------------------------------------------------------


class Principals(Protocol):
    """Principals, their groups and delegates."""

    def get(self, id: int) -> Principal | None:
        """By primary key."""

    def get_many(self, ids: Iterable[int]) -> Sequence[Principal]:
        """By primary keys, in one query."""

    def owning(self, collection_ids: Iterable[int]) -> Mapping[int, Principal]:
        """Whose collections are, in one query; what is bound to another is whose that is."""

    def by_uid(self, kind: str, uid: str) -> Principal | None:
        """By kind and uid."""

    def by_login(self, uid: str) -> Principal | None:
        """The one whose uid, or mail address, is typed as user name; users first."""

    def by_address(self, address: str) -> Principal | None:
        """By a normalized calendar user address (``mailto:``) or GUID (``urn:uuid:``)."""

    def by_addresses(self, addresses: Iterable[str]) -> Mapping[str, Principal]:
        """The same for many addresses, in one query."""

    def list(self, kind: str | None = None) -> Sequence[Principal]:
        """All of a kind, by uid."""

    def revision(self) -> int:
        """The highest revision of all principals, those that were removed too: what grows when any changes."""

    def search(
        self,
        terms: Sequence[tuple[str, str, str]],
        *,
        any_of: bool,
        kinds: Sequence[str] = (),
        limit: int | None = None,
    ) -> Sequence[Principal]:
        """Case-insensitive search.

        Args:
            terms: triples of field (``name``, ``first_name``, ``last_name``, ``email``, ``uid``, ``guid``), match type
                (``contains``, ``starts-with``, ``ends-with``, ``equals``) and text.
            any_of: one term is enough; otherwise all must match.
            kinds: limit to these kinds; empty means all.
            limit: the most principals to return.
        """

    def add(self, principal: Principal) -> Principal:
        """Insert (``id`` and ``revision`` are given by the store); raises `AddressTaken`."""

    def update(self, principal: Principal) -> Principal:
        """Replace all columns and addresses; raises `AddressTaken`."""

    def remove(self, id: int) -> None:
        """Remove the principal with its homes and everything in them."""

    def set_members(self, group: int, members: Iterable[int]) -> None:
        """Replace the direct members of a group."""

    def members(self, group: int) -> Sequence[Principal]:
        """Direct members of a group."""

    def memberships(self, member: int) -> Sequence[Principal]:
        """Groups the principal is a direct member of."""

    def all_memberships(self, member: int) -> frozenset[int]:
        """Ids of all groups the principal is in, nested ones included, in one query."""

    def groups_of(self, members: Iterable[int]) -> frozenset[int]:
        """Ids of all groups that any of these principals is in, nested ones included, in one query."""

    def set_delegates(self, principal: int, access: str, delegates: Iterable[int]) -> None:
        """Replace the delegates with this access (``read`` or ``write``; caldav-proxy)."""

    def delegates(self, principal: int, access: str) -> Sequence[Principal]:
        """The direct delegates with this access."""

    def delegators(self, delegates: Iterable[int], access: str) -> Sequence[Principal]:
        """Those who gave this access to one of `delegates`."""

    def delegator_ids(self, delegates: Iterable[int]) -> Mapping[str, frozenset[int]]:
        """The ids of those who gave some access to one of `delegates`, by access, in one query."""

    def administrators(self) -> Sequence[Principal]:
        """All who are administrators."""


class Placements(Protocol):
    """Which node of a cluster keeps the calendars of a principal; nobody is placed where there is no cluster."""

    def of(self, principal_ids: Iterable[int]) -> Mapping[int, str]:
        """The nodes of principals that are placed, by their ids, in one query."""

    def node(self, kind: str, uid: str) -> str | None:
        """The node of a principal; None where it is not placed, or there is none."""

    def counts(self) -> Mapping[str, int]:
        """How many principals are placed on each node."""

    def put(self, principal_ids: Iterable[int], node: str | None) -> None:
        """Place principals on a node, or (None) on none; they take a new revision."""


class Rolls(Protocol):
    """All principals, read to be had by another store as well: its nodes have those of a directory."""

    def since(self, revision: int) -> Roll:
        """Who is there, and what has changed since a revision."""

    def take_over(self, roll: Roll) -> Sequence[int]:
        """Have the principals of a directory, with their ids and revisions.

        Who is not there any more is removed with everything that belongs to it.

        Returns:
            The ids of those that are gone.

        Raises:
            StrangeDirectory: it is not the one whose principals these are.
        """


# -- the tree ------------------------------------------------------------------------------------------------------


class Collections(Protocol):
    """Homes and collections."""

    def home(self, principal_id: int, kind: str) -> Collection | None:
        """The principal's home of this kind."""

    def add_home(self, principal_id: int, kind: str) -> Collection:
        """Make it."""

    def get(self, id: int) -> Collection | None:
        """By primary key."""

    def used_bytes(self, home_id: int) -> int:
        """How much is stored in a home (``Collection.quota_used_bytes``); nothing where there is none."""

    def child(self, parent_id: int, name: str) -> Collection | None:
        """A direct member collection."""

    def by_path(self, home_id: int, names: Sequence[str]) -> Collection | None:
        """The collection at a path below a home; the home itself for an empty path."""

    def locate(
        self, principal_kind: str, uid: str, kind: str, names: Sequence[str], *, remember: bool = False
    ) -> Sequence[Collection]:
        """The way to a path in one query: a home and the collections below it, as far as they are there.

        With `remember`, what was found before is found again by a look at the home's stamp alone. That takes less time
        than to find nothing, so it is for those only who may know what there is.

        The first is the home of this kind that belongs to the principal with this kind and uid, the second its member
        ``names[0]``, and so on; it ends where `names` ends, or before the first name that is no collection. Empty
        where there is no such home.
        """

    def stamp(self, home_id: int) -> Stamp | None:
        """What changes with anything that is seen in a home, as this transaction sees it; None where there is none."""

    def homes(self, principal_kind: str, kind: str) -> Sequence[tuple[str, Collection]]:
        """All homes of a kind whose principals are of `principal_kind`, with the principals' uids, by uid."""

    def in_homes(self, principal_ids: Iterable[int], kind: str, members: Iterable[str]) -> Sequence[Collection]:
        """The homes of this kind that principals have, and the `members` by kind directly in them, in one query."""

    def in_home(self, principal_kind: str, uid: str, kind: str, member: str) -> Sequence[Collection]:
        """The members of one kind directly in a home, by name, in one query; none where the home is set aside."""

    def children(self, parent_id: int) -> Sequence[Collection]:
        """Direct member collections, by name."""

    def ancestors(self, id: int) -> Sequence[Collection]:
        """From the home down to the collection itself."""

    def below(self, id: int) -> Sequence[Collection]:
        """All collections below, nearest first, in one query."""

    def add(
        self,
        parent_id: int,
        name: str,
        kind: str,
        *,
        properties: Mapping[str, str] | None = None,
        display_name: str | None = None,
        components: tuple[str, ...] = (),
        transparent: bool = False,
        timezone: str | None = None,
    ) -> Collection:
        """Make a collection; raises `NameTaken`."""

    def update(self, collection: Collection) -> Collection:
        """Write the properties and the columns derived from them; takes a new revision."""

    def set_acl(self, id: int, acl: Acl | None) -> Collection:
        """Replace its own access control list (None: there is none); takes a new revision.

        That becomes the ``access_revision`` of the collection, of those above and of those below.
        """

    def remove(self, id: int) -> None:
        """Remove with everything below; leaves a tombstone in the parent."""

    def move(self, id: int, parent_id: int, name: str) -> Collection:
        """Rename, or move to another collection; the resource id stays; raises `NameTaken`.

        The old place gets a tombstone; every row below takes the new revision.
        """

    def touch(self, id: int) -> int:
        """Take the next revision for a collection (and its ancestors) without another change; returns it."""


class Objects(Protocol):
    """Members with content.

    What asks for the members of a collection answers for one that is bound to another (see `Shares`) with the members
    of that, as the sharee sees them. What changes members takes the collection that they really are in.
    """

    def get(self, collection_id: int, name: str) -> Object | None:
        """By name."""

    def whole(self, collection_id: int, name: str, *, bound: bool = True) -> tuple[Object, bytes] | None:
        """The same with its content; `bound` as `contents` has it."""

    def by_id(self, id: int) -> Object | None:
        """By primary key."""

    def text(self, id: int) -> bytes:
        """The content as received."""

    def texts(self, ids: Iterable[int], seen_in: int | None = None) -> Mapping[int, bytes]:
        """The contents of many objects, in one query; as they are seen in a collection, where that is told."""

    def in_collection(self, collection_id: int) -> Sequence[Object]:
        """All members, the latest change first: times have whole seconds, so that the order alone tells."""

    def listing(self, collection_id: int) -> Sequence[tuple[str, str, str]]:
        """Name, ETag and content type of all members, by name: what most listings ask, at a tenth of the cost."""

    def joined(self, collection_id: int, template: Sequence[str | Part]) -> Sequence[bytes] | None:
        """All members, by name, written as text by the database: what long listings ask, at a fiftieth of the cost.

        Args:
            collection_id: where.
            template: what is written for each; it begins and ends with a text.

        Returns:
            Pieces of one text. None where a name or media type would have to be escaped in a path or in XML.
        """

    def joined_some(
        self, collection_id: int, template: Sequence[str | Part], most: int
    ) -> tuple[Sequence[bytes], int | None] | None:
        """The same with None, or, where there are more than `most` members, of those that were changed first.

        Then by revision, and with the revision of the last one.
        """

    def named(self, collection_id: int, names: Iterable[str]) -> Mapping[str, tuple[Object, bytes]]:
        """The members with these names and their contents, in one query (multiget)."""

    def contents(
        self, collection_id: int, names: Iterable[str], *, bound: bool = True
    ) -> Sequence[tuple[str, str, str, bytes]]:
        """The same as name, ETag, content type and content: what most multigets ask, at half of the cost.

        `bound` says whether the collection may be bound to another one; to look takes time.
        """

    def iterate(self, collection_id: int, *, component: str | None = None) -> Iterator[tuple[Object, bytes]]:
        """All members with their contents, by name; never all in memory at once."""

    def by_uid(self, home_id: int, uid: str) -> Sequence[Object]:
        """The objects of a home with this UID."""

    def in_range(
        self,
        collection_ids: Iterable[int],
        start: int,
        end: int,
        *,
        floating_offset: tuple[int, int] = (0, 0),
        component: str | None = None,
    ) -> Sequence[tuple[Object, bytes]]:
        """Objects with an instance, or a marker, that overlaps ``[start, end)``, with their contents.

        Args:
            collection_ids: where to look.
            start: seconds since the epoch.
            end: the same, exclusive.
            floating_offset: seconds to add to `start` and `end` for the comparison with floating rows (the offset of
                the calendar's zone from UTC at that time).
            component: only objects of this type.
        """

    def only_marked(
        self, collection_ids: Iterable[int], start: int, end: int, *, floating_offset: tuple[int, int] = (0, 0)
    ) -> frozenset[int]:
        """Ids of those that `in_range` finds by a marker alone: whether they have an instance there is not known."""

    def busy(
        self,
        collection_ids: Iterable[int],
        start: int,
        end: int,
        *,
        floating_offset: tuple[int, int] = (0, 0),
        bound: bool = True,
    ) -> Sequence[tuple[Taker, Instance]]:
        """The instance rows (markers too) that overlap ``[start, end)`` and are not free, ordered by start.

        `bound` says whether some of the collections may be bound to others; to look takes time.
        """

    def taken(
        self, collection_ids: Iterable[int], start: int, end: int, *, floating_offset: tuple[int, int] = (0, 0)
    ) -> Sequence[Taken]:
        """The same in no order, of collections that are not bound, at a third of the cost: no object is looked at."""

    def available(
        self, collection_ids: Iterable[int], start: int, end: int, *, floating_offset: tuple[int, int] = (0, 0)
    ) -> Sequence[tuple[Object, bytes]]:
        """What `in_range` finds of availability (RFC 7953), of which mostly there is none."""

    def put(self, collection_id: int, draft: Draft, *, unique_uid: bool = False) -> tuple[Object, bool]:
        """Store an object under its name; returns it and whether it is new.

        An existing one keeps its id, resource id, creation time and stored properties (unless the draft has some).

        Args:
            collection_id: where.
            draft: what.
            unique_uid: refuse a UID that another object in any ``calendar`` collection of the home has: `UidTaken`.

        Raises:
            NameTaken: a collection has the name.
        """

    def patch(self, id: int, *, properties: Mapping[str, str]) -> Object:
        """Replace the stored properties; the ETag stays; takes a new revision."""

    def set_acl(self, id: int, acl: Acl | None) -> Object:
        """Replace its own access control list (None: there is none); the ETag stays; takes a new revision.

        That becomes the ``access_revision`` of its collection and of those above and below that.
        """

    def set_instances(self, id: int, instances: Iterable[Instance]) -> None:
        """Replace the index rows of an object (the horizon moved). No new revision."""

    def remove(self, id: int) -> None:
        """Remove; leaves a tombstone."""

    def move(self, id: int, collection_id: int, name: str, *, unique_uid: bool = False) -> Object:
        """Rename, or move to another collection, maybe of another home; the resource id stays.

        Raises:
            NameTaken: there is a member of that name.
            UidTaken: see `put`.
        """

    def copy(self, id: int, collection_id: int, name: str, *, unique_uid: bool = False) -> Object:
        """Copy with content, properties and index rows to a name that is free; the copy has a resource id of its own.

        The access control list is not copied (RFC 3744 section 7.4).

        Raises:
            NameTaken: there is a member of that name.
            UidTaken: see `put`.
        """

    def restricted(self, collection_ids: Iterable[int]) -> bool:
        """Whether any member of some collections has an access control list of its own."""

    def with_acl(self, collection_id: int) -> Sequence[Object]:
        """The members that have an access control list of their own."""

    def count(self, collection_id: int) -> int:
        """How many members with content a collection has."""

    def unindexed(self, horizon: int, limit: int) -> Sequence[tuple[Object, bytes]]:
        """Objects whose marker row lies before `horizon`: those to be indexed anew when it moves."""


class Copies(Protocol):
    """Objects as scheduling wants them: found by UID, with what it remembers beside them."""

    def of(self, home_ids: Iterable[int], uid: str) -> Sequence[Copy]:
        """The objects with a UID in the calendars of homes, in one query."""

    def by_id(self, id: int) -> Copy | None:
        """An object by primary key, with its content and what scheduling remembers beside it."""

    def of_many(self, home_ids: Iterable[int], uids: Iterable[str]) -> Sequence[Copy]:
        """The objects with one of some UIDs in the calendars of homes, in one query."""

    def received_before(self, before: datetime, limit: int) -> Sequence[int]:
        """The ids of some of the messages that have lain in Inboxes since before an instant."""

    def organized(self, collection_id: int, after: str = "", limit: int | None = None) -> Sequence[Copy]:
        """The members that have an organizer, by name; those after a name, and no more than `limit`."""

    def remember(self, id: int, memory: bytes | None) -> None:
        """Keep what scheduling shall remember beside an object; it goes with the object. No new revision."""

    def invite_groups(self, id: int, groups: Iterable[int]) -> None:
        """Replace the groups that are noted as invited by an object. No new revision."""

    def inviting(self, groups: Iterable[int]) -> Sequence[int]:
        """The ids of the objects that invite one of these groups."""


class ChangeLog(Protocol):
    """What changed since a revision (RFC 6578)."""

    def objects(self, collection_id: int, since: int, limit: int | None = None) -> Sequence[Object]:
        """Members with content that changed after `since`, by revision, then by id."""

    def listing(self, collection_id: int, since: int, limit: int | None = None) -> Sequence[tuple[str, str, str, int]]:
        """The same as name, ETag, content type and revision, at a tenth of the cost."""

    def collections(self, parent_id: int, since: int) -> Sequence[Collection]:
        """Member collections that changed after `since`, by revision."""

    def tombstones(self, collection_id: int, since: int, limit: int | None = None) -> Sequence[Tombstone]:
        """Members removed after `since` (and not made again), by revision."""

    def purge_tombstones(self, before: datetime) -> int:
        """Forget removals older than `before`, raise the floors there and above; returns how many."""


# -- locks and settings --------------------------------------------------------------------------------------------


class Locks(Protocol):
    """Locks that have not expired at ``txn.now``."""

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
        """Remove the locks rooted at a path or below it (it was deleted or moved)."""

    def purge(self) -> int:
        """Forget the expired ones; returns how many. `add` does so too."""

    def count(self, principal_id: int) -> int:
        """How many locks a principal holds."""


class Tasks(Protocol):
    """What must happen after a commit, once, whatever becomes of the process.

    Whoever writes what makes something necessary adds a task in the same transaction. Whoever does it removes the
    task in the transaction of its outcome. There is one task of a kind with a key: what is asked for again while it
    waits is done once.
    """

    def put(self, kind: str, key: str, payload: bytes = b"", *, due: datetime) -> None:
        """Add a task; one that waits already gets the payload, and is due as early as the earlier of both."""

    def get(self, kind: str, key: str) -> Task | None:
        """The task of a kind with a key."""

    def of(self, kind: str) -> Sequence[Task]:
        """All of a kind, in the order in which they were added."""

    def beginning(self, prefix: str) -> Sequence[Task]:
        """All of the kinds whose names begin so, by kind, in the order in which they were added."""

    def due(self, kind: str, limit: int) -> Sequence[Task]:
        """Those of a kind that are due, the longest due first."""

    def next_due(self) -> datetime | None:
        """When the next of any kind is due; None where there is none."""

    def lanes(self, prefix: str) -> Sequence[Lane]:
        """What waits of each kind whose name begins so, by name."""

    def hurry(self, kind: str) -> int:
        """Have all of a kind due now; returns how many there are."""

    def postpone(self, id: int, due: datetime) -> None:
        """Try a task again at another time: this try was in vain."""

    def remove(self, id: int) -> None:
        """Forget a task: it is done, or given up."""


class Peers(Protocol):
    """Other domains as the site has come to know them, and to whom there its people have written."""

    def get(self, domain: str) -> Peer | None:
        """What is known of a domain."""

    def all(self) -> Sequence[Peer]:
        """All that are known, by name."""

    def of(self, domains: Sequence[str]) -> Sequence[Peer]:
        """Those of some domains that are known."""

    def put(self, known: Peer) -> None:
        """Remember what is known of a domain."""

    def meet(self, principal_id: int, address: str) -> None:
        """Remember that a principal has written to an address."""

    def who_met(self, address: str, principal_ids: Iterable[int]) -> frozenset[int]:
        """Which of some principals have ever written to an address."""


class Journal(Protocol):
    """Scheduling messages and what became of them, for who wants to know afterwards."""

    def add(self, entries: Iterable[Entry]) -> None:
        """Write entries, in one statement."""

    def about(self, uid: str) -> Sequence[Entry]:
        """All that is known of a UID, the oldest first."""

    def purge(self, before: datetime, limit: int) -> int:
        """Forget the oldest entries, as many as `limit`, if they are older than `before`; returns how many."""


class Meta(Protocol):
    """Small facts about the store itself, by key."""

    def see_tables(self) -> None:
        """See that the tables are still those that the store was opened with.

        Raises:
            SchemaMismatch: a newer program has upgraded them meanwhile.
        """

    def get(self, key: str) -> str | None:
        """A value."""

    def set(self, key: str, value: str) -> None:
        """Set a value."""


class Shares(Protocol):
    """Calendars that others have in their homes too.

    A calendar is shared by invitations (`Share`). Who accepts one gets a collection in the own home that is **bound**
    to the calendar: it has a name, properties and rights of its own, but the members of the calendar (`Objects`,
    `ChangeLog`). Every change in the calendar takes one number that is higher than those of all homes in which it is
    seen, and which all of them go on from; so tokens and tags of the sharees move with those of the owner. When the
    calendar goes, so does what is bound to it.

    An object of a shared calendar has up to three forms: that of the owner, the **common** one of sharees who have set
    nothing of their own, and the **personal** one of each who has. Whoever writes an object writes all of them: when
    its content changes, the common form is forgotten and must be told again.
    """

    def of(self, collection_id: int) -> Sequence[Share]:
        """All of a calendar, in the order in which they were made."""

    def find(self, collection_id: int, principal_id: int) -> Share | None:
        """That of a principal."""

    def by_uid(self, uid: str) -> Share | None:
        """By its uid."""

    def shared_with(self, principal_ids: Iterable[int]) -> Sequence[int]:
        """The ids of the calendars to which any of these principals is invited."""

    def below(self, collection_id: int) -> Sequence[int]:
        """The ids of the shared calendars at or below a collection."""

    def add(self, new: Share) -> Share:
        """Insert (the id is given by the store); the calendar takes a new revision."""

    def update(self, changed: Share) -> Share:
        """Write names, access and status; the calendar takes a new revision."""

    def remove(self, gone: Share) -> None:
        """Forget an invitation; what is bound stays. The calendar takes a new revision."""

    def bind(
        self,
        source: Collection,
        home: Collection,
        name: str,
        kind: str,
        *,
        access: str,
        properties: Mapping[str, str],
        display_name: str | None,
    ) -> Collection:
        """Make a collection in a home that is bound to a calendar in another one; raises `NameTaken`.

        `Collections.remove` ends that, and forgets what the sharee had of its own.
        """

    def bound(self, source_id: int) -> Sequence[Collection]:
        """All that is bound to a calendar."""

    def bound_to(self, source_id: int, principal_id: int) -> Collection | None:
        """What is bound to a calendar in the home of a principal."""

    def set_access(self, bound_id: int, access: str) -> None:
        """Change what a sharee may do; takes a new revision."""

    def sources(self, home_id: int) -> Mapping[int, Source]:
        """Where the shared calendars in a home come from, by the ids of what is bound to them."""

    def set_common(self, object_id: int, common: Variant | None) -> None:
        """Say what sharees see who have set nothing of their own; None: what the owner sees. No new revision."""

    def personal(self, object_id: int) -> Mapping[int, bytes]:
        """The object as it is for sharees who have set something of their own, by their ids."""

    def set_personal(self, object_id: int, principal_id: int, own: Variant | None) -> None:
        """Say what a sharee sees who has set something; None: what is common. No new revision."""


class Ties(Protocol):
    """Shared calendars whose sharer and sharee go to different nodes of a cluster (`calserver.store.ties`)."""

    def crossing(self, principals: Iterable[int]) -> Sequence[Tie]:
        """What is bound to calendars of these in homes of others, and the other way round."""

    def fasten(self, source: str, home_id: int, row: Sequence[Any]) -> None:
        """Have what was bound to a calendar at another store, in the place of what has its name in a home here.

        Args:
            source: the resource id of the calendar.
            home_id: a home of the sharee, or a branch.
            row: see `Tie`.

        Raises:
            Missing: the calendar is not here.
        """

    def adopt(self, bound_id: int, home_id: int, kind: str) -> None:
        """Have what is bound in another home of the same principal, in the place of what has its name there.

        Tokens of it go on; those of the home from before do not.
        """

    def detach(self, bound_id: int, kind: str, properties: Mapping[str, str]) -> None:
        """Have something else in the place of what is bound to a calendar that is not here any more."""


class Moves(Protocol):
    """Homes on their way to another store, since somebody goes to another node of a cluster.

    Homes are in use, or **held**: nobody reads or writes them (`Held`), since they may leave at any moment. They become
    in use again, or have **left**. In the other store they are **arriving**, seen by nobody, until they are in use
    there.
    """

    def states(self, principals: Iterable[int]) -> Mapping[int, frozenset[str]]:
        """What has become of the homes of principals: ``held``, ``left``, ``arriving``, or empty for those in use."""

    def hold(self, principals: Iterable[int]) -> None:
        """Have nobody read or write the homes of principals; what was asked for before is done."""

    def thaw(self, principals: Iterable[int]) -> None:
        """Have homes that are held in use again."""

    def leave(self, principals: Iterable[int]) -> bool:
        """Have homes that are held no more: they are in use elsewhere; returns whether there were any."""

    def arrive(self, principals: Iterable[int]) -> bool:
        """Have homes in use that have arrived; returns whether there were any."""

    def sweep(self, principal_id: int, state: str, limit: int) -> bool:
        """Remove some of the members in homes that have left, or are arriving, and at last the homes.

        Args:
            principal_id: whose.
            state: ``left`` or ``arriving``.
            limit: the most members to remove.

        Returns:
            Whether there are more.
        """

    def together(self, principals: Iterable[int]) -> frozenset[int]:
        """Who shares calendars with whom, and with whom these do, and so on."""

    def skeleton(self, principals: Iterable[int]) -> Content:
        """The collections of principals, and the invitations to share them; without ties that cross (`Ties`)."""

    def count(self, principals: Iterable[int], *, arriving: bool = False) -> int:
        """How many members with content are in the homes of principals; or in those that arrive."""

    def members(self, collection_id: int, since: int, most: int = 500) -> tuple[int, Content]:
        """Members of a collection that have changed since a revision, in this order, and those that were removed.

        Args:
            collection_id: where.
            since: the revision.
            most: how many to read, about 2 MB of them at most.

        Returns:
            The revision up to which these are all; and the rows.

        Raises:
            Missing: there is no such collection.
        """

    def fingerprints(self, principals: Iterable[int], *, arriving: bool = False) -> Mapping[str, str]:
        """A digest of each collection and its members, and of what scheduling remembers of them, by resource id."""

    def belongings(self, principals: Iterable[int], paths: Iterable[str]) -> Content:
        """To whom elsewhere principals have written, and the locks at and below some paths."""

    def forget(self, principals: Iterable[int], paths: Iterable[str]) -> None:
        """Forget the same."""

    def have(self, belongings: Content) -> None:
        """Have what `belongings` told; what was forgotten before."""

    def stage(self, skeleton: Content) -> Sequence[Wanted]:
        """Have the collections beside those that are in use; returns of which members are wanted.

        Raises:
            Missing: one of them stands for a calendar that is not among them.
        """

    def take(self, wanted: Wanted, upto: int, members: Content) -> bool:
        """Have members of a collection as they are at a revision; returns False where somebody else has been faster."""

    def anew(self, principals: Iterable[int], resource_ids: Iterable[str]) -> None:
        """Copy the members of some collections anew."""


class Transaction(Protocol):
    """What happens together or not at all. Valid only inside the function it was given to."""

    now: datetime
    """One instant, aware UTC, throughout the transaction."""
    principals: Principals
    placements: Placements
    rolls: Rolls
    collections: Collections
    objects: Objects
    copies: Copies
    shares: Shares
    changes: ChangeLog
    moves: Moves
    ties: Ties
    locks: Locks
    tasks: Tasks
    journal: Journal
    peers: Peers
    meta: Meta


class Store(Protocol):
    """A database. `read` and `write` call back in the reactor thread; the work itself runs in a worker thread."""

    def read(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        """Run `work` over a consistent snapshot; it must not write."""

    def write(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        """Run `work` in a writing transaction and return after the commit is on the disk.

        An exception rolls back exactly what `work` wrote and is raised here. `work` may be run again after a
        serialization failure, so it touches nothing but the transaction.
        """

    def glance(self, work: Callable[[Transaction], T]) -> T:
        """The same as `read` at once, in the reactor thread: for work that takes little time, as a look at a few rows.

        Raises:
            TakesLong: it does not, or the disk is slow at the moment: `read` it.
        """

    def read_now(self, work: Callable[[Transaction], T]) -> T:
        """The same as `read` in the calling thread (the command line, tests)."""

    def write_now(self, work: Callable[[Transaction], T]) -> T:
        """The same as `write` in the calling thread (the command line, tests)."""

    def data_version(self) -> int:
        """A number that changes whenever anything was committed, by any process; costs some microseconds.

        For the reactor thread only. Ask before a read begins: while the number stays the same, what was read is
        current. Where it cannot be told at once, it is a number that never comes again.
        """

    def stamp(self, home_id: int) -> Stamp | None:
        """What changes with anything that is seen in a home; costs some microseconds.

        For the reactor thread only, and to be asked before a read begins, like `data_version`, which it goes on from:
        where that number changed, equal stamps still prove that nothing in this home did. None where there is no
        such home, or where it cannot be told at once.
        """

    def lead(self) -> bool:
        """Whether this process is the one of all over this database that does what is to be done once for the site.

        It asks for that where no process is it, and stays it until it ends, or resigns. Costs nothing while it is, and
        a system call otherwise; never waits. For the reactor thread only.
        """

    def resign(self) -> None:
        """Leave that to another process, for good."""

    def close(self) -> Awaitable[None]:
        """Finish what runs, then close all connections."""
