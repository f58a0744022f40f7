"""Organizers and attendees: what one does, and what the other has then (RFC 6638 sections 3.2 and 4)."""

from collections.abc import Callable

import attrs
import pytest
from office import START, Office, mail, meeting, people, text, vevent

from calserver import meetings
from calserver.calendars import CALENDAR_HOME
from calserver.config import Scheduling
from calserver.dav import Ace
from calserver.itip import Message
from calserver.names import C, D
from calserver.store import Transaction


def test_an_invitation_reaches_calendar_and_inbox(office: Office) -> None:
    """Section 4.1."""
    office.invite("m", "ann", "bob", "cyd")
    for who in ("bob", "cyd"):
        assert office.answer(who, "m", who) == "NEEDS-ACTION"
        assert office.inbox(who, "m") == ["REQUEST"]
        assert office.status("ann", "m", who) == "1.2"
        assert office.path(who, "m").startswith(f"calendars/user/{who}/Default/")
        assert office.tag(who, "m") is not None
    assert office.inbox("ann", "m") == []


def test_the_answer_to_a_put_tells_its_schedule_tag_and_no_etag(office: Office) -> None:
    """Section 3.2.10: the stored object differs from what was sent."""
    answer = office.put("ann", meeting("m", "ann", "bob"))
    assert answer.headers["Schedule-Tag"] == f'"{office.tag("ann", "m")}"'
    assert "ETag" not in answer.headers
    found = office.by("ann").propfind("calendars/user/ann/Default/m.ics", C("schedule-tag"))
    assert (
        found.properties("/dav/calendars/user/ann/Default/m.ics")[C("schedule-tag")].text
        == answer.headers["Schedule-Tag"]
    )


@pytest.mark.parametrize("first", [("bob",), ("bob", "cyd"), ("dan",)])
def test_what_is_made_again_reaches_who_is_invited_later(office: Office, first: tuple[str, ...]) -> None:
    """Under the UID of a meeting that was removed; whoever was invited to that knows a later revision of it."""
    office.invite("m", "ann", "cyd")
    office.replies("cyd", "m", "ACCEPTED")
    assert office.by("ann")("DELETE", office.path("ann", "m")).status == 204
    office.invite("m", "ann", *first)
    office.replies(first[0], "m", "ACCEPTED")
    office.invite("m", "ann", *{*first, "cyd"})
    copy = office.copy("cyd", "m")
    assert copy is not None
    assert copy.components[0].value("STATUS") is None
    assert office.answer("cyd", "m", "cyd") == "NEEDS-ACTION"
    assert office.answer("ann", "m", first[0]) == office.answer(first[0], "m", first[0])
    office.replies("cyd", "m", "TENTATIVE")
    assert office.answer("ann", "m", "cyd") == "TENTATIVE"


def test_what_is_no_meeting_has_no_schedule_tag(office: Office) -> None:
    answer = office.put("ann", text(vevent("m")))
    assert "Schedule-Tag" not in answer.headers
    assert "ETag" in answer.headers


def test_an_answer_reaches_the_organizer(office: Office) -> None:
    """Section 4.2."""
    office.invite("m", "ann", "bob", "cyd")
    assert office.replies("bob", "m", "ACCEPTED").status == 204
    assert office.answer("ann", "m", "bob") == "ACCEPTED"
    assert office.status("ann", "m", "bob") == "2.0"
    assert office.inbox("ann", "m") == ["REPLY"]
    found = office.copy("bob", "m")
    assert found is not None
    assert b"SCHEDULE-STATUS=1.2:mailto:ann" in found.text.replace(b"\r\n ", b"")


def test_others_learn_of_answers_soon_and_once(office: Office) -> None:
    """Section 4.2: their Schedule-Tags stay, and nothing is put into their Inboxes (section 3.2.10)."""
    office.invite("m", "ann", "bob", "cyd", "dan")
    tags = {who: office.tag(who, "m") for who in ("ann", "dan")}
    office.replies("bob", "m", "ACCEPTED")
    office.replies("cyd", "m", "DECLINED")
    assert office.answer("dan", "m", "bob") == "NEEDS-ACTION"
    assert office.work() == 1
    assert (office.answer("dan", "m", "bob"), office.answer("dan", "m", "cyd")) == ("ACCEPTED", "DECLINED")
    assert {who: office.tag(who, "m") for who in tags} == tags
    assert office.inbox("dan", "m") == ["REQUEST"]
    assert office.work() == 0


