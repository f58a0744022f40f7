"""The calendars of a principal: list, make, delete."""

import re
from datetime import datetime

import attrs
from lxml import etree

from calserver.admin.refused import Refused
from calserver.calendars import CALENDAR_HOME, COMPONENTS, publishing, sharing
from calserver.dav import xml
from calserver.names import ICAL, D
from calserver.store import Collection, NameTaken, Principal, Transaction

LONGEST_NAME = 255


@attrs.frozen(kw_only=True)
class CalendarFacts:
    """What an administrator wants to know of a calendar."""

    name: str
    path: str
    display_name: str
    components: tuple[str, ...]
    objects: int
    modified: datetime
    published: str | None
    """What anybody may do without logging in: ``read``, ``free-busy``, or nothing."""


def home(txn: Transaction, principal: Principal) -> Collection:
    """Where the calendars of a principal are.

    Raises:
        Refused: it has none, as groups.
    """
    found = txn.collections.home(principal.id, CALENDAR_HOME)
    if found is None:
        raise Refused(f"the {principal.kind} {principal.uid} has no calendars")
    return found


def find(txn: Transaction, principal: Principal, name: str) -> Collection:
    """A calendar by the last segment of its URL.

    Raises:
        Refused: there is none of this name.
    """
    found = txn.collections.child(home(txn, principal).id, name)
    if found is None or found.kind != "calendar":
        raise Refused(f"the {principal.kind} {principal.uid} has no calendar {name}")
    return found


def calendars(txn: Transaction, principal: Principal) -> list[CalendarFacts]:
    """All calendars of a principal, by name."""
    children = txn.collections.children(home(txn, principal).id)
    return [_facts(txn, principal, each) for each in children if each.kind == "calendar"]


def show(txn: Transaction, principal: Principal, name: str) -> CalendarFacts:
    """One calendar.

    Raises:
        Refused: there is none of this name.
    """
    return _facts(txn, principal, find(txn, principal, name))


def create(
    txn: Transaction,
    principal: Principal,
    name: str,
    *,
    display_name: str | None = None,
    components: tuple[str, ...] = (),
    color: str | None = None,
) -> CalendarFacts:
    """Make a calendar.

    Args:
        txn: a writing transaction.
        principal: whose.
        name: the last segment of its URL.
        display_name: its title; the name unless given.
        components: the component types it takes; all that the server takes where there are none.
        color: ``#RRGGBB`` or ``#RRGGBBAA``.

    Raises:
        Refused: the name is taken, or cannot be one; a component type is unknown; the color is none.
    """
    if not name or name in (".", "..") or "/" in name or not name.isprintable() or len(name.encode()) > LONGEST_NAME:
        raise Refused(f"{name!r} cannot be the name of a calendar")
    if unknown := [each for each in components if each not in COMPONENTS]:
        raise Refused(f"there is no component type {unknown[0]}; there are {', '.join(COMPONENTS)}")
    if color is not None and not re.fullmatch(r"#[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?", color):
        raise Refused(f"{color} is no color; one is #RRGGBB or #RRGGBBAA")
    texts = {D("displayname"): display_name or name, ICAL("calendar-color"): color}
    try:
        made = txn.collections.add(
            home(txn, principal).id,
            name,
            "calendar",
            properties={key: _element(key, text) for key, text in texts.items() if text},
            display_name=display_name or name,
            components=components,
        )
    except NameTaken:
        raise Refused(f"the {principal.kind} {principal.uid} has {name} already") from None
    return _facts(txn, principal, made)


def delete(txn: Transaction, principal: Principal, name: str) -> CalendarFacts:
    """Remove a calendar with everything in it; returns what it was.

    Raises:
        Refused: there is no such calendar.
    """
    found = find(txn, principal, name)
    facts = _facts(txn, principal, found)
    sharing.end_below(txn, found)
    txn.collections.remove(found.id)
    txn.locks.remove_below("/".join(("calendars", principal.kind, principal.uid, name)))
    return facts


def publish(txn: Transaction, principal: Principal, name: str, what: str = publishing.READ) -> CalendarFacts:
    """Let anybody read a calendar without logging in, or see when it is busy.

    Raises:
        Refused: there is no such calendar.
    """
    return _facts(txn, principal, publishing.publish(txn, find(txn, principal, name), what))


def unpublish(txn: Transaction, principal: Principal, name: str) -> CalendarFacts:
    """End that.

    Raises:
        Refused: there is no such calendar.
    """
    return _facts(txn, principal, publishing.unpublish(txn, find(txn, principal, name)))


def _facts(txn: Transaction, principal: Principal, row: Collection) -> CalendarFacts:
    return CalendarFacts(
        name=row.name,
        path=f"calendars/{principal.kind}/{principal.uid}/{row.name}/",
        display_name=row.display_name or "",
        components=row.components,
        objects=txn.objects.count(row.id),
        modified=row.modified,
        published=publishing.published(row),
    )


def _element(name: str, text: str) -> str:
    element = etree.Element(name)
    element.text = text
    return xml.stored(element)
