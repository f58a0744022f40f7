"""Single rules of RFC 6638: the tables of SCHEDULE-AGENT, what attendees may change, what resets participation."""

from datetime import UTC, datetime

import pytest
from itip_actors import World

from calserver import itip
from calserver.ical import CalendarObject
from calserver.itip import (
    AllowedAttendeeSchedulingObjectChange,
    AllowedOrganizerSchedulingObjectChange,
    Memory,
    Message,
    Method,
    SameOrganizerInAllComponents,
)

O, A, B = "mailto:o@example.com", "mailto:a@example.com", "mailto:b@example.com"  # noqa: E741 - as people are called here
SERIES = "RRULE:FREQ=DAILY;COUNT=5"


def component(*lines: str, start: str = "20260601T090000Z", guests: tuple[str, ...] = (f"ATTENDEE:{A}",)) -> str:
    whole = [f"DTSTART:{start}", *lines] if start else list(lines)
    people = [f"ORGANIZER:{O}", f"ATTENDEE;PARTSTAT=ACCEPTED:{O}", *guests]
    people = [
        each
        for each in people
        if each.partition(":")[0].partition(";")[0] not in ("ORGANIZER",)
        or not any(line.startswith("ORGANIZER") for line in lines)
    ]
    return "\r\n".join(["BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", *whole, *people, "END:VEVENT"])


def text(*components: str, head: str = "PRODID:x") -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", head, *components, "END:VCALENDAR", ""]).encode()


def guest(agent: str | None, who: str = A, more: str = "") -> tuple[str, ...]:
    return (f"ATTENDEE{'' if agent is None else f';SCHEDULE-AGENT={agent}'}{more}:{who}",)


def methods(messages: tuple[Message, ...]) -> list[str]:
    return [each.method.value for each in messages]


def world_with(*components: str) -> World:
    world = World.of(O, A, B)
    world.put(O, text(*components))
    world.deliver_all()
    world.wait()
    return world


def stored(world: World, who: str) -> str:
    copy = world.people[who].copy
    assert copy is not None
    return copy.text.decode().replace("\r\n ", "")


# -- SCHEDULE-AGENT ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "sent"),
    [
        (None, ["REQUEST"]),
        ("SERVER", ["REQUEST"]),
        ("CLIENT", []),
        ("NONE", []),
        ("X-MINE", []),
        ("server", ["REQUEST"]),
    ],
)
def test_a_new_meeting_is_sent_to_whom_the_server_serves(agent: str | None, sent: list[str]) -> None:
    """RFC 6638 section 3.2.1.1; unknown agents count as NONE (section 7.1)."""
    world = World.of(O)
    assert methods(world.put(O, text(component(guests=guest(agent))))) == sent
    assert ("SCHEDULE-STATUS" in stored(world, O)) == bool(sent)


AGENTS = ("SERVER", "CLIENT", "NONE", "X-MINE")
TABLE = [
    *[(None, new, ["REQUEST"] if new == "SERVER" else []) for new in AGENTS],
    *[("SERVER", new, ["REQUEST"] if new == "SERVER" else ["CANCEL"]) for new in (None, *AGENTS)],
    *[(old, new, ["REQUEST"] if new == "SERVER" else []) for old in AGENTS[1:] for new in (None, *AGENTS)],
]


@pytest.mark.parametrize(("old", "new", "sent"), TABLE)
@pytest.mark.parametrize("instance", [False, True])
def test_a_changed_meeting_is_sent_by_the_table(
    old: str | None, new: str | None, sent: list[str], instance: bool
) -> None:
    """RFC 6638 section 3.2.1.2, for the whole meeting and for one instance."""
    world = World.of(O)

    def written(agent: str | None, summary: str) -> bytes:
        guests = () if agent is None else guest(agent)
        if not instance:
            return text(component(f"SUMMARY:{summary}", guests=guests))
        override = component(
            "RECURRENCE-ID:20260603T090000Z", f"SUMMARY:{summary}", start="20260603T100000Z", guests=guests
        )
        return text(component(SERIES, guests=()), override)

    world.put(O, written(old, "old"))
    assert methods(world.put(O, written(new, "new"))) == sent


