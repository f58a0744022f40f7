"""What is in a calendar home, as resources (RFC 4791 section 4.2, RFC 6638 section 2).

========================  =======================  =================================================================
class                     kind in the store        takes
========================  =======================  =================================================================
`CalendarHome`            ``calendar-home``        calendars, plain collections, files
`PlainCollection`         ``plain``                the same
`CalendarCollection`      ``calendar``             calendar object resources of the components it is for
`SharedCalendar`          ``shared-calendar``      the same; they go into the calendar of the sharer
`Signpost`                ``signpost``             nothing: what it stands for is at another node
`Inbox`, `Outbox`         ``inbox``, ``outbox``    nothing from clients; scheduling puts messages into the Inbox
`Attachments`             ``attachments``          files and plain collections
`Notifications`           ``notifications``        nothing from clients
========================  =======================  =================================================================

The last four belong to the home: they cannot be deleted, moved or made.
"""

from collections.abc import Iterator
from datetime import UTC, tzinfo
from functools import partial
from typing import Any, ClassVar, Final, cast

import attrs

from calserver import calendars, ical, meetings
from calserver.caldav import scheduled, webcal
from calserver.caldav.negotiation import content_type
from calserver.calendars import CalendarCollectionLocationOk, publishing, sharing
from calserver.config import Calendars, Settings
from calserver.dav import (
    Collection,
    Forbidden,
    Href,
    NeedPrivileges,
    Request,
    Resource,
    View,
    Written,
    access,
    acl,
    xml,
)
from calserver.ical import JCAL, CalendarObject
from calserver.names import CS, ICAL, MOBILEME, C, D
from calserver.store import Collection as CollectionRow
from calserver.store import Object as ObjectRow
from calserver.tree import Estate, Home, StoredCollection, StoredObject

CALENDAR_DATA = C("calendar-data")
TIMES_JCAL = 16
"""How much more a calendar costs that is not joined but parsed, and written as jCal."""
COLLECTION_TYPE = "httpd/unix-directory"
"""``DAV:getcontenttype`` of a calendar: Thunderbird would fetch it as an event if it were what GET answers."""


def settings(view: View) -> Calendars:
    """The calendar section of the configuration."""
    return cast(Settings, view.settings).calendars


Fields = tuple[tuple[str, str], ...]
IN_PUBLIC: Final[Fields] = (("Vary", "Accept, Authorization"), ("Cache-Control", "no-cache"))
"""Header fields of what is public: it is asked for each time, so that nobody has it from a cache when it is no more."""


class CalendarObjectResource(StoredObject):
    """A calendar object resource (RFC 4791 section 4.1), or a message in an Inbox (RFC 6638 section 4.1)."""

    headers = (*StoredObject.headers, ("Vary", "Accept"))

    def __init__(
        self, view: View, href: Href, row: ObjectRow, parent: StoredCollection, text: bytes | None = None
    ) -> None:
        super().__init__(view, href, row, parent)
        self.schedule_tag = None if row.schedule_tag is None else f'"{row.schedule_tag}"'
        self._text = text
        if content_type(view.request) == JCAL:
            self.content_type = JCAL
            self.content_length = None

    @property
    def without(self) -> frozenset[str]:  # type: ignore[override]  # what the class has depends on a setting
        """Mostly objects have the access control list of their calendar."""
        return frozenset() if settings(self.view).object_acl else frozenset({"ACL"})

    @property
    def privileges(self) -> frozenset[str]:
        """What the actor holds here. Who has not logged in sees public calendars, but not what is in them one by one.

        So nobody can find out that there is something private; what has a list of its own is not public at all.
        """
        nobody = acl.UNAUTHENTICATED in self.view.request.actor.identities
        return frozenset() if nobody else super().privileges

    @property
    def text(self) -> bytes:
        """The content as stored; costs a query where it was not loaded with the object."""
        if self._text is None:
            self._text = super().read()
        return self._text

    @property
    def zone(self) -> tzinfo:
        """Where its floating times and days are."""
        return self.parent.zone if isinstance(self.parent, CalendarObjects) else UTC

    @property
    def is_scheduled(self) -> bool:
        """Whether removing it is of concern to others (RFC 6638 section 3.1)."""
        place = self.parent
        return isinstance(place, CalendarCollection) and meetings.concerns(place.kept_in, self.row.organizer)

    def delete(self) -> None:
        """Remove it, and tell whom it concerns.

        Raises:
            Forbidden: the organizer cannot be told (RFC 6638 section 3.2.2.4).
        """
        if self.is_scheduled:
            scheduled.refuse_unreachable(scheduled.withdraw(self))
            self.view.txn.locks.remove_below(str(self.href))
        else:
            super().delete()

    def move(self, target: Resource) -> None:
        """Move it; to what is no calendar, as if it were copied there and removed here (RFC 6638 section 3.2.3.3)."""
        if self.is_scheduled and not isinstance(target.parent, CalendarCollection):
            self.copy(target)
            self.delete()
        else:
            super().move(target)

    def read(self) -> bytes:
        """The content in the media type that the client wants (RFC 7265)."""
        return ical.to_jcal(ical.parse(self.text)) if self.content_type == JCAL else self.text


