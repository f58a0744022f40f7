"""A calendar of somebody else in the home of a sharee (caldav-sharing section 5).

It has a name, properties, locks and rights of its own; its members are those of the sharer's calendar, as the sharee
sees them: the store answers for them (`calserver.store.Shares`). What is written goes to the sharer's calendar.
"""

from functools import cached_property
from typing import Any, ClassVar, Final, cast

import attrs

from calserver import calendars, meetings
from calserver.caldav import scheduled
from calserver.caldav.notices import CALENDARS
from calserver.caldav.resources import CalendarCollection, CalendarObjectResource, settings
from calserver.calendars import sharing
from calserver.dav import (
    Collection,
    Forbidden,
    Href,
    QuotaNotExceeded,
    Resource,
    View,
    access,
)
from calserver.directory import principal_href
from calserver.ical import CalendarObject
from calserver.names import CS, C, D
from calserver.store import Collection as CollectionRow
from calserver.store import Object as ObjectRow
from calserver.store import Source
from calserver.tree import StoredCollection, StoredObject

TYPE: Final = (D("collection"), C("calendar"), CS("shared"))


def source_of(view: View, row: CollectionRow) -> Source:
    """Where a shared calendar comes from; one query for all in the same home."""
    known: dict[int, Any] = view.memory.setdefault(source_of, {})
    if row.id not in known:
        known.update(view.txn.shares.sources(row.home_id))
    return cast(Source, known[row.id])


def source_href(source: Source) -> Href:
    """The sharer's calendar."""
    return Href((CALENDARS, source.owner.kind, source.owner.uid, *source.names), collection=True)


def refuse_above(shared: StoredCollection, target: Resource) -> None:
    """Refuse to replace what a shared calendar comes from by a copy of it: nothing would be left to be copied.

    Raises:
        Forbidden: the target is the sharer's calendar, or above it (RFC 4918 section 9.8.5).
    """
    if not isinstance(target, StoredCollection) or shared.row.source_id is None:
        return
    if target.row.id in {each.id for each in shared.view.txn.collections.ancestors(shared.row.source_id)}:
        raise Forbidden("source and destination are the same, or one is in the other")


class SharedObject(CalendarObjectResource):
    """A calendar object resource of a shared calendar."""

    @property
    def text(self) -> bytes:
        """The content as the sharee sees it."""
        if self._text is None:
            found = self.view.txn.objects.texts([self.row.id], seen_in=self.row.collection_id)
            self._text = found[self.row.id]
        return self._text

    def copy(self, target: Resource, *, deep: bool = True) -> None:
        """Copy it as the sharee sees it."""
        refuse_above(self.parent, target)
        super().copy(target, deep=deep)

    def move(self, target: Resource) -> None:
        """Rename it; it stays in the sharer's calendar (section 5.5.5)."""
        if target.parent is None or target.parent.href != self.parent.href:
            self.check_leaving()
        super().move(target)

    def check_leaving(self) -> None:
        """It does not leave."""
        raise Forbidden("what is in a shared calendar cannot be moved elsewhere")


