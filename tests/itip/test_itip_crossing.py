"""Messages that cross one another, and answers to parts of a series: what random scripts found, one rule each."""

import pytest
from itip_actors import World
from itip_disagreement import disagreements
from itip_scripts import ATTENDEES, ORGANIZER, Edit, Game, Style, shown

from calserver import ical, itip
from calserver.ical import Property
from calserver.itip.meeting import Meeting
from calserver.meetings import agreement

A, B = ATTENDEES
ALL = (1, 2, 3, 4, 5)


@pytest.fixture
def game() -> Game:
    """A meeting on five days, of which all know."""
    game = Game(World.of(ORGANIZER, A, B), Style())
    game.edit(Edit(), False)
    game.deliver_all()
    return game


def answers(game: Game, who: str) -> dict[int, str]:
    """How somebody answered each day that it sees, which the organizer must know too."""
    copy, organizer = game.world.people[who].copy, game.world.people[ORGANIZER].copy
    found = shown(copy, who)
    assert found == shown(organizer, who)
    return {int(starts[6:8]): status for starts, _, status in found.values()}


def everywhere(status: str, **others: str) -> dict[int, str]:
    return {day: others.get(f"on_{day}", status) for day in ALL}


def test_an_override_that_comes_before_its_series_can_be_stored_by_clients(game: Game) -> None:
    """Its instance, which the series known so far cannot make, is among the dates until the new series comes."""
    game.edit(Edit(hour=10), False)
    game.edit(Edit(hour=10, renamed=frozenset({3})), False)
    game.deliver(-1)
    assert b"RDATE:20260603T100000Z" in text(game, A)
    game.answer(A, 3, "ACCEPTED", "")
    game.deliver_all()
    assert b"RDATE" not in text(game, A)
    assert disagreements(game.world.people[ORGANIZER].copy, game.world.people[A].copy, {A}) == ()


def test_who_has_removed_a_meeting_is_not_given_it_again(game: Game) -> None:
    """What tells of others' answers was on its way when the meeting was removed."""
    game.take_away(B, 2)
    game.deliver_all()
    game.refresh()
    game.leave(A)
    assert game.world.people[A].copy is None
    game.deliver_all()
    assert game.world.people[A].copy is None
    assert answers(game, A) == {}


def test_an_instance_that_was_removed_stays_declined_when_the_series_is_accepted(game: Game) -> None:
    game.answer(A, None, "DECLINED", "")
    game.take_away(A, 1)
    game.answer(A, None, "ACCEPTED", "")
    game.deliver_all()
    assert answers(game, A) == dict.fromkeys((2, 3, 4, 5), "ACCEPTED")


def test_an_instance_that_was_removed_stays_declined_when_a_later_revision_is_accepted(game: Game) -> None:
    game.edit(Edit(excluded=frozenset({3})), False)
    game.deliver_all()
    game.take_away(A, 2)
    game.deliver_all()
    game.edit(Edit(), False)
    game.deliver_all()
    assert answers(game, A) == dict.fromkeys((1, 3, 4, 5), "NEEDS-ACTION")
    game.answer(A, None, "TENTATIVE", "")
    game.deliver_all()
    assert answers(game, A) == dict.fromkeys((1, 3, 4, 5), "TENTATIVE")


def test_an_exdate_counts_where_the_override_is_left_beside_it(game: Game) -> None:
    game.edit(Edit(renamed=frozenset({3})), False)
    game.deliver_all()
    copy = game.world.people[A].copy
    assert copy is not None
    master, override = copy.components
    excluding = master.replacing("EXDATE", Property("EXDATE", "20260603T090000Z"))
    game.world.put(A, ical.serialize(copy.calendar.with_components((excluding, override))))
    game.deliver_all()
    assert answers(game, A) == dict.fromkeys((1, 2, 4, 5), "NEEDS-ACTION")


# -- this and future instances


def test_who_removes_the_first_of_some_future_instances_keeps_the_others(game: Game) -> None:
    game.edit(Edit(future=3), False)
    game.deliver_all()
    game.answer(A, 3, "ACCEPTED", "")
    game.take_away(A, 3)
    game.deliver_all()
    assert answers(game, A) == {1: "NEEDS-ACTION", 2: "NEEDS-ACTION", 4: "ACCEPTED", 5: "ACCEPTED"}
    assert {said[1] for said in shown(game.world.people[A].copy, A).values()} == {"x", "later"}
    game.refresh()
    game.deliver_all()
    assert answers(game, A) == {1: "NEEDS-ACTION", 2: "NEEDS-ACTION", 4: "ACCEPTED", 5: "ACCEPTED"}


