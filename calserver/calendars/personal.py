"""What of a calendar object is each person's own in a shared calendar (caldav-sharing section 5.5.4): values only.

Alarms, and whether an event takes up time, belong to whoever set them, as do the notes that Thunderbird makes of alarms
that were dismissed. Everything else is the same for all.

- The **owner's** form has what the owner set.
- The **common** form is what sharees see who have set nothing: no alarms; events of whole days take up no time, and
  others as much as for the owner.
- A **personal** form has what one sharee set.

`common` makes the second from the first. `shared_with_own` makes one of the others anew when somebody else has changed
what is the same for all.
"""

import re
from collections.abc import Mapping
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Property
from calserver.store import Variant

_MOZILLA: Final = ("X-MOZ-LASTACK", "X-MOZ-SNOOZE-TIME")
_MAY_BE_PERSONAL: Final = re.compile(rb'VALARM|VALUE="?DATE(?!-TIME)|X-MOZ-', re.IGNORECASE)
"""What can be found, unfolded, in each text that is not its own common form."""
_MAY_HAVE_ALARMS: Final = re.compile(rb"VALARM|X-MOZ-", re.IGNORECASE)
_FOLD: Final = re.compile(rb"\r?\n[ \t]")

Key = tuple[str, str] | None
"""Which instance a component is about: value and zone of its RECURRENCE-ID; None for the master."""


@attrs.frozen(slots=True)
class Own:
    """What of one component is somebody's own."""

    properties: tuple[Property, ...] = ()
    alarms: tuple[Component, ...] = ()


NOTHING: Final = Own()


def unfolded(text: bytes) -> bytes:
    """A text with one line for each property (RFC 5545 section 3.1)."""
    return _FOLD.sub(b"", text) if b"\n " in text or b"\n\t" in text else text


def _is_own(prop: Property) -> bool:
    return prop.name == "TRANSP" or prop.name.startswith(_MOZILLA)


def _key(component: Component) -> Key:
    prop = component.first("RECURRENCE-ID")
    return None if prop is None else (prop.value, prop.param("TZID") or "")


def _main(calendar: Component) -> tuple[Component, ...]:
    return tuple(each for each in calendar.components if each.name != "VTIMEZONE")


def own_of(calendar: Component) -> Mapping[Key, Own]:
    """What is somebody's own in that person's form of an object, by instance."""
    return {_key(each): _own(each) for each in _main(calendar)}


def _own(component: Component) -> Own:
    return Own(tuple(filter(_is_own, component.properties)), component.children("VALARM"))


def with_own(calendar: Component, own: Mapping[Key, Own]) -> Component:
    """A form of an object with what is somebody's own instead of what is in it.

    An instance of which nothing is known is treated as the whole series.
    """

    def change(component: Component) -> Component:
        if component.name == "VTIMEZONE":
            return component
        mine = own.get(_key(component), own.get(None, NOTHING))
        if mine == _own(component):
            return component
        kept = [each for each in component.components if each.name != "VALARM"]
        properties = [each for each in component.properties if not _is_own(each)]
        return attrs.evolve(component, properties=(*properties, *mine.properties), components=(*kept, *mine.alarms))

    return calendar.map(change)


def common(calendar: Component) -> Component:
    """What sharees see who have set nothing of their own, made of the owner's form."""

    def change(component: Component) -> Component:
        if _takes_whole_days(component):
            return _quiet(component).replacing("TRANSP", Property("TRANSP", "TRANSPARENT"))
        return _quiet(component)

    return calendar.map(change)


def _quiet(component: Component) -> Component:
    """A component without alarms, and without notes of alarms that were dismissed."""
    if component.name == "VTIMEZONE":
        return component
    properties = tuple(each for each in component.properties if not each.name.startswith(_MOZILLA))
    components = tuple(each for each in component.components if each.name != "VALARM")
    return attrs.evolve(component, properties=properties, components=components)


def without_alarms(text: bytes) -> bytes:
    """The owner's form of an object as it is without alarms."""
    if not _MAY_HAVE_ALARMS.search(unfolded(text)):
        return text
    calendar = ical.parse(text)
    quiet = calendar.map(_quiet)
    return text if quiet == calendar else ical.serialize(quiet)


def _takes_whole_days(component: Component) -> bool:
    start = component.first("DTSTART")
    return component.name == "VEVENT" and start is not None and (start.param("VALUE") or "").upper() == "DATE"


def common_form(text: bytes, calendar: Component | None = None) -> Variant | None:
    """The common form of an object; None where it is that of the owner.

    Args:
        text: the owner's form.
        calendar: the same, parsed, where it is at hand.
    """
    if not _MAY_BE_PERSONAL.search(unfolded(text)):
        return None
    owner = calendar or ical.parse(text)
    for_all = common(owner)
    return None if for_all == owner else variant(ical.serialize(for_all), for_all, owner)


def variant(text: bytes, form: Component, owner: Component) -> Variant:
    """A form of an object beside that of the owner, after which it is indexed."""
    return Variant(text=text, etag=ical.etag(text), busy_differs=_free(form) != _free(owner))


def _free(calendar: Component) -> dict[Key, bool]:
    """Which components take up no time."""
    return {_key(each): (each.value("TRANSP") or "").upper() == "TRANSPARENT" for each in _main(calendar)}


@attrs.frozen(slots=True, kw_only=True)
class Forms:
    """All forms of an object after somebody has written it; None where a form is the common one, or the owner's."""

    owner: CalendarObject
    personal: Mapping[int, Variant | None]


def written_by_owner(new: CalendarObject, personal: Mapping[int, bytes]) -> Forms:
    """The forms of an object that its owner has written; `personal` are those that sharees had."""
    return Forms(owner=new, personal=_again(new, personal))


def written_by_sharee(new: CalendarObject, sharee: int, owner: bytes | None, personal: Mapping[int, bytes]) -> Forms:
    """The forms of an object that a sharee has written.

    Args:
        new: what the sharee wrote.
        sharee: who.
        owner: the owner's form until now; None for a new object, of which the owner gets all but the alarms.
        personal: those that sharees had.
    """
    if owner is None:
        mine = {key: attrs.evolve(own, alarms=()) for key, own in own_of(new.calendar).items()}
        kept = with_own(new.calendar, mine)
    else:
        before = ical.parse(owner)
        kept = with_own(new.calendar, own_of(before))
    if kept == new.calendar:
        for_owner = new
    elif owner is not None and kept == before:
        for_owner = CalendarObject.of(before, owner)
    else:
        for_owner = CalendarObject.of(kept)
    others = {principal: text for principal, text in personal.items() if principal != sharee}
    own = None if new.calendar == common(for_owner.calendar) else variant(new.text, new.calendar, for_owner.calendar)
    return Forms(owner=for_owner, personal={**_again(for_owner, others), sharee: own})


def _again(owner: CalendarObject, personal: Mapping[int, bytes]) -> dict[int, Variant | None]:
    """The personal forms that stand beside a new form of the owner."""
    for_all = common(owner.calendar) if personal else None
    found: dict[int, Variant | None] = {}
    for principal, text in personal.items():
        form = with_own(owner.calendar, own_of(ical.parse(text)))
        found[principal] = None if form == for_all else variant(ical.serialize(form), form, owner.calendar)
    return found