@pytest.mark.parametrize(("agent", "sent"), [("SERVER", ["CANCEL"]), ("CLIENT", []), ("NONE", []), ("X-MINE", [])])
def test_a_removed_meeting_is_cancelled_for_whom_the_server_serves(agent: str, sent: list[str]) -> None:
    """RFC 6638 section 3.2.1.3."""
    world = World.of(O)
    world.put(O, text(component(guests=guest(agent))))
    assert methods(world.put(O, None)) == sent


def test_the_organizer_is_not_told_what_it_does_itself() -> None:
    """RFC 6638 section 3.2.1."""
    assert World.of(O).put(O, text(component(guests=()))) == ()


@pytest.mark.parametrize(("value", "sent", "status"), [("REQUEST", ["REQUEST"], "1.0"), ("X-OTHER", [], "2.3")])
def test_a_message_can_be_forced(value: str, sent: list[str], status: str) -> None:
    """RFC 6638 sections 3.2.8 and 7.2: an unknown value is 2.3, and the parameter is not kept."""
    world = world_with(component())
    forced = guest(None, more=f";SCHEDULE-FORCE-SEND={value}")
    messages = world.put(O, text(component(guests=forced)))
    assert methods(messages) == sent
    assert f"SCHEDULE-STATUS={status}" in stored(world, O)
    assert "FORCE-SEND" not in stored(world, O)
    assert all(b"SCHEDULE-" not in each.text for each in messages)


def test_a_reply_can_be_forced() -> None:
    """RFC 6638 section 7.2."""
    world = world_with(component())
    forced = component(f"ORGANIZER;SCHEDULE-FORCE-SEND=REPLY:{O}")
    assert methods(world.put(A, text(forced))) == ["REPLY"]
    assert "FORCE-SEND" not in stored(world, A)


@pytest.mark.parametrize("agent", ["CLIENT", "NONE", "X-MINE"])
def test_the_server_replies_for_nobody_else(agent: str) -> None:
    """RFC 6638 sections 3.2.2.3 and 3.2.2.4."""
    world = world_with(component())
    accepted = (f"ATTENDEE;PARTSTAT=ACCEPTED:{A}",)
    assert world.put(A, text(component(f"ORGANIZER;SCHEDULE-AGENT={agent}:{O}", guests=accepted))) == ()
    assert world.put(A, None) == ()


# -- what attendees may change -------------------------------------------------------------------------------------

MASTER = component(SERIES, "SUMMARY:s", "LOCATION:here")
CHANGES = [
    (text(component(SERIES, "SUMMARY:s", "LOCATION:here", guests=(f"ATTENDEE;PARTSTAT=TENTATIVE:{A}",))), "PARTSTAT"),
    (text(component(SERIES, "SUMMARY:s", "LOCATION:here", "TRANSP:TRANSPARENT")), "TRANSP:TRANSPARENT"),
    (text(component(SERIES, "SUMMARY:s", "LOCATION:here", "PERCENT-COMPLETE:20")), "PERCENT-COMPLETE:20"),
    (text(component(SERIES, "SUMMARY:s", "LOCATION:here", "COMPLETED:20260601T100000Z")), "COMPLETED:20260601T100000Z"),
    (
        text(
            MASTER.replace(
                "END:VEVENT",
                "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:d\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT",
            )
        ),
        "TRIGGER:-PT5M",
    ),
    (text(MASTER, head="PRODID:x\r\nCALSCALE:GREGORIAN"), "CALSCALE:GREGORIAN"),
    (text(MASTER, head="PRODID:another"), "PRODID:another"),
    (text(component(SERIES, "SUMMARY:s", "LOCATION:here", "EXDATE:20260602T090000Z")), "EXDATE:20260602T090000Z"),
    (
        text(MASTER.replace("DTSTAMP:20260101", "CREATED:20250101T000000Z\r\nDTSTAMP:20260202")),
        "CREATED:20250101T000000Z",
    ),
    (
        text(
            MASTER,
            component(
                "RECURRENCE-ID:20260603T090000Z",
                "SUMMARY:s",
                "LOCATION:here",
                "TRANSP:TRANSPARENT",
                start="20260603T090000Z",
            ),
        ),
        "RECURRENCE-ID:20260603T090000Z",
    ),
    (text(component(SERIES, "SUMMARY:s", "LOCATION:here", "X-CLIENT:1")), "X-CLIENT:1"),
    (text(component("RRULE:COUNT=5;FREQ=DAILY", "SUMMARY:s ", "LOCATION:here")), "FREQ=DAILY"),
]


