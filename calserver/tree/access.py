"""Who may do what (RFC 3744), decided in one place: `held`.

Evaluated inside the transaction, once per collection of a request; objects have the privileges of the collection they
are in. Which privileges there are, and which contain which, the extensions declare (`calserver.dav.Privilege`). For now
the owner and administrators hold all of them, and whoever has authenticated what `ANYONE` says. Access control entries,
groups and delegates find their place in `held` and nowhere else.
"""

from typing import Final

from calserver.dav import Extensions, Resource, View
from calserver.names import C, D
from calserver.store import Collection

NOTHING: Final[frozenset[str]] = frozenset()

LOOK: Final = frozenset({D("read"), D("read-current-user-privilege-set")})
"""``DAV:read`` with what it contains everywhere."""

ANYONE: Final = {
    "calendar": frozenset({C("read-free-busy")}),
    "inbox": frozenset(
        {C("schedule-deliver"), C("schedule-deliver-invite"), C("schedule-deliver-reply"), C("schedule-query-freebusy")}
    ),
    "attachments": LOOK,
}
"""What everybody holds who has authenticated, by kind of collection; nothing on any other."""

FINDABLE: Final = frozenset({D("read"), D("write-content"), D("bind"), D("unbind")})
"""Who holds one of these on a collection may learn which members it has."""


def held(view: View, collection: Collection, kind: type[Resource]) -> frozenset[str]:
    """The privileges that the actor holds on a collection and on the objects in it, aggregated ones included.

    Args:
        view: of the request.
        collection: the row.
        kind: the class that it has.
    """
    actor = view.request.actor
    if actor.administrator or (actor.principal_id is not None and actor.principal_id == collection.principal_id):
        return view.spoken.derived(kind, _every)
    if actor.href is None:
        return NOTHING
    return ANYONE.get(collection.kind, NOTHING)


def _every(spoken: Extensions, kind: type[Resource]) -> frozenset[str]:
    return frozenset(each.name for each in spoken.privileges(kind))
