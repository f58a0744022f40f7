"""What belongs to a calendar home and stays in it: Inbox, Outbox, notifications, attachments (RFC 6638 section 2)."""

from calserver.caldav.notices import Notice
from calserver.caldav.resources import CalendarObjects
from calserver.dav import Collection, Forbidden, Request, Resource, Written
from calserver.names import CS, C, D
from calserver.tree import StoredCollection, StoredObject


class Reserved(StoredCollection):
    """A collection that belongs to the home: clients can neither delete nor move it, nor put anything into it."""

    delete = Resource.delete
    copy = Resource.copy
    move = Resource.move
    create = Collection.create
    create_empty = Collection.create_empty
    new_name = Collection.new_name
    make_collection = Collection.make_collection  # type: ignore[assignment]  # it always raises

    def store(self, name: str, request: Request) -> Written:
        """Content of members comes from the server alone."""
        raise Forbidden("the members of this collection are made by the server")

    def receive_object(self, source: StoredObject, name: str, *, copy: bool, replaced: Resource | None) -> Resource:
        """So do members."""
        raise Forbidden("the members of this collection are made by the server")

    @classmethod
    def admit(cls, kind: str) -> None:
        """There are no collections in it."""
        raise Forbidden("there can be no collections in this one")


class Inbox(Reserved, CalendarObjects):
    """The scheduling inbox (RFC 6638 section 2.2)."""

    resourcetype = (D("collection"), C("schedule-inbox"))
    taken = ("VEVENT", "VTODO")


class Outbox(Reserved, CalendarObjects):
    """The scheduling outbox (RFC 6638 section 2.1); it never has members, but clients search it all the same."""

    resourcetype = (D("collection"), C("schedule-outbox"))
    taken = ("VFREEBUSY",)


class Notifications(Reserved):
    """Where a client finds what others want to share with its user (caldav-sharing section 4).

    Its owner removes what has been seen.
    """

    resourcetype = (D("collection"), CS("notification"), D("notifications"))
    object_class = Notice


class Attachments(StoredCollection):
    """Files that events refer to."""

    traversed = False
    delete = Resource.delete
    copy = Resource.copy
    move = Resource.move