def test_an_answer_to_one_instance_is_none_to_those_that_follow(game: Game) -> None:
    """Another attendee has answered for this and future instances."""
    game.answer(A, 2, "ACCEPTED", "future")
    game.answer(B, 2, "DECLINED", "")
    game.deliver_all()
    game.refresh()
    game.deliver_all()
    assert answers(game, A) == everywhere("ACCEPTED", on_1="NEEDS-ACTION")
    assert answers(game, B) == dict.fromkeys((1, 3, 4, 5), "NEEDS-ACTION")


def test_an_answer_to_future_instances_counts_beyond_one_that_has_another_of_its_own(game: Game) -> None:
    game.answer(B, 2, "DECLINED", "")
    game.answer(A, 2, "ACCEPTED", "future")
    game.deliver_all()
    game.refresh()
    game.deliver_all()
    assert answers(game, A) == everywhere("ACCEPTED", on_1="NEEDS-ACTION")
    assert answers(game, B) == dict.fromkeys((1, 3, 4, 5), "NEEDS-ACTION")


def test_an_answer_to_future_instances_stays_where_another_attendee_answered_the_first(game: Game) -> None:
    """What tells of that was on its way."""
    game.answer(B, 2, "ACCEPTED", "")
    game.deliver_all()
    game.answer(A, 2, "ACCEPTED", "future")
    game.refresh()
    game.deliver_all()
    assert answers(game, A) == everywhere("ACCEPTED", on_1="NEEDS-ACTION")
    game.refresh()
    game.deliver_all()
    assert answers(game, A) == everywhere("ACCEPTED", on_1="NEEDS-ACTION")


def test_an_answer_to_an_instance_that_was_moved_with_future_ones_is_too_late(game: Game) -> None:
    game.edit(Edit(future=3), False)
    game.answer(A, 4, "DECLINED", "")
    game.deliver_all()
    assert answers(game, A) == everywhere("NEEDS-ACTION")
    assert Meeting.of(game.world.people[ORGANIZER].copy).eras


def text(game: Game, who: str) -> bytes:
    copy = game.world.people[who].copy
    assert copy is not None
    return copy.text


def test_answers_to_future_instances_are_remembered(game: Game) -> None:
    game.answer(A, 2, "ACCEPTED", "future")
    memory = game.world.people[A].memory
    assert memory.ranges
    assert itip.Memory.parse(memory.text()) == memory


# -- what random scheduling found


def agree(game: Game) -> None:
    """Both attendees see what the organizer has, and an administrator's check finds nothing."""
    organizer = game.world.people[ORGANIZER].copy
    assert organizer is not None
    for who in ATTENDEES:
        copy, memory = game.world.people[who].copy, game.world.people[who].memory
        assert disagreements(organizer, copy, {who}) == ()
        for message in itip.refresh(organizer, frozenset({ORGANIZER})):
            if copy is not None and who in message.recipients:
                assert agreement.disagreements(organizer, copy, message, frozenset({who}), memory) == ()


def test_what_is_left_of_a_series_that_is_called_off_takes_place(game: Game) -> None:
    """STATUS is that of a component (RFC 5545 section 3.8.1.11): that of a series says nothing of an override."""
    game.edit(Edit(renamed=frozenset({3}), called_off=True), False)
    assert [each.method for each in game.world.sent] == ["CANCEL", "REQUEST"]
    game.deliver_all()
    assert answers(game, A) == {3: "NEEDS-ACTION"}
    agree(game)
    game.answer(A, 3, "ACCEPTED", "")
    game.deliver_all()
    assert answers(game, A) == {3: "ACCEPTED"}
    game.edit(Edit(), False)
    game.deliver_all()
    assert answers(game, B) == everywhere("NEEDS-ACTION")
    agree(game)


def test_a_series_that_is_cancelled_whole_takes_its_overrides_with_it(game: Game) -> None:
    """From elsewhere, by a CANCEL without RECURRENCE-ID (RFC 5546 section 3.2.5)."""
    game.edit(Edit(renamed=frozenset({3})), False)
    game.deliver_all()
    copy = game.world.people[ORGANIZER].copy
    assert copy is not None
    master = copy.components[0].replacing("SEQUENCE", Property("SEQUENCE", "9"))
    content = copy.calendar.with_components((master,))
    cancel = itip.Message(
        method=itip.Method.CANCEL, originator=ORGANIZER, recipients=(A,), calendar=ical.CalendarObject.of(content)
    )
    game.world.deliver(cancel, A)
    assert shown(game.world.people[A].copy, A) == {}


