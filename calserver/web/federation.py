"""The paths for other servers: where messages are posted, and where public keys are found; and that for other nodes."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, Protocol
from urllib.parse import parse_qsl, unquote

import attrs

from calserver.web.request import Request, Running
from calserver.web.site import Handler
from ischedule.receiver import Answer, Incoming
from ischedule.resource import raw_fields

PATHS: Final = ("/ischedule", "/.well-known/ischedule")
KEYS: Final = "/.well-known/domainkey/"
METHODS: Final = "GET, HEAD, OPTIONS, POST"


class Office(Protocol):
    """Who answers: `calserver.scheduling.Federation`."""

    def announce(self, arguments: Mapping[str, str]) -> Answer:
        """What is accepted."""

    async def receive(self, incoming: Incoming) -> Answer:
        """Take a message, or refuse it."""

    def published(self, domain: str, selector: str) -> Sequence[str]:
        """The records of a key."""


@attrs.frozen
class FederationPages:
    """Handlers of these paths."""

    office: Office

    def handlers(self) -> Mapping[str, Handler]:
        """By exact path."""
        return dict.fromkeys(PATHS, self.ischedule)

    def below(self) -> Mapping[str, Handler]:
        """By the beginning of the path."""
        return {KEYS: self.key}

    def ischedule(self, request: Request) -> Running | None:
        """The receiver (draft-desruisseaux-ischedule section 5)."""
        match request.method:
            case b"POST":
                return self._receive(request)
            case b"GET" | b"HEAD":
                self._announce(request)
            case b"OPTIONS":
                fields = [*self.office.announce({}).headers[:2], ("Allow", METHODS)]
                request.respond(HTTPStatus.OK, fields)
            case _:
                request.refuse(HTTPStatus.METHOD_NOT_ALLOWED, "", ("Allow", METHODS))
        return None

    def _announce(self, request: Request) -> None:
        answer = self.office.announce(dict(parse_qsl(request.query)))
        known = request.field("If-None-Match")
        if known and ("ETag", known.strip()) in answer.headers:
            request.respond(HTTPStatus.NOT_MODIFIED, answer.headers)
        else:
            request.respond(answer.status, answer.headers, answer.body)

    async def _receive(self, request: Request) -> None:
        answer = await self.office.receive(_incoming(request))
        request.respond(answer.status, answer.headers, answer.body)

    def key(self, request: Request) -> None:
        """The public keys of a domain and selector, one record in each line."""
        if request.method not in (b"GET", b"HEAD"):
            request.refuse(HTTPStatus.METHOD_NOT_ALLOWED, "", ("Allow", "GET, HEAD"))
            return
        domain, _, selector = unquote(request.path.decode("ascii"))[len(KEYS) :].partition("/")
        records = self.office.published(domain.lower(), selector.lower())
        if not records:
            request.refuse(HTTPStatus.NOT_FOUND, "no such key")
            return
        fields = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "max-age=3600")]
        request.respond(HTTPStatus.OK, fields, "".join(f"{each}\r\n" for each in records).encode())


class InnerOffice(Protocol):
    """Who answers other nodes of the cluster: `calserver.scheduling.Federation`, too."""

    async def receive_within(self, incoming: Incoming) -> Answer:
        """Take a message of another node, or refuse it."""


@attrs.frozen
class NodePages:
    """Handler of the path for other nodes."""

    path: str
    office: InnerOffice

    def handlers(self) -> Mapping[str, Handler]:
        """By exact path."""
        return {self.path: self.post}

    def below(self) -> Mapping[str, Handler]:
        """By the beginning of the path."""
        return {}

    def post(self, request: Request) -> Running | None:
        """Take a message."""
        if request.method != b"POST":
            request.refuse(HTTPStatus.METHOD_NOT_ALLOWED, "", ("Allow", "POST"))
            return None
        return self._receive(request)

    async def _receive(self, request: Request) -> None:
        answer = await self.office.receive_within(_incoming(request))
        request.respond(answer.status, answer.headers, answer.body)


def _incoming(request: Request) -> Incoming:
    return Incoming(fields=raw_fields(request), body=request.body, address=str(request.origin.address or "unix"))
