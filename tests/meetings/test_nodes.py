"""Meetings across the nodes of a cluster: what is written for whom, and that all copies agree in the end."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodes import Node, place_all, settle
from office import mail, meeting, people, text, vevent

from calserver import meetings
from calserver.calendars import CALENDAR_HOME
from calserver.directory import accounts
from calserver.itip import Message, Method
from calserver.meetings import agreement, letters
from calserver.store import Store, Transaction, open_store

ZOE = "mailto:zoe@there.example"
PATH = "/dav/principals/user/{}/"


@pytest.fixture
def b1(store: Store) -> Node:
    return Node("b1", store)


@pytest.fixture
def b2(empty_database: Path, tmp_path: Path) -> Iterator[Node]:
    shutil.copy(empty_database, tmp_path / "other.sqlite")
    opened = open_store(f"sqlite:///{tmp_path}/other.sqlite", reactor=None)
    yield Node("b2", opened)
    opened.close()


def test_who_is_at_another_node_gets_a_letter_and_nothing_here(b1: Node) -> None:
    b1.office.invite("m", "ann", "bob", "cyd", "dan", ZOE)
    assert b1.office.copy("bob", "m") is None
    assert b1.office.copy("cyd", "m") is not None
    found = {each.recipient: each for each in b1.waiting("node:b2")}
    assert sorted(found) == [mail("bob"), mail("dan")]
    assert [each.recipient for each in b1.waiting("there.example")] == [ZOE]
    statuses = {who: b1.office.status("ann", "m", who) for who in ("bob", "cyd", "dan", ZOE)}
    assert statuses == {"bob": "1.0", "cyd": "1.2", "dan": "1.0", ZOE: "1.0"}
    assert found[mail("bob")].message.method is Method.REQUEST


def test_an_invitation_an_answer_and_a_change(b1: Node, b2: Node) -> None:
    b1.office.invite("m", "ann", "bob", "cyd")
    tag = b1.office.tag("ann", "m")
    b1.carry(b2)
    assert b1.office.status("ann", "m", "bob") == "1.2"
    assert b1.office.tag("ann", "m") == tag
    assert b2.office.inbox("bob", "m") == ["REQUEST"]
    assert b2.office.replies("bob", "m", "ACCEPTED").status == 204
    assert [each.message.method for each in b2.waiting("node:b1")] == [Method.REPLY]
    settle(b1, b2)
    assert b1.office.answer("ann", "m", "bob") == "ACCEPTED"
    assert b1.office.answer("cyd", "m", "bob") == "ACCEPTED"
    b1.office.invite("m", "ann", "bob", "cyd", lines=("SUMMARY:Later", "SEQUENCE:1", "DTSTART:20990106T090000Z"))
    settle(b1, b2)
    assert b2.office.answer("bob", "m", "bob") == "NEEDS-ACTION"
    assert b1.office.by("ann")("DELETE", b1.office.path("ann", "m")).status == 204
    settle(b1, b2)
    copy = b2.office.copy("bob", "m")
    assert copy is not None
    assert copy.components[0].value("STATUS") == "CANCELLED"


def test_all_that_one_change_says_arrives(b1: Node, b2: Node) -> None:
    """As it does for somebody at the own node: an instance is cancelled, and the series changes."""
    series = ("DTSTART:20990105T090000Z", "RRULE:FREQ=DAILY;COUNT=5")
    b1.office.invite("m", "ann", "bob", "cyd", lines=series)
    settle(b1, b2)
    for number in (1, 2):  # before anything is sent only the last one counts
        exdate = f"EXDATE:2099010{5 + number}T090000Z"
        b1.office.invite("m", "ann", "bob", "cyd", lines=(*series, exdate, f"SEQUENCE:{number}", "SUMMARY:Other"))
    (letter,) = b1.waiting("node:b2")
    assert len(letter.texts) == 2
    settle(b1, b2)
    assert sorted(b2.office.inbox("bob", "m")) == ["CANCEL", "REQUEST", "REQUEST"]
    assert sorted(b1.office.inbox("cyd", "m")) == ["CANCEL", "CANCEL", "REQUEST", "REQUEST", "REQUEST"]


def test_an_invitation_to_a_series_of_which_an_instance_is_cancelled(b1: Node, b2: Node) -> None:
    people = [f"ORGANIZER:{mail('ann')}", f"ATTENDEE;PARTSTAT=ACCEPTED:{mail('ann')}"]
    people += [f"ATTENDEE;PARTSTAT=NEEDS-ACTION:{mail(each)}" for each in ("bob", "cyd")]
    cancelled = ("DTSTART:20990107T090000Z", "RECURRENCE-ID:20990107T090000Z", "STATUS:CANCELLED")
    master = vevent("m", *people, "DTSTART:20990105T090000Z", "RRULE:FREQ=DAILY;COUNT=5")
    assert b1.office.put("ann", text(master, vevent("m", *people, *cancelled))).status == 201
    settle(b1, b2)
    here, there = b1.office.copy("cyd", "m"), b2.office.copy("bob", "m")
    assert here is not None
    assert there is not None
    assert [each.value("STATUS") for each in here.components] == [None, "CANCELLED"]
    assert [each.value("STATUS") for each in there.components] == [None, "CANCELLED"]


def test_a_copy_that_is_removed_is_an_answer(b1: Node, b2: Node) -> None:
    b1.office.invite("m", "ann", "bob")
    settle(b1, b2)
    assert b2.office.by("bob")("DELETE", b2.office.path("bob", "m")).status == 204
    settle(b1, b2)
    assert b1.office.answer("ann", "m", "bob") == "DECLINED"


def test_people_may_be_called_by_their_paths(b1: Node, b2: Node) -> None:
    ann, bob = PATH.format("ann"), PATH.format("bob")
    body = text(vevent("m", f"ORGANIZER:{ann}", f"ATTENDEE:{ann}", f"ATTENDEE;PARTSTAT=NEEDS-ACTION:{bob}"))
    assert b1.office.put("ann", body).status == 201
    (letter,) = b1.carry(b2)
    assert (letter.originator, letter.recipient) == (mail("ann"), mail("bob"))
    copy = b1.office.copy("ann", "m")
    assert copy is not None
    assert [each.param("SCHEDULE-STATUS") for each in copy.components[0].all("ATTENDEE")] == [None, "1.2"]
    assert b2.office.replies("bob", "m", "TENTATIVE").status == 204
    settle(b1, b2)
    copy = b1.office.copy("ann", "m")
    assert copy is not None
    assert [each.param("PARTSTAT") for each in copy.components[0].all("ATTENDEE")][1] == "TENTATIVE"
    assert f"ATTENDEE;PARTSTAT=TENTATIVE;SCHEDULE-STATUS=2.0:{bob}".encode() in copy.text.replace(b"\r\n ", b"")


def test_who_has_no_mail_address_is_called_by_the_guid(b1: Node, b2: Node) -> None:
    def forget(txn: Transaction) -> None:
        for each in ("ann", "bob"):
            found = txn.principals.by_uid("user", each)
            assert found is not None
            accounts.change(txn, found, addresses=())

    for each in (b1, b2):
        each.office.write(forget)
    ann, bob = PATH.format("ann"), PATH.format("bob")
    body = text(vevent("m", f"ORGANIZER:{ann}", f"ATTENDEE:{ann}", f"ATTENDEE;PARTSTAT=NEEDS-ACTION:{bob}"))
    assert b1.office.put("ann", body).status == 201
    (letter,) = b1.carry(b2)
    assert letter.originator.startswith("urn:uuid:")
    assert letter.recipient.startswith("urn:uuid:")
    assert b"principals" not in letter.texts[0]
    copy = b1.office.copy("ann", "m")
    assert copy is not None
    assert [each.param("SCHEDULE-STATUS") for each in copy.components[0].all("ATTENDEE")] == [None, "1.2"]
    assert b2.office.copy("bob", "m") is not None


def test_who_does_not_take_part_is_not_written_to(b1: Node) -> None:
    def disable(txn: Transaction) -> None:
        found = b1.office.principal(txn, "bob")
        accounts.change(txn, found, scheduling=False)

    b1.office.write(disable)
    b1.office.invite("m", "ann", "bob")
    assert b1.office.status("ann", "m", "bob") == "5.3"
    assert b1.waiting() == []


def test_an_address_that_nobody_has_is_known_to_be_wrong_at_once(b1: Node) -> None:
    b1.office.invite("m", "ann", "nobody")
    assert b1.office.status("ann", "m", "nobody") == "3.7"
    assert b1.waiting() == []


def test_a_room_at_another_node_answers_by_itself(b1: Node, b2: Node) -> None:
    b1.office.invite("m", "ann", "hall")
    settle(b1, b2)
    assert b1.office.answer("ann", "m", "hall") == "ACCEPTED"
    b1.office.invite("other", "cyd", "hall")
    settle(b1, b2)
    assert b1.office.answer("cyd", "other", "hall") == "DECLINED"


def test_a_group_is_expanded_where_the_organizer_is(b1: Node, b2: Node) -> None:
    def fill(txn: Transaction) -> None:
        team = b1.office.principal(txn, "team")
        txn.principals.set_members(team.id, [b1.office.principal(txn, each).id for each in ("bob", "cyd")])

    for each in (b1, b2):
        each.office.write(fill)
    b1.office.invite("m", "ann", "team")
    assert b1.office.copy("cyd", "m") is not None
    assert [each.recipient for each in b1.waiting()] == [mail("bob")]
    settle(b1, b2)
    assert b2.office.replies("bob", "m", "ACCEPTED").status == 204
    settle(b1, b2)
    assert b1.office.answer("ann", "m", "bob") == "ACCEPTED"


def test_who_has_no_copy_any_more_gets_none_when_others_answer(b1: Node, b2: Node) -> None:
    b1.office.invite("m", "ann", "bob", "dan")
    settle(b1, b2)
    silently = b2.office.by("dan")("DELETE", b2.office.path("dan", "m"), schedule_reply="F")
    assert silently.status == 204
    assert b2.office.replies("bob", "m", "ACCEPTED").status == 204
    b2.carry(b1)
    b1.work()
    told = b1.waiting("node:b2")
    assert told
    assert not any(each.is_news for each in told)
    settle(b1, b2)
    assert b2.office.copy("dan", "m") is None


def test_a_meeting_that_its_organizer_does_not_have_is_refused(b1: Node, b2: Node) -> None:
    """What the organizer has is known at the organizer's node only; while that is away, the attendee is believed."""
    assert b1.office.put("ann", meeting("m", "cyd", "ann")).status == 403
    assert b1.office.put("ann", meeting("m", "bob", "ann")).status == 201
    b1.others["b2"] = b2
    assert b1.office.put("ann", meeting("n", "bob", "ann"), "n.ics").status == 403
    b2.office.invite("n", "bob", "ann")
    assert b1.office.put("ann", meeting("n", "bob", "ann"), "n.ics").status == 201
    b2.office.invite("o", "bob", "cyd")
    b2.office.invite("p", "dan", "bob")
    settle(b1, b2)
    assert b1.office.put("ann", meeting("p", "bob", "ann"), "p.ics").status == 403, (
        "who takes part does not organize it"
    )


