"""A server with people who may do different things with what Ann has, and requests that leave no trace."""

from collections.abc import Mapping
from typing import Any

import attrs
from dialogue import Answer, Dialogue
from lxml import etree

from calserver import calendars, dav
from calserver.config import Calendars, Settings
from calserver.dav import Ace, Extensions, Headers, Href, Lock, Request, Response, RolledBack, xml
from calserver.directory import ANONYMOUS, Actor, accounts
from calserver.drive import HOME_KIND
from calserver.ical import etag
from calserver.names import D
from calserver.service import MOUNTS, SPOKEN
from calserver.store import Collection, Draft, Principal, Store, Transaction
from calserver.tree import Mounts, content_etag

PEOPLE: Mapping[str, str] = {
    "owner": "ann",
    "stranger": "sam",
    "reader": "rita",
    "writer": "will",
    "read delegate": "dora",
    "write delegate": "dan",
    "member": "max",
    "administrator": "root",
}
"""Who plays which part; the part of nobody is played by nobody."""
READ = frozenset({D("read")})
WRITE = frozenset({D("read"), D("write")})
EVERYTHING = frozenset({D("all")})


def event(uid: str, summary: str = "Tea") -> bytes:
    """An event of an hour in 2026."""
    lines = f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Village//EN
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260101T000000Z
DTSTART:20260202T100000Z
DTEND:20260202T110000Z
SUMMARY:{summary}
END:VEVENT
END:VCALENDAR
"""
    return lines.replace("\n", "\r\n").encode()


def grants(txn: Transaction) -> tuple[Ace, ...]:
    """What Ann grants where she grants something: reading, writing, and reading to a group in a group."""
    key = {uid: _id(txn, "user", uid) for uid in ("rita", "will")}
    return (
        Ace(key["rita"], READ),
        Ace(key["will"], WRITE),
        Ace(_id(txn, "group", "village"), READ),
    )


def _id(txn: Transaction, kind: str, uid: str) -> int:
    found = txn.principals.by_uid(kind, uid)
    assert found is not None
    return found.id


def people(txn: Transaction) -> None:
    """Everybody, with what everybody has from the start."""

    def provide(txn: Transaction, principal: Principal) -> None:
        calendars.provision(txn, principal, Calendars())

    for uid in PEOPLE.values():
        accounts.create(txn, uid, domain="example.org", provision=provide, administrator=uid == "root")
    for uid in ("village", "club"):
        accounts.create(txn, uid, kind="group", provision=accounts.provision_nothing)
    accounts.create(txn, "hall", kind="location", provision=provide)
    txn.principals.set_members(_id(txn, "group", "club"), [_id(txn, "user", "max")])
    txn.principals.set_members(_id(txn, "group", "village"), [_id(txn, "group", "club")])
    ann = _id(txn, "user", "ann")
    txn.principals.set_delegates(ann, "read", [_id(txn, "user", "dora")])
    txn.principals.set_delegates(ann, "write", [_id(txn, "user", "dan")])


def furniture(txn: Transaction) -> None:
    """What Ann has, and a calendar with an event of everybody else."""
    for uid in PEOPLE.values():
        home = txn.collections.home(_id(txn, "user", uid), calendars.CALENDAR_HOME)
        assert home is not None
        put_event(txn, child(txn, home, calendars.DEFAULT), "own.ics")
        files = txn.collections.home(_id(txn, "user", uid), HOME_KIND)
        assert files is not None
        put_file(txn, files, "own.txt")
    home = txn.collections.home(_id(txn, "user", "ann"), calendars.CALENDAR_HOME)
    assert home is not None
    work = txn.collections.add(home.id, "Work", "calendar", display_name="Work")
    put_event(txn, work, "work.ics")
    txn.collections.set_acl(work.id, grants(txn))
    projects = txn.collections.add(home.id, "Projects", "plain")
    txn.collections.set_acl(projects.id, grants(txn))
    put_file(txn, projects, "plan.txt")
    put_event(txn, txn.collections.add(projects.id, "Secret", "calendar"), "secret.ics")
    put_event(txn, child(txn, home, "Inbox"), "message.ics")
    take_invitations(txn, home, txn.collections.add(home.id, "Invitations", "calendar"))
    put_file(txn, child(txn, home, "Attachments"), "photo.txt")
    files = txn.collections.home(_id(txn, "user", "ann"), HOME_KIND)
    assert files is not None
    put_file(txn, files, "diary.txt")
    club = txn.collections.add(files.id, "Club", "plain")
    txn.collections.set_acl(club.id, grants(txn))
    put_file(txn, club, "songs.txt")
    hidden = put_file(txn, club, "gift.txt")
    denied = Ace(_id(txn, "user", "rita"), EVERYTHING, deny=True)
    txn.objects.set_acl(hidden, (denied, Ace(_id(txn, "group", "village"), EVERYTHING, deny=True)))


def take_invitations(txn: Transaction, home: Collection, calendar: Collection) -> None:
    """Make a calendar the default one, so that the others can be deleted."""
    chosen = etree.Element(calendars.DEFAULT_URLS["VEVENT"])
    chosen.text = calendar.resource_id
    inbox = child(txn, home, "Inbox")
    txn.collections.update(attrs.evolve(inbox, properties={chosen.tag: xml.stored(chosen)}))


def child(txn: Transaction, parent: Collection, name: str) -> Collection:
    """A member collection that is there."""
    found = txn.collections.child(parent.id, name)
    assert found is not None
    return found


def put_event(txn: Transaction, place: Collection, name: str) -> int:
    """Store an event whose UID is its name with that of its calendar."""
    text = event(f"{place.id}-{name}")
    draft = Draft(
        name=name,
        text=text,
        content_type=calendars.CONTENT_TYPE,
        etag=etag(text),
        component="VEVENT",
        uid=f"{place.id}-{name}",
    )
    return txn.objects.put(place.id, draft)[0].id


def put_file(txn: Transaction, place: Collection, name: str, text: bytes = b"text") -> int:
    """Store a file."""
    draft = Draft(name=name, text=text, content_type="text/plain", etag=content_etag(text))
    return txn.objects.put(place.id, draft)[0].id


class Undone(Exception):
    """Takes back what a request did, with its answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


