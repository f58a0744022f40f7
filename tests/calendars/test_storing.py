"""What may be stored in a calendar, and in which form."""

import time
from datetime import UTC, datetime

import pytest

from calserver import calendars, ical
from calserver.calendars import NoUidConflict, SupportedCalendarComponent, UniqueSchedulingObjectResource
from calserver.calendars.objects import without_duplicate_alarms
from calserver.config import Calendars
from calserver.ical import CalendarObject
from calserver.store import Collection, Object, Principal, Store, Transaction

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = Calendars()


def calendar_object(uid: str = "1", *lines: str, name: str = "VEVENT") -> CalendarObject:
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", f"BEGIN:{name}", f"UID:{uid}", "DTSTAMP:20260101T000000Z")
    body = lines or ("DTSTART:20260105T090000Z",)
    text = "".join(f"{line}\r\n" for line in (*head, *body, f"END:{name}", "END:VCALENDAR"))
    return CalendarObject.parse(text.encode())


def path(row: Object) -> str:
    return f"/{row.collection_id}/{row.name}"


def home(txn: Transaction) -> tuple[Collection, Collection, Collection]:
    """Two calendars in a home, and one in a folder of it."""
    ann = txn.principals.add(Principal(id=0, kind="user", uid="ann", guid="00000000-0000-0000-0000-000000000001"))
    top = txn.collections.add_home(ann.id, "calendar-home")
    folder = txn.collections.add(top.id, "folder", "plain")
    one, two = (txn.collections.add(top.id, name, "calendar", components=("VEVENT",)) for name in ("one", "two"))
    return one, two, txn.collections.add(folder.id, "inner", "calendar")


def put(txn: Transaction, place: Collection, name: str, new: CalendarObject) -> tuple[Object, bool]:
    return calendars.put(txn, place, name, new, settings=SETTINGS, path=path)


def test_what_queries_need_is_kept_beside_the_text() -> None:
    lines = ("DTSTART:20260105T090000Z", "RRULE:FREQ=DAILY;COUNT=3", "ORGANIZER:MAILTO:Ann@Example.com")
    new = calendar_object("1", *lines)
    draft = calendars.accepted("1.ics", new, now=NOW, settings=SETTINGS)
    assert (draft.text, draft.etag) == (new.text, ical.etag(new.text))
    assert (draft.component, draft.uid, draft.organizer) == ("VEVENT", "1", "mailto:ann@example.com")
    assert (draft.recurring, len(draft.instances)) == (True, 3)
    first = int(datetime(2026, 1, 5, 9, tzinfo=UTC).timestamp())
    assert draft.first == first == draft.instances[0].start


def test_an_endless_series_is_indexed_up_to_the_horizon() -> None:
    new = calendar_object("1", "DTSTART:20260105T090000Z", "RRULE:FREQ=WEEKLY")
    draft = calendars.accepted("1.ics", new, now=NOW, settings=Calendars(horizon_days=70))
    *rows, marker = draft.instances
    assert (len(rows), marker.marker, draft.last) == (10, True, None)
    assert not any(row.marker for row in rows)


def test_equal_alarms_of_one_component_are_one() -> None:
    alarm = ("BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER:-PT5M", "END:VALARM")
    same = ("BEGIN:VALARM", "TRIGGER:-PT5M", "ACTION:AUDIO", "END:VALARM")
    later = ("BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER:-PT1M", "END:VALARM")
    start = "DTSTART:20260105T090000Z"
    assert without_duplicate_alarms(calendar_object("1", start, *alarm, *later, *same, *alarm).calendar) == (
        calendar_object("1", start, *alarm, *later).calendar
    )
    for lines in ((), alarm, (*alarm, *later)):
        calendar = calendar_object("1", start, *lines).calendar
        assert without_duplicate_alarms(calendar) is calendar


def test_the_same_object_is_new_once(store: Store) -> None:
    def work(txn: Transaction) -> None:
        one, _, _ = home(txn)
        first, created = put(txn, one, "1.ics", calendar_object())
        again, anew = put(txn, one, "1.ics", calendar_object("1", "DTSTART:20270105T090000Z"))
        assert (created, anew) == (True, False)
        assert (again.id, again.resource_id) == (first.id, first.resource_id)
        assert again.etag != first.etag

    store.write_now(work)


