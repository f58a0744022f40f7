"""The rows of the instance index: what queries and free-busy need of an object without reading it.

A row is the half-open interval of time ranges that an instance is in (`calserver.ical.shape`, RFC 4791 section 9.9): an
event from its start to its end, one second where it lasts none; a task somewhat more, as its conditions have it. So a
range that overlaps a row is one that the object is in, exactly - unless the row is a marker. A **marker** stands at the
first instance that has no row because it lies at or beyond the horizon; ranges that reach it need
`calserver.ical.matches`.
"""

from collections.abc import Container, Iterator
from datetime import UTC, datetime, tzinfo
from itertools import chain, islice

import attrs

from calserver.ical.conditions import MaxInstances
from calserver.ical.freebusytype import busy_letter, letter_of
from calserver.ical.instance import Instance
from calserver.ical.limits import Limits
from calserver.ical.meter import Meter
from calserver.ical.object import CalendarObject
from calserver.ical.recurrence import Series, Span, series_within
from calserver.ical.shape import DAY, EVER, FOREVER, Shape, has_instances, reach_without_instances, shape_of
from calserver.ical.value import period

_WHOLE = 100
"""Series that end and have no more instances are indexed beyond the horizon too."""
_MOST_ROWS = 30_000
"""Rows of one endless series: daily ones from eighty years back."""
_YEAR = 366 * DAY
_STEPS_BEYOND = 2_000


@attrs.frozen(slots=True, kw_only=True)
class Index:
    """What the store keeps of an object beside its text; ``first`` and ``last`` bound all instances."""

    first: int | None
    """Seconds since the epoch; None where there is no start."""
    last: int | None
    """The end of the last instance; None where there is none."""
    recurring: bool
    instances: tuple[Instance, ...]


def index(
    obj: CalendarObject,
    *,
    horizon: datetime,
    zone: tzinfo | None = None,
    limits: Limits,
    own: Container[str] = (),
) -> Index:
    """The index rows of an object, by start.

    Args:
        obj: what is indexed.
        horizon: up to where instances of longer series get rows; aware.
        zone: that of the calendar, for objects that mix what floats with what does not; rows of what floats do not
            depend on it.
        limits: those of the calendar.
        own: normalized addresses of whose calendar it is; see `busy_letter`.

    Raises:
        MaxInstances: a series that ends has more instances than allowed, an endless one has them within a year.
        ValueError: a property is malformed.
    """
    if obj.component == "VFREEBUSY":
        return _summary(list(_freebusy_rows(obj)))
    series = Series.of(obj, zone or UTC)
    rows = _Rows(own)
    for span in series.own():
        rows.add(span, series)
    for component in obj.components:
        if not has_instances(component):
            rows.add_reach(reach_without_instances(component, obj.zones, zone or UTC))
    until, most = int(horizon.timestamp()), limits.max_instances
    if obj.component != "VAVAILABILITY":
        last = _add_instances(rows, series, until, most)
    else:
        last, meter = None, Meter()
        for component in obj.components:
            for inner in series_within(component, "AVAILABLE", obj.zones, zone or UTC):
                meter.spend()
                _add_instances(_Rows(), inner, until, most, meter)  # no rows, but bounded like those that get some
    return _summary(rows.found, last, recurring=series.is_recurring)


class _Rows:
    """Rows as they are found."""

    def __init__(self, own: Container[str] = ()) -> None:
        self.found: list[Instance] = []
        self._own = own
        self._letters: dict[int, str] = {}

    def add(self, span: Span, series: Series) -> None:
        """The row of an instance."""
        shape = span.shape
        own = series.recurrence_id(span) if shape is not series.master else None
        self.found.append(
            Instance(
                start=_lo(span),
                end=span.hi if span.end_wall is None else span.end_wall + shape.trail,
                floating=span.end_wall is not None,
                busy=self._letter(shape) if span.end > span.start else "F",
                recurrence_id=None if own is None else own.text(),
            )
        )

    def add_reach(self, reach: tuple[int, int] | None) -> None:
        """The row of what has no instances."""
        if reach is not None:
            self.found.append(Instance(start=reach[0], end=reach[1], busy="F"))

    def mark(self, beyond: list[Span]) -> None:
        """The row of all instances from the first of `beyond` on."""
        if beyond:
            busy = "B" if any(self._letter(span.shape) != "F" for span in beyond) else "F"
            first = min(beyond, key=_lo)
            floats = first.shape.start.zone is None
            self.found.append(Instance(start=_lo(first), end=FOREVER, floating=floats, busy=busy, marker=True))

    def mark_from(self, horizon: int, series: Series) -> None:
        """The row of instances that may be anywhere from `horizon` on."""
        master = series.master
        floats, busy = (False, "B") if master is None else (master.start.zone is None, self._letter(master))
        self.found.append(Instance(start=horizon, end=FOREVER, floating=floats, busy=busy, marker=True))

    def _letter(self, shape: Shape) -> str:
        letter = self._letters.get(id(shape))
        if letter is None:
            letter = self._letters[id(shape)] = busy_letter(shape.component, self._own)
        return letter


