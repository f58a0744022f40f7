"""Requests that nobody should send: how a row of a table is written and sent, and what is looked at around it."""

import base64
import contextlib
import http.client
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Final

import attrs
from daemon import Answer, Daemon
from lxml import etree

from calserver.names import PREFIXES, D

DEADLINE_SECONDS: Final = 12.0
"""Within which each request is answered: what one may compute (`dav.request_seconds`), and a little."""
AT_ONCE_SECONDS: Final = 3.0
"""Within which an ordinary request is answered after it, on a machine that has other things to do."""

HOME: Final = "/dav/calendars/user/ann/"
CALENDAR: Final = HOME + "Default/"
KEPT: Final = CALENDAR + "kept.ics"
FILES: Final = "/dav/drive/user/ann/"
FILE: Final = FILES + "kept.txt"
PRINCIPAL: Final = "/dav/principals/user/ann/"
FOREIGN: Final = "/dav/calendars/user/bob/Default/"
SECRET: Final = FOREIGN + "secret.ics"
ICALENDAR: Final = "text/calendar; charset=utf-8"
NAMESPACES: Final = "".join(f' xmlns:{prefix}="{name}"' for name, prefix in PREFIXES.items())

_LISTING: Final = (
    f"<D:propfind{NAMESPACES}><D:prop><D:getetag/><D:resourcetype/><D:displayname/><D:sync-token/><D:lockdiscovery/>"
    "<D:acl/></D:prop></D:propfind>"
)
_PLACES: Final = (HOME, FILES, "/dav/calendars/user/bob/", "/dav/principals/user/ann/", "/dav/principals/user/bob/")


def ics(*lines: str) -> bytes:
    """A calendar of some lines."""
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//x//EN", *lines, "END:VCALENDAR", ""]).encode()


def event(*lines: str, uid: str = "new") -> bytes:
    """An event; without lines of its own it is an hour in 2026."""
    times = () if any(each.startswith("DTSTART") for each in lines) else ("DTSTART:20260105T090000Z", "DURATION:PT1H")
    return ics("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *times, *lines, "END:VEVENT")


def xml(name: str, *inside: str) -> bytes:
    """An XML document with all prefixes declared."""
    return f"<{name}{NAMESPACES}>{''.join(inside)}</{name.split()[0]}>".encode()


def prop(*names: str) -> str:
    """The properties that are asked for."""
    return "<D:prop>" + "".join(f"<{each}/>" for each in names) + "</D:prop>"


def query(*filters: str, data: str = "<C:calendar-data/>", around: str = "VCALENDAR") -> bytes:
    """A calendar-query."""
    inside = f'<C:filter><C:comp-filter name="{around}">{"".join(filters)}</C:comp-filter></C:filter>'
    return xml("C:calendar-query", f"<D:prop><D:getetag/>{data}</D:prop>", inside)


@attrs.frozen
class Row:
    """One line of a table.

    Attributes:
        name: what is tried.
        request: method and target.
        status: what it may be answered with.
        condition: Clark name of the element that must be inside of ``DAV:error``; empty where no RFC has one.
        body: the content.
        fields: header fields.
        user: who asks.
        lacks: what must not be in the answer.
    """

    name: str
    request: str
    status: frozenset[int]
    condition: str
    body: bytes
    fields: Mapping[str, str]
    user: str | None
    lacks: str


def row(
    name: str,
    request: str,
    status: int | Iterable[int],
    condition: str = "",
    body: bytes | str = b"",
    *,
    user: str | None = "ann",
    lacks: str = "",
    **fields: str,
) -> Row:
    """A `Row`; ``_`` in the names of header fields stands for ``-``."""
    return Row(
        name=name,
        request=request,
        status=frozenset([status] if isinstance(status, int) else status),
        condition=condition,
        body=body.encode() if isinstance(body, str) else body,
        fields={key.replace("_", "-"): value for key, value in fields.items()},
        user=user,
        lacks=lacks,
    )


def credentials(user: str, password: str = "") -> str:
    """The value of Authorization; passwords are uids."""
    return "Basic " + base64.b64encode(f"{user}:{password or user}".encode()).decode()


def message(row: Row) -> bytes:
    """A row as it goes over the wire."""
    lines = [f"{row.request} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
    if row.user is not None and "Authorization" not in row.fields:
        lines.append(f"Authorization: {credentials(row.user)}")
    lines += [f"{name}: {value}" for name, value in row.fields.items()]
    if row.body and "Content-Type" not in row.fields:
        lines.append("Content-Type: " + (ICALENDAR if row.body.startswith(b"BEGIN") else "application/xml"))
    if row.body or row.request.startswith("PUT"):
        lines.append(f"Content-Length: {len(row.body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + row.body


def send(port: int, data: bytes, method: str = "GET") -> Answer:
    """Send bytes on a connection of their own; the answer, within the deadline."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the answer may come before all is sent
            connection.sendall(data)
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        answer = Answer(response.status, response.headers, response.read())
    assert time.monotonic() - began < DEADLINE_SECONDS, "it took too long"
    return answer


def conditions(answer: Answer) -> set[str]:
    """The elements inside of each ``DAV:error`` of an answer."""
    if not answer.body or "xml" not in answer.headers.get("content-type", ""):
        return set()
    root = etree.fromstring(answer.body)
    return {child.tag for error in root.iter(D("error")) for child in error} - {D("responsedescription")}


def everything(daemon: Daemon) -> list[bytes]:
    """All that a request could have changed, as the administrator sees it; asking takes no time to speak of."""
    began = time.monotonic()
    found = []
    for place in _PLACES:
        asked = row("", f"PROPFIND {place}", 207, body=_LISTING, user="admin", Depth="infinity")
        answer = send(daemon.port, message(asked))
        assert answer.status == 207, answer
        found.append(answer.body)
    assert time.monotonic() - began < AT_ONCE_SECONDS, "the server is busy with something else"
    return found


def furnish(daemon: Daemon) -> None:
    """What there is to lose."""
    for path, body, user in (
        (KEPT, event("SUMMARY:kept", uid="kept"), "ann"),
        (CALENDAR + "daily.ics", event("RRULE:FREQ=DAILY", uid="daily"), "ann"),
        (HOME + "Tasks/task.ics", event(uid="task").replace(b"VEVENT", b"VTODO"), "ann"),
        (FILE, b"kept", "ann"),
        (SECRET, event("SUMMARY:secret", uid="secret"), "bob"),
        ("/dav/drive/user/bob/secret.txt", b"secret", "bob"),
    ):
        with daemon.connect(user) as connection:
            answer = connection.request(
                "PUT", path, body, Content_Type=ICALENDAR if path.endswith("ics") else "text/plain"
            )
        assert answer.status == 201, answer


def check(daemon: Daemon, row: Row) -> None:
    """Send a row: the right answer, nothing changed, and the server has time for others at once."""
    before = everything(daemon)
    answer = send(daemon.port, message(row), row.request.split()[0])
    shown = f"{answer.status} {dict(answer.headers)} {answer.body[:600]!r}"
    assert answer.status in row.status, shown
    if row.condition:
        assert row.condition in conditions(answer), shown
    if row.lacks:
        assert row.lacks.encode() not in answer.body, shown
        assert row.lacks not in str(answer.headers), shown
    assert "Traceback" not in answer.body.decode("utf-8", "replace"), shown
    assert everything(daemon) == before, "something changed"
