"""What clients find who know nothing but our name: well-known paths, the root, and paths that they guess (RFC 6764).

Redirects name a path only, so neither a proxy nor a port can make them wrong, and ask nobody to authenticate: clients
would have to do it twice.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import attrs

from calserver.web.adapter import DavAdapter
from calserver.web.request import Request, Running
from calserver.web.site import Handler

SERVICES: Final = ("caldav", "carddav")
GUESSES: Final = ("/caldav", "/carddav", "/principals", "/calendars", "/addressbooks")
"""Where clients of other servers look."""

_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Calendars</title></head>
<body><h1>Calendars</h1>
<p>This is a calendar server. Give your calendar program this address and your account:</p>
<p><code>{address}</code></p></body></html>
"""


FRONT_METHODS: Final = "GET, HEAD, OPTIONS, PROPFIND, REPORT"
"""What the root of the host has."""


@attrs.frozen
class Discovery:
    """Handlers of the paths outside of the DAV root."""

    adapter: DavAdapter
    features: str
    """The DAV field."""
    before: Callable[[str, Handler], Handler] = lambda prefix, answer: answer
    """Lets somebody look first at requests below a prefix: `calserver.web.Before.before`."""

    def handlers(self) -> Mapping[str, Handler]:
        """By exact path."""
        prefix = self.adapter.server.public_prefix
        found: dict[str, Handler] = {"*": self.options}
        for service in SERVICES:
            found[f"/.well-known/{service}"] = self.well_known
            found[f"/.well-known/{service}/"] = self.moved
        if prefix == "/":
            return found
        for guess in GUESSES:
            found[guess] = found[guess + "/"] = self.well_known
        for each in {prefix, self.adapter.server.arriving_prefix} - {"/"}:
            found[each[:-1]] = self.before(each[:-1], self.adapter.root)
        found["/"] = self.front
        return found

    def well_known(self, request: Request) -> None:
        """Redirect to the DAV root (RFC 6764 section 5).

        Clients repeat GET after 301 as it was. After 307 all of them repeat any other method too, with its body, which
        some leave out after 301.
        """
        if request.method in (b"GET", b"HEAD"):
            self.moved(request)
        else:
            self._redirect(request, HTTPStatus.TEMPORARY_REDIRECT)

    def moved(self, request: Request) -> None:
        """Redirect to the DAV root; the spelling with a slash at the end is no well-known path, just a near miss."""
        self._redirect(request, HTTPStatus.MOVED_PERMANENTLY)

    def _redirect(self, request: Request, status: HTTPStatus) -> None:
        location = ("Location", self.adapter.server.public_prefix)
        request.respond(status, [location, ("Cache-Control", "max-age=86400")])

    def front(self, request: Request) -> Running | None:
        """The root of the host: for PROPFIND and REPORT another name of the DAV root; for browsers a page."""
        if request.method in (b"PROPFIND", b"REPORT"):
            return self.before("/", self.adapter.root)(request)
        if request.method == b"OPTIONS":
            self.options(request)
        elif request.method in (b"GET", b"HEAD"):
            self._page(request)
        else:
            request.refuse(HTTPStatus.METHOD_NOT_ALLOWED, "", ("Allow", FRONT_METHODS))
        return None

    def options(self, request: Request) -> None:
        """What the server speaks, in general (RFC 9110 section 9.3.7)."""
        request.respond(HTTPStatus.OK, [("DAV", self.features), ("Allow", FRONT_METHODS)])

    def _page(self, request: Request) -> None:
        origin = request.origin
        scheme = "https" if origin.secure else "http"
        address = f"{scheme}://{origin.host}{self.adapter.server.public_prefix}"
        fields = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", "default-src 'none'"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        request.respond(HTTPStatus.OK, fields, _PAGE.format(address=address).encode())
