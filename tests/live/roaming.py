"""Clients of a cluster at work: each finds the front ends in the DNS, and takes another one where one does not answer.

They keep what a client has to keep: what was acknowledged is so; what was not may have happened, and is looked at
before it is tried again. The only refusal that they take is 503 with Retry-After.
"""

import http.client
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Final, Self
from xml.etree import ElementTree

import attrs
import dns.exception
import dns.resolver
from daemon import Answer, Connection
from diaries import Diaries, status
from hosts import Host
from ledger import Ledger, changes

SAFE: Final = frozenset({"GET", "PROPFIND", "REPORT"})
CONNECT_SECONDS, NOTICE_SECONDS, ANSWER_SECONDS = 2.0, 3, 60.0
"""How long a client waits for a connection; until one is given up on which nothing arrives at the other side; for an
answer."""
PATIENCE_SECONDS: Final = 120.0
"""How long something may not work, and how long until all is well again."""
STAY: Final = 25
"""How many requests a client sends to a front end before it may take another one."""
ALL: Final = (
    '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data/></prop>'
    '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
)
HOME: Final = "/dav/calendars/user/{}/"


class ComeAgain(Exception):
    """The server wants to be asked again, or did not answer: what was to be done may have been done, or not."""


class _Line(http.client.HTTPConnection):
    """A connection that notices when the other side is gone."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            (socket.TCP_USER_TIMEOUT, NOTICE_SECONDS * 1000),
            (socket.TCP_KEEPIDLE, 1),
            (socket.TCP_KEEPINTVL, 1),
            (socket.TCP_KEEPCNT, NOTICE_SECONDS),
        ):
            self.sock.setsockopt(socket.IPPROTO_TCP, option, value)


class Roamer(Connection):
    """Somebody's connection to the site, by whichever front end.

    Args:
        user: whose password is the uid.
        domain: of the site.
        name_server: its address.
        chance: which front end.
    """

    def __init__(self, user: str, domain: str, name_server: str, chance: random.Random) -> None:
        super().__init__(0, user)
        self._domain, self._chance = domain, chance
        self._resolver = dns.resolver.Resolver(configure=False)
        self._resolver.nameservers, self._resolver.lifetime = [name_server], 1.0
        self._known: list[tuple[str, int]] = []
        self._left = 0
        self.refused = 0
        """How often it had to come again."""
        self.last: object = None
        """Why, the last time."""

    def request(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Answer:
        """Send and read; what changes nothing is repeated until there is an answer.

        Raises:
            ComeAgain: it is not known what became of it.
        """
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
        while True:
            answer = self._try(method, path, body, **headers)
            if answer is not None:
                return answer
            self.refused += 1
            if method not in SAFE:
                raise ComeAgain(self.last)
            assert time.monotonic() < deadline, f"{method} {path} gets no answer: {self.last}"
            pause.wait(0.1)

    def _try(self, method: str, path: str, body: bytes | str, **headers: str) -> Answer | None:
        try:
            if self._left == 0:
                self._move()
            self._left -= 1
            answer = super().request(method, path, body, **headers)
        except (OSError, http.client.HTTPException) as error:
            self._left, self.last = 0, error
            return None
        if answer.status != 503:
            return answer
        assert answer.headers["Retry-After"], answer
        self.last = answer.text
        return None

    def _move(self) -> None:
        self.close()
        self._connection = _Line(*self._chance.choice(self._front_ends()), timeout=CONNECT_SECONDS)
        self._left = STAY

    def _front_ends(self) -> list[tuple[str, int]]:
        """Where the DNS says that they are; where it says nothing, where they were."""
        try:
            servers = list(self._resolver.resolve(f"_caldav._tcp.{self._domain}", "SRV"))
            self._known = [
                (str(address), each.port) for each in servers for address in self._resolver.resolve(each.target, "A")
            ]
        except dns.exception.DNSException:
            if not self._known:
                raise OSError("no front end is known") from None
        return self._known


@attrs.define
class Client:
    """Somebody who does one thing after the other."""

    roamer: Roamer
    who: str
    steps: int = 0
    """How many were done."""
    wrong: list[BaseException] = attrs.field(factory=list)

    pause: float = 0.1
    """Seconds between two things: others want to work, too."""

    def step(self) -> None:
        """Do the next thing; `ComeAgain` where that is not known to be done."""
        raise NotImplementedError


@attrs.define
class Writer(Client):
    """Writes events, and keeps a ledger of them."""

    ledger: Ledger = attrs.field(kw_only=True)
    chance: random.Random = attrs.field(factory=random.Random)
    ready: bool = False

    def step(self) -> None:
        if not self.ready:
            self.ready = self.roamer.request("MKCALENDAR", self.ledger.path).status in (201, 405)
        if self.ledger.in_flight is not None:
            self.ledger.settle(self.roamer)
        self.ledger.write(self.roamer, self.chance)


@attrs.define
class Poller(Client):
    """Looks at what all nodes have."""

    def step(self) -> None:
        answer = self.roamer.request("PROPFIND", f"/dav/principals/user/{self.who}/", Depth="0")
        assert answer.status == 207, answer


@attrs.define
class Organizer(Client):
    """Invites the same people to one meeting after the other, and moves some of them."""

    guests: tuple[str, ...] = attrs.field(kw_only=True)
    mark: str = attrs.field(kw_only=True)
    """What tells the meetings from those of other loads."""
    chance: random.Random = attrs.field(factory=random.Random)
    meetings: dict[str, int] = attrs.field(factory=dict)
    """How often each was moved."""
    days: Iterator[int] = attrs.field(factory=lambda: count(0))
    pending: tuple[str, int] | None = None

    def step(self) -> None:
        if self.pending is None:
            moved = bool(self.meetings) and self.chance.random() < 0.4
            uid = self.chance.choice(list(self.meetings)) if moved else f"{self.mark}-{self.who}-{len(self.meetings)}"
            self.pending = uid, self.meetings[uid] + 1 if moved else 0
        uid, sequence = self.pending
        self._put(uid, sequence)
        self.meetings[uid], self.pending = sequence, None

    def _put(self, uid: str, sequence: int) -> None:
        path, day = f"{HOME.format(self.who)}Default/{uid}.ics", 1 + next(self.days)
        found = self.roamer.request("GET", path)
        if found.status == 200 and summary(sequence) in found.text:
            return  # it was done before
        condition = {"If_Match": found.headers["ETag"]} if found.status == 200 else {"If_None_Match": "*"}
        start = f"20{40 + day // 360:02}{1 + day // 30 % 12:02}{1 + day % 28:02}T090000Z"
        guests = [mail(each) for each in self.guests]
        lines = (f"SUMMARY:{summary(sequence)}", f"SEQUENCE:{sequence}")
        text = Diaries.meeting(_names, uid, self.who, guests, *lines, start=start)
        answer = self.roamer.request("PUT", path, text, Content_Type="text/calendar", **condition)
        if answer.status == 412:
            raise ComeAgain  # an answer came in between
        assert answer.status in (201, 204), answer


class _Names(Diaries):
    """Texts of meetings, without a server."""

    def __init__(self) -> None:
        pass


_names: Final = _Names()
mail: Final[Callable[[str], str]] = _names.mail


def summary(sequence: int) -> str:
    """What a meeting is called after it was moved so often."""
    return f"Moved {sequence} times"


@attrs.define
class Guest(Client):
    """Looks what has changed, and accepts every invitation."""

    token: str = ""
    todo: set[str] = attrs.field(factory=set)

    def step(self) -> None:
        path = f"{HOME.format(self.who)}Default/"
        self.token, changed = changes(self.roamer, path, self.token)
        self.todo |= changed.keys()
        if self.todo:
            name = min(self.todo)
            self._accept(path + name)
            self.todo.discard(name)

    def _accept(self, path: str) -> None:
        found = self.roamer.request("GET", path)
        if found.status != 200 or "NEEDS-ACTION" not in status(unfolded(found.text), mail(self.who)).get(
            "PARTSTAT", ""
        ):
            return
        mine = re.compile(rf"ATTENDEE[^\r\n]*:{mail(self.who)}\r\n")
        text = mine.sub(f"ATTENDEE;PARTSTAT=ACCEPTED:{mail(self.who)}\r\n", unfolded(found.text))
        answer = self.roamer.request("PUT", path, text, Content_Type="text/calendar", If_Match=found.headers["ETag"])
        assert answer.status in (204, 412), answer  # what has changed meanwhile comes with the next look


def unfolded(text: str) -> str:
    """Lines as they are meant (RFC 5545 section 3.1)."""
    return text.replace("\r\n ", "")


def texts(roamer: Roamer, who: str, box: str) -> list[str]:
    """All that is in a collection of somebody."""
    answer = roamer.request("REPORT", f"{HOME.format(who)}{box}/", ALL, Content_Type="text/xml", Depth="1")
    assert answer.status == 207, answer
    found = ElementTree.fromstring(answer.body).iter("{urn:ietf:params:xml:ns:caldav}calendar-data")
    return [unfolded((each.text or "").replace("\r\n", "\n").replace("\n", "\r\n")) for each in found]


class Load:
    """Clients at work on a host, as a context manager.

    Args:
        host: theirs.
        clients: by name.
    """

    def __init__(self, host: Host, clients: dict[str, Client]) -> None:
        self._host, self.clients = host, clients
        self._stopping = {name: threading.Event() for name in clients}
        self._threads = {name: threading.Thread(target=self._run, args=(name,), name=name) for name in clients}

    def _run(self, name: str) -> None:
        client, stopping = self.clients[name], self._stopping[name]
        with self._host.inside():
            try:
                while not stopping.is_set():
                    try:
                        client.step()
                        client.steps += 1
                    except ComeAgain:
                        pass
                    stopping.wait(client.pause)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
                client.wrong.append(error)
            finally:
                client.roamer.close()

    def go_on(self, names: Iterable[str], steps: int = 3) -> None:
        """Wait until each of some clients has done so much more."""
        goals = {name: self.clients[name].steps + steps for name in names}
        self.until(lambda: all(self.clients[name].steps >= goal for name, goal in goals.items()), self._how)

    def are_refused(self, names: Iterable[str]) -> None:
        """Wait until each of some clients has been told to come again once more."""
        before = {name: self.clients[name].roamer.refused for name in names}
        refused = lambda: all(self.clients[name].roamer.refused > number for name, number in before.items())  # noqa: E731 - as short as it is read
        self.until(refused, self._how)

    def _how(self) -> str:
        """How clients are, in words."""
        return ", ".join(
            f"{name}: {each.steps} steps, {each.roamer.refused} refusals, the last one {each.roamer.last!r}"
            for name, each in self.clients.items()
        )

    def until(self, holds: Callable[[], bool], how: Callable[[], str], every: float = 0.02) -> None:
        """Wait until something is so, unless a client complains."""
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
        while not holds():
            self.complain()
            assert time.monotonic() < deadline, how()
            pause.wait(every)

    def complain(self) -> None:
        """Raise what went wrong for a client."""
        for name, each in self.clients.items():
            if each.wrong:
                raise AssertionError(f"{name}: {each.wrong[0]!r}") from each.wrong[0]

    def stop(self, names: Iterable[str]) -> None:
        """Let some clients end."""
        some = list(names)
        for name in some:
            self._stopping[name].set()
        for name in some:
            if self._threads[name].ident is not None:
                self._threads[name].join()

    def __enter__(self) -> Self:
        for each in self._threads.values():
            each.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop(self.clients)
        for each in self.clients.values():
            each.roamer.close()
