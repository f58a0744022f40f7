"""Answers as mail programs write them, each in its own way; all count."""

from base64 import encodebytes

import pytest
from counter import Counter
from letterbox import TOKENS
from pytest_twisted import ensureDeferred

HEAD = """\
Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000
From: {author}
To: {address}
Subject: Re: Lunch
MIME-Version: 1.0
"""
OUTLOOK = """\
In-Reply-To: <1@example.com>
Content-Type: multipart/alternative;
\tboundary="_000_AB12other_"

--_000_AB12other_
Content-Type: text/plain; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

=A0
--_000_AB12other_
Content-Type: text/calendar; charset="utf-8"; method=REPLY
Content-Transfer-Encoding: base64

{base64}
--_000_AB12other_--
"""
OUTLOOK_DATA = """\
BEGIN:VCALENDAR
METHOD:REPLY
PRODID:Microsoft Exchange Server 2010
VERSION:2.0
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
ATTENDEE;PARTSTAT=ACCEPTED;CN=Bo Baker:MAILTO:Bo@Other.example
COMMENT;LANGUAGE=de-DE:\\n
UID:m-1
SUMMARY;LANGUAGE=de-DE:Accepted: Lunch
DTSTART;TZID=W. Europe Standard Time:20990105T100000
DTEND;TZID=W. Europe Standard Time:20990105T110000
CLASS:PUBLIC
PRIORITY:5
DTSTAMP:20260102T080000Z
TRANSP:OPAQUE
STATUS:CONFIRMED
SEQUENCE:0
LOCATION;LANGUAGE=de-DE:
X-MICROSOFT-CDO-APPT-SEQUENCE:0
X-MICROSOFT-CDO-OWNERAPPTID:0
X-MICROSOFT-CDO-BUSYSTATUS:BUSY
X-MICROSOFT-CDO-INTENDEDSTATUS:BUSY
ORGANIZER;CN=Ann:MAILTO:{address}
END:VEVENT
END:VCALENDAR
"""
GOOGLE = """\
Content-Type: multipart/mixed; boundary="000000000000a1"

--000000000000a1
Content-Type: multipart/alternative; boundary="000000000000a2"

--000000000000a2
Content-Type: text/plain; charset="UTF-8"; format=flowed; delsp=yes

Bo Baker has accepted this invitation.

--000000000000a2
Content-Type: text/calendar; charset="UTF-8"; method=REPLY
Content-Transfer-Encoding: 7bit

BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:REPLY
BEGIN:VEVENT
DTSTART:20990105T090000Z
DTEND:20990105T100000Z
DTSTAMP:20260102T080000Z
ORGANIZER;CN=Ann:mailto:{address}
UID:m-1
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=Bo Bak
 er;X-NUM-GUESTS=0:mailto:bo@other.example
CREATED:20260101T000000Z
DESCRIPTION:
LAST-MODIFIED:20260102T080000Z
LOCATION:
SEQUENCE:0
STATUS:CONFIRMED
SUMMARY:Lunch
TRANSP:OPAQUE
END:VEVENT
END:VCALENDAR

--000000000000a2--

--000000000000a1
Content-Type: application/ics; name="invite.ics"
Content-Disposition: attachment; filename="invite.ics"
Content-Transfer-Encoding: base64

QkVHSU46VkNBTEVOREFS
--000000000000a1--
"""
APPLE = """\
Content-Type: text/calendar;
\tcharset=utf-8;
\tmethod=REPLY;
\tname=iCal-20260102-090000.ics
Content-Transfer-Encoding: quoted-printable

BEGIN:VCALENDAR
CALSCALE:GREGORIAN
VERSION:2.0
METHOD:REPLY
PRODID:-//Apple Inc.//macOS 14.0//EN
BEGIN:VEVENT
UID:m-1
DTSTART:20990105T090000Z
DURATION:PT1H
SUMMARY:Lunch=E2=80=99s
SEQUENCE:0
ATTENDEE;CN=3D"Bo Baker";CUTYPE=3DINDIVIDUAL;EMAIL=3D"bo@other.example";PARTS=
TAT=3DACCEPTED:mailto:bo@other.example
DTSTAMP:20260102T080000Z
ORGANIZER;CN=3D"Ann":mailto:{address}
END:VEVENT
END:VCALENDAR
"""
TERSE = """\
Content-Type: text/calendar

BEGIN:VCALENDAR
VERSION:2.0
PRODID:x
METHOD:reply
BEGIN:VEVENT
UID:m-1
DTSTAMP:20260102T080000Z
ORGANIZER:mailto:{address}
ATTENDEE;PARTSTAT=ACCEPTED:mailto:bo@other.example
REQUEST-STATUS:2.0;Success
END:VEVENT
END:VCALENDAR
"""
PROGRAMS = {"Outlook": OUTLOOK, "Google": GOOGLE, "Apple": APPLE, "the least": TERSE}


@pytest.mark.parametrize("line_end", ["\r\n", "\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize("program", PROGRAMS)
@ensureDeferred
async def test_an_answer_counts_whoever_has_written_it(counter: Counter, program: str, line_end: str) -> None:
    counter.invite("SUMMARY:Lunch")
    address = TOKENS.address_for(counter.id(), "mailto:bo@other.example", "m-1")
    data = OUTLOOK_DATA.format(address=address).replace("\n", "\r\n").encode()
    text = (HEAD + PROGRAMS[program]).format(
        author='"Baker, Bo" <Bo@Other.example>', address=address, base64=encodebytes(data).decode()
    )
    said = await counter.takes(text.replace("\n", line_end).encode(), address)
    assert said.code == 250, said.text
    assert counter.stands()[0] == "ACCEPTED"
