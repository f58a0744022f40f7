"""What clients ask of scheduling before there is any (RFC 6638)."""

import pytest
from dialogue import Answer, Dialogue

from calserver.names import CS, C, D

HOME = "/dav/calendars/user/ann/"
INBOX = "calendars/user/ann/Inbox/"
DEFAULT = C("schedule-default-calendar-URL")
FREE_BUSY_SET = C("calendar-free-busy-set")


def set_hrefs(who: Dialogue, path: str, name: str, *hrefs: str) -> Answer:
    inside = "".join(f"<D:href>{each}</D:href>" for each in hrefs)
    tag = name.partition("}")[2]
    return who(
        "PROPPATCH",
        path,
        f'<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop><C:{tag}>{inside}'
        f"</C:{tag}></D:prop></D:set></D:propertyupdate>",
    )


def patched(answer: Answer, name: str) -> bool:
    [prop] = answer.xml.iter(name)
    return " 200 " in prop.getparent().getparent().findtext(D("status"))


def hrefs(who: Dialogue, name: str) -> list[str]:
    element = who.propfind(INBOX, name).properties(f"/dav/{INBOX}")[name]
    return [each.text for each in element.iter(D("href"))]


def test_a_principal_says_where_its_things_are(ann: Dialogue) -> None:
    """RFC 4791 section 6.2.1, RFC 6638 sections 2.1.1, 2.2.1 and 2.4."""
    names = (
        *(C("calendar-home-set"), C("schedule-inbox-URL"), C("schedule-outbox-URL"), CS("notification-URL")),
        *(C("calendar-user-address-set"), C("calendar-user-type")),
    )
    principal = "/dav/principals/user/ann/"
    found = ann.propfind("principals/user/ann/", *names).properties(principal)
    told = {name.partition("}")[2]: [each.text for each in found[name].iter(D("href"))] for name in names}
    assert told["calendar-home-set"] == [HOME]
    assert told["schedule-inbox-URL"] == [HOME + "Inbox/"]
    assert told["schedule-outbox-URL"] == [HOME + "Outbox/"]
    assert told["notification-URL"] == [HOME + "Notifications/"]
    assert any(each.startswith("mailto:") for each in told["calendar-user-address-set"])
    assert found[C("calendar-user-type")].text == "INDIVIDUAL"


def test_a_room_has_calendars_a_group_has_none(server: Dialogue, root: Dialogue) -> None:
    found = root.propfind("principals/location/hall/", C("calendar-home-set")).properties(
        "/dav/principals/location/hall/"
    )
    assert found[C("calendar-home-set")][0].text == "/dav/calendars/location/hall/"
    assert root.propfind("calendars/location/hall/Default/", D("displayname")).status == 207


@pytest.mark.parametrize("name", ["Inbox", "Outbox", "Attachments", "Notifications"])
@pytest.mark.parametrize("method", ["DELETE", "MOVE", "COPY"])
def test_what_belongs_to_the_home_stays(ann: Dialogue, name: str, method: str) -> None:
    """RFC 6638 sections 2.1 and 2.2."""
    path = f"calendars/user/ann/{name}/"
    answer = ann(method, path, destination=ann.destination("calendars/user/ann/elsewhere/"))
    assert answer.status in (403, 405)
    assert ann.propfind(path, D("displayname")).status == 207


def test_the_home_itself_stays(ann: Dialogue) -> None:
    assert ann("DELETE", "calendars/user/ann/").status in (403, 405)


@pytest.mark.parametrize("name", ["Inbox", "Outbox", "Notifications"])
def test_clients_put_nothing_there(ann: Dialogue, name: str) -> None:
    path = f"calendars/user/ann/{name}/"
    assert ann("PUT", path + "x.ics", b"BEGIN:VCALENDAR").status in (403, 405)
    assert ann("MKCOL", path + "x/").status in (403, 405)
    assert ann("PUT", "calendars/user/ann/file.txt", b"x").status == 201
    answer = ann("MOVE", "calendars/user/ann/file.txt", destination=ann.destination(path + "file.txt"))
    assert answer.status == 403
    assert ann("GET", "calendars/user/ann/file.txt").status == 200


def test_scheduling_is_announced(ann: Dialogue) -> None:
    """RFC 6638 section 2: so clients leave invitations to the server."""
    dav = ann("OPTIONS", "calendars/user/ann/").headers["DAV"].split(", ")
    assert "calendar-auto-schedule" in dav


