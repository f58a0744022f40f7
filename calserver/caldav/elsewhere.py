"""What there is of sharing where sharer and sharee are at different nodes (`calserver.calendars.branches`)."""

from collections.abc import Mapping
from typing import NoReturn

from calserver import calendars
from calserver.caldav.resources import CalendarHome
from calserver.caldav.sharee import TYPE
from calserver.dav import Collection, Forbidden, Resource, Written
from calserver.dav import Request as DavRequest
from calserver.tree import StoredCollection


class Signpost(StoredCollection):
    """What stands in the home of a sharee for a shared calendar that is at the node of the sharer.

    Clients never meet it: requests for it go on to that node, and what this one says of it is replaced.
    """

    resourcetype = TYPE
    copy = Resource.copy
    move = Resource.move
    create = Collection.create
    create_empty = Collection.create_empty
    traversed = False

    @classmethod
    def admit(cls, kind: str) -> None:
        """Nothing is made here."""
        _refuse()

    @property
    def stored_properties(self) -> Mapping[str, str]:
        """None: what it knows is of no concern to clients."""
        return {}


class Branch(CalendarHome):
    """The part of a home that is at the node of sharers: shared calendars are in it, and nothing else is put there."""

    @classmethod
    def admit(cls, kind: str) -> None:
        """Nothing is made here, and nothing comes here but by an invitation; it may have another name then."""
        if kind != calendars.SHARED_CALENDAR:
            _refuse()

    def create(self, name: str, request: DavRequest) -> Written:
        """The same."""
        _refuse()

    def create_empty(self, name: str) -> Resource:
        """The same."""
        _refuse()


def _refuse() -> NoReturn:
    raise Forbidden("a shared calendar has a name of its own, and is where it is")