def test_conflicts_name_the_holder(store: Store) -> None:
    def work(txn: Transaction) -> None:
        one, two, inner = home(txn)
        put(txn, one, "1.ics", calendar_object("1"))
        put(txn, inner, "1.ics", calendar_object("1"))
        put(txn, inner, "2.ics", calendar_object("2"))
        put(txn, two, "2.ics", calendar_object("2"))
        for place, name, uid, refusal, holder in (
            (one, "2.ics", "1", NoUidConflict, path(txn.objects.get(one.id, "1.ics"))),
            (one, "1.ics", "3", NoUidConflict, path(txn.objects.get(one.id, "1.ics"))),
            (inner, "3.ics", "1", NoUidConflict, path(txn.objects.get(inner.id, "1.ics"))),
            (two, "1.ics", "1", UniqueSchedulingObjectResource, path(txn.objects.get(one.id, "1.ics"))),
        ):
            with pytest.raises(refusal) as refused:
                put(txn, place, name, calendar_object(uid))
            assert refused.value.hrefs == (holder,)
        with pytest.raises(SupportedCalendarComponent):
            put(txn, one, "3.ics", calendar_object("3", name="VTODO"))

    store.write_now(work)


def test_what_lies_elsewhere_in_the_home_is_no_holder(store: Store) -> None:
    """Messages in the Inbox and plain files may have any UID."""

    def work(txn: Transaction) -> None:
        one, _, _ = home(txn)
        inbox = txn.collections.add(one.home_id, "Inbox", "inbox")
        draft = calendars.accepted("1.ics", calendar_object("1"), now=NOW, settings=SETTINGS)
        txn.objects.put(inbox.id, draft)
        assert put(txn, one, "1.ics", calendar_object("1"))[1]

    store.write_now(work)


def test_what_is_replaced_or_moved_does_not_hold_its_uid_against_itself(store: Store) -> None:
    def work(txn: Transaction) -> None:
        one, two, _ = home(txn)
        row, _ = put(txn, one, "1.ics", calendar_object("1"))
        calendars.admit(txn, two, row, path, moved=row)
        calendars.admit(txn, one, row, path, replaced=row)
        with pytest.raises(UniqueSchedulingObjectResource):
            calendars.admit(txn, two, row, path)

    store.write_now(work)


# -- one file, many objects ----------------------------------------------------------------------------------------


def test_a_file_is_cut_by_uid_with_the_zones_that_each_piece_needs() -> None:
    text = "\r\n".join(
        (
            *("BEGIN:VCALENDAR", "VERSION:2.0", "X-WR-CALNAME:all", "PRODID:x"),
            *("BEGIN:VTIMEZONE", "TZID:A", "END:VTIMEZONE", "BEGIN:VTIMEZONE", "TZID:B", "END:VTIMEZONE"),
            *("BEGIN:VEVENT", "UID:1", "DTSTART;TZID=A:20260101T000000", "END:VEVENT"),
            *("BEGIN:VTODO", "UID:2", "END:VTODO"),
            *("BEGIN:VEVENT", "UID:1", "RECURRENCE-ID;TZID=A:20260102T000000", "END:VEVENT"),
            *("END:VCALENDAR", ""),
        )
    )
    pieces = dict(calendars.pieces(ical.parse(text)))
    assert {uid: [each.name for each in piece.components] for uid, piece in pieces.items()} == {
        "1": ["VTIMEZONE", "VEVENT", "VEVENT"],
        "2": ["VTODO"],
    }
    assert [each.name for each in pieces["1"].properties] == ["VERSION", "PRODID"]
    with pytest.raises(ical.ValidCalendarData):
        list(calendars.pieces(ical.parse("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n")))


def test_many_objects_with_many_zones_are_cut_soon() -> None:
    zones = "".join(f"BEGIN:VTIMEZONE\nTZID:{number}\nEND:VTIMEZONE\n" for number in range(5000))
    events = "".join(f"BEGIN:VEVENT\nUID:{number}\nDTSTART:20260101\nEND:VEVENT\n" for number in range(5000))
    calendar = ical.parse(f"BEGIN:VCALENDAR\n{zones}{events}END:VCALENDAR\n")
    began = time.process_time()
    assert len(list(calendars.pieces(calendar))) == 5000
    assert time.process_time() - began < 0.5
