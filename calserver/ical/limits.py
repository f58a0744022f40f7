"""How much one calendar object may be (RFC 4791 sections 5.2.5 to 5.2.9)."""

from datetime import UTC, datetime

import attrs


@attrs.frozen(slots=True, kw_only=True)
class Limits:
    """The limits of a calendar collection; the instants are aware."""

    max_resource_size: int = 1024 * 1024
    """Bytes."""
    min_date_time: datetime = datetime(1900, 1, 1, tzinfo=UTC)
    max_date_time: datetime = datetime(2100, 1, 1, tzinfo=UTC)
    max_instances: int = 3000
    max_attendees_per_instance: int = 100
