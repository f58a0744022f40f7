"""Text to components and back (RFC 5545 section 3.1, RFC 6868)."""

import sys
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calserver.ical import Component, Property, ValidCalendarData, parse, serialize
from calserver.ical.parse import MAX_DEPTH, _assembled


def calendar(*lines: str, end: str = "\r\n") -> bytes:
    return (end.join(("BEGIN:VCALENDAR", *lines, "END:VCALENDAR")) + end).encode()


def only_property(line: str) -> Property:
    return parse(calendar(line)).properties[0]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\r\r\n"])
def test_lines_may_end_in_every_way_that_clients_end_them(end: str) -> None:
    found = parse(calendar("VERSION:2.0", "BEGIN:VEVENT", "SUMMARY:a", "  b", "END:VEVENT", end=end))
    assert found.value("VERSION") == "2.0"
    assert found.components[0].value("SUMMARY") == "a b"


def test_unfolding_removes_one_blank_or_tab_only() -> None:
    assert only_property("SUMMARY:one\r\n  two\r\n\tthree\r\n \tfour").value == "one twothree\tfour"


def test_a_character_folded_in_its_middle_is_whole_again() -> None:
    raw = calendar("SUMMARY:Müller").replace("ü".encode(), b"\xc3\r\n \xbc")
    assert parse(raw).value("SUMMARY") == "Müller"


def test_a_byte_order_mark_and_empty_lines_are_skipped() -> None:
    assert parse(b"\xef\xbb\xbf" + calendar("", "VERSION:2.0", "") + b"\r\n\r\n").value("VERSION") == "2.0"


def test_text_is_taken_as_well_as_bytes() -> None:
    assert parse("BEGIN:VCALENDAR\nNAME:é\nEND:VCALENDAR\n").value("NAME") == "é"


def test_names_are_upper_case_in_the_model_and_values_stay_as_they_are() -> None:
    found = only_property("dtstart;tzid=Europe/Berlin;Value=date-time:20250401T090000")
    assert found == Property("DTSTART", "20250401T090000", (("TZID", ("Europe/Berlin",)), ("VALUE", ("date-time",))))


def test_what_nobody_defined_is_kept() -> None:
    found = parse(calendar("X-WR-CALNAME;X-P=1:\\bogus", "BEGIN:X-THING", "NEWPROP:;:;", "END:X-THING"))
    assert found.properties == (Property("X-WR-CALNAME", "\\bogus", (("X-P", ("1",)),)),)
    assert found.components == (Component("X-THING", (Property("NEWPROP", ";:;"),)),)


