"""From an Authorization field to an actor (RFC 9110 section 11, RFC 7617)."""

import base64
import uuid
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults

from calserver.auth import Connection, Login, Outdated, Overloaded, TooManyAttempts, passwords
from calserver.auth.passwords import Hashing, hash_password, verify_password
from calserver.config import Network
from calserver.dav import Forbidden, Unauthorized
from calserver.store import Principal


def at(address: str | None = "127.0.0.1", *, secure: bool = False) -> Connection:
    return Connection(None if address is None else ip_address(address), secure)


def basic(username: str, password: str, encoding: str = "utf-8") -> bytes:
    return b"Basic " + base64.b64encode(f"{username}:{password}".encode(encoding))


ANN = basic("ann", "geheim")


async def refused(house: Any, field: bytes, connection: Connection | None = None) -> Exception:
    with pytest.raises((Unauthorized, TooManyAttempts, Forbidden, Overloaded)) as found:
        await house.logins.login(field, connection or at())
    return found.value


# -- who it is -----------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_the_right_password_makes_an_actor_with_its_groups(house):
    login = await house.logins.login(ANN, at())
    assert login.actor.uid == "ann"
    assert str(login.actor.href) == "principals/user/ann/"
    assert len(login.actor.groups) == 1


@pytest.mark.parametrize("username", ["ann", "ann.lee@example.com"])
@pytest_twisted.ensureDeferred
async def test_the_user_name_is_the_uid_or_a_mail_address(house, username):
    login = await house.logins.login(basic(username, "geheim"), at())
    assert login.actor.uid == "ann"


