"""What servers to try have in them: two organizations with people, rooms, and calendars with events around today."""

from datetime import date, datetime, time, timedelta
from typing import Final

import attrs

from calserver import calendars
from calserver.admin import accounts
from calserver.admin.accounts import named
from calserver.admin.calendars import create, find
from calserver.config import Calendars
from calserver.ical import CalendarObject
from calserver.store import Object, Transaction

PASSWORD: Final = "demo"


@attrs.frozen(kw_only=True)
class Account:
    """A principal of the demonstration."""

    uid: str
    kind: str
    name: str
    administrator: bool = False

    def address(self, domain: str) -> str:
        """Its mail address."""
        return f"{self.uid}@{domain}"


@attrs.frozen(kw_only=True)
class Entry:
    """A calendar object resource: whose it is, the name of the calendar it lies in, its own name and its text."""

    owner: str
    calendar: str
    name: str
    text: bytes


@attrs.frozen(kw_only=True)
class Organization:
    """The people and rooms of a mail domain."""

    domain: str
    accounts: tuple[Account, ...]

    @property
    def host(self) -> str:
        """The name of its server."""
        return f"cal.{self.domain}"

    @property
    def first(self) -> Account:
        """Who takes part in the demonstration."""
        return self.accounts[0]


NORTH: Final = Organization(
    domain="north.example",
    accounts=(
        Account(uid="ann", kind="user", name="Ann Example"),
        Account(uid="bob", kind="user", name="Bob Example"),
        Account(uid="meeting-room", kind="location", name="Meeting Room"),
        Account(uid="admin", kind="user", name="Administrator", administrator=True),
    ),
)
SOUTH: Final = Organization(
    domain="south.example",
    accounts=(
        Account(uid="sam", kind="user", name="Sam Example"),
        Account(uid="sue", kind="user", name="Sue Example"),
        Account(uid="garden-room", kind="location", name="Garden Room"),
        Account(uid="admin", kind="user", name="Administrator", administrator=True),
    ),
)
CALENDARS: Final = (("ann", "Sports", "#2ECC71FF"),)
"""Calendars besides those that everybody has: owner, name, color."""


def seed(txn: Transaction, organization: Organization, *, today: datetime, settings: Calendars) -> bool:
    """Make the accounts and what is in their calendars, where there are no principals yet; returns whether it did.

    Args:
        txn: a writing transaction.
        organization: whose.
        today: the events lie around this day, in wall-clock time.
        settings: which collections everybody has.
    """
    if txn.principals.list():
        return False
    for each in organization.accounts:
        accounts.add(
            txn,
            each.uid,
            each.kind,
            settings=settings,
            password=PASSWORD if each.kind == "user" else None,
            name=each.name,
            addresses=(each.address(organization.domain),),
            administrator=each.administrator,
        )
    here = {each.uid for each in organization.accounts}
    for owner, name, color in CALENDARS:
        if owner in here:
            create(txn, named(txn, owner), name, color=color)
    for entry in entries(today):
        if entry.owner in here:
            place = find(txn, named(txn, entry.owner), entry.calendar)
            calendars.put(txn, place, entry.name, CalendarObject.parse(entry.text), settings=settings, path=_name)
    return True


def _name(holder: Object) -> str:
    return holder.name


def entries(now: datetime) -> tuple[Entry, ...]:
    """The events and tasks, dated around a day; times are floating, so each is at its hour wherever one looks."""
    today = now.date()
    monday = today - timedelta(days=today.weekday())
    team_start, next_team = _at(monday, 10), _at(monday + timedelta(days=7), 10)
    team = (
        _event("team", now, team_start, 60, "Team meeting", "LOCATION:Meeting Room", "RRULE:FREQ=WEEKLY"),
        _event("team", now, _at(monday + timedelta(days=8), 14), 90, "Team meeting (moved)", _instance(next_team)),
    )
    lunch = _event("lunch", now, _at(today, 12, 30), 60, "Lunch: Ann and Bob", "LOCATION:The place at the corner")
    dentist = _event("dentist", now, _at(today + timedelta(days=3), 8, 30), 45, "Dentist", *_alarm(60))
    workshop = _days("workshop", now, monday + timedelta(days=9), 2, "Workshop")
    run = _event("run", now, _at(monday + timedelta(days=1), 18), 60, "Run", "RRULE:FREQ=WEEKLY;BYDAY=TU,TH")
    tickets = _task("tickets", now, "Book the train", "DUE:" + _stamp(_at(today + timedelta(days=2), 18)))
    readme = _task("readme", now, "Read the README")
    return (
        _entry("ann", "Default", "team", *team),
        _entry("ann", "Default", "lunch", lunch),
        _entry("ann", "Default", "dentist", dentist),
        _entry("ann", "Sports", "run", run),
        _entry("ann", "Tasks", "tickets", tickets),
        _entry("ann", "Tasks", "readme", readme),
        _entry("bob", "Default", "team", *team),
        _entry("bob", "Default", "lunch", lunch),
        _entry("bob", "Default", "workshop", workshop),
        _entry("meeting-room", "Default", "team", *team),
        _entry("sam", "Default", "dentist", dentist),
        _entry("sam", "Default", "workshop", workshop),
        _entry("sue", "Tasks", "tickets", tickets),
    )


def _entry(owner: str, calendar: str, name: str, *components: tuple[str, ...]) -> Entry:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//calserver//demo//EN"]
    for each in components:
        lines += each
    lines += ["END:VCALENDAR", ""]
    return Entry(owner=owner, calendar=calendar, name=f"{name}.ics", text="\r\n".join(lines).encode())


def _component(kind: str, uid: str, now: datetime, summary: str, *more: str) -> tuple[str, ...]:
    stamp = f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}"
    return (f"BEGIN:{kind}", f"UID:{uid}@demo.example", stamp, f"SUMMARY:{summary}", *more, f"END:{kind}")


def _event(uid: str, now: datetime, start: datetime, minutes: int, summary: str, *more: str) -> tuple[str, ...]:
    when = (f"DTSTART:{_stamp(start)}", f"DURATION:PT{minutes}M")
    return _component("VEVENT", uid, now, summary, *when, *more)


def _days(uid: str, now: datetime, first: date, days: int, summary: str) -> tuple[str, ...]:
    end = first + timedelta(days=days)
    when = (f"DTSTART;VALUE=DATE:{first:%Y%m%d}", f"DTEND;VALUE=DATE:{end:%Y%m%d}", "TRANSP:OPAQUE")
    return _component("VEVENT", uid, now, summary, *when)


def _task(uid: str, now: datetime, summary: str, *more: str) -> tuple[str, ...]:
    return _component("VTODO", uid, now, summary, "STATUS:NEEDS-ACTION", *more)


def _instance(start: datetime) -> str:
    return f"RECURRENCE-ID:{_stamp(start)}"


def _alarm(minutes: int) -> tuple[str, ...]:
    return ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Soon", f"TRIGGER:-PT{minutes}M", "END:VALARM")


def _at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute))


def _stamp(wall_clock: datetime) -> str:
    return f"{wall_clock:%Y%m%dT%H%M%S}"