@pytest.mark.parametrize(("new", "kept"), CHANGES, ids=[kept for _, kept in CHANGES])
def test_an_attendee_may_change_what_is_its_own(new: bytes, kept: str) -> None:
    """RFC 6638 section 3.2.2.1; X- properties of clients and other spellings too."""
    world = world_with(MASTER)
    world.put(A, new)
    assert kept in stored(world, A)


def test_an_attendee_may_note_what_its_client_sent() -> None:
    """RFC 6638 section 3.2.2.1, item 10: SCHEDULE-STATUS where the agent is the client, and only there."""
    guests = (f"ATTENDEE:{A}", f"ATTENDEE;SCHEDULE-AGENT=CLIENT:{B}")
    world = World.of(A)
    world.put(A, text(component(guests=guests)))
    world.put(
        A,
        text(
            component(
                guests=(f"ATTENDEE;SCHEDULE-STATUS=2.0:{A}", f"ATTENDEE;SCHEDULE-AGENT=CLIENT;SCHEDULE-STATUS=1.1:{B}")
            )
        ),
    )
    assert "SCHEDULE-STATUS=1.1" in stored(world, A)
    assert "SCHEDULE-STATUS=2.0" not in stored(world, A)


@pytest.mark.parametrize(
    "new",
    [
        component(SERIES, "SUMMARY:other", "LOCATION:here"),
        component(SERIES, "SUMMARY:s"),
        component(SERIES, "SUMMARY:s", "LOCATION:here", "DESCRIPTION:mine"),
        component(SERIES, "SUMMARY:s", "LOCATION:here", start="20260601T100000Z"),
        component(SERIES, "SUMMARY:s", "LOCATION:here", "DURATION:PT2H"),
        component("RRULE:FREQ=DAILY;COUNT=6", "SUMMARY:s", "LOCATION:here"),
        component("SUMMARY:s", "LOCATION:here"),
        component(SERIES, "SUMMARY:s", "LOCATION:here", "RDATE:20260701T090000Z"),
        component(SERIES, "SUMMARY:s", "LOCATION:here", "STATUS:CANCELLED"),
        component(SERIES, "SUMMARY:s", "LOCATION:here", "PRIORITY:1"),
        component(SERIES, "SUMMARY:s", "LOCATION:here", "COMMENT:no"),
        component(SERIES, "SUMMARY:s", "LOCATION:here", guests=(f"ATTENDEE:{A}", f"ATTENDEE:{B}")),
        component(SERIES, "SUMMARY:s", "LOCATION:here", guests=()),
        component(SERIES, "SUMMARY:s", "LOCATION:here", f"ORGANIZER:{A}"),
        component(SERIES, "SUMMARY:s", "LOCATION:here", f"ORGANIZER:{B}"),
        MASTER
        + "\r\n"
        + component("RECURRENCE-ID:20260603T090000Z", "SUMMARY:other", "LOCATION:here", start="20260603T090000Z"),
    ],
)
def test_an_attendee_may_change_nothing_else(new: str) -> None:
    """RFC 6638 section 3.2.4.4."""
    world = world_with(MASTER)
    with pytest.raises(AllowedAttendeeSchedulingObjectChange):
        world.put(A, text(new))


