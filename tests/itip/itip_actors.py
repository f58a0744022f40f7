"""A world of people with one meeting: their copies, the messages between them, and a clock that is turned by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from calserver import itip
from calserver.ical import CalendarObject
from calserver.itip import Memory, Message


@attrs.define
class Person:
    address: str
    copy: CalendarObject | None = None
    memory: Memory = attrs.field(factory=Memory)
    inbox: list[Message] = attrs.field(factory=list)

    @property
    def addresses(self) -> frozenset[str]:
        return frozenset({self.address})


@attrs.define(slots=False)
class World:
    people: dict[str, Person]
    now: datetime = datetime(2009, 6, 2, 18, 52, 54, tzinfo=UTC)
    sent: list[Message] = attrs.field(factory=list)

    @classmethod
    def of(cls, *addresses: str) -> "World":
        return cls({each: Person(each) for each in addresses})

    def wait(self, seconds: int = 60) -> None:
        self.now += timedelta(seconds=seconds)

    def put(self, who: str, text: bytes | None, **options: Any) -> tuple[Message, ...]:
        """Store a text, or remove what is stored; what is to be sent is kept in `sent`."""
        person = self.people[who]
        new = None if text is None else CalendarObject.parse(text)
        plan = itip.plan(person.copy, new, addresses=person.addresses, now=self.now, memory=person.memory, **options)
        person.copy, person.memory = plan.calendar, remembered(plan.memory)
        self.sent.extend(plan.messages)
        return plan.messages

    def deliver(self, message: Message, who: str) -> itip.Applied:
        person = self.people[who]
        received = Message.parse(message.text, message.originator, message.recipients)
        applied = itip.apply(person.copy, received, addresses=person.addresses, now=self.now, memory=person.memory)
        person.copy, person.memory = applied.calendar, remembered(applied.memory)
        if applied.inbox is not None:
            person.inbox.append(applied.inbox)
        self.sent.extend(applied.messages)
        return applied

    def deliver_all(self) -> None:
        """Everything that was sent, in order, until nobody says more."""
        while self.sent:
            message = self.sent.pop(0)
            for who in message.recipients:
                if who in self.people:
                    self.deliver(message, who)


def remembered(memory: Memory) -> Memory:
    """What is read again of what was stored: the memory must survive that."""
    again = Memory.parse(memory.text())
    assert again == memory
    return again
