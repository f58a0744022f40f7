"""One row of the instance index: what time-range queries and free-busy need of an occurrence."""

import attrs


@attrs.frozen(slots=True, kw_only=True)
class Instance:
    """An occurrence, or the marker of an endless series beyond the horizon.

    ``start`` and ``end`` are seconds since the epoch, end exclusive; for a ``floating`` one (floating times and days)
    they are the wall-clock time read as if it were UTC. ``busy`` is the FBTYPE letter: ``B`` busy, ``T`` tentative,
    ``U`` unavailable, ``F`` free. ``marker`` rows stand for all occurrences after ``start``.
    """

    start: int
    end: int
    floating: bool = False
    busy: str = "B"
    marker: bool = False
    recurrence_id: str | None = None
