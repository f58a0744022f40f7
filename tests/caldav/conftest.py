"""A server with calendars, two people and an administrator."""

from pathlib import Path

import pytest
from dialogue import WEBDAV, Dialogue

from calserver import caldav, calendars, directory
from calserver.config import Calendars
from calserver.dav import Extension, Extensions
from calserver.directory import accounts
from calserver.store import Principal, Store, Transaction, open_store
from calserver.tree import Mounts, caldav_ctag

DIRECTORY = tuple(value for value in vars(directory).values() if isinstance(value, Extension))
CALDAV = tuple(value for name, value in sorted(vars(caldav).items()) if isinstance(value, Extension))


def provide(txn: Transaction, principal: Principal) -> None:
    calendars.provision(txn, principal, Calendars())


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each test gets a copy of: here with people in it, who have what everybody has from the start."""
    path = tmp_path_factory.mktemp("people") / "store.sqlite"
    opened = open_store(f"sqlite:///{path}", reactor=None)

    def people(txn: Transaction) -> None:
        for uid in ("ann", "bob", "root"):
            addresses = (f"{uid}@example.com",)
            accounts.create(txn, uid, addresses=addresses, provision=provide, administrator=uid == "root")
        accounts.create(txn, "hall", kind="location", provision=provide)

    opened.write_now(people)
    opened.close()
    return path


@pytest.fixture
def server(store: Store) -> Dialogue:
    spoken = Extensions([*WEBDAV, caldav_ctag, *DIRECTORY, *CALDAV])
    return Dialogue(store, Mounts([directory.PrincipalMount(), caldav.mount]), spoken)


@pytest.fixture
def ann(server: Dialogue) -> Dialogue:
    return server.by("ann")


@pytest.fixture
def bob(server: Dialogue) -> Dialogue:
    return server.by("bob")


@pytest.fixture
def root(server: Dialogue) -> Dialogue:
    return server.by("root")
