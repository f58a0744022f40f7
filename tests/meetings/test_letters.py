"""Letters to people elsewhere: what is written when, in which order it goes out, and what its sender sees of it."""

import re
import uuid
from datetime import timedelta

import attrs
import pytest
from dialogue import Dialogue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from office import Office, meeting, people, text, vevent

from calserver import meetings
from calserver.itip import Method
from calserver.meetings import Policy, letters
from calserver.meetings.letters import Letter
from calserver.scheduling.route import Elsewhere
from calserver.store import Task, Transaction
from ischedule.trust import Trust

ZOE, YAN = "mailto:zoe@there.example", "mailto:yan@there.example"


def policy_of(office: Office) -> Policy:
    found = office.server.settings
    return Policy(calendars=found.calendars, scheduling=found.scheduling, prefix="/dav/", routes=found.routes)


@pytest.fixture
def open_office(office: Office) -> Office:
    """An office from which messages leave to anybody but those of ``closed.example``."""
    route = Elsewhere(policy=policy_of(office), trust=Trust(deny=("closed.example",)), can_send=lambda: True)
    server = office.server
    opened = attrs.evolve(server.settings, routes=(route,))
    return Office(office.store, Dialogue(office.store, server.tree, server.spoken, opened))


def waiting(office: Office, domain: str = "there.example") -> dict[str, list[Letter]]:
    """What waits for a domain, by recipient."""
    found: dict[str, list[Letter]] = {}
    for _, letter in office.store.read_now(lambda txn: letters.waiting(txn, domain)):
        found.setdefault(letter.recipient, []).append(letter)
    return found


def carried(office: Office, status: str, domain: str = "there.example") -> list[Letter]:
    """Have the next message of each letter carried, with this outcome; what it was."""

    def work(txn: Transaction) -> list[Letter]:
        done = []
        for task, letter in letters.waiting(txn, domain):
            letters.sent(txn, policy_of(office), task, {letter.recipient: status})
            done.append(letter)
        return done

    found: list[Letter] = office.write(work)
    return found


def summaries(letter: Letter) -> list[str]:
    return [found[1].decode() for each in letter.texts if (found := re.search(rb"SUMMARY:([^\r]*)", each))]


def test_one_letter_for_each_recipient_and_their_status_is_pending(open_office: Office) -> None:
    """RFC 6638 section 3.2.9: 1.0 while it waits."""
    open_office.invite("m", "ann", "bob", ZOE, YAN)
    found = waiting(open_office)
    assert sorted(found) == [YAN, ZOE]
    assert {open_office.status("ann", "m", each) for each in found} == {"1.0"}
    assert open_office.status("ann", "m", "bob") == "1.2"
    (letter,) = found[ZOE]
    assert letter.message.method is Method.REQUEST
    assert b"SCHEDULE-STATUS" not in letter.texts[0]


def test_a_letter_defines_the_zones_that_the_event_only_names(open_office: Office) -> None:
    """RFC 5545 section 3.2.19; many clients leave VTIMEZONE away, and not everybody elsewhere knows the names."""
    open_office.invite("m", "ann", ZOE, lines=("DTSTART;TZID=Europe/Berlin:20990105T090000",))
    (letter,) = waiting(open_office)[ZOE]
    assert letter.texts[0].count(b"BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n") == 1
    stored = open_office.copy("ann", "m")
    assert stored is not None
    assert not stored.calendar.children("VTIMEZONE")


def test_changes_of_what_was_over_long_ago_are_told_to_nobody_elsewhere(open_office: Office) -> None:
    old, moved = "DTSTART:20200105T090000Z", "DTSTART:20200106T090000Z"
    open_office.invite("m", "ann", "bob", ZOE, lines=(old,))
    assert len(carried(open_office, "2.0")) == 1
    open_office.invite("m", "ann", "bob", ZOE, lines=(moved,))
    assert waiting(open_office) == {}
    assert (open_office.status("ann", "m", ZOE), open_office.status("ann", "m", "bob")) == ("2.0", "1.2")
    stored = open_office.copy("bob", "m")
    assert stored is not None
    assert stored.components[0].value("DTSTART") == moved.partition(":")[2]
    assert open_office.by("ann")("DELETE", open_office.path("ann", "m")).status == 204
    assert waiting(open_office) == {}


