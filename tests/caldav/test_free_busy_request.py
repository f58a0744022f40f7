"""The free-busy request: POST on a scheduling Outbox (RFC 6638 section 5)."""

import json
from typing import Any

import attrs
import pytest
from dialogue import Answer, Dialogue
from ics import event, ics

from calserver import caldav, calendars, ical
from calserver.dav import Headers, Href, Request
from calserver.directory import accounts
from calserver.names import CALDAV, C, D
from calserver.store import Principal, Transaction
from calserver.store.statements import Connection

OUTBOX = "calendars/user/ann/Outbox/"
CALENDAR = "text/calendar; charset=utf-8"
ANN = "mailto:ann@example.com"
BOB = "mailto:bob@example.com"


def message(*attendees: str, organizer: str = ANN, lines: tuple[str, ...] = (), **replaced: str | None) -> bytes:
    """A request for a week; `replaced` are lines by the name of their property, None leaves one out."""
    known: dict[str, str | None] = {
        "UID": "UID:asked-1",
        "DTSTAMP": "DTSTAMP:20260101T000000Z",
        "DTSTART": "DTSTART:20260105T000000Z",
        "DTEND": "DTEND:20260112T000000Z",
        "ORGANIZER": f"ORGANIZER;CN=Ann:{organizer}",
        **replaced,
    }
    method = known.pop("METHOD", "METHOD:REQUEST")
    inside = (*(each for each in known.values() if each is not None), *(f"ATTENDEE:{each}" for each in attendees))
    head = () if method is None else (method,)
    return ics(*head, "BEGIN:VFREEBUSY", *inside, *lines, "END:VFREEBUSY")


def ask(who: Dialogue, body: bytes, path: str = OUTBOX, **headers: str) -> Answer:
    return who("POST", path, body, **{"content_type": CALENDAR, **headers})


def replies(answer: Answer) -> dict[str, tuple[str, ical.Component | None]]:
    """The status and the data of each recipient, in the order of the answer."""
    assert answer.status == 200, answer.body
    assert answer.xml.tag == C("schedule-response")
    found = {}
    for each in answer.xml:
        assert each.tag == C("response")
        data = each.findtext(C("calendar-data"))
        calendar = None if data is None else ical.parse(data)
        found[each.find(C("recipient")).findtext(D("href"))] = (each.findtext(C("request-status")), calendar)
    return found


def busy(answer: Answer, address: str) -> dict[str, str]:
    status, calendar = replies(answer)[address]
    assert status == "2.0;Success"
    assert calendar is not None
    return {each.param("FBTYPE", "BUSY") or "": each.value for each in calendar.components[0].all("FREEBUSY")}


def statuses(answer: Answer) -> list[str]:
    return [status.partition(";")[0] for status, _ in replies(answer).values()]


def put(who: Dialogue, path: str, content: bytes) -> None:
    assert who("PUT", path, content, content_type=CALENDAR).status == 201


@pytest.fixture(autouse=True)
def appointments(bob: Dialogue) -> None:
    put(bob, "calendars/user/bob/Default/1.ics", event("1", "DTSTART:20260105T090000Z"))


# -- answers -------------------------------------------------------------------------------------------------------


def test_each_attendee_has_an_answer(ann: Dialogue) -> None:
    """RFC 6638 section 10, RFC 5546 section 3.3.3."""
    answer = ask(ann, message(BOB, ANN, "mailto:nobody@example.com"))
    found = replies(answer)
    assert list(found) == [BOB, ANN, "mailto:nobody@example.com"]
    status, calendar = found[BOB]
    assert status == "2.0;Success"
    assert calendar is not None
    assert (calendar.value("METHOD"), calendar.value("VERSION")) == ("REPLY", "2.0")
    [component] = calendar.components
    assert component.name == "VFREEBUSY"
    told = {each.name: each for each in component.properties}
    assert (told["UID"].value, told["DTSTART"].value, told["DTEND"].value) == (
        *("asked-1", "20260105T000000Z"),
        "20260112T000000Z",
    )
    assert (told["ORGANIZER"].value, told["ORGANIZER"].param("CN")) == (ANN, "Ann")
    assert [each.value for each in component.all("ATTENDEE")] == [BOB]
    assert told["DTSTAMP"].value != "20260101T000000Z"
    assert told["FREEBUSY"].value == "20260105T090000Z/20260105T100000Z"
    assert busy(answer, ANN) == {}
    assert found["mailto:nobody@example.com"] == ("3.7;Invalid calendar user", None)


