"""What leaves and enters: messages to and from other organizations, and questions for their free-busy time.

Theory of operation. `meetings` decides whom a message is for. Whom nobody here has is somebody elsewhere: `route`
writes a letter in the same transaction (`calserver.meetings.letters`), and its sender's copy says ``1.0``, pending.
After the commit `courier` looks which domains have letters waiting and hands them to carriers, each domain at its own
pace (`pace`): whoever is slow or dead delays nobody else. A carrier is a way to a domain: iSchedule, found by DNS and
signed (`ischedule.client`), or `mail` where there is no such service (`by_mail`). What it says became of a letter is
written into the sender's copy, in a transaction of its own.

What others send comes to `office`, which decides what is taken from whom (`manners`) and delivers it by the same core
as local messages. `inquiries` asks several servers for free-busy time at once, within a deadline. `audit` writes down
who asked what. `federation` builds all this of the configuration.

Between the nodes of a cluster it is the same: a letter to somebody whose calendars are at another node goes there by
iSchedule (`neighbors`), and what other nodes bring comes to the `inner_office`, where the originator is somebody of
this site with all rights. What other organizations bring is divided by the office and handed on, so any node takes it.
"""

from calserver.scheduling import mail
from calserver.scheduling.authorities import authorities
from calserver.scheduling.federation import Federation, attached, capabilities
from calserver.scheduling.neighbors import PATH as NODE_PATH

__all__ = ["NODE_PATH", "Federation", "attached", "authorities", "capabilities", "mail"]
