"""What every principal has from the start (RFC 4791 section 4.2, RFC 6638 sections 2.1 and 2.2).

Clients find their way by what is there: Apple's take the first calendar for events, invitations need an Inbox and a
calendar before their recipient has ever logged in. So these collections are made in the transaction that makes the
principal. Events and tasks have a calendar each, as Apple's clients show one or the other; both are ordinary calendars
that their owner may rename or delete.
"""

from collections.abc import Iterator
from typing import Final

import attrs
from lxml import etree

from calserver.config import Calendars
from calserver.dav import xml
from calserver.names import D
from calserver.store import Principal, Transaction

CALENDAR_HOME: Final = "calendar-home"
DRIVE_HOME: Final = "drive-home"
SHARED_CALENDAR: Final = "shared-calendar"
"""The kind of what is bound to a calendar in another home (see `calserver.calendars.sharing`)."""
OWNERS: Final = frozenset({"user", "resource", "location"})
"""Kinds of principals that have calendars."""

DEFAULT: Final = "Default"
TASKS: Final = "Tasks"
INBOX: Final = "Inbox"
OUTBOX: Final = "Outbox"
ATTACHMENTS: Final = "Attachments"
NOTIFICATIONS: Final = "Notifications"


@attrs.frozen(slots=True, kw_only=True)
class _Standard:
    """A collection of a new home."""

    name: str
    kind: str
    title: str | None = None
    components: tuple[str, ...] = ()


def provision(txn: Transaction, principal: Principal, settings: Calendars) -> None:
    """Make the homes and standard collections of a principal, as far as they are wanted and not there yet.

    Doing it again changes nothing. A standard collection whose name is taken by something else is left out.

    Args:
        txn: a writing transaction.
        principal: groups get nothing.
        settings: the switches.
    """
    if principal.kind not in OWNERS:
        return
    collections = txn.collections
    home = collections.home(principal.id, CALENDAR_HOME) or collections.add_home(principal.id, CALENDAR_HOME)
    there = {each.name for each in collections.children(home.id)}
    for each in _standard(settings):
        if each.name not in there:
            collections.add(
                home.id,
                each.name,
                each.kind,
                properties=_titled(each.title) if each.title else {},
                display_name=each.title,
                components=each.components,
            )
    if settings.create_drive and principal.kind == "user" and collections.home(principal.id, DRIVE_HOME) is None:
        collections.add_home(principal.id, DRIVE_HOME)


def _titled(title: str) -> dict[str, str]:
    element = etree.Element(D("displayname"))
    element.text = title
    return {element.tag: xml.stored(element)}


def _standard(settings: Calendars) -> Iterator[_Standard]:
    if settings.create_default:
        yield _Standard(name=DEFAULT, kind="calendar", title="Calendar", components=("VEVENT", "VFREEBUSY"))
    if settings.create_tasks:
        yield _Standard(name=TASKS, kind="calendar", title="Tasks", components=("VTODO",))
    if settings.create_scheduling:
        yield _Standard(name=INBOX, kind="inbox")
        yield _Standard(name=OUTBOX, kind="outbox")
    if settings.create_attachments:
        yield _Standard(name=ATTACHMENTS, kind="attachments")
    if settings.create_notifications:
        yield _Standard(name=NOTIFICATIONS, kind="notifications")
