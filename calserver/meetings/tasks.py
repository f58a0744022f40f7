"""Kinds of tasks that scheduling leaves for after the commit (`calserver.store.Tasks`)."""

from datetime import timedelta
from typing import Final

from calserver.meetings.policy import Policy
from calserver.store import Transaction

REFRESH: Final = "refresh"
"""Tell attendees how others answered; the key is `key_of` the organizer and the UID."""
REGROUP: Final = "regroup"
"""Bring an organizer's copy into line with the groups that it invites; the key is the id of the object."""


def key_of(principal_id: int, uid: str) -> str:
    """The key of a task about the copy that a principal has of a meeting."""
    return f"{principal_id} {uid}"


def principal_and_uid(key: str) -> tuple[int, str]:
    """What `key_of` was made of."""
    principal, _, uid = key.partition(" ")
    return int(principal), uid


def refresh_later(txn: Transaction, policy: Policy, principal_id: int, uid: str) -> None:
    """Have attendees told how others answered: once for all answers of a short time."""
    due = txn.now + timedelta(seconds=policy.scheduling.refresh_seconds)
    txn.tasks.put(REFRESH, key_of(principal_id, uid), due=due)


def regroup_later(txn: Transaction, object_id: int) -> None:
    """Have an organizer's copy brought into line with the groups that it invites."""
    txn.tasks.put(REGROUP, str(object_id), due=txn.now)