def test_nobody_is_told_of_answers_where_too_many_would_be(office_with: Callable[..., Office]) -> None:
    office = office_with(refresh_attendees=2)
    office.invite("m", "ann", "bob", "cyd", "dan")
    office.replies("bob", "m", "ACCEPTED")
    assert office.work() == 0
    assert office.answer("ann", "m", "bob") == "ACCEPTED"


def test_a_change_asks_anew(office: Office) -> None:
    """RFC 5546 section 2.1.4."""
    office.invite("m", "ann", "bob")
    office.replies("bob", "m", "ACCEPTED")
    tag = office.tag("bob", "m")
    office.invite("m", "ann", "bob", lines=("DTSTART:20990106T090000Z",))
    assert office.answer("bob", "m", "bob") == "NEEDS-ACTION"
    assert office.tag("bob", "m") != tag
    assert office.inbox("bob", "m") == ["REQUEST", "REQUEST"]


def test_who_is_not_invited_any_more_sees_it_cancelled(office: Office) -> None:
    """Section 3.2.1.2."""
    office.invite("m", "ann", "bob", "cyd")
    office.invite("m", "ann", "cyd")
    found = office.copy("bob", "m")
    assert found is not None
    assert found.components[0].value("STATUS") == "CANCELLED"
    assert office.inbox("bob", "m") == ["CANCEL", "REQUEST"]
    assert office.inbox("cyd", "m") == ["REQUEST", "REQUEST"]


def test_a_meeting_that_is_removed_is_cancelled(office: Office) -> None:
    """Section 3.2.1.3."""
    office.invite("m", "ann", "bob")
    assert office.by("ann")("DELETE", "calendars/user/ann/Default/m.ics").status == 204
    found = office.copy("bob", "m")
    assert found is not None
    assert found.components[0].value("STATUS") == "CANCELLED"


def test_a_meeting_that_is_made_again_is_there_again(office: Office) -> None:
    """A client takes the removal back: it sends what it had, which is older than the cancellation."""
    office.invite("m", "ann", "bob")
    office.by("ann")("DELETE", "calendars/user/ann/Default/m.ics")
    office.invite("m", "ann", "bob")
    found = office.copy("bob", "m")
    assert found is not None
    assert found.components[0].value("STATUS") is None


def test_who_removes_an_invitation_declines(office: Office) -> None:
    """Section 3.2.2.4."""
    office.invite("m", "ann", "bob")
    assert office.by("bob")("DELETE", office.path("bob", "m")).status == 204
    assert office.answer("ann", "m", "bob") == "DECLINED"


def test_who_has_declined_and_removed_it_is_left_in_peace(office: Office) -> None:
    """Until asked anew."""
    office.invite("m", "ann", "bob", "cyd")
    office.by("bob")("DELETE", office.path("bob", "m"))
    office.replies("cyd", "m", "ACCEPTED")
    office.work()
    assert office.copy("bob", "m") is None
    office.invite("m", "ann", "bob", "cyd", lines=("DTSTART:20990107T090000Z",))
    assert office.answer("bob", "m", "bob") == "NEEDS-ACTION"


def test_without_a_reply_nobody_is_told(office: Office) -> None:
    """Schedule-Reply: F (section 8.1)."""
    office.invite("m", "ann", "bob")
    assert office.by("bob")("DELETE", office.path("bob", "m"), schedule_reply="F").status == 204
    assert office.answer("ann", "m", "bob") == "NEEDS-ACTION"
    assert office.inbox("ann", "m") == []


def test_a_meeting_whose_organizer_cannot_be_told_stays(office: Office) -> None:
    """Section 3.2.2.4: and says why."""
    office.put("bob", text(vevent("m", *people("mailto:eve@elsewhere.example", "bob")[:1], f"ATTENDEE:{mail('bob')}")))
    path = office.path("bob", "m")
    answer = office.by("bob")("DELETE", path)
    assert answer.status == 403
    assert b"Schedule-Reply: F" in answer.body
    found = office.copy("bob", "m")
    assert found is not None
    assert b"SCHEDULE-STATUS=5.2" in found.text
    assert office.by("bob")("DELETE", path, schedule_reply="F").status == 204


@pytest.mark.parametrize(
    ("who", "status"),
    [("nobody@example.com", "3.7"), ("eve@elsewhere.example", "5.2"), ("urn:uuid:0", "3.7"), ("team", "2.7")],
)
def test_what_cannot_be_delivered_says_why(office: Office, who: str, status: str) -> None:
    """Section 3.2.9."""
    address = who if who.startswith("urn:") else f"mailto:{who}" if "@" in who else mail(who)
    office.put("ann", text(vevent("m", f"ORGANIZER:{mail('ann')}", f"ATTENDEE:{address}", f"ATTENDEE:{mail('bob')}")))
    assert office.status("ann", "m", address) == status
    assert office.status("ann", "m", "bob") == "1.2"


