"""Principals one by one and as a table: people, groups, rooms and things."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import attrs

from calserver import meetings
from calserver.admin.refused import Refused, refusing
from calserver.auth import hash_password, verify_password
from calserver.calendars import CALENDAR_HOME, provision, sharing
from calserver.config import Calendars, Config
from calserver.directory import KINDS, Provision, accounts, place, table
from calserver.store import Principal, Store, Transaction

TYPES = KINDS
AUTO_SCHEDULE = accounts.AUTO_SCHEDULE
HASHING_THREADS = 2


@attrs.frozen(kw_only=True)
class Account:
    """What an administrator sees of a principal; passwords are not among it."""

    kind: str
    uid: str
    name: str
    first_name: str
    last_name: str
    addresses: tuple[str, ...]
    guid: str
    administrator: bool
    enabled: bool
    has_password: bool
    scheduling: bool
    auto_schedule: str
    auto_accept_group: str | None
    capacity: int | None
    groups: tuple[str, ...]
    members: tuple[str, ...]
    write_delegates: tuple[str, ...]
    read_delegates: tuple[str, ...]


def provision_of(config: Config) -> Provision:
    """What a new principal gets: its calendars, or in a cluster a node, which then makes them."""
    if config.cluster.node:
        return partial(place, nodes=[name for name, each in config.cluster.nodes.items() if each.role == "backend"])
    return partial(provision, settings=config.calendars)


def add(
    txn: Transaction,
    uid: str,
    kind: str,
    *,
    settings: Calendars,
    password: str | None,
    give: Provision | None = None,
    **facts: Any,
) -> Account:
    """Make a principal with the collections that everybody has.

    Args:
        txn: a writing transaction.
        uid: its name.
        kind: ``user``, ``group``, ``resource`` or ``location``.
        settings: the domain of its address where it has none, and which collections it gets.
        give: gives it something else (`provision_of`).
        password: None for one that cannot log in.
        facts: other attributes of `Principal`.

    Raises:
        Refused: it is not valid, or its uid or an address is taken.
    """
    with refusing():
        made = accounts.create(
            txn,
            uid,
            kind=kind,
            domain=settings.domain,
            provision=give or partial(provision, settings=settings),
            password_hash=_hash(password),
            **facts,
        )
    return _account(txn, made)


def named(txn: Transaction, name: str, kind: str | None = None) -> Principal:
    """The principal that is meant by a uid, ``kind/uid`` or a mail address; users first.

    Raises:
        Refused: there is none.
    """
    with refusing():
        return accounts.named(txn, name, (kind,) if kind else KINDS)


def show(txn: Transaction, name: str, kind: str | None = None) -> Account:
    """One principal; see `named`."""
    return _account(txn, named(txn, name, kind))


def every(txn: Transaction, kind: str | None = None) -> list[Account]:
    """All principals (of a kind), by uid."""
    return [_account(txn, each) for each in txn.principals.list(kind)]


def set_password(txn: Transaction, name: str, password: str | None, kind: str | None = None) -> Account:
    """Give a principal another password, or (None) take it away; logins that are remembered end at once."""
    principal = named(txn, name, kind)
    with refusing():
        return _account(txn, accounts.change(txn, principal, password_hash=_hash(password)))


def remove(txn: Transaction, name: str, kind: str | None = None) -> Account:
    """Remove a principal with everything that belongs to it; returns what it was.

    What it shared ends for those who shared it, and what was shared with a group for those who are in no other.
    """
    principal = named(txn, name, kind)
    facts = _account(txn, principal)
    home = txn.collections.home(principal.id, CALENDAR_HOME)
    if home is not None:
        sharing.end_below(txn, home)
    shared = sharing.through(txn, [principal.id])
    meetings.groups_changed(txn, [principal.id])
    accounts.remove(txn, principal)
    sharing.regroup(txn, shared)
    return facts


def import_table(store: Store, text: str, *, settings: Calendars, give: Provision | None = None) -> table.Imported:
    """Make and change principals as a CSV table says; all of it or nothing.

    Args:
        store: the store; passwords are hashed before the one writing transaction.
        text: the table, see `calserver.directory.table`.
        settings: see `add`.
        give: the same.

    Raises:
        Refused: with every row that cannot be taken.
    """
    with refusing():
        rows = table.read(text)
        known = store.read_now(
            lambda txn: {(each.kind, each.uid): each.password_hash for each in txn.principals.list()}
        )
        hashes = [known.get((row.kind or "user", row.uid)) for row in rows]
        with ThreadPoolExecutor(HASHING_THREADS) as threads:
            hashed = list(threads.map(_hashed, rows, hashes))
        give = give or partial(provision, settings=settings)

        def write(txn: Transaction) -> table.Imported:
            done = table.write(txn, hashed, provision=give, domain=settings.domain)
            changed = {*done.created, *done.changed}
            groups = [each.id for each in txn.principals.list("group") if each.uid in changed]
            sharing.regroup(txn, sharing.through(txn, groups))
            meetings.groups_changed(txn, groups)
            return done

        return store.write_now(write)


def export_table(txn: Transaction, *, passwords: bool = False) -> str:
    """All principals as a table that `import_table` takes; with `passwords`, their hashes too."""
    return table.export(txn, passwords=passwords)


def _hashed(row: table.Row, known: str | None) -> table.Row:
    """The row with its password hashed; a password that is set already is left alone, so that nothing changes."""
    if row.password and known and verify_password(known, row.password):
        return attrs.evolve(row, password=None)
    try:
        return row.hashed(hash_password)
    except ValueError as error:
        raise Refused(f"line {row.line}: {error}") from None


def _hash(password: str | None) -> str | None:
    try:
        return None if password is None else hash_password(password)
    except ValueError as error:
        raise Refused(str(error)) from None


def _account(txn: Transaction, principal: Principal) -> Account:
    def names(found: Sequence[Principal]) -> tuple[str, ...]:
        return tuple(each.uid if each.kind == "user" else f"{each.kind}/{each.uid}" for each in found)

    every_fact = attrs.asdict(principal, recurse=False)
    return Account(
        **{each.name: every_fact[each.name] for each in attrs.fields(Account) if each.name in every_fact},
        has_password=principal.password_hash is not None,
        groups=names(txn.principals.memberships(principal.id)),
        members=names(txn.principals.members(principal.id)),
        write_delegates=names(txn.principals.delegates(principal.id, "write")),
        read_delegates=names(txn.principals.delegates(principal.id, "read")),
    )
