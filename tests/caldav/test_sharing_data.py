"""Alarms and busy time in shared calendars are each person's own (caldav-sharing section 5.5.4)."""

from typing import Any

import pytest
from dialogue import Dialogue
from ics import event, ics
from sharers import ANN, BOB, WORK, accept, property_of, share, sync, token

from calserver.names import C, D

START = "DTSTART:20260105T090000Z"
DAY = "DTSTART;VALUE=DATE:20260105"


def alarm(minutes: int) -> tuple[str, ...]:
    return ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", f"TRIGGER:-PT{minutes}M", "END:VALARM")


@pytest.fixture
def shared(ann: Dialogue, bob: Dialogue) -> str:
    assert ann("MKCALENDAR", WORK).status == 201
    share(ann, "bob")
    return accept(bob)


@pytest.fixture
def third(ann: Dialogue, server: Dialogue, shared: str) -> tuple[Dialogue, str]:
    """Another sharee, who never sets anything."""
    share(ann, "root")
    root = server.by("root")
    return root, accept(root)


def put(who: Dialogue, path: str, body: bytes, **headers: str) -> Any:
    answer = who("PUT", path, body, content_type="text/calendar", **headers)
    assert answer.status in (201, 204), answer.body
    return answer


def lines(who: Dialogue, path: str) -> list[str]:
    answer = who("GET", path)
    assert answer.status == 200
    assert answer.headers["ETag"] == property_of(who, path, D("getetag")).text
    assert int(property_of(who, path, D("getcontentlength")).text) == len(answer.body)
    return answer.body.decode().split("\r\n")


def alarms(who: Dialogue, path: str) -> list[str]:
    return [line for line in lines(who, path) if line.startswith("TRIGGER")]


