"""free-busy-query (RFC 4791 section 7.10)."""

from datetime import UTC, datetime

import pytest
from dialogue import Answer, Dialogue
from ics import event

from calserver import caldav, ical
from calserver.names import D

HOME = "calendars/user/ann/"
DEFAULT = HOME + "Default/"
CALENDAR = "text/calendar; charset=utf-8"


def free_busy(who: Dialogue, start: str, end: str, path: str = DEFAULT, **headers: str) -> Answer:
    body = (
        '<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">'
        f'<C:time-range start="{start}" end="{end}"/></C:free-busy-query>'
    )
    return who("REPORT", path, body, **headers)


def periods(answer: Answer) -> dict[str, str]:
    assert (answer.status, answer.headers["Content-Type"]) == (200, CALENDAR), answer.body
    [component] = ical.parse(answer.body).components
    assert component.name == "VFREEBUSY"
    return {prop.param("FBTYPE", "BUSY"): prop.value for prop in component.all("FREEBUSY")}


def fill(who: Dialogue, path: str = DEFAULT, **objects: bytes) -> None:
    for name, content in objects.items():
        assert who("PUT", path + name, content, content_type=CALENDAR).status == 201


@pytest.fixture
def busy(ann: Dialogue) -> Dialogue:
    fill(
        ann,
        meeting=event("1", "DTSTART:20260105T090000Z"),
        touching=event("2", "DTSTART:20260105T100000Z", "DURATION:PT30M"),
        maybe=event("3", "DTSTART:20260105T093000Z", "STATUS:TENTATIVE"),
        free=event("4", "DTSTART:20260105T110000Z", "TRANSP:TRANSPARENT"),
        cancelled=event("5", "DTSTART:20260105T120000Z", "STATUS:CANCELLED"),
        day=event("6", "DTSTART;VALUE=DATE:20260106"),
        forever=event("7", "DTSTART:20260201T120000Z", "RRULE:FREQ=WEEKLY"),
    )
    return ann


def test_events_take_up_time_unless_they_say_that_they_do_not(busy: Dialogue) -> None:
    assert periods(free_busy(busy, "20260105T000000Z", "20260106T000000Z")) == {
        "BUSY": "20260105T090000Z/20260105T103000Z",
        "BUSY-TENTATIVE": "20260105T093000Z/20260105T103000Z",
    }


def test_the_time_range_cuts(busy: Dialogue) -> None:
    found = periods(free_busy(busy, "20260105T091500Z", "20260105T092000Z"))
    assert found == {"BUSY": "20260105T091500Z/20260105T092000Z"}
    assert periods(free_busy(busy, "20250101T000000Z", "20250102T000000Z")) == {}


def test_days_are_those_of_the_calendars_zone(busy: Dialogue) -> None:
    """RFC 4791 section 7.3."""
    assert periods(free_busy(busy, "20260105T220000Z", "20260108T000000Z")) == {
        "BUSY": "20260106T000000Z/20260107T000000Z"
    }
    patch = (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
        "<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id></D:prop></D:set></D:propertyupdate>"
    )
    busy("PROPPATCH", DEFAULT, patch)
    assert periods(free_busy(busy, "20260105T220000Z", "20260108T000000Z")) == {
        "BUSY": "20260105T230000Z/20260106T230000Z"
    }


def test_endless_series_take_up_time_beyond_the_horizon(busy: Dialogue) -> None:
    found = periods(free_busy(busy, "20410101T000000Z", "20410108T000000Z"))
    assert found == {"BUSY": "20410106T120000Z/20410106T130000Z"}


