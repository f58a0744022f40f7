"""Organizer and attendees in a component: who, through which agent, with which participation (RFC 6638 section 7)."""

from collections.abc import Callable, Collection
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component, Property

SERVER: Final = "SERVER"
NEEDS_ACTION: Final = "NEEDS-ACTION"
DECLINED: Final = "DECLINED"
PENDING: Final = "1.0"
_LOCAL: Final = frozenset({"SCHEDULE-AGENT", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND"})

Addresses = Collection[str]
"""Normalized calendar user addresses of one principal (`calserver.ical.address`)."""


def organizer(component: Component) -> str | None:
    """The normalized address of the organizer; None where there is none."""
    found = component.first("ORGANIZER")
    return None if found is None else ical.address(found.value)


def attendee(component: Component, addresses: Addresses) -> Property | None:
    """The first ATTENDEE that is one of some addresses."""
    for prop in component.all("ATTENDEE"):
        if ical.address(prop.value) in addresses:
            return prop
    return None


def attendees(component: Component | None) -> dict[str, Property]:
    """All attendees by address, the first of each."""
    if component is None:
        return {}
    return {ical.address(each.value): each for each in reversed(component.properties) if each.name == "ATTENDEE"}


def agent(prop: Property | None) -> str:
    """SERVER, CLIENT or NONE, which any other value counts as (RFC 6638 section 7.1)."""
    value = SERVER if prop is None else (prop.param("SCHEDULE-AGENT") or SERVER).upper()
    return value if value in (SERVER, "CLIENT") else "NONE"


def is_served(found: CalendarObject) -> bool:
    """Whether this server acts for an attendee, and not the client or nobody (RFC 6638 section 7.1)."""
    return all(agent(each.first("ORGANIZER")) == SERVER for each in found.components)


def partstat(prop: Property | None) -> str:
    """The participation status, which is NEEDS-ACTION where none is given (RFC 5545 section 3.2.12)."""
    return NEEDS_ACTION if prop is None else (prop.param("PARTSTAT") or NEEDS_ACTION).upper()


def answered(prop: Property, status: str) -> Property:
    """An ATTENDEE with another participation status; a reply is expected where it needs action, and only there."""
    return prop.with_param("PARTSTAT", status).with_param("RSVP", "TRUE" if status == NEEDS_ACTION else None)


def each_attendee(component: Component, change: Callable[[Property], Property | None]) -> Component:
    """A component with every ATTENDEE changed; None removes it."""
    changed = tuple(
        new for each in component.properties if (new := change(each) if each.name == "ATTENDEE" else each) is not None
    )
    return attrs.evolve(component, properties=changed)


def without_local(prop: Property) -> Property:
    """A property without the parameters that stay on this server (RFC 6638 sections 7.1 to 7.3)."""
    if not any(name in _LOCAL for name, _ in prop.params):
        return prop
    return attrs.evolve(prop, params=tuple(pair for pair in prop.params if pair[0] not in _LOCAL))


def without_agent_parameters(component: Component) -> Component:
    """A component as it is sent: no parameters of this server on organizer and attendees."""
    changed = tuple(
        without_local(each) if each.name in ("ORGANIZER", "ATTENDEE") else each for each in component.properties
    )
    return attrs.evolve(component, properties=changed)


def unforced(component: Component) -> Component:
    """A component without SCHEDULE-FORCE-SEND, which is not kept (RFC 6638 section 7.2)."""
    if not any(name == "SCHEDULE-FORCE-SEND" for prop in component.properties for name, _ in prop.params):
        return component
    changed = tuple(
        each.with_param("SCHEDULE-FORCE-SEND", None) if each.params else each for each in component.properties
    )
    return attrs.evolve(component, properties=changed)


def with_partstat(component: Component, addresses: Addresses, status: str) -> Component:
    """A component in which somebody, by whichever addresses, has answered."""
    return each_attendee(
        component, lambda prop: answered(prop, status) if ical.address(prop.value) in addresses else prop
    )


def with_status(component: Component, name: str, addresses: Addresses, status: str | None) -> Component:
    """A component with SCHEDULE-STATUS on each property called `name` that is one of some addresses."""
    changed = tuple(
        each.with_param("SCHEDULE-STATUS", status)
        if each.name == name and ical.address(each.value) in addresses
        else each
        for each in component.properties
    )
    return attrs.evolve(component, properties=changed)
