"""CalDAV on the wire: calendars as WebDAV resources (RFC 4791), and what else clients of calendars speak.

One module per RFC declares its `Extension`; reports and methods that are longer have modules of their own. What is
decided about calendars is decided in `calserver.calendars`, what calendar data mean in `calserver.ical`.
"""

from calserver.caldav.apple import calendarserver
from calserver.caldav.bulk import bulk_change
from calserver.caldav.davsharing import dav_sharing
from calserver.caldav.foreign import told
from calserver.caldav.freebusy import asked as free_busy_asked
from calserver.caldav.freebusy import joined as free_busy_joined
from calserver.caldav.homes import branches, mount
from calserver.caldav.inquiry import Asking, Part, Told
from calserver.caldav.inquiry import reply as freebusy_reply
from calserver.caldav.publishing import calendarserver_publishing
from calserver.caldav.replies import InviteReply, invite_reply, reply_answer, shared_as
from calserver.caldav.rfc4791 import rfc4791
from calserver.caldav.rfc6638 import rfc6638
from calserver.caldav.rfc7529 import rfc7529
from calserver.caldav.rfc7809 import rfc7809
from calserver.caldav.rfc7953 import rfc7953
from calserver.caldav.sharing import calendarserver_sharing

__all__ = [
    "Asking",
    "InviteReply",
    "Part",
    "Told",
    "branches",
    "bulk_change",
    "calendarserver",
    "calendarserver_publishing",
    "calendarserver_sharing",
    "dav_sharing",
    "free_busy_asked",
    "free_busy_joined",
    "freebusy_reply",
    "invite_reply",
    "mount",
    "reply_answer",
    "rfc4791",
    "rfc6638",
    "rfc7529",
    "rfc7809",
    "rfc7953",
    "shared_as",
    "told",
]
