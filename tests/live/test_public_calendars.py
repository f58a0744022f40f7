"""Public calendars of a real server: what anybody gets over HTTP, and what nobody finds out."""

from collections.abc import Iterator

import pytest
from daemon import Connection, Daemon, calserver

HOME = "/dav/calendars/user/ann/"
CALENDAR = HOME + "Default/"
SHARING = 'xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"'
EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example.com//tests//EN
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260101T000000Z
DTSTART:20260105T090000Z
DTEND:20260105T100000Z
SUMMARY:{uid}
CLASS:{word}
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def ann(daemon: Daemon) -> Iterator[Connection]:
    with Connection(daemon.port, "ann") as connection:
        for uid, word in (("lunch", "PUBLIC"), ("doctor", "PRIVATE")):
            body = EVENT.format(uid=uid, word=word).replace("\n", "\r\n")
            assert connection.request("PUT", f"{CALENDAR}{uid}.ics", body, Content_Type="text/calendar").status < 300
        yield connection
        change(connection, "unpublish-calendar")


@pytest.fixture
def nobody(daemon: Daemon) -> Iterator[Connection]:
    with Connection(daemon.port, None) as connection:
        yield connection


def change(who: Connection, name: str) -> int:
    return who.request("POST", CALENDAR, f"<CS:{name} {SHARING}/>", Content_Type="application/xml").status


def test_anybody_reads_a_calendar_as_long_as_it_is_public(ann: Connection, nobody: Connection) -> None:
    """From memory too: each is asked twice."""
    for _ in range(2):
        assert nobody.request("GET", CALENDAR).status == 401
    assert change(ann, "publish-calendar") == 202
    answers = [nobody.request("GET", CALENDAR) for _ in range(2)]
    for answer in answers:
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")
        assert (b"lunch" in answer.body, b"doctor" in answer.body) == (True, False)
    assert nobody.request("GET", CALENDAR, If_None_Match=answers[0].headers["ETag"]).status == 304
    assert nobody.request("HEAD", CALENDAR).headers["Content-Length"] == str(len(answers[0].body))
    assert b"doctor" in ann.request("GET", CALENDAR).body
    assert ann.request("DELETE", CALENDAR + "lunch.ics").status == 204
    assert b"lunch" not in nobody.request("GET", CALENDAR).body
    assert change(ann, "unpublish-calendar") == 200
    for _ in range(2):
        assert nobody.request("GET", CALENDAR, If_None_Match=answers[0].headers["ETag"]).status == 401


def test_what_a_process_beside_publishes_is_public_at_once(daemon: Daemon, ann: Connection, nobody: Connection) -> None:
    printed = calserver("calendar", "publish", "ann", "Default", "--free-busy", "--config", daemon.config)
    assert printed == f"{CALENDAR}: anybody may see when it is busy\n"
    for _ in range(2):
        answer = nobody.request("GET", CALENDAR)
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
        assert b"BEGIN:VFREEBUSY" in answer.body
        assert b"lunch" not in answer.body


def test_nobody_finds_out_what_there_is(ann: Connection, nobody: Connection) -> None:
    """Answers are the same whether there is something or not, and ask to log in."""
    assert change(ann, "publish-calendar") == 202
    there = [HOME, HOME + "Inbox/", HOME + "Tasks/", CALENDAR + "lunch.ics", CALENDAR + "doctor.ics"]
    there += ["/dav/principals/user/ann/", "/dav/principals/user/ann/calendar-proxy-read/", "/dav/calendars/"]
    absent = ["/dav/calendars/user/zoe/", HOME + "none/", CALENDAR + "none.ics", "/dav/principals/user/zoe/"]
    absent += ["/dav/principals/user/zoe/calendar-proxy-read/", "/dav/none/a/b/c"]
    for method in ("GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "PUT", "DELETE", "LOCK", "MKCALENDAR"):
        answers = {
            (answer.status, answer.body, answer.headers["WWW-Authenticate"], answer.headers["Content-Type"])
            for answer in (nobody.request(method, path) for path in (*there, *absent))
        }
        assert [status for status, *_ in answers] == [401], method
    for method in ("OPTIONS", "PROPFIND", "REPORT", "PUT", "DELETE", "LOCK", "POST"):
        assert nobody.request(method, CALENDAR).status == 401, method