def stop_sharing(place: StoredCollection) -> None:
    """End what others share of a collection that goes, or moves to somebody else."""
    sharing.end_below(place.view.txn, place.row)


def _leaves(place: StoredCollection, target: Resource) -> bool:
    """Whether the target of a MOVE is in another home."""
    return not target.href.within(place.estate.href)


def path_of(place: StoredCollection, row: ObjectRow) -> str:
    """Where clients find an object of the home that a collection is in; the collection itself for a hidden one."""
    names = [each.name for each in place.view.txn.collections.ancestors(row.collection_id)]
    href = Href((*place.estate.href.segments, *names[1:], row.name))
    try:
        found: Resource = place.view.find(href)
    except NeedPrivileges:
        found = place
    return place.view.path(href) if access.READ in found.privileges and found is not place else place.path


class PlainCollection(StoredCollection):
    """A plain collection in a calendar home, for calendars and files.

    Who may do what in it says nothing of what is in it: calendars are shared one by one.
    """

    new_name = Collection.new_name
    heritable = False

    def delete(self) -> None:
        """Remove it with everything below, and tell whom that concerns; nobody shares it any more."""
        self._check_below(taken_along=False)
        for each in self._everything_below():
            if isinstance(each, CalendarCollection):
                scheduled.withdraw_all(each)
        stop_sharing(self)
        super().delete()

    def move(self, target: Resource) -> None:
        """Move it; what is in another home then nobody shares any more."""
        if _leaves(self, target):
            stop_sharing(self)
        super().move(target)

    @classmethod
    def kind_for(cls, resourcetype: tuple[str, ...]) -> str:
        """Calendars and plain collections can be made."""
        return "calendar" if _is_calendar(resourcetype) else super().kind_for(resourcetype)

    @classmethod
    def admit(cls, kind: str) -> None:
        """Calendars and plain collections can be members."""
        if kind != "calendar":
            super().admit(kind)

    def receive_collection(
        self, source: StoredCollection, name: str, *, copy: bool, deep: bool = True, replaced: Resource | None
    ) -> StoredCollection:
        """Take a collection; a calendar from elsewhere brings no UID that another one has."""
        received = super().receive_collection(source, name, copy=copy, deep=deep, replaced=replaced)
        if not copy and isinstance(received, CalendarCollection) and source.row.parent_id != self.row.id:
            for row in self.view.txn.objects.in_collection(received.row.id):
                calendars.admit(self.view.txn, received.row, row, partial(path_of, self), replaced=row)
        return received


def _is_calendar(resourcetype: tuple[str, ...]) -> bool:
    return set(resourcetype) | {D("collection")} == {D("collection"), C("calendar")}


class CalendarHome(PlainCollection, Home):
    """The calendar home of a principal (RFC 4791 section 4.2)."""

    heritable = True
    delete = Home.delete
    move = Home.move

    @classmethod
    def admit(cls, kind: str) -> None:
        """Shared calendars can be members too."""
        if kind != calendars.SHARED_CALENDAR:
            super().admit(kind)

    def make_collection(self, name: str, resourcetype: tuple[str, ...]) -> StoredCollection:
        """Make an empty collection; the names of shared calendars, also of declined ones, are theirs."""
        share = self.view.txn.shares.by_uid(name) if len(name) == _UID_CHARACTERS else None
        if share is not None and share.principal_id == self.row.principal_id:
            raise Forbidden("this is the name of a calendar that somebody shares")
        return super().make_collection(name, resourcetype)


_UID_CHARACTERS: Final = 36
"""How long the uid of an invitation is."""


class CalendarObjects(StoredCollection):
    """A collection of calendar objects, which can be searched: a calendar or an Inbox."""

    object_class: ClassVar[type[CalendarObjectResource]] = CalendarObjectResource

    @property
    def taken(self) -> tuple[str, ...]:
        """The types of components that it takes (RFC 4791 section 5.2.3, RFC 6638 sections 2.1 and 2.2)."""
        return calendars.taken(self.row)

    @property
    def zone(self) -> tzinfo:
        """The zone in which floating times and days of its members are compared (RFC 4791 section 5.2.2)."""
        return calendars.zone_of(self.row)

    def members(self, wanted: frozenset[str] | None = None) -> Iterator[Resource]:
        """The calendar objects by name, with their texts where calendar data are wanted."""
        if wanted is None or CALENDAR_DATA not in wanted:
            yield from super().members(wanted)
        else:
            for row, text in self.view.txn.objects.iterate(self.row.id):
                if self.shows(row):
                    yield self.object_with(row, text)

    def object_named(self, name: str) -> StoredObject | None:
        """The member with this name; with its content, where a GET will ask for that."""
        if self.view.request.method != "GET":
            return super().object_named(name)
        found = self.view.txn.objects.whole(self.row.id, name, bound=self.row.source_id is not None)
        return None if found is None else self.object_with(*found)

    def object_with(self, row: ObjectRow, text: bytes) -> CalendarObjectResource:
        """A member whose content is at hand."""
        return self.object_class(self.view, self.href.child(row.name), row, self, text)


