"""Single rules of RFC 6638: the tables of SCHEDULE-AGENT, what attendees may change, what resets participation."""

from datetime import UTC, datetime

import pytest
from itip_actors import World

from calserver import itip
from calserver.ical import CalendarObject, ValidCalendarData
from calserver.itip import (
    AllowedAttendeeSchedulingObjectChange,
    AllowedOrganizerSchedulingObjectChange,
    Memory,
    Message,
    Method,
    SameOrganizerInAllComponents,
)
from calserver.itip.meeting import Meeting
from calserver.itip.people import attendee, partstat

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


def test_what_a_client_handles_by_itself_is_left_alone() -> None:
    """RFC 6638 section 3.2.2.2, table: no special processing, so its client may bring in what it received by mail."""
    mine = f"ORGANIZER;SCHEDULE-AGENT=CLIENT:{O}"
    world = World.of(A)
    world.put(A, text(component(mine, "SUMMARY:old")))
    moved = component(mine, "SUMMARY:new", start="20260602T090000Z", guests=(f"ATTENDEE;PARTSTAT=ACCEPTED:{A}",))
    assert world.put(A, text(moved)) == ()
    assert stored(world, A) == text(moved).decode()
    assert world.put(A, text(component(mine, "SUMMARY:new", guests=()))) == ()


def test_an_attendee_does_not_get_free_by_becoming_its_own_agent() -> None:
    """What the server has delivered stays the organizer's in the change that hands it over."""
    world = world_with(component())
    with pytest.raises(AllowedAttendeeSchedulingObjectChange):
        world.put(A, text(component(f"ORGANIZER;SCHEDULE-AGENT=CLIENT:{O}", start="20260602T090000Z")))


def test_who_is_served_again_hears_of_it() -> None:
    """RFC 6638 section 3.2.1.2: from SERVER to CLIENT is a CANCEL, back is a REQUEST that is newer."""
    world = world_with(component())
    (cancel,) = world.put(O, text(component(guests=guest("CLIENT"))))
    assert cancel.method is Method.CANCEL
    assert cancel.reason(A) == "not invited any more"
    (request,) = world.put(O, text(component(guests=guest("SERVER"))))
    assert request.method is Method.REQUEST
    for message in (request, cancel):
        world.deliver(message, A)
    assert "STATUS:CANCELLED" not in stored(world, A)
    assert "SEQUENCE:1" in stored(world, A)


@pytest.mark.parametrize("where", ["ORGANIZER", "ATTENDEE;SCHEDULE-AGENT=NONE"])
def test_an_order_to_send_is_never_kept(where: str) -> None:
    """RFC 6638 section 7.2, also where it has no meaning."""
    name, _, agent = where.partition(";")
    odd = f"{name};SCHEDULE-FORCE-SEND=REQUEST{';' + agent if agent else ''}"
    world = World.of(O, A)
    lines = (f"{odd}:{O}",) if name == "ORGANIZER" else ()
    guests = (f"{odd}:{A}",) if name == "ATTENDEE" else guest(None)
    world.put(O, text(component(*lines, guests=guests)))
    assert "FORCE-SEND" not in stored(world, O)
    world.put(A, text(component(f"ORGANIZER;SCHEDULE-AGENT=NONE;SCHEDULE-FORCE-SEND=REPLY:{O}")))
    assert "FORCE-SEND" not in stored(world, A)


def test_a_forced_message_is_seen_again() -> None:
    """RFC 6638 section 3.2.7: it has a DTSTAMP of its own, so that it is no repetition."""
    world = world_with(component())
    world.people[A].inbox.clear()
    (message,) = world.put(O, text(component(guests=guest(None, more=";SCHEDULE-FORCE-SEND=REQUEST"))))
    assert message.reason(A) == "asked again"
    applied = world.deliver(message, A)
    assert not applied.changed
    assert applied.inbox == message
    assert world.deliver(message, A).inbox is None


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


