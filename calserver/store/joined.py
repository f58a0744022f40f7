"""Members written as text by the database itself: one value for thousands of rows.

Most of what a long listing costs is making Python objects of rows, only to join them again. Here the database joins
them, page by page (`ROWS`), from an index alone. It cannot escape anything, so a partial index knows the members that
need it (`dialects.unplain`); a collection that has one is listed in the ordinary way.
"""

from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import Any, Final

from sqlalchemy import and_, bindparam, func, select

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

Shape = tuple[Part | None, ...]
"""Which parts are columns; None is a text."""


@lru_cache(maxsize=64)
def page(shape: Shape, bound: bool = False, own: bool = False) -> Statement:
    """The statement for the members between two names, with the parameters ``text0``, ``text1`` ... for the texts."""
    etags = ((_s.etag,) if own else ()) + ((_o.common_etag,) if bound else ()) + (_o.etag,)
    etag = func.coalesce(*etags) if bound else _o.etag
    columns = {Part.NAME: _o.name, Part.ETAG: etag, Part.TYPE: _o.content_type}
    pieces: list[Any] = [
        bindparam(f"text{number}") if part is None else columns[part] for number, part in enumerate(shape)
    ]
    line = reduce(lambda one, other: one.concat(other), pieces)
    return Statement(
        select(joined(line, "separator", _o.name), func.count())
        .select_from(object_.outerjoin(personal, _is_personal) if own else object_)
        .where(
            _o.collection_id == bindparam("collection_id"), _o.name >= bindparam("begin"), _o.name < bindparam("end")
        )
    )


def write(
    connection: Connection, collection_id: int, template: Sequence[str | Part], most: int | None
) -> list[bytes] | None:
    """See `calserver.store.interface.Objects.joined`."""
    found = connection.one(PLAIN, collection_id=collection_id)
    if found is None:
        return None
    members, principal_id, bound, own = found
    first, *inner, last = template
    assert isinstance(first, str) and isinstance(last, str)  # noqa: PT018 - both say what a template is
    statement = page(tuple(part if isinstance(part, Part) else None for part in inner), bool(bound), bool(own))
    parameters = {f"text{number}": part for number, part in enumerate(inner) if not isinstance(part, Part)}
    parameters["separator"] = last + first
    if own:
        parameters["principal_id"] = principal_id
    written: list[bytes] = []
    begin, total = "", 0
    while begin != BEYOND:
        end = connection.value(BOUNDARY, collection_id=members, begin=begin, rows=ROWS) or BEYOND
        row = connection.one(statement, collection_id=members, begin=begin, end=end, **parameters)
        content, rows = row or (None, 0)
        total += rows
        if most is not None and total > most:
            return None
        if rows:
            written.append(b"".join((first.encode(), content, last.encode())))
        begin = end
    return written