def test_an_attendee_cannot_leave_by_dropping_the_organizer() -> None:
    """RFC 6638 section 3.2.4.4: a meeting does not become a private event."""
    world = world_with(component())
    with pytest.raises(AllowedAttendeeSchedulingObjectChange):
        world.put(
            A, text("BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260601T090000Z\r\nEND:VEVENT")
        )


def test_what_others_answered_is_not_the_attendees_to_change() -> None:
    """RFC 6638 section 3.2.10: other attendees are as they were stored."""
    guests = (f"ATTENDEE:{A}", f"ATTENDEE:{B}")
    world = world_with(component(guests=guests))
    world.put(A, text(component(guests=(f"ATTENDEE:{A}", f"ATTENDEE;PARTSTAT=DECLINED:{B}"))))
    assert "DECLINED" not in stored(world, A)


def test_a_silent_removal_sends_nothing_and_another_declines() -> None:
    """RFC 6638 sections 3.2.2.4 and 8.1."""
    world = world_with(component())
    assert world_with(component()).put(A, None, reply=False) == ()
    (reply,) = world.put(A, None)
    assert reply.method is Method.REPLY
    assert b"PARTSTAT=DECLINED" in reply.text


def test_components_that_a_client_lost_are_kept() -> None:
    """Overrides and masters are left out by clients that were asked for neither; only an EXDATE removes."""
    override = component("RECURRENCE-ID:20260603T090000Z", start="20260603T110000Z")
    world = world_with(component(SERIES), override)
    assert world.put(A, text(component(SERIES))) == ()
    assert "RECURRENCE-ID:20260603T090000Z" in stored(world, A)
    assert methods(world.put(A, text(override.replace(f"ATTENDEE:{A}", f"ATTENDEE;PARTSTAT=ACCEPTED:{A}")))) == [
        "REPLY"
    ]
    assert SERIES in stored(world, A)


def test_a_single_instance_gets_its_recurrence_id_back() -> None:
    """Some clients store the one instance that somebody is invited to as an event."""
    world = world_with(
        component(SERIES, guests=()), component("RECURRENCE-ID:20260603T090000Z", start="20260603T090000Z")
    )
    event = component(start="20260603T090000Z", guests=(f"ATTENDEE;PARTSTAT=ACCEPTED:{A}",))
    (reply,) = world.put(A, text(event))
    assert b"RECURRENCE-ID:20260603T090000Z" in reply.text
    assert "RECURRENCE-ID:20260603T090000Z" in stored(world, A)


# -- organizers ----------------------------------------------------------------------------------------------------


def accepted(*components: str) -> World:
    world = world_with(*components)
    answered = [each.replace(f"ATTENDEE:{A}", f"ATTENDEE;PARTSTAT=ACCEPTED:{A}") for each in components]
    world.put(A, text(*answered))
    world.deliver_all()
    world.wait()
    assert stored(world, O).count("ACCEPTED;SCHEDULE-STATUS=2.0") == len(components)
    return world


