"""What organizers and attendees may not do (RFC 6638 section 3.2.4)."""

from calserver.conditions import ConditionFailed
from calserver.names import C


class SameOrganizerInAllComponents(ConditionFailed):
    """All components of a scheduling object resource have one organizer (RFC 6638 section 3.2.4.2)."""

    name = C("same-organizer-in-all-components")


class AllowedOrganizerSchedulingObjectChange(ConditionFailed):
    """An organizer cannot become somebody else, or hold single instances only (RFC 6638 section 3.2.4.3)."""

    name = C("allowed-organizer-scheduling-object-change")


class AllowedAttendeeSchedulingObjectChange(ConditionFailed):
    """An attendee changes its own participation and little else (RFC 6638 sections 3.2.2.1 and 3.2.4.4)."""

    name = C("allowed-attendee-scheduling-object-change")
