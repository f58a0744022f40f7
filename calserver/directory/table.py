"""Principals as a table of comma-separated values (RFC 4180), in and out.

    accounts = read(text)                                      # a value; errors have line numbers
    accounts = [each.hashed(hash_password) for each in accounts]      # slow, so before the transaction
    done = write(txn, accounts, provision=...)                 # all of it or, with `TableRefused`, nothing

Only the column ``uid`` is required; lists are separated by blanks. Reading the same table again changes nothing. Who is
there already keeps what the table has no column for, its password too where the column is empty. References
(``groups``, ``members``, proxies) may point to any row and to whoever was there before. ``members`` and proxies replace
what was there; ``groups`` adds.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import attrs

from calserver.directory import accounts
from calserver.directory.accounts import AccountRefused, Provision
from calserver.directory.addresses import MAILTO
from calserver.store import Principal, Transaction

COLUMNS: Final = (
    "uid",
    "password",
    "name",
    "email",
    "guid",
    "type",
    "admin",
    "groups",
    "members",
    "write_proxies",
    "read_proxies",
    "auto_schedule",
    "auto_accept_group",
    "capacity",
    "scheduling",
)
_HASH: Final = "$argon2"
_YES: Final = frozenset({"yes", "true", "1", "y"})
_NO: Final = frozenset({"no", "false", "0", "n"})


class TableRefused(AccountRefused):
    """The table cannot be taken: `problems` are pairs of a line number and one sentence."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        super().__init__("; ".join(f"line {line}: {problem}" for line, problem in problems))
        self.problems = tuple(problems)


@attrs.frozen(slots=True, kw_only=True)
class Row:
    """One row as it was read: None stands for a column that is not there, and for an empty cell of most columns."""

    line: int
    uid: str
    kind: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    password_hash: str | None = attrs.field(default=None, repr=False)
    name: str | None = None
    emails: tuple[str, ...] | None = None
    guid: str | None = None
    administrator: bool | None = None
    groups: tuple[str, ...] = ()
    members: tuple[str, ...] | None = None
    write_proxies: tuple[str, ...] | None = None
    read_proxies: tuple[str, ...] | None = None
    auto_schedule: str | None = None
    auto_accept_group: str | None = None
    capacity: int | None = None
    scheduling: bool | None = None

    def hashed(self, hash_password: Callable[[str], str]) -> "Row":
        """The row with its password hashed; what is a hash already is taken as it is."""
        if self.password is None:
            return self
        password_hash = self.password if self.password.startswith(_HASH) else hash_password(self.password)
        return attrs.evolve(self, password=None, password_hash=password_hash)

    @property
    def facts(self) -> dict[str, object]:
        """The attributes of `Principal` that the row sets."""
        facts = {
            "password_hash": self.password_hash,
            "name": self.name,
            "addresses": self.emails,
            "guid": self.guid,
            "administrator": self.administrator,
            "auto_schedule": self.auto_schedule,
            "auto_accept_group": self.auto_accept_group,
            "capacity": self.capacity,
            "scheduling": self.scheduling,
        }
        return {name: value for name, value in facts.items() if value is not None}


@attrs.frozen(slots=True)
class Imported:
    """What a table did: uids of new principals, of changed ones, and how many stayed as they were."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: int


# -- reading -------------------------------------------------------------------------------------------------------


def read(text: str) -> list[Row]:
    """The rows of a table.

    Raises:
        TableRefused: with all rows that cannot be read.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    rows: list[Row] = []
    problems: list[tuple[int, str]] = []
    header: list[str] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(cells)
                continue
            try:
                rows.append(_row(reader.line_num, header, cells))
            except AccountRefused as refused:
                problems.append((reader.line_num, str(refused)))
    except csv.Error as error:
        problems.append((reader.line_num, str(error)))
    if header is None:
        problems.append((1, "the table is empty; its first line names the columns"))
    if problems:
        raise TableRefused(problems)
    return rows