@pytest.mark.parametrize("away", [True, False])
def test_a_meeting_that_is_made_again_is_newer_than_what_others_have_of_it(b1: Node, b2: Node, away: bool) -> None:
    """Their copies count, as at one server; where these cannot be asked for, what they were sent."""
    b1.office.invite("m", "ann", "bob", ZOE, lines=("SEQUENCE:4",))
    settle(b1, b2)
    assert b1.office.remove("ann", "m").status == 204
    settle(b1, b2)
    assert b2.office.text("bob", "m").count("STATUS:CANCELLED") == 1
    if not away:
        b1.others["b2"] = b2
    b1.office.invite("m", "ann", "bob", lines=("SUMMARY:Again",))
    settle(b1, b2)
    assert "SUMMARY:Again" in b2.office.text("bob", "m")
    assert "SEQUENCE:6" in b2.office.text("bob", "m")
    assert "CANCELLED" not in b2.office.text("bob", "m")


def test_a_meeting_that_is_made_again_begins_anew_for_who_has_nothing_of_it(b1: Node, b2: Node) -> None:
    b1.others["b2"] = b2
    b1.office.invite("m", "ann", "bob", ZOE, lines=("SEQUENCE:4",))
    settle(b1, b2)
    assert b1.office.remove("ann", "m").status == 204
    settle(b1, b2)
    assert b2.office.remove("bob", "m").status == 204
    b1.office.invite("m", "ann", "bob")
    assert "SEQUENCE" not in b1.office.text("ann", "m")
    assert b1.office.remove("ann", "m").status == 204
    b1.office.invite("m", "ann", ZOE, lines=("SEQUENCE:1",))
    assert "SEQUENCE:6" in b1.office.text("ann", "m"), "another organization has been told of a later one"


