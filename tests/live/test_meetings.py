"""Meetings under load and under fire: two who want one room, fifty who answer, a server that is killed.

What organizers and attendees have is read from the store itself: it must agree at any moment, since all that a request
does is one transaction.
"""

import http.client
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import attrs
import pytest
from daemon import Connection, Daemon

from calserver import ical
from calserver.calendars import CALENDAR_HOME
from calserver.ical import CalendarObject, Component
from calserver.store import Transaction, open_store

ROUNDS = 34
"""Half as many over PostgreSQL: fifty in all."""
GUESTS = tuple(f"guest{number}" for number in range(50))
FEW = GUESTS[:4]
RACES = 10
PATIENCE_SECONDS = 20.0


def accounts(*guests: str) -> str:
    people = [*((uid, "user", "") for uid in ("ann", "bob", *guests)), ("hall", "location", "automatic")]
    rows = (f"{uid},{uid},{uid}@example.com,{kind},{mode}\n" for uid, kind, mode in people)
    return "uid,password,email,type,auto_schedule\n" + "".join(rows)


def mail(who: str) -> str:
    return f"mailto:{who}@example.com"


def meeting(uid: str, organizer: str, attendees: Sequence[str], *, day: int = 1, summary: str = "Meeting") -> bytes:
    people = "".join(f"ATTENDEE;RSVP=TRUE:{mail(each)}\r\n" for each in attendees)
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.com//tests//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:209901{day:02}T090000Z\r\nDURATION:PT1H\r\n"
        f"SUMMARY:{summary}\r\nORGANIZER:{mail(organizer)}\r\n{people}END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def put(connection: Connection, path: str, content: bytes, **headers: str) -> int:
    return connection.request("PUT", path, content, Content_Type="text/calendar; charset=utf-8", **headers).status


def answered(text: bytes, who: str, answer: str) -> bytes:
    """A copy as its owner's client sends it with an answer."""
    lines = text.replace(b"\r\n ", b"").split(b"\r\n")
    mine = mail(who).encode()
    new = f"ATTENDEE;PARTSTAT={answer}:{mail(who)}".encode()
    return b"\r\n".join(new if line.startswith(b"ATTENDEE") and line.endswith(mine) else line for line in lines)


@attrs.define
class Site:
    """Some servers over one store."""

    daemons: list[Daemon]
    _connected: int = 0

    @property
    def store_url(self) -> str:
        return self.daemons[0].store_url

    def connect(self, user: str) -> Connection:
        """One connection after the other to each in turn."""
        self._connected += 1
        return self.daemons[self._connected % len(self.daemons)].connect(user)


@attrs.frozen
class Copies:
    """What everybody has of one meeting, and the messages about it in the Inboxes, by uid of the principal."""

    objects: dict[str, tuple[str, CalendarObject]]
    """Path and object."""
    messages: dict[str, list[Component]]

    def partstat(self, whose: str, who: str) -> str:
        (component,) = self.objects[whose][1].components
        (prop,) = [each for each in component.all("ATTENDEE") if each.value == mail(who)]
        return prop.param("PARTSTAT") or "NEEDS-ACTION"

    def agree(self, organizer: str) -> None:
        """Raise where organizer and attendees say different things."""
        for messages in self.messages.values():
            seen = [(each.value("METHOD"), said(each.components[0])) for each in messages]
            assert len(seen) == len(set(seen)), f"a message came twice: {seen}"
        if organizer not in self.objects:
            for who, (_, copy) in self.objects.items():
                assert copy.components[0].value("STATUS") == "CANCELLED", who
            return
        (theirs,) = self.objects[organizer][1].components
        for who, (_, copy) in self.objects.items():
            if who == organizer or mail(who) not in [each.value for each in theirs.all("ATTENDEE")]:
                continue
            (mine,) = copy.components
            assert said(mine)[:3] == said(theirs)[:3], who
            assert self.partstat(who, who) == self.partstat(organizer, who), who


def said(component: Component) -> tuple[str | None, ...]:
    names = ("SUMMARY", "DTSTART", "SEQUENCE", "DTSTAMP")
    answers = tuple(f"{each.value} {each.param('PARTSTAT')}" for each in component.all("ATTENDEE"))
    return (*(component.value(name) for name in names), *answers)


