"""Whether copies agree: what is done by meetings does, what is done behind their back is found and repaired."""

from collections.abc import Callable

import attrs
import pytest
from office import PEOPLE, ROOMS, Office, mail, meeting, people, text, vevent

from calserver import calendars, meetings
from calserver.calendars import CALENDAR_HOME
from calserver.config import Calendars
from calserver.ical import CalendarObject
from calserver.meetings.agreement import Disagreement, look, repair
from calserver.store import Transaction

Change = Callable[[bytes], bytes]


def policy(office: Office) -> meetings.Policy:
    settings = office.server.settings
    return meetings.Policy(calendars=settings.calendars, scheduling=settings.scheduling, prefix="/dav/")


def found(office: Office, limit: int = 100) -> list[Disagreement]:
    """What is wrong in all calendars."""

    def find(txn: Transaction) -> list[Disagreement]:
        wrong: list[Disagreement] = []
        for who in (*PEOPLE, *ROOMS):
            home = txn.collections.home(office.principal(txn, who).id, CALENDAR_HOME)
            assert home is not None
            for calendar in (each for each in txn.collections.below(home.id) if each.kind == "calendar"):
                after: str | None = ""
                while after is not None:
                    page = look(txn, policy(office), calendar, after=after, limit=limit)
                    wrong += page.found
                    after = page.last
        return wrong

    return list(office.store.read_now(find))


def kinds(office: Office) -> list[tuple[str, str]]:
    return [(each.kind, each.attendee[7:10]) for each in found(office)]


def spoil(office: Office, who: str, uid: str, change: Change) -> None:
    """Change a copy as nobody should: behind the back of scheduling."""

    def write(txn: Transaction) -> None:
        principal = office.principal(txn, who)
        home = txn.collections.home(principal.id, CALENDAR_HOME)
        assert home is not None
        (copy,) = txn.copies.of([home.id], uid)
        plain = copy.text.replace(b"\r\n ", b"")
        new = CalendarObject.parse(change(plain), limits=calendars.limits(Calendars()))
        draft = calendars.accepted(copy.row.name, new, now=txn.now, settings=Calendars())
        txn.objects.put(copy.row.collection_id, attrs.evolve(draft, schedule_tag=copy.row.schedule_tag))

    office.write(write)


def mend(office: Office) -> list[str]:
    """Repair all that differs; returns whose copies."""

    def write(txn: Transaction) -> list[str]:
        return [who for each in wrong for who in repair(txn, policy(office), each.principal, each.uid, [each.attendee])]

    wrong = [each for each in found(office) if each.kind == "differs"]
    return [each[7:10] for each in office.write(write)]


WEEKLY = ("RRULE:FREQ=WEEKLY;COUNT=8", "SUMMARY:Weekly")


def test_what_people_do_leaves_nothing_to_find(office: Office) -> None:
    office.invite("once", "ann", "bob", "cyd", "hall")
    office.replies("bob", "once", "ACCEPTED")
    office.invite("weekly", "bob", "ann", "cyd", "attic", lines=WEEKLY)
    office.replies("ann", "weekly", "TENTATIVE")
    assert kinds(office) == []
    office.work()
    assert kinds(office) == []
    assert office.put("ann", meeting("once", "ann", "bob", "hall", lines=("SUMMARY:New",)), "once.ics").status == 204
    assert kinds(office) == []
    excluded = (*WEEKLY, "EXDATE:20990119T090000Z")
    again = meeting("weekly", "bob", "ann", "cyd", "attic", lines=excluded)
    assert office.put("bob", again, "weekly.ics").status == 204
    assert kinds(office) == []
    instance = vevent(
        "weekly",
        "RECURRENCE-ID:20990126T090000Z",
        "DTSTART:20990126T110000Z",
        *people("bob", "ann", "attic"),
    )
    series = vevent("weekly", *people("bob", "ann", "cyd", "attic"), *excluded)
    assert office.put("bob", text(series, instance), "weekly.ics").status == 204
    assert kinds(office) == []
    office.work()
    assert kinds(office) == []
    assert office.by("cyd")("DELETE", office.path("cyd", "weekly")).status == 204
    assert kinds(office) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace(b"T090000Z", b"T100000Z"), "DTSTART"),
        (lambda text: text.replace(b"SUMMARY:Lunch", b"SUMMARY:Dinner"), "SUMMARY"),
        (lambda text: text.replace(b"SUMMARY:Lunch\r\n", b""), "SUMMARY"),
        (lambda text: text.replace(b"PARTSTAT=ACCEPTED:mailto:bob", b"PARTSTAT=DECLINED:mailto:bob"), "says DECLINED"),
        (lambda text: text.replace(b"SUMMARY:Lunch", b"SUMMARY:Later\r\nSEQUENCE:9"), "SUMMARY"),
    ],
)
def test_a_copy_that_differs_is_found_and_repaired(office: Office, change: Change, said: str) -> None:
    office.invite("m", "ann", "bob", "cyd", lines=("SUMMARY:Lunch",))
    office.replies("bob", "m", "ACCEPTED")
    office.work()
    before = office.copy("bob", "m")
    spoil(office, "bob", "m", change)
    (wrong,) = found(office)
    assert (wrong.kind, wrong.uid, wrong.attendee) == ("differs", "m", mail("bob"))
    assert said in wrong.texts[0]
    assert mend(office) == ["bob"]
    after = office.copy("bob", "m")
    assert found(office) == []
    assert before is not None
    assert after is not None
    assert after.components[0].value("SUMMARY") == "Lunch"
    assert after.components[0].value("DTSTART") == before.components[0].value("DTSTART")
    assert office.answer("bob", "m", "bob") == office.answer("ann", "m", "bob") == "ACCEPTED"


