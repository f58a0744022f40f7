"""Members written as text by the database itself: one value for thousands of rows.

Most of what a long listing costs is making Python objects of rows, only to join them again. Here the database joins
them, page by page (`ROWS`), from an index alone. It cannot escape anything, so a partial index knows the members that
need it (`dialects.UNPLAIN`); a collection that has one is listed in the ordinary way.
"""

from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import Any, Final

from sqlalchemy import bindparam, func, select, text

from calserver.store.dialects import UNPLAIN, joined
from calserver.store.schema import collection, object_
from calserver.store.statements import Connection, Statement
from calserver.store.values import Part

ROWS: Final = 2000
"""Members in a page: no value of the database is larger than some hundred kilobytes."""

_c, _o = collection.c, object_.c
_unplain = select(_o.id).where(_o.collection_id == bindparam("collection_id"), text(UNPLAIN)).exists()
PLAIN: Final = Statement(select(_c.id).where(_c.id == bindparam("collection_id"), _c.source_id.is_(None), ~_unplain))
"""Whether a collection has members of its own that all stand in a path and in XML as they are."""

Shape = tuple[Part | None, ...]
"""Which parts are columns; None is a text."""


@lru_cache(maxsize=64)
def page(shape: Shape) -> Statement:
    """The statement for one page, with the parameters ``text0``, ``text1`` ... for the texts."""
    rows = (
        select(_o.name, _o.etag, _o.content_type)
        .where(_o.collection_id == bindparam("collection_id"), _o.name > bindparam("after"))
        .order_by(_o.name)
        .limit(bindparam("rows"))
        .subquery("page")
    )
    columns = {Part.NAME: rows.c.name, Part.ETAG: rows.c.etag, Part.TYPE: rows.c.content_type}
    pieces: list[Any] = [
        bindparam(f"text{number}") if part is None else columns[part] for number, part in enumerate(shape)
    ]
    line = reduce(lambda one, other: one.concat(other), pieces)
    return Statement(select(joined(line, "separator"), func.max(rows.c.name), func.count()))


def write(
    connection: Connection, collection_id: int, template: Sequence[str | Part], most: int | None
) -> list[bytes] | None:
    """See `calserver.store.interface.Objects.joined`."""
    if connection.one(PLAIN, collection_id=collection_id) is None:
        return None
    first, *inner, last = template
    assert isinstance(first, str) and isinstance(last, str)  # noqa: PT018 - both say what a template is
    statement = page(tuple(part if isinstance(part, Part) else None for part in inner))
    parameters = {f"text{number}": part for number, part in enumerate(inner) if not isinstance(part, Part)}
    written: list[bytes] = []
    after, total, rows = "", 0, ROWS
    while rows == ROWS:
        row = connection.one(
            statement, collection_id=collection_id, after=after, rows=ROWS, separator=last + first, **parameters
        )
        assert row is not None
        content, after, rows = row
        total += rows
        if most is not None and total > most:
            return None
        if rows:
            written.append(b"".join((first.encode(), content, last.encode())))
    return written
