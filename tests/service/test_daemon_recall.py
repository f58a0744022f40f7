"""Answers by heart: they cost no transaction, and never tell of a past that is over."""

import base64

import pytest
import pytest_twisted

from calserver.directory import accounts

HOME = "/dav/drive/user/ann/"
FILE = HOME + "a.txt"
POLL = b'<propfind xmlns="DAV:"><prop><getetag/><displayname/><sync-token/><lockdiscovery/></prop></propfind>'
SYNC = b'<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>'


def transactions(house):
    return sum(house.daemon.metrics.store_waits.counts)


async def poll(house, path=HOME, *fields):
    return await house.ask("PROPFIND", path, "Depth: 1", *fields, body=POLL)


async def learned(house, method="PROPFIND", path=HOME, body=POLL):
    """The answer to a request that is known by heart from now on."""
    for _ in range(3):
        answer = await house.ask(method, path, "Depth: 1", body=body)
    before = transactions(house)
    again = await house.ask(method, path, "Depth: 1", body=body)
    assert again.body == answer.body
    assert transactions(house) == before
    return again


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PROPFIND", HOME, POLL), ("OPTIONS", HOME, b""), ("GET", FILE, b""), ("HEAD", FILE, b""), ("REPORT", HOME, SYNC)],
)
@pytest_twisted.ensureDeferred
async def test_what_is_asked_again_costs_no_transaction(house, method, path, body):
    await house.ask("PUT", FILE, body=b"hello")
    await learned(house, method, path, body)


CHANGES = {
    "a new member": ("PUT", HOME + "b.txt", (), b"new"),
    "other content": ("PUT", FILE, (), b"other"),
    "a removal": ("DELETE", FILE, (), b""),
    "a name": (
        "PROPPATCH",
        HOME,
        (),
        b'<propertyupdate xmlns="DAV:"><set><prop><displayname>Neu</displayname></prop></set></propertyupdate>',
    ),
    "a collection": ("MKCOL", HOME + "c/", (), b""),
    "a lock": (
        "LOCK",
        FILE,
        (),
        b'<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>',
    ),
    "a move": ("MOVE", FILE, (f"Destination: http://cal.example.org{HOME}moved.txt",), b""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest_twisted.ensureDeferred
async def test_a_change_is_seen_by_the_next_request(house, change):
    await house.ask("PUT", FILE, body=b"hello")
    before = await learned(house)
    method, path, fields, body = change
    assert (await house.ask(method, path, *fields, body=body)).status < 300
    assert (await poll(house)).body != before.body


@pytest_twisted.ensureDeferred
async def test_a_change_by_another_process_is_seen_too(house):
    await house.ask("PUT", FILE, body=b"hello")
    await learned(house)
    beside = house.store()

    def remove(txn):
        ann = accounts.named(txn, "ann")
        home = txn.collections.home(ann.id, "drive-home")
        txn.objects.remove(txn.objects.get(home.id, "a.txt").id)

    beside.write_now(remove)
    beside.close()
    assert FILE.encode() not in (await poll(house)).body


@pytest_twisted.ensureDeferred
async def test_changes_elsewhere_do_not_matter(house):
    before = await learned(house)
    bob = "Authorization: Basic " + base64.b64encode(b"bob:geheim").decode()
    assert (await house.ask("PUT", "/dav/drive/user/bob/x", bob, body=b"x")).status == 201
    transactions_before = transactions(house)
    assert (await poll(house)).body == before.body
    assert transactions(house) == transactions_before


@pytest_twisted.ensureDeferred
async def test_others_do_not_get_the_answer(house):
    await learned(house)
    bob = "Authorization: Basic " + base64.b64encode(b"bob:geheim").decode()
    assert (await poll(house, HOME, bob)).status in (403, 404)
    assert (await poll(house, HOME, "Authorization: Basic " + base64.b64encode(b"ann:x").decode())).status == 401


@pytest_twisted.ensureDeferred
async def test_an_account_that_is_disabled_gets_no_answer_by_heart(house):
    await learned(house)
    beside = house.store()
    beside.write_now(lambda txn: accounts.change(txn, accounts.named(txn, "ann"), enabled=False))
    beside.close()
    assert (await poll(house)).status == 401


@pytest_twisted.ensureDeferred
async def test_other_fields_get_other_answers(house):
    await house.ask("PUT", FILE, body=b"hello")
    await learned(house)
    assert (await house.ask("PROPFIND", HOME, "Depth: 0", body=POLL)).body.count(b"<D:response>") == 1
    minimal = await poll(house, HOME, "Prefer: return=minimal")
    assert minimal.headers["preference-applied"] == "return=minimal"


@pytest_twisted.ensureDeferred
async def test_locks_are_never_by_heart(house):
    """Their time runs."""
    await house.ask("PUT", FILE, body=b"hello")
    method, path, fields, body = CHANGES["a lock"]
    assert (await house.ask(method, path, *fields, body=body)).status == 200
    for _ in range(4):
        before = transactions(house)
        assert b"activelock" in (await poll(house)).body
        assert transactions(house) == before + 1
