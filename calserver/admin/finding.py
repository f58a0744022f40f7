"""What a check has found: a sentence about a thing, and how bad it is."""

from typing import Literal

import attrs

Level = Literal["ok", "warning", "error"]


@attrs.frozen
class Finding:
    """`subject` is the name of a record, a host or a URL; `text` says what is so, and what to change."""

    level: Level
    subject: str
    text: str


def fine(subject: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding("ok", subject, text)


def doubtful(subject: str, text: str) -> Finding:
    """It works, but not for everybody or not for long."""
    return Finding("warning", subject, text)


def wrong(subject: str, text: str) -> Finding:
    """It does not work."""
    return Finding("error", subject, text)
