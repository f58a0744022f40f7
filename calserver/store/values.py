"""What the store speaks: frozen values and refusals, declared here and offered by the door."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from typing import Any, NamedTuple

import attrs

from calserver.dav import Acl
from calserver.ical import Instance


class NameTaken(Exception):
    """A member of this name exists in the collection already."""


class UidTaken(Exception):
    """Another object in the home has the UID; `holder` is that object."""

    def __init__(self, holder: "Object") -> None:
        super().__init__(holder.name)
        self.holder = holder


class AddressTaken(Exception):
    """Another principal has the address, the uid or the GUID."""


class Missing(LookupError):
    """What is to be changed, or referred to, is not there: the caller did not look in the same transaction."""


class Busy(Exception):
    """Others were in the way, or the database was away, for too long; nothing was written (but see `Uncertain`)."""


class Held(Busy):
    """Somebody's calendars are on their way to another node of a cluster for a moment; nothing was written."""


class Full(Exception):
    """There is no room left on the disk; nothing was written."""


class Unusable(Exception):
    """The database cannot be opened; the text says why."""


# -- principals --------------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class Principal:
    """A person, group, room or thing (RFC 3744 section 2).

    ``kind`` is ``user``, ``group``, ``resource`` or ``location``; ``uid`` is unique per kind and the last segment of
    the principal's URL; ``guid`` an upper-case UUID; ``password_hash`` an argon2id string or None; ``revision``
    grows with each change of this row, of its memberships or delegates (it is what caches compare).
    """

    id: int
    kind: str
    uid: str
    guid: str
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    addresses: tuple[str, ...] = ()
    """Calendar user addresses besides URLs and GUID, normalized (``mailto:ann@example.com``), the preferred first."""
    password_hash: str | None = None
    administrator: bool = False
    enabled: bool = True
    scheduling: bool = True
    """Whether the principal may be invited."""
    auto_schedule: str = "none"
    auto_accept_group: str | None = None
    revision: int = 0
    properties: Mapping[str, str] = attrs.field(factory=dict)
    """Stored WebDAV properties: Clark name to the element as XML text."""
    capacity: int | None = None
    """How many bookings at a time one that answers by itself accepts; None: one."""


class StrangeDirectory(Exception):
    """What should be the directory of a store is another one; nothing was taken over. The text says why."""


@attrs.frozen(slots=True, kw_only=True)
class Roll:
    """The principals of a store as they are at a revision, in full where they have changed since another one."""

    revision: int
    names: Mapping[int, tuple[str, str, str]]
    """Kind, uid and GUID of all, by id."""
    changed: tuple[Principal, ...]
    members: tuple[tuple[int, int], ...]
    """Group and member, of the groups that have changed."""
    delegates: tuple[tuple[int, str, int], ...]
    """Principal, access and delegate, of the principals that have changed."""
    placements: Mapping[int, str]
    """Nodes of principals that have changed."""


# -- the tree ----------------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class Collection:
    """A collection: a home (``parent_id`` None, empty name) or one below it.

    ``kind`` says what it is for: ``calendar-home``, ``addressbook-home``, ``drive-home``; ``calendar``, ``inbox``,
    ``outbox``, ``attachments``, ``notifications``, ``addressbook``; ``plain`` for any other.
    """

    id: int
    principal_id: int
    home_id: int
    parent_id: int | None
    name: str
    kind: str
    resource_id: str
    revision: int
    floor: int
    created: datetime
    modified: datetime
    properties: Mapping[str, str] = attrs.field(factory=dict)
    """Stored properties: Clark name to the whole element as XML text."""
    display_name: str | None = None
    components: tuple[str, ...] = ()
    """Component types a calendar takes; empty means all that the server takes."""
    transparent: bool = False
    """CALDAV:schedule-calendar-transp (RFC 6638 section 9.1)."""
    timezone: str | None = None
    """iCalendar text of CALDAV:calendar-timezone (RFC 4791 section 5.2.2)."""
    quota_used_bytes: int = 0
    """Bytes below a home; 0 elsewhere."""
    acl: Acl | None = None
    """Its own access control list, without what is inherited or always there; None where nobody has set one."""
    access_revision: int = 0
    """The revision at which somebody's access to it, or to anything below, last changed by a list."""
    source_id: int | None = None
    """Of a shared calendar in the home of a sharee: the calendar whose members it has (see `Shares`)."""
    access: str | None = None
    """What the sharee may do there: ``read`` or ``read-write``."""
    shared: bool = False
    """Whether somebody was invited to share it."""


@attrs.frozen(slots=True, kw_only=True)
class Object:
    """A member of a collection that has content. The content itself is read by `Objects.text`.

    For calendar objects the columns below ``size`` are what queries and scheduling need without parsing.
    ``etag`` and ``schedule_tag`` are bare: without quotes.
    """

    id: int
    collection_id: int
    home_id: int
    name: str
    resource_id: str
    revision: int
    created: datetime
    modified: datetime
    etag: str
    content_type: str
    size: int
    properties: Mapping[str, str] = attrs.field(factory=dict)
    component: str | None = None
    """``VEVENT``, ``VTODO``, ``VJOURNAL``, ``VAVAILABILITY``; ``VCARD`` for contacts; None for files."""
    uid: str | None = None
    organizer: str | None = None
    """Normalized address of the organizer where this is a scheduling object resource."""
    schedule_tag: str | None = None
    first: int | None = None
    """Start of the first instance, seconds since the epoch; None where there is none (a VTODO without dates)."""
    last: int | None = None
    """End of the last instance; None for endless ones."""
    recurring: bool = False
    acl: Acl | None = None
    """Its own access control list; None where nobody has set one."""


