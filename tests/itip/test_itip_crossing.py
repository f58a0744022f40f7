"""Messages that cross one another, and answers to parts of a series: what random scripts found, one rule each."""

import pytest
from itip_actors import World
from itip_disagreement import disagreements
from itip_scripts import ATTENDEES, ORGANIZER, Edit, Game, Style, shown

from calserver import ical, itip
from calserver.ical import Property
from calserver.itip.meeting import Meeting

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
