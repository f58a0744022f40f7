"""Requests that nobody should send, to a real server: a refusal by name, no change, and no time lost (threats)."""

import contextlib
import socket
from collections.abc import Iterator

import pytest
from daemon import Daemon
from hostile import (
    CALENDAR,
    DEADLINE_SECONDS,
    Row,
    check,
    conditions,
    everything,
    furnish,
    message,
    query,
    row,
    send,
    xml,
)
from hostile_bytes import MESSAGES, Message
from hostile_calendars import BOMBS, TEXTS, Poison
from hostile_requests import ROWS
from lxml import etree

from calserver.names import C

NEW = CALENDAR + "new.ics"


@pytest.fixture(scope="module")
def victim(daemon: Daemon) -> Iterator[Daemon]:
    """A server with something to lose; whatever it is asked, it logs no bug."""
    furnish(daemon)
    yield daemon
    assert "Traceback" not in daemon.log.read_text(encoding="utf-8")


def table(rows: dict[str, tuple[Row, ...]]) -> list[object]:
    return [
        pytest.param(each, id=f"{part}: {each.name}") for part, each in ((p, e) for p, es in rows.items() for e in es)
    ]


@pytest.mark.parametrize("tried", table(ROWS))
def test_it_is_refused_by_name_and_changes_nothing(victim: Daemon, tried: Row) -> None:
    check(victim, tried)


# -- what is stored ------------------------------------------------------------------------------------------------

SPAN = 'start="20250101T000000Z" end="20350101T000000Z"'
WEEK = 'start="20260105T000000Z" end="20260112T000000Z"'
TIMED = '<C:comp-filter name="VEVENT"><C:time-range {}/></C:comp-filter>'
JCAL = "application/calendar+json"
PROBES = {
    "its own text": ("GET", NEW, b""),
    "the whole calendar": ("GET", CALENDAR, b""),
    "a listing": ("PROPFIND", CALENDAR, xml("D:propfind", "<D:allprop/>")),
    "all texts": ("REPORT", CALENDAR, query('<C:comp-filter name="VEVENT"/>')),
    "ten years": ("REPORT", CALENDAR, query(TIMED.format(SPAN))),
    "the week of all years": ("REPORT", CALENDAR, query(TIMED.format(WEEK.replace("2026", "2090")))),
    "reminders": (
        "REPORT",
        CALENDAR,
        query(f'<C:comp-filter name="VEVENT">{TIMED.format(WEEK).replace("VEVENT", "VALARM")}</C:comp-filter>'),
    ),
    "expanded": (
        "REPORT",
        CALENDAR,
        query(TIMED.format(WEEK), data=f"<C:calendar-data><C:expand {WEEK}/></C:calendar-data>"),
    ),
    "limited": (
        "REPORT",
        CALENDAR,
        query(TIMED.format(WEEK), data=f"<C:calendar-data><C:limit-recurrence-set {WEEK}/></C:calendar-data>"),
    ),
    "busy times of ten years": ("REPORT", CALENDAR, xml("C:free-busy-query", f"<C:time-range {SPAN}/>")),
    "as jCal": ("GET", NEW, b""),
}
"""What people and their programs ask of a calendar; the answers are the right ones whatever is in it."""


def stored(rows: tuple[Poison, ...]) -> list[object]:
    return [pytest.param(each, id=each.name) for each in rows]


@pytest.mark.parametrize("poison", stored((*BOMBS, *TEXTS)))
def test_what_is_stored_harms_nobody(victim: Daemon, poison: Poison) -> None:
    before = everything(victim)
    answer = send(victim.port, message(row("", f"PUT {NEW}", (), body=poison.body, Content_Type=poison.media_type)))
    try:
        if poison.condition:
            assert (answer.status, conditions(answer)) == (403, {poison.condition}), answer.body
            assert everything(victim) == before
            return
        assert answer.status == 201, answer.body
        for name, (method, path, body) in PROBES.items():
            probe(
                victim,
                name,
                row("", f"{method} {path}", (), body=body, Depth="1", Accept=JCAL if "jCal" in name else "*/*"),
            )
        everything(victim)
    finally:
        send(victim.port, message(row("", f"DELETE {NEW}", ())))


def probe(victim: Daemon, name: str, asked: Row) -> None:
    """An answer in time that can be read, and has in it what others have stored."""
    found = send(victim.port, message(asked))
    assert found.status in (200, 207) or conditions(found) == {C("max-instances")}, (name, found.status, found.body)
    if "xml" in found.headers["content-type"]:
        etree.fromstring(found.body)
    if found.status == 207 and name not in ("reminders", "the week of all years"):
        assert b"kept" in found.body, (name, found)


# -- what is no request --------------------------------------------------------------------------------------------


def until_closed(connection: socket.socket) -> bytes:
    """All that comes until the server closes, within the deadline."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while more := connection.recv(65536):
            received += more
    return received


@pytest.mark.parametrize("tried", [pytest.param(each, id=each.name) for each in MESSAGES])
def test_one_refusal_and_the_connection_is_closed(victim: Daemon, tried: Message) -> None:
    before = everything(victim)
    with socket.create_connection(("127.0.0.1", victim.port), timeout=DEADLINE_SECONDS) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(tried.data)
        received = until_closed(connection)
    assert received.startswith(b"HTTP/1.1 %d " % tried.status), received
    assert received.count(b"HTTP/1.1 ") == 1, received
    assert everything(victim) == before
