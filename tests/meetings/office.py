"""An office: people, rooms and a group on one server, and what they have of their meetings."""

from collections.abc import Callable
from typing import Any

import attrs
from dialogue import WEBDAV, Answer, Dialogue

from calserver import caldav, calendars, directory, ical, meetings
from calserver.calendars import CALENDAR_HOME
from calserver.config import Calendars, Scheduling, Settings
from calserver.dav import Extension, Extensions
from calserver.directory import accounts
from calserver.ical import CalendarObject, Property
from calserver.store import Principal, Store, Transaction
from calserver.tree import Mounts, caldav_ctag

DIRECTORY = tuple(value for value in vars(directory).values() if isinstance(value, Extension))
CALDAV = tuple(value for name, value in sorted(vars(caldav).items()) if isinstance(value, Extension))
PEOPLE = ("ann", "bob", "cyd", "dan", "root")
ROOMS = {
    "hall": "automatic",
    "attic": "accept-always",
    "cellar": "decline-always",
    "lobby": "accept-if-free",
    "porch": "decline-if-busy",
    "closet": "none",
}
START = "DTSTART:20990105T090000Z"


def provide(txn: Transaction, principal: Principal) -> None:
    calendars.provision(txn, principal, Calendars())


def furnish(txn: Transaction) -> None:
    for uid in PEOPLE:
        addresses = (f"{uid}@example.com",)
        accounts.create(txn, uid, addresses=addresses, provision=provide, administrator=uid == "root")
    for uid, mode in ROOMS.items():
        accounts.create(
            txn, uid, kind="location", addresses=(f"{uid}@example.com",), provision=provide, auto_schedule=mode
        )
    accounts.create(txn, "team", kind="group", addresses=("team@example.com",), provision=accounts.provision_nothing)


def mail(who: str) -> str:
    return who if ":" in who else f"mailto:{who}@example.com"


def vevent(uid: str, *lines: str) -> list[str]:
    return [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        *([] if any(line.startswith("DTSTART") for line in lines) else [START]),
        "DURATION:PT1H",
        *lines,
        "END:VEVENT",
    ]


def text(*components: list[str]) -> bytes:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example.com//tests//EN"]
    lines = [*head, *(line for each in components for line in each), "END:VCALENDAR"]
    return "".join(f"{line}\r\n" for line in lines).encode()


