"""What somebody has of a meeting: the copy, where it is or will be, and what is remembered beside it."""

import uuid
from collections.abc import Iterable, Mapping

import attrs

from calserver.calendars import CALENDAR_HOME, default_calendar
from calserver.ical import CalendarObject
from calserver.itip import Memory, Role, role_of
from calserver.meetings.people import People
from calserver.store import Collection, Copy, Object, Principal, Transaction

_WITH_INBOX = ("calendar", "inbox")


@attrs.frozen(kw_only=True)
class House:
    """The calendar home of somebody, as far as scheduling is concerned."""

    home: Collection
    inbox: Collection | None
    calendars: tuple[Collection, ...]

    def default(self, component: str) -> Collection | None:
        """The calendar for new invitations."""
        return None if self.inbox is None else default_calendar(self.inbox, self.calendars, component)


def houses(txn: Transaction, principals: Iterable[int]) -> Mapping[int, House]:
    """The homes of principals, by their ids, in one query."""
    rows: dict[int, list[Collection]] = {}
    for row in txn.collections.in_homes(principals, CALENDAR_HOME, _WITH_INBOX):
        rows.setdefault(row.principal_id, []).append(row)
    found = {}
    for owner, some in rows.items():
        home = next((each for each in some if each.parent_id is None), None)
        if home is not None:
            found[owner] = House(
                home=home,
                inbox=next((each for each in some if each.kind == "inbox"), None),
                calendars=tuple(sorted((each for each in some if each.kind == "calendar"), key=lambda row: row.name)),
            )
    return found


@attrs.define(kw_only=True, slots=False)
class Holding:
    """The copy of one principal, as it will be stored."""

    principal: Principal
    house: House
    place: Collection | None
    """The calendar that it is in, or will be; None where there is none that could take it."""
    stored: Copy | None = None
    object: CalendarObject | None = None
    memory: Memory = attrs.field(factory=Memory)
    changed: bool = False
    tag_changes: bool = False
    """Whether the Schedule-Tag does (RFC 6638 section 3.2.10)."""
    tagged: bool = True
    """Whether it is a scheduling object, which has a Schedule-Tag."""
    row: Object | None = None
    """What has been stored."""
    name: str = attrs.field(factory=lambda: f"{uuid.uuid4()}.ics")

    @classmethod
    def of(cls, txn: Transaction, principal: Principal, house: House, found: Copy | None, component: str) -> "Holding":
        """What a principal has; `found` is what is stored with the UID."""
        if found is None:
            return cls(principal=principal, house=house, place=house.default(component))
        place = next((each for each in house.calendars if each.id == found.row.collection_id), None)
        if place is None:
            place = txn.collections.get(found.row.collection_id)
        return cls(
            principal=principal,
            house=house,
            place=place,
            stored=found,
            object=CalendarObject.stored(found.text),
            memory=recalled(found),
            name=found.row.name,
        )

    def becomes(self, object: CalendarObject | None, memory: Memory, *, tag_changes: bool) -> None:
        """Note what it is to be."""
        self.object, self.memory, self.changed = object, memory, True
        self.tag_changes = self.tag_changes or tag_changes

    def role(self, people: People) -> Role | None:
        """What the principal is in it."""
        return role_of(self.object, people.addresses(self.principal))


def recalled(found: Copy) -> Memory:
    """What is remembered beside a stored object."""
    return Memory() if found.memory is None else Memory.parse(found.memory)


def worth_keeping(memory: Memory, object: CalendarObject) -> bytes | None:
    """A memory as it is stored; None where the copy itself says it all (see `calserver.itip.seeded`)."""
    if not memory.answers and not memory.sent and not memory.proposals:
        entries = tuple(memory.entries.values())
        if not entries or entries == object.components:
            return None
    return memory.text()
