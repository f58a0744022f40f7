"""When something is, in English words: days, times with their zone, rules of repetition in short."""

from datetime import datetime, timedelta
from typing import Final

from calserver import ical
from calserver.ical import Component, Duration, When, Zones

DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_WEEKDAYS: Final = dict(zip(("MO", "TU", "WE", "TH", "FR", "SA", "SU"), DAYS, strict=True))
_UNITS: Final = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year", "HOURLY": "hour"}
_LONGEST_ZONE: Final = 60


def when(component: Component, zones: Zones) -> str:
    """When a component is: "Tuesday, 1 December 2026, 10:00 to 11:00 (Europe/Berlin, UTC+01:00)"; empty without a time.

    Raises:
        ValueError: a property is malformed.
    """
    start = component.first("DTSTART")
    if start is None:
        due = component.first("DUE")
        return "" if due is None else f"due {moment(ical.when(due, zones))}"
    begins = ical.when(start, zones)
    if component.name == "VTODO":
        due = component.first("DUE")
        until = "" if due is None else f", due {moment(ical.when(due, zones))}"
        return f"from {moment(begins)}{until}"
    return _span(begins, _end(component, begins, zones))


def _end(component: Component, begins: When, zones: Zones) -> When:
    """When it ends (RFC 5545 section 3.6.1)."""
    end, lasts = component.first("DTEND"), component.value("DURATION")
    if end is not None:
        return ical.when(end, zones)
    if lasts is not None:
        return begins.plus(ical.duration(lasts))
    return begins.plus(Duration(1)) if begins.is_date else begins


def _span(begins: When, ends: When) -> str:
    if begins.is_date:
        last = max(begins.local, ends.local - timedelta(days=1))
        return _day(begins.local) if last == begins.local else f"{_day(begins.local)} to {_day(last)}"
    if ends.epoch() <= begins.epoch():
        return moment(begins)
    if (ends.tzid, ends.zone) != (begins.tzid, begins.zone):
        return f"{moment(begins)} to {moment(ends)}"
    day = "" if ends.local.date() == begins.local.date() else f"{_day(ends.local)}, "
    return f"{_day(begins.local)}, {_clock(begins.local)} to {day}{_clock(ends.local)}{_zone(begins)}"


def moment(at: When) -> str:
    """One day, or one time with its zone."""
    return _day(at.local) if at.is_date else f"{_day(at.local)}, {_clock(at.local)}{_zone(at)}"


def _day(local: datetime) -> str:
    return f"{DAYS[local.weekday()]}, {local.day} {MONTHS[local.month - 1]} {local.year}"


def _clock(local: datetime) -> str:
    return f"{local.hour:02d}:{local.minute:02d}"


def _zone(at: When) -> str:
    if at.zone is None:
        return " (local time)"
    if at.is_utc:
        return " (UTC)"
    offset = at.zone.utcoffset(at.local.replace(tzinfo=at.zone)) or timedelta()
    minutes = round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    name = getattr(at.zone, "key", None) or at.tzid or ""
    return f" ({name[:_LONGEST_ZONE]}, UTC{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d})"


def repeats(component: Component, zones: Zones) -> str:
    """How a series repeats: "every 2 weeks on Monday, Friday, 10 times"; empty where it does not."""
    rules = component.all("RRULE")
    if not rules:
        return "on further dates" if component.first("RDATE") is not None else ""
    parts = dict(part.partition("=")[::2] for part in rules[0].value.upper().split(";"))
    unit = _UNITS.get(parts.pop("FREQ", ""))
    step = parts.pop("INTERVAL", "1")
    if unit is None or not step.isdigit() or len(rules) > 1 or component.first("RDATE") is not None:
        return "as the calendar shows"
    text = f"every {unit}" if int(step) == 1 else f"every {int(step)} {unit}s"
    days = [_WEEKDAYS.get(each, "") for each in parts.get("BYDAY", "").split(",")]
    if unit == "week" and all(days):
        text += f" on {', '.join(days)}"
        del parts["BYDAY"]
    limits = _limits(parts.pop("COUNT", ""), parts.pop("UNTIL", ""), component, zones)
    parts.pop("WKST", None)
    return f"{text}{', on days that the calendar shows' if parts else ''}{limits}"


def _limits(count: str, until: str, component: Component, zones: Zones) -> str:
    if count.isdigit():
        return f", {int(count)} times"
    start = component.first("DTSTART")
    if not until or start is None:
        return ""
    last = ical.when(ical.Property("UNTIL", until), zones)
    begins = ical.when(start, zones)
    if begins.zone is not None and last.zone is not None:
        return f", until {_day(ical.wall_clock(last.epoch(), begins.zone))}"
    return f", until {_day(last.local)}"