def test_who_does_not_take_part_in_scheduling_gets_nothing(office: Office) -> None:
    def leave(txn: Transaction) -> None:
        txn.principals.update(attrs.evolve(office.principal(txn, "bob"), scheduling=False))

    office.write(leave)
    office.invite("m", "ann", "bob")
    assert office.status("ann", "m", "bob") == "5.3"
    assert office.copy("bob", "m") is None


def test_the_privileges_of_the_inbox_decide(office: Office) -> None:
    """Section 4: not those of the calendars."""

    def close(txn: Transaction) -> None:
        bob, ann = office.principal(txn, "bob"), office.principal(txn, "ann")
        home = txn.collections.home(bob.id, "calendar-home")
        assert home is not None
        inbox = txn.collections.child(home.id, "Inbox")
        assert inbox is not None
        denied = Ace(ann.id, frozenset({C("schedule-deliver-invite")}), deny=True)
        txn.collections.set_acl(inbox.id, (denied, Ace("authenticated", frozenset({C("schedule-deliver")}))))

    office.write(close)
    office.invite("m", "ann", "bob")
    assert office.status("ann", "m", "bob") == "3.8"
    assert office.copy("bob", "m") is None
    office.invite("n", "cyd", "bob")
    assert office.status("cyd", "n", "bob") == "1.2"


def test_the_uid_of_a_private_event_gives_nobody_power_over_it(office: Office) -> None:
    """Section 15: matched by UID and organizer."""
    office.put("bob", text(vevent("m", "SUMMARY:Private")))
    office.invite("m", "ann", "bob")
    assert office.status("ann", "m", "bob") == "3.8"
    found = office.copy("bob", "m")
    assert found is not None
    assert found.organizer is None
    office.by("ann")("DELETE", "calendars/user/ann/Default/m.ics")
    assert office.copy("bob", "m") == found


def test_nobody_takes_a_meeting_over(office: Office) -> None:
    office.invite("m", "ann", "bob")
    before = office.copy("bob", "m")
    office.invite("m", "cyd", "bob")
    assert office.status("cyd", "m", "bob") == "3.8"
    assert office.copy("bob", "m") == before


def test_an_invitation_that_nobody_sent_is_refused(office: Office) -> None:
    """An organizer who is here has its meetings here."""
    answer = office.put("bob", meeting("m", "ann", "bob"))
    assert (answer.status, answer.error) == (403, C("allowed-attendee-scheduling-object-change"))
    assert office.copy("bob", "m") is None


def test_attendees_change_nothing_but_what_is_theirs(office: Office) -> None:
    """Section 3.2.2.1."""
    office.invite("m", "ann", "bob")
    found = office.copy("bob", "m")
    assert found is not None
    changed = found.text.replace(b"DTSTART:20990105", b"DTSTART:20990106")
    answer = office.by("bob")("PUT", office.path("bob", "m"), changed, content_type="text/calendar")
    assert (answer.status, answer.error) == (403, C("allowed-attendee-scheduling-object-change"))
    assert office.copy("bob", "m") == found


def test_people_are_known_by_any_of_their_addresses(office: Office) -> None:
    """Section 2.4.1."""
    guid = office.store.read_now(lambda txn: office.principal(txn, "bob").guid)
    for number, address in enumerate((f"urn:uuid:{guid}", "/dav/principals/user/bob/", "MAILTO:Bob@Example.COM")):
        uid = f"m{number}"
        office.put("ann", text(vevent(uid, f"ORGANIZER:{mail('ann')}", f"ATTENDEE:{address}")), f"{uid}.ics")
        assert office.inbox("bob", uid) == ["REQUEST"]
        found = office.copy("bob", uid)
        assert found is not None
        other = found.text.replace(address.encode(), mail("bob").encode()).replace(
            b"ATTENDEE", b"ATTENDEE;PARTSTAT=ACCEPTED"
        )
        assert office.by("bob")("PUT", office.path("bob", uid), other, content_type="text/calendar").status == 204
        assert office.inbox("ann", uid) == ["REPLY"]


def test_a_merge_keeps_answers(office: Office) -> None:
    """If-Schedule-Tag-Match: the organizer's client need not know of the answer (section 3.2.10)."""
    office.invite("m", "ann", "bob")
    tag = office.tag("ann", "m")
    office.replies("bob", "m", "ACCEPTED")
    assert office.tag("ann", "m") == tag
    changed = meeting("m", "ann", "bob", lines=("SUMMARY:New",))
    answer = office.put("ann", changed, if_schedule_tag_match=f'"{tag}"')
    assert answer.status == 204
    assert office.answer("ann", "m", "bob") == "ACCEPTED"
    assert office.put("ann", changed, if_schedule_tag_match=f'"{tag}"').status == 412


