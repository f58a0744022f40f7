"""Properties of calendars, homes and inboxes (RFC 4791 section 5.2, RFC 7809, RFC 7529, RFC 7953, Apple's)."""

import json

import pytest
from dialogue import Answer, Dialogue

from calserver.names import CS, ICAL, C, D

HOME = "calendars/user/ann/"
DEFAULT = HOME + "Default/"
INBOX = HOME + "Inbox/"
NAMESPACES = (
    'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/" '
    'xmlns:I="http://apple.com/ns/ical/"'
)
ZONE = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:{}\r\nBEGIN:STANDARD\r\n"
    "DTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    "END:VCALENDAR\r\n"
)


def patch(who: Dialogue, path: str, properties: str = "", remove: str = "") -> Answer:
    parts = f"<D:set><D:prop>{properties}</D:prop></D:set>" if properties else ""
    parts += f"<D:remove><D:prop>{remove}</D:prop></D:remove>" if remove else ""
    return who("PROPPATCH", path, f"<D:propertyupdate {NAMESPACES}>{parts}</D:propertyupdate>")


def done(answer: Answer) -> bool:
    """Whether all was done: there is a single status, 200."""
    return [each.text.split()[1] for each in answer.xml.iter(D("status"))] == ["200"]


def get(who: Dialogue, path: str, name: str):
    return who.propfind(path, name).properties("/dav/" + path).get(name)


# -- what the server says of itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [DEFAULT, INBOX, HOME + "Outbox/"])
def test_limits_are_told_where_calendar_data_are_taken(ann: Dialogue, path: str) -> None:
    """RFC 4791 sections 5.2.3 to 5.2.9, RFC 6638 sections 2.1 and 2.2."""
    assert int(get(ann, path, C("max-resource-size")).text) == ann.settings.calendars.resource_bytes
    assert get(ann, path, C("min-date-time")).text == "19000101T000000Z"
    assert get(ann, path, C("max-date-time")).text == "21000101T000000Z"
    assert int(get(ann, path, C("max-instances")).text) == ann.settings.calendars.instances
    assert int(get(ann, path, C("max-attendees-per-instance")).text) == ann.settings.calendars.attendees
    types = {each.get("content-type") for each in get(ann, path, C("supported-calendar-data"))}
    assert types == {"text/calendar", "application/calendar+json"}
    assert len(get(ann, path, C("supported-calendar-component-set"))) > 0
    assert "GREGORIAN" in {each.text for each in get(ann, path, C("supported-rscale-set"))}


@pytest.mark.parametrize("path", [DEFAULT, HOME, INBOX])
def test_collations_and_reports_are_told_where_they_are(ann: Dialogue, path: str) -> None:
    """RFC 4791 section 7.5.1, RFC 3253 section 3.1.5."""
    collations = {each.text for each in get(ann, path, C("supported-collation-set"))}
    assert collations == {"i;ascii-casemap", "i;octet", "i;unicode-casemap"}
    reports = {each.tag for each in get(ann, path, D("supported-report-set")).iter() if len(each) == 0}
    assert {C("calendar-query"), C("calendar-multiget"), D("sync-collection")} <= reports
    assert (C("free-busy-query") in reports) is (path != INBOX)


def test_what_is_made_is_announced(ann: Dialogue) -> None:
    dav = {each.strip() for each in ann("OPTIONS", DEFAULT).headers["DAV"].split(",")}
    assert {"1", "3", "calendar-access", "extended-mkcol", "calendar-availability", "calendarserver-home-sync"} <= dav
    allowed = {each.strip() for each in ann("OPTIONS", DEFAULT).headers["Allow"].split(",")}
    assert {"GET", "POST", "PROPFIND", "REPORT", "MOVE"} <= allowed
    assert "MKCALENDAR" in ann("OPTIONS", HOME + "new/").headers["Allow"]


