"""Rights as letters, as administrators of Cyrus write them, and the privileges of WebDAV that they stand for.

==========  ==============================================================================================
letter      privilege
==========  ==============================================================================================
``l``, ``r``  ``DAV:read``
``s``       nothing (to know what was seen is not controlled)
``w``, ``n``  ``DAV:write-properties``
``i``       ``DAV:write-content``
``p``       ``CYRUS:add-resource``
``k``       ``CYRUS:make-collection``
``x``       ``CYRUS:remove-collection``
``t``, ``e``  ``CYRUS:remove-resource``
``a``       ``CYRUS:admin``: ``DAV:read-acl``, ``DAV:write-acl``, ``DAV:share``, ``DAV:unlock``
``9``       ``CALDAV:read-free-busy``; of an Inbox ``schedule-query-freebusy``, of an Outbox ``schedule-send-freebusy``
``8``       of an Inbox ``CALDAV:schedule-deliver-invite``, of an Outbox ``schedule-send-invite``
``7``       of an Inbox ``CALDAV:schedule-deliver-reply``, of an Outbox ``schedule-send-reply``
==========  ==============================================================================================
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from calserver.admin.refused import Refused
from calserver.names import CALDAV, CY, CYRUS, DAV, C, D, split

EVERYWHERE: Final[Mapping[str, str | None]] = {
    "l": D("read"),
    "r": D("read"),
    "s": None,
    "w": D("write-properties"),
    "i": D("write-content"),
    "p": CY("add-resource"),
    "k": CY("make-collection"),
    "x": CY("remove-collection"),
    "t": CY("remove-resource"),
    "e": CY("remove-resource"),
    "a": CY("admin"),
    "n": D("write-properties"),
}
BY_KIND: Final[Mapping[str, Mapping[str, str]]] = {
    "inbox": {
        "7": C("schedule-deliver-reply"),
        "8": C("schedule-deliver-invite"),
        "9": C("schedule-query-freebusy"),
    },
    "outbox": {
        "7": C("schedule-send-reply"),
        "8": C("schedule-send-invite"),
        "9": C("schedule-send-freebusy"),
    },
}
ELSEWHERE: Final[Mapping[str, str]] = {"9": C("read-free-busy")}
SHOWN: Final = "lrwipkxtan789"
"""The letters that are shown, in this order: those that others mean too are left out."""
_PREFIXES: Final = {"DAV": DAV, "CALDAV": CALDAV, "CYRUS": CYRUS}


def letters(privileges: Collection[str], kind: str) -> str:
    """The letters of all rights that privileges amount to; `kind` is that of the collection in the store."""
    meaning = {**EVERYWHERE, **BY_KIND.get(kind, ELSEWHERE)}
    return "".join(each for each in SHOWN if meaning.get(each) in privileges)


def word(privilege: str) -> str:
    """A privilege as people write it: ``DAV:read``."""
    namespace, local = split(privilege)
    return next((f"{prefix}:{local}" for prefix, each in _PREFIXES.items() if each == namespace), privilege)


def privileges(words: Iterable[str], kind: str, known: Collection[str]) -> frozenset[str]:
    """What words mean: privileges (``read``, ``DAV:read``, ``CALDAV:read-free-busy``), or letters (``lrw9``).

    Args:
        words: what was typed; what is the name of a privilege is that, and nothing else.
        kind: of the collection in the store.
        known: the privileges that there are on it.

    Raises:
        Refused: a word is neither, or there is no such privilege on this.
    """
    found: set[str] = set()
    for each in words:
        named = _named(each, known)
        found |= {named} if named is not None else _lettered(each, kind)
    if unknown := sorted(found - set(known)):
        raise Refused(f"there is no privilege {word(unknown[0])} on this")
    return frozenset(found)


def _named(text: str, known: Collection[str]) -> str | None:
    prefix, colon, local = text.rpartition(":")
    if colon:
        namespace = _PREFIXES.get(prefix.upper())
        if namespace is None:
            raise Refused(f"{text!r} is no privilege; one is like DAV:read, CALDAV:read-free-busy or CYRUS:admin")
        return f"{{{namespace}}}{local}"
    return next((each for each in known if split(each)[1] == text), None)


def _lettered(text: str, kind: str) -> set[str]:
    meaning = {**EVERYWHERE, **BY_KIND.get(kind, ELSEWHERE)}
    if not text or any(each not in meaning for each in text):
        raise Refused(f"{text!r} is neither a privilege nor made of the letters {''.join(sorted(meaning))}")
    return {name for each in text if (name := meaning[each]) is not None}