def test_what_was_over_long_ago_is_changed_for_everybody_here(office: Office) -> None:
    """RFC 6638 sections 3.2.1.2 and 3.2.1.3 know no past."""
    old = "DTSTART:20200105T090000Z"
    office.invite("m", "ann", "bob", lines=(old,))
    office.invite("m", "ann", "bob", lines=(old, "SUMMARY:Other"))
    stored = office.copy("bob", "m")
    assert stored is not None
    assert stored.components[0].value("SUMMARY") == "Other"
    office.by("ann")("DELETE", "calendars/user/ann/Default/m.ics")
    assert sorted(office.inbox("bob", "m")) == ["CANCEL", "REQUEST", "REQUEST"]


def test_delegates_send_only_where_they_may(office: Office) -> None:
    """Section 6.2: the privileges of the Outbox."""

    def allow(txn: Transaction) -> None:
        ann, bob = office.principal(txn, "ann"), office.principal(txn, "bob")
        home = txn.collections.home(ann.id, "calendar-home")
        assert home is not None
        default = txn.collections.child(home.id, "Default")
        assert default is not None
        txn.collections.set_acl(default.id, (Ace(bob.id, frozenset({D("all")})),))

    office.write(allow)
    path = "calendars/user/ann/Default/m.ics"
    answer = office.by("bob")("PUT", path, meeting("m", "ann", "cyd"), content_type="text/calendar")
    assert (answer.status, answer.error) == (403, D("need-privileges"))
    assert b"/dav/calendars/user/ann/Outbox/" in answer.body
    assert b"schedule-send-invite" in answer.body
    assert office.copy("cyd", "m") is None
    office.write(
        lambda txn: txn.principals.set_delegates(
            office.principal(txn, "ann").id, "write", [office.principal(txn, "bob").id]
        )
    )
    answer = office.by("bob")("PUT", path, meeting("m", "ann", "cyd"), content_type="text/calendar")
    assert answer.status == 201
    assert office.inbox("cyd", "m") == ["REQUEST"]


def test_instances_reach_whom_they_concern(office: Office) -> None:
    """Section 3.2.6: an attendee of one instance sees that one."""
    series = vevent("m", *people("ann", "bob"), "RRULE:FREQ=DAILY;COUNT=3")
    one = vevent("m", *people("ann", "bob", "cyd"), "RECURRENCE-ID:20990106T090000Z", "DTSTART:20990106T100000Z")
    assert office.put("ann", text(series, one)).status == 201
    found = office.copy("cyd", "m")
    assert found is not None
    assert [each.value("RECURRENCE-ID") for each in found.components] == ["20990106T090000Z"]
    assert office.answer("bob", "m", "cyd", "20990106T090000Z") == "NEEDS-ACTION"
    office.replies("cyd", "m", "ACCEPTED")
    assert office.answer("ann", "m", "cyd", "20990106T090000Z") == "ACCEPTED"


def test_a_calendar_that_goes_cancels_what_is_in_it(office: Office) -> None:
    """Section 3.2.3.4."""
    ann = office.by("ann")
    ann("MKCALENDAR", "calendars/user/ann/Work/")
    office.put("ann", meeting("m", "ann", "bob"), place="Work")
    assert ann("DELETE", "calendars/user/ann/Work/").status == 204
    assert office.inbox("bob", "m") == ["CANCEL", "REQUEST"]


@pytest.mark.parametrize(
    ("method", "to", "told"),
    [
        ("MOVE", "calendars/user/ann/Work/m.ics", ["REQUEST"]),
        ("MOVE", "calendars/user/ann/files/m.ics", ["CANCEL", "REQUEST"]),
        ("COPY", "calendars/user/ann/files/m.ics", ["REQUEST"]),
    ],
)
def test_moving_a_meeting(office: Office, method: str, to: str, told: list[str]) -> None:
    """Sections 3.2.3.2 and 3.2.3.3."""
    ann = office.by("ann")
    ann("MKCALENDAR", "calendars/user/ann/Work/")
    ann("MKCOL", "calendars/user/ann/files/")
    office.invite("m", "ann", "bob")
    answer = ann(method, "calendars/user/ann/Default/m.ics", destination=ann.destination(to))
    assert answer.status == 201
    assert ("Schedule-Tag" in answer.headers) == to.startswith("calendars/user/ann/Work/")
    assert office.inbox("bob", "m") == told


