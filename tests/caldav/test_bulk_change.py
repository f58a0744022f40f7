"""Many calendar objects in one request (calendarserver-bulk-change)."""

import pytest
from dialogue import Answer, Dialogue
from ics import event, ics

from calserver.config import Settings
from calserver.names import CS, MOBILEME, C, D

DEFAULT = "calendars/user/ann/Default/"
CALENDAR = "text/calendar; charset=utf-8"


def both(*uids: str) -> bytes:
    lines = [line for uid in uids for line in event(uid).decode().split("\r\n")[3:-2]]
    return ics(*lines)


def multiput(*resources: str) -> str:
    inside = "".join(f"<M:resource>{each}</M:resource>" for each in resources)
    head = f'<M:multiput xmlns:M="{MOBILEME}" xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
    return f"{head}{inside}</M:multiput>"


def set_data(content: bytes, href: str = "", etag: str = "") -> str:
    name = f"<D:href>{href}</D:href>" if href else ""
    match = f"<M:if-match><D:getetag>{etag}</D:getetag></M:if-match>" if etag else ""
    data = f"<C:calendar-data><![CDATA[{content.decode()}]]></C:calendar-data>"
    return f"{name}{match}<D:set><D:prop>{data}</D:prop></D:set>"


def crud(who: Dialogue, *resources: str, **headers: str) -> Answer:
    return who("POST", DEFAULT, multiput(*resources), content_type="application/xml", **headers)


def uids(answer: Answer) -> list[str]:
    assert answer.status == 207, answer.body
    return [each.text for each in answer.xml.iter(CS("uid"))]


def etag(who: Dialogue, href: str) -> str:
    return who("GET", href.removeprefix("/dav/")).headers["ETag"]


def test_each_uid_of_a_file_becomes_a_member(ann: Dialogue) -> None:
    answer = ann("POST", DEFAULT, both("1", "2"), content_type=CALENDAR)
    assert uids(answer) == ["1", "2"]
    for href, uid in zip(answer.hrefs, "12", strict=True):
        assert answer.properties(href)[D("getetag")].text == etag(ann, href)
        assert f"UID:{uid}" in ann("GET", href.removeprefix("/dav/")).body.decode()


def test_what_is_refused_does_not_keep_the_others_out(ann: Dialogue) -> None:
    ann("POST", DEFAULT, event("1"), content_type=CALENDAR)
    answer = ann("POST", DEFAULT, both("1", "2"), content_type=CALENDAR)
    assert list(answer.statuses.values()) == [403]
    assert answer.xml.find(f".//{C('no-uid-conflict')}") is not None
    assert uids(answer) == ["2"]


def test_a_list_makes_changes_and_deletes(ann: Dialogue) -> None:
    made = crud(ann, set_data(event("1")), set_data(event("2")))
    assert uids(made) == ["1", "2"]
    one, two = made.hrefs
    changed = event("1", "DTSTART:20270105T090000Z")
    answer = crud(ann, set_data(changed, one, etag(ann, one)), f"<D:href>{two}</D:href><M:delete/>")
    assert answer.hrefs == [one, two]
    assert ann("GET", one.removeprefix("/dav/")).body == changed
    assert ann("GET", two.removeprefix("/dav/")).status == 404


def test_each_may_have_a_condition_of_its_own(ann: Dialogue) -> None:
    one, two = crud(ann, set_data(event("1")), set_data(event("2"))).hrefs
    delete = f'<D:href>{two}</D:href><M:if-match><D:getetag>"x"</D:getetag></M:if-match><M:delete/>'
    answer = crud(ann, set_data(event("1", "DTSTART:20270105T090000Z"), one, '"x"'), delete, set_data(event("3")))
    assert answer.statuses == {one: 412, two: 412}
    assert uids(answer) == ["3"]
    assert ann("GET", one.removeprefix("/dav/")).body == event("1")
    assert ann("GET", two.removeprefix("/dav/")).status == 200


def test_only_members_of_the_calendar_are_meant(ann: Dialogue) -> None:
    ann("PUT", "calendars/user/ann/Tasks/t.ics", event("t", name="VTODO"), content_type=CALENDAR)
    hrefs = ["/dav/calendars/user/ann/Tasks/t.ics", f"/dav/{DEFAULT}missing.ics", "http://x.example.com/1.ics"]
    answer = crud(ann, *(f"<D:href>{each}</D:href><M:delete/>" for each in hrefs))
    assert answer.statuses == dict.fromkeys(hrefs, 404)
    assert ann("GET", "calendars/user/ann/Tasks/t.ics").status == 200