def test_what_became_of_it_is_written_into_the_copy_and_the_schedule_tag_stays(open_office: Office) -> None:
    """RFC 6638 section 3.2.10."""
    open_office.invite("m", "ann", ZOE)
    before = open_office.tag("ann", "m")
    carried(open_office, "2.0")
    assert open_office.status("ann", "m", ZOE) == "2.0"
    assert open_office.tag("ann", "m") == before
    assert waiting(open_office) == {}


def test_quick_edits_become_one_message(open_office: Office) -> None:
    for number in range(4):
        open_office.invite("m", "ann", ZOE, lines=(f"SUMMARY:{number}", f"SEQUENCE:{number}"))
    (letter,) = waiting(open_office)[ZOE]
    assert summaries(letter) == ["3"]
    carried(open_office, "2.0")
    assert waiting(open_office) == {}


def test_an_edit_while_a_message_is_on_its_way_is_sent_after_it(open_office: Office) -> None:
    open_office.invite("m", "ann", ZOE, lines=("SUMMARY:first",))
    (on_its_way,) = open_office.store.read_now(lambda txn: letters.waiting(txn, "there.example"))
    open_office.invite("m", "ann", ZOE, lines=("SUMMARY:second", "SEQUENCE:1"))
    open_office.write(lambda txn: letters.sent(txn, policy_of(open_office), on_its_way[0], {ZOE: "2.0"}))
    (letter,) = waiting(open_office)[ZOE]
    assert summaries(letter) == ["second"]
    carried(open_office, "2.0")
    assert open_office.status("ann", "m", ZOE) == "2.0"


def test_single_instances_wait_behind_one_another(open_office: Office) -> None:
    """A message about an instance does not take the place of one about another."""

    def series(*overrides: tuple[str, str]) -> bytes:
        master = vevent("m", *people("ann", "bob"), "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:all")
        extra = [
            vevent("m", *people("ann", "bob", ZOE), f"RECURRENCE-ID:{day}", f"DTSTART:{day}", f"SUMMARY:{name}")
            for day, name in overrides
        ]
        return text(master, *extra)

    first, second = ("20990106T090000Z", "one"), ("20990107T090000Z", "two")
    assert open_office.put("ann", series(first)).status == 201
    assert open_office.put("ann", series(first, second)).status == 204
    said = [each for letter in waiting(open_office)[ZOE] for each in summaries(letter)]
    assert said[0] == "one"
    assert "two" in said
    while waiting(open_office):
        carried(open_office, "2.0")
    assert open_office.attendee("ann", "m", ZOE, "20990107T090000Z").param("SCHEDULE-STATUS") == "2.0"  # type: ignore[union-attr]


@pytest.mark.parametrize("steps", [["both"], ["series", "both"], ["cancel", "both"], ["series", "cancel", "both"]])
def test_a_cancelled_instance_is_told_beside_the_series_that_it_was_in(open_office: Office, steps: list[str]) -> None:
    """What says all of a series says nothing of an instance that is cancelled, which would seem to take place."""
    day = "20990107T090000Z"
    cancelled = vevent("m", *people("ann", ZOE), f"RECURRENCE-ID:{day}", f"DTSTART:{day}", "STATUS:CANCELLED")
    for step in steps:
        summary = "new" if step == "both" else "old"
        master = vevent("m", *people("ann", ZOE), "RRULE:FREQ=DAILY;COUNT=5", f"SUMMARY:{summary}")
        content = text(master) if step == "series" else text(master, cancelled)
        assert open_office.put("ann", content).status in (201, 204)
    (letter,) = waiting(open_office)[ZOE]
    assert summaries(letter) == ["new"]
    last = [each for each in letter.texts if f"RECURRENCE-ID:{day}".encode() in each]
    assert last
    assert b"STATUS:CANCELLED" in last[-1]


def test_who_is_given_up_is_told_so(open_office: Office) -> None:
    open_office.invite("m", "ann", ZOE)

    def work(txn: Transaction) -> None:
        for task, _ in letters.waiting(txn, "there.example"):
            letters.give_up(txn, policy_of(open_office), task)

    open_office.write(work)
    assert waiting(open_office) == {}
    assert open_office.status("ann", "m", ZOE) == letters.UNDELIVERED


def test_no_letters_to_domains_that_we_do_not_talk_to_and_to_what_is_no_mail_address(open_office: Office) -> None:
    others = ("mailto:x@closed.example", "mailto:x@sub.closed.example", "https://there.example/x")
    open_office.invite("m", "ann", *others)
    assert {open_office.status("ann", "m", each) for each in others} == {"5.2"}
    assert open_office.store.read_now(lambda txn: txn.tasks.lanes(letters.LETTER)) == []


