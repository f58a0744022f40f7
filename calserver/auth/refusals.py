"""Why somebody cannot come in, besides wrong credentials."""

import math
from http import HTTPStatus

from calserver.dav import Refusal


class TooManyAttempts(Refusal):
    """Too many wrong passwords lately (RFC 6585 section 4)."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, wait_seconds: float) -> None:
        super().__init__("too many wrong passwords; try again later", {"Retry-After": str(math.ceil(wait_seconds))})


class Overloaded(Refusal):
    """More passwords are waiting to be checked than can be in a short time (RFC 9110 section 15.6.4)."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("too many logins at once; try again shortly", {"Retry-After": "5"})


class NotYetKnown(Refusal):
    """Another node vouches for an account that this one does not know, or not any more."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("this node does not know the account yet", {"Retry-After": "1"})
