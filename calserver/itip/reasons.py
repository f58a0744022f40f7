"""Why a message is sent, in words for people: what an administrator reads who asks who was told what."""

from collections.abc import Collection, Mapping
from typing import Final

Key = int | None

ANSWERED: Final = "answered"
REMOVED_BY_ATTENDEE: Final = "removed, which declines"
ASKED_FOR: Final = "asked for with REFRESH"
ASKS: Final = "asks for the whole meeting"
PARTICIPATION: Final = "others answered"
CALLED_OFF: Final = "called off"

_WORDS: Final = {
    "DTSTART": "time",
    "END": "time",
    "CLOCK": "time zone",
    "RRULE": "recurrence",
    "EXRULE": "recurrence",
    "RDATE": "recurrence",
    "EXDATE": "instances taken away or brought back",
    "ATTENDEE": "who takes part",
    "added": "instance added",
    "removed": "instance taken away",
}


def cancelled(whole: bool, still_invited: bool) -> str:
    """Why somebody gets a CANCEL for what is not there any more."""
    if whole:
        return "the meeting was removed"
    return "instances taken away" if still_invited else "not invited any more"


def told(
    had: Collection[Key],
    has: Collection[Key],
    news: Collection[Key],
    differences: Mapping[Key, frozenset[str]],
    *,
    forced: bool,
) -> str:
    """Why somebody gets a REQUEST.

    Args:
        had: the components that it saw before.
        has: those that it sees now.
        news: those of them that are sent.
        differences: the names of the properties that changed, by component.
        forced: whether the organizer asked for the message.
    """
    if not had:
        return "invited"
    if None in has and None not in had:
        return "invited to the series"
    if None in had and None not in has:
        return "invited to single instances only"
    names = sorted({_WORDS.get(name, name.lower()) for key in news for name in differences.get(key, ())})
    if not set(has) <= set(had) and not names:
        names = [_WORDS["added"]]
    if not names:
        return "asked again" if forced else "sent again"
    return f"changed: {', '.join(names)}"
