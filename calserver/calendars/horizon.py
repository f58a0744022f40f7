"""How far ahead recurring components are indexed, and what happens beyond.

An object's index rows reach to the horizon of the day on which they were written; a marker row stands for everything
beyond. A query that only markers answer for has to look into the objects (see `calserver.store.Objects.in_range`).
`extend` writes the rows anew as time goes by, so that the usual queries - weeks and months ahead - never have to.

What floats (floating times, whole days) is indexed as wall-clock time and compared in the zone that the calendar has
when it is queried. So a calendar that gets another zone needs no new rows.
"""

from datetime import datetime, timedelta

from calserver.config import Calendars


def horizon(now: datetime, settings: Calendars) -> datetime:
    """How far rows that are written now reach."""
    return now + timedelta(days=settings.horizon_days)