class Part(Enum):
    """What `Objects.joined` writes of a member between the texts of a template."""

    NAME = auto()
    ETAG = auto()
    TYPE = auto()


@attrs.frozen(slots=True, kw_only=True)
class Draft:
    """What is to be stored as an object: the content and all that is derived from it."""

    name: str
    text: bytes
    content_type: str
    etag: str
    component: str | None = None
    uid: str | None = None
    organizer: str | None = None
    schedule_tag: str | None = None
    first: int | None = None
    last: int | None = None
    recurring: bool = False
    instances: tuple[Instance, ...] = ()
    properties: Mapping[str, str] = attrs.field(factory=dict)


Taken = Sequence[Any]
"""A row of the instance index that is not free: start, end and letter of `calserver.ical.Instance`, whether it floats,
the ids of collection and object, and whether it is a marker."""


class Taker(NamedTuple):
    """An object that takes up time: as little of it as tells whose time, since a busy week has hundreds."""

    id: int
    collection_id: int
    name: str
    uid: str | None
    organizer: str | None
    acl: str | None
    """As it is stored; None where it has no access control list of its own."""


@attrs.frozen(slots=True, kw_only=True)
class Variant:
    """The content of an object as it is for some sharees only."""

    text: bytes = attrs.field(repr=False)
    etag: str
    busy_differs: bool = False
    """Whether the busy time that it makes is not what the index rows of the object say."""


@attrs.frozen(slots=True, kw_only=True)
class Share:
    """An invitation to share a calendar, and what became of it.

    One who is invited through groups only has a share too, without an access of their own.
    """

    id: int
    collection_id: int
    principal_id: int | None
    """Who is invited: a person, a group, a room; None where nobody has the address."""
    address: str
    """The calendar user address: ``urn:uuid:`` of the principal; as it was given where nobody has it."""
    uid: str
    """Identifies the invitation; the same as long as the same calendar is shared with the same principal."""
    common_name: str = ""
    summary: str = ""
    """What the sharer calls the calendar."""
    own_access: str | None = None
    """The access that the sharer gave in person: ``read``, ``read-write``; None where it comes from groups only."""
    access: str = "read"
    """The access that it amounts to."""
    status: str = "noresponse"
    """``noresponse``, ``accepted``, ``declined``, or ``invalid`` where nobody has the address."""


@attrs.frozen(slots=True, kw_only=True)
class Source:
    """Where a shared calendar comes from: the sharer's calendar, the names on the way to it, and its owner."""

    collection: Collection
    names: tuple[str, ...]
    owner: Principal


@attrs.frozen(slots=True, kw_only=True)
class Copy:
    """An object that is found by its UID, with all that scheduling wants of it."""

    row: Object
    text: bytes = attrs.field(repr=False)
    memory: bytes | None = attrs.field(repr=False)
    """What scheduling remembers beside it."""


@attrs.frozen(slots=True, kw_only=True)
class Task:
    """Something that must happen after a commit, once, whatever becomes of the process."""

    id: int
    kind: str
    """What is to be done."""
    key: str
    """About what; there is one task of a kind with a key."""
    due: datetime
    attempts: int
    """How often it was tried in vain."""
    payload: bytes = attrs.field(repr=False)


@attrs.frozen(slots=True, kw_only=True)
class Lane:
    """The tasks of one kind, as many as there are."""

    kind: str
    waiting: int
    due: datetime
    """When the first of them is."""


@attrs.frozen(slots=True, kw_only=True)
class Peer:
    """Another domain, as the site has come to know it."""

    domain: str
    since: datetime
    sent: datetime | None = None
    """When it last took a message."""
    received: datetime | None = None
    """When a message of it was last delivered."""
    failures: int = 0
    """How often it has failed since."""
    next_try: datetime | None = None
    """When it is to be tried again, where it has failed."""
    problem: str = ""
    """Why it failed last."""


@attrs.frozen(slots=True, kw_only=True)
class Entry:
    """A scheduling message, as the journal has it: one entry for the recipients with whom it went alike."""

    at: datetime
    uid: str
    method: str
    """Of iTIP: ``REQUEST``, ``REPLY`` and so on."""
    originator: str
    recipients: tuple[str, ...]
    status: str
    """The delivery status (RFC 6638 section 3.2.9)."""
    reason: str
    """Why it was sent, in a few words for people."""
    outcome: str
    """What it did, or why it came to its status; the same."""
    sequence: int | None = None
    """The highest SEQUENCE in it (RFC 5546 section 2.1.4); None where that was not written down."""


@attrs.frozen(slots=True, kw_only=True)
class Tombstone:
    """A member that was removed."""

    collection_id: int
    name: str
    was_collection: bool
    revision: int


@attrs.frozen(slots=True, kw_only=True)
class Wanted:
    """A collection that arrives from another store, whose members are not all here yet."""

    source: int
    """Its id there."""
    staged: int
    """Its id here."""
    since: int
    """Up to which revision they are here."""


@attrs.frozen(slots=True, kw_only=True)
class Tie:
    """What is bound to a calendar of somebody who goes to another store than the sharee."""

    bound: Collection
    sharer: int
    """Whose the calendar is."""
    source: str
    """Its resource id."""
    row: Sequence[Any]
    """What is bound, as it goes to another store."""


@attrs.frozen(slots=True)
class Stamp:
    """What has changed if anything that a client sees in a home has: equal stamps, equal answers.

    Time itself is no change: a lock expires, "now" moves on. Settings (`Meta`) are not in it either.
    """

    revision: int
    """The home's."""
    floors: int
    """Grows when tombstones are purged."""
    locks: int
    """Grows with each lock that is made, refreshed or removed, anywhere."""
    principals: int
    """Grows with each change of a principal, of memberships or delegates."""