def test_what_is_answered_is_in_the_order_of_the_definition(ann: Dialogue) -> None:
    """RFC 6638 section 10.2."""
    first, second = ask(ann, message(BOB, "urn:uuid:1234")).xml
    assert [each.tag for each in first] == [C("recipient"), C("request-status"), C("calendar-data")]
    assert [each.tag for each in second] == [C("recipient"), C("request-status"), D("error")]
    assert second.find(D("error"))[0].tag == C("recipient-exists")


def test_jcal_is_answered_by_jcal(ann: Dialogue) -> None:
    """RFC 7265."""
    body = ical.to_jcal(ical.parse(message(BOB)))
    [data] = ask(ann, body, content_type="application/calendar+json").xml.iter(C("calendar-data"))
    assert data.get("content-type") == "application/calendar+json"
    name, _, [freebusy] = json.loads(data.text)
    assert (name, freebusy[0]) == ("vcalendar", "vfreebusy")
    [data] = ask(ann, body, content_type="application/calendar+json", accept="text/calendar").xml.iter(
        C("calendar-data")
    )
    assert data.text.startswith("BEGIN:VCALENDAR")


@pytest.mark.parametrize(
    "address",
    [
        "MAILTO:Bob@Example.COM",
        "mailto:bob%40example.com",
        "/dav/principals/user/bob/",
        "/dav/principals/user/bob",
        "http://dav.example.com/dav/principals/user/bob/",
        "http://dav.example.com/dav/principals/user/bob",
        "urn:uuid:{guid}",
        "URN:UUID:{GUID}",
    ],
)
def test_who_is_meant_may_be_spelled_in_any_way(ann: Dialogue, address: str) -> None:
    """RFC 6638 section 2.4.1; the recipient is called as the client did."""

    def guid(txn: Transaction) -> str:
        found = txn.principals.by_uid("user", "bob")
        assert found is not None
        return found.guid

    known = ann.store.read_now(guid)
    address = address.format(guid=known.lower(), GUID=known)
    assert busy(ask(ann, message(address)), address) == {"BUSY": "20260105T090000Z/20260105T100000Z"}


def test_an_address_is_answered_once(ann: Dialogue) -> None:
    assert statuses(ask(ann, message(BOB, BOB))) == ["2.0"]


def test_older_headers_are_taken_but_say_nothing(ann: Dialogue) -> None:
    answer = ask(ann, message(BOB), originator="mailto:root@example.com", recipient="mailto:nobody@example.com")
    assert list(replies(answer)) == [BOB]


def _nothing(txn: Transaction, principal: Principal) -> None:
    """Groups have no calendars."""


def test_who_cannot_be_asked(ann: Dialogue, root: Dialogue) -> None:
    """RFC 5546 section 3.6: nobody, no scheduling, elsewhere."""

    def more(txn: Transaction) -> None:
        accounts.create(txn, "team", kind="group", addresses=("team@example.com",), provision=_nothing)
        found = txn.principals.by_uid("location", "hall")
        assert found is not None
        txn.principals.update(attrs.evolve(found, scheduling=False, addresses=("mailto:hall@example.com",)))

    ann.store.write_now(more)
    asked = {
        "mailto:nobody@example.com": "3.7",
        "mailto:nothing": "3.7",
        "urn:uuid:1234-56789": "3.7",
        "/dav/principals/user/nobody/": "3.7",
        "http://dav.example.com/dav/principals/user/nobody/": "3.7",
        "mailto:somebody@elsewhere.example": "5.2",
        "https://elsewhere.example/principals/bob/": "5.2",
        "mailto:team@example.com": "5.3",
        "mailto:hall@example.com": "5.3",
        BOB: "2.0",
    }
    assert statuses(ask(ann, message(*asked))) == list(asked.values())


# -- what counts ---------------------------------------------------------------------------------------------------


