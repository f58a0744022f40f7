"""A server with two kinds of homes: files, and shelves, on which books may lie but no other collections."""

from typing import Final

import pytest
from dialogue import WEBDAV, Dialogue

from calserver.dav import Extensions, Forbidden, MethodNotAllowed
from calserver.directory import PrincipalMount, accounts, rfc3744_principals
from calserver.names import D
from calserver.store import Principal, Store, Transaction
from calserver.tree import Home, Homes, Kinds, Mounts, StoredCollection, caldav_ctag

BOOK: Final = "{urn:x-test}book"


class Shelves(Home):
    """A home in which books can be made."""

    @classmethod
    def kind_for(cls, resourcetype: tuple[str, ...]) -> str:
        return "calendar" if BOOK in resourcetype else super().kind_for(resourcetype)

    @classmethod
    def admit(cls, kind: str) -> None:
        if kind not in ("calendar", "plain"):
            raise Forbidden("no")


class Book(StoredCollection):
    """A collection without collections in it."""

    resourcetype = (D("collection"), BOOK)

    @classmethod
    def admit(cls, kind: str) -> None:
        raise MethodNotAllowed("a book has no collections")


class Files(StoredCollection):
    """A collection that has its own sync reports."""

    traversed = False


drive = Homes(name="drive", home_kind="drive-home", kinds=Kinds(home=Home, plain=StoredCollection))
shelves = Homes(
    name="shelves",
    home_kind="calendar-home",
    kinds=Kinds(home=Shelves, plain=StoredCollection, others={"calendar": Book, "attachments": Files}),
    principal_kinds=("user", "location"),
)


def give_homes(txn: Transaction, principal: Principal) -> None:
    for kind in ("drive-home", "calendar-home"):
        home = txn.collections.add_home(principal.id, kind)
        if kind == "calendar-home":
            txn.collections.add(home.id, "In", "inbox")
            txn.collections.add(home.id, "Files", "attachments")
            txn.collections.add(home.id, "Book", "calendar")


@pytest.fixture
def server(store: Store) -> Dialogue:
    def people(txn: Transaction) -> None:
        for uid in ("ann", "bob", "root"):
            accounts.create(txn, uid, provision=give_homes, administrator=uid == "root")
        accounts.create(txn, "hall", kind="location", provision=give_homes)

    store.write_now(people)
    spoken = Extensions([*WEBDAV, rfc3744_principals, caldav_ctag])
    return Dialogue(store, Mounts([PrincipalMount(), drive, shelves]), spoken)


@pytest.fixture
def ann(server: Dialogue) -> Dialogue:
    return server.by("ann")


@pytest.fixture
def bob(server: Dialogue) -> Dialogue:
    return server.by("bob")


@pytest.fixture
def root(server: Dialogue) -> Dialogue:
    return server.by("root")
