"""Calendars to measure with: the same ones every time, spread over five years, one event in twenty recurring."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import attrs

ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n"
    "BEGIN:DAYLIGHT\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nTZNAME:CEST\r\nDTSTART:19700329T020000\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\n"
    "BEGIN:STANDARD\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nTZNAME:CET\r\nDTSTART:19701025T030000\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)
YEARS = 5
EPOCH = datetime(2024, 1, 1, 8, tzinfo=UTC)
MONTH = ("20260601T000000Z", "20260701T000000Z")
"""The month that queries ask for."""
WEEK = ("20260608T000000Z", "20260615T000000Z")
"""The week that free-busy asks for."""
ATTENDEES = 10
"""Of how many people it asks."""
RECENT = 100
"""Events of the five years in a calendar with an archive, however many there are before."""
ARCHIVE_YEARS = 20


@attrs.frozen(kw_only=True)
class Calendar:
    """What is stored: names and contents of events, and how many the month has at least."""

    name: str
    events: Sequence[tuple[str, bytes]]
    month: float

    @property
    def size(self) -> int:
        """How many events."""
        return len(self.events)


def event(number: int, uid: str, size: int, *, epoch: datetime = EPOCH, years: int = YEARS) -> bytes:
    """Event `number` of a calendar of `size`: about 1 KB with a time zone and an alarm (RFC 5545)."""
    start = epoch + timedelta(days=years * 365) * number / size
    start = start.replace(minute=30 * (number % 2), second=0, microsecond=0, tzinfo=None)
    rule = "RRULE:FREQ=WEEKLY;COUNT=26\r\n" if number % 20 == 0 else ""
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//calserver//benchmarks//EN\r\n"
        f"{ZONE}BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nCREATED:20260101T000000Z\r\n"
        f"DTSTART;TZID=Europe/Berlin:{start:%Y%m%dT%H%M%S}\r\nDURATION:PT1H\r\n{rule}"
        f"SUMMARY:Planning round {number}\r\nLOCATION:Room {number % 40}\r\n"
        "DESCRIPTION:Agenda\\, notes of last time and the list of open points are in the usual\r\n"
        "  place. Bring figures for the last quarter\\; somebody else brings the coffee.\r\n"
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Reminder\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def spread(size: int) -> Calendar:
    """A calendar of `size` events over five years: the more there are, the more are in each month."""
    uids = [f"{size}-{number:06}" for number in range(size)]
    events = [(f"{uid}.ics", event(number, uid, size)) for number, uid in enumerate(uids)]
    return Calendar(name=f"bench{size}", events=events, month=size / (YEARS * 12) / 2)


def archived(size: int) -> Calendar:
    """A calendar of `size` events with as many in the five years as any other one has: the others lie before."""
    past = EPOCH - timedelta(days=(ARCHIVE_YEARS + 1) * 365)
    uids = [f"archive{size}-{number:06}" for number in range(size)]
    events = [(f"{uid}.ics", event(number, uid, RECENT)) for number, uid in enumerate(uids[:RECENT])]
    old = [
        (f"{uid}.ics", event(number, uid, size - RECENT, epoch=past, years=ARCHIVE_YEARS))
        for number, uid in enumerate(uids[RECENT:])
    ]
    return Calendar(name=f"archive{size}", events=events + old, month=RECENT / (YEARS * 12) / 2)


def joined(events: Sequence[bytes]) -> bytes:
    """Events as one VCALENDAR."""
    components = b"".join(each[each.index(b"BEGIN:VEVENT") : each.index(b"END:VCALENDAR")] for each in events)
    head, _, _ = events[0].partition(b"BEGIN:VEVENT")
    return head + components + b"END:VCALENDAR\r\n"


def question(people: Sequence[str]) -> bytes:
    """A free-busy request by the first of the people for all of them (RFC 6638 section 5)."""
    attendees = "".join(f"ATTENDEE:{each}\r\n" for each in people)
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//calserver//benchmarks//EN\r\nMETHOD:REQUEST\r\n"
        f"BEGIN:VFREEBUSY\r\nUID:question\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:{WEEK[0]}\r\nDTEND:{WEEK[1]}\r\n"
        f"ORGANIZER:{people[0]}\r\n{attendees}END:VFREEBUSY\r\nEND:VCALENDAR\r\n"
    ).encode()
