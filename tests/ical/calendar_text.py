"""Calendar objects for tests, written as short as they can be."""

from datetime import UTC, datetime

from calserver.ical import CalendarObject, Component, parse


def utc(text: str) -> datetime:
    """``20260301`` or ``20260301T120000``."""
    return datetime.strptime(text if "T" in text else f"{text}T000000", "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def epoch(text: str) -> int:
    return int(utc(text).timestamp())


def component(kind: str, *lines: str) -> str:
    return "\n".join((f"BEGIN:{kind}", *lines, f"END:{kind}"))


def event(*lines: str) -> str:
    return component("VEVENT", "UID:1", *lines)


def task(*lines: str) -> str:
    return component("VTODO", "UID:1", *lines)


def text_of(*components: str, method: str | None = None) -> bytes:
    head = ("VERSION:2.0", "PRODID:-//Test//EN", *(() if method is None else (f"METHOD:{method}",)))
    return (component("VCALENDAR", *head, *components) + "\n").replace("\n", "\r\n").encode()


def calendar(*components: str) -> Component:
    return parse(text_of(*components))


def object_of(*components: str, method: str | None = None) -> CalendarObject:
    return CalendarObject.stored(text_of(*components, method=method))
