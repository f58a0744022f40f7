"""What scheduling leaves behind is removed after some time: messages in Inboxes, and entries of the journal."""

from datetime import timedelta
from typing import Final

from calserver.config import Scheduling
from calserver.store import Transaction

AT_ONCE: Final = 500
"""The most that is removed in one transaction."""


def empty_inboxes(txn: Transaction, settings: Scheduling) -> int:
    """Remove some messages that have lain in Inboxes for too long; returns how many.

    They were processed when they arrived, and tell people of that only; many clients never remove them.
    """
    if not settings.inbox_days:
        return 0
    found = txn.copies.received_before(txn.now - timedelta(days=settings.inbox_days), AT_ONCE)
    for each in found:
        txn.objects.remove(each)
    return len(found)


def forget(txn: Transaction, settings: Scheduling) -> int:
    """Forget some entries of the journal that are too old; returns how many."""
    return txn.journal.purge(txn.now - timedelta(days=settings.journal_days), 20 * AT_ONCE)