@pytest.mark.parametrize(
    "field",
    [
        basic("ann", "falsch"),
        basic("ann", ""),
        basic("ann", "x" * 2000),
        basic("bob", "geheim"),
        basic("nobody", "geheim"),
        basic("nopassword", ""),
        basic("team", "geheim"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_wrong_and_unknown_and_disabled_look_the_same(house, field):
    failure = await refused(house, field)
    assert isinstance(failure, Unauthorized)
    assert failure.reason == "user name or password are wrong"
    assert failure.headers["WWW-Authenticate"] == 'Basic realm="calserver", charset="UTF-8"'


@pytest.mark.parametrize(
    "field",
    [
        b"",
        b"Basic",
        b"Basic ",
        b"Basic !!!",
        b"Basic YW5u",  # no colon
        b"Basic OnB3",  # no user name
        b"Basic " + base64.b64encode(b"ann\0:geheim"),
        b"Basic " + base64.b64encode(b"ann:geheim\r\n"),
        b"Basic YW5uOmdlaGVpbQ",  # padding is missing
        b"Bearer abc",
        b"Digest username=ann",
        b"\xff\xfe\x00",
        b"Negotiate " + b"A" * 10000,
    ],
)
@pytest_twisted.ensureDeferred
async def test_malformed_fields_and_unknown_schemes_get_a_challenge(house, field):
    failure = await refused(house, field)
    assert isinstance(failure, Unauthorized)
    assert "Basic" in failure.headers["WWW-Authenticate"]


@pytest_twisted.ensureDeferred
async def test_the_scheme_is_named_in_any_case(house):
    login = await house.logins.login(ANN.replace(b"Basic", b"bASIC"), at())
    assert login.actor.uid == "ann"


@pytest_twisted.ensureDeferred
async def test_passwords_come_in_utf_8_or_what_older_clients_send(house):
    house.change("ann", password_hash=hash_password("Grüße"))
    assert (await house.logins.login(basic("ann", "Grüße"), at())).actor.uid == "ann"
    assert (await house.logins.login(basic("ann", "Grüße", "latin-1"), at())).actor.uid == "ann"
    assert (await house.logins.login(basic("ann", "Gru\u0308ße"), at())).actor.uid == "ann"


# -- over which connections ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("connection", "allowed"),
    [
        (at("127.0.0.1"), True),
        (at("::1"), True),
        (at(None), True),
        (at("192.0.2.1", secure=True), True),
        (at("192.0.2.1"), False),
        (at("2001:db8::1"), False),
    ],
)
@pytest_twisted.ensureDeferred
async def test_passwords_are_taken_over_tls_and_from_the_machine_itself(house, connection, allowed):
    if allowed:
        assert isinstance(await house.logins.login(ANN, connection), Login)
        assert house.logins.challenges(connection)
    else:
        assert isinstance(await refused(house, ANN, connection), Forbidden)
        assert not house.logins.challenges(connection)
        assert isinstance(house.logins.nobody(connection), Forbidden)


@pytest_twisted.ensureDeferred
async def test_a_setting_lets_networks_send_them_in_plain_text(house):
    networks: tuple[Network, ...] = (ip_network("192.0.2.0/24"),)
    house.configure(plaintext_networks=networks)
    assert (await house.logins.login(ANN, at("192.0.2.1"))).actor.uid == "ann"
    assert isinstance(await refused(house, ANN, at("198.51.100.1")), Forbidden)


# -- by heart ------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_login_is_remembered_for_a_while(house, counted):
    assert house.logins.known(ANN) is None
    login = await house.logins.login(ANN, at())
    house.clock.now += 299
    assert house.logins.known(ANN) is login
    house.clock.now += 2
    assert house.logins.known(ANN) is None
    assert counted == [True]


@pytest_twisted.ensureDeferred
async def test_only_so_many_logins_are_remembered(house):
    house.configure(login_cache=1)
    await house.logins.login(ANN, at())
    other = basic("ann.lee@example.com", "geheim")
    await house.logins.login(other, at())
    assert house.logins.known(ANN) is None
    assert house.logins.known(other) is not None


@pytest.mark.parametrize("password", ["geheim", "neu"])
@pytest_twisted.ensureDeferred
async def test_who_changes_while_the_password_is_compared_is_looked_at_again(house, monkeypatch, password):
    """Other nodes of a cluster tell of changes at any moment."""
    verify = Hashing.verify
    new = [hash_password(password)]

    async def changing(self, stored, given):
        right = await verify(self, stored, given)
        while new:
            house.change("ann", password_hash=new.pop())
        return right

    monkeypatch.setattr(Hashing, "verify", changing)
    if password == "geheim":
        assert (await house.logins.login(ANN, at())).actor.uid == "ann"
    else:
        assert isinstance(await refused(house, ANN), Unauthorized)


@pytest_twisted.ensureDeferred
async def test_a_changed_principal_outdates_its_logins(house):
    login = await house.logins.login(ANN, at())
    house.store.read_now(lambda txn: house.logins.confirm(txn, login))
    house.change("ann", password_hash=hash_password("neu"))
    with pytest.raises(Outdated):
        house.store.read_now(lambda txn: house.logins.confirm(txn, login))


@pytest.mark.parametrize("change", ["leave", "disable", "remove"])
@pytest_twisted.ensureDeferred
async def test_lost_rights_outdate_logins(house, change):
    login = await house.logins.login(ANN, at())

    def work(txn):
        ann = txn.principals.by_uid("user", "ann")
        if change == "leave":
            txn.principals.set_members(txn.principals.by_uid("group", "team").id, [])
        elif change == "remove":
            txn.principals.remove(ann.id)

    if change == "disable":
        house.change("ann", enabled=False)
    else:
        house.store.write_now(work)
    with pytest.raises(Outdated):
        house.store.read_now(lambda txn: house.logins.confirm(txn, login))


@pytest_twisted.ensureDeferred
async def test_a_login_learns_of_groups_and_delegates_that_change_elsewhere(house):
    """Neither the principal nor its password changed, but what it may do."""
    login = await house.logins.login(ANN, at())
    before = login.actor

    def nest(txn):
        bob = txn.principals.add(Principal(id=0, kind="user", uid="zoe", guid=str(uuid.uuid4()).upper()))
        outer = txn.principals.add(Principal(id=0, kind="group", uid="outer", guid=str(uuid.uuid4()).upper()))
        team = txn.principals.by_uid("group", "team")
        txn.principals.set_members(outer.id, [team.id])
        txn.principals.set_delegates(bob.id, "write", [outer.id])
        return bob.id, outer.id, team.id

    bob, outer, team = house.store.write_now(nest)
    now = house.store.read_now(lambda txn: house.logins.confirm(txn, login))
    assert login.actor is now
    assert (before.groups, before.writes_for) == ({team}, frozenset())
    assert (now.groups, now.reads_for, now.writes_for) == ({team, outer}, frozenset(), {bob})
    assert f"write-delegates:{bob}" in now.identities
    house.store.write_now(lambda txn: txn.principals.set_members(outer, []))
    assert house.store.read_now(lambda txn: house.logins.confirm(txn, login)).groups == {team}


@pytest_twisted.ensureDeferred
async def test_a_transaction_that_began_earlier_does_not_bring_back_what_was_so_then(house):
    login = await house.logins.login(ANN, at())
    team = house.store.read_now(lambda txn: txn.principals.by_uid("group", "team").id)
    outer = house.store.write_now(
        lambda txn: txn.principals.add(Principal(id=0, kind="group", uid="o", guid=str(uuid.uuid4()).upper())).id
    )

    def early(txn):
        txn.principals.revision()  # the snapshot is taken by the first look
        with ThreadPoolExecutor(1) as pool:
            pool.submit(house.store.write_now, lambda txn: txn.principals.set_members(outer, [team])).result()
            late = pool.submit(house.store.read_now, lambda txn: house.logins.confirm(txn, login)).result()
        return late, house.logins.confirm(txn, login)

    late, early_actor = house.store.read_now(early)
    assert late.groups == {team, outer}
    assert early_actor.groups == {team}
    assert login.actor.groups == {team, outer}


@pytest_twisted.ensureDeferred
async def test_parallel_requests_share_one_check(house, counted):
    logins = await gatherResults([Deferred.fromCoroutine(house.logins.login(ANN, at())) for _ in range(5)])
    assert len({id(each) for each in logins}) == 1
    assert counted == [True]


@pytest_twisted.ensureDeferred
async def test_parallel_requests_share_a_refusal_too(house, counted):
    tries = [Deferred.fromCoroutine(refused(house, basic("ann", "falsch"))) for _ in range(5)]
    assert {type(each) for each in await gatherResults(tries)} == {Unauthorized}
    assert counted == [True]


# -- guessing ------------------------------------------------------------------------------------------------------


async def guess(house, username, count, connection=None, offset=0):
    for number in range(count):
        assert isinstance(
            await refused(house, basic(username, f"guess {offset + number}"), connection or at()), Unauthorized
        )


@pytest_twisted.ensureDeferred
async def test_guesses_for_an_account_are_slowed_down(house, monkeypatch):
    monkeypatch.setattr(passwords, "verify_password", lambda stored, password: False)
    house.configure(account_failures=3)
    await guess(house, "ann", 3)
    failure = await refused(house, basic("ann", "guess 4"))
    assert isinstance(failure, TooManyAttempts)
    assert failure.headers["Retry-After"] == "300"
    assert isinstance(await refused(house, basic("Ann@example.com", "guess 4")), TooManyAttempts)
    house.clock.now += 301
    assert isinstance(await refused(house, basic("ann", "guess 4")), Unauthorized)


@pytest_twisted.ensureDeferred
async def test_guesses_made_at_the_same_time_are_counted_before_they_are_checked(house, counted):
    house.configure(account_failures=3)
    tries = [Deferred.fromCoroutine(refused(house, basic("ann", f"guess {number}"))) for number in range(20)]
    kinds = [type(each) for each in await gatherResults(tries)]
    assert (kinds.count(Unauthorized), kinds.count(TooManyAttempts)) == (3, 17)
    assert len(counted) == 3
    house.clock.now += 301
    assert (await house.logins.login(ANN, at())).actor.uid == "ann"


@pytest_twisted.ensureDeferred
async def test_right_passwords_are_no_guesses_however_many_come_at_a_time(house):
    house.configure(account_failures=2, login_cache=0)
    fields = [basic(name, "geheim") for name in ("ann", "ann.lee@example.com")]
    for _ in range(5):
        await gatherResults([Deferred.fromCoroutine(house.logins.login(field, at())) for field in fields])
    await guess(house, "ann", 2)


@pytest_twisted.ensureDeferred
async def test_a_check_that_fails_otherwise_is_no_guess(house, monkeypatch):
    house.configure(account_failures=1)
    with monkeypatch.context() as busy:
        busy.setattr(passwords, "MOST_WAITING", 0)
        assert isinstance(await refused(house, basic("ann", "guess")), Overloaded)
    assert (await house.logins.login(ANN, at())).actor.uid == "ann"


@pytest_twisted.ensureDeferred
async def test_unknown_accounts_are_slowed_down_alike(house):
    house.configure(account_failures=2)
    await guess(house, "nobody", 2)
    assert isinstance(await refused(house, basic("nobody", "another")), TooManyAttempts)


@pytest_twisted.ensureDeferred
async def test_guesses_from_elsewhere_do_not_lock_the_owner_out(house):
    house.configure(account_failures=2)
    await guess(house, "ann", 2, at("192.0.2.1", secure=True))
    assert isinstance(await refused(house, ANN, at("192.0.2.99", secure=True)), TooManyAttempts)
    assert (await house.logins.login(ANN, at("198.51.100.1", secure=True))).actor.uid == "ann"


@pytest_twisted.ensureDeferred
async def test_credentials_that_were_right_lately_are_never_held_up(house):
    """Not even from the network of the guesser, and not when the login itself is forgotten."""
    house.configure(account_failures=2, login_cache_seconds=1)
    await house.logins.login(ANN, at())
    await guess(house, "ann", 2)
    house.clock.now += 2
    assert house.logins.known(ANN) is None
    assert (await house.logins.login(ANN, at())).actor.uid == "ann"


@pytest_twisted.ensureDeferred
async def test_a_device_with_one_wrong_password_makes_one_guess_and_costs_one_hash(house, counted):
    house.configure(account_failures=3)
    for _ in range(10):
        assert isinstance(await refused(house, basic("ann", "old password")), Unauthorized)
    assert counted == [True]
    assert (await house.logins.login(ANN, at())).actor.uid == "ann"


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_that_becomes_the_right_one_is_taken_at_once(house):
    assert isinstance(await refused(house, basic("ann", "neu")), Unauthorized)
    house.change("ann", password_hash=hash_password("neu"))
    assert (await house.logins.login(basic("ann", "neu"), at())).actor.uid == "ann"


@pytest_twisted.ensureDeferred
async def test_guesses_from_a_network_are_slowed_down(house, monkeypatch):
    monkeypatch.setattr(passwords, "verify_password", lambda stored, password: False)
    house.configure(network_failures=5)
    for number in range(5):
        await guess(house, f"user{number}", 1, at(f"192.0.2.{number}", secure=True))
    assert isinstance(await refused(house, basic("other", "x"), at("192.0.2.200", secure=True)), TooManyAttempts)
    assert isinstance(await refused(house, basic("other", "x"), at("192.0.3.1", secure=True)), Unauthorized)


@pytest_twisted.ensureDeferred
async def test_guesses_from_very_many_networks_are_slowed_down_too(house, monkeypatch):
    monkeypatch.setattr(passwords, "verify_password", lambda stored, password: False)
    house.configure(account_failures=1)
    for number in range(10):
        await guess(house, "ann", 1, at(f"2001:db8:{number:x}00::1", secure=True), offset=number)
    assert isinstance(await refused(house, basic("ann", "x"), at("203.0.113.1", secure=True)), TooManyAttempts)


# -- hashing -------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_unknown_and_disabled_users_cost_a_hash_too(house, counted):
    """So that the time says nothing about who there is."""
    await refused(house, basic("nobody", "geheim"))
    await refused(house, basic("bob", "geheim"))
    await refused(house, basic("nopassword", "geheim"))
    assert counted == [False, False, False]


@pytest_twisted.ensureDeferred
async def test_nobody_has_a_hash_of_the_same_cost(house):
    fields = hash_password("x").split("$")
    assert passwords.NOBODY.split("$")[:4] == fields[:4] == ["", "argon2id", "v=19", "m=19456,t=2,p=1"]
    assert [len(each) for each in passwords.NOBODY.split("$")] == [len(each) for each in fields]
    assert not verify_password(passwords.NOBODY, "")


@pytest_twisted.ensureDeferred
async def test_too_many_checks_at_once_are_refused(house, monkeypatch):
    monkeypatch.setattr(passwords, "MOST_WAITING", 1)
    tries = [
        Deferred.fromCoroutine(refused(house, basic(f"user{number}", "x"), at(f"10.{number}.0.1", secure=True)))
        for number in range(3)
    ]
    kinds = [type(each) for each in await gatherResults(tries)]
    assert kinds.count(Unauthorized) == 1
    assert kinds.count(Overloaded) == 2


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$broken", "$2b$12$abcdefghijklmnopqrstuv"])
def test_a_broken_hash_matches_nothing(stored):
    assert not verify_password(stored, "plain")


@pytest.mark.parametrize("password", ["", "x" * 1025])
def test_passwords_have_a_length(password):
    with pytest.raises(ValueError, match="1 to 1024"):
        hash_password(password)