def people(organizer: str, *attendees: str) -> list[str]:
    asked = [f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:{mail(each)}" for each in attendees]
    return [f"ORGANIZER:{mail(organizer)}", f"ATTENDEE;PARTSTAT=ACCEPTED:{mail(organizer)}", *asked]


def meeting(uid: str, organizer: str, *attendees: str, lines: tuple[str, ...] = ()) -> bytes:
    return text(vevent(uid, *people(organizer, *attendees), *lines))


@attrs.define
class Office:
    """A server, and what is stored in it."""

    store: Store
    server: Dialogue

    @classmethod
    def of(cls, store: Store, **scheduling: Any) -> "Office":
        spoken = Extensions([*WEBDAV, caldav_ctag, *DIRECTORY, *CALDAV])
        settings = Settings(scheduling=Scheduling(**scheduling), calendars=Calendars(domain="example.com"))
        tree = Mounts([directory.PrincipalMount(), caldav.mount])
        return cls(store, Dialogue(store, tree, spoken, settings))

    def by(self, who: str) -> Dialogue:
        return self.server.by(who, "location" if who in ROOMS else "user")

    def home(self, who: str) -> str:
        return f"calendars/{'location' if who in ROOMS else 'user'}/{who}/"

    def put(self, who: str, content: bytes, name: str = "m.ics", place: str = "Default", **headers: str) -> Answer:
        return self.by(who)("PUT", f"{self.home(who)}{place}/{name}", content, content_type="text/calendar", **headers)

    def invite(self, uid: str, organizer: str, *attendees: str, lines: tuple[str, ...] = ()) -> None:
        answer = self.put(organizer, meeting(uid, organizer, *attendees, lines=lines), f"{uid}.ics")
        assert answer.status in (201, 204), answer.body

    def remove(self, who: str, uid: str) -> Answer:
        return self.by(who)("DELETE", self.path(who, uid))

    def text(self, who: str, uid: str) -> str:
        """What somebody has of a meeting, unfolded."""
        found = self.copy(who, uid)
        assert found is not None
        return found.text.replace(b"\r\n ", b"").decode()

    def _found(self, who: str, uid: str) -> list[tuple[str, str, str | None, bytes]]:
        def look(txn: Transaction) -> list[tuple[str, str, str | None, bytes]]:
            principal = txn.principals.by_uid("location" if who in ROOMS else "user", who)
            assert principal is not None
            home = txn.collections.home(principal.id, CALENDAR_HOME)
            assert home is not None
            return [
                (place.name, row.name, row.schedule_tag, txn.objects.text(row.id))
                for row in txn.objects.by_uid(home.id, uid)
                if (place := txn.collections.get(row.collection_id)) is not None
            ]

        return self.store.read_now(look)

    def copy(self, who: str, uid: str) -> CalendarObject | None:
        """What somebody has of a meeting."""
        found = [text for place, _, _, text in self._found(who, uid) if place != "Inbox"]
        assert len(found) <= 1
        return CalendarObject.stored(found[0]) if found else None

    def path(self, who: str, uid: str) -> str:
        (found,) = [f"{place}/{name}" for place, name, _, _ in self._found(who, uid) if place != "Inbox"]
        return self.home(who) + found

    def tag(self, who: str, uid: str) -> str | None:
        (found,) = [tag for place, _, tag, _ in self._found(who, uid) if place != "Inbox"]
        return found

    def inbox(self, who: str, uid: str) -> list[str]:
        """The methods of the messages about a meeting that lie in somebody's Inbox."""
        texts = [text for place, _, _, text in self._found(who, uid) if place == "Inbox"]
        return sorted(ical.parse(each).value("METHOD") or "" for each in texts)

    def attendee(self, whose: str, uid: str, who: str, instance: str | None = None) -> Property | None:
        """How an attendee stands in somebody's copy."""
        found = self.copy(whose, uid)
        assert found is not None
        for component in found.components:
            if component.value("RECURRENCE-ID") == instance:
                for prop in component.all("ATTENDEE"):
                    if prop.value == mail(who):
                        return prop
        return None

    def answer(self, whose: str, uid: str, who: str, instance: str | None = None) -> str | None:
        prop = self.attendee(whose, uid, who, instance)
        return None if prop is None else prop.param("PARTSTAT") or "NEEDS-ACTION"

    def status(self, whose: str, uid: str, who: str) -> str | None:
        prop = self.attendee(whose, uid, who)
        return None if prop is None else prop.param("SCHEDULE-STATUS")

    def replies(self, who: str, uid: str, answer: str, **headers: str) -> Answer:
        """Somebody answers as a client does: the own copy with another PARTSTAT."""
        found = self.copy(who, uid)
        assert found is not None
        unfolded = found.text.replace(b"\r\n ", b"")
        lines = []
        for line in unfolded.decode().split("\r\n"):
            if line.startswith("ATTENDEE") and line.endswith(mail(who)):
                line = f"ATTENDEE;PARTSTAT={answer}:{mail(who)}"
            lines.append(line)
        body = "\r\n".join(lines).encode()
        return self.by(who)("PUT", self.path(who, uid), body, content_type="text/calendar", **headers)

    def work(self) -> int:
        """Do all tasks that wait, whenever they are due; returns how many there were."""
        settings = self.server.settings
        policy = meetings.Policy(calendars=settings.calendars, scheduling=settings.scheduling, prefix="/dav/")

        def one(txn: Transaction) -> bool:
            for kind, work in meetings.WORKS.items():
                for task in txn.tasks.of(kind):
                    work(txn, policy, task)
                    return True
            return False

        done = 0
        while self.store.write_now(one):
            done += 1
        return done

    def write(self, work: Callable[[Transaction], Any]) -> Any:
        return self.store.write_now(work)

    def principal(self, txn: Transaction, who: str) -> Principal:
        kind = "group" if who == "team" else "location" if who in ROOMS else "user"
        found = txn.principals.by_uid(kind, who)
        assert found is not None
        return found
