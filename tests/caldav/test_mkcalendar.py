"""Making calendars (RFC 4791 section 5.3.1, RFC 5689)."""

import pytest
from dialogue import Dialogue

from calserver.names import ICAL, C, D

HOME = "calendars/user/ann/"


def mkcalendar(properties: str) -> str:
    return (
        '<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:I="http://apple.com/ns/ical/">'
        f"<D:set><D:prop>{properties}</D:prop></D:set></C:mkcalendar>"
    )


DAVX5 = mkcalendar(
    "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype><D:displayname>Work &amp; play</D:displayname>"
    "<C:calendar-description xml:lang='en'>All of it</C:calendar-description>"
    "<I:calendar-color symbolic-color='red'>#FF2968FF</I:calendar-color><I:calendar-order>3</I:calendar-order>"
    "<C:calendar-timezone-id>Europe/Vienna</C:calendar-timezone-id>"
    "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"
    "<C:supported-calendar-component-set><C:comp name='VEVENT'/><C:comp name='VTODO'/>"
    "</C:supported-calendar-component-set>"
)


def test_without_a_body_it_makes_an_empty_calendar_for_everything(ann: Dialogue) -> None:
    """RFC 4791 section 5.3.1."""
    answer = ann("MKCALENDAR", HOME + "new/")
    assert (answer.status, answer.body) == (201, b"")
    found = ann.propfind(HOME + "new/", D("resourcetype"), C("supported-calendar-component-set"))
    properties = found.properties("/dav/" + HOME + "new/")
    assert [each.tag for each in properties[D("resourcetype")]] == [D("collection"), C("calendar")]
    components = {each.get("name") for each in properties[C("supported-calendar-component-set")]}
    assert {"VEVENT", "VTODO", "VJOURNAL", "VAVAILABILITY"} <= components


def test_all_that_clients_set_is_there_afterwards_and_the_answer_is_201(ann: Dialogue) -> None:
    """DAVx5 takes a 207 for a failure."""
    assert ann("MKCALENDAR", HOME + "new/", DAVX5).status == 201
    wanted = (
        *(D("displayname"), C("calendar-description"), ICAL("calendar-color"), ICAL("calendar-order")),
        *(C("calendar-timezone-id"), C("calendar-timezone"), C("schedule-calendar-transp")),
        C("supported-calendar-component-set"),
    )
    found = ann.propfind(HOME + "new/", *wanted).properties("/dav/" + HOME + "new/")
    assert found[D("displayname")].text == "Work & play"
    assert found[C("calendar-description")].text == "All of it"
    assert found[ICAL("calendar-color")].text == "#FF2968FF"
    assert found[ICAL("calendar-color")].get("symbolic-color") == "red"
    assert found[ICAL("calendar-order")].text == "3"
    assert found[C("calendar-timezone-id")].text == "Europe/Vienna"
    assert "TZID:Europe/Vienna" in found[C("calendar-timezone")].text
    assert found[C("schedule-calendar-transp")][0].tag == C("transparent")
    assert [each.get("name") for each in found[C("supported-calendar-component-set")]] == ["VEVENT", "VTODO"]


def test_a_property_that_cannot_be_set_keeps_the_calendar_from_being_made(ann: Dialogue) -> None:
    """All or nothing: the others are told to have failed with it (RFC 4791 section 5.3.1)."""
    answer = ann("MKCALENDAR", HOME + "new/", mkcalendar("<D:displayname>X</D:displayname><D:getetag>1</D:getetag>"))
    assert answer.status == 207
    statuses = {
        prop.tag: propstat.findtext(D("status")).split()[1]
        for propstat in answer.xml.iter(D("propstat"))
        for prop in propstat.find(D("prop"))
    }
    assert statuses == {D("getetag"): "403", D("displayname"): "424"}
    assert ann.propfind(HOME + "new/", D("displayname")).status == 404


def test_where_something_is_nothing_can_be_made(ann: Dialogue) -> None:
    """``DAV:resource-must-be-null`` (RFC 4791 section 5.3.1.1), whatever is in the body."""
    for body in ("", mkcalendar("<D:getetag>1</D:getetag>")):
        answer = ann("MKCALENDAR", HOME + "Default/", body)
        assert (answer.status, answer.error) == (403, D("resource-must-be-null"))


