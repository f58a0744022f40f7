"""What users do with calendars: transaction functions, one commit each (RFC 4791).

Every way in comes through here - CalDAV, the command line's import, later invitations - so what may be stored in a
calendar is decided once:

- `provision` makes the homes and standard collections of a new principal;
"""

from calserver.calendars.provision import provision

__all__ = ["provision"]