@pytest.mark.parametrize(
    ("new", "reset"),
    [
        (component(SERIES, start="20260601T100000Z"), True),
        (component(SERIES, "DURATION:PT1H"), True),
        (component("RRULE:FREQ=DAILY;COUNT=6"), True),
        (component("RRULE:FREQ=DAILY"), True),
        (component("RRULE:FREQ=DAILY;COUNT=4"), False),
        (component("RRULE:FREQ=DAILY;UNTIL=20260603T090000Z"), False),
        (component("RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3"), False),
        (component("RRULE:FREQ=WEEKLY;COUNT=5"), True),
        (component(SERIES, "EXDATE:20260603T090000Z"), False),
        (component(SERIES, "SUMMARY:other"), False),
        (component(SERIES, "LOCATION:there"), False),
        (component(SERIES, "STATUS:CONFIRMED"), False),
    ],
)
def test_participation_is_reset_where_instances_are_added_or_moved(new: str, reset: bool) -> None:
    """RFC 6638 section 3.2.8's table; every reset raises SEQUENCE (RFC 5546 section 2.1.4)."""
    world = accepted(component(SERIES))
    stale = new.replace(f"ATTENDEE:{A}", f"ATTENDEE;PARTSTAT=ACCEPTED:{A}")
    world.put(O, text(stale))
    assert (f"PARTSTAT=NEEDS-ACTION;RSVP=TRUE;SCHEDULE-STATUS=1.0:{A}" in stored(world, O)) == reset
    assert (f"PARTSTAT=ACCEPTED;SCHEDULE-STATUS=1.0:{A}" in stored(world, O)) != reset
    changes_schedule = "SUMMARY" not in new and "LOCATION" not in new
    assert ("SEQUENCE:1" in stored(world, O)) == changes_schedule


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([component(SERIES, "EXDATE:20260603T090000Z")], [component(SERIES)]),
        ([component(SERIES)], [component(SERIES, "RDATE:20260701T090000Z")]),
        (
            [component(SERIES), component("RECURRENCE-ID:20260603T090000Z", start="20260603T120000Z")],
            [component(SERIES)],
        ),
    ],
)
def test_an_instance_that_comes_back_needs_action_by_itself(before: list[str], after: list[str]) -> None:
    """RFC 6638 section 3.2.8's table for EXDATE and RDATE: the answer to the series stays."""
    world = accepted(*before)
    stale = [each.replace(f"ATTENDEE:{A}", f"ATTENDEE;PARTSTAT=ACCEPTED:{A}") for each in after]
    world.put(O, text(*stale))
    world.deliver_all()
    for who in (O, A):
        master, override = stored(world, who).split("RECURRENCE-ID")
        assert "PARTSTAT=ACCEPTED" in master.split(A)[0].split("ATTENDEE")[-1]
        assert "PARTSTAT=NEEDS-ACTION" in override.split(A)[0].split("ATTENDEE")[-1]


def test_an_organizer_does_not_answer_for_others() -> None:
    """RFC 6638 sections 3.2.1.1 and 3.2.1.2, restriction 1: what it claims does not count."""
    world = World.of(O, A)
    world.put(O, text(component(guests=(f"ATTENDEE;PARTSTAT=ACCEPTED:{A}",))))
    assert f"PARTSTAT=NEEDS-ACTION;RSVP=TRUE;SCHEDULE-STATUS=1.0:{A}" in stored(world, O)
    world = accepted(component())
    world.put(O, text(component("SUMMARY:x", guests=(f"ATTENDEE;PARTSTAT=DECLINED:{A}",))))
    assert f"PARTSTAT=ACCEPTED;SCHEDULE-STATUS=1.0:{A}" in stored(world, O)


def test_a_stale_answer_loses_unless_the_organizer_asks_anew() -> None:
    """RFC 6638 section 3.2.10: with If-Schedule-Tag-Match the client need not have seen the answer."""
    world = accepted(component())
    world.put(O, text(component("SUMMARY:x")), matched_tag=True)
    assert f"PARTSTAT=ACCEPTED;SCHEDULE-STATUS=1.0:{A}" in stored(world, O)
    world.put(O, text(component("SUMMARY:y")))
    assert f"PARTSTAT=NEEDS-ACTION;RSVP=TRUE;SCHEDULE-STATUS=1.0:{A}" in stored(world, O)


def test_an_override_that_holds_an_answer_survives_a_client_that_does_not_know_it() -> None:
    """RFC 6638 section 3.2.10: what the organizer changes of the series is true of it too."""
    world = accepted(component(SERIES))
    declined = component(
        "RECURRENCE-ID:20260602T090000Z", start="20260602T090000Z", guests=(f"ATTENDEE;PARTSTAT=DECLINED:{A}",)
    )
    world.put(A, text(component(SERIES, guests=(f"ATTENDEE;PARTSTAT=ACCEPTED:{A}",)), declined))
    world.deliver_all()
    world.put(O, text(component(SERIES, "SUMMARY:new")), matched_tag=True)
    override = stored(world, O).split("RECURRENCE-ID")[1]
    assert "SUMMARY:new" in override
    assert "DECLINED" in override