def test_the_alarms_of_the_owner_are_not_those_of_sharees(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    put(ann, WORK + "lunch.ics", event("1", START, *alarm(5)))
    assert alarms(ann, WORK + "lunch.ics") == ["TRIGGER:-PT5M"]
    assert alarms(bob, shared + "lunch.ics") == []
    assert bob("GET", shared + "lunch.ics").body == event("1", START)


def test_what_was_there_before_it_was_shared_has_no_alarms_either(ann: Dialogue, bob: Dialogue) -> None:
    assert ann("MKCALENDAR", WORK).status == 201
    for number in range(3):
        put(ann, f"{WORK}{number}.ics", event(str(number), START, *alarm(5)))
    share(ann, "bob")
    shared = accept(bob)
    assert [alarms(bob, f"{shared}{number}.ics") for number in range(3)] == [[], [], []]


def test_who_sets_alarms_gets_them_back_byte_by_byte_and_nobody_else(
    ann: Dialogue, bob: Dialogue, shared: str, third: tuple[Dialogue, str]
) -> None:
    put(ann, WORK + "lunch.ics", event("1", START, *alarm(5)))
    mine = event("1", START, *alarm(30))
    written = put(bob, shared + "lunch.ics", mine)
    assert bob("GET", shared + "lunch.ics").body == mine
    assert written.headers["ETag"] == bob("GET", shared + "lunch.ics").headers["ETag"]
    assert alarms(ann, WORK + "lunch.ics") == ["TRIGGER:-PT5M"]
    assert alarms(third[0], third[1] + "lunch.ics") == []


def test_what_one_changes_all_see_with_the_alarms_that_they_have(
    ann: Dialogue, bob: Dialogue, shared: str, third: tuple[Dialogue, str]
) -> None:
    put(ann, WORK + "lunch.ics", event("1", START, *alarm(5)))
    put(bob, shared + "lunch.ics", event("1", START, *alarm(30)))
    places = ((ann, WORK, ["TRIGGER:-PT5M"]), (bob, shared, ["TRIGGER:-PT30M"]), (*third, []))
    for who, path, _ in places:
        own = [each for each in lines(who, path + "lunch.ics") if each]
        changed = "\r\n".join(own).replace("SUMMARY:", f"COMMENT:{who.actor.uid}\r\nSUMMARY:", 1) + "\r\n"
        put(who, path + "lunch.ics", changed.encode())
        for other, there, wanted in places:
            assert f"COMMENT:{who.actor.uid}" in lines(other, there + "lunch.ics")
            assert alarms(other, there + "lunch.ics") == wanted


def test_what_a_sharee_makes_has_alarms_for_the_sharee_alone(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    mine = event("1", START, "TRANSP:TRANSPARENT", *alarm(30))
    put(bob, shared + "lunch.ics", mine)
    assert bob("GET", shared + "lunch.ics").body == mine
    assert alarms(ann, WORK + "lunch.ics") == []
    put(bob, shared + "plain.ics", event("2", START))
    assert ann("GET", WORK + "plain.ics").body == event("2", START)


def test_each_has_entity_tags_of_their_own(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    """RFC 9110 section 13: a condition is about what the client knows."""
    put(ann, WORK + "lunch.ics", event("1", START, *alarm(5)))
    tags = {
        who.actor.uid: property_of(who, path + "lunch.ics", D("getetag")).text
        for who, path in ((ann, WORK), (bob, shared))
    }
    assert tags["ann"] != tags["bob"]
    changed = event("1", START, *alarm(30))
    refused = bob("PUT", shared + "lunch.ics", changed, content_type="text/calendar", if_match=tags["ann"])
    assert refused.status == 412
    put(bob, shared + "lunch.ics", changed, if_match=tags["bob"])
    assert property_of(ann, WORK + "lunch.ics", D("getetag")).text == tags["ann"], "nothing of hers has changed"
    assert bob("GET", shared + "lunch.ics", if_none_match=tags["bob"]).status == 200


def test_every_way_to_read_tells_the_same(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    for number in range(3):
        put(ann, f"{WORK}{number}.ics", event(str(number), START, *alarm(5)))
    put(bob, shared + "1.ics", event("1", START, *alarm(30)))
    wanted = {f"/dav/{shared}{number}.ics": bob("GET", f"{shared}{number}.ics") for number in range(3)}

    def told(body: str, depth: str = "1") -> dict[str, tuple[str, str]]:
        answer = bob("REPORT", shared, body, depth=depth)
        found = {href: answer.properties(href) for href in answer.hrefs}
        return {href: (each[D("getetag")].text, each[C("calendar-data")].text) for href, each in found.items()}

    expected = {href: (each.headers["ETag"], each.body.decode().replace("\r\n", "\n")) for href, each in wanted.items()}
    namespaces = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
    prop = "<D:prop><D:getetag/><C:calendar-data/></D:prop>"
    window = '<C:time-range start="20260105T000000Z" end="20260106T000000Z"/>'
    for inner in (
        window,
        '<C:prop-filter name="UID"/>',
        '<C:comp-filter name="VALARM"><C:is-not-defined/></C:comp-filter>',
    ):
        query = (
            f'<C:calendar-query {namespaces}>{prop}<C:filter><C:comp-filter name="VCALENDAR">'
            f'<C:comp-filter name="VEVENT">{inner}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>'
        )
        found = told(query)
        if "VALARM" in inner:
            assert found == {href: each for href, each in expected.items() if "1.ics" not in href}
        else:
            assert found == expected
    hrefs = "".join(f"<D:href>{href}</D:href>" for href in expected)
    assert told(f"<C:calendar-multiget {namespaces}>{prop}{hrefs}</C:calendar-multiget>") == expected
    assert bob("GET", shared).body.count(b"TRIGGER:-PT30M") == 1
    assert b"TRIGGER:-PT5M" not in bob("GET", shared).body
    listed = bob.propfind(shared, D("getetag"), depth="1")
    tags = {href: listed.properties(href)[D("getetag")].text for href in expected}
    assert tags == {href: tag for href, (tag, _) in expected.items()}


def test_a_sync_report_tells_a_sharee_the_tags_that_the_sharee_gets(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    put(ann, WORK + "lunch.ics", event("1", START, *alarm(5)))
    before = token(sync(bob, shared))
    for who, path in ((bob, shared), (ann, WORK)):
        put(who, path + "lunch.ics", event("1", START, f"LOCATION:{path}", *alarm(30)))
        told = sync(bob, shared, before)
        href = f"/dav/{shared}lunch.ics"
        assert told.properties(href)[D("getetag")].text == bob("GET", shared + "lunch.ics").headers["ETag"]
        deep = sync(bob, BOB, level="infinite")
        assert deep.properties(href)[D("getetag")].text == bob("GET", shared + "lunch.ics").headers["ETag"]


def test_a_copy_has_what_the_sharee_sees(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    put(ann, WORK + "lunch.ics", event("1", START, *alarm(5)))
    assert bob("COPY", shared + "lunch.ics", destination=bob.destination(BOB + "Default/x.ics")).status == 201
    assert alarms(bob, BOB + "Default/x.ics") == []
    put(bob, BOB + "Default/y.ics", event("2", START, *alarm(30)))
    assert bob("MOVE", BOB + "Default/y.ics", destination=bob.destination(shared + "y.ics")).status == 201
    assert alarms(bob, shared + "y.ics") == ["TRIGGER:-PT30M"]
    assert alarms(ann, WORK + "y.ics") == []


def test_what_the_owner_moves_in_has_no_alarms_for_sharees(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    for name in ("copied", "moved"):
        put(ann, f"{ANN}Default/{name}.ics", event(name, START, *alarm(5)))
    assert ann("MOVE", ANN + "Default/moved.ics", destination=ann.destination(WORK + "moved.ics")).status == 201
    assert alarms(bob, shared + "moved.ics") == []
    assert alarms(ann, WORK + "moved.ics") == ["TRIGGER:-PT5M"]


def test_who_comes_back_finds_no_alarms_from_before(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    put(ann, WORK + "lunch.ics", event("1", START))
    put(bob, shared + "lunch.ics", event("1", START, *alarm(30)))
    assert bob("DELETE", shared).status == 204
    share(ann, "bob")
    assert alarms(bob, accept(bob) + "lunch.ics") == []


def test_an_alarm_of_one_instance_stays_with_it(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    series = ("RRULE:FREQ=DAILY;COUNT=5",)

    def whole(location: str, *inner: str) -> bytes:
        master = (
            "BEGIN:VEVENT",
            "UID:1",
            "DTSTAMP:20260101T000000Z",
            START,
            *series,
            f"LOCATION:{location}",
            "END:VEVENT",
        )
        override = (
            *("BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z", "RECURRENCE-ID:20260107T090000Z"),
            *("DTSTART:20260107T100000Z", f"LOCATION:{location}", *inner, "END:VEVENT"),
        )
        return ics(*master, *override)

    put(ann, WORK + "1.ics", whole("here"))
    put(bob, shared + "1.ics", whole("here", *alarm(30)))
    put(ann, WORK + "1.ics", whole("there"))
    assert bob("GET", shared + "1.ics").body == whole("there", *alarm(30))
    assert alarms(ann, WORK + "1.ics") == []


# -- busy time -----------------------------------------------------------------------------------------------------


def busy(who: Dialogue, path: str) -> list[str]:
    """The busy periods of a free-busy-query for the first week of 2026."""
    body = (
        '<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">'
        '<C:time-range start="20260105T000000Z" end="20260112T000000Z"/></C:free-busy-query>'
    )
    answer = who("REPORT", path, body, depth="1")
    assert answer.status == 200
    return [line.partition(":")[2] for line in answer.body.decode().split("\r\n") if line.startswith("FREEBUSY")]


NINE = "20260105T090000Z/20260105T100000Z"
ALL_DAY = "20260105T000000Z/20260106T000000Z"


def test_what_takes_up_time_is_up_to_each(
    ann: Dialogue, bob: Dialogue, shared: str, third: tuple[Dialogue, str]
) -> None:
    put(ann, WORK + "lunch.ics", event("1", START))
    assert busy(ann, WORK) == busy(bob, shared) == busy(*third) == [NINE]
    put(bob, shared + "lunch.ics", event("1", START, "TRANSP:TRANSPARENT"))
    assert (busy(ann, WORK), busy(bob, shared), busy(*third)) == ([NINE], [], [NINE])
    put(ann, WORK + "lunch.ics", event("1", START, "TRANSP:TRANSPARENT"))
    assert (busy(ann, WORK), busy(bob, shared), busy(*third)) == ([], [], [])
    put(bob, shared + "lunch.ics", event("1", START, "TRANSP:OPAQUE"))
    assert (busy(ann, WORK), busy(bob, shared), busy(*third)) == ([], [NINE], [])


def test_whole_days_of_others_take_up_no_time_until_one_says_so(
    ann: Dialogue, bob: Dialogue, shared: str, third: tuple[Dialogue, str]
) -> None:
    put(ann, WORK + "trip.ics", event("1", DAY))
    assert (busy(ann, WORK), busy(bob, shared), busy(*third)) == ([ALL_DAY], [], [])
    assert "TRANSP:TRANSPARENT" in lines(bob, shared + "trip.ics")
    put(bob, shared + "trip.ics", event("1", DAY, "TRANSP:OPAQUE"))
    assert (busy(ann, WORK), busy(bob, shared), busy(*third)) == ([ALL_DAY], [ALL_DAY], [])


def test_a_shared_calendar_counts_for_the_sharee_when_the_sharee_says_so(
    ann: Dialogue, bob: Dialogue, shared: str
) -> None:
    put(ann, WORK + "lunch.ics", event("1", START))
    assert busy(bob, BOB) == []
    body = (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
        "<C:schedule-calendar-transp><C:opaque/></C:schedule-calendar-transp></D:prop></D:set></D:propertyupdate>"
    )
    assert bob("PROPPATCH", shared, body).status == 207
    assert busy(bob, BOB) == [NINE]
