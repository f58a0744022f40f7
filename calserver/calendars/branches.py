"""Sharing with people whose calendars are at another node of a cluster.

All of a share is at the node of the sharer. A sharee who is placed elsewhere has a **branch** of the home there: a home
with shared calendars in it and nothing else, into which only the sharee's node looks. In the home at that node a
**signpost** has the place of each, with the same name: what is below it is asked of the sharer's node.

A signpost knows the revision of what it stands for, as far as its node has seen. That is looked up before anybody looks
at the home (`told`, `follow`), and where it has changed the signpost takes the next revision of the home: so tags and
sync tokens of the home speak for its branches, too, and are numbers of one home all the same.
"""

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import attrs
from lxml import etree

from calserver.calendars import notifications
from calserver.calendars.provision import CALENDAR_HOME, OWNERS, SHARED_CALENDAR
from calserver.dav import xml
from calserver.names import CALSERVER
from calserver.store import BRANCH, Collection, NameTaken, Principal, Tie, Transaction

SIGNPOST: Final = "signpost"
"""The kind of signposts."""
MOST_TOLD: Final = 100
"""How many revisions a signpost remembers."""
_FACTS: Final = f"{{{CALSERVER}}}signpost"


# -- at the node of the sharer -----------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class Shared:
    """A shared calendar in a branch, as the sharee's node knows it."""

    name: str
    sharer: int
    """Id of the principal whose calendar it is."""
    resource_id: str
    revision: int
    transparent: bool
    """Whether it does not count for when the sharee is busy."""

    @classmethod
    def of(cls, bound: Collection, sharer: int) -> "Shared":
        """What is bound to a calendar of a sharer."""
        return cls(
            name=bound.name,
            sharer=sharer,
            resource_id=bound.resource_id,
            revision=bound.revision,
            transparent=bound.transparent,
        )


def can_share(txn: Transaction, principal_ids: Iterable[int]) -> frozenset[int]:
    """Which principals have calendars, here or at another node, and so can share others."""
    ids = list(principal_ids)
    return here(txn, ids) | txn.placements.of(ids).keys()


def home_for(txn: Transaction, principal_id: int) -> Collection:
    """Where the shared calendars of a sharee are: the home, or a branch, which is made if there is none."""
    collections = txn.collections
    found = collections.home(principal_id, CALENDAR_HOME) or collections.home(principal_id, BRANCH)
    return found or collections.add_home(principal_id, BRANCH)


def settle(txn: Transaction, away: Iterable[int]) -> None:
    """Have branches for those principals at other nodes who are invited to calendars here."""
    ids = list(away)
    for each in ids if txn.shares.shared_with(ids) else ():  # mostly nobody is, of many who have come at once
        if txn.shares.shared_with((each,)):
            home_for(txn, each)


def told(txn: Transaction, principal_id: int) -> Sequence[Shared]:
    """What is in the branch of a sharee."""
    branch = txn.collections.home(principal_id, BRANCH)
    if branch is None:
        return ()
    sources = txn.shares.sources(branch.id)
    return [Shared.of(row, sources[row.id].owner.id) for row in txn.collections.children(branch.id)]


def has(txn: Transaction, kind: str, uid: str, name: str) -> bool:
    """Whether a name in the branch of a sharee is that of a calendar here, which is shared or was: it stays taken."""
    if any(each.name == name for each in txn.collections.in_home(kind, uid, BRANCH, SHARED_CALENDAR)):
        return True
    share, who = txn.shares.by_uid(name), txn.principals.by_uid(kind, uid)
    if share is None or who is None or share.principal_id != who.id:
        return False
    calendar = txn.collections.get(share.collection_id)
    return calendar is not None and calendar.principal_id in here(txn, (calendar.principal_id,))