def test_the_ctag_is_a_condition_and_part_of_the_answer(ann: Dialogue) -> None:
    def ctag() -> str:
        return str(ann.propfind(DEFAULT, CS("getctag")).properties(f"/dav/{DEFAULT}")[CS("getctag")].text)

    before = ctag()
    wrong = f"<{MOBILEME}ctag/{before}1>"
    assert ann("POST", DEFAULT, event("1"), content_type=CALENDAR, headers={"If": wrong}).status == 412
    answer = ann("POST", DEFAULT, event("1"), content_type=CALENDAR, headers={"If": f"<{MOBILEME}ctag/{before}>"})
    assert uids(answer) == ["1"]
    assert answer.headers["CTag"] == ctag() != before


def test_data_come_back_where_they_were_changed_and_are_wanted(ann: Dialogue) -> None:
    """XML takes the carriage returns out of the text; what is stored has them."""
    options = {"X-MobileMe-DAV-Options": "return-changed-data"}
    answer = ann("POST", DEFAULT, event("1"), content_type=CALENDAR, headers=options)
    assert answer.xml.find(f".//{C('calendar-data')}") is None
    answer = crud(ann, set_data(event("2")), headers=options)
    assert "UID:2" in answer.xml.find(f".//{C('calendar-data')}").text
    assert crud(ann, set_data(event("3"))).xml.find(f".//{C('calendar-data')}") is None


def test_the_limits_are_told_and_kept(ann: Dialogue) -> None:
    found = ann.propfind(DEFAULT, f"{{{MOBILEME}}}bulk-requests").properties(f"/dav/{DEFAULT}")
    [requests] = found.values()
    assert [each.tag for each in requests] == [f"{{{MOBILEME}}}simple", f"{{{MOBILEME}}}crud"]
    most = int(requests[0].findtext(f"{{{MOBILEME}}}max-resources"))
    assert ann("POST", DEFAULT, both(*map(str, range(most + 1))), content_type=CALENDAR).status == 413


def test_zones_that_each_member_gets_are_part_of_the_limit(ann: Dialogue) -> None:
    zone = ("BEGIN:VTIMEZONE", "TZID:Z", "X-A:" + "x" * 200_000, "END:VTIMEZONE")
    events = [
        line
        for number in range(200)
        for line in ("BEGIN:VEVENT", f"UID:{number}", "DTSTART;TZID=Z:20260105T090000", "END:VEVENT")
    ]
    assert ann("POST", DEFAULT, ics(*zone, *events), content_type=CALENDAR).status == 413


def test_what_takes_long_is_to_be_sent_again(ann: Dialogue) -> None:
    object.__setattr__(ann.settings, "request_seconds", -1)
    answer = ann("POST", DEFAULT, both("1", "2"), content_type=CALENDAR)
    assert list(answer.statuses.values()) == [413, 413]


def test_a_full_home_refuses_all(ann: Dialogue) -> None:
    object.__setattr__(ann.settings, "quota_bytes", 300)
    assert isinstance(ann.settings, Settings)
    answer = ann("POST", DEFAULT, both("1", "2", "3"), content_type=CALENDAR)
    assert answer.error == D("quota-not-exceeded")
    assert ann.propfind(DEFAULT, D("getetag"), depth="1").hrefs == [f"/dav/{DEFAULT}"]


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"x", "text/plain", 415),
        (b"x", CALENDAR, 403),
        (b"[]", "application/calendar+json", 403),
        (b"<x", "application/xml", 400),
        (b"<x/>", "application/xml", 400),
        (multiput("").encode(), "application/xml", 400),
        (multiput("<M:delete/>").encode(), "application/xml", 400),
        (multiput("<D:href>/x</D:href>").encode(), "application/xml", 400),
    ],
)
def test_nonsense_is_refused(ann: Dialogue, content: bytes, media_type: str, status: int) -> None:
    assert ann("POST", DEFAULT, content, content_type=media_type).status == status


def test_others_change_nothing(ann: Dialogue, bob: Dialogue) -> None:
    [href] = crud(ann, set_data(event("1"))).hrefs
    answer = bob("POST", DEFAULT, multiput(set_data(event("2"))), content_type="application/xml")
    assert (list(answer.statuses.values()), answer.xml.find(f".//{D('need-privileges')}") is not None) == ([403], True)
    for each in (href, f"/dav/{DEFAULT}missing.ics"):
        answer = bob("POST", DEFAULT, multiput(f"<D:href>{each}</D:href><M:delete/>"), content_type="application/xml")
        assert answer.statuses == {each: 403}
    assert ann("GET", href.removeprefix("/dav/")).status == 200