def test_events_count_by_their_kind(ann: Dialogue, bob: Dialogue) -> None:
    """RFC 5545 section 3.2.9."""
    default = "calendars/user/bob/Default/"
    put(bob, default + "2.ics", event("2", "DTSTART:20260106T090000Z", "STATUS:TENTATIVE"))
    put(bob, default + "3.ics", event("3", "DTSTART:20260107T090000Z", "STATUS:CANCELLED"))
    put(bob, default + "4.ics", event("4", "DTSTART:20260108T090000Z", "TRANSP:TRANSPARENT"))
    put(bob, default + "5.ics", event("5", "DTSTART:20251209T120000Z", "RRULE:FREQ=WEEKLY"))
    put(bob, default + "6.ics", event("6", "DTSTART:20260109T090000Z", "X-MICROSOFT-CDO-BUSYSTATUS:OOF"))
    assert busy(ask(ann, message(BOB)), BOB) == {
        "BUSY": "20260105T090000Z/20260105T100000Z,20260106T120000Z/20260106T130000Z",
        "BUSY-TENTATIVE": "20260106T090000Z/20260106T100000Z",
        "BUSY-UNAVAILABLE": "20260109T090000Z/20260109T100000Z",
    }


def test_transparent_calendars_do_not_count(ann: Dialogue, bob: Dialogue) -> None:
    """RFC 6638 section 9.1."""
    patch = (
        f'<D:propertyupdate xmlns:D="DAV:" xmlns:C="{CALDAV}"><D:set><D:prop><C:schedule-calendar-transp>'
        "<C:transparent/></C:schedule-calendar-transp></D:prop></D:set></D:propertyupdate>"
    )
    bob("PROPPATCH", "calendars/user/bob/Default/", patch)
    bob("MKCALENDAR", "calendars/user/bob/other/")
    put(bob, "calendars/user/bob/other/1.ics", event("other", "DTSTART:20260106T090000Z"))
    assert busy(ask(ann, message(BOB)), BOB) == {"BUSY": "20260106T090000Z/20260106T100000Z"}


def test_availability_counts(ann: Dialogue, bob: Dialogue) -> None:
    """RFC 7953 section 5."""
    available = ics(
        *("BEGIN:VAVAILABILITY", "UID:v", "DTSTAMP:20260101T000000Z", "DTSTART:20260105T000000Z"),
        *("BEGIN:AVAILABLE", "UID:a", "DTSTAMP:20260101T000000Z", "DTSTART:20260105T080000Z"),
        *("DTEND:20260105T170000Z", "RRULE:FREQ=DAILY", "END:AVAILABLE", "END:VAVAILABILITY"),
    ).decode()
    patch = (
        f'<D:propertyupdate xmlns:D="DAV:" xmlns:C="{CALDAV}"><D:set><D:prop><C:calendar-availability>{available}'
        "</C:calendar-availability></D:prop></D:set></D:propertyupdate>"
    )
    assert b" 200 " in bob("PROPPATCH", "calendars/user/bob/Inbox/", patch).body
    answer = ask(ann, message(BOB, ANN, DTEND="DTEND:20260106T000000Z"))
    assert busy(answer, BOB) == {
        "BUSY": "20260105T090000Z/20260105T100000Z",
        "BUSY-UNAVAILABLE": "20260105T000000Z/20260105T080000Z,20260105T170000Z/20260106T000000Z",
    }
    assert busy(answer, ANN) == {}


def test_the_calendars_zone_places_whole_days(ann: Dialogue, bob: Dialogue) -> None:
    """RFC 4791 section 5.2.2: two people in two zones, in one request."""
    patch = (
        f'<D:propertyupdate xmlns:D="DAV:" xmlns:C="{CALDAV}"><D:set><D:prop><C:calendar-timezone-id>Europe/Berlin'
        "</C:calendar-timezone-id></D:prop></D:set></D:propertyupdate>"
    )
    bob("PROPPATCH", "calendars/user/bob/Default/", patch)
    put(bob, "calendars/user/bob/Default/2.ics", event("2", "DTSTART;VALUE=DATE:20260107"))
    put(ann, "calendars/user/ann/Default/2.ics", event("2", "DTSTART;VALUE=DATE:20260107"))
    answer = ask(ann, message(BOB, ANN))
    assert busy(answer, BOB)["BUSY"].endswith(",20260106T230000Z/20260107T230000Z")
    assert busy(answer, ANN) == {"BUSY": "20260107T000000Z/20260108T000000Z"}


