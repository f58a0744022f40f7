"""What users do with calendars: values and transaction functions (RFC 4791).

Every way in comes through here - CalDAV, the command line's import, later invitations - so what may be stored in a
calendar, and in which form, is decided once:

- `provision` makes the homes and standard collections of a new principal;
- `accepted` turns a checked calendar object into what is stored, `admit` checks that a calendar takes it, `put` does
  both and stores it; who stores it otherwise calls `spread`, for those who share the calendar; `pieces` cuts what came
  as one file;
- `sharing` is what sharers and sharees do, `notifications` what they are told, `branches` what there is of it between
  nodes of a cluster; `publishing` makes calendars public;
- `busy`, `busy_of` and `busy_each` tell when calendars and principals are busy, from the instance index; `extend`
  keeps that ahead of time.
"""

from calserver.calendars import branches, notifications, publishing, sharing
from calserver.calendars.attending import own_addresses
from calserver.calendars.conditions import (
    CalendarCollectionLocationOk,
    NoUidConflict,
    OrganizerIsSharer,
    SupportedCalendarComponent,
    UniqueSchedulingObjectResource,
)
from calserver.calendars.defaults import DEFAULT_URLS, default_calendar
from calserver.calendars.forms import spread
from calserver.calendars.freebusy import AVAILABILITY, TELLING, busy, busy_each, busy_of, counts, zone_of
from calserver.calendars.horizon import extend, limits
from calserver.calendars.objects import COMPONENTS, CONTENT_TYPE, PathOf, accepted, admit, put, taken
from calserver.calendars.pieces import pieces
from calserver.calendars.provision import (
    CALENDAR_HOME,
    DEFAULT,
    DRIVE_HOME,
    INBOX,
    NOTIFICATIONS,
    OUTBOX,
    OWNERS,
    SHARED_CALENDAR,
    provision,
)

__all__ = [
    "AVAILABILITY",
    "CALENDAR_HOME",
    "COMPONENTS",
    "CONTENT_TYPE",
    "DEFAULT",
    "DEFAULT_URLS",
    "DRIVE_HOME",
    "INBOX",
    "NOTIFICATIONS",
    "OUTBOX",
    "OWNERS",
    "SHARED_CALENDAR",
    "TELLING",
    "CalendarCollectionLocationOk",
    "NoUidConflict",
    "OrganizerIsSharer",
    "PathOf",
    "SupportedCalendarComponent",
    "UniqueSchedulingObjectResource",
    "accepted",
    "admit",
    "branches",
    "busy",
    "busy_each",
    "busy_of",
    "counts",
    "default_calendar",
    "extend",
    "limits",
    "notifications",
    "own_addresses",
    "pieces",
    "provision",
    "publishing",
    "put",
    "sharing",
    "spread",
    "taken",
    "zone_of",
]