def test_an_override_of_the_attendees_own_can_be_removed_again() -> None:
    """RFC 6638 section 3.2.2.1, item 8: it held an alarm, and neither an answer nor anything of the organizer's."""
    world = world_with(component(SERIES))
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:d\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"
    own = component("RECURRENCE-ID:20260603T090000Z", start="20260603T090000Z").replace("END:VEVENT", alarm)
    world.put(A, text(component(SERIES), own))
    assert "RECURRENCE-ID" in stored(world, A)
    world.put(A, text(component(SERIES)))
    assert "RECURRENCE-ID" not in stored(world, A)


def test_who_is_invited_by_two_addresses_answers_for_both() -> None:
    """Whichever of the two the client changes; each has a reply of its own, as a REPLY has one ATTENDEE."""
    second = "mailto:a2@example.com"
    both = (f"ATTENDEE:{A}", f"ATTENDEE:{second}")
    world = world_with(component(guests=both))
    copy = world.people[A].copy
    changed = CalendarObject.parse(text(component(guests=(f"ATTENDEE:{A}", f"ATTENDEE;PARTSTAT=TENTATIVE:{second}"))))
    plan = itip.plan(
        copy, changed, addresses=frozenset({A, second}), now=world.now, memory=itip.seeded(world.people[A].memory, copy)
    )
    assert [each.originator for each in plan.messages] == [second, A]
    for message in plan.messages:
        assert message.text.count(b"ATTENDEE") == 1
        world.deliver(message, O)
    assert stored(world, O).count("PARTSTAT=TENTATIVE") == 2


def test_a_client_may_write_another_of_the_owners_addresses() -> None:
    world = world_with(component())
    copy = world.people[A].copy
    alias = "urn:uuid:0b8f0b8f-0000-4000-8000-00000000000a"
    changed = CalendarObject.parse(text(component(guests=(f"ATTENDEE;PARTSTAT=ACCEPTED:{alias}",))))
    plan = itip.plan(copy, changed, addresses=frozenset({A, alias}), now=world.now)
    (reply,) = plan.messages
    assert reply.originator == A
    assert plan.calendar is not None
    assert f"PARTSTAT=ACCEPTED:{A}" in plan.calendar.text.decode().replace("\r\n ", "")


TASK = component("DUE:20260605T090000Z").replace("VEVENT", "VTODO")


@pytest.mark.parametrize("line", ["PERCENT-COMPLETE:40", "COMPLETED:20260603T090000Z", "STATUS:IN-PROCESS"])
def test_an_attendee_tells_how_far_a_task_is(line: str) -> None:
    """RFC 5546 section 3.4.3: also where its participation stays the same; an update leaves it as it is."""
    world = world_with(TASK)
    own = TASK.replace("DUE", f"{line}\r\nDUE")
    (reply,) = world.put(A, text(own))
    assert line.encode() in reply.text
    assert world.put(A, text(own)) == ()
    world.deliver_all()
    assert line not in stored(world, O)
    world.wait()
    world.put(O, text(TASK.replace("DUE", "SUMMARY:x\r\nDUE")))
    world.deliver_all()
    assert line in stored(world, A)
    assert "SUMMARY:x" in stored(world, A)


def test_a_task_that_is_called_off_is_so_for_everybody() -> None:
    world = world_with(TASK)
    own = TASK.replace("DUE", "STATUS:IN-PROCESS\r\nDUE")
    world.put(A, text(own))
    world.put(O, text(TASK.replace("DUE", "STATUS:CANCELLED\r\nDUE")))
    world.deliver_all()
    assert "STATUS:CANCELLED" in stored(world, A)
    with pytest.raises(AllowedAttendeeSchedulingObjectChange):
        world.put(A, text(own))


