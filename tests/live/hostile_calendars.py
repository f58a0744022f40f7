"""Calendar data that costs much or breaks answers: either refused by name, or stored and harmless from then on."""

import json
from collections.abc import Mapping
from typing import Final

import attrs
from hostile import event, ics

from calserver.names import C


@attrs.frozen
class Poison:
    """What is stored.

    Attributes:
        name: what is tried.
        body: the object.
        condition: Clark name of why it is refused; empty where it is stored.
        media_type: of the body.
    """

    name: str
    body: bytes
    condition: str
    media_type: str = "text/calendar; charset=utf-8"


DATA: Final = C("valid-calendar-data")
RESOURCE: Final = C("valid-calendar-object-resource")
INSTANCES: Final = C("max-instances")
ALL_DAYS: Final = "MO,TU,WE,TH,FR,SA,SU"
DENSE: Final = (
    f"BYSECOND={','.join(map(str, range(60)))};BYMINUTE={','.join(map(str, range(60)))};"
    f"BYHOUR={','.join(map(str, range(24)))};BYDAY={ALL_DAYS}"
)

RULES: Final[Mapping[str, tuple[str, str]]] = {
    "FREQ=SECONDLY": ("each second for ever", INSTANCES),
    "FREQ=MINUTELY;UNTIL=99991231T235959Z": ("each minute until the end of time", INSTANCES),
    "FREQ=SECONDLY;COUNT=2147483647": ("two thousand million instances", DATA),
    "FREQ=DAILY;COUNT=100000000": ("a hundred million days", INSTANCES),
    f"FREQ=DAILY;COUNT={'9' * 400}": ("a count of 400 digits", DATA),
    "FREQ=DAILY;COUNT=0": ("a count of nothing", DATA),
    "FREQ=DAILY;INTERVAL=0": ("steps of nothing", DATA),
    "FREQ=DAILY;INTERVAL=-1": ("steps backwards", DATA),
    f"FREQ=DAILY;INTERVAL={'9' * 400}": ("steps of 400 digits", DATA),
    "FREQ=YEARLY;INTERVAL=999999999": ("steps beyond the end of time", ""),
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30": ("never: 30 February", ""),
    "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30": ("never, looked for by the second", ""),
    "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31;COUNT=1": ("never, and once", ""),
    "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6": ("never: week 53 in June", ""),
    "FREQ=YEARLY;BYYEARDAY=366;BYMONTH=1": ("never: the last day in January", ""),
    "FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1": ("never: an odd minute by even steps", ""),
    "FREQ=HOURLY;INTERVAL=24;BYHOUR=3": ("never: another hour each day", ""),
    "FREQ=DAILY;BYSETPOS=2": ("never: the second of one", ""),
    f"FREQ=YEARLY;{DENSE};COUNT=1": ("each second of the year, once", ""),
    f"FREQ=YEARLY;{DENSE};BYSETPOS=-1;COUNT=1": ("the last second of the year", ""),
    f"FREQ=YEARLY;{DENSE};BYSETPOS=366": ("one of all seconds of the year", ""),
    f"FREQ=SECONDLY;{DENSE}": ("each second by all names", INSTANCES),
    f"FREQ=DAILY;{DENSE}": ("all seconds of all days", INSTANCES),
    "FREQ=DAILY;BYMONTHDAY=" + ",".join(["1"] * 10_000): ("the same day 10,000 times", DATA),
    "FREQ=DAILY;UNTIL=19000101T000000Z": ("an end before the start", ""),
    "FREQ=DAILY;UNTIL=20260231T000000Z": ("an end on a day that there is not", DATA),
    "FREQ=NEVERLY": ("an unknown frequency", DATA),
    "": ("nothing", DATA),
    "FREQ=DAILY;FREQ=DAILY": ("a part twice", DATA),
    "FREQ=MONTHLY;BYDAY=999MO": ("the 999th Monday", DATA),
    "FREQ=MONTHLY;BYMONTHDAY=0": ("the day zero", DATA),
    "RSCALE=KLINGON;FREQ=DAILY": ("an unknown calendar", C("supported-rscale")),
    "RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=5L;SKIP=FORWARD": ("leap months of another calendar", ""),
    "RSCALE=ETHIOPIC;FREQ=SECONDLY;BYMONTH=13;BYMONTHDAY=6": ("seldom, in another calendar", INSTANCES),
}


def zone(*lines: str) -> bytes:
    """An event in a time zone of its own."""
    return ics(
        "BEGIN:VTIMEZONE",
        "TZID:Evil",
        *lines,
        "END:VTIMEZONE",
        "BEGIN:VEVENT",
        "UID:new",
        "DTSTAMP:20260101T000000Z",
        "DTSTART;TZID=Evil:20260105T090000",
        "RRULE:FREQ=DAILY;COUNT=10",
        "END:VEVENT",
    )


def observance(*lines: str) -> tuple[str, ...]:
    """A part of a time zone."""
    return (
        "BEGIN:STANDARD",
        "DTSTART:19700101T000000",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0200",
        *lines,
        "END:STANDARD",
    )


