"""calendar-multiget: properties of the calendar objects that a client names (RFC 4791 section 7.9).

The hrefs are answered as the client spelled them. They must be within the resource that the request goes to; each is
looked for with the rights of the asker, all those in one collection by one query. Depth has no meaning here.
"""

import re
from collections.abc import Iterator, Mapping
from typing import cast

import attrs

from calserver.caldav.calendar_data import Data
from calserver.caldav.query import asked_properties, quick_names
from calserver.caldav.resources import CALENDAR_DATA, CalendarObjectResource, CalendarObjects
from calserver.conditions import ConditionFailed
from calserver.config import Settings
from calserver.dav import (
    MEMBER_START,
    BadRequest,
    Forbidden,
    Href,
    Multistatus,
    NotFound,
    NumberOfMatchesWithinLimits,
    Properties,
    Refusal,
    Request,
    Resource,
    Response,
    Wanted,
    access,
    applied,
    condition,
    local,
    status_response,
    xml,
)
from calserver.dav.xml import Element
from calserver.names import D
from calserver.tree import Writer


@attrs.frozen(slots=True, kw_only=True)
class CalendarMultiget:
    """What a calendar-multiget asks (section 9.10)."""

    wanted: Wanted
    data: Data
    hrefs: tuple[str, ...]

    @property
    def quick(self) -> frozenset[str] | None:
        """What is asked for besides the whole data; see `quick_names`."""
        return quick_names(self.wanted, self.data)

    @classmethod
    def parse(cls, root: Element) -> "CalendarMultiget":
        """Read the element.

        Raises:
            SupportedCalendarData: it asks for data in another form.
            BadRequest: it names nothing, or is malformed.
        """
        hrefs = tuple(dict.fromkeys(xml.content(each) for each in root.iterchildren(D("href"))))
        if not hrefs:
            raise BadRequest("a calendar-multiget names resources")
        properties = asked_properties(root)
        return cls(wanted=properties, data=Data.of(properties), hrefs=hrefs)


def calendar_multiget(request: Request, resource: Resource, asked: CalendarMultiget) -> Response:
    """Properties of each resource, or why there are none."""
    view = resource.view
    if len(asked.hrefs) > cast(Settings, view.settings).multiget_hrefs:
        raise NumberOfMatchesWithinLimits("the request names more resources than are answered at a time")
    if len(asked.hrefs) > FEW or asked.data.parses:
        view.take_time()
    answer = Multistatus()
    answer.extend(_responses(resource, asked))
    return answer.answer(*applied(request))


def _responses(resource: Resource, asked: CalendarMultiget) -> Iterator[str]:
    view = resource.view
    properties = Properties(view, asked.wanted, extra=asked.data.getters(None))
    spend = view.allowance.spend
    for spelled, found in _found(resource, asked):
        if isinstance(found, str):
            spend(len(found))
            yield f"{MEMBER_START}{spelled}{found}"
        elif isinstance(found, CalendarObjectResource):
            yield properties.response(found, spelled)
        elif isinstance(found, ConditionFailed):
            yield status_response(spelled, found.status, error=condition(found))
        else:
            yield status_response(spelled, found.status)


FEW = 100
"""How many objects are answered in a hurry."""

Found = str | CalendarObjectResource | Refusal | ConditionFailed
"""What an href leads to: a member as markup behind its path (`Writer.with_content`), or the resource, or nothing."""

_PLAIN = re.compile(r"[A-Za-z0-9_@~+=,-][A-Za-z0-9._@~+=,-]*")
"""Names that need neither unescaping nor escaping nor a second look: members of the resource itself."""


def _found(resource: Resource, asked: CalendarMultiget) -> Iterator[tuple[str, Found]]:
    """What each href names, in their order; hrefs of markup are escaped."""
    base, plain = resource.path.rstrip("/") + "/", _PLAIN.fullmatch
    at = len(base)
    named = {
        spelled: (None, spelled[at:]) if spelled.startswith(base) and plain(spelled, at) else _within(resource, spelled)
        for spelled in asked.hrefs
    }
    names: dict[Href | None, list[str]] = {}
    for each in filter(None, named.values()):
        names.setdefault(each[0], []).append(each[1])
    members = {place: _members(resource, place, inside, asked) for place, inside in names.items()}
    for spelled, where in named.items():
        if where is None:
            yield spelled, NotFound()
        else:
            place, name = where
            members_there, otherwise = members[place]
            found = members_there.get(name, otherwise)
            yield spelled if place is None or not isinstance(found, str) else xml.escape(spelled), found


def _within(resource: Resource, spelled: str) -> tuple[Href, str] | None:
    """The collection and the name of a member.

    Nothing for what is no URI, or outside of what the request is about.
    """
    try:
        href = local(resource.view.request, spelled)
    except BadRequest:
        return None
    return (href.parent, href.name) if href is not None and href.segments and href.within(resource.href) else None


def _members(
    resource: Resource, place: Href | None, names: list[str], asked: CalendarMultiget
) -> tuple[Mapping[str, Found], Refusal | ConditionFailed]:
    """The calendar objects with these names in a collection, and what is to be said of all others."""
    try:
        collection = resource if place is None or place == resource.href else resource.view.find(place)
        if not isinstance(collection, CalendarObjects):
            return {}, Forbidden() if collection.exists else NotFound()
        collection.require(access.READ)
    except (Refusal, ConditionFailed) as refusal:
        return {}, refusal
    objects = collection.view.txn.objects
    quick = asked.quick
    if quick is not None and quick <= collection.quick and collection.open and not collection.varied:
        rows = objects.contents(collection.row.id, names, bound=collection.row.source_id is not None)
        write = Writer(quick).with_content(xml.tags(CALENDAR_DATA))
        return {name: write(etag, media_type, content) for name, etag, media_type, content in rows}, NotFound()
    found = objects.named(collection.row.id, names)
    return {name: _readable(collection.object_with(*each)) for name, each in found.items()}, NotFound()


def _readable(found: CalendarObjectResource) -> Found:
    try:
        found.require(access.READ)
    except ConditionFailed as refusal:
        return refusal if found.privileges else NotFound()
    return found