def test_copies_at_other_nodes_are_not_missed(b1: Node, b2: Node) -> None:
    b1.office.invite("m", "ann", "bob")
    settle(b1, b2)

    def look(node: Node, who: str) -> agreement.Page:
        def page(txn: Transaction) -> agreement.Page:
            home = txn.collections.home(node.office.principal(txn, who).id, CALENDAR_HOME)
            assert home is not None
            calendar = txn.collections.child(home.id, "Default")
            assert calendar is not None
            return agreement.look(txn, node.policy, calendar)

        found: agreement.Page = node.office.store.read_now(page)
        return found

    for node, who in ((b1, "ann"), (b2, "bob")):
        assert look(node, who).looked_at == 1
        assert look(node, who).found == ()


# -- from elsewhere ----------------------------------------------------------------------------------------------------


def test_an_answer_by_mail_is_passed_on_to_the_node_of_the_organizer(b1: Node, b2: Node) -> None:
    b1.office.invite("m", "ann", ZOE)
    reply = text(vevent("m", f"ORGANIZER:{mail('ann')}", f"ATTENDEE;PARTSTAT=ACCEPTED:{ZOE}"))
    reply = reply.replace(b"VERSION:2.0\r\n", b"VERSION:2.0\r\nMETHOD:REPLY\r\n")
    message = Message.received(reply, ZOE, ("mailto:calendar@example.com",))

    def receive(txn: Transaction) -> str:
        return meetings.receive_answer(txn, b2.policy, message, b2.office.principal(txn, "ann").id)

    assert b2.office.write(receive) == "1.0"
    (letter,) = b2.carry(b1)
    assert (letter.recipient, letter.vouched) == (mail("ann"), "there.example")
    assert b1.office.answer("ann", "m", ZOE) == "ACCEPTED"


