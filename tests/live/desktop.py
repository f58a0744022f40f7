"""What all programs on a desktop are tried with, beside what each has of its own."""

from collections.abc import Callable

from diaries import Diaries
from organizations import until


def event(uid: str, *lines: str) -> str:
    """An event of an hour, as a program hands it to its own calendars."""
    head = ("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z")
    times = ("DTSTART:20281201T100000Z", "DTEND:20281201T110000Z")
    return "".join(f"{line}\r\n" for line in (*head, *times, *lines, "END:VEVENT"))


def changes_of_others_are_seen(diaries: Diaries, find: Callable[[str], str | None]) -> None:
    """Make, change and remove an event of Ann's by other means.

    Args:
        diaries: the server.
        find: looks in the program for an event, after that has looked what is new.
    """
    by, path = diaries.by("ann"), "/dav/calendars/user/ann/Default/other.ics"
    for summary in ("First", "Second"):
        line = f"SUMMARY:{summary}"
        body = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n{event('other', line)}END:VCALENDAR\r\n"
        assert by.request("PUT", path, body, Content_Type="text/calendar").status in (201, 204)
        until(lambda line=line: line in (find("other") or ""), "it is there")  # type: ignore[misc] # bound at once
    assert by.request("DELETE", path).status == 204
    until(lambda: find("other") is None, "it is gone")
