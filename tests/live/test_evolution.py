"""Evolution, by the data server that its windows (and GNOME's) show: the program itself, without the windows."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from daemon import ACCOUNTS
from desktop import changes_of_others_are_seen, event
from diaries import Diaries
from evolution import PROGRAM, Calendar, Evolution, EvolutionRefuses
from organizations import until

HOME = "/dav/calendars/user/{}/Default/"


@pytest.fixture(scope="module")
def diaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Diaries]:
    with Diaries(tmp_path_factory.mktemp("evolution") / "server", ACCOUNTS) as running:
        yield running


@pytest.fixture(scope="module")
def evolution(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evolution]:
    program(PROGRAM)
    with Evolution(tmp_path_factory.mktemp("gnome"), program("dbus-run-session")) as running:
        yield running


@pytest.fixture(scope="module")
def calendars(evolution: Evolution, diaries: Diaries) -> dict[str, Calendar]:
    """The calendars of two people."""
    where = diaries.url.rstrip("/") + HOME
    return {who: Calendar(evolution, where.format(who), who) for who in ("ann", "bob")}


@pytest.fixture
def ann(calendars: dict[str, Calendar]) -> Calendar:
    return calendars["ann"]


@pytest.fixture
def bob(calendars: dict[str, Calendar]) -> Calendar:
    return calendars["bob"]


def test_calendars_are_found_from_the_address_of_the_server(evolution: Evolution, diaries: Diaries) -> None:
    found = evolution.does("discover", url=diaries.url, user="ann")
    assert {HOME.format("ann") in href for href in found["calendars"].values()} == {True, False}, "and those of tasks"
    assert "ann@example.com" in str(found["addresses"])


def test_a_wrong_password_is_told(evolution: Evolution, diaries: Diaries) -> None:
    with pytest.raises(EvolutionRefuses, match="Unauthorized"):
        evolution.does("discover", url=diaries.url, user="stranger")


def test_what_is_made_changed_and_removed_here_is_so_at_the_server(ann: Calendar, diaries: Diaries) -> None:
    assert "save-schedules" in ann.can["capabilities"]
    assert not ann.can["readonly"]
    ann.does("create", text=event("own", "SUMMARY:Grüße"))
    assert "SUMMARY:Grüße" in diaries.text("ann", "own")
    found = ann.find("own")
    assert found is not None
    ann.does("modify", text=found.replace("SUMMARY:Grüße", "SUMMARY:Changed"), change="all")
    assert "SUMMARY:Changed" in diaries.text("ann", "own")
    ann.does("remove", uid="own", instance="", change="all")
    assert diaries.find("ann", "own") is None


def test_what_others_make_change_and_remove_is_seen(ann: Calendar, diaries: Diaries) -> None:
    changes_of_others_are_seen(diaries, ann.find)


def test_one_instance_of_a_series_is_changed_and_one_removed(ann: Calendar, diaries: Diaries) -> None:
    ann.does("create", text=event("series", "SUMMARY:Daily", "RRULE:FREQ=DAILY;COUNT=5"))
    changed = event("series", "SUMMARY:Only this", "RECURRENCE-ID:20281202T100000Z").replace("20281201T1", "20281202T1")
    ann.does("modify", text=changed, change="one")
    ann.does("remove", uid="series", instance="20281203T100000Z", change="one")
    text = diaries.text("ann", "series")
    assert text.count("BEGIN:VEVENT") == 2
    assert "SUMMARY:Only this" in text
    assert "RRULE:FREQ=DAILY;COUNT=5" in text
    assert "EXDATE" in text
    assert "20281203T100000Z" in text
    assert "Only this" in (ann.find("series", "20281202T100000Z") or "")


def test_a_meeting_is_answered(ann: Calendar, bob: Calendar, diaries: Diaries) -> None:
    people = (
        "ORGANIZER:mailto:ann@example.com",
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.com",
        "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.com",
    )
    ann.does("create", text=event("lunch", "SUMMARY:Lunch", *people))
    until(lambda: bob.find("lunch") is not None, "the invitation arrives")
    invitation = bob.find("lunch")
    assert invitation is not None
    bob.does("modify", text=invitation.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"), change="all")
    until(lambda: (ann.find("lunch") or "").count("PARTSTAT=ACCEPTED") == 2, "so does the answer")
    begin = int(datetime(2028, 12, 1, tzinfo=UTC).timestamp())
    busy = ann.does("busy", begin=begin, end=begin + 86400, people=["bob@example.com"])
    assert "FREEBUSY" in str(busy)
    assert "20281201T100000Z" in str(busy)
    ann.does("remove", uid="lunch", instance="", change="all")
    until(lambda: "STATUS:CANCELLED" in (bob.find("lunch") or ""), "and the cancellation")


def test_tasks_are_completed(evolution: Evolution, diaries: Diaries) -> None:
    addresses = evolution.does("discover", url=diaries.url, user="carol")["calendars"]
    (url,) = (each for each in addresses.values() if "Tasks" in each)
    tasks = Calendar(evolution, url, "carol", "tasks")
    tasks.does("create", text="BEGIN:VTODO\r\nUID:todo\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Buy\r\nEND:VTODO\r\n")
    found = tasks.find("todo")
    assert found is not None
    done = "STATUS:COMPLETED\r\nPERCENT-COMPLETE:100\r\nCOMPLETED:20260301T120000Z\r\nEND:VTODO"
    tasks.does("modify", text=found.replace("END:VTODO", done), change="all")
    assert "STATUS:COMPLETED" in diaries.text("carol", "todo", "Tasks")