# -- at the node of the sharee -----------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class Signpost:
    """What a signpost knows."""

    name: str
    sharer: int
    resource_id: str
    transparent: bool
    told: tuple[tuple[int, int], ...]
    """Revisions of the home, each with that which the shared calendar had after it, the oldest first."""
    joint: int = 0
    """The revision of the home up to which it had the same numbers: the calendar was in the home until then."""

    @classmethod
    def of(cls, row: Collection) -> "Signpost":
        """That of a row of the store."""
        facts: dict[str, Any] = json.loads(xml.stored_text(row.properties[_FACTS]))
        told = tuple((home, there) for home, there in facts.pop("told"))
        return cls(name=row.name, told=told, **facts)

    @property
    def properties(self) -> Mapping[str, str]:
        """As it is stored."""
        facts = attrs.asdict(self, filter=attrs.filters.exclude("name"))
        element = etree.Element(_FACTS)
        element.text = json.dumps(facts, separators=(",", ":"))
        return {_FACTS: xml.stored(element)}

    @property
    def shared(self) -> Shared:
        """What it stands for."""
        return Shared(
            name=self.name,
            sharer=self.sharer,
            resource_id=self.resource_id,
            revision=self.told[-1][1],
            transparent=self.transparent,
        )

    def known_at(self, revision: int) -> int | None:
        """The revision of the shared calendar that goes with one of the home; None where that is forgotten."""
        known = next((there for home, there in reversed(self.told) if home < revision), None)
        return revision if known is None and revision <= self.joint else known

    def after(self, home: int, shared: Shared) -> "Signpost":
        """The same, when the shared calendar has changed after a revision of the home."""
        kept = (*self.told, (home, shared.revision))[-MOST_TOLD:]
        return attrs.evolve(self, told=kept, sharer=shared.sharer, transparent=shared.transparent)


def here(txn: Transaction, principal_ids: Iterable[int]) -> frozenset[int]:
    """Which principals have calendars here, that are in use; raises `Held` while one of them is about to leave."""
    return frozenset(each.principal_id for each in txn.collections.in_homes(principal_ids, CALENDAR_HOME, ()))


def signposts(txn: Transaction, kind: str, uid: str) -> Sequence[Signpost]:
    """Those in the home of a principal."""
    return [Signpost.of(row) for row in txn.collections.in_home(kind, uid, CALENDAR_HOME, SIGNPOST)]


def split(txn: Transaction, principal_ids: Iterable[int]) -> Sequence[Principal]:
    """Those of some principals who are here, and have calendars in their homes that are elsewhere."""
    rows = txn.collections.in_homes(principal_ids, CALENDAR_HOME, (SIGNPOST,))
    return txn.principals.get_many({each.principal_id for each in rows if each.kind == SIGNPOST})


def counting(txn: Transaction, principal_ids: Iterable[int]) -> Mapping[int, frozenset[str]]:
    """The nodes of branches with calendars that count for when these principals, who are here, are busy."""
    rows = txn.collections.in_homes(principal_ids, CALENDAR_HOME, (SIGNPOST,))
    posts = [(row.principal_id, Signpost.of(row)) for row in rows if row.kind == SIGNPOST]
    sharers = [(who, post.sharer) for who, post in posts if not post.transparent]
    nodes = txn.placements.of({sharer for _, sharer in sharers})
    return {
        who: frozenset(nodes[sharer] for one, sharer in sharers if one == who and sharer in nodes)
        for who in {who for who, _ in sharers}
    }


def invited_by(txn: Transaction, kind: str, uid: str, invitation: str) -> str | None:
    """The node of the sharer of an invitation of a principal; None where that is not known here."""
    who = txn.principals.by_uid(kind, uid)
    if who is None:
        return None
    told = notifications.find(txn, who.id, notifications.name_of(invitation))
    if told is not None:
        return txn.placements.node(told.calendar.kind, told.calendar.uid)
    sharers = [each.sharer for each in signposts(txn, kind, uid) if each.name == invitation]
    return next(iter(txn.placements.of(sharers).values()), None)


def follow(txn: Transaction, principal_id: int, there: Iterable[Shared], sharers: Container[int]) -> None:
    """Have signposts to what is in the branch of a sharee, and to nothing else that is shared there.

    Args:
        txn: where.
        principal_id: of the sharee.
        there: what is in the branch.
        sharers: who has calendars at the node of the branch; the others are elsewhere, or about to come.
    """
    home = txn.collections.home(principal_id, CALENDAR_HOME)
    if home is None:
        return
    rows = {row.name: row for row in txn.collections.children(home.id) if row.kind == SIGNPOST}
    known = {name: Signpost.of(row) for name, row in rows.items()}
    placed = txn.placements.of({each.sharer for each in known.values()})
    wanted = {each.name: each for each in there}
    _rename(txn, home.id, rows, known, wanted)
    for name, each in known.items():
        gone = name not in wanted and (each.sharer in sharers or each.sharer not in placed)
        if gone or (name in wanted and wanted[name].resource_id != each.resource_id):
            txn.collections.remove(rows[name].id)
            del rows[name]
    for name, shared in wanted.items():
        if name in rows:
            _update(txn, home.id, rows[name], known[name], shared)
        else:
            _add(txn, home.id, shared)


