"""Calendar object resources: what may be stored, copied and moved (RFC 4791 section 5.3.2)."""

import json

import pytest
from dialogue import Answer, Dialogue
from ics import event, ics

from calserver.names import C, D

HOME = "calendars/user/ann/"
DEFAULT = HOME + "Default/"
CALENDAR = "text/calendar; charset=utf-8"


def put(who: Dialogue, path: str, body: bytes, content_type: str = CALENDAR, **headers: str) -> Answer:
    return who("PUT", path, body, content_type=content_type, **headers)


def refused(answer: Answer, name: str) -> list[str]:
    """The hrefs in the condition that an answer names."""
    assert (answer.status, answer.error) == (403, name)
    return [each.text for each in answer.xml[0].iter(D("href"))]


# -- storing -------------------------------------------------------------------------------------------------------


def test_what_is_stored_comes_back_byte_for_byte_with_its_etag(ann: Dialogue) -> None:
    """RFC 4791 section 5.3.4: an ETag says that nothing was changed."""
    body = event("1").replace(b"\r\n", b"\n")
    answer = put(ann, DEFAULT + "1.ics", body)
    assert answer.status == 201
    found = ann("GET", DEFAULT + "1.ics")
    assert (found.body, found.headers["ETag"]) == (body, answer.headers["ETag"])
    assert found.headers["Content-Type"] == CALENDAR
    assert put(ann, DEFAULT + "1.ics", event("1", "DTSTART:20270105T090000Z")).status == 204


def test_a_calendar_takes_the_components_that_it_is_for(ann: Dialogue) -> None:
    """RFC 4791 section 5.2.3."""
    refused(put(ann, DEFAULT + "t.ics", event(name="VTODO")), C("supported-calendar-component"))
    refused(put(ann, HOME + "Tasks/e.ics", event()), C("supported-calendar-component"))
    refused(put(ann, DEFAULT + "a.ics", event(name="VAVAILABILITY")), C("supported-calendar-component"))
    assert put(ann, HOME + "Tasks/t.ics", event(name="VTODO")).status == 201
    assert ann("MKCALENDAR", HOME + "all/").status == 201
    for name in ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"):
        lines = ("DTEND:20260105T100000Z",) if name == "VFREEBUSY" else ("CLASS:PUBLIC",)
        start = "DTSTART:20260105T090000Z"
        body = event(name, start, *lines, name=name).replace(b"DURATION:PT1H\r\n", b"") if name == "VJOURNAL" else None
        assert put(ann, f"{HOME}all/{name}.ics", body or event(f"2{name}", start, *lines, name=name)).status == 201


def test_only_calendar_data_are_taken(ann: Dialogue) -> None:
    """RFC 4791 section 5.3.2.1."""
    refused(put(ann, DEFAULT + "1.xml", b"<x/>", "text/xml"), C("supported-calendar-data"))
    refused(put(ann, DEFAULT + "1.ics", b"BEGIN:XCALENDAR"), C("valid-calendar-data"))
    refused(put(ann, DEFAULT + "1.ics", ics("METHOD:PUBLISH")), C("valid-calendar-object-resource"))
    both = event("1").replace(b"END:VCALENDAR\r\n", b"") + event("2").partition(b"EN\r\n")[2]
    refused(put(ann, DEFAULT + "1.ics", both), C("valid-calendar-object-resource"))
    unknown = event("1", "DTSTART;TZID=Mars/Base:20260105T090000")
    refused(put(ann, DEFAULT + "1.ics", unknown), C("valid-timezone"))
    large = event("1", "DTSTART:20260105T090000Z", "DESCRIPTION:" + "x" * 3_000_000)
    refused(put(ann, DEFAULT + "1.ics", large), C("max-resource-size"))


def test_media_types_as_clients_write_them(ann: Dialogue) -> None:
    """Evolution quotes the charset, vdirsyncer sends none."""
    for number, media_type in enumerate(("text/calendar", 'text/calendar; charset="utf-8"', "")):
        assert put(ann, f"{DEFAULT}{number}.ics", event(str(number)), media_type).status == 201


def test_a_calendar_has_a_uid_once(ann: Dialogue) -> None:
    """RFC 4791 section 5.3.2.1; the holder is named."""
    put(ann, DEFAULT + "1.ics", event("1"))
    assert refused(put(ann, DEFAULT + "2.ics", event("1")), C("no-uid-conflict")) == [f"/dav/{DEFAULT}1.ics"]
    assert refused(put(ann, DEFAULT + "1.ics", event("2")), C("no-uid-conflict")) == [f"/dav/{DEFAULT}1.ics"]
    assert ann("GET", DEFAULT + "2.ics").status == 404


