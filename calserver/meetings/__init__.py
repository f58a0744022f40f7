"""What organizers and attendees do: invite, answer, withdraw - and what that does to others (RFC 6638).

Theory of operation. `calserver.itip` decides and this room carries out. Whoever stores or removes a calendar object
that has an organizer, before or after (`concerns`), comes through `put` or `remove`: these have the change planned and
store all that follows - the object, the copies of everybody here, what belongs into their Inboxes, what must be sent
elsewhere - in the transaction of the request. So all of it is there, or none; and since writing transactions follow
one another, two who change a meeting at the same time never leave organizer and attendees in disagreement.

- `delivery` is the unit of work: messages go in, copies come out;
- `people` knows whose an address is, `rights` who may deliver, `holding` where somebody's copy is;
- `rooms` answer by themselves; `groups` that are invited stand for their members;
- `inbound` is the way in for messages from elsewhere;
- `letters` are messages for elsewhere, until they have arrived; `luggage` is what goes along with somebody who moves;
- `agreement` looks whether copies agree, and repairs them;
- the journal (`calserver.store.Journal`) knows who was sent what and why, until `housekeeping` forgets it;
- `tasks` are what waits until after the commit, and `later` does it: telling attendees how others answered, following
  groups.

A `Policy` says what the site wants, and by which routes messages may leave it.
"""

from calserver.meetings import agreement, letters, luggage
from calserver.meetings.changes import SEND, Ask, concerns, put, remove, standings
from calserver.meetings.groups import changed as groups_changed
from calserver.meetings.housekeeping import empty_inboxes, forget
from calserver.meetings.inbound import receive, receive_answer, returned
from calserver.meetings.later import WORKS
from calserver.meetings.people import People
from calserver.meetings.policy import Inquiry, Manner, Policy, Route, Standing

__all__ = [
    "SEND",
    "WORKS",
    "Ask",
    "Inquiry",
    "Manner",
    "People",
    "Policy",
    "Route",
    "Standing",
    "agreement",
    "concerns",
    "empty_inboxes",
    "forget",
    "groups_changed",
    "letters",
    "luggage",
    "put",
    "receive",
    "receive_answer",
    "remove",
    "returned",
    "standings",
]
