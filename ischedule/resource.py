"""The receiver as a resource of twisted.web, and the pages on which keys are published.

    root = Resource()
    well_known = Resource()
    root.putChild(b".well-known", well_known)
    well_known.putChild(b"ischedule", ReceiverResource(receiver))
    well_known.putChild(b"domainkey", KeyPages(publish))
    endpoint.listen(ReceiverSite(root, body_bytes=1_048_576))

Twisted reads a request's body, however large, before any resource sees it: `ReceiverSite` bounds it while it comes.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request as Protocol
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from ischedule import xml
from ischedule.errors import MaxContentLength, RequestRefused
from ischedule.message import Fields
from ischedule.receiver import Answer, Incoming, Receiver

log = Logger()

LINGER_SECONDS: Final = 5.0
"""How long a body that is too large may go on coming: closing at once could take the answer from the peer."""


class ReceiverResource(Resource):
    """Where messages are posted, and capabilities are got."""

    isLeaf = True

    def __init__(self, receiver: Receiver) -> None:
        super().__init__()
        self._receiver = receiver

    def render_GET(self, request: Request) -> bytes:
        """Say what is accepted; HEAD comes here, too."""
        if request.postpath not in ([], [b""]):
            return _write(request, self._receiver.refuse(RequestRefused("Not here."), HTTPStatus.NOT_FOUND))
        arguments = {
            name.decode("latin-1"): values[-1].decode("latin-1") for name, values in (request.args or {}).items()
        }
        answer = self._receiver.announce(arguments)
        for name, value in answer.headers:
            if name == "ETag" and request.setETag(value.encode("ascii")):
                answer = Answer(status=HTTPStatus.NOT_MODIFIED, headers=answer.headers, body=b"")
        return _write(request, answer)

    def render_OPTIONS(self, request: Request) -> bytes:
        """Say what can be asked for."""
        headers = (*self._receiver.announce({}).headers[:2], ("Allow", "GET, HEAD, OPTIONS, POST"))
        return _write(request, Answer(status=HTTPStatus.OK, headers=headers, body=b""))

    def render_POST(self, request: Request) -> int:
        """Receive a message."""
        assert request.content is not None  # it was read before this
        body = request.content.read()
        incoming = Incoming(fields=raw_fields(request), body=body, address=request.getClientAddress().host)
        gone = False

        def leave(_: object) -> None:
            nonlocal gone
            gone = True

        def finish(result: Answer | Failure) -> None:
            if isinstance(result, Failure):
                log.failure("a message could not be processed", result)
                result = self._receiver.refuse(
                    RequestRefused("Something is wrong here."), HTTPStatus.INTERNAL_SERVER_ERROR
                )
            if not gone:
                request.write(_write(request, result))
                request.finish()

        request.notifyFinish().addErrback(leave)
        Deferred.fromCoroutine(self._receiver.receive(incoming)).addBoth(finish)
        return NOT_DONE_YET

    def render(self, request: Request) -> bytes | int:
        """Answer any method."""
        if request.method not in (b"GET", b"HEAD", b"OPTIONS", b"POST"):
            answer = self._receiver.refuse(
                RequestRefused("The method is none of these."), HTTPStatus.METHOD_NOT_ALLOWED
            )
            request.setHeader("Allow", "GET, HEAD, OPTIONS, POST")
            return _write(request, answer)
        answered: bytes | int = super().render(request)
        return answered


def raw_fields(request: Protocol) -> Fields:
    """The header fields of a request; those of one name in their order, which is what signatures need."""
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, values in request.requestHeaders.getAllRawHeaders()
        for value in values
    )


def _write(request: Protocol, answer: Answer) -> bytes:
    request.setResponseCode(answer.status)
    for name, value in answer.headers:
        request.setHeader(name, value)
    if answer.status != HTTPStatus.NOT_MODIFIED:
        request.setHeader("Content-Length", str(len(answer.body)))
    return b"" if request.method == b"HEAD" else answer.body


class KeyPages(Resource):
    """Public keys below ``/.well-known/domainkey/``: a page of text for each domain and selector.

    Args:
        publish: the records of a domain and selector, none if there are none.
    """

    def __init__(self, publish: Callable[[str, str], Sequence[str]]) -> None:
        super().__init__()
        self._publish = publish

    def getChild(self, path: bytes, request: Request) -> IResource:
        """All pages are here."""
        request.postpath = [path, *(request.postpath or [])]
        return _KeyPage(self._publish)


class _KeyPage(Resource):
    isLeaf = True

    def __init__(self, publish: Callable[[str, str], Sequence[str]]) -> None:
        super().__init__()
        self._publish = publish

    def render_GET(self, request: Request) -> bytes:
        """The records of a key, one in each line."""
        try:
            domain, selector = (each.decode("ascii").lower() for each in request.postpath or ())
            records = self._publish(domain, selector)
        except ValueError:  # another number of parts, or not in ASCII
            records = ()
        request.setHeader("Content-Type", "text/plain; charset=utf-8")
        if not records:
            request.setResponseCode(HTTPStatus.NOT_FOUND)
            return b"no such key\r\n"
        request.setHeader("Cache-Control", "max-age=3600")
        return "".join(f"{record}\r\n" for record in records).encode()


class BoundedRequest(Request):
    """A request whose body is not larger than it may be: what is beyond is refused while it comes, and dropped."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most: int = self.channel.site.body_bytes  # type: ignore[attr-defined] # set by the site
        self._left = self._most
        self._refused = False
        self._linger: IDelayedCall | None = None

    def gotLength(self, length: int | None) -> None:
        """The header is there."""
        if length is not None and length > self._left:
            self.requestHeaders.removeHeader(b"expect")  # or the parser would ask for the body
            self._refuse()
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body is there."""
        self._left -= len(data)
        if self._refused:
            return
        if self._left < 0:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def _refuse(self) -> None:
        """Answer at once; the request ends with its body, or a little later."""
        self._refused = True
        self.method, self.clientproto = b"POST", b"HTTP/1.1"
        self.channel.persistent = False
        self.setHeader(b"Connection", b"close")
        refused = MaxContentLength(f"The body may have {self._most} octets.")
        headers = (xml.CONTENT_TYPE, ("iSchedule-Version", "1.0"))
        self.write(_write(self, Answer(status=refused.status, headers=headers, body=xml.error(refused))))
        self._linger = self.channel.callLater(LINGER_SECONDS, self.channel.loseConnection)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The body is there."""
        if self._refused:
            self._stop_lingering()
            self.finish()
            return
        # What Twisted does here, but for looking into the body for forms: a calendar is none.
        assert self.content is not None
        self.content.seek(0)
        self.method, self.uri, self.clientproto = command, path, version
        self.path, _, query = path.partition(b"?")
        self.args = parse_qs(query, keep_blank_values=True)
        self.process()

    def connectionLost(self, reason: Failure) -> None:
        """The peer is gone."""
        self._stop_lingering()
        super().connectionLost(reason)

    def _stop_lingering(self) -> None:
        if self._linger is not None and self._linger.active():
            self._linger.cancel()


class ReceiverSite(Site):
    """A site whose requests are bounded."""

    requestFactory = BoundedRequest
    displayTracebacks = False

    def __init__(self, root: IResource, *, body_bytes: int, **how: Any) -> None:
        super().__init__(root, **how)
        self.body_bytes = body_bytes

    def acceptableProtocols(self) -> list[bytes]:
        """HTTP/1.1, which no iSchedule server goes beyond."""
        return [b"http/1.1"]
