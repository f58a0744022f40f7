"""A server with files: two people and an administrator, each with a home below ``drive/``."""

import pytest
from dialogue import WEBDAV, Dialogue

from calserver.dav import Extensions
from calserver.directory import PrincipalMount, accounts, rfc3744_principals
from calserver.drive import HOME_KIND, drive
from calserver.store import Principal, Store, Transaction
from calserver.tree import Mounts


def give_home(txn: Transaction, principal: Principal) -> None:
    txn.collections.add_home(principal.id, HOME_KIND)


@pytest.fixture
def server(store: Store) -> Dialogue:
    def people(txn: Transaction) -> None:
        for uid in ("ann", "bob", "root"):
            accounts.create(txn, uid, provision=give_home, administrator=uid == "root")

    store.write_now(people)
    return Dialogue(store, Mounts([PrincipalMount(), drive]), Extensions([*WEBDAV, rfc3744_principals]))


@pytest.fixture
def ann(server: Dialogue) -> Dialogue:
    return server.by("ann")


@pytest.fixture
def bob(server: Dialogue) -> Dialogue:
    return server.by("bob")
