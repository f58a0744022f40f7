"""Access control lists as values: their entries, what they come to for somebody, and their stored form (RFC 3744).

An entry grants or denies privileges to a principal. Entries are looked at in their order, and each privilege is decided
by the first that names it, or one that contains it, and that is about who asks (section 6). What no entry grants is not
held. A privilege that contains others is held where all of those are (section 3).
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final

import attrs

from calserver.dav.extension import Extensions, Privilege
from calserver.dav.resource import Resource
from calserver.names import D

ALL: Final = "all"
AUTHENTICATED: Final = "authenticated"
UNAUTHENTICATED: Final = "unauthenticated"
SELF: Final = "self"
PROPERTY: Final = "property:"
"""Followed by a Clark name: the principal that the property of the resource names."""
OWNER: Final = PROPERTY + D("owner")
READERS: Final = "read-delegates:"
"""Followed by the key of a principal: those who act for it (``calendar-proxy-read``)."""
WRITERS: Final = "write-delegates:"
"""The same for ``calendar-proxy-write``."""

Who = int | str
"""The principal of an entry: its key in the store, or one of the words above."""
Matches = Callable[[Who], bool]
"""Whether an entry is about who asks."""


@attrs.frozen(slots=True)
class Ace:
    """An access control entry (section 5.5): grants privileges to a principal, or denies them.

    With ``invert`` it is about everybody else.
    """

    who: Who
    privileges: frozenset[str]
    deny: bool = False
    invert: bool = False

    def about(self, matches: Matches) -> bool:
        """Whether it is about who asks."""
        return matches(self.who) is not self.invert


Acl = tuple[Ace, ...]


class Privileges:
    """The privileges of one class of resources, as sets of bits: made once, then evaluation is arithmetic.

    For `Extensions.derived`.
    """

    def __init__(self, spoken: Extensions, kind: type[Resource]) -> None:
        declared = spoken.privileges(kind)
        self.every = frozenset(each.name for each in declared)
        self.abstract = frozenset(each.name for each in declared if each.abstract)
        inside: dict[str | None, list[Privilege]] = {}
        for each in declared:
            inside.setdefault(each.within, []).append(each)
        self._contents: dict[str, int] = {}
        for each in declared:
            if each.within not in self.every:
                self._number(each, inside)
        self._held = lru_cache(maxsize=512)(self._names)

    def _number(self, one: Privilege, inside: Mapping[str | None, list[Privilege]]) -> int:
        """Give numbers to a privilege and all that it contains; returns them as bits."""
        bits = 0
        for each in inside.get(one.name, ()):
            bits |= self._number(each, inside)
        if not one.aggregate or not bits:
            bits |= 1 << len(self._contents)
        self._contents[one.name] = bits
        return bits

    def bits(self, names: Iterable[str]) -> int:
        """What the privileges of these names come to; those that there are not on this class are nothing."""
        found = 0
        for name in names:
            found |= self._contents.get(name, 0)
        return found

    def _names(self, bits: int) -> frozenset[str]:
        return frozenset(name for name, contents in self._contents.items() if not contents & ~bits)

    def held(self, acl: Iterable[Ace], matches: Matches) -> frozenset[str]:
        """The privileges that a list gives to who asks, aggregated ones included."""
        granted = denied = 0
        for ace in acl:
            if ace.about(matches):
                new = self.bits(ace.privileges)
                if ace.deny:
                    denied |= new & ~granted
                else:
                    granted |= new & ~denied
        return self._held(granted)


# -- as they are stored ------------------------------------------------------------------------------------------------


def packed(acl: Acl | None) -> str | None:
    """A list as text; None, that there is no list, stays None."""
    return None if acl is None else json.dumps([_plain(each) for each in acl], separators=(",", ":"))


def _plain(ace: Ace) -> dict[str, object]:
    plain: dict[str, object] = {"who": ace.who, "deny" if ace.deny else "grant": sorted(ace.privileges)}
    if ace.invert:
        plain["invert"] = True
    return plain


@lru_cache(maxsize=4096)
def unpacked(text: str | None) -> Acl | None:
    """The list that `packed` wrote; the same texts become the same value."""
    if text is None:
        return None
    return tuple(
        Ace(
            each["who"],
            frozenset(each["deny"] if "deny" in each else each["grant"]),
            deny="deny" in each,
            invert=each.get("invert", False),
        )
        for each in json.loads(text)
    )