class SharedCalendar(CalendarCollection):
    """A calendar in the home of a sharee."""

    resourcetype: ClassVar[tuple[str, ...]] = TYPE
    object_class: ClassVar[type[CalendarObjectResource]] = SharedObject
    copied_kind = "calendar"

    def _take(self, row: CollectionRow) -> None:
        super()._take(row)
        self.quota_used = self.quota_available = None

    @property
    def source(self) -> Source:
        """The sharer's calendar."""
        return source_of(self.view, self.row)

    @property
    def sharer(self) -> Href:
        """Whose calendar it is."""
        owner = self.source.owner
        return principal_href(owner.kind, owner.uid)

    @cached_property
    def member_privileges(self) -> frozenset[str]:
        """What the actor holds on the members, whose properties are not the sharee's own as those of the calendar."""
        held: frozenset[str] = super().member_privileges
        return held if access.WRITE_CONTENT in held else held - {access.WRITE_PROPERTIES}

    def store_properties(self, changes: Any) -> None:
        """Set or remove the sharee's own properties; who shares the calendar looks at it again."""
        super().store_properties(changes)
        self.view.txn.collections.touch(self.source.collection.id)
        self.refresh()

    # -- what is written -----------------------------------------------------------------------------------------------

    @property
    def kept_in(self) -> CollectionRow:
        """The sharer's calendar."""
        return self.source.collection

    @property
    def outbox(self) -> Href:
        """The sharer's: who shares a calendar may not send in the sharer's name for that alone."""
        owner = self.source.owner
        return Href((CALENDARS, owner.kind, owner.uid, calendars.OUTBOX), collection=True)

    def keep(self, name: str, new: CalendarObject) -> tuple[StoredObject, bool]:
        """Store a calendar object in the sharer's calendar; the member as the sharee sees it, and whether it is new."""
        txn, source = self.view.txn, self.kept_in
        before = txn.collections.used_bytes(source.home_id)

        def put(for_owner: CalendarObject, organizers: tuple[str | None, ...]) -> tuple[ObjectRow, bool]:
            if meetings.concerns(source, *organizers):
                return scheduled.put(self, source, name, for_owner)
            zone = calendars.zone_of(source)
            draft = calendars.accepted(name, for_owner, now=txn.now, settings=settings(self.view), zone=zone)
            return cast(tuple[ObjectRow, bool], txn.objects.put(source.id, draft))

        created = sharing.put_as_sharee(txn, self.row, source, name, new, path=self.path_of, put=put)
        self._check_room_of_sharer(before)
        stored = self.object_named(name)
        assert stored is not None
        return stored, created

    def path_of(self, row: ObjectRow) -> str:
        """Where the sharee finds an object; of what is elsewhere in the sharer's home only that it is in the way."""
        here = row.collection_id in (self.row.id, self.source.collection.id)
        return self.view.path(self.href.child(row.name) if here else self.href)

    def _check_room_of_sharer(self, before: int) -> None:
        """What is in the calendar counts for the sharer (RFC 4331 section 6)."""
        most = self.view.settings.quota_bytes
        if most and self.view.txn.collections.used_bytes(self.source.collection.home_id) > max(most, before):
            raise QuotaNotExceeded("there is no room for it in the home of the sharer")

    def receive_object(self, source: StoredObject, name: str, *, copy: bool, replaced: Resource | None) -> Resource:
        """Take a calendar object: under another name, or from elsewhere, as if the sharee had written it."""
        self.check_name(name)
        objects = self.view.txn.objects
        before = objects.get(self.source.collection.id, name) if copy else None
        if replaced is not None:
            replaced.delete()
        if source.parent.row.id == self.row.id and not copy:
            row = objects.move(source.row.id, self.source.collection.id, name)
            return self.object_of(attrs.evolve(row, collection_id=self.row.id))
        received = self._made_like(source, name, copy=copy)
        if copy and before is not None and before.acl is not None:
            objects.set_acl(received.row.id, before.acl)  # that of the sharer's calendar, which the sharee does not see
        return received

    # -- the calendar itself -------------------------------------------------------------------------------------------

    def copy(self, target: Resource, *, deep: bool = True) -> None:
        """Make a calendar of one's own of it."""
        refuse_above(self, target)
        super().copy(target, deep=deep)

    def delete(self) -> None:
        """Do not share it any more; the sharer's calendar stays as it is (section 5.4.2)."""
        sharing.leave(self.view.txn, self.row)
        self.view.txn.locks.remove_below(str(self.href).rstrip("/"))

    def move(self, target: Resource) -> None:
        """Give it another name in the same home."""
        home: Collection | None = self.parent
        if home is None or target.parent is None or target.parent.href != home.href:
            self.check_leaving()
        StoredCollection.move(self, target)

    def check_leaving(self) -> None:
        """It does not leave."""
        raise Forbidden("a shared calendar stays in the home that it is in")