@attrs.define
class Village:
    """The server, asked by anybody."""

    store: Store
    spoken: Extensions = attrs.field(factory=lambda: Extensions(SPOKEN))
    tree: Mounts = attrs.field(factory=lambda: Mounts(MOUNTS))
    settings: Settings = attrs.field(factory=Settings)

    def by(self, uid: str | None) -> Dialogue:
        """The server, spoken to by somebody; what it does stays."""
        quiet = Dialogue(self.store, self.tree, self.spoken, self.settings)
        return quiet if uid is None else quiet.by(uid)

    def id_of(self, uid: str) -> int:
        """The key of somebody."""
        return self.store.read_now(lambda txn: _id(txn, "user", uid))

    def uid_at(self, path: str) -> str | None:
        """The UID of the calendar object at a path in the calendar home of Ann."""
        names = path.split("/")[3:]

        def look(txn: Transaction) -> str | None:
            rows = txn.collections.locate("user", "ann", calendars.CALENDAR_HOME, names)
            found = txn.objects.get(rows[-1].id, names[-1]) if len(rows) == len(names) else None
            return None if found is None else found.uid

        return self.store.read_now(look) if path.startswith("calendars/user/ann/") else None

    def tried(
        self, uid: str | None, method: str, path: str, body: bytes | str = b"", lock: Lock | None = None, **more: Any
    ) -> Answer:
        """One request that is undone in any case, in a transaction that first makes a lock where one is given."""
        text = body.encode() if isinstance(body, str) else body
        headers = Headers([(name.replace("_", "-"), value) for name, value in more.items()])

        def work(txn: Transaction) -> None:
            actor = ANONYMOUS
            if uid is not None:
                principal = txn.principals.by_uid("user", uid)
                assert principal is not None
                actor = Actor.of(txn, principal)
            if lock is not None:
                txn.locks.add(lock)
            request = Request(
                method=method,
                href=Href.parse(path),
                headers=headers,
                body=text,
                actor=actor,
                spelled="/dav/" + path,
                origin="http://dav.example.com",
            )
            self.spoken.prepare(request)
            raise Undone(dav.handle(self.spoken, self.tree, txn, request, self.settings))

        try:
            self.store.write_now(work)
        except (Undone, RolledBack) as undone:
            return Answer(undone.response)
        raise AssertionError("the request was not undone")
