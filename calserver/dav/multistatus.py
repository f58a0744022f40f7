"""Multistatus answers as joined text (RFC 4918 section 13): prebuilt fragments and escaped values, no trees.

A `Multistatus` takes the markup of one ``DAV:response`` after the other and cuts it into chunks of bytes as it goes, so
that a large answer is never one string.
"""

from collections.abc import Iterable
from http import HTTPStatus

from calserver.conditions import ConditionFailed
from calserver.dav import xml
from calserver.dav.errors import NeedPrivileges
from calserver.dav.message import Response
from calserver.dav.xml import Markup
from calserver.names import D

CHUNK_CHARACTERS = 65536
WHOLE_BYTES = 256 * 1024
"""Up to here an answer is one piece."""

_START = '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus' + xml.ROOT_NAMESPACES + ">"
_END = "</D:multistatus>\n"


def _status(status: HTTPStatus) -> Markup:
    return Markup(f"<D:status>HTTP/1.1 {status.value} {status.phrase}</D:status>")


STATUS = {status: _status(status) for status in HTTPStatus}
"""``DAV:status`` of each status."""

MEMBER_START = "<D:response><D:href>"
MEMBER_MIDDLE = "</D:href><D:propstat><D:prop>"
MEMBER_END = f"</D:prop>{STATUS[HTTPStatus.OK]}</D:propstat></D:response>"
"""With the path and the properties in between, a ``DAV:response`` where all properties are there."""

OPEN_OK = "<D:propstat><D:prop>"
CLOSE_OK = f"</D:prop>{STATUS[HTTPStatus.OK]}</D:propstat>"


def propstat(status: HTTPStatus, properties: str, *, error: str = "", description: str = "") -> Markup:
    """A ``DAV:propstat``: property elements that share a status; `error` is what `condition` makes."""
    inside = f"<D:error>{error}</D:error>" if error else ""
    if description:
        inside += xml.element(D("responsedescription"), description)
    return Markup(f"<D:propstat><D:prop>{properties}</D:prop>{STATUS[status]}{inside}</D:propstat>")


def response(path: str, propstats: str) -> Markup:
    """A ``DAV:response`` with propstats. `path` is escaped as URLs are, which leaves nothing for XML to escape."""
    return Markup(f"<D:response><D:href>{xml.escape(path)}</D:href>{propstats}</D:response>")


def status_response(path: str, status: HTTPStatus, *, error: str = "", description: str = "") -> Markup:
    """A ``DAV:response`` that says one status of the whole resource."""
    inside = f"<D:error>{error}</D:error>" if error else ""
    if description:
        inside += xml.element(D("responsedescription"), description)
    return Markup(f"<D:response><D:href>{xml.escape(path)}</D:href>{STATUS[status]}{inside}</D:response>")


def condition(refusal: ConditionFailed) -> Markup:
    """The element of a precondition or postcondition with its content (RFC 4918 section 16, RFC 3744 section 7.1.1)."""
    if isinstance(refusal, NeedPrivileges):
        return xml.element(
            refusal.name,
            *(
                xml.element(D("resource"), xml.href(path), xml.element(D("privilege"), xml.element(privilege)))
                for path, privilege in refusal.missing
            ),
        )
    return xml.element(refusal.name, *map(xml.href, refusal.hrefs))


class Multistatus:
    """Collects responses; `answer` makes the ``207`` of them."""

    def __init__(self, responses: Iterable[str] = ()) -> None:
        self._parts = [_START]
        self._characters = 0
        self._chunks: list[bytes] = []
        self.extend(responses)

    def add(self, response: str) -> None:
        """Add the markup of a ``DAV:response``."""
        self.extend((response,))

    def extend(self, responses: Iterable[str | bytes]) -> None:
        """Add many, each as markup, or as pieces of encoded markup."""
        parts, characters = self._parts, self._characters
        for each in responses:
            if isinstance(each, bytes):
                self._cut()
                self._chunks.append(each)
                parts, characters = self._parts, 0
                continue
            parts.append(each)
            characters += len(each)
            if characters > CHUNK_CHARACTERS:
                self._cut()
                parts, characters = self._parts, 0
        self._characters = characters

    def _cut(self) -> None:
        if self._parts:
            self._chunks.append("".join(self._parts).encode())
        self._parts = []
        self._characters = 0

    def answer(self, *headers: tuple[str, str], sync_token: str | None = None) -> Response:
        """The whole answer with further header fields, and ``DAV:sync-token`` at its end (RFC 6578 section 6.4)."""
        if sync_token is not None:
            self._parts.append(xml.element(D("sync-token"), sync_token))
        self._parts.append(_END)
        self._cut()
        few = sum(map(len, self._chunks)) <= WHOLE_BYTES
        body = b"".join(self._chunks) if few else tuple(self._chunks)
        return Response(HTTPStatus.MULTI_STATUS, (xml.CONTENT_TYPE, *headers), body)