def copies(daemon: Daemon | Site, uid: str) -> Copies:
    """What is stored of a meeting."""

    def look(txn: Transaction) -> Copies:
        found = Copies({}, {})
        for principal in txn.principals.list():
            home = txn.collections.home(principal.id, CALENDAR_HOME)
            for row in () if home is None else txn.objects.by_uid(home.id, uid):
                place = txn.collections.get(row.collection_id)
                assert place is not None
                text = txn.objects.text(row.id)
                if place.kind == "inbox":
                    found.messages.setdefault(principal.uid, []).append(ical.parse(text))
                else:
                    path = f"/dav/calendars/{principal.kind}/{principal.uid}/{place.name}/{row.name}"
                    assert principal.uid not in found.objects
                    found.objects[principal.uid] = (path, CalendarObject.stored(text))
        return found

    store = open_store(daemon.store_url, reactor=None)
    try:
        return store.read_now(look)
    finally:
        store.close()


def together(works: Sequence[Callable[[], None]]) -> None:
    """Run works at the same time; what one raises is raised."""
    wrong: list[BaseException] = []
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        try:
            gate.wait()
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(each,)) for each in works]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if wrong:
        raise wrong[0]


@pytest.fixture(scope="module", params=["sqlite", "postgres", "two daemons"])
def office(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    database_of: Callable[[str], AbstractContextManager[str]],
) -> Iterator[Site]:
    """One server over each engine, and two over one PostgreSQL, of which a client gets this one or that."""
    folder = tmp_path_factory.mktemp("office")
    with ExitStack() as stack:
        url = stack.enter_context(database_of("sqlite" if request.param == "sqlite" else "postgres"))
        daemons = [stack.enter_context(Daemon(folder / "server", accounts(*GUESTS), url))]
        if request.param == "two daemons":
            daemons.append(stack.enter_context(Daemon(folder / "second", "", url)))
        yield Site(daemons)


def test_of_two_who_want_a_room_at_the_same_instant_one_gets_it(office: Site) -> None:
    connections = {who: office.connect(who) for who in ("ann", "bob")}

    def book(who: str, number: int) -> None:
        uid = f"{who}-{number}"
        content = meeting(uid, who, [who, "hall"], day=number + 1)
        assert put(connections[who], f"/dav/calendars/user/{who}/Default/{uid}.ics", content) == 201

    for number in range(RACES):
        together([partial(book, who, number) for who in connections])
        answers = sorted(copies(office, f"{who}-{number}").partstat(who, "hall") for who in connections)
        assert answers == ["ACCEPTED", "DECLINED"]
        for who in connections:
            copies(office, f"{who}-{number}").agree(who)


def test_fifty_who_accept_at_the_same_time_are_all_counted(office: Site) -> None:
    path = "/dav/calendars/user/ann/Default/fifty.ics"
    assert put(office.connect("ann"), path, meeting("fifty", "ann", ["ann", *GUESTS])) == 201
    before = copies(office, "fifty")
    connections = {who: office.connect(who) for who in GUESTS}

    def accept(who: str) -> None:
        where, copy = before.objects[who]
        assert put(connections[who], where, answered(copy.text, who, "ACCEPTED")) == 204

    together([partial(accept, who) for who in GUESTS])
    after = copies(office, "fifty")
    assert [after.partstat("ann", who) for who in GUESTS] == ["ACCEPTED"] * len(GUESTS)
    after.agree("ann")


def test_who_edits_and_who_answers_never_disagree(office: Site) -> None:
    path = "/dav/calendars/user/ann/Default/m.ics"
    ann = office.connect("ann")
    assert put(ann, path, meeting("m", "ann", ["ann", *FEW])) == 201
    connections = {who: office.connect(who) for who in FEW}

    def edit() -> None:
        for number in range(10):
            text = ann.request("GET", path).body
            changed = text.replace(b"SUMMARY:Meeting", f"SUMMARY:Meeting {number}".encode(), 1)
            changed = changed.replace(b"DTSTART:20990101", f"DTSTART:209901{number + 2:02}".encode(), number % 2)
            assert put(ann, path, changed) == 204

    def answer(who: str) -> None:
        where = copies(office, "m").objects[who][0]
        for status in ("ACCEPTED", "TENTATIVE", "DECLINED", "ACCEPTED"):
            found = connections[who].request("GET", where)
            tag = found.headers["Schedule-Tag"]
            assert put(connections[who], where, answered(found.body, who, status), If_Schedule_Tag_Match=tag) in (
                204,
                412,
            )
            copies(office, "m").agree("ann")

    together([edit, *(partial(answer, who) for who in FEW)])
    copies(office, "m").agree("ann")


