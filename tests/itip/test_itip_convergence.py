"""All copies say the same in the end, whatever happens and in which order messages come (RFC 5546 section 2.1.5)."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from itip_actors import World
from itip_disagreement import disagreements
from itip_scripts import ATTENDEES, ORGANIZER, Script, Style, play, shown, steps, styles, tell_how_others_answered

from calserver import itip
from calserver.itip import Message

TIMES = int(os.environ.get("CALSERVER_EXAMPLES", "1"))
"""How much more than usual is tried."""


@settings(max_examples=220 * TIMES)
@given(styles, steps, st.data())
def test_all_copies_say_the_same_after_everything_arrived(style: Style, script: Script, data: st.DataObject) -> None:
    world = World.of(ORGANIZER, *ATTENDEES)
    play(world, style, script, lambda n: data.draw(st.integers(0, n - 1)))
    organizer = world.people[ORGANIZER].copy
    for who in ATTENDEES:
        assert shown(world.people[who].copy, who) == shown(organizer, who), who
    tell_how_others_answered(world)
    for who in ATTENDEES:
        assert disagreements(organizer, world.people[who].copy, {who}) == (), who


@settings(max_examples=80 * TIMES)
@given(styles, steps, st.data())
def test_a_message_applied_twice_is_as_good_as_once(style: Style, script: Script, data: st.DataObject) -> None:
    world = World.of(ORGANIZER, *ATTENDEES)
    seen: list[Message] = []
    deliver = world.deliver

    def twice(message: Message, who: str) -> itip.Applied:
        first = deliver(message, who)
        person = world.people[who]
        before = person.copy, person.memory
        again = itip.apply(person.copy, message, addresses=person.addresses, now=world.now, memory=person.memory)
        assert (again.calendar, again.memory) == before
        assert not again.changed
        assert again.inbox is None
        seen.append(message)
        return first

    world.deliver = twice  # type: ignore[method-assign] # the world is the test's own
    play(world, style, script, lambda n: data.draw(st.integers(0, n - 1)))
    assert seen