def test_alarms_of_the_organizer_are_nobody_elses() -> None:
    """An alarm alone is no reason to send anything, and is never sent."""
    world = world_with(component())
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:d\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"
    assert world.put(O, text(component().replace("END:VEVENT", alarm))) == ()
    (request,) = world.put(O, text(component("SUMMARY:x").replace("END:VEVENT", alarm)))
    assert b"VALARM" not in request.text


def test_attendees_see_only_what_they_are_invited_to() -> None:
    """RFC 6638 section 3.2.6."""
    world = World.of(O, A, B)
    both = (f"ATTENDEE:{A}", f"ATTENDEE:{B}")
    first = component("RECURRENCE-ID:20260602T090000Z", start="20260602T090000Z", guests=both)
    second = component("RECURRENCE-ID:20260603T090000Z", start="20260603T090000Z", guests=guest(None, B))
    for_a, for_b = world.put(O, text(component(SERIES), first, second))
    assert for_a.recipients == (A,)
    assert b"EXDATE:20260603T090000Z" in for_a.text
    assert b"RECURRENCE-ID:20260603" not in for_a.text
    assert b"RRULE" not in for_b.text
    assert for_b.text.count(b"RECURRENCE-ID") == 2


def test_attendees_with_equal_views_share_a_message() -> None:
    (message,) = World.of(O).put(O, text(component(guests=(f"ATTENDEE:{A}", f"ATTENDEE:{B}"))))
    assert message.recipients == (A, B)


def test_an_organizer_stays_who_it_is() -> None:
    """RFC 6638 section 3.2.4.3."""
    world = world_with(component())
    for new in (
        component(f"ORGANIZER:{B}", guests=(f"ATTENDEE:{A}",)),
        f"BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260601T090000Z\r\nATTENDEE:{A}\r\nEND:VEVENT",
        component("RECURRENCE-ID:20260601T090000Z"),
    ):
        with pytest.raises(AllowedOrganizerSchedulingObjectChange):
            world.put(O, text(new))


def test_a_meeting_that_becomes_an_event_is_cancelled() -> None:
    """RFC 6638 section 3.2.4.1: a scheduling object that is none any more was removed."""
    world = world_with(component())
    event = "BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260601T090000Z\r\nEND:VEVENT"
    assert methods(world.put(O, text(event))) == ["CANCEL"]
    assert stored(world, O) == text(event).decode()


def test_all_components_have_one_organizer() -> None:
    """RFC 6638 section 3.2.4.2."""
    other = component("RECURRENCE-ID:20260602T090000Z", f"ORGANIZER:{B}", start="20260602T090000Z")
    with pytest.raises(SameOrganizerInAllComponents):
        World.of(O).put(O, text(component(SERIES), other))


def test_what_ended_long_ago_is_changed_in_silence() -> None:
    found = CalendarObject.parse(text(component()))
    plan = itip.plan(None, found, addresses=frozenset({O}), now=datetime(2027, 1, 1, tzinfo=UTC), silent=True)
    assert plan.messages == ()
    assert plan.calendar is not None
    assert b"SCHEDULE-STATUS" not in plan.calendar.text


def test_what_is_sent_within_one_second_has_an_order() -> None:
    """RFC 5546 section 2.1.5 orders by SEQUENCE and DTSTAMP."""
    world = World.of(O, A)
    versions = []
    for summary in "abc":
        (message,) = world.put(O, text(component(f"SUMMARY:{summary}")))
        assert message.calendar.master is not None
        versions.append(itip.Version.of(message.calendar.master))
    assert versions == sorted(set(versions))
    for message in reversed(world.sent):
        world.deliver(message, A)
    assert "SUMMARY:c" in stored(world, A)


# -- incoming ------------------------------------------------------------------------------------------------------