# -- letters whose recipients move -------------------------------------------------------------------------------------


def redirect(node: Node) -> None:
    def work(txn: Transaction) -> None:
        for each in letters.astray(txn, node.policy, txn.tasks.of("letter node:b2")):
            letters.redirect(txn, node.policy, each)

    node.office.write(work)


def test_a_letter_follows_its_recipient(b1: Node) -> None:
    b1.office.invite("m", "ann", "bob", "dan")
    redirect(b1)
    assert len(b1.waiting("node:b2")) == 2
    b1.office.write(lambda txn: txn.placements.put([b1.office.principal(txn, "bob").id], "b3"))
    redirect(b1)
    assert [each.recipient for each in b1.waiting("node:b3")] == [mail("bob")]
    assert [each.recipient for each in b1.waiting("node:b2")] == [mail("dan")]


def test_a_letter_to_somebody_who_comes_here_is_delivered(b1: Node) -> None:
    b1.office.invite("m", "ann", "bob")
    b1.office.write(lambda txn: place_all(txn, there=()))
    redirect(b1)
    assert b1.waiting() == []
    assert b1.office.status("ann", "m", "bob") == "1.2"
    assert b1.office.copy("bob", "m") is not None


def test_a_letter_to_somebody_who_is_removed_comes_back(b1: Node) -> None:
    b1.office.invite("m", "ann", "bob")
    b1.office.write(lambda txn: txn.principals.remove(b1.office.principal(txn, "bob").id))
    redirect(b1)
    assert b1.waiting() == []
    assert b1.office.status("ann", "m", "bob") == "3.7"


