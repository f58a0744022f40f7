"""calendar-query (RFC 4791 section 7.8): what the index answers, what is read, and what is refused."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from dialogue import Answer, Dialogue
from ics import event

from calserver.names import C, D

HOME = "calendars/user/ann/"
DEFAULT = HOME + "Default/"
CALENDAR = "text/calendar; charset=utf-8"
ALL = '<C:comp-filter name="VCALENDAR"/>'


def body(filter: str, props: str = "<D:getetag/>", more: str = "") -> str:
    return (
        '<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
        f"<D:prop>{props}</D:prop><C:filter>{filter}</C:filter>{more}</C:calendar-query>"
    )


def comp(inside: str = "", name: str = "VEVENT") -> str:
    return f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="{name}">{inside}</C:comp-filter></C:comp-filter>'


def time_range(start: str = "", end: str = "") -> str:
    return "<C:time-range" + (f' start="{start}"' if start else "") + (f' end="{end}"' if end else "") + "/>"


def text(prop: str, wanted: str, attributes: str = "") -> str:
    return f'<C:prop-filter name="{prop}"><C:text-match{attributes}>{wanted}</C:text-match></C:prop-filter>'


def query(who: Dialogue, filter: str, path: str = DEFAULT, depth: str = "1", **more: str) -> Answer:
    return who("REPORT", path, body(filter, **more), depth=depth)


def names(answer: Answer) -> list[str]:
    assert answer.status == 207, answer.body
    return sorted(href.rpartition("/")[2] for href in answer.hrefs)


def fill(who: Dialogue, path: str = DEFAULT, **objects: bytes) -> None:
    for name, content in objects.items():
        answer = who("PUT", path + name, content, content_type=CALENDAR)
        assert answer.status == 201, answer.body


def day(start: str, *lines: str, uid: str) -> bytes:
    return event(uid, start, *lines)


@pytest.fixture
def week(ann: Dialogue) -> Dialogue:
    """Ann, with a few events in her calendar."""
    fill(
        ann,
        monday=event("monday", "DTSTART:20260105T090000Z"),
        tuesday=event("tuesday", "DTSTART;TZID=America/New_York:20260106T090000", "DESCRIPTION:Müller"),
        friday=event("friday", "DTSTART;VALUE=DATE:20260109"),
        daily=event("daily", "DTSTART:20260101T120000Z", "RRULE:FREQ=DAILY;COUNT=3"),
        forever=event("forever", "DTSTART:20260201T120000Z", "RRULE:FREQ=WEEKLY"),
    )
    return ann


# -- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("20260105T000000Z", "20260106T000000Z", ["monday"]),
        ("20260105T100000Z", "20260105T110000Z", []),
        ("20260105T095959Z", "20260105T110000Z", ["monday"]),
        ("20260106T140000Z", "20260106T141000Z", ["tuesday"]),
        ("20260102T000000Z", "20260103T000000Z", ["daily"]),
        ("20260109T000000Z", "20260109T010000Z", ["friday"]),
        ("20260104T000000Z", "", ["forever", "friday", "monday", "tuesday"]),
        ("", "20260105T000000Z", ["daily"]),
        ("20410101T000000Z", "20410108T000000Z", ["forever"]),
        ("20410101T130000Z", "20410102T000000Z", []),
        ("20410101T000000Z", "", ["forever"]),
    ],
)
def test_events_are_found_by_time_beyond_the_horizon_too(
    week: Dialogue, start: str, end: str, found: list[str]
) -> None:
    """RFC 4791 section 9.9; clients send ranges without an end."""
    assert names(query(week, comp(time_range(start, end)))) == found


def test_days_are_those_of_the_calendars_zone_or_of_the_querys(week: Dialogue) -> None:
    """RFC 4791 section 7.3: Friday begins ten hours earlier in Brisbane, five later in New York."""
    thursday_evening = comp(time_range("20260108T150000Z", "20260108T160000Z"))
    assert names(query(week, thursday_evening)) == []
    brisbane = "<C:timezone-id>Australia/Brisbane</C:timezone-id>"
    assert names(query(week, thursday_evening, more=brisbane)) == ["friday"]
    patch = (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
        "<C:calendar-timezone-id>Australia/Brisbane</C:calendar-timezone-id></D:prop></D:set></D:propertyupdate>"
    )
    assert week("PROPPATCH", DEFAULT, patch).status == 207
    assert names(query(week, thursday_evening)) == ["friday"]
    new_york = "<C:timezone-id>America/New_York</C:timezone-id>"
    assert names(query(week, thursday_evening, more=new_york)) == []


def test_an_old_index_still_answers_right(week: Dialogue) -> None:
    """Long after the last job that moved the horizon, only markers are in range."""
    far = datetime.now(UTC) + timedelta(days=3000)
    sunday = (far - timedelta(days=far.isoweekday() % 7)).strftime("%Y%m%d")
    monday = (far - timedelta(days=far.isoweekday() % 7 - 1)).strftime("%Y%m%d")
    assert names(query(week, comp(time_range(f"{sunday}T000000Z", f"{sunday}T235959Z")))) == ["forever"]
    assert names(query(week, comp(time_range(f"{monday}T000000Z", f"{monday}T235959Z")))) == []


# -- types, properties, parameters ---------------------------------------------------------------------------------


def test_objects_are_found_by_type_and_text(week: Dialogue) -> None:
    fill(week, HOME + "Tasks/", task=event("task", "DTSTART:20260105T090000Z", name="VTODO"))
    assert names(query(week, ALL)) == ["daily", "forever", "friday", "monday", "tuesday"]
    assert names(query(week, comp(name="VTODO"))) == []
    assert names(query(week, comp(name="VTODO"), HOME + "Tasks/")) == ["task"]
    assert names(query(week, comp('<C:is-not-defined xmlns:C="urn:ietf:params:xml:ns:caldav"/>'), HOME + "Tasks/")) == [
        "task"
    ]
    assert names(query(week, comp(text("SUMMARY", "MONDAY")))) == ["monday"]
    assert names(query(week, comp(text("SUMMARY", "MONDAY", ' collation="i;octet"')))) == []
    assert names(query(week, comp(text("DESCRIPTION", "müller", ' collation="i;unicode-casemap"')))) == ["tuesday"]
    assert names(query(week, comp(text("SUMMARY", "day", ' negate-condition="yes"')))) == ["daily", "forever"]
    undefined = '<C:prop-filter name="RRULE"><C:is-not-defined/></C:prop-filter>'
    assert names(query(week, comp(undefined))) == ["friday", "monday", "tuesday"]
    zone = '<C:param-filter name="TZID"><C:text-match>york</C:text-match></C:param-filter>'
    assert names(query(week, comp(f'<C:prop-filter name="DTSTART">{zone}</C:prop-filter>'))) == ["tuesday"]


def test_text_and_time_must_hold_of_the_same_object(week: Dialogue) -> None:
    january = time_range("20260101T000000Z", "20260201T000000Z")
    assert names(query(week, comp(january + text("SUMMARY", "forever")))) == []
    assert names(query(week, comp(january + text("SUMMARY", "daily")))) == ["daily"]


# -- what is answered ----------------------------------------------------------------------------------------------


def data(answer: Answer, name: str) -> str:
    return str(answer.properties(f"/dav/{DEFAULT}{name}")[C("calendar-data")].text)


def test_calendar_data_come_as_stored(week: Dialogue) -> None:
    answer = query(week, comp(text("SUMMARY", "monday")), props="<D:getetag/><C:calendar-data/>")
    stored = week("GET", DEFAULT + "monday")
    assert data(answer, "monday") == stored.body.decode().replace("\r\n", "\n")
    assert answer.properties(f"/dav/{DEFAULT}monday")[D("getetag")].text == stored.headers["ETag"]


@pytest.mark.parametrize("whole_home", [True, False])
def test_what_is_written_from_rows_is_what_resources_say(week: Dialogue, whole_home: bool) -> None:
    """Whoever asks for more properties than rows have gets the same of those that they have."""
    fill(
        week,
        DEFAULT,
        **{"50%25%20off%20%26%20more%20%3Cnow%3E": event("odd", "DTSTART:20260105T090000Z", "SUMMARY:a <b> & c")},
    )
    few, more = "<D:getetag/><D:getcontenttype/><C:calendar-data/>", "<D:getcontentlength/>"
    path, filter = (HOME, comp()) if whole_home else (DEFAULT, comp(time_range("20250101T000000Z")))
    quick, slow = (query(week, filter, path=path, depth="1", props=props) for props in (few, few + more))
    assert quick.hrefs == slow.hrefs
    assert len(quick.hrefs) > 3
    for href in quick.hrefs:
        one, other = quick.properties(href), slow.properties(href)
        assert D("getcontentlength") in other
        for name in (D("getetag"), D("getcontenttype"), C("calendar-data")):
            assert one[name].text == other[name].text


def test_calendar_data_come_in_part_expanded_and_as_jcal(week: Dialogue) -> None:
    """RFC 4791 section 9.6, RFC 7265."""
    part = '<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="UID"/></C:comp></C:comp>'
    found = data(query(week, comp(text("SUMMARY", "daily")), props=part + "</C:calendar-data>"), "daily")
    assert "UID:daily" in found
    assert "SUMMARY" not in found
    expand = '<C:calendar-data><C:expand start="20260102T000000Z" end="20260110T000000Z"/></C:calendar-data>'
    found = data(query(week, comp(text("SUMMARY", "daily")), props=expand), "daily")
    assert (found.count("BEGIN:VEVENT"), found.count("RECURRENCE-ID"), found.count("RRULE")) == (2, 2, 0)
    jcal = '<C:calendar-data content-type="application/calendar+json"/>'
    answer = query(week, comp(text("SUMMARY", "monday")), props=jcal)
    assert json.loads(data(answer, "monday"))[0] == "vcalendar"
    element = answer.properties(f"/dav/{DEFAULT}monday")[C("calendar-data")]
    assert element.get("content-type") == "application/calendar+json"


def test_an_expansion_is_bounded(week: Dialogue) -> None:
    expand = '<C:calendar-data><C:expand start="20260101T000000Z" end="29260101T000000Z"/></C:calendar-data>'
    answer = query(week, comp(text("SUMMARY", "forever")), props=expand)
    assert (answer.status, answer.error) == (403, C("max-instances"))


def test_properties_that_are_not_there_are_told_unless_the_client_prefers_otherwise(week: Dialogue) -> None:
    """RFC 8144."""
    filter = comp(text("SUMMARY", "monday"))
    assert b"404" in query(week, filter, props="<D:bogus/>").body
    answer = week("REPORT", DEFAULT, body(filter, "<D:bogus/><D:getetag/>"), prefer="return=minimal")
    assert b"404" not in answer.body
    assert answer.headers["Preference-Applied"] == "return=minimal"


def test_the_depth_says_which_calendars_are_searched(week: Dialogue, bob: Dialogue) -> None:
    """A calendar is searched whatever the Depth is; other collections only have what is in calendars in them."""
    week("MKCOL", HOME + "folder/")
    week("MKCALENDAR", HOME + "folder/inner/")
    fill(week, HOME + "folder/inner/", inner=event("inner"))
    fill(week, HOME + "folder/", file=event("file"))
    for depth in ("0", "1", "infinity"):
        assert names(query(week, comp(text("SUMMARY", "monday")), depth=depth)) == ["monday"]
    filter = comp(time_range("20260105T000000Z", "20260106T000000Z"))
    assert names(query(week, filter, HOME, depth="0")) == []
    assert names(query(week, filter, HOME, depth="1")) == ["monday"]
    assert names(query(week, filter, HOME, depth="infinity")) == ["inner", "monday"]
    assert names(query(week, filter, HOME + "folder/", depth="1")) == ["inner"]
    assert names(week("REPORT", HOME + "folder/", body(filter))) == []


def test_one_object_can_be_asked_whether_it_matches(week: Dialogue) -> None:
    assert names(query(week, comp(text("SUMMARY", "mon")), DEFAULT + "monday", depth="0")) == ["monday"]
    assert names(query(week, comp(text("SUMMARY", "tue")), DEFAULT + "monday", depth="0")) == []
    week("PUT", HOME + "file", b"x", content_type="text/plain")
    answer = query(week, ALL, HOME + "file")
    assert (answer.status, answer.error) == (403, D("supported-report"))


def test_the_inbox_can_be_searched(ann: Dialogue) -> None:
    """RFC 6638 section 2.2."""
    assert names(query(ann, ALL, HOME + "Inbox/")) == []


def test_others_cannot_search(week: Dialogue, bob: Dialogue) -> None:
    for path, depth in ((DEFAULT, "1"), (DEFAULT + "monday", "0")):
        answer = query(bob, ALL, path, depth=depth)
        assert (answer.status, answer.error) == (403, D("need-privileges"))
    assert query(bob, ALL, HOME, depth="1").status == 403


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_body", "status", "name"),
    [
        (body('<C:comp-filter name="VEVENT"/>'), 403, C("valid-filter")),
        (body(comp(time_range("20260101", "20260102"))), 403, C("valid-filter")),
        (body(comp(text("SUMMARY", "x", ' collation="i;klingon"'))), 403, C("supported-collation")),
        (body(ALL, '<C:calendar-data content-type="text/vcalendar"/>'), 403, C("supported-calendar-data")),
        (body(ALL, '<C:calendar-data version="3.0"/>'), 403, C("supported-calendar-data")),
        (body(ALL, more="<C:timezone>BEGIN:VCALENDAR</C:timezone>"), 403, C("valid-calendar-data")),
        (body(ALL, more="<C:timezone-id>Mars/Base</C:timezone-id>"), 403, C("valid-timezone")),
        (body("").replace("<C:filter></C:filter>", ""), 403, C("valid-filter")),
        (body(comp("<C:time-range/>")), 400, None),
        (body(ALL, '<C:calendar-data><C:comp name="VEVENT"/></C:calendar-data>'), 400, None),
        (body(ALL)[:-5], 400, None),
    ],
)
def test_queries_that_cannot_be_are_refused(ann: Dialogue, request_body: str, status: int, name: str | None) -> None:
    """RFC 4791 section 7.8, RFC 7809 section 6.2; malformed XML gets 400."""
    answer = ann("REPORT", DEFAULT, request_body, depth="1")
    assert answer.status == status
    if name is not None:
        assert answer.error == name


def test_more_results_than_allowed_are_refused(week: Dialogue) -> None:
    """RFC 4791 section 7.8: DAV:number-of-matches-within-limits."""
    object.__setattr__(week.settings, "query_results", 2)
    answer = query(week, ALL)
    assert (answer.status, answer.error) == (403, D("number-of-matches-within-limits"))
    assert len(names(query(week, comp(text("SUMMARY", "o"))))) == 2