def test_a_reply_says_nothing_of_what_is_cancelled() -> None:
    gone = component("RECURRENCE-ID:20260603T090000Z", "STATUS:CANCELLED", start="20260603T090000Z")
    world = world_with(component(SERIES), gone)
    (reply,) = world.put(A, text(component(SERIES, guests=(f"ATTENDEE;PARTSTAT=ACCEPTED:{A}",)), gone))
    assert b"RECURRENCE-ID" not in reply.text


def test_who_acts_for_an_attendee_is_told_and_gets_no_rights() -> None:
    """SENT-BY (RFC 5545 section 3.2.18): the answer is that of the attendee, whoever wrote it."""
    world = world_with(component(guests=(f"ATTENDEE:{A}", f"ATTENDEE:{B}")))
    sent_by = f'ATTENDEE;SENT-BY="{B}";PARTSTAT=ACCEPTED:{A}'
    (reply,) = world.put(A, text(component(guests=(sent_by, f"ATTENDEE:{B}"))))
    assert b'SENT-BY="' in reply.text
    forged = Message(method=Method.REPLY, originator=B, recipients=(O,), calendar=reply.calendar)
    assert world.deliver(forged, O).problem == "3.8"
    assert "ACCEPTED:" + A not in stored(world, O)


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


def test_who_is_spared_hears_nothing() -> None:
    found = CalendarObject.parse(text(component()))
    plan = itip.plan(None, found, addresses=frozenset({O}), now=datetime(2027, 1, 1, tzinfo=UTC), spared=frozenset({A}))
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


@pytest.mark.parametrize(
    ("rule", "asked"),
    [("RRULE:FREQ=MONTHLY;COUNT=8", True), ("RRULE:FREQ=DAILY;COUNT=5", False)],
)
def test_another_time_zone_is_another_time(rule: str, asked: bool) -> None:
    """RFC 6638 section 3.2.8: the same first instance, but those after the clock changes are at another time."""
    world = accepted(component(rule, "DTSTART;TZID=Europe/Berlin:20260601T090000", start=""))
    new = component(rule, "DTSTART;TZID=Etc/GMT-2:20260601T090000", start="")
    (message,) = world.put(O, text(new.replace(f"ATTENDEE:{A}", f"ATTENDEE;PARTSTAT=ACCEPTED:{A}")))
    assert (f"PARTSTAT=NEEDS-ACTION;RSVP=TRUE;SCHEDULE-STATUS=1.0:{A}" in stored(world, O)) == asked
    assert message.reason(A).startswith("changed: time zone" if not asked else "changed: ")
    assert "SEQUENCE:1" in stored(world, O)


def test_another_name_of_a_time_zone_is_no_change() -> None:
    world = accepted(component(SERIES, "DTSTART;TZID=Europe/Berlin:20260601T090000", start=""))
    stale = (f"ATTENDEE;PARTSTAT=ACCEPTED:{A}",)
    renamed = component(SERIES, "DTSTART;TZID=W. Europe Standard Time:20260601T090000", start="", guests=stale)
    assert world.put(O, text(renamed)) == ()


def test_an_added_date_that_lasts_longer_is_asked_anew() -> None:
    """RFC 6638 section 3.2.8's table for RDATE: a change in time of an instance."""
    dates = "RDATE;VALUE=PERIOD:20260701T090000Z/PT1H"
    world = accepted(component(SERIES, dates))
    stale = component(SERIES, dates.replace("PT1H", "PT2H"), guests=(f"ATTENDEE;PARTSTAT=ACCEPTED:{A}",))
    world.put(O, text(stale))
    assert "NEEDS-ACTION" in stored(world, O).split("RECURRENCE-ID:20260701T090000Z")[1]


def test_instances_that_nobody_has_answered_come_back_without_an_override() -> None:
    world = world_with(component(SERIES, "EXDATE:20260603T090000Z"))
    (message,) = world.put(O, text(component(SERIES)))
    assert message.reason(A) == "changed: instances taken away or brought back"
    assert "RECURRENCE-ID" not in stored(world, O)


