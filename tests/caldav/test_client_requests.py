"""Requests as clients send them, with what decides whether these work."""

import pytest
from dialogue import Answer, Dialogue
from ics import event

from calserver.names import CS, ICAL, C, D

HOME = "calendars/user/ann/"
DEFAULT = HOME + "Default/"
CALENDAR = "text/calendar; charset=utf-8"
APPLE = {"Brief": "t", "Prefer": "return=minimal"}

DAVX5_HOME = (
    *(D("current-user-privilege-set"), D("displayname"), D("owner"), D("resourcetype"), ICAL("calendar-color")),
    *(C("calendar-description"), C("calendar-timezone"), C("calendar-timezone-id")),
    *(C("supported-calendar-component-set"), CS("source")),
)


def sync(who: Dialogue, token: str = "", level: str = "<D:sync-level>1</D:sync-level>", **headers: str) -> Answer:
    body = (
        f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token>{level}'
        "<D:prop><D:getetag/><D:getcontenttype/></D:prop></D:sync-collection>"
    )
    return who("REPORT", DEFAULT, body, **headers)


def token_of(answer: Answer) -> str:
    assert answer.status == 207
    return str(answer.xml.findtext(D("sync-token")))


def test_davx5_lists_the_home(ann: Dialogue) -> None:
    answer = ann.propfind(HOME, *DAVX5_HOME, depth="1")
    home = answer.properties("/dav/" + HOME)
    assert D("bind") in {each[0].tag for each in home[D("current-user-privilege-set")]}
    calendars = [
        href
        for href in answer.hrefs
        if C("calendar") in [each.tag for each in answer.properties(href)[D("resourcetype")]]
    ]
    assert calendars == [f"/dav/{HOME}Default/", f"/dav/{HOME}Tasks/"]
    default = answer.properties("/dav/" + DEFAULT)
    held = {each[0].tag for each in default[D("current-user-privilege-set")]}
    assert {D("write"), D("write-content"), D("read"), D("unbind")} <= held


def test_thunderbird_wants_a_resourcetype_of_everything_in_the_home(ann: Dialogue) -> None:
    ann("PUT", HOME + "file", b"x", content_type="text/plain")
    answer = ann.propfind(HOME, D("resourcetype"), depth="1")
    assert all(D("resourcetype") in answer.properties(href) for href in answer.hrefs)


def test_thunderbird_says_the_end_of_a_changed_instance_twice(ann: Dialogue) -> None:
    """The DURATION of the series is there still, beside the end that it has worked out, or that its user has set."""
    series = event("1", "DTSTART:20260105T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3")
    times = ("RECURRENCE-ID:20260106T090000Z", "DURATION:PT1H", "DTEND:20260106T113000Z")
    changed = event("1", "DTSTART:20260106T093000Z", *times).partition(b"EN\r\n")[2]
    text = series.replace(b"END:VCALENDAR\r\n", changed)
    answer = ann("PUT", DEFAULT + "1.ics", text, content_type=CALENDAR)
    assert answer.status == 201, answer.body
    assert answer.headers.get("ETag") is None, "it is not stored as it was sent"
    stored = ann("GET", DEFAULT + "1.ics").body
    assert stored.count(b"DURATION:") == 1
    assert stored.count(b"DTEND:20260106T113000Z") == 1


@pytest.mark.parametrize(
    ("level", "headers"),
    [
        ("<D:sync-level>1</D:sync-level>", {"depth": "0"}),
        ("<D:sync-level>1</D:sync-level>", {"depth": "1"}),
        ("<D:sync-level>1</D:sync-level>", {}),
        ("", {"depth": "1"}),
    ],
)
def test_sync_reports_of_all_clients(ann: Dialogue, level: str, headers: dict[str, str]) -> None:
    """DAVx5 sends Depth 0, Thunderbird 1, tsdav none, Apple 1 and no sync-level."""
    ann("PUT", DEFAULT + "1.ics", event("1"), content_type=CALENDAR)
    first = sync(ann, level=level, headers=headers)
    found = first.properties(f"/dav/{DEFAULT}1.ics")
    assert found[D("getcontenttype")].text.startswith("text/calendar")
    assert found[D("getetag")].text
    told = ann.propfind(DEFAULT, D("sync-token")).properties("/dav/" + DEFAULT)[D("sync-token")]
    assert told.text == token_of(first)
    ann("DELETE", DEFAULT + "1.ics")
    ann("PUT", DEFAULT + "2.ics", event("2"), content_type=CALENDAR)
    second = sync(ann, token_of(first), level, headers=headers)
    assert second.statuses == {f"/dav/{DEFAULT}1.ics": 404}
    assert sorted(second.hrefs) == [f"/dav/{DEFAULT}1.ics", f"/dav/{DEFAULT}2.ics"]