def days(count: int) -> list[str]:
    """Times from 2026 on, a day apart within months of 28 days."""
    return [f"{2026 + n // 336}{n // 28 % 12 + 1:02}{n % 28 + 1:02}T090000Z" for n in range(count)]


def overrides(count: int, parameter: str = "") -> bytes:
    """A daily event with an override for each of some instances."""
    lines = [
        line
        for day in days(count)
        for line in (
            "BEGIN:VEVENT",
            "UID:new",
            "DTSTAMP:20260101T000000Z",
            f"RECURRENCE-ID{parameter}:{day}",
            f"DTSTART:{day}",
            "DURATION:PT1H",
            "END:VEVENT",
        )
    ]
    master = ("BEGIN:VEVENT", "UID:new", "DTSTAMP:20260101T000000Z", "DTSTART:20260101T090000Z", "RRULE:FREQ=DAILY")
    return ics(*master, "END:VEVENT", *lines)


def jcal(*properties: object) -> bytes:
    """An event in jCal with some properties."""
    inside = [
        ["uid", {}, "text", "new"],
        ["dtstamp", {}, "date-time", "2026-01-01T00:00:00Z"],
        ["dtstart", {}, "date-time", "2026-01-05T09:00:00Z"],
        *properties,
    ]
    head = [["version", {}, "text", "2.0"], ["prodid", {}, "text", "x"]]
    return json.dumps(["vcalendar", head, [["vevent", inside, []]]]).encode()


BOMBS: Final[tuple[Poison, ...]] = (
    *(Poison(f"a rule: {name}", event(f"RRULE:{rule}"), condition) for rule, (name, condition) in RULES.items()),
    Poison(
        "all is excluded by dates", event("RRULE:FREQ=DAILY;COUNT=1000", *(f"EXDATE:{day}" for day in days(1_400))), ""
    ),
    Poison("all is excluded by a rule", event("RRULE:FREQ=DAILY", "EXRULE:FREQ=DAILY"), ""),
    Poison("all is excluded by the second", event("RRULE:FREQ=SECONDLY", "EXRULE:FREQ=SECONDLY"), INSTANCES),
    Poison("100 rules", event(*["RRULE:FREQ=SECONDLY"] * 100), DATA),
    Poison("10,000 dates", event(*(f"RDATE:{day}" for day in days(10_000))), INSTANCES),
    Poison("10,000 dates on one line", event("RDATE:" + ",".join(days(10_000))), INSTANCES),
    Poison("a period of 9,000 years", event("RDATE;VALUE=PERIOD:20260105T090000Z/P470000W"), DATA),
    Poison("2,000 overrides", overrides(2_000), ""),
    Poison("2,000 overrides of all that follows", overrides(2_000, ";RANGE=THISANDFUTURE"), ""),
    Poison("the year 1", event("DTSTART:00010101T000000Z"), C("min-date-time")),
    Poison("the year 9999", event("DTSTART:99991231T235959Z"), C("max-date-time")),
    Poison(
        "an event until the year 9999", event("DTSTART:20260101T000000Z", "DTEND:99991231T235959Z"), C("max-date-time")
    ),
    Poison("a duration of 400 digits", event("DTSTART:20260101T000000Z", f"DURATION:P{'9' * 400}W"), DATA),
    Poison("a duration of nonsense", event("DTSTART:20260101T000000Z", "DURATION:P"), DATA),
    Poison("a month that there is not", event("DTSTART:20261301T000000Z"), DATA),
    Poison(
        "a million reminders",
        event(
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            "DESCRIPTION:x",
            "TRIGGER:-PT1M",
            "REPEAT:1000000",
            "DURATION:PT1S",
            "END:VALARM",
        ),
        "",
    ),
    Poison(
        "5,000 reminders",
        event(
            *[
                line
                for n in range(5_000)
                for line in ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", f"TRIGGER:-PT{n}M", "END:VALARM")
            ]
        ),
        "",
    ),
    Poison(
        "10,000 attendees",
        event("ORGANIZER:mailto:x@evil.example", *(f"ATTENDEE:mailto:a{n}@evil.example" for n in range(10_000))),
        C("max-attendees-per-instance"),
    ),
    Poison("a zone that changes each second", zone(*observance("RRULE:FREQ=SECONDLY")), DATA),
    Poison("a zone that never changes", zone(*observance("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")), ""),
    Poison("a zone with 10,000 changes", zone(*observance(*(f"RDATE:{day[:-1]}" for day in days(10_000)))), DATA),
    Poison("a zone without parts", zone(), DATA),
    Poison(
        "a zone of a hundred hours",
        zone("BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+9959", "TZOFFSETTO:-9959", "END:STANDARD"),
        DATA,
    ),
    Poison(
        "a zone with a name of a path", event("DTSTART;TZID=../../../etc/passwd:20260105T090000"), C("valid-timezone")
    ),
    Poison(
        "a zone with a name of 100,000 characters",
        event(f"DTSTART;TZID={'x' * 100_000}:20260105T090000"),
        C("valid-timezone"),
    ),
    Poison(
        "100,000 empty lines",
        ics(
            *[""] * 100_000,
            "BEGIN:VEVENT",
            "UID:new",
            "DTSTAMP:20260101T000000Z",
            "DTSTART:20260105T090000Z",
            "END:VEVENT",
        ),
        "",
    ),
    Poison("100,000 folded lines", event("SUMMARY:x" + "\r\n y" * 100_000), ""),
    Poison("100,000 properties", event(*["X-A:b"] * 100_000), ""),
    Poison("100,000 parameters", event("SUMMARY" + ";X-A=b" * 100_000 + ":x"), ""),
    Poison("components 10,000 deep", event(*["BEGIN:X-A"] * 10_000, *["END:X-A"] * 10_000), DATA),
    Poison("components that never end", b"BEGIN:VCALENDAR\r\n" + b"BEGIN:X\r\n" * 50_000, DATA),
    Poison("what is no calendar", b"BEGIN:VCALENDAR", DATA),
    Poison("an empty calendar", ics(), RESOURCE),
    Poison(
        "two events",
        ics(
            "BEGIN:VEVENT",
            "UID:a",
            "DTSTAMP:20260101T000000Z",
            "DTSTART:20260105T090000Z",
            "END:VEVENT",
            "BEGIN:VEVENT",
            "UID:b",
            "DTSTAMP:20260101T000000Z",
            "DTSTART:20260105T090000Z",
            "END:VEVENT",
        ),
        RESOURCE,
    ),
    Poison("a UID of 100,000 characters", event(uid="u" * 100_000), DATA),
    Poison(
        "an attachment that names a file here", event("ATTACH:file:///etc/passwd", "ATTACH:http://127.0.0.1:9/"), ""
    ),
)

