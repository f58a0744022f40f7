"""Named refusals: one exception type per precondition or postcondition that an RFC names (RFC 4918 section 16).

A condition is declared in the room that detects it, as a subclass of `ConditionFailed`; the room that speaks the
protocol lists it in its `Extension`. Raising one rolls the transaction back, so a refusal changes nothing.
"""

from http import HTTPStatus
from typing import ClassVar


class ConditionFailed(Exception):
    """The request was refused for a reason that an RFC names (RFC 4918 section 16).

    Args:
        reason: one sentence for people, without secrets and without calendar text.
        hrefs: paths of the resources concerned, where the element's definition has ``DAV:href`` children.
    """

    name: ClassVar[str]
    """Clark name of the element inside ``DAV:error``."""
    status: ClassVar[HTTPStatus] = HTTPStatus.FORBIDDEN

    def __init__(self, reason: str = "", *, hrefs: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hrefs = hrefs
