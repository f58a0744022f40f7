"""Why calendar data is refused: the preconditions of RFC 4791 section 5.3.2.1, RFC 7529 section 7, RFC 7809."""

from calserver.conditions import ConditionFailed
from calserver.names import C


class SupportedCalendarData(ConditionFailed):
    """The media type is not one that this server stores (RFC 4791 section 5.3.2.1)."""

    name = C("supported-calendar-data")


class ValidCalendarData(ConditionFailed):
    """The text is not valid iCalendar (RFC 4791 section 5.3.2.1)."""

    name = C("valid-calendar-data")


class ValidCalendarObjectResource(ConditionFailed):
    """Valid iCalendar, but not one calendar object resource (RFC 4791 sections 4.1 and 5.3.2.1)."""

    name = C("valid-calendar-object-resource")


class ValidTimezone(ConditionFailed):
    """A time zone is named that is not known, and not defined beside it either (RFC 7809 section 3.1.4)."""

    name = C("valid-timezone")


class MaxResourceSize(ConditionFailed):
    """The text is larger than ``CALDAV:max-resource-size`` (RFC 4791 section 5.2.5)."""

    name = C("max-resource-size")


class MinDateTime(ConditionFailed):
    """An instant lies before ``CALDAV:min-date-time`` (RFC 4791 section 5.2.6)."""

    name = C("min-date-time")


class MaxDateTime(ConditionFailed):
    """An instant lies after ``CALDAV:max-date-time`` (RFC 4791 section 5.2.7)."""

    name = C("max-date-time")


class MaxInstances(ConditionFailed):
    """There are more recurrence instances than ``CALDAV:max-instances`` (RFC 4791 section 5.2.8)."""

    name = C("max-instances")


class MaxAttendeesPerInstance(ConditionFailed):
    """An instance has more attendees than ``CALDAV:max-attendees-per-instance`` (RFC 4791 section 5.2.9)."""

    name = C("max-attendees-per-instance")


class SupportedRscale(ConditionFailed):
    """A rule counts in a calendar that this server does not know (RFC 7529 section 7)."""

    name = C("supported-rscale")
