"""Who is meant by a calendar user address (RFC 6638 section 2.4.1)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import attrs

from calserver import directory, ical
from calserver.ical import CalendarObject, Property
from calserver.itip import Message
from calserver.meetings.policy import Policy
from calserver.store import Principal, Transaction

CUTYPES: Final[Mapping[str, str]] = {"resource": "RESOURCE", "location": "ROOM"}
"""How calendar data call kinds of principals other than people."""
_PEOPLE: Final = ("ORGANIZER", "ATTENDEE")


def _people_in(found: CalendarObject) -> Iterator[Property]:
    return (prop for each in found.components for name in _PEOPLE for prop in each.all(name))


def _with_people(found: CalendarObject, change: Callable[[Property], Property]) -> CalendarObject:
    """An object with organizer and attendees changed; itself where nothing is."""
    components = tuple(
        each
        if each.name == "VTIMEZONE"
        else attrs.evolve(
            each, properties=tuple(change(prop) if prop.name in _PEOPLE else prop for prop in each.properties)
        )
        for each in found.calendar.components
    )
    if components == found.calendar.components:
        return found
    return CalendarObject.of(found.calendar.with_components(components))


@attrs.define
class People:
    """Addresses and whose they are, looked up once; addresses are normalized (`calserver.ical.address`)."""

    txn: Transaction
    policy: Policy
    _known: dict[str, Principal | None] = attrs.field(factory=dict, init=False)
    _nodes: dict[int, str | None] = attrs.field(factory=dict, init=False)
    """Where principals are, of those that were looked up."""

    def meet(self, addresses: Iterable[str]) -> None:
        """Look some addresses up, in one query."""
        new = {each for each in addresses if each not in self._known}
        if new:
            found = directory.find_many(self.txn, new, prefix=self.policy.prefix, origin=self.policy.origin)
            self._known |= {each: found.get(each) for each in new}
            self._locate(each.id for each in found.values())

    def _locate(self, principals: Iterable[int]) -> None:
        """Look up where principals are, in one query."""
        new = {each for each in principals if each not in self._nodes}
        if new and self.policy.node:
            found = self.txn.placements.of(new)
            self._nodes |= {each: found.get(each) for each in new}

    def node_of(self, principal: Principal) -> str | None:
        """The other node where somebody's calendars are; None for those who are here, and those who are nowhere."""
        self._locate((principal.id,))
        node = self._nodes.get(principal.id)
        return None if node == self.policy.node else node

    def whose(self, address: str) -> Principal | None:
        """Who has an address here."""
        self.meet((address,))
        return self._known[address]

    def addresses(self, principal: Principal) -> frozenset[str]:
        """All addresses of a principal: those that everybody has, and those that were looked up."""
        named = directory.addresses_of(principal, self.policy.prefix)
        met = (address for address, who in self._known.items() if who is not None and who.id == principal.id)
        return frozenset((*map(ical.address, named), *met))

    def spelled_like(self, new: CalendarObject, old: CalendarObject) -> CalendarObject:
        """An object in which everybody is called as in an older one: clients use any address of a person."""
        called: dict[int, str] = {}
        for prop in _people_in(old):
            who = self.whose(ical.address(prop.value))
            if who is not None:
                called.setdefault(who.id, prop.value)
        known = {ical.address(prop.value) for prop in _people_in(old)}

        def spelled(prop: Property) -> Property:
            address = ical.address(prop.value)
            who = None if address in known else self.whose(address)
            return prop if who is None or who.id not in called else prop.with_value(called[who.id])

        return _with_people(new, spelled)

    def called_in(self, found: CalendarObject, address: str) -> str:
        """The address by which an object calls whom an address means; the address itself where it does not."""
        names = {*found.attendees, *filter(None, (found.organizer,))}
        self.meet(names)
        who = self.whose(address)
        if address in names or who is None:
            return address
        return min((each for each in names if self.whose(each) == who), default=address)

    def introduced(self, new: CalendarObject) -> CalendarObject:
        """An object that says which attendees are rooms, where the client has not (RFC 5545 section 3.2.3)."""
        self.meet(new.attendees)

        def introduced(prop: Property) -> Property:
            who = None if prop.param("CUTYPE") is not None else self.whose(ical.address(prop.value))
            kind = None if who is None else CUTYPES.get(who.kind)
            return prop if kind is None else prop.with_param("CUTYPE", kind)

        return _with_people(new, introduced)

    def by_mail(self, message: Message) -> Message:
        """A message in which everybody here is called by a mail address, where it is not so yet."""
        return self._called(message, lambda who: who.addresses[0] if who.addresses else None)

    def by_name(self, message: Message) -> Message:
        """A message in which everybody here is called by an address that all nodes know."""
        return self._called(message, directory.preferred)

    def _called(self, message: Message, name: Callable[[Principal], str | None]) -> Message:
        """A message in which everybody here who is not called by a mail address yet has another name."""
        named = {ical.address(prop.value) for prop in _people_in(message.calendar)}
        others = [each for each in (*named, message.originator) if not each.startswith("mailto:")]
        self.meet(others)
        found = {each: name(who) for each in others if (who := self.whose(each)) is not None}
        called = {each: address for each, address in found.items() if address is not None}
        if not called:
            return message

        def spelled(prop: Property) -> Property:
            address = called.get(ical.address(prop.value))
            return prop if address is None else prop.with_value(address)

        return attrs.evolve(
            message,
            originator=called.get(message.originator, message.originator),
            calendar=_with_people(message.calendar, spelled),
        )

    def is_ours(self, address: str) -> bool:
        """Whether an address that nobody has would have to be one of ours, so that there is no other place to ask."""
        scheme, _, rest = address.partition(":")
        if scheme == "mailto":
            domain = rest.rpartition("@")[2]
            return not domain or self.policy.calendars.hosts(domain)
        if scheme in ("http", "https"):
            return bool(self.policy.origin) and address.startswith(f"{self.policy.origin.lower()}/")
        return True
