"""Paths of resources: decoded segments below the DAV root (RFC 4918 section 8.3)."""

import re
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

import attrs

from calserver.dav.errors import BadRequest

SAFE = "!$'()*+,;=:@-._~"
"""What stays as it is in a segment (RFC 3986 ``pchar`` without ``&``, so that a path never needs XML escaping, but
with ``'``, which needs none in element content)."""


_NOWHERE = (".", "..")
_NEVER = re.compile("[\x00-\x1f\x7f/\ud800-\udfff\ufffe\uffff]")
_BROKEN = re.compile("%(?![0-9A-Fa-f]{2})")
_SAFE_NAME = re.compile(f"[A-Za-z0-9{re.escape(SAFE)}]*", re.ASCII)


def quote_segment(name: str) -> str:
    """A name as a path segment; needs no further escaping in XML element content."""
    return _quote_again(name) if len(name) <= _SHORT else _quote(name)


def _quote(name: str) -> str:
    return name if _SAFE_NAME.fullmatch(name) else quote(name, safe=SAFE)


_SHORT = 256
"""Characters of names and paths that are remembered: most requests are for what was asked for a while ago."""
_quote_again = lru_cache(maxsize=4096)(_quote)


@attrs.frozen(slots=True)
class Href:
    """Where a resource is: the decoded segments of its path below the DAV root.

    ``collection`` is True where the path ends in a slash; it takes no part in comparisons, since ``/a`` and ``/a/``
    name the same collection (RFC 4918 section 5.2).
    """

    segments: tuple[str, ...] = ()
    collection: bool = attrs.field(default=False, eq=False)
    _text: str | None = attrs.field(default=None, eq=False, repr=False)

    @classmethod
    def parse(cls, path: str) -> "Href":
        """Read an escaped path that begins below the DAV root.

        Raises:
            BadRequest: for dot segments, escaped slashes, NUL and other control characters, broken escapes, or what is
                no text.
        """
        return _parse_again(path) if len(path) <= _SHORT else cls._parse(path)

    @classmethod
    def _parse(cls, path: str) -> "Href":
        segments = tuple(each for each in path.split("/") if each)
        if "%" in path:
            if _BROKEN.search(path):
                raise BadRequest("the path has an escape that is none")
            try:
                segments = tuple(unquote_to_bytes(each).decode("utf-8") for each in segments)
            except UnicodeError:
                raise BadRequest("the path is not UTF-8") from None
        if any(each in _NOWHERE or _NEVER.search(each) for each in segments):
            raise BadRequest("the path has a segment that names nothing here")
        return cls(segments, path.endswith("/") or not segments)

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
        above = str(self)
        if above and not self.collection:
            above += "/"
        return Href((*self.segments, name), collection, above + quote_segment(name) + ("/" if collection else ""))

    def within(self, other: "Href") -> bool:
        """Whether this is `other` or somewhere below it."""
        return self.segments[: len(other.segments)] == other.segments

    def __str__(self) -> str:
        """The escaped path relative to the DAV root, without a slash in front: ``calendars/user/ann/Default/``."""
        if self._text is None:
            path = "/".join(map(quote_segment, self.segments))
            object.__setattr__(self, "_text", path + "/" if self.collection and path else path)
        return self._text or ""


_parse_again = lru_cache(maxsize=4096)(Href._parse)
