"""HTTP: twisted.web carries it, this room decides what it means.

Theory of operation. A connection (`channel`) parses messages within limits and deadlines; a `request` collects its
body, checks what other servers might read in another way, and knows how to write an answer; the `Site` finds the
handler of its path and knows what is running. Handlers are `DavAdapter`, which runs a DAV request as one transaction,
and `Discovery` for the paths around it; what fits neither goes to ``site.tree``, an ordinary tree of
`twisted.web.resource`. `Administration` is a site of its own for metrics and health.

Everything here runs in the reactor thread, but for parsing and decoding large bodies.
"""

from calserver.config import Config
from calserver.telemetry import AccessLog
from calserver.web.adapter import DavAdapter
from calserver.web.administration import Administration
from calserver.web.discovery import Discovery
from calserver.web.site import Site

__all__ = ["Administration", "DavAdapter", "Discovery", "Site", "public_site"]


def public_site(config: Config, adapter: DavAdapter, access_log: AccessLog | None) -> Site:
    """The site that clients see."""
    server = config.server
    below = {server.public_prefix: adapter.below_public, server.arriving_prefix: adapter.below_inner}
    return Site(
        server,
        body_bytes=config.dav.body_bytes,
        handlers=Discovery(adapter, adapter.spoken.dav_header).handlers(),
        below=below,
        metrics=adapter.metrics,
        access_log=access_log,
        reactor=adapter.reactor,
    )
