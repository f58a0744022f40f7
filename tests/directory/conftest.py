"""A server with some people, groups, rooms and things."""

from collections.abc import Iterable, Mapping

import pytest
from dialogue import WEBDAV, Dialogue

from calserver.dav import Extensions, Href, View, acl
from calserver.directory import (
    PrincipalMount,
    accounts,
    caldav_proxy,
    calendarserver_principals,
    identity_at,
    identity_hrefs,
    rfc3744_principals,
    rfc6638_calendar_users,
)
from calserver.store import Principal, Store, Transaction


class OnlyPrincipals(PrincipalMount):
    """A tree that has nothing else."""

    def principal_at(self, view: View, href: Href) -> acl.Who | None:
        return identity_at(view.txn, href)

    def principal_hrefs(self, view: View, principals: Iterable[acl.Who]) -> Mapping[acl.Who, Href]:
        return identity_hrefs(view.txn, principals)


@pytest.fixture
def server(store: Store) -> Dialogue:
    def people(txn: Transaction) -> None:
        made: dict[str, Principal] = {}

        def make(uid: str, kind: str = "user", **facts: object) -> None:
            made[uid] = accounts.create(
                txn, uid, kind=kind, domain="example.com", provision=accounts.provision_nothing, **facts
            )

        make(
            "ann",
            name="Ann Lee",
            guid="0C8BDE62-E600-4696-83D3-8B5ECABDFD2E",
            addresses=("ann@example.com", "al@x.org"),
        )
        make("bob", name="Bob van der Berg")
        make("zoë", name="Zoë Ångström")
        make("root", name="Super User", administrator=True)
        make("staff", "group", name="All staff")
        make("board", "group", name="The board")
        make("hall", "location", name="Big hall")
        make("beamer", "resource", name="Beamer")
        txn.principals.set_members(made["board"].id, [made["ann"].id])
        txn.principals.set_members(made["staff"].id, [made["board"].id, made["bob"].id])
        txn.principals.set_delegates(made["hall"].id, "write", [made["bob"].id])
        txn.principals.set_delegates(made["beamer"].id, "read", [made["staff"].id])

    store.write_now(people)
    extensions = [*WEBDAV, rfc3744_principals, rfc6638_calendar_users, calendarserver_principals, caldav_proxy]
    return Dialogue(store, OnlyPrincipals(), Extensions(extensions))


@pytest.fixture
def ann(server: Dialogue) -> Dialogue:
    return server.by("ann")


@pytest.fixture
def root(server: Dialogue) -> Dialogue:
    return server.by("root")
