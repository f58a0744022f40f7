"""Paths of resources: decoded segments below the DAV root (RFC 4918 section 8.3)."""

from urllib.parse import quote, unquote_to_bytes

import attrs

from calserver.dav.errors import BadRequest

SAFE = "!$'()*+,;=:@-._~"
"""What stays as it is in a segment (RFC 3986 ``pchar`` without ``&``, so that a path never needs XML escaping, but
with ``'``, which needs none in element content)."""


def quote_segment(name: str) -> str:
    """A name as a path segment; needs no further escaping in XML element content."""
    return quote(name, safe=SAFE)


@attrs.frozen(slots=True)
class Href:
    """Where a resource is: the decoded segments of its path below the DAV root.

    ``collection`` is True where the path ends in a slash; it takes no part in comparisons, since ``/a`` and ``/a/``
    name the same collection (RFC 4918 section 5.2).
    """

    segments: tuple[str, ...] = ()
    collection: bool = attrs.field(default=False, eq=False)

    @classmethod
    def parse(cls, path: str) -> "Href":
        """Read an escaped path that begins below the DAV root.

        Raises:
            BadRequest: for dot segments, escaped slashes, NUL and other control characters, or what is not UTF-8.
        """
        segments = []
        parts = path.split("/")
        for part in parts:
            if not part:
                continue
            try:
                name = unquote_to_bytes(part).decode("utf-8")
            except UnicodeDecodeError:
                raise BadRequest("the path is not UTF-8") from None
            if name in (".", "..") or "/" in name or any(c < " " or c == "\x7f" for c in name):
                raise BadRequest("the path has a segment that names nothing here")
            segments.append(name)
        return cls(tuple(segments), path.endswith("/") or not segments)

    @property
    def name(self) -> str:
        """The last segment; empty for the root."""
        return self.segments[-1] if self.segments else ""

    @property
    def parent(self) -> "Href":
        """The collection that holds this; the root is its own parent."""
        return Href(self.segments[:-1], collection=True)

    def child(self, name: str, *, collection: bool = False) -> "Href":
        """A member of this collection."""
        return Href((*self.segments, name), collection)

    def within(self, other: "Href") -> bool:
        """Whether this is `other` or somewhere below it."""
        return self.segments[: len(other.segments)] == other.segments

    def __str__(self) -> str:
        """The escaped path relative to the DAV root, without a slash in front: ``calendars/user/ann/Default/``."""
        path = "/".join(quote_segment(each) for each in self.segments)
        return path + "/" if self.collection and path else path
