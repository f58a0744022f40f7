"""Why a calendar does not take something: preconditions of RFC 4791 section 5.3.2.1 and RFC 6638 section 3.2.4.1."""

from calserver.conditions import ConditionFailed
from calserver.names import CALSERVER, C


class SupportedCalendarComponent(ConditionFailed):
    """The calendar does not take components of this type (RFC 4791 section 5.2.3)."""

    name = C("supported-calendar-component")


class NoUidConflict(ConditionFailed):
    """The UID belongs to another member, or the member to be replaced has another (RFC 4791 section 5.3.2.1).

    ``hrefs`` names the member.
    """

    name = C("no-uid-conflict")


class UniqueSchedulingObjectResource(ConditionFailed):
    """Another calendar of the home has the UID (RFC 6638 section 3.2.4.1); ``hrefs`` names the member that has it."""

    name = C("unique-scheduling-object-resource")


class OrganizerIsSharer(ConditionFailed):
    """In a calendar that is shared only the sharer can invite (caldav-sharing section 5.5.5)."""

    name = f"{{{CALSERVER}}}organizer-is-sharer"


class CalendarCollectionLocationOk(ConditionFailed):
    """A calendar cannot be at this place (RFC 4791 section 5.3.1.1)."""

    name = C("calendar-collection-location-ok")