def test_so_have_the_calendars_of_a_home(ann: Dialogue, bob: Dialogue) -> None:
    """RFC 6638 section 3.2.4.1."""
    ann("MKCALENDAR", HOME + "other/")
    put(ann, HOME + "other/x y.ics", event("1"))
    answer = put(ann, DEFAULT + "1.ics", event("1"))
    assert refused(answer, C("unique-scheduling-object-resource")) == [f"/dav/{HOME}other/x%20y.ics"]
    assert put(bob, "calendars/user/bob/Default/1.ics", event("1")).status == 201


def test_calendars_in_folders_are_unique_in_themselves(ann: Dialogue) -> None:
    ann("MKCOL", HOME + "folder/")
    for name in ("a", "b"):
        ann("MKCALENDAR", f"{HOME}folder/{name}/")
        assert put(ann, f"{HOME}folder/{name}/1.ics", event("1")).status == 201
    assert put(ann, DEFAULT + "1.ics", event("1")).status == 201
    refused(put(ann, HOME + "folder/a/2.ics", event("1")), C("no-uid-conflict"))


def test_duplicate_alarms_are_dropped_and_then_there_is_no_etag(ann: Dialogue) -> None:
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:-PT10M", "END:VALARM")
    later = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:-PT5M", "END:VALARM")
    start = "DTSTART:20260105T090000Z"
    answer = put(ann, DEFAULT + "1.ics", event("1", start, *alarm, *later, *alarm))
    assert answer.status == 201
    assert "ETag" not in answer.headers
    assert ann("GET", DEFAULT + "1.ics").body == event("1", start, *alarm, *later)
    assert "ETag" in put(ann, DEFAULT + "1.ics", event("1", start, *alarm, *later)).headers


def test_conditions_of_the_request_come_first(ann: Dialogue) -> None:
    """RFC 9110 section 13.1; If-Schedule-Tag-Match never holds as long as there are no schedule tags."""
    etag = put(ann, DEFAULT + "1.ics", event("1"), if_none_match="*").headers["ETag"]
    assert put(ann, DEFAULT + "1.ics", event("1"), if_none_match="*").status == 412
    assert put(ann, DEFAULT + "1.ics", event("1"), if_match='"other"').status == 412
    assert put(ann, DEFAULT + "1.ics", event("1"), if_schedule_tag_match='"1"').status == 412
    assert put(ann, DEFAULT + "1.ics", event("1"), if_match=etag).status == 204
    assert ann("DELETE", DEFAULT + "1.ics", if_match='"other"').status == 412
    assert ann("DELETE", DEFAULT + "1.ics", if_match=etag).status == 204
    assert ann("GET", DEFAULT + "1.ics").status == 404


def test_an_empty_object_cannot_be_made_by_a_lock(ann: Dialogue) -> None:
    """A calendar has calendar objects in it and nothing else (RFC 4791 section 4.2)."""
    body = (
        '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
        "<D:locktype><D:write/></D:locktype></D:lockinfo>"
    )
    assert ann("LOCK", DEFAULT + "1.ics", body).status in (403, 404, 405)


def test_others_see_and_change_nothing(ann: Dialogue, bob: Dialogue, root: Dialogue) -> None:
    """By default they may only see when the owner is busy."""
    put(ann, DEFAULT + "1.ics", event("1"))
    for method in ("GET", "DELETE", "PROPFIND"):
        for name in ("1.ics", "missing.ics"):
            answer = bob(method, DEFAULT + name)
            assert (answer.status, answer.error) == (403, D("need-privileges"))
    assert put(bob, DEFAULT + "1.ics", event("1")).status == 403
    assert put(bob, DEFAULT + "2.ics", event("2")).status == 403
    assert root("GET", DEFAULT + "1.ics").status == 200


# -- jCal (RFC 7265) -----------------------------------------------------------------------------------------------

JCAL = "application/calendar+json"


def test_clients_get_the_form_that_they_want(ann: Dialogue) -> None:
    put(ann, DEFAULT + "1.ics", event("1"))
    for accept, media_type in {
        JCAL: JCAL,
        "text/calendar": CALENDAR,
        "*/*": CALENDAR,
        "text/xml, text/calendar": CALENDAR,
        f"text/calendar;q=0.2, {JCAL};q=0.5": JCAL,
        f"{JCAL};q=0, */*": CALENDAR,
        "image/png": CALENDAR,
    }.items():
        for method in ("GET", "HEAD"):
            answer = ann(method, DEFAULT + "1.ics", accept=accept)
            assert answer.headers["Content-Type"] == media_type, accept
            assert "Accept" in answer.headers["Vary"]
    found = json.loads(ann("GET", DEFAULT + "1.ics", accept=JCAL).body)
    assert found[0] == "vcalendar"
    head, got = (ann(method, DEFAULT + "1.ics", accept=JCAL) for method in ("HEAD", "GET"))
    assert head.headers["Content-Length"] == str(len(got.body))