SHARED_TYPE: Final = (D("collection"), C("calendar"), CS("shared-owner"))
"""``DAV:resourcetype`` of a calendar to which others are invited."""


class CalendarCollection(CalendarObjects):
    """A calendar (RFC 4791 section 4.2). Its members are calendar object resources and nothing else."""

    resourcetype: ClassVar[tuple[str, ...]] = (D("collection"), C("calendar"))
    create_empty = Collection.create_empty

    def __init__(
        self, view: View, href: Href, row: CollectionRow, estate: Estate, parent: StoredCollection | None = None
    ) -> None:
        super().__init__(view, href, row, estate, parent)
        self.content_type = content_type(view.request) or COLLECTION_TYPE
        if self.content_type == JCAL:
            self.quick = self.quick - {D("getcontenttype")}

    def _take(self, row: CollectionRow) -> None:
        super()._take(row)
        if self.in_public:
            self.etag = f'"{self.ctag}-public"'
        if access.READ not in self.privileges:
            self.etag = self.modified = None  # who sees only when it is busy sees what depends on the time
        if row.shared:
            self.resourcetype = SHARED_TYPE  # type: ignore[misc]  # of this one alone

    # -- what clients see of it --------------------------------------------------------------------------------

    @property
    def in_public(self) -> bool:
        """Whether it is seen by somebody who has not logged in."""
        return self.view.request.actor.href is None

    @property
    def headers(self) -> Fields:  # type: ignore[override]  # what fits depends on who asks
        """Header fields of answers to GET and HEAD."""
        return IN_PUBLIC if self.in_public else (("Vary", "Accept"),)

    @property
    def state_tokens(self) -> tuple[str, ...]:
        """The ctag too, for the bulk requests of Apple's clients."""
        return (*super().state_tokens, f"{MOBILEME}ctag/{self.ctag}")

    def update(self, **columns: Any) -> None:
        """Set columns of the row that follow from no stored property."""
        self._take(self.view.txn.collections.update(attrs.evolve(self.row, **columns)))

    def refresh(self) -> None:
        """Look at the row again after members have changed."""
        row = self.view.txn.collections.get(self.row.id)
        if row is not None:
            self._take(row)

    def read(self) -> bytes:
        """All members as one iCalendar or jCal object."""
        text = webcal.whole(self._texts(), self._properties())
        return ical.to_jcal(ical.parse(text)) if self.content_type == JCAL else text

    def _texts(self) -> Iterator[bytes]:
        times = TIMES_JCAL if self.content_type == JCAL else 1
        for row, text in self.view.txn.objects.iterate(self.row.id):
            if self.shows(row):
                self.view.allowance.spend(len(text) * times)
                seen = publishing.public_form(text) if self.in_public else text
                if seen is not None:
                    yield seen

    def _properties(self) -> Iterator[tuple[str, str]]:
        yield "X-WR-CALNAME", self.display_name or self.row.name
        color = self.stored_properties.get(ICAL("calendar-color"))
        if color is not None:
            yield "X-APPLE-CALENDAR-COLOR", xml.stored_text(color)

    # -- what may be in it -------------------------------------------------------------------------------------

    @classmethod
    def kind_for(cls, resourcetype: tuple[str, ...]) -> str:
        """Nothing can be made here, but the refusal depends on what it is."""
        return "calendar" if _is_calendar(resourcetype) else super().kind_for(resourcetype)

    @classmethod
    def admit(cls, kind: str) -> None:
        """No collection can be a member (RFC 4791 section 4.2)."""
        if kind == "calendar":
            raise CalendarCollectionLocationOk("a calendar cannot be inside of a calendar")
        raise Forbidden("a calendar has no collections in it")

    @property
    def kept_in(self) -> CollectionRow:
        """The calendar in which its members really are."""
        return self.row

    @property
    def outbox(self) -> Href:
        """From where is sent what changes here mean for others."""
        return self.estate.href.child(calendars.OUTBOX, collection=True)

    def path_of(self, row: ObjectRow) -> str:
        """Where clients find an object of the home: what conditions name."""
        return path_of(self, row)

    def store(self, name: str, request: Request) -> Written:
        """Store a calendar object that a client sends (RFC 4791 section 5.3.2)."""
        stored, created = self.keep(name, self._received(request.body, request.headers.get("content-type", "")))
        return Written(resource=stored, created=created, verbatim=ical.etag(request.body) == stored.row.etag)

    def _received(self, content: bytes, media_type: str) -> CalendarObject:
        return CalendarObject.parse(content, media_type, calendars.limits(settings(self.view)))

    def keep(self, name: str, new: CalendarObject) -> tuple[StoredObject, bool]:
        """Store a calendar object under a name; the member, and whether it is new."""
        txn, rules = self.view.txn, settings(self.view)
        replaced = txn.objects.get(self.row.id, name)
        if meetings.concerns(self.row, new.organizer, None if replaced is None else replaced.organizer):
            row, created = scheduled.put(self, self.row, name, new)
            self.check_room()
            return self.object_of(row), created
        calendars.admit(txn, self.row, new, self.path_of, replaced=replaced)
        stored, created = self.put(calendars.accepted(name, new, now=txn.now, settings=rules, zone=self.zone))
        calendars.spread(txn, self.row, stored.row, new.text)
        return stored, created

    def delete(self) -> None:
        """Remove it, and tell whom it concerns; nobody shares it any more."""
        scheduled.refuse_default(self)
        if self.row.shared:
            stop_sharing(self)
        self._check_below(taken_along=False)
        scheduled.withdraw_all(self)
        super().delete()

    def move(self, target: Resource) -> None:
        """Move it. In another home nobody shares it any more, and its meetings are somebody else's."""
        if not _leaves(self, target):
            super().move(target)
            return
        self.check_leaving()
        if not self.view.txn.copies.organized(self.row.id):
            if self.row.shared:
                stop_sharing(self)
            super().move(target)
            return
        self.copy(target)
        self.delete()

    def check_leaving(self) -> None:
        """Raise a refusal where it cannot be moved to another home: invitations have to be put somewhere."""
        scheduled.refuse_default(self)
        super().check_leaving()

    def receive_object(self, source: StoredObject, name: str, *, copy: bool, replaced: Resource | None) -> Resource:
        """Take a calendar object that is copied or moved here, from another calendar or from elsewhere."""
        before = replaced.row if isinstance(replaced, StoredObject) else None
        if self._stays_in_home(source) and not copy:
            calendars.admit(self.view.txn, self.row, source.row, self.path_of, replaced=before, moved=source.row)
            return self._taken(source, name, copy=False, replaced=replaced)
        organizers = (source.row.organizer, None if before is None else before.organizer)
        if meetings.concerns(self.row, *organizers) or _is_scheduled(source):
            return self._made_like(source, name, copy=copy)
        if not isinstance(source.parent, CalendarCollection) or source.parent.row.source_id is not None:
            return self._made_like(source, name, copy=copy)
        calendars.admit(
            self.view.txn,
            self.row,
            source.row,
            self.path_of,
            replaced=before,
            moved=None if copy else source.row,
        )
        return self._taken(source, name, copy=copy, replaced=replaced)

    def _stays_in_home(self, source: StoredObject) -> bool:
        """Whether it comes from a calendar of the same home, so that nothing of it changes for anybody."""
        place = source.parent
        return (
            isinstance(place, CalendarCollection)
            and place.row.source_id is None
            and place.row.home_id == self.row.home_id
            and (source.row.organizer is not None or _is_in_folder(place) == _is_in_folder(self))
        )

    def _taken(self, source: StoredObject, name: str, *, copy: bool, replaced: Resource | None) -> StoredObject:
        received = cast(StoredObject, super().receive_object(source, name, copy=copy, replaced=replaced))
        if self.row.shared:
            calendars.spread(self.view.txn, self.row, received.row, received.read())
        return received

    def _made_like(self, source: StoredObject, name: str, *, copy: bool) -> StoredObject:
        """Store what another resource says as if a client had put it here (RFC 6638 sections 3.2.3.2 and 3.2.3.3)."""
        self.check_name(name)
        new = self._received(source.read(), source.row.content_type)
        properties = source.stored_properties
        if not copy:
            source.delete()
        stored, _ = self.keep(name, new)
        if properties:
            stored.store_properties(properties)
        return stored

    def new_name(self, request: Request) -> str:
        """A name as clients would choose it."""
        return f"{super().new_name(request)}.ics"


def _is_in_folder(place: StoredCollection) -> bool:
    return place.row.parent_id != place.row.home_id


def _is_scheduled(source: StoredObject) -> bool:
    return isinstance(source, CalendarObjectResource) and source.is_scheduled
