"""Requests that are answered at once in the reactor thread, and those that turn out to take longer."""

import pytest
import pytest_twisted

from calserver.directory import accounts
from calserver.store import engine
from calserver.tree import collections

HOME = "/dav/drive/user/ann/"
LISTING = b'<propfind xmlns="DAV:"><prop><getetag/><creationdate/></prop></propfind>'
QUICK = b'<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
SYNC = b'<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>'


@pytest.fixture
def threads(house, monkeypatch):
    """How many reading transactions went to a thread, however slow the machine is."""
    monkeypatch.setattr(engine, "GLANCE_SECONDS", 60.0)
    monkeypatch.setattr(engine, "SLOW_SECONDS", 60.0)
    found = []
    read = engine.SqlStore.read

    def counted(self, work):
        found.append(work)
        return read(self, work)

    monkeypatch.setattr(engine.SqlStore, "read", counted)
    return found


ASKED = {
    "a listing": ("PROPFIND", ("Depth: 1",), LISTING, b"a.txt"),
    "a listing by the store": ("PROPFIND", ("Depth: 1",), QUICK, b"a.txt"),
    "a sync report": ("REPORT", (), SYNC, b"a.txt"),
}


@pytest.mark.parametrize("many", [0, 200], ids=["long", "short"])
@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED.keys())
@pytest_twisted.ensureDeferred
async def test_long_listings_go_to_a_thread(house, threads, monkeypatch, asked, many):
    monkeypatch.setattr(collections, "MANY", many)
    await house.ask("PUT", HOME + "a.txt", body=b"hello")
    del threads[:]
    method, fields, body, expected = asked
    answer = await house.ask(method, HOME, *fields, body=body)
    assert answer.status == 207
    assert expected in answer.body
    assert len(threads) == (0 if many else 1)


@pytest_twisted.ensureDeferred
async def test_a_page_of_a_collection_goes_to_a_thread(house, threads):
    await house.ask("PUT", HOME + "a.txt", body=b"hello")
    del threads[:]
    assert (await house.ask("GET", HOME + "a.txt")).body == b"hello"
    assert threads == []
    assert b"a.txt" in (await house.ask("GET", HOME)).body
    assert len(threads) == 1


@pytest_twisted.ensureDeferred
async def test_an_account_that_is_disabled_sees_nothing(house):
    await house.ask("PUT", HOME + "a.txt", body=b"hello")
    beside = house.store()
    beside.write_now(lambda txn: accounts.change(txn, accounts.named(txn, "ann"), enabled=False))
    beside.close()
    assert (await house.ask("GET", HOME + "a.txt")).status == 401


@pytest_twisted.ensureDeferred
async def test_what_another_process_has_written_is_seen(house):
    await house.ask("PUT", HOME + "a.txt", body=b"hello")
    assert (await house.ask("GET", HOME + "a.txt")).status == 200
    beside = house.store()

    def remove(txn):
        home = txn.collections.home(accounts.named(txn, "ann").id, "drive-home")
        txn.objects.remove(txn.objects.get(home.id, "a.txt").id)

    beside.write_now(remove)
    beside.close()
    assert (await house.ask("GET", HOME + "a.txt")).status == 404
