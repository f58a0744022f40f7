"""Principals, their groups and delegates.

Every change takes the next number of one counter, so no revision is ever seen twice. What a principal is called is
kept three times: in order (``principal.addresses``), for finding who has an address (``principal_address``), and with
its case folded for searches (``principal_term``).
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import attrs
from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, delete, exists, func, or_, select, union, update
from sqlalchemy import case as either

from calserver.store import revisions
from calserver.store.aside import ANY, served
from calserver.store.collections import SqlCollections
from calserver.store.dialects import among
from calserver.store.rows import mapping, packed, texts
from calserver.store.schema import (
    collection,
    counter,
    delegation,
    lock,
    membership,
    principal,
    principal_address,
    principal_term,
    share,
)
from calserver.store.statements import Connection, Statement, inserting
from calserver.store.values import AddressTaken, Missing, Principal

_p, _a, _f, _m, _d = principal.c, principal_address.c, principal_term.c, membership.c, delegation.c
_bound, _source, _theirs_too = (collection.alias(name) for name in ("bound", "source", "theirs"))
PRINCIPAL = tuple(_p)
"""The columns that `principal_from` takes, in its order."""
_GUID = "urn:uuid:"

GET = Statement(select(*PRINCIPAL).where(_p.id == bindparam("id")))
GET_MANY = Statement(select(*PRINCIPAL).where(among(_p.id, "ids")).order_by(_p.uid, _p.kind))
OWNING = Statement(
    select(collection.c.id, *PRINCIPAL)
    .outerjoin(_source, _source.c.id == collection.c.source_id)
    .join(principal, _p.id == func.coalesce(_source.c.principal_id, collection.c.principal_id))
    .where(among(collection.c.id, "ids"))
)
BY_UID = Statement(select(*PRINCIPAL).where(_p.uid == bindparam("uid"), _p.kind == bindparam("kind")))
_logins = (
    select(_p.id)
    .where(_p.uid == bindparam("uid"))
    .union(select(_a.principal_id).where(_a.address == bindparam("address")))
)
BY_LOGIN = Statement(
    select(*PRINCIPAL)
    .where(_p.id.in_(_logins))
    .order_by(either((_p.kind == "user", 0), else_=1), either((_p.uid == bindparam("uid"), 0), else_=1), _p.id)
)
BY_ADDRESSES = Statement(
    select(_a.address, *PRINCIPAL).join(principal, _p.id == _a.principal_id).where(among(_a.address, "addresses"))
)
LIST = Statement(select(*PRINCIPAL).order_by(_p.uid, _p.kind))
LIST_KIND = Statement(select(*PRINCIPAL).where(_p.kind == bindparam("kind")).order_by(_p.uid))
REVISION = Statement(select(counter.c.value).where(counter.c.name == "principals"))
TAKEN = Statement(
    select(_a.address)
    .where(among(_a.address, "addresses"), _a.principal_id != bindparam("id"))
    .union_all(select(_p.uid).where(_p.uid == bindparam("uid"), _p.kind == bindparam("kind"), _p.id != bindparam("id")))
)
INSERT = Statement(inserting(principal, "id").returning(_p.id))
UPDATE = Statement(
    update(principal)
    .values({column: bindparam(column.name) for column in PRINCIPAL if column.name != "id"})
    .where(_p.id == bindparam("which"))
)
DELETE = Statement(delete(principal).where(_p.id == bindparam("id")))
DELETE_HOMES = Statement(delete(collection).where(collection.c.principal_id == bindparam("id")))
BOUND_ELSEWHERE = Statement(
    select(_bound.c.id)
    .join(collection, collection.c.id == _bound.c.source_id)
    .where(
        collection.c.principal_id == bindparam("id"), _bound.c.principal_id != bindparam("id"), served(_bound.c.kind)
    )
)
"""What stands in the homes of others for calendars of a principal."""
INVITED_TO = Statement(
    select(share.c.collection_id)
    .join(collection, collection.c.id == share.c.collection_id)
    .where(share.c.principal_id == bindparam("id"), served())
)
_theirs = select(_theirs_too.c.id).where(_theirs_too.c.principal_id == bindparam("id"))
DELETE_ASIDE = Statement(delete(collection).where(collection.c.source_id.in_(_theirs), collection.c.kind.like(ANY)))
"""What stood for calendars of a principal in homes that are set aside."""
HOLDS_LOCKS = Statement(select(exists().where(lock.c.principal_id == bindparam("id"))))
CLEAR_ADDRESSES = Statement(delete(principal_address).where(_a.principal_id == bindparam("id")))
CLEAR_TERMS = Statement(delete(principal_term).where(_f.principal_id == bindparam("id")))
INSERT_ADDRESS = Statement(inserting(principal_address))
INSERT_TERM = Statement(inserting(principal_term))
REVISE = Statement(update(principal).values(revision=bindparam("number")).where(among(_p.id, "ids")))
RELATED = Statement(
    union(
        select(_m.group_id).where(_m.member_id == bindparam("id")),
        select(_m.member_id).where(_m.group_id == bindparam("id")),
        select(_d.principal_id).where(_d.delegate_id == bindparam("id")),
        select(_d.delegate_id).where(_d.principal_id == bindparam("id")),
    )
)
MEMBERS = Statement(
    select(*PRINCIPAL)
    .join(membership, _m.member_id == _p.id)
    .where(_m.group_id == bindparam("id"))
    .order_by(_p.uid, _p.kind)
)
MEMBERSHIPS = Statement(
    select(*PRINCIPAL)
    .join(membership, _m.group_id == _p.id)
    .where(_m.member_id == bindparam("id"))
    .order_by(_p.uid, _p.kind)
)
_outer = membership.alias("outer_group")


def _groups_of(members: ColumnElement[bool]) -> Statement:
    """All groups that some members of groups are in, nested ones included."""
    groups = select(_m.group_id).where(members).cte("groups", recursive=True)
    groups = groups.union(select(_outer.c.group_id).where(_outer.c.member_id == groups.c.group_id))
    return Statement(select(groups.c.group_id))


ALL_MEMBERSHIPS = _groups_of(_m.member_id == bindparam("id"))
GROUPS_OF = _groups_of(among(_m.member_id, "ids"))
CLEAR_MEMBERS = Statement(delete(membership).where(_m.group_id == bindparam("id")).returning(_m.member_id))
INSERT_MEMBER = Statement(inserting(membership))
DELEGATES = Statement(
    select(*PRINCIPAL)
    .join(delegation, _d.delegate_id == _p.id)
    .where(_d.principal_id == bindparam("id"), _d.access == bindparam("access"))
    .order_by(_p.uid, _p.kind)
)
DELEGATORS = Statement(
    select(*PRINCIPAL)
    .where(
        _p.id.in_(select(_d.principal_id).where(among(_d.delegate_id, "delegates"), _d.access == bindparam("access")))
    )
    .order_by(_p.uid, _p.kind)
)
DELEGATOR_IDS = Statement(select(_d.access, _d.principal_id).where(among(_d.delegate_id, "delegates")))
ADMINISTRATORS = Statement(select(*PRINCIPAL).where(_p.administrator.is_(True)).order_by(_p.uid, _p.kind))
CLEAR_DELEGATES = Statement(
    delete(delegation)
    .where(_d.principal_id == bindparam("id"), _d.access == bindparam("access"))
    .returning(_d.delegate_id)
)
INSERT_DELEGATE = Statement(inserting(delegation))


_PATTERNS = {"contains": "%{}%", "starts-with": "{}%", "ends-with": "%{}", "equals": "{}"}
_LONGEST_TEXT = 1000
"""Characters of a text that somebody may be found by; databases refuse patterns that are much longer."""
_WILD = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})


@lru_cache(maxsize=64)
def _search(terms: tuple[tuple[str, str], ...], any_of: bool, kinds: bool, limited: bool) -> Statement:
    """The search for terms of these fields and match types; the texts are parameters."""
    conditions = []
    for number, (field, match) in enumerate(terms):
        wanted: BindParameter[str] = bindparam(f"text{number}")
        found = _f.folded == wanted if match == "equals" else _f.folded.like(wanted, escape="\\")
        conditions.append(_p.id.in_(select(_f.principal_id).where(_f.field == field, found)))
    query = select(*PRINCIPAL).where(or_(*conditions) if any_of else and_(*conditions)).order_by(_p.uid, _p.kind)
    if kinds:
        query = query.where(among(_p.kind, "kinds"))
    return Statement(query.limit(bindparam("limit")) if limited else query)


def folded(text: str) -> str:
    """A text as searches compare it."""
    return unicodedata.normalize("NFC", text).casefold()


def _key(address: str) -> str:
    """An address as it is stored for finding; mail addresses and GUIDs are compared without case."""
    return address.lower() if address.startswith(("mailto:", _GUID)) else address


def principal_from(row: Sequence[Any]) -> Principal:
    """A principal from the columns of `PRINCIPAL`."""
    return Principal(
        id=row[0],
        kind=row[1],
        uid=row[2],
        guid=row[3],
        name=row[4],
        first_name=row[5],
        last_name=row[6],
        addresses=texts(row[7]),
        password_hash=row[8],
        administrator=bool(row[9]),
        enabled=bool(row[10]),
        scheduling=bool(row[11]),
        auto_schedule=row[12],
        auto_accept_group=row[13],
        revision=row[14],
        properties=mapping(row[15]),
        capacity=row[16],
    )


def columns_of(value: Principal) -> dict[str, Any]:
    """The parameters for all columns but the id."""
    columns = {column.name: getattr(value, column.name) for column in PRINCIPAL if column.name != "id"}
    columns["addresses"] = packed(value.addresses)
    columns["properties"] = packed(value.properties)
    return columns


def _terms(value: Principal) -> set[tuple[str, str]]:
    """What searches find a principal by: pairs of field and text."""
    found = [(field, getattr(value, field)) for field in ("name", "first_name", "last_name", "uid", "guid")]
    found += [("email", each.removeprefix("mailto:")) for each in value.addresses if each.startswith("mailto:")]
    return {(field, folded(text)) for field, text in found if text}


class SqlPrincipals:
    """`calserver.store.interface.Principals` on SQL."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    # -- reading

    def get(self, id: int) -> Principal | None:
        """By primary key."""
        return self._one(GET, id=id)

    def get_many(self, ids: Iterable[int]) -> Sequence[Principal]:
        """By primary keys, in one query."""
        return self._all(GET_MANY, ids=self._connection.values(ids))

    def owning(self, collection_ids: Iterable[int]) -> Mapping[int, Principal]:
        """Whose collections are, in one query; what is bound to another is whose that is."""
        rows = self._connection.all(OWNING, ids=self._connection.values(collection_ids))
        return {row[0]: principal_from(row[1:]) for row in rows}

    def by_uid(self, kind: str, uid: str) -> Principal | None:
        """By kind and uid."""
        return self._one(BY_UID, kind=kind, uid=uid)

    def by_login(self, uid: str) -> Principal | None:
        """The one whose uid, or mail address, is typed as user name; users first."""
        return self._one(BY_LOGIN, uid=uid, address=_key(f"mailto:{uid}"))

    def by_address(self, address: str) -> Principal | None:
        """By a normalized calendar user address (``mailto:``) or GUID (``urn:uuid:``)."""
        return self.by_addresses([address]).get(address)

    def by_addresses(self, addresses: Iterable[str]) -> Mapping[str, Principal]:
        """The same for many addresses, in one query."""
        keys = {each: _key(each) for each in addresses}
        rows = self._connection.all(BY_ADDRESSES, addresses=self._connection.values(set(keys.values())))
        found = {row[0]: principal_from(row[1:]) for row in rows}
        return {each: found[key] for each, key in keys.items() if key in found}

    def list(self, kind: str | None = None) -> Sequence[Principal]:
        """All of a kind, by uid."""
        return self._all(LIST) if kind is None else self._all(LIST_KIND, kind=kind)

    def revision(self) -> int:
        """The highest revision of all principals, those that were removed too: what grows when any changes."""
        value: int = self._connection.value(REVISION)
        return value

    def search(
        self,
        terms: Sequence[tuple[str, str, str]],
        *,
        any_of: bool,
        kinds: Sequence[str] = (),
        limit: int | None = None,
    ) -> Sequence[Principal]:
        """Case-insensitive search; no terms find nobody."""
        terms = tuple(terms)
        possible = tuple(term for term in terms if len(term[2]) <= _LONGEST_TEXT)
        if not possible or (possible != terms and not any_of):
            return ()
        parameters: dict[str, Any] = {}
        for number, (_, match, text) in enumerate(possible):
            pattern = folded(text)
            if match != "equals":
                pattern = _PATTERNS[match].format(pattern.translate(_WILD))
            parameters[f"text{number}"] = pattern
        if kinds:
            parameters["kinds"] = self._connection.values(kinds)
        if limit is not None:
            parameters["limit"] = limit
        shape = tuple((field, match) for field, match, _ in possible)
        return self._all(_search(shape, any_of, bool(kinds), limit is not None), **parameters)

    # -- writing

    def add(self, principal: Principal) -> Principal:
        """Insert (``id`` and ``revision`` are given by the store); raises `AddressTaken`."""
        self._claim(principal, 0)
        added = attrs.evolve(principal, revision=self._number())
        added = attrs.evolve(added, id=self._connection.value(INSERT, **columns_of(added)))
        self.name(added)
        return added

    def update(self, principal: Principal) -> Principal:
        """Replace all columns and addresses; raises `AddressTaken`."""
        self._claim(principal, principal.id)
        updated = attrs.evolve(principal, revision=self._number())
        if not self._connection.run(UPDATE, which=principal.id, **columns_of(updated)):
            raise Missing(f"principal {principal.id}")
        self._connection.run(CLEAR_ADDRESSES, id=principal.id)
        self._connection.run(CLEAR_TERMS, id=principal.id)
        self.name(updated)
        return updated

    def remove(self, id: int) -> None:
        """Remove the principal with its homes and everything in them."""
        self._revise(row[0] for row in self._connection.all(RELATED, id=id))
        if self._connection.value(HOLDS_LOCKS, id=id):
            revisions.count(self._connection, "locks")
        collections = SqlCollections(self._connection, self._now)
        for (bound,) in self._connection.all(BOUND_ELSEWHERE, id=id):
            collections.remove(bound)
        invited = self._connection.all(INVITED_TO, id=id)
        self._connection.run(DELETE_ASIDE, id=id)
        self._connection.run(DELETE_HOMES, id=id)
        self._connection.run(DELETE, id=id)
        for (calendar,) in invited:
            collections.mark_shared(calendar)

    # -- groups and delegates

    def set_members(self, group: int, members: Iterable[int]) -> None:
        """Replace the direct members of a group."""
        wanted = set(members)
        before = {row[0] for row in self._connection.all(CLEAR_MEMBERS, id=group)}
        self._connection.many(INSERT_MEMBER, [{"group_id": group, "member_id": each} for each in sorted(wanted)])
        self._revise({group, *(wanted ^ before)})

    def members(self, group: int) -> Sequence[Principal]:
        """Direct members of a group."""
        return self._all(MEMBERS, id=group)

    def memberships(self, member: int) -> Sequence[Principal]:
        """Groups the principal is a direct member of."""
        return self._all(MEMBERSHIPS, id=member)

    def all_memberships(self, member: int) -> frozenset[int]:
        """Ids of all groups the principal is in, nested ones included, in one query."""
        return frozenset(row[0] for row in self._connection.all(ALL_MEMBERSHIPS, id=member))

    def groups_of(self, members: Iterable[int]) -> frozenset[int]:
        """Ids of all groups that any of these principals is in, nested ones included, in one query."""
        return frozenset(row[0] for row in self._connection.all(GROUPS_OF, ids=self._connection.values(members)))

    def set_delegates(self, principal: int, access: str, delegates: Iterable[int]) -> None:
        """Replace the delegates with this access (``read`` or ``write``; caldav-proxy)."""
        wanted = set(delegates)
        before = {row[0] for row in self._connection.all(CLEAR_DELEGATES, id=principal, access=access)}
        rows = [{"principal_id": principal, "access": access, "delegate_id": each} for each in sorted(wanted)]
        self._connection.many(INSERT_DELEGATE, rows)
        self._revise({principal, *(wanted ^ before)})

    def delegates(self, principal: int, access: str) -> Sequence[Principal]:
        """The direct delegates with this access."""
        return self._all(DELEGATES, id=principal, access=access)

    def delegators(self, delegates: Iterable[int], access: str) -> Sequence[Principal]:
        """Those who gave this access to one of `delegates`."""
        return self._all(DELEGATORS, delegates=self._connection.values(delegates), access=access)

    def delegator_ids(self, delegates: Iterable[int]) -> Mapping[str, frozenset[int]]:
        """The ids of those who gave some access to one of `delegates`, by access, in one query."""
        rows = self._connection.all(DELEGATOR_IDS, delegates=self._connection.values(delegates))
        found: dict[str, set[int]] = {}
        for access, principal_id in rows:
            found.setdefault(access, set()).add(principal_id)
        return {access: frozenset(ids) for access, ids in found.items()}

    def administrators(self) -> Sequence[Principal]:
        """All who are administrators: looked for among all principals, once for each state of these."""
        connection, revision = self._connection, self.revision()
        if connection.ways is None or connection.writes:
            return self._all(ADMINISTRATORS)
        known = connection.ways.administrators
        if known is None or known[0] != revision:
            known = connection.ways.administrators = revision, self._all(ADMINISTRATORS)
        return known[1]

    # -- parts

    def _one(self, statement: Statement, **parameters: Any) -> Principal | None:
        row = self._connection.one(statement, **parameters)
        return None if row is None else principal_from(row)

    def _all(self, statement: Statement, **parameters: Any) -> Sequence[Principal]:
        return [principal_from(row) for row in self._connection.all(statement, **parameters)]

    def _number(self) -> int:
        return revisions.count(self._connection, "principals")

    def _revise(self, ids: Iterable[int]) -> None:
        """Give principals whose relations changed a new revision."""
        self._connection.run(REVISE, number=self._number(), ids=self._connection.values(ids))

    def _claim(self, value: Principal, id: int) -> None:
        """Refuse what names another principal."""
        named = {_key(each) for each in value.addresses} | {_key(_GUID + value.guid)}
        taken = self._connection.value(
            TAKEN, addresses=self._connection.values(named), uid=value.uid, kind=value.kind, id=id
        )
        if taken is not None:
            raise AddressTaken(taken)

    def name(self, value: Principal) -> None:
        """Write what a principal is found by."""
        addresses = {_key(each) for each in value.addresses} | {_key(_GUID + value.guid)}
        self._connection.many(INSERT_ADDRESS, [{"address": a, "principal_id": value.id} for a in sorted(addresses)])
        self._connection.many(
            INSERT_TERM, [{"principal_id": value.id, "field": f, "folded": t} for f, t in sorted(_terms(value))]
        )
