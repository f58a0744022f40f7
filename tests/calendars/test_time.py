"""The horizon of the index as time goes by, and when principals are busy."""

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
from lxml import etree

from calserver import calendars, ical
from calserver.config import Calendars
from calserver.ical import BusyPeriod, CalendarObject, TimeRange, merged
from calserver.names import CS, C
from calserver.store import Principal, Store, Transaction, open_store

DAY = 86400
SETTINGS = Calendars(horizon_days=100)
START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that tests turn."""

    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(clock: Clock, empty_database: Path, tmp_path: Path):
    path = tmp_path / "timed.sqlite"
    shutil.copy(empty_database, path)
    opened = open_store(f"sqlite:///{path}", reactor=None, now=clock)
    yield opened
    opened.close()


def calendar_object(uid: str, *lines: str, name: str = "VEVENT") -> CalendarObject:
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", f"BEGIN:{name}", f"UID:{uid}", "DTSTAMP:20260101T000000Z")
    text = "".join(f"{line}\r\n" for line in (*head, *lines, f"END:{name}", "END:VCALENDAR"))
    return CalendarObject.parse(text.encode())


def person(txn: Transaction) -> int:
    ann = txn.principals.add(Principal(id=0, kind="user", uid="ann", guid="00000000-0000-0000-0000-000000000001"))
    calendars.provision(txn, ann, SETTINGS)
    return ann.id


def put(txn: Transaction, principal: int, *objects: CalendarObject, name: str = "Default") -> int:
    home = txn.collections.home(principal, "calendar-home")
    place = txn.collections.child(home.id, name)
    for each in objects:
        calendars.put(txn, place, f"{each.uid}.ics", each, settings=SETTINGS, path=str)
    return place.id


def at(text: str) -> int:
    return int(datetime.strptime(text, "%Y%m%dT%H%M").replace(tzinfo=UTC).timestamp())


# -- the horizon ---------------------------------------------------------------------------------------------------

WEEKLY = calendar_object("weekly", "DTSTART:20260105T090000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY")
ONCE = calendar_object("once", "DTSTART:20260105T090000Z")


def reach(txn: Transaction, place: int) -> int:
    """How many days ahead the marker of the weekly series is."""
    markers = [row for _, row in txn.objects.busy([place], 0, 2**40) if row.marker]
    assert len(markers) == 1
    return (markers[0].start - int(START.timestamp())) // DAY


def test_rows_are_written_anew_before_they_end(timed: Store, clock: Clock) -> None:
    """Not every day: only when they end a tenth before the horizon."""
    place = timed.write_now(lambda txn: put(txn, person(txn), WEEKLY, ONCE))
    far = timed.read_now(lambda txn: reach(txn, place))
    assert 100 <= far < 107
    assert timed.write_now(lambda txn: calendars.extend(txn, SETTINGS)) == 0
    clock.now += timedelta(days=10)
    assert timed.write_now(lambda txn: calendars.extend(txn, SETTINGS)) == 0
    clock.now += timedelta(days=10)
    assert timed.write_now(lambda txn: calendars.extend(txn, SETTINGS)) == 1
    assert 120 <= timed.read_now(lambda txn: reach(txn, place)) < 127
    assert timed.write_now(lambda txn: calendars.extend(txn, SETTINGS)) == 0


def test_the_horizon_moves_in_batches_and_changes_nothing_that_clients_see(timed: Store, clock: Clock) -> None:
    series = [attrs.evolve(WEEKLY, uid=str(number)) for number in range(5)]
    place = timed.write_now(lambda txn: put(txn, person(txn), *series))
    before = timed.read_now(lambda txn: (txn.collections.get(place), txn.objects.in_collection(place)))
    clock.now += timedelta(days=50)
    done = [timed.write_now(lambda txn: calendars.extend(txn, SETTINGS, limit=2)) for _ in range(4)]
    assert done == [2, 2, 1, 0]
    assert timed.read_now(lambda txn: (txn.collections.get(place), txn.objects.in_collection(place))) == before


def test_a_series_that_has_become_too_long_does_not_stop_the_others(timed: Store, clock: Clock) -> None:
    """It counts as everywhere up to the horizon, and is read for what lies beyond."""
    daily = calendar_object("daily", "DTSTART:20260101T090000Z", "RRULE:FREQ=DAILY")
    place = timed.write_now(lambda txn: put(txn, person(txn), daily, WEEKLY))
    clock.now += timedelta(days=50)
    strict = attrs.evolve(SETTINGS, instances=20)
    assert timed.write_now(lambda txn: calendars.extend(txn, strict)) == 2
    assert timed.write_now(lambda txn: calendars.extend(txn, strict)) == 0
    middle, beyond = int(clock.now.timestamp()), int(clock.now.timestamp()) + 1000 * DAY
    for start in (middle, beyond):
        found = timed.read_now(lambda txn, start=start: txn.objects.in_range([place], start, start + 7 * DAY))
        assert sorted(row.uid for row, _ in found) == ["daily", "weekly"]
    only = timed.read_now(lambda txn: txn.objects.only_marked([place], beyond, beyond + DAY))
    assert len(only) == 2


# -- busy time -----------------------------------------------------------------------------------------------------


def busy(txn: Transaction, principal: int, start: str, end: str) -> list[BusyPeriod]:
    asked = TimeRange(at(start), at(end))
    return list(merged(calendars.busy_of(txn, principal, asked, settings=SETTINGS)))


def test_a_principal_is_busy_by_all_calendars_that_are_not_transparent(store: Store) -> None:
    def work(txn: Transaction) -> None:
        ann = person(txn)
        home = txn.collections.home(ann, "calendar-home")
        txn.collections.add(home.id, "holidays", "calendar", transparent=True)
        txn.collections.add(home.id, "work", "calendar")
        put(txn, ann, calendar_object("1", "DTSTART:20260105T090000Z", "DURATION:PT1H"))
        put(txn, ann, calendar_object("2", "DTSTART:20260105T110000Z", "DURATION:PT1H"), name="work")
        put(txn, ann, calendar_object("3", "DTSTART:20260105T130000Z", "DURATION:PT1H"), name="holidays")
        assert busy(txn, ann, "20260105T0000", "20260106T0000") == [
            BusyPeriod(at("20260105T0900"), at("20260105T1000")),
            BusyPeriod(at("20260105T1100"), at("20260105T1200")),
        ]

    store.write_now(work)


def test_days_of_each_calendar_are_those_of_its_zone(store: Store) -> None:
    def work(txn: Transaction) -> None:
        ann = person(txn)
        home = txn.collections.home(ann, "calendar-home")
        zone = ical.serialize(
            ical.Component(
                "VCALENDAR",
                (ical.Property("VERSION", "2.0"),),
                (ical.vtimezone("Asia/Tokyo", datetime(1970, 1, 1, tzinfo=UTC)),),
            )
        )
        txn.collections.add(home.id, "tokyo", "calendar", timezone=zone.decode())
        put(txn, ann, calendar_object("1", "DTSTART;VALUE=DATE:20260105"))
        put(txn, ann, calendar_object("2", "DTSTART;VALUE=DATE:20260107"), name="tokyo")
        assert busy(txn, ann, "20260104T0000", "20260109T0000") == [
            BusyPeriod(at("20260105T0000"), at("20260106T0000")),
            BusyPeriod(at("20260106T1500"), at("20260107T1500")),
        ]

    store.write_now(work)


@pytest.mark.parametrize("name", [C("calendar-availability"), CS("calendar-availability")])
def test_availability_leaves_some_time(store: Store, name: str) -> None:
    """RFC 7953 section 5."""
    text = calendar_object(
        *("a", "DTSTART:20260105T000000Z", "DTEND:20260106T000000Z", "BEGIN:AVAILABLE", "UID:b"),
        *("DTSTAMP:20260101T000000Z", "DTSTART:20260105T090000Z", "DTEND:20260105T170000Z", "END:AVAILABLE"),
        name="VAVAILABILITY",
    ).text.decode()

    def work(txn: Transaction) -> None:
        ann = person(txn)
        home = txn.collections.home(ann, "calendar-home")
        element = etree.Element(name)
        element.text = text
        inbox = txn.collections.child(home.id, "Inbox")
        stored = {name: etree.tostring(element, encoding="unicode")}
        txn.collections.update(attrs.evolve(inbox, properties=stored))
        put(txn, ann, calendar_object("1", "DTSTART:20260105T100000Z", "DURATION:PT1H"))
        assert busy(txn, ann, "20260105T0000", "20260106T0000") == [
            BusyPeriod(at("20260105T0000"), at("20260105T0900"), "U"),
            BusyPeriod(at("20260105T1000"), at("20260105T1100")),
            BusyPeriod(at("20260105T1700"), at("20260106T0000"), "U"),
        ]

    store.write_now(work)


def test_what_cannot_be_listed_takes_all_time(store: Store) -> None:
    """Better that than to give it away: a rule with more instances than may be listed, availability beyond repair."""

    def work(txn: Transaction) -> None:
        ann = person(txn)
        put(txn, ann, calendar_object("1", "DTSTART:20260101T000000Z", "DURATION:PT1M", "RRULE:FREQ=DAILY"))
        asked = TimeRange(at("20400101T0000"), at("20410101T0000"))
        few = attrs.evolve(SETTINGS, instances=20)
        assert list(merged(calendars.busy_of(txn, ann, asked, settings=few))) == [BusyPeriod(asked.start, asked.end)]

    store.write_now(work)


def test_many_rules_that_cost_much_are_not_all_followed(store: Store) -> None:
    """Each of them costs no more than it may, but all together they would take a minute."""

    def work(txn: Transaction) -> None:
        ann = person(txn)
        never = ("DTSTART:20260101T000000Z", "DURATION:PT1M", "RRULE:FREQ=DAILY;BYMONTHDAY=1;BYYEARDAY=5")
        put(txn, ann, *(calendar_object(str(number), *never) for number in range(100)))
        asked = TimeRange(at("20400101T0000"), at("21900101T0000"))
        began = time.process_time()
        assert list(merged(calendars.busy_of(txn, ann, asked, settings=SETTINGS))) == [
            BusyPeriod(asked.start, asked.end)
        ]
        assert time.process_time() - began < 3

    store.write_now(work)


def test_who_has_no_calendars_is_never_busy(store: Store) -> None:
    def work(txn: Transaction) -> None:
        staff = txn.principals.add(
            Principal(id=0, kind="group", uid="staff", guid="00000000-0000-0000-0000-000000000002")
        )
        assert busy(txn, staff.id, "20260105T0000", "20260106T0000") == []

    store.write_now(work)