def test_an_instance_that_falls_back_to_the_series_keeps_its_answer(game: Game) -> None:
    game.edit(Edit(renamed=frozenset({1})), False)
    game.deliver_all()
    game.answer(A, 1, "ACCEPTED", "")
    game.deliver_all()
    game.edit(Edit(), False)
    game.deliver_all()
    assert answers(game, A) == everywhere("NEEDS-ACTION", on_1="ACCEPTED")
    assert answers(game, B) == everywhere("NEEDS-ACTION")


def test_an_instance_to_which_somebody_is_invited_again_is_not_excluded(game: Game) -> None:
    """Clients take an instance that has both an EXDATE and an override for one that is not there."""
    world = World.of(ORGANIZER, A, B)
    game = Game(world, Style())
    game.edit(Edit(without=frozenset({1})), False)
    game.deliver_all()
    game.edit(Edit(), False)
    game.deliver_all()
    assert b"EXDATE" not in text(game, B)
    agree(game)


def test_a_copy_can_be_stored_again_where_an_instance_went_with_its_rule(game: Game) -> None:
    game.edit(Edit(every=2, excluded=frozenset({2})), False)
    game.deliver_all()
    game.answer(B, None, "ACCEPTED", "")
    assert b"STATUS:CANCELLED" not in text(game, B)


def test_what_was_removed_from_a_series_that_was_declined_stays_away(game: Game) -> None:
    game.answer(B, None, "DECLINED", "")
    game.take_away(B, 2)
    game.deliver_all()
    game.answer(A, None, "ACCEPTED", "")
    game.deliver_all()
    game.refresh()
    game.deliver_all()
    assert b"EXDATE" in text(game, B)
    agree(game)


@pytest.mark.parametrize(
    "edit",
    [
        Edit(excluded=frozenset({2}), cancelled=frozenset({5})),
        Edit(without=frozenset({4})),
        Edit(guests=frozenset(), alone=frozenset({5}), cancelled=frozenset({5})),
    ],
)
def test_instances_that_are_cancelled_are_no_disagreement(game: Game, edit: Edit) -> None:
    game.edit(edit, False)
    game.answer(A, None, "ACCEPTED", "alarm")
    game.deliver_all()
    game.answer(A, 4, "ACCEPTED", "")
    game.deliver_all()
    game.refresh()
    game.deliver_all()
    agree(game)


def test_an_exdate_that_excludes_nothing_is_no_disagreement(game: Game) -> None:
    copy = game.world.people[A].copy
    assert copy is not None
    for day, same in (("20", True), ("02", False)):
        master = copy.components[0].replacing("EXDATE", Property("EXDATE", f"202606{day}T090000Z"))
        other = ical.CalendarObject.of(copy.calendar.with_components((master,)))
        assert itip.looks_alike(copy, other, frozenset({A})) is same
        assert itip.looks_alike(other, copy, frozenset({A})) is same
    stray = copy.components[0].replacing("EXDATE", Property("EXDATE", "20260620T090000Z"))
    game.world.put(A, ical.serialize(copy.calendar.with_components((stray,))))
    assert b"EXDATE" in text(game, A)
    agree(game)


def by_day(game: Game, who: str) -> dict[int, str]:
    """When each day begins that somebody sees."""
    return {int(starts[6:8]): starts[9:11] for starts, _, _ in shown(game.world.people[who].copy, who).values()}


def test_who_is_not_invited_to_future_instances_sees_none_of_them(game: Game) -> None:
    """An override for this and future instances hides what it stands for (RFC 6638 section 3.2.6)."""
    game.edit(Edit(future=3, not_in_future=True, added=frozenset({8})), False)
    game.deliver_all()
    assert by_day(game, A) == {1: "09", 2: "09", 3: "11", 4: "11", 5: "11", 8: "11"}
    assert by_day(game, B) == {1: "09", 2: "09"}
    agree(game)
    game.take_away(A, 3)
    game.deliver_all()
    agree(game)
    game.edit(Edit(), False)
    game.deliver_all()
    assert by_day(game, B) == {1: "09", 2: "09", 3: "09", 4: "09", 5: "09"}


def test_who_is_not_invited_to_future_instances_from_the_first_on_sees_nothing() -> None:
    game = Game(World.of(ORGANIZER, A, B), Style())
    game.edit(Edit(future=1, not_in_future=True, renamed=frozenset({4})), False)
    game.deliver_all()
    assert by_day(game, B) == {4: "09"}
    agree(game)