# -- in the end --------------------------------------------------------------------------------------------------------

STEPS = st.sampled_from(["edit", "move", "bob", "dan", "cyd", "there", "back", "work", "leave"])


class Story:
    """What happens to a meeting while letters are on their way."""

    def __init__(self, b1: Node, b2: Node) -> None:
        self.b1, self.b2, self.uid = b1, b2, str(uuid.uuid4())
        self.day, self.sequence, self.asked = 5, 0, ["bob", "cyd", "dan"]
        self.put()

    def put(self) -> None:
        start = f"DTSTART:209901{self.day:02}T090000Z"
        body = text(vevent(self.uid, *self.people(), start, f"SEQUENCE:{self.sequence}", f"SUMMARY:{self.sequence}"))
        assert self.b1.office.put("ann", body, f"{self.uid}.ics").status in (201, 204)

    def people(self) -> list[str]:
        had = self.b1.office.copy("ann", self.uid)
        if had is None:
            return people("ann", *self.asked)
        answers = [
            f"ATTENDEE;PARTSTAT={self.b1.office.answer('ann', self.uid, each)}:{mail(each)}" for each in self.asked
        ]
        return [*people("ann"), *answers]

    def edit(self, number: int) -> None:
        self.sequence = number
        self.put()

    def move(self, number: int) -> None:
        self.sequence, self.day = number, 5 + number
        self.put()

    def leave(self, number: int) -> None:
        """Dan is not invited any more, or again."""
        self.asked = ["bob", "cyd"] if "dan" in self.asked else ["bob", "cyd", "dan"]
        self.edit(number)

    def _answer(self, who: str, number: int) -> None:
        node = self.b1 if who == "cyd" else self.b2
        copy = node.office.copy(who, self.uid)
        if copy is not None and copy.components[0].value("STATUS") != "CANCELLED":
            answer = ("ACCEPTED", "DECLINED", "TENTATIVE")[number % 3]
            assert node.office.replies(who, self.uid, answer).status == 204

    def bob(self, number: int) -> None:
        self._answer("bob", number)

    def cyd(self, number: int) -> None:
        self._answer("cyd", number)

    def dan(self, number: int) -> None:
        self._answer("dan", number)

    def there(self, number: int) -> None:
        self.b1.carry(self.b2)

    def back(self, number: int) -> None:
        self.b2.carry(self.b1)

    def work(self, number: int) -> None:
        self.b1.work()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=10))
def test_in_the_end_organizer_and_attendees_agree(b1: Node, b2: Node, steps: list[str]) -> None:
    story = Story(b1, b2)
    for number, step in enumerate(steps, 1):
        getattr(story, step)(number)
    settle(b1, b2)
    mine = b1.office.copy("ann", story.uid)
    assert mine is not None
    for who in story.asked:
        node = b1 if who == "cyd" else b2
        copy = node.office.copy(who, story.uid)
        assert copy is not None, who
        for name in ("DTSTART", "SUMMARY"):
            assert copy.components[0].value(name) == mine.components[0].value(name), who
        assert node.office.answer(who, story.uid, who) == b1.office.answer("ann", story.uid, who), who
        assert b1.office.status("ann", story.uid, who) in ("1.2", "2.0"), who
