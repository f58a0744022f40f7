"""Making, changing and removing principals: what each must be, checked, in the caller's transaction."""

import re
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from calserver.directory.actor import KINDS
from calserver.directory.addresses import GUID, MAILTO, normalize
from calserver.store import AddressTaken, Principal, Transaction

Provision = Callable[[Transaction, Principal], None]
"""Gives a new principal what everybody has from the start: homes and default collections."""

AUTO_SCHEDULE: Final = (
    "none",
    "accept-always",
    "decline-always",
    "accept-if-free",
    "decline-if-busy",
    "automatic",
)
"""How the server answers invitations for a principal."""

MOST_BOOKINGS: Final = 10_000
"""The most bookings at a time that a principal may take."""

MOST_BYTES: Final = 255
"""The longest uid and the longest mail address."""

_PARTICLES: Final = frozenset(
    [
        "af",
        "al",
        "ap",
        "bin",
        "d",
        "da",
        "dal",
        "das",
        "de",
        "del",
        "della",
        "den",
        "der",
        "di",
        "dos",
        "du",
        "el",
        "la",
        "le",
        "ten",
        "ter",
        "van",
        "von",
        "zu",
    ]
)


class AccountRefused(Exception):
    """A principal cannot be as it was asked for; the reason is one sentence for people."""


class NoSuchPrincipal(AccountRefused):
    """There is no principal of this name."""


def provision_nothing(txn: Transaction, principal: Principal) -> None:
    """Give a new principal nothing."""


def create(
    txn: Transaction, uid: str, *, kind: str = "user", domain: str = "", provision: Provision, **facts: Any
) -> Principal:
    """Make a principal.

    Args:
        txn: the transaction.
        uid: its name in URLs, and for users the name to log in with.
        kind: ``user``, ``group``, ``resource`` or ``location``.
        domain: mail domain of the address that it gets where `facts` has none; empty: then it has none.
        provision: called with the new principal.
        facts: other attributes of `Principal`. ``addresses`` may be plain mail addresses; a missing ``guid`` is
            made up, a missing ``name`` is the uid, missing first and last names come from the name.

    Raises:
        AccountRefused: it is not valid, or somebody has its uid, GUID or one of its addresses.
    """
    if not facts.get("addresses") and domain:
        facts["addresses"] = (uid if "@" in uid else f"{uid}@{domain}",)
    facts = {name: value for name, value in facts.items() if value is not None}
    wanted = checked(Principal(id=0, kind=kind, uid=uid, **{"guid": "", **facts}))
    try:
        principal = txn.principals.add(wanted)
    except AddressTaken as taken:
        raise AccountRefused(_taken(txn, wanted)) from taken
    provision(txn, principal)
    return principal


def change(txn: Transaction, principal: Principal, **facts: Any) -> Principal:
    """Change attributes of a principal; what is not named stays. With a new name come new first and last names.

    Raises:
        AccountRefused: see `create`.
    """
    if facts.get("name", principal.name) != principal.name:
        facts = {"first_name": "", "last_name": ""} | facts
    wanted = checked(attrs.evolve(principal, **facts))
    if wanted == principal:
        return principal
    try:
        return txn.principals.update(wanted)
    except AddressTaken as taken:
        raise AccountRefused(_taken(txn, wanted)) from taken


def remove(txn: Transaction, principal: Principal) -> None:
    """Remove a principal with everything that belongs to it, and the locks there."""
    for segment in ("calendars", "addressbooks", "drive"):
        txn.locks.remove_below(f"{segment}/{principal.kind}/{principal.uid}")
    txn.principals.remove(principal.id)


def named(txn: Transaction, name: str, kinds: Sequence[str] = KINDS) -> Principal:
    """The principal that a person means by a uid, ``kind/uid`` or a mail address.

    Of several kinds that have the uid, the first in `kinds` is meant.

    Raises:
        NoSuchPrincipal: there is none.
    """
    kind, slash, uid = name.partition("/")
    tried = [(kind, uid)] if slash else [(each, name) for each in kinds]
    for each, plain in tried:
        if each in kinds and (principal := txn.principals.by_uid(each, plain)) is not None:
            return principal
    found = txn.principals.by_address(normalize(name)) if "@" in name else None
    if found is None or found.kind not in kinds:
        raise NoSuchPrincipal(f"there is no {' or '.join(kinds)} {name!r}")
    return found