def test_elsewhere_people_here_are_called_by_their_mail_addresses(open_office: Office) -> None:
    ann, bob = "/dav/principals/user/ann/", "/dav/principals/user/bob/"
    body = text(
        vevent("m", f"ORGANIZER:{ann}", f"ATTENDEE:{ann}", f"ATTENDEE:{bob}", f"ATTENDEE;PARTSTAT=NEEDS-ACTION:{ZOE}")
    )
    assert open_office.put("ann", body).status == 201
    (letter,) = waiting(open_office)[ZOE]
    assert letter.originator == "mailto:ann@example.com"
    assert b"principals" not in letter.texts[0]
    assert b":mailto:bob@example.com" in letter.texts[0].replace(b"\r\n ", b"")


def test_an_answer_goes_to_an_organizer_elsewhere(open_office: Office) -> None:
    invitation = meeting("m", ZOE, "bob", YAN)
    message = meetings.letters.Message.received(
        invitation.replace(b"VERSION:2.0\r\n", b"VERSION:2.0\r\nMETHOD:REQUEST\r\n"), ZOE, ("mailto:bob@example.com",)
    )
    open_office.write(lambda txn: meetings.receive(txn, policy_of(open_office), message))
    assert open_office.replies("bob", "m", "ACCEPTED").status == 204
    found = waiting(open_office)
    assert sorted(found) == [ZOE], "answers go to the organizer, and to nobody else"
    assert found[ZOE][0].message.method is Method.REPLY
    assert b"PARTSTAT=ACCEPTED" in found[ZOE][0].texts[0]
    assert b"yan@" not in found[ZOE][0].texts[0]
    carried(open_office, "2.0")
    copy = open_office.copy("bob", "m")
    assert copy is not None
    assert copy.components[0].all("ORGANIZER")[0].param("SCHEDULE-STATUS") == "2.0"


def test_whom_one_has_written_to_one_knows(open_office: Office) -> None:
    open_office.invite("m", "ann", ZOE)

    def known(txn: Transaction) -> frozenset[int]:
        ann, bob = (open_office.principal(txn, each) for each in ("ann", "bob"))
        assert ann.id in txn.peers.who_met(ZOE, (ann.id, bob.id))
        return txn.peers.who_met(ZOE, (bob.id,))

    assert open_office.store.read_now(known) == frozenset()


class Game:
    """A meeting that is edited while letters about it are on their way."""

    def __init__(self, office: Office, uid: str) -> None:
        self.office, self.uid = office, uid
        self.taken: list[tuple[Task, Letter]] = []
        self.seen: list[int] = []
        self.edit(0)

    def waiting(self) -> list[tuple[Task, Letter]]:
        found = self.office.store.read_now(lambda txn: letters.waiting(txn, "there.example"))
        return [each for each in found if each[1].uid == self.uid]

    def edit(self, number: int) -> None:
        body = meeting(self.uid, "ann", ZOE, lines=(f"SUMMARY:{number}", f"SEQUENCE:{number}"))
        assert self.office.put("ann", body, f"{self.uid}.ics").status in (201, 204)

    def take(self, number: int) -> None:
        """Something begins to carry letters, and what it has may be outdated when it is done."""
        self.taken = self.waiting()

    def carry(self, number: int) -> None:
        taken, self.taken = self.taken or self.waiting(), []

        def work(txn: Transaction) -> None:
            for task, letter in taken:
                self.seen.append(int(summaries(letter)[0]))
                letters.sent(txn, policy_of(self.office), task, {letter.recipient: "2.0"})

        self.office.write(work)

    def fail(self, number: int) -> None:
        def work(txn: Transaction) -> None:
            for task, _ in letters.waiting(txn, "there.example"):
                txn.tasks.postpone(task.id, txn.now + timedelta(hours=1))

        self.office.write(work)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["edit", "carry", "fail", "take"]), max_size=12))
def test_in_the_end_the_last_edit_has_arrived(open_office: Office, steps: list[str]) -> None:
    """Whatever is edited while whatever is on its way: nothing is lost, and the last is the last to arrive."""
    game = Game(open_office, str(uuid.uuid4()))
    for number, step in enumerate(steps, 1):
        getattr(game, step)(number)
    while game.waiting() or game.taken:
        game.carry(0)
    edits = [0, *(number for number, step in enumerate(steps, 1) if step == "edit")]
    assert game.seen[-1] == edits[-1]
    assert game.seen == sorted(game.seen)
    assert open_office.status("ann", game.uid, ZOE) == "2.0"
