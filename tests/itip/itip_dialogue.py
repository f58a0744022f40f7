"""Dialogues as text: what is put, which messages are expected, what is delivered, and what copies say then.

A transcript is a list of steps, each a line that begins with ``> `` and the lines below it::

    > put cyrus                      store this as the object of a person; with "merge" as If-Schedule-Tag-Match does,
                                     with "quiet" as Schedule-Reply: F
    > refuse cyrus CONDITION         the same, but it is refused
    > delete cyrus                   remove it; with "quiet" as above
    > message REQUEST cyrus to bernard wilfredo
                                     the next message that was sent, exactly (or, with "like", the lines given)
    > silence                        no other message was sent
    > deliver                        all messages go to their recipients, who may say more
    > receive bernard REQUEST from cyrus
                                     a message from elsewhere
    > refused 3.14                   the message that was received last was not processed, and why
    > tell cyrus                     the server of an organizer tells attendees how others answered
    > object bernard                 exactly this is stored ("like": these lines are among it; none: nothing is)
    > inbox bernard N                so many items came since it was last looked at
    > wait SECONDS

Persons are the local part of ``mailto:NAME@example.com``. Properties are compared without order, DTSTAMP only where the
transcript writes one. Lines beginning with ``#`` say what is shown.
"""

import re
from difflib import unified_diff
from pathlib import Path

import pytest
from itip_actors import World

from calserver import ical, itip
from calserver.conditions import ConditionFailed
from calserver.ical import CalendarObject, Component
from calserver.itip import Message
from calserver.names import split

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\n"


def address(name: str) -> str:
    return f"mailto:{name}@example.com"


def calendar(lines: list[str], method: str = "") -> bytes:
    body = "".join(f"{line}\r\n" for line in lines)
    return (HEAD + (f"METHOD:{method}\r\n" if method else "") + body + "END:VCALENDAR\r\n").encode()


def said(calendar: Component, stamps: bool) -> list[str]:
    """The lines of the main components, sorted within each; parameters sorted too."""
    found = []
    for each in calendar.components:
        if each.name != "VTIMEZONE":
            found += component(each, stamps)
    return found


def component(found: Component, stamps: bool) -> list[str]:
    lines = []
    for prop in found.properties:
        if prop.name != "DTSTAMP" or stamps:
            params = sorted(f";{name}={','.join(values)}" for name, values in prop.params)
            lines.append(f"{prop.name}{''.join(params)}:{prop.value}")
    inside = [line for each in found.components for line in component(each, stamps)]
    return [f"BEGIN:{found.name}", *sorted(lines), *inside, f"END:{found.name}"]


def check(have: Component, want: list[str], like: bool) -> None:
    stamps = any(line.startswith("DTSTAMP") for line in want)
    wanted = said(ical.parse(calendar(want)), stamps)
    got = said(have, stamps)
    if like:
        assert [line for line in wanted if line not in got] == [], "\n".join(got)
    else:
        assert got == wanted, "\n".join(unified_diff(wanted, got, "wanted", "got", lineterm=""))


class Dialogue:
    def __init__(self, text: str) -> None:
        names = {*re.findall(r"mailto:(\w+)@example\.com", text), *re.findall(r"^> receive (\w+)", text, re.MULTILINE)}
        self.world = World.of(*(address(name) for name in sorted(names)))
        self.waiting: list[Message] = []
        self.seen: dict[str, int] = {}
        self.problem: str | None = None

    def step(self, words: list[str], lines: list[str]) -> None:
        assert self.problem is None or words[0] == "refused", f"the last message was refused: {self.problem}"
        getattr(self, f"do_{words[0]}")(words[1:], lines)

    def do_put(self, words: list[str], lines: list[str]) -> None:
        options = {"matched_tag": "merge" in words, "reply": "quiet" not in words}
        self.waiting += self.world.put(address(words[0]), calendar(lines), **options)

    def do_refuse(self, words: list[str], lines: list[str]) -> None:
        with pytest.raises(ConditionFailed) as refused:
            self.world.put(address(words[0]), calendar(lines))
        assert split(refused.value.name)[1] == words[1]

    def do_delete(self, words: list[str], lines: list[str]) -> None:
        self.waiting += self.world.put(address(words[0]), None, reply="quiet" not in words)

    def do_message(self, words: list[str], lines: list[str]) -> None:
        assert self.waiting, "no other message was sent"
        message = self.waiting.pop(0)
        like = words[-1] == "like"
        words = words[:-1] if like else words
        assert message.method == words[0]
        assert message.originator == address(words[1])
        assert [*message.recipients] == [address(name) for name in words[3:]]
        check(message.calendar.calendar, lines, like)

    def do_silence(self, words: list[str], lines: list[str]) -> None:
        assert [(each.method, each.recipients) for each in self.waiting] == []

    def do_deliver(self, words: list[str], lines: list[str]) -> None:
        self.waiting.clear()
        self.world.deliver_all()

    def do_receive(self, words: list[str], lines: list[str]) -> None:
        who, method, _, originator = words
        try:
            message = Message.received(calendar(lines, method), address(originator), (address(who),))
        except ConditionFailed as invalid:
            self.problem = split(invalid.name)[1]
            return
        applied = self.world.deliver(message, address(who))
        self.waiting += applied.messages
        self.problem = applied.problem

    def do_refused(self, words: list[str], lines: list[str]) -> None:
        assert self.problem == words[0]
        self.problem = None

    def do_tell(self, words: list[str], lines: list[str]) -> None:
        person = self.world.people[address(words[0])]
        assert person.copy is not None
        messages = itip.refresh(person.copy, person.addresses)
        self.waiting += messages
        self.world.sent += messages

    def do_object(self, words: list[str], lines: list[str]) -> None:
        copy: CalendarObject | None = self.world.people[address(words[0])].copy
        if not lines:
            assert copy is None
            return
        assert copy is not None, "nothing is stored"
        check(copy.calendar, lines, "like" in words)

    def do_inbox(self, words: list[str], lines: list[str]) -> None:
        items = len(self.world.people[address(words[0])].inbox)
        assert items - self.seen.get(words[0], 0) == int(words[1])
        self.seen[words[0]] = items

    def do_wait(self, words: list[str], lines: list[str]) -> None:
        self.world.wait(int(words[0]))


def play(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    dialogue = Dialogue(text)
    for number, block in enumerate(re.split(r"^> ", text, flags=re.MULTILINE)[1:], 1):
        first, *rest = block.splitlines()
        lines = [line for line in rest if line.strip() and not line.startswith("#")]
        try:
            dialogue.step(first.split(), lines)
        except AssertionError as problem:
            raise AssertionError(f"step {number}, > {first}\n{problem}") from None
    assert dialogue.problem is None, dialogue.problem