def test_a_calendar_cannot_be_inside_of_a_calendar(ann: Dialogue) -> None:
    """``CALDAV:calendar-collection-location-ok`` (RFC 4791 section 5.3.1.1)."""
    answer = ann("MKCALENDAR", HOME + "Default/inner/")
    assert (answer.status, answer.error) == (403, C("calendar-collection-location-ok"))
    assert ann("MKCOL", HOME + "Default/inner/").status == 403


@pytest.mark.parametrize("place", ["Inbox", "Outbox", "Notifications"])
def test_what_belongs_to_the_home_takes_no_calendars(ann: Dialogue, place: str) -> None:
    assert ann("MKCALENDAR", f"{HOME}{place}/new/").status in (403, 405)


def test_calendars_can_be_made_in_plain_collections(ann: Dialogue) -> None:
    assert ann("MKCOL", HOME + "folder/").status == 201
    assert ann("MKCALENDAR", HOME + "folder/new/").status == 201


def test_there_must_be_something_to_make_it_in(ann: Dialogue) -> None:
    """RFC 4918 section 9.3.1."""
    assert ann("MKCALENDAR", HOME + "missing/new/").status == 409


def test_nobody_makes_calendars_for_others(bob: Dialogue) -> None:
    answer = bob("MKCALENDAR", HOME + "new/")
    assert (answer.status, answer.error) == (403, D("need-privileges"))


def test_extended_mkcol_makes_calendars_too_without_a_slash_at_the_end(ann: Dialogue) -> None:
    """As vdirsyncer does it (RFC 5689)."""
    body = (
        '<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop><D:resourcetype>'
        "<D:collection/><C:calendar/></D:resourcetype><D:displayname>V</D:displayname></D:prop></D:set></D:mkcol>"
    )
    assert ann("MKCOL", HOME + "new", body, content_type="application/xml").status == 201
    found = ann.propfind(HOME + "new/", D("resourcetype"), D("displayname")).properties("/dav/" + HOME + "new/")
    assert C("calendar") in [each.tag for each in found[D("resourcetype")]]
    assert found[D("displayname")].text == "V"


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        (
            "<C:supported-calendar-component-set><C:comp name='VPOLL'/></C:supported-calendar-component-set>",
            C("supported-calendar-component-set"),
        ),
        ("<C:supported-calendar-component-set/>", C("supported-calendar-component-set")),
        ("<C:calendar-timezone>BEGIN:VCALENDAR</C:calendar-timezone>", C("calendar-timezone")),
        ("<C:calendar-timezone-id>Mars/Base</C:calendar-timezone-id>", C("calendar-timezone-id")),
        ("<C:schedule-calendar-transp>no</C:schedule-calendar-transp>", C("schedule-calendar-transp")),
    ],
)
def test_nonsense_is_refused(ann: Dialogue, properties: str, name: str) -> None:
    answer = ann("MKCALENDAR", HOME + "new/", mkcalendar(properties))
    assert answer.status == 207
    assert [prop.tag for prop in answer.xml.iter(name)] == [name]
    assert ann.propfind(HOME + "new/", D("displayname")).status == 404


@pytest.mark.parametrize("types", ["", "<D:collection/>", "<D:principal/>", "<D:collection/><C:schedule-inbox/>"])
def test_it_makes_calendars_and_nothing_else(ann: Dialogue, types: str) -> None:
    """RFC 4791 section 5.3.1."""
    answer = ann("MKCALENDAR", HOME + "new/", mkcalendar(f"<D:resourcetype>{types}</D:resourcetype>"))
    assert (answer.status, answer.error) == (403, D("valid-resourcetype"))
    assert ann.propfind(HOME + "new/", D("displayname")).status == 404


def test_the_components_of_a_calendar_cannot_be_changed_later(ann: Dialogue) -> None:
    """The property is protected (RFC 4791 section 5.2.3)."""
    body = (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
        "<C:supported-calendar-component-set><C:comp name='VTODO'/></C:supported-calendar-component-set>"
        "</D:prop></D:set></D:propertyupdate>"
    )
    answer = ann("PROPPATCH", HOME + "Default/", body)
    assert answer.xml.find(f".//{D('cannot-modify-protected-property')}") is not None


def test_the_body_must_be_a_mkcalendar(ann: Dialogue) -> None:
    assert ann("MKCALENDAR", HOME + "new/", '<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>').status == 400
    assert ann("MKCALENDAR", HOME + "new/", "<broken").status == 400