def test_after_a_repair_all_goes_on(office: Office) -> None:
    office.invite("m", "ann", "bob", lines=("SUMMARY:Lunch",))
    spoil(office, "bob", "m", lambda text: text.replace(b"SUMMARY:Lunch", b"SUMMARY:Later\r\nSEQUENCE:9"))
    assert mend(office) == ["bob"]
    office.replies("bob", "m", "TENTATIVE")
    assert office.answer("ann", "m", "bob") == "TENTATIVE"
    assert office.put("ann", meeting("m", "ann", "bob", lines=("SUMMARY:Tea",)), "m.ics").status == 204
    copy = office.copy("bob", "m")
    assert copy is not None
    assert copy.components[0].value("SUMMARY") == "Tea"
    assert found(office) == []


def test_a_repair_leaves_what_is_the_attendees_own(office: Office) -> None:
    office.invite("m", "ann", "bob", lines=("SUMMARY:Lunch",))
    alarm = b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"
    spoil(office, "bob", "m", lambda text: text.replace(b"END:VEVENT", alarm))
    assert found(office) == [], "an alarm is nobody else's business"
    spoil(office, "bob", "m", lambda text: text.replace(b"SUMMARY:Lunch", b"SUMMARY:Dinner"))
    assert mend(office) == ["bob"]
    copy = office.copy("bob", "m")
    assert copy is not None
    assert len(copy.components[0].children("VALARM")) == 1


def test_an_instance_that_is_lost_is_found(office: Office) -> None:
    moved = vevent(
        "m", "RECURRENCE-ID:20990112T090000Z", "DTSTART:20990112T110000Z", *people("ann", "bob"), "SUMMARY:Weekly"
    )
    office.put("ann", text(vevent("m", *people("ann", "bob"), *WEEKLY), moved))
    assert found(office) == []

    def lose(text: bytes) -> bytes:
        head, _, rest = text.rpartition(b"BEGIN:VEVENT")
        return head + rest.partition(b"END:VEVENT\r\n")[2]

    spoil(office, "bob", "m", lose)
    (wrong,) = found(office)
    assert "instances" in wrong.texts[0]
    assert mend(office) == ["bob"]
    copy = office.copy("bob", "m")
    assert copy is not None
    assert len(copy.components) == 2
    assert found(office) == []


def test_an_organizer_without_a_meeting_is_told(office: Office) -> None:
    """Nothing is repaired there: it may be the organizer's copy that is missing."""
    office.invite("m", "ann", "bob")

    def lose(txn: Transaction) -> None:
        home = txn.collections.home(office.principal(txn, "ann").id, CALENDAR_HOME)
        assert home is not None
        (row,) = txn.objects.by_uid(home.id, "m")
        txn.objects.remove(row.id)

    office.write(lose)
    assert kinds(office) == [("orphan", "bob")]
    assert mend(office) == []


def test_a_meeting_that_is_cancelled_needs_no_organizer(office: Office) -> None:
    office.invite("m", "ann", "bob")
    office.replies("bob", "m", "ACCEPTED")
    assert office.by("ann")("DELETE", office.path("ann", "m")).status == 204
    assert office.copy("bob", "m") is not None
    assert found(office) == []


def test_one_who_is_not_invited_is_told(office: Office) -> None:
    office.invite("m", "ann", "bob", "cyd")

    def uninvite(text: bytes) -> bytes:
        return b"\r\n".join(line for line in text.split(b"\r\n") if not line.endswith(b"mailto:bob@example.com"))

    spoil(office, "ann", "m", uninvite)
    assert ("orphan", "bob") in kinds(office)


def test_one_who_removed_the_copy_silently_is_told_and_left_alone(office: Office) -> None:
    office.invite("m", "ann", "bob")
    assert office.by("bob")("DELETE", office.path("bob", "m"), schedule_reply="F").status == 204
    assert kinds(office) == [("gone", "bob")]
    assert mend(office) == []
    assert office.copy("bob", "m") is None


def test_what_was_over_long_ago_is_not_looked_at(office: Office) -> None:
    """Changes of it are told to nobody, so copies may differ."""
    past = text(vevent("m", *people("ann", "bob"), "DTSTART:20200105T090000Z", "SUMMARY:Lunch"))
    assert office.put("ann", past).status == 201
    spoil(office, "bob", "m", lambda text: text.replace(b"SUMMARY:Lunch", b"SUMMARY:Dinner"))
    assert found(office) == []


def test_pages_find_the_same_with_a_bounded_number_of_queries(office: Office) -> None:
    for number in range(7):
        office.invite(f"m{number}", "ann", "bob", "cyd", lines=("SUMMARY:Lunch",))
    for number in (1, 6):
        spoil(office, "cyd", f"m{number}", lambda text: text.replace(b"SUMMARY:Lunch", b"SUMMARY:Dinner"))
    assert {each.uid for each in found(office)} == {"m1", "m6"}
    assert found(office, limit=2) == found(office, limit=7) == found(office)

    def queries(txn: Transaction, limit: int) -> int:
        home = txn.collections.home(office.principal(txn, "ann").id, CALENDAR_HOME)
        assert home is not None
        calendar = txn.collections.child(home.id, "Default")
        assert calendar is not None
        before = txn.connection.statements  # type: ignore[attr-defined]  # of the implementation
        look(txn, policy(office), calendar, limit=limit)
        return int(txn.connection.statements - before)  # type: ignore[attr-defined]  # the same

    assert office.store.read_now(lambda txn: queries(txn, 2)) == office.store.read_now(lambda txn: queries(txn, 7)) <= 6
