"""Scheduling decisions as values (RFC 5546, RFC 6638): who is told what, and what a message does to a copy.

`plan` looks at a change that the owner of a calendar makes: it finds whether the owner is organizer or attendee,
refuses what is not allowed, and gives the object to store and the messages to send. `apply` looks at a message: it
gives the copy to store, what to put into the inbox, and what to answer. Both are functions of their arguments; time,
addresses and what is remembered are handed in. Whoever calls them stores, delivers, and writes the outcome back with
`delivered`.

**Order.** Each component of a meeting has a version, SEQUENCE and DTSTAMP. `plan` and `apply` raise it with every
change that others hear of, so that of two versions one is always newer, even within one second. Messages carry only
what changed: the overrides, or where the master changed all of it. The receiver keeps the newest of each instance in a
`Memory`, beside the copy, and makes the copy of it; so messages may come in any order, late or twice.

**Participation** belongs to the attendee, up to where the organizer asks anew: every reset of PARTSTAT raises
SEQUENCE. An answer counts for the revision that was answered; one to an earlier revision than the last that was sent
is dropped on the organizer's side, and given up on the attendee's side when that revision comes. So both say the same
in the end. An override that says nothing but who takes part follows the series for those who answered only that.

**Views.** An attendee sees the instances it is invited to, with an EXDATE for each of the others. What is sent follows
from the old and the new view, by the table of RFC 6638 section 3.2.1.2; attendees with equal messages share one.
"""

from calserver.itip.answer import with_answers, without_cancelled
from calserver.itip.conditions import (
    AllowedAttendeeSchedulingObjectChange,
    AllowedOrganizerSchedulingObjectChange,
    SameOrganizerInAllComponents,
)
from calserver.itip.decide import apply, delivered, plan, role_of
from calserver.itip.memory import Memory
from calserver.itip.message import Message, Method, Version, sequence_of
from calserver.itip.people import is_served
from calserver.itip.plan import Applied, Plan, Role
from calserver.itip.requests import seeded
from calserver.itip.sameness import looks_alike, other_answers
from calserver.itip.view import refresh

__all__ = [
    "AllowedAttendeeSchedulingObjectChange",
    "AllowedOrganizerSchedulingObjectChange",
    "Applied",
    "Memory",
    "Message",
    "Method",
    "Plan",
    "Role",
    "SameOrganizerInAllComponents",
    "Version",
    "apply",
    "delivered",
    "is_served",
    "looks_alike",
    "other_answers",
    "plan",
    "refresh",
    "role_of",
    "seeded",
    "sequence_of",
    "with_answers",
    "without_cancelled",
]
