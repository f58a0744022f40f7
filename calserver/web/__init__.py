"""HTTP: twisted.web carries it, this room decides what it means.

Theory of operation. A connection (`channel`) parses messages within limits and deadlines; a `request` collects its
body, checks what other servers might read in another way, and knows how to write an answer; the `Site` finds the
handler of its path and knows what is running. Handlers are `DavAdapter`, which runs a DAV request as one transaction
unless its answer is known by heart (`Recall`), `Discovery` for the paths around it, `FederationPages` for other
servers; what fits none goes to
``site.tree``, an ordinary tree of `twisted.web.resource`. `Administration` is a site of its own for metrics and health.

Everything here runs in the reactor thread, but for parsing and decoding large bodies.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from calserver.telemetry import AccessLog
from calserver.web.adapter import DavAdapter
from calserver.web.administration import Administration, Health, store_health
from calserver.web.discovery import Discovery
from calserver.web.federation import FederationPages, NodePages
from calserver.web.forwarded import Client, parse_address
from calserver.web.intake import Intake
from calserver.web.recall import Recall
from calserver.web.request import Request, Running
from calserver.web.site import Early, Handler, Site

__all__ = [
    "Administration",
    "Client",
    "DavAdapter",
    "Discovery",
    "Early",
    "FederationPages",
    "Handler",
    "Health",
    "Intake",
    "NodePages",
    "Pages",
    "Recall",
    "Request",
    "Running",
    "Site",
    "parse_address",
    "serve_public",
    "store_health",
]


class Pages(Protocol):
    """Handlers of further paths."""

    def handlers(self) -> Mapping[str, Handler]:
        """By exact path."""

    def below(self) -> Mapping[str, Handler]:
        """By the beginning of the path."""


class Before(Protocol):
    """What looks at requests before the adapter does: the front of a cluster."""

    def before(self, prefix: str, answer: Handler) -> Handler:
        """A handler of requests below a prefix, which leaves some of them to another one."""

    def awake(self, answer: Handler) -> Handler:
        """A handler that leaves all requests to another one, as soon as they can be answered."""

    def early(self, request: Request, intake: Intake) -> Running | None:
        """Take a request with a large body, before that is there."""


def serve_public(
    site: Site,
    adapter: DavAdapter,
    access_log: AccessLog | None = None,
    pages: Sequence[Pages] = (),
    front: Before | None = None,
) -> None:
    """Let a site answer what clients ask, and other servers."""
    server = adapter.server
    below: Mapping[str, Handler] = {
        server.public_prefix: adapter.below_public,
        server.arriving_prefix: adapter.below_inner,
    }
    discovery = Discovery(adapter, adapter.spoken.dav_header)
    if front is not None:
        below = {prefix: front.before(prefix, answer) for prefix, answer in below.items()}
        discovery = attrs.evolve(discovery, before=front.before)
    handlers = discovery.handlers()
    for each in pages:
        handlers = {**handlers, **each.handlers()}
        below = {**each.below(), **below}
    if front is not None:
        handlers = {path: front.awake(each) for path, each in handlers.items()}
        below = {prefix: front.awake(each) for prefix, each in below.items()}
    site.serve(handlers, below, access_log=access_log, early=None if front is None else front.early)
