"""Groups as attendees: a group that is invited stands for its members.

The members become attendees of their own, with the parameter MEMBER (RFC 5545 section 3.2.11), by which they are known
when the group changes: who joins is invited, who leaves and is not invited otherwise is not any more. The group stays
among the attendees, and gets nothing itself.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from calserver import directory, ical
from calserver.ical import CalendarObject, Component, Property
from calserver.meetings.delivery import Delivery
from calserver.meetings.people import CUTYPES
from calserver.meetings.tasks import regroup_later
from calserver.store import Principal, Transaction

_PEOPLE: Final = frozenset({"user", "resource", "location"})


def are_in(found: CalendarObject) -> bool:
    """Whether members of groups are among the attendees."""
    return any(prop.param("MEMBER") for each in found.components for prop in each.all("ATTENDEE"))


def expanded(delivery: Delivery, new: CalendarObject) -> tuple[CalendarObject, frozenset[int]]:
    """An organizer's object with the members of groups as attendees; and which groups they are."""
    people = delivery.people
    if not delivery.policy.scheduling.expand_groups:
        return new, frozenset()
    people.meet(new.attendees)
    groups = {each: who for each in new.attendees if (who := people.whose(each)) is not None and who.kind == "group"}
    if not groups and not are_in(new):
        return new, frozenset()
    members = {address: tuple(_members(delivery.txn, group)) for address, group in groups.items()}
    changed = tuple(
        each if each.name == "VTIMEZONE" else _expanded(delivery, each, members) for each in new.calendar.components
    )
    if changed != new.calendar.components:
        new = CalendarObject.of(new.calendar.with_components(changed))
        people.meet(new.attendees)
    return new, frozenset(each.id for each in groups.values())


def _members(txn: Transaction, group: Principal) -> Iterable[Principal]:
    """Everybody in a group, and in the groups in it; one query for each group."""
    seen, waiting = {group.id}, [group]
    while waiting:
        for member in txn.principals.members(waiting.pop().id):
            if member.id not in seen:
                seen.add(member.id)
                if member.kind == "group":
                    waiting.append(member)
                elif member.kind in _PEOPLE and member.enabled:
                    yield member


def _expanded(delivery: Delivery, component: Component, members: Mapping[str, tuple[Principal, ...]]) -> Component:
    """A component whose attendees are in line with the groups among them."""
    here = {
        address: prop.value for prop in component.all("ATTENDEE") if (address := ical.address(prop.value)) in members
    }
    through: dict[int, tuple[Principal, list[str]]] = {}
    for address, spelled in here.items():
        for each in members[address]:
            through.setdefault(each.id, (each, []))[1].append(spelled)
    kept: list[Property] = []
    for prop in component.properties:
        if prop.name != "ATTENDEE":
            kept.append(prop)
            continue
        who = delivery.people.whose(ical.address(prop.value))
        mine = None if who is None else through.pop(who.id, None)
        if prop.param("MEMBER") is None:
            kept.append(prop)
        elif mine is not None:
            kept.append(_through(prop, mine[1]))
    return attrs.evolve(component, properties=(*kept, *(_attendee(*each) for each in through.values())))


def _through(prop: Property, groups: list[str]) -> Property:
    params = tuple(pair for pair in prop.params if pair[0] != "MEMBER")
    return attrs.evolve(prop, params=(*params, ("MEMBER", tuple(groups))))


def _attendee(who: Principal, groups: list[str]) -> Property:
    """A member of groups as an attendee who is asked."""
    params: list[tuple[str, tuple[str, ...]]] = [("CN", (who.name or who.uid,))]
    if who.kind in CUTYPES:
        params.append(("CUTYPE", (CUTYPES[who.kind],)))
    params += [("PARTSTAT", ("NEEDS-ACTION",)), ("RSVP", ("TRUE",)), ("MEMBER", tuple(groups))]
    return Property("ATTENDEE", directory.preferred(who), tuple(params))


def changed(txn: Transaction, groups: Iterable[int]) -> None:
    """Have meetings follow groups that change, and those that they are in; to be called before one is removed."""
    those = frozenset(groups)
    if those:
        for object_id in txn.copies.inviting(those | txn.principals.groups_of(those)):
            regroup_later(txn, object_id)
