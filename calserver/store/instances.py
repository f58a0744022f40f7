"""The instance index: which objects have something in a range of time.

A range query must cost the same in a calendar of a hundred and of a hundred thousand objects. An index on the start
alone does not give that: what overlaps a week may have begun years before. So rows lie in **bands** by duration.
Where nothing lasts longer than `d`, all that overlaps ``[S, E)`` begins in ``[S - d, E)``: one short scan of the
primary key (collection, band, start). A query is the union of one scan per band. The last band holds what is longer
than all others (rare), and markers have one of their own, of which all before the end of the range count.

Floating rows lie in bands of their own, which are searched with the range shifted to wall-clock time.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, CompoundSelect, and_, bindparam, insert, or_, select, union_all

from calserver.ical import Instance
from calserver.store.dialects import among
from calserver.store.rows import setters
from calserver.store.schema import collection, instance
from calserver.store.statements import Row, Statement, inserting

DAY = 86400
LONGEST = (DAY, 8 * DAY, 64 * DAY)
"""The longest duration in each of the first bands."""
UNBOUNDED = len(LONGEST)
MARKER = UNBOUNDED + 1
FLOATING = 8
"""Added to a band for floating rows."""

_i = instance.c


def band_of(each: Instance) -> int:
    """Where a row lies."""
    if each.marker:
        band = MARKER
    else:
        lasts = each.end - each.start
        band = next((number for number, longest in enumerate(LONGEST) if lasts <= longest), UNBOUNDED)
    return band + FLOATING if each.floating else band


def _within(one: bool, bound: bool) -> ColumnElement[bool]:
    """Rows of the collections that are asked about, or of those that they are bound to."""
    if not bound:
        return _i.collection_id == bindparam("collections") if one else among(_i.collection_id, "collections")
    sources = select(collection.c.source_id)
    if one:
        return _i.collection_id == sources.where(collection.c.id == bindparam("collections")).scalar_subquery()
    return _i.collection_id.in_(
        sources.where(among(collection.c.id, "collections"), collection.c.source_id.is_not(None))
    )


def _overlapping(floating: int, one: bool, bound: bool, columns: Iterable[Any], only: Any) -> list[Any]:
    """One scan per band for floating rows, or for the others."""
    where = and_(_within(one, bound), *only)
    start: BindParameter[int] = bindparam(f"start{floating}")
    end: BindParameter[int] = bindparam(f"end{floating}")
    scans = []
    for band in range(MARKER + 1):
        conditions = [where, _i.band == band + floating, _i.start < end]
        if band != MARKER:
            # What lasts no time is in the range when it begins in it (RFC 4791 section 9.9).
            conditions.append(or_(_i.end > start, _i.start >= start))
        if band < UNBOUNDED:
            conditions.append(_i.start >= start - LONGEST[band])
        scans.append(select(*columns).where(and_(*conditions)))
    return scans


def overlapping(
    one: bool, *columns: Any, bound: Iterable[bool] = (False,), only: Iterable[Any] = ()
) -> CompoundSelect[Any]:
    """Columns of the rows that overlap a range.

    Takes the parameters that `window` makes and ``collections``: the id of a collection where there is only `one`,
    which saves half of the time, otherwise a list of them. `bound` says whether it is about the rows of these, or of
    those that they are bound to (see `calserver.store.seen`), or both. `only` are further conditions.
    """
    kinds = ((each, floating) for each in bound for floating in (0, FLOATING))
    return union_all(
        *(scan for each, floating in kinds for scan in _overlapping(floating, one, each, columns, tuple(only)))
    )


def window(start: int, end: int, floating_offset: tuple[int, int]) -> dict[str, int]:
    """The parameters of `overlapping` for a range."""
    return {
        "start0": start,
        "end0": end,
        f"start{FLOATING}": start + floating_offset[0],
        f"end{FLOATING}": end + floating_offset[1],
    }


INSERT = Statement(inserting(instance))
CLEAR = Statement(instance.delete().where(_i.object_id == bindparam("object_id")))
CARRY = Statement(instance.update().values(collection_id=bindparam("to")).where(_i.object_id == bindparam("which")))
_copied: dict[Any, Any] = {
    **{column: column for column in _i},
    _i.collection_id: bindparam("to"),
    _i.object_id: bindparam("copy"),
}
COPY = Statement(
    insert(instance).from_select(list(_copied), select(*_copied.values()).where(_i.object_id == bindparam("original")))
)

COLUMNS = (_i.band, _i.start, _i.end, _i.busy, _i.recurrence_id)
"""What `instance_from` takes."""


def parameters(collection_id: int, object_id: int, instances: Iterable[Instance]) -> list[dict[str, Any]]:
    """The parameters of `INSERT` for the instances of an object."""
    return [
        {
            "collection_id": collection_id,
            "band": band_of(each),
            "start": each.start,
            "object_id": object_id,
            "number": number,
            "end": each.end,
            "busy": each.busy,
            "recurrence_id": each.recurrence_id,
        }
        for number, each in enumerate(instances)
    ]


_start, _end, _floating, _busy, _marker, _recurrence_id = setters(Instance)


def instance_from(row: Row) -> Instance:
    """An instance from the columns of `COLUMNS`."""
    made = Instance.__new__(Instance)
    band = row[0]
    _start(made, row[1])
    _end(made, row[2])
    _floating(made, band >= FLOATING)
    _busy(made, row[3])
    _marker(made, band % FLOATING == MARKER)
    _recurrence_id(made, row[4])
    return made