def test_tokens_of_the_home_tell_of_new_and_deleted_calendars(ann: Dialogue) -> None:
    """Apple's clients follow the home."""

    def home(token: str = "") -> Answer:
        body = (
            f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>'
            "<D:prop><D:displayname/></D:prop></D:sync-collection>"
        )
        return ann("REPORT", HOME, body, headers=APPLE)

    token = token_of(home())
    ann("MKCALENDAR", HOME + "new/")
    ann("DELETE", HOME + "Tasks/")
    answer = home(token)
    assert answer.statuses == {f"/dav/{HOME}Tasks/": 404}
    assert sorted(answer.hrefs) == [f"/dav/{HOME}Tasks/", f"/dav/{HOME}new/"]


def test_ios_asks_for_what_begins_after_a_day(ann: Dialogue) -> None:
    ann("PUT", DEFAULT + "old.ics", event("old", "DTSTART:20200101T000000Z"), content_type=CALENDAR)
    ann("PUT", DEFAULT + "new.ics", event("new", "DTSTART:20300101T000000Z"), content_type=CALENDAR)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?><B:calendar-query xmlns:B="urn:ietf:params:xml:ns:caldav">'
        '<A:prop xmlns:A="DAV:"><A:getetag/><A:getcontenttype/></A:prop><B:filter><B:comp-filter name="VCALENDAR">'
        '<B:comp-filter name="VEVENT"><B:time-range start="20250101T000000Z"/></B:comp-filter></B:comp-filter>'
        "</B:filter></B:calendar-query>"
    )
    answer = ann("REPORT", DEFAULT, body, depth="1", content_type="text/xml", headers=APPLE)
    assert answer.hrefs == [f"/dav/{DEFAULT}new.ics"]


def test_apple_sets_order_color_and_alarms_in_one_request(ann: Dialogue) -> None:
    body = (
        '<A:propertyupdate xmlns:A="DAV:"><A:set><A:prop>'
        '<D:calendar-color xmlns:D="http://apple.com/ns/ical/" symbolic-color="custom">#1BADF8FF</D:calendar-color>'
        '<D:calendar-order xmlns:D="http://apple.com/ns/ical/">1</D:calendar-order>'
        '<C:default-alarm-vevent-date xmlns:C="urn:ietf:params:xml:ns:caldav">BEGIN:VALARM&#13;\nX-WR-ALARMUID:1&#13;\n'
        "ACTION:NONE&#13;\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z&#13;\nEND:VALARM&#13;\n"
        "</C:default-alarm-vevent-date></A:prop></A:set></A:propertyupdate>"
    )
    assert ann("PROPPATCH", DEFAULT, body, content_type="text/xml", headers=APPLE).status in (200, 207)
    assert (
        ann.propfind(DEFAULT, ICAL("calendar-order")).properties("/dav/" + DEFAULT)[ICAL("calendar-order")].text == "1"
    )


def test_vdirsyncer_lists_members_by_their_type(ann: Dialogue) -> None:
    ann("PUT", DEFAULT + "1.ics", event("1"), content_type="text/calendar")
    answer = ann.propfind(DEFAULT, D("resourcetype"), D("getcontenttype"), D("getetag"), depth="1")
    found = answer.properties(f"/dav/{DEFAULT}1.ics")
    assert found[D("getcontenttype")].text.startswith("text/calendar")
    assert len(found[D("resourcetype")]) == 0


def test_clients_find_the_way_from_principal_to_calendar(ann: Dialogue) -> None:
    """As Apple and Evolution ask: home, inbox and outbox at once, in a quoted charset."""
    body = (
        '<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-home-set/>'
        "<C:calendar-user-address-set/><C:schedule-inbox-URL/><C:schedule-outbox-URL/><D:displayname/></D:prop>"
        "</D:propfind>"
    )
    answer = ann(
        "PROPFIND", "principals/user/ann/", body, depth="0", content_type='application/xml; charset="utf-8"', brief="t"
    )
    found = answer.properties("/dav/principals/user/ann/")
    assert len(found) == 5
    home = found[C("calendar-home-set")][0].text.removeprefix("/dav/")
    assert ann.propfind(home, D("resourcetype"), depth="1").status == 207


def test_a_stale_client_learns_that_its_object_is_gone(ann: Dialogue) -> None:
    """DAVx5: 404 on an update means to upload it as new, 412 to drop the own change."""
    put = ann("PUT", DEFAULT + "1.ics", event("1"), content_type=CALENDAR, if_none_match="*")
    etag = put.headers["ETag"]
    ann("DELETE", DEFAULT + "1.ics")
    assert ann("PUT", DEFAULT + "1.ics", event("1"), content_type=CALENDAR, if_match=etag).status in (404, 412)
    assert ann("DELETE", DEFAULT + "1.ics", if_match=etag).status == 404