def test_a_shared_calendar_counts_for_all_who_have_it(ann: Dialogue, bob: Dialogue) -> None:
    put(ann, "calendars/user/ann/Default/2.ics", event("2", "DTSTART:20260107T090000Z"))

    def share(txn: Transaction) -> None:
        ids = [txn.principals.by_address(each).id for each in (ANN, BOB)]  # type: ignore[union-attr]  # both are there
        homes = [txn.collections.home(each, "calendar-home") for each in ids]
        source = txn.collections.child(homes[0].id, "Default")  # type: ignore[union-attr]  # the same
        assert source is not None
        assert homes[1] is not None
        kind = calendars.SHARED_CALENDAR
        bound = txn.shares.bind(source, homes[1], "work", kind, access="read", properties={}, display_name=None)
        txn.collections.update(attrs.evolve(bound, transparent=False))

    ann.store.write_now(share)
    answer = ask(ann, message(BOB, ANN))
    assert busy(answer, ANN) == {"BUSY": "20260107T090000Z/20260107T100000Z"}
    assert busy(answer, BOB) == {"BUSY": "20260105T090000Z/20260105T100000Z,20260107T090000Z/20260107T100000Z"}


def test_a_meeting_that_is_moved_does_not_stand_in_its_own_way(ann: Dialogue) -> None:
    """X-CALENDARSERVER-MASK-UID: the event of the organizer, and the copies that attendees have of it."""
    people = (f"ORGANIZER:{ANN}", f"ATTENDEE:{ANN}", f"ATTENDEE:{BOB}")
    put(ann, "calendars/user/ann/Default/m.ics", event("meeting", "DTSTART:20260107T090000Z", *people))
    both = {ANN: {}, BOB: {"BUSY": "20260105T090000Z/20260105T100000Z"}}
    answer = ask(ann, message(ANN, BOB, lines=("X-CALENDARSERVER-MASK-UID:meeting",)))
    assert {each: busy(answer, each) for each in both} == both
    answer = ask(ann, message(ANN, BOB))
    assert all("20260107T090000Z" in busy(answer, each)["BUSY"] for each in both)


def test_events_of_others_cannot_be_masked(ann: Dialogue) -> None:
    answer = ask(ann, message(BOB, lines=("X-CALENDARSERVER-MASK-UID:1",)))
    assert busy(answer, BOB) == {"BUSY": "20260105T090000Z/20260105T100000Z"}


# -- who may ask ---------------------------------------------------------------------------------------------------


def acl(who: Dialogue, path: str, *aces: tuple[str, str, str]) -> None:
    inside = "".join(
        f"<D:ace><D:principal>{whom}</D:principal><D:{how}><D:privilege><C:{privilege}/></D:privilege></D:{how}></D:ace>"
        for whom, how, privilege in aces
    )
    answer = who("ACL", path, f'<D:acl xmlns:D="DAV:" xmlns:C="{CALDAV}">{inside}</D:acl>')
    assert answer.status == 200, answer.body


BOBS_HREF = "<D:href>/dav/principals/user/bob/</D:href>"


def test_the_outbox_of_others_is_closed(bob: Dialogue) -> None:
    """RFC 6638 section 6.2.4: the privilege is named."""
    answer = ask(bob, message(BOB))
    assert (answer.status, answer.error) == (403, D("need-privileges"))
    [resource] = answer.xml.iter(D("resource"))
    assert resource.findtext(D("href")) == f"/dav/{OUTBOX}"
    assert resource.find(D("privilege"))[0].tag == C("schedule-send-freebusy")


def test_who_holds_the_privilege_asks_for_the_owner(ann: Dialogue, bob: Dialogue) -> None:
    """RFC 6638 section 6.2.4; what matters at the recipients is who owns the Outbox."""
    acl(ann, OUTBOX, (BOBS_HREF, "grant", "schedule-send-freebusy"))
    assert statuses(ask(bob, message(BOB, ANN))) == ["2.0", "2.0"]
    acl(bob, "calendars/user/bob/Inbox/")
    assert statuses(ask(bob, message(BOB, ANN))) == ["3.8", "2.0"]


def test_the_inbox_says_who_may_ask(ann: Dialogue, bob: Dialogue, root: Dialogue) -> None:
    """RFC 6638 section 6.1.4."""
    acl(bob, "calendars/user/bob/Inbox/", ("<D:authenticated/>", "grant", "schedule-deliver-invite"))
    answer = ask(ann, message(BOB))
    assert replies(answer) == {BOB: ("3.8;No authority", None)}
    [error] = answer.xml.iter(D("error"))
    assert error[0].tag == C("recipient-permissions")
    acl(bob, "calendars/user/bob/Inbox/", ("<D:authenticated/>", "grant", "schedule-query-freebusy"))
    assert statuses(ask(ann, message(BOB))) == ["2.0"]