def test_the_owner_holds_free_busy_with_all_else(ann: Dialogue, bob: Dialogue) -> None:
    """RFC 4791 section 6.1.1: what contains reading contains CALDAV:read-free-busy."""
    held = {each[0].tag for each in get(ann, DEFAULT, D("current-user-privilege-set"))}
    assert {D("all"), D("read"), C("read-free-busy")} <= held
    inbox = {each[0].tag for each in get(ann, INBOX, D("current-user-privilege-set"))}
    assert C("schedule-deliver-invite") in inbox
    outbox = {each[0].tag for each in get(ann, HOME + "Outbox/", D("current-user-privilege-set"))}
    assert C("schedule-send-freebusy") in outbox


def test_any_set_of_components_may_be_in_a_new_calendar(ann: Dialogue) -> None:
    found = get(ann, HOME, C("supported-calendar-component-sets"))
    assert (len(found), found.text) == (0, None)


def test_nothing_of_this_is_in_allprop(ann: Dialogue) -> None:
    """RFC 4791 section 5.2: none of its properties belongs there."""
    answer = ann("PROPFIND", DEFAULT, f"<D:propfind {NAMESPACES}><D:allprop/></D:propfind>", depth="0")
    assert not [name for name in answer.properties("/dav/" + DEFAULT) if name.startswith(C(""))]


# -- what clients set ----------------------------------------------------------------------------------------------


def test_descriptions_keep_their_language_and_colors_their_name(ann: Dialogue) -> None:
    properties = (
        '<C:calendar-description xml:lang="de">Arbeit</C:calendar-description>'
        '<I:calendar-color symbolic-color="red">#FF2968FF</I:calendar-color><I:calendar-order>7</I:calendar-order>'
        "<C:default-alarm-vevent-datetime>BEGIN:VALARM&#13;\nEND:VALARM&#13;\n</C:default-alarm-vevent-datetime>"
    )
    assert done(patch(ann, DEFAULT, properties))
    description = get(ann, DEFAULT, C("calendar-description"))
    assert description.text == "Arbeit"
    assert description.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert get(ann, DEFAULT, ICAL("calendar-color")).get("symbolic-color") == "red"
    assert get(ann, DEFAULT, ICAL("calendar-order")).text == "7"
    assert get(ann, DEFAULT, C("default-alarm-vevent-datetime")).text == "BEGIN:VALARM\r\nEND:VALARM\r\n"
    assert done(patch(ann, DEFAULT, remove="<C:calendar-description/>"))
    assert get(ann, DEFAULT, C("calendar-description")) is None


@pytest.mark.parametrize(
    "name",
    ["supported-calendar-data", "max-resource-size", "min-date-time", "max-instances", "supported-collation-set"],
)
def test_what_the_server_says_is_protected(ann: Dialogue, name: str) -> None:
    assert not done(patch(ann, DEFAULT, f"<C:{name}>1</C:{name}>"))


def test_the_zone_of_a_calendar_follows_its_name_and_the_name_the_zone(ann: Dialogue) -> None:
    """RFC 7809 sections 5.2 and 5.3."""
    text, name = C("calendar-timezone"), C("calendar-timezone-id")
    assert (get(ann, DEFAULT, text), get(ann, DEFAULT, name)) == (None, None)
    assert done(patch(ann, DEFAULT, "<C:calendar-timezone-id>Europe/Rome</C:calendar-timezone-id>"))
    assert "TZID:Europe/Rome" in get(ann, DEFAULT, text).text
    zone = ZONE.format("Europe/Oslo")
    assert done(patch(ann, DEFAULT, f"<C:calendar-timezone>{zone}</C:calendar-timezone>"))
    assert get(ann, DEFAULT, name).text == "Europe/Oslo"
    assert done(patch(ann, DEFAULT, f"<C:calendar-timezone>{ZONE.format('Mordor')}</C:calendar-timezone>"))
    assert "TZID:Mordor" in get(ann, DEFAULT, text).text
    assert get(ann, DEFAULT, name) is None
    assert done(patch(ann, DEFAULT, remove="<C:calendar-timezone/>"))
    assert get(ann, DEFAULT, text) is None


