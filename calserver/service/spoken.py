"""What the server speaks, and what it serves: here and nowhere else."""

from typing import Final

from calserver import caldav, dav, directory, drive
from calserver.tree import Mount, caldav_ctag

SPOKEN: Final = (
    dav.rfc4918,
    dav.rfc3253,
    dav.rfc3744,
    dav.rfc4331,
    dav.rfc5397,
    dav.rfc5689,
    dav.rfc5842,
    dav.rfc5995,
    dav.rfc6578,
    dav.rfc7240,
    directory.rfc3744_principals,
    directory.rfc6638_calendar_users,
    directory.calendarserver_principals,
    directory.caldav_proxy,
    caldav_ctag,
    caldav.rfc4791,
    caldav.rfc6638,
    caldav.rfc7529,
    caldav.rfc7809,
    caldav.rfc7953,
    caldav.calendarserver,
    caldav.bulk_change,
    caldav.calendarserver_sharing,
    caldav.dav_sharing,
    caldav.calendarserver_publishing,
)
"""Everything that the server speaks; a later one wins over an earlier one."""

MOUNTS: Final[tuple[Mount, ...]] = (directory.PrincipalMount(), caldav.mount, drive.drive)
"""Everything that it serves."""

BRANCHES: Final[tuple[Mount, ...]] = (directory.PrincipalMount(), caldav.branches, drive.drive)
"""The same for what other nodes ask of branches of homes."""