def test_an_override_without_organizer_gets_that_of_the_series() -> None:
    """RFC 6638 section 3.1 wants it in all components, and section 3.2.4.2 allows clients to leave it out."""
    bare = component("RECURRENCE-ID:20260603T090000Z", start="20260603T100000Z").replace(f"ORGANIZER:{O}\r\n", "")
    world = world_with(component(SERIES), bare)
    assert stored(world, O).count(f"ORGANIZER:{O}") == 2
    assert "RECURRENCE-ID:20260603T090000Z" in stored(world, A)


def test_a_removed_instance_does_not_take_the_rest_along() -> None:
    """The organizer removes where this and future instances began to be otherwise; the others stay."""
    future = component("RECURRENCE-ID;RANGE=THISANDFUTURE:20260603T090000Z", start="20260603T110000Z")
    world = world_with(component(SERIES), future)
    cancel, _ = world.put(O, text(component(SERIES, "EXDATE:20260603T090000Z")))
    assert cancel.method is Method.CANCEL
    assert b"THISANDFUTURE" not in cancel.text
    assert cancel.reason(A) == "instances taken away"


def test_who_is_spared_is_not_asked_anew() -> None:
    world = accepted(component())
    stale = component(start="20260501T090000Z", guests=(f"ATTENDEE;PARTSTAT=ACCEPTED:{A}",))
    assert world.put(O, text(stale), spared=frozenset({A})) == ()
    assert f"PARTSTAT=ACCEPTED:{A}" in stored(world, O)


def test_who_is_not_spared_is_asked_anew_beside_one_who_is() -> None:
    world = accepted(component())
    moved = component(start="20260501T090000Z", guests=(f"ATTENDEE;PARTSTAT=ACCEPTED:{A}", f"ATTENDEE:{B}"))
    (message,) = world.put(O, text(moved), spared=frozenset({A}))
    assert message.recipients == (B,)
    assert (stored(world, O).count("ACCEPTED"), stored(world, O).count("NEEDS-ACTION")) == (2, 1)


def test_what_is_made_again_is_newer_than_its_removal() -> None:
    """RFC 5546 section 2.1.4: what was removed was sent with a SEQUENCE too."""
    world = world_with(component())
    world.put(O, None)
    cancelled = world.sent[-1].calendar.master
    world.put(O, text(component()))
    again = world.sent[-1].calendar.master
    assert cancelled is not None
    assert again is not None
    assert itip.sequence_of(again) > itip.sequence_of(cancelled)


def test_each_message_says_why_it_is_sent() -> None:
    world = World.of(O, A, B)
    (invitation,) = world.put(O, text(component(guests=guest(None))))
    assert invitation.reason(A) == "invited"
    both = (f"ATTENDEE:{A}", f"ATTENDEE:{B}")
    (update,) = world.put(O, text(component("SUMMARY:x", start="20260601T100000Z", guests=both)))
    assert update.reason(A) == "changed: summary, time, who takes part"
    assert update.reason(B) == "invited"
    _, cancel = world.put(O, text(component("SUMMARY:x", start="20260601T100000Z")))
    assert cancel.reason(B) == "not invited any more"
    (called_off,) = world.put(O, text(component("SUMMARY:x", "STATUS:CANCELLED", start="20260601T100000Z")))
    assert called_off.reason(A) == "called off"
    (removal,) = world.put(O, None)
    assert removal.reason(A) == "the meeting was removed"
    assert removal.reason(B) == ""


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


def test_who_is_not_invited_gets_nothing() -> None:
    """A message must name its recipient as an attendee, by any of its addresses."""
    request = Message(
        method=Method.REQUEST, originator=O, recipients=(B,), calendar=CalendarObject.parse(text(component()))
    )
    applied = itip.apply(None, request, addresses=frozenset({B}), now=datetime(2026, 1, 1, tzinfo=UTC))
    assert (applied.calendar, applied.problem) == (None, "3.7")