@pytest.mark.parametrize(
    "properties",
    [
        "<C:calendar-timezone>not a zone</C:calendar-timezone>",
        "<C:calendar-timezone/>",
        f"<C:calendar-timezone>{ZONE.format('x').replace('VERSION:2.0', 'X:1')}</C:calendar-timezone>",
        f'<C:calendar-timezone content-type="text/plain">{ZONE.format("x")}</C:calendar-timezone>',
        '<C:calendar-timezone content-type="application/calendar+json">[1]</C:calendar-timezone>',
        "<C:calendar-timezone-id>Mars/Base</C:calendar-timezone-id>",
        "<C:calendar-timezone-id/>",
    ],
)
def test_what_is_no_zone_is_refused(ann: Dialogue, properties: str) -> None:
    patch(ann, DEFAULT, "<C:calendar-timezone-id>Europe/Rome</C:calendar-timezone-id>")
    assert not done(patch(ann, DEFAULT, properties))
    assert get(ann, DEFAULT, C("calendar-timezone-id")).text == "Europe/Rome"


def test_a_zone_may_be_jcal_in_and_out(ann: Dialogue) -> None:
    """RFC 7265."""
    patch(ann, DEFAULT, "<C:calendar-timezone-id>Europe/Rome</C:calendar-timezone-id>")
    wanted = '<C:calendar-timezone content-type="application/calendar+json"/>'
    body = f"<D:propfind {NAMESPACES}><D:prop>{wanted}</D:prop></D:propfind>"
    found = ann("PROPFIND", DEFAULT, body, depth="0").properties("/dav/" + DEFAULT)[C("calendar-timezone")]
    assert found.get("content-type") == "application/calendar+json"
    assert json.loads(found.text)[0] == "vcalendar"
    other = found.text.replace("Europe/Rome", "Europe/Paris")
    as_jcal = f'<C:calendar-timezone content-type="application/calendar+json"><![CDATA[{other}]]></C:calendar-timezone>'
    assert done(patch(ann, DEFAULT, as_jcal))
    assert get(ann, DEFAULT, C("calendar-timezone-id")).text == "Europe/Paris"
    assert get(ann, DEFAULT, C("calendar-timezone")).text.startswith("BEGIN:VCALENDAR")


AVAILABILITY = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VAVAILABILITY\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n"
    "END:VAVAILABILITY\r\nEND:VCALENDAR\r\n"
)


def test_availability_is_kept_with_the_inbox_under_the_name_that_was_used_last(ann: Dialogue) -> None:
    """RFC 7953 section 6; Apple's clients know the name that it had before."""
    assert done(patch(ann, INBOX, f"<CS:calendar-availability>{AVAILABILITY}</CS:calendar-availability>"))
    assert "VAVAILABILITY" in get(ann, INBOX, CS("calendar-availability")).text
    assert done(patch(ann, INBOX, f"<C:calendar-availability>{AVAILABILITY}</C:calendar-availability>"))
    assert get(ann, INBOX, CS("calendar-availability")) is None
    assert get(ann, INBOX, C("calendar-availability")) is not None
    assert done(patch(ann, INBOX, remove="<C:calendar-availability/>"))
    assert get(ann, INBOX, C("calendar-availability")) is None
    for wrong in ("This is not a calendar!", "", ZONE.format("x")):
        assert not done(patch(ann, INBOX, f"<C:calendar-availability>{wrong}</C:calendar-availability>"))


def test_a_refused_property_keeps_the_others_from_being_set(ann: Dialogue) -> None:
    """PROPPATCH does all or nothing (RFC 4918 section 9.2), setters that write at once included."""
    answer = patch(
        ann,
        DEFAULT,
        "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp><D:displayname>X</D:displayname>"
        "<C:calendar-timezone-id>Mars/Base</C:calendar-timezone-id>",
    )
    assert not done(answer)
    assert get(ann, DEFAULT, C("schedule-calendar-transp"))[0].tag == C("opaque")
    assert get(ann, DEFAULT, D("displayname")).text == "Calendar"