def test_nobody_takes_over_what_is_not_theirs() -> None:
    """Matched by UID and organizer, from the organizer itself (RFC 6638 section 10.3)."""
    private = text("BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260601T090000Z\r\nEND:VEVENT")
    request = CalendarObject.parse(text(component()))
    evil = CalendarObject.parse(text(component(f"ORGANIZER:{B}")))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for copy, calendar, originator in (
        (private, request, O),
        (text(component()), evil, B),
        (text(component()), request, B),
        (None, request, B),
        (None, CalendarObject.parse(text(component(f"ORGANIZER:{A}"))), A),
    ):
        before = None if copy is None else CalendarObject.parse(copy)
        for method in (Method.REQUEST, Method.CANCEL, Method.ADD):
            message = Message(method=method, originator=originator, recipients=(A,), calendar=calendar)
            applied = itip.apply(before, message, addresses=frozenset({A}), now=now)
            assert applied.problem is not None
            assert applied.calendar is before
            assert applied.inbox is None


def test_the_schedule_tag_stays_when_only_others_answered() -> None:
    """RFC 6638 section 3.2.10, and nothing comes into the inbox."""
    both = (f"ATTENDEE:{A}", f"ATTENDEE:{B}")
    world = world_with(component(SERIES, guests=both))
    world.put(B, text(component(SERIES, guests=(f"ATTENDEE:{A}", f"ATTENDEE;PARTSTAT=ACCEPTED:{B}"))))
    declined = component(
        "RECURRENCE-ID:20260602T090000Z",
        start="20260602T090000Z",
        guests=(f"ATTENDEE:{A}", f"ATTENDEE;PARTSTAT=DECLINED:{B}"),
    )
    world.put(B, text(component(SERIES, guests=(f"ATTENDEE:{A}", f"ATTENDEE;PARTSTAT=ACCEPTED:{B}")), declined))
    world.deliver_all()
    organizer = world.people[O].copy
    assert organizer is not None
    (refresh,) = itip.refresh(organizer, frozenset({O}), excluding=(B,))
    applied = world.deliver(refresh, A)
    assert applied.changed
    assert applied.participation_only
    assert applied.inbox is None
    assert "DECLINED" in stored(world, A)
    (update,) = world.put(O, text(component(SERIES, "SUMMARY:x", guests=both)), matched_tag=True)
    applied = world.deliver(update, A)
    assert not applied.participation_only
    assert applied.inbox is not None


def test_what_is_the_attendees_own_survives_an_update() -> None:
    """Alarms, transparency and what its client keeps in X- properties."""
    world = world_with(component(SERIES))
    own = component(SERIES, "TRANSP:TRANSPARENT", "X-CLIENT:1").replace(
        "END:VEVENT", "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:d\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"
    )
    world.put(A, text(own))
    world.put(
        O, text(component(SERIES, "SUMMARY:x"), component("RECURRENCE-ID:20260602T090000Z", start="20260602T110000Z"))
    )
    world.deliver_all()
    for part in stored(world, A).split("BEGIN:VEVENT")[1:]:
        assert "TRIGGER:-PT5M" in part
        assert "TRANSP:TRANSPARENT" in part
        assert "X-CLIENT:1" in part


def test_an_answer_to_the_series_counts_in_overrides_that_hold_answers_only() -> None:
    """Somebody else declined an instance, of which who answers the series later knows nothing yet."""
    both = (f"ATTENDEE:{A}", f"ATTENDEE:{B}")
    world = world_with(component(SERIES, guests=both))
    declined = component(
        "RECURRENCE-ID:20260602T090000Z",
        start="20260602T090000Z",
        guests=(f"ATTENDEE:{A}", f"ATTENDEE;PARTSTAT=DECLINED:{B}"),
    )
    world.put(B, text(component(SERIES, guests=both), declined))
    world.put(A, text(component(SERIES, guests=(f"ATTENDEE;PARTSTAT=ACCEPTED:{A}", f"ATTENDEE:{B}"))))
    world.deliver_all()
    organizer = world.people[O].copy
    assert organizer is not None
    assert stored(world, O).count(f"PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:{A}") == 2
    for message in itip.refresh(organizer, frozenset({O})):
        world.sent.append(message)
    world.deliver_all()
    assert stored(world, A).count(f"PARTSTAT=ACCEPTED:{A}") == 2