def test_an_instance_that_others_are_invited_to_is_none_of_mine() -> None:
    """A server elsewhere sends everything to everybody (RFC 6638 section 3.2.6 forbids ours to)."""
    theirs = component("RECURRENCE-ID:20260603T090000Z", start="20260603T100000Z", guests=guest(None, B))
    content = CalendarObject.parse(text(component(SERIES), theirs))
    request = Message(method=Method.REQUEST, originator=O, recipients=(A,), calendar=content)
    applied = itip.apply(None, request, addresses=frozenset({A}), now=datetime(2026, 1, 1, tzinfo=UTC))
    assert applied.calendar is not None
    (override,) = applied.calendar.overrides
    assert override.value("STATUS") == "CANCELLED"


def test_what_is_not_processed_changes_nothing_and_says_so() -> None:
    """Nobody invites by PUBLISH (RFC 5546 section 3.2.1); 3.14 is an unsupported capability (section 3.6)."""
    world = world_with(component())
    moved = component("SEQUENCE:9", start="20260602T090000Z")
    for who, originator in ((O, A), (A, O)):
        before = world.people[who].copy
        message = Message.parse(text(moved, head="PRODID:x\r\nMETHOD:PUBLISH"), originator, (who,))
        applied = world.deliver(message, who)
        assert (applied.problem, applied.changed, applied.inbox) == ("3.14", False, None)
        assert applied.calendar is before


def test_a_message_of_which_a_component_is_bad_does_nothing_at_all() -> None:
    bad = component("RECURRENCE-ID:20260603T090000Z", start="20260603T250000Z")
    content = text(component(SERIES), bad, head="PRODID:x\r\nMETHOD:REQUEST")
    with pytest.raises(ValidCalendarData):
        Message.received(content, O, (A,))
    short = component("RECURRENCE-ID:20260603T090000Z", start="")
    assert Message.received(text(short, head="PRODID:x\r\nMETHOD:CANCEL"), O, (A,)).method is Method.CANCEL


def test_a_status_that_is_none_is_not_written_down() -> None:
    """REQUEST-STATUS comes from elsewhere, and becomes a parameter (RFC 6638 section 4.2)."""
    world = world_with(component())
    answer = component(guests=(f"ATTENDEE;PARTSTAT=ACCEPTED:{A}",)).replace(
        "END:VEVENT", 'REQUEST-STATUS:2.0;Success\r\nREQUEST-STATUS:x",y\r\nREQUEST-STATUS:3.1.2;Bad\r\nEND:VEVENT'
    )
    world.deliver(Message.parse(text(answer, head="PRODID:x\r\nMETHOD:REPLY"), A, (O,)), O)
    assert f'SCHEDULE-STATUS="2.0,3.1.2":{A}' in stored(world, O)


def test_transparency_follows_the_organizer_where_the_attendee_has_not_chosen() -> None:
    world = world_with(component("SUMMARY:x", "TRANSP:OPAQUE"))
    world.put(O, text(component("SUMMARY:y", "TRANSP:TRANSPARENT")))
    world.deliver_all()
    assert "TRANSP:TRANSPARENT" in stored(world, A)


def future(method: str, *lines: str, at: str = "20260603", guests: tuple[str, ...] = guest(None)) -> Message:
    """A message about this and future instances."""
    name = f"RECURRENCE-ID;RANGE=THISANDFUTURE:{at}T090000Z"
    content = component(name, "DTSTAMP:20990101T000000Z", *lines, start=f"{at}T090000Z", guests=guests)
    content = content.replace("DTSTAMP:20260101T000000Z\r\n", "")
    originator, recipient = (A, O) if method == "REPLY" else (O, A)
    return Message.parse(text(content, head=f"PRODID:x\r\nMETHOD:{method}"), originator, (recipient,))


