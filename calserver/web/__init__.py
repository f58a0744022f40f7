"""HTTP: twisted.web carries it, this room decides what it means.

Theory of operation. A connection (`channel`) parses messages within limits and deadlines; a `request` collects its
body, checks what other servers might read in another way, and knows how to write an answer; the `Site` finds the
handler of its path and knows what is running. Handlers are `DavAdapter`, which runs a DAV request as one transaction
unless its answer is known by heart (`Recall`), `Discovery` for the paths around it, `FederationPages` for other
servers; what fits none goes to
``site.tree``, an ordinary tree of `twisted.web.resource`. `Administration` is a site of its own for metrics and health.

Everything here runs in the reactor thread, but for parsing and decoding large bodies.
"""

from calserver.telemetry import AccessLog
from calserver.web.adapter import DavAdapter
from calserver.web.administration import Administration, Health, store_health
from calserver.web.discovery import Discovery
from calserver.web.federation import FederationPages
from calserver.web.recall import Recall
from calserver.web.site import Site

__all__ = [
    "Administration",
    "DavAdapter",
    "Discovery",
    "FederationPages",
    "Health",
    "Recall",
    "Site",
    "serve_public",
    "store_health",
]


def serve_public(
    site: Site, adapter: DavAdapter, access_log: AccessLog | None = None, federation: FederationPages | None = None
) -> None:
    """Let a site answer what clients ask, and other servers."""
    server = adapter.server
    below = {server.public_prefix: adapter.below_public, server.arriving_prefix: adapter.below_inner}
    handlers = Discovery(adapter, adapter.spoken.dav_header).handlers()
    if federation is not None:
        handlers = {**handlers, **federation.handlers()}
        below = {**federation.below(), **below}
    site.serve(handlers, below, access_log=access_log)