def declining(instance: str) -> Message:
    """A reply from elsewhere."""
    lines = (
        "BEGIN:VEVENT",
        "UID:u",
        "DTSTAMP:20990101T000000Z",
        instance,
        f"ORGANIZER:{O}",
        f"ATTENDEE;PARTSTAT=DECLINED:{A}",
        "END:VEVENT",
    )
    return Message.parse(text(*lines, head="PRODID:x\r\nMETHOD:REPLY"), A, (O,))


def test_an_instance_that_was_removed_stays_so_when_the_organizer_has_not_heard_of_it() -> None:
    """An older answer comes back in a refresh that crossed the newer one."""
    world = world_with(component(SERIES))
    override = component("RECURRENCE-ID:20260603T090000Z", start="20260603T090000Z")
    world.put(A, text(component(SERIES), override.replace(f"ATTENDEE:{A}", f"ATTENDEE;PARTSTAT=ACCEPTED:{A}")))
    world.deliver_all()
    copy = world.people[O].copy
    assert copy is not None
    world.put(A, text(component(SERIES, "EXDATE:20260603T090000Z")))
    (refresh,) = itip.refresh(copy, frozenset({O}))
    world.deliver(refresh, A)
    assert "RECURRENCE-ID" not in stored(world, A)
    assert "EXDATE:20260603T090000Z" in stored(world, A)


@pytest.mark.parametrize("start", ["DTSTART;VALUE=DATE:20260601", "DTSTART;TZID=Europe/Berlin:20260601T090000"])
def test_instances_are_the_same_however_they_are_written(start: str) -> None:
    """A RECURRENCE-ID in UTC, in another zone, or as a day means the instance at that time."""
    world = world_with(component(SERIES, start, start=""))
    name = "RECURRENCE-ID;VALUE=DATE:20260602" if "DATE:" in start else "RECURRENCE-ID:20260602T070000Z"
    message = declining(name)
    assert world.deliver(message, O).changed
    assert "RECURRENCE-ID" + start.removeprefix("DTSTART").replace("0601", "0602") in stored(world, O)


def test_answers_for_instances_that_are_not_there_change_nothing() -> None:
    world = world_with(component(SERIES))
    message = declining("RECURRENCE-ID:20260602T093000Z")
    assert not world.deliver(message, O).changed


def test_an_answer_to_a_part_of_a_series_stays_a_part() -> None:
    """THISANDFUTURE: what follows such an override is what it says (RFC 5545 section 3.2.13)."""
    future = component("RECURRENCE-ID;RANGE=THISANDFUTURE:20260603T090000Z", start="20260603T110000Z")
    world = world_with(component(SERIES), future)
    message = declining("RECURRENCE-ID:20260604T090000Z")
    assert world.deliver(message, O).changed
    assert "DTSTART:20260604T110000Z" in stored(world, O)


def test_the_outcome_of_a_delivery_is_noted() -> None:
    """RFC 6638 section 3.2.9."""
    world = world_with(component())
    copy = world.people[O].copy
    assert copy is not None
    assert b"SCHEDULE-STATUS=5.2:mailto:a@" in itip.delivered(copy, {A: "5.2"}).text.replace(b"\r\n ", b"")


def test_an_empty_memory_is_as_good_as_none() -> None:
    assert Memory.parse(Memory().text()) == Memory()


def test_an_invitation_of_many_is_one_message() -> None:
    guests = tuple(f"ATTENDEE:mailto:g{n}@example.com" for n in range(99))
    (message,) = World.of(O).put(O, text(component(SERIES, guests=guests)))
    assert len(message.recipients) == 99
