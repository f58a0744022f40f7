"""GET of a calendar: all of it as one file."""

import json

from dialogue import Dialogue
from ics import event, ics

from calserver import ical
from calserver.caldav import webcal

DEFAULT = "calendars/user/ann/Default/"
CALENDAR = "text/calendar; charset=utf-8"
BERLIN = (
    *("BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0100"),
    *("TZOFFSETTO:+0100", "END:STANDARD", "END:VTIMEZONE"),
)


def zoned(uid: str) -> bytes:
    start = "DTSTART;TZID=Europe/Berlin:20260105T090000"
    body = ("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", start, "END:VEVENT")
    return ics("X-WR-CALNAME:elsewhere", *BERLIN, *body)


def test_components_are_joined_and_zones_come_once() -> None:
    whole = webcal.whole([zoned("1"), zoned("2"), event("3")])
    calendar = ical.parse(whole)
    assert [each.name for each in calendar.components] == ["VTIMEZONE", "VEVENT", "VEVENT", "VEVENT"]
    assert [each.value("UID") for each in calendar.components[1:]] == ["1", "2", "3"]
    assert calendar.value("X-WR-CALNAME") is None
    assert calendar.components[0] == ical.parse(zoned("1")).components[0]


def test_odd_texts_are_cut_right() -> None:
    """Line ends of any kind, lower case, folded names of zones, what looks like an end inside of a text."""
    folded = zoned("1").replace(b"TZID:Europe/Berlin\r\n", b"TZID:Europe/\r\n Berlin\r\n")
    bare = zoned("2").replace(b"\r\n", b"\n").replace(b"BEGIN:VEVENT", b"begin:vevent")
    tricky = event("3", "DTSTART:20260105T090000Z", "DESCRIPTION:a\\n", " END:VCALENDAR")
    calendar = ical.parse(webcal.whole([folded, bare, tricky]))
    assert [each.name for each in calendar.components] == ["VTIMEZONE", "VEVENT", "VEVENT", "VEVENT"]
    assert calendar.components[3].value("DESCRIPTION") == "a\\nEND:VCALENDAR"
    assert b"\n" not in webcal.whole([bare]).replace(b"\r\n", b"")


def customized(uid: str, offset: str, tzid: str = "tzone://Microsoft/Custom") -> bytes:
    """An event at nine o'clock in a zone that only its VTIMEZONE defines."""
    zone = [
        f"TZID:{ical.escape(tzid)}" if each.startswith("TZID") else each.replace("+0100", offset) for each in BERLIN
    ]
    start = f'DTSTART;TZID="{tzid}":20260105T090000'
    return ics(*zone, "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", start, "END:VEVENT")


def starts(text: bytes) -> dict[str | None, int]:
    """When events start, by UID."""
    calendar = ical.parse(text)
    found = {}
    for each in calendar.children("VEVENT"):
        start = each.first("DTSTART")
        assert start is not None
        found[each.value("UID")] = ical.when(start, ical.Zones(calendar, strict=True)).epoch()
    return found


def test_zones_of_one_name_stay_apart_where_only_their_definitions_say_what_they_are() -> None:
    """Outlook calls all zones that it cannot name alike."""
    texts = [
        customized("1", "+0200"),
        customized("2", "-0500"),
        customized("3", "+0200"),
        customized("4", "-0500").replace(b"\r\n", b"\n"),
        customized("5", "+0300", "tzone://Microsoft/Custom 2"),
        customized("6", "+0900"),
        customized("7", "+0100", "Office, upstairs"),
        customized("8", "+0200", "Office, upstairs"),
        event("9"),
    ]
    whole = webcal.whole(texts)
    assert starts(whole) == {key: at for text in texts for key, at in starts(text).items()}
    assert len(ical.parse(whole).children("VTIMEZONE")) == 6


def test_zones_that_everybody_knows_are_not_told_apart() -> None:
    texts = [zoned("1"), zoned("2").replace(b"+0100", b"+0200")]
    assert len(ical.parse(webcal.whole(texts)).children("VTIMEZONE")) == 1


def test_an_empty_calendar_is_an_empty_vcalendar(ann: Dialogue) -> None:
    answer = ann("GET", DEFAULT)
    assert (answer.status, answer.headers["Content-Type"]) == (200, CALENDAR)
    lines = answer.body.split(b"\r\n")
    assert (lines[0], lines[-2]) == (b"BEGIN:VCALENDAR", b"END:VCALENDAR")
    assert b"X-WR-CALNAME:Calendar" in lines


def test_a_calendar_comes_with_its_name_and_color_as_either_type(ann: Dialogue) -> None:
    patch = (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:I="http://apple.com/ns/ical/"><D:set><D:prop>'
        "<D:displayname>Work, mostly</D:displayname><I:calendar-color>#FF0000FF</I:calendar-color>"
        "</D:prop></D:set></D:propertyupdate>"
    )
    assert ann("PROPPATCH", DEFAULT, patch).status == 207
    for uid in ("1", "2"):
        assert ann("PUT", f"{DEFAULT}{uid}.ics", zoned(uid), content_type=CALENDAR).status == 201
    calendar = ical.parse(ann("GET", DEFAULT).body)
    assert calendar.value("X-WR-CALNAME") == "Work\\, mostly"
    assert calendar.value("X-APPLE-CALENDAR-COLOR") == "#FF0000FF"
    assert [each.name for each in calendar.components] == ["VTIMEZONE", "VEVENT", "VEVENT"]
    answer = ann("GET", DEFAULT, accept="application/calendar+json")
    assert answer.headers["Content-Type"] == "application/calendar+json"
    name, _, components = json.loads(answer.body)
    assert (name, len(components)) == ("vcalendar", 3)


def test_its_etag_changes_with_each_member(ann: Dialogue) -> None:
    first = ann("GET", DEFAULT).headers["ETag"]
    assert ann("GET", DEFAULT, if_none_match=first).status == 304
    ann("PUT", DEFAULT + "1.ics", event("1"), content_type=CALENDAR)
    second = ann("GET", DEFAULT, if_none_match=first)
    assert second.status == 200
    ann("DELETE", DEFAULT + "1.ics")
    assert ann("GET", DEFAULT, if_none_match=second.headers["ETag"]).status == 200


def test_others_do_not_get_it(bob: Dialogue) -> None:
    assert bob("GET", DEFAULT).status == 403