def _rename(
    txn: Transaction,
    home_id: int,
    rows: dict[str, Collection],
    known: dict[str, Signpost],
    wanted: Mapping[str, Shared],
) -> None:
    """Give signposts the names that the calendars have in the branch by now; `rows` and `known` are changed."""
    by_id = {each.resource_id: name for name, each in known.items() if name not in wanted}
    for name, each in wanted.items():
        before = by_id.get(each.resource_id)
        if before is not None and name not in known:
            with suppress(NameTaken):
                rows[name] = txn.collections.move(rows[before].id, home_id, name)
                known[name] = attrs.evolve(known.pop(before), name=name)
                del rows[before]


def join(txn: Transaction, principal_id: int) -> None:
    """Have in the home what is in a branch here, in the place of signposts: the sharee comes to the sharer's node."""
    branch = txn.collections.home(principal_id, BRANCH)
    home = txn.collections.home(principal_id, CALENDAR_HOME)
    if branch is None or home is None:
        return
    for each in txn.collections.children(branch.id):
        txn.ties.adopt(each.id, home.id, each.kind)
    txn.collections.remove(branch.id)


# -- who moves ---------------------------------------------------------------------------------------------------------


def pack(ties: Iterable[Tie], principal_id: int) -> Mapping[str, Any]:
    """What goes along with somebody to another node of what is shared with others; fit for JSON."""
    mine = [each for each in ties if principal_id in (each.sharer, each.bound.principal_id)]
    return {
        "tied": [(each.source, each.bound.principal_id, each.row) for each in mine if each.sharer == principal_id],
        "posts": [attrs.asdict(Shared.of(each.bound, each.sharer)) for each in mine if each.sharer != principal_id],
    }


def unpack(txn: Transaction, principal_id: int, packed: Mapping[str, Any]) -> None:
    """Have it here; the homes are in use."""
    home = txn.collections.home(principal_id, CALENDAR_HOME)
    if home is None:
        return
    there = {each.id for each in txn.principals.get_many({sharee for _, sharee, _ in packed["tied"]})}
    for source, sharee, row in packed["tied"]:
        if sharee in there:
            txn.ties.fasten(source, home_for(txn, sharee).id, row)
    for each in packed["posts"]:
        _add(txn, home.id, Shared(**each), was_there=True)
    join(txn, principal_id)
    _welcome(txn, home)


def _welcome(txn: Transaction, home: Collection) -> None:
    """Have branches for those who are invited to calendars in a home, and have not answered yet."""
    invited = [each.principal_id for id in txn.shares.below(home.id) for each in txn.shares.of(id)]
    for each in txn.principals.get_many({id for id in invited if id is not None}):
        if each.kind in OWNERS:
            home_for(txn, each.id)


def part(txn: Transaction, left: Container[int], ties: Iterable[Tie]) -> None:
    """Have what is left to be had of what was shared with people who have left.

    Args:
        txn: where.
        left: who they are.
        ties: what was between them and others when they had not left yet.
    """
    for each in ties:
        bound = each.bound
        if bound.principal_id in left:
            txn.ties.adopt(bound.id, home_for(txn, bound.principal_id).id, SHARED_CALENDAR)
            continue
        home = txn.collections.get(bound.home_id)
        assert home is not None
        if home.kind == BRANCH:
            txn.collections.remove(bound.id)
        else:
            made = _post(home.revision, Shared.of(each.bound, each.sharer), was_there=True)
            txn.ties.detach(bound.id, SIGNPOST, made.properties)


def _post(home: int, shared: Shared, *, was_there: bool) -> Signpost:
    """A new signpost, made after a revision of the home, perhaps for what was in the home until then."""
    return Signpost(
        name=shared.name,
        sharer=shared.sharer,
        resource_id=shared.resource_id,
        transparent=shared.transparent,
        told=((home, shared.revision),),
        joint=home if was_there else 0,
    )


def _update(txn: Transaction, home_id: int, row: Collection, known: Signpost, shared: Shared) -> None:
    if shared.revision > known.shared.revision:
        changed = known.after(_revision(txn, home_id), shared)
        txn.collections.update(attrs.evolve(row, properties=changed.properties))


def _add(txn: Transaction, home_id: int, shared: Shared, *, was_there: bool = False) -> None:
    made = _post(_revision(txn, home_id), shared, was_there=was_there)
    with suppress(NameTaken):  # what the sharee has made under the name of an invitation hides what is shared
        txn.collections.add(home_id, shared.name, SIGNPOST, properties=made.properties)


def _revision(txn: Transaction, home_id: int) -> int:
    home = txn.collections.get(home_id)
    assert home is not None
    return home.revision
