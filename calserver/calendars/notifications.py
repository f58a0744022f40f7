"""What principals are told: members of their notification collections (caldav-sharing section 4).

A notification is kept as facts, in JSON; the protocol room writes it in the words of the client that reads it. One
about the same invitation takes the place of an older one, so that nobody finds more than how things stand.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from calserver import ical
from calserver.calendars.provision import CALENDAR_HOME, NOTIFICATIONS
from calserver.store import Draft, Principal, Transaction

INVITE: Final = "invite-notification"
REPLY: Final = "invite-reply"
CONTENT_TYPE: Final = "application/xml; charset=utf-8"


@attrs.frozen(slots=True, kw_only=True)
class Place:
    """Where a calendar is: whose, and the names on the way to it in the home."""

    kind: str
    uid: str
    names: tuple[str, ...]


@attrs.frozen(slots=True, kw_only=True)
class Person:
    """Somebody as a notification tells of them."""

    kind: str
    uid: str
    name: str

    @classmethod
    def of(cls, principal: Principal) -> "Person":
        """A principal."""
        return cls(kind=principal.kind, uid=principal.uid, name=principal.name)


@attrs.frozen(slots=True, kw_only=True)
class Notification:
    """One notification.

    An ``invite-notification`` tells a sharee how an invitation stands, an ``invite-reply`` the sharer what the sharee
    answered.
    """

    type: str
    stamp: str
    """When, as an RFC 3339 UTC timestamp."""
    uid: str
    """Of the invitation."""
    address: str
    """The calendar user address of the sharee."""
    status: str
    """``noresponse``, ``accepted``, ``declined``, ``deleted``."""
    calendar: Place
    person: Person
    """Who causes it: the sharer of an invitation, the sharee that replies."""
    access: str = "read"
    summary: str | None = None
    title: str | None = None
    """What the sharer's calendar is called."""
    components: Sequence[str] = ()
    """The types of components that the calendar takes; empty: all."""

    def packed(self) -> bytes:
        """As it is stored."""
        return json.dumps(attrs.asdict(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def unpacked(cls, content: bytes) -> "Notification":
        """What `packed` wrote."""
        facts: Mapping[str, Any] = json.loads(content)
        place = facts["calendar"]
        return cls(
            **{
                **facts,
                "calendar": Place(**{**place, "names": tuple(place["names"])}),
                "person": Person(**facts["person"]),
                "components": tuple(facts["components"]),
            }
        )


def tell(txn: Transaction, principal_id: int, notification: Notification) -> None:
    """Put a notification into the collection of a principal; nothing where there is none."""
    collection = _collection(txn, principal_id)
    if collection is not None:
        text = notification.packed()
        name = _name(notification.type, notification.uid)
        draft = Draft(
            name=name, text=text, content_type=CONTENT_TYPE, etag=ical.etag(text), component=notification.type
        )
        txn.objects.put(collection, draft)


def take_back(txn: Transaction, principal_id: int, type: str, uid: str) -> None:
    """Remove what a principal was told and need not know any more."""
    collection = _collection(txn, principal_id)
    found = None if collection is None else txn.objects.get(collection, _name(type, uid))
    if found is not None:
        txn.objects.remove(found.id)


def _collection(txn: Transaction, principal_id: int) -> int | None:
    home = txn.collections.home(principal_id, CALENDAR_HOME)
    found = None if home is None else txn.collections.child(home.id, NOTIFICATIONS)
    return None if found is None else found.id


def _name(type: str, uid: str) -> str:
    return f"{uid}.xml" if type == INVITE else f"{uid}-reply.xml"
