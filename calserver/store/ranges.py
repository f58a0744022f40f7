"""The statements that find objects by time: by rows of the instance index, as they are seen where one asks.

Each is there twice: for one collection (True), which saves half of the time, and for many.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, case, func, or_, select, union_all

from calserver.store import instances as index
from calserver.store import seen
from calserver.store.rows import OBJECT
from calserver.store.schema import content, instance, object_
from calserver.store.statements import Connection, Statement

_o, _x = object_.c, content.c
TAKER = (_o.id, _o.collection_id, _o.name, _o.uid, _o.organizer, _o.acl)
"""The columns of `calserver.store.values.Taker`, in its order."""
_TEXTS = (*OBJECT, _x.text)
_with_text = select(*_TEXTS).join(content, _x.object_id == _o.id)


def within(
    connection: Connection, collection_ids: Iterable[int], start: int, end: int, floating_offset: tuple[int, int]
) -> tuple[bool, dict[str, Any]]:
    """Whether it is about one collection, and the parameters of the statements here."""
    ids = list(collection_ids)
    one = len(ids) == 1
    collections = ids[0] if one else connection.values(ids)
    return one, {"collections": collections, **index.window(start, end, floating_offset)}


def _in_range(one: bool) -> tuple[Statement, Statement]:
    """The range query for all components, and for one."""
    own = _with_text.where(_o.id.in_(index.overlapping(one, instance.c.object_id)))
    bound = seen.as_seen(one, _TEXTS).where(_o.id.in_(index.overlapping(one, instance.c.object_id, bound=(True,))))
    component = _o.component == bindparam("component")
    return (
        Statement(seen.one_after_the_other((own, bound), _o.id)),
        Statement(seen.one_after_the_other((own.where(component), bound.where(component)), _o.id)),
    )


def _available(one: bool) -> Statement:
    """The same for availability, whose rows are all free: no other objects are looked at."""
    ids, free = instance.c.object_id, (instance.c.busy == "F",)
    own = _with_text.where(_o.id.in_(index.overlapping(one, ids, only=free)))
    bound = seen.as_seen(one, _TEXTS).where(_o.id.in_(index.overlapping(one, ids, bound=(True,), only=free)))
    arms = (arm.where(_o.component == "VAVAILABILITY") for arm in (own, bound))
    return Statement(seen.one_after_the_other(arms, _o.id))


def _taken(one: bool) -> Statement:
    """What `calserver.store.values.Taken` has, from the index alone."""
    band = instance.c.band
    columns = (instance.c.start, instance.c.end, instance.c.busy, band >= index.FLOATING, instance.c.collection_id)
    marked = band % index.FLOATING == index.MARKER
    ids = instance.c.object_id
    return Statement(index.overlapping(one, *columns, ids, marked, only=(instance.c.busy != "F",)))


def _busy(one: bool, bound: bool) -> Statement:
    columns = (instance.c.object_id, *index.COLUMNS)
    found = index.overlapping(one, *columns).subquery("found")
    own = select(*TAKER, *(found.c[each.name] for each in index.COLUMNS))
    own = own.join(found, found.c.object_id == _o.id).where(found.c.busy != "F")
    if not bound:
        return Statement(own)
    found = index.overlapping(one, *columns, bound=(True,)).subquery("found")
    band = case((seen.BUSY_DIFFERS, index.MARKER), else_=found.c.band)
    theirs = seen.as_seen(one, TAKER).add_columns(band, *(found.c[each.name] for each in index.COLUMNS[1:]))
    theirs = theirs.join(found, found.c.object_id == _o.id).where(or_(seen.BUSY_DIFFERS, found.c.busy != "F"))
    return Statement(union_all(own, theirs))


def _only_marked(one: bool) -> Statement:
    columns = (instance.c.object_id, instance.c.band)
    found = index.overlapping(one, *columns, bound=(False, True)).subquery("found")
    marked = func.min(found.c.band % index.FLOATING) == index.MARKER
    return Statement(select(found.c.object_id).group_by(found.c.object_id).having(marked))


IN_RANGE = {one: _in_range(one) for one in (False, True)}
AVAILABLE = {one: _available(one) for one in (False, True)}
TAKEN = {one: _taken(one) for one in (False, True)}
ONLY_MARKED = {one: _only_marked(one) for one in (False, True)}
BUSY = {(one, bound): _busy(one, bound) for one in (False, True) for bound in (False, True)}
"""The second is whether some of the collections may be bound to others, which takes twice as long."""
