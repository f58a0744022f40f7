"""Where calendars are in the tree, and which class each kind of collection has there."""

import attrs

from calserver import calendars
from calserver.caldav import outbox
from calserver.caldav.boxes import Attachments, Inbox, Notifications, Outbox
from calserver.caldav.elsewhere import Branch, Signpost
from calserver.caldav.notices import CALENDARS
from calserver.caldav.resources import CalendarCollection, CalendarHome, PlainCollection
from calserver.caldav.sharee import SharedCalendar
from calserver.store import BRANCH
from calserver.tree import Homes, Kinds

KINDS = Kinds(
    home=CalendarHome,
    plain=PlainCollection,
    others={
        "calendar": CalendarCollection,
        calendars.SHARED_CALENDAR: SharedCalendar,
        calendars.branches.SIGNPOST: Signpost,
        "inbox": Inbox,
        "outbox": Outbox,
        "notifications": Notifications,
        "attachments": Attachments,
    },
)

mount = Homes(
    name=CALENDARS,
    home_kind=calendars.CALENDAR_HOME,
    kinds=KINDS,
    principal_kinds=("user", "resource", "location"),
    wanted={("POST", calendars.OUTBOX): outbox.SEND},
)

branches = attrs.evolve(
    mount,
    branches=attrs.evolve(mount, home_kind=BRANCH, kinds=attrs.evolve(KINDS, home=Branch)),
)
"""The same for what another node asks of the branch of somebody who is there."""