def test_jcal_is_stored_as_icalendar_without_an_etag(ann: Dialogue) -> None:
    put(ann, DEFAULT + "1.ics", event("1"))
    jcal = ann("GET", DEFAULT + "1.ics", accept=JCAL).body.replace(b'"1"', b'"2"')
    answer = put(ann, DEFAULT + "2.ics", jcal, JCAL)
    assert answer.status == 201
    assert "ETag" not in answer.headers
    assert b"UID:2" in ann("GET", DEFAULT + "2.ics").body
    answer = put(ann, DEFAULT + "2.ics", jcal, JCAL, prefer="return=representation")
    assert (answer.status, answer.headers["Content-Type"]) == (200, JCAL)
    assert json.loads(answer.body) == json.loads(jcal)
    refused(put(ann, DEFAULT + "3.ics", b"[1]", JCAL), C("valid-calendar-data"))


def test_listings_tell_the_type_that_is_stored(ann: Dialogue) -> None:
    put(ann, DEFAULT + "1.ics", event("1"))
    found = ann("PROPFIND", DEFAULT, '<propfind xmlns="DAV:"><allprop/></propfind>', depth="1", accept=JCAL)
    assert found.properties(f"/dav/{DEFAULT}1.ics")[D("getcontenttype")].text == CALENDAR


def test_a_calendar_does_not_look_like_an_event_in_a_listing(ann: Dialogue) -> None:
    """Thunderbird fetches whatever has text/calendar as its type."""
    found = ann.propfind(DEFAULT, D("getcontenttype")).properties(f"/dav/{DEFAULT}")
    assert not found[D("getcontenttype")].text.startswith("text/calendar")


# -- adding by POST (RFC 5995) -------------------------------------------------------------------------------------


def test_members_can_be_added_by_post_to_calendars_only(ann: Dialogue) -> None:
    found = ann.propfind(DEFAULT, D("add-member")).properties(f"/dav/{DEFAULT}")
    assert found[D("add-member")][0].text == f"/dav/{DEFAULT};add-member"
    assert D("add-member") not in ann.propfind(HOME, D("add-member")).properties(f"/dav/{HOME}")
    answer = ann("POST", DEFAULT + ";add-member", event("1"), content_type=CALENDAR)
    assert answer.status == 201
    assert answer.headers["Location"].endswith(".ics")
    assert ann("GET", answer.headers["Location"].removeprefix("/dav/")).body == event("1")
    refused(ann("POST", DEFAULT + ";add-member", event("1"), content_type=CALENDAR), C("no-uid-conflict"))


# -- COPY and MOVE -------------------------------------------------------------------------------------------------


@pytest.fixture
def other(ann: Dialogue) -> str:
    assert ann("MKCALENDAR", HOME + "other/").status == 201
    return HOME + "other/"


def resource_id(who: Dialogue, path: str) -> str:
    found = who.propfind(path, D("resource-id")).properties("/dav/" + path)[D("resource-id")]
    return str("".join(found.itertext()))


def test_an_event_moves_to_another_calendar_with_its_resource_id_and_index(ann: Dialogue, other: str) -> None:
    put(ann, DEFAULT + "1.ics", event("1"))
    before = resource_id(ann, DEFAULT + "1.ics")
    answer = ann("MOVE", DEFAULT + "1.ics", destination=ann.destination(other + "2.ics"))
    assert answer.status == 201
    assert ann("GET", DEFAULT + "1.ics").status == 404
    assert ann("GET", other + "2.ics").body == event("1")
    assert resource_id(ann, other + "2.ics") == before
    assert put(ann, other + "3.ics", event("1")).status == 403


def test_a_copy_would_have_the_same_uid(ann: Dialogue, other: str, bob: Dialogue, root: Dialogue) -> None:
    put(ann, DEFAULT + "1.ics", event("1"))
    here = ann("COPY", DEFAULT + "1.ics", destination=ann.destination(DEFAULT + "2.ics"))
    assert refused(here, C("no-uid-conflict")) == [f"/dav/{DEFAULT}1.ics"]
    there = ann("COPY", DEFAULT + "1.ics", destination=ann.destination(other + "1.ics"))
    assert refused(there, C("unique-scheduling-object-resource")) == [f"/dav/{DEFAULT}1.ics"]
    to_bob = root("COPY", DEFAULT + "1.ics", destination=ann.destination("calendars/user/bob/Default/1.ics"))
    assert to_bob.status == 201
    assert bob("GET", "calendars/user/bob/Default/1.ics").body == event("1")


def test_what_is_replaced_must_have_the_same_uid(ann: Dialogue, other: str) -> None:
    put(ann, DEFAULT + "1.ics", event("1"))
    put(ann, other + "2.ics", event("2"))
    answer = ann("MOVE", DEFAULT + "1.ics", destination=ann.destination(other + "2.ics"))
    assert refused(answer, C("no-uid-conflict")) == [f"/dav/{other}2.ics"]
    assert ann("GET", DEFAULT + "1.ics").status == 200
    assert ann("GET", other + "2.ics").body == event("2")


