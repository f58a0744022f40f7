"""The rows of scheduling: invitations until all have them, answers until the organizer sees them.

Both happen in the transaction of the request, so that its answer is the end of it; what comes later - telling others
how somebody answered - is done while the row is measured, and counts too.
"""

import itertools
import re
from collections.abc import Iterator, Sequence

from benchmarks import data
from benchmarks.cases import ICALENDAR, NAMESPACES, XML, Row
from benchmarks.client import Answer, Client
from benchmarks.daemon import PASSWORD, Daemon

MANY = 200
"""Attendees of a large meeting."""
ANSWERS = 140
"""Meetings that are answered."""


def address(number: int) -> str:
    """The mail address of an account."""
    return f"mailto:user{number}@example.com"


def invitation(uid: str, number: int, organizer: int, attendees: Sequence[int]) -> bytes:
    """An event of the future with attendees who have not answered, 1 KB beside them."""
    people = "".join(f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:{address(each)}\r\n" for each in attendees)
    text = data.event(number * 20 + 1, uid, 10_000).decode()
    later = re.sub(r"DTSTART;TZID=Europe/Berlin:20\d\d", "DTSTART;TZID=Europe/Berlin:2090", text)
    return later.replace("SUMMARY:", f"ORGANIZER:{address(organizer)}\r\n{people}SUMMARY:", 1).encode()


def rows(daemon: Daemon, client: Client, *, again: str = "") -> Iterator[Row]:
    """All rows; the client is that of ``user1``; `again` tells another round from those before."""
    yield _inviting(client, "invite 10 local attendees", range(2, 12), again, repeat=60, target=16, peer=80)
    everybody = range(2, 2 + MANY)
    yield _inviting(client, f"invite {MANY} local attendees", everybody, again, repeat=8, target=1000, peer=None)
    yield Row(
        name="attendee accepts",
        requests=_answers(daemon, client, again),
        check=lambda answer: answer.status == 204 and "schedule-tag" in answer.headers,
        repeat=ANSWERS - 40,
        target=5,
        peer=16,
    )


def _inviting(
    client: Client, name: str, attendees: Sequence[int], again: str, *, repeat: int, target: float, peer: float | None
) -> Row:
    path = "/dav/calendars/user/user1/Default/"

    def requests() -> Iterator[bytes]:
        for number in itertools.count():
            uid = f"invite{again}-{len(attendees)}-{number}"
            body = invitation(uid, number, 1, attendees)
            yield client.render("PUT", f"{path}{uid}.ics", body, Content_Type=ICALENDAR, Prefer="return=representation")

    def check(answer: Answer) -> bool:
        return answer.status == 201 and answer.body.count(b"SCHEDULE-STATUS=1.2") == len(attendees)

    return Row(name=name, requests=requests(), check=check, repeat=repeat, target=target, peer=peer)


def _answers(daemon: Daemon, client: Client, again: str) -> Iterator[bytes]:
    """The owner of the client accepts one meeting after the other, each with three attendees."""
    with Client(daemon.host, daemon.port, "user12", PASSWORD) as organizer:
        for number in range(ANSWERS):
            body = invitation(f"answer{again}-{number}", number, 12, [1, 2, 3])
            path = f"/dav/calendars/user/user12/Default/answer{again}-{number}.ics"
            organizer.request("PUT", path, body, Content_Type=ICALENDAR)
    default = "/dav/calendars/user/user1/Default/"
    ask = f"<D:propfind {NAMESPACES}><D:prop><D:getetag/></D:prop></D:propfind>".encode()
    listing = client.request("PROPFIND", default, ask, Content_Type=XML, Depth="1").body.decode()
    for path in re.findall(rf"{default}[0-9a-f-]{{36}}\.ics", listing):
        text = client.request("GET", path).body.replace(b"\r\n ", b"")
        mine = f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:{address(1)}".encode()
        if mine in text:
            accepted = text.replace(mine, f"ATTENDEE;PARTSTAT=ACCEPTED:{address(1)}".encode())
            yield client.render("PUT", path, accepted, Content_Type=ICALENDAR)
