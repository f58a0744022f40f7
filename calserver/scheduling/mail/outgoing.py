"""What is to be sent by mail, and what became of it: values."""

from typing import Final

import attrs

SENT: Final = "1.1"
"""Handed over, and nothing known of what becomes of it (RFC 6638 section 3.2.9)."""
UNDELIVERABLE: Final = "5.1"
"""It did not arrive."""


@attrs.frozen(kw_only=True)
class Outgoing:
    """A scheduling message for one recipient.

    Attributes:
        principal: the id of whose message it is.
        originator: whom it is from: the calendar user address in the calendar data.
        recipient: whom it is for; both are ``mailto:``.
        text: the message, with its METHOD.
        previous: what the recipient was sent before; None where that is not known. It says what has changed.
        reason: why it is sent, in words; empty where that is not known.
    """

    principal: int
    originator: str
    recipient: str
    text: bytes = attrs.field(repr=False)
    previous: bytes | None = attrs.field(default=None, repr=False)
    reason: str = ""


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of it.

    Attributes:
        status: the delivery status (RFC 6638 section 3.2.9): `SENT` or `UNDELIVERABLE`; None where it is to be tried
            again later.
        detail: what the mail server said, or what is wrong, in words for an administrator.
    """

    status: str | None
    detail: str

    @property
    def again(self) -> bool:
        """Whether to try again later."""
        return self.status is None


class Unmailable(Exception):
    """It cannot be sent by mail, now or later; the text says why."""