def test_a_calendar_takes_up_time_until_it_is_made_transparent(ann: Dialogue) -> None:
    """RFC 6638 section 9.1."""
    path, name = "calendars/user/ann/Default/", C("schedule-calendar-transp")

    def told() -> str:
        return str(ann.propfind(path, name).properties(f"/dav/{path}")[name][0].tag)

    def change(instruction: str) -> Answer:
        head = '<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
        return ann("PROPPATCH", path, f"{head}{instruction}</D:propertyupdate>")

    prop = "<D:prop><C:schedule-calendar-transp>{}</C:schedule-calendar-transp></D:prop>"
    assert told() == C("opaque")
    assert patched(change(f"<D:set>{prop.format('<C:transparent/>')}</D:set>"), name)
    assert told() == C("transparent")
    assert hrefs(ann, FREE_BUSY_SET) == []
    assert not patched(change(f"<D:set>{prop.format('<C:opaque/><C:transparent/>')}</D:set>"), name)
    assert patched(change(f"<D:remove>{prop.format('')}</D:remove>"), name)
    assert told() == C("opaque")


# -- the default calendar (RFC 6638 section 9.2) -------------------------------------------------------------------


def test_invitations_go_to_the_calendar_that_was_provided(ann: Dialogue) -> None:
    assert hrefs(ann, DEFAULT) == [HOME + "Default/"]


def test_another_one_can_be_chosen_and_moved(ann: Dialogue) -> None:
    assert ann("MKCALENDAR", "calendars/user/ann/other/").status == 201
    assert patched(set_hrefs(ann, INBOX, DEFAULT, HOME + "other"), DEFAULT)
    assert hrefs(ann, DEFAULT) == [HOME + "other/"]
    to = ann.destination("calendars/user/ann/renamed/")
    assert ann("MOVE", "calendars/user/ann/other/", destination=to).status == 201
    assert hrefs(ann, DEFAULT) == [HOME + "renamed/"]
    assert ann("DELETE", "calendars/user/ann/Default/").status == 204


def test_the_default_calendar_cannot_be_deleted(ann: Dialogue) -> None:
    """RFC 6638 section 4.3.1.1."""
    answer = ann("DELETE", "calendars/user/ann/Default/")
    assert answer.status == 403
    assert C("default-calendar-needed") in {each.tag for each in answer.xml.iter()}
    assert ann.propfind("calendars/user/ann/Default/", D("displayname")).status == 207


def test_a_default_calendar_that_is_not_there_is_any_other(ann: Dialogue) -> None:
    assert ann("MKCALENDAR", "calendars/user/ann/other/").status == 201
    assert patched(set_hrefs(ann, INBOX, DEFAULT, HOME + "other"), DEFAULT)
    assert ann("DELETE", "calendars/user/ann/Default/").status == 204
    assert patched(set_hrefs(ann, INBOX, DEFAULT, HOME + "other"), DEFAULT)
    assert hrefs(ann, DEFAULT) == [HOME + "other/"]


@pytest.mark.parametrize(
    "href",
    [
        HOME + "Tasks/",
        HOME + "Inbox/",
        HOME + "missing/",
        HOME,
        "/dav/calendars/user/bob/Default/",
        "http://elsewhere.example.com/dav/calendars/user/ann/Default/",
        "mailto:ann@example.com",
    ],
)
def test_the_default_is_a_calendar_for_events_of_the_same_home(ann: Dialogue, href: str) -> None:
    answer = set_hrefs(ann, INBOX, DEFAULT, href)
    assert not patched(answer, DEFAULT)
    assert hrefs(ann, DEFAULT) == [HOME + "Default/"]


def test_the_default_is_one_calendar(ann: Dialogue) -> None:
    assert not patched(set_hrefs(ann, INBOX, DEFAULT), DEFAULT)
    assert not patched(set_hrefs(ann, INBOX, DEFAULT, HOME + "Default/", HOME + "Default/"), DEFAULT)


# -- the older way to say which calendars are transparent ----------------------------------------------------------


def test_the_free_busy_set_is_the_opaque_calendars_for_events(ann: Dialogue) -> None:
    ann("MKCALENDAR", "calendars/user/ann/other/")
    assert hrefs(ann, FREE_BUSY_SET) == [HOME + "Default/", HOME + "other/"]
    assert patched(set_hrefs(ann, INBOX, FREE_BUSY_SET, HOME + "other/"), FREE_BUSY_SET)
    assert hrefs(ann, FREE_BUSY_SET) == [HOME + "other/"]
    assert not patched(set_hrefs(ann, INBOX, FREE_BUSY_SET, HOME + "other/", HOME + "missing/"), FREE_BUSY_SET)
    assert hrefs(ann, FREE_BUSY_SET) == [HOME + "other/"]


def test_the_free_busy_set_cannot_be_removed(ann: Dialogue) -> None:
    body = (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:remove><D:prop>'
        "<C:calendar-free-busy-set/></D:prop></D:remove></D:propertyupdate>"
    )
    assert not patched(ann("PROPPATCH", INBOX, body), FREE_BUSY_SET)