def test_a_calendar_that_keeps_its_busy_time_is_left_out(ann: Dialogue, bob: Dialogue) -> None:
    """RFC 6638 section 9.1: access privileges must allow it."""
    acl(bob, "calendars/user/bob/Default/")
    assert busy(ask(ann, message(BOB)), BOB) == {}
    assert busy(ask(bob, message(BOB, organizer=BOB), "calendars/user/bob/Outbox/"), BOB) != {}


def test_nobody_in_particular_must_authenticate(server: Dialogue) -> None:
    assert ask(server, message(BOB)).status == 401


# -- what is refused -----------------------------------------------------------------------------------------------


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.error.removeprefix(f"{{{CALDAV}}}")


MANY = [f"mailto:a{number}@example.com" for number in range(30)]
INVITATION = event("1", "DTSTART:20260105T090000Z").replace(b"BEGIN:VEVENT", b"METHOD:REQUEST\r\nBEGIN:VEVENT")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(message(BOB, METHOD=None), id="no method"),
        pytest.param(message(BOB, METHOD="METHOD:REPLY"), id="another method"),
        pytest.param(message(), id="no attendee"),
        pytest.param(message(BOB, UID=None), id="no uid"),
        pytest.param(message(BOB, DTSTAMP=None), id="no stamp"),
        pytest.param(message(BOB, DTSTART=None), id="no start"),
        pytest.param(message(BOB, DTEND=None), id="no end"),
        pytest.param(message(BOB, ORGANIZER=None), id="no organizer"),
        pytest.param(message(BOB, lines=("FREEBUSY:20260105T090000Z/PT1H",)), id="an answer already"),
        pytest.param(message(*MANY, DTEND="DTEND:20400101T000000Z"), id="too much"),
        pytest.param(message(BOB, lines=("END:VFREEBUSY", "BEGIN:VFREEBUSY", "UID:2")), id="two components"),
        pytest.param(INVITATION, id="an invitation"),
    ],
)
def test_it_must_be_a_free_busy_request(ann: Dialogue, body: bytes) -> None:
    """RFC 6638 section 5: valid-scheduling-message; RFC 5546 section 3.3.2."""
    assert refused(ask(ann, body)) == (400, "valid-scheduling-message")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<x/>", CALENDAR),
        (b"", CALENDAR),
        (b"[]", "application/calendar+json"),
        (message(BOB).replace(b"CN=Ann", b"CN=\xe4"), CALENDAR),
        (message(BOB, DTSTART="DTSTART:20260105T000000"), CALENDAR),
        (message(BOB, DTSTART="DTSTART;VALUE=DATE:20260105", DTEND="DTEND;VALUE=DATE:20260106"), CALENDAR),
        (message(BOB, DTEND="DTEND:20260104T000000Z"), CALENDAR),
    ],
)
def test_the_data_must_be_valid(ann: Dialogue, body: bytes, content_type: str) -> None:
    """RFC 6638 section 5: valid-calendar-data; RFC 5545 sections 3.8.2.2 and 3.8.2.4."""
    assert refused(ask(ann, body, content_type=content_type)) == (403, "valid-calendar-data")


def test_the_media_type_must_be_known(ann: Dialogue) -> None:
    assert refused(ask(ann, b"<x/>", content_type="text/xml")) == (403, "supported-calendar-data")


@pytest.mark.parametrize(
    "organizer",
    [
        BOB,
        "mailto:nobody@example.com",
        "urn:uuid:bogus",
        "mailto:somebody@elsewhere.example",
        "/dav/principals/user/bob/",
    ],
)
def test_the_organizer_owns_the_outbox(ann: Dialogue, root: Dialogue, organizer: str) -> None:
    """RFC 6638 section 5: valid-organizer; also where an administrator asks."""
    assert refused(ask(ann, message(BOB, organizer=organizer))) == (403, "valid-organizer")
    assert refused(ask(root, message(BOB, organizer=organizer))) == (403, "valid-organizer")


def test_the_organizer_may_be_spelled_in_any_way(ann: Dialogue) -> None:
    for each in (
        "MAILTO:ANN@example.com",
        "/dav/principals/user/ann",
        "http://dav.example.com/dav/principals/user/ann/",
    ):
        assert statuses(ask(ann, message(BOB, organizer=each))) == ["2.0"]


def test_messages_are_as_large_as_the_outbox_says(ann: Dialogue) -> None:
    most = int(ann.propfind(OUTBOX, C("max-resource-size")).properties(f"/dav/{OUTBOX}")[C("max-resource-size")].text)
    body = message(BOB, lines=("X-FILL:" + "x" * most,))
    assert refused(ask(ann, body)) == (403, "max-resource-size")


