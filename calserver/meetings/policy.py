"""What a site wants of scheduling, and the ways by which messages leave it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import attrs

from calserver.config import Calendars, Scheduling
from calserver.itip import Message
from calserver.store import Principal, Transaction

Manner = Literal["deliver", "inbox", "refuse"]
"""What becomes of an invitation from elsewhere: a copy, a message in the Inbox without a copy, or nothing."""


class Route(Protocol):
    """A way to calendar users whose calendars are not here: another node, another organization, mail."""

    def take(
        self, txn: Transaction, message: Message, recipients: Sequence[str], sender: Principal | None
    ) -> Mapping[str, str]:
        """Take a message for some recipients, to be sent after the commit.

        Args:
            txn: what is to be sent is written down in it (`calserver.store.Tasks`).
            message: what is to be sent.
            recipients: normalized addresses that nobody has here, or somebody whose calendars are at another node.
            sender: whose message it is; None for one from elsewhere, and for one that only tells how others answered.

        Returns:
            The recipients that it takes, each with the delivery status so far (RFC 6638 section 3.2.9): mostly ``1.0``.
        """


@attrs.frozen
class Inquiry:
    """The question what people whose calendars are at another node have of a meeting."""

    node: str
    uid: str
    principals: tuple[int, ...]


@attrs.frozen
class Standing:
    """What somebody has of a meeting: by whom it is, and its highest SEQUENCE (RFC 5546 section 2.1.4).

    ``organizer`` is a principal, as ``principal`` is; None for somebody at another organization.
    """

    principal: int
    organizer: int | None
    sequence: int


def _silence(_: Inquiry) -> None:
    """Nobody is asked."""


@attrs.frozen(kw_only=True)
class Policy:
    """What is the same for all messages.

    ``prefix`` is the path of the DAV root as clients see it, ``origin`` scheme and authority of the server where they
    are known: principals are addressed by their URLs too.
    """

    calendars: Calendars
    scheduling: Scheduling
    prefix: str
    origin: str = ""
    routes: tuple[Route, ...] = ()
    """They are asked in this order."""
    node: str = ""
    """Which node of a cluster this is; empty: there is none, and everybody's calendars are here."""
    standings: Callable[[Inquiry], Sequence[Standing] | None] = _silence
    """Answers for another node, None where that says nothing; may raise what has it asked before the next try."""
