"""Members written straight as text: what most listings and sync reports ask, without a resource for each member.

Clients that poll ask for ETags and types of thousands of members; those stand in an index of the store. The markup is
that of `calserver.dav.multistatus`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from calserver.dav import MEMBER_END, MEMBER_MIDDLE, MEMBER_START, Collection, quote_segment, xml
from calserver.names import D
from calserver.store import Part

QUICK: Final = frozenset({D("getetag"), D("getcontenttype"), D("resourcetype")})
"""The properties that can be written so."""


class Writer:
    """Writes the ``DAV:response`` of members with the properties `names`, which are some of `QUICK`."""

    def __init__(self, names: frozenset[str]) -> None:
        self._etag = D("getetag") in names
        self._type = D("getcontenttype") in names
        self._kind = D("resourcetype") in names
        self._tails: dict[str, str] = {}

    def objects(self, path: str, rows: Iterable[Sequence[Any]]) -> list[str]:
        """Members with content of the collection at `path`: rows that begin with name, ETag and content type.

        Nothing here but the driver looks at each member of a large collection, so this is written out.
        """
        start, middle, tails = MEMBER_START + path, MEMBER_MIDDLE, self._tails
        for content_type in {row[2] for row in rows}:
            tails[content_type] = self._tail(content_type)
        if not self._etag:
            return [f"{start}{quote_segment(row[0])}{middle}{tails[row[2]]}" for row in rows]
        middle += '<D:getetag>"'
        return [f"{start}{quote_segment(row[0])}{middle}{row[1]}{tails[row[2]]}" for row in rows]

    def template(self, path: str) -> Sequence[str | Part]:
        """How the store writes the same of all members of the collection at `path` (`Objects.joined`)."""
        after_name, after_etag = MEMBER_MIDDLE + ('<D:getetag>"' if self._etag else ""), '"</D:getetag>'
        start: tuple[str | Part, ...] = (MEMBER_START + path, Part.NAME, after_name)
        etag: tuple[str | Part, ...] = (Part.ETAG, after_etag) if self._etag else ()
        type_: tuple[str | Part, ...] = ("<D:getcontenttype>", Part.TYPE, "</D:getcontenttype>") if self._type else ()
        return (*start, *etag, *type_, ("<D:resourcetype/>" if self._kind else "") + MEMBER_END)

    def with_content(self, tags: tuple[str, str]) -> Callable[[str, str, bytes], str]:
        """What writes all that stands behind the path of a member, its content as a property between `tags`.

        It takes ETag, content type and content.
        """
        start, tails, escaped = f"{MEMBER_MIDDLE}<{tags[0]}>", self._tails, xml.escaped
        end = f'</{tags[1]}><D:getetag>"' if self._etag else f"</{tags[1]}>"
        shown = self._etag

        def write(etag: str, content_type: str, content: bytes) -> str:
            tail = tails.get(content_type) or tails.setdefault(content_type, self._tail(content_type))
            return f"{start}{escaped(content)}{end}{etag if shown else ''}{tail}"

        return write

    def _tail(self, content_type: str) -> str:
        text = '"</D:getetag>' if self._etag else ""
        if self._type:
            text += xml.element(D("getcontenttype"), content_type)
        if self._kind:
            text += "<D:resourcetype/>"
        return text + MEMBER_END

    def collection(self, member: Collection) -> str:
        """A member collection."""
        text = MEMBER_START + member.path + MEMBER_MIDDLE
        if self._etag:
            text += xml.element(D("getetag"), member.etag or "")
        if self._type:
            text += xml.element(D("getcontenttype"), member.content_type or "")
        if self._kind:
            text += xml.element(D("resourcetype"), *map(xml.element, member.resourcetype))
        return text + MEMBER_END
