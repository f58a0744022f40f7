"""The rows: what is asked, how often, what the answer must be, and what it may cost."""

import itertools
from collections.abc import Callable, Iterator

import attrs

from benchmarks import data
from benchmarks.client import Answer, Client

XML = "application/xml; charset=utf-8"
ICALENDAR = "text/calendar; charset=utf-8"
NAMESPACES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/"'
NEW_CALENDAR = (
    f"<C:mkcalendar {NAMESPACES}><D:set><D:prop><D:displayname>Benchmark</D:displayname></D:prop></D:set>"
    "</C:mkcalendar>"
).encode()
"""A calendar with a name, as clients make them."""
Check = Callable[[Answer], bool]


@attrs.frozen(kw_only=True)
class Row:
    """One line of the table.

    ``requests`` yields what to send one after the other; ``check`` says whether an answer is right; ``repeat`` how
    often it is asked; ``target`` and ``peer`` are CPU milliseconds per request: the goal, and what Cyrus httpd 3.6
    takes; ``client`` is who asks, where that is somebody else.
    """

    name: str
    requests: Iterator[bytes]
    check: Check
    repeat: int
    target: float | None
    peer: float | None
    client: Client | None = None


POLL = "PROPFIND Depth 0: the poll"
SHARED_POLL = "PROPFIND Depth 0: the shared poll"
POLLS = {
    SHARED_POLL: POLL,
    f"{SHARED_POLL}, worked out": f"{POLL}, worked out",
}
"""What polls of a calendar of somebody else are compared with: those of an own one, from memory and worked out anew."""
MOST_FOR_SHARED = 1.2
"""How many times as much they may cost."""


