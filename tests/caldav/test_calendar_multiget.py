"""calendar-multiget (RFC 4791 section 7.9)."""

import pytest
from dialogue import Answer, Dialogue
from ics import event

from calserver.names import C, D

HOME = "calendars/user/ann/"
DEFAULT = HOME + "Default/"
CALENDAR = "text/calendar; charset=utf-8"
DATA = "<D:getetag/><C:calendar-data/>"


def multiget(who: Dialogue, *hrefs: str, path: str = DEFAULT, props: str = DATA, **headers: str) -> Answer:
    inside = "".join(f"<D:href>{each}</D:href>" for each in hrefs)
    body = (
        '<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
        f"<D:prop>{props}</D:prop>{inside}</C:calendar-multiget>"
    )
    return who("REPORT", path, body, **headers)


@pytest.fixture
def filled(ann: Dialogue) -> Dialogue:
    for name in ("1.ics", "2.ics"):
        assert ann("PUT", DEFAULT + name, event(name), content_type=CALENDAR).status == 201
    return ann


def test_members_come_in_the_order_of_the_request_with_their_data(filled: Dialogue) -> None:
    """There is no Depth header (DAVx5, Apple), or one that says nothing (Thunderbird)."""
    for headers in ({}, {"depth": "1"}, {"depth": "0"}):
        answer = multiget(filled, f"/dav/{DEFAULT}2.ics", f"/dav/{DEFAULT}1.ics", **headers)
        assert answer.status == 207
        assert answer.hrefs == [f"/dav/{DEFAULT}2.ics", f"/dav/{DEFAULT}1.ics"]
        found = answer.properties(f"/dav/{DEFAULT}1.ics")
        assert "UID:1.ics" in found[C("calendar-data")].text
        assert found[D("getetag")].text == filled("GET", DEFAULT + "1.ics").headers["ETag"]


@pytest.mark.parametrize(
    "name", ["a:b@c+d.ics", "mit%20Leerzeichen.ics", "%C3%BCmlaut.ics", "100%25.ics", "a&amp;b.ics"]
)
def test_hrefs_are_answered_as_the_client_spelled_them(ann: Dialogue, name: str) -> None:
    """DAVx5 passes over responses whose href is spelled in another way than its own."""
    path = name.replace("&amp;", "&")
    assert ann("PUT", DEFAULT + path, event("1"), content_type=CALENDAR).status == 201
    spellings = [f"/dav/{DEFAULT}{name}", f"http://dav.example.com/dav/{DEFAULT}{name}"]
    answer = multiget(ann, *spellings)
    assert answer.hrefs == [each.replace("&amp;", "&") for each in spellings]
    assert answer.statuses == {}


def test_other_escapes_of_a_name_are_the_same_name(filled: Dialogue) -> None:
    answer = multiget(filled, f"/dav/{DEFAULT}%31.ics")
    assert answer.hrefs == [f"/dav/{DEFAULT}%31.ics"]
    assert answer.statuses == {}


def test_what_is_not_there_is_told(filled: Dialogue, bob: Dialogue) -> None:
    """Nothing outside of the resource that is asked is looked for."""
    assert bob("PUT", "calendars/user/bob/Default/1.ics", event("1"), content_type=CALENDAR).status == 201
    hrefs = [
        f"/dav/{DEFAULT}missing.ics",
        f"/dav/{HOME}Tasks/1.ics",
        "/dav/calendars/user/bob/Default/1.ics",
        "http://elsewhere.example.com/dav/x.ics",
        "/elsewhere/1.ics",
        f"/dav/{DEFAULT}../Default/1.ics",
        "%zz",
        "",
    ]
    answer = multiget(filled, f"/dav/{DEFAULT}1.ics", *hrefs)
    assert answer.statuses == dict.fromkeys(hrefs, 404)
    assert multiget(filled, f"/dav/{DEFAULT}").statuses == {f"/dav/{DEFAULT}": 403}


def test_calendars_below_a_collection_can_be_asked_together(filled: Dialogue) -> None:
    filled("PUT", HOME + "file", event("f"), content_type=CALENDAR)
    filled("PUT", HOME + "Tasks/t.ics", event("t", name="VTODO"), content_type=CALENDAR)
    hrefs = [f"/dav/{DEFAULT}1.ics", f"/dav/{HOME}Tasks/t.ics", f"/dav/{HOME}file", f"/dav/{HOME}missing/1.ics"]
    answer = multiget(filled, *hrefs, path=HOME)
    assert answer.hrefs == hrefs
    assert answer.statuses == {hrefs[2]: 403, hrefs[3]: 404}


def test_each_href_is_seen_with_the_rights_of_the_asker(filled: Dialogue, bob: Dialogue, root: Dialogue) -> None:
    """RFC 3744 section 3: rights on the resource of the request say nothing of the others."""
    hrefs = [f"/dav/{DEFAULT}1.ics", f"/dav/{DEFAULT}missing.ics"]
    answer = multiget(bob, *hrefs)
    assert answer.statuses == dict.fromkeys(hrefs, 403)
    assert b"UID" not in answer.body
    assert multiget(root, *hrefs).statuses == {hrefs[1]: 404}


def test_an_object_can_be_asked_for_itself_alone(filled: Dialogue) -> None:
    one, two = f"/dav/{DEFAULT}1.ics", f"/dav/{DEFAULT}2.ics"
    assert multiget(filled, one, two, path=DEFAULT + "1.ics").statuses == {two: 404}
    filled("PUT", HOME + "file", b"x", content_type="text/plain")
    answer = multiget(filled, f"/dav/{HOME}file", path=HOME + "file")
    assert (answer.status, answer.error) == (403, D("supported-report"))


def test_names_and_all_properties_can_be_asked(filled: Dialogue) -> None:
    for kind in ("propname", "allprop"):
        body = (
            '<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
            f"<D:{kind}/><D:href>/dav/{DEFAULT}1.ics</D:href></C:calendar-multiget>"
        )
        found = filled("REPORT", DEFAULT, body).properties(f"/dav/{DEFAULT}1.ics")
        assert D("getetag") in found
    body = (
        '<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
        f"<D:href>/dav/{DEFAULT}1.ics</D:href></C:calendar-multiget>"
    )
    assert filled("REPORT", DEFAULT, body).hrefs == [f"/dav/{DEFAULT}1.ics"]


def test_requests_that_cannot_be_are_refused(filled: Dialogue) -> None:
    assert multiget(filled).status == 400
    answer = multiget(filled, f"/dav/{DEFAULT}1.ics", props='<C:calendar-data content-type="text/plain"/>')
    assert (answer.status, answer.error) == (403, C("supported-calendar-data"))
    object.__setattr__(filled.settings, "multiget_hrefs", 1)
    assert multiget(filled, f"/dav/{DEFAULT}1.ics", f"/dav/{DEFAULT}1.ics").status == 207
    answer = multiget(filled, f"/dav/{DEFAULT}1.ics", f"/dav/{DEFAULT}2.ics")
    assert (answer.status, answer.error) == (403, D("number-of-matches-within-limits"))


def test_calendar_data_are_a_property_for_propfind_too(filled: Dialogue) -> None:
    """RFC 4791 does not ask for it; other servers have it."""
    answer = filled.propfind(DEFAULT, C("calendar-data"), D("getetag"), depth="1")
    assert "UID:1.ics" in answer.properties(f"/dav/{DEFAULT}1.ics")[C("calendar-data")].text
