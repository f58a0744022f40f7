"""What an attendee's copy says that it should not, found by comparing and not by delivering: an oracle for tests.

Compared is what people see: each instance, its time and text, who takes part. What is the attendee's own - alarms,
transparency, how far a task is, instances that it declined and removed - is no disagreement.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from calserver import ical
from calserver.ical import CalendarObject, Component
from calserver.itip.meaning import BOOKKEEPING, OWN, PEOPLE, meaning
from calserver.itip.meeting import Key, Meeting, written_like
from calserver.itip.people import DECLINED, Addresses, attendee, attendees, partstat
from calserver.itip.view import Views

_IGNORED: Final = BOOKKEEPING | OWN | PEOPLE | {"EXDATE"}


def disagreements(
    organizer_copy: CalendarObject | None, attendee_copy: CalendarObject | None, addresses: Addresses
) -> tuple[str, ...]:
    """What an attendee's copy says that it should not, in words; empty where both agree.

    Args:
        organizer_copy: what the organizer has stored; None where there is nothing.
        attendee_copy: what the attendee has.
        addresses: of the attendee.

    Raises:
        ValueError: a property is malformed.
    """
    if organizer_copy is not None and attendee_copy is not None:
        if organizer_copy.uid != attendee_copy.uid:
            return ("it is another meeting",)
        if organizer_copy.organizer != attendee_copy.organizer:
            return ("it has another organizer",)
    return tuple(_Comparison(organizer_copy, attendee_copy, addresses).found())


class _Comparison:
    def __init__(
        self, organizer_copy: CalendarObject | None, attendee_copy: CalendarObject | None, addresses: Addresses
    ) -> None:
        whole = Meeting.of(organizer_copy)
        owner = () if organizer_copy is None or organizer_copy.organizer is None else (organizer_copy.organizer,)
        views = Views(whole, owner)
        keys = frozenset[Key]().union(*(views.keys(each) for each in addresses))
        self.exists = organizer_copy is not None
        self.said, self.has = views.of(keys), Meeting.of(attendee_copy)
        self.addresses = addresses

    def found(self) -> Iterator[str]:
        """All disagreements, the series first, then the instances by time."""
        alive = [each for each in self.said.components.values() if not _is_cancelled(each)]
        shown = [each for each in self.has.components.values() if not _is_cancelled(each)]
        if not shown and not any(partstat(self._mine(each)) != DECLINED for each in alive):
            return
        if not self.has.components:
            yield "there is no copy"
        elif not alive:
            yield "the attendee is not invited" if self.exists else "the organizer has no such meeting"
        else:
            if None in {*self.said.components, *self.has.components}:
                yield from self._series()
            for key in self._instances():
                yield from self._instance(key)

    def _mine(self, component: Component | None) -> ical.Property | None:
        return None if component is None else attendee(component, self.addresses)

    def _series(self) -> Iterator[str]:
        said, has = self.said.master, self.has.master
        if said is None or _is_cancelled(said):
            if has is not None and not _is_cancelled(has):
                yield "the attendee is not invited to the series"
        elif has is None:
            yield "the series is missing"
        else:
            yield from self._compared("", said, has)

    def _instances(self) -> list[int]:
        known = {*self.said.components, *self.has.components, *(self.said.excluded ^ self.has.excluded)}
        return sorted(key for key in known if key is not None)

    def _instance(self, key: int) -> Iterator[str]:
        said, has = self.said.governing(key), self.has.governing(key)
        name = f"instance {self._name(key)}: "
        if said is None or _is_cancelled(said):
            if has is not None and not _is_cancelled(has):
                yield f"{name}it does not take place, or others are invited to it"
        elif has is None or _is_cancelled(has):
            if partstat(self._mine(said)) != DECLINED:
                yield f"{name}it is missing"
        elif key in self.said.components or key in self.has.components:
            yield from self._compared(name, said, has)

    def _name(self, key: int) -> str:
        start = self.said.start or self.has.start
        if start is not None:
            return written_like(start, key).text()
        return f"{datetime.fromtimestamp(key, UTC):%Y%m%dT%H%M%SZ}"

    def _compared(self, name: str, said: Component, has: Component) -> Iterator[str]:
        ignored = _IGNORED | ({"STATUS"} if said.name == "VTODO" and not _is_cancelled(said) else set())
        should, does = meaning(said, self.said.zones, ignored), meaning(has, self.has.zones, ignored)
        names = {str(each[0]) for each in (should - does) + (does - should)}
        if names:
            yield f"{name}{', '.join(sorted(names))}"
        mine, own = partstat(self._mine(said)), partstat(self._mine(has))
        if mine != own:
            yield f"{name}the attendee says {own}, the organizer has {mine}"
        yield from self._others(name, said, has)

    def _others(self, name: str, said: Component, has: Component) -> Iterator[str]:
        should = {who: partstat(each) for who, each in attendees(said).items() if who not in self.addresses}
        does = {who: partstat(each) for who, each in attendees(has).items() if who not in self.addresses}
        if should.keys() != does.keys():
            yield f"{name}who is invited"
        for who in sorted(should.keys() & does.keys()):
            if should[who] != does[who]:
                yield f"{name}participation of {who}: {does[who]}, the organizer has {should[who]}"


def _is_cancelled(component: Component) -> bool:
    return (component.value("STATUS") or "").upper() == "CANCELLED"