def test_published_busy_time_and_availability_count(ann: Dialogue) -> None:
    """RFC 5545 section 3.6.4, RFC 7953 section 5."""
    ann("MKCALENDAR", HOME + "all/")
    published = event(
        *("1", "DTSTART:20260105T000000Z", "DTEND:20260106T000000Z"),
        *("FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260105T080000Z/PT1H", "FREEBUSY;FBTYPE=FREE:20260105T100000Z/PT1H"),
        name="VFREEBUSY",
    )
    fill(ann, HOME + "all/", published=published)
    path = HOME + "all/"
    found = periods(free_busy(ann, "20260105T000000Z", "20260106T000000Z", path))
    assert found == {"BUSY-UNAVAILABLE": "20260105T080000Z/20260105T090000Z"}
    available = (
        *("BEGIN:AVAILABLE", "UID:a", "DTSTAMP:20260101T000000Z", "DTSTART:20260107T090000Z", "DTEND:20260107T170000Z"),
        "END:AVAILABLE",
    )
    fill(
        *(ann, path),
        hours=event("2", "DTSTART:20260107T000000Z", "DTEND:20260108T000000Z", *available, name="VAVAILABILITY"),
    )
    found = periods(free_busy(ann, "20260107T000000Z", "20260108T000000Z", path))
    assert found == {"BUSY-UNAVAILABLE": "20260107T000000Z/20260107T090000Z,20260107T170000Z/20260108T000000Z"}


def test_others_may_ask_for_busy_time_of_calendars_but_not_of_homes(busy: Dialogue, bob: Dialogue) -> None:
    """What the default privileges give to everybody: CALDAV:read-free-busy on calendars."""
    asked = ("20260105T000000Z", "20260106T000000Z")
    assert periods(free_busy(bob, *asked)) == periods(free_busy(busy, *asked))
    answer = free_busy(bob, *asked, HOME, depth="1")
    assert (answer.status, answer.error) == (403, D("need-privileges"))


def test_the_depth_says_which_calendars_count(busy: Dialogue) -> None:
    busy("MKCOL", HOME + "folder/")
    busy("MKCALENDAR", HOME + "folder/inner/")
    fill(busy, HOME + "folder/inner/", inner=event("inner", "DTSTART:20260105T200000Z"))
    asked = ("20260105T000000Z", "20260106T000000Z")
    assert periods(free_busy(busy, *asked, HOME)) == {}
    one = periods(free_busy(busy, *asked, HOME, depth="1"))
    assert one["BUSY"] == "20260105T090000Z/20260105T103000Z"
    both = periods(free_busy(busy, *asked, HOME, depth="infinity"))
    assert both["BUSY"] == "20260105T090000Z/20260105T103000Z,20260105T200000Z/20260105T210000Z"


@pytest.mark.parametrize(
    "inside",
    [
        "",
        '<C:time-range start="20260105T000000Z"/>',
        '<C:time-range start="20260105" end="20260106"/>',
        '<C:time-range start="20260105T000000" end="20260106T000000"/>',
        '<C:time-range start="20260106T000000Z" end="20260105T000000Z"/>',
    ],
)
def test_the_time_range_must_be_whole_and_in_utc(ann: Dialogue, inside: str) -> None:
    body = f'<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">{inside}</C:free-busy-query>'
    assert ann("REPORT", DEFAULT, body).status == 400


def test_an_object_has_no_busy_time_of_its_own(busy: Dialogue) -> None:
    """RFC 4791 section 7.10: the report is for collections."""
    assert free_busy(busy, "20260105T000000Z", "20260106T000000Z", DEFAULT + "meeting").status == 403


def test_what_nodes_tell_of_a_home_becomes_one_report() -> None:
    """As if one had all calendars: periods that touch become one, kinds stay apart."""
    when, now = ical.TimeRange(1_772_409_600, 1_772_496_000), datetime(2026, 3, 1, tzinfo=UTC)

    def told(*periods: tuple[int, int, str]) -> bytes:
        found = [ical.BusyPeriod(when.start + start, when.start + end, busy) for start, end, busy in periods]
        return ical.serialize(ical.freebusy(found, when, now=now, prodid="-//x//EN"))

    several = [told((0, 60, "B"), (300, 360, "T")), told(), told((60, 120, "B"), (30, 90, "U"))]
    one = told((0, 120, "B"), (30, 90, "U"), (300, 360, "T"))
    found = caldav.free_busy_joined(several, when, now)
    assert ical.parse(found).components == ical.parse(one).components
