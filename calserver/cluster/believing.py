"""Whether a request comes from a node: each assertion is believed once."""

import time
from typing import Final

from twisted.logger import Logger

from calserver.cluster.assertion import SCHEME, Assertion, NotBelieved, believed
from calserver.cluster.identity import Identity
from calserver.cluster.replays import Replays
from calserver.web import Request

log = Logger()

_MARK: Final = SCHEME.lower().encode() + b" "


class Doorkeeper:
    """Believes the nodes of the configuration, this one among them.

    Args:
        identity: of this node.
        replays: which assertions were used.
    """

    def __init__(self, identity: Identity, replays: Replays) -> None:
        self._identity = identity
        self._replays = replays

    def believed(self, request: Request) -> Assertion:
        """What is said of a request.

        Raises:
            NotBelieved: it is not proven, or there is none.
            OSError: it may have been said before.
        """
        try:
            return self._believed(request)
        except NotBelieved as error:
            log.warn("a request that says to come from a node is refused: {error}", error=error)
            raise
        except OSError as error:
            log.error("what other nodes hand on is refused, since it could be repeated: {error}", error=error)
            raise

    def _believed(self, request: Request) -> Assertion:
        now = time.time()
        values = request.requestHeaders.getRawHeaders(b"authorization", ())
        if len(values) != 1:
            raise NotBelieved("there is none, or more than one")
        assertion = believed(
            values[0].decode("latin-1"),
            self._identity.all,
            audience=self._identity.name,
            method=request.method.decode("latin-1"),
            target=request.uri.decode("latin-1"),
            now=now,
        )
        self._replays.use(assertion, now)
        return assertion


def is_asserted(request: Request) -> bool:
    """Whether a request says that another node has handed it on."""
    values = request.requestHeaders.getRawHeaders(b"authorization", ())
    return any(each.lower().startswith(_MARK) for each in values)
