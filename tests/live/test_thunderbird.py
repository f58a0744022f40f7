"""Thunderbird itself, without a screen: what its windows call."""

from collections.abc import Callable, Iterator

import pytest
from daemon import ACCOUNTS
from desktop import changes_of_others_are_seen, event
from diaries import Diaries
from organizations import until
from thunderbird import Calendar, Thunderbird

HOME = "/dav/calendars/user/{}/{}/"
KNOWN = """
const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
login.init(asked.origin, null, "calserver", asked.user, asked.user, "", "");
await Services.logins.addLoginAsync(login);
"""
DETECTED = """
const found = await cal.provider.detection.detect(asked.user, asked.user, asked.url, false, [], {});
return [...found.entries()].map(([provider, some]) => [provider.type, some.map(each => [each.name, each.uri.spec])]);
"""


@pytest.fixture(scope="module")
def diaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Diaries]:
    with Diaries(tmp_path_factory.mktemp("thunderbird") / "server", ACCOUNTS) as running:
        yield running


@pytest.fixture(scope="module")
def thunderbird(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thunderbird]:
    with Thunderbird(tmp_path_factory.mktemp("profile"), program("thunderbird")) as running:
        yield running


@pytest.fixture(scope="module")
def ann(thunderbird: Thunderbird, diaries: Diaries) -> Calendar:
    """The calendar of somebody whose password is known."""
    origin = diaries.url.rstrip("/")
    thunderbird.runs(KNOWN, origin=origin, user="ann")
    return Calendar(thunderbird, origin + HOME.format("ann", "Default"), "ann")


def test_calendars_are_found_from_the_address_of_the_server(thunderbird: Thunderbird, diaries: Diaries) -> None:
    found = dict(thunderbird.runs(DETECTED, url=diaries.url, user="ann"))
    paths = {url for _, url in found["caldav"]}
    assert {diaries.url.rstrip("/") + HOME.format("ann", each) for each in ("Default", "Tasks")} <= paths


def test_it_knows_that_the_server_invites(ann: Calendar) -> None:
    until(lambda: ann.property("organizerId") == "mailto:ann@example.com", "the address is found")
    assert ann.property("capabilities.autoschedule.supported")
    assert not ann.runs("return calendar.readOnly;")


def test_what_is_made_changed_and_removed_here_is_so_at_the_server(ann: Calendar, diaries: Diaries) -> None:
    ann.adds(event("own", "SUMMARY:Grüße"))
    assert "SUMMARY:Grüße" in diaries.text("ann", "own")
    ann.changes("own", "item.title = 'Changed';")
    assert "SUMMARY:Changed" in diaries.text("ann", "own")
    ann.removes("own")
    assert diaries.find("ann", "own") is None


def test_what_others_make_change_and_remove_is_seen(ann: Calendar, diaries: Diaries) -> None:
    changes_of_others_are_seen(diaries, ann.find)


def test_one_instance_of_a_series_is_changed_and_one_removed(ann: Calendar, diaries: Diaries) -> None:
    ann.adds(event("series", "SUMMARY:Daily", "RRULE:FREQ=DAILY;COUNT=5"))
    ann.changes(
        "series",
        """
        const at = text => cal.createDateTime(text);
        const changed = item.recurrenceInfo.getOccurrenceFor(at("20281202T100000Z")).clone();
        changed.title = "Only this";
        item.recurrenceInfo.modifyException(changed, true);
        item.recurrenceInfo.removeOccurrenceAt(at("20281203T100000Z"));
        """,
    )
    text = diaries.text("ann", "series")
    assert text.count("BEGIN:VEVENT") == 2
    assert "SUMMARY:Only this" in text
    assert "EXDATE:20281203T100000Z" in text
    assert "SUMMARY:Only this" in (ann.find("series") or "")


def test_a_meeting_is_answered(ann: Calendar, diaries: Diaries) -> None:
    people = (
        "ORGANIZER:mailto:ann@example.com",
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.com",
        "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.com",
    )
    ann.adds(event("lunch", "SUMMARY:Lunch", *people))
    assert diaries.answers("bob", "lunch", "ACCEPTED").status == 204
    until(lambda: (ann.find("lunch") or "").count("PARTSTAT=ACCEPTED") == 2, "the answer arrives")
    ann.removes("lunch")
    until(lambda: "STATUS:CANCELLED" in diaries.text("bob", "lunch"), "the cancellation arrives")

    assert diaries.invite("dinner", "bob", ["mailto:ann@example.com"]).status == 201
    until(lambda: ann.find("dinner") is not None, "an invitation arrives")
    ann.changes(
        "dinner",
        """
        const me = item.getAttendeeById("mailto:ann@example.com").clone();
        me.participationStatus = "TENTATIVE";
        item.removeAttendee(item.getAttendeeById("mailto:ann@example.com"));
        item.addAttendee(me);
        """,
    )
    until(lambda: "PARTSTAT=TENTATIVE" in diaries.text("bob", "dinner"), "so does the answer of Thunderbird")


def test_one_instance_of_an_invitation_is_declined(ann: Calendar, diaries: Diaries) -> None:
    """An instance that Thunderbird changes has the end that it has worked out beside the DURATION of the series."""
    assert diaries.invite("weekly", "bob", ["mailto:ann@example.com"], "RRULE:FREQ=WEEKLY;COUNT=4").status == 201
    until(lambda: ann.find("weekly") is not None, "the invitation arrives")
    ann.changes(
        "weekly",
        """
        const changed = item.recurrenceInfo.getOccurrenceFor(cal.createDateTime("20990112T090000Z")).clone();
        const me = changed.getAttendeeById("mailto:ann@example.com").clone();
        me.participationStatus = "DECLINED";
        changed.removeAttendee(changed.getAttendeeById("mailto:ann@example.com"));
        changed.addAttendee(me);
        item.recurrenceInfo.modifyException(changed, true);
        """,
    )
    until(lambda: "PARTSTAT=DECLINED" in diaries.text("bob", "weekly"), "the answer arrives")
    assert "RECURRENCE-ID:20990112T090000Z" in diaries.text("bob", "weekly")


def test_busy_time_of_others_is_shown(ann: Calendar, diaries: Diaries) -> None:
    assert diaries.invite("busy", "bob", [], start="20281211T090000Z").status == 201
    found = ann.runs(
        """
        const at = text => cal.createDateTime(text);
        return await new Promise(resolve => cal.freeBusyService.getFreeBusyIntervals(
          "mailto:bob@example.com", at("20281211T000000Z"), at("20281212T000000Z"),
          Ci.calIFreeBusyInterval.BUSY_ALL,
          {onResult: (operation, found) => found && resolve(found.map(each => each.interval.start.icalString))}));
        """
    )
    assert found == ["20281211T090000Z"]


def test_tasks_are_completed(thunderbird: Thunderbird, ann: Calendar, diaries: Diaries) -> None:
    tasks = Calendar(thunderbird, diaries.url.rstrip("/") + HOME.format("ann", "Tasks"), "ann")
    tasks.adds("BEGIN:VTODO\r\nUID:todo\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Buy\r\nEND:VTODO\r\n", "CalTodo")
    tasks.changes("todo", "item.isCompleted = true;")
    assert "STATUS:COMPLETED" in diaries.text("ann", "todo", "Tasks")
    assert "PERCENT-COMPLETE:100" in diaries.text("ann", "todo", "Tasks")
