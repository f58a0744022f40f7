"""Public calendars: those that anybody may read, or see when they are busy, without logging in.

A calendar is published by an entry for everybody in its access control list, and in no other way; so what that entry
gives is decided where everything else is. Who is not known here sees less than who is: no alarms, and nothing that is
marked as private or confidential.
"""

import re
from collections.abc import Iterable
from typing import Final

import attrs

from calserver import ical
from calserver.calendars import personal
from calserver.dav import Ace, Acl, acl
from calserver.ical import Component
from calserver.names import C, D
from calserver.store import Collection, Transaction
from calserver.tree import access

READ: Final = "read"
FREE_BUSY: Final = "free-busy"
_PRIVILEGES: Final = {READ: D("read"), FREE_BUSY: C("read-free-busy")}
_READING: Final = frozenset(_PRIVILEGES.values())
_MAY_BE_CLASSIFIED: Final = re.compile(rb"^CLASS[;:]", re.IGNORECASE | re.MULTILINE)


def published(calendar: Collection) -> str | None:
    """What a calendar is published for; None where it is not."""
    granted = {
        privilege
        for each in (() if calendar.source_id is not None else access.own(calendar))
        if _is_about_all(each) and not each.deny
        for privilege in each.privileges
    }
    if granted & {D("read"), D("all")}:
        return READ
    return FREE_BUSY if _PRIVILEGES[FREE_BUSY] in granted else None


def publish(txn: Transaction, calendar: Collection, what: str = READ) -> Collection:
    """Let anybody read a calendar, or see when it is busy."""
    entries = (*_unpublished(access.own(calendar)), Ace(acl.ALL, frozenset({_PRIVILEGES[what]})))
    return txn.collections.set_acl(calendar.id, entries)


def unpublish(txn: Transaction, calendar: Collection) -> Collection:
    """Let nobody do so any more but who may for another reason."""
    entries = _unpublished(access.own(calendar))
    default = access.DEFAULT.get(calendar.kind, ())
    return txn.collections.set_acl(calendar.id, None if entries == default else entries)


def _unpublished(entries: Iterable[Ace]) -> Acl:
    """The list without what it says of everybody's reading."""
    found = []
    for each in entries:
        if _is_about_all(each):
            rest = frozenset() if D("all") in each.privileges else each.privileges - _READING
            if rest:
                found.append(attrs.evolve(each, privileges=rest))
        else:
            found.append(each)
    return tuple(found)


def _is_about_all(ace: Ace) -> bool:
    return ace.who == acl.ALL and not ace.invert


def public_form(text: bytes) -> bytes | None:
    """A calendar object as anybody sees it; None where nobody does, because a part of it is not public."""
    if _MAY_BE_CLASSIFIED.search(personal.unfolded(text)) and any(map(_is_classified, ical.parse(text).components)):
        return None
    return personal.without_alarms(text)


def _is_classified(component: Component) -> bool:
    """Whether a component is not public (RFC 5545 section 3.8.1.3); what is of an unknown class is private."""
    return (component.value("CLASS") or "PUBLIC").upper() != "PUBLIC"