def test_as_many_attendees_as_the_outbox_says(ann: Dialogue) -> None:
    name = C("max-attendees-per-instance")
    most = int(ann.propfind(OUTBOX, name).properties(f"/dav/{OUTBOX}")[name].text)
    people = [f"mailto:a{number}@example.com" for number in range(most + 1)]
    assert refused(ask(ann, message(*people))) == (403, "max-attendees-per-instance")
    assert len(statuses(ask(ann, message(*people[:most])))) == most


def test_the_inbox_sends_nothing(ann: Dialogue) -> None:
    """RFC 6638 section 5: supported-collection."""
    assert refused(ask(ann, message(BOB), "calendars/user/ann/Inbox/")) == (403, "supported-collection")


def test_it_never_waits_for_who_writes(ann: Dialogue) -> None:
    """Other requests by POST write: what is asked is told by the path, before the transaction."""

    def writes(path: str) -> bool:
        return ann.spoken.writes(
            Request(method="POST", href=Href.parse(path), headers=Headers(), body=b"", actor=ann.actor)
        )

    assert not writes(OUTBOX)
    assert not writes(OUTBOX.rstrip("/"))
    assert writes("calendars/user/ann/Default/")
    assert writes("drive/user/ann/Outbox/")
    assert writes(f"{OUTBOX};add-member")


def test_nothing_stays_in_the_outbox(ann: Dialogue) -> None:
    ask(ann, message(BOB))
    assert ann.propfind(OUTBOX, D("getetag"), depth="1").hrefs == [f"/dav/{OUTBOX}"]


# -- Inbox and Outbox ----------------------------------------------------------------------------------------------

EVENTS = (
    f'<C:calendar-query xmlns:C="{CALDAV}" xmlns:D="DAV:"><D:prop><D:getetag/></D:prop><C:filter>'
    '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/></C:comp-filter></C:filter></C:calendar-query>'
)
MULTIGET = (
    f'<C:calendar-multiget xmlns:C="{CALDAV}" xmlns:D="DAV:"><D:prop><D:getetag/></D:prop>{{}}</C:calendar-multiget>'
)
FREE_BUSY = (
    f'<C:free-busy-query xmlns:C="{CALDAV}"><C:time-range start="20260105T000000Z" end="20260106T000000Z"/>'
    "</C:free-busy-query>"
)
SYNC = '<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>'


@pytest.mark.parametrize("name", ["Inbox", "Outbox"])
def test_both_can_be_searched_but_not_for_busy_time(ann: Dialogue, name: str) -> None:
    """RFC 6638 section 2.3."""
    path = f"calendars/user/ann/{name}/"
    assert ann("REPORT", path, EVENTS, depth="1").status == 207
    href = f"<D:href>/dav/{path}missing.ics</D:href>"
    assert ann("REPORT", path, MULTIGET.format(href)).statuses == {f"/dav/{path}missing.ics": 404}
    assert ann("REPORT", path, SYNC).status == 207
    answer = ann("REPORT", path, FREE_BUSY)
    assert (answer.status, answer.error) == (403, D("supported-report"))


def test_both_say_which_components_messages_have(ann: Dialogue) -> None:
    """RFC 6638 sections 2.1 and 2.2."""

    def told(name: str) -> set[Any]:
        path, prop = f"calendars/user/ann/{name}/", C("supported-calendar-component-set")
        return {each.get("name") for each in ann.propfind(path, prop).properties(f"/dav/{path}")[prop]}

    assert told("Inbox") == {"VEVENT", "VTODO"}
    assert told("Outbox") == {"VFREEBUSY"}


def test_many_attendees_cost_as_many_queries_as_one(ann: Dialogue, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    run = Connection._run

    def counted(self: Any, *arguments: Any) -> Any:
        nonlocal count
        count += 1
        return run(self, *arguments)

    monkeypatch.setattr(Connection, "_run", counted)
    ask(ann, message(BOB))  # the way to the Outbox is remembered from then on
    used = []
    for people in ((BOB,), (BOB, ANN, "mailto:root@example.com", "mailto:nobody@example.com")):
        count = 0
        assert ask(ann, message(*people)).status == 200
        used.append(count)
    assert used[0] == used[1] <= 8


def test_the_conditions_are_declared() -> None:
    names = {each.name for each in caldav.rfc6638.conditions}
    assert {C("supported-collection"), C("valid-organizer"), C("valid-scheduling-message")} <= names
