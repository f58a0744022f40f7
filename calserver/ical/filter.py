"""CALDAV:filter as a value: which calendar object resources a query is for (RFC 4791 section 9.7).

`Filter.parse` reads the element and refuses what cannot be: RFC 4791 section 7.8 wants each such mistake answered by
its precondition. What a filter asks of the instance index is its `window`; whether an object matches is said by
`calserver.ical.matches`, which reads the object. Where a filter is ``exact`` the index alone proves a match.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import attrs
from lxml import etree

from calserver.conditions import ConditionFailed
from calserver.ical.collation import folding
from calserver.ical.timerange import TimeRange
from calserver.ical.vocabulary import DEFAULT_TYPES
from calserver.names import C


class ValidFilter(ConditionFailed):
    """The filter cannot be: it contradicts its definition or that of iCalendar (RFC 4791 section 7.8)."""

    name = C("valid-filter")


class SupportedFilter(ConditionFailed):
    """The filter asks for more than this server looks for (RFC 4791 section 7.8)."""

    name = C("supported-filter")


T = TypeVar("T")

_MOST_ELEMENTS = 500
_LONGEST_TEXT = 4_096
_DEEPEST = 6

_MAIN: Final = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"})
"""The components that calendar objects are made of, and the index knows."""
_WITHIN: Final = {
    "VCALENDAR": _MAIN | {"VTIMEZONE"},
    "VEVENT": frozenset({"VALARM"}),
    "VTODO": frozenset({"VALARM"}),
    "VAVAILABILITY": frozenset({"AVAILABLE"}),
    "VTIMEZONE": frozenset({"STANDARD", "DAYLIGHT"}),
}
_PLACED: Final = frozenset().union(*_WITHIN.values()) | {"VCALENDAR"}
"""Components that have their place; others (extensions) may be anywhere."""
_TIMED: Final = _MAIN | {"VALARM", "AVAILABLE"}
_TIMED_TYPES: Final = frozenset({"DATE-TIME", "PERIOD"})


@attrs.frozen(slots=True)
class TextMatch:
    """CALDAV:text-match: a text contains another, or does not (section 9.7.5)."""

    text: str
    """Folded by the collation."""
    fold: Callable[[str], str]
    negate: bool = False

    def matches(self, *texts: str) -> bool:
        """Whether one of the texts contains it; negated, whether none does."""
        return any(self.text in self.fold(text) for text in texts) is not self.negate


@attrs.frozen(slots=True)
class ParamFilter:
    """CALDAV:param-filter (section 9.7.3)."""

    name: str
    is_not_defined: bool = False
    text_match: TextMatch | None = None


@attrs.frozen(slots=True, kw_only=True)
class PropFilter:
    """CALDAV:prop-filter (section 9.7.2)."""

    name: str
    is_not_defined: bool = False
    time_range: TimeRange | None = None
    text_match: TextMatch | None = None
    params: tuple[ParamFilter, ...] = ()


@attrs.frozen(slots=True, kw_only=True)
class CompFilter:
    """CALDAV:comp-filter (section 9.7.1)."""

    name: str
    is_not_defined: bool = False
    time_range: TimeRange | None = None
    props: tuple[PropFilter, ...] = ()
    comps: tuple["CompFilter", ...] = ()

    @property
    def asks_time(self) -> bool:
        """Whether it or a filter in it has a time range of components."""
        return self.time_range is not None or any(each.asks_time for each in self.comps)


@attrs.frozen(slots=True)
class Window:
    """What the index can tell of a filter: the type of component, and the time range where there is one."""

    component: str
    time_range: TimeRange | None = None


@attrs.frozen(slots=True)
class Filter:
    """CALDAV:filter (section 9.7); ``comp`` is the filter of VCALENDAR."""

    comp: CompFilter

    @classmethod
    def parse(cls, element: etree._Element) -> "Filter":
        """Read a ``CALDAV:filter`` element.

        Raises:
            ValidFilter: it contradicts its definition.
            SupportedFilter: it is larger than any real one.
            SupportedCollation: a collation is unknown.
            ValueError: a time range has neither start nor end: the request is malformed.
        """
        if sum(1 for _ in element.iter(etree.Element)) > _MOST_ELEMENTS:
            raise SupportedFilter(f"a filter has at most {_MOST_ELEMENTS} elements")
        children = list(element.iterchildren(C("comp-filter")))
        if len(children) != 1:
            raise ValidFilter("a filter has one component filter")
        if _name(children[0]).upper() != "VCALENDAR":
            raise ValidFilter("the outermost component is VCALENDAR")
        return cls(_comp_filter(children[0], None))

    @property
    def window(self) -> Window | None:
        """What an object that matches has for sure; None where nothing of it is in the index."""
        if self.comp.is_not_defined:
            return None
        for each in self.comp.comps:
            if each.name in _MAIN and not each.is_not_defined:
                return Window(each.name, each.time_range)
        return None

    @property
    def exact(self) -> bool:
        """Whether the type, and an instance in the time range, prove a match; a marker in the index proves nothing."""
        if self.comp.is_not_defined or self.comp.props:
            return False
        if not self.comp.comps:
            return True
        (first, *others) = self.comp.comps
        if others or first.name not in _MAIN or first.is_not_defined or first.props or first.comps:
            return False
        return first.time_range is None or first.name != "VFREEBUSY"


def _comp_filter(element: etree._Element, parent: str | None, depth: int = 1) -> CompFilter:
    name = _name(element).upper()
    if depth > _DEEPEST:
        raise SupportedFilter("a filter of components goes deeper than components do")
    if parent is not None and name in _PLACED and name not in _WITHIN.get(parent, ()):
        raise ValidFilter(f"{name} does not occur in {parent}")
    found = CompFilter(
        name=name,
        is_not_defined=_is_not_defined(element),
        time_range=_time_range(element),
        props=tuple(_prop_filter(each) for each in element.iterchildren(C("prop-filter"))),
        comps=tuple(_comp_filter(each, name, depth + 1) for each in element.iterchildren(C("comp-filter"))),
    )
    if found.is_not_defined and (found.time_range or found.props or found.comps):
        raise ValidFilter("what is not defined has nothing in it")
    if found.time_range is not None and name not in _TIMED:
        raise ValidFilter(f"{name} is in no time range")
    return found


def _prop_filter(element: etree._Element) -> PropFilter:
    name = _name(element).upper()
    found = PropFilter(
        name=name,
        is_not_defined=_is_not_defined(element),
        time_range=_time_range(element),
        text_match=_text_match(element),
        params=tuple(_param_filter(each) for each in element.iterchildren(C("param-filter"))),
    )
    if found.is_not_defined and (found.time_range or found.text_match or found.params):
        raise ValidFilter("what is not defined has nothing in it")
    if found.time_range is not None:
        if found.text_match is not None:
            raise ValidFilter("a property is compared with a time range or a text")
        if DEFAULT_TYPES.get(name, "DATE-TIME") not in _TIMED_TYPES:
            raise ValidFilter(f"{name} is not a time")
    return found


def _param_filter(element: etree._Element) -> ParamFilter:
    found = ParamFilter(_name(element).upper(), _is_not_defined(element), _text_match(element))
    if found.is_not_defined and found.text_match is not None:
        raise ValidFilter("what is not defined has nothing in it")
    return found


def _name(element: etree._Element) -> str:
    name = (element.get("name") or "").strip()
    if not name:
        raise ValidFilter("a filter has a name")
    return name


def _is_not_defined(element: etree._Element) -> bool:
    return element.find(C("is-not-defined")) is not None


def _time_range(element: etree._Element) -> TimeRange | None:
    found = _only(element.iterchildren(C("time-range")))
    if found is None:
        return None
    if found.get("start") is None and found.get("end") is None:
        raise ValueError("a time range has a start or an end")
    try:
        return TimeRange.parse(found)
    except ValueError as problem:
        raise ValidFilter(str(problem)) from None


def _text_match(element: etree._Element) -> TextMatch | None:
    found = _only(element.iterchildren(C("text-match")))
    if found is None:
        return None
    fold = folding(found.get("collation"))
    negate = found.get("negate-condition", "no")
    if negate not in ("yes", "no"):
        raise ValidFilter("negate-condition is yes or no")
    text = found.text or ""
    if len(text) > _LONGEST_TEXT:
        raise SupportedFilter(f"a text match has at most {_LONGEST_TEXT} characters")
    return TextMatch(fold(text), fold, negate == "yes")


def _only(found: Iterator[T]) -> T | None:
    first = next(found, None)
    if next(found, None) is not None:
        raise ValidFilter("a filter has one time range, one text match")
    return first