def test_this_and_future_instances_can_be_cancelled() -> None:
    """RFC 5545 section 3.2.13: also those that were moved before."""
    moved = component("RECURRENCE-ID:20260604T090000Z", start="20260604T120000Z")
    world = world_with(component(SERIES), moved)
    world.deliver(future("CANCEL", "SEQUENCE:1"), A)
    copy = world.people[A].copy
    assert copy is not None
    meeting = Meeting.of(copy)
    for day, gone in ((2, False), (3, True), (4, True), (5, True)):
        found = meeting.governing(int(datetime(2026, 6, day, 9, tzinfo=UTC).timestamp()))
        assert found is not None
        assert (found.value("STATUS") == "CANCELLED") == gone, day


def test_this_and_future_instances_can_be_declined() -> None:
    """RFC 5545 section 3.2.13, by an attendee: organizer and attendee say the same of each instance."""
    world = world_with(component(SERIES))
    declined = component(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260603T090000Z",
        start="20260603T090000Z",
        guests=(f"ATTENDEE;PARTSTAT=DECLINED:{A}",),
    )
    world.put(A, text(component(SERIES), declined))
    world.deliver_all()
    world.put(O, text(component(SERIES, "SUMMARY:x")), matched_tag=True)
    world.deliver_all()
    for who in (O, A):
        meeting = Meeting.of(world.people[who].copy)
        for day, status in ((2, "NEEDS-ACTION"), (3, "DECLINED"), (5, "DECLINED")):
            found = meeting.governing(int(datetime(2026, 6, day, 9, tzinfo=UTC).timestamp()))
            assert found is not None
            assert found.value("SUMMARY") == "x"
            assert partstat(attendee(found, (A,))) == status, (who, day)


def test_several_instances_that_are_added_at_once_are_asked_for() -> None:
    """RFC 5546 section 4.4.7: an ADD that repeats is answered by a REFRESH."""
    world = world_with(component(SERIES))
    copy = world.people[A].copy
    more = component("SEQUENCE:1", "RRULE:FREQ=WEEKLY;COUNT=3", start="20260701T090000Z")
    applied = world.deliver(Message.parse(text(more, head="PRODID:x\r\nMETHOD:ADD"), O, (A,)), A)
    assert applied.calendar is copy
    assert methods(applied.messages) == ["REFRESH"]
    world.deliver_all()


def test_who_delegates_says_to_whom() -> None:
    """RFC 5546 section 3.2.2.3: the delegator's reply has DELEGATED-TO, and the organizer's copy notes it."""
    world = world_with(component())
    delegated = f'ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO="{B}":{A}'
    (reply,) = world.put(A, text(component(guests=(delegated,))))
    assert f'DELEGATED-TO="{B}"' in reply.text.decode().replace("\r\n ", "")
    world.deliver_all()
    assert f'DELEGATED-TO="{B}"' in stored(world, A)
    assert f'DELEGATED-TO="{B}"' in stored(world, O)
    world.put(A, text(component(guests=(delegated.replace("PARTSTAT=DELEGATED", "PARTSTAT=ACCEPTED"),))))
    world.deliver_all()
    assert "DELEGATED-TO" not in stored(world, A)
    assert "DELEGATED-TO" not in stored(world, O)


def test_who_asks_for_a_meeting_that_is_called_off_is_told_so() -> None:
    """A REQUEST has no STATUS:CANCELLED (RFC 5546 sections 3.2.2 and 3.2.5)."""
    world = world_with(component())
    world.put(O, text(component("STATUS:CANCELLED")))
    world.deliver_all()
    copy = world.people[O].copy
    assert copy is not None
    assert methods(itip.refresh(copy, frozenset({O}))) == ["CANCEL"]
    before = world.people[A].copy
    for each in itip.refresh(copy, frozenset({O})):
        assert not world.deliver(each, A).changed
    assert world.people[A].copy is before
