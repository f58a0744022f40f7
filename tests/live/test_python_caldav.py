"""python-caldav as its users use it, with the answers of the server itself: no work on the client's side hides ours."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import caldav
import pytest
from caldav.elements import dav, ical
from caldav.lib import error
from daemon import Daemon

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

STRICT = {"compatibility_workarounds": False, "post_filter": False}


def vevent(uid: str, summary: str, start: str, *more: str) -> str:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//calserver//tests//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260105T120000Z",
        f"DTSTART{start}",
        f"SUMMARY:{summary}",
        *more,
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "\r\n".join(lines) + "\r\n"


def vtodo(uid: str, summary: str, *more: str) -> str:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//calserver//tests//EN",
        "BEGIN:VTODO",
        f"UID:{uid}",
        "DTSTAMP:20260105T120000Z",
        f"SUMMARY:{summary}",
        *more,
        "END:VTODO",
        "END:VCALENDAR",
    ]
    return "\r\n".join(lines) + "\r\n"


@pytest.fixture
def client(daemon: Daemon) -> Iterator[caldav.DAVClient]:
    with caldav.DAVClient(url=daemon.url, username="ann", password="ann") as connected:
        yield connected


@pytest.fixture
def principal(client: caldav.DAVClient) -> Any:
    return client.principal()


@pytest.fixture
def calendar(principal: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    made = principal.make_calendar(name=f"Test {request.node.name}")
    yield made
    made.delete()


def summaries(found: list[Any]) -> list[str]:
    return sorted(str(each.component["SUMMARY"]) for each in found)


def test_a_user_is_found_from_the_root(principal: Any) -> None:
    """RFC 5397, RFC 4791 section 6.2.1: no more than an address, a name and a password."""
    assert principal.url.path == "/dav/principals/user/ann/"
    assert principal.calendar_home_set.url.path == "/dav/calendars/user/ann/"
    assert "mailto:ann@example.com" in [each.lower() for each in principal.calendar_user_address_set()]
    assert principal.get_display_name() == "Ann Archer"


def test_people_are_found_by_their_names(principal: Any) -> None:
    (found,) = principal.client.search_principals(name="Bob Baker")
    assert (found.get_display_name(), found.url.path) == ("Bob Baker", "/dav/principals/user/bob/")


def test_a_new_user_has_a_calendar(principal: Any) -> None:
    paths = [each.url.path for each in principal.calendars()]
    assert "/dav/calendars/user/ann/Default/" in paths


def test_a_wrong_password_is_refused(daemon: Daemon) -> None:
    with (
        caldav.DAVClient(url=daemon.url, username="ann", password="wrong") as client,
        pytest.raises(error.AuthorizationError),
    ):
        client.principal()


def test_a_calendar_has_the_properties_it_was_given(principal: Any) -> None:
    made = principal.make_calendar(name="Größe & <Maß>", cal_id="gross", supported_calendar_component_set=["VTODO"])
    assert made.get_display_name() == "Größe & <Maß>"
    assert made.get_supported_components() == ["VTODO"]
    made.set_properties([dav.DisplayName("Tasks"), ical.CalendarColor("#00ff00ff")])
    found = made.get_properties([dav.DisplayName(), ical.CalendarColor()])
    assert found == {dav.DisplayName.tag: "Tasks", ical.CalendarColor.tag: "#00ff00ff"}
    made.delete()
    assert "gross" not in [each.id for each in principal.calendars()]


def test_an_event_is_stored_changed_and_deleted(calendar: Any) -> None:
    event = calendar.add_event(vevent("one", "Review", ":20260202T090000Z", "DURATION:PT1H"))
    assert summaries(calendar.events()) == ["Review"]
    same = calendar.get_event_by_uid("one")
    same.component["SUMMARY"] = "Long review — überlang"
    same.save()
    event.load()
    assert event.component["SUMMARY"] == "Long review — überlang"
    event.delete()
    with pytest.raises(error.NotFoundError):
        calendar.get_event_by_uid("one")


def test_what_was_stored_comes_back_byte_for_byte(calendar: Any, daemon: Daemon) -> None:
    sent = vevent("bytes", "A\\, B", ":20260202T090000Z", 'X-ODD;X-P="a:b":value\\n', "DURATION:PT1H")
    url = calendar.url.join("odd%20name.ics")
    stored = daemon.connect("ann").request("PUT", url.path, sent, Content_Type="text/calendar", If_None_Match="*")
    assert stored.status == 201
    (event,) = calendar.events()
    assert event.url.path == url.path
    assert event.wire_data == sent.encode()
    assert daemon.connect("ann").request("GET", url.path).text == sent


def test_events_of_a_time_range(calendar: Any) -> None:
    """RFC 4791 section 9.9: overlaps, all-day events, endless series and a single moved instance."""
    calendar.add_event(vevent("before", "Before", ":20260201T090000Z", "DURATION:PT1H"))
    calendar.add_event(vevent("across", "Across", ":20260209T230000Z", "DTEND:20260210T010000Z"))
    calendar.add_event(vevent("until", "Until", ":20260209T230000Z", "DTEND:20260210T000000Z"))
    calendar.add_event(vevent("day", "Day", ";VALUE=DATE:20260210"))
    calendar.add_event(vevent("daily", "Daily", ":20250101T080000Z", "DURATION:PT15M", "RRULE:FREQ=DAILY"))
    calendar.add_event(vevent("weekly", "Tuesdays", ":20250107T100000Z", "RRULE:FREQ=WEEKLY"))
    calendar.add_event(vevent("ended", "Ended", ":20250101T080000Z", "RRULE:FREQ=DAILY;COUNT=10"))
    found = calendar.search(
        event=True, start=datetime(2026, 2, 10, tzinfo=UTC), end=datetime(2026, 2, 11, tzinfo=UTC), **STRICT
    )
    assert summaries(found) == ["Across", "Daily", "Day", "Tuesdays"]


def test_open_ended_ranges(calendar: Any) -> None:
    calendar.add_event(vevent("past", "Past", ":20200201T090000Z", "DURATION:PT1H"))
    calendar.add_event(vevent("future", "Future", ":20300201T090000Z", "DURATION:PT1H"))
    middle = datetime(2026, 1, 1, tzinfo=UTC)
    assert summaries(calendar.search(event=True, start=middle, **STRICT)) == ["Future"]
    assert summaries(calendar.search(event=True, end=middle, **STRICT)) == ["Past"]


def test_the_server_expands_a_series(calendar: Any) -> None:
    """RFC 4791 section 9.6.5: instances in UTC, a moved one where it moved to, an excluded one not at all."""
    calendar.add_event(
        "\r\n".join(
            [
                "BEGIN:VCALENDAR",
                "VERSION:2.0",
                "PRODID:-//calserver//tests//EN",
                "BEGIN:VEVENT",
                "UID:series",
                "DTSTAMP:20260105T120000Z",
                "DTSTART:20260302T090000Z",
                "DURATION:PT1H",
                "RRULE:FREQ=DAILY;COUNT=5",
                "EXDATE:20260304T090000Z",
                "SUMMARY:Standup",
                "END:VEVENT",
                "BEGIN:VEVENT",
                "UID:series",
                "DTSTAMP:20260105T120000Z",
                "RECURRENCE-ID:20260303T090000Z",
                "DTSTART:20260303T150000Z",
                "DURATION:PT2H",
                "SUMMARY:Long standup",
                "END:VEVENT",
                "END:VCALENDAR",
                "",
            ]
        )
    )
    found = calendar.search(
        event=True,
        start=datetime(2026, 3, 1, tzinfo=UTC),
        end=datetime(2026, 3, 6, tzinfo=UTC),
        expand=True,
        server_expand=True,
        **STRICT,
    )
    starts = sorted((each.component.start, str(each.component["SUMMARY"])) for each in found)
    assert starts == [
        (datetime(2026, 3, 2, 9, tzinfo=UTC), "Standup"),
        (datetime(2026, 3, 3, 15, tzinfo=UTC), "Long standup"),
        (datetime(2026, 3, 5, 9, tzinfo=UTC), "Standup"),
    ]
    assert not any("RRULE" in each.component for each in found)


def test_a_series_keeps_its_wall_clock_over_a_change_of_daylight_saving(calendar: Any) -> None:
    zone = [
        "BEGIN:VTIMEZONE",
        "TZID:Europe/Berlin",
        "BEGIN:STANDARD",
        "DTSTART:19961027T030000",
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
        "TZOFFSETFROM:+0200",
        "TZOFFSETTO:+0100",
        "END:STANDARD",
        "BEGIN:DAYLIGHT",
        "DTSTART:19810329T020000",
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0200",
        "END:DAYLIGHT",
        "END:VTIMEZONE",
    ]
    text = vevent("berlin", "Choir", ";TZID=Europe/Berlin:20260320T190000", "DURATION:PT2H", "RRULE:FREQ=WEEKLY")
    calendar.add_event(text.replace("BEGIN:VEVENT", "\r\n".join([*zone, "BEGIN:VEVENT"])))
    found = calendar.search(
        event=True,
        start=datetime(2026, 3, 20, tzinfo=UTC),
        end=datetime(2026, 4, 4, tzinfo=UTC),
        expand=True,
        server_expand=True,
        **STRICT,
    )
    assert sorted(each.component.start.astimezone(UTC).hour for each in found) == [17, 18, 18]


def test_text_searches(calendar: Any) -> None:
    """RFC 4791 section 9.7.5: parts of the text, in any case or the same, and properties that are not there."""
    calendar.add_event(vevent("t1", "Budget Meeting", ":20260202T090000Z", "LOCATION:Room 1", "CATEGORIES:Work,Money"))
    calendar.add_event(vevent("t2", "Lunch", ":20260202T120000Z"))
    assert summaries(calendar.search(event=True, summary="get Meet", **STRICT)) == ["Budget Meeting"]
    assert calendar.search(event=True, summary="get meet", **STRICT) == []
    assert summaries(calendar.search(event=True, location="Room", **STRICT)) == ["Budget Meeting"]
    assert summaries(calendar.search(event=True, category="Money", **STRICT)) == ["Budget Meeting"]
    any_case = calendar.searcher(event=True)
    any_case.add_property_filter("SUMMARY", "GET MEET", case_sensitive=False)
    assert summaries(any_case.search(calendar, compatibility_workarounds=False, post_filter=False)) == [
        "Budget Meeting"
    ]
    assert summaries(calendar.search(event=True, no_location=True, **STRICT)) == ["Lunch"]
    assert calendar.search(event=True, summary="dinner", **STRICT) == []


def test_tasks(calendar: Any) -> None:
    calendar.add_todo(vtodo("todo1", "Write", "DUE:20260301T120000Z"))
    calendar.add_todo(vtodo("todo2", "Read", "DUE:20260501T120000Z"))
    calendar.add_todo(vtodo("todo3", "Someday"))
    assert summaries(calendar.todos()) == ["Read", "Someday", "Write"]
    calendar.get_todo_by_uid("todo1").complete()
    assert summaries(calendar.todos()) == ["Read", "Someday"]
    assert summaries(calendar.todos(include_completed=True)) == ["Read", "Someday", "Write"]
    due = calendar.search(
        todo=True,
        include_completed=True,
        start=datetime(2026, 4, 1, tzinfo=UTC),
        end=datetime(2026, 6, 1, tzinfo=UTC),
        **STRICT,
    )
    assert summaries(due) == ["Read", "Someday"], "one without dates is in every range (RFC 4791 section 9.9)"


def test_journals(calendar: Any) -> None:
    calendar.add_journal(summary="Log", dtstart=date(2026, 2, 2), uid="j1")
    assert summaries(calendar.journals()) == ["Log"]


def test_free_busy_of_a_calendar(calendar: Any) -> None:
    """RFC 4791 section 7.10."""
    calendar.add_event(vevent("b1", "Busy", ":20260202T090000Z", "DURATION:PT1H"))
    calendar.add_event(vevent("b2", "Busy too", ":20260202T093000Z", "DURATION:PT1H"))
    calendar.add_event(vevent("b3", "Free", ":20260202T150000Z", "DURATION:PT1H", "TRANSP:TRANSPARENT"))
    answer = calendar.freebusy_request(datetime(2026, 2, 2, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC))
    (component,) = answer.icalendar_instance.walk("VFREEBUSY")
    periods = component["FREEBUSY"]
    spans = [(each.start, each.end) for each in (periods if isinstance(periods, list) else [periods])]
    assert spans == [(datetime(2026, 2, 2, 9, tzinfo=UTC), datetime(2026, 2, 2, 10, 30, tzinfo=UTC))]


def test_many_objects_in_one_request(calendar: Any) -> None:
    urls = [
        calendar.add_event(vevent(f"m{n}", f"Event {n}", f":202602{n + 1:02}T090000Z", "DURATION:PT1H")).url
        for n in range(12)
    ]
    assert len(summaries(calendar.multiget(urls))) == 12


def test_sync_tokens_tell_what_is_new_changed_and_gone(calendar: Any) -> None:
    """RFC 6578."""
    first = calendar.add_event(vevent("s1", "One", ":20260202T090000Z", "DURATION:PT1H"))
    second = calendar.add_event(vevent("s2", "Two", ":20260202T100000Z", "DURATION:PT1H"))
    mine = calendar.get_objects_by_sync_token(load_objects=True, disable_fallback=True)
    assert summaries(list(mine)) == ["One", "Two"]
    nothing = calendar.get_objects_by_sync_token(sync_token=mine.sync_token, disable_fallback=True)
    assert list(nothing) == []

    first.component["SUMMARY"] = "One, changed"
    first.save()
    second.delete()
    calendar.add_event(vevent("s3", "Three", ":20260202T110000Z", "DURATION:PT1H"))
    changed = calendar.get_objects_by_sync_token(sync_token=mine.sync_token, disable_fallback=True)
    assert len(list(changed)) == 3
    updated, deleted = mine.sync()
    assert summaries(list(updated)) == ["One, changed", "Three"]
    assert [each.url.path for each in deleted] == [second.url.path]
    assert summaries(list(mine)) == ["One, changed", "Three"]


def test_a_made_up_sync_token_is_refused_by_name(calendar: Any) -> None:
    """RFC 6578 section 3.2: DAV:valid-sync-token."""
    with pytest.raises(error.AuthorizationError) as refused:
        calendar.get_objects_by_sync_token(sync_token="https://example.com/none", disable_fallback=True)
    assert "valid-sync-token" in str(refused.value.preconditions)


def test_a_lost_update_is_refused(calendar: Any) -> None:
    """RFC 9110 section 13.1.1: somebody else changed it in between."""
    mine = calendar.add_event(vevent("l1", "Plan", ":20260202T090000Z", "DURATION:PT1H"))
    mine.load()
    other = calendar.get_event_by_uid("l1")
    other.component["SUMMARY"] = "Plan of another device"
    other.save()
    mine.component["SUMMARY"] = "Plan of mine"
    with pytest.raises(error.DAVError):
        mine.save()
    assert calendar.get_event_by_uid("l1").component["SUMMARY"] == "Plan of another device"


def test_a_uid_is_used_once(calendar: Any, principal: Any) -> None:
    """RFC 4791 section 5.3.2.1: CALDAV:no-uid-conflict."""
    calendar.add_event(vevent("u1", "First", ":20260202T090000Z", "DURATION:PT1H"))
    other = principal.make_calendar(name="Other")
    with pytest.raises(error.DAVError) as refused:
        other.add_event(vevent("u1", "Second", ":20260202T090000Z", "DURATION:PT1H"))
    assert type(refused.value).__name__ == "UidConflictAuthorizationError", "the client knows the precondition"
    other.delete()


def test_others_see_nothing(calendar: Any, daemon: Daemon) -> None:
    event = calendar.add_event(vevent("p1", "Private", ":20260202T090000Z", "DURATION:PT1H"))
    with caldav.DAVClient(url=daemon.url, username="bob", password="bob") as bob:
        theirs = bob.calendar(url=calendar.url)
        with pytest.raises(error.DAVError):
            theirs.event_by_url(event.url).load()
        with pytest.raises(error.DAVError):
            theirs.add_event(vevent("p2", "Intruder", ":20260202T090000Z", "DURATION:PT1H"))
    assert summaries(calendar.events()) == ["Private"]


def test_the_next_week_of_a_series_that_began_years_ago(calendar: Any) -> None:
    """The index of instances reaches as far as clients look."""
    calendar.add_event(vevent("old", "Water", ":20150105T080000Z", "DURATION:PT10M", "RRULE:FREQ=WEEKLY;BYDAY=MO"))
    for year in (2016, 2026, 2045):
        begin = datetime(year, 6, 1, tzinfo=UTC)
        found = calendar.search(
            event=True, start=begin, end=begin + timedelta(days=7), expand=True, server_expand=True, **STRICT
        )
        assert [each.component.start.weekday() for each in found] == [0], year
