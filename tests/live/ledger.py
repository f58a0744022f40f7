"""What a client knows of its calendar: acknowledged changes, and what every sync token stood for."""

import random
from collections.abc import Mapping
from urllib.parse import unquote
from xml.etree import ElementTree

import attrs
from daemon import Connection

NAMES = 12
TOKENS_TRIED = 5

Member = tuple[bytes, str]
"""Content and ETag."""

SYNC = """<?xml version="1.0" encoding="utf-8"?>
<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level>
<D:prop><D:getetag/></D:prop></D:sync-collection>"""


def event(uid: str, number: int, padding: int) -> bytes:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//calserver//tests//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260105T120000Z",
        "DTSTART:20260202T090000Z",
        "DURATION:PT1H",
        "RRULE:FREQ=WEEKLY;COUNT=20",
        f"SUMMARY:Number {number}",
        *[f"X-PADDING:{'x' * 60}" for _ in range(padding)],
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return ("\r\n".join(lines) + "\r\n").encode()


@attrs.define
class Ledger:
    """What a writer knows of its calendar: the only one that writes to it, one request after the other."""

    path: str
    members: dict[str, Member] = attrs.field(factory=dict)
    in_flight: tuple[str, bytes | None] | None = None
    """Name and new content (None: deleted) of the request that was not answered."""
    tokens: list[tuple[str, dict[str, str]]] = attrs.field(factory=list)
    """Sync tokens, and the ETags at the time."""
    acknowledged: int = 0

    def write(self, connection: Connection, chance: random.Random) -> None:
        """One request that changes the calendar; now and then a sync token is taken first."""
        if chance.random() < 0.1:
            token, etags = changes(connection, self.path, "")
            assert etags == self.etags
            self.tokens.append((token, self.etags))
        name = f"event {chance.randrange(NAMES)}.ics"
        path = self.path + name.replace(" ", "%20")
        if name in self.members and chance.random() < 0.2:
            self.in_flight = (name, None)
            answer = connection.request("DELETE", path, If_Match=self.members[name][1])
            assert answer.status == 204, answer
            del self.members[name]
        else:
            content = event(f"{self.path}{name}", chance.randrange(10**9), chance.choice((0, 0, 10, 400)))
            condition = {"If_Match": self.members[name][1]} if name in self.members else {"If_None_Match": "*"}
            self.in_flight = (name, content)
            answer = connection.request("PUT", path, content, Content_Type="text/calendar; charset=utf-8", **condition)
            assert answer.status in (201, 204), answer
            self.members[name] = (content, answer.headers["ETag"])
        self.in_flight = None
        self.acknowledged += 1

    @property
    def etags(self) -> dict[str, str]:
        return {name: etag for name, (_, etag) in self.members.items()}

    def settle(self, connection: Connection) -> None:
        """Compare with what is there after the crash; a request in flight may have happened or not."""
        token, etags = changes(connection, self.path, "")
        if self.in_flight is not None:
            name, content = self.in_flight
            before = self.members.get(name)
            if etags.get(name) != (before[1] if before else None):
                self.members.pop(name, None)
                if content is not None:
                    self.members[name] = (content, etags.get(name, "not there"))
            self.in_flight = None
        assert etags == self.etags, "acknowledged changes were lost, or others appeared"
        for name, member in self.members.items():
            answer = connection.request("GET", self.path + name.replace(" ", "%20"))
            assert (answer.body, answer.headers["ETag"]) == member, name
        self.tokens.append((token, self.etags))

    def catch_up(self, connection: Connection, chance: random.Random) -> None:
        """Synchronize from the newest tokens and some old ones."""
        for token, known in [*self.tokens[-2:], *chance.sample(self.tokens, min(TOKENS_TRIED, len(self.tokens)))]:
            _, changed = changes(connection, self.path, token)
            now = {name: etag for name, etag in (known | changed).items() if etag}
            assert now == self.etags, f"a client with the token {token} does not arrive at the present state"


def changes(connection: Connection, path: str, token: str) -> tuple[str, Mapping[str, str]]:
    """The new token, and the ETag of each changed member by name: empty where it is gone (RFC 6578 section 3)."""
    answer = connection.request("REPORT", path, SYNC.format(token), Content_Type="text/xml; charset=utf-8", Depth="0")
    assert answer.status == 207, answer
    document = ElementTree.fromstring(answer.body)
    found = {}
    for response in document.iter("{DAV:}response"):
        name = unquote(response.findtext("{DAV:}href", "").rpartition("/")[2])
        if not name:
            continue  # the collection itself
        found[name] = response.findtext(".//{DAV:}getetag", "")
        gone = " 404 " in response.findtext("{DAV:}status", "") + " "
        assert bool(found[name]) != gone, answer.text
    return document.findtext("{DAV:}sync-token", ""), found