def test_who_is_invited_to_future_instances_alone_sees_all_of_them(game: Game) -> None:
    """The series says when they are, and nothing else of it is told."""
    game.edit(Edit(agent="CLIENT", other_agent="SERVER", future=3, summary="secret"), False)
    game.deliver_all()
    assert by_day(game, B) == {3: "11", 4: "11", 5: "11"}
    assert b"secret" not in text(game, B)
    agree(game)
    game.answer(B, 4, "ACCEPTED", "")
    game.deliver_all()
    assert answers(game, B) == {3: "NEEDS-ACTION", 4: "ACCEPTED", 5: "NEEDS-ACTION"}
    newcomer = Game(World.of(ORGANIZER, A, B), Style())
    newcomer.edit(Edit(agent="CLIENT", other_agent="SERVER", future=3), False)
    newcomer.deliver_all()
    assert by_day(newcomer, B) == {3: "11", 4: "11", 5: "11"}


def test_future_instances_take_place_where_the_series_before_them_is_called_off(game: Game) -> None:
    game.edit(Edit(future=3, called_off=True), False)
    game.deliver_all()
    assert by_day(game, A) == by_day(game, B) == {3: "11", 4: "11", 5: "11"}
    agree(game)


def test_an_answer_to_future_instances_is_known_for_each_of_them(game: Game) -> None:
    """The check looks for it where the organizer has it: in the override for this and future instances."""
    game.answer(A, 4, "TENTATIVE", "future")
    game.answer(A, 5, "TENTATIVE", "alarm")
    game.deliver_all()
    game.refresh()
    game.deliver_all()
    agree(game)


def test_an_answer_to_future_instances_stays_where_the_organizer_changes_the_first(game: Game) -> None:
    game.answer(A, 2, "DECLINED", "future")
    game.answer(B, 2, "ACCEPTED", "future")
    game.deliver_all()
    game.edit(Edit(moved=frozenset({2})), False)
    game.deliver_all()
    assert answers(game, A) == {1: "NEEDS-ACTION", 2: "NEEDS-ACTION"}
    assert answers(game, B) == everywhere("ACCEPTED", on_1="NEEDS-ACTION", on_2="NEEDS-ACTION")


def test_what_is_left_of_future_instances_stays_when_the_first_was_removed_before() -> None:
    """The organizer changes future instances while the first is declined and removed; the client drops what is left."""
    game = Game(World.of(ORGANIZER, A, B), Style(zone="day"))
    game.edit(Edit(), False)
    game.deliver_all()
    game.take_away(A, 3)
    game.edit(Edit(future=3), True)
    game.deliver_all()
    game.answer(A, 1, "ACCEPTED", "forgets")
    game.deliver_all()
    titles = [title for _, title, _ in shown(game.world.people[A].copy, A).values()]
    assert titles == ["x", "x", "later", "later"]
    assert shown(game.world.people[A].copy, A) == shown(game.world.people[ORGANIZER].copy, A)


def test_the_first_of_future_instances_alone_is_declined_when_it_is_removed() -> None:
    """The answer comes when the organizer has no such range any more."""
    game = Game(World.of(ORGANIZER, A, B), Style(component="VTODO", zone="day"))
    game.edit(Edit(without=frozenset({4}), future=3), True)
    game.deliver_all()
    game.take_away(A, 3)
    game.edit(Edit(), True)
    game.deliver_all()
    assert shown(game.world.people[A].copy, A) == shown(game.world.people[ORGANIZER].copy, A)


def test_who_was_hidden_from_future_instances_is_told_where_they_are_one_instance_now(game: Game) -> None:
    game.edit(Edit(count=4, future=4, not_in_future=True), False)
    game.edit(Edit(count=4, without=frozenset({4})), True)
    game.deliver_all()
    assert b"UNTIL" not in text(game, B)
    agree(game)


def test_future_instances_that_lose_answers_are_asked_anew(game: Game) -> None:
    """The organizer's client takes back an override for this and future instances that somebody has answered."""
    game.edit(Edit(future=3), False)
    game.deliver_all()
    game.answer(A, 3, "ACCEPTED", "")
    game.deliver_all()
    game.edit(Edit(), True)
    game.deliver_all()
    assert answers(game, A) == everywhere("NEEDS-ACTION")


def test_an_instance_of_a_declined_series_can_be_removed_after_another_revision(game: Game) -> None:
    game.answer(B, None, "DECLINED", "")
    game.deliver_all()
    game.edit(Edit(excluded=frozenset({3})), True)
    game.deliver_all()
    game.take_away(B, 1)
    game.deliver_all()
    agree(game)


def test_an_override_like_the_series_among_changed_future_instances_can_be_answered() -> None:
    game = Game(World.of(ORGANIZER, A, B), Style())
    game.edit(Edit(), False)
    game.edit(Edit(alone=frozenset({5}), future=3), False)
    game.deliver_all()
    game.answer(B, 5, "TENTATIVE", "")
    game.deliver_all()
    assert answers(game, B) == everywhere("NEEDS-ACTION", on_5="TENTATIVE")