def test_a_file_becomes_a_meeting_where_it_is_put_into_a_calendar(office: Office) -> None:
    ann = office.by("ann")
    ann("MKCOL", "calendars/user/ann/files/")
    ann("PUT", "calendars/user/ann/files/m.ics", meeting("m", "ann", "bob"), content_type="text/calendar")
    assert office.inbox("bob", "m") == []
    to = ann.destination("calendars/user/ann/Default/m.ics")
    assert ann("COPY", "calendars/user/ann/files/m.ics", destination=to).status == 201
    assert office.inbox("bob", "m") == ["REQUEST"]


def test_a_meeting_of_nobody_ends(office: Office) -> None:
    """Section 3.2.3.1: a scheduling object becomes an ordinary one."""
    office.invite("m", "ann", "bob")
    assert office.put("ann", text(vevent("m"))).status == 204
    assert office.inbox("bob", "m") == ["CANCEL", "REQUEST"]
    assert office.tag("ann", "m") is None


def test_a_task_is_assigned_too(office: Office) -> None:
    """VTODO: it goes to the calendar for tasks."""
    todo = [
        "BEGIN:VTODO",
        "UID:t",
        "DTSTAMP:20260101T000000Z",
        "DUE:20990105T090000Z",
        *people("ann", "bob"),
        "END:VTODO",
    ]
    assert office.put("ann", text(todo), "t.ics", "Tasks").status == 201
    assert office.path("bob", "t").startswith("calendars/user/bob/Tasks/")
    assert office.inbox("bob", "t") == ["REQUEST"]


def test_an_inbox_is_searched_by_time(office: Office) -> None:
    office.invite("m", "ann", "bob")
    inside = f'<C:time-range start="{START[8:]}" end="20990106T000000Z"/>'
    query = (
        '<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/></D:prop>'
        f'<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{inside}'
        "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    )
    assert len(office.by("bob")("REPORT", "calendars/user/bob/Inbox/", query, depth="1").hrefs) == 1
    later = query.replace(START[8:], "20990107T000000Z").replace("20990106T", "20990108T")
    assert office.by("bob")("REPORT", "calendars/user/bob/Inbox/", later, depth="1").hrefs == []


def test_what_lies_in_an_inbox_is_not_busy_time(office: Office) -> None:
    office.invite("m", "ann", "bob")
    office.by("bob")("DELETE", office.path("bob", "m"))
    window = '<C:time-range start="20990101T000000Z" end="20990201T000000Z"/>'
    query = f'<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">{window}</C:free-busy-query>'
    answer = office.by("bob")("REPORT", "calendars/user/bob/", query, depth="1")
    assert b"FREEBUSY:" not in answer.body.replace(b"BEGIN:VFREEBUSY", b"").replace(b"END:VFREEBUSY", b"")


def test_an_organizer_may_be_called_by_any_address_of_the_same_person(office: Office) -> None:
    """What an attendee has stored by hand of a meeting becomes the invitation that comes later."""
    guid = office.store.read_now(lambda txn: office.principal(txn, "ann").guid)
    urn = f"urn:uuid:{guid}"
    mine = text(vevent("m", f"ORGANIZER:{mail('ann')}", f"ATTENDEE:{mail('ann')}", "SUMMARY:by hand"))
    assert office.put("bob", mine).status == 201
    theirs = text(vevent("m", f"ORGANIZER:{urn}", f"ATTENDEE:{urn}", f"ATTENDEE:{mail('bob')}", "SUMMARY:invited"))
    assert office.put("ann", theirs).status == 201
    assert office.status("ann", "m", "bob") == "1.2"
    copy = office.copy("bob", "m")
    assert copy is not None
    assert b"SUMMARY:invited" in copy.text
    assert office.inbox("bob", "m") == ["REQUEST"]


# -- from elsewhere ------------------------------------------------------------------------------------------------


def test_an_invitation_that_comes_again_changes_nothing(office: Office) -> None:
    zoe = "mailto:zoe@there.example"
    invitation = meeting("m", zoe, "bob").replace(b"VERSION", b"METHOD:REQUEST\r\nVERSION")
    message = Message.parse(invitation, zoe, (mail("bob"),))
    policy = meetings.Policy(calendars=office.server.settings.calendars, scheduling=Scheduling(), prefix="/dav/")

    def take(txn: Transaction) -> int:
        assert meetings.receive(txn, policy, message) == {mail("bob"): "1.2"}
        home = txn.collections.home(office.principal(txn, "bob").id, CALENDAR_HOME)
        assert home is not None
        return home.revision

    first = office.write(take)
    assert office.write(take) == first
