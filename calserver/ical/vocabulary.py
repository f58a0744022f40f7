"""What RFC 5545 and its extensions define: value types, lists, how often a property may occur (section 8.3)."""

from typing import Final

DEFAULT_TYPES: Final = {
    name: kind
    for kind, names in {
        "CAL-ADDRESS": "ATTENDEE ORGANIZER CALENDAR-ADDRESS",
        "DATE-TIME": (
            "ACKNOWLEDGED COMPLETED CREATED DTEND DTSTAMP DTSTART DUE EXDATE LAST-MODIFIED RDATE RECURRENCE-ID TZUNTIL"
        ),
        "DURATION": "DURATION TRIGGER",
        "FLOAT": "GEO",
        "INTEGER": "PERCENT-COMPLETE PRIORITY REPEAT SEQUENCE",
        "PERIOD": "FREEBUSY",
        "RECUR": "EXRULE RRULE",
        "TEXT": (
            "ACTION BUSYTYPE CALSCALE CATEGORIES CLASS COLOR COMMENT CONTACT DESCRIPTION LOCATION LOCATION-TYPE METHOD "
            "NAME PARTICIPANT-TYPE PRODID PROXIMITY REFID RELATED-TO REQUEST-STATUS RESOURCE-TYPE RESOURCES STATUS "
            "SUMMARY TRANSP TZID TZID-ALIAS-OF TZNAME UID VERSION"
        ),
        "URI": "ATTACH CONCEPT CONFERENCE IMAGE LINK SOURCE TZURL URL",
        "UTC-OFFSET": "TZOFFSETFROM TZOFFSETTO",
    }.items()
    for name in names.split()
}
"""The type of a property's value where it has no VALUE parameter; others are of unknown type (RFC 7265 section 5)."""

LISTS: Final = frozenset({"CATEGORIES", "EXDATE", "FREEBUSY", "RDATE", "RESOURCES"})
"""Properties with several values, separated by commas (RFC 5545 section 3.1.2)."""

STRUCTURED: Final = frozenset({"GEO", "REQUEST-STATUS"})
"""Properties whose value has parts, separated by semicolons."""

_ONCE_IN_ALL = "CLASS CREATED DTSTAMP DTSTART DURATION LAST-MODIFIED ORGANIZER RECURRENCE-ID SEQUENCE SUMMARY UID URL"

ONCE: Final = {
    component: frozenset(f"{_ONCE_IN_ALL} {names}".split())
    for component, names in {
        "VEVENT": "COLOR DESCRIPTION DTEND GEO LOCATION PRIORITY STATUS TRANSP",
        "VTODO": "COLOR COMPLETED DESCRIPTION DUE GEO LOCATION PERCENT-COMPLETE PRIORITY STATUS",
        "VJOURNAL": "COLOR STATUS",
        "VFREEBUSY": "CONTACT DTEND",
        "VAVAILABILITY": "BUSYTYPE DESCRIPTION DTEND LOCATION PRIORITY",
        "AVAILABLE": "DESCRIPTION DTEND LOCATION",
        "VALARM": "ACKNOWLEDGED ACTION REPEAT TRIGGER",
    }.items()
}
"""Properties that occur at most once in a component (RFC 5545 section 3.6, RFC 7953 section 3.1, RFC 9074)."""

STATUSES: Final = {
    "VEVENT": frozenset({"TENTATIVE", "CONFIRMED", "CANCELLED"}),
    "VJOURNAL": frozenset({"DRAFT", "FINAL", "CANCELLED"}),
}
"""Values of STATUS where they are a closed list (RFC 5545 section 3.8.1.11); those of tasks are being extended."""