@attrs.define
class Organizer:
    """Somebody who invites, changes and cancels until the server is gone; and guests who answer."""

    daemon: Daemon
    who: str
    number: int = 0
    known: list[str] = attrs.field(factory=list)
    acknowledged: int = 0
    acting: threading.Event = attrs.field(factory=threading.Event)

    def act(self, connection: Connection, chance: random.Random) -> None:
        if self.known and chance.random() < 0.2:
            uid = self.known.pop(chance.randrange(len(self.known)))
            answer = connection.request("DELETE", self.path(uid))
            assert answer.status in (204, 404), answer
        elif self.known and chance.random() < 0.5:
            uid = chance.choice(self.known)
            content = meeting(
                uid, self.who, [self.who, *FEW], day=chance.randrange(1, 28), summary=f"{chance.random()}"
            )
            assert put(connection, self.path(uid), content) in (201, 204)
        else:
            self.number += 1
            uid = f"{self.who}-{self.number}"
            self.known.append(uid)
            assert put(connection, self.path(uid), meeting(uid, self.who, [self.who, *FEW])) == 201
        self.acknowledged += 1
        self.acting.set()

    def path(self, uid: str) -> str:
        return f"/dav/calendars/user/{self.who}/Default/{uid}.ics"

    def answer(self, connection: Connection, who: str, chance: random.Random) -> None:
        known = list(self.known)
        assert connection.request("OPTIONS", "/dav/").status == 200
        found = copies(self.daemon, chance.choice(known)).objects.get(who) if known else None
        if found is not None:
            answer = chance.choice(["ACCEPTED", "DECLINED", "TENTATIVE"])
            assert put(connection, found[0], answered(found[1].text, who, answer)) in (201, 204, 403)


def until_killed(work: Callable[..., None], connection: Connection, wrong: list[BaseException]) -> None:
    try:
        while True:
            work(connection)
    except (OSError, http.client.HTTPException):
        pass  # killed
    except AssertionError as refusal:
        wrong.append(refusal)
    finally:
        connection.close()


def test_organizer_and_attendees_agree_after_every_crash(make_daemon: Callable[..., Daemon], store_url: str) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)  # pytest shows it with a failure
    chance = random.Random(seed)
    daemon = make_daemon(accounts(*FEW), store_url)
    rounds = ROUNDS // 2 if store_url else ROUNDS
    organizers = [Organizer(daemon, who) for who in ("ann", "bob")]
    moment = threading.Event()
    for _ in range(rounds):
        daemon.start()
        wrong: list[BaseException] = []
        works: list[tuple[Callable[..., None], Connection]] = []
        for each in organizers:
            works.append((partial(each.act, chance=chance), daemon.connect(each.who)))
            works += [(partial(each.answer, who=who, chance=chance), daemon.connect(who)) for who in FEW[:2]]
        threads = [threading.Thread(target=until_killed, args=(*work, wrong)) for work in works]
        for thread in threads:
            thread.start()
        for each in organizers:
            assert each.acting.wait(PATIENCE_SECONDS)  # logins take a while after a start
            each.acting.clear()
        moment.wait(chance.uniform(0.0, 0.2))  # the random moment is what is tested
        daemon.kill()
        for thread in threads:
            thread.join()
        assert not wrong, wrong[0]
        for each in organizers:
            for uid in {f"{each.who}-{number}" for number in range(max(1, each.number - 5), each.number + 1)}:
                copies(daemon, uid).agree(each.who)
    for each in organizers:
        for number in range(1, each.number + 1):
            copies(daemon, f"{each.who}-{number}").agree(each.who)
    assert sum(each.acknowledged for each in organizers) > rounds, "hardly anything was done"
