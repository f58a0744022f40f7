"""Who may do what (RFC 3744), decided in one place: `held`.

Evaluated inside the transaction, once per collection of a request; objects have the privileges of the collection they
are in. For now the owner and administrators hold everything, and whoever has authenticated what `ANYONE` says. Access
control entries, groups and delegates find their place in `held` and nowhere else.
"""

from typing import Final

from calserver.dav import Actor
from calserver.names import C, D
from calserver.store import Collection

NOTHING: Final[frozenset[str]] = frozenset()

READ: Final = frozenset({D("read"), D("read-current-user-privilege-set"), C("read-free-busy")})
"""``DAV:read`` and what it contains; RFC 4791 section 6.1.1 wants ``CALDAV:read-free-busy`` in it."""

LOOK: Final = READ - {C("read-free-busy")}
"""What it takes to look at what has no calendars in it."""

WRITE: Final = frozenset({D("write"), D("write-properties"), D("write-content"), D("bind"), D("unbind")})

ALL: Final = READ | WRITE | {D("all"), D("unlock"), D("read-acl"), D("write-acl"), D("share")}

DELIVER: Final = frozenset(
    {C("schedule-deliver"), C("schedule-deliver-invite"), C("schedule-deliver-reply"), C("schedule-query-freebusy")}
)
"""Privileges on a scheduling inbox (RFC 6638 section 6.1)."""

SEND: Final = frozenset(
    {C("schedule-send"), C("schedule-send-invite"), C("schedule-send-reply"), C("schedule-send-freebusy")}
)
"""Privileges on a scheduling outbox (RFC 6638 section 6.2)."""

OWNER: Final = {"inbox": ALL | DELIVER, "outbox": ALL | SEND}
"""What owner and administrators hold, by kind of collection; `ALL` on any other."""

ANYONE: Final = {
    "calendar": frozenset({C("read-free-busy")}),
    "inbox": DELIVER,
    "attachments": LOOK,
}
"""What everybody holds who has authenticated, by kind of collection; nothing on any other."""

FINDABLE: Final = ALL
"""Who holds one of these on a collection may learn which members it has."""


def held(actor: Actor, collection: Collection) -> frozenset[str]:
    """The privileges that `actor` holds on a collection and on the objects in it, aggregated ones included."""
    if actor.administrator or (actor.principal_id is not None and actor.principal_id == collection.principal_id):
        return OWNER.get(collection.kind, ALL)
    if actor.href is None:
        return NOTHING
    return ANYONE.get(collection.kind, NOTHING)
