"""Members of collections as they are seen in them: of a shared calendar as its sharee sees them.

A collection that is **bound** to another one (`Collection.source_id`) has no members of its own. Whoever asks for its
members gets those of its source, as if they were in it; where the sharee has set alarms and the like, or the sharer has
ones that are not for everybody, with another text, ETag and size (`schema.personal`, ``object.common_etag``).

So a query for members is a union of arms, each of which finds nothing where it is not about its kind of collection:
one for collections with members of their own, one for bound ones whose sharee has nothing personal there, and one that
looks for what is personal. The last two cost a look at the collection where it is not bound.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    null,
    select,
    union_all,
)

from calserver.store.dialects import among
from calserver.store.schema import collection, common_content, content, object_, personal, tombstone
from calserver.store.statements import Statement

place = collection.alias("place")
"""The bound collection that is asked about."""
_p, _o, _s, _t = place.c, object_.c, personal.c, tombstone.c

Row = Sequence[ColumnElement[Any]]
Narrow = Callable[[Select[Any]], Select[Any]]
"""Adds conditions to an arm."""


def every(query: Select[Any]) -> Select[Any]:
    """No conditions: all members."""
    return query


_some = personal.alias("some").c
_anything_personal = exists(select(_some.object_id)).where(
    _some.collection_id == _p.source_id, _some.principal_id == _p.principal_id
)


_is_personal = and_(
    _s.collection_id == _p.source_id,
    _s.principal_id == _p.principal_id,
    _s.name == _o.name,
)
"""Beside an object of the source: in the order of its index, so that listings look for neighbors."""

_COMMON: dict[ColumnElement[Any], ColumnElement[Any]] = {
    _o.collection_id: _p.id,
    _o.home_id: _p.home_id,
    _o.etag: func.coalesce(_o.common_etag, _o.etag),
    _o.size: func.coalesce(_o.common_size, _o.size),
    _o.acl: null(),
    content.c.text: case((_o.common_etag.is_(None), content.c.text), else_=common_content.c.text),
}
"""What columns are for a sharee who has set nothing. Who may do what with the objects, the share alone says."""
_PERSONAL: dict[ColumnElement[Any], ColumnElement[Any]] = _COMMON | {
    _o.etag: func.coalesce(_s.etag, _o.common_etag, _o.etag),
    _o.size: func.coalesce(_s.size, _o.common_size, _o.size),
    content.c.text: case(
        (_s.object_id.is_not(None), _s.text), (_o.common_etag.is_(None), content.c.text), else_=common_content.c.text
    ),
}

BUSY_DIFFERS = func.coalesce(_s.busy_differs, _o.common_busy_differs, False)
"""Whether the index rows of an object do not tell a sharee's busy time; beside `with_personal`."""


def with_personal(query: Select[Any], *, texts: bool) -> Select[Any]:
    """Join what is personal to a query of `place` and the objects of its source."""
    query = query.outerjoin(personal, _is_personal)
    return query.outerjoin(common_content, common_content.c.object_id == _o.id) if texts else query


def personally(columns: Row) -> list[ColumnElement[Any]]:
    """Columns of an object, and its text, as the sharee sees them; beside `with_personal`."""
    return [_PERSONAL.get(column, column).label(column.name) for column in columns]


def members(columns: Row, narrow: Narrow, *, order: ColumnElement[Any] | None = None) -> CompoundSelect[Any]:
    """The members of the collection ``collection_id``.

    Args:
        columns: of `object_`, and maybe the text.
        narrow: which members.
        order: by which of the columns.
    """
    texts = content.c.text in set(columns)
    bound = select(*(_COMMON.get(column, column).label(column.name) for column in columns)).select_from(
        place.join(object_, _o.collection_id == _p.source_id)
    )
    if texts:
        bound = bound.join(content, content.c.object_id == _o.id)
        bound = bound.outerjoin(common_content, common_content.c.object_id == _o.id)
    asked = _p.id == bindparam("collection_id")
    plain = narrow(bound.where(asked, ~_anything_personal))
    theirs = select(*personally(columns)).select_from(place.join(object_, _o.collection_id == _p.source_id))
    if texts:
        theirs = theirs.join(content, content.c.object_id == _o.id)
    theirs = narrow(with_personal(theirs, texts=texts).where(asked, _anything_personal))
    return one_after_the_other((own_members(columns, narrow), plain, theirs), order)


def either(columns: Row, narrow: Narrow) -> Mapping[bool, Statement]:
    """The statement for members of any collection (True), and of one that is not bound, which saves a third."""
    return {True: Statement(members(columns, narrow)), False: Statement(own_members(columns, narrow))}


def own_members(columns: Row, narrow: Narrow) -> Select[Any]:
    """The same of a collection that is not bound: the first of the arms alone."""
    source = select(*columns).select_from(object_)
    if content.c.text in set(columns):
        source = source.join(content, content.c.object_id == _o.id)
    return narrow(source.where(_o.collection_id == bindparam("collection_id")))


def one_after_the_other(arms: Iterable[Select[Any]], order: ColumnElement[Any] | None = None) -> CompoundSelect[Any]:
    """The rows of arms of which mostly one finds anything, each in its order.

    To order the union itself would merge the arms, which takes half as long again.
    """
    if order is not None:
        arms = (select(arm.order_by(arm.selected_columns[str(order.key)]).subquery()) for arm in arms)
    return union_all(*arms)


def as_seen(one: bool, columns: Row) -> Select[Any]:
    """Objects of the sources of the bound collections ``collections``: a query to be narrowed; see `instances`."""
    query = select(*personally(columns)).select_from(place.join(object_, _o.collection_id == _p.source_id))
    texts = content.c.text in set(columns)
    if texts:
        query = query.join(content, content.c.object_id == _o.id)
    asked = _p.id == bindparam("collections") if one else among(_p.id, "collections")
    return with_personal(query, texts=texts).where(asked)
