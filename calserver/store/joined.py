"""Members written as text by the database itself: one value for thousands of rows.

Most of what a long listing costs is making Python objects of rows, only to join them again. Here the database joins
them, page by page (`ROWS`), from an index alone. It cannot escape anything, so a partial index knows the members that
need it (`dialects.unplain`); a collection that has one is listed in the ordinary way.
"""

from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import Any, Final

import attrs
from sqlalchemy import BindParameter, and_, bindparam, func, select

from calserver.store.dialects import joined, unplain
from calserver.store.schema import collection, object_, personal
from calserver.store.statements import Connection, Statement
from calserver.store.values import Part

ROWS: Final = 2000
"""Members in a page: no value of the database is larger than some hundred kilobytes."""

_c, _o, _s = collection.c, object_.c, personal.c
_members = func.coalesce(_c.source_id, _c.id)
_unplain = select(_o.id).where(_o.collection_id == _members, unplain()).exists()
_own = select(_s.object_id).where(_s.collection_id == _c.source_id, _s.principal_id == _c.principal_id).exists()
PLAIN: Final = Statement(
    select(_members, _c.principal_id, _c.source_id.is_not(None), _own).where(
        _c.id == bindparam("collection_id"), ~_unplain
    )
)
"""Whose members a collection has, and who sees them, if they all stand in a path and in XML as they are; whether it is
bound to another collection; whether the sharee has something personal there (see `calserver.store.seen`)."""

_is_personal = and_(
    _s.collection_id == _o.collection_id, _s.principal_id == bindparam("principal_id"), _s.name == _o.name
)

BOUNDARY: Final = Statement(
    select(_o.name)
    .where(_o.collection_id == bindparam("collection_id"), _o.name >= bindparam("begin"))
    .order_by(_o.name)
    .limit(1)
    .offset(bindparam("rows"))
)
"""Where the next page begins: to look for it takes a tenth of the time that a page takes which is cut by LIMIT."""
BEYOND: Final = "\x7f"
"""What lies behind all plain names."""
REVISION: Final = Statement(
    select(_o.revision)
    .where(_o.collection_id == bindparam("collection_id"), _o.revision > bindparam("begin"))
    .order_by(_o.revision)
    .limit(1)
    .offset(bindparam("rows"))
)
"""The revision at which the last member of a page was changed that is in the order of changes."""

Shape = tuple[Part | None, ...]
"""Which parts are columns; None is a text."""


@lru_cache(maxsize=64)
def page(shape: Shape, bound: bool = False, own: bool = False, *, changed: bool = False) -> Statement:
    """The statement for a page, with the parameters ``text0``, ``text1`` ... for the texts.

    A page has the members between two names; those that were `changed` have revisions up to another one.
    """
    etags = ((_s.etag,) if own else ()) + ((_o.common_etag,) if bound else ()) + (_o.etag,)
    etag = func.coalesce(*etags) if bound else _o.etag
    columns = {Part.NAME: _o.name, Part.ETAG: etag, Part.TYPE: _o.content_type}
    pieces: list[Any] = [
        bindparam(f"text{number}") if part is None else columns[part] for number, part in enumerate(shape)
    ]
    line = reduce(lambda one, other: one.concat(other), pieces)
    begin: BindParameter[Any] = bindparam("begin")
    end: BindParameter[Any] = bindparam("end")
    within = (_o.revision > begin, _o.revision <= end) if changed else (_o.name >= begin, _o.name < end)
    return Statement(
        select(joined(line, "separator", _o.revision if changed else _o.name))
        .select_from(object_.outerjoin(personal, _is_personal) if own else object_)
        .where(_o.collection_id == bindparam("collection_id"), *within)
    )


@attrs.frozen
class Pages:
    """How the members of a collection are written."""

    connection: Connection
    members: int
    """The collection that they are in."""
    template: Sequence[str | Part]
    principal_id: int
    bound: bool
    own: bool

    def write(self, begin: str | int, end: str | int) -> tuple[bytes, ...]:
        """One page of them, between two names or two revisions; nothing for an empty one."""
        first, *inner, last = self.template
        assert isinstance(first, str) and isinstance(last, str)  # noqa: PT018 - both say what a template is
        shape = tuple(part if isinstance(part, Part) else None for part in inner)
        parameters: dict[str, Any] = {
            f"text{number}": part for number, part in enumerate(inner) if not isinstance(part, Part)
        }
        if self.own:
            parameters["principal_id"] = self.principal_id
        content = self.connection.value(
            page(shape, self.bound, self.own, changed=isinstance(end, int)),
            collection_id=self.members,
            separator=last + first,
            begin=begin,
            end=end,
            **parameters,
        )
        return () if content is None else (first.encode(), content, last.encode())


def _pages(connection: Connection, collection_id: int, template: Sequence[str | Part]) -> Pages | None:
    """None where something would have to be escaped."""
    found = connection.one(PLAIN, collection_id=collection_id)
    if found is None:
        return None
    members, principal_id, bound, own = found
    return Pages(connection, members, template, principal_id, bool(bound), bool(own))


def write(connection: Connection, collection_id: int, template: Sequence[str | Part]) -> list[bytes] | None:
    """See `calserver.store.interface.Objects.joined`."""
    pages = _pages(connection, collection_id, template)
    return None if pages is None else _all(pages)


def write_some(
    connection: Connection, collection_id: int, template: Sequence[str | Part], most: int
) -> tuple[list[bytes], int | None] | None:
    """See `calserver.store.interface.Objects.joined_some`."""
    pages = _pages(connection, collection_id, template)
    if pages is None:
        return None
    if connection.value(REVISION, collection_id=pages.members, begin=0, rows=most) is None:
        return _all(pages), None
    written: list[bytes] = []
    begin = 0
    for left in range(most, 0, -ROWS):
        end = connection.value(REVISION, collection_id=pages.members, begin=begin, rows=min(left, ROWS) - 1)
        written += pages.write(begin, end)
        begin = end
    return written, begin


def _all(pages: Pages) -> list[bytes]:
    """All members, by name."""
    written: list[bytes] = []
    begin = ""
    while begin != BEYOND:
        end = pages.connection.value(BOUNDARY, collection_id=pages.members, begin=begin, rows=ROWS) or BEYOND
        written += pages.write(begin, end)
        begin = end
    return written
