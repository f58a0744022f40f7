"""Public calendars: those that anybody may read, or see when they are busy, without logging in.

A calendar is published by an entry for ``DAV:unauthenticated`` at the head of its access control list, and in no other
way; so what it gives is decided where everything else is, and nobody who has logged in gets or loses a right by it.
Who is not known here sees less than who may read: no alarms, and nothing that is marked as private or confidential.
"""

import re
from collections.abc import Iterable
from typing import Final

from calserver import ical
from calserver.calendars import personal
from calserver.dav import Ace, Acl, acl
from calserver.ical import Component
from calserver.names import D
from calserver.store import Collection, Transaction
from calserver.tree import access

READ: Final = "read"
FREE_BUSY: Final = "free-busy"
_PRIVILEGES: Final = {READ: D("read"), FREE_BUSY: access.READ_FREE_BUSY}
_MAY_BE_CLASSIFIED: Final = re.compile(rb"^CLASS[;:]", re.IGNORECASE | re.MULTILINE)


def published(calendar: Collection) -> str | None:
    """What a calendar is published for by its own list; None where it is not. What somebody shares never is."""
    return None if calendar.source_id is not None else _published(access.own(calendar))


def publish(txn: Transaction, calendar: Collection, what: str = READ) -> Collection:
    """Let anybody read a calendar, or see when it is busy and nothing else."""
    return _set(txn, calendar, what)


def unpublish(txn: Transaction, calendar: Collection) -> Collection:
    """Let nobody do so any more without logging in."""
    return _set(txn, calendar, None)


def _set(txn: Transaction, calendar: Collection, what: str | None) -> Collection:
    """Make a calendar public for this and no more: what the list says of others stays as it is."""
    others = tuple(each for each in access.own(calendar) if each.who != acl.UNAUTHENTICATED or each.invert)
    head = () if what is None else (_entry(_PRIVILEGES[what]),)
    if _published((*head, *others)) != what:
        head = (*head, _entry(D("read"), deny=True))
    entries = (*head, *others)
    return txn.collections.set_acl(calendar.id, None if entries == access.DEFAULT.get(calendar.kind, ()) else entries)


def _entry(privilege: str, *, deny: bool = False) -> Ace:
    return Ace(acl.UNAUTHENTICATED, frozenset((privilege,)), deny=deny)


def _published(entries: Acl) -> str | None:
    granted = {privilege for privilege in access.READING if _is_granted(entries, privilege)}
    if granted == access.READING:
        return READ
    return FREE_BUSY if access.READ_FREE_BUSY in granted else None


def _is_granted(entries: Iterable[Ace], privilege: str) -> bool:
    """Whether the first entry that is about nobody in particular, and decides on a part of reading, grants it."""
    for each in entries:
        if not each.privileges.isdisjoint((privilege, D("read"), D("all"))) and each.about(_is_nobody):
            return not each.deny
    return False


def _is_nobody(who: acl.Who) -> bool:
    return who in (acl.ALL, acl.UNAUTHENTICATED)


def public_form(text: bytes) -> bytes | None:
    """A calendar object as anybody sees it; None where nobody does, because a part of it is not public."""
    if _MAY_BE_CLASSIFIED.search(personal.unfolded(text)) and any(map(_is_classified, ical.parse(text).components)):
        return None
    return personal.without_alarms(text)


def _is_classified(component: Component) -> bool:
    """Whether a component is not public (RFC 5545 section 3.8.1.3); what is of an unknown class is private."""
    return (component.value("CLASS") or "PUBLIC").upper() != "PUBLIC"
