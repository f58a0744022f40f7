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
    """Put a notification into the collection of a principal, at whichever node; nothing where there is none."""
    name = _name(notification.type, notification.uid)
    _say(txn, Tidings(principal_id=principal_id, name=name, type=notification.type, content=notification.packed()))


def take_back(txn: Transaction, principal_id: int, type: str, uid: str) -> None:
    """Remove what a principal was told and need not know any more."""
    _say(txn, Tidings(principal_id=principal_id, name=_name(type, uid), type=type))


@attrs.frozen(slots=True, kw_only=True)
class Tidings:
    """A notification for a principal, on its way to the node where that is."""

    principal_id: int
    name: str
    """Of the notification in its collection."""
    type: str
    content: bytes | None = None
    """`Notification.packed`; None where it is taken back."""

    def packed(self) -> bytes:
        """As it waits in a task, and as it is sent."""
        content = None if self.content is None else self.content.decode()
        return json.dumps({**attrs.asdict(self), "content": content}, ensure_ascii=False).encode()

    @classmethod
    def unpacked(cls, packed: bytes | str) -> "Tidings":
        """What `packed` wrote."""
        facts: dict[str, Any] = json.loads(packed)
        content: str | None = facts.pop("content")
        return cls(**facts, content=None if content is None else content.encode())


TIDINGS: Final = "tidings"
"""A task: tidings for somebody who is at another node."""


def receive(txn: Transaction, tidings: Tidings) -> bool:
    """Tell a principal what another node has sent; doing it again changes nothing.

    Returns:
        Whether the principal has calendars here.
    """
    home = txn.collections.home(tidings.principal_id, CALENDAR_HOME)
    collection = None if home is None else txn.collections.child(home.id, NOTIFICATIONS)
    if collection is not None:
        _keep(txn, collection.id, tidings)
    return home is not None


def find(txn: Transaction, principal_id: int, name: str) -> Notification | None:
    """A notification of a principal who has calendars here, by its name."""
    home = txn.collections.home(principal_id, CALENDAR_HOME)
    collection = None if home is None else txn.collections.child(home.id, NOTIFICATIONS)
    found = None if collection is None else txn.objects.get(collection.id, name)
    return None if found is None else Notification.unpacked(txn.objects.text(found.id))


def name_of(uid: str) -> str:
    """What the notification about an invitation is called."""
    return _name(INVITE, uid)


def _say(txn: Transaction, tidings: Tidings) -> None:
    if not receive(txn, tidings) and txn.placements.of((tidings.principal_id,)):
        txn.tasks.put(TIDINGS, f"{tidings.principal_id} {tidings.name}", tidings.packed(), due=txn.now)


def _keep(txn: Transaction, collection_id: int, tidings: Tidings) -> None:
    text = tidings.content
    if text is not None:
        draft = Draft(
            name=tidings.name, text=text, content_type=CONTENT_TYPE, etag=ical.etag(text), component=tidings.type
        )
        txn.objects.put(collection_id, draft)
        return
    found = txn.objects.get(collection_id, tidings.name)
    if found is not None:
        txn.objects.remove(found.id)


def _name(type: str, uid: str) -> str:
    return f"{uid}.xml" if type == INVITE else f"{uid}-reply.xml"
