"""DAV requests over HTTP: who asks, how bodies come, what goes wrong."""

import base64
import gzip

import pytest
import pytest_twisted
from wire import request

from calserver.auth import hash_password
from calserver.directory import accounts
from calserver.store import Busy, Full
from calserver.store.engine import SqlStore

FILE = "/dav/drive/user/ann/a.txt"


def basic(username, password):
    return "Authorization: Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


# -- who asks ------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_gets_another_challenge(house):
    answer = await house.ask("GET", FILE, basic("ann", "falsch"))
    assert answer.status == 401
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("field", ["Basic", "Basic \xff\xfe", "Basic !!", "Bearer x", "\x01", "Basic " + "A" * 9000])
@pytest_twisted.ensureDeferred
async def test_malformed_credentials_never_break_anything(house, field):
    answer = await house.ask("GET", FILE, f"Authorization: {field}")
    assert answer.status == 401


@pytest_twisted.ensureDeferred
async def test_two_authorizations_are_one_too_many(house):
    answer = await house.ask("GET", FILE, basic("ann", "geheim"), basic("bob", "geheim"))
    assert answer.status == 400


@pytest_twisted.ensureDeferred
async def test_nothing_is_inherited_from_the_request_before_on_the_connection(house):
    wire = await house.connect()
    assert (await wire.ask(request("OPTIONS", "/dav/", basic("ann", "geheim")))).status == 200
    assert (await wire.ask(request("OPTIONS", "/dav/"))).status == 401
    answer = await wire.ask(request("PUT", FILE, basic("bob", "geheim"), body=b"x"))
    assert answer.status == 403


@pytest_twisted.ensureDeferred
async def test_who_asks_may_change_from_request_to_request_on_a_connection(house):
    """The line that came before is read faster when it comes again; in no other case."""
    wire = await house.connect()
    ann, bob = basic("ann", "geheim"), basic("bob", "geheim")
    statuses = []
    for field in (ann, ann, bob, ann, ann.lower().replace("basic", "Basic"), ann + " ", bob, bob):
        statuses.append((await wire.ask(request("PUT", FILE, field, body=b"x"))).status)
    assert statuses == [201, 204, 403, 204, 401, 204, 403, 403]
    assert (await wire.ask(request("GET", FILE, ann, ann))).status == 400


@pytest_twisted.ensureDeferred
async def test_a_password_changed_by_another_process_holds_at_once(house):
    assert (await house.ask("OPTIONS", "/dav/")).status == 200
    beside = house.store()
    beside.write_now(lambda txn: accounts.change(txn, accounts.named(txn, "ann"), password_hash=hash_password("neu")))
    beside.close()
    assert (await house.ask("OPTIONS", "/dav/")).status == 401
    assert (await house.ask("OPTIONS", "/dav/", basic("ann", "neu"))).status == 200


@pytest_twisted.ensureDeferred
async def test_an_account_that_is_removed_is_out_at_once(house):
    assert (await house.ask("PUT", FILE, body=b"x")).status == 201
    beside = house.store()
    beside.write_now(lambda txn: accounts.remove(txn, accounts.named(txn, "ann")))
    beside.close()
    assert (await house.ask("PUT", FILE, body=b"y")).status == 401


@pytest_twisted.ensureDeferred
async def test_a_login_stays_by_heart_while_others_write(house):
    assert (await house.ask("OPTIONS", "/dav/")).status == 200
    logins = house.daemon.metrics.logins["succeeded"]
    for number in range(3):
        assert (await house.ask("PUT", f"/dav/drive/user/ann/{number}", body=b"x")).status == 201
        assert (await house.ask("OPTIONS", "/dav/")).status == 200
    assert house.daemon.metrics.logins["succeeded"] == logins