TEXTS: Final[tuple[Poison, ...]] = (
    *(
        Poison(f"a text with {name}", event("SUMMARY:a").replace(b"SUMMARY:a", b"SUMMARY:a" + text), condition)
        for name, (text, condition) in {
            "NUL": (b"\0", DATA),
            "BEL": (b"\x07", DATA),
            "a vertical tab": (b"\x0b", DATA),
            "an escape": (b"\x1b[31m", DATA),
            "DEL": (b"\x7f", DATA),
            "a carriage return alone": (b"\rb", DATA),
            "invalid UTF-8": (b"\xff\xfe", DATA),
            "half a character": (b"\xc3", DATA),
            "an overlong character": (b"\xc0\xaf", DATA),
            "a surrogate": (b"\xed\xa0\x80", DATA),
            "U+FFFE": ("\ufffe".encode(), DATA),
            "U+FFFF": ("\uffff".encode(), DATA),
            "a byte order mark": ("\ufeff".encode(), ""),
            "characters of C1": ("\x80\x9f".encode(), ""),
            "another direction": ("\u202e\u2066".encode(), ""),
            "the end of CDATA": (b"]]>", ""),
            "markup": (b"</C:calendar-data><script>alert(1)</script>", ""),
            "an entity": (b"&lt;&x;", ""),
            "a line separator": ("\u2028\u2029\x85".encode(), ""),
            "a character beyond the first plane": ("\U0010ffff\U0001f4a9".encode(), ""),
        }.items()
    ),
    Poison("a UID with markup", event(uid="\"'><script>alert(1)</script>"), ""),
    Poison("a UID that is a path", event(uid="../../../etc/passwd"), ""),
    Poison("another charset", event("SUMMARY:\u00e9").decode().encode("utf-16"), DATA, "text/calendar; charset=utf-16"),
    *(
        Poison(f"jCal {name}", body, condition, "application/calendar+json")
        for name, (body, condition) in {
            "with NUL": (jcal(["summary", {}, "text", "\0"]), DATA),
            "with U+FFFE": (jcal(["summary", {}, "text", "\ufffe"]), DATA),
            "with half a surrogate pair": (jcal(["summary", {}, "text", "\ud800"]), DATA),
            "with lines that end": (jcal(["summary", {}, "text", "a\r\nEND:VEVENT"]), ""),
            "with a name that ends the line": (jcal(["x:y\r\nend:vevent", {}, "text", "a"]), DATA),
            "with a parameter that ends the line": (jcal(["summary", {"x": 'a"\r\nEND:VEVENT'}, "text", "a"]), ""),
            "with a number without end": (jcal().replace(b'"2.0"', b"1e999"), DATA),
            "with NaN": (jcal().replace(b'"2.0"', b"NaN"), DATA),
            "that is deep": (b"[" * 100_000, DATA),
            "that is deep and ends": (b"[" * 100_000 + b"]" * 100_000, DATA),
            "that is an object": (b"{}", DATA),
            "with a rule that is a text": (jcal(["rrule", {}, "recur", "FREQ=SECONDLY"]), DATA),
            "with a rule that never ends": (
                jcal(["rrule", {}, "recur", {"freq": "SECONDLY", "bymonth": 2, "bymonthday": 30}]),
                "",
            ),
        }.items()
    ),
)