def _header(cells: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise TableRefused([(1, f"unknown column {unknown[0]!r}; the columns are {', '.join(COLUMNS)}")])
    if "uid" not in names or len(set(names)) < len(names):
        raise TableRefused([(1, "the column uid is missing, or a column is there twice")])
    return names


def _row(line: int, header: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) > len(header):
        raise AccountRefused("there are more cells than columns")
    cell = dict(zip(header, [*cells, *[""] * (len(header) - len(cells))], strict=True))
    text = {name: value.strip() or None for name, value in cell.items()}
    lists = {name: tuple(cell[name].split()) for name in cell}
    return Row(
        line=line,
        uid=accounts.checked_uid(text["uid"] or ""),
        kind=text.get("type"),
        password=cell.get("password") or None,
        name=text.get("name"),
        emails=lists.get("email") or None,
        guid=text.get("guid"),
        administrator=_switch("admin", text.get("admin")),
        groups=lists.get("groups", ()),
        members=lists.get("members"),
        write_proxies=lists.get("write_proxies"),
        read_proxies=lists.get("read_proxies"),
        auto_schedule=text.get("auto_schedule"),
        auto_accept_group=text.get("auto_accept_group"),
        capacity=_number("capacity", text.get("capacity")),
        scheduling=_switch("scheduling", text.get("scheduling")),
    )


def _switch(column: str, text: str | None) -> bool | None:
    if text is None:
        return None
    if text.lower() not in _YES | _NO:
        raise AccountRefused(f"{column} is {text!r}, neither yes nor no")
    return text.lower() in _YES


def _number(column: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise AccountRefused(f"{column} is {text!r}, not a number")
    return int(text)


# -- writing -------------------------------------------------------------------------------------------------------


def write(txn: Transaction, rows: Iterable[Row], *, provision: Provision, domain: str = "") -> Imported:
    """Make and change the principals of a table; for `provision` and `domain` see `accounts.create`.

    Raises:
        TableRefused: with all rows that cannot be taken; the transaction must not be committed then.
    """
    problems: list[tuple[int, str]] = []
    done: list[tuple[Row, Principal]] = []
    created: list[str] = []
    changed: dict[str, None] = {}
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row.kind or "user", row.uid)
        if key in seen:
            problems.append((row.line, f"the {key[0]} {key[1]!r} is in line {seen[key]} already"))
            continue
        seen[key] = row.line
        try:
            before = txn.principals.by_uid(*key)
            if before is None:
                after = accounts.create(txn, row.uid, kind=key[0], domain=domain, provision=provision, **row.facts)
                created.append(row.uid)
            else:
                after = accounts.change(txn, before, **row.facts)
                if after != before:
                    changed[row.uid] = None
            done.append((row, after))
        except AccountRefused as refused:
            problems.append((row.line, str(refused)))
    relations = _Relations(txn)
    for row, principal in done:
        try:
            relations.add(row, principal)
        except AccountRefused as refused:
            problems.append((row.line, str(refused)))
    if problems:
        raise TableRefused(sorted(problems))
    changed |= dict.fromkeys(uid for uid in relations.write() if uid not in created)
    return Imported(tuple(created), tuple(changed), len(done) - len(created) - len(changed))


class _Relations:
    """Who is in which group, and who acts for whom: collected from all rows, then written where something changes."""

    def __init__(self, txn: Transaction) -> None:
        self._txn = txn
        self._groups: dict[int, Principal] = {}
        self._members: dict[int, set[int]] = {}
        self._joining: dict[int, set[int]] = {}
        self._delegates: dict[tuple[int, str], tuple[Principal, set[int]]] = {}

    def add(self, row: Row, principal: Principal) -> None:
        """Take the references of a row; raises `AccountRefused` where one leads nowhere."""
        if row.members is not None and principal.kind == "group":
            self._groups[principal.id] = principal
            self._members[principal.id] = {accounts.named(self._txn, name).id for name in row.members}
        elif row.members:
            raise AccountRefused("only groups have members")
        for name in row.groups:
            group = accounts.named(self._txn, name, ("group",))
            self._groups[group.id] = group
            self._joining.setdefault(group.id, set()).add(principal.id)
        for access, names in (("write", row.write_proxies), ("read", row.read_proxies)):
            if names is not None:
                ids = {accounts.named(self._txn, name).id for name in names}
                self._delegates[principal.id, access] = (principal, ids)
        if row.auto_accept_group is not None:
            accounts.named(self._txn, row.auto_accept_group, ("group",))

    def write(self) -> list[str]:
        """Write what changes; returns the uids of groups and principals with other members and delegates."""
        changed = []
        for id, group in self._groups.items():
            before = {each.id for each in self._txn.principals.members(id)}
            wanted = self._members.get(id, before) | self._joining.get(id, set())
            if wanted != before:
                self._txn.principals.set_members(id, wanted)
                changed.append(group.uid)
        for (id, access), (principal, wanted) in self._delegates.items():
            if wanted != {each.id for each in self._txn.principals.delegates(id, access)}:
                self._txn.principals.set_delegates(id, access, wanted)
                changed.append(principal.uid)
        return changed


def export(txn: Transaction, *, passwords: bool = False) -> str:
    """All principals as a table that `read` takes; with `passwords`, their hashes too."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for principal in txn.principals.list():
        writer.writerow(_cells(txn, principal, passwords=passwords))
    return out.getvalue()


def _cells(txn: Transaction, principal: Principal, *, passwords: bool) -> dict[str, str]:
    def names(found: Iterable[Principal]) -> str:
        return " ".join(each.uid if each.kind == "user" else f"{each.kind}/{each.uid}" for each in found)

    group = principal.kind == "group"
    return {
        "uid": principal.uid,
        "password": (principal.password_hash or "") if passwords else "",
        "name": principal.name,
        "email": " ".join(each.removeprefix(MAILTO) for each in principal.addresses),
        "guid": principal.guid,
        "type": principal.kind,
        "admin": "yes" if principal.administrator else "",
        "groups": "",
        "members": names(txn.principals.members(principal.id)) if group else "",
        "write_proxies": names(txn.principals.delegates(principal.id, "write")),
        "read_proxies": names(txn.principals.delegates(principal.id, "read")),
        "auto_schedule": "" if principal.auto_schedule == "none" else principal.auto_schedule,
        "auto_accept_group": principal.auto_accept_group or "",
        "capacity": "" if principal.capacity is None else str(principal.capacity),
        "scheduling": "" if principal.scheduling else "no",
    }
