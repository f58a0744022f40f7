"""VTIMEZONE components written from the time zone database (RFC 5545 section 3.6.5, RFC 7808 section 3.9)."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import groupby

import attrs

from calserver.ical.model import Component, Property
from calserver.ical.value import When, escape, unescape, utc, wall_clock
from calserver.ical.zones import named_zone

_STEP = 14 * 86400
"""Seconds between two looks at a zone's offset; no observance is that short."""
_OPEN_ENDED_YEAR = 2037
_FIRST_YEAR = 1970
"""From which on a zone is defined whose name stands at no time."""
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def vtimezone(tzid: str, first: datetime, last: datetime | None = None) -> Component:
    """A compact VTIMEZONE called `tzid` that is right from `first` to `last`, or for good.

    Args:
        tzid: whatever `named_zone` knows.
        first: aware; what was before is left out.
        last: aware; rules that hold then are written without an end.

    Raises:
        ValueError: there is no such zone.
    """
    zone = named_zone(tzid)
    if zone is None:
        raise ValueError("there is no such time zone")
    last_year = max(first.year, _OPEN_ENDED_YEAR if last is None else last.year)
    return _written(tzid, zone, first.year, min(last_year, 9000))


def with_timezones(calendar: Component) -> Component:
    """The same with a VTIMEZONE for each TZID that has none (RFC 5545 section 3.2.19); itself where nothing lacks.

    What names no zone stays without.
    """
    defined = {unescape(each.value("TZID") or "") for each in calendar.children("VTIMEZONE")}
    years: dict[str, list[int]] = {}
    for component in calendar.walk():
        for prop in component.properties:
            if prop.params and (tzid := prop.param("TZID")) and tzid not in defined:
                years.setdefault(tzid, []).extend(
                    int(each[:4]) for each in prop.value.split(",") if each[:8].isdecimal() and each[:4] > "0000"
                )
    written = tuple(
        vtimezone(tzid, datetime(min(found, default=_FIRST_YEAR), 1, 1, tzinfo=UTC))
        for tzid, found in years.items()
        if named_zone(tzid) is not None
    )
    return calendar.with_components((*written, *calendar.components)) if written else calendar


@attrs.frozen(slots=True, kw_only=True)
class _Onset:
    """A change of a zone's offset; `local` is the wall clock before it."""

    epoch: int
    local: datetime
    offset_from: int
    offset_to: int
    name: str
    daylight: bool

    def kind(self) -> tuple[bool, int, int, str, int, int, int]:
        """What changes of one yearly rule have in common, but for the day."""
        at = self.local
        seconds = at.hour * 3600 + at.minute * 60 + at.second
        return self.daylight, self.offset_from, self.offset_to, self.name, at.month, at.weekday(), seconds

    @property
    def ordinals(self) -> set[int]:
        """Which weekday of its month it is, counted from both ends."""
        day, length = self.local.day, monthrange(self.local.year, self.local.month)[1]
        return {(day - 1) // 7 + 1, *([-1] if day + 7 > length else [])}


@lru_cache(maxsize=256)
def _written(tzid: str, zone: tzinfo, first_year: int, last_year: int) -> Component:
    start = datetime(max(first_year - 1, 2), 1, 1, tzinfo=UTC)
    first = datetime(first_year, 1, 1, tzinfo=UTC).timestamp()
    onsets = list(_onsets(zone, int(start.timestamp()), int(datetime(last_year + 2, 1, 1, tzinfo=UTC).timestamp())))
    if not onsets or onsets[0].epoch > first:
        onsets.insert(0, _standing(zone, int(start.timestamp())))
    onsets.sort(key=lambda onset: (onset.kind(), onset.epoch))
    runs = [run for _, same in groupby(onsets, key=_Onset.kind) for run in _runs(list(same))]
    observances = tuple(_observance(run, last_year) for run in sorted(runs, key=lambda run: run[0][0].epoch))
    return Component("VTIMEZONE", (Property("TZID", escape(tzid)),), observances)


def _onsets(zone: tzinfo, start: int, end: int) -> Iterator[_Onset]:
    before = _offset(zone, start)
    for right in range(start + _STEP, end + _STEP, _STEP):
        after = _offset(zone, right)
        if after == before:
            continue
        low, high = right - _STEP, right
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
        yield _onset(zone, high, before[0])
        before = after


def _standing(zone: tzinfo, at: int) -> _Onset:
    return _onset(zone, at, _offset(zone, at)[0])


def _onset(zone: tzinfo, epoch: int, offset_from: int) -> _Onset:
    offset_to, name, daylight = _offset(zone, epoch)
    return _Onset(
        epoch=epoch,
        local=wall_clock(epoch + offset_from, UTC),
        offset_from=offset_from,
        offset_to=offset_to,
        name=name,
        daylight=daylight,
    )


def _offset(zone: tzinfo, epoch: int) -> tuple[int, str, bool]:
    at = datetime.fromtimestamp(epoch, zone)
    offset, dst = at.utcoffset() or timedelta(0), at.dst() or timedelta(0)
    return offset.days * 86400 + offset.seconds, at.tzname() or "", bool(dst)


def _runs(onsets: list[_Onset]) -> Iterator[tuple[list[_Onset], set[int]]]:
    """Cut changes of one kind into runs of consecutive years that one rule describes, with its possible ordinals."""
    run, ordinals = [onsets[0]], onsets[0].ordinals
    for onset in onsets[1:]:
        common = ordinals & onset.ordinals
        if common and onset.local.year == run[-1].local.year + 1:
            run.append(onset)
            ordinals = common
        else:
            yield run, ordinals
            run, ordinals = [onset], onset.ordinals
    yield run, ordinals


def _observance(run_and_ordinals: tuple[list[_Onset], set[int]], last_year: int) -> Component:
    run, ordinals = run_and_ordinals
    first, last = run[0], run[-1]
    properties = [When(first.local).property("DTSTART")]
    if len(run) > 1:
        ordinal = min(ordinals)
        until = f";UNTIL={utc(last.epoch).text()}" if last.local.year <= last_year else ""
        day = f"{ordinal}{_DAYS[first.local.weekday()]}"
        properties.append(Property("RRULE", f"FREQ=YEARLY;BYMONTH={first.local.month};BYDAY={day}{until}"))
    properties += [
        Property("TZNAME", escape(first.name)),
        Property("TZOFFSETFROM", _written_offset(first.offset_from)),
        Property("TZOFFSETTO", _written_offset(first.offset_to)),
    ]
    return Component("DAYLIGHT" if first.daylight else "STANDARD", tuple(properties))


def _written_offset(offset: int) -> str:
    minutes, second = divmod(abs(offset), 60)
    hour, minute = divmod(minutes, 60)
    return f"{'-' if offset < 0 else '+'}{hour:02d}{minute:02d}" + (f"{second:02d}" if second else "")