@pytest_twisted.ensureDeferred
async def test_many_guesses_get_429(house):
    statuses = [(await house.ask("OPTIONS", "/dav/", basic("ann", str(number)))).status for number in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert (await house.ask("OPTIONS", "/dav/", basic("bob", "geheim"))).status == 200


# -- bodies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 200_000])
@pytest_twisted.ensureDeferred
async def test_compressed_bodies_are_stored_plain(house, size):
    answer = await house.ask("PUT", FILE, "Content-Encoding: gzip", body=gzip.compress(bytes(size), 0))
    assert answer.status == 201
    assert (await house.ask("GET", FILE)).body == bytes(size)


@pytest_twisted.ensureDeferred
async def test_unknown_codings_are_refused(house):
    answer = await house.ask("PUT", FILE, "Content-Encoding: br", body=b"x")
    assert answer.status == 415
    assert "gzip" in answer.headers["accept-encoding"]


@pytest_twisted.ensureDeferred
async def test_a_bomb_is_refused(house):
    answer = await house.ask("PUT", FILE, "Content-Encoding: gzip", body=gzip.compress(bytes(40_000_000)))
    assert answer.status == 413
    assert (await house.ask("GET", FILE)).status == 404


@pytest_twisted.ensureDeferred
async def test_a_chunked_body_is_a_body(house):
    wire = await house.connect()
    message = request("PUT", FILE, basic("ann", "geheim"), "Transfer-Encoding: chunked")
    assert (await wire.ask(message + b"5\r\nhello\r\n0\r\n\r\n")).status == 201
    assert (await house.ask("GET", FILE)).body == b"hello"


@pytest_twisted.ensureDeferred
async def test_head_has_a_length_and_no_body(house):
    await house.ask("PUT", FILE, body=b"hello")
    wire = await house.connect()
    answer = await wire.ask(request("HEAD", FILE, basic("ann", "geheim")))
    assert (answer.status, answer.headers["content-length"]) == (200, "5")
    assert (await wire.ask(request("GET", FILE, basic("ann", "geheim")))).body == b"hello"


@pytest_twisted.ensureDeferred
async def test_what_people_store_is_not_run_by_browsers(house):
    await house.ask("PUT", FILE, "Content-Type: text/html", body=b"<script>alert(1)</script>")
    answer = await house.ask("GET", FILE)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


# -- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["TRACE", "BREW", "propfind", "CONNECT"])
@pytest_twisted.ensureDeferred
async def test_unknown_methods_are_refused(house, method):
    answer = await house.ask(method, "/dav/", "X-Secret: s3cret")
    assert answer.status in (405, 501)
    assert b"s3cret" not in answer.body


@pytest.mark.parametrize(
    "path", ["/dav/../etc/passwd", "/dav/%2e%2e/x", "/dav/a%2fb", "/dav/a%00b", "/dav/%ff", "/dav/%0d%0aX: y"]
)
@pytest_twisted.ensureDeferred
async def test_paths_that_name_nothing_are_refused(house, path):
    assert (await house.ask("PUT", path.replace(" ", "%20"), body=b"x")).status == 400


@pytest_twisted.ensureDeferred
async def test_a_busy_database_is_503_with_a_time_to_come_again(house, monkeypatch):
    async def busy(self, work):
        raise Busy

    monkeypatch.setattr(SqlStore, "read", busy)
    answer = await house.ask("OPTIONS", "/dav/")
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0


@pytest_twisted.ensureDeferred
async def test_a_full_disk_is_507_by_name(house, monkeypatch):
    """RFC 4331 section 6."""

    async def full(self, work):
        raise Full

    monkeypatch.setattr(SqlStore, "write", full)
    answer = await house.ask("PUT", FILE, body=b"x")
    assert answer.status == 507
    assert b"<D:sufficient-disk-space/>" in answer.body


@pytest_twisted.ensureDeferred
async def test_a_refused_request_changes_nothing(house):
    assert (await house.ask("PUT", FILE, "If-Match: *", body=b"x")).status == 412
    assert (await house.ask("GET", FILE)).status == 404
