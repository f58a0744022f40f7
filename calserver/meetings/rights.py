"""Whether somebody may deliver messages to somebody (RFC 6638 sections 4 and 6.1.1).

What counts are the privileges on the recipient's Inbox; those on calendars do not (section 4). Until somebody changes
its list, all who have an account may deliver.
"""

from collections.abc import Iterator
from typing import Final

from calserver.dav import Acl, acl
from calserver.directory import Actor
from calserver.names import C, D
from calserver.store import Collection, Principal, Transaction
from calserver.tree import access

INVITE: Final = C("schedule-deliver-invite")
REPLY: Final = C("schedule-deliver-reply")
_ALL: Final = frozenset({D("all"), C("schedule-deliver")})
"""What contains both."""


def may_deliver(
    txn: Transaction, sender: Principal | None, home: Collection, inbox: Collection, privilege: str
) -> bool:
    """Whether a sender holds a privilege on an Inbox.

    Args:
        txn: where.
        sender: None for one who has no account here; who vouches for the message has decided then.
        home: that the Inbox is in.
        inbox: the recipient's.
        privilege: `INVITE` or `REPLY`.
    """
    if sender is None or sender.id == inbox.principal_id or sender.administrator:
        return True
    if inbox.acl is None and home.acl is None:
        return True
    identities = Actor.of(txn, sender).identities
    for ace in _entries(home, inbox):
        if privilege not in ace.privileges and ace.privileges.isdisjoint(_ALL):
            continue
        by_property = isinstance(ace.who, str) and ace.who.startswith(acl.PROPERTY)
        if by_property and ace.deny:
            return False
        if not by_property and ace.about(identities.__contains__):
            return not ace.deny
    return False


def _entries(home: Collection, inbox: Collection) -> Iterator[acl.Ace]:
    lists: tuple[Acl, ...] = (access.own(inbox), access.own(home), access.delegated(home.principal_id))
    for each in lists:
        yield from each
