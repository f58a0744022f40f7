"""A store with people in it, whose answers come back on the reactor, and logins over it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from twisted.internet import reactor  # noqa: TID251 - tests hand it on

from calserver.auth import Logins, hash_password
from calserver.auth.passwords import Hashing
from calserver.config import Auth
from calserver.directory import accounts
from calserver.store import Store, Transaction, open_store


@pytest.fixture(scope="session")
def stored_password() -> str:
    return hash_password("geheim")


@attrs.define
class Clock:
    """The reactor with a clock that tests advance."""

    now: float = 1000.0

    def seconds(self) -> float:
        return self.now

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


@attrs.define
class House:
    """A store with logins over it, and what tests do with them."""

    store: Store
    clock: Clock
    logins: Logins

    def configure(self, **options: Any) -> None:
        """Begin anew with other options over the same store."""
        self.logins.stop()
        self.logins = Logins(Auth(**options), self.store, reactor=self.clock)
        self.logins.start()

    def change(self, uid: str, **facts: Any) -> None:
        def work(txn: Transaction) -> None:
            accounts.change(txn, accounts.named(txn, uid), **facts)

        self.store.write_now(work)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry for each password that was hashed: whether there was a stored one."""
    found: list[bool] = []
    verify = Hashing.verify

    async def counting(self: Hashing, stored: str | None, password: str) -> bool:
        found.append(stored is not None)
        return await verify(self, stored, password)

    monkeypatch.setattr(Hashing, "verify", counting)
    return found


@pytest_twisted.async_yield_fixture()
async def house(empty_database: Path, tmp_path: Path, stored_password: str) -> AsyncIterator[House]:
    path = tmp_path / "store.sqlite"
    shutil.copy(empty_database, path)
    store = open_store(f"sqlite:///{path}", reactor=reactor)

    def people(txn: Transaction) -> None:
        nothing = accounts.provision_nothing
        ann = accounts.create(
            txn, "ann", provision=nothing, password_hash=stored_password, addresses=("ann.lee@example.com",)
        )
        accounts.create(txn, "bob", provision=nothing, password_hash=stored_password, enabled=False)
        accounts.create(txn, "nopassword", provision=nothing)
        team = accounts.create(txn, "team", kind="group", provision=nothing)
        txn.principals.set_members(team.id, [ann.id])

    store.write_now(people)
    clock = Clock()
    logins = Logins(Auth(), store, reactor=clock)
    logins.start()
    found = House(store, clock, logins)
    yield found
    found.logins.stop()
    await store.close()