@pytest.mark.parametrize(
    ("line", "value", "params"),
    [
        ('A;P="x:y;z,":v', "v", (("P", ("x:y;z,",)),)),
        ('A;P=a,"b,c",d:v', "v", (("P", ("a", "b,c", "d")),)),
        ("A;P=:v", "v", (("P", ("",)),)),
        ('A;P="":v', "v", (("P", ("",)),)),
        ("A;P=,:v", "v", (("P", ("", "")),)),
        ("A;P=1;P=2:v", "v", (("P", ("1",)), ("P", ("2",)))),
        ("A;P==x:v", "v", (("P", ("=x",)),)),
        ('A:say "hello": now', 'say "hello": now', ()),
        ('A;P="q":b"c', 'b"c', (("P", ("q",)),)),
        ("A:", "", ()),
        ("A;P=a^nb^^c^'d^x:v", "v", (("P", ('a\nb^c"d^x',)),)),
    ],
)
def test_parameters(line: str, value: str, params: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
    """RFC 5545 section 3.2, RFC 6868 section 3."""
    assert only_property(line) == Property("A", value, params)


BAD = {
    "no colon": calendar("SUMMARY"),
    "no name": calendar(":value"),
    "space in the name": calendar("A B:value"),
    "underscore in the name": calendar("A_B:value"),
    "non-ASCII name": calendar("ÄB:value"),
    "parameter without a name": calendar("A;=x:v"),
    "parameter without a value": calendar("A;P:v"),
    "nothing after the semicolon": calendar("A;:v"),
    "quote in the middle": calendar('A;P=a"b"c:v'),
    "text after the quote": calendar('A;P="a"b:v'),
    "open quote": calendar('A;P="a:v'),
    "no colon after the quote": calendar('A;P="a:b"'),
    "leading blank": b" BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
    "empty": b"",
    "blank lines only": b"\r\n\r\n",
    "no component": b"VERSION:2.0\r\n",
    "not a calendar": b"BEGIN:VEVENT\r\nEND:VEVENT\r\n",
    "no end": b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n",
    "end without begin": b"END:VCALENDAR\r\n",
    "wrong end": b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VTODO\r\nEND:VCALENDAR\r\n",
    "crossed ends": b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR\r\nEND:VEVENT\r\n",
    "two calendars": calendar() + calendar(),
    "property after the end": calendar() + b"VERSION:2.0\r\n",
    "garbage after the end": calendar() + b"garbage\r\n",
    "calendar in a calendar": calendar("BEGIN:VCALENDAR", "END:VCALENDAR"),
    "component without a name": calendar("BEGIN:", "END:"),
    "component with a bad name": calendar("BEGIN:A B", "END:A B"),
    "parameter of BEGIN": calendar("BEGIN;X=1:VEVENT", "END:VEVENT"),
    "parameter of END": calendar("BEGIN:VEVENT", "END;X=1:VEVENT"),
    "NUL": calendar("SUMMARY:a\0b"),
    "escape": calendar("SUMMARY:a\x1bb"),
    "vertical tab": calendar("SUMMARY:a\x0bb"),
    "delete": calendar("SUMMARY:a\x7fb"),
    "control character in a fold": calendar("SUMMARY:a\r\n\x01 b"),
    "U+FFFE": calendar("SUMMARY:a\ufffeb"),
    "U+FFFF": calendar("SUMMARY:a\uffffb"),
    "Latin-1": calendar("SUMMARY:x").replace(b"x", b"\xfc"),
    "surrogate in UTF-8": calendar("SUMMARY:x").replace(b"x", b"\xed\xa0\x80"),
    "overlong UTF-8": calendar("SUMMARY:x").replace(b"x", b"\xc0\xaf"),
    "UTF-16": calendar("SUMMARY:x").decode().encode("utf-16"),
    "too deep": calendar(*["BEGIN:X"] * MAX_DEPTH, *["END:X"] * MAX_DEPTH),
    "far too deep": calendar(*["BEGIN:X"] * 50_000),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_what_is_not_a_stream_of_content_lines_is_refused(content: bytes) -> None:
    with pytest.raises(ValidCalendarData) as refusal:
        parse(content)
    assert refusal.value.reason


def test_a_lone_surrogate_in_text_is_refused() -> None:
    with pytest.raises(ValidCalendarData):
        parse("BEGIN:VCALENDAR\nNAME:\ud800\nEND:VCALENDAR\n")


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_a_refusal_names_the_line_as_an_editor_counts_it(end: str) -> None:
    with pytest.raises(ValidCalendarData, match=r"^line 5: "):
        parse(calendar("VERSION:2.0", "SUMMARY:folded", " twice", "BROKEN", "END:X", end=end))
    with pytest.raises(ValidCalendarData, match=r"^line 3: "):
        parse(calendar("VERSION:2.0", "SUMMARY:\0", end=end))


def test_a_refusal_does_not_repeat_calendar_text() -> None:
    with pytest.raises(ValidCalendarData) as refusal:
        parse(calendar("my secret"))
    assert "secret" not in str(refusal.value)


def test_components_may_be_nested_as_deep_as_anything_needs() -> None:
    assert len(list(parse(calendar(*["BEGIN:X"] * 15, *["END:X"] * 15)).walk())) == 16


# Writing


def test_lines_are_folded_at_75_octets_between_characters() -> None:
    """RFC 5545 section 3.1."""
    text = "a€😀ü" * 60
    written = serialize(Component("VCALENDAR", (Property("SUMMARY", text),)))
    lines = written.split(b"\r\n")
    assert all(len(line) <= 75 for line in lines)
    assert len(lines) - 3 <= -(-len(text.encode()) // 70)
    for line in lines:
        line.decode()
    assert parse(written).value("SUMMARY") == text


def test_a_line_of_75_octets_is_not_folded() -> None:
    line = "SUMMARY:" + "x" * 67
    assert line.encode() in serialize(Component("VCALENDAR", (Property("SUMMARY", "x" * 67),))).split(b"\r\n")


def test_parameters_are_quoted_and_escaped_where_they_must_be() -> None:
    prop = Property(
        "ATTENDEE", "mailto:a@b", (("CN", ('a "b" ^c\nd',)), ("DIR", ("http://x/;y",)), ("ROLE", ("X", "Y")))
    )
    line = serialize(Component("VCALENDAR", (prop,))).replace(b"\r\n ", b"").split(b"\r\n")[1]
    assert line == b"ATTENDEE;CN=a ^'b^' ^^c^nd;DIR=\"http://x/;y\";ROLE=X,Y:mailto:a@b"


@pytest.mark.parametrize("value", ["a\nATTENDEE:x", "a\rb", "a\r\n b"])
def test_a_raw_value_cannot_become_another_line(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        serialize(Component("VCALENDAR", (Property("SUMMARY", value),)))


names = st.from_regex(r"[A-Z][A-Z0-9-]{0,12}", fullmatch=True).filter(lambda name: name not in ("BEGIN", "END"))
characters = st.characters(
    exclude_categories=("Cs",), exclude_characters="\ufffe\uffff" + "".join(map(chr, {*range(0x20), 0x7F} - {9}))
)
values = st.text(characters, max_size=120)
params = st.lists(
    st.tuples(names, st.lists(st.text(characters | st.just("\n"), max_size=20), min_size=1, max_size=3).map(tuple)),
    max_size=3,
).map(tuple)
properties = st.lists(st.builds(Property, names, values, params), max_size=5).map(tuple)
inner = st.builds(Component, names.filter(lambda name: name != "VCALENDAR"), properties)
components = st.builds(Component, names.filter(lambda name: name != "VCALENDAR"), properties, st.tuples(inner))
calendars = st.builds(Component, st.just("VCALENDAR"), properties, st.lists(components, max_size=3).map(tuple))


@settings(max_examples=50, deadline=None)
@given(calendars)
def test_what_is_written_is_read_again(found: Component) -> None:
    assert parse(serialize(found)) == found


texts = st.text(max_size=200).map(lambda text: f"BEGIN:VCALENDAR\n{text}\nEND:VCALENDAR".encode(errors="replace"))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | texts)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        found = parse(content)
    except ValidCalendarData:
        return
    assert parse(serialize(found)) == found


# Time zones, which are remembered as a whole

ZONE = ("BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:STANDARD", "TZNAME;X=1:CET", "END:STANDARD", "END:VTIMEZONE")
zone_lines = st.lists(
    st.sampled_from(
        (*ZONE, "BEGIN:VEVENT", "END:VEVENT", "SUMMARY:x", "", "begin:vtimezone", "END:VCALENDAR", "nothing")
    ),
    max_size=25,
)


def read(content: bytes, *, zones: bool) -> Component | str:
    """What becomes of calendar data, or why nothing does, with and without a memory."""
    text = content.decode().replace("\r\n", "\n")
    try:
        return _assembled(content, text.split("\n"), zones=zones)
    except ValidCalendarData as refusal:
        return refusal.reason


@settings(max_examples=300, deadline=None)
@given(zone_lines, zone_lines)
def test_a_time_zone_that_is_remembered_is_what_its_lines_say(before: list[str], after: list[str]) -> None:
    content = calendar(*before, *ZONE, *after)
    assert read(content, zones=True) == read(content, zones=False)


def test_a_time_zone_is_read_once() -> None:
    one, other = parse(calendar(*ZONE, "NAME:a")), parse(calendar("NAME:b", *ZONE, *ZONE))
    assert other.components[0] is other.components[1] is one.components[0]
    assert [each.value for each in other.properties] == ["b"]


@pytest.mark.parametrize("more", [["X-LONG:" + "x" * 9000], ["X-MANY:x"] * 101])
def test_a_time_zone_that_is_large_is_not_remembered(more: list[str]) -> None:
    content = calendar(*ZONE[:2], *more, *ZONE[2:])
    assert parse(content).components[0] == parse(content).components[0]
    assert parse(content).components[0] is not parse(content).components[0]


# Cost


def calls(function: Callable[[], object]) -> int:
    """How many calls, of Python and of C, a function makes."""
    count = 0

    def profile(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        with suppress(ValidCalendarData):
            function()
    finally:
        sys.setprofile(None)
    return count


TORTURES: dict[str, Callable[[int], bytes]] = {
    "folds": lambda n: calendar("SUMMARY:x" + "\r\n y" * n),
    "empty folds": lambda n: calendar("SUMMARY:x" + "\r\n " * n),
    "empty lines": lambda n: calendar(*[""] * n),
    "properties": lambda n: calendar(*(f"X-{i}:{i}" for i in range(n))),
    "parameters": lambda n: calendar("A" + ";P=1" * n + ":v"),
    "parameter values": lambda n: calendar("A;P=" + "1," * n + ":v"),
    "quotes": lambda n: calendar("A" + ';P="1"' * n + ":v"),
    "quotes without a colon": lambda n: calendar("A" + ';P="1"' * n),
    "open quotes": lambda n: calendar('A;P="' + ',"' * n + ":v"),
    "circumflexes": lambda n: calendar("A;P=" + "^" * n + ":v"),
    "semicolons": lambda n: calendar("A" + ";" * n),
    "components": lambda n: calendar(*["BEGIN:X", "END:X"] * n),
    "open components": lambda n: calendar(*["BEGIN:X"] * n),
    "errors at the end": lambda n: calendar(*["A:b", " c"] * n, "broken"),
}


@pytest.mark.parametrize("torture", TORTURES.values(), ids=TORTURES.keys())
def test_cost_grows_with_length_and_no_faster(torture: Callable[[int], bytes]) -> None:
    few, many = torture(2000), torture(8000)
    assert calls(lambda: parse(many)) <= 5 * calls(lambda: parse(few)) + 200


@pytest.mark.parametrize("torture", TORTURES.values(), ids=TORTURES.keys())
def test_a_hostile_megabyte_is_done_with(torture: Callable[[int], bytes]) -> None:
    """What is quadratic below the level of calls would not end."""
    content = torture(1_000_000 // max(1, len(torture(1001)) - len(torture(1000))))
    with suppress(ValidCalendarData):
        assert parse(content).name == "VCALENDAR"