def _lo(span: Span) -> int:
    """Where a row begins: on the wall clock for what floats."""
    return span.lo if span.end_wall is None else span.wall - span.shape.lead


def _add_instances(rows: _Rows, series: Series, horizon: int, most: int, within: Meter | None = None) -> int | None:
    """The rows of what has no override; returns the end of the last of these where that is known.

    A series that UNTIL ends after more instances than allowed is taken as if it were endless: it is what clients write
    that have no other notion of always.
    """
    if series.is_endless:
        _add_long(rows, series, horizon, most, within)
        return FOREVER
    spans = list(islice(chain.from_iterable(series.eras(EVER, FOREVER, Meter(within=within))), max(most, 1) + 1))
    if len(spans) + len(rows.found) > max(most, 1):
        if series.until is None:
            raise MaxInstances(f"there are more than {most} instances")
        _add_long(rows, series, horizon, most, within)
        return series.until
    last = max((span.hi for span in spans), default=None)
    if len(spans) > _WHOLE:
        rows.mark([span for span in spans if span.lo >= horizon])
        spans = [span for span in spans if span.lo < horizon]
    for span in spans:
        rows.add(span, series)
    return last


def _add_long(rows: _Rows, series: Series, horizon: int, most: int, within: Meter | None) -> None:
    """The instances before the horizon, and a marker at the first after it."""
    spans: list[Span] = []
    for era in series.eras(EVER, horizon, Meter(within=within)):
        for span in era:
            if span.lo >= horizon:
                break
            spans.append(span)
            if len(spans) > most and span.lo - spans[-most - 1].lo < _YEAR:
                raise MaxInstances(f"there are more than {most} instances within a year")
            if len(spans) > _MOST_ROWS:
                raise MaxInstances(f"there are more than {_MOST_ROWS} instances")
    for span in spans:
        rows.add(span, series)
    try:
        eras = series.eras(horizon, FOREVER, Meter(_STEPS_BEYOND, within))
        rows.mark([span for era in eras for span in islice((span for span in era if span.lo >= horizon), 1)])
    except MaxInstances:
        rows.mark_from(horizon, series)


def _freebusy_rows(obj: CalendarObject) -> Iterator[Instance]:
    """Published busy time: the whole, and its periods (RFC 5545 section 3.6.4)."""
    for component in obj.components:
        shape = shape_of(component, obj.zones)
        if shape is not None and component.first("DTEND") is not None:
            start = shape.start.epoch()
            yield Instance(start=start, end=start + shape.lasts + shape.trail, busy="F")
        for prop in component.all("FREEBUSY"):
            letter = letter_of(prop.param("FBTYPE"))
            for each in (period(text) for text in prop.value.split(",")):
                yield Instance(start=each.start.epoch(), end=each.end.epoch(), busy=letter)


def _summary(rows: list[Instance], last: int | None = None, *, recurring: bool = False) -> Index:
    """The rows in order, and what bounds them; `last` is the end of instances beyond the marker."""
    rows.sort(key=lambda row: (row.start, row.end))
    ends = [row.end for row in rows if not row.marker] + ([] if last is None else [last])
    first, last = (rows[0].start, max(ends)) if rows else (EVER, FOREVER)
    return Index(
        first=None if first <= EVER else first,
        last=None if last >= FOREVER else last,
        recurring=recurring,
        instances=tuple(rows),
    )
