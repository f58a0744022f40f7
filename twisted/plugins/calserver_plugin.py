"""The twistd drop-in. Whoever asks Twisted for any plugin loads this file, so it imports nothing of ours."""

from twisted.application.service import ServiceMaker

calserver = ServiceMaker("calserver", "calserver.service", "CalDAV and iSchedule server", "calserver")