def checked(principal: Principal) -> Principal:
    """A principal with everything in its normal form.

    Raises:
        AccountRefused: something is not valid.
    """
    if principal.kind not in KINDS:
        raise AccountRefused(f"the kind {principal.kind!r} is none of {', '.join(KINDS)}")
    if principal.auto_schedule not in AUTO_SCHEDULE:
        raise AccountRefused(f"auto_schedule {principal.auto_schedule!r} is none of {', '.join(AUTO_SCHEDULE)}")
    if principal.capacity is not None and not 1 <= principal.capacity <= MOST_BOOKINGS:
        raise AccountRefused(
            f"the capacity {principal.capacity} is not between 1 and {MOST_BOOKINGS} bookings at a time"
        )
    uid = checked_uid(principal.uid)
    name = " ".join(_text(principal.name, "name").split()) or uid
    first, last = principal.first_name, principal.last_name
    if principal.kind == "user" and not (first or last):
        first, last = split_name(name)
    return attrs.evolve(
        principal,
        uid=uid,
        guid=_guid(principal.guid),
        name=name,
        first_name=_text(first, "first name").strip(),
        last_name=_text(last, "last name").strip(),
        addresses=tuple(dict.fromkeys(_address(each) for each in principal.addresses)),
    )


def checked_uid(uid: str) -> str:
    """A uid in its normal form (Unicode NFC).

    Raises:
        AccountRefused: it cannot be a segment of a path, a user name of HTTP Basic (no colon: RFC 7617 section 2), or
            an entry of a list that is separated by blanks.
    """
    uid = unicodedata.normalize("NFC", uid)
    if not uid or uid in (".", "..") or len(uid.encode()) > MOST_BYTES:
        raise AccountRefused(f"a uid has 1 to {MOST_BYTES} bytes and is not a dot: {uid[:40]!r}")
    if any(c in "/:\\\ufffd" or c.isspace() or not c.isprintable() for c in uid):
        raise AccountRefused(f"a uid has no blanks, slashes, colons and control characters: {uid!r}")
    return uid


def split_name(name: str) -> tuple[str, str]:
    """First and last name: ``Ann B. Lee``, ``Lee, Ann B.``; particles belong to the last name (``Jan van der Lee``)."""
    last, comma, first = (part.strip() for part in name.partition(","))
    if comma and first and last:
        return first, last
    words = name.split()
    if len(words) < 2:
        return name, ""
    begin = len(words) - 1
    while begin > 1 and words[begin - 1] in _PARTICLES:
        begin -= 1
    return " ".join(words[:begin]), " ".join(words[begin:])


def _text(text: str, what: str) -> str:
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in text) or len(text) > 1000:
        raise AccountRefused(f"the {what} has control characters, or is too long")
    return text


def _guid(guid: str) -> str:
    try:
        return str(uuid.UUID(guid) if guid else uuid.uuid4()).upper()
    except ValueError:
        raise AccountRefused(f"the GUID {guid!r} is not a UUID") from None


def _address(text: str) -> str:
    """A mail address as the store keeps it; other URIs as they are."""
    address = normalize(text)
    if address.startswith(GUID) or not re.match(r"[a-z][a-z0-9+.-]*:.", address):
        raise AccountRefused(f"{text!r} is not a mail address")
    if address.startswith(MAILTO) and not re.fullmatch(r"mailto:[^\s@<>,;]+@[^\s@<>,;]+", address):
        raise AccountRefused(f"{text!r} is not a mail address")
    if len(address.encode()) > MOST_BYTES or not address.isprintable() or " " in address:
        raise AccountRefused(f"{text[:80]!r} cannot be an address")
    return address


def _taken(txn: Transaction, wanted: Principal) -> str:
    """Who has what a principal wants."""
    holder = txn.principals.by_uid(wanted.kind, wanted.uid)
    if holder is not None and holder.id != wanted.id:
        return f"there is a {wanted.kind} {wanted.uid!r} already"
    for address in (*wanted.addresses, normalize(GUID + wanted.guid)):
        holder = txn.principals.by_address(address)
        if holder is not None and holder.id != wanted.id:
            return f"{address} belongs to the {holder.kind} {holder.uid!r}"
    return "its uid, GUID or address belongs to somebody else"
