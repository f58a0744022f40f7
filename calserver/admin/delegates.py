"""Delegates: who acts for whom, with access ``read`` or ``write`` (caldav-proxy)."""

from collections.abc import Sequence

import attrs

from calserver.admin import accounts
from calserver.admin.refused import Refused
from calserver.store import Principal, Transaction

ACCESS = ("read", "write")


@attrs.frozen(kw_only=True)
class Delegation:
    """That somebody acts for somebody."""

    principal: str
    delegate: str
    access: str


def delegates(txn: Transaction, who: str) -> Sequence[Delegation]:
    """The direct delegates of a principal.

    Raises:
        Refused: there is no such principal.
    """
    principal = accounts.named(txn, who)
    return [
        Delegation(principal=_name(principal), delegate=_name(each), access=access)
        for access in ACCESS
        for each in txn.principals.delegates(principal.id, access)
    ]


def delegators(txn: Transaction, who: str) -> Sequence[Delegation]:
    """For whom a principal acts, itself or as a member of a group.

    Raises:
        Refused: there is no such principal.
    """
    delegate = accounts.named(txn, who)
    ids = {delegate.id, *txn.principals.all_memberships(delegate.id)}
    return [
        Delegation(principal=_name(each), delegate=_name(delegate), access=access)
        for access in ACCESS
        for each in txn.principals.delegators(ids, access)
    ]


def add(txn: Transaction, who: str, delegate: str, access: str) -> Delegation:
    """Let somebody act for a principal, with this access and no other.

    Raises:
        Refused: there is no such principal, it is a group, or it is the delegate itself.
    """
    principal, acting = _both(txn, who, delegate)
    for each in ACCESS:
        before = {one.id for one in txn.principals.delegates(principal.id, each)}
        after = before | {acting.id} if each == access else before - {acting.id}
        if after != before:
            txn.principals.set_delegates(principal.id, each, after)
    return Delegation(principal=_name(principal), delegate=_name(acting), access=access)


def remove(txn: Transaction, who: str, delegate: str) -> Delegation:
    """Let somebody not act for a principal any more; returns what was.

    Raises:
        Refused: there is no such principal, or it does not act.
    """
    principal, acting = _both(txn, who, delegate)
    removed = []
    for access in ACCESS:
        before = {one.id for one in txn.principals.delegates(principal.id, access)}
        if acting.id in before:
            txn.principals.set_delegates(principal.id, access, before - {acting.id})
            removed.append(access)
    if not removed:
        raise Refused(f"{_name(acting)} is no delegate of {_name(principal)}")
    return Delegation(principal=_name(principal), delegate=_name(acting), access=removed[-1])


def _both(txn: Transaction, who: str, delegate: str) -> tuple[Principal, Principal]:
    principal, acting = accounts.named(txn, who), accounts.named(txn, delegate)
    if principal.kind == "group":
        raise Refused("groups have no calendars, and so no delegates")
    if principal.id == acting.id:
        raise Refused("nobody is a delegate of oneself")
    return principal, acting


def _name(principal: Principal) -> str:
    return principal.uid if principal.kind == "user" else f"{principal.kind}/{principal.uid}"
