"""calendar-query: the calendar objects that match a filter (RFC 4791 section 7.8).

The index answers first: one query finds the objects of the wanted type that have an instance in the wanted time. Only
where that proves too little - the filter asks for more than type and time, or only what lies beyond the horizon can
have matched - the objects that were found are read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import tzinfo

import attrs

from calserver import ical
from calserver.caldav import timezone
from calserver.caldav.calendar_data import WHOLE, Data
from calserver.caldav.resources import CALENDAR_DATA, CalendarObjectResource, CalendarObjects, PlainCollection
from calserver.caldav.scope import calendars_below
from calserver.conditions import ConditionFailed
from calserver.dav import (
    MEMBER_START,
    BadRequest,
    Multistatus,
    NumberOfMatchesWithinLimits,
    Properties,
    Request,
    Response,
    View,
    Wanted,
    access,
    applied,
    quote_segment,
    wanted,
    xml,
)
from calserver.dav.xml import Element
from calserver.ical import CalendarObject, Filter, ValidFilter
from calserver.names import C, D
from calserver.store import Object as ObjectRow
from calserver.tree import Writer


@attrs.frozen(slots=True, kw_only=True)
class CalendarQuery:
    """What a calendar-query asks (section 9.5). ``zone`` is None where those of the calendars count."""

    wanted: Wanted
    data: Data
    filter: Filter
    zone: tzinfo | None

    @classmethod
    def parse(cls, root: Element) -> "CalendarQuery":
        """Read the element.

        Raises:
            ValidFilter, SupportedFilter, SupportedCollation, SupportedCalendarData, ValidCalendarData,
            ValidTimezone: section 7.8, RFC 7809 section 6.2.
            BadRequest: it is malformed where no precondition is defined.
        """
        element = root.find(C("filter"))
        if element is None:
            raise ValidFilter("a calendar-query has a filter")
        properties = asked_properties(root)
        try:
            found = Filter.parse(element)
        except ValueError as problem:
            raise BadRequest(str(problem)) from None
        return cls(wanted=properties, data=Data.of(properties), filter=found, zone=timezone.of_query(root))


def asked_properties(root: Element) -> Wanted:
    """What a report asks for; nothing where it has neither prop nor allprop nor propname (section 9.5)."""
    if any(root.find(D(each)) is not None for each in ("prop", "allprop", "propname")):
        return wanted(root)
    return Wanted()


def calendar_query(request: Request, resource: CalendarObjects | PlainCollection, query: CalendarQuery) -> Response:
    """Properties of the members that match; of a collection that is no calendar, by Depth."""
    found = calendars_below(request, resource)
    if found == [resource]:
        resource.require(access.READ)
    readable = [each for each in found if access.READ in each.privileges]
    return _answer(resource.view, query, _matching(readable, query))


def object_query(request: Request, resource: CalendarObjectResource, query: CalendarQuery) -> Response:
    """The same of a single object."""
    resource.require(access.READ)
    matches = _matches(query.filter, resource.text, query.zone or resource.zone)
    return _answer(resource.view, query, [resource] if matches else [])


def quick_names(asked: Wanted, data: Data) -> frozenset[str] | None:
    """What is asked for besides whole texts; None where more than names or less than whole texts is asked for."""
    return None if asked.names is None or data.spec != WHOLE else asked.names - _DATA


_DATA = frozenset({CALENDAR_DATA})

Found = str | CalendarObjectResource
"""A member as markup, or as a resource."""


def _answer(view: View, query: CalendarQuery, found: Iterable[Found]) -> Response:
    most = view.settings.query_results
    properties = Properties(view, query.wanted, extra=query.data.getters(query.zone))
    answer = Multistatus()
    for count, each in enumerate(found):
        if count == most:
            raise NumberOfMatchesWithinLimits("more objects match than are answered at a time")
        answer.add(each if isinstance(each, str) else properties.response(each))
    return answer.answer(*applied(view.request))


def _matching(places: Iterable[CalendarObjects], query: CalendarQuery) -> Iterator[Found]:
    """The objects that match, zone by zone: for those without a zone the time range is the same everywhere."""
    by_zone: dict[tzinfo, dict[int, CalendarObjects]] = {}
    for place in places:
        by_zone.setdefault(query.zone or place.zone, {})[place.row.id] = place
    exact, quick = query.filter.exact, quick_names(query.wanted, query.data)
    for zone, group in by_zone.items():
        written = {} if quick is None else {id: _written(each, quick) for id, each in group.items()}
        for row, text, certain in _candidates(group, query.filter, zone):
            place = group[row.collection_id]
            place.view.allowance.spend()
            if (exact and certain) or _matches(query.filter, text, zone):
                write = written.get(row.collection_id)
                if write is not None:
                    yield write(row, text)
                elif access.READ in (found := place.object_with(row, text)).privileges:
                    yield found


def _written(place: CalendarObjects, names: frozenset[str]) -> Callable[[ObjectRow, bytes], str] | None:
    """What writes members as markup, where properties are what rows say, and the actor may read all; None elsewhere."""
    if not (names <= place.quick and place.open and not place.varied):
        return None
    written, start, spend = (
        Writer(names).with_content(xml.tags(CALENDAR_DATA)),
        MEMBER_START + place.path,
        place.view.allowance.spend,
    )

    def write(row: ObjectRow, content: bytes) -> str:
        text = f"{start}{quote_segment(row.name)}{written(row.etag, row.content_type, content)}"
        spend(len(text))
        return text

    return write


def _candidates(
    places: Mapping[int, CalendarObjects], filter: Filter, zone: tzinfo
) -> Iterator[tuple[ObjectRow, bytes, bool]]:
    """What the index finds: objects with their texts, and whether it is certain that they are in the time range."""
    view = next(iter(places.values())).view
    objects = view.txn.objects
    window = filter.window
    if window is None or window.time_range is None:
        component = None if window is None else window.component
        for id in places:
            yield from ((row, text, True) for row, text in objects.iterate(id, component=component))
        return
    start, end = window.time_range.start, window.time_range.end
    offset = window.time_range.floating_offset(zone)
    found = objects.in_range(places, start, end, floating_offset=offset, component=window.component)
    marked: frozenset[int] = frozenset()
    if any(_may_be_marked(row, end) for row, _ in found):
        marked = objects.only_marked(places, start, end, floating_offset=offset)
    for row, text in found:
        yield row, text, row.id not in marked


def _may_be_marked(row: ObjectRow, end: int) -> bool:
    """Whether a marker of an object can lie before `end`: its rows reach beyond the time at which it was stored."""
    return row.recurring and row.modified.timestamp() < end


def _matches(filter: Filter, text: bytes, zone: tzinfo) -> bool:
    """Whether an object matches; what cannot be read does not, so that it spoils no query."""
    try:
        return ical.matches(filter, CalendarObject.stored(text), zone=zone)
    except ConditionFailed:
        return False
