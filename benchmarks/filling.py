"""What is in the store before anything is measured: calendars of the one who asks and of others, and a shared one."""

import re
import threading
import time
from collections.abc import Sequence

import attrs

from benchmarks import data
from benchmarks.cases import ICALENDAR, NEW_CALENDAR, XML
from benchmarks.client import Client
from benchmarks.daemon import PASSWORD, Daemon

LOADERS = 4


BATCH = 250
"""Events in a request that brings many."""


def fill(daemon: Daemon, client: Client, calendar: data.Calendar) -> None:
    """Let several clients store a calendar of the one who asks, event by event."""
    path = f"/dav/calendars/user/user1/{calendar.name}/"
    if client.request("MKCALENDAR", path, NEW_CALENDAR, Content_Type=XML).status != 201:
        raise SystemExit("MKCALENDAR failed")
    began, before = time.monotonic(), daemon.cpu()
    failures: list[str] = []

    def load(part: Sequence[tuple[str, bytes]]) -> None:
        with Client(daemon.host, daemon.port, "user1", PASSWORD) as loader:
            for name, text in part:
                answer = loader.request("PUT", path + name, text, Content_Type=ICALENDAR)
                if answer.status != 201:
                    failures.append(f"PUT {name}: {answer.status} {answer.body[:200]!r}")
                    return

    threads = [threading.Thread(target=load, args=(calendar.events[n::LOADERS],)) for n in range(LOADERS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if failures:
        raise SystemExit(failures[0])
    wall, cpu, size = time.monotonic() - began, daemon.cpu() - before, calendar.size
    print(
        f"{size} events stored by {LOADERS} clients: {size / wall:.0f} a second, {1000 * cpu / size:.2f} ms CPU each",
        flush=True,
    )


def fill_at_once(client: Client, user: str, calendar: data.Calendar) -> data.Calendar:
    """Store a calendar in few requests; returns it with the names that the server has given its events."""
    path = f"/dav/calendars/user/{user}/{calendar.name}/"
    client.request("MKCALENDAR", path, NEW_CALENDAR, Content_Type=XML)
    names: list[str] = []
    for at in range(0, calendar.size, BATCH):
        body = data.joined([text for _, text in calendar.events[at : at + BATCH]])
        answer = client.request("POST", path, body, Content_Type=ICALENDAR)
        if answer.status != 207:
            raise SystemExit(f"bulk POST: {answer.status} {answer.body[:200]!r}")
        names += (each.decode() for each in re.findall(rb"<D:href>[^<]*/([^<]+)</D:href>", answer.body))
    texts = (text for _, text in calendar.events)
    return attrs.evolve(calendar, events=list(zip(names, texts, strict=True)))


def fill_others(daemon: Daemon, calendar: data.Calendar) -> None:
    """Give the other people of free-busy a calendar too: in few requests, as only reading is measured."""
    for number in range(2, data.ATTENDEES + 1):
        with Client(daemon.host, daemon.port, f"user{number}", PASSWORD) as client:
            fill_at_once(client, f"user{number}", calendar)


def share(daemon: Daemon, client: Client, calendar: data.Calendar) -> str:
    """Let user2 share a calendar with user1; returns its path in the home of user1."""
    names = 'xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"'
    invitation = (
        f"<CS:share {names}><CS:set><D:href>mailto:user1@example.com</D:href><CS:read-write/></CS:set></CS:share>"
    )
    path = f"/dav/calendars/user/user2/{calendar.name}/"
    invited = f"<D:propfind {names}><D:prop><CS:invite/></D:prop></D:propfind>"
    with Client(daemon.host, daemon.port, "user2", PASSWORD) as owner:
        owner.request("POST", path, invitation.encode(), Content_Type=XML)
        found = re.search(rb"<CS:uid>([^<]+)", owner.request("PROPFIND", path, invited.encode(), Depth="0").body)
    uid = "" if found is None else found[1].decode()
    reply = f"<CS:invite-reply {names}><CS:invite-accepted/><CS:in-reply-to>{uid}</CS:in-reply-to></CS:invite-reply>"
    answer = client.request("POST", "/dav/calendars/user/user1/", reply.encode(), Content_Type=XML)
    accepted = re.search(rb"<D:href>([^<]+)", answer.body)
    if accepted is None:
        raise SystemExit(f"sharing: {answer.status} {answer.body[:200]!r}")
    return accepted[1].decode() + "/"