def test_tasks_do_not_move_to_where_no_tasks_are_taken(ann: Dialogue) -> None:
    put(ann, HOME + "Tasks/1.ics", event(name="VTODO"))
    answer = ann("MOVE", HOME + "Tasks/1.ics", destination=ann.destination(DEFAULT + "1.ics"))
    refused(answer, C("supported-calendar-component"))
    assert ann("GET", HOME + "Tasks/1.ics").status == 200


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    ("content", "media_type", "name"),
    [
        (b"<x/>", "text/xml", C("supported-calendar-data")),
        (b"BEGIN:XCALENDAR", "text/calendar", C("valid-calendar-data")),
        (event("1").replace(b"VERSION", b"METHOD:PUBLISH\r\nVERSION"), CALENDAR, C("valid-calendar-object-resource")),
        (event("old"), CALENDAR, C("no-uid-conflict")),
        (event("1", name="VTODO"), CALENDAR, C("supported-calendar-component")),
    ],
)
def test_a_file_becomes_a_calendar_object_only_if_it_is_one(
    ann: Dialogue, method: str, content: bytes, media_type: str, name: str
) -> None:
    """RFC 4791 sections 5.3.2.1 and 5.3.3 hold for COPY and MOVE too."""
    put(ann, DEFAULT + "old.ics", event("old"))
    assert put(ann, HOME + "file", content, media_type).status == 201
    refused(ann(method, HOME + "file", destination=ann.destination(DEFAULT + "new.ics")), name)
    assert ann("GET", HOME + "file").body == content
    assert ann("GET", DEFAULT + "new.ics").status == 404


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_file_that_is_one_can_be_found_like_any_other(ann: Dialogue, method: str) -> None:
    put(ann, HOME + "file", event("1"))
    assert ann(method, HOME + "file", destination=ann.destination(DEFAULT + "new.ics")).status == 201
    assert ann("GET", HOME + "file").status == (200 if method == "COPY" else 404)
    refused(put(ann, DEFAULT + "2.ics", event("1")), C("no-uid-conflict"))
    assert ann("GET", DEFAULT + "new.ics").headers["Content-Type"] == CALENDAR


def test_collections_cannot_be_brought_into_a_calendar(ann: Dialogue, other: str) -> None:
    """RFC 4791 section 4.2."""
    ann("MKCOL", HOME + "folder/")
    for method in ("COPY", "MOVE"):
        answer = ann(method, other, destination=ann.destination(DEFAULT + "other/"))
        refused(answer, C("calendar-collection-location-ok"))
        assert ann(method, HOME + "folder/", destination=ann.destination(DEFAULT + "folder/")).status == 403


def test_a_calendar_is_renamed_with_all_that_is_in_it(ann: Dialogue, other: str) -> None:
    put(ann, other + "1.ics", event("1"))
    before = resource_id(ann, other)
    assert ann("MOVE", other, destination=ann.destination(HOME + "renamed/")).status == 201
    assert ann("GET", HOME + "renamed/1.ics").body == event("1")
    assert resource_id(ann, HOME + "renamed/") == before


def test_a_calendar_that_comes_from_elsewhere_brings_no_uid_that_is_there(ann: Dialogue, root: Dialogue) -> None:
    """RFC 6638 section 3.2.4.1: from a folder, where calendars are unique in themselves, and from other homes."""
    put(ann, DEFAULT + "1.ics", event("1"))
    ann("MKCOL", HOME + "folder/")
    for place in (HOME + "folder/", "calendars/user/bob/"):
        root("MKCALENDAR", place + "c/")
        assert put(root, place + "c/x.ics", event("1")).status == 201
        answer = root("MOVE", place + "c/", destination=ann.destination(HOME + "c/"))
        assert refused(answer, C("unique-scheduling-object-resource")) == [f"/dav/{DEFAULT}1.ics"]
        assert root("GET", place + "c/x.ics").status == 200
        assert put(root, place + "c/x.ics", event("1")).status == 204
        assert root("MOVE", place + "c/", destination=ann.destination(HOME + "folder/d/")).status in (201, 204)


def test_attachments_are_files_of_any_kind(ann: Dialogue, bob: Dialogue) -> None:
    assert put(ann, HOME + "Attachments/photo.jpg", b"\xff\xd8", "image/jpeg").status == 201
    assert ann("MKCOL", HOME + "Attachments/folder/").status == 201
    assert bob("GET", HOME + "Attachments/photo.jpg").status == 200
    assert bob("DELETE", HOME + "Attachments/photo.jpg").status == 403
