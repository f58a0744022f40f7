"""iCalendar as JSON, and back (RFC 7265)."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calserver.ical import Component, Property, ValidCalendarData, escape, from_jcal, parse, to_jcal
from calserver.ical.parse import MAX_DEPTH

PAIRS: list[tuple[str, list[Any]]] = [
    ("SUMMARY:a\\, b\\nc", ["summary", {}, "text", "a, b\nc"]),
    ("SUMMARY;LANGUAGE=de:x", ["summary", {"language": "de"}, "text", "x"]),
    ("DTSTART:20250401T090000Z", ["dtstart", {}, "date-time", "2025-04-01T09:00:00Z"]),
    ("DTSTART;VALUE=DATE:20250401", ["dtstart", {}, "date", "2025-04-01"]),
    (
        "DTSTART;TZID=Europe/Berlin:20250401T090000",
        ["dtstart", {"tzid": "Europe/Berlin"}, "date-time", "2025-04-01T09:00:00"],
    ),
    ("EXDATE;VALUE=DATE:20250401,20250402", ["exdate", {}, "date", "2025-04-01", "2025-04-02"]),
    (
        "RDATE;VALUE=PERIOD:20250401T090000Z/PT1H,20250402T090000Z/20250402T100000Z",
        [
            "rdate",
            {},
            "period",
            ["2025-04-01T09:00:00Z", "PT1H"],
            ["2025-04-02T09:00:00Z", "2025-04-02T10:00:00Z"],
        ],
    ),
    (
        "FREEBUSY;FBTYPE=BUSY:20250401T090000Z/PT1H",
        ["freebusy", {"fbtype": "BUSY"}, "period", ["2025-04-01T09:00:00Z", "PT1H"]],
    ),
    ("DURATION:PT1H", ["duration", {}, "duration", "PT1H"]),
    ("TRIGGER;VALUE=DATE-TIME:20250401T090000Z", ["trigger", {}, "date-time", "2025-04-01T09:00:00Z"]),
    ("TRIGGER;RELATED=END:-PT5M", ["trigger", {"related": "END"}, "duration", "-PT5M"]),
    ("PRIORITY:5", ["priority", {}, "integer", 5]),
    ("GEO:37.5;-122.25", ["geo", {}, "float", [37.5, -122.25]]),
    ("CATEGORIES:a,b\\,c", ["categories", {}, "text", "a", "b,c"]),
    ("REQUEST-STATUS:2.0;Success", ["request-status", {}, "text", ["2.0", "Success"]]),
    ("TZOFFSETFROM:-0500", ["tzoffsetfrom", {}, "utc-offset", "-05:00"]),
    ("TZOFFSETTO:+001234", ["tzoffsetto", {}, "utc-offset", "+00:12:34"]),
    ("URL:http://example.com/a,b;c", ["url", {}, "uri", "http://example.com/a,b;c"]),
    (
        "ATTACH;ENCODING=BASE64;VALUE=BINARY:AAAA",
        ["attach", {"encoding": "BASE64"}, "binary", "AAAA"],
    ),
    (
        'ATTENDEE;CN="A, B";MEMBER="mailto:a@x","mailto:b@x":mailto:c@x',
        ["attendee", {"cn": "A, B", "member": ["mailto:a@x", "mailto:b@x"]}, "cal-address", "mailto:c@x"],
    ),
    (
        "RRULE:FREQ=YEARLY;UNTIL=20300101T000000Z;BYDAY=-1SU,MO;BYMONTH=3,5L;INTERVAL=2;WKST=SU",
        [
            "rrule",
            {},
            "recur",
            {
                "freq": "YEARLY",
                "until": "2030-01-01T00:00:00Z",
                "byday": ["-1SU", "MO"],
                "bymonth": [3, "5L"],
                "interval": 2,
                "wkst": "SU",
            },
        ],
    ),
    ("RRULE:FREQ=DAILY;COUNT=5", ["rrule", {}, "recur", {"freq": "DAILY", "count": 5}]),
    ("X-PLAIN:a\\, b;c", ["x-plain", {}, "unknown", "a\\, b;c"]),
    ("X-TEXT;VALUE=TEXT:a\\, b", ["x-text", {}, "text", "a, b"]),
    ("X-FLAG;VALUE=BOOLEAN:TRUE", ["x-flag", {}, "boolean", True]),
    ("X-TIME;VALUE=TIME:093000Z", ["x-time", {}, "time", "09:30:00Z"]),
    ("X-NEW;VALUE=X-TYPE:?,?", ["x-new", {}, "x-type", "?,?"]),
]


def calendar(line: str) -> Component:
    return parse(f"BEGIN:VCALENDAR\n{line}\nEND:VCALENDAR\n")


@pytest.mark.parametrize(("line", "array"), PAIRS, ids=[line for line, _ in PAIRS])
def test_each_type_of_value(line: str, array: list[Any]) -> None:
    """RFC 7265 section 3.6."""
    assert json.loads(to_jcal(calendar(line))) == ["vcalendar", [array], []]
    found = from_jcal(json.dumps(["vcalendar", [array], []]))
    assert json.loads(to_jcal(found)) == ["vcalendar", [array], []]
    (prop,), (expected,) = found.properties, calendar(line).properties
    assert (prop.name, prop.value, sorted(prop.params)) == (expected.name, expected.value, sorted(expected.params))


def test_components_are_nested_arrays() -> None:
    found = parse("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nBEGIN:VALARM\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR\n")
    array = ["vcalendar", [], [["vevent", [["uid", {}, "text", "1"]], [["valarm", [], []]]]]]
    assert json.loads(to_jcal(found)) == array
    assert from_jcal(json.dumps(array)) == found


@pytest.mark.parametrize(
    "line",
    [
        "DTSTART:soon",
        "GEO:here",
        "PRIORITY:high",
        "RRULE:daily",
        "FREEBUSY:x",
        "TZOFFSETTO:1",
        "GEO:1e5;1",
        "RRULE:F*=1",
    ],
)
def test_a_value_that_is_not_of_its_type_goes_out_as_it_is(line: str) -> None:
    """RFC 7265 section 5.1."""
    found = calendar(line)
    assert json.loads(to_jcal(found))[1][0][2] == "unknown"
    assert from_jcal(to_jcal(found)) == found


def test_a_type_that_is_no_name_goes_out_as_unknown() -> None:
    found = from_jcal(to_jcal(calendar('X-A;VALUE="a b":\\n,')))
    assert found.properties == (Property("X-A", "\\n,"),)


def test_non_ascii_text_is_written_as_utf_8() -> None:
    assert "ü😀".encode() in to_jcal(calendar("SUMMARY:ü😀"))


def test_a_repeated_parameter_keeps_all_its_values() -> None:
    assert json.loads(to_jcal(calendar("X-A;P=1;P=2,3:v")))[1][0][1] == {"p": ["1", "2", "3"]}


def test_many_repetitions_of_a_parameter_cost_what_they_are_worth() -> None:
    began = time.process_time()
    assert to_jcal(calendar("X-A" + ";P=1" * 50_000 + ":v")).count(b'"1"') == 50_000
    assert time.process_time() - began < 1.5


def nested(depth: int) -> Any:
    return ["vcalendar" if depth == MAX_DEPTH + 1 else "x", [], [nested(depth - 1)] if depth else []]


BAD: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"BEGIN:VCALENDAR",
    "not UTF-8": b'["vcalendar",[["name",{},"text","\xff"]],[]]',
    "UTF-16": '["vcalendar",[],[]]'.encode("utf-16"),
    "object": b"{}",
    "number": b"1",
    "string": b'"vcalendar"',
    "array of objects": b"[{},{},{}]",
    "too short": b'["vcalendar",[]]',
    "too long": b'["vcalendar",[],[],[]]',
    "another component": b'["vevent",[],[]]',
    "two calendars": b'["vcalendar",[],[["vcalendar",[],[]]]]',
    "nesting": b"[" * 100_000,
    "nested components": json.dumps(nested(MAX_DEPTH + 1)).encode(),
    "property is a string": b'["vcalendar",["name"],[]]',
    "property without a value": b'["vcalendar",[["name",{},"text"]],[]]',
    "parameters are a list": b'["vcalendar",[["name",[],"text","x"]],[]]',
    "parameter is an object": b'["vcalendar",[["name",{"p":{}},"text","x"]],[]]',
    "parameter is null": b'["vcalendar",[["name",{"p":null},"text","x"]],[]]',
    "type is a number": b'["vcalendar",[["name",{},1,"x"]],[]]',
    "value is an object": b'["vcalendar",[["name",{},"text",{}]],[]]',
    "value is null": b'["vcalendar",[["name",{},"text",null]],[]]',
    "value is a deep array": b'["vcalendar",[["geo",{},"float",[[[1]]]]],[]]',
    "rule is a string": b'["vcalendar",[["rrule",{},"recur","FREQ=DAILY"]],[]]',
    "rule with a rule": b'["vcalendar",[["rrule",{},"recur",{"freq":"DAILY;COUNT=5"}]],[]]',
    "period of three": b'["vcalendar",[["freebusy",{},"period",["a","b","c"]]],[]]',
    "NaN": b'["vcalendar",[["geo",{},"float",NaN]],[]]',
    "infinity": b'["vcalendar",[["geo",{},"float",Infinity]],[]]',
    "huge number": b'["vcalendar",[["priority",{},"integer",' + b"9" * 10_000 + b"]],[]]",
    "line break in a name": b'["vcalendar",[["a:\\nb",{},"text","x"]],[]]',
    "line break in a type": b'["vcalendar",[["a",{},"te\\nxt","x"]],[]]',
    "line break in a parameter name": b'["vcalendar",[["a",{"p\\nq":"1"},"text","x"]],[]]',
    "line break in an URI": b'["vcalendar",[["url",{},"uri","http://x\\nATTENDEE:y"]],[]]',
    "line break in an unknown value": b'["vcalendar",[["x-a",{},"unknown","x\\r\\nATTENDEE:y"]],[]]',
    "property named BEGIN": b'["vcalendar",[["begin",{},"unknown","vevent"]],[]]',
    "property named END": b'["vcalendar",[["end",{},"unknown","vcalendar"]],[]]',
    "component with a line break": b'["vcalendar",[],[["vevent\\nX:y",[],[]]]]',
    "NUL": b'["vcalendar",[["name",{},"text","\\u0000"]],[]]',
    "surrogate": b'["vcalendar",[["name",{},"text","\\ud800"]],[]]',
    "U+FFFF": b'["vcalendar",[["name",{},"text","\\uffff"]],[]]',
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_what_is_not_jcal_is_refused(content: bytes) -> None:
    with pytest.raises(ValidCalendarData) as refusal:
        from_jcal(content)
    assert refusal.value.reason


texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff") | st.sampled_from("\n\t"),
    max_size=30,
)
unknown_names = st.from_regex(r"X-[A-Z0-9]{1,8}", fullmatch=True)
raw_values = texts.map(lambda text: text.replace("\n", ""))
params = st.dictionaries(unknown_names, st.lists(texts, min_size=1, max_size=3).map(tuple), max_size=2).map(
    lambda found: tuple(found.items())
)
properties = (
    st.builds(Property, unknown_names, raw_values, params)
    | st.builds(Property, st.sampled_from(["SUMMARY", "DESCRIPTION"]), texts.map(escape), params)
    | st.builds(
        Property,
        st.just("CATEGORIES"),
        st.lists(texts, min_size=1, max_size=3).map(lambda parts: ",".join(map(escape, parts))),
        params,
    )
)
events = st.builds(Component, st.just("VEVENT"), st.lists(properties, max_size=5).map(tuple))


@settings(max_examples=100, deadline=None)
@given(st.builds(Component, st.just("VCALENDAR"), st.just(()), st.tuples(events)))
def test_what_is_written_is_read_again(found: Component) -> None:
    assert from_jcal(to_jcal(found)) == found


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(anything | st.tuples(st.just("vcalendar"), st.lists(anything, max_size=2), st.lists(anything, max_size=2)))
def test_any_json_is_read_or_refused(found: Any) -> None:
    content = json.dumps(found)
    try:
        calendar = from_jcal(content)
    except ValidCalendarData:
        return
    assert from_jcal(to_jcal(calendar)) == calendar