def rows(client: Client, user: str, calendar: data.Calendar, shared: str = "", *, again: str = "") -> Iterator[Row]:
    """All rows for a calendar of a user.

    Args:
        client: logged in as the user.
        user: whose calendar it is.
        calendar: what is in it.
        shared: path of a calendar that somebody else shares with the user, with as many; empty for none.
        again: what tells another round in the same calendar from those before.
    """
    path = f"/dav/calendars/user/{user}/{calendar.name}/"
    size = calendar.size
    names = [name for name, _ in calendar.events]
    large = size >= 10_000

    def same(rendered: bytes) -> Iterator[bytes]:
        return itertools.repeat(rendered)

    def xml(method: str, target: str, body: str, **headers: str) -> bytes:
        return client.render(method, target, f'<?xml version="1.0"?>{body}'.encode(), Content_Type=XML, **headers)

    yield Row(
        name="OPTIONS on a calendar",
        requests=same(client.render("OPTIONS", path)),
        check=lambda answer: answer.status in (200, 204) and "calendar-access" in answer.headers["dav"],
        repeat=400,
        target=0.2,
        peer=0.9,
    )
    poll = (
        f"<D:propfind {NAMESPACES}><D:prop><CS:getctag/><D:sync-token/><D:current-user-privilege-set/><D:displayname/>"
        "<D:resourcetype/></D:prop></D:propfind>"
    )

    def answers_poll(answer: Answer) -> bool:
        return answer.status == 207 and b"getctag" in answer.body and b"404 Not Found" not in answer.body

    for target in (path, shared):
        name = POLL if target == path else SHARED_POLL
        if not target:
            continue
        yield Row(
            name=name,
            requests=same(xml("PROPFIND", target, poll, Depth="0")),
            check=answers_poll,
            repeat=400,
            target=0.25,
            peer=0.7 if target == path else None,
        )
        yield Row(
            name=f"{name}, worked out",
            requests=(xml("PROPFIND", target, poll, Depth="0", X_Number=str(n)) for n in itertools.count()),
            check=answers_poll,
            repeat=400,
            target=None,
            peer=None,
        )
    yield Row(
        name="GET of one event",
        requests=(
            client.render("GET", path + name, **({} if n < size else {"X_Number": str(n)}))  # never by heart
            for n, name in enumerate(itertools.cycle(names))
        ),
        check=lambda answer: answer.status == 200 and b"BEGIN:VEVENT" in answer.body and "etag" in answer.headers,
        repeat=400,
        target=0.25,
        peer=1.1,
    )
    yield Row(
        name="PUT of a new event, durable",
        requests=_puts(client, path, again),
        check=lambda answer: answer.status == 201,
        repeat=200,
        target=1.2,
        peer=3.1,
    )
    listing = f"<D:propfind {NAMESPACES}><D:prop><D:getetag/></D:prop></D:propfind>"
    yield Row(
        name="PROPFIND Depth 1 getetag",
        requests=same(xml("PROPFIND", path, listing, Depth="1")),
        check=lambda answer: answer.status == 207 and answer.body.count(b"getetag>") // 2 >= size,
        repeat=12 if large else 40,
        target=12 if large else 1.5,
        peer=48 if large else 5.9,
    )
    month = (
        f"<C:calendar-query {NAMESPACES}><D:prop><D:getetag/><C:calendar-data/></D:prop><C:filter>"
        '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        f'<C:time-range start="{data.MONTH[0]}" end="{data.MONTH[1]}"/>'
        "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    )
    yield Row(
        name="calendar-query of one month, with data",
        requests=same(xml("REPORT", path, month, Depth="1")),
        check=lambda answer: answer.status == 207 and answer.body.count(b"BEGIN:VEVENT") > calendar.month,
        repeat=20 if large else 60,
        target=10 if large else 2.5,
        peer=125 if large else 15.5,
    )
    multiget = (
        f"<C:calendar-multiget {NAMESPACES}><D:prop><D:getetag/><C:calendar-data/></D:prop>"
        + "".join(f"<D:href>{path}{name}</D:href>" for name in names[:: size // 50][:50])
        + "</C:calendar-multiget>"
    )
    yield Row(
        name="calendar-multiget of 50, with data",
        requests=same(xml("REPORT", path, multiget)),
        check=lambda answer: answer.status == 207 and answer.body.count(b"BEGIN:VEVENT") == 50,
        repeat=100,
        target=0.9,
        peer=3.5,
    )
    yield Row(
        name="sync-collection, initial",
        requests=same(xml("REPORT", path, _sync(""))),
        check=lambda answer: answer.status == 207 and answer.body.count(b"getetag>") // 2 >= size,
        repeat=12 if large else 40,
        target=15 if large else 1.8,
        peer=55 if large else 6.7,
    )
    token = _token(client.send(xml("PROPFIND", path, poll, Depth="0")))
    for number in range(10):
        changed = data.event(number, f"change-{calendar.name}-{number}", size)
        client.request("PUT", path + f"change{number}.ics", changed, Content_Type=ICALENDAR)
    yield Row(
        name="sync-collection, 10 changes",
        requests=same(xml("REPORT", path, _sync(token))),
        check=lambda answer: answer.status == 207 and answer.body.count(b"getetag>") // 2 == 10,
        repeat=300,
        target=0.4,
        peer=2.8 if large else 1.1,
    )
    week = (
        f'<C:free-busy-query {NAMESPACES}><C:time-range start="{data.WEEK[0]}" end="{data.WEEK[1]}"/>'
        "</C:free-busy-query>"
    )
    yield Row(
        name="free-busy-query, a week",
        requests=same(xml("REPORT", path, week, Depth="1")),
        check=lambda answer: answer.status == 200 and b"FREEBUSY" in answer.body,
        repeat=200,
        target=0.7,
        peer=34 if large else 5.6,
    )
    outbox = f"/dav/calendars/user/{user}/Outbox/"
    people = [f"mailto:user{number}@example.com" for number in range(1, data.ATTENDEES + 1)]
    yield Row(
        name="free-busy POST, 10 attendees, a week",
        requests=same(client.render("POST", outbox, data.question(people), Content_Type=ICALENDAR)),
        check=lambda answer: answer.status == 200 and answer.body.count(b"FREEBUSY:") == data.ATTENDEES,
        repeat=100,
        target=None if large else 4,
        peer=None if large else 50,
    )


def _puts(client: Client, path: str, again: str) -> Iterator[bytes]:
    for number in itertools.count():
        uid = f"put{again}-{path.split('/')[-2]}-{number:06}"
        body = data.event(number * 7, uid, 10_000)
        yield client.render("PUT", f"{path}{uid}.ics", body, Content_Type=ICALENDAR, If_None_Match="*")


def _sync(token: str) -> str:
    return (
        f"<D:sync-collection {NAMESPACES}><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>"
        "<D:prop><D:getetag/></D:prop></D:sync-collection>"
    )


def _token(answer: Answer) -> str:
    _, _, rest = answer.body.decode().partition("sync-token>")
    return rest.partition("<")[0]
