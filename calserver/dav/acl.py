"""Access control lists as values: their entries, and how they are stored (RFC 3744 section 5.5).

An entry grants or denies privileges to a principal; what a list of them comes to for somebody is evaluated in
`calserver.dav.privileges`.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import attrs

from calserver.dav.href import Href
from calserver.names import D

ALL: Final = "all"
AUTHENTICATED: Final = "authenticated"
UNAUTHENTICATED: Final = "unauthenticated"
SELF: Final = "self"
WORDS: Final = {D(each): each for each in (ALL, AUTHENTICATED, UNAUTHENTICATED, SELF)}
"""The elements of ``DAV:principal`` that stand for themselves, and the words for them."""
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


@attrs.frozen(slots=True)
class Entry:
    """An entry as a resource shows it: protected ones cannot be changed, inherited ones not here."""

    ace: Ace
    protected: bool = False
    inherited: Href | None = None
    """The resource that it is inherited from."""


@attrs.frozen(slots=True, kw_only=True)
class Restrictions:
    """What the lists of a resource may not have, or must have (section 5.6)."""

    grant_only: bool = False
    no_invert: bool = False
    deny_before_grant: bool = False
    required: tuple[Who, ...] = ()
    """Principals for each of which there must be an entry that grants something."""


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
