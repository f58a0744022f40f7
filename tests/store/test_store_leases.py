"""Of all processes over a database one leads, and whoever dies, another one takes over."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import psycopg
import pytest
from postgresql import Cluster

from calserver.store import Store, open_store

TAKEOVER_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 20.0
LEADER = """
import sys, time
from calserver.store import open_store
store = open_store(sys.argv[1], reactor=None)
while not store.lead():
    time.sleep(0.01)
print("leads", flush=True)
sys.stdin.read()
"""


def wait(reached: Callable[[], bool]) -> float:
    """How long it took."""
    began, pause = time.monotonic(), threading.Event()
    while not reached():
        assert time.monotonic() < began + PATIENCE_SECONDS, "it never happened"
        pause.wait(0.01)
    return time.monotonic() - began


@pytest.fixture
def beside(url: str) -> Iterator[Store]:
    """Another process over the same database, as far as leases go."""
    opened = open_store(url, reactor=None)
    yield opened
    opened.close()


@pytest.fixture
def leader(url: str) -> Iterator["subprocess.Popen[str]"]:
    """A real one, that leads."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", LEADER, url], **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "leads\n"
        yield process
        process.kill()


def test_one_leads_until_it_resigns(store: Store, beside: Store) -> None:
    wait(store.lead)
    assert not beside.lead()
    assert store.lead()
    store.resign()
    assert not store.lead()
    wait(beside.lead)
    assert not store.lead()


def test_who_closes_does_not_lead_any_more(store: Store, url: str) -> None:
    first = open_store(url, reactor=None)
    wait(first.lead)
    first.close()
    assert not first.lead()
    wait(store.lead)


def test_who_resigned_before_it_asked_never_leads(store: Store, beside: Store) -> None:
    store.resign()
    wait(beside.lead)
    assert not store.lead()


def test_who_is_killed_is_followed_within_a_second(store: Store, leader: "subprocess.Popen[str]") -> None:
    assert not store.lead()
    leader.kill()
    leader.wait()
    assert wait(store.lead) < TAKEOVER_SECONDS


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_a_leader_whose_connection_is_lost_asks_again(store: Store, postgres: Cluster, engine: str) -> None:
    wait(store.lead)
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
    )
    wait(lambda: not store.lead())
    wait(store.lead)


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_the_open_transaction_of_a_leader_hinders_nobody(store: Store, url: str, engine: str) -> None:
    """It has no snapshot, so what others remove can be cleaned up behind them."""
    wait(store.lead)
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity JOIN pg_locks USING (pid)"
            " WHERE locktype = 'advisory' AND datname = current_database()"
        ).fetchall()
    assert found == [(True,)]
