"""The primary dies under load, its standby is promoted: what was acknowledged is there, and clients heal by retrying.

The standby confirms each commit (synchronous replication), as a site has it that wants to lose nothing.
"""

import threading
from collections.abc import Callable
from typing import Final

import attrs
import pytest
from daemon import Connection, Daemon
from postgresql import FAST, OWNER, Cluster, cluster

from calserver.store import Transaction, open_store

WRITERS = 3
ROUNDS = 15
"""What each writer must have acknowledged before the primary dies, and again behind that."""
PATIENCE_SECONDS: Final = 90.0
PATH = "/dav/calendars/user/ann/Default/"


def event(uid: str, number: int) -> str:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.com//tests//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20990101T090000Z\r\nDURATION:PT1H\r\n"
        f"SUMMARY:Number {number}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


@attrs.define
class Writer:
    """A client that stores one event after the other; what it is refused for the moment it sends again."""

    name: str
    connection: Connection
    stopping: threading.Event
    acknowledged: dict[str, str] = attrs.field(factory=dict)
    progress: threading.Semaphore = attrs.field(factory=lambda: threading.Semaphore(0))
    later: int = 0
    """How often it was told to come again."""
    wrong: list[str] = attrs.field(factory=list)

    def run(self) -> None:
        number = 0
        while not self.stopping.is_set():
            name = f"{self.name}-{number % 40}"
            content = event(name, number)
            answer = self.connection.request("PUT", f"{PATH}{name}.ics", content, Content_Type="text/calendar")
            if answer.status in (201, 204):
                self.acknowledged[name] = content
                self.progress.release()
                number += 1
            elif answer.status == 503 and answer.headers["Retry-After"]:
                self.acknowledged.pop(name, None)  # it may have been written or not
                self.later += 1
                self.stopping.wait(0.2)
            else:
                self.wrong.append(f"{answer.status} {answer.text}")
                return

    def wait(self) -> None:
        for _ in range(ROUNDS):
            assert self.progress.acquire(timeout=PATIENCE_SECONDS), self.wrong or "it got no further"


@pytest.fixture
def primary(postgres: Cluster) -> Cluster:
    """Not that of other tests, since it dies; but only where there is one."""
    with cluster(**FAST | {"synchronous_commit": "on"}) as made:
        made.execute("CREATE DATABASE site")
        yield made


@pytest.mark.slow
def test_a_standby_that_is_promoted_has_all_that_was_acknowledged(
    primary: Cluster, make_daemon: Callable[..., Daemon]
) -> None:
    with primary.standby() as standby:
        url = f"postgresql://{OWNER}@/site?host={primary.folder},{standby.folder}"
        daemon = make_daemon(store=url)
        daemon.start()
        stopping = threading.Event()
        writers = [Writer(f"writer{number}", daemon.connect("ann"), stopping) for number in range(WRITERS)]
        threads = [threading.Thread(target=each.run) for each in writers]
        for thread in threads:
            thread.start()
        try:
            for each in writers:
                each.wait()
            primary.stop()
            standby.promote()
            for each in writers:
                while each.progress.acquire(blocking=False):
                    pass
                each.wait()
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        assert [each.wrong for each in writers] == [[]] * WRITERS
        reader = daemon.connect("ann")
        for each in writers:
            for name, content in each.acknowledged.items():
                assert reader.request("GET", f"{PATH}{name}.ics").text == content
        store = open_store(standby.url("site"), reactor=None)
        numbers = store.read_now(revisions)
        store.close()
        assert len(set(numbers)) == len(numbers)


def revisions(txn: Transaction) -> list[int]:
    """The numbers of all changes in the calendar."""
    *_, calendar = txn.collections.locate("user", "ann", "calendar-home", ("Default",))
    return [number for *_, number in txn.changes.listing(calendar.id, 0)]
