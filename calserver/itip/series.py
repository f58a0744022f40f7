"""Whether a change of rules adds instances to a series, or moves them (RFC 6638 section 7.1's table for RRULE)."""

from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from calserver import ical
from calserver.ical import CalendarObject, Component
from calserver.itip.meaning import clock, rule_parts
from calserver.itip.meeting import Meeting

_SPAN: Final = timedelta(days=4 * 366)
_MOST: Final = 3000
_DAY: Final = timedelta(days=1)


def adds_instances(old: Meeting, new: Meeting) -> bool:
    """Whether the rules of a series, by its clock, make instances that the old ones did not, in the first four years.

    Beyond these years an end that lies later adds some. What costs too much to find out counts as added.
    """
    if old.master is None or new.master is None:
        return new.master is not None
    before, after = _rules(old.master), _rules(new.master)
    if not after or (before == after and clock(old.master, old.zones) == clock(new.master, new.zones)):
        return False
    if not before:
        return True
    if _is_endless(new.master) and not _is_endless(old.master):
        return True
    try:
        had, has = _starts(old), _starts(new)
    except (ical.MaxInstances, ValueError):
        return True
    if not has <= had:
        return True
    return not _is_endless(new.master) and not _is_endless(old.master) and _ends(new.master) > _ends(old.master)


def _rules(master: Component) -> frozenset[object]:
    return frozenset((each.name, rule_parts(each.value)) for each in (*master.all("RRULE"), *master.all("EXRULE")))


def _is_endless(master: Component) -> bool:
    return any(not {"COUNT", "UNTIL"} & {name for name, _ in rule_parts(each.value)} for each in master.all("RRULE"))


def _ends(master: Component) -> tuple[tuple[str, ...], ...]:
    """COUNT and UNTIL in a form that orders later ones last, where both rules have the same."""
    ends = []
    for each in master.all("RRULE"):
        parts = dict(rule_parts(each.value))
        count, until = next(iter(parts.get("COUNT", ())), ""), next(iter(parts.get("UNTIL", ())), "")
        ends.append((count.zfill(10), until) if count else ("", until))
    return tuple(sorted(ends))


def _starts(meeting: Meeting) -> frozenset[datetime]:
    if meeting.master is None or meeting.start is None:
        return frozenset()
    dropped = ("RDATE", "EXDATE")
    kept = tuple(each for each in meeting.master.properties if each.name not in dropped)
    alone = attrs.evolve(meeting.master, properties=kept)
    found = CalendarObject.of(Component("VCALENDAR", (), (*meeting.timezones, alone)))
    first = datetime.fromtimestamp(meeting.start.epoch(), UTC)
    return frozenset(each.start for each in ical.expand(found, first - _DAY, first + _SPAN, zone=UTC, limit=_MOST))
