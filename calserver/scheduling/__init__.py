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
"""

from calserver.scheduling import mail
from calserver.scheduling.federation import Federation, attached, capabilities

__all__ = ["Federation", "attached", "capabilities", "mail"]
